"""Scoring and speed tests beside llama.cpp's own programs, in one run.

llama.cpp's programs are not in llama-cpp-python's wheels; its source distribution has their
source. Build ``llama-bench`` and ``llama-perplexity`` from it and name their folder in
``LLAMA_CPP_PROGRAMS``; without it those comparisons are skipped.
"""

import itertools
import json
import os
import statistics
import subprocess
import time
from importlib.resources import files
from pathlib import Path

import llama_cpp
import psutil
import pytest

from monitor.bench.prepare import prepare
from monitor.bench.suites import QUALITY, Part
from monitor.engine.client import Engine
from monitor.engine.messages import DecodeStarted, Done, Exercise, Load, PrefillStarted, Score
from tests.integration.plain_scoring import plain_scorer

pytestmark = [pytest.mark.speed, pytest.mark.timeout(900)]

QUICK = Path(str(files("resources") / "suites" / "quick"))
THREADS = 2


def program(name: str) -> Path:
    """Return one of llama.cpp's own programs."""
    folder = os.environ.get("LLAMA_CPP_PROGRAMS")
    if not folder:
        pytest.skip("LLAMA_CPP_PROGRAMS does not name a folder with llama.cpp's programs")
    return Path(folder) / name


def loaded(path: Path, context: int, sequences: int) -> Engine:
    engine = Engine()
    for _ in engine.load(Load(str(path), context, THREADS, sequences=sequences)):
        pass
    return engine


def quick(task: str, data: str, shots: str = "") -> Part:
    return Part(
        name=task,
        kind=QUALITY,
        task=task,
        data=str(QUICK / data),
        shots=5 if shots else 0,
        shots_data=str(QUICK / shots) if shots else "",
    )


def score_all(engine: Engine, part: Part) -> float:
    """Return the seconds scoring all of a part's items takes."""
    asked = tuple(a.question for a in prepare(part).asked() if a.question)
    start_s = time.perf_counter()
    for first in range(0, len(asked), 64):
        for _ in engine.work(Score(asked[first : first + 64])):
            pass
    return time.perf_counter() - start_s


def six_lines(path: Path) -> None:
    """Write the quick suite's endings as llama.cpp's program reads them."""
    items = prepare(quick("hellaswag", "hellaswag.jsonl")).items
    lines = [[item.prompts[0], str(item.gold[0]), *item.choices] for item in items]
    path.write_text("".join("\n".join(six) + "\n" for six in lines))


def test_hellaswag_beside_llama_perplexity(starter: Path, tmp_path: Path) -> None:
    own = program("llama-perplexity")
    text = tmp_path / "hellaswag.txt"
    six_lines(text)
    command = [str(own), "-m", str(starter), "--hellaswag", "-f", str(text), "-t", str(THREADS)]
    engine = loaded(starter, 512, 64)
    score_all(engine, quick("hellaswag", "hellaswag.jsonl"))
    ratios = []
    for _ in range(3):
        # Loading is in llama-perplexity's time; it is measured alone and taken off.
        load_s, whole_s = (
            _seconds([*command, "--hellaswag-tasks", str(count)]) for count in (1, 40)
        )
        theirs_s = (whole_s - load_s) / 39 * 40
        ours_s = score_all(engine, quick("hellaswag", "hellaswag.jsonl"))
        ratios.append(theirs_s / ours_s)
        print(f"\n40 items: {40 / ours_s:.2f}/s, llama-perplexity {40 / theirs_s:.2f}/s")
    engine.stop()
    print(f"ratio {statistics.median(ratios):.2f} (wanted 1.8)", sorted(ratios))


def _seconds(command: list[str]) -> float:
    start_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start_s


