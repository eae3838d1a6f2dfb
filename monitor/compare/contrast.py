"""How two queries differ: what was measured of them, and what their runs say of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.energy.comparison import Comparison
from monitor.energy.difference import Difference, Verdict


@dataclass(frozen=True, slots=True)
class Contrast:
    """A figure of a query beside the first's.

    :param measured: the difference of the two as they are stored. Its interval holds what the
      measurement leaves in doubt, not how runs scatter, so that it bears no verdict
    :param compared: what the runs of both come to; ``None`` if they cannot be compared
    :param is_same: whether both are runs of one and the same thing
    :param counts: whether the first, and the query itself, are among the runs that say so; else
      what is said of them is said by the others alone
    """

    measured: Difference
    compared: Comparison | None
    is_same: bool
    counts: tuple[bool, bool] = (True, True)

    @property
    def verdict(self) -> Verdict | None:
        """Whether it takes less, or more, or whether that cannot be told.

        What runs of the same thing differ by is how they scatter. ``None`` of two single runs: how
        much they scatter is not known.
        """
        if self.is_same:
            return Verdict.CANNOT_TELL
        return self.compared.verdict if self.compared else None

    @property
    def shown(self) -> Difference:
        """The difference that the verdict is of, or the one measured if there is no verdict."""
        told = self.verdict is not None and not self.is_same and self.compared
        return told.difference if told else self.measured


SAME = (
    "It is a run of the same prompt, model, settings and seed as the first; what the two differ "
    "by is how runs scatter."
)
SAME_PART = (
    "It is a run of the same items by the same model and settings as the first; what the two "
    "differ by is how runs scatter."
)
SINGLE = (
    "Two single runs: how much they scatter is not known, and so no verdict is given. Repeat them, "
    "e.g. `llamawatt history again %1 --repeat 5`."
)
SINGLE_PARTS = (
    "Two single runs: how much they scatter is not known, and so no verdict is given. Run the "
    "suite again, as it is or with “repeats” in it."
)
FIRST_NOT_COUNTED = (
    "The first itself is not among its runs that count: those that ended, had the model loaded "
    "before, and were read as the others were."
)
NOT_COUNTED = (
    "It itself is not among its runs that count: those that ended, had the model loaded before, "
    "and were read as the others were."
)
PAIRED = "The verdict compares the two prompt by prompt, over %1 prompts."
COUNTS = "The verdict compares %1 with %2 of the first."
ONE_RUN, RUNS = "one run", "%1 runs"
ONE_LEFT_OUT = "One run is left out: what was read in it is not what was read in the others."
LEFT_OUT = "%1 runs are left out: what was read in them is not what was read in the others."
ONE_MORE = "One more run of each would settle which takes less energy."
MORE = "About %1 more runs of each would settle which takes less energy."
MORE_PROMPTS = "About %1 more prompts would settle which takes less energy."
NEVER = "More runs would not settle which takes less energy."
AGAIN_ONE_MORE = "One more run would settle it, if it goes as these did."
AGAIN_MORE = "About %1 more runs would settle it, if they go on as these did."
AGAIN_NEVER = "More runs would not settle it."


def remarks(
    contrast: Contrast, query_id: str, is_part: bool, translate: Callable[[str], str] = str
) -> list[str]:
    """Say what the verdict on a whole query rests on, or why there is none, a sentence each.

    :param query_id: what can be repeated
    :param is_part: whether they are runs of a benchmark
    :param translate: for the window's language
    """
    first_counts, own_counts = contrast.counts
    beside = [] if first_counts else [translate(FIRST_NOT_COUNTED)]
    beside += [] if own_counts else [translate(NOT_COUNTED)]
    if contrast.is_same:
        return [translate(SAME_PART if is_part else SAME), *beside]
    compared = contrast.compared
    if compared is None or compared.verdict is None:
        text = translate(SINGLE_PARTS if is_part else SINGLE).replace("%1", query_id[-8:])
        return [text, *_left_out(compared, translate)]
    if compared.paired:
        said = [translate(PAIRED).replace("%1", str(compared.counts[0]))]
    else:
        first, own = (_runs(count, translate) for count in compared.counts)
        said = [translate(COUNTS).replace("%1", own).replace("%2", first)]
    return [*said, *beside, *_left_out(compared, translate), *settling(compared, translate)]


def settling(compared: Comparison, translate: Callable[[str], str] = str) -> Sequence[str]:
    """Say how many more runs would settle what cannot be told; nothing if it is told."""
    if compared.verdict is not Verdict.CANNOT_TELL:
        return ()
    needed = compared.repeats_needed
    if needed is None:
        return (translate(NEVER),)
    if compared.paired:
        return (translate(MORE_PROMPTS).replace("%1", f"{needed:,}"),)
    return (translate(ONE_MORE) if needed == 1 else translate(MORE).replace("%1", f"{needed:,}"),)


def again_lines(compared: Comparison, translate: Callable[[str], str] = str) -> list[str]:
    """Say how many more runs would settle whether they took less than what they repeat."""
    said = _left_out(compared, translate)
    if compared.verdict is not Verdict.CANNOT_TELL:
        return said
    needed = compared.repeats_needed
    if needed is None:
        return [*said, translate(AGAIN_NEVER)]
    text = translate(AGAIN_ONE_MORE if needed == 1 else AGAIN_MORE)
    return [*said, text.replace("%1", f"{needed:,}")]


def _runs(count: int, translate: Callable[[str], str]) -> str:
    return translate(ONE_RUN) if count == 1 else translate(RUNS).replace("%1", str(count))


def _left_out(compared: Comparison | None, translate: Callable[[str], str]) -> list[str]:
    count = compared.left_out if compared else 0
    if not count:
        return []
    return [translate(ONE_LEFT_OUT if count == 1 else LEFT_OUT).replace("%1", str(count))]
