"""Orderly generation: graphs up to isomorphism, each in the numbering whose matrix comes first.

A graph is the rows of its adjacency matrix up to the diagonal, a number each: row v says which of
the vertices 0 .. v-1 are neighbours of v, the first as the highest binary digit. Rows compare from
the first on. Vertices stand in runs, and only those of one run can be exchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from operator import eq

Rows = tuple[int, ...]


def least_graphs(runs: tuple[int, ...], rows: Rows = ()) -> Iterator[Rows]:
    """Graphs up to permutations within runs of vertices, each with its least rows, in order.

    If rows are least for all vertices, then the first of them are least for the first vertices; so
    graphs grow vertex by vertex, and each is built only once.
    Source: Read, Every one a winner (1978); Faradžev (1978).

    >>> list(least_graphs((3,)))  # no edge, one, two, three
    [(0, 0, 0), (0, 0, 1), (0, 0, 3), (0, 1, 3)]
    """
    if len(rows) == sum(runs):
        yield rows
        return
    for row in range(1 << len(rows)):
        longer = (*rows, row)
        if all(map(eq, _least_rows(_whole(longer), runs), longer)):
            yield from least_graphs(runs, longer)


@cache
def listed_graphs(runs: tuple[int, ...]) -> tuple[Rows, ...]:
    """All of :func:`least_graphs`, kept."""
    return tuple(least_graphs(runs))


def least_rows(adjacent: Sequence[int], runs: Sequence[int]) -> Rows:
    """The least rows of a graph, vertices permuted within runs; ``adjacent`` are whole rows.

    >>> least_rows([0b011, 0b100, 0b100], runs=(3,)), least_rows([0b011, 0b100, 0b100], runs=(1, 2))
    ((0, 0, 3), (0, 1, 2))
    """
    return tuple(_least_rows(adjacent, runs))


def _least_rows(adjacent: Sequence[int], runs: Sequence[int]) -> Iterator[int]:
    size = len(adjacent)
    bit = [1 << (size - 1 - v) for v in range(size)]
    run_of = [run for run, length in enumerate(runs) for _ in range(length)][:size]
    starts: list[tuple[int, ...]] = [()]
    for run in run_of:
        found: dict[tuple[int, ...], int] = {}
        for start in starts:
            tried: list[int] = []
            for v in range(size):
                if run_of[v] != run or v in start:
                    continue
                # Of twins, which have the same other neighbours, only the first is tried.
                if any(not (adjacent[v] ^ adjacent[w]) & ~(bit[v] | bit[w]) for w in tried):
                    continue
                tried.append(v)
                found[*start, v] = bits(adjacent[v] & bit[w] for w in start)
        least = min(found.values())
        yield least
        starts = [start for start, row in found.items() if row == least]


def bits(digits: Iterable[object]) -> int:
    """The number with these binary digits, the highest first; whatever is true is a 1.

    >>> bits([True, False, False])
    4
    """
    number = 0
    for digit in digits:
        number = number << 1 | bool(digit)
    return number


def ones(row: int, width: int) -> list[int]:
    """The places of the ones among so many binary digits, the highest first.

    >>> ones(4, width=3)
    [0]
    """
    return [place for place in range(width) if row >> (width - 1 - place) & 1]


def _whole(rows: Rows) -> list[int]:
    """The rows of the whole adjacency matrix, from those up to the diagonal."""
    size = len(rows)
    matrix = [[0] * size for _ in range(size)]
    for v, row in enumerate(rows):
        for w in ones(row, v):
            matrix[v][w] = matrix[w][v] = 1
    return [bits(row) for row in matrix]
