"""A graph between two rows of labels: how its wires and edges run.

Outputs and inputs are the ends of thin wires, as Mančinska and Roberson draw bilabelled graphs
(arXiv:1910.06958). Where the vertices stand is :mod:`tannaka.diagrams.pictures.layout`'s; of its proposals
the one is taken that crosses and hides least. Edges are straight, or bowed around a vertex that is
in their way; loops are drops where there is room; vertices without a label are rings. Arcs have a head
where they end, edges between the same two vertices are bowed apart, and the name of a colour stands
beside its vertex or edge where it hides least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import hypot

from tannaka.diagrams.pictures.curves import (
    Curve,
    Point,
    along,
    at,
    cut,
    direction,
    distance,
    meet,
)
from tannaka.diagrams.pictures.layout import layouts, spread
from tannaka.diagrams.pictures.sketch import Sketch, text_width

Box = tuple[float, float]

RADIUS = 0.12
"""Of a vertex."""
_LOOP = 0.55
_HEAD = 0.28
_LETTER = (0.155, 0.25)
"""The width and the height of a letter of a word."""
_BOWS = (0.0, 0.6, -0.6, 1.1, -1.1, 1.6, -1.6)
_CLEAR = 0.26
_AROUND = ((-1, 0), (1, 0), (0, 1), (0, -1), (-0.7, 0.7), (0.7, 0.7), (-0.7, -0.7), (0.7, -0.7))


@dataclass(frozen=True, slots=True)
class Node:
    """A vertex of a graph; ``bare`` where it has no label; ``colours`` are names."""

    at: Point
    bare: bool
    colours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wire:
    """A curve from a label, a vertex of a row, to the vertex of the graph that it labels."""

    label: int
    node: int
    curve: Curve


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge between two vertices of a graph, or a loop; it ends at the rim of a bare vertex.

    An arc ends at its ``head``, a triangle whose first point is ahead. ``colour`` is a name, or "".
    """

    ends: tuple[int, int]
    curve: Curve
    head: tuple[Point, ...] = ()
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """The names of colours beside what they belong to, in a box around the point ``at``."""

    text: str
    at: Point
    width: float
    height: float

    @property
    def corners(self) -> tuple[Point, Point]:
        """The upper left corner of the box, and the lower right one."""
        (x, y), dx, dy = self.at, self.width / 2, self.height / 2
        return (x - dx, y - dy), (x + dx, y + dy)


@dataclass(frozen=True, slots=True)
class Graph:
    """All that stands between the rows."""

    nodes: tuple[Node, ...] = ()
    wires: tuple[Wire, ...] = ()
    edges: tuple[Edge, ...] = ()
    words: tuple[Word, ...] = ()


def graph(sketch: Sketch, vertices: Sequence[Point], size: tuple[float, float]) -> Graph:
    """Lay out the nodes and edges of a sketch in a box of a width and a height.

    >>> from tannaka.diagrams.bilabelled import BilabelledGraph
    >>> one = BilabelledGraph.identity(1).sketch()
    >>> graph(one, [(0.5, 0), (0.5, 2)], (1, 2)).nodes
    (Node(at=(0.5, 1.0), bare=False, colours=()),)
    """
    if not sketch.nodes:
        return Graph()
    # Between the rows; where there is no row, there is no limit.
    top, bottom = sketch.top > 0, sketch.bottom > 0
    box = (0.15 if top else -9.0, size[1] - 0.15 if bottom else 99.0)
    proposals = [
        _drawn(sketch, vertices, places, box) for places in layouts(sketch, vertices, size)
    ]
    # Heads and names need room; where there are none, short edges are all that is asked for.
    apart = spread(sketch)
    best = min(proposals, key=lambda drawn: _tangle(drawn, apart if apart > 1 else 0.0))
    if not (sketch.node_colours or sketch.edge_colours):
        return best
    return replace(best, words=_words(best, box))


