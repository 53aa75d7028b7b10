"""A basis of bilabelled graphs, found by growing them where they say something new.

Functions of m-tuples of host vertices that automorphisms keep are vectors with an entry for each
orbit. From the graph of m single labelled vertices, all others grow by linear operations on these
vectors: move a label along a new edge, put an edge or a colour on labelled vertices, merge two
labels, let a label go and start anew. Only graphs whose vectors are independent of those before
grow on, the smallest first, since what grows from a dependent one depends on what grows from the
others; as in the MeatAxe, this spans all that can be reached. Where it does not span everything,
graphs grow from m + 1 labels, of which one is let go in the end, and so on: from n labels every
graph on at most n vertices grows, and those span (arXiv:2307.07810; Lovász, Operations with
structures, 1967). Ranks are taken modulo a prime.

Smallest means least treewidth first, once outputs are joined to each other and inputs too: that is
what it costs to apply the matrix of a graph to a tensor, n to that power and one more.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, count, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tannaka.category.points import PRIME, Echelon, Residues
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.errors import SizeError

if TYPE_CHECKING:
    from tannaka.category.automorphisms import Aut

MAX_ORBITS = 2_000
"""Most orbits of tuples, the labels on the way included, that graphs are grown for: some minutes."""
MAX_GLUED = 10_000
"""Most pairs of graphs that are tried in a row before more labels are."""

Vector = NDArray[Any]


@dataclass(frozen=True)
class Growth:
    """One way for graphs with labels on 0 .. m-1 to grow, and what it does to their vectors."""

    graph: Callable[[BilabelledGraph], BilabelledGraph]
    vector: Callable[[Vector], Vector]


def spanning_graphs(group: Aut, k: int, l: int) -> list[tuple[BilabelledGraph, Vector]]:
    """Bilabelled graphs k -> l that are a basis, with their exact values at the least tuples.

    Raises SizeError for more than 2,000 orbits of tuples.

    >>> import networkx
    >>> from tannaka.category.automorphisms import Aut
    >>> for graph, values in spanning_graphs(Aut(networkx.cycle_graph(6)), 1, 1):
    ...     print(graph, values)
    0 1 [1 0 0 0]
    0 | 1 [1 1 1 1]
    0 | 1 ; 0-1 [0 1 0 0]
    0 | 1 | * ; 0-2 1-2 [2 0 1 0]
    """
    m, dimension = k + l, group.dimension(k, l)
    echelon, found = Echelon(), []
    for extra in range(max(group.n - m, 0) + 1):
        if group.dimension(0, m + extra) > MAX_ORBITS:
            raise SizeError(
                f"{group}: {group.dimension(0, m + extra):,} orbits of {m + extra}-tuples are too "
                f"many to grow graphs for, at most {MAX_ORBITS:,}; hom.basis('orbit') has the orbits"
            )
        if not extra:
            grown: Iterable[tuple[BilabelledGraph, Vector]] = _grown(group, m, l, echelon)
        else:
            forget = _forgetting(group, m, extra)
            larger = _grown(group, m + extra, l, Echelon())
            forgotten = ((forget.graph(graph), forget.vector(vector)) for graph, vector in larger)
            grown = (one for one in forgotten if echelon.add(_residues(one[1])))
        for one in grown:
            found.append(one)
            if len(found) == dimension:
                turned = ((_turned(graph, l), vector) for graph, vector in found)
                return sorted(turned, key=lambda one: _size(one[0]))
    raise AssertionError(f"{group}: graphs on {group.n} vertices span {len(found)} of {dimension}")


def _grown(
    group: Aut, m: int, l: int, echelon: Echelon
) -> Iterator[tuple[BilabelledGraph, Vector]]:
    """All graphs with m labels, l of them outputs, that grow and are independent; exact vectors.

    Where nothing grows any more, two graphs are glued: in the end every function is reached that
    takes equal values where all graphs do.
    """
    start = BilabelledGraph(m, (), tuple(range(m)), ())
    growths, number = list(_growths(group, m)), count()
    ones = np.ones(group.dimension(0, m), dtype=np.int64)
    pending: list[Any] = [(_cost(start, l), next(number), start, ones, None)]
    seen, found = {start}, list[tuple[BilabelledGraph, Vector]]()
    glued = ((one, other) for i, one in enumerate(_growing(found)) for other in found[1 : i + 1])
    while True:
        while pending:
            _, _, graph, vector, growth = heapq.heappop(pending)
            residues = _residues(vector)
            if not echelon.add(residues if growth is None else growth.vector(residues)):
                continue
            if growth is not None:
                vector = growth.vector(_safe(vector, group.n))
            found.append((graph, vector))
            yield graph, vector
            for growth in growths:
                larger = growth.graph(graph)
                if larger not in seen:
                    seen.add(larger)
                    heapq.heappush(
                        pending, (_cost(larger, l), next(number), larger, vector, growth)
                    )
        if len(found) == len(np.unique([_residues(vector) for _, vector in found], axis=1).T):
            return
        for (one, f), (other, g) in islice(glued, MAX_GLUED):
            if echelon.independent(_residues(f) * _residues(g)):
                graph, vector = one.hadamard(other), _safe(f, int(g.max())) * g
                heapq.heappush(pending, (_cost(graph, l), next(number), graph, vector, None))
                break
        else:
            return


def _growing(found: list[Any]) -> Iterator[Any]:
    """The items of a list, also those that come in while it is read."""
    i = 0
    while i < len(found):
        yield found[i]
        i += 1


def _residues(vector: Vector) -> Residues:
    residues: Residues = (vector % PRIME).astype(np.int64)
    return residues


def _growths(group: Aut, m: int) -> Iterator[Growth]:
    """All ways to grow, on m labels."""
    host, at = group.host, group.representatives(m)
    kinds: list[tuple[Any, ...]] = [() if c is None else (c,) for c in host.edge_colours]
    for i, j in combinations(range(m), 2):
        yield _gluing(m, (), (i, j), at[:, i] == at[:, j])
    for i in range(m):
        for colour in host.vertex_colours:
            having = host.having(colour)[at[:, i]]
            yield _gluing(m, (), (), having, colours=((i, colour),))
        for j in range(m):
            for kind in kinds:
                factor = host.adjacency(*kind)
                loops = bool(np.diagonal(factor).any())
                if (i == j and loops) or (i != j and (host.directed or i < j)):
                    yield _gluing(m, ((i, j, *kind),), (), factor[at[:, i], at[:, j]], group)
        moved = _moved(group, at, i)
        yield Growth(_relabelled(i, None, host.directed), _summing(moved))
        for kind in kinds:
            factor = host.adjacency(*kind)
            yield Growth(
                _relabelled(i, ((0, 1, *kind),), host.directed),
                _summing(moved, factor[at[:, i]]),
            )
            if host.directed:
                yield Growth(
                    _relabelled(i, ((1, 0, *kind),), host.directed),
                    _summing(moved, factor.T[at[:, i]]),
                )


def _moved(group: Aut, at: NDArray[np.int64], i: int) -> NDArray[np.int64]:
    """The orbit of each least tuple with another vertex at place i: of shape (orbits, n)."""
    tuples = np.repeat(at, group.n, axis=0)
    tuples[:, i] = np.tile(np.arange(group.n), len(at))
    return group.numbers(tuples).reshape(len(at), group.n)


def _summing(moved: NDArray[np.int64], factor: NDArray[np.int64] | None = None) -> Any:
    """The sum over the vertices at one place, all or those where ``factor`` is 1."""
    count, n = moved.shape
    if factor is None or factor.all():
        return lambda vector: vector[moved].sum(axis=1)
    # A last entry that is zero stands where there is nothing to add.
    width = int(factor.sum(axis=1).max(initial=0))
    order = np.argsort(1 - factor, axis=1, kind="stable")[:, :width]
    chosen = np.where(
        np.take_along_axis(factor, order, 1), np.take_along_axis(moved, order, 1), count
    )
    del n
    return lambda vector: np.append(vector, [0])[chosen].sum(axis=1)


def _gluing(
    m: int,
    edges: tuple[Any, ...],
    same: tuple[int, ...],
    factor: NDArray[Any],
    group: Aut | None = None,
    colours: tuple[Any, ...] = (),
) -> Growth:
    """Glue on a graph with m labels and no other vertex: entries are multiplied."""
    names = [same[0] if v in same else v for v in range(m)]
    kept = sorted(set(names))
    outputs = tuple(kept.index(v) for v in names)
    directed = group is not None and group.host.directed
    piece = BilabelledGraph(len(kept), edges, outputs, (), colours, directed)
    mask = factor.astype(np.int64)
    return Growth(piece.hadamard, lambda vector: vector * mask)


def _relabelled(i: int, edge: tuple[Any, ...] | None, directed: bool) -> Any:
    """Move label i to a new vertex, with an edge between it (0) and the old one (1), or without."""

    def grow(graph: BilabelledGraph) -> BilabelledGraph:
        new = graph.vertices
        edges = list(graph.edges)
        for a, b, *kind in edge or ():
            ends = (new, graph.outputs[i])
            edges.append((ends[a], ends[b], *kind))
        outputs = tuple(new if j == i else v for j, v in enumerate(graph.outputs))
        more = _kept(graph) | ({"directed": True} if directed else {})
        return BilabelledGraph(new + 1, tuple(edges), outputs, (), **more)

    return grow


def _forgetting(group: Aut, m: int, extra: int) -> Growth:
    """Let the labels after the first m go."""

    def forgotten(graph: BilabelledGraph) -> BilabelledGraph:
        return BilabelledGraph(graph.vertices, graph.edges, graph.outputs[:m], (), **_kept(graph))

    vectors = []
    for last in range(m + extra - 1, m - 1, -1):
        at = group.representatives(last)
        tuples = np.concatenate(
            [np.repeat(at, group.n, axis=0), np.tile(np.arange(group.n), len(at))[:, None]], axis=1
        )
        vectors.append(_summing(group.numbers(tuples).reshape(len(at), group.n)))

    def summed(vector: Vector) -> Vector:
        for one in vectors:
            vector = _safe(vector, group.n)
            vector = one(vector)
        return vector

    return Growth(forgotten, summed)


def _kept(graph: BilabelledGraph) -> dict[str, Any]:
    """What a graph has beside vertices, edges and labels."""
    return {"colours": graph.colours, "directed": graph.directed}


def _safe(vector: Vector, n: int) -> Vector:
    """The vector in Python's integers where a sum of n entries may not fit into 64 bits."""
    if vector.dtype != object and len(vector) and int(vector.max()) * n >= 2**62:
        return vector.astype(object)
    return vector


