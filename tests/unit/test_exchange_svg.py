"""Charts of the report: true to scale, and sound markup."""

import itertools
from xml.dom.minidom import Element, parseString

import pytest

from monitor.exchange import svg


def elements(text: str, name: str) -> list[Element]:
    return list(parseString(text).getElementsByTagName(name))


def number(element: Element, name: str) -> float:
    return float(element.getAttribute(name))


@pytest.mark.parametrize(
    ("most", "last"), [(1.0, 1.0), (0.93, 1.0), (7, 8), (101, 150), (3e-4, 3e-4), (0, 1)]
)
def test_an_axis_ends_at_a_round_number_above_all_values(most: float, last: float) -> None:
    assert svg.ticks(most)[-1] == pytest.approx(last)
    assert svg.ticks(most)[0] == 0


def test_columns_are_as_high_as_their_values() -> None:
    columns = [
        svg.Column("a", {0: 1.0, 1: 3.0}, "four", 3.0, 5.0),
        svg.Column("<b>", {}, "nothing & none"),
        svg.Column("c", {0: 2.0}, "two"),
    ]
    drawn = svg.stacked_columns(columns, "Energy", "Wh")
    heights = [number(rect, "height") for rect in elements(drawn, "rect")]
    assert heights[1] == pytest.approx(3 * heights[0], abs=0.2)
    assert heights[2] == pytest.approx(2 * heights[0], abs=0.2)
    lower, upper = elements(drawn, "rect")[:2]
    assert number(upper, "y") + heights[1] == pytest.approx(number(lower, "y"), abs=0.2)
    (whisker,) = [each for each in elements(drawn, "line") if each.hasAttribute("class")
                  and each.getAttribute("class") == "whisker"]  # fmt: skip
    assert number(whisker, "y1") - number(whisker, "y2") == pytest.approx(2 * heights[0], abs=0.2)


def point(x: float, y: float, family: str = "a", best: bool = True) -> svg.Point:
    return svg.Point(
        svg.Range(x, x * 0.9, x * 1.1), svg.Range(y, y - 0.05, y + 0.05), "1", "<", 0, family, best
    )


def test_a_plot_has_equal_ratios_equally_far_apart() -> None:
    drawn = svg.scatter(
        [point(0.1, 0.5), point(1, 0.6), point(10, 0.7, best=False)], "Score", "Wh", "score"
    )
    places = [number(circle, "cx") for circle in elements(drawn, "circle")]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)
    lines = {each.getAttribute("class"): each for each in elements(drawn, "polyline")}
    assert len(lines["family"].getAttribute("points").split()) == 3
    assert len(lines["frontier"].getAttribute("points").split()) == 2


@pytest.mark.parametrize(("low", "high"), [(4.0, 4.4), (3.9, 6.1), (0.02, 30.0), (1e-5, 10.0)])
def test_a_plot_has_figures_along_its_energies_however_near_they_are(
    low: float, high: float
) -> None:
    drawn = svg.scatter([point(low, 0.5), point(high, 0.6)], "Score", "Wh", "score")
    labels = [each for each in elements(drawn, "text") if number(each, "y") == svg.HEIGHT - 26]
    places = [number(each, "x") for each in labels]
    assert 3 <= len(labels) <= 10
    assert all(svg.LEFT <= place <= svg.WIDTH - svg.RIGHT for place in places)
    assert min(b - a for a, b in itertools.pairwise(places)) > 20


def test_a_bar_never_leaves_its_cell() -> None:
    (rect,) = elements(svg.bar(svg.Range(5.0, 4.0, 6.0), most=2.0), "rect")
    assert number(rect, "width") == 160
