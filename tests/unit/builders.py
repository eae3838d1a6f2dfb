"""What several unit tests build: small real GGUF files, bills, and queries to store."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFEndian, GGUFReader, GGUFWriter
from llama_cpp._ggml import libggml

from monitor.carbon.intensity import Zone
from monitor.energy.account import WATCH, Bill, Line
from monitor.energy.interval import Interval
from monitor.engine.gguf import ModelInfo
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.power.curve import Curve, Gap
from monitor.recorded import Mark, Recorded, Recording, State
from monitor.store.conversations import Said
from monitor.store.history import History, QueryStart
from monitor.store.outcomes import Outcome
from monitor.store.records import QueryRecord, Seconds, Status, Tokens

F32 = GGMLQuantizationType.F32
REPOSITORY = Path(__file__).resolve().parents[2]
ZONE = Zone("DEU", "Germany", 2024, 344.0)
NOTHING_KNOWN = Bill(())


def write_gguf(
    path: Path,
    *,
    architecture: str = "llama",
    tensors: Sequence[tuple[int, int, GGMLQuantizationType]] = ((2, 256, F32),),
    shape: bool = True,
    tokenizer: bool = True,
    metadata: Callable[[GGUFWriter], None] = lambda writer: None,
    endianess: GGUFEndian = GGUFEndian.LITTLE,
    split_every: int = 0,
) -> Path:
    """Write a GGUF file with the independent package ``gguf``.

    :param tensors: rows, columns and type of each
    :param shape: whether it tells its context, layers and heads
    :param metadata: adds what is special about the file
    :param split_every: tensors a part; the parts are named as llama.cpp names them
    """
    writer = GGUFWriter(path, architecture, endianess=endianess, split_max_tensors=split_every)
    if shape:
        writer.add_context_length(2048)
        writer.add_block_count(2)
        writer.add_embedding_length(64)
        writer.add_head_count(4)
        writer.add_head_count_kv(2)
    if tokenizer:
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(["a", "b", "ü"] * 8)
    metadata(writer)
    for number, (rows, columns, kind) in enumerate(tensors):
        name = f"blk.{number}.attn_q.weight"
        if kind is F32:
            writer.add_tensor(name, np.ones((rows, columns), np.float32))
        else:
            block, block_bytes = engine_tensor_type(kind)
            data = np.ones((rows, columns // block * block_bytes), np.uint8)
            writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@cache
def independent_reader(path: Path) -> GGUFReader:
    """Open a file with the package ``gguf``; it takes seconds for a large vocabulary."""
    return GGUFReader(path)


def engine_tensor_type(kind: int) -> tuple[int, int]:
    """Return elements and bytes a block, as the installed llama.cpp has them; 0 if removed."""
    type_size, block_size = libggml.ggml_type_size, libggml.ggml_blck_size
    type_size.restype, block_size.restype = ctypes.c_size_t, ctypes.c_int64
    return int(block_size(int(kind))), int(type_size(int(kind)))


def channel(
    key: str = "rapl:package-0",
    *,
    domain: Domain = Domain.CPU,
    kind: Kind = Kind.COUNTER,
    role: Role = Role.PART,
    label: str = "CPU package 0",
    below: float = 0.02,
) -> Channel:
    return Channel(
        key=key,
        label=label,
        domain=domain,
        device=key.rpartition(":")[2],
        kind=kind,
        role=role,
        period_s=0.001,
        step_j=6.103515625e-05,
        accuracy=Accuracy(below, 0.03, 0.1, "a datasheet"),
        range_j=262143.32885 if kind is Kind.COUNTER else None,
    )


def half_read(of: Channel) -> Recorded:
    """Return two minutes of 20 W, a mark at the beginning of each; half of the first is not read.

    :param of: of kind power
    """
    time_s = np.concatenate([np.arange(0.0, 30.05, 0.1), np.arange(60.0, 120.05, 0.1)])
    gap = np.where(np.diff(time_s, prepend=0.0) > 1.0, Gap.MISSED, Gap.NONE).astype(np.uint8)
    step_s = np.where(gap, 0.0, np.diff(time_s, prepend=0.0))
    curve = Curve(time_s, np.cumsum(20.0 * step_s), np.full(len(time_s), 20.0), gap)
    empty = Recording(
        "half", "", "", "2026-01-01T00:00:00+00:00", 120.0, State.DONE,
        Bill((Line(of, WATCH, None, None, None, 0, 0.0, 120.0, False),)), ZONE, 1.0,
        (Mark(0.0, "compile"), Mark(60.0, "link")),
    )  # fmt: skip
    curves = {of.key: curve}
    bill = Recorded(empty, curves).cost(0.0, 120.0).bill
    return Recorded(replace(empty, bill=bill), curves)


def silent(of: Channel) -> Recorded:
    """Return 80 s of 100 W that was not read from 10 to 70 s; a mark at 20 s, and one at 50 s.

    :param of: of kind counter
    """
    time_s = np.concatenate([np.arange(0.0, 10.05, 0.1), np.arange(70.0, 80.05, 0.1)])
    gap = np.full(len(time_s), Gap.NONE, np.uint8)
    curve = Curve(time_s, 100.0 * time_s, np.full(len(time_s), 100.0), gap)
    recording = Recording(
        "silent", "", "", "2026-01-01T00:00:00+00:00", 80.0, State.DONE,
        Bill((Line(of, WATCH, None, None, None, 0, 0.0, 80.0, False),)), ZONE, 1.0,
        (Mark(20.0, "compile"), Mark(50.0, "link")),
    )  # fmt: skip
    return Recorded(recording, {of.key: curve})


def line(
    of: Channel, phase: str = "decode", joules: float | None = 12.4, resolved: bool = True
) -> Line:
    """Return a line of a bill; ``None`` joules for a phase in which nothing was read."""
    read = joules is not None
    return Line(
        channel=of,
        phase=phase,
        energy=Interval(joules, 0.1, 0.30000000000000004, 1 / 3) if read else None,
        mean_w=joules / 1.7 if read else None,
        peak_w=31.7 if read else None,
        samples=17 if read else 0,
        coverage=0.9871 if read else 0.0,
        duration_s=1.7,
        resolved=resolved and read,
    )


CPU = channel()
GPU = channel("nvml:gpu-0", domain=Domain.GPU, kind=Kind.POWER, label="GPU 0")
CORES = channel("rapl:core-0", role=Role.INSIDE, label="CPU cores 0")
BILL = Bill(
    tuple(
        line(of, phase, joules)
        for phase, scale in (("load", 5.0), ("prefill", 0.1), ("decode", 1.0))
        for of, joules in ((CPU, 12.4 * scale), (GPU, 40.0 * scale), (CORES, 9.9 * scale))
    )
)
LACKING = Bill(
    tuple(
        line(of, phase, 3.0 if of is CPU else None)
        for phase in ("prefill", "decode")
        for of in (CPU, GPU)
    )
)
"""A bill of a machine whose card was not read."""


def model_info(path: Path = Path("/models/tiny.Q4_K_M.gguf")) -> ModelInfo:
    return ModelInfo(
        path=path,
        size_bytes=1000,
        name="tiny",
        architecture="llama",
        parameters=1_000_000,
        quantisation="Q4_K_M",
        context_length=2048,
        layers=2,
        kv_bytes_per_token=256,
        chat_template=True,
        licence="apache-2.0",
    )


def query_start(**changes: Any) -> QueryStart:
    fields: dict[str, Any] = {
        "kind": "ask",
        "model": model_info(),
        "sha256": "ab" * 32,
        "modified_ns": 5,
        "settings": {
            "llama_cpp": "0.3.36",
            "context": 4096,
            "threads": 2,
            "gpu_layers": -1,
            "temperature": 0.7,
            "top_k": 40,
            "top_p": 0.95,
            "min_p": 0.05,
            "repeat_penalty": 1.0,
            "max_tokens": None,
            "stop": '["\\n\\n"]',
        },
        "seed": 7,
        "system": "",
        "prompt": "What is a watt?",
        "zone": ZONE,
        "pue": 1.0,
        "conversation_id": None,
    }
    return QueryStart(**(fields | changes))


def outcome(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "status": Status.DONE,
        "text": "A joule a second.",
        "tokens": Tokens(prompt=12, reused=3, completion=6, thinking=0),
        "seconds": Seconds(load=0.5, prefill=0.1, first_token=0.12, decode=1.7, total=1.8),
        "bill": BILL,
        "finish_reason": "end",
    }
    return Outcome(**(fields | changes))


def stored_query(history: History, prompt: str = "What is a watt?", **changes: Any) -> QueryRecord:
    """Store a query from its beginning to its end."""
    began = history.begin(query_start(prompt=prompt))
    return history.finish(began.query_id, outcome(**changes))


def said(history: History, conversation_id: str) -> tuple[Said, ...]:
    """Return the messages of the branch of a conversation that is shown."""
    return history.talks.path(history.talks.talk(conversation_id).leaf_id)
