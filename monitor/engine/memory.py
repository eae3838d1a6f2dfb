"""How much memory a load takes, and how much of a model the free memory of GPUs holds.

All of it is reckoned before anything is loaded, from what the file says of itself. Where a figure
cannot be known, the larger one is taken: a load that is refused wrongly can be insisted on, one
that drags the machine into swapping cannot be taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from monitor.engine.gguf import ModelInfo
from monitor.engine.messages import F16, Device

KV_SHARE = {F16: 1.0, "q8_0": 34 / 64, "q4_0": 18 / 64}
"""What keys and values take, against 16 bits each: bytes of ggml's blocks of 32 (ggml-common.h)."""

SCORING_SHARE = 2.0
"""Keys and values of 32 bits, which choices are scored with."""

OVERHEAD_BYTES = 200 << 20
"""The engine's process itself and llama.cpp's compute buffers, at least."""

GPU_RESERVE_BYTES = 1 << 30
"""Left free on each GPU for compute buffers and for who else draws on it; llama.cpp's own margin
(the default of its ``--fit-target``)."""

CONTEXT_STEP = 256
"""llama.cpp rounds contexts up to this many tokens."""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a load takes of the memory.

    :param weights_bytes: the model itself
    :param cache_bytes: keys and values of the whole context
    :param overhead_bytes: the engine's process and its compute buffers, at least
    """

    weights_bytes: int
    cache_bytes: int
    overhead_bytes: int

    @property
    def fixed_bytes(self) -> int:
        """All but the context's share."""
        return self.weights_bytes + self.overhead_bytes

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.fixed_bytes + self.cache_bytes


def memory_need(
    info: ModelInfo, context: int, kv_type: str = F16, is_scoring: bool = False
) -> MemoryNeed:
    """Return what a load takes, wherever it is put.

    :param context: tokens
    :param kv_type: one of :data:`KV_SHARE`
    :param is_scoring: choices are to be scored: keys and values take 32 bits whatever ``kv_type``
      says, and logits of many positions are kept
    """
    share = SCORING_SHARE if is_scoring else KV_SHARE[kv_type]
    return MemoryNeed(
        weights_bytes=info.size_bytes,
        cache_bytes=round(info.kv_bytes_per_token * context * share),
        overhead_bytes=OVERHEAD_BYTES * (2 if is_scoring else 1),
    )


def largest_context(need: MemoryNeed, context: int, free_bytes: int) -> int:
    """Return the tokens of context that fit, in steps of 256; 0 if not even the model does.

    :param need: what ``context`` tokens take
    """
    room_bytes = free_bytes - need.fixed_bytes
    if room_bytes <= 0 or not need.cache_bytes:
        return 0
    return room_bytes * context // need.cache_bytes // CONTEXT_STEP * CONTEXT_STEP


def free_ram_bytes() -> int:
    """Return the memory that programs can still get without swapping."""
    return int(psutil.virtual_memory().available)


def gpus_of(devices: Sequence[Device]) -> list[Device]:
    """Return the devices that layers are put on: cards, or if there is none the processor's GPU."""
    cards = [device for device in devices if device.kind == "gpu"]
    return cards or [device for device in devices if device.kind == "igpu"]


def gpu_room_bytes(devices: Sequence[Device]) -> int | None:
    """Return what GPUs have free for a model; ``None`` without one, or where one does not tell."""
    gpus, room_bytes = gpus_of(devices), 0
    for device in gpus:
        if device.free_bytes is None:
            return None
        room_bytes += max(device.free_bytes - GPU_RESERVE_BYTES, 0)
    return room_bytes if gpus else None


def layers_that_fit(info: ModelInfo, need: MemoryNeed, room_bytes: int) -> int:
    """Return how many layers fit on GPUs, from 0 to all of them and the output's.

    Layers count as equally large, embeddings and output among them, each with its share of keys
    and values. llama.cpp divides them over several GPUs in proportion to their free memory.

    :param room_bytes: see :func:`gpu_room_bytes`
    """
    if need.weights_bytes + need.cache_bytes <= room_bytes:
        return info.layers + 1
    return min(room_bytes // layer_bytes(info, need), info.layers)


def layer_bytes(info: ModelInfo, need: MemoryNeed) -> int:
    """Return what a layer with its keys and values takes, at most."""
    return max(-(-(need.weights_bytes + need.cache_bytes) // max(info.layers, 1)), 1)