def _drawn(sketch: Sketch, vertices: Sequence[Point], places: Sequence[Point], box: Box) -> Graph:
    colours = sketch.node_colours or ((),) * len(places)
    nodes = tuple(map(Node, places, (not labels for labels in sketch.nodes), colours))
    wires = tuple(
        Wire(v, number, _wire(vertices[v], places[number], places))
        for number, labels in enumerate(sketch.nodes)
        for v in labels
    )
    many = Counter(tuple(sorted(ends)) for ends in sketch.edges)
    met = Counter[tuple[int, ...]]()
    curves: dict[int, Curve] = {}
    for i, (a, b) in enumerate(sketch.edges):
        pair = tuple(sorted((a, b)))
        aside = (0.9 if not sketch.edge_colours else 1.6) * (met[pair] - (many[pair] - 1) / 2)
        met[pair] += 1
        if a != b:
            curves[i] = _straight(a, b, places, box, aside if a < b else -aside)
    taken = [p for wire in wires for p in along(wire.curve, 12)[:-2]]
    taken += [p for curve in curves.values() for p in along(curve, 12)[1:-1]]
    edges = []
    free = [list(_AROUND) for _ in places]
    for i, (a, b) in enumerate(sketch.edges):
        if a == b:
            around = [*taken, *(p for p in places if p != places[a])]
            curve = _loop(places[a], around, free[a])
            taken += along(curve, 12)[2:-2]
        else:
            curve = curves[i]
        head: tuple[Point, ...] = ()
        if i in sketch.arcs:
            curve, head = _pointed(curve, places[b])
        for v, end in ((a, 0), (b, 1)):
            if nodes[v].bare and not (end and head):
                curve = cut(curve, places[v], RADIUS, end=bool(end))
        edges.append(
            Edge((a, b), curve, head, sketch.edge_colours[i] if sketch.edge_colours else "")
        )
    return Graph(nodes, wires, tuple(edges))


def _tangle(drawn: Graph, apart: float) -> float:
    """How hard a drawing is to read: what crosses, hides a vertex or is too close, long edges."""
    lines = [(edge.ends, along(edge.curve, 8)) for edge in drawn.edges]
    wires = [((wire.node,), along(wire.curve, 8)) for wire in drawn.wires]
    crossings = 3.0 * sum(meet(p, q) for (_, p), (_, q) in combinations(lines, 2))
    crossings += 2.0 * sum(meet(p, q) for (_, p), (_, q) in product(lines, wires))
    crossings += sum(meet(p, q) for (_, p), (_, q) in combinations(wires, 2))
    hidden = sum(
        min(distance(point, node.at) for point in points) < 0.24
        for ends, points in (*lines, *wires)
        for v, node in enumerate(drawn.nodes)
        if v not in ends
    )
    long = sum(distance(points[0], points[-1]) for _, points in lines)
    near = combinations([node.at for node in drawn.nodes], 2) if apart else ()
    close = sum(max(0.0, apart - distance(p, q)) for p, q in near)
    return round(crossings + 5.0 * hidden + 0.3 * long + 3.0 * close, 3)


def _wire(label: Point, node: Point, places: Sequence[Point]) -> Curve:
    """From a label, whose row it leaves upright, or leaning where a vertex is in its way."""
    (x, y), (u, v) = label, node
    others = [place for place in places if place != node]
    curves: list[Curve] = [
        (
            label,
            (x + by, y + 0.55 * (v - y)),
            (u + 0.15 * (x - u) + by, v + 0.45 * (y - v)),
            node,
        )
        for by in (0.0, 0.4, -0.4, 0.7, -0.7, 1.0, -1.0)
    ]
    return _clearest(curves, others)


def _straight(a: int, b: int, places: Sequence[Point], box: Box, aside: float) -> Curve:
    """An edge as a straight line, or bowed where another vertex or, ``aside``, an edge is in its way."""
    (x, y), (u, v) = places[a], places[b]
    dx, dy = (u - x) / 3, (v - y) / 3
    others = [place for w, place in enumerate(places) if w not in (a, b)]
    curves: list[Curve] = [
        ((x, y), (x + dx - by * dy, y + dy + by * dx), (u - dx - by * dy, v - dy + by * dx), (u, v))
        for by in (aside + bow for bow in _BOWS)
    ]
    return _clearest(curves, others, box)


def _pointed(curve: Curve, place: Point) -> tuple[Curve, tuple[Point, ...]]:
    """A curve that ends short of a vertex, and a head from there to the vertex's rim."""
    (u, v) = cut(curve, place, RADIUS + 0.02, end=True)[3]
    stem = cut(curve, place, RADIUS + _HEAD, end=True)
    x, y = stem[3]
    far = distance((u, v), (x, y)) or 1.0
    dx, dy = 0.45 * _HEAD * (u - x) / far, 0.45 * _HEAD * (v - y) / far
    return stem, ((u, v), (x - dy, y + dx), (x + dy, y - dx))


