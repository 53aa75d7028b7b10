"""Jellyfish diagrams: a set partition and one determinant vertex on its blocks, for A(n)."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import inf
from typing import Any, Self

from tannaka.diagrams.diagram import Diagram, Terms, listed, natural, single
from tannaka.diagrams.partition import SetPartition, connected, restricted_growth
from tannaka.diagrams.pictures.sketch import Sketch
from tannaka.diagrams.signs import check_product, oriented, sign


@dataclass(frozen=True, slots=True)
class Jellyfish(Diagram):
    """A jellyfish diagram dom -> cod: a set partition, and n legs that end in different blocks.

    ``labels`` are those of a :class:`SetPartition`; ``legs`` are the numbers of the blocks in which
    the n legs of the determinant vertex end, in their order. At most one leg is None: it is free,
    it ends in no block. The matrix for A(n), of shape (n**cod, n**dom), is the Levi-Civita symbol
    of the values at the legs where the indices at the vertices of each block agree, summed over
    the value of the free leg, and 0 elsewhere. So an even permutation of the legs changes nothing,
    and an odd one the sign: legs are kept in increasing order, the free leg last, or with the first
    two exchanged where their order was odd.
    The category has the set partitions and, for one n, these: identities, swaps, cups, caps and
    spiders are set partitions.
    Source: arXiv:2301.10152, the basis of Hom_{A_n}(V^k, V^l), after Comes' jellyfish partition
    categories.

    Raises ValueError where the labels are not a restricted growth string of length cod + dom, a leg
    is no block, two legs end in one block, or two are free: those diagrams are worth 0.

    >>> f = Jellyfish(2, 1, (0, 0, 1), (0, 1, None))
    >>> str(f), f.n, f.partition
    ('0 1 | 2 [0 1 _]', 3, SetPartition(dom=2, cod=1, labels=(0, 0, 1)))
    >>> Jellyfish(1, 1, (0, 1), (1, 0)).legs, Jellyfish(1, 1, (0, 1), (0, 1)).legs
    ((1, 0), (0, 1))
    """

    dom: int
    cod: int
    labels: tuple[int, ...]
    legs: tuple[int | None, ...]

    def __post_init__(self) -> None:
        plain = SetPartition(self.dom, self.cod, self.labels)
        for name in ("dom", "cod", "labels"):
            object.__setattr__(self, name, getattr(plain, name))
        legs = tuple(
            None
            if leg is None
            else natural("each of legs", leg, least=0, what="the number of a block")
            for leg in listed("legs", self.legs, what="block numbers, None for the free leg")
        )
        blocks = len(set(self.labels))
        if not legs:
            raise ValueError("a Jellyfish has a determinant vertex with at least one leg")
        if not all(leg is None or 0 <= leg < blocks for leg in legs):
            raise ValueError(
                f"legs {legs} must be numbers of the {blocks} blocks, or None for the free leg"
            )
        if len(set(legs)) < len(legs):
            raise ValueError(
                f"legs {legs} must end in different blocks, at most one of them free: "
                "else the diagram is worth 0"
            )
        object.__setattr__(self, "legs", oriented(legs, key=_place))

    @classmethod
    def plain(cls) -> type[Diagram]:
        """Identities, swaps, cups, caps and spiders are set partitions."""
        return SetPartition

    @classmethod
    def spider(cls, dom: int, cod: int) -> SetPartition:
        """The one-block set partition dom -> cod."""
        return SetPartition.spider(dom, cod)

    @classmethod
    def determinant(cls, dom: int, cod: int) -> Self:
        """The determinant vertex alone: a leg on each of the dom + cod vertices, in their order.

        >>> Jellyfish.determinant(1, 2)
        Jellyfish(dom=1, cod=2, labels=(0, 1, 2), legs=(0, 1, 2))
        """
        size = SetPartition.word("dom", dom) + SetPartition.word("cod", cod)
        return cls(dom, cod, tuple(range(size)), tuple(range(size)))

    @classmethod
    def from_blocks(
        cls,
        dom: int,
        cod: int,
        blocks: Iterable[Iterable[int]],
        legs: Iterable[int | None] = (),
    ) -> Self:
        """Build from the blocks, in any order, and for each leg the place of its block there.

        Vertices not named are blocks of their own, without a leg.

        >>> Jellyfish.from_blocks(1, 2, [(1, 2), (0,)], [0, 1])
        Jellyfish(dom=1, cod=2, labels=(0, 1, 1), legs=(1, 0))
        """
        given = [list(block) for block in blocks]
        plain = SetPartition.from_blocks(dom, cod, given)
        ends = []
        for leg in legs:
            if leg is not None and not (0 <= operator.index(leg) < len(given) and given[leg]):
                raise ValueError(f"leg {leg} is not the place of one of the {len(given)} blocks")
            ends.append(None if leg is None else plain.labels[given[leg][0]])
        return cls(dom, cod, plain.labels, tuple(ends))

    @property
    def n(self) -> int:
        """How many legs the determinant vertex has: the n of A(n)."""
        return len(self.legs)

    @property
    def partition(self) -> SetPartition:
        """The set partition under the jellyfish."""
        return SetPartition(self.dom, self.cod, self.labels)

    @property
    def fixed(self) -> tuple[int]:
        """A determinant vertex says what n is: its number of legs."""
        return (self.n,)

    def normal(self) -> tuple[Jellyfish, tuple[int], int]:
        """In a formal sum the legs are in increasing order, and the sign is in the coefficient."""
        ordered = tuple(sorted(self.legs, key=_place))
        kept = type(self)(self.dom, self.cod, self.labels, ordered)
        return kept, (0,), sign(list(map(_place, self.legs)))

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The blocks of the set partition, as sorted vertex tuples, by their least vertex."""
        return self.partition.blocks

    def dissected(self) -> tuple[list[tuple[int, ...]], list[int | None]]:
        """The blocks and the legs."""
        return list(self.blocks), list(self.legs)

    def assembled(
        self, dom: Any, cod: Any, blocks: Sequence[Sequence[int]], legs: Sequence[int | None]
    ) -> Jellyfish | SetPartition:
        """A set partition where there are no legs, else the jellyfish with those."""
        if not legs:
            return SetPartition.from_blocks(dom, cod, blocks)
        return type(self).from_blocks(dom, cod, blocks, legs)

    @property
    def unfolded(self) -> SetPartition:
        """The set partition dom -> cod + n in which leg i ends at output cod + i."""
        ends = [("free", leg) if leg is None else leg for leg in self.legs]
        labels = [*self.labels[: self.cod], *ends, *self.labels[self.cod :]]
        return SetPartition(self.dom, self.cod + self.n, restricted_growth(labels))

    def then(self, other: Jellyfish | SetPartition) -> tuple[Jellyfish, int]:
        """Compose with a set partition, and count the blocks closed in the middle.

        The matrix of ``other`` times that of this diagram is n**closed times the composite's. A leg
        whose block closes becomes the free one. Raises CompositionError where the product is not
        one diagram: 0, because two legs ended in one block or two became free, or a sum of set
        partitions, because two determinant vertices met. ``self >> other`` gives those.
        Source: arXiv:2301.10152 and Comes, Jellyfish partition categories.

        >>> Jellyfish.determinant(0, 2).then(SetPartition(2, 1, (0, 1, 0)))
        (Jellyfish(dom=0, cod=1, labels=(0,), legs=(None, 0)), 0)
        """
        composite, (closed,) = single(self.composites(other), lambda: f"({self}) >> ({other})")
        return composite, closed

    def tensor(self, other: Jellyfish | SetPartition) -> Jellyfish:
        """Put a set partition to the right; the matrix is the Kronecker product of the two.

        Raises CompositionError where both have a determinant vertex; ``self @ other`` multiplies
        them out.

        >>> Jellyfish.determinant(0, 1) @ SetPartition.identity(1)
        Jellyfish(dom=1, cod=2, labels=(0, 1, 1), legs=(0,))
        """
        both: Jellyfish = single(self.juxtapositions(other), lambda: f"({self}) @ ({other})")[0]
        return both

    def dagger(self) -> Self:
        """Flip upside down; the matrix is transposed. Legs stay on their blocks, in their order.

        >>> Jellyfish.determinant(1, 1).dagger()
        Jellyfish(dom=1, cod=1, labels=(0, 1), legs=(1, 0))
        """
        labels = self.labels[self.cod :] + self.labels[: self.cod]
        number = dict(zip(labels, restricted_growth(labels), strict=True))
        legs = tuple(None if leg is None else number[leg] for leg in self.legs)
        return type(self)(self.cod, self.dom, restricted_growth(labels), legs)

    @staticmethod
    def _glued(first: Diagram, second: Diagram) -> Terms:
        (lower, a), (upper, b) = _unfolded(first), _unfolded(second)
        whole, closed = lower.then(upper @ SetPartition.identity(a))
        return _folded(whole, b, a, closed)

    @staticmethod
    def _beside(left: Diagram, right: Diagram) -> Terms:
        (first, a), (second, b) = _unfolded(left), _unfolded(right)
        one = SetPartition.identity
        whole, _ = (first @ second).then(one(left.cod) @ SetPartition.swap(a, right.cod) @ one(b))
        return _folded(whole, a, b, 0)

    def sketch(self) -> Sketch:
        """Strands along the blocks, and legs that end at the first vertices of theirs."""
        ends = tuple(None if leg is None else self.blocks[leg][0] for leg in self.legs)
        return Sketch(self.cod, self.dom, self.blocks, determinants=(ends,))

    def _parts(self, at: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
        return [[at[v] for v in block] for block in self.blocks], list(self.legs)

    @classmethod
    def _from_parts(
        cls, dom: int, cod: int, blocks: list[list[int]], legs: list[int | None]
    ) -> Self:
        return cls.from_blocks(dom, cod, blocks, legs)


def _place(leg: int | None) -> float:
    return inf if leg is None else leg


def _unfolded(diagram: Diagram) -> tuple[SetPartition, int]:
    """As a set partition with its legs as last outputs, and how many those are."""
    if isinstance(diagram, Jellyfish):
        return diagram.unfolded, diagram.n
    assert isinstance(diagram, SetPartition)
    return diagram, 0


def _folded(whole: SetPartition, a: int, b: int, closed: int) -> Terms:
    """Undo the unfolding: the last a + b outputs are the legs of one vertex, then of another."""
    cod, dom = whole.cod - a - b, whole.dom
    outer = whole.labels[:cod] + whole.labels[whole.cod :]
    one, other = whole.labels[cod : cod + a], whole.labels[cod + a : whole.cod]
    if len(set(one)) < a or len(set(other)) < b:
        return {}
    if not a or not b:
        labels = restricted_growth(outer)
        number = dict(zip(outer, labels, strict=True))
        legs = [number.get(leg) for leg in (*one, *other)]
        if legs.count(None) > 1:
            return {}
        return {(Jellyfish(dom, cod, labels, tuple(legs)), (closed,)): 1}
    # Two Levi-Civita symbols are a signed sum over the ways to join the legs of one with those of
    # the other; what then touches no vertex is closed.
    check_product(a, a)
    terms: dict[Any, int] = defaultdict(int)
    size = len(set(whole.labels))
    for images in permutations(range(a)):
        merged = connected(size, ((leg, other[i]) for leg, i in zip(one, images, strict=True)))
        glued = [merged[label] for label in outer]
        loops = closed + len(set(merged)) - len(set(glued))
        composite = SetPartition(dom, cod, restricted_growth(glued))
        terms[composite, (loops,)] += sign(images)
    return {key: value for key, value in terms.items() if value}
