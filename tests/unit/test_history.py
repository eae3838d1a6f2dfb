"""No query is lost, whoever dies when; and what is read back is what was written."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.energy.account import METHOD, Bill, Phase
from monitor.forms import record_json
from monitor.power.channel import Domain, Kind
from monitor.power.curve import Curve
from monitor.store.conversations import Said
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.history import History
from monitor.store.identifiers import new_id
from monitor.store.records import QueryRecord, Seconds, Status, Tokens
from tests.unit.builders import (
    BILL,
    CPU,
    GPU,
    NOTHING_KNOWN,
    REPOSITORY,
    ZONE,
    channel,
    line,
    model_info,
    outcome,
    query_start,
    said,
    stored_query,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    with closing(History(path)) as history:
        yield history


def count(history: History, table: str) -> int:
    return int(history._store.read().table(table).count)


def program(path: Path, *steps: str) -> "subprocess.Popen[str]":
    """Start another process that opens the same history, then takes the steps."""
    code = [
        "import os, signal, sys",
        "from pathlib import Path",
        "from monitor.store.history import History",
        "from monitor.store.records import Status",
        "from tests.unit.builders import outcome, query_start",
        "history = History(Path(sys.argv[1]))",
        *steps,
    ]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(code), str(path)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


BEGIN = "began = history.begin(query_start(kind='chat'))"
PROGRESS = "history.progress(began.query_id, outcome(status=Status.RUNNING, text='A jou')).result()"
TELL = "print(began.query_id, began.conversation_id, flush=True)"
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


# --- a query's life ----------------------------------------------------------------------


def test_a_query_is_in_the_history_before_its_first_token(history: History, path: Path) -> None:
    began = history.begin(query_start(prompt="Why?", system="Be brief."))
    with closing(History(path)) as other:
        record = other.record(began.query_id)
    assert record.status is Status.RUNNING
    assert (record.prompt, record.system, record.text) == ("Why?", "Be brief.", "")
    assert record.tokens == Tokens()
    assert record.seconds == Seconds()
    assert record.bill == NOTHING_KNOWN
    assert record.footprint is None
    assert record.model is not None
    assert record.model.sha256 == "ab" * 32


def test_progress_is_visible_to_others_while_the_query_runs(history: History, path: Path) -> None:
    began = history.begin(query_start())
    partial = Bill((line(CPU, "prefill", 1.5),))
    so_far = outcome(status=Status.RUNNING, text="A jou", bill=partial, finish_reason="")
    history.progress(began.query_id, so_far).result()
    history.progress(began.query_id, replace(so_far, text="A joule")).result()
    with closing(History(path)) as other:
        record = other.record(began.query_id)
    assert (record.status, record.text, record.bill) == (Status.RUNNING, "A joule", partial)


def test_a_finished_query_is_read_back_as_it_was(history: History) -> None:
    start = query_start(prompt="Why?", system="Be brief.", seed=2**31 - 1, pue=1.2)
    began = history.begin(start)
    record = history.finish(began.query_id, outcome(error="", trace=None))
    assert record == history.record(began.query_id)
    assert record.status is Status.DONE
    assert (record.text, record.finish_reason) == ("A joule a second.", "end")
    assert record.tokens == Tokens(prompt=12, reused=3, completion=6, thinking=0)
    assert record.seconds == Seconds(0.5, 0.1, 0.12, 1.7, 1.8)
    assert record.pue == 1.2
    assert record.zone is not None
    assert (record.zone.code, record.zone.year, record.zone.g_per_kwh) == ("DEU", 2024, 344.0)
    assert record.settings == {
        **start.settings,
        "stop": ["\n\n"],
        "seed": 2**31 - 1,
        "system": "Be brief.",
    }


@pytest.mark.parametrize("status", [Status.DONE, Status.STOPPED, Status.FAILED])
def test_how_a_query_ended_is_kept_with_what_there_was(history: History, status: Status) -> None:
    record = stored_query(history, status=status, text="A jou", error="llama.cpp ran out of memory")
    assert (record.status, record.text) == (status, "A jou")
    assert record.error == "llama.cpp ran out of memory"


@pytest.mark.parametrize(
    "text", ["", "ümläut 👩‍🚀 \0 \ud7ff", "'; drop table queries; --", "x" * 10**6]
)
def test_any_text_is_kept_to_the_letter(history: History, text: str) -> None:
    began = history.begin(query_start(prompt=text, system=text))
    record = history.finish(began.query_id, outcome(text=text, error=text))
    assert (record.prompt, record.system, record.text, record.error) == (text,) * 4


# --- bills -------------------------------------------------------------------------------


def test_a_bill_is_read_back_to_the_last_bit(history: History) -> None:
    bill = Bill(
        (
            line(CPU, "load", 1 / 3),
            line(GPU, "load", None),
            line(CPU, "prefill", 0.0),
            line(GPU, "prefill", 1e-12),
            line(CPU, "decode", 1e9 + 1 / 7),
            line(GPU, "decode", 0.1 + 0.2, resolved=False),
        ),
        METHOD,
    )
    record = stored_query(history, bill=bill)
    assert record.bill == bill
    assert history.records(1)[0].bill == bill
    assert all(isinstance(kept.resolved, bool) for kept in record.bill.lines)


def test_what_was_not_read_is_unknown_and_never_zero(history: History) -> None:
    bill = Bill((line(CPU, "prefill", None), line(CPU, "decode", None)))
    record = stored_query(history, bill=bill)
    assert record.bill.lines[0].energy is None
    assert record.footprint is None
    assert record.joules_per_token is None
    document = record_json(record)
    assert document["energy"]["total_j"] is None
    assert document["energy"]["kind"] is None
    assert document["energy"]["resolved"] is False
    assert document["energy"]["phases"]["decode"]["total_j"] is None
    assert document["energy"]["channels"][0]["joules"] is None
    assert document["energy"]["load_j"] is None
    assert document["co2"] is None
    (row,) = history.browse.rows()
    assert (row.energy_j, row.energy_kind, row.grams) == (None, None, None)
    stored = history._store.read().query("select joules, mean_w, peak_w from bills")
    assert all(value is None for kept in stored for value in kept.values())


def test_zero_joules_are_zero_and_not_unknown(history: History) -> None:
    record = stored_query(history, bill=Bill((line(CPU, "decode", 0.0),)))
    assert record_json(record)["energy"]["total_j"] == 0.0
    (row,) = history.browse.rows()
    assert (row.energy_j, row.grams) == (0.0, 0.0)


def test_a_bill_replaces_the_one_before(history: History) -> None:
    began = history.begin(query_start())
    history.progress(began.query_id, outcome(status=Status.RUNNING)).result()
    final = Bill((line(CPU, "decode", 2.0),))
    assert history.finish(began.query_id, outcome(bill=final)).bill == final
    assert count(history, "bills") == 1


def test_the_stored_total_is_the_bills_own(history: History) -> None:
    record = stored_query(history)
    total = BILL.total()
    assert total.energy is not None
    (row,) = history.browse.rows()
    assert (row.energy_j, row.energy_low_j, row.energy_high_j) == (
        total.energy.joules,
        total.energy.low_j,
        total.energy.high_j,
    )
    assert row.energy_j == pytest.approx(1.1 * (12.4 + 40.0))  # no load, no channel inside
    assert row.energy_kind is Kind.POWER
    assert row.resolved is True
    assert record.footprint is not None
    assert row.grams == pytest.approx(record.footprint.grams)
    assert row.grams == pytest.approx(1.1 * 52.4 / 3.6e6 * ZONE.g_per_kwh)


def test_a_channel_is_described_once_however_many_queries_it_measured(history: History) -> None:
    for _ in range(3):
        stored_query(history)
    assert count(history, "channels") == len({each.channel.key for each in BILL.lines})


@pytest.mark.parametrize(
    "changed",
    [
        channel(label="CPU package 0, renamed"),
        channel(kind=Kind.MODELLED),
        channel(below=0.05),
        channel(domain=Domain.SOC),
    ],
    ids=["label", "kind", "accuracy", "domain"],
)
def test_a_changed_description_gets_a_row_of_its_own_and_old_bills_keep_theirs(
    history: History, changed: Any
) -> None:
    before = stored_query(history, bill=Bill((line(CPU),)))
    after = stored_query(history, bill=Bill((line(changed),)))
    assert history.record(before.id).bill.lines[0].channel == CPU
    assert history.record(after.id).bill.lines[0].channel == changed
    assert count(history, "channels") == 2
    stored_query(history, bill=Bill((line(CPU),)))
    assert count(history, "channels") == 2


def test_the_power_curve_is_kept_with_its_query(history: History) -> None:
    curve = Curve(
        np.array([100.0, 100.1, 100.2]),
        np.array([5.0, 8.0, 11.0]),
        np.array([np.nan, 30.0, 30.0]),
        np.array([2, 0, 0], np.uint8),
    )
    trace = StoredTrace({CPU.key: curve}, (Phase("decode", 100.0, 100.2),))
    record = stored_query(history, trace=encode_trace(trace, 100.0))
    kept = history.trace(record.id)
    assert kept is not None
    assert list(kept.curves) == [CPU.key]
    np.testing.assert_allclose(kept.curves[CPU.key].time_s, [0, 0.1, 0.2], atol=1e-4)
    assert history.trace(stored_query(history).id) is None


# --- the record's form -------------------------------------------------------------------

TOP = {"id", "kind", "status", "started_at", "model", "settings", "text", "tokens", "seconds"}
TOP |= {
    "method",
    "energy",
    "co2",
    "embodied_g",
    "gauges",
    "throttled",
    "beside",
    "doubts",
    "unread",
}
EXTRAS = {"error", "prompt", "finish_reason"}
LINE = {"key", "label", "domain", "device", "kind", "role", "joules", "low_j", "high_j"}
LINE |= {"mean_w", "peak_w", "samples", "coverage"}
CO2 = {"grams", "low_g", "high_g", "intensity_g_per_kwh", "zone", "source", "year", "pue"}


def test_a_record_has_the_form_the_design_promises(history: History) -> None:
    document = record_json(stored_query(history))
    assert set(document) - EXTRAS == TOP
    assert set(document["model"]) == {
        "name", "file", "sha256", "arch", "parameters", "quantisation",
    }  # fmt: skip
    assert set(document["tokens"]) == {"prompt", "reused", "completion", "thinking"}
    assert set(document["seconds"]) == {
        "load", "prefill", "first_token", "decode", "total", "thinking",
    }  # fmt: skip
    energy = document["energy"]
    assert set(energy) - {"coverage", "is_lower_bound"} == {
        "total_j", "low_j", "high_j", "above_idle_j", "above_idle_low_j", "above_idle_high_j",
        "baseline", "kind", "resolved", "phases", "load_j", "channels",
    }  # fmt: skip
    assert set(energy["phases"]) == {"prefill", "decode"}
    assert set(energy["phases"]["decode"]) >= {"total_j", "low_j", "high_j"}
    assert [set(each) for each in energy["channels"]] == [LINE] * 3
    assert set(document["co2"]) == CO2


def test_the_figures_of_a_record_add_up(history: History) -> None:
    energy = record_json(stored_query(history))["energy"]
    parts = [each for each in energy["channels"] if each["role"] == "part"]
    assert energy["total_j"] == pytest.approx(sum(each["joules"] for each in parts))
    phases = energy["phases"]
    assert energy["total_j"] == pytest.approx(sum(each["total_j"] for each in phases.values()))
    assert energy["load_j"] == pytest.approx(5 * 52.4)
    assert energy["low_j"] < energy["total_j"] < energy["high_j"]
    assert energy["kind"] == "power"


# --- finding and listing -----------------------------------------------------------------


def test_identifiers_sort_in_the_order_they_were_made() -> None:
    made = [new_id() for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


@pytest.fixture
def five(history: History) -> list[QueryRecord]:
    """Return five stored queries, the newest first."""
    made = []
    for number in range(5):
        made.append(stored_query(history, f"question {number}"))
        time.sleep(0.002)
    return made[::-1]


def test_the_newest_queries_come_first(history: History, five: list[QueryRecord]) -> None:
    assert [record.id for record in history.records()] == [record.id for record in five]
    assert [record.prompt for record in history.records(2)] == ["question 4", "question 3"]
    assert [row.id for row in history.browse.rows()] == [record.id for record in five]
    assert history.records() == five


def test_pages_follow_each_other_without_a_gap_or_a_repeat(
    history: History, five: list[QueryRecord]
) -> None:
    seen: list[str] = []
    before = None
    while page := history.browse.rows(limit=2, before=before):
        seen += [row.id for row in page]
        before = page[-1].number
        stored_query(history, "asked while paging")
    assert seen == [record.id for record in five]


def test_a_query_is_found_by_its_whole_id_or_either_end(
    history: History, five: list[QueryRecord]
) -> None:
    for record in five:
        assert history.record(record.id) == record
        assert history.record(record.id[-8:]) == record
        assert history.record(record.id[:-4]) == record


def test_an_id_of_several_queries_says_so(history: History, five: list[QueryRecord]) -> None:
    with pytest.raises(KeyError, match=r"5 queries match .*; give more of the identifier"):
        history.record(five[0].id[:4])


@pytest.mark.parametrize("unknown", ["ffffffff", "", "a", "____", "%%%%", "%", "' or 1=1 --"])
def test_an_unknown_id_says_how_to_find_one(history: History, unknown: str) -> None:
    stored_query(history)
    with pytest.raises(KeyError, match=r"There is no query .*llamawatt history list"):
        history.record(unknown)


def test_an_empty_history_lists_nothing(history: History) -> None:
    assert (history.records(), history.browse.rows(), history.talks.listed()) == ([], [], [])


# --- conversations -----------------------------------------------------------------------


def chat_turn(history: History, prompt: str, answer: str, conversation: str | None = None) -> str:
    after = history.talks.talk(conversation).leaf_id if conversation else None
    start = query_start(kind="chat", prompt=prompt, conversation_id=conversation, parent_id=after)
    began = history.begin(start)
    history.finish(began.query_id, outcome(text=answer))
    assert began.conversation_id is not None
    return began.conversation_id


def test_a_chat_begins_a_conversation_called_after_its_prompt(history: History) -> None:
    conversation_id = chat_turn(history, "What is\n a watt?", "A joule a second.")
    (listed,) = history.talks.listed()
    assert (listed.id, listed.title) == (conversation_id, "What is a watt?")


def test_a_long_prompt_makes_a_title_of_one_line(history: History) -> None:
    prompt = "Tell me everything there is to know about watts, joules, volts and amperes."
    title = history.talks.talk(chat_turn(history, prompt, "No.")).title
    assert len(title) <= 60
    assert title.endswith("…")
    assert prompt.startswith(title[:-1])
    assert len(title) > 50


def test_a_command_needs_no_conversation(history: History) -> None:
    assert history.begin(query_start(kind="ask")).conversation_id is None
    assert history.talks.listed() == []


def test_a_conversation_keeps_its_turns_in_order_and_who_wrote_them(history: History) -> None:
    first = chat_turn(history, "one", "1")
    chat_turn(history, "two", "2")
    assert chat_turn(history, "three", "3", first) == first
    ids = [record.id for record in reversed(history.records())]
    assert said(history, first) == (
        Said("user", "one", ids[0]),
        Said("assistant", "1", ids[0]),
        Said("user", "three", ids[2]),
        Said("assistant", "3", ids[2]),
    )


def test_the_conversation_used_last_comes_first(history: History) -> None:
    made = []
    for prompt in ("one", "two", "three"):
        made.append(chat_turn(history, prompt, "1"))
        time.sleep(0.002)
    chat_turn(history, "more", "2", made[1])
    assert [listed.title for listed in history.talks.listed()] == ["two", "three", "one"]
    assert [listed.title for listed in history.talks.listed(limit=1)] == ["two"]


def test_an_answer_that_never_came_is_none(history: History) -> None:
    (turn,) = history.talks.talk(chat_turn(history, "one", "")).turns
    assert (turn.question, turn.answer) == ("one", "")


def test_an_unknown_conversation_is_a_sentence(history: History) -> None:
    with pytest.raises(KeyError, match="There is no conversation nobody"):
        history.talks.talk("nobody")


# --- models and preferences --------------------------------------------------------------


def test_a_model_is_known_by_its_contents_wherever_it_lies(history: History) -> None:
    moved = replace(model_info(), path=Path("/elsewhere/tiny.gguf"), name="tiny, moved")
    history.begin(query_start())
    history.begin(query_start(model=moved, modified_ns=6))
    history.begin(query_start(model=moved, sha256="cd" * 32, modified_ns=7))
    assert count(history, "models") == 2


def test_a_models_sha256_is_known_until_the_file_changes(history: History) -> None:
    info = model_info()
    history.begin(query_start())
    assert history.known_sha256(info.path, info.size_bytes, 5) == "ab" * 32
    assert history.known_sha256(info.path, info.size_bytes, 6) is None
    assert history.known_sha256(info.path, info.size_bytes + 1, 5) is None
    assert history.known_sha256(Path("/other.gguf"), info.size_bytes, 5) is None


def test_settings_are_kept_once(history: History) -> None:
    settings = dict(query_start().settings)
    for _ in range(3):
        history.begin(query_start(settings=settings))
    history.begin(query_start(settings=settings | {"threads": 8}))
    assert count(history, "settings") == 2
    assert sorted(record.settings["threads"] for record in history.records()) == [2, 2, 2, 8]


@pytest.mark.parametrize(
    "value", ["DEU", ["/a", "/b"], {"plug": {"host": "10.0.0.7"}}, 1.5, True, None, "ü", []]
)
def test_a_preference_is_shared_with_every_other_process(
    history: History, path: Path, value: Any
) -> None:
    assert history.preference("key", "default") == "default"
    history.set_preference("key", "first")
    history.set_preference("key", value)
    with closing(History(path)) as other:
        assert other.preference("key", "default") == value


# --- death and company -------------------------------------------------------------------


def test_a_query_whose_process_was_killed_is_interrupted_and_keeps_what_it_had(path: Path) -> None:
    with program(path, BEGIN, PROGRESS, TELL, KILL) as killed:
        out, _ = killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL
    query_id, conversation_id = out.split()
    with closing(History(path)) as history:
        record = history.record(query_id)
        turns = said(history, conversation_id)
        (row,) = history.browse.rows()
    assert record.status is Status.INTERRUPTED
    assert (record.text, record.bill) == ("A jou", BILL)
    assert row.energy_j == pytest.approx(1.1 * 52.4)
    assert [(turn.role, turn.content) for turn in turns] == [
        ("user", "What is a watt?"),
        ("assistant", "A jou"),
    ]
    with closing(History(path)) as again:
        assert len(said(again, conversation_id)) == 2


def test_a_query_killed_before_its_first_token_is_interrupted_too(path: Path) -> None:
    with program(path, BEGIN, TELL, "os._exit(3)") as killed:
        out, _ = killed.communicate(timeout=30)
    query_id, conversation_id = out.split()
    with closing(History(path)) as history:
        assert history.record(query_id).status is Status.INTERRUPTED
        (turn,) = history.talks.talk(conversation_id).turns
        assert (turn.question, turn.answer) == ("What is a watt?", "")


def test_a_query_of_a_living_process_runs_on_until_that_has_died(path: Path) -> None:
    with program(path, BEGIN, PROGRESS, TELL, "sys.stdin.readline()", KILL) as living:
        assert living.stdout is not None
        query_id = living.stdout.readline().split()[0]
        with closing(History(path)) as history:
            assert history.record(query_id).status is Status.RUNNING
        living.communicate("\n", timeout=30)
    with closing(History(path)) as history:
        assert history.record(query_id).status is Status.INTERRUPTED


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="processes end differently here")
def test_a_dead_process_nobody_has_waited_for_is_dead(path: Path) -> None:
    """In a container without an init, what was killed stays in the process table as a zombie."""
    with program(path, BEGIN, TELL, KILL) as killed:
        assert killed.stdout is not None
        query_id = killed.stdout.readline().split()[0]
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        with closing(History(path)) as history:
            assert history.record(query_id).status is Status.INTERRUPTED


def test_a_query_of_ones_own_process_is_not_interrupted(history: History, path: Path) -> None:
    began = history.begin(query_start())
    with closing(History(path)) as other:
        assert other.record(began.query_id).status is Status.RUNNING


def test_a_dead_process_whose_number_another_has_taken_is_dead(path: Path) -> None:
    with closing(History(path)) as history:
        began = history.begin(query_start())
        statement = "update queries set process_started = 1 where id = ?"
        history._store.write(lambda db: db.execute(statement, [began.query_id])).result()
    with closing(History(path)) as history:
        assert history.record(began.query_id).status is Status.INTERRUPTED


def test_window_and_command_write_at_once(path: Path) -> None:
    errors: list[BaseException] = []

    def chat(history: History) -> Callable[[], None]:
        def run() -> None:
            try:
                for number in range(12):
                    began = history.begin(query_start(kind="chat", prompt=f"{number}"))
                    running = outcome(status=Status.RUNNING)
                    waiting = [history.progress(began.query_id, running) for _ in range(2)]
                    history.finish(began.query_id, outcome())
                    for future in waiting:
                        future.result()
                    history.set_preference("zone", "DEU")
            except BaseException as error:
                errors.append(error)

        return run

    with closing(History(path)) as window, closing(History(path)) as command:
        threads = [threading.Thread(target=chat(history)) for history in (window, command)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        records = command.records(100)
        assert len(records) == 24
        assert all(record.status is Status.DONE for record in records)
        assert all(record.bill == BILL for record in records)
        assert count(window, "machines") == 1
        assert count(window, "models") == 1
        assert count(window, "channels") == 3


def test_two_processes_write_at_once(path: Path, history: History) -> None:
    step = "history.finish(history.begin(query_start()).query_id, outcome())"
    other = program(path, "print('ready', flush=True)", f"for _ in range(15): {step}")
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        for _ in range(15):
            stored_query(history)
        other.communicate(timeout=30)
    assert other.returncode == 0
    assert len(history.records(100)) == 30
