"""Windows' energy meters, from bytes laid out as emi.h has them."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.power import reader
from monitor.power.channel import Domain, Kind, ProbeState, Role
from monitor.power.emi import look
from monitor.power.emi.look import mirrors
from monitor.power.emi.meter import (
    J_PER_PWH,
    EmiError,
    Sample,
    parse_names,
    parse_samples,
    parse_size,
    parse_version,
)
from monitor.power.sampler import Sampler
from monitor.power.sources import emi
from monitor.power.sources.emi import Emi
from tests.unit.conftest import Eventually

PACKAGE = ("RAPL_Package0_PKG", "RAPL_Package0_PP0", "RAPL_Package0_PP1", "RAPL_Package0_DRAM")


def wide(text: str, characters: int = 0) -> bytes:
    """Return UTF-16 with a terminator, filled up to a number of characters."""
    return (text + "\0").encode("utf-16-le").ljust(2 * characters, b"\0")


def metadata_v1(name: str, unit: int = 0) -> bytes:
    """EMI_METADATA_V1: unit, maker, model, revision, size of the name, name."""
    head = struct.pack("<i", unit) + wide("Contoso", 16) + wide("Meter", 16)
    return head + struct.pack("<HH", 1, len(wide(name))) + wide(name)


def metadata_v2(*names: str, unit: int = 0) -> bytes:
    """EMI_METADATA_V2: maker, model, revision, number of channels, then EMI_CHANNEL_V2 each."""
    head = wide("Intel", 16) + wide("RAPL", 16) + struct.pack("<HH", 1, len(names))
    channels = (struct.pack("<iH", unit, len(wide(name))) + wide(name) for name in names)
    return head + b"".join(channels)


def measurement(*samples: tuple[int, int]) -> bytes:
    """EMI_CHANNEL_MEASUREMENT_DATA: energy and time, for each channel."""
    return b"".join(struct.pack("<QQ", *sample) for sample in samples)


@dataclass
class Meter:
    """Answers the four control codes with bytes, as the driver of a meter does.

    :param joules: of each channel when it is first measured
    :param step_j: what each channel advances by at each renewal
    :param every: it is renewed at every so many measurements
    :param renewal_100ns: by its own time, this much later
    """

    names: Sequence[str]
    joules: Sequence[float]
    step_j: Sequence[float]
    version: int = 2
    unit: int = 0
    lost: bool = False
    stands: bool = False
    every: int = 1
    renewal_100ns: int = 10_000
    measured: int = field(default=0)
    closed: bool = False

    def ask(self, code: int, most_bytes: int) -> bytes:
        if self.lost:
            raise OSError(433, "A device which does not exist was specified")
        described = (
            metadata_v1(self.names[0], self.unit)
            if self.version == 1
            else metadata_v2(*self.names, unit=self.unit)
        )
        match code:
            case 0x224000:
                answer = struct.pack("<H", self.version)
            case 0x224004:
                answer = struct.pack("<I", len(described))
            case 0x224008:
                answer = described
            case 0x22400C:
                answer = self.measure()
            case _:
                raise OSError(1, "Incorrect function")
        assert len(answer) <= most_bytes, "the system would refuse so small a buffer"
        return answer

    def measure(self) -> bytes:
        self.measured += not self.stands
        renewed = self.measured // self.every
        at = self.renewal_100ns * renewed
        grown = (j + renewed * s for j, s in zip(self.joules, self.step_j, strict=True))
        return measurement(*((round(j / J_PER_PWH), at) for j in grown))

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counters of a test need no time to advance."""
    monkeypatch.setattr(look, "LOOK_S", 0.0)
    monkeypatch.setattr(look, "LONGEST_S", 0.1)


def opened(*meters: Meter) -> Emi:
    source = Emi(lambda: meters)
    assert source.probe().state is ProbeState.AVAILABLE
    return source


# Bytes.


def test_both_versions_tell_their_channels() -> None:
    assert parse_version(b"\x02\x00") == 2
    assert parse_size(struct.pack("<I", 190)) == 190
    assert parse_names(1, metadata_v1("RAPL_Package0_PKG")) == ("RAPL_Package0_PKG",)
    assert parse_names(2, metadata_v2(*PACKAGE)) == PACKAGE
    assert parse_names(2, metadata_v2()) == ()
    told = measurement((1, 2), (2**64 - 1, 4))
    assert parse_samples(told, 2) == (Sample(1, 2), Sample(2**64 - 1, 4))


