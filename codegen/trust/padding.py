"""Families of groups in checks: their members, and inputs of several sizes padded to one."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tannaka.category.groups import Group, MatrixGroup
from tannaka.category.product import Product
from tannaka.diagrams.diagram import natural

Array: TypeAlias = NDArray[Any]


def open_factors(group: Group) -> list[int]:
    """The types of axes whose size the group leaves open."""
    factors = group.factors if isinstance(group, Product) else (group,)
    return [t for t, one in enumerate(factors) if isinstance(one, MatrixGroup) and one.open]


def open_axes(group: Group, word: Any) -> list[bool]:
    """Which axes have the points of the family."""
    if not isinstance(group, Product):
        return [True] * word
    left = open_factors(group)
    return [kind in left for kind in word]


def at_size(group: Group, n: int) -> Group:
    """The member of a family at n; the group itself where it leaves nothing open."""
    if isinstance(group, Product):
        members = (type(one)(n) if one.open else one for one in group.factors)
        return Product(tuple(members))
    return type(group)(n) if isinstance(group, MatrixGroup) and group.open else group


def member_at(group: Group, n: int) -> Group:
    """The member at n of a family such as S(), or of a product with one; another group as it is.

    >>> from tannaka.category import O, S
    >>> member_at(S() * O(3), 5), member_at(O(3), 5)
    (S(5) x O(3), O(3))
    """
    return at_size(group, natural("n", n, least=1, what="a number of points"))


def picked(group: Group, word: Any, x: Array, points: Array) -> Array:
    """One input with the given points alone."""
    for axis, kind in enumerate(open_axes(group, word)):
        x = np.take(x, points, axis=axis) if kind else x
    return x


def drawn_mask(rng: np.random.Generator, batch: tuple[int, ...], n: int) -> Array:
    """Which points are real: some, of each input, and not all of all inputs if n > 1."""
    mask = rng.random((*batch, n)) < 0.7
    flat = mask.reshape(-1, n)
    flat[np.arange(len(flat)), rng.integers(n, size=len(flat))] = True
    if n > 1 and flat.all():
        flat[0, rng.integers(n)] = False
    return mask


def turned_mask(group: Group, member: Group, g: Any, mask: Array) -> Array:
    """The mask of inputs whose points g has moved."""
    (kind,) = open_factors(group)
    permutation = g[kind] if isinstance(member, Product) else g
    found: Array = mask @ np.asarray(permutation).T > 0.5
    return found


def real_entries(group: Group, word: Any, mask: Array) -> Array:
    """Where all points of a tensor are real; with an axis for channels."""
    kinds = open_axes(group, word)
    found = np.ones((*mask.shape[:-1], *(1,) * (len(kinds) + 1)), dtype=bool)
    for axis, kind in enumerate(kinds):
        if kind:
            sizes = [1] * len(kinds)
            sizes[axis] = mask.shape[-1]
            found = found & mask.reshape(*mask.shape[:-1], *sizes, 1)
    return found
