"""The commands of ``llamawatt models`` that go online: search, files, get. Nothing else does so."""

import sys
import threading
from pathlib import Path

import click
from rich.markup import escape
from rich.text import Text

from monitor import figures
from monitor.carbon.training import Training, training_json
from monitor.commands.number_option import Whole
from monitor.commands.progress import download_bar
from monitor.commands.terminal import (
    INTERRUPTED,
    ctrl_c,
    echo_json,
    json_option,
    open_history,
    show,
    stderr,
)
from monitor.hub.card import Card, read_card
from monitor.hub.catalog import Listing, RemoteModel, choose, list_models, search
from monitor.hub.models import Stopped, fetch_model, keep_training
from monitor.hub.names import shown
from monitor.hub.report import hit_json, hits_view, listing_json, listing_view, model_json


@click.command("search")
@click.argument("words", nargs=-1)
@click.option("--limit", type=Whole(1, 100), default=20, show_default=True)
@json_option
def search_models(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Search Hugging Face for GGUF models that answer in text, the most fetched first.

    Example: llamawatt models search qwen2.5 0.5b
    """
    hits = search(" ".join(words), limit)
    show(hits_view(hits), lambda: [hit_json(hit) for hit in hits], as_json)


@click.command("files")
@click.argument("repository")
@json_option
def list_files(repository: str, as_json: bool) -> None:
    """List the models of a repository on Hugging Face, with what fits this machine's free memory.

    Example: llamawatt models files bartowski/Qwen2.5-0.5B-Instruct-GGUF
    """
    listing = list_models(repository)
    show(listing_view(listing), lambda: listing_json(listing), as_json)


@click.command("get")
@click.argument("repository")
@click.argument("model", required=False)
@click.option("--base-card", is_flag=True, help="Ask the base model's card for its training too.")
@json_option
def get_model(repository: str, model: str | None, base_card: bool, as_json: bool) -> None:
    """Fetch a model from Hugging Face into the library; what is here of it already is kept.

    MODEL is a file of the repository or a quantisation. The repository's card comes along, and
    with it what the model's training emitted, if it says so.

    Example: llamawatt models get bartowski/Qwen2.5-0.5B-Instruct-GGUF Q4_K_M
    """
    listing = list_models(repository)
    chosen = _chosen(listing, model, as_json)
    card = read_card(listing.name)
    bases = card.base_models[:1] if card and base_card and not card.training else ()
    cards = [each for each in (card, *map(read_card, bases)) if each]
    path = _fetch(listing, chosen, card)
    with open_history() as history:
        training = keep_training(history, path, cards)
    show(
        _fetched_text(path, training),
        lambda: {
            "path": str(path),
            "repository": listing.name,
            "licence": card.licence if card else "",
            "training": training_json(training),
            **model_json(chosen),
        },
        as_json,
    )


def _chosen(listing: Listing, text: str | None, as_json: bool) -> RemoteModel:
    """Return the one model meant; what there is, and exit status 2, if that is not clear."""
    found = choose(listing, text) if text else list(listing.models)
    if len(found) == 1:
        return found[0]
    if as_json:
        echo_json(listing_json(listing))
    else:
        stderr.print(listing_view(listing))
    if not listing.models:
        raise click.UsageError(f"{listing.name} has no GGUF model. Search for another.")
    if found:
        what = f"“{text}” could be any of {len(found)} files" if text else "Several are there"
    else:
        what = f"There is no “{text}”"
    example = listing.models[0].quantisation or listing.models[0].name
    raise click.UsageError(f"{what}. Name one: llamawatt models get {listing.name} {example}")


def _fetch(listing: Listing, model: RemoteModel, card: Card | None) -> Path:
    stop = threading.Event()
    with ctrl_c(stop.set), download_bar() as bar:
        task = bar.add_task(escape(shown(model.name)), total=model.size_bytes)
        try:
            return fetch_model(
                listing,
                model,
                lambda done, total: bar.update(task, completed=done, total=total),
                stop.is_set,
                card,
            )
        except Stopped:
            pass
    stderr.print("Stopped; what came is kept. The same command goes on with it.")
    sys.exit(INTERRUPTED)


def _fetched_text(path: Path, training: Training | None) -> Text:
    if training is None:
        return Text(str(path))
    mass = figures.mass(training.grams)
    return Text(f"{path}\nTraining: {mass} CO₂e ({training.source})")
