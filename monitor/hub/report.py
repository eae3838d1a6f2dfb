"""What the hub has, for a terminal and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from monitor import figures
from monitor.hub.access import HubError, Repository
from monitor.hub.catalog import Hit, Listing, RemoteModel
from monitor.hub.models import kept
from monitor.hub.names import shown
from monitor.models.fit import free_memory
from monitor.terminal.plain_table import make_table


def hits_view(hits: Sequence[Hit]) -> RenderableType:
    """Lay out what a search found."""
    if not hits:
        return Text("Nothing was found. Try fewer or other words of the model's name.")
    table = make_table("repository", "downloads", "likes", "updated", "", right=("downloads",))
    for hit in hits:
        table.add_row(
            Text(hit.name),
            tally(hit.downloads),
            tally(hit.likes),
            f"{hit.updated:%Y-%m-%d}" if hit.updated else figures.UNKNOWN,
            "terms to accept" if hit.gated else "",
        )
    return table


def tally(count: int) -> str:
    """Write a count of downloads or likes: 89, 1.23M."""
    return figures.count(count) if count >= 1000 else str(count)


def hit_json(hit: Hit) -> dict[str, Any]:
    """Return what is told of a found repository."""
    updated = hit.updated.isoformat() if hit.updated else None
    return {**asdict(hit), "updated": updated}


def listing_view(listing: Listing) -> RenderableType:
    """Lay out the models of a repository, with what of them fits into memory and what is here."""
    if not listing.models:
        return Text(f"{listing.name} has no GGUF model. Search for another repository.")
    free = free_memory()
    table = make_table("quantisation", "size", "fits", "here", "file", right=("size",))
    for model in listing.models:
        count = len(model.parts)
        table.add_row(
            model.quantisation or figures.UNKNOWN,
            figures.size(model.size_bytes),
            "yes" if model.size_bytes < free.total_bytes else "no",
            _here_words(listing, model),
            Text(shown(model.name) + (f" (first of {count} parts)" if count > 1 else "")),
        )
    lines = [
        f"{figures.size(free.total_bytes)} of memory are free; context takes some beside a model."
    ]
    if free.gpu_sleeps:
        lines.append("A GPU is asleep: it is not woken to tell its memory, which is not counted.")
    if listing.gated:
        lines.append(f"Its authors ask to accept terms first: {Repository(listing.name).page}")
    return Group(table, Text("\n".join(lines), style="dim"))


def _here_words(listing: Listing, model: RemoteModel) -> str:
    share = here_share(listing, model)
    if share is None or not share:
        return ""
    return "yes" if share == 1 else figures.percent(share)


def here_share(listing: Listing, model: RemoteModel) -> float | None:
    """Return how much of a model is here, 0 to 1; ``None`` if its name is refused."""
    try:
        here = kept(listing, model)
    except HubError:
        return None
    if here.is_whole:
        return 1.0
    return min(here.size_bytes / model.size_bytes, 0.99) if model.size_bytes else 0.0


def listing_json(listing: Listing) -> dict[str, Any]:
    """Return the models of a repository."""
    free = free_memory()
    return {
        "repository": listing.name,
        "commit": listing.commit,
        "gated": listing.gated,
        "free_memory_bytes": free.total_bytes,
        "gpu_sleeps": free.gpu_sleeps,
        "models": [
            model_json(model)
            | {"fits": model.size_bytes < free.total_bytes, "here": here_share(listing, model) == 1}
            for model in listing.models
        ],
    }


def model_json(model: RemoteModel) -> dict[str, Any]:
    """Return one of them."""
    return {
        "name": model.name,
        "quantisation": model.quantisation,
        "size_bytes": model.size_bytes,
        "parts": [asdict(part) for part in model.parts],
    }
