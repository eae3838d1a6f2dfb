"""The conversation in which an answer is being written, whether it is the one that is shown."""

from dataclasses import dataclass

from desktop.chat.turns import ChatTurn
from monitor.presets import Preset


@dataclass(slots=True)
class Answering:
    """An answer under way and where it belongs.

    :param conversation_id: ``None`` for a new one that is not stored yet
    :param turns: of the branch it is written in; the last one is its own
    :param setup: how that conversation is led
    :param is_branch: whether something stood in the question's place before
    :param prompt_tokens: of the context, as it is read for this answer
    """

    conversation_id: str | None
    turns: list[ChatTurn]
    setup: Preset
    is_branch: bool
    prompt_tokens: int = 0

    @property
    def turn(self) -> ChatTurn:
        """The question with what there is of its answer."""
        return self.turns[-1]

    @property
    def used(self) -> int:
        """Tokens of the context that are taken by now."""
        return self.prompt_tokens + self.turn.tokens

    @property
    def is_stored(self) -> bool:
        """Whether the question and the place of its answer are in the history."""
        return self.turn.answer_id is not None
