"""What a person narrows the history down to, as a value that fits into an address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that must all hold; one that names several values holds for any of them.

    :param models: names of models
    :param quantisations: as GGUF files call them; "" is that of models of which it is not known
    :param kinds: ``ask``, ``chat``, ``bench``, ``import``
    :param statuses: see :class:`monitor.store.records.Status`
    :param machines: identifiers of machines
    :param tags: a query must carry all of them
    :param since: first day, by the clock of the machine a query ran on; ``None`` is the beginning
    :param until: last day
    :param text: words that must all occur in prompt, answer or note; the last may be unfinished
    """

    models: tuple[str, ...] = ()
    quantisations: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    text: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it lets everything through."""
        return self == EVERYTHING

    @property
    def words(self) -> list[str]:
        """The text's words, as far as there is anything in them to look for.

        A NUL parts words as a blank does: SQLite would take it for the end of what is asked.
        """
        words = self.text.replace("\0", " ").split()
        return [word for word in words if any(map(str.isalnum, word))]

    @property
    def picks(self) -> bool:
        """Whether it chooses single queries, which no sums by day are kept of."""
        return bool(self.words or self.tags)

    def without(self, name: str, value: str | None = None) -> "Filter":
        """Return it without one condition, or without one of a condition's values."""
        kept = getattr(self, name)
        if value is not None and isinstance(kept, tuple):
            rest: Any = tuple(each for each in kept if each != value)
            return replace(self, **{name: rest})
        return replace(self, **{name: getattr(EVERYTHING, name)})

    def toggled(self, name: str, value: str) -> "Filter":
        """Return it with one more of a condition's values, or one fewer if it had that one."""
        had = getattr(self, name)
        more: Any = (*had, value)
        return self.without(name, value) if value in had else replace(self, **{name: more})

    def to_address(self) -> str:
        """Write it as the query part of an address."""
        pairs = []
        for name in NAMES:
            value = getattr(self, name)
            for each in value if isinstance(value, tuple) else (value,):
                if each:
                    pairs.append((name, str(each)))
        return urlencode(pairs)

    @classmethod
    def from_address(cls, address: str) -> "Filter":
        """Read :meth:`to_address`; what it does not know is left out."""
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(address):
            values.setdefault(name, []).append(value)
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Mapping[str, Sequence[str]]) -> "Filter":
        """Make one of texts by name; a date that is none is left out."""
        made: dict[str, Any] = {}
        for name in NAMES:
            given = [value for value in values.get(name, ()) if value]
            if not given:
                continue
            if name == "text":
                made[name] = " ".join(given)
            elif name in ("since", "until"):
                made[name] = _day(given[-1])
            else:
                made[name] = tuple(dict.fromkeys(given))
        return cls(**made)


EVERYTHING = Filter()

NAMES = tuple(field.name for field in fields(Filter))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
