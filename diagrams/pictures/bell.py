"""A determinant vertex as a jellyfish: a bell, and a leg from it to each of its vertices.

The legs leave the bell **from left to right in their order**, up or down as their vertices lie, and
the flat side of the bell is where most of them leave. In increasing order they do not cross; in the
other orientation the first two are exchanged, and cross. Where those two go to different rows, the
second goes around the left end of the bell, so that they cross there too. A free leg dangles from
the flat side, last, and ends in a ring.

The bell stands where there is room for it: away from strands, near to its vertices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tannaka.diagrams.pictures.curves import Curve, Point, along, cut
from tannaka.diagrams.pictures.sketch import Legs

ARCH = 0.42
"""Height of a bell."""
DANGLE = 0.42
"""Length of a free leg."""
RING = 0.09
"""Radius of the ring at the tip of a free leg."""
_APART = 0.34
_RIM = 0.26
_CLEAR = 0.12
_REACH = 0.8
_STEP = 0.125

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Leg:
    """Curves, end to end, from the bell to its ``tip``, the place of the vertex ``end``.

    A free leg has no end, and its tip is the middle of its ring.
    """

    end: int | None
    tip: Point
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Bell:
    """``arch`` runs from the left end of the flat side to the right; ``legs`` are in their order."""

    arch: Curve
    legs: tuple[Leg, ...]


def breadth(legs: int) -> float:
    """The width of a bell with so many legs.

    >>> breadth(1) < breadth(2) < 1
    True
    """
    return (legs - 1) * _APART + 2 * _RIM


def bell(
    legs: Legs,
    top: int,
    vertices: Sequence[Point],
    size: tuple[float, float],
    curves: Iterable[Curve] = (),
    others: Iterable[Bell] = (),
) -> Bell:
    """Place a determinant vertex in a box of a width and a height, among curves and other bells.

    The first ``top`` of the vertices are the upper edge of the box, the others the lower edge.
    Where every place in the box would hide a strand, the bell may stand left or right of it.

    >>> found = bell((0, 1), 2, [(0.5, 0), (1.5, 0)], (2, 1.5))
    >>> [leg.end for leg in found.legs], found.legs[0].tip
    ([0, 1], (0.5, 0))
    """
    points = [point for curve in curves for point in along(curve, 24)]
    boxes = [_box_of(other) for other in others]
    search = _Search(legs, top, vertices, size, points, boxes)
    ranked = sorted((search.cost(place), place) for place in search.places(0.0))
    if search.covered(ranked[0][1]):
        ranked = sorted((search.cost(at), at) for at in search.places(breadth(len(legs)) + _RIM))
    best = [place for _, place in ranked[:8]]
    place = min(best, key=lambda place: search.cost(place) + search.grazed(place))
    return search.at(place, winding=True)


@dataclass(frozen=True, slots=True)
class _Search:
    """A bell looking for its place, which is the middle of its flat side."""

    legs: Legs
    top: int
    vertices: Sequence[Point]
    size: tuple[float, float]
    points: Sequence[Point]
    boxes: Sequence[Box]

    @property
    def half(self) -> float:
        return breadth(len(self.legs)) / 2

    @property
    def down(self) -> float:
        """1 where the flat side is the lower one, else -1."""
        ends = [v for v in self.legs if v is not None]
        return -1.0 if 2 * sum(v < self.top for v in ends) > len(ends) else 1.0

    @property
    def twisted(self) -> bool:
        """Whether the first two legs are exchanged and go to different rows."""
        first, second, *_ = (*self.legs, None, None)
        if first is None or second is None or first < second:
            return False
        return (first < self.top) != (second < self.top)

    def box(self, place: Point) -> Box:
        """What the bell covers, with some room around it and for its free leg."""
        x, y = place
        dangling = DANGLE + RING if None in self.legs else 0.0
        arch, flat = y - self.down * ARCH, y + self.down * dangling
        room = self.half + _CLEAR
        return x - room, min(arch, flat) - _CLEAR, x + room, max(arch, flat) + _CLEAR

    def places(self, beyond: float) -> list[Point]:
        """A grid of places in the box, and in a margin on its left and right."""
        width, height = self.size
        _, above, _, below = self.box((0.0, 0.0))
        first = (0.4 if self.top else 0.0) - above
        last = height - (0.4 if len(self.vertices) > self.top else 0.0) - below
        if last < first:
            first = last = (first + last) / 2
        across = int(max(width / 2 + beyond - self.half - 0.05, 0.0) / _STEP)
        return [
            (width / 2 + _STEP * i, first + (last - first) * j / 6)
            for i in range(-across, across + 1)
            for j in range(7)
        ]

    def covered(self, place: Point) -> int:
        """How much of the strands and of other bells would be covered."""
        left, above, right, below = self.box(place)
        clashes = sum(
            left < end and start < right and above < lower and upper < below
            for start, upper, end, lower in self.boxes
        )
        hidden = sum(left < x < right and above < y < below for x, y in self.points)
        return 20 * clashes + hidden

    def cost(self, place: Point) -> float:
        """How bad a place is: what it covers, and how far it is from where its legs end."""
        height = self.size[1]
        rows = {v < self.top for v in self.legs if v is not None}
        level = height / 2 + self.down * ARCH / 2
        # The wider the row, the longer the legs, so that they do not lie flat.
        far = _REACH + 0.05 * self.size[0]
        if rows == {True}:
            level = min(far, level)
        if rows == {False}:
            level = max(height - far, level)
        away = 2.0 * (place[1] - level) ** 2 + sum(
            0.4 * (self.vertices[v][0] - self.port(place, number)[0]) ** 2
            for number, v in enumerate(self.legs)
            if v is not None
        )
        # Rounded, so that what is equal by symmetry is equal on every machine.
        return round(3.0 * self.covered(place) + away, 6)

    def grazed(self, place: Point) -> float:
        """How long the legs would run close to strands, or to the ring of a free leg."""
        legs = self.at(place).legs
        rings = [leg.tip for leg in legs if leg.end is None]
        return sum(
            _near(leg.curves, self.points, 0.13) / 2
            + (_near(leg.curves, rings, 0.3) if leg.end is not None else 0.0)
            for leg in legs
        )

    def port(self, place: Point, number: int) -> Point:
        """Where a leg leaves the bell, on its flat side."""
        return place[0] + (number - (len(self.legs) - 1) / 2) * _APART, place[1]

    def at(self, place: Point, winding: bool = False) -> Bell:
        """The bell at a place; with ``winding``, its legs avoid running along strands."""
        x, y = place
        turn = y - self.down * ARCH * 4 / 3
        arch = (x - self.half, y), (x - self.half, turn), (x + self.half, turn), (x + self.half, y)
        numbers = range(len(self.legs))
        return Bell(arch, tuple(self.leg(place, arch, number, winding) for number in numbers))

    def leg(self, place: Point, arch: Curve, number: int, winding: bool) -> Leg:
        """One leg of the bell at a place."""
        end, start = self.legs[number], self.port(place, number)
        x, y = start
        if end is None:
            last = self.port(place, len(self.legs) - 1)[0]
            tip = (last + 0.2, y + self.down * DANGLE)
            middle = y + self.down * DANGLE * 0.5
            curve = start, (x - 0.1, middle), (tip[0] + 0.05, middle), tip
            return Leg(None, tip, (cut(curve, tip, RING, end=True),))
        goal = self.vertices[end]
        if number == 1 and self.twisted:
            # The first leg leaves from the flat side: pass below it, and around the rim.
            side = (place[0] - self.half - 0.2, y - self.down * 0.1)
            deep = y + self.down * 0.42
            around = (start, (x, deep), (side[0], deep), side)
            return Leg(end, goal, (around, self.reach(side, goal, winding)))
        if (goal[1] - y) * self.down < 0:
            start = next(point for point in along(arch, 60) if point[0] >= x - 1e-9)
        return Leg(end, goal, (self.reach(start, goal, winding),))

    def reach(self, start: Point, goal: Point, winding: bool) -> Curve:
        """From the bell to a vertex, where it does not arrive along a strand."""
        (x, y), (u, v) = start, goal
        straight = max(-0.4, min(0.4, 0.5 * (x - u)))
        curves: list[Curve] = [
            (start, (x, y + 0.55 * (v - y)), (u + slant, v + 0.42 * (y - v)), goal)
            for slant in ((straight, 0.0, -0.3, 0.3, -0.6, 0.6) if winding else (straight,))
        ]
        if not winding:
            return curves[0]
        # To cross a strand is no reason for a detour, to run along one is.
        return min(curves, key=lambda curve: max(_near((curve,), self.points, 0.13), 3))


def _near(curves: Iterable[Curve], points: Sequence[Point], far: float) -> float:
    """How many points of some curves are close to other points, the ends aside."""
    own = [p for curve in curves for p in along(curve, 12)[1:-1]]
    close = far * far
    return sum(any((x - u) ** 2 + (y - v) ** 2 < close for u, v in points) for x, y in own)


def _box_of(other: Bell) -> Box:
    (left, flat), (_, turn), _, (right, _) = other.arch
    arch = flat + 0.75 * (turn - flat)
    dangling = [leg.tip[1] for leg in other.legs if leg.end is None]
    return left, min(arch, flat, *dangling), right, max(arch, flat, *dangling)
