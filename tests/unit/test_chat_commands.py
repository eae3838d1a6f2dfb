"""The commands for conversations find one by either end of its ID, and undo what they do."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.commands.chats import chats
from monitor.paths import database_path
from monitor.store.history import Began, History
from tests.unit.builders import NOTHING_KNOWN
from tests.unit.test_conversations import bill, identifier, say


def run(*arguments: str) -> Result:
    return CliRunner().invoke(chats, arguments)


def answer(*arguments: str) -> Any:
    ran = run(*arguments, "--json")
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


@pytest.fixture
def watt(history: History) -> Began:
    """A conversation on watts with two branches, used before another."""
    first = say(history, "What is a watt?", "A joule\x1b[31m a second.", cost=bill(5))
    say(history, "What is a watt?", "Power.", again=first, cost=NOTHING_KNOWN)
    say(history, "What is a lumen?", "Light.", cost=bill(3))
    return first


def test_conversations_are_listed_and_searched(watt: Began) -> None:
    lumen, found = answer("list")
    assert (lumen["title"], lumen["energy_j"], lumen["kind"]) == (
        "What is a lumen?",
        3.0,
        "counter",
    )
    assert (found["turns"], found["queries"], found["measured"]) == (1, 2, 1)
    (hit,) = answer("list", "--text", "joul")
    assert (hit["id"], hit["hit_query_id"]) == (identifier(watt), watt.query_id)
    assert "joule" in hit["snippet"]
    printed = run("list", "--text", "joul").stdout
    assert identifier(watt)[-8:] in printed
    assert "≥ ● 5.00 J" in printed
    assert "\x1b" not in printed
    assert "\x02" not in printed
    assert "Try fewer or shorter words" in run("list", "--text", "volt").stderr
    assert run("list", "--limit", "1").stderr == "These are the first 1; --limit shows more.\n"
    assert len(answer("list", "--limit", "1")) == 1
    assert not run("list", "--limit", "2").stderr


def test_one_is_shown_as_it_was_left_with_its_branches(watt: Began) -> None:
    end = identifier(watt)[-8:]
    shown = run("show", end).stdout
    assert "Power." in shown
    assert "answered in 2 ways: ● 5.00 J · 1 answer, [— · 1 answer, of which 0 were measured]" in (
        " ".join(shown.split())
    )
    assert run("show", end, "--markdown").stdout.startswith("# What is a watt?\n")
    document = answer("show", end)
    assert len(document["messages"]) == 3
    assert len(document["queries"]) == 2


def test_one_goes_out_as_markdown_or_json_and_comes_in(
    watt: Began, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, text, document = identifier(watt)[-8:], tmp_path / "w.md", tmp_path / "w.json"
    assert answer("export", end, "-o", str(text)) == {"id": identifier(watt), "path": str(text)}
    assert run("export", end, "-o", str(document)).exit_code == 0
    assert text.read_text().startswith("# What is a watt?\n")
    assert "is there already" in str(run("export", end, "-o", str(text)).exception)
    assert run("export", end, "-o", str(text), "--force").exit_code == 0
    refused = run("export", end, "-o", str(tmp_path / "w.txt"))
    assert (refused.exit_code, ".md or .json" in refused.stderr) == (2, True)
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "elsewhere"))
    assert "Begin one in the window" in run("list").stderr
    assert "Took in 3 messages and 2 bills of “What is a watt?”." in (
        " ".join(run("import", str(document)).stderr.split())
    )
    assert answer("import", str(document))["messages"] == 0
    assert [each["title"] for each in answer("list")] == ["What is a watt?"]


def test_one_is_renamed_pinned_deleted_and_restored(watt: Began) -> None:
    end = identifier(watt)[-8:]
    assert answer("rename", end, " On  watts ") == {"id": identifier(watt), "title": "On watts"}
    assert answer("pin", end)["pinned"]
    assert [each["title"] for each in answer("list")] == ["On watts", "What is a lumen?"]
    assert "★ On watts" in run("list").stdout
    assert not answer("pin", end, "--off")["pinned"]
    assert answer("list")[0]["title"] == "What is a lumen?"
    deleted = run("delete", end)
    assert len(answer("list")) == 1
    assert [each["id"] for each in answer("list", "--deleted")] == [identifier(watt)]
    undo = deleted.stderr.split("llamawatt chats ")[1].split()
    assert run(*undo).exit_code == 0
    assert len(answer("list")) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "ffffffff"], "There is no conversation ffffffff. `llamawatt chats list`"),
        (["rename", "{}", " "], "at least one letter"),
        (["delete"], "Missing argument"),
        (["restore", "{}", "ffffffff"], "There is no conversation ffffffff"),
        (["import", "nowhere.json"], "does not exist"),
    ],
)
def test_mistakes(watt: Began, arguments: list[str], sentence: str) -> None:
    ran = run(*(each.format(identifier(watt)) for each in arguments))
    assert ran.exit_code in (1, 2)
    assert sentence in ran.stderr


def test_every_command_shows_an_example() -> None:
    for name, command in chats.commands.items():
        assert command.help
        assert f"Example: llamawatt chats {name}" in command.help
