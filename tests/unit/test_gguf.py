"""What is on disk is told rightly, and what would crash llama.cpp is refused with a way out."""

import math
import os
import random
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from gguf import (
    GGMLQuantizationType,
    GGUFEndian,
    GGUFWriter,
    LlamaFileType,
    PoolingType,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.engine.gguf import FILE_TYPES, TENSOR_TYPES, ModelFileError, read_model_info
from tests.unit.builders import F32, engine_tensor_type, independent_reader, write_gguf


def refusal(path: Path) -> str:
    with pytest.raises(ModelFileError) as refused:
        read_model_info(path)
    return str(refused.value)


# --- sound files -------------------------------------------------------------------------


def test_the_starter_is_described_as_an_independent_reader_describes_it(starter: Path) -> None:
    info, reader = read_model_info(starter), independent_reader(starter)

    def field(key: str) -> object:
        return reader.fields[key].contents()

    assert info.parameters == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert info.context_length == field("llama.context_length")
    assert info.layers == field("llama.block_count")
    assert info.licence == field("general.license")
    assert info.architecture == field("general.architecture")
    assert info.chat_template is bool(field("tokenizer.chat_template"))
    assert LlamaFileType(field("general.file_type")).name == f"MOSTLY_{info.quantisation}"
    assert info.size_bytes == starter.stat().st_size
    assert info.kv_bytes_per_token == (
        field("llama.block_count")
        * field("llama.attention.head_count_kv")
        * (2 * field("llama.embedding_length") // field("llama.attention.head_count"))
        * 2
    )


def test_the_starter_is_called_by_its_file_without_the_quantisation(starter: Path) -> None:
    info = read_model_info(starter)
    assert (info.name, info.quantisation) == ("SmolLM2-135M-Instruct", "Q4_1")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Qwen2.5-7B-Q4_K_M.gguf", "Qwen2.5-7B"),
        ("qwen2.5-7b.q4_k_m.gguf", "qwen2.5-7b"),
        ("Qwen2.5-7B_Q4_K_M.gguf", "Qwen2.5-7B"),
        ("Qwen2.5-7B.gguf", "Qwen2.5-7B"),
        ("Qwen2.5-7B-Q8_0.gguf", "Qwen2.5-7B-Q8_0"),  # says one thing, holds another: kept
        ("Q4_K_M.gguf", "Q4_K_M"),
    ],
)
def test_the_name_is_the_files_without_the_quantisation_it_holds(
    tmp_path: Path, file: str, name: str
) -> None:
    path = write_gguf(tmp_path / file, metadata=lambda w: w.add_file_type(15))
    assert read_model_info(path).name == name


WRITTEN_TYPES = [
    (GGMLQuantizationType.F32, LlamaFileType.ALL_F32, "F32"),
    (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16, "F16"),
    (GGMLQuantizationType.BF16, LlamaFileType.MOSTLY_BF16, "BF16"),
    (GGMLQuantizationType.Q4_0, LlamaFileType.MOSTLY_Q4_0, "Q4_0"),
    (GGMLQuantizationType.Q5_1, LlamaFileType.MOSTLY_Q5_1, "Q5_1"),
    (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0, "Q8_0"),
    (GGMLQuantizationType.Q2_K, LlamaFileType.MOSTLY_Q2_K, "Q2_K"),
    (GGMLQuantizationType.Q4_K, LlamaFileType.MOSTLY_Q4_K_M, "Q4_K_M"),
    (GGMLQuantizationType.Q6_K, LlamaFileType.MOSTLY_Q6_K, "Q6_K"),
    (GGMLQuantizationType.IQ4_XS, LlamaFileType.MOSTLY_IQ4_XS, "IQ4_XS"),
    (GGMLQuantizationType.TQ2_0, LlamaFileType.MOSTLY_TQ2_0, "TQ2_0"),
    (GGMLQuantizationType.MXFP4, LlamaFileType.MOSTLY_MXFP4_MOE, "MXFP4"),
]


@pytest.mark.parametrize(("kind", "file_type", "name"), WRITTEN_TYPES, ids=lambda v: str(v))
def test_every_quantisation_is_counted_named_and_checked_to_its_last_byte(
    tmp_path: Path, kind: GGMLQuantizationType, file_type: LlamaFileType, name: str
) -> None:
    path = write_gguf(
        tmp_path / "model.gguf",
        tensors=[(32, 256, kind), (1, 256, F32)],
        metadata=lambda w: w.add_file_type(int(file_type)),
    )
    info = read_model_info(path)
    assert (info.parameters, info.quantisation) == (33 * 256, name)
    os.truncate(path, path.stat().st_size - 1)
    assert "cut short" in refusal(path)


