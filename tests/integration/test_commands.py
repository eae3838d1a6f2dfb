"""The command ``llamawatt`` on the real starter model, as it is installed wherever a process of
its own, its streams or its end are part of what a person sees."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from monitor.energy.calibration import Samples, calibrate
from monitor.paths import database_path
from monitor.power.channel import Domain, Role
from monitor.store.calibrations import Calibrations
from monitor.store.history import History
from monitor.store.records import Status
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, RaplZone
from tests.integration.conftest import Command
from tests.unit.builders import channel

RECORD_KEYS = {
    "id", "kind", "status", "started_at", "model", "settings", "text", "tokens", "seconds",
    "method", "energy", "co2",
}  # fmt: skip


def ask(llamawatt: Command, *arguments: str) -> dict[str, Any]:
    ran = llamawatt("ask", *arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    record: dict[str, Any] = json.loads(ran.stdout)
    return record


def stored(here: Command) -> list[dict[str, Any]]:
    """Return the history as the command lists it."""
    records: list[dict[str, Any]] = json.loads(here("history", "list", "--json").stdout)
    return records


STORY = ("ask", "Write a very long story about dragons.", "--temp", "0")
"""Goes on for hundreds of tokens, so that it is not over while a busy machine looks elsewhere."""


def wait_for_text(process: "subprocess.Popen[str]", least: int = 1) -> str:
    """Wait for the first of the answer, past Python's buffer so that the rest can follow.

    :param least: so many characters
    """
    assert process.stdout
    shown = b""
    while len(shown) < least:
        more = os.read(process.stdout.fileno(), 4096)
        assert more, "it ended before"
        shown += more
    return shown.decode()


def test_ask_gives_the_agreed_form_and_history_holds_the_same_record(
    llamawatt: Command, here: Command, starter: Path
) -> None:
    record = ask(llamawatt, "What is a watt?", "--max-tokens", "40", "--seed", "4")
    assert set(record) >= RECORD_KEYS
    assert record["status"] == "done"
    assert record["model"]["file"] == str(starter)
    assert record["tokens"]["completion"] > 20
    energy, co2 = record["energy"], record["co2"]
    assert energy["low_j"] < energy["total_j"] < energy["high_j"]
    parts = [c["joules"] for c in energy["channels"] if c["role"] == "part"]
    assert energy["total_j"] == pytest.approx(sum(parts))
    phases = energy["phases"]
    assert energy["total_j"] == pytest.approx(sum(p["total_j"] for p in phases.values()))
    assert set(phases) == {"prefill", "decode"}
    assert energy["load_j"] > 0
    assert energy["above_idle_j"] is None
    assert co2["zone"] == "WORLD"
    assert co2["grams"] == pytest.approx(
        energy["total_j"] / 3.6e6 * co2["intensity_g_per_kwh"], rel=1e-9
    )
    listed = here("history", "list", "--json")
    assert json.loads(listed.stdout) == [record]
    shown = here("history", "show", record["id"], "--json")
    assert json.loads(shown.stdout) == record


def test_a_calibrated_machine_says_what_an_answer_took_at_the_wall(
    here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(65.0))
    with FakeSysfs(tmp_path / "sys", [package], update_s=0.01) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        before = ask(here, "What is a watt?", "--max-tokens", "8")
        assert before["energy"]["wall"] is None
        watts = np.repeat([10.0, 65.0, 100.0], 6)
        samples = Samples(
            whole=replace(channel(), key="plug:0", role=Role.WHOLE, domain=Domain.SYSTEM),
            channels=(channel(),),
            whole_w=30.0 + 1.25 * watts,
            channels_w=watts[:, None],
            steps=tuple(map(str, watts)),
            passes=np.arange(18) % 2,
        )
        with closing(History(database_path())) as history:
            kept = Calibrations(history.store).keep(calibrate(samples), samples)
        record = ask(here, "What is a watt?", "--max-tokens", "8")
        ran = here("ask", "What is a watt?", "--max-tokens", "8")
    energy, wall = record["energy"], record["energy"]["wall"]
    wall_j = 30.0 * record["seconds"]["total"] + 1.25 * energy["total_j"]
    assert wall["total_j"] == pytest.approx(wall_j, rel=0.03)
    assert wall["low_j"] < wall["total_j"] < wall["high_j"]
    assert wall["calibration"] == kept.id
    assert "At the wall, by the machine's calibration: ○ " in ran.stderr


def test_answer_alone_is_on_stdout_and_the_bill_beside_it(
    llamawatt: Command, here: Command
) -> None:
    ran = llamawatt("ask", "What is a watt?", "--max-tokens", "20", "--seed", "4")
    (record,) = stored(here)
    assert ran.stdout.strip() == record["text"].strip()
    assert "J" in ran.stderr
    assert "t/s" in ran.stderr
    assert "cut at --max-tokens" in ran.stderr


def test_settings_reach_the_engine_and_the_record_and_are_had_again(
    here: Command, tmp_path: Path
) -> None:
    record = ask(
        here, "Who are you?", "--system", "You are a pirate.", "--max-tokens", "12",
        "--seed", "11", "--temp", "0", "--ctx", "1024", "--threads", "1",
    )  # fmt: skip
    settings = record["settings"]
    assert (settings["context"], settings["threads"], settings["seed"]) == (1024, 1, 11)
    assert (settings["temperature"], settings["max_tokens"]) == (0, 12)
    assert settings["system"] == "You are a pirate."
    assert record["tokens"]["completion"] == 12
    again = json.loads(here("history", "again", record["id"][-8:], "--json").stdout)
    assert again["id"] != record["id"]
    for name in ("model", "settings", "prompt", "text"):
        assert again[name] == record[name]
    capsule = tmp_path / "capsule.json"
    assert here("export", "capsule", record["id"], "-o", str(capsule)).returncode == 0
    replayed = json.loads(here("history", "again", str(capsule), "--json").stdout)
    assert replayed["text"] == record["text"]
    assert any("answer" in line and "same" in line for line in replayed["differences"])


def test_prompt_from_stdin(starter: Path) -> None:
    from tests.integration.conftest import COMMAND

    ran = subprocess.run(
        [COMMAND, "ask", "-", "--max-tokens", "8", "--json"],
        input="What is a joule?\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(ran.stdout)["prompt"] == "What is a joule?"


def test_ctrl_c_stops_stores_and_exits_130(
    here: Command, start_llamawatt: Callable[..., "subprocess.Popen[str]"]
) -> None:
    process = start_llamawatt(*STORY)
    shown = wait_for_text(process)
    process.send_signal(signal.SIGINT)
    rest, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip().endswith("Stopped.")
    (record,) = stored(here)
    assert record["status"] == "stopped"
    assert record["text"].strip() == (shown + rest).strip()
    assert record["energy"]["total_j"] > 0


def test_a_budget_that_is_used_up_is_said_and_is_no_failure(here: Command) -> None:
    ran = here("ask", "Write a very long story about dragons.", "--budget", "0.001J")
    assert ran.returncode == 0
    assert ran.stderr.strip().endswith("the budget of 1.00 mJ is used up.")
    (record,) = stored(here)
    assert (record["status"], record["finish_reason"]) == ("stopped", "budget")


HEEDING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Starts Python so that Ctrl-C is heeded, whether or not the tests run in the background."""


