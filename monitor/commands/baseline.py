"""The commands that measure what bills are laid beside: the idle machine, and the wall."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from monitor import figures, forms
from monitor.commands.number_option import Seconds
from monitor.commands.progress import progress_bar
from monitor.commands.terminal import INTERRUPTED, ctrl_c, json_option, open_history, show, stderr
from monitor.energy.baseline import Baseline, Stale, is_stale, stale_words, why_stale
from monitor.energy.calibration import Calibration, CannotCalibrate, calibrate
from monitor.engine.client import Engine
from monitor.engine.gguf import read_model_info
from monitor.loading import LoadOptions
from monitor.models.library import model_places, resolve_model
from monitor.power.channel import Channel
from monitor.power.sampler import Sampler
from monitor.power.sources.battery import KEY as BATTERY
from monitor.quiet import IdleMeasurement, NotQuiet, NotSure, present_conditions
from monitor.sensing import sampler_for
from monitor.staircase import (
    FULL_S,
    QUICK_S,
    Loads,
    Staircase,
    await_whole,
    engine_loads,
    processor_loads,
)
from monitor.store.baselines import LOOKED_AT, Baselines
from monitor.store.calibrations import Calibrations
from monitor.store.history import History
from monitor.terminal.plain_table import make_table

LOOK_S = 0.5

CONNECT = (
    "Nothing here reads the whole machine at present. Add a wall plug (`llamawatt sensors plug "
    "add ADDRESS`), or unplug a laptop's charger to have its battery read; `llamawatt sensors` "
    "shows what is read."
)


SURE = (
    "Nothing was kept. If you are sure that nothing computes on it, say so with "
    "`llamawatt baseline --gpu-at-rest`; what is above that baseline will be called uncertain."
)


@click.command()
@click.option(
    "--seconds",
    type=Seconds(5, 600),
    default=60.0,
    show_default=True,
    help="How long to measure.",
)
@click.option("--show", "only_show", is_flag=True, help="Show the last one; measure nothing.")
@click.option(
    "--gpu-at-rest",
    "is_sure",
    is_flag=True,
    help="Nothing computes on a GPU that does not tell its load: what it draws is idle.",
)
@json_option
def baseline(seconds: float, only_show: bool, is_sure: bool, as_json: bool) -> None:
    """Measure what the idle machine draws, so that bills can say what is above it.

    Leave the machine alone meanwhile; if it is busy nothing is kept.

    Example: llamawatt baseline --seconds 60
    """
    with open_history() as history:
        if only_show:
            found = Baselines(history.store).fitting(present_conditions(), datetime.now(UTC))
            if found is None:
                raise click.ClickException(
                    "No idle baseline was measured yet. `llamawatt baseline` measures one."
                )
            used, stale = found
        else:
            used = Baselines(history.store).keep(_measured(history, seconds, is_sure, as_json))
            stale = why_stale(used, used.conditions, datetime.now(UTC))
    now = datetime.now(UTC)
    show(_baseline_view(used, stale, now), lambda: forms.baseline_json(used, stale, now), as_json)


def _measured(history: History, seconds: float, is_sure: bool, as_json: bool) -> Baseline:
    cancelled: list[bool] = []
    with sampler_for(history) as sampler:
        sampler.wait_ready()
        measuring = IdleMeasurement(sampler, seconds)
        with (
            ctrl_c(lambda: cancelled.append(True)),
            _bar("Leave the machine alone", is_told=not as_json) as bar,
        ):
            while (share := measuring.look()) < 1 and not cancelled:
                bar(share)
                time.sleep(LOOK_S)
        if cancelled:
            stderr.print("Stopped; nothing was kept.")
            raise SystemExit(INTERRUPTED)
        try:
            return measuring.finish(Baselines(history.store).newest(LOOKED_AT), is_sure)
        except NotSure as question:
            raise click.ClickException(f"{question} {SURE}") from question
        except NotQuiet as problem:
            raise click.ClickException(str(problem)) from problem


@contextmanager
def _bar(words: str, is_told: bool) -> Iterator[Any]:
    """Show progress on a terminal; yields what takes the share done, and new words."""
    with progress_bar(is_told) as bar:
        task = bar.add_task(words, total=1.0, note="")

        def update(share: float, words: str | None = None) -> None:
            bar.update(task, completed=share, description=words)

        yield update


def _baseline_view(used: Baseline, stale: tuple[Stale, ...], now: datetime) -> RenderableType:
    table = make_table("channel", "idle", "± spread", "seconds", right=("idle", "± spread"))
    for line in used.lines:
        table.add_row(
            line.channel.label,
            figures.marked(line.channel.kind, figures.power(line.median_w)),
            figures.power(line.spread_w),
            str(line.samples),
        )
    if total := used.total():
        table.add_row(
            "total of the parts", figures.power(total[0]), figures.power(total[1]), style="bold"
        )
    age = f"Measured {figures.duration(max(used.age_s(now), 0.0))} ago"
    doubt = "stale" if is_stale(stale) else "uncertain"
    state = f"{age}; {doubt}: {stale_words(stale)}." if stale else f"{age}."
    profile = used.conditions.profile
    notes = [Text(state, style="yellow" if stale else "dim")]
    if on_word := used.conditions.on_word:
        notes.append(Text(f"At rest by a person's word only: {on_word}.", style="yellow"))
    if profile:
        notes.append(Text(f"Power profile: {profile}.", style="dim"))
    return Group(table, *notes)


@click.command("calibrate")
@click.option("--quick", is_flag=True, help="Two minutes instead of ten; the ends are wider.")
@click.option("-m", "--model", default="starter", help="What llama.cpp computes meanwhile.")
@click.option("--no-model", is_flag=True, help="Load the processor alone.")
@click.option("--show", "only_show", is_flag=True, help="Show the last one; measure nothing.")
@json_option
def calibrate_wall(quick: bool, model: str, no_model: bool, only_show: bool, as_json: bool) -> None:
    """Learn what the channels' watts come to at the wall, with a wall plug or on battery.

    The machine climbs a staircase of loads, ten minutes long. Afterwards bills can show what the
    plug would read, without it.

    Example: llamawatt calibrate --quick
    """
    with open_history() as history:
        made = Calibrations(history.store).latest() if only_show else None
        if only_show and made is None:
            raise click.ClickException(
                "This machine was not calibrated yet. `llamawatt calibrate` does it."
            )
        if made is None:
            made = _calibrated(history, QUICK_S if quick else FULL_S, model, no_model, as_json)
    calibration = made
    show(_calibration_view(calibration), lambda: calibration_json(calibration), as_json)


def _calibrated(
    history: History, total_s: float, model: str, no_model: bool, as_json: bool
) -> Calibration:
    cancelled: list[bool] = []
    engine = Engine()
    try:
        with sampler_for(history) as sampler:
            sampler.wait_ready()
            whole = await_whole(sampler, _tell_waiting)
            if whole is None:
                raise click.ClickException(_why_nothing_is_whole(sampler))
            loads: Loads = processor_loads()
            if not no_model:
                loads = {**loads, **_model_loads(history, engine, sampler, model)}
            staircase = Staircase(sampler, whole, loads, total_s)
            with (
                ctrl_c(lambda: cancelled.append(True)),
                _bar("Calibrating", is_told=not as_json) as bar,
            ):
                for at in staircase.climb(lambda: bool(cancelled)):
                    bar(1 - at.left_s / total_s, f"{at.number + 1} of {at.count}: {at.work}")
            if cancelled:
                stderr.print("Stopped; nothing was kept.")
                raise SystemExit(INTERRUPTED)
            samples = staircase.samples()
        return Calibrations(history.store).keep(calibrate(samples), samples)
    except CannotCalibrate as problem:
        raise click.ClickException(str(problem)) from problem
    finally:
        engine.stop()


def _why_nothing_is_whole(sampler: Sampler) -> str:
    silent = [channel for channel in sampler.channels() if channel.is_machine]
    if not silent:
        return CONNECT
    words = f"{_labels(silent)} did not tell any watts; `llamawatt sensors` shows why."
    if any(channel.key == BATTERY for channel in silent):
        words += " A laptop's battery tells them while its charger is unplugged."
    return words


def _tell_waiting(unread: Sequence[Channel]) -> None:
    stderr.print(f"Waiting for a first reading of {_labels(unread)} …", markup=False)


def _labels(channels: Sequence[Channel]) -> str:
    return ", ".join(channel.label for channel in channels)


def _model_loads(history: History, engine: Engine, sampler: Sampler, model: str) -> Loads:
    info = read_model_info(resolve_model(model, *model_places(history)))
    return engine_loads(engine, LoadOptions().for_model(info), sampler.channels())


def _calibration_view(made: Calibration) -> RenderableType:
    table = make_table("", "value", "95 % interval", "calibrated", right=("value",))
    table.add_row(
        "base",
        figures.power(made.base_w),
        figures.power_span(made.base_low_w, made.base_high_w, made.base_w),
    )
    for factor in made.factors:
        spanned = figures.power_span(factor.least_w, factor.most_w, factor.most_w)
        if factor.is_still:
            table.add_row(factor.label, "in the base", "", spanned, style="dim")
            continue
        ends = f"{factor.low:.3f}–{factor.high:.3f}"
        table.add_row(f"× {factor.label}", f"{factor.value:.3f}", ends, spanned)
    words = (
        f"The mean of each step is told within {figures.power(made.told_within_w)} of what "
        f"{made.whole_label} read"
    )
    if made.foretold_within is not None:
        words += f"; one climb foretells the other within {100 * made.foretold_within:.1f} %"
    return Group(table, Text(words + ".", style="dim"))


def calibration_json(made: Calibration) -> dict[str, Any]:
    """Return a calibration: ``wall = base + sum of factor x channel``."""
    return {
        "id": made.id,
        "made_at": made.made_at,
        "whole": made.whole_key,
        "base_w": made.base_w,
        "base_low_w": made.base_low_w,
        "base_high_w": made.base_high_w,
        "factors": [
            {
                "key": factor.key,
                "label": factor.label,
                "factor": None if factor.is_still else factor.value,
                "low": None if factor.is_still else factor.low,
                "high": None if factor.is_still else factor.high,
                "least_w": factor.least_w,
                "most_w": factor.most_w,
            }
            for factor in made.factors
        ],
        "residual_w": made.residual_w,
        "holdout_error": made.holdout,
    }
