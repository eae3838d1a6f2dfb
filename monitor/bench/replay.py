"""Repeating a benchmark from its document, and saying what came out otherwise."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.bench.plan import Entrant
from monitor.bench.suites import Suite, SuiteError, suite_from_json
from monitor.engine.gguf import ModelFileError
from monitor.loading import LoadOptions
from monitor.models.library import Found


def plan_of(
    document: Mapping[str, Any], library: Sequence[Found]
) -> tuple[Suite, list[Entrant], float | None]:
    """Return the suite, the models and the budget of a document ``bench run --json`` wrote.

    A model is looked for where it was, then in the library by its file's name: whether it is the
    same is told by its SHA-256 afterwards.

    :raises SuiteError: if it is no such document
    :raises ModelFileError: if a model is not on this machine
    """
    try:
        plan = document["plan"]
        suite = suite_from_json(plan["suite"])
        entrants = [_entrant(model, library) for model in plan["models"]]
    except (KeyError, TypeError) as error:
        raise SuiteError(
            f"This is no result of `llamawatt bench run --json`: it lacks {error}."
        ) from error
    return suite, entrants, plan.get("budget_j")


def _entrant(model: Mapping[str, Any], library: Sequence[Found]) -> Entrant:
    path = Path(model["path"])
    if not path.exists():
        alike = [found.path for found in library if found.path.name == path.name]
        if not alike:
            raise ModelFileError(
                f"The model {model['name']} is not on this machine: neither {path} nor a file of "
                "that name in the library. Put it there and try again."
            )
        path = alike[0]
    return Entrant(path, LoadOptions.of(model))


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
    joules = [run["energy"]["total_j"] for run in (before, after)]
    is_comparable = before.get("prompts_sha256") == after.get("prompts_sha256")
    return {
        "part": before["part"],
        "same_questions": is_comparable,
        "accuracy": [before.get("accuracy"), after.get("accuracy")],
        "items": [len(old), len(new)],
        "changed": sorted(p for p in old.keys() & new.keys() if old[p] != new[p]),
        "energy_j": joules,
        "energy_ratio": joules[1] / joules[0] if joules[0] and joules[1] else None,
    }


def replay_lines(found: Mapping[str, Any]) -> list[str]:
    """Say what :func:`differences` found, a line each."""
    lines = [f"{name}: was {old}, is {new}" for name, (old, new) in found["conditions"].items()]
    return lines + [_run_line(run) for run in found["runs"]]


def _run_line(run: Mapping[str, Any]) -> str:
    if not run["same_questions"]:
        return f"{run['part']}: the questions are not those of the run that is repeated."
    parts = [f"{len(run['changed'])} of {run['items'][1]} items came out otherwise"]
    old, new = run["accuracy"]
    if old is not None and new is not None:
        parts.append(f"accuracy {old:.1%}, now {new:.1%}")
    if run["energy_ratio"] is not None:
        parts.append(f"{run['energy_ratio']:.2f} times the energy")
    return f"{run['part']}: {', '.join(parts)}."