def test_ctrl_c_while_the_program_is_read_ends_it_in_silence() -> None:
    command = ["-X", "importtime", "-m", "monitor", "watch", "--seconds", "60"]
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDING, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pipesize=4096,  # it waits for its lines to be read, and cannot be done with reading
    )
    assert process.stderr
    # "import time:" lines are Python's own; click is the first thing the command reads.
    for line in process.stderr:
        if line.split()[-1] == "click":
            break
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in told


def engine_of(process: "subprocess.Popen[str]") -> psutil.Process:
    (engine,) = psutil.Process(process.pid).children()
    return engine


def test_killed_engine_leaves_a_failed_record_with_its_text_and_energy(
    here: Command, start_llamawatt: Callable[..., "subprocess.Popen[str]"]
) -> None:
    process = start_llamawatt(*STORY)
    shown = wait_for_text(process, least=80)
    engine_of(process).kill()
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "memory" in errors
    (record,) = stored(here)
    assert record["status"] == "failed"
    assert record["text"].strip() == (shown + rest).strip()
    assert record["energy"]["total_j"] > 0
    assert record["error"]


def saved_seconds(path: Path, times: int) -> list[float]:
    """Wait until a running query was saved so often; return how far it had come each time."""
    seen_s: list[float] = []
    with closing(History(path)) as history:
        while len(seen_s) < times:
            (record,) = history.records()
            assert record.status is Status.RUNNING
            total_s = record.seconds.total or 0.0
            if total_s and total_s not in seen_s:
                seen_s.append(total_s)
            time.sleep(0.02)
    return seen_s


