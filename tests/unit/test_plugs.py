"""Wall plugs as they are kept, sampled, and set up by the command."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main
from monitor.paths import database_path
from monitor.plugs import (
    MOST_PLUGS,
    PREFERENCE,
    Found,
    PlugError,
    add_plug,
    find_plug,
    let_read,
    plugs,
    remove_plug,
    rename_plug,
    try_address,
)
from monitor.power.plug_answers import PlugAnswer, PlugKind
from monitor.power.sampler import Sampler
from monitor.sensing import sampler_for
from monitor.store.history import History
from tests.hardware.plug_server import Device, serving, shelly, tasmota


@pytest.fixture
def history() -> Iterator[History]:
    opened = History(database_path())
    yield opened
    opened.close()


@pytest.fixture
def device() -> Iterator[Device]:
    with serving(shelly()) as served:
        yield served


def found(address: str, kind: PlugKind = PlugKind.SHELLY, anywhere: bool = False) -> Found:
    return Found(address, kind, PlugAnswer(48.2, None), anywhere)


def plug_sources(sampler: Sampler) -> list[str]:
    return [p.source for p in sampler.probes() if p.source.startswith("plug:")]


# What is kept.


def test_a_plug_is_kept_as_it_was_found(history: History) -> None:
    added = add_plug(history, found("10.0.0.1", PlugKind.TASMOTA, anywhere=True), "  Desk  lamp ")
    again = History(database_path())
    assert plugs(again) == (added,)
    again.close()
    assert (added.name, added.kind, added.anywhere) == ("Desk lamp", PlugKind.TASMOTA, True)
    assert find_plug(history, "10.0.0.1") == find_plug(history, "Desk lamp") == added
    assert find_plug(history, " desk LAMP ") == added


def test_plugs_without_a_name_are_told_apart(history: History) -> None:
    names = [add_plug(history, found(f"10.0.0.{n}")).name for n in (1, 2, 3)]
    assert names == ["Wall plug Shelly", "Wall plug Shelly 2", "Wall plug Shelly 3"]


def test_what_cannot_be_kept_is_told(history: History) -> None:
    add_plug(history, found("10.0.0.1"), "Desk")
    with pytest.raises(PlugError, match="there already, as “Desk”"):
        add_plug(history, found("10.0.0.1"), "Other")
    for name in ("Desk", "desk"):
        with pytest.raises(PlugError, match="Another plug is called “Desk”"):
            add_plug(history, found("10.0.0.2"), name)
    for name in ("x" * 41, "\x07", "\u202e"):
        with pytest.raises(PlugError, match="1 to 40 letters"):
            add_plug(history, found("10.0.0.2"), name)
    for number in range(2, MOST_PLUGS + 1):
        add_plug(history, found(f"10.0.0.{number}"))
    with pytest.raises(PlugError, match="Remove one first"):
        add_plug(history, found("10.0.0.99"))


def test_a_plug_is_renamed_and_removed_by_name_or_address(history: History) -> None:
    for number, name in enumerate(("Desk", "Shelf", "Floor")):
        add_plug(history, found(f"10.0.0.{number}"), name)
    with pytest.raises(PlugError, match="Another plug"):
        rename_plug(history, "Desk", "Shelf")
    rename_plug(history, "10.0.0.0", "Table")
    remove_plug(history, "10.0.0.1")
    remove_plug(history, "floor")
    rename_plug(history, "Table", "TABLE")
    rename_plug(history, "TABLE", "Table")
    assert [plug.name for plug in plugs(history)] == ["Table"]
    for change in (lambda: remove_plug(history, "Desk"), lambda: rename_plug(history, "", "A")):
        with pytest.raises(PlugError, match="No plug is called"):
            change()


@pytest.mark.parametrize(
    "stored", [None, {}, [None], [1], [{}], [{"address": "a", "name": "b", "kind": "toaster"}]]
)
def test_what_cannot_be_read_does_not_keep_the_rest_from_being_read(
    history: History, stored: Any
) -> None:
    add_plug(history, found("10.0.0.1"), "Desk")
    good = history.preference(PREFERENCE)
    history.set_preference(PREFERENCE, [*stored, *good] if isinstance(stored, list) else stored)
    assert [p.name for p in plugs(history)] == (["Desk"] if isinstance(stored, list) else [])


def test_an_attempt_ends_when_nobody_waits_for_it() -> None:
    def leave() -> None:
        raise PlugError("left")

    with serving(Device(silent=True)) as silent, pytest.raises(PlugError, match="left"):
        try_address(silent.address, tick=leave)


# What is sampled.


def test_just_the_plugs_set_up_are_sampled(history: History, device: Device) -> None:
    assert plug_sources(sampler_for(history)) == []
    add_plug(history, try_address(device.address), "Desk")
    asked = len(device.asked)
    with sampler_for(history) as sampler:
        assert sampler.wait_ready()
        assert plug_sources(sampler) == [f"plug:{device.address}"]
        names = [c.label for c in sampler.channels() if c.key == f"plug:{device.address}"]
        assert names == ["Desk"]
    assert len(device.asked) == asked


def test_changes_reach_a_sampler_that_runs(history: History, device: Device) -> None:
    with Sampler(sources=[]) as sampler, serving(tasmota()) as other:
        let_read(sampler, plugs(history))
        assert plug_sources(sampler) == []
        for served, name in ((device, "Desk"), (other, "Shelf")):
            add_plug(history, try_address(served.address), name)
        let_read(sampler, plugs(history))
        assert sampler.wait_ready()
        rename_plug(history, "Desk", "Table")
        remove_plug(history, "Shelf")
        let_read(sampler, plugs(history))
        assert sampler.wait_ready()
        assert [channel.label for channel in sampler.channels()] == ["Table"]


# The command.


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["sensors", "plug", *words])


def told(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_plug_is_tried_added_listed_and_removed(device: Device) -> None:
    seen = {"address": device.address, "kind": "shelly", "anywhere": False}
    watts = {"power_w": 48.2, "energy_wh": 1234.567}
    assert told("try", device.address) == seen | watts
    assert told("list") == []
    assert told("add", device.address, "--name", "Desk") == seen | watts | {"name": "Desk"}
    assert told("list") == [seen | {"name": "Desk"}]
    assert told("try", "Desk") == seen | watts
    asked = len(device.asked)
    assert "Desk" in run("list").output
    assert len(device.asked) == asked
    assert told("rename", device.address, " Shelf ") == seen | {"name": "Shelf"}
    assert told("rename", "Shelf", "Desk") == seen | {"name": "Desk"}
    assert len(device.asked) == asked
    words = " ".join(run("rename", "Desk", "Desk").output.split())
    assert f"the plug at {device.address} is called “Desk” now" in words
    assert told("remove", "Desk") == seen | {"name": "Desk"}
    assert "sensors plug add" in run("list").output


def test_add_says_what_it_found_and_its_watts(device: Device) -> None:
    output = " ".join(run("add", device.address, "--name", "[bold]Desk").output.split())
    assert "Added “[bold]Desk”" in output
    assert "◐ 48.2 W now" in output
    assert "1.23 kWh on its own counter" in output
    assert "[bold]Desk" in run("list").output


def test_what_is_no_plug_is_not_added() -> None:
    with serving(Device({"/shelly": b"<html>"})) as router:
        result = run("add", router.address)
    assert (result.exit_code, told("list")) == (1, [])
    assert "no Shelly and no Tasmota plug" in result.output


def test_an_address_elsewhere_wants_to_be_confirmed() -> None:
    result = run("add", "203.0.113.7")
    assert result.exit_code == 1
    told_words = " ".join(result.output.split())
    assert "not of your own network" in told_words
    assert "--anyway" in told_words


@pytest.mark.parametrize("words", [("remove", "Desk"), ("rename", "Desk", "Shelf")])
def test_changing_what_is_not_there_is_told(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.exit_code, "No plug is called “Desk”" in result.output) == (1, True)
