"""Recordings: what is drawn is billed and kept, in pieces, whatever happens meanwhile."""

import csv
import io
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from monitor.cli import main
from monitor.energy.account import METHOD, WATCH, Bill, Line
from monitor.energy.baseline import Baseline, IdleLine
from monitor.energy.interval import Interval
from monitor.energy.parts import is_lower_bound
from monitor.engine.messages import Load
from monitor.loading import Loader
from monitor.paths import database_path
from monitor.power.channel import Channel, Kind, Probe, ProbeState, Reading, Role
from monitor.power.curve import Curve, Gap
from monitor.power.sampler import Sampler
from monitor.quiet import present_conditions
from monitor.recorded import Cost, Mark, Recorded, State, join_curves, spans
from monitor.recorder import Recorder, keep, lately
from monitor.recording_forms import (
    recording_json,
    recording_view,
    recordings_table,
    write_csv,
)
from monitor.store.baselines import Baselines
from monitor.store.database import StoreError
from monitor.store.history import History
from monitor.store.recordings import Recordings
from monitor.tally import Tally, settled_s
from tests.unit.builders import REPOSITORY, half_read
from tests.unit.conftest import Eventually, MakeChannel
from tests.unit.test_unread import Offloading

pytestmark = pytest.mark.usefixtures("patient")

CPU_W, DRAM_W = 50.0, 4.0


class Machine:
    """A processor that counts its joules, memory beside it, and a plug that tells watts."""

    name = "machine"

    def __init__(self, make_channel: MakeChannel) -> None:
        self.channels = (
            make_channel("m:cpu"),
            make_channel("m:dram", device="dram-0"),
            make_channel("m:plug", role=Role.WHOLE, kind=Kind.POWER, device="plug"),
        )
        self.is_silent = False

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return self.channels

    def read(self) -> list[Reading]:
        if self.is_silent:
            raise OSError("it is silent")
        now_s = time.monotonic()
        return [
            Reading("m:cpu", now_s, counter_j=CPU_W * now_s),
            Reading("m:dram", now_s, counter_j=DRAM_W * now_s),
            Reading("m:plug", now_s, power_w=80.0),
        ]

    def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def machine(make_channel: MakeChannel) -> Machine:
    return Machine(make_channel)


@pytest.fixture
def sampler(machine: Machine) -> Iterator[Sampler]:
    with Sampler(50, [machine]) as sampler:
        assert sampler.wait_ready()
        yield sampler


@pytest.fixture
def history() -> Iterator[History]:
    opened = History(database_path())
    yield opened
    opened.close()


@pytest.fixture
def recordings(history: History) -> Recordings:
    return Recordings(history.store)


@pytest.fixture
def quick(sampler: Sampler, history: History) -> Iterator[Recorder]:
    """A recorder that writes ten times a second, in pieces of a fifth of one."""
    recorder = Recorder(sampler, history, write_s=0.1, piece_s=0.2)
    yield recorder
    if recorder.has_begun:
        recorder.stop()


def stored_pieces(history: History) -> int:
    """Return of how many pieces the curves in a history are."""
    rows = history.store.read().execute("select count(*) from recording_pieces")
    return int(rows.fetchone()[0])


# --- recording ---------------------------------------------------------------------------


def test_a_gpu_that_nobody_reads_is_missing_in_the_spans_it_was_at_work_in(
    quick: Recorder, recordings: Recordings, sampler: Sampler, history: History
) -> None:
    quick.start("A model comes and goes")
    assert sampler.wait_until(time.monotonic() + 0.3, timeout_s=5.0)
    engine = Offloading(layers_offloaded=12)
    loaded_s = quick.elapsed_s
    list(Loader(sampler, engine, history).load(Load("m.gguf", 512, 2)))  # type: ignore[arg-type]
    assert sampler.wait_until(time.monotonic() + 0.3, timeout_s=5.0)
    engine.loaded = None
    sampler.mark()
    gone_s = quick.elapsed_s
    assert sampler.wait_until(time.monotonic() + 0.3, timeout_s=5.0)
    running = quick.recorded()
    stopped = quick.stop()
    assert is_lower_bound(stopped.bill)
    for recorded in (running, recordings.load(stopped.id)):
        last_s = recorded.recording.duration_s
        spans_s = [(0.0, loaded_s - 0.1), (loaded_s, gone_s), (gone_s + 0.05, last_s)]
        bills = [recorded.cost(*span_s).bill for span_s in spans_s]
        assert [is_lower_bound(bill) for bill in bills] == [False, True, False]
        assert not is_lower_bound(recorded.part(*spans_s[2]).cost(0.0, last_s).bill)
        assert is_lower_bound(recorded.part(*spans_s[1]).cost(0.0, last_s).bill)


