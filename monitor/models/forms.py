"""The library in JSON. ``null`` is "not known", never zero."""

from typing import Any

from monitor.engine.gguf import ModelInfo
from monitor.models.fit import Fit
from monitor.models.library import Visit
from monitor.models.overview import Entry
from monitor.store.model_figures import ModelFigures


def model_json(info: ModelInfo) -> dict[str, Any]:
    """Return what a model file says of itself."""
    return {
        "name": info.name,
        "file": str(info.path),
        "size_bytes": info.size_bytes,
        "arch": info.architecture,
        "parameters": info.parameters,
        "quantisation": info.quantisation,
        "context_length": info.context_length or None,
        "layers": info.layers,
        "chat_template": info.chat_template,
        "licence": info.licence or None,
    }


def fit_json(fit: Fit) -> dict[str, Any]:
    """Return what a model needs at a context, and whether that is free."""
    return {
        "verdict": str(fit.verdict),
        "context": fit.context,
        "ram_bytes": fit.ram_bytes,
        "free_ram_bytes": fit.free.ram_bytes,
        "vram_bytes": fit.vram_bytes,
        "free_vram_bytes": fit.free.vram_bytes,
        "gpu_sleeps": fit.free.gpu_sleeps,
        "largest_context": fit.largest_context,
    }


def figures_json(figures: ModelFigures | None) -> dict[str, Any] | None:
    """Return what a model took on this machine, ``None`` if it has not answered yet."""
    if figures is None:
        return None
    return {
        "answers": figures.answers,
        "beside": figures.beside,
        "joules_per_token": figures.joules_per_token,
        "is_lower_bound": figures.is_partly_read,
        "low": figures.low_j,
        "high": figures.high_j,
        "kind": figures.kind and str(figures.kind),
        "tokens_per_s": figures.tokens_per_s,
    }


def entry_json(entry: Entry) -> dict[str, Any]:
    """Return an entry of the library, with its problem if it cannot be used."""
    model = entry.model
    return {
        **(model_json(model.info) if model.info else {"file": str(model.path)}),
        "name": model.name,
        "from": model.origin,
        "problem": model.problem or None,
        "fit": entry.fit and fit_json(entry.fit),
        "measured": figures_json(entry.figures),
    }


def visit_json(visit: Visit) -> dict[str, Any]:
    """Return a place that was looked through."""
    return {
        "path": str(visit.place.path),
        "from": visit.place.origin,
        "models": visit.models,
        "problem": visit.problem or None,
    }
