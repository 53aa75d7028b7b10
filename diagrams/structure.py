"""What can be asked of a diagram: how it propagates, crosses, refines and is refined."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import combinations
from math import factorial, prod

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import CompositionError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.partition import SetPartition, connected, restricted_growth


def through_blocks(diagram: Diagram) -> tuple[tuple[int, ...], ...]:
    """The blocks that have outputs and inputs.

    >>> through_blocks(SetPartition(2, 2, (0, 0, 0, 1)))
    ((0, 1, 2),)
    """
    return tuple(block for block in diagram.blocks if block[0] < diagram.top <= block[-1])


def propagating_number(diagram: Diagram) -> int:
    """How many blocks reach from inputs to outputs; composing never raises it.

    >>> propagating_number(SetPartition.identity(3)), propagating_number(SetPartition.cup())
    (3, 0)
    """
    return len(through_blocks(diagram))


def crossings(diagram: Diagram) -> int:
    """How many pairs of blocks cross, vertices standing around a circle.

    Around the circle: outputs from left to right, then inputs from right to left. Two blocks cross
    when points p, r of one and q, s of the other come in the order p, q, r, s. For a Brauer
    diagram this is the number of interleaving edges.

    >>> crossings(Brauer.swap(2, 2)), crossings(Brauer.identity(3))
    (4, 0)
    """
    place = {
        vertex: i
        for i, vertex in enumerate(
            [*range(diagram.top), *reversed(range(diagram.top, diagram.top + diagram.bottom))]
        )
    }
    around = [sorted(place[vertex] for vertex in block) for block in diagram.blocks]
    # Blocks cross unless all of one stands in a single gap of the other.
    return sum(
        len({bisect_left(a, point) % len(a) for point in b}) > 1 for a, b in combinations(around, 2)
    )


def is_planar(diagram: Diagram) -> bool:
    """Whether the diagram can be drawn without crossings.

    >>> is_planar(SetPartition.swap()), is_planar(SetPartition.spider(3, 2))
    (False, True)
    """
    return crossings(diagram) == 0


def non_nesting(diagram: Brauer | Grood) -> int:
    """The most edges (a, b), a < b, of which no two nest: the longest chain increasing in a and b.

    A Brauer diagram belongs to the basis of Hom_{O(n)} that this library uses exactly when this is
    at most n. It is the longest increasing run of right ends in the order of left ends (patience
    sorting). Legs of a determinant vertex count as edges to further points at the right, in
    increasing order: so a Brauer-Grood diagram with n legs belongs to the basis of Hom_{SO(n)}
    exactly when this is n.

    >>> non_nesting(Brauer.identity(3)), non_nesting(Brauer(0, 4, ((0, 3), (1, 2))))
    (3, 1)
    >>> non_nesting(Grood(1, 2, (2,), ((0, 1),))), non_nesting(Grood(1, 2, (0,), ((1, 2),)))
    (2, 1)
    """
    edges = list(diagram.pairs)
    if isinstance(diagram, Grood):
        size = diagram.dom + diagram.cod
        edges += [(leg, size + i) for i, leg in enumerate(sorted(diagram.legs))]
    piles: list[int] = []
    for _, b in sorted(edges):
        pile = bisect_left(piles, b)
        piles[pile : pile + 1] = [b]
    return len(piles)


def refines(fine: SetPartition, coarse: SetPartition) -> bool:
    """Whether every block of the first lies inside a block of the second.

    >>> refines(SetPartition(1, 1, (0, 1)), SetPartition(1, 1, (0, 0)))
    True
    """
    _check_same_orders(fine, coarse)
    return len(set(zip(fine.labels, coarse.labels, strict=True))) == len(fine.blocks)


def join(a: SetPartition, b: SetPartition) -> SetPartition:
    """The finest diagram that both refine: its blocks are joined through blocks of either.

    >>> str(join(SetPartition(0, 3, (0, 0, 1)), SetPartition(0, 3, (0, 1, 1))))
    '0 1 2'
    """
    _check_same_orders(a, b)
    labels = connected(a.dom + a.cod, [*a.blocks, *b.blocks])
    return SetPartition(a.dom, a.cod, labels)


def meet(a: SetPartition, b: SetPartition) -> SetPartition:
    """The coarsest diagram that refines both: its blocks are intersections of blocks.

    >>> str(meet(SetPartition(0, 3, (0, 0, 1)), SetPartition(0, 3, (0, 1, 1))))
    '0 | 1 | 2'
    """
    _check_same_orders(a, b)
    pairs = tuple(zip(a.labels, b.labels, strict=True))
    return SetPartition(a.dom, a.cod, restricted_growth(pairs))


def moebius(fine: SetPartition, coarse: SetPartition) -> int:
    """The Möbius function of the refinement order; 0 unless the first refines the second.

    The product over the blocks B of the second of (-1)^(b-1) (b-1)!, b the number of blocks of the
    first inside B. It turns the diagram basis of S(n) into the orbit basis.

    >>> moebius(SetPartition(0, 3, (0, 1, 2)), SetPartition(0, 3, (0, 0, 0)))
    2
    """
    if not refines(fine, coarse):
        return 0
    inside = Counter(c for _, c in set(zip(fine.labels, coarse.labels, strict=True)))
    return prod((-1) ** (b - 1) * factorial(b - 1) for b in inside.values())


def _check_same_orders(a: SetPartition, b: SetPartition) -> None:
    if (a.dom, a.cod) != (b.dom, b.cod):
        raise CompositionError(
            f"cannot compare ({a}), which is {a.dom} -> {a.cod}, and ({b}), "
            f"which is {b.dom} -> {b.cod}"
        )
