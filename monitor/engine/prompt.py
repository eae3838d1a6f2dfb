"""From a conversation to the text a model was trained to continue."""

from collections.abc import Sequence
from dataclasses import asdict

from jinja2 import TemplateError
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from monitor.engine.messages import ChatMessage

FAILURES = (TemplateError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError)
"""What a template, which is a program of its author's, can end in."""


class TemplateRefused(ValueError):
    """The model's chat template does not accept this conversation."""


def render(messages: Sequence[ChatMessage], template: str | None, bos: str, eos: str) -> str:
    """Write a conversation in the model's own format, ready for its answer.

    The template runs in Jinja's sandbox. A model without one gets the texts as they are, one
    after another: it is a base model, and continues rather than answers. Templates that know no
    system role get the system text at the head of the first question.

    :param template: the GGUF's ``tokenizer.chat_template``
    :param bos: text of the beginning-of-sequence token
    :param eos: text of the end-of-sequence token
    :raises TemplateRefused: if the template fails, with its own reason
    """
    if not template:
        return "\n\n".join(message.content for message in messages)
    try:
        formatter = Jinja2ChatFormatter(template=template, bos_token=bos, eos_token=eos)
    except TemplateError as error:
        raise TemplateRefused(str(error)) from error
    try:
        return _apply(formatter, messages)
    except FAILURES as error:
        merged = _system_in_question(messages)
        if merged is None:
            raise TemplateRefused(str(error)) from error
    try:
        return _apply(formatter, merged)
    except FAILURES as error:
        raise TemplateRefused(str(error)) from error


def _apply(formatter: Jinja2ChatFormatter, messages: Sequence[ChatMessage]) -> str:
    turns = [asdict(message) for message in messages]
    return str(formatter(messages=turns).prompt)  # type: ignore[arg-type]


def _system_in_question(messages: Sequence[ChatMessage]) -> list[ChatMessage] | None:
    if len(messages) < 2 or messages[0].role != "system":
        return None
    question = ChatMessage(messages[1].role, f"{messages[0].content}\n\n{messages[1].content}")
    return [question, *messages[2:]]
