"""The commands that look things up: models and carbon intensities."""

from dataclasses import asdict

import click
from rich.text import Text

from monitor import figures, forms, report
from monitor.carbon.intensity import find_zone, zones
from monitor.engine.gguf import read_model_info
from monitor.filter_options import known_filter
from monitor.meter import ZONE_PREFERENCE, chosen_zone
from monitor.models.library import list_models, model_places, resolve_model
from monitor.store.filters import Filter
from monitor.store.records import Training
from monitor.terminal import json_option, open_history, show


@click.group()
def models() -> None:
    """Show the models on this machine."""


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the starter model and the GGUF files in the library.

    Example: llamawatt models list
    """
    with open_history() as stored:
        found = list_models(*model_places(stored))
    show(report.models_table(found), lambda: [forms.found_json(model) for model in found], as_json)


@models.command()
@click.argument("model")
@json_option
def info(model: str, as_json: bool) -> None:
    """Show what a GGUF file says of itself, without loading it.

    Example: llamawatt models info ./SmolLM2-135M-Instruct.Q4_1.gguf
    """
    with open_history() as stored:
        about = read_model_info(resolve_model(model, *model_places(stored)))
    show(report.model_view(about), lambda: forms.model_json(about), as_json)


@models.command()
@click.argument("model")
@click.option("--grams", type=click.FloatRange(0, min_open=True), help="Grams of CO2e in all.")
@click.option("--source", help="Where the figure is from.")
@click.option("--forget", is_flag=True, help="Remove what is known.")
@json_option
def training(
    model: str, grams: float | None, source: str | None, forget: bool, as_json: bool
) -> None:
    """Show or enter what training a model took; the leaderboard lays it beside its use.

    Example: llamawatt models training Llama-3.1-8B --grams 420e6 --source "model card"
    """
    if (grams is None) != (not source):
        raise click.UsageError("Give --grams with --source: a figure says where it is from.")
    with open_history() as stored:
        (name,) = known_filter(stored, Filter(models=(model,))).models
        if forget or grams is not None:
            entered = Training(grams, source or "") if grams is not None else None
            stored.edits.set_training(name, entered)
        found = stored.standings.trainings().get(name)
    mass = figures.mass(found.grams if found else None)
    show(
        Text(f"{name}: {mass} CO2e ({found.source})" if found else f"{name}: training unknown"),
        lambda: {"model": name, "training": found and asdict(found)},
        as_json,
    )


@click.group()
def carbon() -> None:
    """Choose whose electricity the CO2 is reckoned with."""


@carbon.command("zone")
@click.argument("zone", required=False)
@json_option
def set_zone(zone: str | None, as_json: bool) -> None:
    """Show the zone in use, or choose another by its code or name.

    Example: llamawatt carbon zone DEU
    """
    with open_history() as stored:
        if zone:
            stored.set_preference(ZONE_PREFERENCE, find_zone(zone).code)
        used = chosen_zone(stored)
    show(report.zones_table([used]), lambda: forms.zone_json(used), as_json)


@carbon.command("list")
@json_option
def list_zones(as_json: bool) -> None:
    """List every zone with its carbon intensity.

    Example: llamawatt carbon list
    """
    listed = zones()
    show(report.zones_table(listed), lambda: [forms.zone_json(z) for z in listed], as_json)
