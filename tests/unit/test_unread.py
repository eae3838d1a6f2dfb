"""A model on a GPU that tells no power: the total is known from below only, and says so."""

import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.bill_words import total_words, unread_notes
from monitor.energy.account import DECODE, Bill, Phase, account
from monitor.energy.parts import is_lower_bound
from monitor.engine.messages import Device, Hello, Load, Loaded, LoadProgress
from monitor.loading import Loader
from monitor.paths import database_path
from monitor.power import sampler as sampler_module
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.sampler import Sampler
from monitor.power.trace import Trace
from monitor.power.unread import ComputedOn, unread_part
from monitor.store.history import History
from monitor.tally import Tally
from tests.unit.conftest import Eventually, MakeChannel

pytestmark = pytest.mark.usefixtures("patient")

CARD = ComputedOn(("NVIDIA GeForce MX150",), is_in_processor=False)
OWN = ComputedOn(("Intel Iris Xe",), is_in_processor=True)


class Model:
    """A processor that is modelled at 20 W."""

    name = "modelled"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "modelled")

    def open(self) -> tuple[Channel, ...]:
        return (self._channel,)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        return [Reading(self._channel.key, now_s, counter_j=20.0 * now_s, power_w=20.0)]

    def close(self) -> None:
        pass


class Offloading:
    """An engine that says where the layers of a model are, without a model."""

    def __init__(self, layers_offloaded: int) -> None:
        self.loaded: Loaded | None = None
        self._layers = layers_offloaded

    def has(self, request: Load) -> bool:
        return False

    def hello(self) -> Hello:
        return Hello("0.3.36", True, (Device("CUDA0", CARD.names[0], "gpu", 2 << 30),))

    def load(self, request: Load) -> Iterator[LoadProgress | Loaded]:
        start_s = time.monotonic()
        time.sleep(0.01)
        self.loaded = Loaded(start_s, time.monotonic(), 512, 2, self._layers)
        yield self.loaded


def load(sampler: Sampler, engine: Offloading) -> None:
    with closing(History(database_path())) as history:
        loader = Loader(sampler, engine, history)  # type: ignore[arg-type]
        list(loader.load(Load("m.gguf", 512, 2)))


def billed_after_load(sampler: Sampler, layers_offloaded: int) -> Bill:
    load(sampler, Offloading(layers_offloaded))
    start_s = time.monotonic()
    end_s = start_s + 0.2
    while time.monotonic() < end_s:
        sampler.wait_until(end_s)
    return account(sampler.trace, sampler.channels(), [Phase(DECODE, start_s, end_s)])


def read_on(sampler: Sampler) -> float:
    """Wait until a moment is told that is a little later, and return it."""
    at_s = time.monotonic() + 0.1
    while time.monotonic() < at_s or not sampler.wait_until(at_s):
        pass
    return at_s


def test_a_model_on_a_silent_gpu_is_billed_from_below(
    home: Path, make_channel: MakeChannel
) -> None:
    model = make_channel("model:cpu", kind=Kind.MODELLED, period_s=0.01)
    with Sampler(sources=[Model(model)], hz=50) as sampler:
        on_gpu = billed_after_load(sampler, 12)
        on_processor = billed_after_load(sampler, 0)
    assert is_lower_bound(on_gpu)
    assert total_words(on_gpu).startswith("≥")
    assert unread_notes(on_gpu) == [
        "GPU NVIDIA GeForce MX150 (tells no power) was not read: it was at least this."
    ]
    assert not is_lower_bound(on_processor)
    assert not unread_notes(on_processor)


def test_what_was_not_read_stays_so_when_the_model_is_gone(
    home: Path, make_channel: MakeChannel
) -> None:
    engine = Offloading(12)
    model = make_channel("model:cpu", kind=Kind.MODELLED, period_s=0.01)
    with Sampler(sources=[Model(model)], hz=50) as sampler:
        sampler.wait_ready()
        start_s = time.monotonic()
        tally, until_s = Tally(sampler, start_s), read_on(sampler)
        assert not is_lower_bound(tally.bill(until_s))
        load(sampler, engine)
        loaded_s = read_on(sampler)
        assert is_lower_bound(tally.bill(loaded_s))
        engine.loaded = None  # unloaded, or crashed
        sampler.mark()
        unloaded_s = time.monotonic()
        end_s = read_on(sampler)
        bill, while_loaded = tally.bill(end_s), Phase(DECODE, until_s, loaded_s)
        assert is_lower_bound(bill)
        assert unread_notes(bill)
        assert is_lower_bound(account(sampler.trace, sampler.channels(), [while_loaded]))
        later = account(sampler.trace, sampler.channels(), [Phase(DECODE, unloaded_s, end_s)])
        before = account(
            sampler.trace, sampler.channels(), [Phase(DECODE, start_s, start_s + 0.05)]
        )
    assert [line.channel.key for line in later.lines] == ["model:cpu"]
    assert [line.channel.key for line in before.lines] == ["model:cpu"]
    assert later.lines[0].coverage == before.lines[0].coverage == 1.0