def test_a_picowatt_hour_is_3_6_nanojoules() -> None:
    assert pytest.approx(3.6e-9) == J_PER_PWH


def test_another_unit_is_not_read_as_picowatt_hours() -> None:
    assert parse_names(1, metadata_v1("RAPL_Package0_PKG", unit=1)) == ("",)
    assert parse_names(2, metadata_v2(*PACKAGE, unit=7)) == ("",) * 4


def test_a_name_that_ends_early_or_cannot_be_read_harms_nothing() -> None:
    told = metadata_v2("AB\0CD", "RAPL_Package0_PKG")
    assert parse_names(2, told) == ("AB", "RAPL_Package0_PKG")
    broken = told.replace("AB".encode("utf-16-le"), b"\x00\xd8\x00\xd8")
    assert parse_names(2, broken)[1] == "RAPL_Package0_PKG"


def test_what_is_cut_short_is_refused_wherever_it_is_cut() -> None:
    for version, told in ((1, metadata_v1("RAPL_Package0_PKG")), (2, metadata_v2(*PACKAGE))):
        for length in range(len(told)):
            with pytest.raises(EmiError, match="cut short"):
                parse_names(version, told[:length])
    for length in range(32):
        with pytest.raises(EmiError, match="cut short"):
            parse_samples(measurement((1, 2), (3, 4))[:length], 2)
    with pytest.raises(EmiError, match="version 3"):
        parse_names(3, b"")


@given(st.integers(1, 2), st.binary(max_size=200))
def test_whatever_a_meter_answers_is_read_or_refused(version: int, told: bytes) -> None:
    try:
        names = parse_names(version, told)
    except EmiError:
        return
    # No more than there is room for: six bytes of each channel are not its name.
    assert sum(6 + len(name) for name in names) <= len(told)


def test_a_size_without_measure_asks_for_no_such_memory() -> None:
    assert parse_size(b"\xff\xff\xff\xff") <= 1 << 16


# Channels.


def test_roles_follow_from_the_whole_name() -> None:
    names = (*PACKAGE, "RAPL_Package0_PSYS", "RAPL_Package0_Core0_CORE", "Battery", "X_PKG")
    source = opened(Meter(names, range(100, 180, 10), [1.0] * 8))
    told = {c.key: (c.domain, c.role, c.device) for c in source.open()}
    assert told == {
        "emi:package-0:pkg": (Domain.CPU, Role.PART, "package-0"),
        "emi:package-0:pp0": (Domain.CPU, Role.INSIDE, "package-0"),
        "emi:package-0:pp1": (Domain.CPU, Role.INSIDE, "package-0"),
        "emi:package-0:dram": (Domain.DRAM, Role.PART, "package-0"),
        "emi:package-0:psys": (Domain.SYSTEM, Role.WHOLE, "package-0"),
    }
    assert {c.kind for c in source.open()} == {Kind.COUNTER}


def test_counters_are_read_in_joules() -> None:
    meter = Meter(PACKAGE, (1000.0, 700.0, 10.0, 90.0), (2.0, 1.5, 0.1, 0.2))
    source = opened(meter)
    source.open()
    before = {r.key: r.counter_j or 0 for r in source.read()}
    after = {r.key: r.counter_j or 0 for r in source.read()}
    grown = {key.rpartition(":")[2]: after[key] - before[key] for key in before}
    assert grown == pytest.approx({"pkg": 2.0, "pp0": 1.5, "pp1": 0.1, "dram": 0.2}, abs=1e-6)
    source.close()
    assert meter.closed


def test_a_meter_of_the_first_version_is_read() -> None:
    source = opened(Meter(["RAPL_Package1_PKG"], [5.0], [1.0], version=1))
    (channel,) = source.open()
    assert (channel.key, channel.device) == ("emi:package-1:pkg", "package-1")
    assert [reading.key for reading in source.read()] == [channel.key]


def test_what_was_not_renewed_is_no_reading() -> None:
    meter = Meter(PACKAGE, (1.0, 2.0, 3.0, 4.0), (0.1, 0.2, 0.3, 0.4))
    source = opened(meter)
    source.open()
    assert len(source.read()) == 4
    meter.stands = True
    assert source.read() == []


