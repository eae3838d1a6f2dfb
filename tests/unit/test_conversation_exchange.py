"""A conversation goes out whole and comes in whole, branches and bills, or not at all."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.exchange.conversation import conversation_json, conversation_markdown
from monitor.exchange.conversation_reading import take_in_conversation
from monitor.exchange.files import ExchangeError
from monitor.exchange.sealed import digest
from monitor.paths import database_path
from monitor.store.filters import Filter
from monitor.store.history import Began, History
from monitor.store.records import Seconds, Status
from monitor.store.upkeep import purge_deleted
from tests.unit.builders import BILL, NOTHING_KNOWN, outcome, query_start
from tests.unit.test_conversations import bill, identifier, say

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """Another machine's history."""
    row = {"id": "other", "name": "Other", "system": "", "processor": "", "threads": 1,
           "memory_bytes": 1}  # fmt: skip
    monkeypatch.setattr("monitor.store.history.this_machine", lambda: row)
    (tmp_path / "elsewhere").mkdir()
    with closing(History(tmp_path / "elsewhere" / "history.db")) as history:
        yield history


@pytest.fixture
def first(history: History) -> Began:
    """The first turn of a conversation that has four, on three branches."""
    first = say(history, "One?", "1", cost=BILL)
    again = say(history, "One?", "I", again=first, cost=bill(4))
    say(history, "Two?", "2", after=first, cost=NOTHING_KNOWN, status=Status.STOPPED)
    began = history.begin(
        query_start(kind="chat", prompt="Zwei?", system="Be brief.", pue=1.2,
                    conversation_id=first.conversation_id, parent_id=again.answer_id)
    )  # fmt: skip
    seconds = Seconds(load=0.5, prefill=0.1, first_token=0.12, decode=1.7, total=1.8, thinking=0.6)
    told = outcome(text="<think>Hm.</think>II", seconds=seconds, thinking_j=2.5)
    history.finish(began.query_id, told)
    talks = history.talks
    talks.set_system(identifier(first), "Be brief.")
    talks.set_sampling(identifier(first), {"temperature": 0.2, "stop": ["\n"], "seed": None})
    return first


def written(history: History, began: Began, path: Path) -> Path:
    path.write_text(json.dumps(conversation_json(history, identifier(began))), encoding="utf-8")
    return path


# --- JSON --------------------------------------------------------------------------------


def test_a_conversation_comes_back_as_it_was(
    history: History, first: Began, elsewhere: History, tmp_path: Path
) -> None:
    path = written(history, first, tmp_path / "talk.json")
    taken = take_in_conversation(elsewhere, path)
    assert (taken.title, taken.messages, taken.queries) == ("One?", 7, 4)
    talk, again = (each.talks.talk(identifier(first)) for each in (history, elsewhere))
    assert [turn.answer for turn in again.turns] == ["I", "<think>Hm.</think>II"]
    # A model's place is told by its file's name alone.
    assert [turn.record and replace(turn.record, model=None) for turn in again.turns] == [
        turn.record and replace(turn.record, model=None) for turn in talk.turns
    ]
    assert replace(again, turns=()) == replace(talk, turns=())
    for turn, told in zip(again.turns, talk.turns, strict=True):
        assert replace(turn, record=None) == replace(told, record=None)
    assert elsewhere.browse.choices().machines.keys() == history.browse.choices().machines.keys()
    assert len(elsewhere.talks.listed("zwei")) == 1, "it is found by its words"
    assert len(list(elsewhere.browse.ids(Filter(text="zwei")))) == 1


def test_taking_in_again_adds_nothing(
    history: History, first: Began, elsewhere: History, tmp_path: Path
) -> None:
    path = written(history, first, tmp_path / "talk.json")
    take_in_conversation(elsewhere, path)
    before = "\n".join(elsewhere.store.read().conn.iterdump())
    again = take_in_conversation(elsewhere, path)
    assert (again.messages, again.queries) == (0, 0)
    assert "\n".join(elsewhere.store.read().conn.iterdump()) == before
    own = take_in_conversation(history, path)
    assert (own.messages, own.queries) == (0, 0)


