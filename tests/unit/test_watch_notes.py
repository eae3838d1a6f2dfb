"""What a watch says beside its bill: what is doubtful in it, what was not read, and why."""

import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from monitor.cli import main
from monitor.energy.account import WATCH, Phase, account
from monitor.energy.notes import Notes, pack_notes, unpack_notes
from monitor.paths import database_path
from monitor.plugs import Found, add_plug
from monitor.power.channel import Channel, Doubt, Kind, Probe, ProbeState, Reading
from monitor.power.known import Use
from monitor.power.plug_answers import PlugAnswer, PlugKind
from monitor.power.sampler import Sampler
from monitor.power.sources import battery
from monitor.power.sources.battery import Battery
from monitor.recording_forms import recording_view
from monitor.store.history import History
from monitor.terminal.record_view import note_lines
from monitor.watch_notes import notes_of
from tests.hardware.hwmon import put_supply
from tests.hardware.plug_server import Device, serving
from tests.unit.builders import half_read, silent
from tests.unit.conftest import Eventually, MakeChannel

pytestmark = pytest.mark.usefixtures("patient")

DOUBT = Doubt("dev:one", "%1: its counter is odd.", ("One",))


class Odd:
    """A source of two channels, one of them doubtful, the other failing on demand."""

    name = "dev"

    def __init__(self, make_channel: MakeChannel) -> None:
        self.channels = make_channel("dev:one"), make_channel("dev:two", device="package-1")
        self.leaves_out = self.reads = 0

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return self.channels

    def read(self) -> list[Reading]:
        self.reads += 1
        now_s = time.monotonic()
        told = self.channels[:1] if self.leaves_out else self.channels
        return [Reading(each.key, now_s, counter_j=50.0 * now_s) for each in told]

    def doubts(self) -> tuple[Doubt, ...]:
        return (DOUBT,)

    def close(self) -> None:
        """Nothing is held open."""


def printed(notes: Notes) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(*note_lines(notes))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_doubt_is_told_and_a_channel_that_was_left_out_with_how_long(
    make_channel: MakeChannel, eventually: Eventually
) -> None:
    source = Odd(make_channel)
    with Sampler(50, [source]) as sampler:
        eventually(lambda: source.reads >= 3)
        start_s = time.monotonic()
        time.sleep(0.4)
        source.leaves_out = True
        time.sleep(0.6)
        end_s = time.monotonic()
        bill = account(sampler.trace, sampler.channels(), [Phase(WATCH, start_s, end_s)])
        notes = notes_of(sampler, bill, start_s, end_s)
    assert notes.doubts == (DOUBT,)
    two = next(each for each in notes.unread if each.key == "dev:two")
    assert two.coverage < 0.9
    assert "not in the last" in two.reason
    assert "One: its counter is odd." in printed(notes)
    assert "dev:two was read " in printed(notes)
    document = notes.to_json()
    (doubt,) = document["doubts"]
    assert (doubt["channel"], doubt["text"]) == ("dev:one", "One: its counter is odd.")
    assert unpack_notes(pack_notes(notes)) == notes
    assert "dev:two" in [each["channel"] for each in document["unread"]]


def test_of_what_was_read_well_nothing_is_said(
    make_channel: MakeChannel, eventually: Eventually
) -> None:
    source = Odd(make_channel)
    with Sampler(50, [source]) as sampler:
        eventually(lambda: source.reads >= 3)
        start_s = time.monotonic()
        time.sleep(0.4)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=5.0)
        bill = account(sampler.trace, sampler.channels(), [Phase(WATCH, start_s, end_s)])
        assert notes_of(sampler, bill, start_s, end_s).unread == ()


@dataclass
class Laptop:
    """A battery of a real /sys tree that is read ten times as often as one is, and its charger."""

    root: Path
    sampler: Sampler
    start_s: float = 0.0

    def plug(self, is_in: bool) -> None:
        put_supply(self.root, "BAT0", status="Full" if is_in else "Discharging")
        put_supply(self.root, "AC", online=int(is_in))

    def begin(self) -> None:
        self.sampler.wait_until(time.monotonic())
        self.start_s = time.monotonic()

    def wait(self, seconds: float = 0.15) -> None:
        """Have it read for so long: at the beginning, however late, and at the end."""
        assert self.sampler.wait_until(time.monotonic())
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.sampler.wait_until(end_s)

    def told(self) -> list[str]:
        """What is noted of the time since the beginning."""
        sampler, end_s = self.sampler, time.monotonic()
        bill = account(sampler.trace, sampler.channels(), [Phase(WATCH, self.start_s, end_s)])
        return notes_of(sampler, bill, self.start_s, end_s).words()


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laptop]:
    monkeypatch.setattr(battery, "PERIOD_S", 0.02)
    monkeypatch.setattr(Use.SHOWN, "_value_", 0.02)
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    put_supply(root, "BAT0", type="Battery", status="Full", power_now=12_500_000)
    put_supply(root, "AC", type="Mains", online=1)
    with Sampler(50, [Battery()]) as sampler:
        assert sampler.wait_ready()
        yield Laptop(root, sampler)


