"""Presets: what ships, what a person keeps, and which figures can be."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.engine.messages import Sampling
from monitor.presets import (
    DEFAULTS,
    LONGEST_ANSWER,
    Preset,
    PresetError,
    checked,
    default_preset,
    forget_preset,
    keep_preset,
    own_presets,
    rename_preset,
    sampling_of,
    set_default,
    shipped_presets,
)
from monitor.store.history import History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "history.db")
    yield history
    history.close()


def test_the_first_preset_samples_as_the_engine_does_by_itself() -> None:
    balanced = shipped_presets()[0]
    assert sampling_of(balanced.sampling, 7) == Sampling(seed=7, max_tokens=LONGEST_ANSWER)
    assert balanced.system == ""


def test_what_ships_can_be_used_and_told_apart() -> None:
    presets = shipped_presets()
    assert len({preset.name for preset in presets}) == len(presets)
    assert len({(preset.system, str(preset.sampling)) for preset in presets}) == len(presets)
    for preset in presets:
        assert checked(preset.sampling) == preset.sampling
    by_name = {preset.name: preset for preset in presets}
    assert by_name["Precise"].sampling["temperature"] == 0
    assert by_name["Creative"].sampling["temperature"] > DEFAULTS["temperature"]


def test_a_fixed_seed_is_used_for_every_answer() -> None:
    assert sampling_of({"seed": 5}, 7).seed == 5
    assert sampling_of({"seed": 0}, 7).seed == 0
    assert sampling_of({"seed": None}, 7).seed == 7


def test_stop_texts_are_kept_once_and_never_empty() -> None:
    assert sampling_of({"stop": ["END", "", "END", "\n\n"]}, 0).stop == ("END", "\n\n")


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"temperature": -0.1}, "temperature must be a number from 0 to 5"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 1.5}, "Top-p must be a number from 0 to 1"),
        ({"min_p": "0.1"}, "Min-p"),
        ({"top_k": 1.5}, "Top-k must be a whole number"),
        ({"repeat_penalty": 0}, "repeat penalty"),
        ({"max_tokens": 0}, "limit in tokens must be a whole number from 1"),
        ({"seed": -1}, "seed must be a whole number from 0 to 4,294,967,295"),
        ({"temperature": None}, "temperature"),
        ({"stop": "END"}, "one a line"),
        ({"stop": [str(number) for number in range(17)]}, "16 at most"),
        ({"mirostat": 1}, "no sampling figure “mirostat”"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_with_a_sentence(
    figures: dict[str, Any], told: str
) -> None:
    with pytest.raises(PresetError, match=told):
        checked(figures)


def test_what_is_kept_is_there_after_the_program_ended(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    first = History(path)
    kept = keep_preset(
        first, Preset("  My  own ", "Answer in rhymes.", {"temperature": 1, "max_tokens": None})
    )
    first.close()
    again = History(path)
    assert own_presets(again) == (kept,)
    assert kept == Preset(
        "My own",
        "Answer in rhymes.",
        {**DEFAULTS, "temperature": 1.0, "max_tokens": None},
        is_own=True,
    )
    again.close()


def test_keeping_under_a_known_name_replaces_it_in_its_place(history: History) -> None:
    keep_preset(history, Preset("Rhymes"))
    keep_preset(history, Preset("Prose"))
    keep_preset(history, Preset("rhymes", "In rhymes."))
    assert [(one.name, one.system) for one in own_presets(history)] == [
        ("rhymes", "In rhymes."),
        ("Prose", ""),
    ]


@pytest.mark.parametrize("name", ["", "  ", "balanced", "x" * 41])
def test_a_name_that_cannot_be_is_refused(history: History, name: str) -> None:
    with pytest.raises(PresetError, match="name"):
        keep_preset(history, Preset(name))
    assert own_presets(history) == ()


def test_renaming_takes_the_default_along(history: History) -> None:
    keep_preset(history, Preset("Rhymes", "In rhymes."))
    keep_preset(history, Preset("Prose"))
    set_default(history, "Rhymes")
    renamed = rename_preset(history, "Rhymes", "Verse")
    assert default_preset(history) == renamed
    assert renamed.system == "In rhymes."
    with pytest.raises(PresetError, match="already"):
        rename_preset(history, "Verse", "PROSE")
    with pytest.raises(PresetError, match="no preset of yours"):
        rename_preset(history, "Rhymes", "Other")
    assert rename_preset(history, "Verse", "VERSE").name == "VERSE"


def test_new_conversations_begin_with_the_default_as_long_as_it_is_there(
    history: History,
) -> None:
    assert default_preset(history) == shipped_presets()[0]
    set_default(history, "Precise")
    assert default_preset(history).name == "Precise"
    kept = keep_preset(history, Preset("Rhymes"))
    set_default(history, "Rhymes")
    changed = keep_preset(history, replace(kept, system="In rhymes."))
    assert default_preset(history) == changed
    forget_preset(history, "Rhymes")
    assert own_presets(history) == ()
    assert default_preset(history) == shipped_presets()[0]