def _turned(graph: BilabelledGraph, l: int) -> BilabelledGraph:
    """The same graph with its labels after the first l as inputs."""
    outputs, inputs = graph.outputs[:l], graph.outputs[l:]
    return BilabelledGraph(graph.vertices, graph.edges, outputs, inputs, **_kept(graph))


def width(graph: BilabelledGraph, l: int) -> int:
    """The treewidth of a graph whose outputs, its first l labels, are joined, and its inputs too.

    Exact up to 2; above, an upper bound by the min-fill heuristic, mostly the least.

    >>> width(BilabelledGraph(3, [(0, 2), (2, 1)], outputs=(0, 1), inputs=()), 1)
    1
    """
    from networkx import Graph
    from networkx.algorithms.approximation import treewidth_min_fill_in

    closed, labels = Graph(), (*graph.outputs, *graph.inputs)
    closed.add_nodes_from(range(graph.vertices))
    closed.add_edges_from(edge[:2] for edge in graph.edges if edge[0] != edge[1])
    for row in (labels[:l], labels[l:]):
        closed.add_edges_from(combinations(dict.fromkeys(row), 2))
    # Vertices with one neighbour go first, then those with two: exact, and quick on long paths.
    least = 0
    for few in (1, 2):
        thin = [v for v in closed if closed.degree(v) <= few]
        while thin:
            v = thin.pop()
            if v in closed and len(ends := list(closed[v])) <= few:
                least = max(least, len(ends))
                closed.remove_node(v)
                closed.add_edges_from(combinations(ends, 2))
                thin += ends
    return max(least, treewidth_min_fill_in(closed)[0]) if closed else least


def _cost(graph: BilabelledGraph, l: int) -> tuple[int, ...]:
    return width(graph, l), *_size(graph)


def _size(graph: BilabelledGraph) -> tuple[int, int, int]:
    """Small graphs first; of one size, those with fewer edges, then those more of whose vertices have labels."""
    return graph.vertices, len(graph.edges), -graph.labelled
