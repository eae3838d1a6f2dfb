"""One pack of scored questions as calls of llama_decode, and what its logits say."""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import llama_cpp as llama
import numpy as np
import numpy.typing as npt

from monitor.engine.messages import ChoiceScore
from monitor.engine.runtime import ABORTED, OUTPUTS, Runtime

Tokens = list[int]

ROWS = 32
"""Rows of logits turned into log-probabilities at a time, so that memory stays small."""


class DecodeFailed(Exception):
    """llama.cpp did not compute a batch; ``is_cancelled`` if because it was asked to stop."""

    def __init__(self, result: int) -> None:
        super().__init__(f"llama.cpp could not process the questions (result {result}).")
        self.is_cancelled = result == ABORTED


@dataclass(slots=True)
class Branch:
    """One text to be computed and the choices scored by it.

    :param tokens: the model's input
    :param choices: for each choice scored here its number, the position whose logits foretell
      its first token, and its tokens
    """

    tokens: Tokens
    choices: list[tuple[int, int, Tokens]] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """A question as tokens.

    :param branches: its different inputs; choices of one token each have one in common
    :param free: tokens that all branches begin with and that may be held from before: no logits
      are needed there
    :param count: number of choices
    :param is_cut: whether the head of a context was left out
    """

    branches: list[Branch]
    free: int
    count: int
    is_cut: bool

    @property
    def head(self) -> Tokens:
        """What may be shared with other questions and held for them."""
        return self.branches[0].tokens[: self.free]


class Tally:
    """Adds up the log-probabilities of a question's choices as their logits arrive.

    Its ``work`` is the tokens computed for it: of one that several questions share, a part.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.work = 0.0
        self._sums = [0.0] * plan.count
        self._greedy = [True] * plan.count

    def add(self, choice: int, logprob: float, is_likeliest: bool) -> None:
        """Take in one token of a choice."""
        self._sums[choice] += logprob
        self._greedy[choice] &= is_likeliest

    def scores(self) -> tuple[ChoiceScore, ...]:
        """Return the scores of all choices, in their order."""
        lengths = {number: len(t) for b in self.plan.branches for number, _, t in b.choices}
        return tuple(
            ChoiceScore(total, lengths[number], greedy)
            for number, (total, greedy) in enumerate(zip(self._sums, self._greedy, strict=True))
        )


class Want(NamedTuple):
    """A token whose log-probability is asked of one position's logits."""

    tally: Tally
    choice: int
    token: int


@dataclass(slots=True)
class Entry:
    """One token of a batch.

    :param sequences: those it is in
    :param owners: the questions it is computed for
    """

    token: int
    position: int
    sequences: list[int]
    wants: list[Want] = field(default_factory=list)
    owners: list[Tally] = field(default_factory=list)