# Nothing is counted twice.


def test_a_meter_that_mirrors_another_is_dropped() -> None:
    one = Meter(PACKAGE, (1000.0, 700.0, 10.0, 90.0), (2.0, 1.5, 0.1, 0.2))
    # Read a millisecond later, it has advanced a little further.
    mirror = Meter(PACKAGE, (1000.0, 700.0, 10.0, 90.0), (2.0, 1.5, 0.1, 0.2))
    keys = [channel.key for channel in opened(one, mirror).open()]
    assert keys == [f"emi:package-0:{part}" for part in ("pkg", "pp0", "pp1", "dram")]


def test_two_processors_are_two_also_under_the_same_name() -> None:
    one = Meter(["RAPL_Package0_PKG"], [1000.0], [2.0])
    other = Meter(["RAPL_Package0_PKG"], [2000.0], [2.01])
    channels = opened(one, other).open()
    assert [c.role for c in channels] == [Role.PART] * 2
    # As two processors are called, so that both replace their models.
    assert [c.device for c in channels] == ["package-0", "package-1"]


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        # The same counter at 50 W, read 1 ms later the first time and 2 ms the second.
        ([[(0.0, 0.0), (0.05, 0.001)], [(3.0, 0.06), (3.1, 0.062)]], {1}),
        # The same counter since another moment: the very same steps.
        ([[(0.0, 0.0), (500.0, 0.0)], [(3.0, 0.06), (503.0, 0.06)]], {1}),
        # Two at nearly the same power.
        ([[(0.0, 0.0), (500.0, 0.0)], [(3.0, 0.06), (503.001, 0.06)]], set()),
        # Two at rest that have hardly begun tell nothing.
        ([[(0.5, 0.0), (0.5, 0.0)], [(0.5, 0.06), (0.5, 0.06)]], set()),
        # Two at the same large energy are one, at rest or not both renewed yet.
        ([[(700.0, 0.0), (700.0, 0.0)], [(700.0, 0.06), (700.0, 0.06)]], {1}),
        ([[(99e3, 0.0), (99e3, 0.0)], [(99001.0, 0.06), (99e3, 0.059)]], {1}),
        # Two at rest at different energies are two.
        ([[(700.0, 0.0), (701.0, 0.0)], [(700.0, 0.06), (701.0, 0.06)]], set()),
        # Two at 20 W and 35 W whose counts are near at different times: the lower follows the
        # higher.
        ([[(5000.0, 0.0), (5030.0, 0.02)], [(5001.2, 0.06), (5032.1, 0.08)]], set()),
        ([[(9000.0, 0.0), (9180.0, 0.1)], [(9001.2, 0.06), (9182.1, 0.16)]], set()),
        ([[(300.0, 0.0), (301.5, 0.001)], [(301.2, 0.06), (303.6, 0.061)]], set()),
        # One at 20 W, read so much later as well.
        ([[(5000.0, 0.0), (5000.4, 0.02)], [(5001.2, 0.06), (5001.6, 0.08)]], {1}),
        # Two that were level once.
        ([[(0.0, 0.0), (0.0, 0.0)], [(3.0, 0.06), (9.0, 0.06)]], set()),
    ],
)
def test_mirrors_are_told_by_how_they_advance(
    looks: list[list[tuple[float, float]]], found: set[int]
) -> None:
    told = [[Sample(round(j / J_PER_PWH), round(s * 1e7)) for j, s in look] for look in looks]
    assert set(mirrors(told)) == found


def test_a_meter_that_is_renewed_seldom_is_no_second_processor() -> None:
    # Looked at five times between two renewals; energies that do not tell by being the same.
    one = Meter(PACKAGE, (1000.0, 700.0, 10.0, 90.0), (2.0, 1.5, 0.1, 0.2), every=5)
    mirror = Meter(PACKAGE, (3000.0, 100.0, 20.0, 50.0), (2.0, 1.5, 0.1, 0.2), every=5)
    source = opened(one, mirror)
    parts = [channel.key for channel in source.open() if channel.role is Role.PART]
    assert parts == ["emi:package-0:pkg", "emi:package-0:dram"]
    assert "the same counter as CPU 0; it is counted once" in source.probe().reason


