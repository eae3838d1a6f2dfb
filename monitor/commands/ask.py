"""The commands that put a question to a model: a new one, or a stored one again."""

import math
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from monitor import figures, forms, repeat_report
from monitor.bill_words import ending_note, headline
from monitor.commands.answer_screen import AnswerScreen
from monitor.commands.energy_option import Energy
from monitor.commands.history import found_record
from monitor.commands.live_beside import live_beside
from monitor.commands.number_option import Number, Whole
from monitor.commands.query_id import QueryId
from monitor.commands.terminal import (
    INTERRUPTED,
    ctrl_c,
    echo_json,
    json_option,
    open_history,
    stderr,
)
from monitor.details import walls_of
from monitor.energy.budget import Budget
from monitor.energy.comparison import Comparison
from monitor.energy.wall import AtTheWall, wall_words
from monitor.engine.client import Engine
from monitor.engine.memory import KV_SHARE
from monitor.engine.messages import (
    AUTO,
    F16,
    FLASH_ATTENTION,
    MLOCK,
    MMAP,
    ChatMessage,
    Sampling,
)
from monitor.exchange.capsule_reading import BenchmarkCapsule, read_capsule
from monitor.exchange.intake import Machine
from monitor.exchange.replay import difference_lines, differences, replay_of
from monitor.loading import LoadOptions, Stopped
from monitor.meter import Ask, Event, Finished, Meter, random_seed
from monitor.models.library import list_models, model_places, resolve_model
from monitor.repeat import repeat
from monitor.repeating import MOST, Plan, Repeated, Repeater, earlier_runs
from monitor.running import BUDGET
from monitor.sensing import sampler_for
from monitor.store.history import History
from monitor.store.machine import this_machine
from monitor.store.records import QueryRecord, Status
from monitor.terminal.record_view import beside_lines


