"""The orbit basis of S(n) and A(n): matrices of zeros and ones, one for each orbit of indices.

For S(n), the orbit matrix of a set partition is 1 where indices agree exactly within its blocks: a
diagram is the sum of the orbits of all coarser partitions, and Möbius inversion goes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, permutations

from tannaka.diagrams.enumerate import set_partitions
from tannaka.diagrams.errors import CompositionError
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition, connected, restricted_growth
from tannaka.diagrams.structure import moebius


def coarsenings(diagram: SetPartition) -> Iterator[SetPartition]:
    """All set partitions that the diagram refines, itself last.

    >>> [str(d) for d in coarsenings(SetPartition(0, 2, (0, 1)))]
    ['0 1', '0 | 1']
    """
    for merged in set_partitions(0, len(diagram.blocks)):
        labels = restricted_growth([merged.labels[label] for label in diagram.labels])
        yield SetPartition(diagram.dom, diagram.cod, labels)


def orbit(diagram: SetPartition) -> Morphism:
    """The orbit matrix of a set partition, as a sum of diagrams; the same sum at every n.

    Source: arXiv:2212.08648, the orbit basis; Möbius inversion over the partition lattice.

    >>> print(orbit(SetPartition(1, 1, (0, 1))))
    -(0 1) + (0 | 1)
    """
    terms = ((coarse, moebius(diagram, coarse)) for coarse in coarsenings(diagram))
    return Morphism(diagram.dom, diagram.cod, {(d, 0): value for d, value in terms})


def signed_orbits(diagram: SetPartition, n: int) -> tuple[Morphism, ...]:
    """The orbits of A(n) in the orbit of S(n) of a set partition: one, or two of half the size.

    Two where the diagram has n or n - 1 blocks, n >= 2: there a permutation of the values is even or
    odd, as the jellyfish with a leg on every block says.
    Source: arXiv:2301.10152.

    >>> [str(one) for one in signed_orbits(SetPartition(0, 1, (0,)), 2)]
    ['1/2 (0) + 1/2 (0 [0 _])', '1/2 (0) - 1/2 (0 [0 _])']
    """
    blocks, whole = len(diagram.blocks), orbit(diagram)
    if n < 2 or blocks not in (n - 1, n):
        return (whole,)
    legs = (*range(blocks), *([None] if blocks < n else []))
    jellyfish = Morphism.of(Jellyfish(diagram.dom, diagram.cod, diagram.labels, legs))
    half = Fraction(1, 2)
    return half * whole + half * jellyfish, half * whole - half * jellyfish


def orbit_coefficients(f: Morphism, n: int) -> dict[SetPartition, Fraction]:
    """The coefficients of a sum of set partitions in the orbit basis of S(n).

    Orbits of more than n blocks are empty and left out.

    >>> found = orbit_coefficients(Morphism.of(SetPartition(1, 1, (0, 1))), 3)
    >>> {str(d): int(c) for d, c in found.items()}
    {'0 1': 1, '0 | 1': 1}
    """
    found: dict[SetPartition, Fraction] = {}
    for diagram, value in f.at(n).items():
        if not isinstance(diagram, SetPartition):
            raise TypeError(f"expected set partitions, got a {type(diagram).__name__}")
        for coarse in coarsenings(diagram):
            if len(coarse.blocks) <= n:
                found[coarse] = found.get(coarse, Fraction(0)) + value
    return {diagram: value for diagram, value in found.items() if value}


def orbit_product(first: SetPartition, second: SetPartition, n: int) -> dict[SetPartition, int]:
    """``first >> second`` in the orbit basis of S(n): orbit -> coefficient.

    Zero unless the two agree on the middle row. Else the blocks that close there take values other
    than all others, which gives a falling factorial; and blocks of only inputs may agree with blocks
    of only outputs, which gives a sum.
    Source: Benkart and Halverson, Partition algebras and the invariant theory of the symmetric
    group; here for rectangular diagrams.

    >>> one, rest = SetPartition(1, 1, (0, 0)), SetPartition(1, 1, (0, 1))
    >>> {str(d): c for d, c in orbit_product(rest, rest, 5).items()}
    {'0 | 1': 3, '0 1': 4}
    >>> {str(d): c for d, c in orbit_product(one, rest, 5).items()}
    {'0 | 1': 1}
    """
    if first.cod != second.dom:
        raise CompositionError(
            f"cannot compose ({first}) >> ({second}): "
            f"the first has {first.cod} outputs, the second {second.dom} inputs"
        )
    k, m, l = first.dom, first.cod, second.cod
    if restricted_growth(first.labels[:m]) != restricted_growth(second.labels[l:]):
        return {}
    groups = [*second.blocks, *([l + v for v in block] for block in first.blocks)]
    whole = connected(l + m + k, groups)
    outer = whole[:l] + whole[l + m :]
    closed = len(set(whole)) - len(set(outer))
    middle = set(whole[l : l + m])
    upper = sorted(set(whole[:l]) - middle)
    lower = sorted(set(whole[l + m :]) - middle)
    found: dict[SetPartition, int] = {}
    for joined in range(min(len(upper), len(lower)) + 1):
        for some in combinations(upper, joined):
            for others in permutations(lower, joined):
                same = dict(zip(others, some, strict=True))
                labels = restricted_growth([same.get(label, label) for label in outer])
                blocks = len(set(labels))
                # The closed blocks take different values that no other block has.
                factor = 1
                for i in range(closed):
                    factor *= n - blocks - i
                if blocks <= n and factor:
                    found[SetPartition(k, l, labels)] = factor
    return found