def test_killed_program_leaves_an_interrupted_record_short_of_a_second(
    here: Command, start_llamawatt: Callable[..., "subprocess.Popen[str]"], home: Path
) -> None:
    import sqlite3

    process = start_llamawatt(*STORY)
    wait_for_text(process)
    seen_s = saved_seconds(home / "history.db", times=3)
    process.kill()
    process.communicate()
    (record,) = stored(here)
    assert record["status"] == "interrupted"
    assert record["text"]
    assert record["energy"]["total_j"] > 0
    assert record["seconds"]["total"] >= seen_s[-1]
    # A busy machine may keep it from saving in time once; it is not kept from it each time.
    assert min(np.diff(seen_s)) < 1.0
    database = sqlite3.connect(home / "history.db")
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.fixture
def bad_model(request: pytest.FixtureRequest, tmp_path: Path, starter: Path) -> Path:
    """Build the model file a test is named after."""
    path = tmp_path / "model.gguf"
    match request.param:
        case "missing":
            pass
        case "directory":
            path.mkdir()
        case "text":
            path.write_text("This is not a model.")
        case "lfs":
            path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n")
        case "page":
            path.write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
        case "truncated":
            path.write_bytes(starter.read_bytes()[:60_000_000])
        case "vocabulary":
            _write_vocabulary(path)
        case "huge":
            _write_huge(path)
    return path


def _writer(path: Path) -> Any:
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(2048)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    return writer


def _write_vocabulary(path: Path) -> None:
    writer = _writer(path)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def _write_huge(path: Path) -> None:
    """A sound file of 4 TB, nearly all of it a hole: more than any machine's memory."""
    import gguf

    writer = _writer(path)
    writer.add_tensor_info(
        "token_embd.weight", (1 << 20, 1 << 20), "float32", 1 << 42, gguf.GGMLQuantizationType.F32
    )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate((1 << 42) + (1 << 20))


@pytest.mark.parametrize(
    ("bad_model", "said"),
    [
        ("missing", "no file"),
        ("directory", "is a folder"),
        ("text", "not a GGUF file"),
        ("lfs", "git lfs pull"),
        ("page", "web page"),
        ("truncated", "cut short"),
        ("vocabulary", "no weights"),
        ("huge", "memory is free"),
    ],
    indirect=["bad_model"],
)
def test_bad_model_is_named_and_nothing_is_stored(
    here: Command, bad_model: Path, said: str
) -> None:
    ran = here("ask", "Hello?", "--model", str(bad_model))
    assert ran.returncode == 1
    assert said in " ".join(ran.stderr.split())
    assert not ran.stdout
    assert stored(here) == []


