"""The stated accuracies: each with its source, and wide enough for what was measured."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.power.accuracy import accuracy_of
from resources import resource_text


def entries(table: dict[str, Any], name: str = "") -> Iterator[str]:
    if "source" in table:
        yield name
    for key, inner in table.items():
        if isinstance(inner, dict):
            yield from entries(inner, f"{name}.{key}" if name else key)


def test_every_figure_is_possible_and_names_a_source_or_says_there_is_none() -> None:
    names = list(entries(tomllib.loads(resource_text("sensor_accuracy.toml"))))
    assert {"rapl.package", "rapl.dram", "nvml", "amdgpu", "intelgpu", "apple"} <= set(names)
    for name in names:
        accuracy = accuracy_of(name)
        assert 0 < accuracy.below < 1
        assert accuracy.above > 0
        assert accuracy.offset_w >= 0
        words = ("arXiv", "doi", "No study", "resources/")
        assert any(each in accuracy.source for each in words), name


@pytest.mark.parametrize(
    ("gain", "offset_w", "rated_w"),
    [(0.045, -12.0, 450.0), (-0.095, 9.0, 230.0), (-0.013, 12.0, 175.0)],
    ids=["RTX 4090", "A5000", "RTX 2060 Super"],
)
def test_the_cards_of_the_study_read_within_what_is_stated(
    gain: float, offset_w: float, rated_w: float
) -> None:
    """arXiv 2312.02741: the sensor read (1 + gain) x power + offset. From 20 W on."""
    accuracy = accuracy_of("nvml")
    for truth_w in (20.0, 50.0, 100.0, rated_w):
        reading_w = (1 + gain) * truth_w + offset_w
        assert reading_w * (1 - accuracy.below) - accuracy.offset_w <= truth_w
        assert truth_w <= reading_w * (1 + accuracy.above) + accuracy.offset_w
