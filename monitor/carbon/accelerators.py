"""The accelerators models are trained on, with their makers' thermal design powers.

The figures lie in ``resources/accelerators.csv``, each with its document. Where a maker states
several, the highest is taken: what is reckoned from them is meant as an upper figure.
"""

import csv
import difflib
import re
from dataclasses import dataclass
from functools import cache
from io import StringIO

from resources import resource_text

WORD = re.compile(r"[a-z0-9]+")
GAP = re.compile(r"(?<=\d)[ -](?=gb\b)|(?<=tpu)[ -]?(?=v\d)|(?<=gaudi)[ -]?(?=\d)")
SOCKET = re.compile(r"\bsxm\d\b")
MEMORY = re.compile(r"\d+gb")
MAKERS = {
    "nvidia", "tesla", "geforce", "quadro", "amd", "radeon", "instinct",
    "intel", "habana", "google", "gpu", "gpus",
}  # fmt: skip
"""Words that people put before a name, and that tell nothing apart."""


class UnknownAccelerator(ValueError):
    """No accelerator of that name; the message names the nearest ones."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One accelerator.

    :param vendor: its maker, "" for one a person described
    :param tdp_w: thermal design power in watts
    :param source: where that is from
    """

    name: str
    vendor: str
    tdp_w: float
    source: str


@cache
def accelerators() -> tuple[Accelerator, ...]:
    """Return all that are known, by maker and age."""
    rows = csv.DictReader(StringIO(resource_text("accelerators.csv")))
    return tuple(
        Accelerator(row["name"], row["vendor"], float(row["tdp_w"]), row["source"]) for row in rows
    )


def find_accelerator(text: str) -> Accelerator:
    """Return the accelerator a person means, whatever the case, maker and spacing.

    A name that several forms share, such as *H100*, means the one of the highest power.

    :raises UnknownAccelerator: if there is none, naming the nearest
    """
    wanted = _words(text)
    for words in (wanted, {word for word in wanted if not MEMORY.fullmatch(word)}):
        fitting = [each for each in accelerators() if words and words <= _words(each.name)]
        exact = [each for each in fitting if words == _words(each.name)]
        if fitting:
            return max(exact or fitting, key=lambda each: each.tdp_w)
    names = {each.name.casefold(): each.name for each in accelerators()}
    sought = " ".join(WORD.findall(text.casefold()))
    near = difflib.get_close_matches(sought, names, n=4, cutoff=0.4)
    listed = ", ".join(names[each] for each in near) or ", ".join([*names.values()][:4])
    raise UnknownAccelerator(
        f"There is no accelerator “{text.strip()}” in the list. Nearest: {listed}. "
        "Give its watts to use one that is not in it."
    )


def _words(text: str) -> set[str]:
    folded = SOCKET.sub("sxm", GAP.sub("", text.casefold()))
    return set(WORD.findall(folded)) - MAKERS
