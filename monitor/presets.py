"""Presets of a conversation: a system prompt, and how the next token is chosen.

The sampling of a preset is a mapping, as conversations keep it too: the fields of
:class:`monitor.engine.messages.Sampling`, where ``seed`` may be ``None`` for a new one with each
answer. What is not named in it has its default.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from monitor.engine.messages import Sampling
from monitor.store.history import History

PREFERENCE, DEFAULT_PREFERENCE = "presets", "default_preset"

LONGEST_ANSWER = 2048
"""Tokens of an answer at most: a small model that goes round in circles must end somewhere."""

LONGEST_NAME = 40
MOST_STOPS = 16

DEFAULTS: Mapping[str, Any] = asdict(Sampling(max_tokens=LONGEST_ANSWER)) | {
    "seed": None,
    "stop": [],
}

LARGEST_SEED = 2**32 - 1

RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 5.0),
    "top_k": (0, 1000),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "repeat_penalty": (0.5, 2.0),
    "max_tokens": (1, 1_000_000),
    "seed": (0, LARGEST_SEED),
}
"""The least and the most of each figure."""

WHOLE = ("top_k", "max_tokens", "seed")
OPTIONAL = ("max_tokens", "seed")

WORDS: Mapping[str, str] = {
    "temperature": "The temperature",
    "top_k": "Top-k",
    "top_p": "Top-p",
    "min_p": "Min-p",
    "repeat_penalty": "The repeat penalty",
    "max_tokens": "The answer's limit in tokens",
    "seed": "The seed",
}


class PresetError(Exception):
    """A preset that cannot be used or kept; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Preset:
    """How a conversation is led.

    :param name: "" for settings of one conversation that no preset has
    :param system: the system prompt, "" for none
    :param sampling: checked by :func:`checked`; all fields are there
    """

    name: str
    system: str = ""
    sampling: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULTS))
    is_own: bool = False


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sampling with every field, or say which figure cannot be.

    :raises PresetError: if a figure is out of its range or there is no such figure
    """
    for name in fields:
        if name not in DEFAULTS:
            raise PresetError(f"There is no sampling figure “{name}”: remove it.")
    whole = dict(DEFAULTS) | dict(fields)
    for name in RANGES:
        whole[name] = _checked_figure(name, whole[name])
    stop = whole["stop"]
    if not isinstance(stop, list | tuple) or not all(isinstance(text, str) for text in stop):
        raise PresetError("Stop texts are a list of texts: write one a line.")
    whole["stop"] = list(dict.fromkeys(text for text in stop if text))
    if len(whole["stop"]) > MOST_STOPS:
        raise PresetError(f"There are too many stop texts: leave {MOST_STOPS} at most.")
    return whole


def _checked_figure(name: str, value: Any) -> float | int | None:
    if value is None and name in OPTIONAL:
        return None
    low, high = RANGES[name]
    kind = "a whole number" if name in WHOLE else "a number"
    problem = f"{WORDS[name]} must be {kind} from {low:g} to {high:,}: change it."
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PresetError(problem)
    if not low <= value <= high or (name in WHOLE and value != int(value)):
        raise PresetError(problem)
    return int(value) if name in WHOLE else float(value)


def sampling_of(fields: Mapping[str, Any], seed: int) -> Sampling:
    """Return the sampling of one answer.

    :param fields: of a preset or a conversation
    :param seed: for this answer, where none is fixed
    :raises PresetError: if a figure cannot be
    """
    whole = checked(fields)
    whole["stop"] = tuple(whole["stop"])
    if whole["seed"] is None:
        whole["seed"] = seed
    return Sampling(**whole)


def shipped_presets() -> tuple[Preset, ...]:
    """Return the presets that come with LlamaWatt; the first one has the defaults."""
    return (
        Preset("Balanced"),
        Preset("Precise", sampling=checked({"temperature": 0.0})),
        Preset(
            "Creative",
            sampling=checked({"temperature": 1.1, "top_k": 0, "top_p": 1.0, "min_p": 0.08}),
        ),
        Preset(
            "Brief",
            "Answer in one to three short sentences. Leave out greetings, repetitions of the "
            "question and closing remarks.",
            checked({"temperature": 0.4, "max_tokens": 256}),
        ),
        Preset(
            "Programmer",
            "You are an experienced programmer. Give complete code that runs, in one code block, "
            "then say in a few sentences how it works and where it may fail. If something needed "
            "is not said, state what you assume.",
            checked({"temperature": 0.2, "top_p": 0.9}),
        ),
        Preset(
            "Tutor",
            "You are a patient tutor. Explain step by step in plain words, give one example, and "
            "end with a short question that shows whether it was understood.",
            checked({"temperature": 0.6}),
        ),
        Preset("Repeatable", sampling=checked({"seed": 1})),
    )


def own_presets(history: History) -> tuple[Preset, ...]:
    """Return a person's own presets, in the order in which they were made."""
    rows = history.preference(PREFERENCE, [])
    return tuple(
        Preset(row["name"], row["system"], checked(row["sampling"]), is_own=True) for row in rows
    )


