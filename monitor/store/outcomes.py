"""What a query has come to, as columns of its row and lines of its bill."""

from dataclasses import asdict, dataclass

from sqlite_utils import Database

from monitor.energy.account import DECODE, PREFILL, Bill
from monitor.energy.baseline import AboveIdle
from monitor.energy.beside import others_share
from monitor.energy.notes import NO_NOTES, Notes, pack_notes
from monitor.energy.parts import partly_read
from monitor.power.gauge import GaugeLine
from monitor.store.bills import write_bill
from monitor.store.gauges import write_gauges
from monitor.store.overlaps import Span, overlaps_of
from monitor.store.processes import this_process
from monitor.store.records import Seconds, Status, Tokens


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a query has come to, so far or in the end.

    :param thinking_j: joules of the part of decode in which the model thought; ``None`` if it did
      not, or they were not measured
    :param marks: when its characters were written; see :mod:`monitor.store.marks`
    :param embodied_g: its time's share of what making the machine emitted; ``None`` if that is not
      known
    :param above_idle: what it drew above the idle machine; ``None`` if no baseline fits
    :param gauges: what gauges told during prefill and decode
    :param notes: what is doubtful in its bill, and why something was not read
    :param span: when it was billed since its last pause, in seconds since 1970; ``None`` if that is
      not known
    :param shared: of one that was measured elsewhere, the share of its time in which another
      LlamaWatt computed; of what is measured here the span tells it
    """

    status: Status
    text: str
    tokens: Tokens
    seconds: Seconds
    bill: Bill
    finish_reason: str = ""
    error: str = ""
    trace: bytes | None = None
    thinking_j: float | None = None
    marks: bytes | None = None
    embodied_g: float | None = None
    above_idle: AboveIdle | None = None
    gauges: tuple[GaugeLine, ...] = ()
    notes: Notes = NO_NOTES
    span: Span | None = None
    shared: float | None = None


def update_query(db: Database, machine_id: str, query_id: str, outcome: Outcome) -> None:
    """Store how far a query has come, in place of what was stored before."""
    total = outcome.bill.total()
    energy, above = total.energy, outcome.above_idle
    started_ms = query_number(db, query_id)
    # Without a facet it counts towards no sum, so that its lines are added up once, when the status
    # below finds the facet again, and not one by one to each of the sums they belong to.
    db.execute("update queries set facet_id = null where started_ms = ?", [started_ms])
    write_bill(db, machine_id, started_ms, outcome.bill)
    db.table("queries").update(
        started_ms,
        {
            "status": str(outcome.status),
            **_process(outcome.status),
            "error": outcome.error,
            "answer_text": outcome.text,
            "finish_reason": outcome.finish_reason,
            **{f"{name}_tokens": value for name, value in asdict(outcome.tokens).items()},
            **{f"{name}_s": value for name, value in asdict(outcome.seconds).items()},
            "energy_j": energy and energy.joules,
            "energy_low_j": energy and energy.low_j,
            "energy_high_j": energy and energy.high_j,
            "prefill_j": outcome.bill.total(PREFILL).joules,
            "decode_j": outcome.bill.total(DECODE).joules,
            "thinking_j": outcome.thinking_j,
            "embodied_g": outcome.embodied_g,
            "energy_kind": total.kind and str(total.kind),
            "resolved": total.resolved,
            "partly_read": bool(partly_read(outcome.bill)),
            "sensor_notes": pack_notes(outcome.notes),
            "others": others_share(outcome.gauges),
            **({} if outcome.shared is None else {"shared": outcome.shared}),
            **overlaps_of(
                db, machine_id, started_ms, outcome.span, outcome.status is Status.RUNNING
            ),
            "above_idle_j": above and above.joules,
            "above_idle_low_j": above and above.low_j,
            "above_idle_high_j": above and above.high_j,
            "baseline_id": above and above.baseline_id,
            "baseline_stale": above and ",".join(above.stale),
        },
    )
    write_gauges(db, machine_id, started_ms, outcome.gauges)


def _process(status: Status) -> dict[str, float | None]:
    """Which process a query runs in, by which its death is known; of none once it has ended."""
    process: dict[str, float | None] = dict(this_process())
    return process if status is Status.RUNNING else dict.fromkeys(process)


def query_number(db: Database, query_id: str) -> int:
    """Return the number of a stored query, by which its bill and its sums are kept."""
    row = db.execute("select started_ms from queries where id = ?", [query_id]).fetchone()
    return int(row[0])
