"""One query from prompt to stored bill: budgets, thoughts, and the times of its words."""

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUF_DEFAULT_ALIGNMENT, GGUFValueType

from monitor.energy.account import DECODE
from monitor.energy.budget import Budget, BudgetSpent
from monitor.engine.client import Engine
from monitor.engine.messages import ChatMessage, PrefillStarted, Sampling
from monitor.engine.thinking import split_thinking
from monitor.loading import LoadOptions
from monitor.meter import Ask, Event, Finished, Meter
from monitor.power.sampler import Sampler
from monitor.running import BUDGET, SoFar
from monitor.store.history import CHAT, History
from monitor.store.records import QueryRecord, Status

SMALL = LoadOptions(context=512)

TEMPLATE_KEY = b"tokenizer.chat_template" + struct.pack("<I", GGUFValueType.STRING)
"""As it stands in a GGUF file, before the template's length and text."""


@dataclass
class Bench:
    """A meter over real services, and what they store."""

    meter: Meter
    history: History

    def run(self, ask: Ask) -> tuple[QueryRecord, list[Event]]:
        events = list(self.meter.run(ask))
        assert isinstance(events[-1], Finished)
        return events[-1].record, events

    def run_until(
        self, ask: Ask, is_enough: Callable[[SoFar], bool]
    ) -> tuple[QueryRecord, list[SoFar]]:
        """Run a query until what is told while it runs is enough, then stop it."""
        told: list[SoFar] = []
        for event in self.meter.run(ask):
            if isinstance(event, SoFar):
                told.append(event)
                if is_enough(event):
                    self.meter.cancel()
            elif isinstance(event, Finished):
                assert event.record.status is Status.STOPPED, "the answer ended too soon"
                return event.record, told
        raise AssertionError("it never ended")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sampler, Engine]]:
    with Sampler() as sampler:
        engine = Engine()
        yield sampler, engine
        engine.close()


@pytest.fixture
def bench(running: tuple[Sampler, Engine], tmp_path: Path) -> Iterator[Bench]:
    history = History(tmp_path / "history.db")
    yield Bench(Meter(*running, history), history)
    history.close()


def question(model: Path, text: str, **changes: object) -> Ask:
    fields = {
        "kind": "ask",
        "model": model,
        "messages": (ChatMessage("user", text),),
        "sampling": Sampling(temperature=0, max_tokens=40),
        "options": SMALL,
    }
    return Ask(**(fields | changes))  # type: ignore[arg-type]


def test_the_words_of_an_answer_are_found_by_the_time_they_were_written(
    bench: Bench, starter: Path
) -> None:
    record, _ = bench.run(question(starter, "What is a watt?"))
    marks, trace = bench.history.marks(record.id), bench.history.trace(record.id)
    assert marks is not None
    assert trace is not None
    assert len(marks.time_s) == record.tokens.completion
    assert marks.characters[-1] == len(record.text)
    (decode,) = (phase for phase in trace.phases if phase.name == DECODE)
    assert decode.start_s - 1e-3 <= marks.time_s[0]
    assert marks.time_s[-1] <= decode.end_s + 1e-3
    assert (np.diff(marks.time_s) > 0).all()
    start, end = marks.at_time((decode.start_s + decode.end_s) / 2)
    assert 0 < end - start < 30
    assert record.thinking_j is None


def test_a_budget_stops_the_answer_and_keeps_the_text(bench: Bench, starter: Path) -> None:
    sampling = Sampling(max_tokens=400, seed=5)
    story = question(starter, "Write a long story.", sampling=sampling)
    # What some of the answer costs, on however busy a machine.
    begun, told = bench.run_until(story, lambda so_far: so_far.tokens >= 40)
    budget_j = told[-1].bill.total().joules
    assert budget_j is not None
    cut, _ = bench.run(replace(story, budget=Budget(answer_j=budget_j), fresh=True))
    assert (cut.status, cut.finish_reason) == (Status.STOPPED, BUDGET)
    assert cut.text
    assert begun.text.startswith(cut.text) or cut.text.startswith(begun.text)
    spent_j = cut.bill.total().joules
    assert spent_j is not None
    # How far beyond it comes is a matter of how soon the engine is told; all of it is ten times as
    # much.
    assert 0.5 * budget_j <= spent_j < 4 * budget_j


