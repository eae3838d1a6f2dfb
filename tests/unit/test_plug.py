"""Wall plugs as a source, against a server that answers well and badly."""

import math
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.energy.account import DECODE, Phase, account
from monitor.power import local_http
from monitor.power.channel import Domain, Kind, ProbeState, Reading, Role
from monitor.power.local_http import (
    Address,
    DeviceError,
    NotLocal,
    ask,
    is_local,
    parse_address,
    resolve,
)
from monitor.power.plug_answers import PlugKind, question, recognise
from monitor.power.sampler import Sampler
from monitor.power.sources.plug import Plug
from monitor.power.trace import Trace
from tests.hardware.plug_server import (
    STATUS_10,
    Device,
    serving,
    shelly,
    shelly_gen1,
    shelly_of,
    tasmota,
)
from tests.unit.conftest import Eventually

HTML = b"<!doctype html><title>Router</title>"


@pytest.fixture(autouse=True)
def proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy nobody may use: what is asked has to come from this machine itself."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of a test instead of a person's."""
    monkeypatch.setattr(local_http, "READ_S", 0.15)
    monkeypatch.setattr(local_http, "CONNECT_S", 0.15)
    monkeypatch.setattr(local_http, "ALTOGETHER_S", 0.3)


@pytest.fixture
def plug() -> Iterator[Device]:
    with serving(shelly()) as device:
        yield device


def found(device: Device) -> tuple[PlugKind, float | None, float | None]:
    kind, answer = recognise(lambda path: ask(parse_address(device.address), path))
    return kind, answer.power_w, answer.energy_wh


def opened(device: Device, kind: PlugKind | None = None) -> Plug:
    source = Plug(device.address, kind)
    assert source.probe().state is ProbeState.AVAILABLE
    source.open()
    assert source.read() == []  # who waits for every sensor waits for no network
    assert device.asked == []
    return source


def watts(readings: list[Reading]) -> list[float | None]:
    return [reading.power_w for reading in readings]


def test_a_plug_is_for_minutes_and_not_for_a_short_answer() -> None:
    """Read once a second, and late: of an answer of five seconds it says nothing sure."""
    (plug,) = Plug("192.168.1.20", PlugKind.SHELLY).open()
    part = replace(plug, key="cpu", domain=Domain.CPU, role=Role.PART, period_s=0.001)
    trace = Trace()
    for channel, every_s in ((plug, 1.0), (part, 0.1)):
        trace.add(channel)
        times_s = np.arange(0.0, 300.0, every_s)
        trace.record(Reading(channel.key, at_s, power_w=80.0) for at_s in times_s)
    short, long_ = (
        {line.channel.key: line for line in bill.lines}
        for bill in (
            account(trace, [plug, part], [Phase(DECODE, 10.0, until_s)])
            for until_s in (15.0, 190.0)
        )
    )
    assert not short[plug.key].resolved
    assert long_[plug.key].resolved
    assert short[part.key].resolved
    # It neither adds to the total nor takes from what is known of it.
    total = account(trace, [plug, part], [Phase(DECODE, 10.0, 15.0)]).total()
    assert total.resolved
    assert total.joules == pytest.approx(5 * 80.0, rel=0.01)


# Each plug is recognised and read.


@pytest.mark.parametrize(
    ("device", "kind", "energy_wh"),
    [
        (shelly(), PlugKind.SHELLY, 1234.567),
        (shelly_of("switch:0"), PlugKind.SHELLY, 1234.567),
        (shelly_of("pm1:0"), PlugKind.SHELLY_PM1, 1234.567),
        (shelly_gen1(), PlugKind.SHELLY_GEN1, 74074 / 60),
        (shelly_gen1(in_status=True), PlugKind.SHELLY_GEN1, 74074 / 60),
        (tasmota(), PlugKind.TASMOTA, 1235.0),
        (tasmota([48.2]), PlugKind.TASMOTA, 1235.0),
    ],
)
def test_a_plug_is_recognised_by_what_it_answers(
    device: Device, kind: PlugKind, energy_wh: float
) -> None:
    with serving(device):
        assert found(device) == (kind, 48.2, pytest.approx(energy_wh))
        device.asked.clear()
        source = opened(device)
        assert watts(source.read()) == watts(source.read()) == [48.2]


