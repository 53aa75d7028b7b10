"""Brauer-Grood diagrams: a perfect matching and one determinant vertex, for SO(n)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Any, Self

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram, Terms, listed_pairs, listed_vertices, order, single
from tannaka.diagrams.pictures.sketch import Sketch
from tannaka.diagrams.signs import check_product, oriented, sign


@dataclass(frozen=True, slots=True)
class Grood(Diagram):
    """A Brauer-Grood diagram dom -> cod: n vertices on a determinant, the others in pairs.

    ``legs`` are the n vertices of the determinant vertex, ``pairs`` the edges (a, b) between the
    others. Its matrix for SO(n), of shape (n**cod, n**dom), is the Levi-Civita symbol of the
    indices at the legs, in their order, where the indices at the two ends of each edge agree, and
    0 elsewhere. So an even permutation of the legs changes nothing, and an odd one the sign: legs
    are kept in increasing order, or with the first two exchanged where their order was odd.
    The category has the Brauer diagrams and, for one n, these: identities, swaps, cups and caps
    are Brauer diagrams.
    Source: arXiv:2212.08630, the Brauer-Grood spanning set of Hom_{SO(n)}(V^k, V^l), which draws
    the legs as free vertices; arXiv:2304.14144, the Brauer-Grood category.

    Raises ValueError unless there is a leg and every vertex is a leg or lies on exactly one edge.

    >>> f = Grood(2, 1, (0, 1, 2), ())
    >>> str(f), f.n
    ('[0 1 2]', 3)
    >>> Grood(2, 1, (2, 0, 1), ()) == f, Grood(2, 1, (2, 1, 0), ())
    (True, Grood(dom=2, cod=1, legs=(1, 0, 2), pairs=()))
    >>> print(f.dagger() >> f)
    2 (0 1)
    """

    dom: int
    cod: int
    legs: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "dom", order("dom", self.dom))
        object.__setattr__(self, "cod", order("cod", self.cod))
        legs = listed_vertices("legs", self.legs)
        edges = listed_pairs(self.pairs)
        for edge in edges:
            if len(edge) != 2:
                raise ValueError(f"a Grood diagram joins vertices in pairs, got {edge}")
        if not legs:
            raise ValueError("a Grood diagram has a determinant vertex with at least one leg")
        size = self.dom + self.cod
        if sorted([*legs, *(v for edge in edges for v in edge)]) != list(range(size)):
            raise ValueError(
                f"legs {legs} and pairs {edges} do not cover the {size} vertices of a diagram "
                f"{self.dom} -> {self.cod}: each of 0..{size - 1} must be a leg or stand in one pair"
            )
        object.__setattr__(self, "legs", oriented(legs))
        object.__setattr__(self, "pairs", tuple(sorted((min(e), max(e)) for e in edges)))

    @classmethod
    def plain(cls) -> type[Diagram]:
        """Identities, swaps, cups and caps are Brauer diagrams."""
        return Brauer

    @classmethod
    def determinant(cls, dom: int, cod: int) -> Self:
        """The determinant vertex alone, all dom + cod vertices its legs, in their order.

        >>> Grood.determinant(2, 1)
        Grood(dom=2, cod=1, legs=(0, 1, 2), pairs=())
        """
        return cls(dom, cod, tuple(range(order("dom", dom) + order("cod", cod))), ())

    @classmethod
    def from_blocks(
        cls, dom: int, cod: int, blocks: Iterable[Iterable[int]], legs: Iterable[int] = ()
    ) -> Self:
        """Build from the edges, in any order, and the legs, whose order gives the sign."""
        return cls(dom, cod, tuple(legs), tuple(map(tuple, blocks)))  # type: ignore[arg-type]

    @property
    def n(self) -> int:
        """How many legs the determinant vertex has: the n of SO(n)."""
        return len(self.legs)

    @property
    def fixed(self) -> tuple[int]:
        """A determinant vertex says what n is: its number of legs."""
        return (self.n,)

    def normal(self) -> tuple[Grood, tuple[int], int]:
        """In a formal sum the legs are in increasing order, and the sign is in the coefficient."""
        ordered = tuple(sorted(self.legs))
        return type(self)(self.dom, self.cod, ordered, self.pairs), (0,), sign(self.legs)

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The edges and the legs, as sorted vertex tuples, ordered by their least vertex."""
        return tuple(sorted([*self.pairs, tuple(sorted(self.legs))]))

    def dissected(self) -> tuple[list[tuple[int, ...]], list[int | None]]:
        """The edges, then each leg's vertex alone, and the numbers of those."""
        ends: list[tuple[int, ...]] = [(v,) for v in self.legs]
        return [*self.pairs, *ends], [len(self.pairs) + i for i in range(self.n)]

    def assembled(
        self, dom: Any, cod: Any, blocks: Sequence[Sequence[int]], legs: Sequence[int | None]
    ) -> Grood | Brauer:
        """A Brauer diagram where there are no legs, else the one with legs at those vertices."""
        if not legs:
            return Brauer.from_blocks(dom, cod, blocks)
        pairs = [block for i, block in enumerate(blocks) if i not in legs]
        ends = [blocks[leg][0] for leg in legs if leg is not None]
        return type(self).from_blocks(dom, cod, pairs, ends)

    @property
    def unfolded(self) -> Brauer:
        """The Brauer diagram dom -> cod + n in which leg i ends at output cod + i."""
        cod, n = self.cod, self.n
        pairs = [
            *(tuple(v + n * (v >= cod) for v in pair) for pair in self.pairs),
            *((v + n * (v >= cod), cod + i) for i, v in enumerate(self.legs)),
        ]
        return Brauer.from_blocks(self.dom, cod + n, pairs)

    def then(self, other: Grood | Brauer) -> tuple[Grood, int]:
        """Compose with a Brauer diagram, and count the loops closed in the middle.

        With Psi the functor to matrices, of shape (n**cod, n**dom):
        Psi(other) @ Psi(self) == n**loops * Psi(composite); the legs' order takes care of the sign.
        Raises CompositionError where the product is not one diagram: 0, because two legs of one
        vertex were joined, or a sum of Brauer diagrams, because two vertices met. ``self >> other``
        gives those.
        Source: arXiv:2304.14144, the vertical composition of the Brauer-Grood category.

        >>> Grood.determinant(0, 2).then(Brauer.swap())
        (Grood(dom=0, cod=2, legs=(1, 0), pairs=()), 0)
        """
        composite, (loops,) = single(self.composites(other), lambda: f"({self}) >> ({other})")
        return composite, loops

    def tensor(self, other: Grood | Brauer) -> Grood:
        """Put a Brauer diagram to the right; the matrix is the Kronecker product of the two.

        Raises CompositionError where both have a determinant vertex; ``self @ other`` multiplies
        them out.

        >>> Grood.determinant(0, 1) @ Brauer.identity(1)
        Grood(dom=1, cod=2, legs=(0,), pairs=((1, 2),))
        """
        both: Grood = single(self.juxtapositions(other), lambda: f"({self}) @ ({other})")[0]
        return both

    def dagger(self) -> Self:
        """Flip upside down; the matrix is transposed.

        The legs keep their order, and so the sign (-1)**(s * (n - s)), with s legs among the
        outputs, by which increasing orders before and after the flip would differ.

        >>> Grood.determinant(1, 1).dagger()
        Grood(dom=1, cod=1, legs=(1, 0), pairs=())
        """
        flip = {
            v: v + self.dom if v < self.cod else v - self.cod for v in range(self.dom + self.cod)
        }
        pairs = tuple((flip[a], flip[b]) for a, b in self.pairs)
        return type(self)(self.cod, self.dom, tuple(flip[v] for v in self.legs), pairs)

    @staticmethod
    def _glued(first: Diagram, second: Diagram) -> Terms:
        (lower, a), (upper, b) = _unfolded(first), _unfolded(second)
        whole, loops = lower.then(upper @ Brauer.identity(a))
        return _folded(whole, b, a, loops)

    @staticmethod
    def _beside(left: Diagram, right: Diagram) -> Terms:
        (first, a), (second, b) = _unfolded(left), _unfolded(right)
        rest = Brauer.identity(left.cod) @ Brauer.swap(a, right.cod) @ Brauer.identity(b)
        whole, _ = (first @ second).then(rest)
        return _folded(whole, a, b, 0)

    def sketch(self) -> Sketch:
        """Strands along the edges, and a leg to each vertex of the determinant."""
        blocks = tuple(sorted([*self.pairs, *((v,) for v in self.legs)]))
        return Sketch(self.cod, self.dom, blocks, determinants=(self.legs,))

    def _parts(self, at: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
        return [[at[v] for v in pair] for pair in self.pairs], [at[v] for v in self.legs]

    @classmethod
    def _from_parts(
        cls, dom: int, cod: int, blocks: list[list[int]], legs: list[int | None]
    ) -> Self:
        ends = [leg for leg in legs if leg is not None]
        if len(ends) < len(legs):
            raise ValueError(f"every leg of a {cls.__name__} ends at a vertex, got legs {legs}")
        return cls.from_blocks(dom, cod, blocks, ends)


def _unfolded(diagram: Diagram) -> tuple[Brauer, int]:
    """As a Brauer diagram with its legs as last outputs, and how many those are."""
    if isinstance(diagram, Grood):
        return diagram.unfolded, diagram.n
    assert isinstance(diagram, Brauer)
    return diagram, 0


def _folded(whole: Brauer, a: int, b: int, loops: int) -> Terms:
    """Undo the unfolding: the last a + b outputs are the legs of one vertex, then of another."""
    cod = whole.cod - a - b
    partner = {v: w for pair in whole.pairs for v, w in (pair, pair[::-1])}
    one, other = range(cod, cod + a), range(cod + a, cod + a + b)

    def renumbered(v: int) -> int:
        return v if v < cod else v - a - b

    if any(partner[v] in legs for legs in (one, other) for v in legs):
        return {}
    outer = [pair for pair in whole.pairs if not any(v in one or v in other for v in pair)]
    pairs = tuple((renumbered(v), renumbered(w)) for v, w in outer)
    if not a or not b:
        legs = tuple(renumbered(partner[v]) for v in (*one, *other))
        return {(Grood(whole.dom, cod, legs, pairs), (loops,)): 1}
    # Two Levi-Civita symbols are a determinant of deltas. Joined legs give r!, the others a signed
    # sum over the ways to join them. Source: arXiv:2304.14144; the order of legs brings two signs.
    joined = [(v, partner[v]) for v in one if partner[v] in other]
    free_one = [v for v in one if partner[v] not in other]
    free_other = [v for v in other if partner[v] not in one]
    check_product(a, len(free_one))
    scale = factorial(len(joined))
    scale *= sign([*free_one, *(v for v, _ in joined)])
    scale *= sign([*free_other, *(w for _, w in joined)])
    ends = [renumbered(partner[v]) for v in free_one]
    terms: dict[Any, int] = defaultdict(int)
    for images in permutations(range(len(free_other))):
        edges = [(v, renumbered(partner[free_other[i]])) for v, i in zip(ends, images, strict=True)]
        terms[Brauer(whole.dom, cod, (*pairs, *edges)), (loops,)] += scale * sign(images)
    return {key: value for key, value in terms.items() if value}
