"""Sums over many queries in words: each as the least it can be where not all was read."""

from collections.abc import Callable
from typing import Any

from monitor import figures
from monitor.store.charts import Totals


def energy_words(totals: Totals) -> str:
    """Write the joules with their mark, and “≥” where something is missing from them."""
    energy = figures.marked(totals.kind, figures.energy(totals.energy_j))
    return figures.at_least(energy, totals.is_lower_bound)


def grams_words(totals: Totals) -> str:
    """Write the grams; they are more where joules are missing, or some have no grams."""
    return figures.at_least(
        figures.mass(totals.grams), totals.is_lower_bound or totals.uncosted > 0
    )


def per_token_words(totals: Totals, write: Callable[[float | None], str] = figures.energy) -> str:
    """Write decode joules an answer token.

    :param write: how joules are written where it stands
    """
    per_token = figures.marked(totals.kind, write(totals.joules_per_token))
    return figures.at_least(per_token, totals.has_least_means)


def lacking_notes(totals: Totals, translate: Callable[[str], str] = str) -> list[str]:
    """Say of how many queries the joules or the grams lack something, or hold something else.

    A sentence each.

    :param translate: for the window's language
    """
    notes = energy_notes(totals, translate)
    if totals.uncosted and totals.costed:
        notes.append(_counted(translate(COSTED), totals.costed, totals.measured))
    elif totals.uncosted:
        notes.append(translate(UNCOSTED))
    return notes


def energy_notes(totals: Totals, translate: Callable[[str], str] = str) -> list[str]:
    """Say the same of the joules alone."""
    notes = []
    if totals.partly_read:
        notes.append(partly_read_note(totals.partly_read, totals.queries, translate))
    if totals.unread:
        notes.append(_counted(translate(UNREAD), totals.unread, totals.queries))
    if totals.shared:
        notes.append(_counted(translate(SHARED), totals.shared, totals.queries))
    if totals.beside:
        notes.append(_counted(translate(BESIDE), totals.beside, totals.queries))
    return notes


def counts_json(totals: Totals) -> dict[str, Any]:
    """Return the joules as the commands tell them, with of how many queries they are and of how
    many they lack something, or hold something else."""
    return {
        "queries": totals.queries,
        "measured": totals.measured,
        "partly_read": totals.partly_read,
        "unread": totals.unread,
        "shared": totals.shared,
        "beside": totals.beside,
        "is_lower_bound": totals.is_lower_bound,
        "costed": totals.costed,
        "kind": totals.kind and str(totals.kind),
        "energy_j": totals.energy_j,
    }


def partly_read_note(some: int, queries: int, translate: Callable[[str], str] = str) -> str:
    """Say in how many of some queries a part was not read."""
    return _counted(translate(PARTLY_READ), some, queries)


PARTLY_READ = "A part was not read in %1 of %2 queries: it was at least this."
UNREAD = "Nothing was read of %1 of %2 queries, which are missing from the energy."
SHARED = (
    "%1 of %2 queries were billed while another LlamaWatt computed: those joules are in the bills "
    "of both."
)
BESIDE = "Other programs computed beside %1 of %2 queries: a part of this energy is theirs."
COSTED = "The emissions are of %1 of %2 measured queries; of the others' grid there is no figure."
UNCOSTED = "The emissions are not known: there is no figure of the grid."


def _counted(text: str, some: int, all_of_them: int) -> str:
    return text.replace("%1", f"{some:,}").replace("%2", f"{all_of_them:,}")
