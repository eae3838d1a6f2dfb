"""What a running benchmark tells, one event after another."""

from dataclasses import dataclass

from monitor.bench.results import Accuracy
from monitor.engine.messages import Answer
from monitor.loading import Identifying
from monitor.power.channel import Kind
from monitor.store.bench_records import ItemRecord


@dataclass(frozen=True, slots=True)
class Step:
    """One run of a suite: a part put to a model.

    :param number: its place in the suite, from 0
    :param model: the model's name with its quantisation
    :param planned: items
    """

    number: int
    part: str
    kind: str
    task: str
    model: str
    model_number: int
    repeat: int
    planned: int


@dataclass(frozen=True, slots=True)
class Left:
    """What the rest of a suite should take.

    :param is_rough: whether a part that was never run is reckoned by other parts of its kind
    :param kind: the weakest kind of the measurements it is reckoned from
    """

    seconds: float
    joules: float
    is_rough: bool
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a running suite has cost up to now, loading left out.

    :param joules: of all its runs, with what is not finished yet; ``None`` if nothing was read
    :param kind: the weakest kind among them
    :param step: number of the run that computes; ``None`` while none does
    :param step_j: what that run has cost, likewise
    :param is_least: whether a part was not read, so that it was more
    """

    joules: float | None
    kind: Kind | None
    step: int | None = None
    step_j: float | None = None
    is_least: bool = False


@dataclass(frozen=True, slots=True)
class AwaitingSensors:
    """The first readings are waited for, so long at most: once, before the first benchmark."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Planned:
    """The suite is stored and about to run.

    :param notices: what a person should know before: sentences
    :param left: what it should take by earlier runs alike, ``None`` if there were none
    """

    suite_id: str
    title: str
    steps: tuple[Step, ...]
    notices: tuple[str, ...]
    left: Left | None = None


@dataclass(frozen=True, slots=True)
class Resting:
    """Nothing is computed for so long: the idle machine is measured, or it cools down.

    :param reason: ``idle`` or ``cool-down``
    """

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RunBegan:
    """A run begins, or goes on where it was left.

    :param done: items it has already
    """

    step: Step
    run_id: str
    done: int


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The model is exercised before the first item, or that is over: billed, but in no item."""

    is_over: bool


@dataclass(frozen=True, slots=True)
class Progressed:
    """Some items of a run are finished and stored.

    :param items: the new ones
    :param done: in the run
    :param accuracy: of the run so far, by the measure leaderboards print
    :param joules: of the run's items so far, ``None`` if nothing is measured
    :param left: what the rest of the suite should take, ``None`` if not known
    """

    step: Step
    items: tuple[ItemRecord, ...]
    done: int
    accuracy: Accuracy | None
    joules: float | None
    left: Left | None


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing is computed until a person goes on."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run is complete, or all of it that will be done."""

    step: Step
    run_id: str


@dataclass(frozen=True, slots=True)
class SuiteEnded:
    """The last event: the suite is over; :func:`monitor.bench.summary.summarise` tells what came
    of it."""

    suite_id: str


BenchEvent = (
    AwaitingSensors
    | Planned
    | Identifying
    | Resting
    | RunBegan
    | WarmUp
    | Progressed
    | Paused
    | RunEnded
    | SuiteEnded
    | Answer
)
