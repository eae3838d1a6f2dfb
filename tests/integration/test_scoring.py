"""Choices scored several at once against choices scored one by one, on the real starter model.

On weights of 32 bits the two must agree tightly. On the quantised model llama.cpp rounds
activations to 8 bits in the matrix products, so that the same text moves a little with what it
is computed beside.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import psutil
import pytest

from monitor.bench.prepare import prepare
from monitor.bench.suites import QUALITY, Part
from monitor.engine.client import Engine
from monitor.engine.messages import (
    Complete,
    Done,
    Load,
    Question,
    QuestionScore,
    Sampling,
    Score,
    Scored,
    Text,
)
from tests.integration.full_precision import rewrite_as_f32
from tests.integration.plain_scoring import PlainScorer, plain_scorer

QUICK = Path(str(files("resources") / "suites" / "quick"))

CONTEXT = 1024

WORKED = 2
"""Worked examples: enough to be shared, few enough to be computed one text at a time."""


def questions(task: str, data: str, count: int, shots: str = "") -> list[Question]:
    """Return the first questions of one of the quick suite's tasks."""
    part = Part(
        name=task,
        kind=QUALITY,
        task=task,
        data=str(QUICK / data),
        shots=WORKED if shots else 0,
        shots_data=str(QUICK / shots) if shots else "",
        limit=count,
    )
    return [asked.question for asked in prepare(part).asked() if asked.question]


def score(
    engine: Engine, asked: Sequence[Question], divergent: bool = False
) -> list[QuestionScore]:
    found: list[QuestionScore] = []
    for message in engine.work(Score(tuple(asked), divergent)):
        if isinstance(message, Scored):
            found += message.questions
    return found


def one_by_one(plain: PlainScorer, asked: Sequence[Question]) -> list[list[float]]:
    return [[plain.loglikelihood(*pair)[0] for pair in question.pairs] for question in asked]


def loaded(path: Path, context: int = CONTEXT, sequences: int = 64) -> Engine:
    engine = Engine()
    for _ in engine.load(Load(str(path), context, 2, sequences=sequences)):
        pass
    return engine