def test_a_plug_is_the_whole_machine_and_integrated(plug: Device) -> None:
    source = Plug(plug.address, label="Desk")
    (channel,) = source.open()
    assert (channel.role, channel.kind, channel.domain) == (Role.WHOLE, Kind.POWER, Domain.SYSTEM)
    assert channel.key == source.name == f"plug:{plug.address}"
    assert (channel.label, channel.period_s) == ("Desk", 1.0)


def test_a_known_plug_is_asked_one_question_a_reading(plug: Device) -> None:
    source = opened(plug, PlugKind.SHELLY)
    source.read()
    source.read()
    assert plug.asked == ["/rpc/Switch.GetStatus?id=0"] * 2


# What is no figure is missing, never zero.


@pytest.mark.parametrize(
    "power_w", [-5.0, math.nan, math.inf, 1e7, 10**400, None, "48", True, [], {}]
)
def test_impossible_watts_are_no_reading(power_w: object) -> None:
    for device in (shelly(power_w), shelly_gen1(power_w), tasmota(power_w)):
        with serving(device):
            source = opened(device)
            assert source.read() == []
            (why,) = source.remarks()
            assert "none, or impossible" in why


def test_a_plug_without_watts_says_so_until_it_has_some() -> None:
    with serving(shelly(math.nan)) as device:
        source = opened(device)
        source.read()
        (why,) = source.remarks()
        assert "none, or impossible" in why
        device.pages["/rpc/Switch.GetStatus?id=0"]["apower"] = 5.0
        assert watts(source.read()) == [5.0]
        assert source.remarks() == ()


def test_a_plug_says_that_it_has_not_answered_yet() -> None:
    device = shelly()
    source = Plug(device.address, label="Desk")
    source.probe()
    assert source.remarks() == ()  # nobody has asked
    source.read()
    assert source.remarks() == ("Desk has not answered yet.",)
    with pytest.raises(DeviceError):
        source.read()
    # From then on it is told what went wrong.
    assert source.remarks() == ()


def test_a_meter_that_says_it_is_not_valid_is_no_reading() -> None:
    with serving(shelly_gen1(is_valid=False)) as device:
        assert opened(device).read() == []


def test_an_idle_plug_reads_zero() -> None:
    with serving(shelly(0)) as device:
        assert watts(opened(device).read()) == [0.0]


# What answers otherwise is told.


@pytest.mark.parametrize(
    ("device", "told"),
    [
        (Device({"/shelly": HTML, STATUS_10: HTML}), "no Shelly and no Tasmota"),
        (Device(), "no Shelly and no Tasmota"),
        (Device({"/shelly": {"name": "lamp"}}), "no Shelly and no Tasmota"),
        (Device({"/shelly": b"[" * 50_000}), "no Shelly and no Tasmota"),
        (Device({"/shelly": {"gen": 2}, "/rpc/Switch.GetStatus?id=0": HTML}), "not the Shelly"),
        (
            Device(
                {"/shelly": {"gen": 3}, "/rpc/Switch.GetStatus?id=0": {"id": 0, "output": True}}
            ),
            "does not measure",
        ),
        (tasmota(Switch1="ON"), "does not measure"),
        (tasmota([20, 30]), "measures 2 sockets"),
        (shelly_of("switch:0", "switch:1", "switch:2"), "Shelly device measures 3 sockets"),
        (
            Device(
                {
                    "/shelly": {"type": "SHSW-25", "mac": "A0", "num_outputs": 2, "num_meters": 2},
                    "/meter/0": {"power": 5.0, "is_valid": True, "total": 1},
                }
            ),
            "measures 2 sockets",
        ),
        (Device({STATUS_10: {"WARNING": "Need user=<username>&password=<password>"}}), "password"),
        (Device({"/shelly": {"gen": 2}}, status=401), "wants a password (401)"),
        (Device(status=503), "cannot answer now (503)"),
        (
            Device(status=302, headers={"Location": "http://evil.example/watts"}),
            "sends the question on to evil.example (302), which is not followed",
        ),
        (Device(status=301, headers={"Location": "http://[bad"}), "another page (301)"),
        (Device({"/shelly": b"x" * (local_http.ANSWER_BYTES + 1)}), "more than a plug has to say"),
    ],
)
def test_what_is_no_plug_is_told_in_a_sentence(device: Device, told: str) -> None:
    with serving(device), pytest.raises(DeviceError) as failed:
        found(device)
    assert told in str(failed.value)