def test_a_battery_that_is_not_read_on_mains_is_no_news(laptop: Laptop) -> None:
    laptop.begin()
    laptop.wait()
    assert laptop.told() == []


def test_a_battery_that_came_into_use_is_told_and_that_it_went_out_of_it(laptop: Laptop) -> None:
    laptop.begin()
    laptop.wait()
    laptop.plug(is_in=False)
    laptop.wait()
    (told,) = laptop.told()
    assert re.match(r"Battery was read \d+ % of the time: first after ", told)
    laptop.plug(is_in=True)
    laptop.wait()
    laptop.plug(is_in=False)
    laptop.wait()
    (told,) = laptop.told()
    assert "on mains it does not tell what the machine draws" in told
    assert "did not answer" not in told
    laptop.plug(is_in=True)
    laptop.wait()
    (told,) = laptop.told()
    assert "not in the last" in told
    assert "did not answer" not in told, "that it was on mains before is remembered"
    laptop.begin()
    laptop.wait()
    assert laptop.told() == []


def test_of_what_was_not_read_mains_are_given_as_the_reason_only_where_they_are_it(
    laptop: Laptop,
) -> None:
    laptop.plug(is_in=False)
    laptop.wait()
    laptop.begin()
    for watts in (0, 12_500_000):
        laptop.wait()
        put_supply(laptop.root, "BAT0", power_now=watts)
    laptop.wait()
    for is_in in (True, False):
        laptop.plug(is_in)
        laptop.wait()
    (told,) = laptop.told()
    assert "it did not answer; on mains it does not tell what the machine draws" in told


def test_a_battery_that_tells_no_watts_while_it_is_discharged_is_told(laptop: Laptop) -> None:
    put_supply(laptop.root, "BAT0", power_now=0)
    laptop.plug(is_in=False)
    laptop.wait()
    laptop.begin()
    laptop.wait()
    (told,) = laptop.told()
    assert told.startswith("Battery was not read: BAT0: ")
    assert told.endswith("It tells no watts at present.")


@pytest.fixture
def silent_plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """A plug that was set up and does not answer, on a machine without sensors."""
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    with serving(Device(silent=True)) as device:
        found = Found(device.address, PlugKind.SHELLY, PlugAnswer(48.2, None), False)
        with closing(History(database_path())) as history:
            add_plug(history, found, "Desk")
        yield device


def run(*words: str) -> Result:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done


def test_a_silent_plug_has_a_state_and_a_reason_among_the_sensors(silent_plug: Device) -> None:
    probes = json.loads(run("sensors", "--json").stdout)["probes"]
    (plug,) = (probe for probe in probes if probe["source"].startswith("plug:"))
    assert plug["state"] == "silent"
    assert "takes too long to answer" in plug["reason"]


def test_a_watch_says_why_a_plug_was_not_read(silent_plug: Device) -> None:
    words = " ".join(run("watch", "--seconds", "5").stdout.split())
    assert "Desk was not read: Desk, a Shelly plug, is asked once a second." in words
    assert "takes too long to answer" in words
    # It is kept with recordings and queries, and read when this moment is long past.
    assert not re.search(r"Now failing|Next attempt|Restarted|has not answered for|s ago", words)


def test_a_watch_too_short_to_resolve_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    assert "Too short to resolve" in " ".join(run("watch", "--seconds", "0.5").stdout.split())


@pytest.mark.parametrize(("period_s", "is_resolved"), [(0.001, True), (60.0, False)])
def test_a_part_between_marks_that_is_too_short_to_resolve_says_so(
    make_channel: MakeChannel, period_s: float, is_resolved: bool
) -> None:
    recorded = half_read(make_channel("m:cpu", kind=Kind.POWER, period_s=period_s))
    console = Console(file=io.StringIO(), width=200)
    console.print(recording_view(recorded))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    parts = [line for line in lines if line.startswith(("compile", "link"))]
    assert len(parts) == 2
    assert all(("too short to resolve" in line) is not is_resolved for line in parts)


def test_a_part_between_marks_in_which_a_sensor_was_silent_says_so(
    make_channel: MakeChannel,
) -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(recording_view(silent(make_channel("m:cpu", period_s=0.1))))
    assert isinstance(console.file, io.StringIO)
    (part,) = (each for each in console.file.getvalue().splitlines() if each.startswith("compile"))
    assert part.rstrip().endswith("a sensor was silent throughout")
    assert "too short" not in part
