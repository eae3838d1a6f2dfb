"""From a suite's part to the questions that are asked: files read, examples drawn, hashes taken."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from monitor.bench.download import fetched
from monitor.bench.shots import Shots, context
from monitor.bench.suites import PUBLIC, QUALITY, SPEED, Part
from monitor.bench.task import LLAMACPP, DatasetError, Item, Task
from monitor.bench.tasks import find_task
from monitor.engine.messages import Question

TOKEN_BYTES = 2.5
"""A token stands for at least so many bytes in texts of European languages, as a rule: contexts
are chosen by it. What does not fit all the same is cut as the protocol says, and counted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One item as it is put to a model.

    :param question: for choices; ``None`` for a written answer
    :param prompt: the whole text before the answer (of the first choice, where they differ)
    """

    position: int
    item: Item
    question: Question | None
    prompt: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A part that is ready to run.

    :param items: what is asked; of a speed test, nothing
    :param planned: how many items there will be in the results
    :param data_sha256: see :func:`sha256_of_data`, "" where there is none
    :param prompts_sha256: of every text that will be put to the model, in order
    :param chance: what guessing would reach, ``None`` where nothing is judged
    :param longest_bytes: of a question with its answer
    :param pool: what worked examples are taken from
    :param is_own_pool: whether that is the scored set itself
    """

    part: Part
    task: Task | None
    items: tuple[Item, ...]
    shots: int
    planned: int
    data_path: str
    data_sha256: str
    shots_sha256: str
    prompts_sha256: str
    chance: float | None
    longest_bytes: int
    pool: tuple[Item, ...]
    is_own_pool: bool = False

    @property
    def is_written(self) -> bool:
        """Whether answers are written freely rather than chosen."""
        return bool(self.items) and not self.items[0].choices

    @property
    def tokens(self) -> int:
        """Tokens of context the longest item should need."""
        if self.part.kind == SPEED:
            return max(self.part.prefill, self.part.decode)
        answer = 0
        if self.task and self.is_written:
            answer = self.task.max_tokens
        elif not self.task:
            answer = self.part.max_tokens
        return round(self.longest_bytes / TOKEN_BYTES) + answer

    def asked(self, start: int = 0, stop: int | None = None) -> Iterator[Asked]:
        """Build the questions from one place to another. Examples are drawn from the first on."""
        assert self.task
        drawing = _shots(self.task, self.pool, self.shots, self.is_own_pool)
        for position, item in enumerate(self.items[:stop]):
            examples = drawing.for_item(item)
            if position >= start:
                yield _asked(position, item, examples)


def prepare(part: Part) -> Prepared:
    """Read what a part needs.

    :raises DatasetError: if a file cannot be used
    """
    if part.kind != QUALITY:
        asked = [part.prompts, part.max_tokens, part.prefill, part.decode]
        texts = json.dumps(asked).encode()
        return Prepared(
            part=part,
            task=None,
            items=(),
            shots=0,
            planned=2 * part.times if part.kind == SPEED else len(part.prompts),
            data_path="",
            data_sha256="",
            shots_sha256="",
            prompts_sha256=hashlib.sha256(texts).hexdigest(),
            chance=None,
            longest_bytes=max((len(p.encode()) for p in part.prompts), default=0),
            pool=(),
        )
    return _prepare_task(part, find_task(part.task))


def _prepare_task(part: Part, task: Task) -> Prepared:
    data, shots_data = _places(part, task)
    everything = tuple(task.read(data))
    if not everything:
        raise DatasetError(f"{data.name} holds no items.")
    items = everything[: part.limit]
    count = task.shots if part.shots is None else part.shots
    if count and part.protocol == LLAMACPP:
        raise DatasetError("The protocol llamacpp has no worked examples: leave --shots out.")
    if count and task.has_own_shots:
        raise DatasetError(
            f"{task.title} has six worked examples of its own before every question, and "
            "lm-evaluation-harness adds no others to them: leave --shots out."
        )
    pool = tuple(task.read(shots_data)) if count and shots_data else everything
    _shots(task, pool, count, not shots_data).check(items)
    draft = Prepared(
        part=part,
        task=task,
        items=items,
        shots=count,
        planned=len(items),
        data_path=str(data),
        data_sha256=sha256_of_data(task, data),
        shots_sha256=sha256_of_data(task, shots_data) if count and shots_data else "",
        prompts_sha256="",
        chance=_chance(task, items),
        longest_bytes=0,
        pool=pool if count else (),
        is_own_pool=shots_data is None,
    )
    digest, longest = hashlib.sha256(), 0
    for asked in draft.asked():
        pairs = asked.question.pairs if asked.question else ((asked.prompt, ""),)
        digest.update(json.dumps(pairs).encode())
        longest = max(longest, *(len((before + text).encode()) for before, text in pairs))
    return replace(draft, prompts_sha256=digest.hexdigest(), longest_bytes=longest)


def _places(part: Part, task: Task) -> tuple[Path, Path | None]:
    """Return the files of a part; those of a public set once they are fetched."""
    public = fetched(task) if PUBLIC in (part.data, part.shots_data) else None
    if PUBLIC in (part.data, part.shots_data) and task.source is None:
        raise DatasetError(
            f"{task.title} has no public set: name the file of its items with --data."
        )
    if PUBLIC in (part.data, part.shots_data) and public is None:
        raise DatasetError(
            f"The public set of {task.title} is not on this machine. "
            f"`llamawatt bench get {task.name}` fetches it."
        )
    data = public.data if public and part.data == PUBLIC else _shipped(Path(part.data).expanduser())
    if public and PUBLIC in (part.shots_data, part.shots_data or part.data):
        # The public set has a split of its own for them, where its authors made one.
        return data, public.shots
    return data, _shipped(Path(part.shots_data).expanduser()) if part.shots_data else None


def _shipped(path: Path) -> Path:
    """Return a file, or the one of its name that ships, if LlamaWatt has moved since."""
    if path.exists() or "suites" not in path.parts:
        return path
    inside = path.parts[path.parts.index("suites") :]
    moved = Path(str(files("resources"))).joinpath(*inside)
    return moved if moved.exists() else path


def _shots(task: Task, pool: tuple[Item, ...], count: int, is_same: bool) -> Shots:
    return Shots(pool, count, task.first_shots, task.spare_shot or is_same)


def _asked(position: int, item: Item, examples: tuple[Item, ...]) -> Asked:
    contexts = [context(item, prompt, examples) for prompt in item.prompts]
    if not item.choices:
        return Asked(position, item, None, contexts[0])
    continuations = [f" {text}" for text in item.continuations]
    count = max(len(contexts), len(continuations))
    # One of the two may be the same for all choices.
    pairs = zip(
        contexts * (count // len(contexts)),
        continuations * (count // len(continuations)),
        strict=True,
    )
    return Asked(position, item, Question(tuple(pairs)), contexts[0])


def _chance(task: Task, items: tuple[Item, ...]) -> float | None:
    """Return what guessing reaches: of each item the share of its choices that are right."""
    if not items[0].choices:
        return 0.0
    return sum(len(item.gold) / len(item.choices) for item in items) / len(items)


def sha256_of_data(task: Task, path: Path) -> str:
    """Return the SHA-256 of a file's bytes; of a folder, over the names and bytes of those of its
    files that the task reads, in their order.

    :raises DatasetError: if there is none
    """
    digest = hashlib.sha256()
    for file in task.files(path):
        if path.is_dir():
            digest.update(str(file.relative_to(path)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