def test_another_device_at_a_plugs_address_is_told_when_it_is_read() -> None:
    with serving(tasmota()) as device, pytest.raises(DeviceError, match="another device may have"):
        opened(device, PlugKind.SHELLY).read()


def test_a_redirect_is_not_followed_even_to_itself(plug: Device) -> None:
    with serving(Device(status=307)) as device:
        device.headers["Location"] = f"http://{plug.address}/shelly"
        with pytest.raises(DeviceError):
            found(device)
    assert plug.asked == []


def test_nothing_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DeviceError, match="Nothing answers at 127"):
        ask(Address("127.0.0.1", port), "/shelly")


def test_who_breaks_off_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            client, _ = server.accept()
            client.recv(1 << 16)
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(DeviceError, match="breaks the connection off"):
            ask(Address(*server.getsockname()[:2]), "/shelly")
        thread.join()


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("device", [Device(silent=True), Device(shelly().pages, drip_s=0.05)])
def test_who_is_slow_or_drips_is_given_up(device: Device) -> None:
    with serving(device), pytest.raises(DeviceError, match="takes too long"):
        found(device)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=2), SCALARS)


@given(ANYTHING, ANYTHING)
def test_whatever_stands_in_an_answer_is_a_possible_figure_or_told(
    power: object, total: object
) -> None:
    answers: dict[PlugKind, object] = {
        PlugKind.SHELLY: {"id": 0, "apower": power, "aenergy": {"total": total}},
        PlugKind.SHELLY_GEN1: {"power": power, "total": total},
        PlugKind.TASMOTA: {"StatusSNS": {"ENERGY": {"Power": power, "Total": total}}},
    }
    for kind, told in answers.items():
        for shape in (told, power, [told]):
            with suppress(DeviceError):
                answer = question(kind, lambda _path, shape=shape: shape)
                assert answer.power_w is None or 0 <= answer.power_w <= 20_000
                assert answer.energy_wh is None or 0 <= answer.energy_wh < math.inf


# Addresses.


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("192.168.1.20", "192.168.1.20"),
        (" http://192.168.1.20/ ", "192.168.1.20"),
        ("HTTP://Plug.Local:80", "plug.local"),
        ("plug.local:8080", "plug.local:8080"),
        ("fe80::1", "[fe80::1]"),
        ("[fe80::0001]:81", "[fe80::1]:81"),
        ("[fe80::1%eth0]", "[fe80::1%eth0]"),
    ],
)
def test_an_address_is_read_as_it_is_typed(typed: str, address: str) -> None:
    assert str(parse_address(typed)) == address
    assert parse_address(address) == parse_address(typed)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "no address"),
        ("https://192.168.1.20", "not by https"),
        ("ftp://192.168.1.20", "not by ftp"),
        ("http://me:secret@192.168.1.20", "without a user or password"),
        ("192.168.1.20:99999", "no address"),
        ("192.168.1.20:0", "port 0"),
        ("192.168.1.20/shelly", "no address"),
        ("192.168.1.20?x", "no address"),
        ("192.168.1.20#x", "no address"),
        ("my plug", "no address"),
        ("plug\r\nHost: evil", "no address"),
        ("[fe80::xyz]", "no address"),
        # Systems take these for 192.168.1.16 and for 127.0.0.1.
        ("192.168.001.020", "No number begins with a 0"),
        ("0x7f.1", "no address"),
        ("2130706433", "no address"),
        ("-x", "no address"),
    ],
)
def test_what_is_no_address_is_refused(typed: str, told: str) -> None:
    with pytest.raises(DeviceError) as failed:
        parse_address(typed)
    assert told in str(failed.value)


