"""The processor's gauges: from constructed sysfs trees, and from this very machine."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from monitor.power.channel import Domain, ProbeState
from monitor.power.cpu import this_processor
from monitor.power.gauge import Gauge, Quantity
from monitor.power.sampler import Sampler
from monitor.power.sources.processor import CLOCKS_READ, ProcessorGauges
from tests.unit.conftest import Eventually

Tree = Callable[[dict[str, object]], Path]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    """Write files below what is taken for /sys; the processor is looked at anew."""

    def write(files: dict[str, object]) -> Path:
        for name, value in files.items():
            file = tmp_path / "sys" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n")
        return tmp_path / "sys"

    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    this_processor.cache_clear()
    yield write
    this_processor.cache_clear()


def opened(source: ProcessorGauges) -> dict[str, Gauge]:
    assert source.probe().state is ProbeState.AVAILABLE
    assert source.open() == ()
    return {gauge.key: gauge for gauge in source.gauges()}


def values(source: ProcessorGauges) -> dict[str, tuple[float, str]]:
    return {r.key.removeprefix("processor:"): (r.value, r.note) for r in source.read_gauges()}


def hwmon(number: int, name: str, **inputs: object) -> dict[str, object]:
    folder = f"class/hwmon/hwmon{number}"
    return {f"{folder}/name": name} | {f"{folder}/{key}": value for key, value in inputs.items()}


@pytest.mark.parametrize(
    ("files", "celsius"),
    [
        (hwmon(2, "coretemp", temp1_label="Package id 0", temp1_input=64000,
               temp2_label="Core 0", temp2_input=71000), 64.0),
        (hwmon(0, "k10temp", temp1_label="Tctl", temp1_input=87500,
               temp3_label="Tdie", temp3_input=60500), 60.5),
        (hwmon(0, "k10temp", temp1_label="Tctl", temp1_input=52125), 52.125),
        (hwmon(0, "k10temp", temp1_input=41000), 41.0),
        (hwmon(1, "zenpower", temp1_label="Tdie", temp1_input=55000), 55.0),
        (hwmon(0, "cpu_thermal", temp1_input=48312), 48.312),
        (hwmon(0, "nvme", temp1_input=33000), None),
        (hwmon(0, "coretemp", temp1_label="Package id 0", temp1_input="N/A"), None),
    ],
)  # fmt: skip
def test_the_package_is_as_hot_as_its_driver_says(
    tree: Tree, files: dict[str, object], celsius: float | None
) -> None:
    tree(files)
    source = ProcessorGauges()
    gauges = opened(source)
    key = "processor:package-0:temperature"
    if celsius is None:
        assert key not in gauges
        return
    assert (gauges[key].domain, gauges[key].device) == (Domain.CPU, "package-0")
    assert gauges[key].label == "CPU temperature"
    assert values(source)["package-0:temperature"][0] == pytest.approx(celsius)


@pytest.mark.skipif((psutil.cpu_count() or 1) < 2, reason="needs two logical processors")
def test_two_packages_have_gauges_of_their_own(tree: Tree) -> None:
    tree(
        {f"devices/system/cpu/cpu{n}/topology/physical_package_id": n % 2
         for n in range(psutil.cpu_count() or 1)}
        | {f"devices/system/cpu/cpu{n}/cpufreq/scaling_cur_freq": 2_000_000 + n % 2 * 500_000
           for n in range(psutil.cpu_count() or 1)}
        | hwmon(3, "coretemp", temp1_label="Package id 1", temp1_input=71000)
        | hwmon(11, "coretemp", temp1_label="Package id 0", temp1_input=44000)
    )  # fmt: skip
    source = ProcessorGauges()
    gauges = opened(source)
    assert gauges["processor:package-1:clock"].label == "CPU 1 clock"
    told = values(source)
    assert told["package-0:temperature"][0] == pytest.approx(44)
    assert told["package-1:temperature"][0] == pytest.approx(71)
    assert told["package-0:clock"][0] == pytest.approx(2000)
    assert told["package-1:clock"][0] == pytest.approx(2500)
    time.sleep(0.15)
    used = values(source)
    assert all(0 <= used[f"package-{n}:utilisation"][0] <= 100 for n in (0, 1))


@pytest.mark.skipif((psutil.cpu_count() or 1) < 2, reason="needs two logical processors")
def test_the_temperatures_of_two_epycs_are_told_in_the_order_of_their_drivers(tree: Tree) -> None:
    tree(
        {f"devices/system/cpu/cpu{n}/topology/physical_package_id": n % 2
         for n in range(psutil.cpu_count() or 1)}
        | hwmon(10, "k10temp", temp1_label="Tctl", temp1_input=71000)
        | hwmon(9, "k10temp", temp1_label="Tctl", temp1_input=44000)
    )  # fmt: skip
    source = ProcessorGauges()
    opened(source)
    told = values(source)
    assert told["package-0:temperature"][0] == pytest.approx(44)
    assert told["package-1:temperature"][0] == pytest.approx(71)


@pytest.mark.skipif((psutil.cpu_count() or 1) < 2, reason="needs two logical processors")
def test_a_clock_is_of_the_processors_that_tell_one(tree: Tree) -> None:
    file = "devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq".format
    second = -(-(psutil.cpu_count() or 1) // CLOCKS_READ)
    tree({file(0): 2_000_000, file(second): 3_000_000})
    source = ProcessorGauges()
    opened(source)
    assert values(source)["package-0:clock"][0] == pytest.approx(2500)
    # One that is switched off says nothing, or 0: neither is a clock.
    for says in ("<unknown>", 0):
        tree({file(second): says})
        assert values(source)["package-0:clock"][0] == pytest.approx(2000)
    tree({file(0): "<unknown>"})
    assert "package-0:clock" not in values(source)


def test_throttling_is_told_while_its_count_rises(tree: Tree) -> None:
    count = "devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
    tree({count: 17})
    source = ProcessorGauges()
    assert opened(source)["processor:package-0:throttle"].quantity is Quantity.THROTTLE
    assert values(source)["package-0:throttle"] == (0.0, "")
    tree({count: 19})
    assert values(source)["package-0:throttle"] == (1.0, "too hot")
    assert values(source)["package-0:throttle"] == (0.0, "")
    tree({count: "?"})
    assert "package-0:throttle" not in values(source)
    tree({count: 25})
    assert "package-0:throttle" not in values(source), "nothing is known of what came before"


def test_what_the_system_does_not_tell_is_no_gauge(tree: Tree) -> None:
    tree({})
    source = ProcessorGauges()
    quantities = {g.quantity for g in opened(source).values() if g.domain is Domain.CPU}
    assert quantities == {Quantity.UTILISATION}


def test_a_busy_processor_is_seen_to_be_busy() -> None:
    source = ProcessorGauges()
    opened(source)
    until_s = time.monotonic() + 0.3
    while time.monotonic() < until_s:
        pass
    share, _ = values(source)["package-0:utilisation"]
    assert 100 / (psutil.cpu_count() or 1) * 0.5 < share <= 100


def test_memory_in_use_lies_between_nothing_and_all() -> None:
    source = ProcessorGauges()
    gauge = opened(source)["processor:machine:memory"]
    used, _ = values(source)["machine:memory"]
    assert gauge.capacity == psutil.virtual_memory().total
    assert 0 < used < gauge.capacity


def test_the_engine_is_read_while_there_is_one(eventually: Eventually) -> None:
    source = ProcessorGauges()
    opened(source)
    assert "engine:memory" not in values(source)
    # What the engine is known by is its command line: this one computes and holds 64 MB.
    code = "held = bytearray(1 << 26)\nwhile True: pass"
    engine = subprocess.Popen([sys.executable, "-c", code, "monitor.engine.worker"])
    try:
        eventually(lambda: values(source).get("engine:memory", (0, ""))[0] > 1 << 26)
        eventually(lambda: values(source).get("engine:utilisation", (0, ""))[0] > 5)
    finally:
        engine.kill()
        engine.wait()
    told = values(source)
    assert "engine:memory" not in told
    assert "engine:utilisation" not in told


def test_the_sampler_reads_gauges_of_a_source_without_channels(eventually: Eventually) -> None:
    with Sampler(sources=[ProcessorGauges()]) as sampler:
        assert sampler.wait_ready()
        eventually(lambda: sampler.gauge_trace.latest("processor:machine:memory"))
        assert sampler.channels() == ()
        assert {g.key for g in sampler.gauges()} >= {"processor:machine:memory"}
