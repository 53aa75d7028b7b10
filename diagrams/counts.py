"""How many diagrams there are, in closed form: no enumeration, exact at any size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import combinations, product
from math import comb, factorial, gcd, prod

from tannaka.diagrams.errors import SizeError

MAX_WORK = 20_000_000_000
"""Most points squared times blocks for a Stirling number to be found, in a few seconds."""
MAX_STEPS = 10_000_000
"""Most additions for a number of integer partitions to be found, in about a second."""
MAX_CYCLE_TYPES = 100_000
"""Most cycle types that Burnside's lemma may run through before it is refused."""
MAX_SHAPES = 1_000_000
"""Most partitions that a sum over shapes may run through before it is refused."""
MAX_BITS = 10**9
"""Most bits that the powers in a count may have together."""
MANY_SHAPES = 1000
"""From so many partitions on, a determinant is quicker than the sum over them."""


def stirling2(size: int, most: int | None = None) -> list[int]:
    """Stirling numbers of the second kind: entry b counts partitions of ``size`` points in b blocks.

    Up to b = ``most``, or b = ``size``.

    >>> stirling2(4), stirling2(4, most=2)
    ([0, 1, 7, 6, 1], [0, 1, 7])
    """
    most = size if most is None else min(size, most)
    if size * size * most > MAX_WORK:
        raise SizeError(
            f"counting partitions of {size:,} points into up to {most:,} blocks takes too long: "
            "take fewer points or fewer blocks"
        )
    row = [1] + [0] * most
    for _ in range(size):
        row = [0] + [row[b - 1] + b * row[b] for b in range(1, most + 1)]
    return row


def count_set_partitions(size: int, most: int | None = None) -> int:
    """How many set partitions of ``size`` points have at most ``most`` blocks; all: a Bell number.

    The average of fix(g)^size over the permutations g of ``most`` points: those with j fixed points
    are counted by binomial coefficients and derangements. Raises SizeError for a count of very many
    digits.

    >>> count_set_partitions(4), count_set_partitions(4, most=2)
    (15, 8)
    """
    most = size if most is None else min(size, most)
    if size * (most + 1) * max(most, 2).bit_length() > MAX_BITS:
        raise SizeError(
            f"counting set partitions of {readable(size)} points into at most {readable(most)} "
            "blocks takes numbers of too many digits: take smaller orders"
        )
    total, deranged = 0, 1
    for moved in range(most + 1):
        deranged = deranged * moved + (-1) ** moved if moved else 1
        total += comb(most, moved) * deranged * (most - moved) ** size
    return total // factorial(most)


def count_even_set_partitions(size: int, most: int | None = None) -> int:
    """How many set partitions of ``size`` points into even blocks have at most ``most`` of them.

    Of 2m points into b blocks there are T(m, b) = b^2 T(m - 1, b) + (2b - 1) T(m - 1, b - 1), as the
    derivatives of (cosh x - 1)^b / b! show: OEIS A156289. Raises SizeError for a count that takes very
    long.

    >>> count_even_set_partitions(6), count_even_set_partitions(6, most=2), count_even_set_partitions(3)
    (31, 16, 0)
    """
    if size % 2:
        return 0
    half = size // 2
    most = half if most is None else min(half, most)
    if half * size * (most + 1) * max(most, 2).bit_length() > 100 * MAX_BITS:
        raise SizeError(
            f"counting set partitions of {readable(size)} points into at most {readable(most)} even "
            "blocks takes too many steps: take smaller orders"
        )
    ways = [1] + [0] * most
    for _ in range(half):
        ways = [0, *(b * b * ways[b] + (2 * b - 1) * ways[b - 1] for b in range(1, most + 1))]
    return sum(ways)


def count_jellyfish_diagrams(
    size: int, n: int, most: int | None = None, *, covered: bool = False
) -> int:
    """How many jellyfish diagrams on ``size`` points have n legs, in increasing order.

    A partition in b blocks, of which there are S(size, b), has C(b, n) choices for n legs, and
    C(b, n - 1) for n - 1 legs and the free one. ``most``: with at most this many blocks.
    ``covered``: every block has a leg; then there are S(size, n) + S(size, n - 1).

    >>> count_jellyfish_diagrams(4, 3), count_jellyfish_diagrams(4, 3, covered=True)
    (41, 13)
    """
    least = n - 1 if covered else 0
    ways = stirling2(size, min(size, n) if covered else None)
    ways = ways if most is None else ways[: most + 1]
    return sum(
        partitions * (1 if covered else comb(blocks + 1, n))
        for blocks, partitions in enumerate(ways)
        if blocks >= least
    )