def test_what_is_recorded_is_billed_and_read_again_in_one_piece(
    quick: Recorder, recordings: Recordings, history: History, eventually: Eventually
) -> None:
    quick.start("A second")
    eventually(lambda: stored_pieces(history) >= 3)
    stopped = quick.stop()
    (listed,) = recordings.listed()
    assert (listed.name, listed.state, listed.bill.method) == ("A second", State.DONE, METHOD)
    assert listed.duration_s == pytest.approx(stopped.duration_s)
    # Only the parts are added: the plug reads the whole.
    whole_j = (CPU_W + DRAM_W) * listed.duration_s
    assert listed.bill.total().joules == pytest.approx(whole_j, rel=1e-3)
    assert listed.bill.total().coverage == pytest.approx(1.0, abs=0.02)
    recorded = recordings.load(listed.id)
    assert recorded.cost(0, listed.duration_s).bill.total().joules == pytest.approx(
        whole_j, rel=2e-3
    )
    assert not recorded.curves["m:cpu"].gap[1:].any(), "a seam between pieces is no gap"
    assert set(recorded.curves) == {"m:cpu", "m:dram", "m:plug"}


def test_adjacent_spans_add_up_to_their_union(quick: Recorder, recordings: Recordings) -> None:
    quick.start()
    time.sleep(0.7)
    recorded = recordings.load(quick.stop().id)
    end_s = recorded.recording.duration_s
    edges_s = (0.0, 0.11, 0.3, 0.52, end_s)
    parts_j = [recorded.cost(low, high).bill.total().joules or 0 for low, high in pairwise(edges_s)]
    assert sum(parts_j) == pytest.approx(recorded.cost(0, end_s).bill.total().joules, rel=1e-6)
    assert recorded.cost(0.5, 0.3) == recorded.cost(0.3, 0.5), "ends are put in their order"
    beyond = recorded.cost(-5, end_s + 5)
    assert (beyond.start_s, beyond.end_s) == (0.0, end_s)


def test_marks_part_a_recording(quick: Recorder, recordings: Recordings) -> None:
    quick.start()
    time.sleep(0.25)
    quick.mark("compile")
    time.sleep(0.25)
    quick.mark()
    time.sleep(0.2)
    recorded = recordings.load(quick.stop().id)
    found = spans(recorded.recording)
    assert [(span.number, span.name) for span in found] == [(0, ""), (1, "compile"), (2, "")]
    assert found[0].start_s == 0
    assert found[-1].end_s == recorded.recording.duration_s
    assert all(one.end_s == other.start_s for one, other in pairwise(found))
    parts_j = [recorded.cost(s.start_s, s.end_s).bill.total().joules or 0 for s in found]
    assert sum(parts_j) == pytest.approx(recorded.recording.bill.total().joules, rel=5e-3)


def test_a_part_that_was_half_read_is_shown_with_how_much_of_it_was(
    make_channel: MakeChannel,
) -> None:
    recorded = half_read(make_channel("m:cpu", kind=Kind.POWER))
    console = Console(width=140, file=io.StringIO())
    console.print(recording_view(recorded))
    lines = console.file.getvalue().splitlines()
    half, whole = (next(line for line in lines if name in line) for name in ("compile", "link"))
    assert half.rstrip().endswith(" 50 %")
    assert whole.rstrip().endswith(" 100 %")


