"""Diagrams that stand in a list: for families that are found, not counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tannaka.diagrams.spaces.enumeration import D, Enumeration


class Listed(Enumeration[D]):
    """Some distinct diagrams dom -> cod, in the order in which they are given.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> Listed(2, 2, [Brauer.swap(), Brauer.identity(2)], "permutations")[1]
    Brauer(dom=2, cod=2, pairs=((0, 2), (1, 3)))
    """

    def __init__(self, dom: Any, cod: Any, diagrams: Iterable[D], conditions: str) -> None:
        self.dom, self.cod = dom, cod
        self._diagrams = tuple(diagrams)
        self._ranks = {diagram: rank for rank, diagram in enumerate(self._diagrams)}
        self._words = conditions
        if len(self._ranks) < len(self._diagrams):
            raise ValueError("the diagrams of a list must be distinct")

    def _total(self) -> int:
        return len(self._diagrams)

    def __iter__(self) -> Iterator[D]:
        return iter(self._diagrams)

    def _at(self, rank: int) -> D:
        return self._diagrams[rank]

    def _rank(self, diagram: Any) -> int | None:
        return self._ranks.get(diagram)

    def _conditions(self) -> str:
        return self._words
