"""Cubic Bézier curves between rows of vertices: how strands run.

Points are (x, y), y downwards, in units of the distance between neighbouring vertices.
"""

from __future__ import annotations

import math
from itertools import pairwise

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]


def arc(start: Point, end: Point, inwards: float) -> Curve:
    """A curve between two vertices of a row, bulging down where ``inwards`` is 1 and up for -1."""
    (left, y), (right, _) = start, end
    # A cubic curve reaches three quarters of the height of its two middle points.
    turn = y + inwards * depth(right - left) * 4 / 3
    lean = 0.16 * (right - left)
    return start, (left + lean, turn), (right - lean, turn), end


def depth(width: float) -> float:
    """How far an arc bulges: strictly increasing, so a wider arc passes below a nested one."""
    return 0.46 * math.pow(max(width, 0.0), 0.6)


def through(start: Point, end: Point) -> Curve:
    """A curve from the upper row to the lower, vertical at both ends."""
    (upper, top), (lower, bottom) = start, end
    across = lower - upper
    # Steep strands bend halfway; flat ones bend higher or lower according to their direction, so
    # that three strands seldom meet in one point (in a reversal of the order, all of them would).
    beyond = max(abs(across) - 1, 0.0)
    bend = 0.5 + (0.05 if across > 0 else -0.05) * min(beyond, 3.0)
    turn = top + bend * (bottom - top)
    return start, (upper, turn), (lower, turn), end


def at(curve: Curve, t: float) -> Point:
    """The point of a curve at t, from 0 at its start to 1 at its end.

    >>> at(((0, 0), (0, 1), (2, 1), (2, 0)), 0.5)
    (1.0, 0.75)
    """
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve
    return a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy


def along(curve: Curve, samples: int) -> list[Point]:
    """Points of a curve, its two ends among them.

    >>> along(((0, 0), (0, 0), (2, 0), (2, 0)), 2)
    [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)]
    """
    return [at(curve, i / samples) for i in range(samples + 1)]


def direction(curve: Curve, t: float) -> Point:
    """The unit vector along which a curve runs at t."""
    a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
    p, q, r, s = curve
    x, y = (a * (q[i] - p[i]) + b * (r[i] - q[i]) + c * (s[i] - r[i]) for i in (0, 1))
    size = math.sqrt(x * x + y * y) or 1.0
    return x / size, y / size


def distance(p: Point, q: Point) -> float:
    """How far two points are apart."""
    return math.sqrt((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2)


def cut(curve: Curve, centre: Point, radius: float, end: bool) -> Curve:
    """The curve without what is within ``radius`` of a centre at its end, or at its start.

    >>> start, *_ = cut(((0, 0), (1, 0), (2, 0), (3, 0)), (0, 0), 1.5, end=False)
    >>> round(start[0], 6)
    1.5
    """
    if end:
        a, b, c, d = cut((curve[3], curve[2], curve[1], curve[0]), centre, radius, end=False)
        return d, c, b, a
    near, far = (
        0.0,
        next((i / 16 for i in range(17) if distance(at(curve, i / 16), centre) > radius), 1.0),
    )
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (
            (middle, far) if distance(at(curve, middle), centre) < radius else (near, middle)
        )
    points: list[Point] = [curve[3]]
    rest = list(curve)
    while len(rest) > 1:
        rest = [(p[0] + far * (q[0] - p[0]), p[1] + far * (q[1] - p[1])) for p, q in pairwise(rest)]
        points.append(rest[-1])
    d, c, b, a = points
    return a, b, c, d


def meet(one: list[Point], other: list[Point]) -> bool:
    """Whether two lines of straight pieces cross, where they do not have an end in common.

    >>> meet([(0, 0), (2, 2)], [(0, 2), (2, 0)]), meet([(0, 0), (2, 2)], [(0, 0), (2, 0)])
    (True, False)
    """

    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    for i in (0, 1):
        if max(p[i] for p in one) < min(p[i] for p in other):
            return False
        if max(p[i] for p in other) < min(p[i] for p in one):
            return False
    ends = {one[0], one[-1]} & {other[0], other[-1]}
    return any(
        side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0
        for p, q in pairwise(one)
        for r, s in pairwise(other)
        if not ends & {p, q, r, s}
    )