def test_without_a_stated_quantisation_the_type_of_most_weights_is_named(tmp_path: Path) -> None:
    path = write_gguf(
        tmp_path / "model.gguf",
        tensors=[(1, 256, F32), (1, 256, F32), (8, 256, GGMLQuantizationType.Q5_K)],
    )
    assert read_model_info(path).quantisation == "Q5_K"


@pytest.mark.parametrize("kind", range(llama_cpp.GGML_TYPE_COUNT))
def test_tensor_types_are_those_of_the_installed_llama_cpp(kind: int) -> None:
    block, block_bytes = engine_tensor_type(kind)
    if block == 0:
        assert kind not in TENSOR_TYPES, "a type llama.cpp has removed"
    else:
        assert TENSOR_TYPES.get(kind, ())[1:] == (block, block_bytes)


ENGINE_FILE_TYPES = {
    getattr(llama_cpp, name): name.removeprefix("LLAMA_FTYPE_").split("_", 1)[1]
    for name in dir(llama_cpp)
    if name.startswith(("LLAMA_FTYPE_ALL_", "LLAMA_FTYPE_MOSTLY_"))
}


@pytest.mark.parametrize(("number", "name"), sorted(ENGINE_FILE_TYPES.items()))
def test_quantisations_are_called_as_the_installed_llama_cpp_calls_them(
    number: int, name: str
) -> None:
    assert FILE_TYPES.get(number) == name.removesuffix("_MOE")


def _every_value_type(writer: GGUFWriter) -> None:
    writer.add_uint8("x.u8", 255)
    writer.add_int8("x.i8", -1)
    writer.add_uint16("x.u16", 65535)
    writer.add_int16("x.i16", -1)
    writer.add_int32("x.i32", -1)
    writer.add_uint64("x.u64", 2**64 - 1)
    writer.add_int64("x.i64", -1)
    writer.add_float32("x.f32", 1.5)
    writer.add_float64("x.f64", 1e300)
    writer.add_bool("x.bool", True)
    writer.add_string("x.text", "ünïcode \n\0")
    writer.add_string("x.empty", "")
    writer.add_array("x.words", ["", "a", "ü" * 300] * 40)
    writer.add_array("x.floats", [0.5] * 1000)
    writer.add_array("x.few", [1, 2, 3])
    writer.add_array("x.nested", [[1, 2], [3, 4]])
    writer.add_license("mit")  # read only if everything before it was walked exactly


def test_every_type_of_metadata_is_walked_to_what_follows(tmp_path: Path) -> None:
    info = read_model_info(write_gguf(tmp_path / "m.gguf", metadata=_every_value_type))
    assert (info.licence, info.parameters) == ("mit", 512)


