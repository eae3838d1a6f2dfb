"""Which cards are awake, and when a source is to be opened anew because others are."""

import time
from collections.abc import Callable, Iterable

from monitor.power.channel import OpenAnew
from monitor.power.hwmon.card import Card, cards

LOOK_S = 5.0
"""How often it is looked whether the same cards are awake: a few small files a card. A model takes
about as long to be loaded onto one that it has woken."""


class Watch:
    """A vendor's cards, told apart by whether they sleep.

    One that sleeps draws next to nothing and cannot be asked how much: it is no channel until it
    wakes, so that what the others draw stays known. For that the source has to be opened anew.

    :param vendor: PCI vendor as sysfs writes it, ``0x1002``
    :param can_tell: whether a card has files for what it draws, told without reading them
    """

    def __init__(self, vendor: str, can_tell: Callable[[Card], bool]) -> None:
        self._vendor, self._can_tell = vendor, can_tell
        self._looked_s = time.monotonic()
        self.awake: tuple[Card, ...] = ()
        self.asleep: tuple[Card, ...] = ()
        self._places = _places(self.awake)

    def begin(self) -> None:
        """Find the cards that are awake, and those that sleep."""
        self._looked_s = time.monotonic()
        found = [(card, card.is_asleep()) for card in cards(self._vendor) if self._can_tell(card)]
        self.awake = tuple(card for card, asleep in found if not asleep)
        self.asleep = tuple(card for card, asleep in found if asleep)
        self._places = _places(self.awake)

    def look(self, now_s: float) -> bool:
        """Look now and then whether still the same cards are awake, and in the same places.

        :return: whether it was looked
        :raises OpenAnew: if not, for as long as that is so
        """
        if now_s - self._looked_s < LOOK_S:
            return False
        here = filter(self._can_tell, cards(self._vendor))
        if _places(card for card in here if not card.is_asleep()) != self._places:
            raise OpenAnew("other cards are awake than before, and all are opened anew")
        self._looked_s = now_s
        return True


def _places(awake: Iterable[Card]) -> set[tuple[str, tuple[str, ...]]]:
    """Return the cards with the folders of their monitors, which get new numbers with a driver."""
    return {(card.address, tuple(map(str, card.monitors().values()))) for card in awake}
