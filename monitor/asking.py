"""The commands that put a question to a model: a new one, or a stored one again."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from monitor import forms, report
from monitor.engine.client import Engine
from monitor.engine.memory import KV_SHARE
from monitor.engine.messages import (
    AUTO,
    F16,
    FLASH_ATTENTION,
    MLOCK,
    MMAP,
    ChatMessage,
    Loaded,
    LoadProgress,
    Sampling,
    Text,
)
from monitor.exchange.capsule_reading import BenchmarkCapsule, read_capsule
from monitor.exchange.intake import Machine
from monitor.exchange.replay import difference_lines, differences, replay_of
from monitor.history_commands import found_record
from monitor.loading import Identifying, LoadOptions, Stopped
from monitor.meter import Ask, Finished, Meter, random_seed
from monitor.models.library import list_models, model_places, resolve_model
from monitor.power.sampler import Sampler
from monitor.repeat import repeat
from monitor.store.history import History
from monitor.store.machine import this_machine
from monitor.store.records import QueryRecord, Status
from monitor.terminal import INTERRUPTED, ctrl_c, echo_json, json_option, open_history, stderr

INERT = dict.fromkeys(set(range(32)) - {ord("\n"), ord("\t")})
"""Control characters are left out of model text: it must not drive the terminal."""


@click.command()
@click.argument("prompt")
@click.option("-m", "--model", default="starter", help="A path, a name in the library, or starter.")
@click.option("--system", default="", help="A system prompt.")
@click.option("--max-tokens", type=click.IntRange(1), help="Length of the answer at most.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Same seed, same answer.")
@click.option("--temp", type=click.FloatRange(0, 5), default=0.7, show_default=True)
@click.option("--ctx", type=click.IntRange(16), help="Tokens of context.")
@click.option("--threads", type=click.IntRange(1, 512), help="Processor threads.")
@click.option("--gpu-layers", type=click.IntRange(-1), default=-1, help="-1: all that fit.")
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
    as_json: bool,
) -> None:
    """Put a question to a model; the answer, then what it cost. “-” reads the prompt from stdin.

    How the model is loaded is what these options say, whatever the window keeps for it: a command
    does the same tomorrow.

    Example: llamawatt ask "What is a watt?" --max-tokens 200
    """
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
        )
        record = _run(history, request, as_json)
    _tell(record, as_json)


@click.command()
@click.argument("query_id")
@json_option
def again(query_id: str, as_json: bool) -> None:
    """Run a stored query again: same prompt, model, settings and seed; the end of an ID is enough.

    QUERY_ID may also be the file of an energy capsule, from whatever machine: what came out
    otherwise here is told.

    Example: llamawatt history again 3fa85f64
    """
    capsule = Path(query_id)
    if capsule.suffix == ".json" and capsule.is_file():
        _replay(capsule, as_json)
        return
    with open_history() as history:
        request = repeat(history, found_record(history, query_id))
        record = _run(history, request, as_json)
    _tell(record, as_json)


def _replay(path: Path, as_json: bool) -> None:
    capsule = read_capsule(path)
    if isinstance(capsule, BenchmarkCapsule):
        raise click.UsageError(
            f"{path.name} is the capsule of a benchmark: llamawatt bench run --replay {path}"
        )
    with open_history() as history:
        request = replay_of(capsule, list_models(*model_places(history)))
        record = _run(history, request, as_json)
    found = differences(capsule, record, Machine(**this_machine()))
    if not as_json:
        stderr.print("\n".join(difference_lines(found)), markup=False)
    _tell(record, as_json, {"differences": difference_lines(found)})


def _tell(record: QueryRecord, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """Show what a query that is over came to; exit as it ended.

    :param more: what else its document is to hold
    """
    if as_json:
        echo_json({**forms.record_json(record), **(more or {})})
    else:
        stderr.print(report.headline(record))
        if note := report.ending_note(record):
            stderr.print(note)
    if record.notice:
        stderr.print(record.notice)
    if record.status is Status.FAILED:
        raise click.ClickException(record.error)
    if record.status is Status.STOPPED:
        sys.exit(INTERRUPTED)


def _run(history: History, request: Ask, as_json: bool) -> QueryRecord:
    engine = Engine()
    try:
        with Sampler() as sampler:
            meter = Meter(sampler, engine, history)
            with ctrl_c(meter.cancel):
                return _stream(meter, request, as_json)
    except Stopped:
        sys.exit(INTERRUPTED)
    finally:
        engine.stop()


def _stream(meter: Meter, request: Ask, as_json: bool) -> QueryRecord:
    """Show a query's events as they come and return its record."""
    loading = stderr.status("Loading the model …")
    wrote = False
    for event in meter.run(request):
        if isinstance(event, Identifying | LoadProgress) and stderr.is_terminal:
            doing = "Loading" if isinstance(event, LoadProgress) else "Reading"
            loading.start()
            loading.update(f"{doing} the model … {event.fraction:.0%}")
        else:
            loading.stop()
        if isinstance(event, Loaded) and event.note:
            stderr.print(event.note)
        if isinstance(event, Text) and not as_json:
            click.echo(event.text.translate(INERT), nl=False)
            wrote = True
        if isinstance(event, Finished):
            if wrote:
                click.echo()
            return event.record
    raise AssertionError("a query always ends with its record")
