"""Signs of permutations, and tuples that matter only up to even permutations."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from math import factorial
from typing import Any, TypeVar

from tannaka.diagrams.counts import readable
from tannaka.diagrams.errors import SizeError

T = TypeVar("T")
MAX_LEGS = 8
"""Most legs that two determinant vertices may have for their product to be multiplied out."""
MAX_TERMS = factorial(MAX_LEGS)
"""Most diagrams that a product of determinants is multiplied out to, in a few seconds."""


def sign(items: Sequence[Any]) -> int:
    """The sign of the permutation that sorts distinct items.

    >>> sign((0, 1, 2)), sign((1, 0, 2)), sign(())
    (1, -1, 1)
    """
    before: list[Any] = []
    odd = False
    for item in items:
        place = bisect(before, item)
        odd ^= (len(before) - place) % 2 == 1
        before.insert(place, item)
    return -1 if odd else 1


def oriented(items: Sequence[T], key: Callable[[T], Any] | None = None) -> tuple[T, ...]:
    """The items up to even permutations: sorted, the first two exchanged where that was odd.

    >>> oriented((2, 0, 1)), oriented((2, 1, 0))
    ((0, 1, 2), (1, 0, 2))
    """
    ordered = sorted(items, key=key)  # type: ignore[type-var, arg-type]
    place = {item: i for i, item in enumerate(ordered)}
    if sign([place[item] for item in items]) < 0:
        ordered[:2] = ordered[1::-1]
    return tuple(ordered)


def check_product(legs: int, free: int) -> None:
    """Refuse to multiply out two determinant vertices of very many legs, ``free`` of them unjoined."""
    if free > MAX_LEGS:
        raise SizeError(
            f"two determinant vertices with {legs} legs each, {free} of them not joined, multiply "
            f"out to {readable(factorial(free))} diagrams: at most {MAX_TERMS:,} are listed"
        )
