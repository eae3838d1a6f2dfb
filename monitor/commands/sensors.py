"""The command ``sensors``: what measures here, and what could."""

import time
from collections.abc import Container

import click

from monitor import forms
from monitor.commands.group import NamingGroup
from monitor.commands.mend import mend
from monitor.commands.plugs import plug
from monitor.commands.selftest import HINT, test_sensors
from monitor.commands.terminal import json_option, open_history, show, stderr
from monitor.energy.present import present
from monitor.engine.backends import offload_advice
from monitor.engine.client import Engine, EngineError
from monitor.engine.messages import Hello
from monitor.power.channel import ProbeState
from monitor.power.local_http import ALTOGETHER_S
from monitor.power.sampler import Sampler
from monitor.power.sources.plug import PERIOD_S, PREFIX
from monitor.sensing import sampler_for
from monitor.sensor_testing import untested
from monitor.store.database import StoreError
from monitor.store.sensor_traits import SensorTraits
from monitor.terminal.sensors_view import sensors_view

SENSORS_S = 2.0
"""So long a second reading is waited for; most sensors have one after a fifth of that."""

PLUG_S = PERIOD_S + ALTOGETHER_S + 0.5
"""The same where there is a plug: one that is silent is known to be after one question."""


@click.group(cls=NamingGroup, invoke_without_command=True)
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
    made, tested = _sampler()
    with made as sampler:
        sampler.wait_ready()
        # Two readings further, counters have watts too; and a plug, which is asked over the
        # network, has answered once or is known not to.
        has_plug = any(probe.source.startswith(PREFIX) for probe in sampler.probes())
        sampler.wait_until(time.monotonic() + 2.5 / sampler.hz, PLUG_S if has_plug else SENSORS_S)
        probes = sampler.probes()
        channels = present(sampler).listed
    nvml = any(p.source == "nvml" and p.state is ProbeState.AVAILABLE for p in probes)
    advice = offload_advice(hello, nvml) if hello else problem
    hint = HINT if untested((c for c, _ in channels), tested) else ""
    show(
        sensors_view(probes, channels, hello, advice, hint),
        lambda: forms.sensors_json(probes, channels, hello, advice),
        as_json,
    )


def _sampler() -> tuple[Sampler, Container[str]]:
    """Return this machine's sampler, also where the history cannot be opened.

    :return: and the keys of the channels that were tested here
    """
    try:
        with open_history() as history:
            return sampler_for(history), SensorTraits(history.store).all()
    except StoreError as error:
        stderr.print(str(error))
        return Sampler(), ()


sensors.add_command(test_sensors)
sensors.add_command(mend)
sensors.add_command(plug)