def test_mmlu_with_five_examples_beside_one_text_at_a_time(starter: Path) -> None:
    part = quick("mmlu", "mmlu.jsonl", "mmlu_dev.jsonl")
    asked = [a.question for a in prepare(part).asked() if a.question]
    engine = loaded(starter, 1024, 64)
    ours_s = score_all(engine, part)
    engine.stop()
    chosen = asked[::10]
    with plain_scorer(starter, 1024) as plain:
        start_s = time.perf_counter()
        for question in chosen:
            for pair in question.pairs:
                plain.loglikelihood(*pair)
        theirs_s = (time.perf_counter() - start_s) / len(chosen) * len(asked)
    print(f"\nMMLU 5-shot: {len(asked) / ours_s:.2f} items/s, one at a time "
          f"{len(asked) / theirs_s:.2f}: ratio {theirs_s / ours_s:.1f} (wanted 5)")  # fmt: skip
    assert theirs_s / ours_s > 5


def test_speed_beside_llama_bench(starter: Path) -> None:
    own = program("llama-bench")
    library = str(Path(llama_cpp.__file__).parent / "lib")
    same_library = {**os.environ, "LD_LIBRARY_PATH": library}
    command = [str(own), "-m", str(starter), "-t", str(THREADS), "-r", "1", "-o", "json"]
    engine = loaded(starter, 1024, 1)
    found: dict[str, list[float]] = {"pp512": [], "tg128": []}
    # A virtual machine goes slower or faster by a tenth for seconds: by turns, often, briefly.
    for _ in range(15):
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=same_library)
        theirs = {
            f"pp{test['n_prompt']}" if test["n_prompt"] else f"tg{test['n_gen']}": test["avg_ts"]
            for test in json.loads(done.stdout)
        }
        for name, request in (("pp512", Exercise(512, 0)), ("tg128", Exercise(0, 128))):
            rate = [_rate(engine, request) for _ in range(2)][1]
            found[name].append(rate / theirs[name])
            print(f"\n{name}: {rate:.1f} t/s, llama-bench {theirs[name]:.1f}")
    engine.stop()
    for name, ratios in found.items():
        print(f"{name}: ratio {statistics.median(ratios):.3f} (wanted 0.97–1.03)", ratios)


def _rate(engine: Engine, request: Exercise) -> float:
    times = {type(message): message.time_s for message in engine.work(request)}  # type: ignore[union-attr]
    if request.prefill:
        return request.prefill / (times[DecodeStarted] - times[PrefillStarted])
    return request.decode / (times[Done] - times[DecodeStarted])


def test_memory_of_ten_thousand_items(starter: Path, tmp_path: Path) -> None:
    """All are read and prepared; some hundred are scored, which must not make the engine grow."""
    path = tmp_path / "many.jsonl"
    places = ("garden", "kitchen", "harbour", "workshop", "library")
    with path.open("w") as file:
        for number in range(10_000):
            place = places[number % len(places)]
            context = f"Somebody with the number {number} walks into the {place} and looks around"
            line = {
                "activity_label": f"Visiting the {place}",
                "ctx_a": f"{context}, puts down a bag, and opens the window to let in some air.",
                "ctx_b": "then the visitor",
                "endings": [f"{verb} the table in the {place} for a while before leaving again."
                            for verb in ("wipes", "eats", "sings to", "melts")],
                "label": number % 4,
            }  # fmt: skip
            file.write(json.dumps(line) + "\n")
    before = psutil.Process().memory_info().rss
    prepared = prepare(Part(name="many", kind=QUALITY, task="hellaswag", data=str(path)))
    engine = loaded(starter, 512, 64)
    assert engine.pid
    worker = psutil.Process(engine.pid)
    highest = []
    questions = prepared.asked()
    for _ in range(10):
        chunk = tuple(a.question for a in itertools.islice(questions, 16) if a.question)
        for _message in engine.work(Score(chunk)):
            pass
        highest.append(worker.memory_info().rss)
    ours = psutil.Process().memory_info().rss - before
    engine.stop()
    over = highest[-1] + ours - starter.stat().st_size
    print(f"\n10,000 items read and prepared: {ours / 1e6:.0f} MB")
    print(f"engine {highest[0] / 1e6:.0f} MB after 16 items, {highest[-1] / 1e6:.0f} after 160")
    print(f"{over / 1e6:.0f} MB over the model's file (budget 300)")
    assert over < 300e6
