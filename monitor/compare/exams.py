"""What may be compared: the same questions, asked in the same way."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.bench.task import LMH
from monitor.bench.tasks import TASKS
from monitor.store.bench_records import RunStart
from monitor.store.standings import JudgedRun, Setup


@dataclass(frozen=True, slots=True, order=True)
class Paper:
    """One task with its file and its worked examples, scored by one protocol.

    How many items of it were done may differ from run to run; pairs are compared on those both
    have done.
    """

    task: str
    protocol: str
    shots: int
    data_sha256: str
    shots_sha256: str

    @property
    def by_length(self) -> bool:
        """Whether leaderboards print its accuracy by length."""
        task = TASKS.get(self.task)
        return bool(task and task.headline_norm)


@dataclass(frozen=True, slots=True)
class Exam:
    """One paper, or the papers of a suite, whose score is the mean of theirs.

    :param key: short, the same as long as the papers are
    :param title: for people
    :param papers: in order
    :param suite: the suite's name, "" of a single paper
    :param entrants: setups that have done all of it
    :param latest: when the newest of its runs began, UTC, ISO 8601
    """

    key: str
    title: str
    papers: tuple[Paper, ...]
    suite: str
    entrants: int
    latest: str


def paper_of(start: RunStart) -> Paper:
    """Return what a run was asked."""
    return Paper(start.task, start.protocol, start.shots, start.data_sha256, start.shots_sha256)


def list_exams(runs: Sequence[JudgedRun]) -> list[Exam]:
    """Return what has been asked, most entrants first, the newest of equals first.

    :param runs: oldest first
    """
    groups: dict[tuple[str, tuple[Paper, ...]], list[JudgedRun]] = {}
    for run in runs:
        groups.setdefault(("", (paper_of(run.row.start),)), []).append(run)
    for suite, of_suite in _whole_suites(runs).items():
        groups[suite] = of_suite
    exams = [_exam(suite, papers, found) for (suite, papers), found in groups.items()]
    exams.sort(key=lambda exam: (exam.entrants, exam.latest, len(exam.papers)), reverse=True)
    return _told_apart(exams)


def runs_of(exam: Exam, runs: Iterable[JudgedRun]) -> dict[Setup, list[JudgedRun]]:
    """Return the runs of an exam by setup, of those setups only that have done all papers.

    :param runs: oldest first; so are those returned
    """
    found: dict[Setup, list[JudgedRun]] = {}
    for run in runs:
        is_of_suite = not exam.suite or run.suite == exam.suite
        if is_of_suite and paper_of(run.row.start) in exam.papers:
            found.setdefault(run.setup, []).append(run)
    papers = set(exam.papers)
    return {
        s: group
        for s, group in found.items()
        if papers == {paper_of(run.row.start) for run in group}
    }


def _whole_suites(
    runs: Sequence[JudgedRun],
) -> dict[tuple[str, tuple[Paper, ...]], list[JudgedRun]]:
    """Group the runs of suites that have several judged parts and were done to the last."""
    together: dict[tuple[str, Setup], list[JudgedRun]] = {}
    for run in runs:
        if run.suite_parts > 1:
            together.setdefault((run.row.start.suite_id, run.setup), []).append(run)
    found: dict[tuple[str, tuple[Paper, ...]], list[JudgedRun]] = {}
    for group in together.values():
        papers = tuple(sorted({paper_of(run.row.start) for run in group}))
        if len(papers) == group[0].suite_parts:
            found.setdefault((group[0].suite, papers), []).extend(group)
    return found


def _exam(suite: str, papers: tuple[Paper, ...], runs: Sequence[JudgedRun]) -> Exam:
    newest = max(runs, key=lambda run: run.row.id)
    content = json.dumps([suite, [_identity(paper) for paper in papers]])
    digest = hashlib.sha256(content.encode()).hexdigest()[:6]
    return Exam(
        key=f"{suite or papers[0].task}-{digest}",
        title=_suite_title(newest, papers) if suite else _title(papers[0], runs),
        papers=papers,
        suite=suite,
        entrants=len({run.setup for run in runs}),
        latest=newest.started_at,
    )


def _identity(paper: Paper) -> list[str | int]:
    return [getattr(paper, name) for name in Paper.__dataclass_fields__]


def _suite_title(newest: JudgedRun, papers: Sequence[Paper]) -> str:
    name = newest.suite_title
    name = name if "suite" in name.lower() else f"{name} suite"
    return f"{name} · mean of {len(papers)}"


def _title(paper: Paper, runs: Sequence[JudgedRun]) -> str:
    """Name a paper as its newest run did, with how it was asked."""
    name = max(runs, key=lambda run: run.row.id).row.start.part
    shots = f" {paper.shots}-shot" if paper.shots else ""
    protocol = f" ({paper.protocol})" if paper.protocol != LMH else ""
    items = max(run.row.sums.done for run in runs)
    return f"{name}{shots}{protocol} · {items} {'item' if items == 1 else 'items'}"


def _told_apart(exams: Sequence[Exam]) -> list[Exam]:
    """Add its key to a title that several have: other files, other worked examples."""
    counts: Mapping[str, int] = {
        title: sum(exam.title == title for exam in exams) for title in {e.title for e in exams}
    }
    return [_named(exam) if counts[exam.title] > 1 else exam for exam in exams]


def _named(exam: Exam) -> Exam:
    return Exam(
        exam.key,
        f"{exam.title} · {exam.key.rpartition('-')[2]}",
        exam.papers,
        exam.suite,
        exam.entrants,
        exam.latest,
    )
