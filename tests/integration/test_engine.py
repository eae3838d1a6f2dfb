"""llama.cpp in its own process, with the real starter model."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from monitor.engine.client import Engine, EngineDied, EngineError
from monitor.engine.messages import (
    Answer,
    ChatMessage,
    DecodeStarted,
    Done,
    Generate,
    Load,
    Loaded,
    LoadProgress,
    PrefillStarted,
    PromptRead,
    Sampling,
    Text,
)
from monitor.engine.plain import MARK, VARIABLE, starts_plain

GREEDY = Sampling(temperature=0, max_tokens=24)


def ask(engine: Engine, *texts: str, sampling: Sampling = GREEDY) -> list[Answer]:
    """Ask with a conversation whose turns alternate between user and assistant."""
    roles = ("user", "assistant")
    messages = tuple(ChatMessage(roles[i % 2], text) for i, text in enumerate(texts))
    return list(engine.work(Generate(messages, sampling)))


def text_of(answers: list[Answer]) -> str:
    return "".join(answer.text for answer in answers if isinstance(answer, Text))


def first(answers: list[Answer], kind: type[Answer]) -> Answer:
    return next(answer for answer in answers if isinstance(answer, kind))


def test_phases_follow_each_other_on_the_shared_clock(engine: Engine) -> None:
    before_s = time.monotonic()
    answers = ask(engine, "What is a watt?")
    after_s = time.monotonic()
    prefill, decode, done = (
        first(answers, kind).time_s for kind in (PrefillStarted, DecodeStarted, Done)
    )
    assert before_s < prefill < decode < done < after_s
    texts = [answer.time_s for answer in answers if isinstance(answer, Text)]
    assert texts == sorted(texts)
    assert decode < texts[0]


def test_answer_makes_sense_and_length_is_kept(engine: Engine) -> None:
    answers = ask(engine, "What is a watt?")
    done = answers[-1]
    assert isinstance(done, Done)
    assert (done.reason, done.tokens) == ("length", 24)
    assert "watt" in text_of(answers).lower()


def test_same_seed_same_answer_other_seed_other_answer(engine: Engine) -> None:
    def with_seed(seed: int) -> str:
        sampling = Sampling(temperature=1.0, seed=seed, max_tokens=24)
        return text_of(ask(engine, "Tell me a story.", sampling=sampling))

    assert with_seed(7) == with_seed(7)
    assert with_seed(7) != with_seed(8)


def test_next_turn_processes_only_what_is_new(engine: Engine) -> None:
    question = "Name a colour."
    answer = text_of(ask(engine, question))
    answers = ask(engine, question, answer, "And another?")
    started = first(answers, PrefillStarted)
    assert started.reused > 30
    assert started.reused < started.tokens
    fresh = text_of(ask(engine, "Something else entirely."))
    assert fresh
    again = ask(engine, question, answer, "And another?")
    assert text_of(again) == text_of(answers), "reuse must not change the answer"


def test_stop_text_ends_the_answer_and_is_not_shown(engine: Engine) -> None:
    whole = text_of(ask(engine, "What is a watt?"))
    word = whole.split()[5]
    answers = ask(
        engine, "What is a watt?", sampling=Sampling(temperature=0, max_tokens=24, stop=(word,))
    )
    done = answers[-1]
    assert isinstance(done, Done)
    assert done.reason == "stop"
    assert text_of(answers) == whole[: whole.index(word)]


def test_characters_of_several_tokens_arrive_whole(engine: Engine) -> None:
    sampling = Sampling(temperature=0, max_tokens=60)
    answers = ask(engine, "Repeat exactly: 🦙⚡🌍 🦙⚡🌍 🦙⚡🌍", sampling=sampling)
    texts = [answer.text for answer in answers if isinstance(answer, Text)]
    assert any(ord(character) > 0xFFFF for text in texts for character in text)
    # The length limit may fall within the last character; nowhere else may one be torn.
    assert "\ufffd" not in "".join(texts)[:-1]


def test_repeat_penalty_leads_to_fewer_repetitions(engine: Engine) -> None:
    def repetitions(penalty: float) -> int:
        sampling = Sampling(temperature=0, max_tokens=60, repeat_penalty=penalty)
        words = text_of(ask(engine, "Say yes yes yes yes yes yes yes", sampling=sampling)).split()
        return len(words) - len(set(words))

    assert repetitions(1.3) < repetitions(1.0)


@pytest.mark.parametrize("moment", ["prefill", "decode"])
def test_cancel_ends_the_answer_and_the_next_one_is_sound(engine: Engine, moment: str) -> None:
    before = text_of(ask(engine, "What is a watt?"))
    question = "word " * 1500 if moment == "prefill" else "Write a very long story."
    answers: list[Answer] = []
    is_cancelled = False
    sampling = Sampling(temperature=0, max_tokens=1500)
    for answer in engine.work(Generate((ChatMessage("user", question),), sampling)):
        answers.append(answer)
        wanted = PromptRead if moment == "prefill" else Text
        if isinstance(answer, wanted) and not is_cancelled:
            is_cancelled = True
            engine.cancel()
    done = answers[-1]
    assert isinstance(done, Done)
    assert done.reason == "cancelled"
    reused = first(answers, PrefillStarted).reused
    read = [answer.tokens - reused for answer in answers if isinstance(answer, PromptRead)]
    # Of three chunks; the second may have been read by the time a busy machine cancelled.
    assert read in ([[512], [512, 1024]] if moment == "prefill" else [[]])
    assert any(isinstance(a, DecodeStarted) for a in answers) == (moment == "decode")
    assert text_of(ask(engine, "What is a watt?")) == before


def test_conversation_longer_than_the_context_is_refused_with_both_numbers(
    engine: Engine,
) -> None:
    with pytest.raises(EngineError, match=r"context holds 2048"):
        ask(engine, "word " * 4000)
    assert text_of(ask(engine, "What is a watt?"))


def test_full_context_ends_the_answer(shallow: Path) -> None:
    engine = Engine()
    for _ in engine.load(Load(str(shallow), context=96, threads=2)):
        pass
    sampling = Sampling(temperature=0.9, seed=3, max_tokens=None)
    answers = ask(engine, "Write a very long story about dragons.", sampling=sampling)
    engine.stop()
    done = answers[-1]
    assert isinstance(done, Done)
    assert done.reason in {"context", "end"}
    assert done.tokens <= 96


def test_load_tells_its_progress_and_hello_its_devices(starter: Path) -> None:
    engine = Engine()
    hello = engine.hello()
    assert any(device.kind == "cpu" for device in hello.devices)
    events = list(engine.load(Load(str(starter), context=512, threads=1)))
    fractions = [event.fraction for event in events if isinstance(event, LoadProgress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    loaded = events[-1]
    assert isinstance(loaded, Loaded)
    assert loaded.context == 512
    assert 0 < loaded.end_s - loaded.start_s < 60
    engine.stop()


def test_cancelled_load_says_so_and_the_engine_loads_again(starter: Path) -> None:
    """The starter loads in a blink, so a cancel may come too late; one in time must be heeded."""
    engine = Engine()
    problem = ""
    for _ in range(20):
        try:
            for _ in engine.load(Load(str(starter), context=512, threads=1)):
                engine.cancel()
        except EngineError as error:
            problem = str(error)
            break
    assert "cancelled" in problem
    assert list(engine.load(Load(str(starter), context=512, threads=1)))
    engine.stop()


def test_unload_ends_the_process(shallow: Path) -> None:
    engine = Engine()
    for _ in engine.load(Load(str(shallow), context=512, threads=1)):
        pass
    pid = engine.pid
    assert pid is not None
    assert psutil.pid_exists(pid)
    engine.stop()
    assert not psutil.pid_exists(pid)
    with pytest.raises(EngineError, match="No model"):
        ask(engine, "Hello?")


def test_killed_engine_is_reported_with_its_cause_and_replaced(shallow: Path) -> None:
    engine = Engine()
    request = Load(str(shallow), context=512, threads=2)
    for _ in engine.load(request):
        pass
    said = ""

    def ask_until_killed() -> None:
        nonlocal said
        question = (ChatMessage("user", "Write a very long story."),)
        sampling = Sampling(temperature=0.9, seed=1, max_tokens=400)
        for answer in engine.work(Generate(question, sampling)):
            if isinstance(answer, Text):
                said += answer.text
                assert engine.pid is not None
                os.kill(engine.pid, signal.SIGKILL)

    with pytest.raises(EngineDied, match="memory runs out"):
        ask_until_killed()
    assert said
    assert engine.model is None
    for _ in engine.load(request):
        pass
    assert text_of(ask(engine, "What is a watt?"))
    engine.stop()


def test_abort_inside_llama_cpp_names_the_signal(shallow: Path) -> None:
    engine = Engine()
    for _ in engine.load(Load(str(shallow), context=512, threads=2)):
        pass
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGABRT)
    with pytest.raises(EngineDied, match="SIGABRT"):
        ask(engine, "Hello?")
    engine.stop()


LONG = "What is a watt? " * 40
SHORT, MANY = 24, 300
"""Tokens of an answer: of one that is to end, and of one that is not over when it is struck."""


def loaded(starter: Path) -> Engine:
    engine = Engine()
    for _ in engine.load(Load(str(starter), 512, 2)):
        pass
    return engine


def strike(engine: Engine, moment: type[Answer]) -> list[Answer]:
    """Ask, and have the engine meet an instruction its processor does not run."""
    answers = []
    sampling = Sampling(temperature=0, max_tokens=MANY if moment is Text else SHORT)
    for answer in engine.work(Generate((ChatMessage("user", LONG),), sampling)):
        if isinstance(answer, moment) and not any(isinstance(each, moment) for each in answers):
            assert engine.pid
            os.kill(engine.pid, signal.SIGILL)
        answers.append(answer)
    return answers


@pytest.fixture
def with_matrix_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as on any machine: with all that the processor claims."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.usefixtures("with_matrix_units")
def test_matrix_units_that_do_not_run_are_left_out_and_the_answer_comes(starter: Path) -> None:
    engine = loaded(starter)
    assert not engine.hello().llama_cpp.endswith("(plain)")
    struck = engine.pid
    answers = strike(engine, PrefillStarted)
    assert engine.pid != struck
    assert isinstance(answers[-1], Done)
    assert text_of(answers)
    assert engine.hello().llama_cpp.endswith("(plain)")
    with pytest.raises(EngineDied, match=r"SIGILL.*Build llama-cpp-python on this very machine"):
        strike(engine, PrefillStarted)  # nothing is left that could be left out
    engine.stop()


@pytest.mark.usefixtures("with_matrix_units")
def test_the_next_start_knows_until_another_llama_cpp_is_installed(
    starter: Path, home: Path
) -> None:
    engine = loaded(starter)
    strike(engine, PrefillStarted)
    engine.stop()
    assert starts_plain()
    (home / MARK).write_text("0.0.1")
    assert not starts_plain()
    (home / MARK).write_bytes(b"\xff")
    assert not starts_plain()


def test_an_engine_can_be_told_to_start_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    engine = Engine()
    assert engine.hello().llama_cpp.endswith("(plain)")
    engine.stop()


@pytest.mark.usefixtures("with_matrix_units")
def test_what_was_answered_already_is_not_answered_twice(starter: Path) -> None:
    engine = loaded(starter)
    # Where it truly cannot run them, it was begun without them before the first word.
    with pytest.raises(EngineDied, match=r"SIGILL.*(next prompt starts it without|very machine)"):
        strike(engine, Text)
    for _ in engine.load(Load(str(starter), 512, 2)):
        pass
    assert engine.hello().llama_cpp.endswith("(plain)")
    assert text_of(ask(engine, "What is a watt?"))
    engine.stop()


def test_engine_does_not_outlive_its_program(starter: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import sys, time\n"
        "from monitor.engine.client import Engine\n"
        "engine = Engine(); engine.hello(); print(engine.pid, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    engine = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.communicate()
    gone, _ = psutil.wait_procs([engine], timeout=60)
    assert gone
