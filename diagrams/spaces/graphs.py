"""The enumeration of bilabelled graphs up to isomorphism, each in the numbering that comes first.

Labels make vertices distinct, so only vertices without label can be renumbered. A graph is written
as the labels' vertices, then its adjacency matrix in three pieces: the rows of labelled vertices
among themselves; for each other vertex its neighbours among those (and its loop); the rows of the
others among themselves. In the numbering that makes this word least, vertices without label come
in the order of their neighbourhoods, and permutations within each class of equal ones are left.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from itertools import groupby
from math import comb, factorial
from typing import Any

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.counts import (
    count_bilabelled_graphs,
    count_coloured_graphs,
    labelled_symmetries,
)
from tannaka.diagrams.diagram import natural, order
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.spaces.labellings import growth_strings
from tannaka.diagrams.spaces.orderly import (
    Rows,
    bits,
    least_graphs,
    least_rows,
    listed_graphs,
    ones,
)

MAX_BARE = 6
"""Most vertices without label for a graph to be found by its number, and its number by it."""


class BilabelledGraphs(Enumeration[BilabelledGraph]):
    """See :func:`bilabelled_graphs`."""

    def __init__(self, dom: int, cod: int, vertices: int, *, loops: bool) -> None:
        self.dom, self.cod = order("dom", dom), order("cod", cod)
        self.vertices = natural("vertices", vertices, least=0, what="a number of vertices")
        self.loops = bool(loops)

    def _total(self) -> int:
        return count_bilabelled_graphs(self.size, self.vertices, loops=self.loops)

    def __iter__(self) -> Iterator[BilabelledGraph]:
        for labels in growth_strings(self.size, self.vertices):
            first = max(labels, default=-1) + 1
            bare = self.vertices - first
            for inner in _words(self._widths(first)):
                for outer in _increasing(0, self._neighbourhoods(first), bare):
                    for rows in least_graphs(_runs(outer)):
                        yield self._build(labels, inner, outer, rows)

    def _widths(self, first: int) -> list[int]:
        """How many bits the row of each labelled vertex has."""
        return [v + self.loops for v in range(first)]

    def _neighbourhoods(self, first: int) -> int:
        """How many neighbourhoods among the labelled vertices there are, with or without loop."""
        return 1 << (first + self.loops)

    def _build(
        self, labels: Sequence[int], inner: Rows, outer: Sequence[int], rows: Rows
    ) -> BilabelledGraph:
        first = len(inner)
        edges = []
        for v, row in enumerate(inner):
            edges += [(w, v) for w in ones(row, v + self.loops)]
        for v, row in enumerate(outer):
            ends = ones(row, first + self.loops)
            edges += [(w if w < first else first + v, first + v) for w in ends]
        for v, row in enumerate(rows):
            edges += [(first + w, first + v) for w in ones(row, v)]
        outputs, inputs = tuple(labels[: self.cod]), tuple(labels[self.cod :])
        return BilabelledGraph(self.vertices, tuple(edges), outputs, inputs)

    @cached_property
    def _endings(self) -> list[list[int]]:
        """``[r][b]``: how many graphs there are once b vertices have labels and r labels are left."""
        most = min(self.size, self.vertices)
        ways = [
            [
                count_coloured_graphs((*(1,) * b, self.vertices - b), loops=self.loops)
                for b in range(most + 1)
            ]
        ]
        for _ in range(self.size):
            after = [*ways[-1], 0]
            ways.append([b * after[b] + after[b + 1] for b in range(most + 1)])
        return ways

    def _at(self, rank: int) -> BilabelledGraph:
        labels: list[int] = []
        used = 0
        for left in reversed(range(self.size)):
            for label in range(used + 1):
                here = self._endings[left][max(used, label + 1)]
                if rank < here:
                    break
                rank -= here
            labels.append(label)
            used = max(used, label + 1)
        bare = self._check(used)
        choices = self._neighbourhoods(used)
        word, rank = divmod(rank, _continuations((), bare, choices))
        inner: list[int] = []
        for width in reversed(self._widths(used)):
            word, row = divmod(word, 1 << width)
            inner.insert(0, row)
        outer, rank = _neighbourhoods_at(rank, bare, choices)
        return self._build(labels, tuple(inner), outer, listed_graphs(_runs(outer))[rank])

    def _rank(self, diagram: Any) -> int | None:
        if diagram not in self:
            return None
        graph: BilabelledGraph = diagram
        rank, used = 0, 0
        labels = (*graph.outputs, *graph.inputs)
        for left, label in zip(reversed(range(self.size)), labels, strict=True):
            # All smaller labels are in use already.
            rank += label * self._endings[left][used]
            used = max(used, label + 1)
        bare = self._check(used)
        choices = self._neighbourhoods(used)
        edges = set(graph.edges)

        def row(v: int, others: Sequence[int]) -> int:
            return bits((min(v, w), max(v, w)) in edges for w in others)

        word = 0
        for v, width in enumerate(self._widths(used)):
            word = word << width | row(v, range(width))
        ends = {v: row(v, [*range(used), *[v] * self.loops]) for v in range(used, self.vertices)}
        placed = sorted(ends, key=ends.__getitem__)
        outer = [ends[v] for v in placed]
        rank += word * _continuations((), bare, choices) + _neighbourhoods_before(outer, choices)
        rows = least_rows([row(v, placed) for v in placed], _runs(outer))
        return rank + listed_graphs(_runs(outer)).index(rows)

    def __contains__(self, diagram: object) -> bool:
        return (
            isinstance(diagram, BilabelledGraph)
            and (diagram.dom, diagram.cod) == (self.dom, self.cod)
            and diagram.vertices == self.vertices
            and not (diagram.directed or diagram.coloured)
            and (self.loops or all(edge[0] != edge[1] for edge in diagram.edges))
        )

    def _check(self, used: int) -> int:
        bare = self.vertices - used
        if bare > MAX_BARE:
            raise SizeError(
                f"graphs with {bare} vertices without label are found by number only up to "
                f"{MAX_BARE} of them: iterating, counting and sampling go on"
            )
        return bare

    def _draw(self, rng: random.Random) -> BilabelledGraph:
        # Dixon and Wilf, The random selection of unlabeled graphs (1983): a random permutation and
        # graph that it fixes, out of all such pairs. Each orbit is in equally many.
        chosen = rng.randrange(self.count * factorial(self.vertices))
        types = labelled_symmetries(self.size, self.vertices, loops=self.loops)
        for cycles, pairs in types:  # noqa: B007
            if chosen < pairs:
                break
            chosen -= pairs
        after, start = list(range(self.vertices)), 0
        for length in cycles:
            after[start : start + length] = [*range(start + 1, start + length), start]
            start += length
        fixed = [v for v in range(self.vertices) if after[v] == v]
        labels = [rng.choice(fixed) for _ in range(self.size)]
        edges: list[tuple[int, int]] = []
        seen = set()
        for a in range(self.vertices):
            for b in range(a + 1 - self.loops, self.vertices):
                if (a, b) in seen:
                    continue
                orbit, v, w = [], a, b
                while (min(v, w), max(v, w)) not in seen:
                    orbit.append((min(v, w), max(v, w)))
                    seen.add(orbit[-1])
                    v, w = after[v], after[w]
                edges += orbit if rng.getrandbits(1) else []
        outputs, inputs = tuple(labels[: self.cod]), tuple(labels[self.cod :])
        return BilabelledGraph(self.vertices, tuple(edges), outputs, inputs)

    def _conditions(self) -> str:
        loops = ", loops allowed" if self.loops else ""
        return f"bilabelled graphs, {self.vertices} vertices{loops}"


def _neighbourhoods_at(rank: int, bare: int, choices: int) -> tuple[list[int], int]:
    """The neighbourhoods of the graph of this number, and its number among those that have them."""
    found: list[int] = []
    free = choices
    while len(found) < bare:
        runs, left = _runs(found), bare - len(found)
        # The next neighbourhood leaves some greater ones: as few as the rank allows.
        whole = _continuations(runs, left, free)
        low, high = 0, free - 1
        while low < high:
            middle = (low + high) // 2
            if whole - _continuations(runs, left, middle + 1) <= rank:
                high = middle
            else:
                low = middle + 1
        free = low
        rank -= whole - _continuations(runs, left, free + 1)
        # Then the more vertices have this one, the earlier they come.
        for length in range(left, 0, -1):
            here = _continuations((*runs, length), left - length, free)
            if rank < here:
                break
            rank -= here
        found += [choices - free - 1] * length
    return found, rank


def _neighbourhoods_before(found: Sequence[int], choices: int) -> int:
    """How many graphs have smaller neighbourhoods; the inverse of :func:`_neighbourhoods_at`."""
    rank, free, done = 0, choices, 0
    for neighbourhood, run in groupby(found):
        runs, left, length = _runs(found[:done]), len(found) - done, len(list(run))
        rank += _continuations(runs, left, free)
        free = choices - neighbourhood - 1
        rank -= _continuations(runs, left, free + 1)
        for longer in range(left, length, -1):
            rank += _continuations((*runs, longer), left - longer, free)
        done += length
    return rank


def _continuations(runs: tuple[int, ...], left: int, choices: int) -> int:
    """How many graphs ``left`` more vertices can make with those placed so far, in ``runs``.

    The runs of equal neighbourhoods to come have ``choices`` neighbourhoods to choose from.
    """
    return sum(comb(choices, more) * graphs for more, graphs in enumerate(_by_runs(runs, left)))


@cache
def _by_runs(runs: tuple[int, ...], left: int) -> tuple[int, ...]:
    """How many graphs there are with given neighbourhoods, by how many runs are to come."""
    graphs = [0] * (left + 1)
    for more in _compositions(left):
        graphs[len(more)] += count_coloured_graphs(sorted((*runs, *more)))
    return tuple(graphs)


def _compositions(total: int) -> Iterator[tuple[int, ...]]:
    """All sequences of positive integers with this sum."""
    if not total:
        yield ()
    for first in range(1, total + 1):
        for rest in _compositions(total - first):
            yield (first, *rest)


def _runs(neighbourhoods: Sequence[int]) -> tuple[int, ...]:
    """How many in a row are equal."""
    return tuple(len(list(run)) for _, run in groupby(neighbourhoods))


def _increasing(least: int, choices: int, count: int) -> Iterator[tuple[int, ...]]:
    """Weakly increasing sequences from ``least`` up to below ``choices``, in order."""
    if not count:
        yield ()
        return
    for first in range(least, choices):
        for rest in _increasing(first, choices, count - 1):
            yield (first, *rest)


def _words(widths: Sequence[int]) -> Iterator[Rows]:
    """All sequences of integers of so many bits each, in order."""
    if not widths:
        yield ()
        return
    for first in range(1 << widths[0]):
        for rest in _words(widths[1:]):
            yield (first, *rest)