def test_an_unusual_alignment_does_not_make_a_whole_file_look_cut(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", metadata=lambda w: w.add_custom_alignment(1024))
    assert read_model_info(path).parameters == 512
    os.truncate(path, path.stat().st_size - 1024)
    assert "cut short" in refusal(path)


def test_version_2_files_are_read(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf")
    content = bytearray(path.read_bytes())
    content[4:8] = struct.pack("<I", 2)
    path.write_bytes(content)
    assert read_model_info(path).parameters == 512


def test_a_file_that_tells_little_is_described_without_guesses(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", shape=False)
    info = read_model_info(path)
    assert (info.context_length, info.layers, info.kv_bytes_per_token) == (0, 0, 0)
    assert (info.licence, info.chat_template) == ("", False)


def test_a_file_with_a_chat_template_says_so(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", metadata=lambda w: w.add_chat_template("{{ 1 }}"))
    assert read_model_info(path).chat_template is True


@pytest.mark.parametrize("layers", [4, 16, 40, 120])
def test_key_value_memory_of_layers_that_differ_is_an_upper_estimate(
    tmp_path: Path, layers: int
) -> None:
    heads = [8 if layer % 4 == 0 else 0 for layer in range(layers)]

    def metadata(writer: GGUFWriter) -> None:
        writer.add_block_count(layers)
        writer.add_embedding_length(64)
        writer.add_head_count(4)
        writer.add_head_count_kv(heads)

    info = read_model_info(write_gguf(tmp_path / "m.gguf", shape=False, metadata=metadata))
    bytes_a_head = 2 * (64 // 4) * 2
    assert sum(heads) * bytes_a_head <= info.kv_bytes_per_token
    assert info.kv_bytes_per_token <= layers * max(heads) * bytes_a_head


def test_stated_key_and_value_lengths_are_used_for_the_memory(tmp_path: Path) -> None:
    def metadata(writer: GGUFWriter) -> None:
        writer.add_key_length(100)
        writer.add_value_length(60)

    info = read_model_info(write_gguf(tmp_path / "m.gguf", metadata=metadata))
    assert info.kv_bytes_per_token == 2 * 2 * (100 + 60) * 2


# --- split files -------------------------------------------------------------------------


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    write_gguf(tmp_path / "big.gguf", tensors=[(1, 256, F32)] * 3, split_every=1)
    return sorted(tmp_path.glob("big-*.gguf"))


def test_all_parts_of_a_split_model_count(parts: list[Path]) -> None:
    info = read_model_info(parts[0])
    assert [part.name for part in parts] == [f"big-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert info.parameters == 3 * 256
    assert info.size_bytes == sum(part.stat().st_size for part in parts)
    assert info.name == "big"


def test_a_missing_part_is_named(parts: list[Path]) -> None:
    parts[1].unlink()
    message = refusal(parts[0])
    assert parts[1].name in message
    assert "Put all parts into one folder" in message


def test_a_later_part_names_the_one_to_open(parts: list[Path]) -> None:
    assert f"Open {parts[0].name} instead" in refusal(parts[2])


def test_a_later_part_that_is_cut_is_noticed_and_named(parts: list[Path]) -> None:
    os.truncate(parts[2], parts[2].stat().st_size - 64)
    message = refusal(parts[0])
    assert parts[2].name in message
    assert "Download the file again" in message


# --- what is refused ---------------------------------------------------------------------


def _file(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "model.gguf"
        path.write_bytes(content)
        return path

    return write


def _other_file(folder: Path) -> Path:
    (folder / "model.bin").write_bytes(b"Hello, world")
    return folder / "model.bin"


def _folder(folder: Path) -> Path:
    (folder / "model.gguf").mkdir()
    return folder / "model.gguf"


NESTED = b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 9) + struct.pack("<IQ", 9, 1) * 5000
VERSION_1 = b"GGUF" + struct.pack("<III", 1, 1, 1) + bytes(64)


@pytest.mark.parametrize(
    ("make", "telling"),
    [
        pytest.param(lambda f: f / "gone.gguf", ("There is no file", "gone.gguf"), id="missing"),
        pytest.param(_folder, ("is a folder", "Name the .gguf file"), id="folder"),
        pytest.param(_file(b""), ("is empty", "Download the file again"), id="empty"),
        pytest.param(
            _file(b"Hello, world"),
            ("not a GGUF file, whatever its name says", "Download"),
            id="text",
        ),
        pytest.param(_file(b"PK\3\4" + bytes(90)), ("not a GGUF file",), id="zip"),
        pytest.param(_other_file, ("model.bin is not a GGUF file", "end in .gguf"), id="bin"),
        pytest.param(
            _file(b"\n <!DOCTYPE html><html>404</html>"),
            ("is a web page", "direct link"),
            id="web page",
        ),
        pytest.param(
            _file(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 98\n"),
            ("Git LFS pointer", "git lfs pull"),
            id="LFS pointer",
        ),
        pytest.param(_file(b"GGUF"), ("cut short", "Download the file again"), id="magic alone"),
        pytest.param(_file(VERSION_1), ("version 1", "Convert it again"), id="version 1"),
        pytest.param(
            _file(b"GGUF" + struct.pack("<IQQ", 3, 2**40, 1) + bytes(64)),
            ("damaged", "Download it again"),
            id="absurd count of tensors",
        ),
        pytest.param(
            _file(b"GGUF" + struct.pack("<IQQ", 3, 1, 2**63) + bytes(64)),
            ("damaged", "Download it again"),
            id="absurd count of metadata",
        ),
        pytest.param(
            _file(b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 99) + bytes(64)),
            ("damaged", "unknown type 99", "Download the file again"),
            id="unknown type of metadata",
        ),
        pytest.param(_file(NESTED), ("damaged", "Download the file again"), id="endless nesting"),
        pytest.param(
            lambda f: write_gguf(f / "m.gguf", endianess=GGUFEndian.BIG),
            ("big-endian", "Convert it again"),
            id="big-endian",
        ),
        pytest.param(
            lambda f: write_gguf(f / "m.gguf", tensors=[]),
            ("vocabulary but no weights", "Download the full model"),
            id="vocabulary only",
        ),
        pytest.param(
            lambda f: write_gguf(f / "m.gguf", tokenizer=False),
            ("carries no tokenizer",),
            id="no tokenizer",
        ),
        pytest.param(
            lambda f: write_gguf(f / "m.gguf", architecture="clip", tokenizer=False),
            ("vision part", "Open the language model"),
            id="vision projector",
        ),
        pytest.param(
            lambda f: write_gguf(f / "m.gguf", architecture=""),
            ("does not say what kind of model",),
            id="no architecture",
        ),
        *(
            pytest.param(
                lambda f, a=architecture: write_gguf(f / "m.gguf", architecture=a),
                ("embedding model", architecture, "Choose an instruct or chat model"),
                id=architecture,
            )
            for architecture in ("bert", "nomic-bert", "modern-bert", "t5encoder")
        ),
        pytest.param(
            lambda f: write_gguf(
                f / "m.gguf", metadata=lambda w: w.add_pooling_type(PoolingType.MEAN)
            ),
            ("embedding model",),
            id="pooled",
        ),
    ],
)
def test_what_cannot_chat_is_refused_with_the_way_out(
    tmp_path: Path, make: Callable[[Path], Path], telling: tuple[str, ...]
) -> None:
    message = refusal(make(tmp_path))
    for words in telling:
        assert words in message


def test_a_name_the_file_system_does_not_take_is_refused_with_the_reason(tmp_path: Path) -> None:
    assert "cannot be read: File name too long" in refusal(tmp_path / f"{'x' * 300}.gguf")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf")
    path.chmod(0)
    assert "cannot be read: Permission denied" in refusal(path)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", tensors=[(1, 64, F32), (4, 64, F32)])
    size = path.stat().st_size
    assert read_model_info(path).parameters == 320, "whole, it is accepted"
    for cut in range(size - 1, -1, -1):
        os.truncate(path, cut)
        message = refusal(path)
        assert "again" in message or "not a GGUF" in message, f"cut at {cut} of {size}"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "m.gguf"
    return write_gguf(path, metadata=_every_value_type)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_bytes_changed_anywhere_in_the_head_end_in_a_description_or_a_refusal(
    sound: Path, data: st.DataObject
) -> None:
    content = bytearray(sound.read_bytes())
    head = len(content) - 2048
    changed = data.draw(st.dictionaries(st.integers(4, head - 1), st.integers(0, 255), min_size=1))
    for at, value in changed.items():
        content[at] = value
    path = sound.with_name("changed.gguf")
    path.write_bytes(content)
    with suppress(ModelFileError):
        read_model_info(path)


def test_whole_words_of_noise_in_the_head_end_in_a_description_or_a_refusal(sound: Path) -> None:
    source = random.Random(20250114)
    original = sound.read_bytes()
    path = sound.with_name("noise.gguf")
    for _ in range(400):
        content = bytearray(original)
        at = source.randrange(4, len(original) - 2056)
        length = source.choice((4, 8))
        content[at : at + length] = source.choice(
            (bytes(length), b"\xff" * length, source.randbytes(length))
        )
        path.write_bytes(content)
        with suppress(ModelFileError):
            read_model_info(path)


ODD_VALUES = [
    pytest.param(lambda w, key: w.add_float32(key, math.nan), id="nan"),
    pytest.param(lambda w, key: w.add_float32(key, math.inf), id="infinity"),
    pytest.param(lambda w, key: w.add_array(key, [1, 2]), id="list"),
    pytest.param(lambda w, key: w.add_array(key, [[1, 2], [3, 4]]), id="nested list"),
    pytest.param(lambda w, key: w.add_array(key, [math.nan, 1.0]), id="list of nan"),
    pytest.param(lambda w, key: w.add_string(key, "eight"), id="text"),
    pytest.param(lambda w, key: w.add_int64(key, -(2**63)), id="negative"),
    pytest.param(lambda w, key: w.add_uint64(key, 2**64 - 1), id="huge"),
    pytest.param(lambda w, key: w.add_uint32(key, 0), id="zero"),
    pytest.param(lambda w, key: w.add_bool(key, True), id="truth value"),
]


@pytest.mark.parametrize("odd", ODD_VALUES)
@pytest.mark.parametrize(
    "key",
    [
        "general.file_type",
        "general.license",
        "llama.context_length",
        "llama.block_count",
        "llama.embedding_length",
        "llama.attention.head_count",
        "llama.attention.head_count_kv",
        "llama.attention.key_length",
        "tokenizer.chat_template",
    ],
)
def test_metadata_of_an_unexpected_type_never_breaks_the_description(
    tmp_path: Path, key: str, odd: Callable[[GGUFWriter, str], None]
) -> None:
    path = tmp_path / "m.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    odd(writer, key)
    writer.add_tensor("w", np.ones(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with suppress(ModelFileError):
        assert read_model_info(path).parameters == 32