def test_a_model_that_is_gone_is_noted_by_itself_and_not_by_whoever_asks(
    home: Path,
    make_channel: MakeChannel,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampler_module, "WATCH_S", 1e9)
    engine = Offloading(12)
    model = make_channel("model:cpu", kind=Kind.MODELLED, period_s=0.01)
    with Sampler(sources=[Model(model)], hz=50) as sampler:
        sampler.wait_ready()
        load(sampler, engine)
        engine.loaded = None  # it crashed
        noted = sampler.trace.unread()
        assert [channel.key for channel in sampler.channels()] == ["model:cpu", "unread:gpu"]
        assert sampler.trace.unread() == noted
    monkeypatch.setattr(sampler_module, "WATCH_S", 0.02)
    with Sampler(sources=[Model(model)], hz=50) as sampler:
        sampler.wait_ready()
        load(sampler, engine)
        engine.loaded = None
        eventually(lambda: sampler.trace.unread()[-1].until_s < math.inf)
        assert [channel.key for channel in sampler.channels()] == ["model:cpu"]


def test_a_model_loaded_again_leaves_the_time_between_whole(
    home: Path, make_channel: MakeChannel
) -> None:
    engine = Offloading(12)
    model = make_channel("model:cpu", kind=Kind.MODELLED, period_s=0.01)
    with Sampler(sources=[Model(model)], hz=50) as sampler:
        sampler.wait_ready()
        load(sampler, engine)
        engine.loaded = None
        sampler.mark()
        between_s = time.monotonic(), read_on(sampler)
        load(sampler, engine)
        end_s = read_on(sampler)
        channels = sampler.channels()
        between = account(sampler.trace, channels, [Phase(DECODE, *between_s)])
        whole = account(sampler.trace, channels, [Phase(DECODE, between_s[0], end_s)])
    assert not is_lower_bound(between)
    assert is_lower_bound(whole)
    assert [line.channel.key for line in whole.lines].count("unread:gpu") == 1


class Slow(Offloading):
    """One whose loads take a moment, in which the sampler finds that no model is there."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__(12)
        self._sampler = sampler

    def load(self, request: Load) -> Iterator[LoadProgress | Loaded]:
        self.loaded, start_s = None, time.monotonic()
        self._sampler.mark()
        read_on(self._sampler)
        self.loaded = Loaded(start_s, time.monotonic(), 512, 2, 12)
        yield self.loaded


def test_each_load_onto_a_silent_gpu_is_one_from_its_beginning(
    home: Path, make_channel: MakeChannel
) -> None:
    """The loader that is asked last knows of its own load only once that is done."""
    model = make_channel("model:cpu", kind=Kind.MODELLED, period_s=0.01)
    with (
        Sampler(sources=[Model(model)], hz=50) as sampler,
        closing(History(database_path())) as history,
    ):
        sampler.wait_ready()
        engine = Slow(sampler)
        of_chat, of_benchmark = (
            Loader(sampler, engine, history)  # type: ignore[arg-type]
            for _ in range(2)
        )
        for loader in (of_chat, of_benchmark, of_chat):
            list(loader.load(Load("m.gguf", 512, 2)))
            phase = loader.take_load()
            assert phase
            read_on(sampler)
            bill = account(sampler.trace, sampler.channels(), [phase])
            (unread,) = (line for line in bill.lines if line.channel.key == "unread:gpu")
            assert unread.duration_s == pytest.approx(phase.end_s - phase.start_s, abs=1e-6)


def test_what_is_known_of_a_part_only_later_takes_the_place_of_what_was_noted(
    make_channel: MakeChannel,
) -> None:
    trace, card, other = Trace(), make_channel("card"), make_channel("other")

    def noted() -> list[tuple[str, float, float]]:
        return [(each.channel.key, each.from_s, each.until_s) for each in trace.unread()]

    trace.note_unread(card, 1.0)
    trace.note_unread(card, 2.0)
    assert noted() == [("card", 1.0, math.inf)]
    trace.note_unread(None, 3.0)
    trace.note_unread(card, 5.0)
    trace.note_unread(card, 4.0)
    assert noted() == [("card", 1.0, 3.0), ("card", 4.0, math.inf)]
    trace.note_unread(card, 2.5)
    assert noted() == [("card", 1.0, math.inf)]
    trace.note_unread(None, 6.0)
    trace.note_unread(card, 8.0)
    trace.note_unread(other, 7.0)
    assert noted() == [("card", 1.0, 6.0), ("other", 7.0, math.inf)]
    trace.note_unread(None, 6.5)
    assert noted() == [("card", 1.0, 6.0)]


@pytest.mark.parametrize(
    ("computed_on", "domain", "kind", "role", "is_covered"),
    [
        (CARD, Domain.GPU, Kind.COUNTER, Role.PART, True),
        (CARD, Domain.SOC, Kind.POWER, Role.PART, True),
        (CARD, Domain.GPU, Kind.COUNTER, Role.INSIDE, False),
        (CARD, Domain.CPU, Kind.COUNTER, Role.PART, False),
        (OWN, Domain.CPU, Kind.COUNTER, Role.PART, True),
        (OWN, Domain.CPU, Kind.MODELLED, Role.PART, False),
        (OWN, Domain.SYSTEM, Kind.POWER, Role.WHOLE, False),
    ],
)
def test_a_gpu_is_covered_by_what_measures_it(
    computed_on: ComputedOn,
    domain: Domain,
    kind: Kind,
    role: Role,
    is_covered: bool,
    make_channel: MakeChannel,
) -> None:
    read = replace(make_channel(kind=kind), domain=domain, role=role)
    assert (unread_part(computed_on, [read]) is None) is is_covered
