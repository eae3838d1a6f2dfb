"""A prompt run until its energy is known: through the real engine, and as the command."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.engine.client import Engine
from monitor.engine.messages import ChatMessage, PrefillStarted, Sampling
from monitor.loading import LoadOptions
from monitor.meter import Ask, Meter
from monitor.power.sampler import Sampler
from monitor.repeating import WARM_UP, Plan, Repeated, Repeater
from monitor.store.history import History
from monitor.store.repeats import Repeats
from tests.integration.conftest import Command

SHORT = ("ask", "What is a watt?", "--max-tokens", "12", "--ctx", "256", "--threads", "2")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Meter, History]]:
    engine = Engine()
    path = tmp_path_factory.mktemp("repeat") / "history.db"
    with Sampler() as sampler, closing(History(path)) as history:
        yield Meter(sampler, engine, history), history
        engine.close()


def question(model: Path, tokens: int = 16) -> Ask:
    return Ask(
        kind="ask",
        model=model,
        messages=(ChatMessage("user", "What is a watt?"),),
        sampling=Sampling(seed=7, max_tokens=tokens),
        options=LoadOptions(context=256, threads=2),
    )


def test_runs_start_cold_give_the_same_answer_and_are_kept_together(
    services: tuple[Meter, History], shallow: Path
) -> None:
    meter, history = services
    events = list(Repeater(meter, history).run(question(shallow), Plan(times=3)))
    steps = [event for event in events if isinstance(event, Repeated)]
    found = steps[-1]
    # The run that loaded the model is kept, marked, and no part of the mean.
    assert [len(step.records) for step in steps] == [0, 1, 2, 3]
    assert [step.ended for step in steps] == [False, False, False, True]
    assert found.warm_up
    assert found.warm_up.seconds.load
    assert {record.text for record in found.records} == {found.warm_up.text}
    assert {record.tokens.reused for record in found.records} == {0}
    assert all(record.seconds.load is None for record in found.records)
    kept = (found.warm_up, *found.records)
    assert Repeats(history.store).members(found.id) == tuple(record.id for record in kept)
    tags = {row.id: row.tags for row in history.browse.rows()}
    assert [tags[record.id] for record in kept] == [(WARM_UP,), (), (), ()]
    assert found.mean
    assert found.mean.count == 3
    billed_j = [record.bill.total().joules for record in found.records]
    assert found.mean.energy.joules == pytest.approx(sum(billed_j) / 3)


def test_nothing_warms_up_what_is_warm_and_short_answers_are_resolved_together(
    services: tuple[Meter, History], starter: Path
) -> None:
    meter, history = services
    asked = question(starter, 5)
    for _ in meter.load(starter, asked.options):
        pass
    # What was loaded is billed to the query that follows it.
    *_, found = Repeater(meter, history).run(asked, Plan(times=1))
    *_, found = Repeater(meter, history).run(asked, Plan(times=12))
    assert isinstance(found, Repeated)
    assert found.warm_up is None
    assert found.mean
    assert found.mean.resolved


def test_a_person_stops_it_and_what_ended_is_kept(
    services: tuple[Meter, History], shallow: Path
) -> None:
    meter, history = services
    repeater = Repeater(meter, history)
    runs = 0
    found = None
    for event in repeater.run(question(shallow, 150), Plan(times=20)):
        if isinstance(event, Repeated):
            found, runs = event, len(event.records)
        # As soon as the second is at work: of a model this small it may soon be over.
        if isinstance(event, PrefillStarted) and runs == 1:
            repeater.cancel()
    assert found
    assert found.ended
    assert found.stopped
    assert len(found.records) == 1
    assert found.broken


def test_the_command_tells_mean_and_runs_needed(here: Command, shallow: Path) -> None:
    ran = here(*SHORT, "--model", str(shallow), "--repeat", "3", "--json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert len(document["repeats"]) == 3
    assert document["warm_up"]["seconds"]["load"] > 0
    mean = document["mean"]
    assert mean["low_j"] < mean["joules"] < mean["high_j"]
    assert mean["precision"] == pytest.approx(mean["scatter"] + mean["systematic"])
    assert document["needed"] is None or document["needed"] >= 3
    stored = document["repeats"][0]["id"]
    again = here("history", "again", stored, "--repeat", "2", "--json")
    assert json.loads(again.stdout)["against"]["verdict"] in ("lower", "higher", "cannot tell")


def test_a_precision_that_sensors_do_not_have_is_said_and_the_scatter_narrowed(
    here: Command, shallow: Path
) -> None:
    ran = here(*SHORT, "--model", str(shallow), "--until-precision", "60%", "--max-repeats", "4")
    assert ran.returncode == 0, ran.stderr
    assert "Mean of " in ran.stderr
    # On a machine without sensors the model's own doubt is far larger.
    if "○" in ran.stderr:
        assert "Repeating cannot bring this to ±60 %" in ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--until-precision", "often"), "write a percentage"),
        (("--until-precision", "0%"), "write a percentage"),
        (("--max-repeats", "4"), "give that as well"),
        (("--repeat", "2", "--until-precision", "5%"), "give one"),
    ],
)
def test_what_makes_no_plan_is_said(here: Command, options: tuple[str, ...], sentence: str) -> None:
    ran = here(*SHORT, *options)
    assert ran.returncode == 2
    assert sentence in ran.stderr


def test_ctrl_c_tells_what_there_is(
    start_llamawatt: Callable[..., "subprocess.Popen[str]"], shallow: Path
) -> None:
    process = start_llamawatt(*SHORT, "--model", str(shallow), "--repeat", "1000")
    assert process.stderr
    told = ""
    while "Run 1:" not in told:
        more = os.read(process.stderr.fileno(), 4096).decode()
        assert more, "it ended before"
        told += more
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run " in rest
