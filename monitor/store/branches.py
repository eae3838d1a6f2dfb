"""A conversation's messages as a tree, and what every part of it has cost.

A question follows the answer it goes on from, an answer its question. What was asked otherwise or
answered once more stands beside the first, under the same message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.energy.account import weakest
from monitor.power.channel import Kind

USER, ASSISTANT = "user", "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """A stored message.

    :param parent_id: the message it follows, ``None`` for the first of a conversation
    :param query_id: the query that asked or wrote it, ``None`` if that is not kept
    """

    id: str
    parent_id: str | None
    role: str
    content: str
    query_id: str | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Joules of some queries; those of which nothing was measured are no part of the sum.

    :param queries: how many there are
    :param measured: how many of them have joules
    :param energy_j: ``None`` if nothing was measured; so are ``low_j``, ``high_j`` and ``kind``
    :param low_j: sum of the lower ends of their intervals, which is lower than the sum's own
    :param high_j: sum of the upper ends
    :param kind: the weakest among them
    :param partly_read: how many of the measured lack a part that was not read
    :param unread: how many ran, but nothing was read of them
    """

    queries: int = 0
    measured: int = 0
    energy_j: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    kind: Kind | None = None
    partly_read: int = 0
    unread: int = 0

    @property
    def is_lower_bound(self) -> bool:
        """Whether it was more than the joules: not all that belongs to them was read."""
        return self.energy_j is not None and self.partly_read + self.unread > 0

    def plus(self, other: "Cost") -> "Cost":
        """Return both together."""
        return Cost(
            self.queries + other.queries,
            self.measured + other.measured,
            _sum(self.energy_j, other.energy_j),
            _sum(self.low_j, other.low_j),
            _sum(self.high_j, other.high_j),
            weakest(kind for kind in (self.kind, other.kind) if kind),
            self.partly_read + other.partly_read,
            self.unread + other.unread,
        )


NOTHING = Cost()


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


@dataclass(frozen=True, slots=True)
class Branch:
    """One of the messages that stand at the same place, with all that follows it.

    :param leaf_id: where the branch was left: its newest last message
    :param is_shown: whether it is part of the branch that is shown
    :param cost: of the message and everything below it
    """

    message_id: str
    leaf_id: str
    is_shown: bool
    cost: Cost


class Tree:
    """The messages of one conversation.

    :param messages: in the order of time
    :param costs: of their queries, by identifier; a query that is not among them costs nothing
    """

    def __init__(self, messages: Sequence[Message], costs: Mapping[str, Cost]) -> None:
        self._messages = {message.id: message for message in messages}
        self._children: dict[str | None, list[Message]] = {}
        for message in messages:
            parent = message.parent_id if message.parent_id in self._messages else None
            self._children.setdefault(parent, []).append(message)
        ordered = self._parents_first()
        self._newest = {message.id: message.id for message in ordered}
        self._costs = {message.id: self._own_cost(message, costs) for message in ordered}
        for message in reversed(ordered):
            below = self._children.get(message.id, [])
            if below:
                self._newest[message.id] = max(self._newest[child.id] for child in below)
            for child in below:
                self._costs[message.id] = self._costs[message.id].plus(self._costs[child.id])

    def _parents_first(self) -> list[Message]:
        """List what can be reached from a beginning; a deep tree must not need a deep stack."""
        ordered = list(self._children.get(None, ()))
        for message in ordered:  # which grows meanwhile
            ordered += self._children.get(message.id, ())
        return ordered

    def _own_cost(self, message: Message, costs: Mapping[str, Cost]) -> Cost:
        """Return the cost of the query that wrote a message, or asked it and wrote nothing."""
        if message.query_id is None:
            return NOTHING
        answers = self._children.get(message.id, ())
        if message.role == USER and any(each.query_id == message.query_id for each in answers):
            return NOTHING
        return costs.get(message.query_id, NOTHING)

    def cost(self) -> Cost:
        """Return what all branches have cost together."""
        total = NOTHING
        for message in self._children.get(None, ()):
            total = total.plus(self._costs[message.id])
        return total

    def way_to(self, leaf_id: str | None) -> list[Message]:
        """Return the messages from the beginning to one of them, and on to where that was left.

        :param leaf_id: one that is not there, or ``None``, stands for the newest of all
        """
        if leaf_id not in self._newest:
            leaf_id = max(self._newest.values(), default=None)
        at = None if leaf_id is None else self._newest[leaf_id]
        way: list[Message] = []
        while at in self._newest:
            way.append(self._messages[at])
            at = way[-1].parent_id
        return way[::-1]

    def beside(self, message: Message, shown: set[str]) -> tuple[Branch, ...]:
        """Return the questions at the place of a question, itself among them, the oldest first.

        :param shown: identifiers of the messages that are shown
        """
        parent = message.parent_id if message.parent_id in self._messages else None
        siblings = self._children.get(parent, ())
        return self._branches([each for each in siblings if each.role == message.role], shown)

    def below(self, message: Message, shown: set[str]) -> tuple[Branch, ...]:
        """Return the answers of a question, the oldest first.

        A question that was gone on from without an answer has the next question among them.
        """
        return self._branches(self._children.get(message.id, ()), shown)

    def _branches(self, messages: Sequence[Message], shown: set[str]) -> tuple[Branch, ...]:
        return tuple(self._branch(each, each.id in shown) for each in messages)

    def _branch(self, message: Message, is_shown: bool) -> Branch:
        return Branch(
            message_id=message.id,
            leaf_id=self._newest[message.id],
            is_shown=is_shown,
            cost=self._costs[message.id],
        )
