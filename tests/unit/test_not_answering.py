"""Sources that hang, vanish or fail: what the sampler and the commands say of them."""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main
from monitor.commands import mend
from monitor.power import feed, reader, sampler
from monitor.power.channel import Channel, Probe, ProbeState, Reading
from monitor.power.deadline import within
from monitor.power.mend import works_now
from monitor.power.sampler import Sampler
from monitor.power.sources.rapl import Rapl
from monitor.sensor_testing import SensorTest
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, RaplZone, build_tree
from tests.unit.conftest import Eventually, MakeChannel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

PACKAGE = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(60.0))
COUNTER = "class/powercap/intel-rapl:0/energy_uj"


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine on which reading the processor's counter never returns."""
    root = tmp_path / "sys"
    build_tree(root, [PACKAGE])
    counter = root / COUNTER
    counter.unlink()
    os.mkfifo(counter)
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    yield root
    # Whoever waits for a writer is let go.
    os.close(os.open(counter, os.O_RDWR | os.O_NONBLOCK))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failing and waiting as always, in a tenth of the time."""
    monkeypatch.setattr(reader, "RETRY_S", 0.1)
    monkeypatch.setattr(reader, "DEAD_S", 0.2)
    monkeypatch.setattr(reader, "FIRST_DELAY_S", 0.1)
    monkeypatch.setattr(feed, "SILENT_S", 0.3)
    monkeypatch.setattr(sampler, "WATCH_S", 0.1)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["sensors", *words])


def told(text: str) -> str:
    return " ".join(text.split())


# The sampler.


@pytest.mark.usefixtures("quick")
def test_a_source_that_vanishes_keeps_its_channels_and_says_since_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    with FakeSysfs(tmp_path / "sys", [PACKAGE]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        with Sampler(20, []) as running:
            running.add(Rapl(), Rapl)
            eventually(lambda: running.trace.latest("rapl:package-0"))
            assert running.probes()[0].state is ProbeState.AVAILABLE
            machine.remove(PACKAGE)
            eventually(lambda: "Restarted" in running.probes()[0].reason)
            eventually(lambda: running.probes()[0].state is ProbeState.SILENT)
            (probe,) = running.probes()
            assert "Restarted" in probe.reason
            assert "It was last read" in probe.reason
            assert "It is asked again by itself" in probe.mend
            assert [channel.key for channel in running.channels()] == ["rapl:package-0"]


def test_a_counter_that_goes_while_others_are_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(feed, "UNREAD_S", 0.2)
    memory = RaplZone("intel-rapl:0:0", "dram", PowerCurve.constant(4.0))
    with FakeSysfs(tmp_path / "sys", [PACKAGE, memory]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        with Sampler(50, []) as running:
            running.add(Rapl(), Rapl)
            eventually(lambda: running.trace.latest("rapl:package-0:dram"))
            time.sleep(0.3)
            assert "Not read" not in running.probes()[0].reason
            machine.remove(memory)
            eventually(lambda: "Not read at present: DRAM 0." in running.probes()[0].reason)
            assert running.probes()[0].state is ProbeState.AVAILABLE
            assert "Not read" not in running.probes(are_kept=True)[0].reason


@pytest.mark.usefixtures("quick", "hanging")
def test_a_source_that_never_answered_is_silent_and_what_frees_its_driver_is_told(
    eventually: Eventually,
) -> None:
    with Sampler(20, []) as running:
        running.add(Rapl(), Rapl)
        eventually(lambda: running.probes()[0].state is ProbeState.SILENT)
        (probe,) = running.probes()
    assert "It has not answered for" in probe.reason
    assert "restarting the computer frees it" in probe.mend


class Scripted:
    """A source that is absent, or fails every other time it is read."""

    name = "dev"

    def __init__(self, channels: tuple[Channel, ...]) -> None:
        self.channels, self.reads = channels, 0

    def probe(self) -> Probe:
        if not self.channels:
            return Probe(self.name, ProbeState.ABSENT, "There is none.")
        return Probe(self.name, ProbeState.AVAILABLE, "It is there.")

    def open(self) -> tuple[Channel, ...]:
        return self.channels

    def read(self) -> list[Reading]:
        self.reads += 1
        if self.reads % 2:
            raise OSError("it is busy")
        now_s = time.monotonic()
        return [Reading(each.key, now_s, counter_j=now_s) for each in self.channels]

    def close(self) -> None:
        """Nothing is held open."""


def test_a_question_that_fails_now_and_then_makes_no_source_silent(
    make_channel: MakeChannel, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "RETRY_S", 0.1)
    source = Scripted((make_channel("dev:one"),))
    with Sampler(20, [source]) as running:
        eventually(lambda: source.reads >= 2)
        states = set()
        for _ in range(60):
            states.add(running.probes()[0].state)
            time.sleep(0.02)
    assert states == {ProbeState.AVAILABLE}


class Fading(Scripted):
    """A source of which the first channel tells nothing any more after a while."""

    def read(self) -> list[Reading]:
        self.reads += 1
        now_s = time.monotonic()
        told = self.channels[1 if self.reads > 1 else 0 :]
        return [Reading(each.key, now_s, counter_j=now_s) for each in told]


def test_a_channel_that_falls_silent_is_named_beside_one_of_the_same_label(
    make_channel: MakeChannel, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "UNREAD_S", 0.2)
    alike = (replace(make_channel(key), label="GPU") for key in ("dev:one", "dev:two"))
    with Sampler(50, [Fading(tuple(alike))]) as running:
        eventually(lambda: "Not read at present: GPU." in running.probes()[0].reason)


def test_what_was_never_there_stays_absent() -> None:
    with Sampler(20, [Scripted(())]) as running:
        assert running.wait_ready()
        (probe,) = running.probes()
    assert (probe.state, probe.reason, probe.mend) == (ProbeState.ABSENT, "There is none.", "")


# A deadline.


def test_what_answers_in_time_is_returned_and_what_it_raises_is_raised() -> None:
    assert within(5.0, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 / 0)
    with pytest.raises(TimeoutError):
        within(0.05, lambda: time.sleep(2.0))


# The commands.


@pytest.mark.usefixtures("hanging")
def test_the_mend_of_counters_that_hang_ends_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mend, "READ_S", 0.3)
    shown = run("mend")
    assert shown.exit_code == 0
    assert "reading them hangs" in told(shown.output)
    assert "restart the computer" in told(shown.output)
    assert json.loads(run("mend", "--json").stdout)["state"] == "silent"
    # What was asked for was not done.
    assert run("mend", "--apply", "--yes").exit_code == 1


@pytest.mark.usefixtures("hanging")
def test_counters_that_hang_do_not_work_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.power.mend.READ_S", 0.3)
    assert not works_now()


@pytest.mark.usefixtures("hanging")
def test_the_self_test_names_what_did_not_answer() -> None:
    done = run("test", "--seconds", "1")
    assert done.exit_code == 1
    assert "did not answer within the time: rapl" in told(done.output)
    assert "nothing measures power" not in told(done.output)


@pytest.mark.usefixtures("hanging")
def test_the_self_test_of_the_others_goes_on(make_channel: MakeChannel) -> None:
    source = Scripted((make_channel("dev:one"),))
    test = SensorTest(0.5, [Rapl, lambda: source])
    (finding,) = test.run()
    assert finding.channel.key == "dev:one"
    assert test.unanswered == ("rapl",)


@pytest.mark.parametrize(
    "words",
    [
        ("watch", "--hz", "nan"),
        ("watch", "--seconds", "nan"),
        ("watch", "--seconds", "inf", "--record"),
        ("sensors", "test", "--seconds", "nan"),
        ("baseline", "--seconds", "nan"),
        ("ask", "hello", "--temp", "nan"),
        ("compare", "--good-enough", "nan"),
        ("models", "training", "any", "--grams", "inf", "--source", "a card"),
    ],
)
def test_what_is_no_number_is_wrong_use(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "no number that can be reckoned with" in told(done.output)
