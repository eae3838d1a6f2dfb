"""The JSON forms of the commands. ``null`` is "not known", never zero."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from monitor.carbon.footprint import Footprint
from monitor.carbon.intensity import Zone
from monitor.energy.account import LOAD, Bill, Line, Total
from monitor.energy.baseline import AboveIdle, Baseline, Stale, is_stale
from monitor.energy.parts import is_lower_bound
from monitor.energy.wall import AtTheWall, WallUnknown, wall_words
from monitor.engine.messages import Hello
from monitor.power.channel import Channel, Probe
from monitor.power.gauge import GaugeLine
from monitor.store.records import QueryRecord


def record_json(record: QueryRecord) -> dict[str, Any]:
    """Return a query in the form ``ask`` and ``history`` share."""
    model = record.model
    return {
        "id": record.id,
        "kind": record.kind,
        "status": str(record.status),
        "error": record.error or None,
        "started_at": record.started_at,
        "model": model
        and {
            "name": model.name,
            "file": model.path,
            "sha256": model.sha256,
            "arch": model.architecture,
            "parameters": model.parameters,
            "quantisation": model.quantisation,
        },
        "settings": record.settings,
        "prompt": record.prompt,
        "text": record.text,
        "finish_reason": record.finish_reason or None,
        "tokens": {
            "prompt": record.tokens.prompt,
            "reused": record.tokens.reused,
            "completion": record.tokens.completion,
            "thinking": record.tokens.thinking,
        },
        "seconds": {
            "load": record.seconds.load,
            "prefill": record.seconds.prefill,
            "first_token": record.seconds.first_token,
            "decode": record.seconds.decode,
            "total": record.seconds.total,
            "thinking": record.seconds.thinking,
        },
        "method": record.bill.method,
        "energy": energy_json(
            record.bill, record.above_idle, datetime.fromisoformat(record.started_at)
        ),
        "co2": footprint_json(record.footprint),
        "embodied_g": record.embodied_g,
        "gauges": [_gauge_json(line) for line in record.gauges],
        "throttled": record.throttled,
        "beside": record.beside.to_json(),
        **record.notes.to_json(),
    }


def told_json(record: QueryRecord, wall: AtTheWall | None) -> dict[str, Any]:
    """Return a query with what it came to at the wall, as ``energy.wall``.

    :param wall: ``None`` where its machine was never calibrated
    """
    document = record_json(record)
    return {**document, "energy": {**document["energy"], "wall": wall and _wall_json(wall)}}


def _wall_json(wall: AtTheWall) -> dict[str, Any]:
    """Return a wall equivalent; where the calibration cannot tell, why, and ``null`` joules."""
    known = None if isinstance(wall, WallUnknown) else wall
    return {
        "total_j": known and known.energy.joules,
        "low_j": known and known.energy.low_j,
        "high_j": known and known.energy.high_j,
        "beyond": list(known.beyond) if known else [],
        "calibration": wall.calibration_id,
        "reason": None if known else wall_words(wall),
    }


def _gauge_json(line: GaugeLine) -> dict[str, Any]:
    """Return what a gauge told during prefill and decode; of a throttle, ``mean`` is a share."""
    gauge, summary = line.gauge, line.summary
    return {
        "key": gauge.key,
        "label": gauge.label,
        "quantity": str(gauge.quantity),
        "unit": gauge.quantity.unit or None,
        "domain": str(gauge.domain),
        "device": gauge.device,
        "capacity": gauge.capacity,
        "mean": summary.mean,
        "low": summary.low,
        "high": summary.high,
        "samples": summary.samples,
        "notes": list(summary.notes),
    }


def _total_json(total: Total) -> dict[str, Any]:
    energy = total.energy
    return {
        "total_j": total.joules,
        "low_j": energy and energy.low_j,
        "high_j": energy and energy.high_j,
        "kind": total.kind and str(total.kind),
        "resolved": total.resolved,
        "coverage": total.coverage,
    }


def _line_json(line: Line) -> dict[str, Any]:
    energy = line.energy
    return {
        **_channel_json(line.channel),
        "joules": line.joules,
        "low_j": energy and energy.low_j,
        "high_j": energy and energy.high_j,
        "mean_w": line.mean_w,
        "peak_w": line.peak_w,
        "samples": line.samples,
        "coverage": line.coverage,
    }


def energy_json(
    bill: Bill, above: AboveIdle | None = None, billed_at: datetime | None = None
) -> dict[str, Any]:
    """Return a bill in the form every command shares. ``null`` is "not known", never zero.

    Where ``is_lower_bound``, a part was not read: total and phases were more than they say.

    :param above: what it has above idle; ``llamawatt baseline`` measures what that takes
    :param billed_at: when that was reckoned, with a time zone; now unless given
    """
    return {
        **_total_json(bill.total()),
        "is_lower_bound": is_lower_bound(bill),
        "above_idle_j": above and above.joules,
        "above_idle_low_j": above and above.low_j,
        "above_idle_high_j": above and above.high_j,
        "baseline": above and _used_baseline_json(above, billed_at or datetime.now(UTC)),
        "phases": {phase: _total_json(bill.total(phase)) for phase in bill.phases()},
        "load_j": bill.total(LOAD).joules,
        "channels": [_line_json(line) for line in bill.by_channel()],
    }


def _used_baseline_json(above: AboveIdle, billed_at: datetime) -> dict[str, Any]:
    measured_at = datetime.fromisoformat(above.measured_at)
    return {
        "id": above.baseline_id,
        "measured_at": above.measured_at,
        "age_s": (billed_at - measured_at).total_seconds(),
        "median_w": above.idle_w,
        "is_stale": is_stale(above.stale),
        "stale_because": [str(why) for why in above.stale],
    }


def baseline_json(baseline: Baseline, stale: Sequence[Stale], now: datetime) -> dict[str, Any]:
    """Return an idle baseline with its age.

    :param stale: why it is stale by now
    :param now: with a time zone
    """
    total = baseline.total()
    return {
        "id": baseline.id,
        "measured_at": baseline.measured_at,
        "age_s": baseline.age_s(now),
        "is_stale": is_stale(stale),
        "stale_because": [str(why) for why in stale],
        "seconds": baseline.duration_s,
        "profile": baseline.conditions.profile or None,
        "on_mains": baseline.conditions.on_mains,
        "on_word": baseline.conditions.on_word or None,
        "median_w": total and total[0],
        "spread_w": total and total[1],
        "channels": [
            {
                **_channel_json(line.channel),
                "median_w": line.median_w,
                "spread_w": line.spread_w,
                "samples": line.samples,
            }
            for line in baseline.lines
        ],
    }


def footprint_json(carbon: Footprint | None) -> dict[str, Any] | None:
    """Return a footprint in the form every command shares."""
    if carbon is None:
        return None
    return {
        "grams": carbon.grams,
        "low_g": carbon.low_g,
        "high_g": carbon.high_g,
        "intensity_g_per_kwh": carbon.intensity_g_per_kwh,
        "zone": carbon.zone,
        "source": carbon.source,
        "year": carbon.year,
        "pue": carbon.pue,
    }


def _channel_json(channel: Channel) -> dict[str, Any]:
    return {
        "key": channel.key,
        "label": channel.label,
        "domain": str(channel.domain),
        "device": channel.device,
        "kind": str(channel.kind),
        "role": str(channel.role),
    }


def sensors_json(
    probes: Sequence[Probe],
    channels: Sequence[tuple[Channel, float | None]],
    hello: Hello | None,
    advice: str | None,
) -> dict[str, Any]:
    """Return what ``sensors`` found: probes, channels with their watts, and the engine."""
    return {
        "probes": [
            {
                "source": probe.source,
                "state": str(probe.state),
                "reason": probe.reason,
                "mend": probe.mend,
                "doubt": probe.doubt,
            }
            for probe in probes
        ],
        "channels": [{**_channel_json(c), "power_w": power_w} for c, power_w in channels],
        "engine": {
            "llama_cpp_python": hello and hello.llama_cpp,
            "offload": hello and hello.offload,
            "devices": [
                {
                    "name": device.name,
                    "description": device.description,
                    "kind": device.kind,
                    "memory_bytes": device.memory_bytes,
                }
                for device in (hello.devices if hello else ())
            ],
            "advice": advice,
        },
    }


def zone_json(zone: Zone) -> dict[str, Any]:
    """Return a zone with its carbon intensity."""
    return {
        "zone": zone.code,
        "name": zone.name,
        "intensity_g_per_kwh": zone.g_per_kwh,
        "year": zone.year,
        "source": zone.source,
    }
