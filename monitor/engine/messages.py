"""What the window's process and the engine's process say to each other.

Frozen dataclasses, pickled one after another over the engine's standard input and output. The
engine is our own program under the same user, so unpickling its messages adds no risk. Times
are ``time.monotonic()``, which both processes share.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Device:
    """Something this llama.cpp build can compute on.

    :param kind: ``cpu``, ``gpu``, ``igpu`` or ``accelerator``
    """

    name: str
    description: str
    kind: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn: ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; the meaning and order of llama.cpp's sampler chain.

    :param temperature: 0 takes the most likely token
    :param seed: of the random choice
    :param stop: the answer ends before any of these texts
    :param max_tokens: the answer's length at most; ``None`` for as much as the context holds
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model.

    :param path: the GGUF file
    :param context: tokens of context
    :param threads: processor threads
    :param gpu_layers: layers to offload; -1 for all, as far as the build can offload
    :param modified_ns: when the file was last changed: a file put in its place is another model
    """

    path: str
    context: int
    threads: int
    gpu_layers: int = -1
    modified_ns: int = 0


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer a conversation."""

    messages: tuple[ChatMessage, ...]
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the load or answer in progress."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of an engine: what it is and can use."""

    llama_cpp: str
    offload: bool
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """``fraction`` of the weights, 0 to 1, is loaded."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is ready.

    :param threads: processor threads it computes with
    :param layers_offloaded: layers that really are on a GPU; ``None`` where llama.cpp did not say
    """

    start_s: float
    end_s: float
    context: int
    threads: int
    layers_offloaded: int | None


@dataclass(frozen=True, slots=True)
class PrefillStarted:
    """The first prompt token is about to be processed.

    :param tokens: of the whole prompt
    :param reused: of those, found in the context already
    """

    time_s: float
    tokens: int
    reused: int


@dataclass(frozen=True, slots=True)
class DecodeStarted:
    """The prompt is processed; the first answer token is next."""

    time_s: float


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer; ``tokens`` so far."""

    time_s: float
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is complete.

    :param reason: ``end`` (the model ended it), ``length``, ``stop``, ``context`` (full) or
      ``cancelled``
    :param tokens: answer tokens, the end mark not counted
    :param first_token_s: time of the first one, ``None`` if there was none
    """

    time_s: float
    reason: str
    tokens: int
    first_token_s: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The request could not be done; ``reason`` says why and what to do."""

    reason: str


Request = Load | Generate | Cancel
Answer = Hello | LoadProgress | Loaded | PrefillStarted | DecodeStarted | Text | Done | Failed
