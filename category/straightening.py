"""Straightening: each diagram in terms of the basis diagrams, exactly, when n is small.

A relation between diagrams holds at this n because n + 1 vectors in R^n are dependent. Each rule
here writes one diagram as a sum of others that are closer to the basis, by a measure that its
docstring names; :func:`straightened` applies a rule until only basis diagrams are left.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from itertools import permutations, product
from math import factorial
from typing import Any

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import count_set_partitions, readable, stirling2
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.enumerate import set_partitions
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition, restricted_growth
from tannaka.diagrams.signs import sign

Sum = dict[Any, Fraction]
"""Diagram -> coefficient."""
MAX_TERMS = 4_000_000
"""Most terms that one relation may have before it is refused."""


def straightened(diagram: Diagram, rule: Callable[[Any], Sum | None]) -> Sum:
    """The diagram as a combination of those to which the rule does not apply.

    ``rule(d)`` is None for a basis diagram, else d written as a sum of others.
    """
    left: Sum = {diagram: Fraction(1)}
    done: Sum = defaultdict(Fraction)
    while left:
        # Later terms of one rewriting may meet earlier ones: adding up first saves most of the work.
        current, coefficient = left.popitem()
        others = _remembered(rule, current)
        if others is None:
            done[current] += coefficient
            continue
        for other, value in others.items():
            left[other] = left.get(other, Fraction(0)) + coefficient * value
            if not left[other]:
                del left[other]
    return {d: value for d, value in done.items() if value}


@lru_cache(maxsize=2**16)
def _remembered(rule: Callable[[Any], Sum | None], diagram: Diagram) -> Sum | None:
    return rule(diagram)


def few_blocks(diagram: SetPartition, n: int) -> Sum | None:
    """A set partition of more than n blocks by coarser ones of at most n, at once.

    The coefficient of a coarser one is the sum over numbers 1 <= j_B <= b_B with sum at most n of
    the products of S(b_B, j_B) (-1)^(j_B - 1) (j_B - 1)!, where b_B blocks merge into B and S are
    Stirling numbers of the second kind: n indices take at most n values, and inclusion-exclusion
    over which blocks agree does the rest.

    >>> print({str(d): str(c) for d, c in few_blocks(SetPartition(1, 1, (0, 1)), 1).items()})
    {'0 1': '1'}
    """
    blocks = len(diagram.blocks)
    if blocks <= n:
        return None
    _check_terms(count_set_partitions(blocks, n), diagram)
    found: Sum = {}
    known: dict[tuple[int, ...], int] = {}
    for coarser in set_partitions(0, blocks, most=n):
        sizes = tuple(sorted(Counter(coarser.labels).values()))
        if sizes not in known:
            known[sizes] = _merging(sizes, n)
        if known[sizes]:
            labels = restricted_growth([coarser.labels[label] for label in diagram.labels])
            found[SetPartition(diagram.dom, diagram.cod, labels)] = Fraction(known[sizes])
    return found


def _merging(sizes: tuple[int, ...], n: int) -> int:
    powers = [1] + [0] * n
    for size in sizes:
        row = stirling2(size)
        signed = [0, *(row[j] * (-1) ** (j - 1) * factorial(j - 1) for j in range(1, size + 1))]
        powers = [
            sum(powers[i] * signed[total - i] for i in range(total + 1) if total - i <= size)
            for total in range(n + 1)
        ]
    return sum(powers)


def all_blocks_on_legs(diagram: Jellyfish | SetPartition, n: int) -> Sum | None:
    """A jellyfish with blocks that have no leg by jellyfish in which every block has one.

    The legs take all n values, each once, so a block without a leg agrees with exactly one of them:
    a sum over the ways to merge those blocks with legs. Set partitions go by :func:`few_blocks`.
    At n = 1 the determinant is 1 and the jellyfish is its set partition.
    """
    if isinstance(diagram, SetPartition):
        return few_blocks(diagram, n)
    if n == 1:
        return {diagram.partition: Fraction(1)}
    blocks = diagram.blocks
    bare = [block for block in range(len(blocks)) if block not in diagram.legs]
    if not bare:
        ordered, _, signed = diagram.normal()
        return None if signed > 0 else {ordered: Fraction(-1)}
    _check_terms(n ** len(bare), diagram)
    found: Sum = defaultdict(Fraction)
    for choice in product(range(n), repeat=len(bare)):
        # A block named by its leg: what merges with a leg, the free one too, is on it.
        name: dict[int, Any] = {leg: i for i, leg in enumerate(diagram.legs) if leg is not None}
        name |= dict(zip(bare, choice, strict=True))
        labels = [name[label] for label in diagram.labels]
        numbers = dict(zip(labels, restricted_growth(labels), strict=True))
        legs = tuple(numbers.get(i) for i in range(n))
        merged = Jellyfish(diagram.dom, diagram.cod, restricted_growth(labels), legs)
        ordered, _, signed = merged.normal()
        found[ordered] += signed
    return dict(found)


def chains(diagram: Brauer | Grood, n: int) -> Sum | None:
    """A diagram with n + 1 pairwise non-nesting edges by others of greater total squared length.

    Legs count as edges to one common place right of everything. The minor of size n + 1 that those
    edges are the diagonal of vanishes; its other terms, by the rearrangement inequality, have a
    greater sum of squared lengths, save those that only permute the legs, which add up.

    >>> found = chains(Brauer.identity(2), 1)
    >>> print({str(d): str(c) for d, c in found.items()})
    {'0 3 | 1 2': '1'}
    """
    if isinstance(diagram, Grood):
        ordered, _, signed = diagram.normal()
        if signed < 0:
            return {ordered: Fraction(-1)}
        size = diagram.top + diagram.bottom
        edges = sorted([*diagram.pairs, *((v, size + i) for i, v in enumerate(diagram.legs))])
    else:
        size = diagram.top + diagram.bottom
        edges = list(diagram.pairs)
    chain = _chain(edges, n + 1)
    if chain is None:
        return None
    _check_terms(factorial(n + 1), diagram)
    rest = [edge for edge in edges if edge not in chain]
    starts, ends = [a for a, _ in chain], [b for _, b in chain]
    found: Sum = defaultdict(Fraction)
    for images in permutations(range(n + 1)):
        moved = rest + [(a, ends[i]) for a, i in zip(starts, images, strict=True)]
        pairs = tuple((a, b) for a, b in moved if b < size)
        if isinstance(diagram, Brauer):
            found[Brauer(diagram.dom, diagram.cod, pairs)] += sign(images)
            continue
        at = {b: a for a, b in moved if b >= size}
        legs = tuple(at[size + i] for i in range(diagram.n))
        other, _, signed = Grood(diagram.dom, diagram.cod, legs, pairs).normal()
        found[other] += sign(images) * signed
    leading = found.pop(diagram)
    return {other: -value / leading for other, value in found.items() if value}


def nests(diagram: Brauer, n: int) -> Sum | None:
    """A Brauer diagram for Sp(n) with n/2 + 1 nested edges by those of smaller squared length.

    With the signed matrices, the sum of all ways to join the n + 2 ends of those edges vanishes: the
    second fundamental theorem. The nested way has the greatest sum of squared lengths.
    """
    nested = _nest(list(diagram.pairs), n // 2 + 1)
    if nested is None:
        return None
    _check_terms(factorial(n + 2) // (2 ** (n // 2 + 1) * factorial(n // 2 + 1)), diagram)
    rest = [edge for edge in diagram.pairs if edge not in nested]
    ends = sorted(v for edge in nested for v in edge)
    found = {
        Brauer(diagram.dom, diagram.cod, (*rest, *pairs)): Fraction(-1)
        for pairs in _matchings(ends)
    }
    del found[diagram]
    return found


def _chain(edges: list[tuple[int, int]], count: int) -> list[tuple[int, int]] | None:
    """The first ``count`` edges, by left ends, of a longest run in which both ends increase."""
    return _run(edges, count, lambda b, later: b < later)


def _nest(edges: list[tuple[int, int]], count: int) -> list[tuple[int, int]] | None:
    """``count`` edges each inside the one before it; None where there are not so many."""
    return _run(edges, count, lambda b, later: b > later)


def _run(
    edges: list[tuple[int, int]], count: int, fits: Callable[[int, int], bool]
) -> list[tuple[int, int]] | None:
    best: list[list[tuple[int, int]]] = []
    for edge in edges:
        before = [run for run in best if fits(run[-1][1], edge[1])]
        best.append([*max(before, key=len, default=[]), edge])
        if len(best[-1]) == count:
            return best[-1]
    return None


def _matchings(points: list[int]) -> list[list[tuple[int, int]]]:
    if not points:
        return [[]]
    first, *others = points
    return [
        [(first, other), *rest]
        for i, other in enumerate(others)
        for rest in _matchings(others[:i] + others[i + 1 :])
    ]


def _check_terms(terms: int, diagram: Diagram) -> None:
    if terms > MAX_TERMS:
        raise SizeError(
            f"straightening ({diagram}) takes a relation of {readable(terms)} terms, "
            f"more than {MAX_TERMS:,}"
        )
