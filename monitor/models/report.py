"""The library on a terminal."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from monitor import figures
from monitor.engine.gguf import ModelInfo
from monitor.models.fit import Fit, Verdict
from monitor.models.library import STARTER
from monitor.models.overview import Entry, Overview
from monitor.models.places import CHOSEN, OWN, TITLES
from monitor.store.model_figures import NEWEST, ModelFigures
from monitor.terminal.jointed_cell import PATH, JointedCell
from monitor.terminal.plain_table import WIDE, make_table

VERDICT_STYLES = {Verdict.FITS: "green", Verdict.TIGHT: "yellow", Verdict.TOO_LARGE: "red"}

ORIGINS = {STARTER: "LlamaWatt", OWN: "LlamaWatt's folder", CHOSEN: "added"}

COLUMNS = ("name", "parameters", "quantisation", "size", "context", "fit", "J/token", "t/s", "from")
NARROW = ("name", "size", "fit", "J/token", "t/s")
"""The columns of a terminal that has no room for all."""


def origin_words(origin: str, translate: Callable[[str], str] = str) -> str:
    """Say whose a model is.

    :param translate: for the window's language
    """
    return translate(ORIGINS[origin]) if origin in ORIGINS else TITLES[origin]


def token_energy(measured: ModelFigures | None) -> str:
    """Write what a token took: ``● 0.0912 J``."""
    if measured is None:
        return figures.UNKNOWN
    energy = figures.marked(measured.kind, figures.joules(measured.joules_per_token))
    return figures.at_least(energy, measured.is_partly_read)


def token_bounds(measured: ModelFigures) -> str:
    """Write the ends of the interval of what a token took: ``(0.0821–0.0983 J)``."""
    if measured.low_j is None or measured.high_j is None:
        return ""
    return f"({figures.span_in_joules(measured.low_j, measured.high_j)})"


def library_view(found: Overview, width: int) -> RenderableType:
    """Draw the library; files that cannot be used stand below with what is wrong with them."""
    names = COLUMNS if width >= WIDE else NARROW
    right = ("parameters", "size", "context", "J/token", "t/s")
    table = make_table(*names, right=right)
    problems = []
    for entry in found.entries:
        cells = _cells(entry)
        if cells:
            table.add_row(*(cells[name] for name in names))
        else:
            problems.append(Text(entry.model.problem, style="yellow"))
    problems += [Text(visit.problem, style="yellow") for visit in found.visits if visit.problem]
    averages = [Text(AVERAGES, style="dim")] if any(e.figures for e in found.entries) else []
    return Group(table, *averages, *problems)


AVERAGES = (
    f"J/token and t/s: decode here, over the newest {NEWEST} answers of each kind and every speed "
    "test. `llamawatt history sums` goes over all."
)


def _cells(entry: Entry) -> Mapping[str, str | Text] | None:
    info, fit, measured = entry.model.info, entry.fit, entry.figures
    if info is None or fit is None:
        return None
    return {
        "name": escape(entry.model.name),
        "parameters": figures.count(info.parameters),
        "quantisation": info.quantisation,
        "size": figures.size(info.size_bytes),
        "context": str(info.context_length or figures.UNKNOWN),
        "fit": Text(str(fit.verdict), style=VERDICT_STYLES[fit.verdict]),
        "J/token": token_energy(measured),
        "t/s": figures.significant(measured.tokens_per_s)
        if measured and measured.tokens_per_s
        else figures.UNKNOWN,
        "from": origin_words(entry.model.origin),
    }


def model_view(
    info: ModelInfo, fits: Sequence[Fit], measured: ModelFigures | None
) -> RenderableType:
    """Draw what a model file says of itself, what memory it needs, and what it took so far.

    :param fits: at several contexts
    """
    facts = make_table("", "")
    facts.show_header = False
    rows = [
        ("name", info.name),
        ("file", str(info.path)),
        ("size", figures.size(info.size_bytes)),
        ("architecture", info.architecture),
        ("parameters", figures.count(info.parameters)),
        ("quantisation", info.quantisation),
        ("context", f"{info.context_length:,} tokens" if info.context_length else figures.UNKNOWN),
        ("layers", str(info.layers)),
        ("chat template", "yes" if info.chat_template else "no: a base model, it continues text"),
        ("licence", info.licence or figures.UNKNOWN),
    ]
    rows += [(f"at {fit.context:,} tokens", fit_words(fit)) for fit in fits]
    if fits:
        rows.append(("fits up to", largest_words(fits[0])))
    rows.append(("measured here", measured_words(measured)))
    for name, value in rows:
        facts.add_row(name, JointedCell(value, PATH) if name == "file" else escape(value))
    return facts


def fit_words(fit: Fit, translate: Callable[[str], str] = str) -> str:
    """Say what a model needs at a context: ``4.92 GB of 12.1 GB free: fits``.

    :param translate: for the window's language
    """
    parts = [(fit.ram_bytes, fit.free.ram_bytes, translate("%1 of %2 free"))]
    if fit.vram_bytes:
        parts.append(
            (fit.vram_bytes, fit.free.vram_bytes or 0, translate("%1 of the GPU's %2 free"))
        )
    told = ", ".join(
        words.replace("%1", figures.size(need)).replace("%2", figures.size(free))
        for need, free, words in parts
    )
    return f"{told}: {translate(str(fit.verdict))}"


def largest_words(fit: Fit, translate: Callable[[str], str] = str) -> str:
    """Say how long a context would fit."""
    if not fit.largest_context:
        return translate("no context: the weights alone are too large")
    return translate("%1 tokens").replace("%1", f"{fit.largest_context:,}")


def measured_words(measured: ModelFigures | None, translate: Callable[[str], str] = str) -> str:
    """Say what a model took on this machine."""
    if measured is None:
        return translate("nothing yet: it has not answered here")
    energy, bounds = token_energy(measured), token_bounds(measured)
    words = translate("%1 answers") if measured.answers > 1 else translate("1 answer")
    parts = [
        translate("%1/token").replace("%1", energy) + (f" {bounds}" if bounds else ""),
        figures.rate(measured.tokens_per_s),
        words.replace("%1", str(measured.answers)),
    ]
    if measured.beside:
        busy = translate("%1 of them beside other programs")
        parts.append(busy.replace("%1", str(measured.beside)))
    return " · ".join(parts)


def folders_view(found: Overview, unread: Sequence[str]) -> RenderableType:
    """Draw the places that were looked through.

    :param unread: titles of the programs that are not read
    """
    table = make_table("folder", "from", "models", "", right=("models",))
    for visit in found.visits:
        place, state = visit.place, visit.problem
        if place.origin == CHOSEN and not state and not place.path.exists():
            state = "not there now"
        table.add_row(
            JointedCell(place.path, PATH),
            origin_words(place.origin),
            str(visit.models),
            Text(state, style="yellow"),
        )
    left_out = f"Not read: {', '.join(unread)}." if unread else ""
    return Group(table, Text(left_out, style="dim")) if left_out else table
