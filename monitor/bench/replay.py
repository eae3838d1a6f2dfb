"""Repeating a benchmark from its document, and saying what came out otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.bench.data_places import Hashes, find_data
from monitor.bench.plan import Entrant
from monitor.bench.suites import Suite, SuiteError, suite_from_json
from monitor.bench.uncounted import UNCOUNTED
from monitor.engine.gguf import ModelFileError
from monitor.engine.memory import KV_SHARE
from monitor.engine.messages import FLASH_ATTENTION, MEMORY_MAPS
from monitor.exchange.node import Node
from monitor.loading import LoadOptions
from monitor.models.library import Found


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a document says was run.

    :param models: their places when it was run, with how they were loaded
    :param hashes: of the data, by the part's name
    """

    suite: Suite
    models: tuple[Node, ...]
    budget_j: float | None
    hashes: Mapping[str, Hashes]


def read_replayed(document: Node) -> Replayed:
    """Check a document of ``bench run --json``, or a benchmark's capsule, to the last field that
    repeating it needs, so that nothing is found wanting after hours of computing.

    :raises ExchangeError: naming the field that is missing or something else
    :raises SuiteError: likewise, for the suite's fields
    """
    if "plan" not in document.value:
        raise SuiteError(
            f"{document.place} is no result of a benchmark that can be repeated. `llamawatt bench "
            "show ID --json` writes one, and so does `bench run`, `quality` or `speed` with --json."
        )
    plan = document.part("plan")
    document.part("versions")
    try:
        suite = suite_from_json(plan.part("suite").value)
    except SuiteError as error:
        raise SuiteError(f"{document.place}: {error}") from error
    models = plan.parts("models")
    for model in models:
        _check_model(model)
    hashes = {}
    for run in document.parts("runs"):
        _check_run(run)
        shots = run.optional_text("shots_sha256") if "shots_sha256" in run.value else ""
        data = run.part("data").optional_text("sha256") if "data" in run.value else ""
        hashes[run.text("part")] = Hashes(data, shots)
    return Replayed(suite, tuple(models), plan.optional_number("budget_j"), hashes)


def _check_model(model: Node) -> None:
    for name in ("path", "name", "sha256"):
        model.text(name)
    for name, least in (("context", 1), ("threads", 1), ("gpu_layers", -1)):
        if name in model.value:
            model.optional_whole(name, least)
    for name, words in (
        ("flash_attention", FLASH_ATTENTION),
        ("kv_type", tuple(KV_SHARE)),
        ("memory_map", MEMORY_MAPS),
    ):
        value = model.value.get(name)
        if value is not None and value not in words:
            raise model.problem(f"“{name}” should be one of {', '.join(words)}")


def _check_run(run: Node) -> None:
    run.whole("step"), run.text("part")
    energy = run.part("energy")
    energy.optional_number("total_j")
    if phases := energy.optional_part("phases"):
        for name in phases.value:
            phases.part(name).optional_number("total_j")
    if "accuracy" in run.value:
        run.optional_number("accuracy")
    outcomes = run.get("outcomes")
    if not isinstance(outcomes, list) or not all(map(_is_outcome, outcomes)):
        raise run.problem("“outcomes” should be a list of [position, outcome, score]")


def _is_outcome(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], int)


def plan_of(
    replayed: Replayed, library: Sequence[Found], given: Sequence[tuple[str, Path]] = ()
) -> tuple[Suite, list[Entrant], float | None]:
    """Return the suite, the models and the budget of a document, as they can be run here.

    A model is looked for where it was, then in the library by its file's name: whether it is the
    same is told by its SHA-256 afterwards. Data must be what it was.

    :param given: names of data, and where they are here
    :raises ModelFileError: if a model is not on this machine
    :raises DatasetError: if data is not
    """
    entrants = [_entrant(model, library) for model in replayed.models]
    return find_data(replayed.suite, replayed.hashes, given), entrants, replayed.budget_j


def _entrant(model: Node, library: Sequence[Found]) -> Entrant:
    path = Path(model.text("path"))
    if not path.exists():
        alike = [found.path for found in library if found.path.name == path.name]
        if not alike:
            raise ModelFileError(
                f"The model {model.text('name')} is not on this machine: neither {path} nor a file "
                "of that name in the library. Put it there and try again."
            )
        path = alike[0]
    return Entrant(path, LoadOptions.of(model.value))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a replay beside what it repeats.

    :param before: the document that was replayed
    :param after: the replay's own
    :return: what differs in its conditions, and for each run its accuracy, the items that came
      out otherwise, and the ratio of the energies
    """
    conditions = {}
    for name, value in before["versions"].items():
        if after["versions"].get(name) != value:
            conditions[name] = [value, after["versions"].get(name)]
    for old, new in zip(before["plan"]["models"], after["plan"]["models"], strict=True):
        if old["sha256"] != new["sha256"]:
            conditions[f"sha256 of {old['name']}"] = [old["sha256"], new["sha256"]]
    again = {run["step"]: run for run in after["runs"]}
    runs = [
        _run_differences(run, again[run["step"]]) for run in before["runs"] if run["step"] in again
    ]
    return {"conditions": conditions, "runs": runs}


def _run_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    old = {position: pred for position, pred, _ in before["outcomes"]}
    new = {position: pred for position, pred, _ in after["outcomes"]}
    joules = [_items_j(run["energy"]) for run in (before, after)]
    is_comparable = before.get("prompts_sha256") == after.get("prompts_sha256")
    return {
        "part": before["part"],
        "model": _model_name(after),
        "repeat": after.get("repeat", 0),
        "same_questions": is_comparable,
        "accuracy": [before.get("accuracy"), after.get("accuracy")],
        "items": [len(old), len(new)],
        "changed": sorted(p for p in old.keys() & new.keys() if old[p] != new[p]),
        "energy_j": joules,
        "energy_ratio": joules[1] / joules[0] if joules[0] and joules[1] else None,
    }


def _items_j(energy: Mapping[str, Any]) -> float | None:
    """Return the joules of a run's items: what it computed beside them is not done again alike."""
    total_j, phases = energy.get("total_j"), energy.get("phases") or {}
    beside = [each.get("total_j") or 0.0 for name, each in phases.items() if name in UNCOUNTED]
    return None if total_j is None else total_j - sum(beside)


def _model_name(run: Mapping[str, Any]) -> str | None:
    """Return what a run's model is called, with the settings that tell it from itself."""
    model, setting = run.get("model"), run.get("setting")
    if not model:
        return None
    return f"{model['name']} {model['quantisation']}" + (f" ({setting})" if setting else "")


def replay_lines(found: Mapping[str, Any]) -> list[str]:
    """Say what :func:`differences` found, a line each."""
    lines = [f"{name}: was {old}, is {new}" for name, (old, new) in found["conditions"].items()]
    return lines + [_run_line(run) for run in found["runs"]]


def _run_line(run: Mapping[str, Any]) -> str:
    repeat = f", repeat {run['repeat'] + 1}" if run["repeat"] else ""
    name = ", ".join(filter(None, (run["model"], run["part"]))) + repeat
    if not run["same_questions"]:
        return f"{name}: the questions are not those of the run that is repeated."
    parts = [f"{len(run['changed'])} of {run['items'][1]} items came out otherwise"]
    old, new = run["accuracy"]
    if old is not None and new is not None:
        parts.append(f"accuracy {old:.1%}, now {new:.1%}")
    if run["energy_ratio"] is not None:
        parts.append(f"{run['energy_ratio']:.2f} times the energy")
    return f"{name}: {', '.join(parts)}."
