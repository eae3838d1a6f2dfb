"""Whatever is filtered, charted or edited agrees with plain SQL over the queries themselves."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from monitor.attachments import Attachment, with_attachments
from monitor.carbon.intensity import Zone
from monitor.energy.account import Bill
from monitor.power.channel import Domain, Kind
from monitor.store import vocabulary
from monitor.store.chart_reader import PICK_LIMIT
from monitor.store.charts import Period, Stack
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History
from monitor.store.kept_sums import create_triggers, drop_triggers, sum_up
from monitor.store.records import Seconds, Status, Tokens
from monitor.store.schema import migrations
from monitor.store.sums import LINES, SUMS
from tests.speed.million import write_history
from tests.unit.builders import (
    BILL,
    CPU,
    LACKING,
    NOTHING_KNOWN,
    channel,
    line,
    model_info,
    outcome,
    query_start,
    stored_query,
)

QUERIES = 3000


@pytest.fixture(scope="module")
def thousands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A history of three thousand queries that no test changes."""
    path = tmp_path_factory.mktemp("thousands") / "history.db"
    write_history(path, QUERIES)
    with closing(History(path)) as history:
        yield history


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as history:
        yield history


def plain(history: History, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(history._store.path)) as connection:
        return connection.execute(sql, values).fetchall()


FROM = "from queries q join models m on m.id = q.model_id where q.deleted_at is null"

SPRING = Filter(since=date(2025, 3, 1), until=date(2025, 5, 31))

WORDS_ALONE = ("a word", "no such word")