def test_file_that_only_llama_cpp_refuses_is_a_failed_record(
    here: Command, tmp_path: Path, starter: Path
) -> None:
    """The header is sound; an unknown architecture is for llama.cpp to find."""
    path = tmp_path / "strange.gguf"
    path.write_bytes(
        starter.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0lluma", 1)
    )
    ran = here("ask", "Hello?", "--model", str(path))
    assert ran.returncode == 1
    assert "could not load" in ran.stderr
    (record,) = stored(here)
    assert record["status"] == "failed"
    assert record["energy"]["total_j"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("ask", "Hello?", "--ctx", "100000"), 1, "8192 or less"),
        (("ask", "Hello?", "--model", "nope"), 1, "There is no model"),
        (("ask", "  "), 2, "prompt is empty"),
        (("ask",), 2, "Missing argument"),
        (("ask", "what", "is", "a", "watt"), 2, 'marks: llamawatt ask "what is a watt"'),
        (("ask", "-5+3?"), 2, 'behind “--”: llamawatt ask -- "-5+3?"'),
        (("history", "show", "ffffffff"), 1, "There is no query"),
        (("watch", "--hz", "900"), 2, "range"),
        (("carbon", "zone", "Germny"), 1, "DEU (Germany)"),
        (("nonsense",), 2, "There are: ask, "),
        (("aks", "What?"), 2, "Did you mean ask?"),
        (("history", "export", "csv"), 2, "It is: llamawatt export"),
        (("history", "sum"), 2, "Did you mean sums?"),
    ],
)
def test_wrong_use_gets_a_sentence(
    here: Command, arguments: tuple[str, ...], status: int, said: str
) -> None:
    ran = here(*arguments)
    assert ran.returncode == status
    assert said in " ".join(ran.stderr.split())
    assert not ran.stdout


def test_without_a_display_one_line_names_the_commands(llamawatt: Command) -> None:
    ran = llamawatt(QT_QPA_PLATFORM="", DISPLAY="", WAYLAND_DISPLAY="")
    assert ran.returncode == 2
    assert "ask" in ran.stderr
    assert "watch" in ran.stderr


def test_zone_changes_the_grams_and_not_the_joules(here: Command) -> None:
    assert here("carbon", "zone", "france").returncode == 0
    record = ask(here, "Hello?", "--max-tokens", "8")
    assert record["co2"]["zone"] == "FRA"
    assert record["co2"]["grams"] < record["energy"]["total_j"] / 3.6e6 * 100


def test_models_are_listed_and_described_without_loading(
    here: Command, starter: Path, home: Path
) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "broken.gguf").write_text("no model")
    listed = {model["name"]: model for model in json.loads(here("models", "list", "--json").stdout)}
    assert listed["starter"]["parameters"] == 134515008
    assert "not a GGUF" in listed["broken"]["problem"]
    about = json.loads(here("models", "info", "starter", "--json").stdout)
    assert about["quantisation"] == "Q4_1"
    assert about["licence"] == "apache-2.0"
    assert about["chat_template"] is True


def test_the_command_has_help_with_an_example(llamawatt: Command) -> None:
    assert "Example: llamawatt" in llamawatt("--help").stdout


def test_data_folder_that_is_a_file_gets_a_sentence(llamawatt: Command, tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    ran = llamawatt("history", "list", LLAMAWATT_HOME=str(place))
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    told = " ".join(ran.stderr.split())
    assert f"{place} cannot be made: a file is in its place. Give another" in told


def test_display_that_does_not_answer_gets_a_sentence(llamawatt: Command) -> None:
    ran = llamawatt(QT_QPA_PLATFORM="", DISPLAY=":7654", WAYLAND_DISPLAY="")
    assert ran.returncode == 2
    assert "Qt" in ran.stderr or ":7654" in ran.stderr
    assert "Fatal" not in ran.stderr


def test_reader_that_has_had_enough_stops_the_answer_quietly(here: Command, starter: Path) -> None:
    from tests.integration.conftest import COMMAND

    ran = subprocess.run(
        f"{COMMAND} ask 'Write a very long story about dragons.' --seed 1 | head -c 20",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert len(ran.stdout) == 20
    assert not ran.stderr
    (record,) = stored(here)
    assert record["status"] == "stopped"


def test_context_smaller_than_the_prompt_is_said_with_both_numbers(here: Command) -> None:
    ran = here("ask", "hi", "--ctx", "16", "--max-tokens", "5")
    assert ran.returncode == 1
    assert "31 tokens long and the context holds 16" in " ".join(ran.stderr.split())
    assert "no energy" not in ran.stderr, "the failure is what there is to say"


def test_small_context_is_kept_to_and_its_end_is_said(here: Command) -> None:
    record = ask(here, "Write a very long story about dragons.", "--ctx", "64", "--seed", "1")
    assert record["finish_reason"] == "context"
    assert record["tokens"]["prompt"] + record["tokens"]["completion"] <= 64
