"""Suites, runs and items: what a benchmark asked, what came out, and what each item cost.

A run is a row of ``queries`` as well, of kind ``bench``: its bill, its power curve and its
settings are kept as every query's are.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlite_utils import Database

from monitor.energy.account import weakest
from monitor.engine.messages import ChoiceScore
from monitor.power.channel import Kind
from monitor.store.bench_records import (
    ItemRate,
    ItemRecord,
    RunRow,
    RunStart,
    SuiteRecord,
    Sums,
)
from monitor.store.database import Store, StoreError
from monitor.store.identifiers import new_id, utc_now
from monitor.store.outcomes import Outcome, update_query
from monitor.store.processes import is_alive, this_process
from monitor.store.records import Status
from monitor.store.verdicts import SuiteVerdict, read_verdict


class Benchmarks:
    """The part of the history that holds benchmarks.

    :param store: open
    :param machine_id: this machine's
    """

    def __init__(self, store: Store, machine_id: str) -> None:
        self._store, self._machine_id = store, machine_id

    def mark_interrupted(self, db: Database) -> None:
        """Mark the suites whose program ended before they did."""
        for suite_id in self.died(db):
            db.table("bench_suites").update(suite_id, {"status": str(Status.INTERRUPTED)})

    def died(self, db: Database) -> list[str]:
        """Return the running suites of this machine whose program has ended."""
        running = db.query(
            "select id, process_id, process_started from bench_suites "
            "where status = ? and machine_id = ?",
            [Status.RUNNING, self._machine_id],
        )
        return [
            row["id"] for row in running if not is_alive(row["process_id"], row["process_started"])
        ]

    # --- writing -------------------------------------------------------------------------

    def begin_suite(
        self, name: str, title: str, plan: Mapping[str, Any], versions: Mapping[str, str]
    ) -> str:
        """Store a suite that is about to run; return its identifier."""
        suite_id = new_id()
        row = {
            "id": suite_id,
            "name": name,
            "title": title,
            "status": str(Status.RUNNING),
            "error": "",
            "started_at": utc_now(),
            "machine_id": self._machine_id,
            "plan": json.dumps(plan),
            "versions": json.dumps(dict(versions)),
            **this_process(),
        }
        self._store.write_patiently(lambda db: db.table("bench_suites").insert(row))
        return suite_id

    def go_on(self, suite_id: str) -> None:
        """Mark a suite that was left as running again."""
        columns = {"status": str(Status.RUNNING), "error": "", **this_process()}
        self._update(suite_id, columns)

    def note_idle(self, suite_id: str, when: str, power_w: float, kind: Kind) -> None:
        """Store the idle machine's watts.

        :param when: ``before`` or ``after``
        """
        self._update(suite_id, {f"idle_{when}_w": power_w, "idle_kind": str(kind)})

    def finish_suite(
        self, suite_id: str, status: Status, error: str, verdict: SuiteVerdict | None
    ) -> None:
        """Store how a suite ended.

        :raises StoreError: if it cannot be; it says how to go on with the suite
        """
        columns = {
            "status": str(status),
            "error": error,
            "finished_at": utc_now(),
            "verdict": json.dumps(asdict(verdict)) if verdict else None,
        }
        try:
            self._update(suite_id, columns)
        except StoreError as problem:
            raise StoreError(
                f"{problem} What was stored before is kept; `llamawatt bench resume "
                f"{suite_id[-8:]}` goes on from there."
            ) from problem

    def _update(self, suite_id: str, columns: Mapping[str, Any]) -> None:
        self._store.write_patiently(
            lambda db: db.table("bench_suites").update(suite_id, dict(columns))
        )

    def begin_run(self, query_id: str, start: RunStart) -> RunRow:
        """Store a run; its query has been begun."""
        row = {"id": query_id, **asdict(start), **asdict(Sums())}
        self._store.write_patiently(lambda db: db.table("bench_runs").insert(row))
        return RunRow(query_id, start, Sums(), Status.RUNNING)

    def progress(
        self, run_id: str, items: Sequence[ItemRecord], sums: Sums, outcome: Outcome
    ) -> None:
        """Store finished items together with the bill up to them: all of it, or nothing."""

        def change(db: Database) -> None:
            asked = [_question_row(item) for item in items]
            db.table("bench_questions").insert_all(asked, pk="id", ignore=True)
            db.table("bench_items").insert_all(_item_row(run_id, item) for item in items)
            db.table("bench_runs").update(run_id, asdict(sums))
            update_query(db, self._machine_id, run_id, outcome)
            if outcome.trace is not None:
                row = {"query_id": run_id, "data": outcome.trace}
                db.table("traces").insert(row, pk="query_id", replace=True)

        self._store.write_patiently(change)

    def note_memory(self, run_id: str, memory_bytes: int) -> None:
        """Store what memory the engine held during a run; the most that was noted is kept."""
        self._store.write_patiently(
            lambda db: db.execute(
                "update bench_runs set memory_bytes = max(ifnull(memory_bytes, 0), ?) where id = ?",
                [memory_bytes, run_id],
            )
        )

    # --- reading -------------------------------------------------------------------------

    def suite(self, suite_id: str) -> SuiteRecord:
        """Return one suite.

        :param suite_id: its identifier, or enough of its beginning or end to be the only one
        :raises KeyError: if there is none, or several, with a sentence saying so
        """
        length = len(suite_id)
        whole = self._suites("id = ?", [suite_id])
        found = whole or self._suites(
            "? >= 4 and (substr(id, 1, ?) = ? or substr(id, -?) = ?)",
            [length, length, suite_id, length, suite_id],
        )
        if len(found) > 1:
            raise KeyError(
                f"{len(found)} benchmarks match {suite_id}; give more of the identifier."
            )
        if not found:
            raise KeyError(f"There is no benchmark {suite_id}. `llamawatt bench list` shows them.")
        return found[0]

    def suites(self, limit: int = 50) -> list[SuiteRecord]:
        """Return the newest suites, newest first, without those of which all was deleted."""
        return self._suites(
            "not exists (select 1 from bench_runs where suite_id = bench_suites.id) or exists "
            "(select 1 from bench_runs r join queries q on q.id = r.id "
            "where r.suite_id = bench_suites.id and q.deleted_at is null)",
            [],
            limit,
        )

    def _suites(self, where: str, parameters: Sequence[Any], limit: int = 2) -> list[SuiteRecord]:
        rows = self._store.read().query(
            f"select * from bench_suites where {where} order by id desc limit ?",
            [*parameters, limit],
        )
        return [_suite(row) for row in rows]

    def runs(self, suite_id: str) -> list[RunRow]:
        """Return a suite's runs in the order of their steps."""
        return self._runs("r.suite_id = ?", [suite_id])

    def run(self, run_id: str) -> RunRow | None:
        """Return one run, ``None`` if that query is none."""
        return next(iter(self._runs("r.id = ?", [run_id])), None)

    def _runs(self, where: str, parameters: Sequence[Any]) -> list[RunRow]:
        rows = self._store.read().query(
            "select r.*, q.status, q.deleted_at from bench_runs r join queries q on q.id = r.id "
            f"where {where} order by r.step, r.id",
            parameters,
        )
        return [
            RunRow(
                row["id"],
                RunStart(**{name: row[name] for name in RunStart.__dataclass_fields__}),
                Sums(**{name: row[name] for name in Sums.__dataclass_fields__}),
                Status(row["status"]),
                row["memory_bytes"],
                row["deleted_at"] is not None,
            )
            for row in rows
        ]

    def items(self, run_id: str) -> list[ItemRecord]:
        """Return a run's items in their order."""
        rows = self._store.read().query(
            "select i.*, q.prompt, q.choices, q.gold from bench_items i "
            "join bench_questions q on q.id = i.question_id where i.run_id = ? order by i.position",
            [run_id],
        )
        return [_item(row) for row in rows]

    def subject_sums(self, run_id: str) -> dict[str, Sums]:
        """Return a run's sums by subject, of the subjects its items have."""
        rows = self._store.read().query(
            "select subject, count(*) done, sum(correct) total, sum(correct * correct) squares "
            "from bench_items where run_id = ? and subject <> '' and correct is not null "
            "group by subject order by subject",
            [run_id],
        )
        return {row["subject"]: Sums(row["done"], row["total"], row["squares"]) for row in rows}

    def past_rate(self, model_sha256: str, kind: str, task: str, shots: int) -> ItemRate | None:
        """Return what an item took in earlier runs alike, ``None`` without any.

        Alike are runs of the same model and task with as many worked examples, on this machine.
        What was computed beside the items is in neither of their phases.
        """
        rows = self._store.read().query(
            "select total(q.prefill_s) + total(q.decode_s) seconds, "
            "total(q.prefill_j) + total(q.decode_j) joules, sum(r.done) done, "
            "group_concat(distinct q.energy_kind) kinds "
            "from bench_runs r join queries q on q.id = r.id join models m on m.id = q.model_id "
            "where m.sha256 = ? and r.kind = ? and r.task = ? and r.shots = ? and r.done > 0 "
            "and q.machine_id = ? and ifnull(q.prefill_j, q.decode_j) is not null",
            [model_sha256, kind, task, shots, self._machine_id],
        )
        row = next(iter(rows))
        if not row["done"]:
            return None
        sure = weakest(Kind(each) for each in (row["kinds"] or "").split(",") if each)
        return ItemRate(row["seconds"] / row["done"], row["joules"] / row["done"], sure)


