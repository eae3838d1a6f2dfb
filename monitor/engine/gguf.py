"""Reads and checks the head of a GGUF file, so that llama.cpp only ever sees a sound one.

llama.cpp aborts its process on many malformed files; a check here turns that into a sentence.
Layout: the GGUF specification in ggml's docs/gguf.md (versions 2 and 3, little-endian).
"""

import math
import mmap
import re
import struct
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from monitor.problem import Problem

MAX_PAIRS, MAX_TENSORS, MAX_DEPTH = 1 << 16, 1 << 20, 4
"""Far above any real file: what is larger is not GGUF but noise."""

KEPT_ARRAY = 1024
"""Longer arrays (a vocabulary) are kept as their length only; values a layer stay whole."""

SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
"""Metadata value types and their codes in :mod:`struct`."""

STRING, ARRAY = 8, 9

LENGTH = struct.Struct("<Q")
"""What stands before each text: its bytes."""

REMEMBERED = 64
"""Descriptions kept while their files are unchanged."""

FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M",
    30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
    40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
"""``general.file_type``: enum llama_ftype in llama.h."""

TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4),
    27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18), 42: ("Q2_0", 64, 18),
}  # fmt: skip
"""enum ggml_type: name, elements a block, bytes a block (ggml.h and ggml-common.h)."""

EMBEDDING = ("bert", "t5encoder", "gemma-embedding")
PROJECTOR = ("clip",)


PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")
"""How llama.cpp calls the parts of a split model."""

BLOB = re.compile(r"(?:sha256-)?([0-9a-f]{64})")
"""How Ollama and the Hugging Face cache call a file: by its SHA-256."""

NAMELESS = ("model", "ggml-model")
"""Files called so are told apart by their folders."""


class ModelFileError(Problem):
    """A model file that cannot be used; the message says why and what to do."""


class CannotOpen(ModelFileError):
    """The file could not be looked into; that says nothing about what it holds."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a GGUF file says of itself.

    :param path: the file (the first part of a split model)
    :param size_bytes: all parts together
    :param name: the file's name without its quantisation; what files say of themselves in
      ``general.name`` is too often a training run's working title
    :param architecture: for example ``llama``
    :param parameters: weights, counted over the tensors of all parts
    :param quantisation: for example ``Q4_K_M``
    :param context_length: the longest context the model was trained on, 0 if not told
    :param layers: transformer blocks
    :param kv_bytes_per_token: bytes of 16-bit keys and values a token of context takes
    :param chat_template: whether the file carries one
    :param licence: as the file tells it, "" if it does not
    """

    path: Path
    size_bytes: int
    name: str
    architecture: str
    parameters: int
    quantisation: str
    context_length: int
    layers: int
    kv_bytes_per_token: int
    chat_template: bool
    licence: str


@dataclass(frozen=True, slots=True)
class _Head:
    metadata: dict[str, Any]
    elements: int
    types: Counter[str]
    size_bytes: int


class _Reader:
    """Walks the bytes of a file and refuses to walk past their end."""

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self._data, self._name = data, name
        self.at = 0

    def scalar(self, code: str) -> Any:
        size = struct.calcsize(code)
        self._need(size)
        (value,) = struct.unpack_from("<" + code, self._data, self.at)
        self.at += size
        return value

    def string(self) -> str:
        length = self.scalar("Q")
        self._need(length)
        text = self._data[self.at : self.at + length].decode("utf-8", errors="replace")
        self.at += length
        return text

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == STRING:
            return self.string()
        if kind == ARRAY and depth < MAX_DEPTH:
            return self._array(depth + 1)
        if kind not in SCALARS:
            raise ModelFileError(
                f"{self._name} is damaged: its metadata holds a value of unknown type {kind}. "
                "Download the file again."
            )
        return self.scalar(SCALARS[kind])

    def _array(self, depth: int) -> Any:
        kind, count = self.scalar("I"), self.scalar("Q")
        if kind in SCALARS:
            size = count * struct.calcsize(SCALARS[kind])
            self._need(size)
            if count > KEPT_ARRAY:
                self.at += size
                return count
        items = [self.value(kind, depth) for _ in range(min(count, KEPT_ARRAY))]
        if kind == STRING:
            self._skip_strings(count - len(items))
        else:
            for _ in range(count - len(items)):
                self.value(kind, depth)
        return items if count <= KEPT_ARRAY else count

    def _skip_strings(self, count: int) -> None:
        """Walk past texts: vocabularies have hundreds of thousands, so nothing is called twice."""
        length_at, data, at = LENGTH.unpack_from, self._data, self.at
        last = len(data) - LENGTH.size
        for _ in range(count):
            if at > last:
                raise _truncated(self._name)
            at += LENGTH.size + length_at(data, at)[0]
        self.at = at
        self._need(0)

    def _need(self, size: int) -> None:
        if size > len(self._data) - self.at:
            raise _truncated(self._name)


