"""What a bill cannot say itself: what is doubtful in it, and why something was not read."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from monitor import figures
from monitor.power.channel import Doubt

PARTLY = "%1 was read %2 of the time"
NOT_READ = "%1 was not read"


@dataclass(frozen=True, slots=True)
class Unread:
    """A channel that was not read for some of the time.

    :param key: the channel's
    :param label: what a person calls it
    :param coverage: the share of the time that was read, 0 to 1
    :param reason: why, as far as it is known, in English; "" if it is not
    """

    key: str
    label: str
    coverage: float
    reason: str

    def words(self, translate: Callable[[str], str] = str) -> str:
        """Say it in a sentence.

        :param translate: for the window's language
        """
        share = translate(PARTLY if self.coverage else NOT_READ).replace("%1", self.label)
        share = share.replace("%2", figures.percent(self.coverage))
        return f"{share}: {self.reason.rstrip('.')}." if self.reason else f"{share}."


@dataclass(frozen=True, slots=True)
class Notes:
    """What is to be said beside a bill."""

    doubts: tuple[Doubt, ...] = ()
    unread: tuple[Unread, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.doubts or self.unread)

    def words(self, translate: Callable[[str], str] = str) -> list[str]:
        """Say all of them, a sentence or two each.

        :param translate: for the window's language
        """
        doubts = [doubt.words(translate) for doubt in self.doubts]
        return doubts + [each.words(translate) for each in self.unread]

    def with_earlier(self, earlier: "Notes") -> "Notes":
        """Return these with what was known of the same bill before.

        A doubt stays, as its joules do; of what is not read any more the first reason is told on,
        where there is no new one.
        """
        doubts = {doubt.key: doubt for doubt in (*earlier.doubts, *self.doubts)}
        reasons = {each.key: each.reason for each in earlier.unread}
        unread = (
            replace(each, reason=each.reason or reasons.get(each.key, "")) for each in self.unread
        )
        return Notes(tuple(doubts.values()), tuple(unread))

    def to_json(self) -> dict[str, Any]:
        """Return it as the commands tell it, and as it is kept."""
        return {
            "doubts": [
                {
                    "channel": each.key,
                    "text": each.words(),
                    "form": each.text,
                    "arguments": list(each.arguments),
                }
                for each in self.doubts
            ],
            "unread": [
                {
                    "channel": each.key,
                    "label": each.label,
                    "coverage": each.coverage,
                    "reason": each.reason,
                }
                for each in self.unread
            ],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Notes":
        """Make it again of what :meth:`to_json` returned."""
        return cls(
            tuple(
                Doubt(each["channel"], each["form"], tuple(each["arguments"]))
                for each in kept["doubts"]
            ),
            tuple(
                Unread(each["channel"], each["label"], each["coverage"], each["reason"])
                for each in kept["unread"]
            ),
        )


NO_NOTES = Notes()


def pack_notes(notes: Notes) -> str | None:
    """Return notes as they are stored; ``None`` if there are none."""
    return json.dumps(notes.to_json(), ensure_ascii=False) if notes else None


def unpack_notes(packed: str | None) -> Notes:
    """Return what :func:`pack_notes` stored."""
    return Notes.from_json(json.loads(packed)) if packed else NO_NOTES
