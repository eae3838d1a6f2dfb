"""The *energy capsule*: one JSON document with all that is known of a query or a benchmark.

It says what was run, on what, with which settings, texts and seed, what came out, what every
channel drew with its interval, and the power curve as plain arrays, so that it can be read without
LlamaWatt and run again elsewhere. ``null`` is "not known", never zero. Energies are joules,
powers watts, durations seconds.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TextIO

import numpy as np

from monitor.bench import forms
from monitor.bench.data_places import file_name, only_names
from monitor.bench.suites import suite_from_json
from monitor.bench.summary import SuiteResult, summarise
from monitor.details import walls_of
from monitor.energy.account import Bill
from monitor.energy.wall import AtTheWall
from monitor.engine.messages import ChatMessage
from monitor.exchange.files import ExchangeError
from monitor.exchange.intake import Origin, origin_of
from monitor.exchange.sealed import Form, sealed
from monitor.forms import baseline_json, told_json
from monitor.power.channel import Channel
from monitor.repeat import messages_of
from monitor.store.baselines import Baselines
from monitor.store.curves import StoredTrace
from monitor.store.history import History
from monitor.store.records import QueryRecord, Status

FORM = Form("llamawatt-capsule", 1, "capsule", 1 << 30)

QUERY, BENCHMARK = "query", "benchmark"

TIME_DECIMALS, ENERGY_DECIMALS, POWER_DECIMALS = 4, 3, 2
"""What a stored curve resolves; more digits would be made up."""


def capsule_of(history: History, identifier: str) -> dict[str, Any]:
    """Return the capsule of a query, or of the benchmark of that identifier or with such a run.

    :param identifier: enough of its beginning or end to be the only one
    :raises KeyError: if there is none, or several, with a sentence saying so
    :raises ExchangeError: if it is still running
    """
    try:
        record = history.record(identifier)
    except KeyError as no_query:
        try:
            suite = history.benchmarks.suite(identifier)
        except KeyError as no_suite:
            raise KeyError(f"{no_query.args[0]} {no_suite.args[0]}") from None
        return sealed(_benchmark_document(history, summarise(history, suite.id)))
    if run := history.benchmarks.run(record.id):
        return sealed(_benchmark_document(history, summarise(history, run.start.suite_id)))
    return sealed(_query_document(history, record))


def write_capsule(document: Mapping[str, Any], file: TextIO) -> None:
    """Write a capsule: a line for each field of the outermost object, so that it can be skimmed."""
    lines = (
        f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in document.items()
    )
    file.write("{\n" + ",\n".join(lines) + "\n}\n")


# --- a query ---------------------------------------------------------------------------------


def _query_document(history: History, record: QueryRecord) -> dict[str, Any]:
    _refuse_running(record.status)
    origin = origin_of(history.store, record.id)
    messages = messages_of(history, record)
    return {
        **FORM.head(),
        "kind": QUERY,
        **query_json(record, origin, walls_of(history, [record]).get(record.id)),
        "messages": [asdict(message) for message in messages],
        "messages_sha256": messages_sha256(messages),
        "idle": _idle_json(history, record),
        "trace": trace_json(history.trace(record.id)),
    }


def query_json(record: QueryRecord, origin: Origin, wall: AtTheWall | None) -> dict[str, Any]:
    """Return a query with its bill and the machine it ran on, as it is read back.

    :param wall: what it came to at the wall; ``None`` where that machine was never calibrated
    """
    return {
        "query": {
            **told_json(record, wall),
            "system": record.system,
            "model": model_json(record, origin),
            "day": origin.day,
            "note": origin.note,
            "tags": list(origin.tags),
        },
        "intensity_source": origin.intensity_source,
        "zone": record.zone and asdict(record.zone),
        "pue": record.pue,
        "machine": asdict(origin.machine),
        "bill": bill_json(record.bill),
        "thinking_j": record.thinking_j,
    }


def _idle_json(history: History, record: QueryRecord) -> dict[str, Any] | None:
    """Return the idle baseline that the query's energy above idle is of; ``None`` without one."""
    above = record.above_idle
    if above is None:
        return None
    baseline = Baselines(history.store).of(above.baseline_id)
    if baseline is None:
        return None
    return baseline_json(baseline, above.stale, datetime.fromisoformat(record.started_at))


def _refuse_running(status: Status) -> None:
    if status is Status.RUNNING:
        raise ExchangeError("It is still running; a capsule is made of what has ended.")


