"""Every diagram dom -> cod, in one fixed order, and how many there are.

The orders are part of the contract, because rows of learned weights follow them: set partitions
come in lexicographic order of their restricted growth strings, Brauer diagrams in lexicographic
order of their sorted edge lists.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import prod

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import order
from tannaka.diagrams.partition import SetPartition


def set_partitions(dom: int, cod: int, most: int | None = None) -> Iterator[SetPartition]:
    """Every set-partition diagram dom -> cod with at most ``most`` blocks (None: any number).

    Lexicographic in the labels; constant memory.

    >>> [str(d) for d in set_partitions(1, 1)]
    ['0 1', '0 | 1']
    >>> [str(d) for d in set_partitions(0, 0)]
    ['∅']
    """
    size = order("dom", dom) + order("cod", cod)
    most = size if most is None else order("most", most)

    def grow(labels: tuple[int, ...], blocks: int) -> Iterator[tuple[int, ...]]:
        if len(labels) == size:
            yield labels
            return
        for label in range(min(blocks + 1, most)):
            yield from grow((*labels, label), max(blocks, label + 1))

    return (SetPartition(dom, cod, labels) for labels in grow((), 0))


def brauer_diagrams(dom: int, cod: int, chain: int | None = None) -> Iterator[Brauer]:
    """Every Brauer diagram dom -> cod without ``chain + 1`` pairwise non-nesting edges.

    Edges (a, b), (c, d) with a < b, c < d do not nest when a < c and b < d. ``chain=None`` sets no
    bound; otherwise branches that break it are cut as soon as they do. Lexicographic in the edges.

    >>> [str(d) for d in brauer_diagrams(2, 2)]
    ['0 1 | 2 3', '0 2 | 1 3', '0 3 | 1 2']
    >>> [str(d) for d in brauer_diagrams(2, 2, chain=1)]
    ['0 3 | 1 2']
    >>> list(brauer_diagrams(1, 2))
    []
    """
    size = order("dom", dom) + order("cod", cod)
    bound = size if chain is None else order("chain", chain)

    def match(
        free: tuple[int, ...], edges: tuple[tuple[int, int], ...], piles: tuple[int, ...]
    ) -> Iterator[tuple[tuple[int, int], ...]]:
        if not free:
            yield edges
            return
        a, *rest = free
        for i, b in enumerate(rest):
            # Patience sorting: edges come with a increasing, so a chain is an increasing run of b.
            pile = bisect_left(piles, b)
            if pile < bound:
                yield from match(
                    (*rest[:i], *rest[i + 1 :]),
                    (*edges, (a, b)),
                    (*piles[:pile], b, *piles[pile + 1 :]),
                )

    if size % 2:
        return iter(())
    return (Brauer(dom, cod, edges) for edges in match(tuple(range(size)), (), ()))


def stirling2(size: int) -> list[int]:
    """Stirling numbers of the second kind: entry b counts partitions of ``size`` points in b blocks.

    >>> stirling2(4)
    [0, 1, 7, 6, 1]
    """
    row = [1]
    for _ in range(size):
        row = [
            below + blocks * same
            for blocks, (below, same) in enumerate(zip([0, *row], [*row, 0], strict=True))
        ]
    return row


def count_set_partitions(size: int, most: int | None = None) -> int:
    """How many set partitions of ``size`` points have at most ``most`` blocks; all: a Bell number.

    >>> count_set_partitions(4), count_set_partitions(4, most=2)
    (15, 8)
    """
    return sum(stirling2(size)[: None if most is None else most + 1])


def count_brauer_diagrams(size: int, chain: int | None = None) -> int:
    """How many perfect matchings of ``size`` points have no ``chain + 1`` pairwise non-nesting edges.

    Without a bound: (size - 1)!!. With one, by the Robinson-Schensted-Knuth correspondence, the
    sum of f(2 * shape) over the partitions ``shape`` of size/2 with at most ``chain`` parts, where
    f counts standard Young tableaux (hook length formula).

    >>> count_brauer_diagrams(8), count_brauer_diagrams(8, chain=3), count_brauer_diagrams(7)
    (105, 91, 0)
    """
    if size % 2:
        return 0
    if chain is None or chain >= size // 2:
        return prod(range(size - 1, 0, -2))
    return sum(
        standard_tableaux(tuple(2 * part for part in shape))
        for shape in integer_partitions(size // 2, chain)
    )


def integer_partitions(
    total: int, parts: int, largest: int | None = None
) -> Iterator[tuple[int, ...]]:
    """Partitions of ``total`` into at most ``parts`` positive parts, each part at most ``largest``.

    >>> list(integer_partitions(4, 2))
    [(4,), (3, 1), (2, 2)]
    """
    if total == 0:
        yield ()
        return
    largest = total if largest is None else min(largest, total)
    for first in range(largest, 0, -1):
        if first * parts < total:
            return
        for rest in integer_partitions(total - first, parts - 1, first):
            yield (first, *rest)


def standard_tableaux(shape: tuple[int, ...]) -> int:
    """How many standard Young tableaux have this shape, by the hook length formula.

    >>> standard_tableaux((2, 2)), standard_tableaux(())
    (2, 1)
    """
    columns = [sum(part > j for part in shape) for j in range(shape[0] if shape else 0)]
    hooks = prod(part - j + columns[j] - i - 1 for i, part in enumerate(shape) for j in range(part))
    return prod(range(1, sum(shape) + 1)) // hooks
