"""The staircase of loads that a calibration climbs, and what the sensors read meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import psutil

from monitor.burn import Burner
from monitor.energy.calibration import CannotCalibrate, Floats, Samples
from monitor.engine.client import Engine, EngineError
from monitor.engine.messages import Exercise, Load
from monitor.power.channel import Channel, Domain, Kind, Role
from monitor.power.sampler import Sampler
from monitor.power.trace import Trace

FULL_S, QUICK_S = 600.0, 120.0
"""How long a staircase takes."""

CLIMBS = 2
"""Each step is taken twice, the second time on the way down: what drifts meanwhile shows, and one
climb can be foretold from the other."""

SETTLE_S, SETTLE_SHARE = 3.0, 0.15
"""So long, or this share of a step where that is more, is left out as it begins: a plug lags."""

LEAST_COVERAGE = 0.9
"""A stretch of which less was read is left out."""

BLOCK_S = 2.0
"""Stretches of a step are at least so long."""

TICK_S = 0.25

PREFILL_TOKENS, DECODE_TOKENS = 512, 64
"""What the engine exercises at a time; short enough to be ended soon."""

ALL_LAYERS = -1

LATELY_S = 5.0
"""A channel of the whole machine that was not read for so long tells nothing at present."""


FIRST_S = 10.0
"""For so long a first reading of the whole machine is waited for: a wall plug is asked a second
after all else, and answers over the network."""


class Work(StrEnum):
    """What the machine does on a step."""

    IDLE = "idle"
    ONE_CORE = "one core"
    ALL_CORES = "all cores"
    DECODE = "decode"
    PREFILL = "prefill"
    GPU = "gpu"


Loads = Mapping[Work, Callable[[], AbstractContextManager[object]]]
"""For each step, in the order of the climb, what makes its load for the length of a block."""


@dataclass(frozen=True, slots=True)
class Climbing:
    """Where a climb is.

    :param number: of the step, from 0
    :param count: of all steps
    :param left_s: until the end of the staircase
    """

    work: Work
    number: int
    count: int
    left_s: float


@dataclass(frozen=True, slots=True)
class _Stretch:
    work: Work
    climb: int
    start_s: float
    end_s: float


def whole_channel(sampler: Sampler) -> Channel | None:
    """Return the channel that reads the whole machine best now, ``None`` if none does.

    A plug or battery, which tell watts, before a board's own counter (``psys``), which not every
    board wires up. On mains a battery says nothing, and does not count.
    """
    now_s = time.monotonic()
    wholes = [channel for channel in sampler.channels() if channel.is_machine]
    latest = [(channel, sampler.trace.latest(channel.key)) for channel in wholes]
    read = [channel for channel, last in latest if last and now_s - last[0] < LATELY_S]
    return min(read, key=lambda channel: channel.kind is Kind.COUNTER, default=None)


def await_whole(
    sampler: Sampler, tell: Callable[[Sequence[Channel]], None] | None = None
) -> Channel | None:
    """Return the :func:`whole_channel`, waiting for those that were not read yet.

    Not waited for is what could not be chosen: nothing is better than watts that are read.

    :param sampler: running, and ready
    :param tell: called once, if it has to be waited, with what was not read yet
    """
    end_s = time.monotonic() + FIRST_S
    while True:
        whole = whole_channel(sampler)
        if whole is not None and whole.kind is not Kind.COUNTER:
            return whole
        machine = [channel for channel in sampler.channels() if channel.is_machine]
        unread = [channel for channel in machine if sampler.trace.latest(channel.key) is None]
        if not unread or time.monotonic() > end_s:
            return whole
        if tell:
            tell(unread)
            tell = None
        time.sleep(TICK_S)


def processor_loads() -> Loads:
    """Return the steps that need no model."""
    return {
        Work.IDLE: nullcontext,
        Work.ONE_CORE: lambda: Burner(1),
        Work.ALL_CORES: lambda: Burner(psutil.cpu_count() or 1),
    }


def engine_loads(engine: Engine, request: Load, channels: Sequence[Channel]) -> Loads:
    """Return the steps that llama.cpp makes, on the processor and, if it can use one, on the GPU.

    A GPU that nothing reads has no step: what it draws would be laid to the other channels.

    :param engine: not at work
    :param request: the model
    :param channels: in use; a GPU beside a processor on one chip is read with it, as ``soc``
    :raises EngineError: if the engine does not start
    """
    is_gpu_read = any(
        channel.role is Role.PART and channel.domain in (Domain.GPU, Domain.SOC)
        for channel in channels
    )
    prefill = Exercise(min(PREFILL_TOKENS, request.context // 2), 0)
    on_processor = replace(request, gpu_layers=0)
    on_gpu = replace(request, gpu_layers=ALL_LAYERS)
    loads: dict[Work, Callable[[], AbstractContextManager[object]]] = {
        Work.DECODE: lambda: _exercising(engine, on_processor, Exercise(0, DECODE_TOKENS)),
        Work.PREFILL: lambda: _exercising(engine, on_processor, prefill),
    }
    if is_gpu_read and engine.hello().offload:
        loads[Work.GPU] = lambda: _exercising(engine, on_gpu, prefill)
    return loads


@contextmanager
def _exercising(engine: Engine, request: Load, exercise: Exercise) -> Iterator[None]:
    """Have the engine compute, again and again, for the length of a block.

    :raises EngineError: if the model does not load, or the engine fails meanwhile
    """
    if not engine.has(request):
        for _progress in engine.load(request):
            pass
    ended = threading.Event()
    failed: list[EngineError] = []

    def repeat() -> None:
        try:
            while not ended.is_set():
                for _message in engine.work(exercise):
                    if ended.is_set():
                        engine.cancel()
        except EngineError as error:
            failed.append(error)

    thread = threading.Thread(target=repeat, name="staircase-engine")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        engine.cancel()
        thread.join()
    if failed:
        raise failed[0]


class Staircase:
    """Climbs the steps and back, and keeps when each was.

    :param sampler: running
    :param whole: what reads the whole machine
    :param loads: the steps
    :param total_s: how long all of it takes, beside starting the loads
    :raises CannotCalibrate: if its steps would be too short for the channel of the whole
    """

    def __init__(self, sampler: Sampler, whole: Channel, loads: Loads, total_s: float) -> None:
        self._sampler, self._whole, self._loads = sampler, whole, loads
        self._steps = [*loads, *reversed(list(loads))]
        self._step_s = total_s / len(self._steps)
        self._settle_s = max(SETTLE_S, SETTLE_SHARE * self._step_s, whole.period_s)
        self._block_s = max(BLOCK_S, whole.period_s)
        if self._step_s < self._settle_s + 2 * self._block_s:
            raise CannotCalibrate(
                f"{whole.label} is read every {whole.period_s:g} s only, which is too seldom for "
                f"steps of {self._step_s:.0f} s. Climb the whole staircase instead."
            )
        self._stretches: list[_Stretch] = []

    def climb(self, is_cancelled: Callable[[], bool]) -> Iterator[Climbing]:
        """Take every step, telling four times a second where it is. Ends early if cancelled.

        :raises EngineError: if llama.cpp fails; :class:`OSError` if no process can be started
        """
        count = len(self._steps)
        for number, work in enumerate(self._steps):
            later_s = (count - number - 1) * self._step_s
            yield Climbing(work, number, count, later_s + self._step_s)
            with self._loads[work]():
                start_s = time.monotonic()
                end_s = start_s + self._step_s
                while (left_s := end_s - time.monotonic()) > 0 and not is_cancelled():
                    yield Climbing(work, number, count, later_s + left_s)
                    time.sleep(min(left_s, TICK_S))
                if is_cancelled():
                    return
                self._sampler.wait_until(end_s)
            self._cut(work, number * CLIMBS // count, start_s + self._settle_s, end_s)

    def _cut(self, work: Work, climb: int, start_s: float, end_s: float) -> None:
        """Cut a step into stretches."""
        for n in range(int((end_s - start_s) / self._block_s + 1e-6)):
            at_s = start_s + n * self._block_s
            self._stretches.append(_Stretch(work, climb, at_s, at_s + self._block_s))

    def samples(self) -> Samples:
        """Return what was read on the steps that are taken.

        Parts that were not read on all of them are left out.
        """
        trace, channels = self._sampler.trace, self._sampler.channels()
        whole_w = _watts(trace, self._whole, self._stretches)
        parts = [channel for channel in channels if channel.role is Role.PART]
        read = {part: _watts(trace, part, self._stretches) for part in parts}
        read = {part: watts for part, watts in read.items() if np.isfinite(watts).mean() > 0.5}
        if not read:
            raise CannotCalibrate(
                "No part of this machine was read, so there is nothing to tell the wall's watts "
                "from. `llamawatt sensors` shows what the sensors say."
            )
        columns = np.column_stack(list(read.values()))
        kept = np.isfinite(whole_w) & np.isfinite(columns).all(axis=1)
        return Samples(
            whole=self._whole,
            channels=tuple(read),
            whole_w=whole_w[kept],
            channels_w=columns[kept],
            steps=tuple(s.work for s, keep in zip(self._stretches, kept, strict=True) if keep),
            passes=np.array([s.climb for s in self._stretches], np.int64)[kept],
        )


def _watts(trace: Trace, channel: Channel, stretches: Sequence[_Stretch]) -> Floats:
    """Return a channel's mean watts of each stretch; NaN where it was not read."""
    windows = [trace.window(channel.key, each.start_s, each.end_s) for each in stretches]
    return np.array(
        [
            np.nan if each.mean_w is None or each.coverage < LEAST_COVERAGE else each.mean_w
            for each in windows
        ]
    )
