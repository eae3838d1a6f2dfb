"""Where names go beside points, so that none covers another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""Rectangles as rows of left, top, right and bottom, in pixels."""

NEAR, FAR = 6.0, 16.0
"""Pixels between a point and its name, sideways, and where names give way to others."""

CLEAR = 10.0
"""Pixels a name keeps from other points, whose name it would be taken for."""

WHISKER_COST = 1.0
"""Against a pixel of distance: a whisker through a name is to be avoided, not at any price."""


@dataclass(frozen=True, slots=True)
class Name:
    """A text of some size that belongs to a point, in pixels.

    :param has_symbol: whether the point is drawn as one, which names must not cover
    """

    x: float
    y: float
    width: float
    height: float
    has_symbol: bool = True


def place_names(
    names: Sequence[Name], inside: tuple[float, float, float, float], whiskers: Boxes, marker: float
) -> list[tuple[float, float] | None]:
    """Return the left top corner of each name, ``None`` where there is no room for it.

    The first names are placed first; each takes the free place nearest to its point, beside its
    whiskers rather than on them.

    :param inside: left, top, right and bottom of the plane
    :param whiskers: thin boxes
    :param marker: half the size of a point's symbol
    """
    points = np.array([(n.x, n.y, n.x, n.y) for n in names], dtype=np.float64).reshape(-1, 4)
    outward = np.array([-1.0, -1.0, 1.0, 1.0])
    markers, clear = points + marker * outward, points + (marker + CLEAR) * outward
    is_drawn = np.array([name.has_symbol for name in names], dtype=bool)
    others_of = is_drawn & ~np.eye(len(names), dtype=bool)
    taken: Boxes = np.empty((0, 4))
    found: list[tuple[float, float] | None] = []
    for number, name in enumerate(names):
        boxes = _candidates(name, marker)
        others = np.vstack([markers[is_drawn], clear[others_of[number]], taken])
        is_free = (
            (boxes[:, 0] >= inside[0])
            & (boxes[:, 1] >= inside[1])
            & (boxes[:, 2] <= inside[2])
            & (boxes[:, 3] <= inside[3])
            & ~_overlaps(boxes, others).any(axis=1)
        )
        if not is_free.any():
            found.append(None)
            continue
        order = np.arange(len(boxes)) * 0.1
        cost = order + WHISKER_COST * _overlaps(boxes, whiskers).sum(axis=1)
        best = int(np.argmin(np.where(is_free, cost, np.inf)))
        taken = np.vstack([taken, boxes[best : best + 1]])
        found.append((float(boxes[best, 0]), float(boxes[best, 1])))
    return found


def _candidates(name: Name, marker: float) -> Boxes:
    """Return boxes around a point, the best first: above and below its whiskers, then beside."""
    boxes = []
    for rise in (0.0, FAR):
        gap = 1.0 + rise
        above, below = name.y - gap - name.height, name.y + gap
        left, right = name.x - NEAR - marker / 2 - name.width, name.x + NEAR + marker / 2
        middle = name.x - name.width / 2
        boxes += [(right, above), (left, above), (right, below), (left, below)]
        boxes += [(middle, above - marker), (middle, below + marker)]
    level = name.y - name.height / 2
    boxes += [(name.x + NEAR + marker, level), (name.x - NEAR - marker - name.width, level)]
    corners = np.array(boxes, dtype=np.float64)
    return np.hstack([corners, corners + np.array([name.width, name.height])])


def _overlaps(boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """Return for each box which of the others it meets."""
    return np.asarray(
        (boxes[:, None, 0] < others[None, :, 2])
        & (boxes[:, None, 2] > others[None, :, 0])
        & (boxes[:, None, 1] < others[None, :, 3])
        & (boxes[:, None, 3] > others[None, :, 1])
    )