def test_what_a_query_has_come_to_is_told_while_it_runs(bench: Bench, starter: Path) -> None:
    sampling = Sampling(temperature=0, max_tokens=400)
    story = question(starter, "Write a long story about dragons.", sampling=sampling)
    looks = iter(range(1, 100))
    record, told = bench.run_until(story, lambda so_far: so_far.tokens > 0 and next(looks) == 2)
    joules = [each.bill.total().joules for each in told if each.tokens]
    total_j = record.bill.total().joules
    assert total_j is not None
    assert all(energy_j is not None and energy_j < total_j for energy_j in joules)
    assert joules == sorted(joules, key=lambda energy_j: energy_j or 0.0)
    assert told[-1].tokens_per_s is not None
    assert record.tokens_per_s is not None
    assert 0.2 < told[-1].tokens_per_s / record.tokens_per_s < 5


def test_a_day_that_is_spent_refuses_before_anything_is_stored(bench: Bench, shallow: Path) -> None:
    bench.run(question(shallow, "What is a watt?"))
    with pytest.raises(BudgetSpent, match=r"budget of 1\.00 mJ is spent"):
        bench.run(question(shallow, "And a volt?", budget=Budget(day_j=0.001)))
    assert len(bench.history.records()) == 1


def test_the_oldest_turns_make_room_and_it_is_told_how_many(bench: Bench, shallow: Path) -> None:
    roles = ("user", "assistant")
    said = [ChatMessage("system", "Answer briefly.")]
    said += [ChatMessage(roles[i % 2], f"Number {i}: " + "word " * 60) for i in range(10)]
    messages = (*said, ChatMessage("user", "What is a watt?"))
    for _ in bench.meter.load(shallow, SMALL):
        pass
    measured = bench.meter.measure(messages, shallow, SMALL)
    assert measured is not None
    # Loaded with another context, as a benchmark does, it tells nothing of this conversation.
    assert bench.meter.measure(messages, shallow, LoadOptions(context=1024)) is None
    assert measured.dropped % 2 == 0
    assert 0 < measured.dropped < 10
    assert measured.tokens <= measured.size - 128
    ask = question(shallow, "", messages=messages, forgetful=True, kind=CHAT)
    record, events = bench.run(ask)
    (started,) = (event for event in events if isinstance(event, PrefillStarted))
    assert (started.dropped, started.tokens) == (measured.dropped, measured.tokens)
    assert record.status is Status.DONE
    refused, _ = bench.run(question(shallow, "", messages=messages))
    assert refused.status is Status.FAILED
    assert "the context holds 512" in refused.error


def test_a_model_that_thinks_is_billed_for_its_thoughts_apart(
    bench: Bench, starter: Path, tmp_path: Path
) -> None:
    thinker = with_template(starter, tmp_path / "Thinker.Q4_1.gguf", "<think>\n")
    record, _ = bench.run(question(thinker, "What is a watt?"))
    told = split_thinking(record.text)
    assert told.is_open
    assert record.tokens.thinking == record.tokens.completion
    # All of decode but what came after the last token, for which the engine may have had to wait.
    assert record.thinking_j == pytest.approx(record.bill.total(DECODE).joules, rel=0.3)
    assert record.seconds.thinking == pytest.approx(record.seconds.decode, rel=0.3)
    assert record.tokens_per_s is None, "there is no answer yet"
    assert record.thinking_per_s
    stored = bench.history.record(record.id)
    assert (stored.thinking_j, stored.seconds) == (record.thinking_j, record.seconds)


def with_template(model: Path, path: Path, ending: str) -> Path:
    """Copy a model, its chat template now ending in a text of its own.

    A comment pads the template, so that what follows it stays as aligned as it was.
    """
    data = model.read_bytes()
    begin = data.index(TEMPLATE_KEY) + len(TEMPLATE_KEY)
    (length,) = struct.unpack_from("<Q", data, begin)
    end = begin + 8 + length
    added = f"{{{{ {json.dumps(ending)} }}}}".encode()
    added = b"{#" + b" " * (-(len(added) + 4) % GGUF_DEFAULT_ALIGNMENT) + b"#}" + added
    with path.open("wb") as file:
        file.write(data[:begin] + struct.pack("<Q", length + len(added)) + data[begin + 8 : end])
        file.write(added + data[end:])
    return path
