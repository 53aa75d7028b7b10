"""The geometry of a host graph: a plain graph whose vertices and pairs of vertices have colours.

Vertices are discs that stand where :mod:`tannaka.diagrams.pictures.embedding` puts them, edges end at
their rims: straight, or bowed around a vertex in their way or around an arrow that comes back; loops
are drops where there is room. Arcs lie over the edges. Names stand in the discs where all of them
fit, notes beside them. Lengths are in pixels, x to the right and y downwards.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tannaka.diagrams.pictures.curves import Curve, Point, along, cut, direction, distance
from tannaka.diagrams.pictures.embedding import circle, embedding
from tannaka.diagrams.pictures.markup import width_of

MOST_VERTICES, MOST_EDGES = 1000, 4000
"""Of a graph that is drawn; of a larger one only its size is told."""
NAME, NOTE = 9.0, 9.0
"""Sizes of letters."""

_DEALT_WITH, _CLEARED = 120, 50_000
"""Most vertices, and vertices times lines, for which lines are bowed around vertices."""
_FREE = 1.5
"""Pixels between a line and the rim of a vertex that it passes."""
_WIDEST = 6
"""Most columns of a name that is shown."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A coloured line over the edges, an arrow unless ``both``; ``strong`` where it stands out."""

    ends: tuple[int, int]
    colour: int = 0
    both: bool = True
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A line below the picture, with a sample of vertices, arcs or edges of a colour."""

    text: str
    vertex: int | None = None
    arc: int | None = None
    edge: str = ""


@dataclass(frozen=True, slots=True)
class HostSketch:
    """A graph on the vertices 0 .. n-1, and what its picture tells about it.

    ``kinds`` are the names of the colours of edges, "" for none. ``colours`` has a number for each vertex, None
    for one that stays in the background; ``names`` and ``notes`` a text for each. ``light`` is for
    edges that stay in the background, ``circled`` for points without edges on a circle, ``strong``
    for vertices that stand out.

    >>> square = HostSketch(4, ((0, 1), (1, 2), (2, 3), (0, 3)), names=tuple("abcd"))
    >>> len(host_picture(square).lines), host_picture(square).named
    (4, True)
    """

    n: int
    edges: tuple[tuple[int, int], ...]
    directed: bool = False
    kinds: tuple[str, ...] = ()
    colours: tuple[int | None, ...] = ()
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    arcs: tuple[Arc, ...] = ()
    strong: frozenset[int] = frozenset()
    light: bool = False
    circled: bool = False
    heading: str = ""
    keys: tuple[Key, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether the graph is small enough for a picture."""
        return self.n <= MOST_VERTICES and len(self.edges) <= MOST_EDGES

    @property
    def called(self) -> tuple[str, ...]:
        """What vertices are called in a picture: their names where all are short, else numbers."""
        if self.names and all(0 < len(name) <= _WIDEST for name in self.names):
            return self.names
        return tuple(map(str, range(self.n)))


@dataclass(frozen=True, slots=True)
class Line:
    """An edge or an arc from rim to rim; ``head`` is a triangle, its first point ahead."""

    ends: tuple[int, int]
    curve: Curve
    head: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class HostPicture:
    """Where everything goes; ``places`` are the middles of the vertices and of the notes.

    ``lines`` are in the order of the edges, ``arcs`` in that of the arcs; an arc from a vertex to
    itself is a loop.
    """

    width: float
    height: float
    radius: float
    places: tuple[Point, ...]
    lines: tuple[Line, ...]
    arcs: tuple[Line, ...]
    notes: tuple[Point, ...]
    named: bool


@lru_cache(maxsize=256)
def host_picture(sketch: HostSketch, size: float = 300.0) -> HostPicture:
    """Lay out a host graph in about ``size`` by ``size`` pixels, more where names need more.

    >>> host_picture(HostSketch(1, ((0, 0),))).places
    ((10.0, 21.95),)
    """
    if not sketch.drawn:
        return HostPicture(0.0, 0.0, 0.0, (), (), (), (), False)
    raw = circle(sketch.n) if sketch.circled else embedding(sketch.n, sketch.edges)
    scale, radius, named = _fitted(sketch, raw, size)
    places = [(scale * x, scale * y) for x, y in raw]
    pen = _Pen(places, radius, [*sketch.edges, *(arc.ends for arc in sketch.arcs)])
    arrows = set(sketch.edges) if sketch.directed else set()
    lines = [pen.line(edge, edge in arrows, edge[::-1] in arrows) for edge in sketch.edges]
    single = {arc.ends for arc in sketch.arcs if not arc.both}
    arcs = [
        pen.line(arc.ends, not arc.both, not arc.both and arc.ends[::-1] in single, arc.strong)
        for arc in sketch.arcs
    ]
    notes = pen.notes(sketch.notes, [*lines, *arcs]) if any(sketch.notes) else ()
    return _boxed(sketch, places, radius, lines, arcs, notes, named)


