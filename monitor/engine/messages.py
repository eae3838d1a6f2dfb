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
    :param free_bytes: of its memory, when it was asked; ``None`` where it does not tell
    """

    name: str
    description: str
    kind: str
    memory_bytes: int
    free_bytes: int | None = None


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


AUTO, F16, MMAP, MLOCK = "auto", "f16", "mmap", "mlock"

FLASH_ATTENTION = (AUTO, "on", "off")

MEMORY_MAPS = (MMAP, MLOCK, "none")
"""How weights come into memory: mapped from the file wherever llama.cpp does so by itself, mapped
and locked so that they are never swapped out, or read into memory of the engine's own."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model.

    :param path: the GGUF file
    :param context: tokens of context
    :param threads: processor threads
    :param gpu_layers: layers to offload; -1 for as many as fit, if the build can offload
    :param modified_ns: when the file was last changed: a file put in its place is another model
    :param sequences: how many texts may share the context; more than one is for scoring choices
    :param flash_attention: one of :data:`FLASH_ATTENTION`
    :param kv_type: what keys and values are kept as: ``f16``, ``q8_0`` or ``q4_0``
    :param memory_map: one of :data:`MEMORY_MAPS`
    """

    path: str
    context: int
    threads: int
    gpu_layers: int = -1
    modified_ns: int = 0
    sequences: int = 1
    flash_attention: str = AUTO
    kv_type: str = F16
    memory_map: str = MMAP


@dataclass(frozen=True, slots=True)
class Generate:
    """Answer a conversation.

    :param fresh: process all of it again, even what the context holds already: to be measured
    :param forgetful: leave out the oldest turns if the context cannot hold them all
    """

    messages: tuple[ChatMessage, ...]
    sampling: Sampling = field(default_factory=Sampling)
    fresh: bool = False
    forgetful: bool = False


ROOM_FOR_ANSWER = 512
"""Tokens kept free for the answer when the oldest turns are left out; a quarter of the context at
most."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Say how much of the context a conversation would take; answered by :class:`Measured`."""

    messages: tuple[ChatMessage, ...]


@dataclass(frozen=True, slots=True)
class Complete:
    """Continue a text as it is, without the model's chat template, from an empty context."""

    prompt: str
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Question:
    """Choices to be scored: for each, what stands before it and the text whose likelihood is asked.

    :param pairs: context and continuation, the blank between them at the continuation's head
    """

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Score some questions. Those that follow one another may share the head of their contexts.

    It begins with an empty context: the same questions give the same figures to the last bit,
    whatever was computed before.

    :param divergent: score from the first token in which the choices differ, as llama.cpp's
      perplexity program does, rather than from the end of the context
    """

    questions: tuple[Question, ...]
    divergent: bool = False


@dataclass(frozen=True, slots=True)
class Exercise:
    """Process so many prompt tokens, then so many answer tokens, of no meaning: to be timed."""

    prefill: int
    decode: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the load, answer or scoring in progress."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Pause the scoring in progress before its next batch, or let it go on."""

    is_held: bool


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
    :param layers: all of them, the output's among them; ``None`` likewise
    :param layers_asked: layers that were to be on a GPU; -1 for as many as fit
    :param note: what is not as it was asked for and what to do, "" if all is
    """

    start_s: float
    end_s: float
    context: int
    threads: int
    layers_offloaded: int | None
    layers: int | None = None
    layers_asked: int = -1
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a conversation takes of the context.

    :param tokens: of what would be given to the model
    :param reused: of those, found in the context already
    :param dropped: messages at its head, behind the system's, for which there is no room
    :param size: tokens the context holds
    """

    tokens: int
    reused: int
    dropped: int
    size: int


@dataclass(frozen=True, slots=True)
class PrefillStarted:
    """The first prompt token is about to be processed.

    :param tokens: of the whole prompt
    :param reused: of those, found in the context already
    :param dropped: messages that were left out of it; see :class:`Measured`
    """

    time_s: float
    tokens: int
    reused: int
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class PromptRead:
    """A chunk of the prompt is processed, and another is to follow.

    :param tokens: of the prompt so far, those found in the context among them
    """

    time_s: float
    tokens: int


@dataclass(frozen=True, slots=True)
class DecodeStarted:
    """The prompt is processed; the first answer token is next."""

    time_s: float


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer; ``tokens`` so far.

    :param marks: for each token since the message before, its time and how many characters of the
      whole answer were certain with it
    """

    time_s: float
    text: str
    tokens: int
    marks: tuple[tuple[float, int], ...] = ()


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
class ChoiceScore:
    """One choice's score.

    :param loglikelihood: sum of its tokens' natural log-probabilities
    :param tokens: how many those are
    :param greedy: whether each was the likeliest
    """

    loglikelihood: float
    tokens: int
    greedy: bool


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """The scores of one question's choices, in their order.

    :param share: of the work of its :class:`Scored`, 0 to 1
    :param is_cut: whether the head of a context was left out because it was too long
    """

    choices: tuple[ChoiceScore, ...]
    share: float
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """The next questions are scored; they were computed together.

    :param tokens: in all texts to be scored
    :param computed: of those, what really had to be computed; the rest was shared
    """

    start_s: float
    end_s: float
    questions: tuple[QuestionScore, ...]
    tokens: int
    computed: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The request could not be done; ``reason`` says why and what to do."""

    reason: str


Work = Generate | Complete | Score | Exercise | Measure
"""What a loaded model can be asked for."""

Request = Load | Work | Cancel | Hold
Answer = (
    Hello
    | LoadProgress
    | Loaded
    | Measured
    | PrefillStarted
    | PromptRead
    | DecodeStarted
    | Text
    | Scored
    | Done
    | Failed
)
