"""What a query has come to, as columns of its row and lines of its bill."""

from dataclasses import asdict, dataclass

from sqlite_utils import Database

from monitor.energy.account import Bill
from monitor.store.bills import write_bill
from monitor.store.records import Seconds, Status, Tokens


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a query has come to, so far or in the end."""

    status: Status
    text: str
    tokens: Tokens
    seconds: Seconds
    bill: Bill
    finish_reason: str = ""
    error: str = ""
    trace: bytes | None = None


def update_query(db: Database, machine_id: str, query_id: str, outcome: Outcome) -> None:
    """Store how far a query has come, in place of what was stored before."""
    total = outcome.bill.total()
    energy = total.energy
    db.table("queries").update(
        query_id,
        {
            "status": str(outcome.status),
            "error": outcome.error,
            "answer_text": outcome.text,
            "finish_reason": outcome.finish_reason,
            **{f"{name}_tokens": value for name, value in asdict(outcome.tokens).items()},
            **{f"{name}_s": value for name, value in asdict(outcome.seconds).items()},
            "energy_j": energy and energy.joules,
            "energy_low_j": energy and energy.low_j,
            "energy_high_j": energy and energy.high_j,
            "energy_kind": total.kind and str(total.kind),
            "resolved": total.resolved,
        },
    )
    write_bill(db, machine_id, query_id, outcome.bill)
