"""Intel graphics cards on constructed /sys trees: a card is added once, what is inside never."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.energy.account import Phase
from monitor.energy.ledger import Ledger
from monitor.power import reader
from monitor.power.channel import Channel, Domain, Kind, OpenAnew, ProbeState, Role, counted
from monitor.power.gauge import Quantity
from monitor.power.hwmon import counter as hwmon_counter
from monitor.power.hwmon import gt_load, limit, watch
from monitor.power.hwmon.card import cards
from monitor.power.hwmon.gt_load import GtLoad
from monitor.power.sampler import Sampler
from monitor.power.sources import SOURCES, Gauged, Remarking
from monitor.power.sources.intelgpu import IntelGpu
from monitor.power.trace import Trace
from monitor.tally import Tally
from monitor.watch_notes import notes_of
from tests.hardware.hwmon import AMD, INTEL, FakeCard, Says, opened_files, say
from tests.unit.conftest import Eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

PutCard = Callable[[FakeCard], Path]

ARC = "intelgpu:0000:03:00.0"
I915: Says = {"name": "i915", "energy1_input": 5_000_000}
XE_CARD = {"energy1_input": 7_000_000, "energy1_label": "card"}
XE_PACKAGE = {"energy2_input": 6_000_000, "energy2_label": "pkg"}


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PutCard:
    """Put a card into this test's /sys; returns its PCI device's folder."""
    (tmp_path / "sys").mkdir()
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    return lambda card: card.put(tmp_path / "sys")


def opened() -> tuple[IntelGpu, dict[str, Channel]]:
    source = IntelGpu()
    assert source.probe().state is ProbeState.AVAILABLE
    return source, {channel.key: channel for channel in source.open()}


def arc(*monitors: Says, files: Says | None = None, card_files: Says | None = None) -> FakeCard:
    return FakeCard(INTEL, monitors=monitors, files=files or {}, card_files=card_files or {})


def test_the_source_is_registered() -> None:
    assert IntelGpu in SOURCES
    assert isinstance(IntelGpu(), Gauged)


# What is counted.


def test_the_counter_of_i915_is_the_whole_card(put: PutCard) -> None:
    put(arc(I915))
    source, channels = opened()
    (channel,) = channels.values()
    assert (channel.key, channel.domain, channel.device) == (ARC, Domain.GPU, "0000:03:00.0")
    assert (channel.kind, channel.role, channel.range_j) == (Kind.COUNTER, Role.PART, None)
    assert [(reading.key, reading.counter_j) for reading in source.read()] == [(ARC, 5.0)]


def test_a_gt_is_inside_its_card(put: PutCard) -> None:
    gts = [{"name": f"i915_gt{n}", "energy1_input": 1_000_000 * n} for n in (1, 2)]
    put(arc(gts[0], I915, gts[1]))
    source, channels = opened()
    assert {key: channel.role for key, channel in channels.items()} == {
        ARC: Role.PART,
        f"{ARC}:gt1": Role.INSIDE,
        f"{ARC}:gt2": Role.INSIDE,
    }
    assert {reading.key: reading.counter_j for reading in source.read()} == {
        ARC: 5.0,
        f"{ARC}:gt1": 1.0,
        f"{ARC}:gt2": 2.0,
    }
    assert len({channel.label for channel in channels.values()}) == 3


@pytest.mark.parametrize(
    ("counters", "roles"),
    [
        (XE_CARD | XE_PACKAGE, {ARC: Role.PART, f"{ARC}:pkg": Role.INSIDE}),
        # Labels tell which is which, whatever their numbers.
        (
            {"energy1_input": 6_000_000, "energy1_label": "pkg"}
            | {"energy2_input": 7_000_000, "energy2_label": "card"},
            {ARC: Role.PART, f"{ARC}:pkg": Role.INSIDE},
        ),
        # Without labels the kernel's documentation says it.
        ({"energy1_input": 7_000_000}, {ARC: Role.PART}),
        (
            {"energy1_input": 7_000_000, "energy2_input": 6_000_000},
            {ARC: Role.PART, f"{ARC}:pkg": Role.INSIDE},
        ),
        # Some cards count their package only.
        (XE_PACKAGE, {f"{ARC}:pkg": Role.PART}),
        # A counter of a later kernel is shown, never added.
        (
            XE_CARD | {"energy3_input": 1_000_000, "energy3_label": "novelty"},
            {ARC: Role.PART, f"{ARC}:novelty": Role.INSIDE},
        ),
    ],
)
def test_xe_counts_card_and_package(put: PutCard, counters: Says, roles: dict[str, Role]) -> None:
    put(arc({"name": "xe", **counters}))
    source, channels = opened()
    assert {key: channel.role for key, channel in channels.items()} == roles
    values = {reading.key: reading.counter_j for reading in source.read()}
    assert values.get(ARC, 7.0) == 7.0
    assert values.get(f"{ARC}:pkg", 6.0) == 6.0
    assert set(values) == set(roles)


def test_two_cards_are_both_added(put: PutCard) -> None:
    put(arc(I915))
    put(FakeCard(INTEL, 1, "0000:0a:00.0", ({"name": "xe", **XE_CARD},)))
    _, channels = opened()
    standing = counted(tuple(channels.values()))
    parts = [channel.key for channel in standing if channel.role is Role.PART]
    assert parts == [ARC, "intelgpu:0000:0a:00.0"]


def test_a_counter_beyond_its_register_goes_on(put: PutCard) -> None:
    # The driver adds the wraps of the register's 32 bits up: 262 kJ are no limit of the file.
    device = put(arc({"name": "i915", "energy1_input": 262_143_999_000}))
    source, channels = opened()
    trace = Trace()
    trace.add(channels[ARC])
    (first,) = source.read()
    say(device / "hwmon/hwmon3", {"energy1_input": 262_144_001_000})
    (second,) = source.read()
    trace.record([first, second])
    assert trace.curve(ARC).energy_j[-1] == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("cards", "says"),
    [
        ((), "no Intel GPU"),
        ((FakeCard(AMD, monitors=(I915,)),), "no Intel GPU"),
        ((FakeCard(INTEL, address="0000:00:02.0"),), "missing where the processor is modelled"),
        ((FakeCard(INTEL),), "driver"),
        ((FakeCard(INTEL, monitors=({"name": "i915", "temp1_input": 1},)),), "driver"),
    ],
    ids=["none", "another vendor's", "integrated", "no monitor", "no counter"],
)
def test_silence_has_a_reason(put: PutCard, cards: tuple[FakeCard, ...], says: str) -> None:
    for card in cards:
        put(card)
    probe = IntelGpu().probe()
    assert (probe.source, probe.state) == ("intelgpu", ProbeState.ABSENT)
    assert says in probe.reason


# Faults and sleep.


def test_a_card_that_stands_still_is_a_fault_but_a_gt_may_rest(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hwmon_counter, "FROZEN_S", 0.0)
    device = put(arc(I915, {"name": "i915_gt0", "energy1_input": 1_000_000}))
    source, _ = opened()
    source.read()
    # The card's counter has not moved: no reading rather than zero watts.
    assert [reading.key for reading in source.read()] == [f"{ARC}:gt0"]
    (device / "hwmon/hwmon4/energy1_input").unlink()
    with pytest.raises(OSError, match="Intel GPU 0"):
        source.read()


def test_a_counter_that_vanishes_is_a_fault(put: PutCard) -> None:
    device = put(arc(I915))
    source, _ = opened()
    (device / "hwmon/hwmon3/energy1_input").unlink()
    with pytest.raises(OSError, match="cannot be read"):
        source.read()


@pytest.mark.parametrize("status", ["suspended", "suspending", "resuming"])
def test_a_card_that_sleeps_is_not_woken(put: PutCard, status: str) -> None:
    monitor = {"name": "xe", **XE_CARD, "temp2_input": 40_000, "temp2_label": "pkg"}
    files = {"tile0/gt0/freq0/act_freq": 0, "tile0/gt0/freq0/throttle/status": 0}
    device = put(arc(monitor, files=files))
    say(device, {"power/runtime_status": status})
    with opened_files() as names:
        source, channels = opened()
        probe = source.probe()
        assert (channels, source.gauges()) == ({}, ())
        assert source.read() == []
        assert source.read_gauges() == []
    assert not {"energy1_input", "temp2_input", "act_freq", "status"} & set(names)
    assert "asleep" in probe.reason
    assert probe.retry_s
    say(device, {"power/runtime_status": "active"})
    source, _ = opened()
    assert [reading.counter_j for reading in source.read()] == [7.0]
    assert len(source.gauges()) == len(source.read_gauges()) == 3


def test_the_source_is_opened_anew_when_a_card_wakes_or_falls_asleep(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.0)
    # An integrated GPU tells nothing here, and may sleep as it likes.
    integrated = put(FakeCard(INTEL, 1, "0000:00:02.0"))
    device = put(arc(I915))
    source, channels = opened()
    say(integrated, {"power/runtime_status": "suspended"})
    assert len(source.read()) == 1
    for status, keys in (("suspended", []), ("active", [ARC])):
        say(device, {"power/runtime_status": status})
        with pytest.raises(OSError, match="opened anew"):
            source.read()
        source, channels = opened()
        assert list(channels) == keys


def test_a_card_that_may_sleep_is_said_to_be_kept_awake(put: PutCard) -> None:
    put(arc(I915, files={"power/control": "auto"}))
    put(FakeCard(INTEL, 1, "0000:0a:00.0", (I915,), files={"power/control": "on"}))
    probe = opened()[0].probe()
    assert probe.reason == (
        "Reading Intel GPU 0, Intel GPU 1. Intel GPU 0 cannot fall asleep while it is read."
    )


@pytest.mark.parametrize(
    ("limits", "is_believed"),
    [
        ({}, True),
        ({"power1_crit": 328_000_000}, False),
        ({"power1_cap": 190_000_000}, False),
        ({"power1_crit": 40_000_000_000, "power1_cap": 190_000_000}, True),
        ({"power1_crit": 0}, True),
    ],
    ids=["no limit", "critical", "cap", "the higher of both", "none told"],
)
def test_a_counter_that_says_more_than_its_card_ever_draws_is_not_believed(
    put: PutCard, monkeypatch: pytest.MonkeyPatch, limits: Says, is_believed: bool
) -> None:
    """As of an Arc B570 on Linux 6.16."""
    monkeypatch.setattr(limit, "SOON_S", 0.02)
    device = put(arc({"name": "xe", **XE_CARD, **limits}))
    source, _ = opened()
    source.read()
    time.sleep(0.025)
    say(device / "hwmon/hwmon3", {"energy1_input": 7_000_000 + 400_000_000})
    if is_believed:
        assert len(source.read()) == 1
        return
    with pytest.raises(OpenAnew) as found:
        source.read()
    assert found.value.withdrawn == {ARC}
    source, channels = opened()
    # Not read, and neither out of the totals nor a fault for which the source is opened anew.
    assert [(key, channel.role) for key, channel in channels.items()] == [
        (f"{ARC}:unread", Role.PART)
    ]
    assert source.read() == []
    assert not source.has_left(channels[f"{ARC}:unread"])
    assert source.probe().reason.startswith("Intel GPU 0 counted ")
    assert "missing in the totals" in source.probe().reason


def test_no_bill_keeps_what_a_counter_told_that_is_not_believed(
    put: PutCard, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(limit, "SOON_S", 0.35)
    monkeypatch.setattr(reader, "RETRY_S", 0.05)
    first = put(arc({"name": "xe", **XE_CARD, "power1_crit": 328_000_000}))
    put(FakeCard(INTEL, 1, "0000:0a:00.0", (I915,)))
    second = first.parent / "0000:0a:00.0"
    sampler = Sampler(hz=50, sources=[IntelGpu()])
    with sampler:
        assert sampler.wait_ready()
        began_s = time.monotonic()
        tally, ledger = Tally(sampler, began_s), Ledger(sampler)
        told_j, told_s = 0.0, began_s

        def tell(power_w: float) -> None:
            nonlocal told_j, told_s
            now_s = time.monotonic()
            told_j, told_s = told_j + power_w * (now_s - told_s), now_s
            uj = round(1e6 * told_j)
            say(first / "hwmon/hwmon3", {"energy1_input": 7_000_000 + uj})
            say(second / "hwmon/hwmon3", {"energy1_input": 5_000_000 + uj // 100_000})

        def is_billed() -> bool:
            tell(100.0)
            return bool(sampler.trace.window(ARC, began_s, time.monotonic()).joules)

        def is_unread() -> bool:
            tell(1000.0)
            return f"{ARC}:unread" in {channel.key for channel in sampler.channels()}

        eventually(is_billed)
        billed = ledger.add([Phase("decode", began_s, time.monotonic())]).lines
        eventually(is_unread)
        assert ARC in {line.channel.key for line in billed}
        now_s = time.monotonic()
        for bill in (tally.bill(now_s), ledger.bill):
            joules = {line.channel.key: line.joules for line in bill.lines}
            assert ARC not in joules
            assert (bill.total().joules or 0.0) < 1.0
        notes = notes_of(sampler, tally.bill(now_s), began_s, now_s)
    assert any(
        note.startswith("Intel GPU 0 was not read: Intel GPU 0 counted") for note in notes.words()
    )


@pytest.mark.parametrize(
    ("power_w", "until_s", "is_believed"),
    [(500.0, 9.5, True), (500.0, 10.5, False), (700.0, 1.5, True), (900.0, 1.5, False)],
    ids=["a burst", "for too long", "less than twice", "more than twice"],
)
def test_a_card_may_allow_itself_more_for_a_while(
    put: PutCard, power_w: float, until_s: float, is_believed: bool
) -> None:
    device = put(arc({"name": "xe", **XE_CARD, "power1_crit": 328_000_000}))
    _, channels = opened()
    watched = limit.Limit(channels[ARC], device / "hwmon/hwmon3/energy1_input")
    at_s = 0.0
    while at_s <= until_s:
        watched.add(100.0 + at_s, power_w * at_s)
        at_s += 0.25
    assert (not watched.found) is is_believed


def test_a_counter_that_fails_beside_another_is_told_of(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hwmon_counter, "FROZEN_S", 0.0)
    device = put(arc(I915))
    put(FakeCard(INTEL, 1, "0000:0a:00.0", ({"name": "i915_gt0", "energy1_input": 1},)))
    source, _ = opened()
    assert isinstance(source, Remarking)
    assert (len(source.read()), source.remarks()) == (2, ())
    assert len(source.read()) == 1
    assert source.remarks() == ("Intel GPU 0: its energy counter stands still.",)
    (device / "hwmon/hwmon3/energy1_input").unlink()
    assert len(source.read()) == 1
    assert "cannot be read any more" in source.remarks()[0]


def test_a_counter_not_refreshed_yet_is_no_fault_beside_one_that_is(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hwmon_counter, "FROZEN_S", 0.4)
    put(arc(I915))
    device = put(FakeCard(INTEL, 1, "0000:0a:00.0", ({"name": "i915", "energy1_input": 1},)))
    source, _ = opened()
    source.read()
    source.read()
    time.sleep(0.42)
    say(device / "hwmon/hwmon3", {"energy1_input": 2})
    assert len(source.read()) == 1
    assert source.read() == []


# Gauges.


@pytest.mark.parametrize(
    ("monitor", "files", "card_files"),
    [
        (
            {**I915, "temp1_input": 55_000},
            {},
            {"gt/gt0/rps_act_freq_mhz": 2_050, "gt/gt0/rps_cur_freq_mhz": 2_400}
            | {"gt/gt0/throttle_reason_status": 1, "gt/gt0/throttle_reason_pl1": 1}
            | {"gt/gt0/throttle_reason_thermal": 0, "gt/gt0/throttle_reason_vr_tdc": 1},
        ),
        (
            {"name": "xe", **XE_CARD, "temp2_input": 55_000, "temp2_label": "pkg"}
            | {"temp3_input": 70_000, "temp3_label": "vram"},
            {"tile0/gt0/freq0/act_freq": 2_050, "tile0/gt0/freq0/cur_freq": 2_400}
            | {"tile0/gt0/freq0/throttle/status": 1, "tile0/gt0/freq0/throttle/reason_pl1": 1}
            | {"tile0/gt0/freq0/throttle/reason_thermal": 0}
            | {"tile0/gt0/freq0/throttle/reason_vr_tdc": 1},
            {},
        ),
    ],
    ids=["i915", "xe"],
)
def test_gauges_explain_the_card(
    put: PutCard, monitor: Says, files: Says, card_files: Says
) -> None:
    put(arc(monitor, files=files, card_files=card_files))
    source, channels = opened()
    gauges = {gauge.quantity: gauge for gauge in source.gauges()}
    readings = {reading.key: reading for reading in source.read_gauges()}
    assert {quantity: readings[gauge.key].value for quantity, gauge in gauges.items()} == {
        Quantity.TEMPERATURE: 55.0,
        Quantity.CLOCK: 2050.0,
        Quantity.THROTTLE: 1.0,
    }
    assert readings[gauges[Quantity.THROTTLE].key].note == "pl1, vr tdc"
    assert {gauge.device for gauge in gauges.values()} == {channels[ARC].device}


def test_an_unhindered_card_gives_no_reason(put: PutCard) -> None:
    # A reason may still stand for a moment after the throttling ended.
    throttle = {"gt/gt0/throttle_reason_status": 0, "gt/gt0/throttle_reason_pl1": 1}
    put(arc(I915, card_files={**throttle, "gt_act_freq_mhz": 1_300}))
    source, _ = opened()
    gauges = {gauge.key: gauge.quantity for gauge in source.gauges()}
    readings = {gauges[r.key]: (r.value, r.note) for r in source.read_gauges()}
    assert readings == {Quantity.THROTTLE: (0.0, ""), Quantity.CLOCK: (1300.0, "")}


I915_GT, XE_GT = "gt/gt{}/rc6_residency_ms", "tile{}/gt0/gtidle/idle_residency_ms"


def slept(driver: str, *slept_ms: int) -> dict[str, Says]:
    """What a card says of how long each of its GTs has slept."""
    if driver == "xe":
        return {"files": {XE_GT.format(n): ms for n, ms in enumerate(slept_ms)}}
    return {"card_files": {I915_GT.format(n): ms for n, ms in enumerate(slept_ms)}}


@pytest.mark.parametrize("driver", ["i915", "xe"])
def test_the_load_is_the_time_in_which_the_busiest_gt_did_not_sleep(
    put: PutCard, driver: str
) -> None:
    device = put(arc({**I915, "name": driver}, **slept(driver, 90_000, 70_000)))
    where = device if driver == "xe" else device / "drm/card0"
    (card,) = cards(INTEL)
    load = GtLoad(card)
    assert load
    assert load.read(1000.0) is None  # it takes two looks
    say(where, *slept(driver, 90_480, 70_120).values())
    assert load.read(1000.5) == pytest.approx(76.0)
    assert load.read(1000.51) is None  # too soon
    say(where, *slept(driver, 90_985, 70_625).values())
    assert load.read(1001.0) == 0.0  # never below, though it may have slept a millisecond before
    assert load.read(1009.0) is None  # nobody looked meanwhile
    say(where, *slept(driver, 5, 70_900).values())
    assert load.read(1009.5) is None  # the number has wrapped


def test_a_card_whose_sleep_is_not_counted_tells_no_load(put: PutCard) -> None:
    device = put(arc(I915, **slept("i915", 0)))
    (card,) = cards(INTEL)
    load = GtLoad(card)
    assert [load.read(1000.0), load.read(1000.5)] == [None, None]
    say(device / "drm/card0/gt/gt0", {"rc6_enable": 0})
    assert not GtLoad(card)


def test_the_load_is_a_gauge_of_the_card(put: PutCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gt_load, "SHORTEST_S", 0.0)
    put(arc(I915, **slept("i915", 90_000)))
    source, channels = opened()
    (gauge,) = source.gauges()
    assert (gauge.quantity, gauge.device) == (Quantity.UTILISATION, channels[ARC].device)
    assert gauge.label == "Intel GPU 0 load"
    assert source.read_gauges() == []
    (reading,) = source.read_gauges()
    assert (reading.key, reading.value) == (gauge.key, 100.0)