@pytest.mark.parametrize(
    ("ip", "local"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.31.255.255", True),
        ("192.168.0.1", True),
        ("169.254.7.7", True),
        ("::1", True),
        ("fe80::1", True),
        ("fd12::1", True),
        ("::ffff:192.168.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("8.8.8.8", False),
        ("172.32.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("64:ff9b::a00:1", False),
        ("ff02::1", False),
    ],
)
def test_only_loopback_private_and_link_local_is_local(ip: str, local: bool) -> None:
    assert is_local(local_http.ip_address(ip)) is local
    if local:
        assert resolve(parse_address(ip))
    else:
        with pytest.raises(NotLocal, match="not of your own network"):
            resolve(parse_address(ip))
        assert resolve(parse_address(ip), anywhere=True)


Told = list[tuple[int, int, int, str, tuple[object, ...]]]


def names(monkeypatch: pytest.MonkeyPatch, *ips: str) -> list[str]:
    """Let every name stand for these addresses, as a name server would; return what was sought."""
    real, sought = socket.getaddrinfo, list[str]()

    def look_up(host: str, port: int, *args: object, **kwargs: object) -> Told:
        if host.endswith(".test"):
            sought.append(host)
            return [one for ip in ips for one in real(ip, port, type=socket.SOCK_STREAM)]
        return real(host, port, *args, **kwargs)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return sought


def test_a_name_server_that_is_away_is_told_of_and_no_driver_is_blamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hang = threading.Event()
    monkeypatch.setattr(local_http, "NAME_S", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hang.wait(10.0))
    try:
        with pytest.raises(DeviceError, match=r"plug\.test was not found in time.*\(DNS\) is slow"):
            ask(Address("plug.test"), "/shelly")
    finally:
        hang.set()


def test_a_name_with_one_address_elsewhere_is_asked_nothing(
    plug: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, "127.0.0.1", "198.51.100.7")
    with pytest.raises(NotLocal, match=r"198\.51\.100\.7, which plug\.test stands for, is not"):
        ask(Address("plug.test", plug.port), "/shelly")
    assert plug.asked == []


def test_the_connection_goes_to_the_address_that_was_looked_at(
    plug: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought = names(monkeypatch, "127.0.0.1")
    assert ask(Address("plug.test", plug.port), "/shelly")["gen"] == 2
    # Looked up once: a second answer of the name server could be another.
    assert sought == ["plug.test"]
    assert plug.hosts == [f"plug.test:{plug.port}"]


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(DeviceError, match="is not known here"):
        resolve(Address("plug.invalid"))


def test_a_plug_is_read_over_ipv6() -> None:
    try:
        with serving(shelly(), "::1") as device:
            source = Plug(f"[::1]:{device.port}")
            source.open()
            source.read()
            assert watts(source.read()) == [48.2]
            assert device.hosts[0] == f"[::1]:{device.port}"
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


# In the sampler.


@pytest.mark.usefixtures("soon")
def test_a_silent_plug_is_told_and_read_when_it_is_back(
    eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.power.sources.plug.PERIOD_S", 0.02)
    monkeypatch.setattr("monitor.power.reader.RETRY_S", 0.02)
    with serving(Device(silent=True)) as device, Sampler(hz=50, sources=[]) as sampler:
        sampler.add(Plug(device.address, PlugKind.SHELLY, "Desk"))
        assert sampler.wait_ready()
        eventually(lambda: "takes too long" in sampler.probes()[0].reason)
        device.pages, device.silent = shelly(61.0).pages, False
        key = f"plug:{device.address}"
        eventually(lambda: (sampler.trace.latest(key) or (0, 0))[1] == 61.0)
        # Nor does one that a busy machine answers late stay so.
        eventually(lambda: "failing" not in sampler.probes()[0].reason)
    (channel,) = sampler.channels()
    assert channel.role is Role.WHOLE


def test_a_stored_address_that_is_none_is_told(eventually: Eventually) -> None:
    with Sampler(sources=[Plug("my plug")]) as sampler:
        assert sampler.wait_ready()
        (probe,) = sampler.probes()
    assert probe.state is ProbeState.ABSENT
    assert "no address" in probe.reason
    assert "add it again" in probe.mend
