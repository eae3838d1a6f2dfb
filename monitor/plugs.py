"""The wall plugs a person has set up, kept as a preference of the history."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from monitor.hub.waiting import Tick, beside, idly
from monitor.power.local_http import DeviceError, ask, parse_address
from monitor.power.plug_answers import PlugAnswer, PlugKind, recognise
from monitor.power.sampler import Sampler
from monitor.power.sources.plug import PREFIX, Plug, source_name

PREFERENCE = "plugs"

MOST_LETTERS = 40
"""Of a name: it stands in a legend."""

MOST_PLUGS = 8
"""Each is a thread that asks once a second."""

log = logging.getLogger(__name__)


class PlugError(DeviceError):
    """A plug cannot be set up as wanted; the message says why and what to do."""


class Preferences(Protocol):
    """Where it is kept: the history."""

    def preference(self, key: str, default: Any = None) -> Any:
        """Return what is kept, or ``default``."""

    def set_preference(self, key: str, value: Any) -> None:
        """Keep anything JSON can hold."""


@dataclass(frozen=True, slots=True)
class WallPlug:
    """A plug that is set up.

    :param address: where it is asked
    :param name: what the person calls it, another than that of every other plug
    :param anywhere: whether the person confirmed an address outside the local network
    """

    address: str
    name: str
    kind: PlugKind
    anywhere: bool = False

    def source(self) -> Plug:
        """Return a source that reads it."""
        return Plug(self.address, self.kind, self.name, self.anywhere)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored and as the commands show it."""
        return {
            "name": self.name,
            "address": self.address,
            "kind": str(self.kind),
            "anywhere": self.anywhere,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "WallPlug":
        """Read :meth:`to_json`."""
        return cls(
            str(stored["address"]),
            str(stored["name"]),
            PlugKind(stored["kind"]),
            stored["anywhere"] is True,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What answered when an address was tried.

    :param address: as it is stored
    :param answer: what it said
    :param anywhere: whether it was allowed to be outside the local network
    """

    address: str
    kind: PlugKind
    answer: PlugAnswer
    anywhere: bool


def try_address(text: str, anywhere: bool = False, tick: Tick = idly) -> Found:
    """Ask what is at an address; nothing is kept.

    :param text: as a person typed it
    :param anywhere: whether the person confirmed an address outside the local network
    :param tick: called while waiting; what it raises ends that
    :raises DeviceError: if there is no plug that measures
    :raises NotLocal: if it is outside the local network
    """
    address = parse_address(text)

    def find() -> Iterator[Found]:
        kind, answer = recognise(lambda path: ask(address, path, anywhere))
        yield Found(str(address), kind, answer, anywhere)

    return next(beside(find(), tick))


def plugs(kept: Preferences) -> tuple[WallPlug, ...]:
    """Return the plugs that are set up, in the order in which they were added.

    What cannot be read is left out: another program, or a later version, has written it.
    """
    found = []
    stored = kept.preference(PREFERENCE, [])
    for entry in stored if isinstance(stored, list) else []:
        try:
            found.append(WallPlug.from_json(entry))
        except (KeyError, TypeError, ValueError) as error:
            log.warning("A stored wall plug cannot be read: %r", error)
    return tuple(found)


def find_plug(kept: Preferences, text: str) -> WallPlug | None:
    """Return the plug of a name or address, if one is set up; small letters may be large ones."""
    sought, there = text.strip(), plugs(kept)
    exact = next((p for p in there if sought in (p.name, p.address)), None)
    return exact or next((p for p in there if p.name.casefold() == sought.casefold()), None)


def add_plug(kept: Preferences, found: Found, name: str = "") -> WallPlug:
    """Keep a plug that was tried.

    :param name: what it is to be called; its maker's name unless given
    :raises PlugError: if the name is taken or too long, or the plug is there already
    """
    there = plugs(kept)
    if taken := next((p for p in there if p.address == found.address), None):
        raise PlugError(f"The plug at {taken.address} is there already, as “{taken.name}”.")
    if len(there) >= MOST_PLUGS:
        raise PlugError(f"There are {MOST_PLUGS} plugs already. Remove one first.")
    chosen = checked_name(name, there) if name.strip() else _free_name(found.kind, there)
    plug = WallPlug(found.address, chosen, found.kind, found.anywhere)
    _keep(kept, (*there, plug))
    return plug


def remove_plug(kept: Preferences, text: str) -> WallPlug:
    """Forget a plug; what it told of stored queries stays.

    :param text: its name or address
    :raises PlugError: if there is none
    """
    plug = _known(kept, text)
    _keep(kept, tuple(p for p in plugs(kept) if p.address != plug.address))
    return plug


def rename_plug(kept: Preferences, text: str, name: str) -> WallPlug:
    """Call a plug otherwise.

    :param text: its name or address until now
    :raises PlugError: if there is none, or the new name is taken or too long
    """
    plug = _known(kept, text)
    there = plugs(kept)
    others = tuple(p for p in there if p.address != plug.address)
    renamed = replace(plug, name=checked_name(name, others))
    _keep(kept, tuple(renamed if p.address == plug.address else p for p in there))
    return renamed


def let_read(sampler: Sampler, wanted: Sequence[WallPlug]) -> None:
    """Let a sampler read these plugs, under their present names, and no others."""
    names = {source_name(plug.address): plug.name for plug in wanted}
    labels = {channel.key: channel.label for channel in sampler.channels()}
    there = {probe.source for probe in sampler.probes() if probe.source.startswith(PREFIX)}
    for source in list(there):
        if source not in names or labels.get(source, names[source]) != names[source]:
            sampler.remove(source)
            there.remove(source)
    for plug in wanted:
        if source_name(plug.address) not in there:
            sampler.add(plug.source())


def checked_name(name: str, others: tuple[WallPlug, ...]) -> str:
    """Return a name as it can be used.

    :raises PlugError: if it is empty, too long or taken
    """
    name = " ".join(name.split())
    if not name or len(name) > MOST_LETTERS or not name.isprintable():
        raise PlugError(f"A plug's name has 1 to {MOST_LETTERS} letters.")
    if taken := next((o.name for o in others if o.name.casefold() == name.casefold()), ""):
        raise PlugError(f"Another plug is called “{taken}”. Choose another name.")
    return name


def _free_name(kind: PlugKind, others: tuple[WallPlug, ...]) -> str:
    base = f"Wall plug {kind.label}"
    taken = {other.name for other in others}
    numbered = (f"{base} {number}" for number in range(2, len(others) + 3))
    return base if base not in taken else next(n for n in numbered if n not in taken)


def _known(kept: Preferences, text: str) -> WallPlug:
    if plug := find_plug(kept, text):
        return plug
    raise PlugError(f"No plug is called “{text}”. `llamawatt sensors plug list` shows them.")


def _keep(kept: Preferences, there: tuple[WallPlug, ...]) -> None:
    kept.set_preference(PREFERENCE, [plug.to_json() for plug in there])
