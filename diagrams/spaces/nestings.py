"""Brauer diagrams with few nested edges: for Sp(n), where they are the basis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import count_brauer_diagrams
from tannaka.diagrams.diagram import bound
from tannaka.diagrams.spaces.automaton import Automaton, Move
from tannaka.diagrams.spaces.matchings import BrauerDiagrams


class NestedBrauerDiagrams(BrauerDiagrams):
    """See :func:`brauer_diagrams`, with ``nest``.

    A state holds how many vertices are free, how many legs are to come (none), and for each length
    how many free vertices stand left of the right end of the innermost edge of a nest of that
    length, as far right as it may be.
    """

    def __init__(self, dom: int, cod: int, nest: int) -> None:
        super().__init__(dom, cod, None)
        self.nest = bound("nest", nest)

    def _total(self) -> int:
        return count_brauer_diagrams(self.size, nest=self.nest)

    def __iter__(self) -> Iterator[Brauer]:
        return Automaton.__iter__(self)

    def _moves(self, state: Any) -> Sequence[Move]:
        free, legs, ends = state
        moves = []
        for place in range(1, free):
            # An edge to this place lies inside the nests whose innermost edge ends right of it.
            around = sum(end > place for end in ends)
            if around < self.nest:
                kept = (*ends[:around], place, *ends[around + 1 :])
                left = tuple(end - 1 - (end > place) for end in kept)
                moves.append((place, (free - 2, legs, tuple(end for end in left if end > 0))))
        return moves

    def _viable(self, left: int, state: Any) -> bool:
        # Joining neighbours, nothing nests further, if one edge may be there at all.
        free, _, ends = state
        if free != 2 * left:
            return False
        return self._count(left, state) > 0 if ends else not free or self.nest > 0

    def _draw(self, rng: Any) -> Any:
        return self._at(rng.randrange(self.count))

    def _conditions(self) -> str:
        return f"Brauer diagrams, no {self.nest + 1} nested edges"
