"""CodeCarbon's ``emissions.csv``: the history written as one.

Columns and units are those of CodeCarbon 3.3 (``EmissionsData``, docs.codecarbon.io): kilowatt-
hours, kilograms of CO2-equivalent, watts, seconds, gigabytes of 2^30 bytes. Its energies and
powers have the PUE in them already. What LlamaWatt does not know is left empty.
"""

import csv
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TextIO

from monitor.carbon.footprint import J_PER_KWH
from monitor.carbon.intensity import zones
from monitor.exchange.reading import FlatRow, Part, flat_rows
from monitor.exchange.tables import TELL_EVERY, Told, safe
from monitor.store.history import History

COLUMNS = (
    "timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions",
    "emissions_rate", "cpu_power", "gpu_power", "ram_power", "cpu_energy", "gpu_energy",
    "ram_energy", "energy_consumed", "water_consumed", "country_name", "country_iso_code",
    "region", "cloud_provider", "cloud_region", "os", "python_version", "codecarbon_version",
    "cpu_count", "cpu_model", "gpu_count", "gpu_model", "longitude", "latitude",
    "ram_total_size", "tracking_mode", "cpu_utilization_percent", "gpu_utilization_percent",
    "ram_utilization_percent", "ram_used_gb", "on_cloud", "pue", "wue",
)  # fmt: skip

PARTS = {"cpu": ("cpu", "soc"), "gpu": ("gpu",), "ram": ("dram",)}
"""CodeCarbon's components and ours; it knows no chip that is processor and graphics in one."""

TIME = "%Y-%m-%dT%H:%M:%S"
"""Local time of the run's end, without its zone."""

PROJECT = "llamawatt"

ISO_LETTERS = 3

IMPORTED = " (CodeCarbon)"
"""What the name of a channel ends with that was read from such a table."""

UNNAMED_GPU = "GPU"
"""The name of its graphics cards where the table tells none."""

COUNT = re.compile(r"\s*(\d+) x ")
"""How it tells cards of one model: ``2 x NVIDIA A100``."""


def write_emissions(history: History, numbers: Sequence[int], file: TextIO, told: Told) -> int:
    """Write the queries whose energy is known as CodeCarbon's table; return how many.

    :param numbers: of the queries, in the order of the rows
    """
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    written = 0
    for row in flat_rows(history, numbers):
        if row.columns["energy_j"] is None:
            continue
        writer.writerow({name: safe(value) for name, value in emissions_row(row).items()})
        written += 1
        if written % TELL_EVERY == 0:
            told(written)
    return written


def emissions_row(row: FlatRow) -> dict[str, Any]:
    """Return a query's row by :data:`COLUMNS`; what is not in it is not known."""
    q = row.columns
    duration_s = q["total_s"] or 0.0
    began = datetime.fromisoformat(q["started_at"])
    found = {
        "timestamp": (began + timedelta(seconds=duration_s)).astimezone().strftime(TIME),
        "project_name": PROJECT,
        "run_id": q["id"],
        "experiment_id": q["suite_id"] or q["conversation_id"],
        "duration": q["total_s"],
        "energy_consumed": q["energy_j"] * q["pue"] / J_PER_KWH,
        "os": q["system"],
        "cpu_count": q["machine_threads"],
        "cpu_model": q["processor"],
        "ram_total_size": q["memory_bytes"] and q["memory_bytes"] / 2**30,
        "tracking_mode": "machine",
        "pue": q["pue"],
    }
    for name, domains in PARTS.items():
        known = [joules for domain in domains if (joules := row.joules(domain)) is not None]
        if known:
            found[f"{name}_energy"] = sum(known) * q["pue"] / J_PER_KWH
            found[f"{name}_power"] = sum(known) * q["pue"] / duration_s if duration_s else None
    if gpu := row.parts.get("gpu"):
        found |= _cards(gpu)
    return found | _emissions(q)


def _cards(gpu: Part) -> dict[str, Any]:
    """Return how many graphics cards there are and which; of an imported run, what it told."""
    model = gpu.labels.removesuffix(IMPORTED)
    if model == gpu.labels:
        return {"gpu_count": gpu.channels, "gpu_model": model}
    if model == UNNAMED_GPU:
        return {}
    counts = (COUNT.match(each) for each in model.split(","))
    return {"gpu_count": sum(int(n[1]) if n else 1 for n in counts), "gpu_model": model}


def _emissions(q: dict[str, Any]) -> dict[str, Any]:
    if q["g_per_kwh"] is None:
        return {}
    kilograms = q["energy_j"] * q["pue"] / J_PER_KWH * q["g_per_kwh"] / 1000
    name = {zone.code: zone.name for zone in zones()}.get(q["zone"], q["zone"])
    is_country = len(q["zone"]) == ISO_LETTERS
    place = (
        {"country_name": name, "country_iso_code": q["zone"]} if is_country else {"region": name}
    )
    return {
        "emissions": kilograms,
        "emissions_rate": kilograms / q["total_s"] if q["total_s"] else None,
        **place,
    }