def messages_sha256(messages: Sequence[ChatMessage]) -> str:
    """Return the SHA-256 of what a model was given."""
    content = json.dumps([[message.role, message.content] for message in messages])
    return hashlib.sha256(content.encode()).hexdigest()


def model_json(record: QueryRecord, origin: Origin) -> dict[str, Any] | None:
    """Return a query's model; of its path only the file's name, which others may see."""
    model = record.model
    if model is None:
        return None
    found = {**asdict(model), "path": file_name(model.path)}
    return found | (asdict(origin.model_file) if origin.model_file else {})


# --- a benchmark -----------------------------------------------------------------------------


def _benchmark_document(history: History, result: SuiteResult) -> dict[str, Any]:
    """The document of ``bench run --json``, which ``--replay`` takes, with all that it lacks.

    Of paths only the names, which others may see: by them and their hashes files are found again.
    """
    _refuse_running(result.suite.status)
    items = {run.record.id: history.benchmarks.items(run.record.id) for run in result.runs}
    walls = walls_of(history, [run.record for run in result.runs])
    document = forms.suite_json(result, items)
    machines = {}
    for run, made in zip(result.runs, document["runs"], strict=True):
        origin = origin_of(history.store, run.record.id)
        machines[origin.machine.id] = asdict(origin.machine)
        if model := made["model"]:
            made["model"] = {**model, "file": file_name(model["file"])}
        if data := made.get("data"):
            made["data"] = {**data, "path": file_name(data["path"])}
        made |= {
            "run": told_json(run.record, walls.get(run.record.id))
            | {"model": model_json(run.record, origin)},
            "machine_id": origin.machine.id,
            "questions": [forms.stored_item_json(item) for item in items[run.record.id]],
            "bill": bill_json(run.record.bill),
            "trace": trace_json(history.trace(run.record.id)),
        }
    return {
        **FORM.head(),
        "kind": BENCHMARK,
        "machines": list(machines.values()),
        **document,
        "plan": _named_plan(result.suite.plan),
    }


def _named_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a suite's plan without the folders its models and data lie in."""
    models = [{**model, "path": file_name(model["path"])} for model in plan["models"]]
    suite = only_names(suite_from_json(plan["suite"]))
    return {**plan, "suite": suite.to_json(), "models": models}


# --- bills and curves ------------------------------------------------------------------------


def _channel_json(channel: Channel) -> dict[str, Any]:
    told = asdict(channel)
    # Of the sensor that is read now: a stored channel has none.
    del told["least_period_s"]
    return told


def bill_json(bill: Bill) -> dict[str, Any]:
    """Return every line of a bill; ``channel`` is a place in the list of channels, from 0."""
    channels = list(dict.fromkeys(line.channel for line in bill.lines))
    places = {channel: place for place, channel in enumerate(channels)}
    return {
        "method": bill.method,
        "channels": [_channel_json(channel) for channel in channels],
        "lines": [
            {
                "channel": places[line.channel],
                "phase": line.phase,
                "energy": line.energy and asdict(line.energy),
                "mean_w": line.mean_w,
                "peak_w": line.peak_w,
                "samples": line.samples,
                "coverage": line.coverage,
                "duration_s": line.duration_s,
                "resolved": line.resolved,
            }
            for line in bill.lines
        ],
    }


def trace_json(trace: StoredTrace | None) -> dict[str, Any] | None:
    """Return power curves as arrays. Times count from the start of the first phase; ``energy_j``
    is cumulative from the curve's first reading; ``gap`` tells why the time before a reading was
    not observed (0: it was), see :class:`monitor.power.trace.Gap`; ``sketched``, where there is
    any, which readings are told by a counter's watts alone (1: it was not asked)."""
    if trace is None:
        return None
    return {
        "step_s": trace.step_s,
        "phases": [asdict(phase) for phase in trace.phases],
        "curves": [
            {
                "key": key,
                "time_s": np.round(curve.time_s, TIME_DECIMALS).tolist(),
                "power_w": [
                    None if np.isnan(watts) else watts
                    for watts in np.round(curve.power_w, POWER_DECIMALS).tolist()
                ],
                "energy_j": np.round(curve.energy_j, ENERGY_DECIMALS).tolist(),
                "gap": curve.gap.tolist(),
                **(
                    {"sketched": curve.is_sketch.astype(int).tolist()}
                    if curve.is_sketch.any()
                    else {}
                ),
            }
            for key, curve in trace.curves.items()
        ],
    }
