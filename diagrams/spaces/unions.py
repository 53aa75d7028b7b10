"""Enumerations one after the other: families that span a Hom space together."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain
from typing import Any

from tannaka.diagrams.spaces.enumeration import Enumeration


class Union(Enumeration[Any]):
    """The diagrams of several disjoint families dom -> cod, family by family.

    >>> from tannaka.diagrams.enumerate import brauer_diagrams, grood_diagrams
    >>> Union(brauer_diagrams(1, 1), grood_diagrams(1, 1, 2))
    <2 diagrams 1 -> 1: Brauer diagrams; Brauer-Grood diagrams, 2 legs>
    """

    def __init__(self, *spaces: Enumeration[Any]) -> None:
        for space in spaces:
            if not isinstance(space, Enumeration):
                raise TypeError(f"a union is of spaces such as set_partitions gives, got {space!r}")
        orders = {(space.dom, space.cod) for space in spaces}
        if len(orders) != 1:
            raise ValueError(f"a union is of spaces of one dom -> cod, got {spaces}")
        self.spaces = spaces
        ((self.dom, self.cod),) = orders

    def _total(self) -> int:
        # The last first: the largest mostly, and what is hopeless is to be refused at once.
        return sum(space.count for space in reversed(self.spaces))

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.spaces)

    def _at(self, rank: int) -> Any:
        for space in self.spaces:
            if rank < space.count:
                break
            rank -= space.count
        return space[rank]

    def _rank(self, diagram: Any) -> int | None:
        before = 0
        for space in self.spaces:
            if diagram in space:
                return before + space.index(diagram)
            before += space.count
        return None

    def _draw(self, rng: random.Random) -> Any:
        # Not rng.choices, whose weights are floats: counts overflow them.
        number = rng.randrange(self.count)
        for space in self.spaces:
            if number < space.count:
                break
            number -= space.count
        return space.sample(rng)

    def _conditions(self) -> str:
        return "; ".join(space._conditions() for space in self.spaces)
