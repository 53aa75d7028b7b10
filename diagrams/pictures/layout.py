"""Where the vertices of a graph stand between two rows of labels.

Labelled vertices stand at the mean of their labels, below outputs and above inputs; the others near
their neighbours; no two too close. Components without labels are polygons on the right of the rest.
Nothing is random and positions are rounded, so that one graph has one picture everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from tannaka.diagrams.pictures.curves import Point, distance
from tannaka.diagrams.pictures.sketch import Sketch

_APART = 0.8
_ROUNDS = 80
_STARTS = 12


def layouts(
    sketch: Sketch, vertices: Sequence[Point], size: tuple[float, float]
) -> Iterator[list[Point]]:
    """A few proposals for the places of the nodes of a sketch, in a box and on its right.

    >>> from tannaka.diagrams.bilabelled import BilabelledGraph
    >>> edge = BilabelledGraph(2, [(0, 1)], (0,), (1,)).sketch()
    >>> list(layouts(edge, [(0.5, 0), (0.5, 3)], (1, 3)))
    [[(0.5, 0.9), (0.5, 2.1)]]
    """
    parts = components(len(sketch.nodes), sketch.edges)
    closed = [part for part in parts if not any(sketch.nodes[v] for v in part)]
    apart = {v for part in closed for v in part}
    moving = [v for v in _walk(sketch) if not sketch.nodes[v] and v not in apart]
    for start in range(_STARTS if moving else 1):
        places = {
            v: _anchor(labels, sketch.top, vertices, size[1], spread(sketch))
            for v, labels in enumerate(sketch.nodes)
            if labels
        }
        for i, v in enumerate(moving):
            turn = 2 * math.pi * (start // 2 / (_STARTS // 2) + i / (len(moving) + 1))
            turn *= 1 if start % 2 else -1
            around = (0.6 + 0.1 * len(moving)) * (start > 0)
            x, y = around * math.sin(turn), around * math.cos(turn)
            places[v] = size[0] / 2 + x, size[1] / 2 + y
        _relax(places, moving, sketch, size)
        edge = max(x for x, _ in places.values()) + 0.3 if places else 0.0
        edge = max(edge, size[0]) if vertices else edge
        for part in closed:
            wide = reach(len(part), spread(sketch))
            places |= zip(part, _polygon(len(part), wide, edge, size[1] / 2), strict=True)
            edge += 2 * wide
        yield [(round(x, 2), round(y, 2)) for _, (x, y) in sorted(places.items())]


def _polygon(count: int, wide: float, left: float, middle: float) -> Iterator[Point]:
    """The corners of a regular polygon, a corner or a side on top, right of ``left``."""
    radius = wide - 0.3
    for i in range(count):
        turn = 2 * math.pi * (i + 0.5 * (count % 2 == 0)) / count
        yield left + radius + 0.3 + radius * math.sin(turn), middle - radius * math.cos(turn)


def components(size: int, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The connected components of a graph, ordered by their least vertex.

    >>> components(4, [(0, 3), (1, 1)])
    [[0, 3], [1], [2]]
    """
    part = {v: [v] for v in range(size)}
    for a, b in edges:
        if part[a] is not part[b]:
            part[a] += part[b]
            part.update(dict.fromkeys(part[b], part[a]))
    return [sorted(part[v]) for v in range(size) if v == min(part[v])]


def _walk(sketch: Sketch) -> Iterator[int]:
    """All nodes, each followed by a neighbour where there is one left: paths stay together."""
    near = _neighbours(sketch)
    seen: set[int] = set()
    stack = list(reversed(range(len(near))))
    while stack:
        v = stack.pop()
        if v not in seen:
            seen.add(v)
            yield v
            # Those without labels first, so that a way between two labels is walked in one go.
            stack += sorted(near[v], key=lambda w: (not sketch.nodes[w], -w))


def _neighbours(sketch: Sketch) -> list[list[int]]:
    near: list[list[int]] = [[] for _ in sketch.nodes]
    for a, b in sketch.edges:
        if a != b:
            near[a].append(b)
            near[b].append(a)
    return near


def spread(sketch: Sketch) -> float:
    """How much further than others the vertices of a graph are apart: heads and names need room."""
    return 1.6 if sketch.node_colours or sketch.edge_colours else 1.25 if sketch.arcs else 1.0


def reach(count: int, spread: float) -> float:
    """Half the width that a closed component of so many vertices takes.

    >>> reach(1, 1.0), reach(3, 1.0) < reach(6, 1.0) < reach(6, 1.5)
    (0.3, True)
    """
    return 0.3 + (0.0 if count == 1 else spread * max(0.4, 0.14 * count))


def _anchor(
    labels: Sequence[int], top: int, vertices: Sequence[Point], height: float, spread: float
) -> Point:
    x = sum(vertices[v][0] for v in labels) / len(labels)
    up = sum(v < top for v in labels) / len(labels)
    if 0 < top < len(vertices):
        return x, height * (0.7 - 0.4 * up)
    # Where there is one row, the further vertices are apart the nearer to it these are.
    return x, height * (0.5 + (0.5 - up) * (1 - 1 / spread))


def _relax(
    places: dict[int, Point], moving: Sequence[int], sketch: Sketch, size: tuple[float, float]
) -> None:
    """Move vertices without labels to their neighbours, and all apart, in place."""
    homes = {v: at for v, at in places.items() if sketch.nodes[v]}
    near = _neighbours(sketch)
    free = sorted([*homes, *moving])
    aside = 0.7 + 0.1 * len(moving)
    apart = _APART * spread(sketch)
    for i in range(_ROUNDS):
        # In the end vertices only make room.
        for v in moving if i < 0.7 * _ROUNDS else ():
            for w in near[v]:
                far = max(distance(places[v], places[w]), apart)
                places[v] = _towards(places[v], places[w], 0.25 * (1 - apart / far) / len(near[v]))
        for v, home in homes.items():
            places[v] = _towards(places[v], home, 0.3 if i < 0.7 * _ROUNDS else 0.05)
        for a, b in combinations(free, 2):
            far = distance(places[a], places[b])
            if far < apart - 1e-3:
                _part(places, a, b, far, apart, (a in homes) - (b in homes))
        for v in free:
            x, y = places[v]
            y = min(max(y, 0.6 * bool(sketch.top)), size[1] - 0.6 * bool(sketch.bottom))
            places[v] = round(min(max(x, -aside), size[0] + aside), 6), round(y, 6)


def _towards(start: Point, goal: Point, share: float) -> Point:
    return start[0] + share * (goal[0] - start[0]), start[1] + share * (goal[1] - start[1])


def _part(places: dict[int, Point], a: int, b: int, far: float, apart: float, firmer: int) -> None:
    """Move two vertices that are too close apart; where one is firmer (1: a, -1: b) it moves less."""
    (x, y), (u, v) = places[a], places[b]
    dx, dy = ((u - x) / far, (v - y) / far) if far > 1e-3 else (1.0, 0.0)
    by = 0.7 * (apart - far)
    share = (0.5, 0.15, 0.85)[firmer]
    places[a] = x - share * by * dx, y - share * by * dy
    places[b] = u + (1 - share) * by * dx, v + (1 - share) * by * dy
