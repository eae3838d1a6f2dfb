"""What a suite comes to with given models: files read and checked, steps put in order."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from monitor import __version__
from monitor.bench.events import Step
from monitor.bench.prepare import Prepared, prepare
from monitor.bench.settings import crossed, differing, told
from monitor.bench.shots import SEED
from monitor.bench.suites import PROMPTS, QUALITY, SPEED, Suite, SuiteError, suite_from_json
from monitor.engine.gguf import ModelInfo, read_model_info
from monitor.loading import LoadOptions
from monitor.store.bench_records import RunRow, SuiteRecord
from monitor.store.machine import this_machine

SEQUENCES = 64
"""Choices that may share a context while they are scored."""

LEAST_CONTEXT, GREATEST_CONTEXT, CONTEXT_STEP = 512, 8192, 256

LEAST_PROMPT = 64
"""Tokens of a question that are left at least when a context is short."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model with its settings, as it enters a benchmark."""

    path: Path
    options: LoadOptions = field(default_factory=LoadOptions)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"path": str(self.path), **asdict(self.options)}


@dataclass(frozen=True, slots=True)
class Plan:
    """A suite with its models, ready to run.

    :param infos: of each entrant's file
    :param sha256s: of each entrant's file, once they are known
    :param prepared: of each part
    :param steps: in the order they are run
    :param notices: what a person should know before
    """

    suite: Suite
    entrants: tuple[Entrant, ...]
    infos: tuple[ModelInfo, ...]
    sha256s: tuple[str, ...]
    prepared: tuple[Prepared, ...]
    steps: tuple[Step, ...]
    budget_j: float | None
    notices: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to go on with the plan or to repeat it."""
        return {
            "suite": self.suite.to_json(),
            "models": [
                {**entrant.to_json(), "name": name, "sha256": sha256}
                for entrant, name, sha256 in zip(
                    self.entrants, _names(self.entrants, self.infos), self.sha256s, strict=True
                )
            ],
            "budget_j": self.budget_j,
        }

    def prepared_of(self, step: Step) -> Prepared:
        """Return the part of a step."""
        names = [part.name for part in self.suite.parts]
        return self.prepared[names.index(step.part)]

    def options_of(self, step: Step) -> LoadOptions:
        """Return how the model of a step is loaded: with a context for the part's longest item."""
        options = self.entrants[step.model_number].options
        if options.context:
            return options
        greatest = self.prepared_of(step).tokens if step.kind == SPEED else GREATEST_CONTEXT
        limit = self.infos[step.model_number].context_length or GREATEST_CONTEXT
        greatest = max(greatest, LEAST_CONTEXT)
        wanted = max(self.prepared_of(step).tokens, LEAST_CONTEXT)
        rounded = -(-wanted // CONTEXT_STEP) * CONTEXT_STEP
        context = min(rounded, limit, -(-greatest // CONTEXT_STEP) * CONTEXT_STEP)
        return replace(options, context=context)

    def sequences_of(self, step: Step) -> int:
        """Return how many texts share the context in a step: many only where choices are scored."""
        is_chosen = step.kind == QUALITY and not self.prepared_of(step).is_written
        return SEQUENCES if is_chosen else 1


def make_plan(suite: Suite, entrants: Sequence[Entrant], budget_j: float | None) -> Plan:
    """Read and check everything a suite needs, before anything is stored or loaded.

    :raises ModelFileError: if a model cannot be used
    :raises LoadProblem: if settings exclude one another
    :raises DatasetError: if a file of items cannot be used
    :raises SuiteError: if there is no model, or two parts have one name
    """
    if not entrants:
        raise SuiteError("Name at least one model.")
    names = [part.name for part in suite.parts]
    if len(set(names)) < len(names):
        raise SuiteError("Two parts of the suite have the same name; give each its own.")
    infos = tuple(read_model_info(entrant.path) for entrant in entrants)
    pairs = crossed([entrant.options for entrant in entrants], suite.settings)
    entrants = [Entrant(entrants[number].path, options) for number, options in pairs]
    infos = tuple(infos[number] for number, _ in pairs)
    for entrant, info in zip(entrants, infos, strict=True):
        entrant.options.for_model(info)
    prepared = tuple(prepare(part) for part in suite.parts)
    draft = Plan(
        # From here on the settings are the entrants': gone on with, they are not crossed again.
        suite=replace(suite, settings=()),
        entrants=tuple(entrants),
        infos=infos,
        sha256s=("",) * len(infos),
        prepared=prepared,
        steps=_steps(suite, _names(entrants, infos), prepared, bool(budget_j)),
        budget_j=budget_j,
        notices=(),
    )
    return _with_notices(draft)


def plan_from_json(document: Mapping[str, Any]) -> Plan:
    """Make a plan again of what :meth:`Plan.to_json` gave; reads and checks everything anew."""
    entrants = [Entrant(Path(model["path"]), LoadOptions.of(model)) for model in document["models"]]
    return make_plan(suite_from_json(document["suite"]), entrants, document["budget_j"])


def _names(entrants: Sequence[Entrant], infos: Sequence[ModelInfo]) -> list[str]:
    """Return what the models are called: with their quantisation, and with the settings in which
    a model differs from itself."""
    names = []
    for entrant, info in zip(entrants, infos, strict=True):
        same = [other.options for other in entrants if other.path == entrant.path]
        setting = told(entrant.options, differing(same))
        names.append(f"{info.name} {info.quantisation}" + (f" ({setting})" if setting else ""))
    return names


def _steps(
    suite: Suite, names: Sequence[str], prepared: Sequence[Prepared], by_turns: bool
) -> tuple[Step, ...]:
    """List the runs. Models lead in turn from repeat to repeat, so that none always comes first.

    :param by_turns: the models of one part come one after another, to be compared early
    """
    pairs: list[tuple[int, int, int]] = []
    count = len(names)
    for repeat in range(suite.repeats):
        order = [(repeat + place) % count for place in range(count)]
        parts = range(len(prepared))
        if by_turns:
            pairs += [(repeat, model, part) for part in parts for model in order]
        else:
            pairs += [(repeat, model, part) for model in order for part in parts]
    return tuple(
        Step(
            number=number,
            part=prepared[part].part.name,
            kind=prepared[part].part.kind,
            task=prepared[part].part.task,
            model=names[model],
            model_number=model,
            repeat=repeat,
            planned=prepared[part].planned,
        )
        for number, (repeat, model, part) in enumerate(pairs)
    )


def _with_notices(plan: Plan) -> Plan:
    notices: dict[str, None] = {}
    for step in plan.steps:
        info = plan.infos[step.model_number]
        prepared = plan.prepared_of(step)
        context = plan.options_of(step).context or 0
        if step.kind == PROMPTS and not info.chat_template:
            notices[
                f"{step.model} has no chat template: it is a base model, and will go on with the "
                "prompts rather than answer them."
            ] = None
        if step.kind == SPEED and prepared.part.limit:
            notices[
                f"{step.part}: all its {step.planned} measurements are run; a limit is for "
                "questions and prompts."
            ] = None
        _refuse_small_context(step, prepared, context)
        if prepared.tokens > context:
            notices[
                f"{step.part}: the longest item may need {prepared.tokens} tokens and the context "
                f"holds {context}; of what does not fit the beginning is cut, as the protocol says."
            ] = None
    return replace(plan, notices=tuple(notices))


def _refuse_small_context(step: Step, prepared: Prepared, context: int) -> None:
    """Refuse what cannot work at all: nothing of it could be cut.

    :raises SuiteError: naming the context that is needed
    """
    needed = 0
    if step.kind == SPEED:
        needed = prepared.tokens
    elif prepared.task and prepared.is_written:
        needed = prepared.task.max_tokens + LEAST_PROMPT
    if needed > context:
        raise SuiteError(
            f"{step.part}: it needs a context of {needed} tokens and {step.model} is to have "
            f"{context}. Give it more with --ctx, if the model was made for that."
        )


def check_same(plan: Plan, stored: SuiteRecord, runs: Iterable[RunRow]) -> None:
    """See that what is gone on with is what was begun.

    :raises SuiteError: naming what has changed
    """
    for model, sha256 in zip(stored.plan["models"], plan.sha256s, strict=True):
        if model["sha256"] != sha256:
            raise SuiteError(f"{model['path']} is not the model it was; begin a new benchmark.")
    for run in runs:
        prepared = plan.prepared_of(plan.steps[run.start.step])
        if prepared.prompts_sha256 != run.start.prompts_sha256:
            raise SuiteError(
                f"{prepared.data_path or run.start.part} is not what it was when the benchmark "
                "began: its questions have changed. Put the file back, or begin a new benchmark."
            )


def versions(llama_cpp: str) -> dict[str, str]:
    """Return the versions results may depend on."""
    return {
        "llamawatt": __version__,
        "llama_cpp_python": llama_cpp,
        "python": platform.python_version(),
        **{name: str(value) for name, value in this_machine().items() if name != "name"},
        "seed": str(SEED),
    }
