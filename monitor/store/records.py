"""What the history holds, as it is handed out: one query with its model, settings and bill."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from monitor.carbon.footprint import J_PER_KWH, Footprint, known_footprint
from monitor.carbon.intensity import Zone
from monitor.energy.account import Bill
from monitor.energy.baseline import AboveIdle, Stale
from monitor.energy.beside import NOBODY, Beside, model_joules, others_share
from monitor.energy.notes import NO_NOTES, Notes, unpack_notes
from monitor.energy.parts import is_lower_bound
from monitor.power.channel import Kind
from monitor.power.gauge import GaugeLine, was_throttled


class Status(StrEnum):
    """How far a query came."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """A person stopped it."""
    FAILED = "failed"
    """The engine or the model failed; what there was is kept."""
    INTERRUPTED = "interrupted"
    """The program ended before the query did."""


LOAD_SETTINGS = ("flash_attention", "kv_type", "memory_map")
"""Settings that a record has only where they are not llama.cpp's own."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model a query was put to; see :class:`monitor.engine.gguf.ModelInfo`."""

    name: str
    path: str
    sha256: str
    architecture: str
    parameters: int
    quantisation: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts; ``reused`` of the prompt's were in the context already."""

    prompt: int = 0
    reused: int = 0
    completion: int = 0
    thinking: int = 0


@dataclass(frozen=True, slots=True)
class Seconds:
    """Durations. ``first_token`` counts from the start of prefill; ``None`` is "did not happen".

    ``thinking`` is the part of ``decode`` until the answer proper began.
    """

    load: float | None = None
    prefill: float | None = None
    first_token: float | None = None
    decode: float | None = None
    total: float | None = None
    thinking: float | None = None


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """One query with its bill.

    :param kind: ``ask`` (the command) or ``chat`` (the window)
    :param started_at: UTC, ISO 8601
    :param text: the answer
    :param settings: engine and sampling settings, by name
    :param zone: the intensity in force when it ran, ``None`` for a query without a bill
    :param notice: what a person must know of how it is stored, "" if all is well
    :param thinking_j: joules of the thinking at the head of the answer
    :param embodied_g: its time's share of what making the machine emitted, beside the footprint
    :param above_idle: what it drew above the idle machine, ``None`` if no baseline fitted
    :param gauges: what gauges told during prefill and decode; nothing of a query of an earlier
      version, or so short that none was read in it
    :param notes: what is doubtful in its bill, and why something was not read
    :param shared: share of its time in which another LlamaWatt computed; ``None`` if none did
    """

    id: str
    kind: str
    status: Status
    error: str
    started_at: str
    model: ModelRecord | None
    settings: dict[str, Any]
    system: str
    prompt: str
    text: str
    finish_reason: str
    tokens: Tokens
    seconds: Seconds
    bill: Bill
    zone: Zone | None
    pue: float = 1.0
    conversation_id: str | None = None
    notice: str = ""
    thinking_j: float | None = None
    embodied_g: float | None = None
    above_idle: AboveIdle | None = None
    gauges: tuple[GaugeLine, ...] = ()
    notes: Notes = NO_NOTES
    shared: float | None = None

    @classmethod
    def from_row(
        cls,
        row: Mapping[str, Any],
        settings: Mapping[str, Any],
        bill: Bill,
        gauges: tuple[GaugeLine, ...],
    ) -> "QueryRecord":
        """Make a record of a row of ``queries`` joined with its model."""
        model = None
        if row["sha256"]:
            model = ModelRecord(
                name=row["model_name"],
                path=row["path"],
                sha256=row["sha256"],
                architecture=row["architecture"],
                parameters=row["parameters"],
                quantisation=row["quantisation"] or "",
            )
        return cls(
            id=row["id"],
            kind=row["kind"],
            status=Status(row["status"]),
            error=row["error"] or "",
            started_at=row["started_at"],
            model=model,
            settings={
                **{
                    name: value
                    for name, value in settings.items()
                    if name != "id" and (name not in LOAD_SETTINGS or value is not None)
                },
                "stop": json.loads(settings.get("stop") or "[]"),
                "seed": row["seed"],
                "system": row["system_text"],
            },
            system=row["system_text"] or "",
            prompt=row["prompt_text"] or "",
            text=row["answer_text"] or "",
            finish_reason=row["finish_reason"] or "",
            tokens=Tokens(**{f.name: row[f"{f.name}_tokens"] or 0 for f in fields(Tokens)}),
            seconds=Seconds(**{f.name: row[f"{f.name}_s"] for f in fields(Seconds)}),
            bill=bill,
            zone=row["zone"]
            and Zone(row["zone"], row["zone"], row["year"], row["g_per_kwh"], row["source"]),
            pue=row["pue"],
            conversation_id=row["conversation_id"],
            thinking_j=row["thinking_j"],
            embodied_g=row["embodied_g"],
            above_idle=_above_idle(row),
            gauges=gauges,
            notes=unpack_notes(row["sensor_notes"]),
            shared=row["shared"],
        )

    @property
    def throttled(self) -> bool | None:
        """Whether a device was held back while it ran; ``None`` if nothing told that."""
        return was_throttled(self.gauges)

    @property
    def fresh_tokens(self) -> int | None:
        """Prompt tokens that were processed; ``None`` where it ended among them, so that it is
        not known how many were."""
        is_over = self.status is Status.DONE or self.seconds.decode is not None
        # A benchmark has only the tokens of items that were finished.
        if is_over or self.seconds.prefill is None or self.kind not in ("ask", "chat"):
            return self.tokens.prompt - self.tokens.reused
        return None

    @property
    def is_unread(self) -> bool:
        """Whether it ran, but nothing was read of it; see :mod:`monitor.store.lacking`."""
        return self.bill.total().energy is None and (self.seconds.total or 0.0) > 0

    @property
    def is_lacking(self) -> bool:
        """Whether not all that it drew was read, so that a sum with it is the least it can be."""
        return self.is_unread or is_lower_bound(self.bill)

    @property
    def beside(self) -> Beside:
        """Who else computed while it ran: its bill holds that too."""
        return Beside(others_share(self.gauges), self.shared, model_joules(self.bill))

    @property
    def footprint(self) -> Footprint | None:
        """Emissions of the billed energy, ``None`` where it or its intensity is not known."""
        return known_footprint(self.bill.total().energy, self.zone, self.pue)

    @property
    def sci_g(self) -> float | None:
        """Grams of SCI's numerator, O + M (ISO/IEC 21031:2024); of O alone where the making of
        the device is not reckoned with, ``None`` where the emissions are not known."""
        operational = self.footprint
        return operational.grams + (self.embodied_g or 0.0) if operational else None

    @property
    def joules_per_token(self) -> float | None:
        """Decode joules per answer token, ``None`` where either is missing."""
        energy = self.bill.total("decode").energy
        return energy.joules / self.tokens.completion if energy and self.tokens.completion else None

    @property
    def tokens_per_s(self) -> float | None:
        """Answer tokens per second of decode; what the model thought before is left out."""
        seconds = (self.seconds.decode or 0.0) - (self.seconds.thinking or 0.0)
        written = self.tokens.completion - self.tokens.thinking
        return written / seconds if seconds > 0 and written else None

    @property
    def thinking_per_s(self) -> float | None:
        """Tokens per second while the model thought, ``None`` if it did not."""
        seconds = self.seconds.thinking
        return self.tokens.thinking / seconds if seconds and self.tokens.thinking else None