def count_brauer_diagrams(size: int, chain: int | None = None, *, nest: int | None = None) -> int:
    """How many perfect matchings of ``size`` points have no ``chain + 1`` pairwise non-nesting edges.

    Or, with ``nest``, how many have no ``nest + 1`` edges each inside the next: the sum of f(shape)
    over the partitions of ``size`` with at most 2 ``nest`` parts, where parts come in equal pairs.

    Without a bound: (size - 1)!!. With one, by the Robinson-Schensted-Knuth correspondence, the
    sum of f(2 * shape) over the partitions ``shape`` of size/2 with at most ``chain`` parts, where
    f counts standard Young tableaux (hook length formula).

    >>> count_brauer_diagrams(8), count_brauer_diagrams(8, chain=3), count_brauer_diagrams(7)
    (105, 91, 0)
    >>> count_brauer_diagrams(8, nest=1), count_brauer_diagrams(8, nest=2)
    (14, 84)
    """
    if nest is None or nest >= size // 2 or size % 2:
        return count_grood_diagrams(size, 0, chain)
    if count_integer_partitions(size // 2, nest) > MANY_SHAPES:
        from tannaka.diagrams.moments import symplectic_moment

        return symplectic_moment(2 * nest, size)
    return sum(
        standard_tableaux(tuple(part for part in shape for _ in range(2)))
        for shape in integer_partitions(size // 2, nest)
    )


def count_grood_diagrams(size: int, n: int, chain: int | None = None) -> int:
    """How many Brauer-Grood diagrams on ``size`` points have n legs, in increasing order.

    Without a bound: C(size, n) (size - n - 1)!!. With one, those without ``chain + 1`` pairwise
    non-nesting edges, legs being edges to further points at the right, in order: the sum of
    f(shape) over the partitions of ``size`` with at most ``chain`` parts, n of them odd. (By the
    Robinson-Schensted-Knuth correspondence: the letters at the further points increase, so their
    entries in the tableau are a strip, one box for each odd part.) With chain = n, the dimension of
    the determinant part of Hom_{SO(n)}.

    >>> count_grood_diagrams(5, 3), count_grood_diagrams(5, 3, chain=3)
    (10, 6)
    """
    if size < n or (size - n) % 2:
        return 0
    pairs = (size - n) // 2
    if chain is None or chain >= n + pairs:
        return comb(size, n) * prod(range(size - n - 1, 0, -2))
    # n odd parts 2a + 1, and at most chain - n even parts 2b, with a and b summing to the pairs.
    odd, even = (_partition_counts(pairs, parts) for parts in (n, max(chain - n, 0)))
    shapes = sum(odd[a] * even[pairs - a] for a in range(pairs + 1)) if chain >= n else 0
    if shapes > MANY_SHAPES and n in (0, chain):
        from tannaka.diagrams.moments import orthogonal_moments

        rotations, reflections = orthogonal_moments(chain, size)
        return (rotations + (reflections if n == 0 else -reflections)) // 2
    if shapes > MAX_SHAPES:
        raise SizeError(
            f"counting matchings of {size} points without {chain + 1} pairwise non-nesting edges "
            f"takes a sum over {readable(shapes)} partitions: take fewer points or a smaller n"
        )
    return sum(standard_tableaux(shape) for shape in shapes_with_odd_rows(size, n, chain))


def count_walled_brauer_diagrams(edges: int, chain: int | None = None) -> int:
    """How many bijections of ``edges`` sources and targets increase nowhere ``chain + 1`` times.

    Without a bound: edges!. With one, by the Robinson-Schensted correspondence, the sum of f(shape)
    squared over the partitions ``shape`` of ``edges`` with at most ``chain`` parts.

    >>> count_walled_brauer_diagrams(4), count_walled_brauer_diagrams(4, chain=2)
    (24, 14)
    """
    if chain is None or chain >= edges:
        return factorial(edges)
    shapes = count_integer_partitions(edges, chain)
    if shapes > MAX_SHAPES:
        raise SizeError(
            f"counting bijections of {edges} points without an increasing run of {chain + 1} takes "
            f"a sum over {readable(shapes)} partitions: take fewer points or a smaller n"
        )
    return sum(standard_tableaux(shape) ** 2 for shape in integer_partitions(edges, chain))


def count_bilabelled_graphs(size: int, vertices: int, *, loops: bool = False) -> int:
    """How many graphs on so many vertices there are up to isomorphism, ``size`` labels on them.

    A vertex may carry many labels or none; ``loops``: edges may be loops. By Burnside's lemma, the
    mean over the permutations of the vertices of m**size * 2**c, where m vertices are fixed and
    edges have c orbits. Without labels, the number of graphs.

    >>> [count_bilabelled_graphs(0, vertices) for vertices in range(7)]
    [1, 1, 2, 4, 11, 34, 156]
    >>> count_bilabelled_graphs(2, 2), count_bilabelled_graphs(2, 2, loops=True)
    (4, 16)
    """
    return sum(graphs for _, graphs in labelled_symmetries(size, vertices, loops=loops)) // (
        factorial(vertices)
    )


def labelled_symmetries(
    size: int, vertices: int, *, loops: bool
) -> Iterator[tuple[tuple[int, ...], int]]:
    """The terms of Burnside's lemma: each cycle type of the vertices, and how much it fixes.

    That is the number of triples of a permutation of this type, a graph, and ``size`` labels, where
    the permutation fixes the graph and all labels. The identity comes first.

    >>> list(labelled_symmetries(0, 2, loops=False))
    [((1, 1), 2), ((2,), 2)]
    """
    _check_cycle_types([vertices])
    for shape in integer_partitions(vertices, vertices):
        cycles = tuple(sum(part > i for part in shape) for i in range(shape[0] if shape else 0))
        times = Counter(cycles)
        fixed = times[1] ** size << count_edge_orbits(times, loops=loops)
        if fixed:
            yield cycles, factorial(vertices) // _centraliser(times) * fixed


def count_coloured_graphs(classes: Iterable[int], *, loops: bool = False) -> int:
    """How many graphs with coloured vertices there are, up to isomorphisms that keep the colours.

    ``classes``: how many vertices have each colour. By Burnside's lemma.

    >>> count_coloured_graphs((4,)), count_coloured_graphs((1, 1, 1, 1)), count_coloured_graphs(())
    (11, 64, 1)
    """
    classes = list(classes)
    _check_cycle_types(classes)
    types = [list(integer_partitions(vertices, vertices)) for vertices in classes]
    total = Fraction(0)
    for shapes in product(*types):
        times = Counter(length for shape in shapes for length in shape)
        size = prod(_centraliser(Counter(shape)) for shape in shapes)
        total += Fraction(1 << count_edge_orbits(times, loops=loops), size)
    return int(total)


def count_edge_orbits(times: Mapping[int, int], *, loops: bool = False) -> int:
    """How many orbits a permutation has on pairs of points; ``times[c]`` of its cycles have length c.

    ``loops``: pairs of a point with itself count too.

    >>> count_edge_orbits({1: 4}), count_edge_orbits({4: 1}), count_edge_orbits({4: 1}, loops=True)
    (6, 2, 3)
    """
    within = sum(
        m * (length // 2 + loops) + m * (m - 1) // 2 * length for length, m in times.items()
    )
    between = combinations(times.items(), 2)
    return within + sum(m * w * gcd(length, other) for (length, m), (other, w) in between)


def _check_cycle_types(classes: list[int]) -> None:
    types = prod(count_integer_partitions(vertices, vertices) for vertices in classes)
    if types > MAX_CYCLE_TYPES:
        raise SizeError(
            f"counting graphs on {sum(classes)} vertices takes a sum over {readable(types)} cycle "
            "types: take fewer vertices"
        )


def _centraliser(times: Mapping[int, int]) -> int:
    """How many permutations commute with one of this cycle type."""
    return prod(length**m * factorial(m) for length, m in times.items())


def shapes_with_odd_rows(size: int, odd: int, most: int) -> Iterator[tuple[int, ...]]:
    """Partitions of ``size`` into at most ``most`` parts, exactly ``odd`` of them odd.

    >>> list(shapes_with_odd_rows(5, 1, 2)), list(shapes_with_odd_rows(4, 0, 2))
    ([(5,), (3, 2), (4, 1)], [(4,), (2, 2)])
    """
    if most < odd or size < odd or (size - odd) % 2:
        return
    pairs = (size - odd) // 2
    for total in range(pairs, -1, -1):
        for a in integer_partitions(total, odd):
            ones = [2 * part + 1 for part in (*a, *(0,) * (odd - len(a)))]
            for b in integer_partitions(pairs - total, most - odd):
                yield tuple(sorted((*ones, *(2 * part for part in b)), reverse=True))


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
    return _partition_counts(total, parts)[total]


def _partition_counts(total: int, parts: int) -> list[int]:
    """How many partitions each of 0, 1, ..., ``total`` has into at most ``parts`` positive parts."""
    parts = min(parts, total)
    if total * parts > MAX_STEPS:
        raise SizeError(
            f"counting the partitions of {total:,} into at most {parts:,} parts takes a sum over "
            f"{total * parts:,} steps: take smaller numbers"
        )
    ways = [1] + [0] * total
    for part in range(1, parts + 1):
        for value in range(part, total + 1):
            ways[value] += ways[value - part]
    return ways


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
    return factorial(sum(shape)) // hooks
