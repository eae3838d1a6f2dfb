"""JSON documents that say which form they have and carry the hash of their content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor import __version__
from monitor.exchange.files import ExchangeError
from monitor.exchange.node import Node, read_document
from monitor.store.identifiers import utc_now

SEAL = "content_sha256"


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of document.

    :param name: its field ``format``
    :param version: the newest that can be read, and the one that is written
    :param title: what a person calls it
    :param most_bytes: a longer file is not read
    """

    name: str
    version: int
    title: str
    most_bytes: int

    def head(self) -> dict[str, Any]:
        """Return the fields a document begins with."""
        return {
            "format": self.name,
            "version": self.version,
            "made_by": f"LlamaWatt {__version__}",
            "made_at": utc_now(),
        }

    def read(self, path: Path) -> Node:
        """Read a document that was not changed since it was sealed.

        :raises ExchangeError: if it is none, of a later version, or changed
        """
        node = read_document(path, self.most_bytes)
        if node.value.get("format") != self.name:
            raise ExchangeError(f"{path.name} is no {self.title} of LlamaWatt.")
        if node.whole("version") > self.version:
            raise ExchangeError(
                f"{path.name} was written by a later version of LlamaWatt. Update LlamaWatt to "
                "read it."
            )
        if node.text(SEAL) != digest(node.value):
            raise ExchangeError(
                f"{path.name} was changed after it was written: its content is not what its "
                f"{SEAL} says. Get it again from where it is from."
            )
        return node


def digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document's content, the field that holds it left out."""
    content = {name: value for name, value in document.items() if name != SEAL}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with the hash of its content."""
    return {**document, SEAL: digest(document)}
