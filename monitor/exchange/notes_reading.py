"""What was said of the sensors beside a bill, read again from a query's document."""

from monitor.energy.notes import NO_NOTES, Notes, Unread
from monitor.exchange.node import Node
from monitor.power.channel import Doubt


def notes_of(query: Node) -> Notes:
    """Return the notes of a query; none where it is of a version that did not tell."""
    if "doubts" not in query.value:
        return NO_NOTES
    return Notes(
        tuple(map(_doubt, query.parts("doubts"))), tuple(map(_unread, query.parts("unread")))
    )


def _doubt(doubt: Node) -> Doubt:
    return Doubt(doubt.text("channel"), doubt.text("form"), doubt.texts("arguments"))


def _unread(unread: Node) -> Unread:
    coverage = unread.number("coverage")
    if coverage > 1:
        raise unread.problem("“coverage” should be 0 to 1")
    return Unread(unread.text("channel"), unread.text("label"), coverage, unread.text("reason"))
