"""How many diagrams there are, in closed form: no enumeration, exact at any size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from math import prod

from tannaka.diagrams.errors import SizeError

MAX_SHAPES = 1_000_000
"""Most partitions that a sum over shapes may run through before it is refused."""


def stirling2(size: int, most: int | None = None) -> list[int]:
    """Stirling numbers of the second kind: entry b counts partitions of ``size`` points in b blocks.

    Up to b = ``most``, or b = ``size``.

    >>> stirling2(4), stirling2(4, most=2)
    ([0, 1, 7, 6, 1], [0, 1, 7])
    """
    most = size if most is None else min(size, most)
    row = [1] + [0] * most
    for _ in range(size):
        row = [0] + [row[b - 1] + b * row[b] for b in range(1, most + 1)]
    return row


def count_set_partitions(size: int, most: int | None = None) -> int:
    """How many set partitions of ``size`` points have at most ``most`` blocks; all: a Bell number.

    >>> count_set_partitions(4), count_set_partitions(4, most=2)
    (15, 8)
    """
    return sum(stirling2(size, most))


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
    shapes = count_integer_partitions(size // 2, chain)
    if shapes > MAX_SHAPES:
        raise SizeError(
            f"counting matchings of {size} points without {chain + 1} pairwise non-nesting edges "
            f"takes a sum over {readable(shapes)} partitions: take fewer points or a smaller n"
        )
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


def count_integer_partitions(total: int, parts: int) -> int:
    """How many partitions ``total`` has into at most ``parts`` positive parts.

    >>> count_integer_partitions(4, 2)
    3
    """
    ways = [1] + [0] * total
    for part in range(1, parts + 1):
        for value in range(part, total + 1):
            ways[value] += ways[value - part]
    return ways[total]


def readable(number: int) -> str:
    """A number with separators; from 10^30 on, only its order of magnitude.

    >>> readable(4140), readable(10**50)
    ('4,140', 'about 10^50')
    """
    return f"{number:,}" if number < 10**30 else f"about 10^{math.log10(number):.0f}"


def standard_tableaux(shape: tuple[int, ...]) -> int:
    """How many standard Young tableaux have this shape, by the hook length formula.

    >>> standard_tableaux((2, 2)), standard_tableaux(())
    (2, 1)
    """
    columns = [sum(part > j for part in shape) for j in range(shape[0] if shape else 0)]
    hooks = prod(part - j + columns[j] - i - 1 for i, part in enumerate(shape) for j in range(part))
    return prod(range(1, sum(shape) + 1)) // hooks
