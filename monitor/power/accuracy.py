"""The stated uncertainty of each kind of sensor, from ``resources/sensor_accuracy.toml``."""

import tomllib
from functools import cache
from typing import Any

from monitor.power.channel import Accuracy
from resources import resource_text


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resource_text("sensor_accuracy.toml"))


def accuracy_of(sensor: str) -> Accuracy:
    """Return the entry of a sensor, for example ``rapl.package``.

    :raises KeyError: if the table has no such entry
    """
    entry: dict[str, Any] = _table()
    for name in sensor.split("."):
        entry = entry[name]
    return Accuracy(entry["below"], entry["above"], entry["offset_w"], entry["source"])
