"""Suites: lists of benchmarks in TOML files, LlamaWatt's own or a person's."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from monitor.bench.files import load, read_rows, shown
from monitor.bench.settings import KNOWN
from monitor.bench.task import LMH, DatasetError
from monitor.bench.tasks import find_task
from monitor.engine.memory import KV_SHARE
from monitor.engine.messages import FLASH_ATTENTION, MEMORY_MAPS
from monitor.problem import Problem

QUALITY, SPEED, PROMPTS = "quality", "speed", "prompts"

PUBLIC = "public"
"""Stands for the public set of a task, as ``llamawatt bench get`` fetches it."""


LEAST = {"context": 16, "threads": 1, "gpu_layers": -1}
"""The smallest numbers that settings may be; the others are words."""

WORDS = {
    "flash_attention": FLASH_ATTENTION,
    "kv_type": tuple(KV_SHARE),
    "memory_map": MEMORY_MAPS,
}


class SuiteError(Problem):
    """A suite that cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark of a suite.

    :param kind: ``quality`` (a task), ``speed`` (llama-bench's pp and tg) or ``prompts`` (answers
      that are timed and metered, not judged)
    :param data: the task's file; ``public`` for the fetched public set
    :param shots: worked examples; ``None`` for as many as the task has by default
    :param shots_data: where they are taken from; "" for the scored file itself
    :param limit: only the first so many items, or prompts
    :param prefill: prompt tokens of a speed test
    :param decode: answer tokens of a speed test
    :param times: how often a speed test is repeated
    :param max_tokens: of an answer to a prompt
    """

    name: str
    kind: str
    task: str = ""
    data: str = ""
    shots: int | None = None
    shots_data: str = ""
    limit: int | None = None
    protocol: str = LMH
    prefill: int = 512
    decode: int = 128
    times: int = 5
    prompts: tuple[str, ...] = ()
    max_tokens: int = 256


@dataclass(frozen=True, slots=True)
class Suite:
    """Some benchmarks and how they are run.

    :param settings: options each model is loaded with in turn, by their names; empty for only
      those that were given with the models
    :param repeats: how often the whole is run; models take turns in leading
    :param warm_up: exercises before the first item of a loaded model: billed, but in no item
    :param cool_down_s: rest before each run
    :param idle_s: how long the idle machine is measured before and after; 0 for not
    """

    name: str
    title: str
    about: str
    parts: tuple[Part, ...]
    settings: tuple[Mapping[str, Any], ...] = ()
    repeats: int = 1
    warm_up: int = 2
    cool_down_s: float = 0.0
    idle_s: float = 5.0

    def with_settings(self, repeats: int | None, limit: int | None) -> "Suite":
        """Return the suite run so often, with only so many items of each task or prompts."""
        parts = self.parts
        if limit:
            parts = tuple(
                replace(part, limit=min(limit, part.limit or limit), prompts=part.prompts[:limit])
                for part in parts
            )
        return replace(self, parts=parts, repeats=repeats or self.repeats)

    def to_json(self) -> dict[str, Any]:
        """Return the suite as plain values, from which :func:`suite_from_json` makes it again."""
        return asdict(self)


def suite_from_json(document: Mapping[str, Any]) -> Suite:
    """Make a suite again of what :meth:`Suite.to_json` gave.

    :raises SuiteError: if it is none, naming the field that is wrong
    """
    numbers = dict(document)
    name, title, about, parts = (
        numbers.pop(key, None) for key in ("name", "title", "about", "parts")
    )
    if not (isinstance(name, str) and isinstance(title, str) and isinstance(about, str)):
        raise SuiteError("The suite: “name”, “title” and “about” should be texts.")
    if not isinstance(parts, list | tuple) or not parts:
        raise SuiteError("The suite: “parts” should list at least one benchmark.")
    made = tuple(_stored_part(number, part) for number, part in enumerate(parts, start=1))
    settings = _settings("The suite", numbers.pop("settings", []))
    return _with_numbers("The suite", Suite(name, title, about, made, settings), numbers)


def _stored_part(number: int, values: object) -> Part:
    place = f"The suite, part {number}"
    if not isinstance(values, Mapping):
        raise SuiteError(f"{place}: it should be an object.")
    given = {key: value for key, value in values.items() if value is not None}
    kind = given.pop("kind", "")
    _check_fields(place, kind, given)
    given["prompts"] = tuple(given.get("prompts", ()))
    return _made(place, kind, given)


def list_suites() -> list[Suite]:
    """Return the suites that ship with LlamaWatt, by name."""
    with as_file(files("resources") / "suites") as folder:
        return [_read(path) for path in sorted(folder.glob("*.toml"))]


def find_suite(text: str) -> Suite:
    """Return the suite of a name, or the one in a TOML file.

    :raises SuiteError: if there is none, or it cannot be used
    """
    if text.endswith(".toml"):
        return _read(Path(text).expanduser())
    suites = list_suites()
    found = next((suite for suite in suites if suite.name == text), None)
    if found is None:
        names = ", ".join(suite.name for suite in suites)
        raise SuiteError(f"There is no suite “{text}”. Give a .toml file, or one of: {names}.")
    return found


def _read(path: Path) -> Suite:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SuiteError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SuiteError(f"{path.name} cannot be read as a suite: {error}.") from error
    parts = document.pop("parts", None)
    if not isinstance(parts, list) or not parts or not all(isinstance(p, dict) for p in parts):
        raise SuiteError(f"{path.name} lists no benchmarks: it needs at least one [[parts]].")
    made = tuple(_part(path, number, part) for number, part in enumerate(parts, start=1))
    title, about = document.pop("title", path.stem), document.pop("about", "")
    if not isinstance(title, str) or not isinstance(about, str):
        raise SuiteError(f"{path.name}: “title” and “about” should be texts.")
    settings = _settings(path.name, document.pop("settings", []))
    suite = Suite(path.stem, title, about, made, settings)
    return _with_numbers(path.name, suite, document)


def _with_numbers(place: str, suite: Suite, document: Mapping[str, Any]) -> Suite:
    known = {"repeats": int, "warm_up": int, "cool_down_s": float, "idle_s": float}
    for key, value in document.items():
        if key not in known:
            raise SuiteError(f"{place}: “{key}” is not known. There are: {', '.join(known)}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise SuiteError(f"{place}: “{key}” should be a number, 0 or more.")
    numbers = {key: known[key](value) for key, value in document.items()}
    if numbers.get("repeats") == 0:
        raise SuiteError(f"{place}: “repeats” should be 1 or more.")
    return replace(suite, **numbers)


def _settings(place: str, given: object) -> tuple[Mapping[str, Any], ...]:
    """Check what models are to be loaded with in turn."""
    if not isinstance(given, list | tuple) or not all(isinstance(each, dict) for each in given):
        raise SuiteError(f"{place}: “settings” should be a list of tables: [[settings]].")
    for number, setting in enumerate(given, start=1):
        for key, value in setting.items():
            if key not in KNOWN:
                raise SuiteError(
                    f"{place}, settings {number}: “{key}” is not known. There are: "
                    f"{', '.join(KNOWN)}."
                )
            if key in LEAST and not (_is_whole(value) and value >= LEAST[key]):
                raise SuiteError(
                    f"{place}, settings {number}: “{key}” should be a whole number, "
                    f"{LEAST[key]} or more."
                )
            if key in WORDS and value not in WORDS[key]:
                raise SuiteError(
                    f"{place}, settings {number}: “{key}” should be one of "
                    f"{', '.join(WORDS[key])}, and is {shown(value)}."
                )
    if any(given.count(setting) > 1 for setting in given):
        raise SuiteError(f"{place}: two of its settings are the same.")
    return tuple(given)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _part(path: Path, number: int, given: dict[str, Any]) -> Part:
    place = f"{path.name}, part {number}"
    kind = given.pop("kind", QUALITY if "task" in given else "")
    source = given.pop("prompts_data", "")
    _check_fields(place, kind, given)
    _check_types(place, {"prompts_data": source})
    for key in ("data", "shots_data"):
        if given.get(key) and given[key] != PUBLIC:
            given[key] = str((path.parent / given[key]).resolve())
    if kind != PROMPTS and source:
        raise SuiteError(f"{place}: “prompts_data” is for parts of kind {PROMPTS}.")
    prompts = list(given.pop("prompts", []))
    if source:
        prompts += _prompts(place, path.parent / source)
    return _made(place, kind, {**given, "prompts": tuple(prompts[: given.get("limit")])})


def _made(place: str, kind: str, given: dict[str, Any]) -> Part:
    """Make a part of fields that are what they should be."""
    if kind == QUALITY:
        return _quality(place, given)
    if kind == PROMPTS and not given["prompts"]:
        raise SuiteError(f"{place}: it lists no prompts.")
    return Part(name=given.pop("name", kind), kind=kind, **given)


def _quality(place: str, given: dict[str, Any]) -> Part:
    try:
        task = find_task(given.get("task", ""))
    except DatasetError as error:
        raise SuiteError(f"{place}: {error}") from None
    if given.get("protocol", LMH) not in task.protocols:
        raise SuiteError(
            f"{place}: {task.title} is scored by {' or '.join(task.protocols)}, "
            f"not by “{given['protocol']}”."
        )
    if not given.get("data"):
        raise SuiteError(f"{place}: it needs the file of {task.title}'s items as data.")
    return Part(name=given.pop("name", task.title), kind=QUALITY, **given)


def _check_fields(place: str, kind: object, given: Mapping[str, Any]) -> None:
    """Refuse a kind or a field that is not known, and what a field may not hold."""
    if kind not in (QUALITY, SPEED, PROMPTS):
        raise SuiteError(f"{place}: it needs a task, or a kind: {SPEED} or {PROMPTS}.")
    if unknown := given.keys() - {field.name for field in fields(Part)}:
        raise SuiteError(f"{place}: “{min(unknown)}” is not known.")
    _check_types(place, given)


def _check_types(place: str, given: Mapping[str, Any]) -> None:
    numbers = {"shots", "limit", "prefill", "decode", "times", "max_tokens"}
    for key, value in given.items():
        least = 0 if key == "shots" else 1
        if key in numbers and not (_is_whole(value) and value >= least):
            raise SuiteError(f"{place}: “{key}” should be a whole number, {least} or more.")
        is_list = key == "prompts"
        if is_list and not (isinstance(value, list) and all(isinstance(p, str) for p in value)):
            raise SuiteError(f"{place}: “prompts” should be a list of texts.")
        if key not in numbers and not is_list and not isinstance(value, str):
            raise SuiteError(f"{place}: “{key}” should be a text.")


def _prompts(place: str, path: Path) -> Sequence[str]:
    """Read prompts from a JSON Lines file with a ``prompt`` a line, or a text with one a line."""
    try:
        if path.suffix in (".jsonl", ".json"):
            return [row.text("prompt") for row in read_rows(path)]
        return [line for line in load(path).text.splitlines() if line.strip()]
    except DatasetError as error:
        raise SuiteError(f"{place}: {error}") from None
