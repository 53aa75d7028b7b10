"""The nonzero entries of a diagram's matrix, without the matrix: n to the number of blocks."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import SizeError, needing
from tannaka.diagrams.structure import crossings

if TYPE_CHECKING:
    import scipy.sparse

MAX_ENTRIES = 2**27
"""Most nonzero entries that are listed at once."""
Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def nonzeros(diagram: Diagram, n: int, form: NDArray[np.int64] | None = None) -> Entries:
    """The (rows, columns, values) of the nonzero entries of a diagram's matrix, each once.

    With an antisymmetric ``form``, those of a Brauer diagram for the symplectic group. Raises
    SizeError for more than 2**27 index tuples, or places that 64 bits do not count.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> rows, columns, values = nonzeros(SetPartition.identity(1), 3)
    >>> rows.tolist(), columns.tolist(), values.tolist()
    ([0, 1, 2], [0, 1, 2], [1, 1, 1])
    """
    blocks, legs = diagram.dissected()
    if n ** len(blocks) > MAX_ENTRIES:
        raise SizeError(
            f"({diagram}) has up to {n}^{len(blocks)} nonzero entries: too many to list"
        )
    if n ** max(diagram.top, diagram.bottom) >= 2**63:
        raise SizeError(
            f"the matrix of ({diagram}) has {n}^{diagram.top} rows and {n}^{diagram.bottom} columns: "
            "64 bits do not count them"
        )
    # Legs take distinct values, so most combinations are zeros: they are left out at the end.
    values = np.indices((n,) * len(blocks), dtype=np.int64).reshape(len(blocks), n ** len(blocks))
    entries = np.ones(n ** len(blocks), dtype=np.int64)
    if legs:
        entries *= sum(
            _sign([np.full_like(entries, free) if leg is None else values[leg] for leg in legs])
            for free in (range(n) if None in legs else range(1))
        )
    at: dict[int, NDArray[np.int64]] = {}
    for block, value in zip(blocks, values, strict=True):
        at |= dict.fromkeys(block, value)
    if form is not None:
        assert isinstance(diagram, Brauer)
        entries *= (-1) ** crossings(diagram)
        for a, b in diagram.pairs:
            if a < diagram.top <= b:
                continue
            # A row of the form has one nonzero entry, in the column of the conjugate coordinate.
            conjugate = np.abs(form).argmax(axis=1)
            at[b] = conjugate[at[a]]
            entries *= form[at[a], at[b]] * (1 if a >= diagram.top else -1)
    rows = _flat([at[v] for v in range(diagram.top)], n, len(entries))
    columns = _flat(
        [at[v] for v in range(diagram.top, diagram.top + diagram.bottom)], n, len(entries)
    )
    kept = np.flatnonzero(entries)
    return rows[kept], columns[kept], entries[kept]


def csr(entries: Entries, shape: tuple[int, int]) -> scipy.sparse.csr_array:
    """The entries as a SciPy array in compressed rows, equal places added up.

    Raises SizeError for more than 2**27 rows: it keeps a number for each.
    """
    if shape[0] > MAX_ENTRIES:
        raise SizeError(
            f"a sparse matrix of shape ({', '.join(map(readable, shape))}) keeps a number for each "
            f"row, at most {MAX_ENTRIES:,}: group.nonzeros(diagram) lists the entries alone"
        )
    with needing("a sparse matrix"):
        import scipy.sparse

        rows, columns, values = entries
        return scipy.sparse.csr_array((values, (rows, columns)), shape=shape)


def _sign(indices: list[NDArray[np.int64]]) -> Any:
    product = np.ones_like(indices[0])
    for a, b in combinations(indices, 2):
        product *= np.sign(b - a)
    return product


def _flat(digits: list[NDArray[np.int64]], n: int, count: int) -> NDArray[np.int64]:
    total = np.zeros(count, dtype=np.int64)
    for digit in digits:
        total = total * n + digit
    return total
