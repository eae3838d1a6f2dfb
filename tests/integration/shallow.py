"""The starter model's first layers alone, which go the way of the whole in a quarter of its time.

For tests of what becomes of answers, whatever they say. Layout: ggml's docs/gguf.md.
"""

import re
import struct
from itertools import pairwise
from pathlib import Path

from gguf import GGUF_DEFAULT_ALIGNMENT

COUNT_AT = 8
"""Where a file says how many tensors it has."""

LAYERS = 8

LAYERS_KEY = b"llama.block_count"
FIRST_TENSOR = b"\x11\0\0\0\0\0\0\0token_embd.weight"
"""What the table of tensors begins with in the starter's file."""


def write_shallow(source: Path, target: Path) -> None:
    """Write the first layers of the starter; all else is as it was."""
    data = source.read_bytes()
    at = data.index(FIRST_TENSOR)
    head = bytearray(data[:at])
    struct.pack_into("<I", head, head.index(LAYERS_KEY) + len(LAYERS_KEY) + 4, LAYERS)
    entries: list[bytes] = []
    offsets: list[int] = []
    for _ in range(struct.unpack_from("<Q", data, COUNT_AT)[0]):
        begin = at
        at += 8 + struct.unpack_from("<Q", data, at)[0]
        at += 4 + 8 * struct.unpack_from("<I", data, at)[0] + 4
        entries.append(data[begin:at])
        offsets.append(struct.unpack_from("<Q", data, at)[0])
        at += 8
    weights = data[_aligned(at) :]
    table, kept, count = bytearray(), bytearray(), 0
    for entry, (begin, end) in zip(entries, pairwise([*offsets, len(weights)]), strict=True):
        layer = re.search(rb"blk\.(\d+)", entry)
        if layer is None or int(layer[1]) < LAYERS:
            table += entry + struct.pack("<Q", len(kept))
            kept += weights[begin:end]
            count += 1
    struct.pack_into("<Q", head, COUNT_AT, count)
    size = len(head) + len(table)
    target.write_bytes(head + table + bytes(_aligned(size) - size) + kept)


def _aligned(size: int) -> int:
    return -(-size // GGUF_DEFAULT_ALIGNMENT) * GGUF_DEFAULT_ALIGNMENT
