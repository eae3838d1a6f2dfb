"""Whether a model fits into the memory that is free, and how long a context would.

What it needs is reckoned by :mod:`monitor.engine.memory`. A model with a sliding window is taken as
if it had none: llama.cpp keeps the whole context unless told otherwise (``swa_full``).
"""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

import pynvml

from monitor.engine.gguf import ModelInfo
from monitor.engine.memory import CONTEXT_STEP, free_ram_bytes, memory_need
from monitor.engine.messages import F16
from monitor.loading import DEFAULT_CONTEXT
from monitor.power.asleep import nvidia_gpus
from monitor.power.nvml.handles import awake_handles, none_to_ask

TIGHT = 0.9
"""Share of what is free from which other programs are likely to be pushed out."""

ALL_LAYERS = -1


@dataclass(frozen=True, slots=True)
class Memory:
    """What is free.

    :param vram_bytes: of all GPUs together that are awake, ``None`` where no GPU can be asked
    :param gpu_sleeps: whether one more is asleep: it is not woken for its memory to be known
    """

    ram_bytes: int
    vram_bytes: int | None = None
    gpu_sleeps: bool = False

    @property
    def total_bytes(self) -> int:
        """What is known to be free, of both together."""
        return self.ram_bytes + (self.vram_bytes or 0)


class Verdict(StrEnum):
    """Whether a model fits."""

    FITS = "fits"
    TIGHT = "tight"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Fit:
    """What a model needs at a context, against what is free.

    :param context: tokens
    :param ram_bytes: main memory it needs
    :param vram_bytes: GPU memory it needs
    :param largest_context: tokens that would fit, at most what the model was made for; 0 if not
      even its weights do
    """

    context: int
    ram_bytes: int
    vram_bytes: int
    free: Memory
    verdict: Verdict
    largest_context: int


def free_memory() -> Memory:
    """Ask how much main and GPU memory is free now, without waking a GPU."""
    on_bus = nvidia_gpus()
    asleep = frozenset(gpu.address for gpu in on_bus if gpu.asleep)
    vram_bytes = None if none_to_ask(on_bus) else _free_vram_bytes(asleep)
    return Memory(free_ram_bytes(), vram_bytes, gpu_sleeps=bool(asleep))


def _free_vram_bytes(asleep: Set[str]) -> int | None:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        free = []
        for _, handle in awake_handles(asleep):
            if isinstance(handle, pynvml.NVMLError):
                return None
            free.append(int(pynvml.nvmlDeviceGetMemoryInfo(handle).free))
        return sum(free) if free else None
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def usual_context(info: ModelInfo) -> int:
    """Return the context a model is loaded with where nobody chose one."""
    return min(DEFAULT_CONTEXT, info.context_length or DEFAULT_CONTEXT)


def fit(
    info: ModelInfo, free: Memory, context: int, kv_type: str = F16, gpu_layers: int = 0
) -> Fit:
    """Lay what a model needs beside what is free.

    Layers are taken to be alike, and what follows the last one (the output) to be one more, which
    llama.cpp offloads last. Their keys and values go with them.

    :param kv_type: one of :data:`monitor.engine.memory.KV_SHARE`
    :param gpu_layers: layers in the GPU's memory, :data:`ALL_LAYERS` for all
    """
    layers = max(info.layers, 1)
    offloaded = layers + 1 if gpu_layers == ALL_LAYERS else min(gpu_layers, layers + 1)
    of_weights, of_cache = offloaded / (layers + 1), min(offloaded, layers) / layers
    need = memory_need(info, context, kv_type)
    vram_fixed = need.weights_bytes * of_weights + (need.overhead_bytes if offloaded else 0)
    ram_fixed = need.weights_bytes * (1 - of_weights) + need.overhead_bytes
    pools = (
        (ram_fixed, need.cache_bytes * (1 - of_cache), free.ram_bytes),
        (vram_fixed, need.cache_bytes * of_cache, free.vram_bytes or 0),
    )
    share = max(_share(fixed + cache, room) for fixed, cache, room in pools)
    return Fit(
        context=context,
        ram_bytes=round(sum(pools[0][:2])),
        vram_bytes=round(sum(pools[1][:2])),
        free=free,
        verdict=_verdict(share),
        largest_context=_largest(
            info.context_length,
            [(room - fixed, cache / context) for fixed, cache, room in pools if fixed + cache],
        ),
    )


def _share(needed: float, room: float) -> float:
    if not needed:
        return 0.0
    return needed / room if room else float("inf")


def _verdict(share: float) -> Verdict:
    if share > 1:
        return Verdict.TOO_LARGE
    return Verdict.TIGHT if share > TIGHT else Verdict.FITS


def _largest(limit: int, pools: list[tuple[float, float]]) -> int:
    """The most tokens for which every memory has room.

    :param limit: what the model was made for, 0 if that is not told
    :param pools: room left by what is fixed, and bytes a token, of each memory
    """
    if any(left < 0 for left, _ in pools):
        return 0
    fits = min((left / each for left, each in pools if each), default=float(limit))
    if limit and fits >= limit:
        return limit
    return int(fits) // CONTEXT_STEP * CONTEXT_STEP
