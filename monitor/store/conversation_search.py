"""Finding conversations by the words of their titles, questions and answers."""

import json
import re
import unicodedata
from dataclasses import dataclass

from sqlite_utils import Database

from monitor.store.filters import Filter

HIT_START, HIT_END = "\x02", "\x03"
"""Stand around the words that were found, in a snippet."""

BEFORE, SNIPPET = 40, 120
"""Characters of a snippet before the first word that was found, and of all of it, or some more."""

TOKEN = re.compile(r"[^\W_]+")
"""A word as the index of texts has it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Where the words were found in a conversation.

    :param number: of the newest query that holds them; ``None`` if only the title does
    """

    conversation_id: str
    number: int | None


def words_of(text: str) -> list[str]:
    """Return what a person typed as words, as far as there is anything in them to look for."""
    return Filter(text=text).words


def find(db: Database, words: list[str], limit: int, where: str) -> list[Hit]:
    """Return conversations in whose title, or in one question with its answer, all words begin.

    Case and accents do not matter.

    :param words: at least one
    :param where: a condition on ``conversations c``
    :return: the pinned ones first, then the latest used
    """
    numbers = dict(
        db.execute(
            "select q.conversation_id, max(t.rowid) from texts t "
            "join queries q on q.started_ms = t.rowid where texts match ? "
            "and q.conversation_id is not null group by 1",
            [_match(words)],
        ).fetchall()
    )
    wanted, loose = _tokens(words), _in_messages_alone(db, words)
    listed = db.execute(
        f"select c.id, c.title from conversations c where {where} "
        "order by c.pinned desc, c.updated_at desc"
    )
    hits: list[Hit] = []
    for conversation_id, title in listed:
        is_in_text = conversation_id in numbers or conversation_id in loose
        if is_in_text or _begin_in(title or "", wanted):
            hits.append(Hit(conversation_id, numbers.get(conversation_id)))
        if len(hits) == limit:
            break
    return hits


def _in_messages_alone(db: Database, words: list[str]) -> set[str]:
    """Return conversations that hold all words in a message whose query is not kept, and which the
    index therefore does not know."""
    holds = " and ".join("instr(lower(content), lower(?)) > 0" for _ in words)
    rows = db.execute(
        f"select distinct conversation_id from messages where query_id is null and {holds}", words
    )
    return {conversation_id for (conversation_id,) in rows}


def snippets(db: Database, words: list[str], numbers: list[int]) -> dict[int, tuple[str, str]]:
    """Return, for queries by number, their identifier and the text around the words.

    The index could cut them out as well, but looks for the words once more for each.

    :param numbers: of queries in which the words were found
    """
    beginnings = "|".join(map(re.escape, _tokens(words)))
    wanted = re.compile(rf"(?<![^\W_])(?:{beginnings})[^\W_]*")
    rows = db.execute(
        "select started_ms, id, ifnull(prompt_text, ''), ifnull(answer_text, '') from queries "
        "where started_ms in (select value from json_each(?))",
        [json.dumps(numbers)],
    )
    return {
        number: (query_id, _snippet(prompt, wanted) or _snippet(answer, wanted))
        for number, query_id, prompt, answer in rows
    }


def _match(words: list[str]) -> str:
    """Write the words in the index's language: beginnings of words, of chats alone."""
    quoted = (f'"{word.replace(chr(34), " ")}"*' for word in words)
    return f'{{prompt answer}} : ({" ".join(quoted)}) AND {{marks}} : "kchat"'


def _tokens(words: list[str]) -> list[str]:
    return [token for word in words for token in TOKEN.findall(_folded(word))]


def _begin_in(title: str, wanted: list[str]) -> bool:
    tokens = TOKEN.findall(_folded(title))
    return all(any(token.startswith(word) for token in tokens) for word in wanted)


def _snippet(text: str, wanted: re.Pattern[str]) -> str:
    """Cut out the text around the first words found, all of them marked; "" if none is."""
    folded = _folded(text)
    first = wanted.search(folded)
    if first is None:
        return ""
    start = max(first.start() - BEFORE, 0)
    start = text.find(" ", start, first.start()) + 1 or start if start else 0
    end = max(start + SNIPPET, first.end())
    parts, at = ["…" if start else ""], start
    for hit in wanted.finditer(folded, start, end):
        parts += [text[at : hit.start()], HIT_START, text[hit.start() : hit.end()], HIT_END]
        at = hit.end()
    parts += [text[at:end], "…" if end < len(text) else ""]
    return " ".join("".join(parts).split())


class _Bare(dict[int, str]):
    """What each character is without accents and case, found when it is first met."""

    def __missing__(self, code: int) -> str:
        bare = unicodedata.normalize("NFKD", chr(code))[0].lower()[0]
        self[code] = bare
        return bare


_BARE = _Bare()


def _folded(text: str) -> str:
    """Leave out what tells accents and case apart, every character in its place."""
    return text.lower() if text.isascii() else text.translate(_BARE)