def _suite(row: Mapping[str, Any]) -> SuiteRecord:
    plan = _plan(row["plan"])
    return SuiteRecord(
        id=row["id"],
        name=row["name"],
        title=row["title"],
        status=Status(row["status"]),
        error=row["error"] or "",
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        plan=plan,
        versions=_object(row["versions"]),
        verdict=read_verdict(row["verdict"], len(plan["models"])),
        idle_before_w=row["idle_before_w"],
        idle_after_w=row["idle_after_w"],
        idle_kind=row["idle_kind"],
    )


def _plan(text: str) -> dict[str, Any]:
    """Read a suite's plan; what is damaged of it is “?” or empty, so that the rest can be seen."""
    plan = {"suite": {}, "models": [], "budget_j": None, **_object(text)}
    if not isinstance(plan["suite"], dict):
        plan["suite"] = {}
    models = plan["models"] if isinstance(plan["models"], list) else []
    plan["models"] = [
        model | {key: str(model.get(key) or "?") for key in ("name", "sha256", "path")}
        for model in models
        if isinstance(model, dict)
    ]
    return plan


def _object(text: str | None) -> dict[str, Any]:
    """Read a JSON object, of a text that is none an empty one."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _question_id(item: ItemRecord) -> str:
    content = json.dumps([item.prompt, item.choices, item.gold])
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def _question_row(item: ItemRecord) -> dict[str, Any]:
    return {
        "id": _question_id(item),
        "prompt": item.prompt,
        "choices": json.dumps(item.choices, ensure_ascii=False),
        "gold": json.dumps(item.gold),
    }


def _item_row(run_id: str, item: ItemRecord) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "position": item.position,
        "row": item.row,
        "subject": item.subject,
        "question_id": _question_id(item),
        "scores": json.dumps([[s.loglikelihood, s.tokens, s.greedy] for s in item.scores]),
        "answer": item.answer,
        "pred": json.dumps(item.pred),
        "pred_norm": json.dumps(item.pred_norm),
        "correct": item.correct,
        "correct_norm": item.correct_norm,
        "margin": item.margin,
        "prompt_tokens": item.prompt_tokens,
        "completion_tokens": item.completion_tokens,
        "energy_j": item.energy_j,
        "seconds": item.seconds,
        "is_cut": item.is_cut,
    }


def _item(row: Mapping[str, Any]) -> ItemRecord:
    return ItemRecord(
        position=row["position"],
        row=row["row"],
        subject=row["subject"],
        prompt=row["prompt"],
        choices=tuple(json.loads(row["choices"])),
        gold=tuple(json.loads(row["gold"])),
        scores=tuple(ChoiceScore(ll, n, bool(g)) for ll, n, g in json.loads(row["scores"])),
        answer=row["answer"],
        pred=json.loads(row["pred"]),
        pred_norm=json.loads(row["pred_norm"]),
        correct=row["correct"],
        correct_norm=row["correct_norm"],
        margin=row["margin"],
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        energy_j=row["energy_j"],
        seconds=row["seconds"],
        is_cut=bool(row["is_cut"]),
    )
