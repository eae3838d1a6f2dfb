"""The commands ``llamawatt models``: what is on this machine, and whose folders are read."""

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from monitor.carbon.training import compare_answers, comparison_json, training_json
from monitor.commands import hub
from monitor.commands.filter_options import known_filter
from monitor.commands.group import NamingGroup
from monitor.commands.number_option import Number, Whole
from monitor.commands.terminal import json_option, open_history, show, stdout
from monitor.commands.training_options import training_of
from monitor.engine.client import check_context
from monitor.engine.gguf import ModelInfo, read_model_info
from monitor.engine.memory import KV_SHARE
from monitor.engine.messages import F16
from monitor.models.chosen import add_path, forget_path
from monitor.models.fit import Fit, fit, free_memory, usual_context
from monitor.models.forms import entry_json, figures_json, fit_json, model_json, visit_json
from monitor.models.library import model_places, resolve_model
from monitor.models.overview import overview, read_figures
from monitor.models.places import TITLES, read_program, unread_programs
from monitor.models.report import folders_view, library_view, model_view
from monitor.models.training_report import training_view
from monitor.store.filters import Filter
from monitor.store.history import History

program_choice = click.Choice(list(TITLES), case_sensitive=False)


@click.group(cls=NamingGroup)
def models() -> None:
    """Show the models on this machine, and say where they lie."""


@models.command("list")
@click.option("--ctx", type=Whole(16), help="Tokens of context to reckon memory with.")
@json_option
def list_(ctx: int | None, as_json: bool) -> None:
    """List the models on this machine: whether they fit, and what they took here so far.

    Example: llamawatt models list --ctx 8192
    """
    with open_history() as stored:
        found = overview(stored, ctx)
    show(
        library_view(found, stdout.width),
        lambda: [entry_json(entry) for entry in found.entries],
        as_json,
    )


@models.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def add(paths: tuple[Path, ...], as_json: bool) -> None:
    """Take folders, with all below them, or single GGUF files into the library, where they are.

    Example: llamawatt models add /media/disk/models ./tiny.gguf
    """
    with open_history() as stored:
        added = [str(add_path(stored, path)) for path in paths]
    show(Text(f"Added {', '.join(added)}."), lambda: {"added": added}, as_json)


@models.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def remove(paths: tuple[Path, ...], as_json: bool) -> None:
    """Take folders or files out of the library; on disk they stay as they are.

    Example: llamawatt models remove /media/disk/models
    """
    with open_history() as stored:
        removed = [str(forget_path(stored, path)) for path in paths]
    told = f"Removed {', '.join(removed)} from the library; on disk nothing was changed."
    show(Text(told), lambda: {"removed": removed}, as_json)


@models.command()
@click.option("--with", "reads", multiple=True, type=program_choice, help="Read its folders.")
@click.option("--without", "leaves", multiple=True, type=program_choice, help="Leave them out.")
@json_option
def folders(reads: tuple[str, ...], leaves: tuple[str, ...], as_json: bool) -> None:
    """Show the folders models are read from, or choose which other programs' are.

    Example: llamawatt models folders --without ollama
    """
    if both := set(reads) & set(leaves):
        raise click.UsageError(f"{', '.join(sorted(both))} stands in --with and --without.")
    with open_history() as stored:
        for key in (*reads, *leaves):
            read_program(stored, key, key in reads)
        found, unread = overview(stored), unread_programs(stored)
    titles = [title for key, title in TITLES.items() if key in unread]
    show(
        folders_view(found, titles),
        lambda: {
            "folders": [visit_json(visit) for visit in found.visits],
            "without": sorted(unread),
        },
        as_json,
    )


@models.command()
@click.argument("model")
@click.option("--ctx", type=Whole(16), help="Tokens of context to reckon memory with.")
@click.option("--kv", type=click.Choice(list(KV_SHARE)), default=F16, show_default=True)
@json_option
def info(model: str, ctx: int | None, kv: str, as_json: bool) -> None:
    """Show what a GGUF file says of itself, without loading it, and what memory it needs.

    Example: llamawatt models info starter --ctx 8192
    """
    with open_history() as stored:
        about = read_model_info(resolve_model(model, *model_places(stored)))
        if ctx:
            check_context(about, ctx)
        measured = read_figures(stored).of(about, about.path.stat().st_mtime_ns)
    fits = _fits(about, ctx, kv)

    def document() -> dict[str, Any]:
        memory = [fit_json(each) for each in fits]
        return {**model_json(about), "memory": memory, "measured": figures_json(measured)}

    show(model_view(about, fits, measured), document, as_json)


def _fits(about: ModelInfo, context: int | None, kv_type: str) -> list[Fit]:
    """Lay memory beside what is free: at the context chosen, or the usual one and the longest."""
    longest = about.context_length or usual_context(about)
    contexts = [context] if context else sorted({usual_context(about), longest})
    free = free_memory()
    return [fit(about, free, each, kv_type) for each in contexts]


@models.command()
@click.argument("model")
@click.option("--grams", type=Number(0, min_open=True), help="Grams of CO₂e in all.")
@click.option("--kwh", type=Number(0, min_open=True), help="Its energy in all, if it is told.")
@click.option("--source", help="Where the figures are from.")
@click.option("--card", help="Take them from a model card on Hugging Face: owner/name.")
@click.option("--hardware", help="Reckon it: the accelerator it was trained on, such as H100.")
@click.option("--watts", type=float, help="Watts of one, if it is not in the list.")
@click.option("--count", type=int, help="How many of them; 1 unless given.")
@click.option("--hours", type=float, help="Hours of each; all of them with a count of 1.")
@click.option("--provider", help="Of the cloud it was trained in: aws, azure, gcp.")
@click.option("--region", help="The provider's: us-east-1. Its figure is used if it is known.")
@click.option("--zone", help="The country it was trained in; without one the world's mean.")
@click.option("--intensity", type=float, help="Or the grams of CO₂e a kWh there.")
@click.option("--pue", type=float, help="Of the data centre; 1 unless given.")
@click.option("--forget", is_flag=True, help="Remove what is known.")
@json_option
def training(model: str, as_json: bool, **given: Any) -> None:
    """Show, enter, fetch or reckon what training a model took, and how many answers equal it.

    It is reckoned as ML CO2 Impact does: hardware, hours, and the carbon intensity of the
    provider's region. For a provider or region that is not in the list give --zone or --intensity
    too; both are kept with the result.

    Example: llamawatt models training Llama-3.1-8B --hardware H100 --hours 1.46e6 --pue 1.1
    """
    entered = training_of(given)
    with open_history() as stored:
        name = _model_name(stored, model)
        trainings = stored.trainings
        if given["forget"]:
            trainings.forget(name)
        elif entered:
            trainings.keep(name, entered)
        found = trainings.known().get(name)
        compared = compare_answers(found, trainings.answers(name)) if found else None
    show(
        training_view(name, found, compared),
        lambda: {
            "model": name,
            "training": training_json(found),
            "equals": comparison_json(compared),
        },
        as_json,
    )


def _model_name(stored: History, model: str) -> str:
    """Return the name of a model that was asked, or else of one in the library.

    :raises ModelFileError: if there is neither
    """
    try:
        (name,) = known_filter(stored, Filter(models=(model,))).models
    except click.UsageError:
        return read_model_info(resolve_model(model, *model_places(stored))).name
    return name


for command in (hub.search_models, hub.list_files, hub.get_model):
    models.add_command(command)
