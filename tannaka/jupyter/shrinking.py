"""How diagrams become dependent as n shrinks: how many are left, and what the others are equal to."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.diagrams.counts import readable
from tannaka.diagrams.errors import SizeError
from tannaka.jupyter.menu import FAMILIES, SHRINKING, Family, family_of

SEARCHED = 20_000
"""Most spanning diagrams among which the dependent ones are looked for."""
_MOST_BARS = 14


def shrinking_family(group: Group) -> Family:
    """The family in which n may shrink; raises ValueError for a group that is in none."""
    family = family_of(group)
    if family is None or family.key not in SHRINKING:
        names = ", ".join(
            FAMILIES[key].python.removeprefix("tn.").format(n="n") for key in SHRINKING
        )
        raise ValueError(
            f"{group} is not one of {names}: its diagrams do not depend on an n that could shrink"
        )
    return family


def dimensions(group: Group, k: Any, l: Any) -> list[dict[str, Any]]:
    """For n around that of the group: the dimension, and how many diagrams span.

    Goes up to where all set partitions or all matchings are independent, or to the group's own n.

    >>> from tannaka.category.symmetric import S
    >>> [(row["n"], row["dimension"], row["count"]) for row in dimensions(S(2), 1, 2)]
    [(1, '1', '5'), (2, '4', '5'), (3, '5', '5'), (4, '5', '5')]
    """
    family = shrinking_family(group)
    last = max(k + l + 1, group.n)
    number = (last - family.least) // family.step + 1
    at = (group.n - family.least) // family.step
    first = max(0, min(at - _MOST_BARS // 2, number - _MOST_BARS))
    rows = []
    for place in range(first, min(first + _MOST_BARS, number)):
        n = family.least + family.step * place
        one = family.make(n)
        dimension, count = one.dimension(k, l), one.count(k, l)
        rows.append(
            {
                "n": n,
                "dimension": readable(dimension),
                "count": readable(count),
                "share": dimension / count if count else 1.0,
                "independent": dimension == count,
            }
        )
    return rows


@lru_cache(maxsize=16)
def dependent(group: Group, k: Any, l: Any) -> tuple[Any, ...]:
    """The spanning diagrams that are not in the basis; raises SizeError where they are very many.

    >>> from tannaka.category.orthogonal import O
    >>> list(map(str, dependent(O(1), 2, 2)))
    ['0 1 | 2 3', '0 2 | 1 3']
    """
    hom = Hom(group, k, l)
    if hom.count == hom.dimension:
        return ()
    if hom.count > SEARCHED:
        raise SizeError(
            f"{readable(hom.count)} diagrams span: the dependent ones are listed among at most "
            f"{SEARCHED:,}; hom.reduce(d) writes any one of them in the basis"
        )
    return tuple(diagram for diagram in hom.diagrams() if diagram not in hom.independent)
