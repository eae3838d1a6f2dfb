"""The command ``sensors``: what measures here, and what could."""

import time

import click

from monitor import forms, report
from monitor.engine.backends import offload_advice
from monitor.engine.client import Engine, EngineError
from monitor.engine.messages import Hello
from monitor.mend_commands import mend
from monitor.plug_commands import plug
from monitor.power.channel import ProbeState
from monitor.power.sampler import Sampler
from monitor.sensing import sampler_for
from monitor.sensor_test_commands import test_sensors
from monitor.store.database import StoreError
from monitor.terminal import json_option, open_history, show, stderr


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def sensors(ctx: click.Context, as_json: bool) -> None:
    """Show every power source and channel, and how to mend those that are denied.

    Example: llamawatt sensors
    """
    if ctx.invoked_subcommand is None:
        _show_all(as_json)


def _show_all(as_json: bool) -> None:
    engine = Engine()
    problem = ""
    try:
        hello: Hello | None = engine.hello()
    except EngineError as error:
        # The sensors are told of all the same: this is the page to look at when things fail.
        hello, problem = None, str(error)
    finally:
        engine.stop()
    with _sampler() as sampler:
        sampler.wait_ready()
        # Two readings further, counters have watts too.
        sampler.wait_until(time.monotonic() + 2.5 / sampler.hz, timeout_s=2)
        probes = sampler.probes()
        latest = [(c, sampler.trace.latest(c.key)) for c in sampler.channels()]
    channels = [(c, last[1] if last and last[1] == last[1] else None) for c, last in latest]
    nvml = any(p.source == "nvml" and p.state is ProbeState.AVAILABLE for p in probes)
    advice = offload_advice(hello, nvml) if hello else problem
    show(
        report.sensors_view(probes, channels, hello, advice),
        lambda: forms.sensors_json(probes, channels, hello, advice),
        as_json,
    )


def _sampler() -> Sampler:
    """Return this machine's sampler, also where the history cannot be opened."""
    try:
        with open_history() as history:
            return sampler_for(history)
    except StoreError as error:
        stderr.print(str(error))
        return Sampler()


sensors.add_command(test_sensors)
sensors.add_command(mend)
sensors.add_command(plug)