def keep_preset(history: History, preset: Preset) -> Preset:
    """Keep a preset as one's own, in place of an own one of the same name.

    :returns: the preset as it is kept
    :raises PresetError: if its name is empty, too long or that of a shipped one, or a figure
      cannot be
    """
    kept = replace(
        preset,
        name=_checked_name(preset.name),
        system=preset.system.strip(),
        sampling=checked(preset.sampling),
        is_own=True,
    )
    present = own_presets(history)
    if any(_same_name(one.name, kept.name) for one in present):
        _write(history, (kept if _same_name(one.name, kept.name) else one for one in present))
    else:
        _write(history, (*present, kept))
    return kept


def rename_preset(history: History, name: str, new_name: str) -> Preset:
    """Give one's own preset another name.

    :raises PresetError: if there is none of the name, or the new one cannot be or is taken
    """
    wanted = _checked_name(new_name)
    present = own_presets(history)
    if not any(one.name == name for one in present):
        raise PresetError(f"There is no preset of yours called “{name}”: choose another one.")
    if any(_same_name(one.name, wanted) and one.name != name for one in present):
        raise PresetError(f"You have a preset called “{wanted}” already: choose another name.")
    renamed = tuple(replace(one, name=wanted) if one.name == name else one for one in present)
    _write(history, renamed)
    if history.preference(DEFAULT_PREFERENCE) == name:
        set_default(history, wanted)
    return next(one for one in renamed if one.name == wanted)


def forget_preset(history: History, name: str) -> None:
    """Remove one's own preset; nothing happens if there is none of that name."""
    _write(history, (one for one in own_presets(history) if one.name != name))


def default_preset(history: History) -> Preset:
    """Return the preset new conversations begin with: the chosen one, else the first shipped."""
    name = history.preference(DEFAULT_PREFERENCE)
    known = (*shipped_presets(), *own_presets(history))
    return next((one for one in known if one.name == name), known[0])


def set_default(history: History, name: str) -> None:
    """Begin new conversations with the preset of this name."""
    history.set_preference(DEFAULT_PREFERENCE, name)


def _checked_name(name: str) -> str:
    clean = " ".join(name.split())
    if not clean:
        raise PresetError("A preset needs a name: write one.")
    if len(clean) > LONGEST_NAME:
        raise PresetError(f"The name is too long: {LONGEST_NAME} characters at most.")
    if any(_same_name(clean, one.name) for one in shipped_presets()):
        raise PresetError(f"“{clean}” comes with LlamaWatt: choose another name for your own.")
    return clean


def _same_name(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _write(history: History, presets: Iterable[Preset]) -> None:
    rows = [
        {"name": one.name, "system": one.system, "sampling": dict(one.sampling)} for one in presets
    ]
    history.set_preference(PREFERENCE, rows)
