"""What a model thinks before it answers, told from the answer.

Reasoning models write their thoughts first, between marks of their family: ``<think>`` (DeepSeek,
Qwen, and most who follow them), ``[THINK]`` (Magistral), ``<|channel|>analysis`` (gpt-oss).
"""

import re
from dataclasses import dataclass

MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""Where thoughts begin and where they end, by family."""

ANSWER_MARK = "<|channel|>final<|message|>"
"""What gpt-oss begins an answer with that it gives without a thought."""

CONTROL_MARKS = (
    "<think>",
    "</think>",
    "[THINK]",
    "[/THINK]",
    "<|channel|>",
    "<|message|>",
    "<|start|>",
    "<|end|>",
)
"""Of these, what a vocabulary holds as one control token is shown all the same."""

BETWEEN_CHANNELS = re.compile(r"<\|end\|>(<\|start\|>assistant)?\s*$")
"""What gpt-oss writes between its thoughts and the mark of its answer."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """An answer cut in two.

    :param thought: what was thought, "" if nothing was
    :param answer: the answer proper
    :param thought_start: offset of the thought in the text
    :param answer_start: offset of the answer in the text; its length while thinking goes on
    :param is_open: whether the text ends in the middle of the thought
    """

    thought: str
    answer: str
    thought_start: int
    answer_start: int
    is_open: bool


def split_thinking(text: str) -> Thinking:
    """Cut an answer into thought and answer proper; without marks at its head all is answer."""
    head = len(text) - len(text.lstrip())
    if text.startswith(ANSWER_MARK, head):
        start = head + len(ANSWER_MARK)
        return Thinking("", text[start:], start, start, False)
    for opening, closing in MARKS:
        if not text.startswith(opening, head):
            continue
        start = head + len(opening)
        end = text.find(closing, start)
        if end < 0:
            thought = _without_beginning(text[start:], closing)
            return Thinking(thought.strip(), "", start, len(text), True)
        thought = BETWEEN_CHANNELS.sub("", text[start:end])
        rest = end + len(closing)
        rest += len(text[rest:]) - len(text[rest:].lstrip())
        return Thinking(thought.strip(), text[rest:], start, rest, False)
    return Thinking("", text, 0, 0, False)


def _without_beginning(text: str, closing: str) -> str:
    """Leave out the end of a text that may be the beginning of the closing mark."""
    for length in range(min(len(closing) - 1, len(text)), 0, -1):
        if closing.startswith(text[-length:]):
            return text[:-length]
    return text


def opened_by(prompt: str) -> str:
    """Return the mark a prompt ends with: the model goes on in the middle of its thoughts.

    Templates of some reasoning models write it themselves; the answer's text has to begin with it
    to be understood later.
    """
    tail = prompt.rstrip()
    return next((f"{opening}\n" for opening, _ in MARKS if tail.endswith(opening)), "")
