"""Conversations are found, branch without losing anything, and every branch tells its joules."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.energy.account import Bill
from monitor.exchange.conversation import cost_line, total_line
from monitor.paths import database_path
from monitor.power.channel import Kind
from monitor.repeat import messages_of
from monitor.store.branches import Branch
from monitor.store.conversation_search import HIT_END, HIT_START
from monitor.store.conversations import Conversations, Said
from monitor.store.filters import Filter
from monitor.store.history import Began, History
from monitor.store.records import Seconds, Status
from monitor.store.rescue import rescue
from monitor.store.upkeep import purge_deleted
from tests.unit.builders import CPU, GPU, LACKING, NOTHING_KNOWN, line, outcome, query_start


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


@pytest.fixture
def talks(history: History) -> Conversations:
    return history.talks


def bill(joules: float, kind: Kind = Kind.COUNTER) -> Bill:
    return Bill((line(CPU if kind is Kind.COUNTER else GPU, "decode", joules),))


def say(
    history: History,
    prompt: str,
    answer: str = "Yes.",
    after: Began | None = None,
    again: Began | None = None,
    within: Began | None = None,
    cost: Bill | None = None,
    status: Status = Status.DONE,
    total_s: float = 1.8,
) -> Began:
    """Ask a question and answer it.

    :param after: the answer it follows
    :param again: whose question is answered once more instead
    :param within: the conversation at whose beginning it is asked
    """
    before = after or again or within
    start = query_start(
        kind="chat",
        prompt=prompt,
        conversation_id=before and before.conversation_id,
        parent_id=after and after.answer_id,
        question_id=again and again.question_id,
    )
    began = history.begin(start)
    told = outcome(
        text=answer,
        bill=bill(10) if cost is None else cost,
        status=status,
        seconds=Seconds(total=total_s),
    )
    history.finish(began.query_id, told)
    return began


def identifier(began: Began) -> str:
    assert began.conversation_id
    return began.conversation_id


def figures_of(branches: tuple[Branch, ...]) -> list[tuple[int, int, float | None, Kind | None]]:
    costs = [branch.cost for branch in branches]
    return [(each.queries, each.measured, each.energy_j, each.kind) for each in costs]


# --- branches ----------------------------------------------------------------------------


def test_a_conversation_is_its_turns_in_order_each_with_its_bill(
    history: History, talks: Conversations
) -> None:
    first = say(history, "One?", "1")
    second = say(history, "Two?", "2", after=first)
    talk = talks.talk(identifier(first))
    assert [(turn.question, turn.answer) for turn in talk.turns] == [("One?", "1"), ("Two?", "2")]
    assert [turn.record for turn in talk.turns] == [
        history.record(each.query_id) for each in (first, second)
    ]
    assert (talk.title, talk.leaf_id, talk.pinned, talk.system) == (
        "One?", second.answer_id, False, "",
    )  # fmt: skip
    assert all(len(turn.questions) == len(turn.answers) == 1 for turn in talk.turns)
    assert (talk.cost.queries, talk.cost.energy_j) == (2, 20.0)


def test_an_answer_had_again_and_a_question_put_otherwise_stand_beside_the_first(
    history: History, talks: Conversations
) -> None:
    first = say(history, "One?", "1", cost=bill(1))
    say(history, "Two?", "2", after=first, cost=bill(2))
    again = say(history, "One?", "I", again=first, cost=bill(4, Kind.POWER))
    other = say(history, "Uno?", within=first, cost=bill(8))
    assert talks.talk(identifier(first)).leaf_id == other.answer_id
    talk = talks.talk(identifier(first), leaf_id=again.answer_id)
    (turn,) = talk.turns
    assert (turn.question, turn.answer, turn.answer_id) == ("One?", "I", again.answer_id)
    assert turn.record == history.record(again.query_id)
    assert figures_of(turn.answers) == [(2, 2, 3.0, Kind.COUNTER), (1, 1, 4.0, Kind.POWER)]
    assert figures_of(turn.questions) == [(3, 3, 7.0, Kind.POWER), (1, 1, 8.0, Kind.COUNTER)]
    assert [each.is_shown for each in turn.answers] == [False, True]
    assert [each.is_shown for each in turn.questions] == [True, False]
    assert talk.cost.energy_j == 15.0


def test_a_branch_is_gone_back_to_where_it_was_left(history: History, talks: Conversations) -> None:
    first = say(history, "One?")
    second = say(history, "Two?", after=first)
    third = say(history, "Three?", after=second)
    other = say(history, "Uno?", within=first)
    left, right = talks.talk(identifier(first)).turns[0].questions
    assert (left.leaf_id, right.leaf_id) == (third.answer_id, other.answer_id)
    talks.choose(identifier(first), left.leaf_id)
    assert [turn.question for turn in talks.talk(identifier(first)).turns] == [
        "One?", "Two?", "Three?",
    ]  # fmt: skip
    assert len(talks.talk(identifier(first), first.answer_id).turns) == 3, "on to where it was left"


def test_what_was_not_measured_is_told_and_what_was_deleted_does_not_count(
    history: History, talks: Conversations
) -> None:
    first = say(history, "One?", cost=bill(5))
    say(history, "One?", again=first, cost=NOTHING_KNOWN)
    gone = say(history, "One?", again=first, cost=bill(7))
    history.edits.delete(history.browse.numbers_of([gone.query_id]))
    talk = talks.talk(identifier(first), gone.answer_id)
    (turn,) = talk.turns
    assert figures_of(turn.answers) == [
        (1, 1, 5.0, Kind.COUNTER), (1, 0, None, None), (0, 0, None, None),
    ]  # fmt: skip
    assert figures_of(turn.questions) == [(2, 1, 5.0, Kind.COUNTER)]
    assert turn.record is None
    (listed,) = talks.listed()
    assert (listed.queries, listed.measured, listed.energy_j) == (2, 1, 5.0)


def test_what_lacks_a_part_is_the_least_that_a_conversation_cost(
    history: History, talks: Conversations
) -> None:
    first = say(history, "One?")
    talk = talks.talk(identifier(first))
    assert not talk.cost.is_lower_bound
    assert not talks.listed()[0].is_lower_bound
    say(history, "Two?", after=first, cost=LACKING)
    talk = talks.talk(identifier(first))
    assert (talk.cost.partly_read, talk.cost.is_lower_bound) == (1, True)
    assert talk.turns[0].questions[0].cost.is_lower_bound
    assert talks.listed()[0].is_lower_bound
    assert total_line([turn.record for turn in talk.turns if turn.record]).startswith("≥ ● ")
    assert cost_line(talk.cost).startswith("≥ ● ")
    assert history.spent_since(datetime(2026, 1, 1, tzinfo=UTC)).words.startswith("≥ ● ")


@pytest.mark.parametrize(("total_s", "is_least"), [(0.0, False), (1.8, True)])
def test_an_answer_that_never_ran_is_missing_from_no_sum_one_that_was_not_read_is(
    history: History, talks: Conversations, total_s: float, is_least: bool
) -> None:
    first = say(history, "One?")
    say(history, "Two?", after=first, cost=NOTHING_KNOWN, total_s=total_s, status=Status.FAILED)
    talk = talks.talk(identifier(first))
    assert (talk.cost.measured, talk.cost.queries) == (1, 2)
    assert talk.cost.is_lower_bound is is_least
    assert talk.turns[0].questions[0].cost.is_lower_bound is is_least
    assert talks.listed()[0].is_lower_bound is is_least
    assert cost_line(talk.cost).startswith("≥") is is_least
    records = [turn.record for turn in talk.turns if turn.record]
    assert len(records) == 2
    assert total_line(records).startswith("≥") is is_least
    spent = history.spent_since(datetime(2026, 1, 1, tzinfo=UTC))
    assert spent.words.startswith("≥") is is_least
    (bar,) = history.browse.totals().bars
    assert bar.totals.is_lower_bound is is_least


def test_an_interval_of_a_branch_holds_those_of_its_answers(
    history: History, talks: Conversations
) -> None:
    first = say(history, "One?")
    second = say(history, "Two?", after=first)
    (branch,) = talks.talk(identifier(first)).turns[0].questions
    energies = [history.record(each.query_id).bill.total().energy for each in (first, second)]
    assert branch.cost.low_j == pytest.approx(sum(each.low_j for each in energies if each))
    assert branch.cost.high_j == pytest.approx(sum(each.high_j for each in energies if each))


def test_a_question_gone_on_from_without_an_answer_keeps_both_ways(
    history: History, talks: Conversations
) -> None:
    """So were conversations stored when a failed answer left no message."""
    first = say(history, "One?", status=Status.FAILED)

    forget = "delete from messages where role = 'assistant'"
    history.store.write(lambda db: db.execute(forget)).result()
    second = say(history, "Two?", after=replace(first, answer_id=first.question_id))
    talk = talks.talk(identifier(first))
    assert [(turn.question, turn.answer_id) for turn in talk.turns] == [
        ("One?", None), ("Two?", second.answer_id),
    ]  # fmt: skip
    assert talk.turns[0].record == history.record(first.query_id)
    assert talk.cost.queries == 2
    again = say(history, "One?", "At last.", again=first)
    (turn,) = talks.talk(identifier(first)).turns
    assert turn.answer == "At last."
    assert [each.leaf_id for each in turn.answers] == [second.answer_id, again.answer_id]


def test_what_is_not_there_is_a_sentence(history: History, talks: Conversations) -> None:
    first = say(history, "One?")
    with pytest.raises(KeyError, match="no conversation nobody"):
        talks.talk("nobody")
    with pytest.raises(KeyError, match="no message nothing in this"):
        talks.talk(identifier(first), "nothing")
    with pytest.raises(KeyError, match="no conversation nobody"):
        talks.delete([identifier(first), "nobody"])
    assert len(talks.listed()) == 1, "all of them, or none"


# --- what was said before ----------------------------------------------------------------


def test_a_query_is_put_again_with_what_was_said_on_its_own_branch(
    history: History, talks: Conversations
) -> None:
    first = say(history, "One?", "<think>Hm.</think>\n\n1")
    again = say(history, "One?", "I", again=first)
    empty = say(history, "Two?", "<think>Hm", after=first, status=Status.STOPPED)
    last = say(history, "Three?", "3", after=empty)
    beside = say(history, "Zwei?", "II", after=again)

    def given(began: Began) -> list[str]:
        return [each.content for each in messages_of(history, history.record(began.query_id))]

    assert given(last) == ["One?", "1", "Three?"]
    assert given(beside) == ["One?", "I", "Zwei?"]
    assert given(first) == given(again) == ["One?"]
    assert talks.path(again.answer_id) == (
        Said("user", "One?", first.query_id), Said("assistant", "I", again.query_id),
    )  # fmt: skip
    assert talks.path(None) == talks.path("nothing") == ()
    assert talks.message_of(again.query_id) == again.answer_id


# --- the list and its search -------------------------------------------------------------


def test_the_pinned_come_first_then_the_latest_used(history: History, talks: Conversations) -> None:
    one, two, three = (say(history, prompt) for prompt in ("One", "Two", "Three"))
    say(history, "More", after=one)
    talks.pin(identifier(two), True)
    assert [each.title for each in talks.listed()] == ["Two", "One", "Three"]
    assert [each.turns for each in talks.listed(limit=2)] == [1, 2]
    talks.pin(identifier(two), False)
    assert talks.listed()[0].title == "One"
    assert talks.listed()[1].id == identifier(three)


@pytest.mark.parametrize(
    ("typed", "titles"),
    [
        ("crème", ["Creme brulee", "Crème brûlée"]),
        ("BRUL cre", ["Creme brulee", "Crème brûlée"]),
        ("caram", ["Crème brûlée"]),
        ("sugar burnt", ["Crème brûlée"]),
        ("rulée", []),
        ('"', ["Creme brulee", "Crème brûlée"]),
        ('caramel" OR "x', []),
        ("caramel*", ["Crème brûlée"]),
        ("NEAR(caramel", []),
        ("marks : kchat", []),
        ("-caramel", ["Crème brûlée"]),
        ("sugar\0caram", ["Crème brûlée"]),
        ("elsewhere", []),
    ],
)
def test_words_are_found_in_titles_and_texts_however_they_are_typed(
    history: History, talks: Conversations, typed: str, titles: list[str]
) -> None:
    say(history, "Crème brûlée", "Burnt sugar over custard: the caramel cracks.")
    say(history, "Creme brulee")
    history.begin(query_start(prompt="Crème elsewhere"))
    assert [each.title for each in talks.listed(typed)] == titles


def test_a_snippet_shows_the_words_where_they_were_said_last(
    history: History, talks: Conversations
) -> None:
    first = say(history, "Sugar?", "Earlier, burnt sugar.")
    long = "word " * 60 + "the BÛRNT sugar cracks " + "more " * 60
    second = say(history, "And then?", long, after=first)
    (found,) = talks.listed("burnt sug")
    assert found.hit_query_id == second.query_id
    assert f"the {HIT_START}BÛRNT{HIT_END} {HIT_START}sugar{HIT_END} cracks" in found.snippet
    assert found.snippet.startswith("…word")
    assert found.snippet.endswith("…")
    assert len(found.snippet) < 200
    talks.rename(identifier(first), "Custard")
    (by_title,) = talks.listed("custa")
    assert (by_title.snippet, by_title.hit_query_id) == ("", None)


# --- changes -----------------------------------------------------------------------------


def test_a_title_a_system_prompt_and_sampling_are_kept(
    history: History, talks: Conversations
) -> None:
    first = identifier(say(history, "One?"))
    talks.rename(first, "  A better\n title ")
    talks.set_system(first, "Be brief.")
    talks.set_sampling(first, {"temperature": 0.2, "stop": ["\n"]})
    talk = talks.talk(first)
    assert (talk.title, talk.system) == ("A better title", "Be brief.")
    assert talk.sampling == {"temperature": 0.2, "stop": ["\n"]}
    with pytest.raises(ValueError, match="at least one letter"):
        talks.rename(first, " \n ")
    talks.set_system(first, " ")
    talks.set_sampling(first, None)
    assert (talks.talk(first).system, talks.talk(first).sampling) == ("", None)


def test_what_was_deleted_is_out_of_list_and_search_until_it_is_restored(
    history: History, talks: Conversations
) -> None:
    first, other = say(history, "Caramel"), say(history, "Custard")
    talks.delete([identifier(first)])
    assert [each.title for each in talks.listed()] == ["Custard"]
    assert talks.listed("caramel") == []
    assert [each.title for each in talks.listed(deleted=True)] == ["Caramel"]
    assert len(history.records()) == 2, "what it cost was spent"
    talks.restore([identifier(first)])
    assert {each.id for each in talks.listed()} == {identifier(first), identifier(other)}
    assert len(talks.listed("caramel")) == 1


def test_after_thirty_days_the_words_are_gone_and_the_bills_stay(
    history: History, talks: Conversations
) -> None:
    first = say(history, "Secret?", "Secret.", cost=bill(5))
    say(history, "Secret?", "Secret again.", again=first, cost=bill(6))
    kept = say(history, "Open", "Open.")
    talks.delete([identifier(first)])
    now = datetime.now(UTC)
    assert purge_deleted(history.store, now=now + timedelta(days=29)) == 0
    assert len(talks.listed(deleted=True)) == 1
    purge_deleted(history.store, now=now + timedelta(days=31))
    assert talks.listed(deleted=True) == []
    assert history.browse.numbers(Filter(text="secret")) == []
    assert sorted(each.bill.total().joules or 0 for each in history.records()) == [5, 6, 10]
    assert talks.talk(identifier(kept)).turns[0].answer == "Open."
    db = history.store.read()
    assert "ecret" not in str([list(db.table(name).rows) for name in ("queries", "messages")])
    assert db.execute("pragma foreign_key_check").fetchall() == []


def test_an_identifier_is_found_by_either_end(history: History, talks: Conversations) -> None:
    first, other = identifier(say(history, "One")), identifier(say(history, "Two"))
    assert talks.find(first[-8:]) == talks.find(first) == first
    with pytest.raises(KeyError, match="2 conversations match"):
        talks.find(other[:4])
    with pytest.raises(KeyError, match="There is no conversation ffff"):
        talks.find("ffff")
    with pytest.raises(KeyError, match="There is no conversation"):
        talks.find(first[-3:])


# --- damage ------------------------------------------------------------------------------


def test_what_followed_a_lost_message_stays_in_its_place(history: History, tmp_path: Path) -> None:
    first = say(history, "One?", "1")
    lost = say(history, "Two?", "2", after=first)
    three = say(history, "Three?", "3", after=lost)
    other = say(history, "Drei?", "III", after=lost)
    history.close()
    path, target = database_path(), tmp_path / "rescued.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from messages where id = ?", [lost.answer_id])
        connection.commit()
    rescue(path, target)
    with closing(History(target)) as saved:
        talk = saved.talks.talk(identifier(first))
    assert [turn.question for turn in talk.turns] == ["One?", "Two?", "Drei?"]
    assert [each.message_id for each in talk.turns[2].questions] == [
        three.question_id, other.question_id,
    ]  # fmt: skip


def test_an_answer_whose_question_is_lost_is_still_shown(history: History, tmp_path: Path) -> None:
    first = say(history, "One?", "1")
    second = say(history, "Two?", "2", after=first)
    history.close()
    path, target = database_path(), tmp_path / "rescued.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from messages where id = ?", [second.question_id])
        connection.commit()
    rescue(path, target)
    with closing(History(target)) as saved:
        talk = saved.talks.talk(identifier(first))
    assert [(turn.question, turn.answer) for turn in talk.turns] == [("One?", "1"), ("", "2")]
    assert talk.turns[1].record
    assert talk.cost.queries == 2
