"""A JSON document read field by field: whatever is wrong with it is said in a sentence."""

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from monitor.exchange.files import ExchangeError, read_text

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Node:
    """An object of a document.

    :param place: what messages call it
    """

    value: Mapping[str, Any]
    place: str

    def problem(self, reason: str) -> ExchangeError:
        """Say what is wrong with the object."""
        return ExchangeError(f"{self.place}: {reason}.")

    def get(self, name: str) -> Any:
        """Return a field as it is.

        :raises ExchangeError: if it is missing; so do all methods below, if it is something else
        """
        if name not in self.value:
            raise self.problem(f"it lacks “{name}”")
        return self.value[name]

    def text(self, name: str) -> str:
        """Return a text."""
        value = self.get(name)
        return value if isinstance(value, str) else self._refuse(name, "a text", value)

    def optional_text(self, name: str) -> str:
        """Return a text, "" for null."""
        return "" if self.get(name) is None else self.text(name)

    def choice(self, name: str, kind: type[E]) -> E:
        """Return one of an enumeration's words."""
        value = self.get(name)
        try:
            return kind(value)
        except ValueError:
            words = ", ".join(str(word) for word in kind)
            return self._refuse(name, f"one of {words}", value)

    def number(self, name: str) -> float:
        """Return a number, 0 or more."""
        value = self.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and 0 <= value < math.inf):
            return self._refuse(name, "a number, 0 or more", value)
        return float(value)

    def signed(self, name: str) -> float:
        """Return a number of either sign."""
        value = self.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and math.isfinite(value)):
            return self._refuse(name, "a number", value)
        return float(value)

    def optional_number(self, name: str) -> float | None:
        """Return a number, ``None`` for null."""
        return None if self.get(name) is None else self.number(name)

    def whole(self, name: str, least: int = 0) -> int:
        """Return a whole number."""
        value = self.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            return self._refuse(name, f"a whole number, {least} or more", value)
        return value

    def optional_whole(self, name: str, least: int = 0) -> int | None:
        """Return a whole number, ``None`` for null."""
        return None if self.get(name) is None else self.whole(name, least)

    def truth(self, name: str) -> bool:
        """Return true or false."""
        value = self.get(name)
        return value if isinstance(value, bool) else self._refuse(name, "true or false", value)

    def part(self, name: str) -> "Node":
        """Return an object inside."""
        value = self.get(name)
        if not isinstance(value, dict):
            return self._refuse(name, "an object", value)
        return Node(value, f"{self.place}, {name}")

    def optional_part(self, name: str) -> "Node | None":
        """Return an object inside, ``None`` for null."""
        return None if self.get(name) is None else self.part(name)

    def parts(self, name: str) -> list["Node"]:
        """Return a list of objects inside."""
        values = self._list(name)
        places = (f"{self.place}, {name} {number}" for number in range(1, len(values) + 1))
        nodes = [Node(value, place) for value, place in zip(values, places, strict=True)]
        for node in nodes:
            if not isinstance(node.value, dict):
                raise node.problem(f"it should be an object, and is {reprlib.repr(node.value)}")
        return nodes

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            return self._refuse(name, "a list of texts", values)
        return tuple(values)

    def numbers(self, name: str) -> list[float]:
        """Return a list of numbers, of either sign; NaN for null."""
        values = self._list(name)
        for value in values:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (value is None or is_number):
                return self._refuse(name, "a list of numbers", value)
        return [math.nan if value is None else float(value) for value in values]

    def _list(self, name: str) -> list[Any]:
        value = self.get(name)
        return value if isinstance(value, list) else self._refuse(name, "a list", value)

    def _refuse(self, name: str, wanted: str, value: object) -> NoReturn:
        raise self.problem(f"“{name}” should be {wanted}, and is {reprlib.repr(value)}")


def read_document(path: Path, most_bytes: int) -> Node:
    """Read a JSON file that holds an object.

    :raises ExchangeError: if it is none
    """
    text = read_text(path, most_bytes)
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"{path.name} is no JSON document: {error}.") from error
    if not isinstance(value, dict):
        raise ExchangeError(f"{path.name} should hold one JSON object.")
    return Node(value, path.name)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
