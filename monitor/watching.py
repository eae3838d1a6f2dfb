"""The command ``watch``: the machine's power without a model."""

import math
import time

import click
from rich.console import Group
from rich.live import Live

from monitor import forms, report
from monitor.carbon.footprint import footprint
from monitor.energy.account import WATCH, Bill, Line, Phase, account
from monitor.meter import chosen_zone
from monitor.power.sampler import DEFAULT_HZ, MAX_HZ, MIN_HZ, Sampler
from monitor.sensing import sampler_for
from monitor.terminal import ctrl_c, json_option, open_history, show, stderr

SLICE_S = 600.0
"""A long watch is billed in parts: the trace remembers an hour or two, not a night."""


@click.command()
@click.option("--seconds", type=click.FloatRange(0.1), help="Stop by itself; else with Ctrl-C.")
@click.option("--hz", type=click.FloatRange(MIN_HZ, MAX_HZ), default=DEFAULT_HZ, show_default=True)
@json_option
def watch(seconds: float | None, hz: float, as_json: bool) -> None:
    """Watch this machine's power, without a model; the bill of the whole time at the end.

    Example: llamawatt watch --seconds 10
    """
    with open_history() as history, sampler_for(history, hz) as sampler:
        zone = chosen_zone(history)
        sampler.wait_ready()
        seconds, bill = _watch(sampler, seconds, live=not as_json and stderr.is_terminal)
    energy = bill.total().energy
    carbon = footprint(energy, zone) if energy else None
    view = report.bill_table(bill)
    show(
        Group(view, report.footprint_line(carbon)) if carbon else view,
        lambda: {
            "seconds": seconds,
            "energy": forms.energy_json(bill),
            "co2": forms.footprint_json(carbon),
        },
        as_json,
    )


def _watch(sampler: Sampler, seconds: float | None, live: bool) -> tuple[float, Bill]:
    """Wait for the time to pass or Ctrl-C, showing watts; return how long it was, and its bill."""
    stopped: list[float] = []
    lines: list[Line] = []
    sampler.mark()
    start_s = slice_s = time.monotonic()
    end_s = start_s + seconds if seconds else math.inf

    def bill_until(until_s: float) -> None:
        phase = Phase(WATCH, slice_s, until_s)
        lines.extend(account(sampler.trace, sampler.channels(), [phase]).lines)

    with (
        ctrl_c(lambda: stopped.append(time.monotonic())),
        Live(console=stderr, transient=True, auto_refresh=False) as display,
    ):
        while not stopped and (left_s := end_s - time.monotonic()) > 0:
            if live:
                now = [(c, sampler.trace.latest(c.key)) for c in sampler.channels()]
                watts = [(c, last[1] if last else None) for c, last in now]
                display.update(report.channels_table(watts), refresh=True)
            if (read_s := sampler.read_until_s()) - slice_s > SLICE_S:
                bill_until(read_s)
                slice_s = read_s
            time.sleep(min(left_s, 0.1))
    end_s = stopped[0] if stopped else end_s
    sampler.wait_until(end_s, timeout_s=2 / sampler.hz + 0.5)
    bill_until(end_s)
    return end_s - start_s, Bill(tuple(lines))


