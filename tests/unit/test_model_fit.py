"""What a model needs is laid beside what is free, in main memory and on GPUs."""

from dataclasses import replace

import pynvml
import pytest

from monitor.engine.memory import KV_SHARE, OVERHEAD_BYTES, memory_need
from monitor.models.fit import (
    ALL_LAYERS,
    Fit,
    Memory,
    Verdict,
    fit,
    free_memory,
    usual_context,
)
from tests.unit.builders import model_info

GIB = 1 << 30

MODEL = replace(
    model_info(), size_bytes=4 * GIB, layers=32, context_length=32768, kv_bytes_per_token=131072
)
"""Of the size of an 8B at four bits; 4096 tokens take 512 MiB."""


def at(free_gib: float, context: int = 4096, **options: object) -> Fit:
    return fit(MODEL, Memory(round(free_gib * GIB)), context, **options)  # type: ignore[arg-type]


def test_what_is_needed_is_what_a_load_is_checked_by() -> None:
    assert at(16).ram_bytes == memory_need(MODEL, 4096).total_bytes
    assert at(16).ram_bytes == 4 * GIB + GIB // 2 + OVERHEAD_BYTES
    assert at(16).vram_bytes == 0


@pytest.mark.parametrize(
    ("free_gib", "verdict"),
    [
        (16, Verdict.FITS),
        (5, Verdict.TIGHT),
        (4.5, Verdict.TOO_LARGE),
        (0, Verdict.TOO_LARGE),
    ],
)
def test_what_nearly_fills_the_memory_is_tight(free_gib: float, verdict: Verdict) -> None:
    assert at(free_gib).verdict is verdict


@pytest.mark.parametrize("free_gib", [4.3, 5, 6.1, 7.77])
def test_the_largest_context_fits_and_the_next_does_not(free_gib: float) -> None:
    largest = at(free_gib).largest_context
    assert largest % 256 == 0
    assert at(free_gib, largest).verdict is not Verdict.TOO_LARGE
    assert at(free_gib, largest + 256).verdict is Verdict.TOO_LARGE


def test_no_context_is_larger_than_the_model_was_made_for() -> None:
    assert at(64).largest_context == 32768
    assert at(4).largest_context == 0


def test_smaller_keys_and_values_leave_room_for_more_context() -> None:
    rooms = [at(6, kv_type=kv_type).largest_context for kv_type in ("f16", "q8_0", "q4_0")]
    assert rooms == sorted(rooms)
    assert rooms[1] / rooms[0] == pytest.approx(64 / 34, rel=0.05)
    assert set(KV_SHARE) >= {"f16", "q8_0", "q4_0"}


def test_layers_on_a_gpu_move_weights_and_context_there() -> None:
    free = Memory(16 * GIB, 24 * GIB)
    whole = fit(MODEL, free, 4096, gpu_layers=ALL_LAYERS)
    assert whole.ram_bytes == OVERHEAD_BYTES
    assert whole.vram_bytes == 4 * GIB + GIB // 2 + OVERHEAD_BYTES
    half = fit(MODEL, free, 4096, gpu_layers=16)
    assert half.vram_bytes == pytest.approx(4 * GIB * 16 / 33 + GIB / 4 + OVERHEAD_BYTES, rel=1e-6)
    assert half.ram_bytes + half.vram_bytes == pytest.approx(
        whole.ram_bytes + whole.vram_bytes, rel=1e-6
    )
    assert fit(MODEL, free, 4096, gpu_layers=99) == whole


def test_the_scarcer_memory_decides() -> None:
    small_gpu = Memory(64 * GIB, 2 * GIB)
    assert fit(MODEL, small_gpu, 4096, gpu_layers=ALL_LAYERS).verdict is Verdict.TOO_LARGE
    assert fit(MODEL, small_gpu, 4096, gpu_layers=8).verdict is Verdict.FITS
    assert fit(MODEL, small_gpu, 4096).verdict is Verdict.FITS
    assert fit(MODEL, Memory(64 * GIB), 4096, gpu_layers=1).verdict is Verdict.TOO_LARGE


def test_a_model_that_tells_little_is_reckoned_by_its_size() -> None:
    silent = replace(MODEL, layers=0, context_length=0, kv_bytes_per_token=0)
    assert fit(silent, Memory(8 * GIB), 4096).verdict is Verdict.FITS
    assert usual_context(silent) == 4096
    assert usual_context(replace(MODEL, context_length=512)) == 512


def test_free_memory_is_asked_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    free = free_memory()
    assert free.ram_bytes > 0

    def fail() -> None:
        raise pynvml.NVMLError_LibraryNotFound

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert free_memory().vram_bytes is None
