"""A second way to dimensions and bases: diagrams as functions, at random points over a prime field.

A diagram with N vertices is a multilinear function of N vectors of length n. Diagrams are
independent exactly when these functions are, and that shows at random points: the rank of the table
of their values is the dimension, but for a chance below N times the number of diagrams over the
prime. Nothing of size n^N is formed, no rule about the group is used, and it works for any family
whose diagrams can be evaluated: the cross-check of every basis here, and the way for groups that
have no rule.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import Group, MatrixGroup
from tannaka.category.product import Product
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.structure import crossings
from tannaka.diagrams.typed import Typed

PRIME = 2_147_483_629
"""A prime below 2^31, so that products of two residues fit into 64 bits."""
Residues = NDArray[np.int64]


def rank_and_pivots(
    group: Group, diagrams: Iterable[Diagram], seed: int = 0
) -> tuple[int, list[Diagram]]:
    """How many of these diagrams k -> l are independent for the group, and the first that are.

    >>> from tannaka.category.orthogonal import O
    >>> from tannaka.diagrams.enumerate import brauer_diagrams
    >>> rank, pivots = rank_and_pivots(O(1), brauer_diagrams(2, 2))
    >>> rank, [str(d) for d in pivots]
    (1, ['0 1 | 2 3'])
    """
    listed = list(diagrams)
    if not listed:
        return 0, []
    cod, dom = listed[0].cod, listed[0].dom
    rng = np.random.default_rng(seed)
    count = len(listed) + 5
    vectors = [
        rng.integers(0, PRIME, (count, size)) for size in group.shape(cod) + group.shape(dom)
    ]
    values = np.array([evaluate(group, diagram, vectors) for diagram in listed])
    echelon = Echelon()
    pivots = [d for d, row in zip(listed, values, strict=True) if echelon.add(row)]
    return len(pivots), pivots


def evaluate(group: Group, diagram: Diagram, vectors: list[Residues]) -> Residues:
    """The values of a diagram's multilinear function at many points, modulo the prime.

    ``vectors[v]`` has shape (count, n), a vector for vertex v at each point.
    """
    if isinstance(diagram, Typed):
        assert isinstance(group, Product)
        total = np.ones(len(vectors[0]) if vectors else 1, dtype=np.int64)
        for t, (factor, part) in enumerate(zip(group.factors, diagram.parts, strict=True)):
            inside = [vectors[v] for v in diagram.vertices(t)]
            total = total * evaluate(factor, part, inside) % PRIME
        return total
    assert isinstance(group, MatrixGroup)
    count = len(vectors[0]) if vectors else 1
    total = np.ones(count, dtype=np.int64)
    if not group.deltas:
        for a, b in diagram.blocks:
            across = a < diagram.top <= b
            form = np.eye(group.n, dtype=np.int64) if across else group.form
            value = (_dot(vectors[a], form) * vectors[b] % PRIME).sum(axis=1) % PRIME
            total = total * (value if across or a >= diagram.top else -value) % PRIME
        signed: Residues = total * (-1) ** crossings(diagram) % PRIME
        return signed
    blocks, legs = diagram.dissected()
    merged = []
    for block in blocks:
        product = np.ones((count, group.n), dtype=np.int64)
        for vertex in block:
            product = product * vectors[vertex] % PRIME
        merged.append(product)
    for number, product in enumerate(merged):
        if number not in legs:
            total = total * (product.sum(axis=1) % PRIME) % PRIME
    if legs:
        free = np.ones((count, group.n), dtype=np.int64)
        columns = np.stack([free if leg is None else merged[leg] for leg in legs], axis=1)
        total = total * _determinants(columns) % PRIME
    return total


def _dot(vectors: Residues, form: NDArray[np.int64]) -> Residues:
    # The entries of a form are -1, 0 and 1, so sums stay far below 64 bits.
    product: Residues = vectors @ form % PRIME
    return product


def _determinants(matrices: Residues) -> Residues:
    """The determinants of many n x n matrices, by elimination modulo the prime."""
    a = matrices.copy() % PRIME
    count, n, _ = a.shape
    result = np.ones(count, dtype=np.int64)
    for column in range(n):
        # At random points pivots are nonzero, but for a chance of one in two thousand million.
        pivot = a[:, column, column]
        if (pivot == 0).any():
            for i in np.flatnonzero(pivot == 0):
                rows = np.flatnonzero(a[i, column:, column])
                if len(rows):
                    a[i, [column, column + rows[0]]] = a[i, [column + rows[0], column]]
                    result[i] = -result[i]
            pivot = a[:, column, column]
        result = result * pivot % PRIME
        inverse = _inverses(pivot)
        for row in range(column + 1, n):
            scale = a[:, row, column] * inverse % PRIME
            a[:, row] = (a[:, row] - scale[:, None] * a[:, column]) % PRIME
    return result


def _inverses(values: Residues) -> Residues:
    """Inverses modulo the prime by Fermat; 0 for 0."""
    result, power, exponent = np.ones_like(values), values % PRIME, PRIME - 2
    while exponent:
        if exponent & 1:
            result = result * power % PRIME
        power = power * power % PRIME
        exponent >>= 1
    return result


class Echelon:
    """Rows that are independent modulo the prime.

    They stand in blocks of a few: row i has 1 at its pivot, where the others of its block have 0.

    >>> rows = Echelon()
    >>> [rows.add(np.array(row)) for row in ([1, 2], [2, 4], [0, 3])]
    [True, False, True]
    """

    _BLOCK = 64

    def __init__(self) -> None:
        # Floats hold these integers, and multiply them faster.
        self._blocks: list[tuple[NDArray[np.float64], list[int]]] = []

    @property
    def rank(self) -> int:
        """How many rows are independent."""
        return sum(len(pivots) for _, pivots in self._blocks)

    def add(self, row: Residues) -> bool:
        """Keep a row if it is no combination of those before; say whether it was kept."""
        row = self._reduced(row)
        found = np.flatnonzero(row)
        if not len(found):
            return False
        if not self._blocks or len(self._blocks[-1][1]) == self._BLOCK:
            self._blocks.append((np.zeros((self._BLOCK, len(row))), []))
        rows, pivots = self._blocks[-1]
        pivot = int(found[0])
        row = row * int(_inverses(row[[pivot]])[0]) % PRIME
        others = np.flatnonzero(rows[: len(pivots), pivot])
        above = rows[others].astype(np.int64)
        rows[others] = (above - above[:, pivot, None] * row % PRIME) % PRIME
        rows[len(pivots)] = row
        pivots.append(pivot)
        return True

    def independent(self, row: Residues) -> bool:
        """Whether a row is no combination of those kept."""
        return bool(self._reduced(row).any())

    def _reduced(self, row: Residues) -> Residues:
        row = row % PRIME
        for rows, pivots in self._blocks:
            # In two halves, so that sums of 64 products stay below 2^53.
            high, low = divmod(row[pivots], 2**16)
            known = rows[: len(pivots)]
            above, below = (
                (half.astype(np.float64) @ known).astype(np.int64) for half in (high, low)
            )
            row = (row - above % PRIME * 2**16 - below) % PRIME
        return row
