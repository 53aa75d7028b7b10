"""Point stabilisers of a permutation group: what orbits of tuples are made of.

An orbit of m-tuples is found coordinate by coordinate: move the first to the least point of its
orbit, then the second by what still fixes the first, and so on. The result is the least tuple of
the orbit, in lexicographic order. So orbits are words in a tree of point stabilisers; they are
counted, listed and looked up there at any n and m, without n^m of anything.

Where a group comes from decides how its stabilisers are found: automorphisms of a graph by colouring
a point and asking igraph (BLISS) again, a group given by generators by SymPy's Schreier-Sims.
A group that transpositions generate is the product of the symmetric groups on its orbits, and so
are its stabilisers: no search is needed there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

Images = tuple[int, ...]
"""A permutation of 0 .. n-1, as the image of each."""
Points = NDArray[np.int64]
Move = tuple[NDArray[np.int32], NDArray[np.int32]]
"""A permutation, as the points that it moves, mostly few, and their images."""


class Search(ABC):
    """Finds pointwise stabilisers of one permutation group."""

    @abstractmethod
    def fixing(self, points: Images, inside: Stabiliser | None) -> Iterable[Images]:
        """Generators of the elements that fix all these points.

        ``inside`` are the elements that fix all of them but the last; None for the whole group.
        """


class Stabiliser:
    """The elements of a permutation group on n points that fix some of them, each by itself.

    >>> from tannaka.category.permutations import PermutationGroup
    >>> whole = PermutationGroup([(1, 2, 3, 4, 0), (0, 4, 3, 2, 1)]).stabiliser  # of a pentagon
    >>> whole.representatives, whole.after(0).representatives, whole.order
    ((0,), (0, 1, 2), 10)
    """

    def __init__(
        self,
        n: int,
        points: Images,
        search: Search,
        inside: Stabiliser | None = None,
        moves: Sequence[Move] | None = None,
    ) -> None:
        """Without ``moves``, generators are searched for inside another group when asked for."""
        self.n = n
        self.points = points
        self._search, self._inside, self._known = search, inside, moves
        self._after: dict[int, Stabiliser] = {}
        self._mapping: dict[int, Points] = {}

    @cached_property
    def _moves(self) -> Sequence[Move]:
        if self._known is not None:
            return self._known
        return moves_of(self._search.fixing(self.points, self._inside))

    @property
    def generators(self) -> tuple[Images, ...]:
        """Permutations that generate this, each once and none the identity."""
        return tuple(tuple(self._applied(number).tolist()) for number in range(len(self._moves)))

    def _applied(self, number: int, before: Points | None = None) -> Points:
        """First a generator, then the element ``before``."""
        before = np.arange(self.n) if before is None else before
        moved, images = self._moves[number]
        out = before.copy()
        out[moved] = before[images]
        return out

    @cached_property
    def _tree(self) -> tuple[list[int], list[tuple[int, int] | None]]:
        """The least point of each point's orbit; and (a point one step nearer to it, a generator)."""
        least = [-1] * self.n
        back: list[tuple[int, int] | None] = [None] * self.n
        into: list[list[tuple[int, int]]] = [[] for _ in range(self.n)]
        for number, (moved, images) in enumerate(self._moves):
            for point, image in zip(moved.tolist(), images.tolist(), strict=True):
                into[image].append((point, number))
        for start in range(self.n):
            if least[start] >= 0:
                continue
            least[start] = start
            found = deque([start])
            while found:
                point = found.popleft()
                for other, number in into[point]:
                    if least[other] < 0:
                        # Generator ``number`` takes ``other`` to ``point``.
                        least[other], back[other] = start, (point, number)
                        found.append(other)
        return least, back

    @property
    def least(self) -> list[int]:
        """The least point of the orbit of each point."""
        return self._tree[0]

    @cached_property
    def representatives(self) -> Images:
        """The least point of each orbit, in increasing order."""
        return tuple(v for v, first in enumerate(self.least) if v == first)

    @cached_property
    def lengths(self) -> dict[int, int]:
        """How many points the orbit of each representative has."""
        found = dict.fromkeys(self.representatives, 0)
        for first in self.least:
            found[first] += 1
        return found

    @property
    def trivial(self) -> bool:
        """Whether only the identity is here."""
        return not self._moves

    @cached_property
    def symmetric(self) -> bool:
        """Whether transpositions generate this: a product of symmetric groups on the orbits."""
        return all(len(moved) == 2 for moved, _ in self._moves)

    def after(self, point: int) -> Stabiliser:
        """The elements that fix this representative too."""
        if self.lengths[point] == 1:
            return self
        if point not in self._after:
            points = (*self.points, point)
            swaps = self._transpositions(without=point) if self.symmetric else None
            self._after[point] = Stabiliser(self.n, points, self._search, self, swaps)
        return self._after[point]

    def _transpositions(self, without: int) -> list[Move]:
        """The transpositions of neighbours in each orbit, one point left out."""
        found, last = [], dict.fromkeys(self.representatives, -1)
        for v, first in enumerate(self.least):
            if v == without:
                continue
            if last[first] >= 0:
                pair = np.array([last[first], v], dtype=np.int32)
                found.append((pair, pair[::-1]))
            last[first] = v
        return found

    def mapping(self, point: int) -> Points:
        """An element, as images, that takes a point to the least one of its orbit."""
        steps, at = [], point
        while at not in self._mapping and (edge := self._tree[1][at]) is not None:
            steps.append((at, edge[1]))
            at = edge[0]
        element = self._mapping.setdefault(at, np.arange(self.n))
        for at, number in reversed(steps):
            element = self._mapping[at] = self._applied(number, element)
        return element

    def _chain(self) -> Iterator[tuple[Stabiliser, int]]:
        """Ever smaller stabilisers down to a symmetric one, each with the point that is fixed next."""
        here = self
        while not here.symmetric:
            point = max(here.representatives, key=here.lengths.__getitem__)
            yield here, point
            here = here.after(point)
        yield here, -1

    @cached_property
    def order(self) -> int:
        """How many elements there are, exactly."""
        *chain, (last, _) = self._chain()
        cosets = prod(here.lengths[point] for here, point in chain)
        return cosets * prod(map(factorial, last.lengths.values()))

    def sample(self, rng: np.random.Generator) -> Points:
        """A uniformly random element, as images."""
        *chain, (last, _) = self._chain()
        images = np.arange(self.n)
        for first in last.representatives:
            orbit = np.flatnonzero(np.array(last.least) == first)
            images[orbit] = rng.permutation(orbit)
        for here, point in reversed(chain):
            orbit = np.flatnonzero(np.array(here.least) == point)
            # First an element that fixes the point, then one that takes it anywhere in its orbit.
            images = np.argsort(here.mapping(int(rng.choice(orbit))))[images]
        return images

    def descend(self, points: Sequence[int]) -> Stabiliser:
        """The elements that fix all these points, which make the least tuple of their orbit."""
        here = self
        for point in points:
            here = here.after(point)
        return here

    def orbit(self, least: Sequence[int]) -> Points:
        """All tuples in the orbit of a least tuple, as an array of shape (count, m).

        >>> from tannaka.category.permutations import PermutationGroup
        >>> PermutationGroup([(1, 2, 0)]).stabiliser.orbit((0, 1)).tolist()
        [[0, 1], [1, 2], [2, 0]]
        """
        if not least:
            return np.zeros((1, 0), dtype=np.int64)
        first, *rest = least
        inner = self.after(first).orbit(rest)
        rows = np.concatenate([np.full((len(inner), 1), first), inner], axis=1)
        moved = [
            np.argsort(self.mapping(int(point)))[rows]
            for point in np.flatnonzero(np.array(self.least) == first)
        ]
        return np.concatenate(moved)

    def size(self, least: Sequence[int]) -> int:
        """How many tuples are in the orbit of a least tuple."""
        found, here = 1, self
        for point in least:
            found *= here.lengths[point]
            here = here.after(point)
        return found

    def canonical(self, tuples: Points) -> Points:
        """The least tuple of the orbit of each row of an array of shape (count, m).

        >>> from tannaka.category.permutations import PermutationGroup
        >>> square = PermutationGroup([(1, 2, 3, 0), (0, 3, 2, 1)]).stabiliser
        >>> square.canonical(np.array([[2, 1], [3, 1]])).tolist()
        [[0, 1], [0, 2]]
        """
        out = np.array(tuples, dtype=np.int64)
        self._canonical(out)
        return out

    def _canonical(self, rows: Points) -> None:
        """The same in place."""
        if self.trivial or not rows.size:
            return
        first = np.array(self.least)[rows[:, 0]]
        for point in np.unique(rows[:, 0]):
            if point != self.least[point]:
                chosen = rows[:, 0] == point
                rows[chosen] = self.mapping(int(point))[rows[chosen]]
        for representative in np.unique(first):
            chosen = first == representative
            rest = rows[chosen, 1:]
            self.after(int(representative))._canonical(rest)
            rows[chosen, 1:] = rest

    def labels(self, m: int) -> tuple[NDArray[np.int32], int]:
        """The number of the orbit of every m-tuple, of shape (n,) * m, and how many there are.

        Orbits are numbered by their least tuples, so numbers first appear in increasing order.

        >>> from tannaka.category.permutations import PermutationGroup
        >>> PermutationGroup([(1, 2, 0)]).stabiliser.labels(2)[0].tolist()
        [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
        """
        if m == 0:
            return np.zeros((), dtype=np.int32), 1
        if self.trivial:
            return np.arange(self.n**m, dtype=np.int32).reshape((self.n,) * m), self.n**m
        out = np.empty((self.n,) * m, dtype=np.int32)
        total = 0
        for representative in self.representatives:
            inner, count = self.after(representative).labels(m - 1)
            for point in np.flatnonzero(np.array(self.least) == representative):
                element = self.mapping(int(point))
                moved = inner
                for axis in range(m - 1):
                    moved = moved.take(element, axis=axis)
                out[point] = moved + total
            total += count
        return out, total


def moves_of(generators: Iterable[Sequence[int]]) -> list[Move]:
    """What each permutation moves; each permutation once, and not the identity.

    >>> moves_of([(0, 2, 1), (0, 1, 2), (0, 2, 1)])
    [(array([1, 2], dtype=int32), array([2, 1], dtype=int32))]
    """
    found: dict[bytes, Move] = {}
    for images in generators:
        row = np.array(images, dtype=np.int32)
        moved = np.flatnonzero(row != np.arange(len(row))).astype(np.int32)
        if len(moved):
            found[moved.tobytes() + row[moved].tobytes()] = (moved, row[moved])
    return list(found.values())
