"""The functor from diagrams to matrices, written as its definition: slow, exact, the oracle."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram, natural
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.structure import crossings

MAX_BYTES = 2**31
"""Most bytes that a dense matrix, or a stack of them, may take before it is refused."""
OBJECT_BYTES = 64
"""About what an entry takes that is a Python number: a pointer, and a big integer or a Fraction."""


def matrix(f: Diagram | Morphism, n: int) -> NDArray[Any]:
    """The matrix of a diagram or morphism f on V = R^n, of shape (n**cod, n**dom), in C order.

    An entry of a diagram is 1 where the indices of each block agree and 0 elsewhere; with a
    determinant vertex, times the Levi-Civita symbol of the indices at its legs, summed over the
    index of a free leg. A morphism gives the sum of its diagrams with its coefficients evaluated at
    n: int64 where all entries are integers that fit, else an object array of exact integers or
    fractions.

    The functor laws: ``matrix(f >> g) == matrix(g) @ matrix(f)``,
    ``matrix(f @ g) == kron(matrix(f), matrix(g))``, ``matrix(f.dagger()) == matrix(f).T``.
    Source: arXiv:2304.14144, the functors from the partition, Brauer and Brauer-Grood categories;
    arXiv:2301.10152 for jellyfish.

    Raises SizeError when the matrix would take more than 2 GiB, ValueError for a determinant vertex
    whose legs are not n.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> matrix(SetPartition(1, 1, (0, 1)), 2)
    array([[1, 1],
           [1, 1]])
    >>> matrix(Grood(1, 1, (0, 1), ()), 2)
    array([[ 0,  1],
           [-1,  0]])
    """
    n = natural("n", n, least=1, what="a dimension")
    check_size(1, n, f.dom, f.cod)
    if isinstance(f, Morphism):
        return combination(f.at(n), (n**f.cod, n**f.dom), lambda diagram: matrix(diagram, n))
    if any(value not in (None, n) for value in f.fixed):
        raise ValueError(f"({f}) has a determinant vertex with {f.fixed[0]} legs, but n is {n}")
    if n == 1:
        return np.ones((1, 1), dtype=np.int64)  # numpy has no arrays of many axes, even of size 1
    shape = (n,) * (f.cod + f.dom)
    x = np.indices(shape, sparse=True)
    entries = np.ones(shape, dtype=np.int64)
    for first, *others in f.pairs if isinstance(f, Grood) else f.blocks:
        for vertex in others:
            entries *= x[vertex] == x[first]
    if isinstance(f, Grood):
        entries *= _levi_civita([x[leg] for leg in f.legs])
    if isinstance(f, Jellyfish):
        frees = range(n) if None in f.legs else range(1)
        legs = [[free if leg is None else x[f.blocks[leg][0]] for leg in f.legs] for free in frees]
        entries *= sum(map(_levi_civita, legs))
    return entries.reshape(n**f.cod, n**f.dom)


def _levi_civita(indices: list[Any]) -> Any:
    """The sign of the permutation that the indices are, 0 where two agree."""
    return reduce(np.multiply, (np.sign(b - a) for a, b in combinations(indices, 2)), 1)


def symplectic(diagram: Brauer, form: NDArray[np.int64]) -> NDArray[np.int64]:
    """The matrix of a Brauer diagram where the form is antisymmetric, of shape (n**cod, n**dom).

    Edges across are deltas, edges between inputs the form, edges between outputs its inverse, both
    from left to right, and each pair of edges that crosses brings a sign. So it is a functor, with
    loops worth -n; the matrices without these signs, with the form for edges within a row
    (arXiv:2212.08630), span the same space but are not one.

    >>> form = np.array([[0, 1], [-1, 0]])
    >>> symplectic(Brauer.cap(), form)
    array([[ 0,  1, -1,  0]])
    """
    n = len(form)
    check_size(1, n, diagram.dom, diagram.cod)
    x = np.indices((n,) * (diagram.cod + diagram.dom), sparse=True)
    entries = np.full((n,) * (diagram.cod + diagram.dom), (-1) ** crossings(diagram))
    for a, b in diagram.pairs:
        if a < diagram.cod <= b:
            entries *= x[a] == x[b]
        else:
            # The form is its own inverse up to the sign.
            entries *= form[x[a], x[b]] * (1 if a >= diagram.cod else -1)
    return entries.reshape(n**diagram.cod, n**diagram.dom)


def check_size(count: int, n: int, dom: int, cod: int) -> None:
    """Refuse to build ``count`` dense integer matrices on R^n that would not fit."""
    check_entries((n**cod, n**dom), count)


def check_entries(shape: tuple[int, int], count: int = 1, *, each: int = 8) -> None:
    """Refuse to build ``count`` dense matrices of a shape that would not fit, ``each`` bytes an entry."""
    entries = count * shape[0] * shape[1]
    if entries * each > MAX_BYTES:
        many = "a dense matrix" if count == 1 else f"{readable(count)} dense matrices"
        raise SizeError(
            f"{many} of shape ({', '.join(map(readable, shape))}) would have "
            f"{readable(entries)} entries, more than {MAX_BYTES >> 30} GiB: take a smaller n, "
            "or use the layer, which never forms them"
        )


def combination(
    terms: dict[Any, Fraction],
    shape: tuple[int, int],
    entries: Callable[[Any], NDArray[np.int64]],
) -> NDArray[Any]:
    """The sum of the matrices ``entries(diagram)``, of this shape, with the coefficients of terms."""
    whole = all(value.denominator == 1 for value in terms.values())
    # Most diagrams have entries -1, 0 and 1; those that count homomorphisms, large ones too.
    fits = whole and sum(abs(value) for value in terms.values()) < 2**63
    check_entries(shape, each=8 if fits else OBJECT_BYTES)
    total = np.zeros(shape, dtype=np.int64 if fits else object)
    bound = Fraction(0)
    for diagram, value in terms.items():
        part = entries(diagram)
        if fits:
            bound += abs(value) * largest(part)
            fits = part.dtype != object and bound < 2**63
            if not fits:
                check_entries(shape, each=OBJECT_BYTES)
                total = total.astype(object)
            elif len(terms) == 1 and value == 1:
                return part
        total += part.astype(total.dtype) * (int(value) if whole else value)
    return total


def largest(entries: NDArray[Any]) -> int:
    """The largest absolute value of integers, 0 of none."""
    return max(abs(int(entries.max())), abs(int(entries.min()))) if entries.size else 0


def norm2(diagram: Diagram, n: int) -> int:
    """The squared Frobenius norm of a matrix of deltas: n to the number of blocks.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> norm2(SetPartition(1, 1, (0, 1)), 5)
    25
    """
    return int(n ** len(diagram.blocks))
