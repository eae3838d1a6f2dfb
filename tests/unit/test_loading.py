"""What a load takes, what is said of it, and what is kept: nothing here starts llama.cpp."""

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.engine.gguf import ModelFileError, ModelInfo
from monitor.engine.load_log import (
    Placement,
    lock_note,
    offload_note,
    placement,
    why_no_context,
    why_no_model,
)
from monitor.engine.memory import (
    GPU_RESERVE_BYTES,
    gpu_room_bytes,
    largest_context,
    layers_that_fit,
    memory_need,
)
from monitor.engine.messages import Device, Hello
from monitor.loading import DoesNotFit, LoadOptions, LoadProblem, check_memory, ways_out
from monitor.power.cpu import this_processor
from tests.unit.builders import model_info, write_gguf

GIB = 1 << 30
MIB = 1 << 20


@pytest.fixture
def info(tmp_path: Path) -> ModelInfo:
    """A model of 8 GiB in 32 layers, whose token of context takes 128 KiB."""
    path = tmp_path / "large.gguf"
    path.touch()
    return replace(
        model_info(path),
        name="large",
        size_bytes=8 * GIB,
        layers=32,
        kv_bytes_per_token=128 << 10,
        context_length=131072,
    )


@pytest.fixture
def free_ram(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 12 GiB free."""
    monkeypatch.setattr("monitor.loading.free_ram_bytes", lambda: 12 * GIB)


def gpu(free_bytes: int | None, kind: str = "gpu") -> Device:
    return Device("CUDA0", "a card", kind, 24 * GIB, free_bytes)


CPU_ONLY = Hello("0.3.36", False, (gpu(12 * GIB, "cpu"),))
WITH_CARD = Hello("0.3.36", True, (gpu(5 * GIB), gpu(12 * GIB, "cpu")))


# --- options -----------------------------------------------------------------------------


def test_what_is_left_open_is_filled_in(tmp_path: Path) -> None:
    info = model_info(write_gguf(tmp_path / "a.gguf"))
    request = LoadOptions().for_model(info)
    assert (request.context, request.threads) == (2048, this_processor().physical_cores)
    assert (request.gpu_layers, request.kv_type, request.memory_map) == (-1, "f16", "mmap")
    assert LoadOptions(threads=3).for_model(info).threads == 3


def test_settings_of_a_load_like_before_are_stored_as_before(info: ModelInfo) -> None:
    """Their hash tells settings apart: it must not change under what is stored already."""
    request = LoadOptions(threads=2).for_model(info)
    assert LoadOptions.stored(request) == {"context": 4096, "threads": 2, "gpu_layers": -1}
    changed = LoadOptions(threads=2, kv_type="q8_0", memory_map="none").for_model(info)
    assert LoadOptions.stored(changed) == {
        "context": 4096,
        "threads": 2,
        "gpu_layers": -1,
        "kv_type": "q8_0",
        "memory_map": "none",
    }


def test_options_come_back_from_a_row_of_settings(info: ModelInfo) -> None:
    options = LoadOptions(8192, 2, 0, "on", "q4_0", "mlock")
    row = {"llama_cpp": "0.3.36", "temperature": 0.7, **LoadOptions.stored(options.for_model(info))}
    assert LoadOptions.of(row) == options
    old = {"context": 512, "threads": 2, "gpu_layers": None, "kv_type": None}
    assert LoadOptions.of(old) == LoadOptions(512, 2)


@pytest.mark.parametrize(
    "change",
    [{"flash_attention": "on"}, {"kv_type": "q8_0"}, {"memory_map": "none"}, {"gpu_layers": 0}],
)
def test_every_option_makes_another_load(info: ModelInfo, change: dict[str, str]) -> None:
    assert LoadOptions().for_model(info) != LoadOptions(**change).for_model(info)  # type: ignore[arg-type]


def test_quantised_values_without_flash_attention_are_refused_with_two_ways_out(
    info: ModelInfo,
) -> None:
    with pytest.raises(LoadProblem, match="only with flash attention") as refused:
        LoadOptions(kv_type="q8_0", flash_attention="off").for_model(info)
    for remedy in refused.value.remedies:
        assert remedy.options.for_model(info)
    assert [remedy.kind for remedy in refused.value.remedies] == ["flash_attention", "f16"]


def test_a_word_that_is_no_option_is_refused_with_those_that_are(info: ModelInfo) -> None:
    with pytest.raises(LoadProblem, match="f16, q8_0, q4_0"):
        LoadOptions.of({"kv_type": "q2_k"}).for_model(info)


def test_scoring_has_one_way_of_keeping_keys_and_values(info: ModelInfo) -> None:
    request = LoadOptions(kv_type="q8_0", flash_attention="on").for_model(info, sequences=8)
    assert request == LoadOptions().for_model(info, sequences=8)


# --- memory ------------------------------------------------------------------------------


def test_context_takes_what_its_type_takes(info: ModelInfo) -> None:
    """A block of 32 values: 64 bytes, 34 and 18."""
    assert memory_need(info, 8192).cache_bytes == 1 * GIB
    assert memory_need(info, 8192, "q8_0").cache_bytes == GIB * 34 // 64
    assert memory_need(info, 8192, "q4_0").cache_bytes == GIB * 18 // 64
    scoring = memory_need(info, 8192, is_scoring=True)
    assert scoring.cache_bytes == 2 * GIB
    need = memory_need(info, 8192)
    assert need.total_bytes == 8 * GIB + 1 * GIB + need.overhead_bytes


def test_largest_context_fits_and_the_next_does_not(info: ModelInfo) -> None:
    need, free_bytes = memory_need(info, 8192), 10 * GIB
    most = largest_context(need, 8192, free_bytes)
    assert most % 256 == 0
    assert memory_need(info, most).total_bytes <= free_bytes
    assert memory_need(info, most + 256).total_bytes > free_bytes
    assert largest_context(need, 8192, 8 * GIB) == 0


def test_gpu_room_leaves_a_reserve_on_each_card_and_ignores_the_processor() -> None:
    devices = [gpu(6 * GIB), gpu(3 * GIB), gpu(GIB // 2), gpu(64 * GIB, "cpu")]
    assert gpu_room_bytes(devices) == (6 + 3) * GIB - 2 * GPU_RESERVE_BYTES
    assert gpu_room_bytes([gpu(6 * GIB, "igpu")]) == 5 * GIB
    assert gpu_room_bytes([gpu(6 * GIB, "igpu"), gpu(3 * GIB)]) == 2 * GIB
    assert gpu_room_bytes([gpu(None)]) is None
    assert gpu_room_bytes([gpu(64 * GIB, "cpu")]) is None


@pytest.mark.parametrize(
    ("room_gib", "context", "kv_type", "layers"),
    [
        (24, 8192, "f16", 33),
        (9, 8192, "f16", 33),  # weights and cache to the byte
        (8.9, 8192, "f16", 31),
        (4.5, 8192, "f16", 16),
        (4.5, 40960, "f16", 11),  # 13 GiB: a longer context leaves room for fewer
        (4.5, 40960, "q4_0", 15),
        (0.1, 8192, "f16", 0),
        (0, 8192, "f16", 0),
    ],
)
def test_layers_on_the_gpu_follow_its_free_memory(
    info: ModelInfo, room_gib: float, context: int, kv_type: str, layers: int
) -> None:
    need = memory_need(info, context, kv_type)
    assert layers_that_fit(info, need, round(room_gib * GIB)) == layers


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.usefixtures("free_ram")
def test_a_context_that_does_not_fit_is_refused_with_one_that_does(info: ModelInfo) -> None:
    options = LoadOptions(context=65536, threads=2)
    with pytest.raises(DoesNotFit, match=r"needs about 8\.0 GiB .* Up to 30976 tokens") as refused:
        check_memory(info, options, options.for_model(info), CPU_ONLY)
    assert isinstance(refused.value, ModelFileError)
    (remedy,) = refused.value.remedies
    assert remedy.kind == "context"
    assert remedy.options == LoadOptions(context=4096, threads=2)
    check_memory(info, remedy.options, remedy.options.for_model(info), CPU_ONLY)


@pytest.mark.usefixtures("free_ram")
def test_smaller_keys_and_values_are_offered_where_they_make_it_fit(info: ModelInfo) -> None:
    options = LoadOptions(context=40960)
    with pytest.raises(DoesNotFit) as refused:
        check_memory(info, options, options.for_model(info), CPU_ONLY)
    first, second = refused.value.remedies
    assert (first.kind, first.options.context, first.options.kv_type) == ("kv_type", 40960, "q8_0")
    assert second.kind == "context"
    check_memory(info, first.options, first.options.for_model(info), CPU_ONLY)


@pytest.mark.usefixtures("free_ram")
def test_where_4096_tokens_do_not_fit_what_does_is_offered(info: ModelInfo) -> None:
    tight = replace(info, size_bytes=round(11.6 * GIB))
    options = LoadOptions()
    with pytest.raises(DoesNotFit) as refused:
        check_memory(tight, options, options.for_model(tight), CPU_ONLY)
    remedy = refused.value.remedies[-1]
    assert remedy.kind == "context"
    assert remedy.options.context is not None
    assert 256 <= remedy.options.context < 4096
    check_memory(tight, remedy.options, remedy.options.for_model(tight), CPU_ONLY)


@pytest.mark.usefixtures("free_ram")
def test_a_model_that_never_fits_has_no_way_out_but_another(info: ModelInfo) -> None:
    huge = replace(info, size_bytes=40 * GIB)
    with pytest.raises(DoesNotFit, match="Choose a smaller model") as refused:
        check_memory(huge, LoadOptions(), LoadOptions().for_model(huge), CPU_ONLY)
    assert refused.value.remedies == ()


@pytest.mark.usefixtures("free_ram")
def test_memory_of_cards_counts_where_layers_go_there(info: ModelInfo) -> None:
    larger = replace(info, size_bytes=14 * GIB)
    on_card, on_cpu = LoadOptions(), LoadOptions(gpu_layers=0)
    check_memory(larger, on_card, on_card.for_model(larger), WITH_CARD)
    with pytest.raises(DoesNotFit):
        check_memory(larger, on_cpu, on_cpu.for_model(larger), WITH_CARD)
    # A processor's own GPU draws on the same memory.
    shared = Hello("0.3.36", True, (gpu(12 * GIB, "igpu"),))
    with pytest.raises(DoesNotFit):
        check_memory(larger, on_card, on_card.for_model(larger), shared)
    # What is not told is not held against a model.
    unknown = Hello("0.3.36", True, (gpu(None),))
    check_memory(replace(info, size_bytes=40 * GIB), on_card, on_card.for_model(info), unknown)


@pytest.mark.usefixtures("free_ram")
def test_ways_out_are_those_that_change_something(info: ModelInfo) -> None:
    def kinds(options: LoadOptions, hello: Hello) -> list[str]:
        return [each.kind for each in ways_out(info, options, options.for_model(info), hello)]

    assert kinds(LoadOptions(), CPU_ONLY) == []
    assert kinds(LoadOptions(), WITH_CARD) == ["cpu"]
    assert kinds(LoadOptions(gpu_layers=0), WITH_CARD) == []
    assert kinds(LoadOptions(16384, memory_map="mlock"), CPU_ONLY) == ["context", "no_mlock"]
    assert kinds(LoadOptions(kv_type="q4_0"), CPU_ONLY) == ["f16"]


# --- what llama.cpp logs -----------------------------------------------------------------


def placed_log(*devices: str) -> str:
    return "\n".join(
        f"load_tensors: layer {n:3d} assigned to device {device}, is_swa = 0"
        for n, device in enumerate(devices)
    )


def test_layers_are_counted_where_they_really_are() -> None:
    log = placed_log("CPU", "CUDA0", "CUDA1") + "\nload_tensors: offloaded 3/3 layers to GPU"
    assert placement(log) == Placement(2, 3)
    assert placement("load_tensors: offloaded 12/33 layers to GPU") == Placement(12, 33)
    assert placement("llama_context: n_ctx = 512") is None


@pytest.mark.parametrize(
    ("asked", "placed", "can_offload", "said"),
    [
        (-1, Placement(33, 33), True, ""),
        (-1, Placement(20, 33), True, "20 of 33 layers fit"),
        (-1, Placement(0, 33), False, ""),
        (20, Placement(20, 33), True, ""),
        (99, Placement(33, 33), True, ""),
        (20, Placement(7, 33), True, "20 of 33 layers were to be on a GPU and 7 are"),
        (1, Placement(0, 33), False, "1 of 33 layers were to be on a GPU, but"),
        (0, Placement(0, 33), True, ""),
        (20, None, True, ""),
    ],
)
def test_what_was_asked_is_held_against_what_is(
    asked: int, placed: Placement | None, can_offload: bool, said: str
) -> None:
    note = offload_note(asked, placed, can_offload)
    assert note.startswith(said)
    assert bool(note) == bool(said)


def test_refused_lock_and_causes_of_failure_are_read_from_the_log() -> None:
    warning = "warning: failed to mlock 31866880-byte buffer (after previously locking 0 bytes)"
    assert "swapped out" in lock_note(warning)
    assert lock_note("load_tensors: (load_mode = mmap+mlock)") == ""
    lack = "ggml_gallocr: failed to allocate CUDA0 buffer of size 8589934592"
    assert "Put fewer layers on the GPU" in why_no_model(f"x\n{lack}\nllama_load: failed")
    assert lack in why_no_model(f"x\n{lack}\nllama_load: failed")
    assert "architecture newer" in why_no_model("error loading model: unknown architecture")
    refusal = (
        "llama_init_from_model: K cache type q8_0 with block size 32 does not divide "
        "n_embd_head_k=40"
    )
    assert "does not divide n_embd_head_k=40" in why_no_context(refusal, 512)
    assert "not enough memory for a context of 512" in why_no_context("", 512)