def test_gone_on_with_in_both_places_it_branches(
    history: History, first: Began, elsewhere: History, tmp_path: Path
) -> None:
    take_in_conversation(elsewhere, written(history, first, tmp_path / "talk.json"))
    there = say(elsewhere, "There?", after=first)
    say(history, "Here?", after=first)
    taken = take_in_conversation(history, written(elsewhere, first, tmp_path / "back.json"))
    assert (taken.messages, taken.queries) == (2, 1)
    turns = history.talks.talk(identifier(first), there.answer_id).turns
    assert [turn.question for turn in turns] == ["One?", "There?"]
    assert len(turns[1].questions) == 3
    assert len(history.browse.choices().machines) == 2


def test_one_that_was_deleted_or_forgotten_is_back_with_its_words(
    history: History, first: Began, tmp_path: Path
) -> None:
    path = written(history, first, tmp_path / "talk.json")
    talk = history.talks.talk(identifier(first))
    history.talks.delete([identifier(first)])
    take_in_conversation(history, path)
    assert history.talks.talk(identifier(first)) == talk
    history.talks.delete([identifier(first)])
    purge_deleted(history.store, timedelta(days=-1))
    taken = take_in_conversation(history, path)
    assert (taken.messages, taken.queries) == (7, 0), "the bills had stayed"
    assert history.talks.talk(identifier(first)) == talk
    assert len(history.talks.listed("zwei")) == 1


def test_each_answer_has_its_query_as_the_commands_tell_it(history: History, first: Began) -> None:
    document = conversation_json(history, identifier(first))
    assert (document["format"], document["version"]) == ("llamawatt-conversation", 1)
    assert (document["system"], document["sampling"]["temperature"]) == ("Be brief.", 0.2)
    assert {each["role"] for each in document["messages"]} == {"user", "assistant"}
    told = {each["query"]["id"]: each["query"] for each in document["queries"]}
    energy = told[first.query_id]["energy"]
    assert energy["total_j"] == pytest.approx(BILL.total().joules)
    assert {each["key"] for each in energy["channels"]} == {
        "rapl:package-0", "nvml:gpu-0", "rapl:core-0",
    }  # fmt: skip
    assert [each["energy"]["total_j"] for each in told.values()].count(None) == 1
    assert "/models/" not in json.dumps(document)


def test_one_that_is_still_written_is_not_written_out(history: History, first: Began) -> None:
    history.begin(query_start(kind="chat", conversation_id=first.conversation_id))
    with pytest.raises(ExchangeError, match="still being written"):
        conversation_json(history, identifier(first))
    with pytest.raises(KeyError, match="no conversation nobody"):
        conversation_json(history, "nobody")


def make_a_circle(document: dict[str, Any]) -> None:
    one, *_, last = document["messages"]
    one["parent_id"] = last["id"]


MISTAKES: list[tuple[Change, str]] = [
    (lambda d: d.update(format="llamawatt-capsule"), "is no conversation of LlamaWatt"),
    (lambda d: d.update(version=2), "later version of LlamaWatt"),
    (lambda d: d.pop("title"), "it lacks “title”"),
    (lambda d: d.update(id=""), "“id” is no identifier"),
    (lambda d: d.update(updated_at="yesterday"), "should be a time"),
    (lambda d: d["sampling"].update(top_k={}), "“top_k” should be a number"),
    (lambda d: d.update(title="\ud800"), "half a character"),
    (lambda d: d["messages"][0].update(role="system"), "“role” should be user or assistant"),
    (lambda d: d["messages"][1].update(id=d["messages"][0]["id"]), "is there twice"),
    (lambda d: d["messages"][1].update(parent_id="nobody"), "follow none that is there"),
    (make_a_circle, "follow none that is there"),
    (lambda d: d["messages"][1].update(query_id="nobody"), "there is no query nobody"),
    (lambda d: d["queries"].append(d["queries"][0]), "is there twice"),
    (lambda d: d["queries"][0]["query"].update(kind="bench"), "its “kind” should be chat"),
    (lambda d: d["queries"][0]["query"].update(status="running"), "still running"),
    (lambda d: d["queries"][0]["bill"]["lines"][0].update(channel=9), "there is no channel 9"),
    (lambda d: d["queries"][3]["query"]["tokens"].update(prompt=10**30), "no history can"),
    (lambda d: d["queries"][0].pop("machine"), "it lacks “machine”"),
]  # fmt: skip


