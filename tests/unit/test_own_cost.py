"""What LlamaWatt itself costs: from the processor time of its real processes."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from monitor.power import engine_process
from monitor.power.channel import Domain, Kind, ProbeState, Reading, Role, counted
from monitor.power.cpu import this_processor
from monitor.power.cpu_model import Activity, nominal_power, package_w
from monitor.power.engine_process import WORKER
from monitor.power.own_time import ThreadTime, sampling_s
from monitor.power.sampler import Sampler
from monitor.power.sources import SOURCES, Remarking
from monitor.power.sources.modelled import ModelledCpu
from monitor.power.sources.own import ENGINE, PARTS, PERIOD_S, WINDOW, OwnCost
from tests.unit.conftest import Eventually, MakeChannel

BUSY = "while True: pass"


@contextmanager
def engine(folder: Path, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child whose command line is the engine's, and which does something else."""
    module = folder / (WORKER.replace(".", "/") + ".py")
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(program, encoding="utf-8")
    process = subprocess.Popen([sys.executable, "-m", WORKER], cwd=folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def spent_apart(source: OwnCost, work: Callable[[], object]) -> tuple[float, float, float]:
    """Joules of the program, its sampler and the engine that some work costs."""
    before = [reading.counter_j for reading in source.read()]
    work()
    after = [reading.counter_j for reading in source.read()]
    program_j, sampler_j, engine_j = (
        new - old for old, new in zip(before, after, strict=True) if new is not None
    )
    return program_j, sampler_j, engine_j


def spent(source: OwnCost, work: Callable[[], object]) -> tuple[float, float]:
    """Joules of this process and of the engine that some work costs."""
    program_j, sampler_j, engine_j = spent_apart(source, work)
    return program_j + sampler_j, engine_j


def be_busy(seconds: float) -> None:
    """Use so much processor time."""
    until_s = time.process_time() + seconds
    while time.process_time() < until_s:
        pass


def one_thread_w() -> float:
    """What a package is modelled to draw more for one busy thread."""
    processor = this_processor()
    nominal = nominal_power(processor)
    cores = processor.physical_cores / len(processor.packages)
    busy, idle = (
        package_w(Activity(load, load / cores, nominal.clock_ghz), nominal.power_w)
        for load in (1.0, 0.0)
    )
    return busy - idle


@pytest.fixture(name="own")
def _own(monkeypatch: pytest.MonkeyPatch) -> OwnCost:
    monkeypatch.setattr(engine_process, "LOOK_S", 0.05)
    source = OwnCost()
    assert source.probe().state is ProbeState.AVAILABLE
    source.open()
    return source


def test_all_are_inside_and_added_to_no_total(make_channel: MakeChannel) -> None:
    channels = OwnCost().open()
    assert [channel.label.split()[-1] for channel in channels[1:]] == ["sampler", "(llama.cpp)"]
    for channel in channels:
        assert (channel.role, channel.kind, channel.domain) == (
            Role.INSIDE,
            Kind.MODELLED,
            Domain.CPU,
        )
    # A measured package replaces the model of the package, not the model of what is inside.
    packages = [make_channel(f"rapl:{n}", device=f"package-{n}") for n in this_processor().packages]
    assert set(channels) < set(counted((*packages, *channels)))


def test_it_is_among_the_sources_that_are_used() -> None:
    assert OwnCost in SOURCES


def test_busy_time_of_this_process_is_paid_for_and_idle_time_is_not(own: OwnCost) -> None:
    busy_j, _ = spent(own, lambda: be_busy(0.2))
    # However long that took beside others, it was 0.2 s of one thread.
    assert busy_j == pytest.approx(0.2 * one_thread_w(), rel=0.1)
    idle_j, _ = spent(own, lambda: time.sleep(0.2))
    assert 0 <= idle_j < 0.1 * busy_j


def test_the_sampler_is_paid_for_apart_from_the_rest_of_the_program(own: OwnCost) -> None:
    """In a thread as those that read sensors are, and after it has ended as well."""
    asked, has_worked, is_told = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with ThreadTime() as time_used:
            asked.wait()
            until_s = time.thread_time() + 0.2
            while time.thread_time() < until_s:
                pass
            time_used.note()
            has_worked.set()
            is_told.wait()

    def both() -> None:
        asked.set()
        has_worked.wait()
        be_busy(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    program_j, sampler_j, _ = spent_apart(own, both)
    assert sampler_j == pytest.approx(0.2 * one_thread_w(), rel=0.1)
    assert program_j == pytest.approx(0.1 * one_thread_w(), rel=0.2)
    is_told.set()
    thread.join()
    program_j, sampler_j, _ = spent_apart(own, lambda: be_busy(0.1))
    assert sampler_j == pytest.approx(0.0, abs=0.02 * one_thread_w())
    assert program_j == pytest.approx(0.1 * one_thread_w(), rel=0.2)


def test_the_threads_of_a_sampler_are_told_of(
    make_channel: MakeChannel, eventually: Eventually
) -> None:
    class Busy(OwnCost):
        name = "busy"

        def read(self) -> list[Reading]:
            until_s = time.thread_time() + 0.02
            while time.thread_time() < until_s:
                pass
            return []

    before_s = sampling_s()
    with Sampler(50, [Busy()]) as sampler:
        assert sampler.wait_ready()
        eventually(lambda: sampling_s() - before_s > 0.05)


@pytest.mark.parametrize(("is_loaded", "word"), [(True, "window"), (False, "command")])
def test_processor_seconds_are_told_beside_the_modelled_watts(
    own: OwnCost, monkeypatch: pytest.MonkeyPatch, is_loaded: bool, word: str
) -> None:
    if is_loaded:
        monkeypatch.setitem(sys.modules, WINDOW, sys)
    else:
        monkeypatch.delitem(sys.modules, WINDOW, raising=False)
    assert isinstance(own, Remarking)
    own.read()
    (before,) = own.remarks()
    be_busy(0.2)
    own.read()
    (after,) = own.remarks()
    told = re.compile(rf"Processor time: ([\d.]+) s by the {word}, ([\d.]+) s by the sampler\.")
    was, now = told.fullmatch(before), told.fullmatch(after)
    assert was
    assert now
    assert float(now[1]) - float(was[1]) == pytest.approx(0.2, abs=0.11)
    assert own.open()[0].label == f"LlamaWatt's {word}"


def test_without_an_engine_its_watts_are_known_to_be_none(own: OwnCost) -> None:
    reading = own.read()[-1]
    assert (reading.key, reading.counter_j) == (ENGINE, 0.0)
    _, engine_j = spent(own, lambda: be_busy(0.05))
    assert engine_j == 0.0


def test_the_engine_is_paid_for_apart_and_its_end_costs_nothing_more(
    own: OwnCost, tmp_path: Path, eventually: Eventually
) -> None:
    with engine(tmp_path, BUSY) as process:
        used = psutil.Process(process.pid)
        eventually(lambda: spent(own, lambda: time.sleep(0.03))[1] > 0)
        meanwhile_s: list[float] = []

        def wait_for_its_work() -> None:
            before_s = sum(used.cpu_times()[:2])
            while not meanwhile_s or meanwhile_s[-1] < 0.25:
                time.sleep(0.05)
                meanwhile_s.append(sum(used.cpu_times()[:2]) - before_s)

        before_s = sum(used.cpu_times()[:2])
        app_j, engine_j = spent(own, wait_for_its_work)
        around_s = sum(used.cpu_times()[:2]) - before_s
        # Its time is told in ticks of 10 ms, and it goes on while it is looked at.
        assert meanwhile_s[-1] - 0.04 <= engine_j / one_thread_w() <= around_s + 0.04
        assert app_j < 0.2 * engine_j
    spent(own, lambda: None)
    assert spent(own, lambda: time.sleep(0.1))[1] == 0.0
    with engine(tmp_path, BUSY):
        eventually(lambda: spent(own, lambda: time.sleep(0.03))[1] > 0)


def test_what_the_engine_used_before_it_was_found_is_not_told(tmp_path: Path) -> None:
    with engine(tmp_path, BUSY) as process:
        used = psutil.Process(process.pid)
        while used.cpu_times().user < 0.1:
            time.sleep(0.01)
        source = OwnCost()
        source.open()
        assert source.read()[-1].counter_j == 0.0


def test_a_child_that_is_not_the_engine_is_not_paid_for(own: OwnCost) -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as other:
        try:
            _, engine_j = spent(own, lambda: time.sleep(0.2))
        finally:
            other.kill()
    assert engine_j == 0.0


def test_all_that_is_told_lies_within_what_the_packages_are_modelled_to_draw(
    tmp_path: Path,
) -> None:
    with engine(tmp_path, BUSY), Sampler(sources=[ModelledCpu(), OwnCost()]) as sampler:
        assert sampler.wait_ready(10.0)
        start_s = time.monotonic()
        be_busy(0.2)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=5.0)
        joules = {
            channel.key: sampler.trace.window(channel.key, start_s, end_s).joules
            for channel in sampler.channels()
        }
    inside_j = sum(joules.pop(part) or 0.0 for part in PARTS)
    assert 0 < inside_j < sum(value or 0.0 for value in joules.values())


def test_its_load_is_told_as_a_share_of_the_machine(own: OwnCost) -> None:
    (gauge,) = own.gauges()
    own.read_gauges()
    time.sleep(2 * PERIOD_S)
    before_s = time.monotonic()
    assert own.read_gauges()
    began_s = time.monotonic()
    # Other threads of the tests' process are busy for a part of it: in less time than alone.
    be_busy(3 * PERIOD_S)
    time.sleep(PERIOD_S)
    lasted_s = time.monotonic() - began_s
    (reading,) = own.read_gauges()
    around_s = time.monotonic() - before_s
    assert reading.key == gauge.key
    least, most = (
        100 * 3 * PERIOD_S / seconds / this_processor().threads for seconds in (around_s, lasted_s)
    )
    assert 0.85 * least <= reading.value <= 1.15 * most