def _clearest(curves: Sequence[Curve], others: Sequence[Point], box: Box = (-9.0, 99.0)) -> Curve:
    """The first curve that is clear of all vertices, or else the one that is clearest."""
    best: tuple[float, Curve] | None = None
    for curve in curves:
        points = along(curve, 16)
        near = (distance(p, other) for p in points for other in others)
        clear = round(min(min(near, default=1.0), _CLEAR), 6)
        # A bow does not leave the box through a row.
        clear -= not all(box[0] < y < box[1] for _, y in points[1:-1])
        if best is None or clear > best[0]:
            best = clear, curve
        if clear == _CLEAR:
            break
    assert best is not None
    return best[1]


def _loop(place: Point, around: Sequence[Point], free: list[Point]) -> Curve:
    """A drop in the direction in which there is most room, of those that no other loop has taken."""
    x, y = place

    def room(towards: tuple[float, float]) -> float:
        tip = x + 0.35 * towards[0], y + 0.35 * towards[1]
        return round(min([distance(tip, p) for p in around] + [0.6]), 3)

    dx, dy = max(free or _AROUND, key=room)
    if free:
        free.remove((dx, dy))
    out, wide = _LOOP * 4 / 3, 0.5
    return (
        place,
        (x + out * dx - wide * dy, y + out * dy + wide * dx),
        (x + out * dx + wide * dy, y + out * dy - wide * dx),
        place,
    )


def _words(drawn: Graph, box: Box) -> tuple[Word, ...]:
    """The names of all colours, each beside its vertex or the middle of its edge, hiding least."""
    curves = [wire.curve for wire in drawn.wires] + [edge.curve for edge in drawn.edges]
    lines = [p for curve in curves for p in along(curve, 24)]
    lines += [p for edge in drawn.edges for p in edge.head]
    placed: list[Word] = []

    def hidden(word: Word) -> int:
        (left, top), (right, bottom) = word.corners
        near = [
            (left < x < right and top < y < bottom)
            for x, y in lines
            if left - 0.12 < x < right + 0.12 and top - 0.12 < y < bottom + 0.12
        ]
        bad = len(near) + 5 * sum(near)
        for node in drawn.nodes:
            x, y = node.at
            bad += 50 * (
                distance(node.at, (min(max(x, left), right), min(max(y, top), bottom))) < RADIUS
            )
        for other in placed:
            apart = abs(word.at[0] - other.at[0]), abs(word.at[1] - other.at[1])
            wide, high = (word.width + other.width) / 2, (word.height + other.height) / 2
            bad += 50 * (apart[0] < wide and apart[1] < high)
        return bad

    def best(text: str, rays: Iterable[tuple[Point, Point]], gap: float, line: bool) -> Word:
        """The word beside a point or, with ``line``, beside a line through it, across the ray."""
        width, height = _LETTER[0] * text_width(text), _LETTER[1]
        words = []
        for (x, y), (dx, dy) in rays:
            across, down = abs(dx) or 1e-9, abs(dy) or 1e-9
            clear = (across * width + down * height) / 2
            far = gap + (clear if line else min(width / across, height / down) / 2)
            # No word crosses a row.
            level = min(max(y + far * dy, box[0] + height / 2), box[1] - height / 2)
            words.append(Word(text, (round(x + far * dx, 3), round(level, 3)), width, height))
        return min(words, key=hidden)

    for node in drawn.nodes:
        if node.colours:
            around = [(dx / hypot(dx, dy), dy / hypot(dx, dy)) for dx, dy in _AROUND]
            rays = [(node.at, ray) for ray in around]
            placed.append(best(" ".join(node.colours), rays, RADIUS + 0.05, line=False))
    for edge in drawn.edges:
        if edge.colour:
            rays = []
            for t in (0.5, 0.4, 0.6, 0.3, 0.7):
                spot, (x, y) = at(edge.curve, t), direction(edge.curve, t)
                rays.append((spot, (-y, x)))
                # The other side of a loop is its inside.
                if edge.ends[0] != edge.ends[1]:
                    rays.append((spot, (y, -x)))
            placed.append(best(edge.colour, rays, 0.08, line=True))
    return tuple(placed)
