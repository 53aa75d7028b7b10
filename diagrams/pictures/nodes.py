"""A graph between two rows of labels: how its wires and edges run.

Outputs and inputs are the ends of thin wires, as Mančinska and Roberson draw bilabelled graphs
(arXiv:1910.06958). Where the vertices stand is :mod:`tannaka.diagrams.pictures.layout`'s; of its proposals
the one is taken that crosses and hides least. Edges are straight, or bowed around a vertex that is
in their way; loops are drops where there is room; vertices without a label are rings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from tannaka.diagrams.pictures.curves import Curve, Point, along, cut, distance, meet
from tannaka.diagrams.pictures.layout import layouts
from tannaka.diagrams.pictures.sketch import Sketch

Box = tuple[float, float]

RADIUS = 0.12
"""Of a vertex."""
_LOOP = 0.55
_CLEAR = 0.26
_AROUND = ((-1, 0), (1, 0), (0, 1), (0, -1), (-0.7, 0.7), (0.7, 0.7), (-0.7, -0.7), (0.7, -0.7))


@dataclass(frozen=True, slots=True)
class Node:
    """A vertex of a graph; ``bare`` where it has no label."""

    at: Point
    bare: bool


@dataclass(frozen=True, slots=True)
class Wire:
    """A curve from a label, a vertex of a row, to the vertex of the graph that it labels."""

    label: int
    node: int
    curve: Curve


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge between two vertices of a graph, or a loop; it ends at the rim of a bare vertex."""

    ends: tuple[int, int]
    curve: Curve


@dataclass(frozen=True, slots=True)
class Graph:
    """All that stands between the rows."""

    nodes: tuple[Node, ...] = ()
    wires: tuple[Wire, ...] = ()
    edges: tuple[Edge, ...] = ()


def graph(sketch: Sketch, vertices: Sequence[Point], size: tuple[float, float]) -> Graph:
    """Lay out the nodes and edges of a sketch in a box of a width and a height.

    >>> from tannaka.diagrams.bilabelled import BilabelledGraph
    >>> one = BilabelledGraph.identity(1).sketch()
    >>> graph(one, [(0.5, 0), (0.5, 2)], (1, 2)).nodes
    (Node(at=(0.5, 1.0), bare=False),)
    """
    if not sketch.nodes:
        return Graph()
    # Between the rows; where there is no row, there is no limit.
    top, bottom = sketch.top > 0, sketch.bottom > 0
    box = (0.15 if top else -9.0, size[1] - 0.15 if bottom else 99.0)
    proposals = [
        _drawn(sketch, vertices, places, box) for places in layouts(sketch, vertices, size)
    ]
    return min(proposals, key=_tangle)


def _drawn(sketch: Sketch, vertices: Sequence[Point], places: Sequence[Point], box: Box) -> Graph:
    nodes = tuple(Node(at, not labels) for at, labels in zip(places, sketch.nodes, strict=True))
    wires = tuple(
        Wire(v, number, _wire(vertices[v], places[number], places))
        for number, labels in enumerate(sketch.nodes)
        for v in labels
    )
    curves = {(a, b): _straight(a, b, places, box) for a, b in sketch.edges if a != b}
    taken = [p for wire in wires for p in along(wire.curve, 12)[:-2]]
    taken += [p for curve in curves.values() for p in along(curve, 12)[1:-1]]
    edges = []
    for a, b in sketch.edges:
        if a == b:
            curve = _loop(places[a], [*taken, *(p for p in places if p != places[a])])
            taken += along(curve, 12)[2:-2]
        else:
            curve = curves[a, b]
        for v, end in ((a, 0), (b, 1)):
            if nodes[v].bare:
                curve = cut(curve, places[v], RADIUS, end=bool(end))
        edges.append(Edge((a, b), curve))
    return Graph(nodes, wires, tuple(edges))


def _tangle(drawn: Graph) -> float:
    """How hard a drawing is to read: what crosses, what hides a vertex, how long edges are."""
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
    spread = sum(distance(points[0], points[-1]) for _, points in lines)
    return round(crossings + 5.0 * hidden + 0.3 * spread, 3)


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


def _straight(a: int, b: int, places: Sequence[Point], box: Box) -> Curve:
    """An edge as a straight line, or bowed where another vertex is in its way."""
    (x, y), (u, v) = places[a], places[b]
    dx, dy = (u - x) / 3, (v - y) / 3
    others = [place for w, place in enumerate(places) if w not in (a, b)]
    curves: list[Curve] = [
        ((x, y), (x + dx - by * dy, y + dy + by * dx), (u - dx - by * dy, v - dy + by * dx), (u, v))
        for by in (0.0, 0.6, -0.6, 1.1, -1.1, 1.6, -1.6)
    ]
    return _clearest(curves, others, box)


def _clearest(curves: Sequence[Curve], others: Sequence[Point], box: Box = (-9.0, 99.0)) -> Curve:
    """The first curve that is clear of all vertices, or else the one that is clearest."""
    best: tuple[float, Curve] | None = None
    for curve in curves:
        points = along(curve, 16)
        near = (distance(p, other) for p in points for other in others)
        clear = round(min(min(near, default=1.0), _CLEAR), 6)
        # A bow does not leave the box through a row.
        clear -= best is not None and not all(box[0] < y < box[1] for _, y in points[1:-1])
        if best is None or clear > best[0]:
            best = clear, curve
        if clear == _CLEAR:
            break
    assert best is not None
    return best[1]


def _loop(place: Point, taken: Iterable[Point]) -> Curve:
    """A drop in the direction in which there is most room."""
    x, y = place
    around = list(taken)

    def room(towards: tuple[float, float]) -> float:
        tip = x + 0.35 * towards[0], y + 0.35 * towards[1]
        return round(min([distance(tip, p) for p in around] + [0.6]), 3)

    dx, dy = max(_AROUND, key=room)
    out, wide = _LOOP * 4 / 3, 0.5
    return (
        place,
        (x + out * dx - wide * dy, y + out * dy + wide * dx),
        (x + out * dx + wide * dy, y + out * dy - wide * dx),
        place,
    )