@pytest.fixture(scope="module")
def exact(shallow: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The starter's first layers with their weights as 32-bit floats, 230 MB."""
    path = tmp_path_factory.mktemp("f32") / "shallow-F32.gguf"
    rewrite_as_f32(shallow, path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def exact_engine(exact: Path) -> Iterator[Engine]:
    """An engine with those weights."""
    engine = loaded(exact)
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def exact_plain(exact: Path) -> Iterator[PlainScorer]:
    """What scores plainly with them."""
    with plain_scorer(exact) as plain:
        yield plain


@pytest.fixture(scope="module")
def engine(starter: Path) -> Iterator[Engine]:
    """An engine with the starter as it is."""
    engine = loaded(starter)
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def mixed() -> list[Question]:
    """Endings, answer texts of any number, and letters after worked examples."""
    (letters,) = questions("mmlu", "mmlu.jsonl", 1, "mmlu_dev.jsonl")
    (texts,) = questions("truthfulqa_mc2", "truthfulqa.json", 1)
    return [
        *questions("hellaswag", "hellaswag.jsonl", 2),
        # Of the long prompts, which are computed anew for each choice, not all choices.
        Question(letters.pairs[:2]),
        Question(texts.pairs[:3]),
        *questions("arc_challenge", "arc.jsonl", 3),
    ]


def test_batches_change_nothing_on_exact_weights(
    exact_engine: Engine, exact_plain: PlainScorer, mixed: list[Question]
) -> None:
    found = score(exact_engine, mixed)
    for question, scored in zip(mixed, found, strict=True):
        expected = [exact_plain.loglikelihood(*pair) for pair in question.pairs]
        for choice, (loglikelihood, tokens, greedy) in zip(scored.choices, expected, strict=True):
            # The issue allows 0.02; with keys and values in 32 bits it is far less.
            assert choice.loglikelihood == pytest.approx(loglikelihood, abs=0.002)
            assert choice.tokens == tokens
            assert choice.greedy == greedy


def test_the_quantised_model_scatters_no_more_than_its_rounding(
    engine: Engine, starter: Path, mixed: list[Question]
) -> None:
    asked = mixed[:2] + mixed[-3:]  # endings and answers; the long prompts would take their time
    found = score(engine, asked)
    with plain_scorer(starter) as plain:
        expected = one_by_one(plain, asked)
    moved = [
        abs(choice.loglikelihood - other)
        for scored, others in zip(found, expected, strict=True)
        for choice, other in zip(scored.choices, others, strict=True)
    ]
    predictions = [
        (int(np.argmax([c.loglikelihood for c in scored.choices])), int(np.argmax(others)))
        for scored, others in zip(found, expected, strict=True)
    ]
    assert np.mean(moved) <= 0.35
    # Of so few questions, 5 % is one; a second may stand on the edge.
    assert sum(one != other for one, other in predictions) <= 2


def test_a_shared_prompt_is_computed_once(shallow: Path) -> None:
    asked = questions("mmlu", "mmlu.jsonl", 5, "mmlu_dev.jsonl")
    engine = loaded(shallow)
    batches = [m for m in engine.work(Score(tuple(asked))) if isinstance(m, Scored)]
    engine.stop()
    computed = sum(batch.computed for batch in batches)
    tokens = sum(batch.tokens for batch in batches)
    # Four letters after one prompt, and five prompts after the same worked examples.
    assert computed < tokens / 8
    assert sum(q.share for b in batches for q in b.questions) == pytest.approx(len(batches))


def test_what_neighbours_and_endings_begin_with_is_computed_once(
    exact_engine: Engine, exact_plain: PlainScorer
) -> None:
    """No token comes twice after the same text, whichever choices and questions it belongs to."""
    begun = "A king lived in a castle by the sea. He"
    asked = [
        Question(((begun, " sailed away"), (begun, " sailed home again"), (begun, " slept"))),
        Question(((f"{begun} slept. She", " sailed"), (f"{begun} slept. She", " laughed loud"))),
        Question((("Twelve", " eggs"), ("Twelve", " angry men"), ("Twelve", " angry hens"))),
    ]
    (batch,) = [m for m in exact_engine.work(Score(tuple(asked))) if isinstance(m, Scored)]
    inputs = [exact_plain.tokens("".join(p))[:-1] for question in asked for p in question.pairs]
    heads = {tuple(tokens[: end + 1]) for tokens in inputs for end in range(len(tokens))}
    assert batch.computed == len(heads)
    assert sum(scored.share for scored in batch.questions) == pytest.approx(1)
    for others, scored in zip(one_by_one(exact_plain, asked), batch.questions, strict=True):
        values = [choice.loglikelihood for choice in scored.choices]
        assert values == pytest.approx(others, abs=0.002)


def test_llama_cpps_own_protocol_scores_from_where_the_endings_part(
    exact_engine: Engine, exact_plain: PlainScorer
) -> None:
    asked = questions("hellaswag", "hellaswag.jsonl", 3)
    found = score(exact_engine, asked, divergent=True)
    for question, scored in zip(asked, found, strict=True):
        texts = ["".join(pair) for pair in question.pairs]
        for index, choice in enumerate(scored.choices):
            loglikelihood, tokens, _ = exact_plain.divergent(texts, index)
            assert choice.tokens == tokens
            assert choice.loglikelihood == pytest.approx(loglikelihood, abs=0.002)


def test_what_is_too_long_loses_its_beginning(exact: Path) -> None:
    """The last n_ctx + 1 tokens count, as in lm-evaluation-harness."""
    asked = questions("hellaswag", "hellaswag.jsonl", 3)
    context = 16
    engine = loaded(exact, context)
    found = score(engine, asked)
    engine.stop()
    assert all(scored.is_cut for scored in found)
    with plain_scorer(exact, context) as plain:
        for others, scored in zip(one_by_one(plain, asked), found, strict=True):
            values = [choice.loglikelihood for choice in scored.choices]
            assert values == pytest.approx(others, abs=0.002)


def test_more_choices_than_the_context_has_sequences_or_room_for(exact: Path) -> None:
    numbers = [f" {number} and so on and on until the evening" for number in range(10)]
    many = Question(tuple(("Count:", text) for text in numbers))
    # Each of these fits the context, and all together not even what is spare beside it.
    long = Question(
        tuple((f"A story of {n}.", " Once upon a time there was a king." * 18) for n in range(5))
    )
    engine = loaded(exact, context=256, sequences=8)
    found = score(engine, [many, long])
    engine.stop()
    with plain_scorer(exact, 256) as plain:
        for others, scored in zip(one_by_one(plain, [many, long]), found, strict=True):
            values = [choice.loglikelihood for choice in scored.choices]
            assert values == pytest.approx(others, abs=0.005)


def test_white_space_at_a_contexts_end_moves_to_the_continuation(
    exact_engine: Engine, exact_plain: PlainScorer
) -> None:
    asked = [
        Question((("The capital of France is ", "Paris"), ("The capital of France is\n", "Rome"))),
        Question((("", " Hello there"), ("", " Good evening"))),
        Question((("  ", "Hello there"), ("\n", " Good evening"))),
    ]
    found = score(exact_engine, asked)
    for pair, choice in zip(asked[0].pairs, found[0].choices, strict=True):
        loglikelihood, tokens, _ = exact_plain.loglikelihood(*pair)
        assert choice.tokens == tokens
        assert choice.loglikelihood == pytest.approx(loglikelihood, abs=0.002)
    # After nothing at all, the first token is foretold from the beginning mark alone.
    assert [choice.tokens for choice in found[1].choices] == [2, 2]
    assert all(choice.loglikelihood < -2 for choice in found[1].choices)
    # Nor does the first token of what is nothing but white space go uncounted.
    assert [choice.tokens for choice in found[2].choices] == [3, 3]


def test_a_cancel_keeps_what_is_scored_and_harms_nothing_after(engine: Engine) -> None:
    asked = questions("hellaswag", "hellaswag.jsonl", 24)
    kept: list[QuestionScore] = []
    reason = ""
    for message in engine.work(Score(tuple(asked))):
        if isinstance(message, Scored):
            kept += message.questions
            engine.cancel()
        elif isinstance(message, Done):
            reason = message.reason
    assert reason == "cancelled"
    assert 0 < len(kept) < len(asked)
    again = score(engine, asked[:2])
    assert len(again) == 2


def test_a_text_goes_on_without_a_template_and_too_long_a_one_from_its_end(starter: Path) -> None:
    engine = loaded(starter, context=128, sequences=1)

    def answer(prompt: str) -> str:
        sampling = Sampling(temperature=0, max_tokens=8)
        return "".join(
            m.text for m in engine.work(Complete(prompt, sampling)) if isinstance(m, Text)
        )

    numbers = ", ".join(map(str, range(1, 20)))
    assert "20" in answer(f"{numbers},")
    # What stands before is more than the context holds: only its end is read.
    assert "20" in answer("Lorem ipsum dolor sit amet. " * 60 + f"{numbers},")
    engine.stop()


def test_the_engine_does_not_grow_with_the_number_of_questions(shallow: Path) -> None:
    asked = questions("hellaswag", "hellaswag.jsonl", 8)
    engine = loaded(shallow, context=512)
    assert engine.pid
    process = psutil.Process(engine.pid)
    score(engine, asked[:4])
    before = process.memory_info().rss
    for first in range(4, len(asked), 4):
        score(engine, asked[first : first + 4])
    grown = process.memory_info().rss - before
    size = shallow.stat().st_size
    engine.stop()
    assert before - size < 300e6
    assert grown < 30e6
