"""Wall plugs that a person has set up: the machine as a whole, a cross-check.

The watts a plug tells are integrated. Its own counter moves in steps of a watt-hour (Tasmota) or
is published by the minute (Shelly), which is too coarse for a bill: a watt-hour is a 3,600 J step.
Watts follow the load a second or more later. Good over minutes, not for one short answer.
See :mod:`monitor.power.plug_answers` for what is asked. Tested against a server that answers as
the makers document it; not yet met on hardware.
"""

import time
from typing import Any

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.local_http import Address, DeviceError, ask, parse_address
from monitor.power.plug_answers import PlugAnswer, PlugKind, question, recognise

PERIOD_S = 1.0
"""Plugs renew their watts about once a second, and are asked no more often."""

PREFIX = "plug:"
"""Of the name of a plug's source."""

WITHOUT_WATTS = "answers, but the watts it tells are none, or impossible: there is no reading."
WAITS = "has not answered yet."


def source_name(address: str) -> str:
    """Return the name of the source of the plug at an address."""
    return f"{PREFIX}{address}"


class Plug:
    """The source of one plug.

    It is available whether it answers or not: one that is off when the program starts is read
    within a minute after it is back, and what is wrong meanwhile is told as a failure to read it.

    :param address: as :func:`monitor.power.local_http.parse_address` reads it
    :param kind: which it is; found out if not given
    :param label: what a person calls it
    :param anywhere: whether a person has confirmed an address outside the local network
    """

    def __init__(
        self, address: str, kind: PlugKind | None = None, label: str = "", anywhere: bool = False
    ) -> None:
        self.name = source_name(address)
        self._address, self._kind, self._anywhere = address, kind, anywhere
        self._label = label or f"Wall plug {address}"
        self._place: Address | None = None
        self._is_open = False
        self._has_told = self._has_ended = True

    def probe(self) -> Probe:
        """Say what will be asked; it is not asked here."""
        try:
            self._place = parse_address(self._address)
        except DeviceError as error:
            mend = "Remove this plug and add it again."
            return Probe(self.name, ProbeState.ABSENT, str(error), mend)
        kind = f"{self._kind.label} plug" if self._kind else "plug"
        reason = f"{self._label}, a {kind}, is asked once a second."
        return Probe(self.name, ProbeState.AVAILABLE, reason)

    def open(self) -> tuple[Channel, ...]:
        """Return the one channel."""
        return (
            Channel(
                key=self.name,
                label=self._label,
                domain=Domain.SYSTEM,
                device=self._address,
                kind=Kind.POWER,
                role=Role.WHOLE,
                period_s=PERIOD_S,
                step_j=0.0,
                accuracy=accuracy_of("plug"),
            ),
        )

    def read(self) -> list[Reading]:
        """Ask the plug; takes as long as that takes. Impossible watts are no reading.

        The first time it is not asked: who waits for every sensor to be ready waits for no network.

        :raises DeviceError: if it does not answer as it should
        """
        if not self._is_open:
            self._is_open, self._has_ended = True, False
            return []
        try:
            answer = self._answer()
        finally:
            self._has_ended = True
        self._has_told = answer.power_w is not None
        if answer.power_w is None:
            return []
        return [Reading(self.name, time.monotonic(), power_w=answer.power_w)]

    def remarks(self) -> tuple[str, ...]:
        """Say so until it answers, and while it does without watts. From any thread."""
        if not self._has_ended:
            return (f"{self._label} {WAITS}",)
        return () if self._has_told else (f"{self._label} {WITHOUT_WATTS}",)

    def _answer(self) -> PlugAnswer:
        if self._kind is None:
            self._kind, answer = recognise(self._ask)
            return answer
        return question(self._kind, self._ask)

    def _ask(self, path: str) -> Any:
        place = self._place or parse_address(self._address)
        return ask(place, path, self._anywhere)

    def close(self) -> None:
        """Nothing is held open."""