def test_a_sum_that_lacks_a_part_is_at_least_that_wherever_it_is_written(
    make_channel: MakeChannel,
) -> None:
    recorded = half_read(make_channel("m:cpu", kind=Kind.POWER))
    console = Console(width=140, file=io.StringIO())
    console.print(recordings_table([recorded.recording]), recording_view(recorded))
    lines = console.file.getvalue().splitlines()
    half, whole, listed = (
        next(line for line in lines if name in line) for name in ("compile", "link", "2 min")
    )
    assert "≥ ◐ 600 J" in half
    assert "≥" not in whole
    assert "≥ ◐ 1800 J" in listed
    assert listed.count("≥") == 2, "so are the grams"
    assert any(line.startswith("≥") and "CO₂e at" in line for line in lines)


def test_a_recording_without_marks_has_no_parts(quick: Recorder) -> None:
    quick.start()
    assert spans(quick.stop()) == []


def test_it_can_be_looked_at_while_it_goes_on(
    quick: Recorder, recordings: Recordings, eventually: Eventually
) -> None:
    started = quick.start("")
    eventually(lambda: quick.now().duration_s > 0.3)
    running = quick.recorded()
    assert running.recording.state is State.RUNNING
    cost = running.cost(0.1, running.recording.duration_s)
    assert cost.bill.total().joules == pytest.approx(54.0 * (cost.end_s - 0.1), rel=2e-3)
    eventually(lambda: recordings.get(started.id).duration_s > 0)
    assert recordings.get(started.id).state is State.RUNNING, "its process is alive"


def test_what_is_not_read_is_a_gap_and_not_nothing(
    quick: Recorder, machine: Machine, recordings: Recordings
) -> None:
    quick.start()
    time.sleep(0.2)
    machine.is_silent = True
    time.sleep(quick.elapsed_s / 2)
    recorded = recordings.load(quick.stop().id)
    total = recorded.recording.bill.total()
    assert recorded.recording.cost.mean_w == pytest.approx(54.0, rel=0.01)
    assert total.coverage < 0.9
    assert total.energy is not None
    assert total.energy.joules < 54.0 * recorded.recording.duration_s
    assert total.energy.high_j > 54.0 * recorded.recording.duration_s * 0.95


def test_parts_that_were_read_for_unlike_times_have_no_common_mean(
    make_channel: MakeChannel,
) -> None:
    lines = [
        Line(make_channel(key), WATCH, Interval(joules, 0, 0, 0), joules / (coverage * 10.0), None,
             9, coverage, 10.0, True)
        for key, joules, coverage in (("m:cpu", 500.0, 1.0), ("m:gpu", 100.0, 0.1))
    ]  # fmt: skip
    assert Cost(0.0, 10.0, Bill(tuple(lines)), None, None).mean_w is None
    assert Cost(0.0, 10.0, Bill(tuple(lines[:1])), None, None).mean_w == 50.0
    assert Cost(0.0, 10.0, Bill(()), None, None).mean_w is None


def test_a_source_that_goes_leaves_what_it_was_read_to_draw(
    quick: Recorder, sampler: Sampler, recordings: Recordings
) -> None:
    quick.start()
    time.sleep(0.25)
    read_s = quick.elapsed_s
    assert sampler.wait_until(time.monotonic(), timeout_s=5.0)
    sampler.remove("machine")
    removed_s = quick.elapsed_s
    time.sleep(0.3)
    recorded = recordings.load(quick.stop().id)
    total = recorded.recording.bill.total()
    assert 54.0 * read_s * 0.99 <= total.joules <= 54.0 * removed_s * 1.01
    after = recorded.cost(removed_s + 0.05, recorded.recording.duration_s).bill
    assert not after.lines, "it was removed, and is no gap"
    before = recorded.cost(0.0, removed_s / 2).bill.total()
    assert before.joules == pytest.approx(54.0 * removed_s / 2, rel=0.01)