def _above_idle(row: Mapping[str, Any]) -> AboveIdle | None:
    if row["above_idle_j"] is None or row["baseline_at"] is None:
        return None
    return AboveIdle(
        joules=row["above_idle_j"],
        low_j=row["above_idle_low_j"],
        high_j=row["above_idle_high_j"],
        baseline_id=row["baseline_id"],
        measured_at=row["baseline_at"],
        stale=tuple(Stale(why) for why in (row["baseline_stale"] or "").split(",") if why),
        idle_w=row["baseline_w"],
    )


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One line of the history table: no bill is read for it.

    :param prompt: the question, then the names of the files with it; see
      :func:`monitor.attachments.question_first`
    """

    number: int
    id: str
    kind: str
    status: Status
    started_at: str
    model: str
    quantisation: str
    prompt: str
    completion_tokens: int
    decode_s: float | None
    total_s: float | None
    energy_j: float | None
    energy_low_j: float | None
    energy_high_j: float | None
    energy_kind: Kind | None
    resolved: bool
    grams: float | None
    joules_per_token: float | None
    note: str
    tags: tuple[str, ...]
    throttled: bool = False
    partly_read: bool = False
    """Whether a part was not read, so that its energy, if any is known, is so from below only."""
    beside: Beside = NOBODY
    """Who else computed while it ran, without the joules."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "QueryRow":
        """Make a line of a row of ``queries`` joined with its model."""
        energy_j, decode_j = row["energy_j"], row["decode_j"]
        tokens = row["completion_tokens"]
        return cls(
            number=row["started_ms"],
            id=row["id"],
            kind=row["kind"],
            status=Status(row["status"]),
            started_at=row["started_at"],
            model=row["model_name"] or "",
            quantisation=row["quantisation"] or "",
            prompt=row["prompt_text"] or "",
            completion_tokens=tokens or 0,
            decode_s=row["decode_s"],
            total_s=row["total_s"],
            energy_j=energy_j,
            energy_low_j=row["energy_low_j"],
            energy_high_j=row["energy_high_j"],
            energy_kind=row["energy_kind"] and Kind(row["energy_kind"]),
            resolved=bool(row["resolved"]),
            grams=None
            if energy_j is None or row["g_per_kwh"] is None
            else energy_j * row["g_per_kwh"] * row["pue"] / J_PER_KWH,
            joules_per_token=decode_j / tokens if tokens and decode_j is not None else None,
            note=row["note"] or "",
            tags=tuple(sorted(row["tags"].split("\n"))) if row["tags"] else (),
            throttled=bool(row["throttled"]),
            partly_read=bool(row["partly_read"]),
            beside=Beside(row["others"], row["shared"]),
        )
