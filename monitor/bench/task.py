"""What a benchmark task is: how its files become items, and how an item is put to a model.

A task is one file in :mod:`monitor.bench.tasks` and a line in its registry. Everything here is
text; tokens and log-likelihoods are the engine's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.problem import Problem

LMH, LLAMACPP = "lmh", "llamacpp"
"""Protocols: lm-evaluation-harness's rules, and those of llama.cpp's own perplexity program."""


class DatasetError(Problem):
    """A dataset that cannot be used; the message says where, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a dataset.

    :param row: where it stands in its file, counted from 1: what a message calls it
    :param prompts: the text before the answer, without the worked examples: one for all choices,
      or one for each (WinoGrande, whose choices are in the middle of the sentence)
    :param choices: the answers as a person reads them; empty where the answer is written freely
    :param continuations: what is scored, without the leading blank: the choices themselves, or
      one text for all
    :param gold: indices of the right choices; empty where the answer is written freely
    :param answer: what a worked example shows after the prompt; for a written answer, the right one
    :param preamble: text before the worked examples
    :param subject: which part of the dataset it belongs to, where there are several
    """

    row: int
    prompts: tuple[str, ...]
    choices: tuple[str, ...]
    continuations: tuple[str, ...]
    gold: tuple[int, ...]
    answer: str
    preamble: str = ""
    subject: str = ""

    @property
    def shown(self) -> str:
        """The item as a worked example: its prompt with the right answer."""
        prompt = self.prompts[self.gold[0] if len(self.prompts) > 1 else 0]
        return f"{prompt} {self.answer}"


@dataclass(frozen=True, slots=True)
class Written:
    """How a freely written answer was judged.

    :param correct: by the task's strict rule
    :param correct_flexible: by its lenient rule, the same where it has only one
    :param found: what the strict rule took for the answer, "" if nothing
    :param found_flexible: likewise
    """

    correct: bool
    correct_flexible: bool
    found: str
    found_flexible: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the public set is fetched from: a dataset repository on Hugging Face.

    :param repository: for example ``allenai/ai2_arc``
    :param file: the scored split, a file inside it
    :param shots_file: the split worked examples are taken from, "" if there is none
    :param licence: as its card states it
    """

    repository: str
    file: str
    shots_file: str
    licence: str


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of benchmark.

    :param name: what the command calls it
    :param title: what a person reads
    :param read: reads a file's items; raises :class:`DatasetError`
    :param shots: worked examples unless another number is asked for
    :param first_shots: whether the examples are the first of their file (MMLU) or drawn
    :param files: those of a folder that ``read`` reads; of a file, itself
    :param has_own_shots: whether its prompts begin with examples of their own; LMH takes no others
    :param spare_shot: whether LMH draws one example more than asked for, even from another split,
      and leaves one out: it does where a task names no test split
    :param protocols: those it can be scored by
    :param mass: the score of an item is the probability of the right answers, not a hit or miss
    :param normalised: whether a score by length has a meaning
    :param headline_norm: whether the accuracy by length is the one leaderboards print
    :param grade: judges a written answer; ``None`` where answers are chosen
    :param written_rules: what the strict and the lenient rule for written answers are called;
      empty where there is only one
    :param stop: texts a written answer ends before
    :param max_tokens: length of a written answer at most
    :param source: the public set
    """

    name: str
    title: str
    read: Callable[[Path], Sequence[Item]]
    shots: int = 0
    first_shots: bool = False
    protocols: tuple[str, ...] = (LMH,)
    mass: bool = False
    normalised: bool = True
    headline_norm: bool = False
    grade: Callable[[Item, str], Written] | None = None
    written_rules: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    max_tokens: int = 256
    source: Source | None = None
    spare_shot: bool = False
    has_own_shots: bool = False
    files: Callable[[Path], Sequence[Path]] = lambda path: (path,)
