"""Words of partners: the enumerations of Brauer, Brauer-Grood and walled Brauer diagrams.

The first free vertex chooses its partner among the other free ones. Where chains of edges are
bounded, a state holds the piles of patience sorting too: for each length, how many free vertices
stand left of the least right end of a chain of that length.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import (
    count_grood_diagrams,
    count_walled_brauer_diagrams,
    integer_partitions,
    shapes_with_odd_rows,
    standard_tableaux,
)
from tannaka.diagrams.diagram import bound, natural, order
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.spaces.automaton import Automaton, Move
from tannaka.diagrams.spaces.enumeration import D
from tannaka.diagrams.spaces.tableaux import (
    matching_of_tableau,
    permutation_of_tableaux,
    random_tableau,
)
from tannaka.diagrams.walled import WalledBrauer

Edges = tuple[tuple[int, int], ...]
Piles = tuple[int, ...]
Shape = tuple[int, ...]


class _Chains(Automaton[D]):
    """Matchings whose chains of pairwise non-nesting edges have at most ``chain`` edges, if given.

    By the Robinson-Schensted correspondence they are pairs of tableaux with at most that many rows
    (transposed, as we have them); so a random one is found at sizes where the states of the
    automaton are far too many.
    """

    chain: int | None

    @cached_property
    def _most(self) -> int | None:
        """The bound on chains, None where it bounds nothing."""
        return None if self.chain is None or self.chain >= self._steps else self.chain

    def _chosen(self, piles: Piles, place: int, gone: int) -> Piles | None:
        """The piles after an edge to the free vertex at ``place``; None where a chain is too long.

        ``gone`` free vertices in front leave with it: its left end, where that is free too.
        """
        if self._most is None:
            return ()
        length = bisect_left(piles, place + 1)
        if length >= self._most:
            return None
        ends = (*piles[:length], place, *piles[length + 1 :])
        return tuple(max(end - gone - (end > place), 0) for end in ends)

    def _room(self, free: int, piles: Piles) -> bool:
        """Whether the last free vertex can still be a right end; then nested edges do for all."""
        return self._most is None or not free or bisect_left(piles, free) < self._most

    @abstractmethod
    def _shapes(self, most: int) -> Iterator[tuple[Shape, int]]:
        """The shapes with at most so many rows, and how many diagrams have each."""

    @abstractmethod
    def _of_shape(self, shape: Shape, rng: random.Random) -> D:
        """A uniformly random diagram of this shape."""

    @cached_property
    def _weights(self) -> tuple[list[Shape], list[int]]:
        found = list(self._shapes(self._most or 0))
        return [shape for shape, _ in found], list(accumulate(weight for _, weight in found))

    def _draw(self, rng: random.Random) -> D:
        if self._most is None:
            return super()._draw(rng)
        shapes, sums = self._weights
        return self._of_shape(shapes[bisect_right(sums, rng.randrange(sums[-1]))], rng)


class _Matchings(_Chains[D]):
    """Perfect matchings of the vertices and n more points at the right, to which legs lead in order.

    A state holds how many vertices are free, how many legs are to come, and the piles.
    """

    def __init__(self, dom: int, cod: int, n: int, chain: int | None) -> None:
        self.dom, self.cod = order("dom", dom), order("cod", cod)
        self.n = n
        self.chain = None if chain is None else bound("chain", chain)

    def _total(self) -> int:
        return count_grood_diagrams(self.size, self.n, self.chain)

    @property
    def _steps(self) -> int:
        return (self.size + self.n) // 2

    @property
    def _start(self) -> Any:
        return self.size, self.n, ()

    def _moves(self, state: Any) -> Sequence[Move]:
        free, legs, piles = state
        moves = []
        for place in range(1, free + (legs > 0) if free else 0):
            left = self._chosen(piles, place, 1)
            if left is not None:
                # A leg ends at the first of the further points, whose place is after all free ones.
                leg = place == free
                moves.append((place, (free - 2 + leg, legs - leg, left)))
        return moves

    def _viable(self, left: int, state: Any) -> bool:
        free, legs, piles = state
        if free < legs or free + legs != 2 * left:
            return False
        if not legs:
            return self._room(free, piles)
        # All edges so far and all legs to come are one chain; then pairs nest right of the legs.
        return self._most is None or len(piles) + legs <= self._most

    def _accepts(self, state: Any) -> bool:
        free, legs, _ = state
        return not free and not legs

    @abstractmethod
    def _diagram(self, edges: Sequence[tuple[int, int]]) -> D:
        """The diagram of the sorted edges, those to further points among them."""

    def _build(self, word: Sequence[int]) -> D:
        free, edges = list(range(self.size + self.n)), []
        for place in word:
            b = free.pop(place)
            edges.append((free.pop(0), b))
        return self._diagram(edges)

    def _places(self, edges: Sequence[tuple[int, int]]) -> list[int]:
        """The word of sorted edges: the inverse of :meth:`_build`."""
        free, word = list(range(self.size + self.n)), []
        for _, b in edges:
            word.append(free.index(b))
            del free[word[-1]], free[0]
        return word

    def _shapes(self, most: int) -> Iterator[tuple[Shape, int]]:
        for shape in shapes_with_odd_rows(self.size, self.n, most):
            yield shape, standard_tableaux(shape)

    def _of_shape(self, shape: Shape, rng: random.Random) -> D:
        return self._diagram(matching_of_tableau(random_tableau(shape, rng)))


class BrauerDiagrams(_Matchings[Brauer]):
    """See :func:`brauer_diagrams`."""

    def __init__(self, dom: int, cod: int, chain: int | None) -> None:
        super().__init__(dom, cod, 0, chain)

    def __iter__(self) -> Iterator[Brauer]:
        if self._most is not None or self.size % 2:
            yield from super().__iter__()
            return
        for edges in matchings(self.size):
            yield Brauer._made(self.dom, self.cod, edges)

    def _diagram(self, edges: Sequence[tuple[int, int]]) -> Brauer:
        return Brauer._made(self.dom, self.cod, tuple(edges))

    def _word(self, diagram: Any) -> Sequence[int] | None:
        orders = (self.dom, self.cod)
        if not isinstance(diagram, Brauer) or (diagram.dom, diagram.cod) != orders:
            return None
        return self._places(diagram.pairs)

    def _conditions(self) -> str:
        return ", ".join(["Brauer diagrams", *_bounded(self.chain)])


class GroodDiagrams(_Matchings[Grood]):
    """See :func:`grood_diagrams`."""

    def __init__(self, dom: int, cod: int, n: int, chain: int | None) -> None:
        super().__init__(dom, cod, natural("n", n, least=1, what="a number of legs"), chain)

    def _diagram(self, edges: Sequence[tuple[int, int]]) -> Grood:
        legs = tuple(a for a, b in edges if b >= self.size)
        pairs = tuple((a, b) for a, b in edges if b < self.size)
        return Grood(self.dom, self.cod, legs, pairs)

    def _word(self, diagram: Any) -> Sequence[int] | None:
        orders = (self.dom, self.cod, self.n)
        if not isinstance(diagram, Grood) or (diagram.dom, diagram.cod, diagram.n) != orders:
            return None
        if diagram.legs != tuple(sorted(diagram.legs)):
            return None
        legs = ((leg, self.size + i) for i, leg in enumerate(diagram.legs))
        return self._places(sorted([*diagram.pairs, *legs]))

    def _conditions(self) -> str:
        return ", ".join([f"Brauer-Grood diagrams, {self.n} legs", *_bounded(self.chain)])


class WalledBrauerDiagrams(_Chains[WalledBrauer]):
    """See :func:`walled_brauer_diagrams`. Each target chooses among the free sources."""

    def __init__(self, dom: Any, cod: Any, chain: int | None) -> None:
        self.dom, self.cod = WalledBrauer.word("dom", dom), WalledBrauer.word("cod", cod)
        self.chain = None if chain is None else bound("chain", chain)
        ends = [(kind == "V", v) for v, kind in enumerate(self.cod)]
        ends += [(kind != "V", len(self.cod) + v) for v, kind in enumerate(self.dom)]
        self.targets = tuple(v for target, v in ends if target)
        self.sources = tuple(v for target, v in ends if not target)

    @property
    def _even(self) -> bool:
        return len(self.targets) == len(self.sources)

    def _total(self) -> int:
        return count_walled_brauer_diagrams(len(self.targets), self.chain) if self._even else 0

    @property
    def _steps(self) -> int:
        return len(self.targets)

    @property
    def _start(self) -> Any:
        return len(self.sources), ()

    def _moves(self, state: Any) -> Sequence[Move]:
        free, piles = state
        chosen = ((place, self._chosen(piles, place, 0)) for place in range(free))
        return [(place, (free - 1, left)) for place, left in chosen if left is not None]

    def _viable(self, left: int, state: Any) -> bool:
        free, piles = state
        return free == left and self._room(free, piles)

    def _accepts(self, state: Any) -> bool:
        return self._even

    def _build(self, word: Sequence[int]) -> WalledBrauer:
        free = list(self.sources)
        return self._diagram([free.pop(place) for place in word])

    def _diagram(self, chosen: Sequence[int]) -> WalledBrauer:
        pairs = tuple(zip(self.targets, chosen, strict=True))
        return WalledBrauer(self.dom, self.cod, pairs)

    def _word(self, diagram: Any) -> Sequence[int] | None:
        words = (self.dom, self.cod)
        if not isinstance(diagram, WalledBrauer) or (diagram.dom, diagram.cod) != words:
            return None
        partner = {v: w for pair in diagram.pairs for v, w in (pair, pair[::-1])}
        free, word = list(self.sources), []
        for target in self.targets:
            word.append(free.index(partner[target]))
            del free[word[-1]]
        return word

    def _shapes(self, most: int) -> Iterator[tuple[Shape, int]]:
        for shape in integer_partitions(self._steps, most):
            yield shape, standard_tableaux(shape) ** 2

    def _of_shape(self, shape: Shape, rng: random.Random) -> WalledBrauer:
        images = permutation_of_tableaux(random_tableau(shape, rng), random_tableau(shape, rng))
        return self._diagram([self.sources[i] for i in images])

    def _conditions(self) -> str:
        return ", ".join(["walled Brauer diagrams", *_bounded(self.chain, "increasing")])


def matchings(size: int) -> Iterator[Edges]:
    """The perfect matchings of 0 .. size-1, an even number, in lexicographic order.

    >>> list(matchings(4))
    [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    """
    pending: list[Iterator[tuple[Edges, tuple[int, ...]]]] = [iter([((), tuple(range(size)))])]
    while pending:
        edges, free = next(pending[-1], (None, ()))
        if edges is None:
            pending.pop()
        elif len(free) > 2:
            pending.append(_joined(edges, free))
        else:
            yield (*edges, free) if free else edges  # type: ignore[arg-type]


def _joined(edges: Edges, free: tuple[int, ...]) -> Iterator[tuple[Edges, tuple[int, ...]]]:
    """The edges with one more, from the first free vertex to each other, and what is then free."""
    for i in range(1, len(free)):
        yield (*edges, (free[0], free[i])), free[1:i] + free[i + 1 :]


def _bounded(chain: int | None, what: str = "non-nesting") -> list[str]:
    return [] if chain is None else [f"no {chain + 1} pairwise {what} edges"]
