"""How much of a Hom space leads through features in between, however many channels these have."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.category.hyperoctahedral import H
from tannaka.category.orthogonal import O
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp

MAX_COMPOSITES = 2000
"""Most pairs of basis diagrams that are composed to find out."""


@lru_cache(maxsize=256)
def passing(group: Group, k: Any, m: Any, l: Any) -> tuple[int, int] | None:
    """How many independent maps k -> l are sums of maps k -> m -> l, and how many there are.

    By irreducible representations where the walks of the group name them: those of V^k and V^l that
    are in V^m too. Else by composing bases. None where that takes long. Of the family S() for large n.

    >>> passing(S(5), 2, 1, 2), passing(S(5), 2, 2, 2), passing(O(3), 1, 0, 1)
    ((13, 15), (15, 15), (0, 1))
    """
    if getattr(group, "open", False) or any(
        factor.open for factor in getattr(group, "factors", ())
    ):
        return None
    whole = Hom(group, k, l).dimension
    if isinstance(group, S | H | O | Sp):
        before, between, after = (dict(group.walks(x, x).levels()[x]) for x in (k, m, l))
        return sum(
            n * after.get(shape, 0) for shape, n in before.items() if shape in between
        ), whole
    first, second = Hom(group, k, m), Hom(group, m, l)
    if first.dimension * second.dimension > MAX_COMPOSITES or whole > MAX_COMPOSITES:
        return None
    rows = {diagram: i for i, diagram in enumerate(Hom(group, k, l).basis())}
    found = []
    for f in first.basis():
        for g in second.basis():
            row = np.zeros(whole)
            for diagram, value in group.morphism(
                group.morphism(f) >> group.morphism(g)
            ).terms.items():
                row[rows[diagram]] = float(value)
            found.append(row)
    return int(np.linalg.matrix_rank(np.array(found))) if found else 0, whole