def test_each_mistake_is_told_and_nothing_is_taken_in(
    history: History, first: Began, elsewhere: History, tmp_path: Path
) -> None:
    path = written(history, first, tmp_path / "talk.json")
    sound = path.read_text()
    for change, told in MISTAKES:
        document = json.loads(sound)
        change(document)
        path.write_text(json.dumps({**document, "content_sha256": digest(document)}))
        with pytest.raises(ExchangeError) as error:
            take_in_conversation(elsewhere, path)
        assert told in str(error.value)
    path.write_text(sound.replace("Be brief", "Be long"))
    with pytest.raises(ExchangeError, match="was changed after it was written"):
        take_in_conversation(elsewhere, path)
    path.write_text(sound[:-100])
    with pytest.raises(ExchangeError, match="is no JSON document"):
        take_in_conversation(elsewhere, path)
    assert elsewhere.talks.listed() == []
    assert elsewhere.records() == []


def test_a_file_cannot_put_its_words_under_bills_of_other_conversations(
    history: History, first: Began, elsewhere: History, tmp_path: Path
) -> None:
    own = say(elsewhere, "Mine?", "Mine.")
    path = written(history, first, tmp_path / "talk.json")
    text = path.read_text().replace(first.query_id, own.query_id)
    document = json.loads(text)
    path.write_text(json.dumps({**document, "content_sha256": digest(document)}))
    take_in_conversation(elsewhere, path)
    record = elsewhere.record(own.query_id)
    assert (record.prompt, record.conversation_id) == ("Mine?", own.conversation_id)
    talk = elsewhere.talks.talk(identifier(first), first.answer_id)
    assert talk.turns[0].record is None
    assert first.question_id
    document = json.loads(text.replace(first.question_id, str(own.question_id)))
    path.write_text(json.dumps({**document, "content_sha256": digest(document)}))
    with pytest.raises(ExchangeError, match="in another conversation"):
        take_in_conversation(elsewhere, path)


# --- Markdown ----------------------------------------------------------------------------


def test_markdown_tells_every_answer_with_its_bill_and_the_total(
    history: History, first: Began
) -> None:
    text = conversation_markdown(history.talks.talk(identifier(first)))
    assert text.startswith(
        "# One?\n\nAnswered by tiny Q4\\_K\\_M.\n\n**System prompt**\n\n> Be brief."
    )
    assert text.count("**Question**") == text.count("J/token") == 2
    assert "**Thoughts**\n\n> Hm.\n\n**Answer** tiny Q4\\_K\\_M\n\n> II\n" in text
    total = 4 + (BILL.total().joules or 0)
    assert f"**Total** ◐ {total:.1f} J (" in text
    assert "All branches together: ≥ ◐" in text, "one was not measured"
    assert "4 answers, of which 3 were measured" in text


def test_no_text_gets_out_of_its_quote(history: History) -> None:
    wild = "# Mine\r\n```python\nx = 1\n\n<details>\n[a]: b\n---\n"
    began = say(history, wild, wild)
    history.talks.rename(identifier(began), "# <img src=x> [a](b) `c`")
    text = conversation_markdown(history.talks.talk(identifier(began)))
    shut_in = [line for line in text.splitlines() if line.startswith(">")]
    assert shut_in.count("> ```python") == shut_in.count("> # Mine") == 2
    free = [line for line in text.splitlines() if not line.startswith(">")]
    assert [line for line in free if line.startswith("#")] == [
        "# \\# \\<img src=x\\> \\[a\\](b) \\`c\\`", "## 1",
    ]  # fmt: skip
    assert not [line for line in free if "```" in line or line.startswith("<")]


def test_what_has_no_answer_or_no_bill_says_so(history: History) -> None:
    began = say(history, "One?", "", status=Status.FAILED, cost=NOTHING_KNOWN)
    text = conversation_markdown(history.talks.talk(identifier(began)))
    assert "*failed" in text
    assert "no energy was measured" in text
    history.edits.delete(history.browse.numbers_of([began.query_id]))
    text = conversation_markdown(history.talks.talk(identifier(began)))
    assert "*What it cost is not kept.*" in text
    assert "**Total**" not in text