def _fitted(sketch: HostSketch, raw: Sequence[Point], size: float) -> tuple[float, float, bool]:
    """Pixels per unit, the radius of a vertex, and whether names fit."""
    wide = max(1.0, *(x for x, _ in raw), *(y for _, y in raw))
    roomy = max(7.0, max(width_of(name, NAME) for name in sketch.called) / 2 + 3.0)
    least = 2.0 * roomy + 8.0
    if least * wide <= max(1.2 * size, size + 60.0):
        return max(least, min(size / wide, 72.0)), roomy, True
    scale = min(max(size, min(12.0 * wide, 1.6 * size)) / wide, 72.0)
    return scale, min(max(0.3 * scale, 1.6), 6.0), False


class _Pen:
    """Draws lines between vertices at their places."""

    def __init__(
        self, places: Sequence[Point], radius: float, pairs: Iterable[tuple[int, int]]
    ) -> None:
        self.places, self.radius = places, radius
        self.head = min(max(0.75 * radius, 4.0), 7.0)
        self.middle = (
            sum(x for x, _ in places) / len(places),
            sum(y for _, y in places) / len(places),
        )
        self.near: list[set[int]] = [set() for _ in places]
        listed = list(pairs)
        self.careful = len(places) <= _DEALT_WITH and len(places) * len(listed) <= _CLEARED
        for a, b in listed:
            if a != b:
                self.near[a].add(b)
                self.near[b].add(a)

    def line(self, ends: tuple[int, int], arrow: bool, back: bool, strong: bool = False) -> Line:
        """An edge, an arrow where it has a direction; ``back`` where another one comes back."""
        size = self.head * (1.6 if strong else 1.0)
        a, b = ends
        curve = self._loop(a) if a == b else self._between(a, b, back)
        if not arrow:
            return Line(ends, curve)
        tip, (dx, dy) = curve[3], direction(curve, 0.97)
        x, y = tip[0] - size * dx, tip[1] - size * dy
        wide = 0.5 * size
        head = (tip, (x - wide * dy, y + wide * dx), (x + wide * dy, y - wide * dx))
        return Line(ends, cut(curve, tip, 0.8 * size, end=True), head)

    def _between(self, a: int, b: int, back: bool) -> Curve:
        """Straight, or bowed: the first way that is clear of other vertices, or else the clearest."""
        start, end = self.places[a], self.places[b]
        # To the right of the way from a to b, where one comes back: so the two do not meet.
        bows = (0.12, 0.25, 0.4) if back else (0.0, 0.12, -0.12, 0.25, -0.25, 0.4, -0.4)
        best = start, start, end, end
        clearest = -1.0
        for bow in bows:
            curve = _bowed(start, end, bow)
            clear = self._clearance(curve, a, b)
            if clear > clearest + 1e-6:
                best, clearest = curve, clear
            if clear > self.radius + _FREE:
                break
        if best[0] == best[1]:
            return self._trimmed(start, end)
        best = cut(best, start, self.radius, end=False)
        return cut(best, end, self.radius, end=True)

    def _clearance(self, curve: Curve, a: int, b: int) -> float:
        """How far a curve stays from all other vertices; infinitely far where it is far enough."""
        if not self.careful:
            return math.inf
        # What is too far from the box around a curve to be in its way need not be measured.
        (left, right), (low, high) = ((min(at), max(at)) for at in zip(*curve, strict=True))
        free = self.radius + _FREE
        others = [
            (x, y)
            for v, (x, y) in enumerate(self.places)
            if left - free <= x <= right + free and low - free <= y <= high + free
            if v not in (a, b)
        ]
        if curve[1] == curve[0]:
            return min((_off(other, curve[0], curve[3]) for other in others), default=math.inf)
        points = along(curve, 24)
        return min((distance(p, other) for other in others for p in points), default=math.inf)

    def _trimmed(self, start: Point, end: Point) -> Curve:
        far = distance(start, end) or 1.0
        share = min(self.radius / far, 0.45)
        dx, dy = share * (end[0] - start[0]), share * (end[1] - start[1])
        one, other = (start[0] + dx, start[1] + dy), (end[0] - dx, end[1] - dy)
        return one, one, other, other

    def _outwards(self, v: int) -> float:
        (x, y), (u, w) = self.places[v], self.middle
        return math.atan2(y - w, x - u) if distance((x, y), (u, w)) > 1e-6 else -math.pi / 2

    def _loop(self, v: int) -> Curve:
        """A drop in the widest gap between edges, outwards where there are several."""
        x, y = self.places[v]
        turns = sorted(
            math.atan2(self.places[w][1] - y, self.places[w][0] - x) for w in self.near[v]
        )
        out = self._outwards(v)
        if turns:
            pairs = zip(turns, [*turns[1:], turns[0] + 2 * math.pi], strict=True)
            gaps = [(after - before, (after + before) / 2) for before, after in pairs]
            widest = max(gap for gap, _ in gaps)
            out = max(
                (turn for gap, turn in gaps if gap > widest - 1e-3),
                key=lambda turn: round(math.cos(turn - out), 6),
            )
        reach = (self.radius + 6.0) * 2.3
        ends = [out - 0.6, out + 0.6]
        (p, q), (r, s) = [
            (
                (x + self.radius * math.cos(turn), y + self.radius * math.sin(turn)),
                (x + reach * math.cos(turn), y + reach * math.sin(turn)),
            )
            for turn in ends
        ]
        return p, q, s, r

    def notes(self, texts: Sequence[str], lines: Sequence[Line]) -> tuple[Point, ...]:
        """Where notes stand: beside their vertices, off lines and other vertices if possible."""
        if len(self.places) > _DEALT_WITH:
            return ()
        points = [p for line in lines for p in along(line.curve, 12)]
        boxes: list[tuple[Point, float]] = [(p, self.radius) for p in self.places]
        found = []
        for v, text in enumerate(texts):
            if not text:
                found.append(self.places[v])
                continue
            wide = width_of(text, NOTE) / 2 + 1.0
            tall = NOTE / 2 + 0.5
            x, y = self.places[v]
            out = self._outwards(v)
            choices = []
            for step in (0, 1, -1, 2, -2, 3, -3, 4):
                turn = out + step * math.pi / 4
                dx, dy = math.cos(turn), math.sin(turn)
                by = self.radius + 2.0 + min(wide / max(abs(dx), 1e-9), tall / max(abs(dy), 1e-9))
                at = (x + by * dx, y + by * dy)
                hidden = sum(abs(p[0] - at[0]) < wide and abs(p[1] - at[1]) < tall for p in points)
                met = sum(
                    abs(p[0] - at[0]) < wide + far and abs(p[1] - at[1]) < tall + min(far, 5.0)
                    for p, far in boxes
                )
                choices.append((hidden + 4 * met, abs(step), at))
            at = min(choices)[2]
            boxes.append((at, wide))
            found.append(at)
        return tuple(found)