CASES: dict[str, tuple[Filter, str]] = {
    "everything": (EVERYTHING, ""),
    "a model": (Filter(models=("Dora",)), "and m.name = 'Dora'"),
    "two models": (Filter(models=("Dora", "Anton")), "and m.name in ('Dora', 'Anton')"),
    "a quantisation": (Filter(quantisations=("F16",)), "and m.quantisation = 'F16'"),
    "a kind": (Filter(kinds=("bench",)), "and q.kind = 'bench'"),
    "a status": (Filter(statuses=("failed",)), "and q.status = 'failed'"),
    "a machine": (Filter(machines=("laptop",)), "and q.machine_id = 'laptop'"),
    "days": (SPRING, "and q.day between '2025-03-01' and '2025-05-31'"),
    "a word": (
        Filter(text="wala"),
        "and ' ' || q.prompt_text || ' ' || q.answer_text like '% wala%'",
    ),
    "no such word": (Filter(text="unheard"), "and 0"),
    "a kind of a model on a machine": (
        Filter(models=("Anton", "Berta"), kinds=("ask", "chat"), machines=("desk",)),
        "and m.name in ('Anton', 'Berta') and q.kind in ('ask', 'chat') and q.machine_id = 'desk'",
    ),
    "a model's failures": (
        Filter(models=("Anton",), statuses=("failed",)),
        "and m.name = 'Anton' and q.status = 'failed'",
    ),
    "all at once": (
        Filter(("Dora",), ("Q8_0", "F16"), ("chat", "ask"), ("done",), ("desk",), (),
               date(2024, 2, 1), date(2026, 6, 1), "wa"),
        "and m.name = 'Dora' and m.quantisation in ('Q8_0', 'F16') and q.kind in ('chat', 'ask') "
        "and q.status = 'done' and q.machine_id = 'desk' and q.day between '2024-02-01' and "
        "'2026-06-01' and ' ' || q.prompt_text || ' ' || q.answer_text like '% wa%'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_filter_lets_through_what_plain_sql_finds(thousands: History, case: str) -> None:
    chosen, where = CASES[case]
    wanted = [n for (n,) in plain(thousands, f"select started_ms {FROM} {where} order by 1 desc")]
    assert thousands.browse.numbers(chosen) == wanted
    assert [row.number for row in thousands.browse.rows(chosen, 7)] == wanted[:7]
    if len(wanted) > 20:
        page = thousands.browse.rows(chosen, 5, before=wanted[9])
        assert [row.number for row in page] == wanted[10:15]


@pytest.mark.parametrize("case", CASES)
def test_totals_are_those_of_plain_sql(thousands: History, case: str) -> None:
    chosen, where = CASES[case]
    (wanted,) = plain(
        thousands,
        "select count(*), sum(energy_j), sum(energy_low_j), sum(completion_tokens), "
        "sum(energy_j * pue * 471 / 3.6e6), sum(decode_j) / sum(completion_tokens), "
        f"sum(completion_tokens) / sum(decode_s) {FROM} {where}",
    )
    bars = thousands.browse.totals(chosen).bars
    if not wanted[0]:
        assert bars == ()
        return
    found = bars[0].totals
    assert found.queries == wanted[0]
    assert (
        found.energy_j,
        found.energy_low_j,
        found.completion_tokens,
        found.grams,
        found.joules_per_token,
        found.tokens_per_s,
    ) == pytest.approx(wanted[1:], rel=1e-9)


STARTS = {
    Period.DAY: "q.day",
    Period.WEEK: "date(q.day, 'weekday 0', '-6 days')",
    Period.MONTH: "date(q.day, 'start of month')",
}

KEYS = {
    Stack.NOTHING: "''",
    Stack.MODEL: "m.name || ' ' || m.quantisation",
    Stack.KIND: "q.kind",
    Stack.MACHINE: "(select name from machines where id = q.machine_id)",
}


@pytest.mark.parametrize("stack", KEYS)
@pytest.mark.parametrize("period", Period)
@pytest.mark.parametrize("case", [case for case in CASES if case not in WORDS_ALONE])
def test_charts_are_those_of_plain_sql(
    thousands: History, case: str, period: Period, stack: Stack
) -> None:
    chosen, where = CASES[case]
    wanted = {
        (start, key): (queries, pytest.approx(joules, rel=1e-9))
        for start, key, queries, joules in plain(
            thousands,
            f"select {STARTS[period]}, {KEYS[stack]}, count(*), sum(energy_j) {FROM} {where} "
            "group by 1, 2",
        )
    }
    bars = thousands.browse.chart(chosen, period, stack).bars
    found = {(str(b.start), b.key): (b.totals.queries, b.totals.energy_j) for b in bars}
    assert found == wanted
    assert [bar.start for bar in bars] == sorted(bar.start for bar in bars)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (date(2025, 5, 6), date(2025, 5, 8)),
        (date(2025, 5, 7), date(2025, 5, 13)),
        (date(2025, 4, 30), date(2025, 5, 31)),
        (date(2025, 6, 2), date(2025, 6, 8)),
        (date(2025, 12, 31), date(2025, 12, 31)),
        (date(2025, 4, 30), None),
        (None, date(2025, 4, 29)),
        (date(2025, 5, 8), date(2025, 5, 6)),
    ],
)
def test_a_bar_of_a_week_or_month_holds_no_day_beyond_the_filters(
    thousands: History, since: date | None, until: date | None
) -> None:
    chosen = Filter(kinds=("chat",), since=since, until=until)
    days = [str(since or date.min), str(until or date.max)]
    for period in Period:
        wanted = plain(
            thousands,
            f"select {STARTS[period]}, count(*) {FROM} and q.kind = 'chat' "
            "and q.day between ? and ? group by 1 order by 1",
            *days,
        )
        bars = thousands.browse.chart(chosen, period, Stack.NOTHING).bars
        assert [(str(bar.start), bar.totals.queries) for bar in bars] == wanted
        parts = thousands.browse.chart(chosen, period, Stack.COMPONENT).bars
        assert sorted({str(bar.start) for bar in parts}) == [start for start, _ in wanted]


@pytest.mark.parametrize("case", CASES)
def test_components_add_up_to_the_total(thousands: History, case: str) -> None:
    chosen, where = CASES[case]
    wanted = plain(
        thousands,
        "select date(q.day, 'start of month'), c.domain, sum(b.joules) from queries q "
        "join models m on m.id = q.model_id join bills b on b.started_ms = q.started_ms "
        f"join channels c on c.id = b.channel_id where c.role = 'part' {where} group by 1, 2",
    )
    bars = thousands.browse.chart(chosen, Period.MONTH, Stack.COMPONENT).bars
    found = {(str(bar.start), bar.key): bar.totals.energy_j for bar in bars}
    assert found == {(start, key): pytest.approx(joules) for start, key, joules in wanted}