def test_what_is_inside_a_mirror_is_a_mirror() -> None:
    one = Meter(PACKAGE, (1000.0, 700.0, 0.0, 90.0), (2.0, 1.5, 0.0, 0.2))
    keys = [channel.key for channel in opened(one, replace(one)).open()]
    assert keys == [f"emi:package-0:{part}" for part in ("pkg", "pp0", "pp1", "dram")]


# Counters that stand still are no 0 W.


def test_a_counter_that_stands_still_is_left_out() -> None:
    # The graphics unit has nothing to do; the platform's counter is connected to nothing.
    names = (*PACKAGE, "RAPL_Package0_PSYS")
    source = opened(Meter(names, (1e3, 7e2, 10.0, 90.0, 5e3), (2.0, 1.5, 0.0, 0.2, 0.0)))
    keys = {channel.key.rpartition(":")[2] for channel in source.open()}
    assert keys == {"pkg", "pp0", "pp1", "dram"}
    assert "because it stands still: Platform (psys)" in source.probe().reason


def test_meters_that_all_stand_still_are_none() -> None:
    probe = Emi(lambda: [Meter(PACKAGE, (1e3, 7e2, 10.0, 90.0), (0.0,) * 4)]).probe()
    assert probe.state is ProbeState.ABSENT
    assert "stand still" in probe.reason


def test_a_counter_that_stops_later_is_a_gap_and_then_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter = Meter(PACKAGE, (1e3, 7e2, 10.0, 90.0), (2.0, 1.5, 0.1, 0.2))
    source = opened(meter)
    memory = next(channel for channel in source.open() if channel.domain is Domain.DRAM)
    assert len(source.read()) == 4
    meter.joules = (1e3, 7e2, 10.0, 90.0 + 0.2 * meter.measured)
    meter.step_j = (2.0, 1.5, 0.1, 0.0)
    # Renewed, but as before.
    assert [reading.key.rpartition(":")[2] for reading in source.read()] == ["pkg", "pp0", "pp1"]
    for name in ("STOPPED_S", "STOPPED_RENEWALS"):
        monkeypatch.setattr(emi, name, 1e-9)
    with pytest.raises(OSError, match="DRAM 0 has stopped"):
        source.read()
    # A model stands in for a processor, and none for memory: it is missing from then on.
    source.close()
    assert "because it stands still: DRAM 0" in source.probe().reason
    assert not source.has_left(memory)


