"""What the branches of a conversation have cost, and what reusing its context saved."""

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.chat.turns import ChatTurn
from monitor.details import credits_of
from monitor.energy.credit import Credit
from monitor.store.conversations import Talk
from monitor.store.history import History


class TurnCosts(QObject):
    """Reads the costs of turns beside the window's thread and puts them into the turns."""

    changed = Signal()
    """Some turns know better now what they and their branches have cost."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history

    def read_branches(self, conversation_id: str | None, turns: list[ChatTurn]) -> None:
        """Find out what stands beside each turn, and what it has all come to.

        :param turns: those of the branch that is shown, the last one with its answer's identifier
        """
        if conversation_id is None or not turns:
            return
        talks, leaf_id = self._history.talks, turns[-1].answer_id

        def take(talk: Talk) -> None:
            for turn, told in zip(turns, talk.turns, strict=False):
                turn.questions, turn.answers = told.questions, told.answers
            self.changed.emit()
            self.read_credits(turns)

        self._bridge.read(lambda: talks.talk(conversation_id, leaf_id), take)

    def read_credits(self, turns: list[ChatTurn]) -> None:
        """Find out what the tokens saved that were in the context already."""
        history = self._history
        records = [turn.record for turn in turns if turn.record and turn.record.tokens.reused]

        def take(credits: dict[str, Credit]) -> None:
            for turn in turns:
                turn.credit = credits.get(turn.record.id) if turn.record else None
            self.changed.emit()

        if records:
            self._bridge.read(lambda: credits_of(history, records), take)