def test_a_recording_whose_process_is_killed_keeps_all_but_the_last_moment(
    recordings: Recordings, eventually: Eventually
) -> None:
    """A real process, killed without warning while it records."""
    script = (
        "import os, signal, time\n"
        "from monitor.paths import database_path\n"
        "from monitor.power.sampler import Sampler\n"
        "from monitor.recorder import Recorder\n"
        "from monitor.store.history import History\n"
        "from monitor.store.recordings import Recordings\n"
        "history, sampler = History(database_path()), Sampler(20)\n"
        "sampler.start(); sampler.wait_ready()\n"
        "recorder = Recorder(sampler, history, write_s=0.1, piece_s=0.3)\n"
        "recorder.start('doomed')\n"
        "time.sleep(0.5); recorder.mark('here')\n"
        "recordings = Recordings(history.store)\n"
        "while recordings.get(recorder.id).duration_s < 1.0: time.sleep(0.05)\n"
        "print(recorder.elapsed_s, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, timeout=60, check=False, capture_output=True
    )
    assert ran.returncode == -9, ran.stderr
    (kept,) = recordings.listed()
    assert kept.state is State.INTERRUPTED
    # What had been written when it was killed, and that is not long before.
    assert 1.0 <= kept.duration_s <= float(ran.stdout) < kept.duration_s + 5.0
    assert [mark.name for mark in kept.marks] == ["here"]
    assert kept.bill.total().joules
    recorded = recordings.load(kept.id)
    assert recorded.cost(0, kept.duration_s).bill.total().joules == pytest.approx(
        kept.bill.total().joules, rel=0.02
    )


def test_a_history_that_cannot_be_written_for_a_while_loses_nothing(
    quick: Recorder, recordings: Recordings, history: History, eventually: Eventually
) -> None:
    quick.start()
    eventually(lambda: stored_pieces(history))
    history.store.maintain(lambda db: db.execute("pragma query_only = 1")).result()
    eventually(lambda: quick.problem)
    with pytest.raises(StoreError):
        quick.stop()
    history.store.maintain(lambda db: db.execute("pragma query_only = 0")).result()
    stopped = quick.stop()
    recorded = recordings.load(stopped.id)
    assert recorded.recording.state is State.DONE
    assert not recorded.curves["m:cpu"].gap[1:].any()
    joules = recorded.recording.bill.total().joules
    assert joules == pytest.approx(54.0 * recorded.recording.duration_s, rel=2e-3)
    assert recorded.cost(0, stopped.duration_s).bill.total().joules == pytest.approx(
        joules, rel=2e-3
    )


def test_a_baseline_that_cannot_be_read_keeps_nothing_from_being_recorded(
    quick: Recorder, sampler: Sampler, history: History, recordings: Recordings
) -> None:
    history.store.maintain(lambda db: db.execute("drop table baselines")).result()
    quick.start()
    time.sleep(0.2)
    kept = recordings.get(quick.stop().id)
    assert kept.state is State.DONE
    assert kept.bill.total().joules == pytest.approx(54.0 * kept.duration_s, rel=2e-3)
    assert kept.cost.above is None
    assert lately(sampler, history, 600.0).recording.cost.above is None


def test_what_cannot_begin_leaves_no_recording_that_never_ends(
    quick: Recorder, history: History, recordings: Recordings
) -> None:
    rename = "alter table preferences rename to set_aside"
    history.store.maintain(lambda db: db.execute(rename)).result()
    with pytest.raises(sqlite3.Error):
        quick.start()
    assert not quick.has_begun
    assert recordings.listed() == []


