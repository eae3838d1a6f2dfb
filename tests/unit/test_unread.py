"""A model on a GPU that tells no power: the total is known from below only, and says so."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.energy.account import DECODE, Bill, Phase, account
from monitor.energy.parts import is_lower_bound
from monitor.engine.messages import Device, Hello, Load, Loaded, LoadProgress
from monitor.loading import Loader
from monitor.paths import database_path
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.sampler import Sampler
from monitor.power.unread import ComputedOn, unread_part
from monitor.report import total_words, unread_notes
from monitor.store.history import History
from tests.unit.conftest import MakeChannel

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
        now_s = time.monotonic()
        self.loaded = Loaded(now_s - 0.1, now_s, 512, 2, self._layers)
        yield self.loaded


def billed_after_load(sampler: Sampler, layers_offloaded: int) -> Bill:
    with closing(History(database_path())) as history:
        loader = Loader(sampler, Offloading(layers_offloaded), history)  # type: ignore[arg-type]
        list(loader.load(Load("m.gguf", 512, 2)))
    start_s = time.monotonic()
    end_s = start_s + 0.2
    while time.monotonic() < end_s:
        sampler.wait_until(end_s)
    return account(sampler.trace, sampler.channels(), [Phase(DECODE, start_s, end_s)])


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