def test_words_of_more_queries_than_can_be_added_up_at_once_are_said_to_be_limited(
    thousands: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    frequent = Filter(text="wa")
    assert thousands.browse.totals(frequent).limited_to is None
    assert PICK_LIMIT > QUERIES
    monkeypatch.setattr("monitor.store.chart_reader.PICK_LIMIT", 100)
    chart = thousands.browse.totals(frequent)
    newest = plain(thousands, f"select energy_j {FROM} order by started_ms desc limit 100")
    assert chart.limited_to == 100
    assert chart.bars[0].totals.energy_j == pytest.approx(sum(joules for (joules,) in newest))


def test_choices_are_what_there_is(thousands: History) -> None:
    choices = thousands.browse.choices()
    assert choices.models == ("Anton", "Berta", "Cäsar", "Dora")
    assert choices.quantisations == ("F16", "Q4_K_M", "Q8_0")
    assert choices.kinds == ("ask", "bench", "chat")
    assert choices.machines == {"desk": "Desk", "laptop": "Laptop"}


# --- sums that keep themselves -----------------------------------------------------------

KEY_COLUMNS = "f.machine_id, f.model_id, f.kind, f.status, f.is_deleted, s.period, s.first_day"

SUMS_NOW = (
    f"select {KEY_COLUMNS}, {', '.join(SUMS)} from sums s "
    "join facets f on f.id = s.facet_id order by 1, 2, 3, 4, 5, 6, 7, 8",
    f"select {KEY_COLUMNS}, s.domain, {', '.join(LINES)} from domain_sums s "
    "join facets f on f.id = s.facet_id where s.lines order by 1, 2, 3, 4, 5, 6, 7, 8",
)


def test_whatever_is_written_the_sums_are_those_reckoned_anew(history: History) -> None:
    dice = random.Random(3)
    began: list[str] = []
    for step in range(120):
        match dice.randrange(6):
            case 0 | 1:
                info = model_info(Path(f"/models/{dice.randrange(3)}.gguf"))
                start = query_start(
                    kind=dice.choice(("ask", "chat")), model=info, sha256=f"{info.path}".ljust(64)
                )
                began.append(history.begin(start).query_id)
            case 2 if began:
                bill = dice.choice((BILL, LACKING, NOTHING_KNOWN))
                running = outcome(status=Status.RUNNING, text=f"word{step}", bill=bill)
                history.progress(dice.choice(began), running).result()
            case 3 if began:
                status = dice.choice((Status.DONE, Status.FAILED))
                bill = dice.choice((BILL, BILL, LACKING, NOTHING_KNOWN))
                ended = began.pop(dice.randrange(len(began)))
                history.finish(ended, outcome(status=status, bill=bill))
            case 4:
                history.edits.delete(dice.choices(history.browse.numbers() or [0], k=2))
            case 5:
                deleted = plain(history, "select started_ms from queries where deleted_at not null")
                history.edits.restore([number for (number,) in deleted[::2]])
    kept = [plain(history, sql) for sql in SUMS_NOW]

    def anew(db: Database) -> None:
        drop_triggers(db)
        sum_up(db)
        create_triggers(db)

    history._store.write(anew).result()
    for before, sql in zip(kept, SUMS_NOW, strict=True):
        after = plain(history, sql)
        assert len(after) == len(before) > 5
        for one, other in zip(before, after, strict=True):
            assert one[:8] == other[:8]
            assert one[8:] == pytest.approx(other[8:], abs=1e-6)


def test_what_is_deleted_of_a_day_is_not_taken_off_another_that_its_week_and_month_begin_with(
    history: History,
) -> None:
    for _ in range(2):
        stored_query(history)
    numbers = history.browse.numbers()
    for number, day in zip(numbers, ("2026-06-01", "2026-06-03"), strict=True):
        values = {"day": day}
        history.store.write(
            lambda db, n=number, v=values: db.table("queries").update(n, v)
        ).result()
    history.edits.delete(numbers[1:])
    for period in Period:
        (bar,) = history.browse.chart(EVERYTHING, period, Stack.NOTHING).bars
        assert (bar.start, bar.totals.queries) == (date(2026, 6, 1), 1)
        parts = history.browse.chart(EVERYTHING, period, Stack.COMPONENT).bars
        assert {part.start for part in parts} == {date(2026, 6, 1)}


CAF = Zone("CAF", "Central African Republic", 2022, 0.0)
"""A zone whose figure is missing in the table it is from."""


def test_a_query_whose_grid_has_no_figure_is_not_costed(history: History) -> None:
    history.finish(history.begin(query_start(zone=CAF)).query_id, outcome())
    assert history.browse.totals(EVERYTHING).bars[0].totals.grams is None
    stored_query(history)
    assert history.browse.totals(EVERYTHING).bars[0].totals.grams
    assert plain(history, "select distinct queries, costed from sums order by 1 desc")[0] == (2, 1)


def test_a_query_of_an_earlier_version_whose_grid_has_no_figure_is_not_costed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        stop = [each.name for each in migrations.pending(db)][10]
        migrations.apply(db, stop_before=stop)
        for number, g_per_kwh in enumerate((0.0, 0.0, 344.0)):
            db.execute(
                "insert or ignore into intensities (zone, g_per_kwh, year, source) "
                "values ('X', ?, 2022, 'Ember yearly electricity data, by hand')", [g_per_kwh],
            )  # fmt: skip
            db.execute(
                "insert into queries (started_ms, id, kind, status, day, energy_j, pue, "
                "intensity_id) values (?, ?, 'ask', 'done', '2025-01-01', 3.6e6, 1, "
                "(select id from intensities where g_per_kwh = ?))",
                [number, str(number), g_per_kwh],
            )  # fmt: skip
        connection.execute("pragma user_version = 10")
        connection.commit()
    with closing(History(path)) as history:
        (bar,) = history.browse.totals(EVERYTHING).bars
        assert (bar.totals.grams, bar.totals.measured, bar.totals.costed) == (344.0, 3, 1)


# --- words -------------------------------------------------------------------------------


def found(history: History, text: str) -> list[str]:
    return [row.prompt for row in history.browse.rows(Filter(text=text))]


def test_words_are_found_in_prompt_answer_and_note(history: History) -> None:
    stored_query(history, "What is a Wattstunde?", text="3600 joules")
    stored_query(history, "Écris un poème", text="Le café")
    assert found(history, "wattstunde") == ["What is a Wattstunde?"]
    assert found(history, "joul") == ["What is a Wattstunde?"], "the last word may be unfinished"
    assert found(history, "jou 3600") == [], "one before it may not"
    assert found(history, "cafe poeme") == ["Écris un poème"]
    (newest, *_) = history.browse.numbers()
    history.edits.note(newest, "for the talk in Ghent")
    assert found(history, "ghent") == ["Écris un poème"]
    history.edits.note(newest, "")
    assert found(history, "ghent") == []


@pytest.mark.parametrize("most", [vocabulary.MOST_WORDS, 1])
def test_a_long_beginning_of_a_word_finds_each_that_it_fits(
    history: History, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Whether the index is asked for the words one by one or, where they are many, at once."""
    monkeypatch.setattr(vocabulary, "MOST_WORDS", most)
    prompts = [
        "ENERGY of a watt",
        "energy2 of a watt",
        "energétique",
        "energies",
        "enemies",
        "a watt",
    ]
    for prompt in prompts:
        stored_query(history, prompt)
    assert found(history, "energ") == [
        "energies",
        "energétique",
        "energy2 of a watt",
        "ENERGY of a watt",
    ]
    assert found(history, "watt Energy") == ["energy2 of a watt", "ENERGY of a watt"]
    assert found(history, "energé") == ["energétique"]
    assert found(history, "energy3") == found(history, "watt energo") == []


def test_a_row_shows_the_question_before_the_files_that_went_along(history: History) -> None:
    long = "7\n" * 50_000
    files = [
        Attachment(Path(name), name, text, len(text), "UTF-8", False)
        for name, text in (("note.txt", "The secret word is ELEPHANT."), ("long.txt", long))
    ]
    stored_query(history, with_attachments("What is it?", files))
    (row,) = history.browse.rows()
    assert row.prompt == "What is it? · note.txt, long.txt"


@pytest.mark.parametrize(
    "text", ['"', "a AND", "NEAR(", "prompt:", "-", "*", "'; drop table", "(", "…", "a\0b", "\0"]
)
def test_no_text_is_a_mistake(history: History, text: str) -> None:
    stored_query(history, "What is a watt?")
    history.browse.rows(Filter(text=text))
    history.browse.totals(Filter(text=text))


def test_a_nul_parts_words(history: History) -> None:
    stored_query(history, "What is a watt?")
    assert found(history, "what\0wat") == ["What is a watt?"]
    assert found(history, "what\0ampere") == []


def test_a_query_is_found_once_it_has_ended(history: History) -> None:
    began = history.begin(query_start(prompt="Which unit?"))
    assert found(history, "unit") == []
    history.finish(began.query_id, outcome())
    assert found(history, "unit") == ["Which unit?"]


def test_words_are_narrowed_down_to_the_very_kind(history: History) -> None:
    for kind in ("ask", "ask again"):
        began = history.begin(query_start(kind=kind, prompt=f"to {kind}"))
        history.finish(began.query_id, outcome())
    rows = history.browse.rows(Filter(text="to", kinds=("ask",)))
    assert [row.prompt for row in rows] == ["to ask"], "an import may have a kind of two words"


# --- tags, notes, deletion ---------------------------------------------------------------


@pytest.fixture
def three(history: History) -> list[int]:
    """Numbers of three stored queries, the newest first."""
    for prompt in ("one", "two", "three"):
        stored_query(history, prompt)
    return history.browse.numbers()


def test_tagged_queries_are_found_by_all_their_tags(history: History, three: list[int]) -> None:
    history.edits.tag(three[:2], "talk")
    history.edits.tag(three[1:], " for   Ghent ")
    assert history.browse.numbers(Filter(tags=("talk",))) == three[:2]
    assert history.browse.numbers(Filter(tags=("talk", "for Ghent"))) == [three[1]]
    assert history.browse.numbers(Filter(tags=("talk",), text="three")) == [three[0]]
    assert history.browse.totals(Filter(tags=("talk",))).bars[0].totals.queries == 2
    assert history.browse.rows()[1].tags == ("for Ghent", "talk")
    history.edits.untag(three, "talk")
    assert history.browse.choices().tags == ("for Ghent",)
    with pytest.raises(ValueError, match="at least one letter"):
        history.edits.tag(three, "  ")


def test_deleted_queries_are_nowhere_and_come_back(history: History, three: list[int]) -> None:
    everything: list[Callable[[], object]] = [
        lambda: history.browse.numbers(),
        lambda: history.browse.numbers(Filter(text="two")),
        lambda: history.browse.numbers(Filter(text="two", statuses=("done",))),
        lambda: history.browse.totals(EVERYTHING),
        lambda: history.browse.chart(EVERYTHING, Period.DAY, Stack.COMPONENT),
        lambda: [record.prompt for record in history.records()],
    ]
    before = [look() for look in everything]
    assert history.edits.delete(three[1:2]) == three[1:2]
    assert history.browse.numbers() == [three[0], three[2]]
    assert history.browse.numbers(Filter(text="two")) == []
    assert history.browse.numbers(Filter(text="two", statuses=("done",))) == []
    assert history.browse.totals(EVERYTHING).bars[0].totals.queries == 2
    assert [record.prompt for record in history.records()] == ["three", "one"]
    history.edits.restore(three[1:2])
    for look, was in zip(everything[:3], before, strict=False):
        assert look() == was
    assert history.browse.totals(EVERYTHING).bars[0].totals.queries == 3


def test_a_running_query_is_not_deleted(history: History) -> None:
    history.begin(query_start())
    assert history.edits.delete(history.browse.numbers()) == []
    assert len(history.browse.numbers()) == 1


def test_a_query_without_energy_is_counted_but_adds_none(history: History) -> None:
    history.begin(query_start())
    (bar,) = history.browse.totals(EVERYTHING).bars
    assert (bar.totals.queries, bar.totals.measured) == (1, 0)
    assert (bar.totals.energy_j, bar.totals.grams, bar.totals.kind) == (None, None, None)


def test_the_weakest_kind_marks_a_sum(history: History) -> None:
    stored_query(history)
    (bar,) = history.browse.totals(EVERYTHING).bars
    assert bar.totals.kind is Kind.POWER, "a counter and an integrated power"


# --- addresses ---------------------------------------------------------------------------


def test_an_address_gives_the_filter_back() -> None:
    chosen = Filter(
        ("Größe & Co=1",), ("Q4_K_M", "F16"), ("chat",), ("done",), ("desk",), ("a b", "c"),
        date(2026, 1, 2), date(2026, 3, 4), 'what is "a" watt?',
    )  # fmt: skip
    assert Filter.from_address(chosen.to_address()) == chosen
    assert Filter.from_address("") == EVERYTHING
    assert Filter.from_address("since=yesterday&unknown=1&kinds=") == EVERYTHING


def test_conditions_are_added_and_removed_one_by_one() -> None:
    chosen = EVERYTHING.toggled("models", "a").toggled("models", "b")
    assert chosen.models == ("a", "b")
    assert chosen.toggled("models", "a").models == ("b",)
    assert chosen.without("models").is_empty
    assert Filter(text="x").without("text").is_empty


# --- days --------------------------------------------------------------------------------


@pytest.mark.parametrize("period", Period)
def test_periods_follow_each_other_without_a_gap(period: Period) -> None:
    day = date(2023, 12, 27)
    for _ in range(800):
        start, following = period.start(day), period.next(day)
        assert start <= day < following
        assert period.start(following) == following
        assert period.start(following - timedelta(days=1)) == start
        day += timedelta(days=1)


# --- the file of an earlier version -------------------------------------------------------


def test_a_history_of_version_6_keeps_every_query_and_joule(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        old = Database(connection)
        migrations.apply(old, stop_before="a_million_queries")
        connection.execute("pragma user_version = 6")
        old.table("machines").insert({"id": "desk", "name": "Desk"})
        old.table("settings").insert({"id": "s", "context": 1, "threads": 1, "stop": "[]"})
        model = {"id": 1, "sha256": "ab", "path": "/m.gguf", "name": "m", "quantisation": "F16"}
        old.table("models").insert(model)
        for index, role in enumerate(("part", "part", "inside")):
            row = {"id": index, "machine_id": "desk", "key": f"c{index}", "label": "c"}
            row |= {"domain": ("cpu", "dram", "cpu")[index], "device": "", "kind": "counter"}
            row |= {"role": role, "period_s": 0.1, "step_j": 0.0, "accuracy_below": 0.0}
            row |= {"accuracy_above": 0.0, "accuracy_offset_w": 0.0, "accuracy_source": ""}
            old.table("channels").insert(row)
        for index in range(3):
            query_id = f"0000000{index}-0000-7000-8000-000000000000"
            old.table("queries").insert(
                {
                    "id": query_id, "kind": "ask", "status": "done", "settings_id": "s",
                    "started_at": "2026-05-05T12:00:00.000+00:00", "machine_id": "desk",
                    "model_id": 1, "prompt_text": f"prompt {index}", "answer_text": "answer",
                    "completion_tokens": 10, "energy_j": 12.0, "energy_kind": "counter",
                    "zone": "DEU", "intensity_g_per_kwh": 360.0, "intensity_year": 2025,
                    "intensity_source": "Ember", "pue": 1.0, "method": 1,
                }
            )  # fmt: skip
            for channel_id in (2, 0, 1):
                for phase, joules in (("prefill", 1.0), ("decode", 5.0), ("load", 9.0)):
                    row = {"query_id": query_id, "channel_id": channel_id, "phase": phase}
                    row |= {"joules": joules, "below_j": 0.1, "above_j": 0.1, "random_j": 0.1}
                    row |= {"samples": 3, "coverage": 1.0, "duration_s": 1.0, "resolved": 1}
                    old.table("bills").insert(row)
            old.table("traces").insert({"query_id": query_id, "data": b"curve"})
        connection.commit()
    with closing(History(path)) as history:
        records = history.records()
        assert [record.prompt for record in records] == ["prompt 2", "prompt 1", "prompt 0"]
        assert [line.channel.key for line in records[0].bill.lines[::3]] == ["c2", "c0", "c1"]
        assert records[0].bill.phases() == ("prefill", "decode")
        assert records[0].bill.total().joules == pytest.approx(12.0)
        assert records[0].joules_per_token == pytest.approx(1.0)
        assert records[0].footprint is not None
        assert records[0].footprint.grams == pytest.approx(12 * 360 / 3.6e6)
        (bar,) = history.browse.totals(EVERYTHING).bars
        assert (bar.totals.energy_j, bar.totals.queries) == (pytest.approx(36.0), 3)
        assert bar.totals.joules_per_token == pytest.approx(1.0)
        assert len(history.browse.numbers(Filter(text="prompt answer"))) == 3
        assert plain(history, "pragma integrity_check") == [("ok",)]
        assert plain(history, "select count(*) from traces") == [(3,)]


# --- what is not known, and what is called alike -------------------------------------------


def test_a_component_that_was_not_read_has_no_joules(history: History) -> None:
    dram = channel("rapl:dram-0", domain=Domain.DRAM, label="DRAM")
    stored_query(history, bill=Bill((line(CPU, joules=3.0), line(dram, joules=None))))
    for chosen in (EVERYTHING, Filter(text="watt")):
        bars = history.browse.chart(chosen, Period.DAY, Stack.COMPONENT).bars
        assert {bar.key: (bar.totals.energy_j, bar.totals.kind) for bar in bars} == {
            "cpu": (3.0, Kind.COUNTER),
            "dram": (None, None),
        }


def test_two_files_of_one_name_are_one_piece_of_a_chart(history: History) -> None:
    for letter in "ab":
        began = history.begin(query_start(sha256=letter * 64))
        history.finish(began.query_id, outcome())
    (total,) = history.browse.totals().bars
    (bar,) = history.browse.chart(EVERYTHING, Period.DAY, Stack.MODEL).bars
    assert bar.totals == total.totals


def test_machines_of_one_name_are_told_apart(history: History) -> None:
    stored_query(history)
    (own,) = history.browse.choices().machines.items()

    def clone(db: Database) -> None:
        db.execute("insert into machines (id, name) values ('other', ?)", [own[1]])

    history._store.write(clone).result()
    stored_query(history)
    number = history.browse.numbers(limit=1)[0]
    history._store.write(
        lambda db: db.execute(
            "update queries set machine_id = 'other' where started_ms = ?", [number]
        )
    ).result()
    bars = history.browse.chart(EVERYTHING, Period.DAY, Stack.MACHINE).bars
    assert {bar.key for bar in bars} == {f"{own[1]} ({own[0][:6]})", f"{own[1]} (other)"}


def test_what_was_deleted_leaves_no_trace_of_rounding(history: History) -> None:
    stored_query(history, seconds=Seconds(decode=0.1), tokens=Tokens(completion=3))
    stored_query(history, seconds=Seconds(decode=0.7), tokens=Tokens(completion=3))
    stored_query(history, tokens=Tokens(), seconds=Seconds(decode=0.2))
    history.edits.delete(history.browse.numbers()[1:])
    (bar,) = history.browse.totals().bars
    assert (bar.totals.tokens_per_s, bar.totals.joules_per_token) == (None, None)
