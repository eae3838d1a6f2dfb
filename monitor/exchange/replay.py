"""Putting a capsule's query again, and saying what came out otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor import figures
from monitor.compare.runs import compare_records
from monitor.energy.difference import Difference
from monitor.engine.gguf import ModelFileError
from monitor.engine.messages import Sampling
from monitor.exchange.capsule_reading import QueryCapsule
from monitor.exchange.intake import SETTINGS, Machine
from monitor.loading import LoadOptions
from monitor.meter import Ask
from monitor.models.library import Found
from monitor.repeat import ASK, REPEATABLE, CannotRepeat
from monitor.store.records import QueryRecord

SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "seed")


@dataclass(frozen=True, slots=True)
class Changed:
    """A condition that was not the same again."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ReplayDifferences:
    """A replay beside what it repeats.

    :param conditions: what was not the same: machine, model, settings, messages
    :param energy: the replay's energy less the capsule's, with what the measurement leaves in
      doubt; ``None`` if either was not measured, or not as the other was
    :param energy_note: why the energies are not compared, "" if they are
    :param first_difference: the place of the first character of the answers that differs, from 0;
      ``None`` if they are equal
    """

    conditions: tuple[Changed, ...]
    energy: Difference | None
    energy_note: str
    first_difference: int | None


def replay_of(capsule: QueryCapsule, library: Sequence[Found]) -> Ask:
    """Return the query to run. Whether the model is the same is told by its SHA-256 afterwards.

    :param library: where the model is looked for, by its file's name
    :raises ModelFileError: if it is not there
    :raises CannotRepeat: if it was no question to a model
    """
    record = capsule.record
    if record.kind not in REPEATABLE or record.model is None:
        raise CannotRepeat(f"A query of kind “{record.kind}” cannot be put again.")
    settings = record.settings
    known = {name: settings[name] for name in SAMPLING if settings[name] is not None}
    return Ask(
        kind=ASK,
        model=_find_model(Path(record.model.path).name, library),
        messages=capsule.messages,
        sampling=Sampling(**known, stop=tuple(settings["stop"]), max_tokens=settings["max_tokens"]),
        options=LoadOptions.of(settings),
        fresh=True,
    )


def _find_model(name: str, library: Sequence[Found]) -> Path:
    alike = [found.path for found in library if found.path.name == name]
    if not alike:
        raise ModelFileError(
            f"No model file {name} is in the library. Put it there and try again: "
            "`llamawatt models list` shows where it looks."
        )
    return alike[0]


def differences(capsule: QueryCapsule, record: QueryRecord, machine: Machine) -> ReplayDifferences:
    """Lay a replay beside the capsule it repeats.

    :param record: the replay's
    :param machine: the one it ran on
    """
    before, after = capsule.record, record
    is_same_machine = capsule.origin.machine.id == machine.id
    note = ""
    if before.bill.method != after.bill.method:
        note = (
            f"The bills were reckoned by different methods ({before.bill.method} and "
            f"{after.bill.method})."
        )
    compared = compare_records([before], [after], is_same_machine)
    return ReplayDifferences(
        conditions=tuple(_conditions(capsule, after, machine)),
        energy=compared.difference if compared else None,
        energy_note=note,
        first_difference=_first_difference(before.text, after.text),
    )


def _conditions(capsule: QueryCapsule, after: QueryRecord, machine: Machine) -> list[Changed]:
    before, origin = capsule.record, capsule.origin
    pairs: list[tuple[str, Any, Any]] = [
        ("machine", origin.machine.name, machine.name)
        if origin.machine.id != machine.id
        else ("machine", None, None),
        ("processor", origin.machine.processor, machine.processor),
        (
            "model's SHA-256",
            before.model and before.model.sha256,
            after.model and after.model.sha256,
        ),
        ("system prompt", before.system, after.system),
        ("prompt", before.prompt, after.prompt),
        *(
            (name, before.settings.get(name), after.settings.get(name))
            for name in (*SETTINGS, "stop", "seed")
        ),
        # Tokens that were in the context already are not computed, and cost nothing.
        ("reused tokens", before.tokens.reused, after.tokens.reused),
    ]
    return [Changed(*pair) for pair in pairs if pair[1] != pair[2]]


def _first_difference(one: str, other: str) -> int | None:
    if one == other:
        return None
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)


def difference_lines(found: ReplayDifferences) -> list[str]:
    """Say what :func:`differences` found, a line each."""
    lines = [f"{each.what}: was {each.before}, is {each.after}" for each in found.conditions]
    if found.first_difference is None:
        lines.append("The answer is the same to the last character.")
    else:
        lines.append(f"The answers part at character {found.first_difference + 1}.")
    return [*lines, _energy_line(found)]


def _energy_line(found: ReplayDifferences) -> str:
    energy = found.energy
    if found.energy_note:
        return f"{found.energy_note} The energies are not compared."
    if energy is None:
        return "One of the two was not measured as the other: the energies cannot be compared."
    if (share := energy.relative) is None:
        text = f"{'+' if energy.joules > 0 else '-'}{figures.energy(abs(energy.joules))}"
    else:
        text = f"{share.value:+.1f} % ({share.low:+.1f} to {share.high:+.1f})"
    return f"Energy, measured: {text.replace('-', '−')}; how much single runs scatter is not in it."
