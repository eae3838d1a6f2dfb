"""A recording in a process whose machine is suspended meanwhile: each row keeps its own time."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.hardware.clock import FakeClock
from tests.hardware.nvml import find_compiler

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the clocks are Linux's"),
    pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler"),
]

REPOSITORY = Path(__file__).resolve().parents[2]

SLEEPS_S = (3600, 120)

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
        print(time.time(), flush=True)
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


def test_rows_after_a_suspend_tell_when_they_were_read(tmp_path: Path) -> None:
    clock = FakeClock(tmp_path)
    marked_s, slept_s = [], 0
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=REPOSITORY,
        env=os.environ | clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for length_s in (0, *SLEEPS_S):
            slept_s += length_s
            clock.set(wall_s=slept_s, asleep_s=slept_s)
            print(file=process.stdin, flush=True)
            marked_s.append(float(process.stdout.readline()))
        process.stdin.close()
        told = json.loads(process.stdout.read())
    rows = list(csv.DictReader(io.StringIO(told["rows"])))
    times_s = [datetime.fromisoformat(row["time_utc"]).timestamp() for row in rows]
    marks_s = [at for at, row in zip(times_s, rows, strict=True) if row["mark"]]
    assert marks_s == pytest.approx(marked_s, abs=0.05)
    assert times_s == sorted(times_s)
    assert told["ended"] == pytest.approx(marked_s[-1], abs=0.5)
    part_s = [datetime.fromisoformat(each).timestamp() for each in told["part"]]
    assert part_s == pytest.approx([marked_s[0], told["ended"]], abs=0.05)
    for row, at_s in zip(rows, times_s, strict=True):
        began_s = datetime.fromisoformat(told["began"]).timestamp()
        asleep_s = at_s - began_s - float(row["seconds"])
        assert min(abs(asleep_s - each) for each in (0, 3600, 3720)) < 0.1
