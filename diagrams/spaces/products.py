"""Products of enumerations: typed diagrams, one diagram for each type of axis."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from math import prod
from typing import Any

from tannaka.diagrams.diagram import Diagram, natural
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.typed import Typed

Family = Callable[[int, int], Enumeration[Any]]
"""All diagrams of a family by their orders: ``set_partitions``, ``brauer_diagrams``, ..."""


class TypedDiagrams(Enumeration[Typed]):
    """See :func:`typed_diagrams`. A number has a digit for each type, that of type 0 in front."""

    def __init__(self, dom: Sequence[int], cod: Sequence[int], families: Sequence[Family]) -> None:
        families = tuple(families)
        self.dom, self.cod = (
            tuple(natural(f"a type in {name}", kind, least=0, what="a type") for kind in word)
            for name, word in (("dom", dom), ("cod", cod))
        )
        for kind in chain(self.dom, self.cod):
            if kind >= len(families):
                raise ValueError(
                    f"{self.dom} -> {self.cod} names type {kind}, but there are {len(families)} "
                    "families, one for each type 0, 1, ..."
                )
        spaces = []
        for kind, family in enumerate(families):
            orders = (self.dom.count(kind), self.cod.count(kind))
            wanted = f"family {kind} must give all diagrams of given orders, as set_partitions does"
            if isinstance(family, type) or not callable(family):
                raise TypeError(f"{wanted}; got {family!r}")
            space: object = family(*orders)
            if not isinstance(space, Enumeration) or (space.dom, space.cod) != orders:
                raise TypeError(f"{wanted}; for {orders[0]} -> {orders[1]} it gave {space!r}")
            spaces.append(space)
        self.spaces: tuple[Enumeration[Any], ...] = tuple(spaces)

    def _total(self) -> int:
        return prod(space.count for space in self.spaces)

    def __iter__(self) -> Iterator[Typed]:
        # With an empty factor there is nothing, however much there is of the others.
        if all(any(True for _ in space) for space in self.spaces):
            for parts in _product(self.spaces):
                yield Typed(self.dom, self.cod, parts)

    def _at(self, rank: int) -> Typed:
        parts: list[Any] = []
        for space in reversed(self.spaces):
            rank, digit = divmod(rank, space.count)
            parts.append(space[digit])
        return Typed(self.dom, self.cod, tuple(reversed(parts)))

    def _rank(self, diagram: Any) -> int | None:
        if diagram not in self:
            return None
        rank = 0
        for space, part in zip(self.spaces, diagram.parts, strict=True):
            rank = rank * space.count + space.index(part)
        return rank

    def __contains__(self, diagram: object) -> bool:
        return (
            isinstance(diagram, Typed)
            and (diagram.dom, diagram.cod) == (self.dom, self.cod)
            and len(diagram.parts) == len(self.spaces)
            and all(part in space for space, part in zip(self.spaces, diagram.parts, strict=True))
        )

    def _draw(self, rng: random.Random) -> Typed:
        return Typed(self.dom, self.cod, tuple(space.sample(rng) for space in self.spaces))

    def _conditions(self) -> str:
        words = [f"type {kind}: {space._conditions()}" for kind, space in enumerate(self.spaces)]
        return "; ".join(["typed diagrams", *words])


def _product(spaces: Sequence[Enumeration[Any]]) -> Iterator[tuple[Diagram, ...]]:
    """As ``itertools.product``, without holding all of any factor."""
    if not spaces:
        yield ()
        return
    for first in spaces[0]:
        for rest in _product(spaces[1:]):
            yield (first, *rest)
