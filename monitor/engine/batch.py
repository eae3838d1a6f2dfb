"""One pack of scored questions as calls of llama_decode, and what its logits say."""

import ctypes
import itertools
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
    :param stem: tokens that all branches begin with
    :param free: of those, how many may be held from before: no logits are needed there
    :param count: number of choices
    :param is_cut: whether the head of a context was left out
    """

    branches: list[Branch]
    stem: int
    free: int
    count: int
    is_cut: bool

    @property
    def head(self) -> Tokens:
        """What may be shared with other questions."""
        return self.branches[0].tokens[: self.free]

    @property
    def size(self) -> int:
        """Tokens to compute if nothing is shared with another question."""
        return self.stem + sum(len(branch.tokens) - self.stem for branch in self.branches)


class Tally:
    """Adds up the log-probabilities of a question's choices as their logits arrive."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
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


class Entry(NamedTuple):
    """One token of a batch."""

    token: int
    position: int
    sequences: tuple[int, ...]
    wants: list[Want]


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
        try:
            for number, wave in enumerate(waves):
                base = len(prefix) if number == 0 else tallies[0].plan.stem
                self._open(len(wave), held if number == 0 else base)
                entries = self._entries(prefix[held:] if number == 0 else [], held, base, wave)
                if number == 0 and len(waves) > 1:
                    # The later branches will need the stem as well.
                    entries = _also_in_first(entries, tallies[0].plan.stem)
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
        room = self._runtime.cells - (tallies[0].plan.stem if len(tallies) == 1 else 0)
        most = self._runtime.sequences - 1 if self._runtime.can_branch else 1
        wave: list[tuple[Tally, Branch]] = []
        used = 0
        for tally in tallies:
            for branch in tally.plan.branches:
                length = len(branch.tokens) - tally.plan.stem
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

    def _entries(
        self, prefix: Tokens, held: int, base: int, wave: Sequence[tuple[Tally, Branch]]
    ) -> list[Entry]:
        """Lay out a wave: the rest of the prefix, then each question's stem and branches."""
        everywhere = tuple(range(len(wave) + 1))
        entries = [Entry(token, held + i, everywhere, []) for i, token in enumerate(prefix)]
        numbered = enumerate(wave, start=1)
        for _, group in itertools.groupby(numbered, key=lambda each: id(each[1][0])):
            members = list(group)
            tally = members[0][1][0]
            sequences = tuple(number for number, _ in members)
            stem = tally.plan.stem
            entries += _span(tally, members[0][1][1].tokens, base, stem, sequences, None)
            for number, (_, branch) in members:
                begin = max(stem, base)
                end = len(branch.tokens)
                entries += _span(tally, branch.tokens, begin, end, (number,), branch)
        return entries

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
        for sequences in {entry.sequences for entry in entries}
    }
    columns: dict[str, Any] = {
        "n_tokens": count,
        "token": (llama.llama_token * count)(*(e.token for e in entries)),
        "pos": (llama.llama_pos * count)(*(e.position for e in entries)),
        "n_seq_id": (ctypes.c_int32 * count)(*(len(e.sequences) for e in entries)),
        "seq_id": (pointer * count)(*(lists[e.sequences] for e in entries)),
        "logits": (ctypes.c_int8 * count)(*(bool(e.wants) for e in entries)),
    }
    batch = llama.llama_batch()
    for name, column in columns.items():
        setattr(batch, name, column)
    return batch


def _span(
    tally: Tally,
    tokens: Tokens,
    begin: int,
    end: int,
    sequences: tuple[int, ...],
    branch: Branch | None,
) -> list[Entry]:
    """Entries of some positions: of one branch, or of the stem that all of them share."""
    branches = [branch] if branch else tally.plan.branches
    wants: dict[int, list[Want]] = {}
    for each in branches:
        for choice, at, scored in each.choices:
            for offset in range(max(begin - at, 0), min(end - at, len(scored))):
                wants.setdefault(at + offset, []).append(Want(tally, choice, scored[offset]))
    return [Entry(tokens[p], p, sequences, wants.get(p, [])) for p in range(begin, end)]


def _also_in_first(entries: list[Entry], stem: int) -> list[Entry]:
    return [
        entry._replace(sequences=tuple(sorted({0, *entry.sequences})))
        if entry.position < stem
        else entry
        for entry in entries
    ]


def log_sum_exp(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the logarithm of each row's summed exponentials, shape (n,) of (n, m)."""
    highest = rows.max(axis=1)
    sums = np.exp(rows - highest[:, None]).sum(axis=1)
    totals: npt.NDArray[np.float64] = highest.astype(np.float64) + np.log(sums.astype(np.float64))
    return totals
