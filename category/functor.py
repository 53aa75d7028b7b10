"""The functor from diagrams to matrices, written as its definition: slow, exact, the oracle."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.diagrams.diagram import Diagram, natural
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.morphism import Morphism

MAX_BYTES = 2**31
"""Most bytes that a dense matrix, or a stack of them, may take before it is refused."""


def matrix(f: Diagram | Morphism, n: int) -> NDArray[Any]:
    """The matrix of a diagram or morphism f on V = R^n, of shape (n**cod, n**dom), in C order.

    An entry of a diagram is 1 where the indices of each block agree and 0 elsewhere. A morphism
    gives the sum of its diagrams with its coefficients evaluated at n: int64 where all entries are
    integers that fit, else an object array of exact integers or fractions.

    The functor laws: ``matrix(f >> g) == matrix(g) @ matrix(f)``,
    ``matrix(f @ g) == kron(matrix(f), matrix(g))``, ``matrix(f.dagger()) == matrix(f).T``.
    Source: arXiv:2304.14144, the functors from the partition and Brauer categories.

    Raises SizeError when the matrix would take more than 2 GiB.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> matrix(SetPartition(1, 1, (0, 1)), 2)
    array([[1, 1],
           [1, 1]])
    """
    n = natural("n", n, least=1, what="a dimension")
    check_size(1, n, f.dom, f.cod)
    if isinstance(f, Morphism):
        return _combination(f.at(n), n, f.dom, f.cod)
    if n == 1:
        return np.ones((1, 1), dtype=np.int64)  # numpy has no arrays of many axes, even of size 1
    shape = (n,) * (f.cod + f.dom)
    x = np.indices(shape, sparse=True)
    agree = np.ones(shape, dtype=bool)
    for first, *others in f.blocks:
        for vertex in others:
            agree &= x[vertex] == x[first]
    return agree.astype(np.int64).reshape(n**f.cod, n**f.dom)


def check_size(count: int, n: int, dom: int, cod: int) -> None:
    """Refuse to build ``count`` dense integer matrices that would not fit."""
    entries = count * n ** (dom + cod)
    if entries * 8 > MAX_BYTES:
        raise SizeError(
            f"{count} dense matrices of shape ({n}^{cod}, {n}^{dom}) have {entries:,} entries, "
            f"more than {MAX_BYTES >> 30} GiB: take a smaller n, or use the layer, which never forms them"
        )


def _combination(terms: dict[Any, Fraction], n: int, dom: int, cod: int) -> NDArray[Any]:
    whole = all(value.denominator == 1 for value in terms.values())
    fits = whole and sum(abs(value) for value in terms.values()) < 2**63
    total = np.zeros((n**cod, n**dom), dtype=np.int64 if fits else object)
    for diagram, value in terms.items():
        total += matrix(diagram, n).astype(total.dtype) * (int(value) if whole else value)
    return total


def norm2(diagram: Diagram, n: int) -> int:
    """The squared Frobenius norm of the diagram's matrix: n to the number of blocks.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> norm2(SetPartition(1, 1, (0, 1)), 5)
    25
    """
    return int(n ** len(diagram.blocks))
