"""A stored query, made ready to be put once more exactly as it was."""

from pathlib import Path

from monitor.engine.gguf import ModelFileError, read_model_info
from monitor.engine.messages import ChatMessage, Sampling
from monitor.engine.thinking import split_thinking
from monitor.loading import LoadOptions
from monitor.meter import Ask
from monitor.models.library import sha256_of
from monitor.problem import Problem
from monitor.store.branches import ASSISTANT, USER
from monitor.store.history import CHAT, History
from monitor.store.records import QueryRecord

ASK = "ask"

REPEATABLE = (ASK, CHAT)
"""Kinds of queries that are one prompt and one answer."""


class CannotRepeat(Problem):
    """A query cannot be had again; the message says why."""


def repeat(history: History, record: QueryRecord) -> Ask:
    """Return the query with its prompt, model, settings and seed, as one of kind ``ask``.

    What was said before it in its conversation is said again. A file that is not known is read
    whole, to tell whether it is the same.

    :raises CannotRepeat: if it is no single question, or its model's file is gone or changed
    """
    if record.kind not in REPEATABLE or record.model is None:
        raise CannotRepeat(f"A query of kind “{record.kind}” cannot be run again by itself.")
    path = Path(record.model.path)
    try:
        info = read_model_info(path)
    except ModelFileError as error:
        raise CannotRepeat(f"The model this query was put to cannot be used: {error}") from error
    modified_ns = path.stat().st_mtime_ns
    known = history.known_sha256(path, info.size_bytes, modified_ns)
    if known is None:
        *_, digest = sha256_of(path)
        known = str(digest)
    if known != record.model.sha256:
        raise CannotRepeat(
            f"The file {path} has changed since this query was run: another model is in it now. "
            "Its answer and its energy would not be comparable."
        )
    settings = record.settings
    names = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "max_tokens")
    return Ask(
        kind=ASK,
        model=path,
        messages=messages_of(history, record),
        sampling=Sampling(
            **{name: settings[name] for name in names},
            seed=settings["seed"],
            stop=tuple(settings["stop"]),
        ),
        options=LoadOptions.of(settings),
        fresh=True,
    )


def messages_of(history: History, record: QueryRecord) -> tuple[ChatMessage, ...]:
    """Return what the model was given: the turns before a query on its branch, and its own.

    Turns without an answer were left out, and so was what a model had thought before it answered.
    """
    given = [ChatMessage("system", record.system)] if record.system else []
    question = ""
    for said in history.talks.before(record.id):
        if said.role == USER:
            question = said.content
        elif answer := split_thinking(said.content).answer:
            given += [ChatMessage(USER, question), ChatMessage(ASSISTANT, answer)]
    return (*given, ChatMessage(USER, record.prompt))
