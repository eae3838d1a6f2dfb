"""A recording in a process whose machine is suspended meanwhile: each row keeps its own time."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import pytest

from tests.hardware.clock import FakeClock
from tests.hardware.nvml import find_compiler

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the clocks are Linux's"),
    pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler"),
]

REPOSITORY = Path(__file__).resolve().parents[2]

SLEEPS_S = (3600, 120)
LATE_S = 1.0
"""Far less than it sleeps: so long may a busy machine take between two looks at its clocks."""

PROGRAM = """
import io, json, sys, time
from monitor.paths import database_path
from monitor.power.sampler import Sampler
from monitor.recorder import Recorder, keep
from monitor.recording_forms import recording_json, write_csv
from monitor.store.history import History
from monitor.store.recordings import Recordings

history = History(database_path())
with Sampler(50) as sampler:
    sampler.wait_ready()
    recorder = Recorder(sampler, history, write_s=0.05, piece_s=0.2)
    recorder.start()
    for line in sys.stdin:  # the machine has slept before each
        time.sleep(0.25)
        recorder.mark()
        marked_s = time.time()
        for _ in range(3):  # it sleeps again after the mark, whatever was being read at it
            assert sampler.wait_until(time.monotonic(), 10.0)
        print(marked_s, flush=True)
    recorder.stop()
recorded = Recordings(history.store).load(recorder.id)
rows = io.StringIO()
write_csv(recorded, rows)
part = recorded.part(recorded.recording.marks[0].at_s, recorded.recording.duration_s)
kept = keep(history, part)
print(json.dumps({
    "rows": rows.getvalue(),
    "began": recorded.recording.started_at,
    "ended": recorded.recording.ended.timestamp(),
    "part": [kept.started_at, kept.ended_at],
}))
"""


@contextmanager
def under(program: str, clock: FakeClock) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run a program whose clock the test sets; yield what it reads and what it prints."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=os.environ | clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdin, process.stdout


def test_rows_after_a_suspend_tell_when_they_were_read(tmp_path: Path) -> None:
    clock = FakeClock(tmp_path)
    marked_s, slept_s = [], 0
    with under(PROGRAM, clock) as (said, heard):
        for length_s in (0, *SLEEPS_S):
            slept_s += length_s
            clock.set(wall_s=slept_s, asleep_s=slept_s)
            print(file=said, flush=True)
            marked_s.append(float(heard.readline()))
        said.close()
        told = json.loads(heard.read())
    rows = list(csv.DictReader(io.StringIO(told["rows"])))
    times_s = [datetime.fromisoformat(row["time_utc"]).timestamp() for row in rows]
    marks_s = [at for at, row in zip(times_s, rows, strict=True) if row["mark"]]
    assert marks_s == pytest.approx(marked_s, abs=LATE_S)
    assert times_s == sorted(times_s)
    assert told["ended"] == pytest.approx(marked_s[-1], abs=5 * LATE_S)
    part_s = [datetime.fromisoformat(each).timestamp() for each in told["part"]]
    assert part_s == pytest.approx([marked_s[0], told["ended"]], abs=LATE_S)
    for row, at_s in zip(rows, times_s, strict=True):
        began_s = datetime.fromisoformat(told["began"]).timestamp()
        asleep_s = at_s - began_s - float(row["seconds"])
        assert min(abs(asleep_s - each) for each in (0, 3600, 3720)) < LATE_S


LATELY_PROGRAM = """
import json, sys, time
from monitor.paths import database_path
from monitor.power.sampler import Sampler
from monitor.recorder import keep, lately
from monitor.store.history import History

history, read_s = History(database_path()), []
with Sampler(50) as sampler:
    sampler.wait_ready()
    for line in sys.stdin:  # the machine has slept before each
        for _ in range(3):  # the first reading may have been on its way when it woke
            assert sampler.wait_until(time.monotonic(), 10.0)
        read_s.append((time.monotonic(), time.time()))
        print(flush=True)
    recorded = lately(sampler, history, 600.0)
    key, curve = next(iter(recorded.curves.items()))
    began_s = float(sampler.trace.curve(key).time_s[0] - curve.time_s[0])
recording = recorded.recording
awake_s = time.monotonic() - began_s - recording.duration_s
print(json.dumps({
    "moments": [recorded.moment(at - began_s).timestamp() for at, _ in read_s],
    "read": [wall_s for _, wall_s in read_s],
    "slept": sum(sleep.length_s for sleep in recorded.sleeps),
    "ended": recorded.moment(recording.duration_s).timestamp(),
    "end": time.time() - awake_s,
    "kept": keep(history, recorded).ended.timestamp(),
}))
"""


def test_the_last_minutes_tell_when_they_were_read_whatever_the_machine_slept(
    tmp_path: Path,
) -> None:
    clock, slept_s = FakeClock(tmp_path), 0
    with under(LATELY_PROGRAM, clock) as (said, heard):
        for length_s in (0, *SLEEPS_S):
            slept_s += length_s
            clock.set(wall_s=slept_s, asleep_s=slept_s)
            print(file=said, flush=True)
            heard.readline()
        said.close()
        told = json.loads(heard.read())
    assert told["moments"] == pytest.approx(told["read"], abs=LATE_S)
    # Several sources were read: each tells of the same suspend, and it is counted once.
    assert told["slept"] == pytest.approx(sum(SLEEPS_S), abs=0.1)
    assert told["ended"] == pytest.approx(told["end"], abs=LATE_S)
    assert told["kept"] == pytest.approx(told["ended"], abs=0.01)