def _share(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Return the share a percentage is, with or without its sign: 0.05 of ``5%``."""
    if text is None:
        return None
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise click.BadParameter(f"{text} is no precision: write a percentage, for example 5%.")
    return share


def repeat_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that run a prompt several times."""
    for option in (
        click.option("--max-repeats", type=Whole(2),
                     help=f"Runs at most with --until-precision; {MOST} unless given."),
        click.option("--until-precision", "precision", metavar="PERCENT", callback=_share,
                     help="Run it until the mean is known this well: 5%."),
        click.option("--repeat", "times", type=Whole(1),
                     help="Run it so often and tell the mean."),
    ):  # fmt: skip
        command = option(command)
    return command


def _plan(times: int | None, precision: float | None, most: int | None) -> Plan | None:
    """Return what the options ask for, ``None`` for a single run."""
    if most is not None and precision is None:
        raise click.UsageError("--max-repeats ends --until-precision; give that as well.")
    if times is not None and precision is not None:
        raise click.UsageError("--repeat says how often, --until-precision how well; give one.")
    if times is None and precision is None:
        return None
    return Plan(times, precision, MOST if most is None else most)


class _Question(click.Command):
    """A command whose argument is a question; says how to write one that the shell took apart."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.possibilities:
                raise
            raise click.UsageError(
                f"{error.format_message()} A question that begins with “-” stands behind “--”: "
                f'llamawatt {self.name} -- "-5+3?"',
                ctx,
            ) from None
        if rest and not ctx.resilient_parsing:
            question = " ".join([ctx.params["prompt"], *rest])
            raise click.UsageError(
                f'Put the question in quotation marks: llamawatt {self.name} "{question}"', ctx
            )
        return rest


@click.command(cls=_Question)
@click.argument("prompt")
@click.option("-m", "--model", default="starter", help="A path, a name in the library, or starter.")
@click.option("--system", default="", help="A system prompt.")
@click.option("--max-tokens", type=Whole(1), help="Length of the answer at most.")
@click.option("--seed", type=Whole(0, 2**32 - 1), help="Same seed, same answer.")
@click.option("--temp", type=Number(0, 5), default=0.7, show_default=True)
@click.option("--ctx", type=Whole(16), help="Tokens of context.")
@click.option("--threads", type=Whole(1, 512), help="Processor threads.")
@click.option("--gpu-layers", type=Whole(-1), default=-1, help="-1: all that fit.")
@click.option(
    "--flash-attn",
    type=click.Choice(FLASH_ATTENTION),
    default=AUTO,
    show_default=True,
    help="Flash attention.",
)
@click.option(
    "--kv-type",
    type=click.Choice(list(KV_SHARE)),
    default=F16,
    show_default=True,
    help="What keys and values are kept as; q8_0 takes half the memory of f16.",
)
@click.option("--mlock", is_flag=True, help="Lock the model in memory: it is never swapped out.")
@click.option("--no-mmap", is_flag=True, help="Read the model into memory instead of mapping it.")
@click.option("--budget", type=Energy(), help="Stop the answer at so much: 50J, 0.1Wh.")
@repeat_options
@json_option
def ask(
    prompt: str,
    model: str,
    system: str,
    max_tokens: int | None,
    seed: int | None,
    temp: float,
    ctx: int | None,
    threads: int | None,
    gpu_layers: int,
    flash_attn: str,
    kv_type: str,
    mlock: bool,
    no_mmap: bool,
    budget: float | None,
    times: int | None,
    precision: float | None,
    max_repeats: int | None,
    as_json: bool,
) -> None:
    """Put a question to a model; the answer, then what it cost. “-” reads the prompt from stdin.

    How the model is loaded is what these options say, whatever the window keeps for it: a command
    does the same tomorrow. With --repeat or --until-precision the same answer is written several
    times, each from an empty context, and the mean of their energies told; a run before them warms
    up and is no part of it; the history has it as #warm-up.

    Example: llamawatt ask "What is a watt?" --max-tokens 200
    """
    plan = _plan(times, precision, max_repeats)
    text = (sys.stdin.read() if prompt == "-" else prompt).strip()
    # Bytes of the command line that are no UTF-8 arrive as lone surrogates.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not text:
        raise click.UsageError("The prompt is empty. Put the question in quotation marks.")
    if mlock and no_mmap:
        raise click.UsageError("--mlock locks what is mapped; give it or --no-mmap.")
    memory_map = MLOCK if mlock else "none" if no_mmap else MMAP
    messages = [ChatMessage("system", system)] if system.strip() else []
    with open_history() as history:
        request = Ask(
            kind="ask",
            model=resolve_model(model, *model_places(history)),
            messages=(*messages, ChatMessage("user", text)),
            sampling=Sampling(
                temperature=temp,
                seed=random_seed() if seed is None else seed,
                max_tokens=max_tokens,
            ),
            options=LoadOptions(ctx, threads, gpu_layers, flash_attn, kv_type, memory_map),
            budget=Budget(answer_j=budget),
        )
        _put(history, request, plan, as_json)


@click.command()
@click.argument("query_id", type=QueryId())
@repeat_options
@json_option
def again(
    query_id: str,
    times: int | None,
    precision: float | None,
    max_repeats: int | None,
    as_json: bool,
) -> None:
    """Run a stored query again: same prompt, model, settings and seed; the end of an ID is enough.

    QUERY_ID may also be the file of an energy capsule, from whatever machine: what came out
    otherwise here is told. With --repeat or --until-precision the mean of several runs is laid
    beside the stored query.

    Example: llamawatt history again 3fa85f64
    """
    plan = _plan(times, precision, max_repeats)
    capsule = Path(query_id)
    if capsule.suffix == ".json" and capsule.is_file():
        if plan:
            raise click.UsageError("A capsule is run once; repeat the query that comes of it.")
        _replay(capsule, as_json)
        return
    with open_history() as history:
        stored = found_record(history, query_id)
        _put(history, repeat(history, stored), plan, as_json, stored)


def _put(
    history: History,
    request: Ask,
    plan: Plan | None,
    as_json: bool,
    before: QueryRecord | None = None,
) -> None:
    """Run a query once or as planned, and tell what it came to.

    :param before: the stored query it is run again of
    """
    if plan is None:
        with _metered(history) as meter, ctrl_c(meter.cancel):
            record = _stream(meter.run(request), as_json)
        wall = walls_of(history, [record]).get(record.id)
        _tell(record, wall, as_json, budget_j=request.budget.answer_j)
        return
    with _metered(history) as meter:
        repeater = Repeater(meter, history)
        with ctrl_c(repeater.cancel):
            found = _stream_repeats(repeater.run(request, plan), as_json)
    compared = _beside(history, found, before) if before else None
    ran = [record for record in (found.warm_up, *found.records) if record]
    _tell_repeated(found, compared, walls_of(history, ran), as_json, request.budget.answer_j)


def _replay(path: Path, as_json: bool) -> None:
    capsule = read_capsule(path)
    if isinstance(capsule, BenchmarkCapsule):
        raise click.UsageError(
            f"{path.name} is the capsule of a benchmark: llamawatt bench run --replay {path}"
        )
    with open_history() as history:
        request = replay_of(capsule, list_models(*model_places(history)))
        with _metered(history) as meter, ctrl_c(meter.cancel):
            record = _stream(meter.run(request), as_json)
        wall = walls_of(history, [record]).get(record.id)
    found = differences(capsule, record, Machine(**this_machine()))
    if not as_json:
        stderr.print("\n".join(difference_lines(found)), markup=False)
    _tell(record, wall, as_json, {"differences": difference_lines(found)})


def _tell(
    record: QueryRecord,
    wall: AtTheWall | None,
    as_json: bool,
    more: Mapping[str, Any] | None = None,
    budget_j: float | None = None,
) -> None:
    """Show what a query that is over came to; exit as it ended.

    One that used up its budget did what was asked, as one that came to --max-tokens did.

    :param wall: what it came to at the wall, if that can be told
    :param more: what else its document is to hold
    :param budget_j: joules it was to take at most
    """
    is_measured = record.bill.total().energy is not None
    if as_json:
        echo_json({**forms.told_json(record, wall), **(more or {})})
    else:
        if is_measured or record.status is Status.DONE:
            stderr.print(headline(record))
        for line in beside_lines(record.beside) if is_measured else ():
            stderr.print(line)
        if wall:
            stderr.print(wall_words(wall), markup=False)
        if note := _stop_note(record, budget_j) or ending_note(record):
            stderr.print(note)
        if budget_j is not None and record.status is Status.DONE and not is_measured:
            stderr.print("No energy was measured: the budget could not be kept.")
    if record.notice:
        stderr.print(record.notice)
    if record.status is Status.FAILED:
        raise click.ClickException(record.error)
    if record.status is Status.STOPPED and record.finish_reason != BUDGET:
        sys.exit(INTERRUPTED)


def _stop_note(record: QueryRecord, budget_j: float | None) -> str:
    """Say what stopped an answer, and if it did before its first word; "" if nothing did."""
    if record.status is not Status.STOPPED:
        return ""
    when = "" if record.tokens.completion else " before the first word"
    if record.finish_reason != BUDGET:
        return f"Stopped{when}."
    return f"Stopped{when}: the budget of {figures.energy(budget_j)} is used up."


def _beside(history: History, found: Repeated, before: QueryRecord) -> Comparison | None:
    (machine_id,) = history.standings.machines_of([before.id]).values()
    earlier = earlier_runs(history, before, found.id)
    return found.against(earlier, machine_id == this_machine()["id"])


def _tell_repeated(
    found: Repeated,
    compared: Comparison | None,
    walls: Mapping[str, AtTheWall],
    as_json: bool,
    budget_j: float | None,
) -> None:
    """Show what some runs came to; exit as the last one ended.

    :param walls: what they came to at the wall, by their identifiers
    :param budget_j: joules each was to take at most
    """
    if as_json:
        echo_json(repeat_report.repeated_json(found, compared, walls))
    elif said := repeat_report.lines(found, compared):
        stderr.print("\n".join(said), markup=False)
    if found.broken and found.broken.status is Status.FAILED:
        raise click.ClickException(found.broken.error)
    if found.broken and found.broken.finish_reason == BUDGET:
        raise click.ClickException(
            f"A run used up the budget of {figures.energy(budget_j)} before its end, and a mean "
            "is of whole runs. Raise --budget, or end the answers sooner by --max-tokens."
        )
    if found.stopped:
        sys.exit(INTERRUPTED)


@contextmanager
def _metered(history: History) -> Iterator[Meter]:
    """Start engine and sensors for the length of a block."""
    engine = Engine()
    try:
        with live_beside(history), sampler_for(history) as sampler:
            yield Meter(sampler, engine, history)
    except Stopped:
        sys.exit(INTERRUPTED)
    finally:
        engine.stop()


def _stream_repeats(events: Generator[Event | Repeated, None, None], as_json: bool) -> Repeated:
    """Show the answer once and how the mean grows; return what it came to."""
    screen = AnswerScreen(as_json)
    # Closed at once if nobody reads any more: the query ends while its history is still open.
    with closing(events):
        for event in events:
            if not isinstance(event, Repeated):
                screen.show(event)
                continue
            screen = AnswerScreen(silent=True)
            if event.ended:
                return event
            if not as_json:
                stderr.print(repeat_report.progress_line(event), markup=False)
    raise AssertionError("repeating always ends with what it came to")


def _stream(events: Generator[Event, None, None], as_json: bool) -> QueryRecord:
    """Show a query's events as they come and return its record."""
    screen = AnswerScreen(as_json)
    with closing(events):
        for event in events:
            screen.show(event)
            if isinstance(event, Finished):
                return event.record
    raise AssertionError("a query always ends with its record")