def _off(point: Point, start: Point, end: Point) -> float:
    """How far a point is from a straight line between two."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    square = dx * dx + dy * dy or 1.0
    share = ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / square
    share = min(max(share, 0.0), 1.0)
    return distance(point, (start[0] + share * dx, start[1] + share * dy))


def _bowed(start: Point, end: Point, by: float) -> Curve:
    """A curve that leaves the straight line by a share of its length."""
    if not by:
        return start, start, end, end
    dx, dy = end[0] - start[0], end[1] - start[1]
    side = 4 / 3 * by
    return (
        start,
        (start[0] + dx / 4 - side * dy, start[1] + dy / 4 + side * dx),
        (end[0] - dx / 4 - side * dy, end[1] - dy / 4 + side * dx),
        end,
    )


def _boxed(
    sketch: HostSketch,
    places: Sequence[Point],
    radius: float,
    lines: Sequence[Line],
    arcs: Sequence[Line],
    notes: Sequence[Point],
    named: bool,
) -> HostPicture:
    """All of it moved into a box that nothing leaves, on hundredths of a pixel."""
    extent = list(_extent(sketch, places, radius + 3.0, [*lines, *arcs], notes))
    left, above = (min(p[i] for p in extent) for i in (0, 1))
    width, height = (max(p[i] for p in extent) - low for i, low in ((0, left), (1, above)))

    def move(p: Point) -> Point:
        return round(p[0] - left, 2) + 0.0, round(p[1] - above, 2) + 0.0

    def moved(line: Line) -> Line:
        a, b, c, d = map(move, line.curve)
        return Line(line.ends, (a, b, c, d), tuple(map(move, line.head)))

    return HostPicture(
        round(width, 2),
        round(height, 2),
        round(radius, 2),
        tuple(map(move, places)),
        tuple(map(moved, lines)),
        tuple(map(moved, arcs)),
        tuple(map(move, notes)),
        named,
    )


def _extent(
    sketch: HostSketch,
    places: Sequence[Point],
    room: float,
    lines: Sequence[Line],
    notes: Sequence[Point],
) -> Iterator[Point]:
    for x, y in places:
        yield x - room, y - room
        yield x + room, y + room
    for line in lines:
        if line.ends[0] == line.ends[1] or line.curve[1] != line.curve[0]:
            for x, y in along(line.curve, 12):
                yield x - 2.0, y - 2.0
                yield x + 2.0, y + 2.0
    for (x, y), text in zip(notes, sketch.notes, strict=False):
        wide = width_of(text, NOTE) / 2 + 2.0
        yield x - wide, y - NOTE
        yield x + wide, y + NOTE


def arcs_of(pairs: Iterable[tuple[int, int]], colour: int) -> list[Arc]:
    """Arcs for pairs of unlike vertices; those that come both ways are one, without an arrow.

    >>> [(arc.ends, arc.both) for arc in arcs_of([(0, 1), (1, 0), (1, 2)], 0)]
    [((0, 1), True), ((1, 2), False)]
    """
    listed = Counter(pair for pair in pairs if pair[0] != pair[1])
    return [
        Arc((a, b), colour, (b, a) in listed)
        for a, b in sorted(listed)
        if a < b or (b, a) not in listed
    ]