def test_one_whose_thread_could_not_be_started_can_be_stopped_all_the_same(
    quick: Recorder, recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if thread.name == "recorder":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            quick.start()
    quick.stop()
    (kept,) = recordings.listed()
    assert kept.state is State.DONE


def test_what_is_above_idle_is_told_where_a_baseline_fits(
    sampler: Sampler, history: History, recordings: Recordings
) -> None:
    idle = [IdleLine(channel, 20.0, 0.0, 60) for channel in sampler.channels()]
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    Baselines(history.store).keep(Baseline("", now, 60.0, present_conditions(), tuple(idle)))
    recorder = Recorder(sampler, history)
    recorder.start()
    time.sleep(0.3)
    kept = recordings.get(recorder.stop().id)
    above = kept.cost.above
    assert above is not None
    assert above.joules == pytest.approx(30.0 * kept.duration_s - 16.0 * kept.duration_s, rel=0.01)
    # Kept with it: another baseline of tomorrow changes nothing.
    span = recordings.load(kept.id).cost(0.0, kept.duration_s / 2).above
    assert span is not None
    assert span.baseline_id == above.baseline_id
    assert span.joules == pytest.approx(above.joules / 2, rel=0.1)


def test_the_last_minutes_are_billed_without_having_been_recorded(
    sampler: Sampler, history: History, recordings: Recordings, eventually: Eventually
) -> None:
    eventually(lambda: sampler.trace.window("m:cpu", time.monotonic() - 0.4, time.monotonic()
                                            ).coverage > 0.9)  # fmt: skip
    before = lately(sampler, history, 600.0)
    length_s = before.recording.duration_s
    assert 0.3 < length_s < 60, "there is no more than what was read"
    cost = before.cost(0.1, length_s)
    assert cost.bill.total().joules == pytest.approx(54.0 * (length_s - 0.1), rel=5e-3)
    assert recordings.listed() == []
    keep(history, before.part(0.1, 0.3), "Just before")
    (kept,) = recordings.listed()
    assert (kept.name, kept.state) == ("Just before", State.DONE)
    assert kept.duration_s == pytest.approx(0.2)
    began, whole_began = (
        datetime.fromisoformat(each.started_at) for each in (kept, before.recording)
    )
    assert (began - whole_began).total_seconds() == pytest.approx(0.1, abs=0.002)
    recorded = recordings.load(kept.id)
    assert recorded.cost(0, 0.2).bill.total().joules == pytest.approx(54.0 * 0.2, rel=0.01)


def test_a_part_keeps_the_marks_inside_it(quick: Recorder, recordings: Recordings) -> None:
    quick.start()
    for name in ("early", "inside"):
        time.sleep(0.12)
        quick.mark(name)
    time.sleep(0.15)
    recorded = recordings.load(quick.stop().id)
    second_s = recorded.recording.marks[1].at_s
    part = recorded.part(second_s - 0.05, recorded.recording.duration_s)
    assert [mark.name for mark in part.recording.marks] == ["inside"]
    assert part.recording.marks[0].at_s == pytest.approx(0.05)
    length_s = part.recording.duration_s
    assert part.cost(0, length_s).bill.total().joules == pytest.approx(
        part.recording.bill.total().joules, rel=0.001
    )


RENEWED_S = 0.55


class Slow(Machine):
    """A processor whose counter moves seldom, as one of a virtual machine does each second."""

    def __init__(self, make_channel: MakeChannel) -> None:
        self.channels = (make_channel("m:cpu", period_s=RENEWED_S),)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        return [Reading("m:cpu", now_s, counter_j=CPU_W * (now_s // RENEWED_S) * RENEWED_S)]


@pytest.fixture
def slow(make_channel: MakeChannel) -> Iterator[Sampler]:
    with Sampler(50, [Slow(make_channel)]) as running:
        assert running.wait_ready(timeout_s=10.0)
        yield running


def test_a_recording_waits_for_the_last_of_a_slow_counter(slow: Sampler, history: History) -> None:
    recorder = Recorder(slow, history)
    recorder.start()
    time.sleep(0.1)
    assert recorder.stop().bill.total().coverage == pytest.approx(1.0)


def test_a_watch_waits_for_the_last_of_a_slow_counter(
    slow: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.commands.watch.sampler_for", lambda *_: nullcontext(slow))
    done = CliRunner().invoke(main, ["watch", "--seconds", "0.1", "--json"])
    (line,) = json.loads(done.stdout)["energy"]["channels"]
    assert line["coverage"] == pytest.approx(1.0)


# --- adding up ---------------------------------------------------------------------------


def test_a_tally_of_slices_is_the_bill_of_the_whole(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.tally.SLICE_S", 0.1)
    start_s = time.monotonic()
    tally = Tally(sampler, start_s)
    for _ in range(5):
        time.sleep(0.12)
        tally.bill(settled_s(sampler))
    end_s = time.monotonic()
    sampler.wait_until(end_s)
    bill = tally.bill(end_s)
    assert [line.channel.key for line in bill.lines] == ["m:cpu", "m:dram", "m:plug"]
    assert bill.total().joules == pytest.approx(54.0 * (end_s - start_s), rel=1e-3)
    assert bill.total().coverage > 0.98


def test_a_channel_that_is_silent_is_waited_for_no_longer(
    sampler: Sampler, machine: Machine, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settled_s(sampler) > time.monotonic() - 1
    machine.is_silent = True
    monkeypatch.setattr("monitor.tally.SILENT_S", 0.1)
    silent_s = time.monotonic()
    eventually(lambda: settled_s(sampler) > silent_s + 0.3)


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    steps_s = draw(st.lists(st.floats(0.001, 2.0), min_size=2, max_size=40))
    joules = draw(st.lists(st.floats(0, 100), min_size=len(steps_s), max_size=len(steps_s)))
    gaps = draw(st.lists(st.sampled_from([Gap.NONE, Gap.MISSED]), min_size=len(steps_s),
                         max_size=len(steps_s)))  # fmt: skip
    sketched = draw(st.none() | st.lists(st.booleans(), min_size=len(steps_s),
                                         max_size=len(steps_s)).map(np.array))  # fmt: skip
    return Curve(np.cumsum(steps_s), np.cumsum(joules), np.array(joules),
                 np.array(gaps, np.uint8), sketched)  # fmt: skip


@given(curves(), st.data())
def test_pieces_of_a_curve_join_to_the_curve(curve: Curve, data: st.DataObject) -> None:
    """Each begins with the last reading of the one before, and counts its joules from zero."""
    last = len(curve.time_s) - 1
    cuts = sorted(data.draw(st.sets(st.integers(0, last), max_size=5)) | {0, last})
    pieces = []
    for low, high in pairwise(cuts):
        rows = slice(low, high + 1)
        shifted_j = curve.energy_j[rows] - curve.energy_j[low]
        pieces.append(replace(curve.rows(rows), energy_j=shifted_j))
    joined = join_curves(pieces)
    np.testing.assert_array_equal(joined.time_s, curve.time_s)
    np.testing.assert_allclose(np.diff(joined.energy_j), np.diff(curve.energy_j), atol=1e-9)
    np.testing.assert_array_equal(joined.gap, curve.gap)
    np.testing.assert_array_equal(joined.is_sketch, curve.is_sketch)


def test_a_piece_that_is_missing_leaves_a_gap() -> None:
    none = np.zeros(3, np.uint8)
    first = Curve(np.array([0.0, 1, 2]), np.array([0.0, 10, 20]), np.full(3, 10.0), none)
    later = Curve(np.array([7.0, 8, 9]), np.array([0.0, 10, 20]), np.full(3, 10.0), none)
    joined = join_curves([first, later])
    assert joined.gap.tolist() == [0, 0, 0, Gap.MISSED, 0, 0]
    assert joined.energy_j.tolist() == [0, 10, 20, 20, 30, 40]


# --- what is kept ------------------------------------------------------------------------


@pytest.fixture
def kept(sampler: Sampler, history: History) -> Recorded:
    """A short recording with a mark, as it is read again."""
    recorder = Recorder(sampler, history)
    recorder.start("Editing")
    time.sleep(0.2)
    recorder.mark("saved")
    time.sleep(0.15)
    return Recordings(history.store).load(recorder.stop().id)


def test_names_notes_and_marks_can_be_changed(kept: Recorded, recordings: Recordings) -> None:
    identifier = kept.recording.id
    recordings.rename(identifier, "  Writing ")
    recordings.note(identifier, "on battery")
    recordings.set_marks(identifier, [Mark(0.3, "b"), Mark(0.1, "a")])
    found = recordings.get(identifier[-6:])
    assert (found.name, found.note) == ("Writing", "on battery")
    assert [mark.name for mark in found.marks] == ["a", "b"]
    assert found.bill == kept.recording.bill


def test_a_deleted_recording_can_be_brought_back(kept: Recorded, recordings: Recordings) -> None:
    recordings.delete(kept.recording.id, "2026-01-01T00:00:00+00:00")
    assert recordings.listed() == []
    assert [each.id for each in recordings.listed(deleted=True)] == [kept.recording.id]
    recordings.restore(kept.recording.id)
    assert recordings.listed()[0].bill == kept.recording.bill


def test_what_was_deleted_long_ago_is_removed_for_good(
    kept: Recorded, recordings: Recordings, history: History
) -> None:
    recordings.delete(kept.recording.id, "2026-01-02T00:00:00+00:00")
    assert recordings.purge("2026-01-01T00:00:00+00:00") == 0
    assert recordings.purge("2026-01-03T00:00:00+00:00") == 1
    assert stored_pieces(history) == 0
    assert recordings.listed(deleted=True) == []


def test_an_unknown_recording_is_said_to_be(kept: Recorded, recordings: Recordings) -> None:
    for name in ("nothing-like-it", "", "%"):
        with pytest.raises(KeyError, match="no recording"):
            recordings.get(name)


def test_the_curve_as_csv_adds_up_to_the_bill(kept: Recorded) -> None:
    file = io.StringIO()
    count = write_csv(kept, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert len(rows) == count
    assert [row["mark"] for row in rows if row["mark"]] == ["saved"]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    cpu = [row for row in rows if row["channel"] == "m:cpu"]
    assert {(row["kind"], row["role"], row["gap"]) for row in cpu} == {("counter", "part", "")}
    first, last = cpu[0], cpu[-1]
    joules = float(last["energy_j"]) - float(first["energy_j"])
    assert joules == pytest.approx(
        CPU_W * (float(last["seconds"]) - float(first["seconds"])), rel=5e-3
    )
    began = datetime.fromisoformat(kept.recording.started_at)
    told = datetime.fromisoformat(last["time_utc"])
    assert (told - began).total_seconds() == pytest.approx(float(last["seconds"]), abs=0.002)


def test_the_bills_as_json_are_of_the_form_all_commands_share(kept: Recorded) -> None:
    document = json.loads(json.dumps(recording_json(kept.recording, kept)))
    assert document["energy"]["kind"] == "counter", "the plug is no part"
    assert document["energy"]["above_idle_j"] is None
    assert document["co2"]["grams"] > 0
    assert [span["name"] for span in document["spans"]] == ["", "saved"]
    total_j = sum(span["energy"]["total_j"] for span in document["spans"])
    assert total_j == pytest.approx(document["energy"]["total_j"], rel=0.01)


def test_the_commands_list_show_change_and_export(kept: Recorded, tmp_path: Path) -> None:
    runner, short = CliRunner(), kept.recording.id[-8:]

    def run(*arguments: str, code: int = 0) -> str:
        ran = runner.invoke(main, ["watch", *arguments])
        assert ran.exit_code == code, ran.output
        return ran.output

    run("rename", short, "Typing")
    run("note", short, "a note")
    (listed,) = json.loads(run("list", "--json"))
    assert (listed["name"], listed["note"], listed["state"]) == ("Typing", "a note", "done")
    assert json.loads(run("show", short, "--json"))["id"] == kept.recording.id
    table, bills = tmp_path / "curve.csv", tmp_path / "bills.json"
    run("export", short, str(table))
    run("export", short, str(bills))
    assert table.read_text().startswith("time_utc,seconds,channel")
    assert json.loads(bills.read_text())["marks"][0]["name"] == "saved"
    assert "--force" in run("export", short, str(table), code=1)
    run("delete", short)
    assert json.loads(run("list", "--json")) == []
    run("delete", "--undo", short)
    assert len(json.loads(run("list", "--json"))) == 1
    assert "no recording" in run("show", "nothing", code=1)
    assert "--record" in run("--mark-on-enter", code=2)
