"""A turn of a conversation, as the chat page holds it."""

from dataclasses import dataclass

from monitor.energy.credit import Credit
from monitor.reading import Reading
from monitor.running import SoFar
from monitor.store.branches import Branch
from monitor.store.conversations import TalkTurn
from monitor.store.records import QueryRecord


@dataclass(slots=True)
class ChatTurn:
    """A question and what became of it.

    :param record: once it is over, or as it was stored
    :param problem: why there is no record although there is an answer
    :param question_id: the message that asks; ``None`` before it is stored
    :param answer_id: the message that holds the answer
    :param questions: what was asked at this place, the oldest first
    :param answers: what was answered to this question, the oldest first
    :param has_budget: whether it was to stop once so many joules were drawn
    :param credit: what the tokens saved that were in the context already
    :param reading: how far its prompt is read, ``None`` before and after that
    :param so_far: what it has come to while it is written
    """

    question: str
    answer: str = ""
    record: QueryRecord | None = None
    stage: str = ""
    problem: str = ""
    tokens: int = 0
    dropped: int = 0
    question_id: str | None = None
    answer_id: str | None = None
    questions: tuple[Branch, ...] = ()
    answers: tuple[Branch, ...] = ()
    has_budget: bool = False
    credit: Credit | None = None
    reading: Reading | None = None
    so_far: SoFar | None = None

    @classmethod
    def of(cls, told: TalkTurn) -> "ChatTurn":
        """Make one of what is stored."""
        return cls(
            question=told.question,
            answer=told.answer,
            record=told.record,
            question_id=told.question_id,
            answer_id=told.answer_id,
            questions=told.questions,
            answers=told.answers,
        )
