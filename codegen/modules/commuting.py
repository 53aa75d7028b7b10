"""What commutes with a group besides linear maps: how its elements act on the entries of features.

Elements move entries, or change their signs too, or add them up. Functions of each entry by itself
commute with the first, odd ones with the second, and of the third with linear ones alone. Source:
Pacini, Dong, Lepri and Santin, arXiv:2401.09235, the characterization theorem for point-wise
activations; for finite groups Wood and Shawe-Taylor, Discrete Applied Mathematics 69 (1996).
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from typing import Any

from tannaka.category.alternating import A
from tannaka.category.groups import Group, MatrixGroup
from tannaka.category.hyperoctahedral import H
from tannaka.category.orthogonal import SO, O
from tannaka.category.permutations import PermutationGroup
from tannaka.category.product import Product
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.codegen.network import after, word


class Action(IntEnum):
    """How group elements act on the entries of a tensor."""

    MOVED = 0
    """Each entry moves to a place, or stays."""
    SIGNED = 1
    """Each entry moves to a place, and may change its sign."""
    MIXED = 2
    """Entries are added up."""


ODD = frozenset({"softsign", "tanh"})
"""The functions with f(-x) = -f(x) among those that are known by name."""


def factors(group: Group) -> tuple[MatrixGroup, ...]:
    """The group that acts on the axes of each type."""
    found: Any = group.factors if isinstance(group, Product) else (group,)
    return tuple(found)


def action(group: Group, order: Any) -> Action:
    """How elements of the group act on the entries of features of an order, or word of types.

    >>> action(S(5), 2).name, action(H(3), 2).name, action(O(3), 0).name, action(O(3), 1).name
    ('MOVED', 'SIGNED', 'MOVED', 'MIXED')
    >>> action(O(1), 1).name, action(O(1), 2).name  # 1 and -1
    ('SIGNED', 'MOVED')
    """
    found = Action.MOVED
    for kind, times in Counter(word(order)).items():
        found = max(found, _of_axes(factors(group)[kind], times))
    return found


def _of_axes(factor: MatrixGroup, times: int) -> Action:
    """The action on the entries of a tensor with so many axes, all of one type."""
    if isinstance(factor, S | A | PermutationGroup) or (isinstance(factor, SO) and factor.n == 1):
        return Action.MOVED
    if factor.n == 1 and isinstance(factor, O | H):
        return Action.SIGNED if times % 2 else Action.MOVED
    return Action.SIGNED if isinstance(factor, H) else Action.MIXED


def without_norm(group: Group, order: Any) -> MatrixGroup | None:
    """The factor that does not keep the sum of the squares of all entries, where there is one.

    >>> print(without_norm(O(3), 2), without_norm(Sp(4), 1), without_norm(Sp(4), 0))
    None Sp(4) None
    """
    # Sp(n) is not compact: it keeps areas, and no length.
    return next(
        (factors(group)[kind] for kind in word(order) if isinstance(factors(group)[kind], Sp)), None
    )


def worse(group: Group, order: Any, allowed: Action) -> tuple[MatrixGroup, str] | None:
    """A factor that acts on features in a worse way than allowed, and where; None where none does.

    >>> worse(S(4) * O(3), (0, 1, 1), Action.SIGNED)
    (O(3), 'entries along axes 1 and 2 of order (0, 1, 1)')
    """
    types = word(order)
    for kind, times in Counter(types).items():
        if _of_axes(factors(group)[kind], times) > allowed:
            places = [str(axis) for axis, other in enumerate(types) if other == kind]
            axes = f"along ax{'i' if len(places) == 1 else 'e'}s {' and '.join(places)} "
            return factors(group)[
                kind
            ], f"entries {axes * isinstance(group, Product)}of order {order}"
    return None


def no_constant(group: Group, order: Any) -> str | None:
    """Why the tensor whose entries are all 1 is not kept by the group; None where it is.

    >>> print(no_constant(S(5), 2))
    None
    >>> print(no_constant(O(3), 1))
    O(3) does not keep entries of order 1 that are all equal
    """
    found = worse(group, order, Action.MOVED)
    return found and f"{found[0]} does not keep {found[1]} that are all equal"


def no_pointwise(group: Group, order: Any, *, odd: bool) -> str | None:
    """Why a nonlinear function of each entry by itself does not commute; None where it does.

    >>> print(no_pointwise(S(5), 2, odd=False))
    None
    >>> print(no_pointwise(H(3), 1, odd=False))
    H(3) changes signs of entries of order 1, and only odd functions commute with that
    >>> print(no_pointwise(O(3), 2, odd=True))
    O(3) adds up entries of order 2, and only linear functions commute with that (arXiv:2401.09235)
    """
    if found := worse(group, order, Action.SIGNED):
        return (
            f"{found[0]} adds up {found[1]}, and only linear functions commute with that "
            "(arXiv:2401.09235)"
        )
    found = None if odd else worse(group, order, Action.MOVED)
    return (
        found
        and f"{found[0]} changes signs of {found[1]}, and only odd functions commute with that"
    )


def no_norm(group: Group, order: Any, each: Any) -> str | None:
    """Why features have no lengths, one for each index of their first axes; None where they have.

    >>> print(no_norm(S(4) * O(3), (0, 1), (0,)))
    None
    >>> print(no_norm(Sp(4), 2, 0))
    Sp(4) does not keep the length of features of order 2
    >>> print(no_norm(O(3), 2, 1))
    O(3) adds up entries of order 1, which have no lengths of their own
    """
    factor = without_norm(group, after(order, each))
    if factor is not None:
        return f"{factor} does not keep the length of features of order {order}"
    found = worse(group, each, Action.SIGNED)
    return found and f"{found[0]} adds up {found[1]}, which have no lengths of their own"


def contains(larger: Group, smaller: Group) -> bool:
    """Whether the elements of one group are elements of another, by what they are.

    What commutes with the larger then commutes with the smaller.

    >>> contains(O(3), SO(3)), contains(S(4), A(4)), contains(H(4), S(4)), contains(S(4), O(4))
    (True, True, True, False)
    """
    if larger == smaller:
        return True
    if isinstance(larger, Product) or isinstance(smaller, Product):
        ours, theirs = factors(larger), factors(smaller)
        return len(ours) == len(theirs) and all(map(contains, ours, theirs))
    if not isinstance(larger, MatrixGroup) or not isinstance(smaller, MatrixGroup):
        return False
    moving = isinstance(smaller, S | A | PermutationGroup)
    if isinstance(larger, S) and larger.open:
        return moving
    if larger.n != smaller.n:
        return False
    if isinstance(larger, O):
        return moving or isinstance(smaller, SO | H)
    if isinstance(larger, SO):
        return isinstance(smaller, A)
    if isinstance(larger, H):
        return moving
    return isinstance(larger, S) and moving
