"""The command ``watch``: the machine's power without a model, recorded if that is wanted."""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from monitor.carbon.choice import chosen_pue
from monitor.carbon.footprint import known_footprint
from monitor.carbon.late import late_figure
from monitor.commands.group import NamingGroup
from monitor.commands.live_beside import live_beside
from monitor.commands.number_option import Number, Seconds
from monitor.commands.recordings import COMMANDS
from monitor.commands.terminal import ctrl_c, json_option, open_history, show, stderr
from monitor.energy.notes import Notes
from monitor.energy.present import present
from monitor.meter import chosen_zone
from monitor.power.sampler import DEFAULT_HZ, MAX_HZ, MIN_HZ, Sampler
from monitor.quiet import above_last_idle
from monitor.recorded import Cost, Recorded
from monitor.recorder import Recorder
from monitor.recording_forms import cost_json, cost_view, recording_json, recording_view
from monitor.sensing import sampler_for
from monitor.store.history import History
from monitor.tally import Tally, settled_s
from monitor.terminal.record_view import note_lines
from monitor.terminal.sensors_view import channels_table
from monitor.watch_notes import notes_of

LOOK_S = 0.1
BILLED_EVERY_S = 60.0


class _WatchGroup(NamingGroup):
    """Takes a length of time for what it is, though not for a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called.

        :raises click.UsageError: if there is none of that name
        """
        if _is_length(args[0]) and not ctx.resilient_parsing:
            text = f"How long is said by an option: llamawatt watch --seconds {args[0]}"
            raise click.UsageError(text, ctx)
        return super().resolve_command(ctx, args)


def _is_length(text: str) -> bool:
    try:
        Seconds(0.0).convert(text, None, None)
    except click.BadParameter:
        return False
    return True


@click.group(cls=_WatchGroup, invoke_without_command=True)
@click.option("--seconds", type=Seconds(0.1), help="Stop by itself; else with Ctrl-C.")
@click.option("--hz", type=Number(MIN_HZ, MAX_HZ), default=DEFAULT_HZ, show_default=True)
@click.option("--record", "name", is_flag=False, flag_value="", metavar="[NAME]",
              help="Keep curve and bill in the history.")  # fmt: skip
@click.option("--mark-on-enter", "marks", is_flag=True,
              help="With --record: a line typed marks a moment by that name.")  # fmt: skip
@json_option
@click.pass_context
def watch(
    ctx: click.Context, seconds: float | None, hz: float, name: str | None, marks: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Watch this machine's power, without a model; the bill of the whole time at the end.

    With a command it is about what was recorded with --record.

    Example: llamawatt watch --seconds 10 --record "The editor"
    """
    if ctx.invoked_subcommand is not None:
        return
    if marks and name is None:
        raise click.UsageError("--mark-on-enter marks a recording: give --record as well.")
    with open_history() as history, live_beside(history), sampler_for(history, hz) as sampler:
        sampler.wait_ready()
        is_shown = not as_json and stderr.is_terminal
        if name is None:
            cost, notes = _watched(history, sampler, seconds, is_shown)
            view = Group(cost_view(cost), *note_lines(notes))
            show(view, lambda: cost_json(cost) | notes.to_json(), as_json)
        else:
            recorded = _recorded(history, sampler, seconds, is_shown, name, marks)
            recording = recorded.recording
            show(_kept_view(recorded), lambda: recording_json(recording, recorded), as_json)


for command in COMMANDS:
    watch.add_command(command)


def _watched(
    history: History, sampler: Sampler, seconds: float | None, is_shown: bool
) -> tuple[Cost, Notes]:
    """Watch for some time, or until Ctrl-C; return what it cost, and what is to be said of it."""
    zone, pue, began = chosen_zone(history), chosen_pue(history), datetime.now(UTC)
    sampler.mark()
    start_s = time.monotonic()
    tally = Tally(sampler, start_s)
    end_s = _wait(sampler, start_s, seconds, is_shown, lambda: tally.bill(settled_s(sampler)))
    sampler.wait_until(end_s)
    bill = tally.bill(end_s)
    cost = Cost(
        start_s=0.0,
        end_s=end_s - start_s,
        bill=bill,
        above=above_last_idle(bill, history.store),
        footprint=known_footprint(bill.total().energy, late_figure(history, began) or zone, pue),
    )
    return cost, notes_of(sampler, bill, start_s, end_s)


def _recorded(
    history: History, sampler: Sampler, seconds: float | None, is_shown: bool, name: str,
    marks: bool,
) -> Recorded:  # fmt: skip
    """Record for some time, or until Ctrl-C; what was recorded is stored however it ends."""
    recorder = Recorder(sampler, history)
    recorder.start(name)
    start_s = time.monotonic()
    try:
        with _marking(recorder, marks):
            _wait(sampler, start_s, seconds, is_shown, lambda: None)
    finally:
        recorder.stop()
    return recorder.recorded()


@contextmanager
def _marking(recorder: Recorder, marks: bool) -> Iterator[None]:
    """Mark a moment for each line typed meanwhile."""

    def follow() -> None:
        for line in sys.stdin:
            mark = recorder.mark(line)
            stderr.print(f"Marked at {mark.at_s:.1f} s. {mark.name}", markup=False)

    if marks:
        stderr.print("Enter marks a moment; type its name before, if it is to have one.")
        threading.Thread(target=follow, daemon=True).start()
    yield


def _wait(
    sampler: Sampler,
    start_s: float,
    seconds: float | None,
    is_shown: bool,
    bill: Callable[[], object],
) -> float:
    """Wait for the time to pass or Ctrl-C, showing watts; return when it ended.

    :param bill: called once a minute
    """
    stopped: list[float] = []
    end_s = start_s + seconds if seconds else math.inf
    billed_s = start_s
    with (
        ctrl_c(lambda: stopped.append(time.monotonic())),
        Live(console=stderr, transient=True, auto_refresh=False) as display,
    ):
        while not stopped and (left_s := end_s - time.monotonic()) > 0:
            if is_shown:
                display.update(channels_table(present(sampler).billed), refresh=True)
            if time.monotonic() - billed_s > BILLED_EVERY_S:
                billed_s = time.monotonic()
                bill()
            time.sleep(min(left_s, LOOK_S))
    return stopped[0] if stopped else end_s


def _kept_view(recorded: Recorded) -> RenderableType:
    number = recorded.recording.id[-8:]
    kept = f"Kept. To see it again: llamawatt watch show {number}"
    return Group(recording_view(recorded), Text(), Text(kept, style="dim"))