class Tree:
    """Texts with what several of them begin with only once, each after what it goes on from."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, int], int] = {}

    @property
    def size(self) -> int:
        """How many tokens there are in it."""
        return len(self._places)

    def add(self, tokens: Tokens) -> list[int]:
        """Take in a text; return the place of each of its tokens, in the order of their coming."""
        places, place = [], -1
        for token in tokens:
            place = self._places.setdefault((place, token), len(self._places))
            places.append(place)
        return places


class Batch:
    """Computes packs of questions in a runtime's context."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def compute(self, prefix: Tokens, held: int, tallies: Sequence[Tally]) -> int:
        """Compute some questions; their tallies are complete afterwards.

        :param prefix: what all of them begin with; stays in sequence 0
        :param held: how much of it is there already
        :return: the tokens that had to be computed
        :raises DecodeFailed: if llama.cpp fails or is stopped; sequence 0 is empty then
        """
        computed = 0
        waves = list(self._waves(tallies))
        # The later branches of a single question will need its head as well.
        kept = len(prefix) if len(waves) == 1 else tallies[0].plan.free
        try:
            for number, wave in enumerate(waves):
                known = held if number == 0 else kept
                self._open(len(wave), known)
                entries = _entries(wave, known, kept)
                self._decode(entries)
                computed += len(entries)
                self._close(len(wave))
        except DecodeFailed:
            self._runtime.clear()
            raise
        self._runtime.known = list(prefix)
        self._runtime.forget_after(len(prefix))
        return computed

    def _waves(self, tallies: Sequence[Tally]) -> Iterator[list[tuple[Tally, Branch]]]:
        """Group the branches into what the context has room for at once.

        Several questions are only packed together when they fit; a single one may have more or
        longer branches than there is room for.
        """
        free = tallies[0].plan.free if len(tallies) == 1 else 0
        room = self._runtime.cells - free
        most = self._runtime.sequences - 1 if self._runtime.can_branch else 1
        wave: list[tuple[Tally, Branch]] = []
        used = 0
        for tally in tallies:
            for branch in tally.plan.branches:
                length = len(branch.tokens) - free
                is_full = len(wave) == most or used + length > room
                if wave and is_full and len(tallies) == 1:
                    yield wave
                    wave, used = [], 0
                wave.append((tally, branch))
                used += length
        yield wave

    def _open(self, count: int, length: int) -> None:
        """Let the branches' sequences begin with what sequence 0 holds."""
        for sequence in range(1, count + 1) if length else ():
            llama.llama_memory_seq_cp(self._runtime.memory, 0, sequence, 0, length)

    def _close(self, count: int) -> None:
        for sequence in range(1, count + 1):
            llama.llama_memory_seq_rm(self._runtime.memory, sequence, -1, -1)

    def _decode(self, entries: Sequence[Entry]) -> None:
        """Compute entries in as many calls as llama.cpp's batch and the room for logits ask."""
        start = outputs = 0
        for at, entry in enumerate(entries):
            wanted = bool(entry.wants)
            if at - start == self._runtime.chunk or outputs + wanted > OUTPUTS:
                self._call(entries[start:at])
                start, outputs = at, 0
            outputs += wanted
        if start < len(entries):
            self._call(entries[start:])

    def _call(self, entries: Sequence[Entry]) -> None:
        if self._runtime.abort:
            raise DecodeFailed(ABORTED)
        batch = _llama_batch(entries)
        result = llama.llama_decode(self._runtime.context, batch)
        if result:
            raise DecodeFailed(int(result))
        self._read([entry.wants for entry in entries if entry.wants])

    def _read(self, wants: Sequence[Sequence[Want]]) -> None:
        """Turn the call's logits into log-probabilities: one row for each wanted position."""
        if not wants:
            llama.llama_synchronize(self._runtime.context)
            return
        pointer = llama.llama_get_logits(self._runtime.context)
        shape = (len(wants), self._runtime.vocabulary.size)
        logits = np.ctypeslib.as_array(pointer, shape=shape)
        for first in range(0, len(wants), ROWS):
            rows = logits[first : first + ROWS]
            normalisers = log_sum_exp(rows)
            best = rows.max(axis=1)
            for row, total, highest, asked in zip(
                rows, normalisers, best, wants[first : first + ROWS], strict=True
            ):
                for tally, choice, token in asked:
                    value = row[token]
                    tally.add(choice, float(value) - float(total), bool(value == highest))


def _llama_batch(entries: Sequence[Entry]) -> llama.llama_batch:
    """Fill in llama.cpp's own structure; it keeps the arrays it points to alive."""
    count = len(entries)
    pointer = ctypes.POINTER(llama.llama_seq_id)
    lists = {
        sequences: ctypes.cast((llama.llama_seq_id * len(sequences))(*sequences), pointer)
        for sequences in {tuple(entry.sequences) for entry in entries}
    }
    columns: dict[str, Any] = {
        "n_tokens": count,
        "token": (llama.llama_token * count)(*(e.token for e in entries)),
        "pos": (llama.llama_pos * count)(*(e.position for e in entries)),
        "n_seq_id": (ctypes.c_int32 * count)(*(len(e.sequences) for e in entries)),
        "seq_id": (pointer * count)(*(lists[tuple(e.sequences)] for e in entries)),
        "logits": (ctypes.c_int8 * count)(*(bool(e.wants) for e in entries)),
    }
    batch = llama.llama_batch()
    for name, column in columns.items():
        setattr(batch, name, column)
    return batch


def _entries(wave: Sequence[tuple[Tally, Branch]], known: int, kept: int) -> list[Entry]:
    """Lay out some branches as a tree, and add to each question's work what it takes.

    :param known: tokens of each that are there already
    :param kept: tokens all begin with that are to stay in sequence 0
    """
    tree = Tree()
    entries: list[Entry] = []
    for sequence, (tally, branch) in enumerate(wave, start=1):
        wants = _wants(tally, branch)
        for position, place in enumerate(tree.add(branch.tokens[known:]), start=known):
            if place == len(entries):
                first = [0] if position < kept else []
                entries.append(Entry(branch.tokens[position], position, first))
            entry = entries[place]
            entry.sequences.append(sequence)
            entry.wants += wants.get(position, ())
            if entry.owners[-1:] != [tally]:
                entry.owners.append(tally)
    for entry in entries:
        for tally in entry.owners:
            tally.work += 1 / len(entry.owners)
    return entries


def _wants(tally: Tally, branch: Branch) -> dict[int, list[Want]]:
    """Return what is asked of a branch's logits, by position."""
    wants: dict[int, list[Want]] = {}
    for choice, at, scored in branch.choices:
        for position, token in enumerate(scored, start=at):
            wants.setdefault(position, []).append(Want(tally, choice, token))
    return wants


def log_sum_exp(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the logarithm of each row's summed exponentials, shape (n,) of (n, m)."""
    highest = rows.max(axis=1)
    sums = np.exp(rows - highest[:, None]).sum(axis=1)
    totals: npt.NDArray[np.float64] = highest.astype(np.float64) + np.log(sums.astype(np.float64))
    return totals
