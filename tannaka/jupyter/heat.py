"""Matrices for looking at: their entries, and which basis diagrams are not zero there."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from math import prod
from typing import Any

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.morphism import Morphism

SHOWN = 128 * 128
"""Most entries of a matrix that are shown."""
KEPT = 500_000
"""Most nonzero entries of a whole basis that are kept to look entries up."""
LISTED = 1_000
"""Largest dimension at which the basis is asked what is nonzero at an entry."""

Found = tuple[tuple[int, int], ...]


def check_shown(group: Group, k: Any, l: Any) -> tuple[int, int]:
    """The shape of the matrices; raises SizeError where they are too large to show."""
    shape = prod(group.shape(l)), prod(group.shape(k))
    if prod(shape) > SHOWN:
        raise SizeError(
            f"the matrix has {readable(shape[0])} rows and {readable(shape[1])} columns; at most "
            f"{SHOWN:,} entries are shown: take a smaller n, k or l"
        )
    return shape


def heat_map(group: Group, f: Diagram | Morphism) -> dict[str, Any]:
    """The matrix as data: its distinct ``values`` as numbers and ``words``, a number of one for each cell.

    ``outputs`` and ``inputs`` are the sizes of the axes that rows and columns run through, in C order.
    Raises SizeError for a matrix of too many entries.

    >>> from tannaka.category.symmetric import S
    >>> from tannaka.diagrams.partition import SetPartition
    >>> found = heat_map(S(2), SetPartition.identity(1))
    >>> found["words"], found["cells"]
    (['0', '1'], [1, 0, 0, 1])
    """
    shape = check_shown(group, f.dom, f.cod)
    entries = group.matrix(f).ravel().tolist()
    distinct = sorted(set(entries))
    place = {value: number for number, value in enumerate(distinct)}
    return {
        "rows": shape[0],
        "columns": shape[1],
        "outputs": list(group.shape(f.cod)),
        "inputs": list(group.shape(f.dom)),
        "values": [float(value) for value in distinct],
        "words": list(map(str, distinct)),
        "cells": [place[value] for value in entries],
        "classes": False,
    }


def pattern(group: Group, k: Any, l: Any) -> dict[str, Any]:
    """What every equivariant matrix has in common: entries of one class are equal in all of them.

    As :func:`heat_map`, with the number of a class for each cell; class 0 is where all are zero.

    >>> from tannaka.category.symmetric import S
    >>> pattern(S(2), 1, 1)["cells"]
    [1, 2, 2, 1]
    """
    shape = check_shown(group, k, l)
    found = incidence(group, k, l)
    classes: dict[Found, int] = {(): 0}
    cells = [classes.setdefault(found.get(place, ()), len(classes)) for place in range(prod(shape))]
    return {
        "rows": shape[0],
        "columns": shape[1],
        "outputs": list(group.shape(l)),
        "inputs": list(group.shape(k)),
        "values": list(range(len(classes))),
        "words": ["0", *(f"class {i}" for i in range(1, len(classes)))],
        "cells": cells,
        "classes": True,
    }


@lru_cache(maxsize=8)
def incidence(group: Group, k: Any, l: Any) -> dict[int, Found]:
    """For each entry, the numbers of the basis diagrams that are not zero there, with their values.

    Entries have their number in C order; those where all are zero are left out. Raises SizeError where
    the basis is too large to ask.
    """
    hom = Hom(group, k, l)
    if hom.dimension > LISTED:
        raise SizeError(
            f"the basis has {readable(hom.dimension)} diagrams: at most {LISTED:,} are asked what is "
            "nonzero at an entry"
        )
    columns = prod(group.shape(k))
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    total = 0
    for number, diagram in enumerate(hom.basis()):
        rows, cols, values = group.nonzeros(diagram)
        total += len(rows)
        if total > KEPT:
            raise SizeError(
                f"the matrices of the basis have more than {KEPT:,} nonzero entries: "
                "take a smaller n, k or l"
            )
        for row, column, value in zip(rows.tolist(), cols.tolist(), values.tolist(), strict=True):
            found[row * columns + column].append((number, value))
    return {place: tuple(listed) for place, listed in found.items()}
