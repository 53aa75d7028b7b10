"""Brauer diagrams: perfect matchings, the morphisms of the Brauer category, for O(n)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tannaka.diagrams.diagram import (
    Diagram,
    check_category,
    check_composable,
    listed_pairs,
    order,
    single,
)
from tannaka.diagrams.partition import SetPartition


@dataclass(frozen=True, slots=True)
class Brauer(Diagram):
    """A Brauer diagram dom -> cod: a perfect matching of outputs 0..cod-1, then inputs.

    ``pairs`` lists the edges (a, b) with a < b, in increasing order of a. Edges may be given in
    any order and direction; they are brought into this form.

    Its matrix for O(n), of shape (n**cod, n**dom), is 1 where the indices at the two ends of each
    edge agree and 0 elsewhere.
    Source: arXiv:2212.08630, the Brauer spanning set of Hom_{O(n)}(V^k, V^l).

    Raises ValueError unless every vertex lies on exactly one edge; there is no diagram at all when
    dom + cod is odd.

    >>> Brauer(2, 2, [(2, 0), (1, 3)])
    Brauer(dom=2, cod=2, pairs=((0, 2), (1, 3)))
    >>> str(Brauer.cup() >> Brauer.cap())
    'n (∅)'
    """

    dom: int
    cod: int
    pairs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "dom", order("dom", self.dom))
        object.__setattr__(self, "cod", order("cod", self.cod))
        size = self.dom + self.cod
        edges = listed_pairs(self.pairs)
        for edge in edges:
            if len(edge) != 2:
                raise ValueError(f"a Brauer diagram joins vertices in pairs, got {edge}")
        ends = sorted(v for edge in edges for v in edge)
        if ends != list(range(size)):
            raise ValueError(
                f"pairs {edges} is not a perfect matching of the {size} vertices of a diagram "
                f"{self.dom} -> {self.cod}: each of 0..{size - 1} must stand in exactly one pair"
            )
        object.__setattr__(self, "pairs", tuple(sorted((min(e), max(e)) for e in edges)))

    @classmethod
    def _made(cls, dom: int, cod: int, pairs: tuple[tuple[int, int], ...]) -> Self:
        """Build from edges that are in order by construction; nothing looks at them again."""
        made = object.__new__(cls)
        object.__setattr__(made, "dom", dom)
        object.__setattr__(made, "cod", cod)
        object.__setattr__(made, "pairs", pairs)
        return made

    @classmethod
    def from_blocks(cls, dom: int, cod: int, blocks: Iterable[Iterable[int]]) -> Self:
        """Build from the edges, in any order."""
        return cls(dom, cod, tuple(map(tuple, blocks)))  # type: ignore[arg-type]

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The edges, each a sorted pair of vertices."""
        return self.pairs

    @property
    def partition(self) -> SetPartition:
        """The same diagram as a set partition into blocks of size two."""
        return SetPartition.from_blocks(self.dom, self.cod, self.pairs)

    def then(self, other: Self) -> tuple[Self, int]:
        """Compose, and count the loops closed in the middle.

        With Phi the functor to matrices, of shape (n**cod, n**dom):
        Phi(other) @ Phi(self) == n**loops * Phi(composite).
        Raises CompositionError unless ``other.dom == self.cod``.
        Source: arXiv:2304.14144, the vertical composition of the Brauer category.

        >>> Brauer.cup().then(Brauer.cap())
        (Brauer(dom=0, cod=0, pairs=()), 1)
        """
        if type(other) is not type(self) or other.dom != self.cod:
            check_composable(self, other)
            composite, (closed,) = single(self.composites(other), lambda: f"({self}) >> ({other})")
            return composite, closed
        # The other's vertices keep their numbers, this diagram's come after them; its outputs and
        # the other's inputs are one row, the middle. Paths run from end to end through the middle.
        top, middle, bottom = other.cod, self.cod, self.dom
        above, below = [-1] * (top + middle), [-1] * (middle + bottom)
        for a, b in other.pairs:
            above[a], above[b] = b, a
        for a, b in self.pairs:
            below[a], below[b] = b, a
        fresh = [True] * middle
        found = [-1] * (top + bottom)
        pairs = []
        for start in range(top + bottom):
            if found[start] >= 0:
                continue
            upper = start < top
            at = above[start] if upper else below[start - top + middle]
            while True:
                # Here ``at`` is where an edge of the upper, or the lower, diagram has led.
                if upper:
                    if at < top:
                        break
                    fresh[at - top] = False
                    at, upper = below[at - top], False
                else:
                    if at >= middle:
                        at += top - middle
                        break
                    fresh[at] = False
                    at, upper = above[at + top], True
            found[at] = start
            pairs.append((start, at))
        loops = 0
        for start in range(middle):
            if fresh[start]:
                loops += 1
                at = start
                while fresh[at]:
                    fresh[at] = False
                    at = below[at]
                    fresh[at] = False
                    at = above[at + top] - top
        return self._made(bottom, top, tuple(pairs)), loops

    def tensor(self, other: Self) -> Self:
        """Put ``other`` to the right; its matrix is the Kronecker product of the two.

        >>> Brauer.identity(1) @ Brauer.identity(1) == Brauer.identity(2)
        True
        """
        check_category(self, other)
        if type(other) is not type(self):
            both: Self = single(self.juxtapositions(other), lambda: f"({self}) @ ({other})")[0]
            return both
        blocks = self.partition.tensor(other.partition).blocks
        return type(self).from_blocks(self.dom + other.dom, self.cod + other.cod, blocks)

    def dagger(self) -> Self:
        """Flip upside down; the matrix is transposed.

        >>> Brauer.cup().dagger() == Brauer.cap()
        True
        """
        flipped = self.partition.dagger()
        return type(self).from_blocks(flipped.dom, flipped.cod, flipped.blocks)