def _truncated(name: str) -> ModelFileError:
    return ModelFileError(
        f"{name} is cut short: part of the model is missing, as after a download that was "
        "interrupted. Download the file again."
    )


def read_model_info(path: Path) -> ModelInfo:
    """Read and check a GGUF model; all parts, if it is split.

    A file is read again only if it has changed: each query asks, and walking past a vocabulary
    keeps the other threads of the process waiting.

    :raises ModelFileError: if it is missing, no GGUF, incomplete, or no model that can chat
    """
    return _read_unchanged(path, tuple(map(_stamp, part_paths(path))))


def _stamp(path: Path) -> tuple[int, ...]:
    """What differs once a file is another; empty if it cannot be looked at."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@lru_cache(REMEMBERED)
def _read_unchanged(path: Path, _stamps: tuple[tuple[int, ...], ...]) -> ModelInfo:
    heads = [_read_head(part) for part in _parts(path)]
    metadata = heads[0].metadata
    architecture = str(metadata.get("general.architecture", ""))
    types = sum((head.types for head in heads), Counter[str]())
    _refuse_unusable(path.name, architecture, metadata, types)
    quantisation = _quantisation(metadata, types)
    return ModelInfo(
        path=path,
        size_bytes=sum(head.size_bytes for head in heads),
        name=_display_name(path, quantisation, metadata),
        architecture=architecture,
        parameters=sum(head.elements for head in heads),
        quantisation=quantisation,
        context_length=_number(metadata.get(f"{architecture}.context_length")),
        layers=_number(metadata.get(f"{architecture}.block_count")),
        kv_bytes_per_token=_kv_bytes_per_token(architecture, metadata),
        chat_template=bool(metadata.get("tokenizer.chat_template")),
        licence=str(metadata.get("general.license", "")),
    )


def part_paths(path: Path) -> list[Path]:
    """Return all files of a split model (``name-00001-of-00003.gguf``), or the one file.

    :param path: any of the parts; they need not exist
    """
    found = PART.fullmatch(path.name)
    if not found:
        return [path]
    stem, count = found[1], int(found[3])
    return [path.with_name(f"{stem}-{i:05d}-of-{count:05d}.gguf") for i in range(1, count + 1)]


def is_later_part(file_name: str) -> bool:
    """Whether a file is a part of a split model that another one begins."""
    found = PART.fullmatch(file_name)
    return found is not None and int(found[2]) != 1


def plain_name(path: Path) -> str:
    """Return what a model file is called, without suffix and number of a part."""
    found = PART.fullmatch(path.name)
    name = found[1] if found else path.stem
    return path.parent.name if name.casefold() in NAMELESS and path.parent.name else name


def _parts(path: Path) -> list[Path]:
    """All files of a model, none of them missing."""
    parts = part_paths(path)
    missing = [part.name for part in parts if len(parts) > 1 and not part.exists()]
    if missing:
        raise ModelFileError(
            f"{path.name} is one part of a model in {len(parts)} files, and "
            f"{', '.join(missing[:3])} is missing. Put all parts into one folder."
        )
    if is_later_part(path.name):
        raise ModelFileError(
            f"{path.name} is a later part of a split model. Open {parts[0].name} instead."
        )
    return parts


def _read_head(path: Path) -> _Head:
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, 2)
            if not size_bytes:
                raise ModelFileError(f"{path.name} is empty. Download the file again.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                _check_magic(path.name, data[:512])
                return _parse(_Reader(data, path.name), path.name, size_bytes)
    except IsADirectoryError:
        raise CannotOpen(f"{path} is a folder. Name the .gguf file inside it.") from None
    except FileNotFoundError:
        raise CannotOpen(
            f"There is no file {path}: it was moved, renamed or deleted. Choose another model, or "
            "open it where it is now."
        ) from None
    except OSError as error:
        raise CannotOpen(f"{path} cannot be read: {error.strerror or error}.") from error


def _check_magic(name: str, start: bytes) -> None:
    if start.startswith(b"version https://git-lfs"):
        raise ModelFileError(
            f"{name} is a Git LFS pointer, not the model itself. Run `git lfs pull` in its "
            "folder, or download the file from the model's page."
        )
    if start.lstrip()[:1] == b"<":
        raise ModelFileError(
            f"{name} is a web page saved under that name, not a model. Download it with the "
            "page's download button or a direct link."
        )
    if start[:4] != b"GGUF":
        if name.casefold().endswith(".gguf"):
            raise ModelFileError(
                f"{name} is not a GGUF file, whatever its name says: it does not begin as one. It "
                "may be another file that was renamed, or damaged. Download it again from the "
                "model's page."
            )
        raise ModelFileError(
            f"{name} is not a GGUF file. LlamaWatt runs models in llama.cpp's GGUF format; "
            "look for a version of the model whose files end in .gguf."
        )


def _parse(reader: _Reader, name: str, size_bytes: int) -> _Head:
    reader.at = 4
    version = reader.scalar("I")
    if version not in (2, 3):
        raise ModelFileError(
            f"{name} is GGUF version {version if version < 1 << 16 else 'unknown (big-endian?)'}; "
            "versions 2 and 3 can be read. Convert it again with a current llama.cpp."
        )
    tensors, pairs = reader.scalar("Q"), reader.scalar("Q")
    if pairs > MAX_PAIRS or tensors > MAX_TENSORS:
        raise ModelFileError(f"{name} is damaged: its header is nonsense. Download it again.")
    metadata = {}
    for _ in range(pairs):
        key = reader.string()
        metadata[key] = reader.value(reader.scalar("I"))
    elements, end, types = 0, 0, Counter[str]()
    for _ in range(tensors):
        reader.string()
        count = 1
        for _ in range(min(reader.scalar("I"), 8)):
            count *= reader.scalar("Q")
        kind, offset = reader.scalar("I"), reader.scalar("Q")
        label, block, block_bytes = TENSOR_TYPES.get(kind, (f"type {kind}", 1, 0))
        elements += count
        types[label] += count
        end = max(end, offset + count // block * block_bytes)
    alignment = _number(metadata.get("general.alignment")) or 32
    data_start = -(-reader.at // alignment) * alignment
    if tensors and data_start + end > size_bytes:
        raise _truncated(name)
    return _Head(metadata, elements, types, size_bytes)


def _refuse_unusable(
    name: str, architecture: str, metadata: dict[str, Any], types: Counter[str]
) -> None:
    if not architecture:
        raise ModelFileError(f"{name} does not say what kind of model it is; it cannot be run.")
    if architecture in PROJECTOR:
        raise ModelFileError(
            f"{name} is the vision part of a model. Open the language model it belongs to."
        )
    if not types:
        raise ModelFileError(f"{name} holds a vocabulary but no weights. Download the full model.")
    if any(word in architecture for word in EMBEDDING) or metadata.get(
        f"{architecture}.pooling_type"
    ):
        raise ModelFileError(
            f"{name} is an embedding model ({architecture}): it turns text into vectors and "
            "cannot answer. Choose an instruct or chat model."
        )
    if "tokenizer.ggml.model" not in metadata:
        raise ModelFileError(f"{name} carries no tokenizer, so no text can be given to it.")


def _quantisation(metadata: dict[str, Any], types: Counter[str]) -> str:
    named = FILE_TYPES.get(_number(metadata.get("general.file_type", -1)))
    return named or types.most_common(1)[0][0]


def _display_name(path: Path, quantisation: str, metadata: dict[str, Any]) -> str:
    stem = plain_name(path)
    if BLOB.fullmatch(stem):
        stem = str(metadata.get("general.name") or stem)
    return re.sub(rf"[-._]{re.escape(quantisation)}$", "", stem, flags=re.IGNORECASE) or stem


def _number(value: Any) -> int:
    """A whole number, or the largest of a list: some models give a value for each layer."""
    if isinstance(value, list):
        return max((_number(item) for item in value), default=0)
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def _kv_bytes_per_token(architecture: str, metadata: dict[str, Any]) -> int:
    """Layers x key-value heads x (key length + value length) x 2 bytes, an upper estimate."""

    def number(key: str) -> int:
        return _number(metadata.get(f"{architecture}.{key}"))

    heads = number("attention.head_count") or 1
    head_length = number("embedding_length") // heads
    key_length = number("attention.key_length") or head_length
    value_length = number("attention.value_length") or head_length
    kv_heads = number("attention.head_count_kv") or heads
    return number("block_count") * kv_heads * (key_length + value_length) * 2
