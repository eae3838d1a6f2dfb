"""What is said of a sensor that was tested, in the window and on a terminal alike."""

from collections.abc import Callable

from monitor import figures
from monitor.power.channel import Channel, Kind
from monitor.power.selftest import Traits, Verdict, used_period_s

MEAN = "It is renewed every %1, but tells a mean: bills take it to be up to %2 old."

SEEN = (
    "It moved every %1 then, but was seen to move every %2 only when it was opened: bills reckon "
    "with that."
)


def learned_period(traits: Traits) -> str:
    """Write the period that was learned."""
    mark = "≤ " if traits.verdict is Verdict.FAST else ""
    return f"{mark}{figures.duration(traits.period_s)}"


def is_older(channel: Channel, traits: Traits) -> bool:
    """Whether bills reckon with a longer period than was learned."""
    return traits.period_s is not None and used_period_s(channel, traits) > traits.period_s


def older_words(channel: Channel, traits: Traits, translate: Callable[[str], str] = str) -> str:
    """Say with what bills reckon, if that is more than was learned; else "".

    :param translate: for the window's language
    """
    if not is_older(channel, traits):
        return ""
    words = translate(MEAN if channel.kind is Kind.POWER else SEEN)
    used = figures.duration(used_period_s(channel, traits))
    return words.replace("%1", learned_period(traits)).replace("%2", used)