def test_meters_that_all_stop_leave_no_channels_until_they_go_on(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    for name in ("STOPPED_S", "LATER_S"):
        monkeypatch.setattr(emi, name, 0.1)
    monkeypatch.setattr(reader, "RETRY_S", 0.01)
    monkeypatch.setattr(reader, "delay_s", lambda failed: 0.01)
    meter = Meter(["RAPL_Package0_PKG"], [1000.0], [2.0])
    with Sampler(hz=50, sources=[Emi(lambda: [meter])]) as sampler:
        assert sampler.wait_ready()
        opened_first = sampler.channels()
        assert opened_first
        meter.stands = True
        eventually(lambda: sampler.channels() == ())
        assert "stand still" in sampler.probes()[0].reason
        # What was read before stays.
        assert len(sampler.trace.curve(opened_first[0].key).time_s)
        meter.stands = False
        eventually(lambda: sampler.channels() == opened_first)


def test_a_meter_that_is_renewed_seldom_is_read_as_seldom() -> None:
    """By its own time: four seconds from one renewal to the next, in whatever time it is asked."""
    meter = Meter(PACKAGE, (1e3, 7e2, 10.0, 90.0), (2.0, 1.5, 0.1, 0.2), every=5)
    meter.renewal_100ns = 40_000_000
    periods_s = {(channel.period_s, channel.least_period_s) for channel in opened(meter).open()}
    assert periods_s == {(4.0, 4.0)}
    often = Meter(PACKAGE, (1e3, 7e2, 10.0, 90.0), (2.0, 1.5, 0.1, 0.2))
    periods_s = {(channel.period_s, channel.least_period_s) for channel in opened(often).open()}
    assert periods_s == {(emi.PERIOD_S, 0.0)}


def test_a_meter_that_is_renewed_seldom_has_not_stopped_between_two_renewals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(emi, "STOPPED_S", 0.0)
    meter = Meter(["RAPL_Package0_PKG"], [1e3], [2.0], every=50)
    meter.renewal_100ns = 40_000_000
    source = opened(meter)
    source.open()
    assert [len(source.read()) for _ in range(40)].count(1) <= 2


def test_meters_that_were_not_renewed_meanwhile_are_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(emi, "LATER_S", 0.05)
    meter = Meter(["RAPL_Package0_PKG"], [1000.0], [2.0], stands=True)
    with Sampler(hz=50, sources=[Emi(lambda: [meter])]) as sampler:
        assert sampler.wait_ready()
        assert "stand still" in sampler.probes()[0].reason
        assert sampler.channels() == ()
        meter.stands = False
        eventually(sampler.channels)


# Sockets, where there is no package.


@pytest.mark.parametrize(
    "names",
    [
        [["Current Socket Power"]],
        [["Apu Power"]],
        [["Apu Power"], ["VDDCR_SOC Power", "Current Socket Power"]],
    ],
)
def test_a_socket_is_read_where_no_package_is_told(names: list[list[str]]) -> None:
    """As on laptops by AMD: by two names it is one all the same."""
    meters = [Meter(each, [1e3] * len(each), [2.0] * len(each)) for each in names]
    source = opened(*meters)
    (channel,) = source.open()
    assert (channel.key, channel.label) == ("emi:package-0:socket", "CPU 0 with its graphics")
    assert (channel.domain, channel.device, channel.role) == (
        Domain.SOC,
        "package-0",
        Role.PART,
    )
    assert len(source.read()) == 1


def test_a_package_comes_before_its_socket() -> None:
    meter = Meter(["Current Socket Power", *PACKAGE], [1e3] * 5, [2.0, 1.9, 1.5, 0.1, 0.2])
    keys = {channel.key.rpartition(":")[2] for channel in opened(meter).open()}
    assert keys == {"pkg", "pp0", "pp1", "dram"}


# Where there is nothing.


def test_elsewhere_than_on_windows_it_says_so() -> None:
    probe = Emi().probe()
    assert (probe.state, probe.reason) == (ProbeState.ABSENT, "This machine does not run Windows.")


def test_a_windows_without_meters_says_what_that_may_be() -> None:
    reason = Emi(list).probe().reason
    assert "virtual machine" in reason
    assert "HardwareMonitor" in reason
    assert "the processor is modelled" in reason
    lost = Meter(PACKAGE, (1.0,) * 4, (1.0,) * 4, lost=True)
    probe = Emi(lambda: [lost]).probe()
    assert probe.state is ProbeState.ABSENT
    assert "cannot be read (A device" in probe.reason
    rails = Meter(["Battery rail", "VDDCR_SOC Power"], (1.0, 2.0), (1.0, 2.0))
    assert "Battery rail, VDDCR_SOC Power" in Emi(lambda: [rails]).probe().reason


def test_a_windows_that_refuses_is_told() -> None:
    def refuse() -> list[Meter]:
        raise OSError("Access is denied")

    assert "Access is denied" in Emi(refuse).probe().reason


def test_one_meter_that_is_lost_leaves_the_other() -> None:
    one = Meter(["RAPL_Package0_PKG"], [1000.0], [2.0])
    other = Meter(["RAPL_Package1_PKG"], [2000.0], [3.0])
    source = opened(one, other)
    source.open()
    one.lost = True
    assert [reading.key for reading in source.read()] == ["emi:package-1:pkg"]
    other.lost = True
    with pytest.raises(OSError, match="does not exist"):
        source.read()


def test_the_sampler_bills_what_a_meter_counts(eventually: Eventually) -> None:
    meter = Meter(PACKAGE, (1000.0, 700.0, 10.0, 90.0), (2.0, 1.5, 0.1, 0.2))
    with Sampler(hz=50, sources=[Emi(lambda: [meter])]) as sampler:
        assert sampler.wait_ready()
        opening = meter.measured
        eventually(lambda: meter.measured >= opening + 2)
    curve = sampler.trace.curve("emi:package-0:pkg")
    assert curve.energy_j[-1] == pytest.approx(2.0 * (len(curve.energy_j) - 1), abs=1e-6)
