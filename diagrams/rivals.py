"""The ways to do what the benchmark of diagrams times: ours, and those of other packages.

All implementations of a task take the same problems and can be brought to the same answers; each
function here says what those are. more_itertools and Sage need not be installed. Sage numbers the
outputs of a diagram 1, 2, ... and the inputs -1, -2, ..., and its product puts the first factor on
top: our ``f.then(g)`` is its ``g.compose(f)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Any

import numpy as np

from tannaka.diagrams.arrays import compose_arrays, rows, set_partition_array
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.enumerate import brauer_diagrams, set_partitions
from tannaka.diagrams.partition import SetPartition, restricted_growth

Labels = tuple[int, ...]
Blocks = Iterable[Iterable[int]]


@dataclass(frozen=True)
class Implementation:
    """One way to do a task, where it is installed.

    ``prepare`` turns a problem into what this implementation works on, ``run`` does the work and
    alone is timed, ``read`` turns its answer into what all implementations of the task answer.
    """

    name: str
    run: Callable[[Any], Any]
    read: Callable[[Any], Any] = list
    prepare: Callable[[Any], Any] = lambda problem: problem
    installed: bool = True

    def answer(self, problem: Any) -> Any:
        """The answer to a problem, in the form that all implementations of a task share."""
        return self.read(self.run(self.prepare(problem)))


def listing() -> list[Implementation]:
    """Problems are (points, how many at most); answers, all restricted growth strings."""
    from sympy.utilities.iterables import multiset_partitions

    def read(answer: Iterable[Blocks]) -> list[Labels]:
        return sorted(map(_labels, answer))

    return [
        Implementation(
            "tannaka",
            lambda p: islice(set_partitions(0, p[0]), p[1]),
            lambda answer: sorted(d.labels for d in answer),
        ),
        Implementation("plain Python", lambda p: islice(_strings(p[0]), p[1]), sorted),
        Implementation("SymPy", lambda p: islice(multiset_partitions(p[0]), p[1]), read),
        _rival(
            "more_itertools",
            lambda more: (lambda p: islice(more.set_partitions(range(p[0])), p[1]), read),
            "more_itertools",
        ),
        _sage(
            "Sage, objects",
            lambda sets: (lambda p: islice(sets.SetPartitions(p[0]), p[1]), read),
            "sage.combinat.set_partition",
        ),
        _sage(
            "Sage, compiled, bare lists",
            lambda bare: (lambda p: islice(bare.set_partition_iterator(range(p[0])), p[1]), read),
            "sage.combinat.set_partition_iterator",
        ),
    ]


def listing_in_bulk() -> Implementation:
    """Problems and answers as in :func:`listing`, but never fewer than all."""
    return Implementation(
        "tannaka, in bulk", lambda p: set_partition_array(p[0]), lambda array: sorted(rows(array))
    )


def matching() -> list[Implementation]:
    """Problems are even numbers of points; answers, all perfect matchings, as sorted edges."""

    def read(answer: Iterable[Blocks]) -> list[list[tuple[int, ...]]]:
        return sorted(_edges(edges) for edges in answer)

    return [
        Implementation(
            "tannaka", lambda p: iter(brauer_diagrams(0, p)), lambda a: read(d.pairs for d in a)
        ),
        Implementation("plain Python", lambda p: _matchings(tuple(range(p))), read),
        _sage(
            "Sage, objects",
            lambda algebras: (
                lambda p: iter(algebras.BrauerDiagrams(p // 2)),
                lambda answer: read(_unsigned(edges) for edges in answer),
            ),
            "sage.combinat.diagram_algebras",
        ),
        _sage(
            "Sage, compiled, bare lists",
            lambda bare: (lambda p: bare.perfect_matchings_iterator(p // 2), read),
            "sage.combinat.combinat_cython",
        ),
    ]


def composing(order: int, family: type[Diagram]) -> list[Implementation]:
    """Problems are pairs of diagrams; answers, labels of composites, and blocks closed."""
    kind = "BrauerDiagrams" if family is Brauer else "PartitionDiagrams"

    def read(answer: Iterable[tuple[Blocks, int]]) -> list[tuple[Labels, int]]:
        return [(_labels(blocks), int(closed)) for blocks, closed in answer]

    return [
        Implementation(
            "tannaka",
            lambda pairs: (f.then(g) for f, g in pairs),
            lambda answer: read((composite.blocks, closed) for composite, closed in answer),
        ),
        Implementation(
            "plain Python, union-find",
            lambda pairs: (_glued(order, f, g) for f, g in pairs),
            read,
            lambda pairs: [(f.blocks, g.blocks) for f, g in pairs],
        ),
        _sage(
            "Sage, objects",
            lambda algebras: (
                lambda pairs: (g.compose(f) for f, g in pairs),
                lambda answer: read((_unsigned(blocks), closed) for blocks, closed in answer),
                lambda pairs: [
                    tuple(getattr(algebras, kind)(order)(_signed(d)) for d in pair)
                    for pair in pairs
                ],
            ),
            "sage.combinat.diagram_algebras",
        ),
        _sage(
            "Sage, compiled, bare tuples",
            lambda bare: (
                lambda pairs: (bare.set_partition_composition(g, f) for f, g in pairs),
                lambda answer: read((_unsigned(blocks), closed) for blocks, closed in answer),
                lambda pairs: [tuple(map(_signed, pair)) for pair in pairs],
            ),
            "sage.combinat.combinat_cython",
        ),
    ]


def composing_in_bulk(order: int) -> Implementation:
    """Problems and answers as in :func:`composing`; the arrays are made before the clock starts."""

    def prepare(pairs: Sequence[tuple[SetPartition, SetPartition]]) -> Any:
        return [np.array([d.labels for d in side], np.int8) for side in zip(*pairs, strict=True)]

    return Implementation(
        "tannaka, in bulk",
        lambda sides: compose_arrays(sides[0], sides[1], order),
        lambda answer: list(zip(rows(answer[0]), answer[1].tolist(), strict=True)),
        prepare,
    )


def unranking(points: int) -> list[Implementation]:
    """Problems are numbers; answers, the restricted growth strings that have them.

    Our space keeps what it has counted, so these are the rates of a space in use, not of a new one.
    """
    from sympy.combinatorics.partitions import RGS_unrank

    space = set_partitions(0, points)
    return [
        Implementation(
            "tannaka",
            lambda numbers: (space[number] for number in numbers),
            lambda answer: [d.labels for d in answer],
        ),
        Implementation(
            "SymPy",
            lambda numbers: (RGS_unrank(number, points) for number in numbers),
            lambda answer: list(map(tuple, answer)),
        ),
    ]


def ranking(points: int) -> list[Implementation]:
    """Problems are set partitions; answers, their numbers. Our space is in use, as above."""
    from sympy.combinatorics.partitions import RGS_rank

    space = set_partitions(0, points)
    return [
        Implementation("tannaka", lambda diagrams: map(space.index, diagrams)),
        Implementation(
            "SymPy",
            lambda strings: map(RGS_rank, strings),
            prepare=lambda diagrams: [list(d.labels) for d in diagrams],
        ),
    ]


def canonicalising(points: int) -> list[Implementation]:
    """Problems are blocks in any order; answers, restricted growth strings."""
    from sympy.combinatorics.partitions import Partition

    def read(answer: Iterable[Blocks]) -> list[Labels]:
        return list(map(_labels, answer))

    return [
        Implementation(
            "tannaka",
            lambda many: (SetPartition.from_blocks(0, points, blocks) for blocks in many),
            lambda answer: [d.labels for d in answer],
        ),
        Implementation(
            "plain Python, unchecked",
            lambda many: (tuple(sorted(map(tuple, map(sorted, blocks)))) for blocks in many),
            read,
        ),
        Implementation("SymPy", lambda many: (Partition(*blocks) for blocks in many), read),
        _sage(
            "Sage, objects",
            lambda sets: (lambda many: map(sets.SetPartition, many), read),
            "sage.combinat.set_partition",
        ),
    ]


def _rival(name: str, build: Callable[..., tuple[Any, ...]], *modules: str) -> Implementation:
    """What ``build`` makes of these modules, if they are installed."""
    try:
        return Implementation(name, *build(*map(import_module, modules)))
    except ModuleNotFoundError:
        return Implementation(name, list, installed=False)


def _sage(name: str, build: Callable[..., tuple[Any, ...]], module: str) -> Implementation:
    # Sage's modules import one another in a circle: this one must come first.
    return _rival(name, lambda _, found: build(found), "sage.all__sagemath_combinat", module)


def _strings(size: int) -> Iterator[Labels]:
    """All restricted growth strings, by putting one point after another."""
    if not size:
        yield ()
        return
    for string in _strings(size - 1):
        for label in range(max(string, default=-1) + 2):
            yield (*string, label)


def _matchings(points: tuple[int, ...]) -> Iterator[list[tuple[int, int]]]:
    """All perfect matchings, by trying each partner of the first point."""
    if not points:
        yield []
        return
    first, *others = points
    for i, partner in enumerate(others):
        for rest in _matchings((*others[:i], *others[i + 1 :])):
            yield [(first, partner), *rest]


def _glued(order: int, first: Blocks, second: Blocks) -> tuple[list[list[int]], int]:
    """Compose as in a textbook: union-find over three rows of points, then collect the blocks."""
    parent = list(range(3 * order))

    def root(point: int) -> int:
        while parent[point] != point:
            parent[point] = parent[parent[point]]
            point = parent[point]
        return point

    for shift, blocks in ((0, second), (order, first)):
        for start, *others in blocks:
            for other in others:
                parent[root(other + shift)] = root(start + shift)
    found: dict[int, list[int]] = {}
    for point in range(3 * order):
        block = found.setdefault(root(point), [])
        if not order <= point < 2 * order:
            block.append(point if point < order else point - order)
    outer = [block for block in found.values() if block]
    return outer, len(found) - len(outer)


def _labels(blocks: Blocks) -> Labels:
    """The restricted growth string of blocks of any integers, the points in increasing order."""
    block_of = {int(v): i for i, block in enumerate(blocks) for v in block}
    return restricted_growth([block_of[v] for v in sorted(block_of)])


def _edges(edges: Blocks) -> list[tuple[int, ...]]:
    return sorted(tuple(sorted(map(int, edge))) for edge in edges)


def _signed(d: Diagram) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(v + 1 if v < d.top else d.top - v - 1 for v in b) for b in d.blocks)


def _unsigned(blocks: Blocks) -> list[list[int]]:
    """Blocks of 1, 2, ..., k, -1, ..., -k as blocks of 0, 1, ..., 2k - 1."""
    found = [list(map(int, block)) for block in blocks]
    k = max((v for block in found for v in block), default=0)
    return [[v - 1 if v > 0 else k - 1 - v for v in block] for block in found]
