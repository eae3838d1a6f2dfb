"""Log-likelihoods of choices: several questions in one batch, what they share computed once.

Tokens and truncation are lm-evaluation-harness's (``TemplateLM._encode_pair`` and
``HFLM._loglikelihood_tokens``); the divergent form is ``hellaswag_score`` of llama.cpp's
tools/perplexity. Sequence 0 holds what the questions of a pack begin with;
each choice is a branch in a sequence of its own, and what several begin with is computed once.
"""

import time
from collections.abc import Iterator, Sequence

from monitor.engine.batch import Batch, Branch, DecodeFailed, Plan, Tally, Tokens, Tree
from monitor.engine.messages import (
    Answer,
    Done,
    Failed,
    Question,
    QuestionScore,
    Score,
    Scored,
)
from monitor.engine.runtime import Runtime
from monitor.engine.vocabulary import Vocabulary


def common_length(texts: Sequence[Tokens]) -> int:
    """Return how many tokens some texts have in common at their head."""
    first, last = min(texts), max(texts)
    for index, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return index
    return min(len(first), len(last))


def encode_pair(vocabulary: Vocabulary, context: str, continuation: str) -> tuple[Tokens, Tokens]:
    """Return a context's and a continuation's tokens.

    White space at the context's end moves to the continuation, and the continuation's tokens are
    what the whole has beyond the context's: never those of the continuation alone. Of a context
    that is nothing else, the beginning mark stands for it.
    """
    kept = context.rstrip()
    continuation = context[len(kept) :] + continuation
    if not kept:
        begin = vocabulary.bos if vocabulary.bos >= 0 else vocabulary.eos
        tokens = vocabulary.encode_inner(continuation)
        return ([begin], tokens) if tokens[:1] != [begin] else (tokens[:1], tokens[1:])
    before = vocabulary.encode(kept)
    return before, vocabulary.encode(kept + continuation)[len(before) :]


class Scorer:
    """Scores questions with a loaded model."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._vocabulary = runtime.vocabulary
        self._batch = Batch(runtime)

    def score(self, request: Score) -> Iterator[Answer]:
        """Score questions in their order: a :class:`Scored` for each pack, then ``Done``.

        After a cancel the questions not answered yet are not scored.
        """
        reason = "end"
        self._runtime.clear()
        try:
            plans = [self._plan(question, request.divergent) for question in request.questions]
            at = 0
            while at < len(plans):
                self._runtime.gate.wait()
                if self._runtime.abort:
                    reason = "cancelled"
                    break
                pack = self._next_pack(plans, at)
                at += len(pack)
                yield self._run(pack, plans[at] if at < len(plans) else None)
        except DecodeFailed as error:
            if not error.is_cancelled:
                yield Failed(str(error))
                return
            reason = "cancelled"
        yield Done(time.monotonic(), reason, 0, None)

    # --- what is to be computed ------------------------------------------------------------

    def _plan(self, question: Question, divergent: bool) -> Plan:
        texts = self._divergent(question) if divergent else self._pairs(question)
        size = self._runtime.size
        branches: dict[tuple[int, ...], Branch] = {}
        is_cut = False
        for number, (before, continuation) in enumerate(texts):
            # The last size + 1 tokens are kept, and the very last is only foretold.
            tokens = (before + continuation)[-(size + 1) :][:-1]
            is_cut = is_cut or len(before) + len(continuation) > size + 1
            scored = continuation[-len(tokens) :] if continuation else []
            branch = branches.setdefault(tuple(tokens), Branch(tokens))
            branch.choices.append((number, len(tokens) - len(scored), scored))
        listed = list(branches.values())
        first = min(at for branch in listed for _, at, _ in branch.choices)
        free = min(first, common_length([branch.tokens for branch in listed]))
        return Plan(listed, free if self._runtime.can_branch else 0, len(texts), is_cut)

    def _pairs(self, question: Question) -> list[tuple[Tokens, Tokens]]:
        # Choices mostly share their context: its tokens are found once.
        return [encode_pair(self._vocabulary, *pair) for pair in question.pairs]

    def _divergent(self, question: Question) -> list[tuple[Tokens, Tokens]]:
        texts = [self._vocabulary.encode("".join(pair)) for pair in question.pairs]
        common = min(common_length(texts), min(map(len, texts)) - 1)
        return [(text[:common], text[common:]) for text in texts]

    def _next_pack(self, plans: Sequence[Plan], at: int) -> list[Plan]:
        """Take as many questions as one call of llama.cpp computes at once; at least one."""
        pack = [plans[at]]
        if not self._runtime.can_branch:
            return pack
        branches = len(pack[0].branches)
        shared = pack[0].head
        tree = Tree()
        for branch in pack[0].branches:
            tree.add(branch.tokens)
        for plan in plans[at + 1 :]:
            branches += len(plan.branches)
            shared = shared[: common_length([shared, plan.head])]
            for branch in plan.branches:
                tree.add(branch.tokens)
            # What is shared is computed once, and what is held already not at all.
            fresh = tree.size - common_length([shared, self._runtime.known])
            if branches >= self._runtime.sequences or fresh > self._runtime.chunk:
                break
            pack.append(plan)
        return pack

    # --- computing -------------------------------------------------------------------------

    def _run(self, pack: list[Plan], following: Plan | None) -> Scored:
        start_s = time.monotonic()
        heads = [plan.head for plan in pack]
        if len(pack) == 1:
            # Alone it shares with the next one, or with what is held.
            heads.append(following.head if following else self._runtime.known)
        prefix = heads[0][: common_length(heads)] if self._runtime.can_branch else []
        held = self._runtime.reuse(prefix)
        tallies = [Tally(plan) for plan in pack]
        computed = self._batch.compute(prefix, held, tallies)
        work = max(sum(tally.work for tally in tallies), 1e-9)
        return Scored(
            start_s=start_s,
            end_s=time.monotonic(),
            questions=tuple(
                QuestionScore(tally.scores(), tally.work / work, tally.plan.is_cut)
                for tally in tallies
            ),
            tokens=sum(len(b.tokens) * len(b.choices) for plan in pack for b in plan.branches),
            computed=computed,
        )
