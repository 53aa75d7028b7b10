"""Walled Brauer diagrams: matchings on tensors of V and its dual V*, for GL(n) and U(n)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram, check_category, check_composable, order, permuted
from tannaka.diagrams.pictures.sketch import Sketch

KINDS = ("V", "V*")
"""What an axis may be: a vector or a covector."""


@dataclass(frozen=True, slots=True)
class WalledBrauer(Diagram):
    """A walled Brauer diagram dom -> cod, where dom and cod are words in "V" and "V*".

    ``pairs`` are the edges, as in :class:`Brauer`: an edge between an output and an input joins
    axes of one kind, an edge within a row joins a V and a V*. An integer k as dom or cod stands for
    k times V.

    Its matrix for GL(n), of shape (n**len(cod), n**len(dom)), is 1 where the indices at the two
    ends of each edge agree and 0 elsewhere; elements g act on V by g and on V* by the transpose of
    the inverse of g.
    Source: Brauer-Schur-Weyl duality for mixed tensors (Koike; Turaev).

    Raises ValueError where an axis is of no kind, the pairs are no perfect matching, or an edge
    joins axes that do not fit.

    >>> f = WalledBrauer(("V", "V*"), (), [(0, 1)])
    >>> f
    WalledBrauer(dom=('V', 'V*'), cod=(), pairs=((0, 1),))
    >>> print(f.dagger() >> f)
    n (∅)
    >>> WalledBrauer(2, 0, [(0, 1)])
    Traceback (most recent call last):
    ValueError: the edge (0, 1) joins V and V in one row: an edge within a row joins V and V*
    """

    dom: tuple[str, ...]
    cod: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "dom", self.word("dom", self.dom))
        object.__setattr__(self, "cod", self.word("cod", self.cod))
        pairs = Brauer(len(self.dom), len(self.cod), self.pairs).pairs
        object.__setattr__(self, "pairs", pairs)
        kinds = self.cod + self.dom
        for a, b in pairs:
            across = a < len(self.cod) <= b
            if across != (kinds[a] == kinds[b]):
                rule = (
                    "between the rows joins axes of one kind"
                    if across
                    else "within a row joins V and V*"
                )
                where = "across" if across else "in one row"
                raise ValueError(
                    f"the edge {(a, b)} joins {kinds[a]} and {kinds[b]} {where}: an edge {rule}"
                )

    @classmethod
    def word(cls, name: str, value: Any) -> tuple[str, ...]:
        """``value`` as a word in "V" and "V*"; an integer k stands for k times V.

        >>> WalledBrauer.word("dom", 2), WalledBrauer.word("dom", ["V", "V*"])
        (('V', 'V'), ('V', 'V*'))
        """
        if isinstance(value, str) or not isinstance(value, Iterable):
            if isinstance(value, str):
                raise TypeError(f"{name} must be a tuple of 'V' and 'V*', got the text {value!r}")
            return ("V",) * order(name, value)
        word = tuple(value)
        if not all(kind in KINDS for kind in word):
            raise ValueError(f"{name} must be a tuple of 'V' and 'V*', got {word}")
        return tuple(KINDS[KINDS.index(kind)] for kind in word)

    @classmethod
    def dual(cls, word: tuple[str, ...]) -> tuple[str, ...]:
        """The word with V and V* exchanged.

        >>> WalledBrauer.dual(("V", "V", "V*"))
        ('V*', 'V*', 'V')
        """
        return tuple(KINDS[kind == "V"] for kind in cls.word("word", word))

    @classmethod
    def from_blocks(cls, dom: Any, cod: Any, blocks: Iterable[Iterable[int]]) -> Self:
        """Build from the edges, in any order."""
        return cls(dom, cod, tuple(map(tuple, blocks)))  # type: ignore[arg-type]

    @classmethod
    def permutation(cls, images: tuple[int, ...], dom: Any = None) -> Self:
        """The diagram in which output i is joined to input ``images[i]``, of the kind ``dom`` says.

        >>> WalledBrauer.permutation((1, 0), ("V", "V*")).cod
        ('V*', 'V')
        """
        images = permuted(images)
        dom = cls.word("dom", len(images) if dom is None else dom)
        if len(dom) != len(images):
            raise ValueError(f"{images} permutes {len(images)} axes, but dom {dom} has {len(dom)}")
        cod = tuple(dom[i] for i in images)
        return cls.from_blocks(dom, cod, [(i, len(dom) + j) for i, j in enumerate(images)])

    @classmethod
    def cup(cls, kind: str = "V") -> Self:
        """The cup () -> (kind, its dual)."""
        return cls.from_blocks((), (kind, *cls.dual((kind,))), [(0, 1)])

    @classmethod
    def cap(cls, kind: str = "V") -> Self:
        """The cap (kind, its dual) -> ()."""
        return cls.from_blocks((kind, *cls.dual((kind,))), (), [(0, 1)])

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The edges, each a sorted pair of vertices."""
        return self.pairs

    def kinds(self, vertices: Sequence[int]) -> tuple[str, ...]:
        """The word of the kinds of these vertices, in this order.

        >>> WalledBrauer(("V", "V*"), (), [(0, 1)]).kinds((1, 0))
        ('V*', 'V')
        """
        return tuple((self.cod + self.dom)[v] for v in vertices)

    def arranged(self, images: tuple[int, ...], dom: Any) -> Self:
        """The permutation of these kinds of axes in which output i is joined to input images[i]."""
        return self.permutation(images, dom)

    @property
    def brauer(self) -> Brauer:
        """The same edges as a Brauer diagram, the kinds of axes forgotten."""
        return Brauer(len(self.dom), len(self.cod), self.pairs)

    def then(self, other: Self) -> tuple[Self, int]:
        """Compose, and count the loops closed in the middle.

        The matrix of ``other`` times that of this diagram is n**loops times the composite's.
        Raises CompositionError unless ``other.dom == self.cod``, kind by kind.

        >>> WalledBrauer.cup().then(WalledBrauer.cap())
        (WalledBrauer(dom=(), cod=(), pairs=()), 1)
        """
        check_composable(self, other)
        composite, loops = self.brauer.then(other.brauer)
        return type(self)(self.dom, other.cod, composite.pairs), loops

    def tensor(self, other: Self) -> Self:
        """Put ``other`` to the right; its matrix is the Kronecker product of the two.

        >>> (WalledBrauer.identity(1) @ WalledBrauer.identity(("V*",))).dom
        ('V', 'V*')
        """
        check_category(self, other)
        pairs = self.brauer.tensor(other.brauer).pairs
        return type(self)(self.dom + other.dom, self.cod + other.cod, pairs)

    def dagger(self) -> Self:
        """Flip upside down; the matrix is transposed.

        >>> WalledBrauer.cup().dagger() == WalledBrauer.cap()
        True
        """
        return type(self)(self.cod, self.dom, self.brauer.dagger().pairs)

    def sketch(self) -> Sketch:
        """Arrows: a strand of V runs up, of V* down; cups run from V* to V, caps from V to V*."""
        kinds = self.cod + self.dom
        sources = {v for v, kind in enumerate(kinds) if (kind == "V") == (v >= self.top)}
        return Sketch(self.top, self.bottom, self.blocks, kinds=kinds, sources=frozenset(sources))
