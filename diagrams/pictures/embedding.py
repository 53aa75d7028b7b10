"""Where the vertices of a plain graph stand, such as a host graph.

Of several proposals for a connected graph the one is taken that crosses and hides least: one by
springs (Kamada and Kawai), one on a circle, one for trees, and those that turn into themselves. Components stand side by side, isolated vertices in a
grid. Nothing is random, so that one graph has one picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tannaka.diagrams.pictures.curves import Point
from tannaka.diagrams.pictures.rotations import Places, nearest, polygon, scaled, turning

Edges = tuple[tuple[int, int], ...]

_SEARCHED = 200, 600
"""Most vertices and edges of a graph for which several proposals are compared."""
_ROUND = 40
"""Most vertices that stand on a circle for want of something better."""
_COMPARED = 2 * 10**7
_GAP = 1.1


@lru_cache(maxsize=128)
def embedding(n: int, edges: Edges) -> tuple[Point, ...]:
    """A place for each vertex; x to the right, y downwards, the closest two at distance 1 or so.

    >>> embedding(4, ((0, 1), (1, 2), (2, 3), (3, 0)))
    ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    """
    import igraph

    simple = sorted({(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]})
    parts = [sorted(part) for part in igraph.Graph(n, simple).connected_components()]
    parts.sort(key=lambda part: (-len(part), part[0]))
    at = {v: (number, i) for number, part in enumerate(parts) for i, v in enumerate(part)}
    inside: list[list[tuple[int, int]]] = [[] for _ in parts]
    for a, b in simple:
        inside[at[a][0]].append((at[a][1], at[b][1]))
    drawn = [
        (part, _connected(len(part), tuple(own)))
        for part, own in zip(parts, inside, strict=True)
        if len(part) > 1
    ]
    alone = [part[0] for part in parts if len(part) == 1]
    if len(alone) == n <= _ROUND:
        return circle(n)
    if alone:
        across = math.ceil(len(alone) / max(1, round(math.sqrt(len(alone) / 1.6))))
        grid = [complex(i % across, i // across) for i in range(len(alone))]
        drawn.append((alone, np.array(grid)))
    return _packed(n, drawn)


def circle(n: int) -> tuple[Point, ...]:
    """Points on a circle, clockwise from the top, neighbours at distance 1.

    >>> circle(2)
    ((0.0, 0.0), (0.0, 1.0))
    """
    return _packed(n, [(list(range(n)), scaled(polygon(n)) if n > 1 else np.zeros(1, complex))])


def _packed(n: int, drawn: Sequence[tuple[Sequence[int], Places]]) -> tuple[Point, ...]:
    """The components in rows, together about four wide to three high."""
    boxes = [(z.real.min(), z.imag.min(), np.ptp(z.real), np.ptp(z.imag)) for _, z in drawn]
    area = sum((wide + _GAP) * (high + _GAP) for _, _, wide, high in boxes)
    line = max([1.15 * math.sqrt(area), *(wide for _, _, wide, _ in boxes)])
    rows: list[list[int]] = [[]]
    for i, (_, _, wide, _) in enumerate(boxes):
        taken = sum(boxes[j][2] + _GAP for j in rows[-1])
        if rows[-1] and taken + wide > line + 1e-9:
            rows.append([])
        rows[-1].append(i)
    places = np.zeros(n, complex)
    y = 0.0
    for row in rows:
        tall = max(boxes[i][3] for i in row)
        x = 0.0
        for i in row:
            left, above, wide, high = boxes[i]
            part, z = drawn[i]
            places[list(part)] = z - complex(left, above) + complex(x, y + (tall - high) / 2)
            x += wide + _GAP
        y += tall + _GAP
    return tuple((round(float(z.real), 4) + 0.0, round(float(z.imag), 4) + 0.0) for z in places)


@lru_cache(maxsize=256)
def _connected(n: int, edges: Edges) -> Places:
    """The best proposal for a connected graph on two vertices or more."""
    if n == 2:
        return np.array([0, 1.4], dtype=complex)
    proposals = list(_proposals(n, edges))
    if len(proposals) == 1:
        return proposals[0][0]
    # The first of equals, and what is equal but for rounding is equal.
    costs = [round(_tangle(places, edges) - math.log2(m), 3) for places, m in proposals]
    return proposals[costs.index(min(costs))][0]


def _proposals(n: int, edges: Edges) -> Iterator[tuple[Places, int]]:
    """Drawings, each with the order of the rotation that it shows."""
    import igraph

    graph = igraph.Graph(n, edges)
    tree = len(edges) == n - 1
    if not tree and max(graph.degree()) == 2:
        places = np.zeros(n, complex)
        first, *others = graph.dfs(0)[0]
        # To the lesser neighbour first: vertices that are counted round are clockwise.
        places[[first, *(others if others[0] < others[-1] else others[::-1])]] = polygon(n)
        yield scaled(places), n
        return
    searched = n <= _SEARCHED[0] and len(edges) <= _SEARCHED[1]
    shifted = {tuple(sorted(((a + 1) % n, (b + 1) % n))) for a, b in edges}
    crowded = not searched and 4 * len(edges) > n * (n - 1)
    if crowded or shifted == set(edges):
        yield scaled(polygon(n)), n if shifted == set(edges) else 1
    if crowded:
        return
    if searched:
        yield from turning(graph, max(6, _COMPARED // len(edges) ** 2))
        if n <= _ROUND and not tree:
            yield scaled(polygon(n)), 1
    if tree and max(graph.degree()) == 2:
        ends = graph.vs.select(_degree=1).indices
        yield _folded(np.array(graph.distances(min(ends))[0])), 2
    if tree:
        far = graph.eccentricity()
        radial = graph.layout_reingold_tilford_circular(root=[far.index(min(far))])
        yield scaled(_complex(radial.coords)), 1
    springs = _complex(graph.layout_kamada_kawai(seed=graph.layout_circle()).coords)
    yield scaled(_level(springs, edges)), 1


def _folded(steps: NDArray[np.int64]) -> Places:
    """A path as a straight line, or as one to and fro where it is long."""
    across = 16 if len(steps) <= 64 else math.ceil(math.sqrt(1.6 * len(steps)))
    rows, columns = np.divmod(steps, across)
    return np.where(rows % 2, across - 1 - columns, columns) + 1j * rows


def _level(places: Places, edges: Edges) -> Places:
    """Turned so that many edges are upright or flat, and what is long lies."""
    start, stop = np.array(edges).T
    along = places[stop] - places[start]
    turned = places * np.exp(-0.25j * np.angle((along**4).sum()))
    tall = np.ptp(turned.real) < np.ptp(turned.imag) - 1e-6
    level: Places = turned * 1j if tall else turned
    return level


def _complex(places: Sequence[Sequence[float]]) -> Places:
    return np.array([complex(x, y) for x, y in places])


def _tangle(places: Places, edges: Edges) -> float:
    """How hard a drawing is to read: crossings, hidden vertices, crowding, edges of unlike length."""
    ends = np.array(edges)
    start, stop = places[ends[:, 0]], places[ends[:, 1]]
    mean = float(abs(stop - start).mean())
    start, stop, places = start / mean, stop / mean, places / mean
    along = stop - start

    def side(points: Places) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (np.conj(along)[:, None] * (points - start[:, None])).imag
        return found

    of_starts, of_stops = side(start[None, :]), side(stop[None, :])
    split = of_starts * of_stops < -1e-9
    crossings = int((split & split.T).sum()) / 2
    to = places[None, :] - start[:, None]
    share = (np.conj(along)[:, None] * to).real / (abs(along) ** 2)[:, None]
    off = abs(to - np.clip(share, 0, 1) * along[:, None])
    numbers = np.arange(len(ends))
    off[numbers, ends[:, 0]] = off[numbers, ends[:, 1]] = np.inf
    hidden = int((off < 0.12).sum())
    least = float(nearest(places).min())
    crowded = max(0.0, 0.6 / max(least, 1e-6) - 1)
    # One crossing more matters where there are few.
    tangled = 4.0 * math.log2(1.0 + crossings) + 10.0 * (crossings > 0) + 3.0 * hidden
    return tangled + 6.0 * crowded + 8.0 * float(abs(along).std())
