"""Diagrams on axes of several types: one diagram for each type, for products of groups."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Self

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import (
    Diagram,
    Terms,
    check_category,
    check_composable,
    check_data,
    natural,
    single,
    text_of,
)
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.pictures.sketch import Sketch, overlaid
from tannaka.diagrams.signs import MAX_TERMS


@dataclass(frozen=True, slots=True)
class Typed(Diagram):
    """A diagram dom -> cod on typed axes: dom and cod are words of types 0, 1, ..., p - 1.

    ``parts[t]`` is a diagram, of whatever family, on the axes of type t, left to right: nothing
    joins axes of different types. For the group G_0 x ... x G_{p-1} acting on tensors whose axes
    have these types, the matrix is the Kronecker product of the parts' matrices with the axes put
    in the order of dom and cod, and a loop of type t is worth n_t, the symbol ``n0``, ``n1``, ...
    Source: arXiv:2301.10152, its section on local symmetries.

    Raises CompositionError where a part does not fit the axes of its type.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> from tannaka.diagrams.partition import SetPartition
    >>> f = Typed((0, 1, 1), (1, 0, 1), (SetPartition.identity(1), Brauer.identity(2)))
    >>> str(f)
    '1 3 || 0 4 | 2 5'
    >>> caps = Typed((0, 0, 1, 1), (), (SetPartition.cap(), Brauer.cap()))
    >>> print(caps.dagger() >> caps)
    n0 n1 (∅)
    """

    dom: tuple[int, ...]
    cod: tuple[int, ...]
    parts: tuple[Diagram, ...]

    def __post_init__(self) -> None:
        parts = tuple(self.parts)
        object.__setattr__(self, "parts", parts)
        for name in ("dom", "cod"):
            object.__setattr__(self, name, _word(name, getattr(self, name), len(parts)))
        for kind, part in enumerate(parts):
            if not isinstance(part, Diagram) or not isinstance(part.dom, int):
                raise TypeError(f"part {kind} must be a diagram on axes of one type, got {part!r}")
            wanted = (self.dom.count(kind), self.cod.count(kind))
            if (part.dom, part.cod) != wanted:
                raise CompositionError(
                    f"part {kind}, ({part}), is {part.dom} -> {part.cod}, but there are "
                    f"{wanted[0]} inputs and {wanted[1]} outputs of type {kind}"
                )

    @classmethod
    def of(
        cls,
        dom: Sequence[int],
        cod: Sequence[int],
        blocks: Iterable[Iterable[int]],
        families: Sequence[type[Diagram]],
    ) -> Self:
        """Build from blocks of vertex numbers, with a family for each type.

        Raises CompositionError for a block that joins axes of different types.

        >>> from tannaka.diagrams.partition import SetPartition
        >>> Typed.of((0, 1), (1,), [(0, 2)], (SetPartition, SetPartition)).parts[1]
        SetPartition(dom=1, cod=1, labels=(0, 0))
        """
        dom, cod = _word("dom", dom, len(families)), _word("cod", cod, len(families))
        kinds = (*cod, *dom)
        place, axes = [], Counter[int]()
        for kind in kinds:
            place.append(axes[kind])
            axes[kind] += 1
        inside: list[list[list[int]]] = [[] for _ in families]
        for block in map(list, blocks):
            for v in block:
                if not 0 <= operator.index(v) < len(kinds):
                    raise ValueError(f"vertex {v} is not one of 0..{len(kinds) - 1}")
            types = {kinds[v] for v in block}
            if len(types) != 1:
                raise CompositionError(f"the block {block} joins axes of types {sorted(types)}")
            (kind,) = types
            inside[kind].append([place[v] for v in block])
        parts = [
            family.from_blocks(dom.count(t), cod.count(t), inside[t])
            for t, family in enumerate(families)
        ]
        return cls(dom, cod, tuple(parts))

    @classmethod
    def from_blocks(cls, dom: Any, cod: Any, blocks: Any) -> Self:
        """Typed diagrams need a family for each type: see :meth:`of`."""
        raise TypeError("a typed diagram needs a family for each type: Typed.of builds it")

    @classmethod
    def identity(cls, k: Sequence[int], families: Sequence[type[Diagram]] = ()) -> Self:
        """The identity of the word k, with a family for each type.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> str(Typed.identity((0, 1, 0), (Brauer, Brauer)))
        '0 3 | 2 5 || 1 4'
        """
        k = _word("k", k, len(families))
        return cls.of(k, k, [(i, len(k) + i) for i in range(len(k))], families)

    @classmethod
    def swap(
        cls,
        k: Sequence[int] = (0,),
        l: Sequence[int] = (0,),
        families: Sequence[type[Diagram]] = (),
    ) -> Self:
        """The symmetry k + l -> l + k, which moves the word k past the word l."""
        k, l = _word("k", k, len(families)), _word("l", l, len(families))
        images = (*range(len(k), len(k) + len(l)), *range(len(k)))
        return cls.of(k + l, l + k, [(i, len(images) + j) for i, j in enumerate(images)], families)

    @property
    def category(self) -> Any:
        """The categories of the parts."""
        return Typed, tuple(part.category for part in self.parts)

    @property
    def symbols(self) -> tuple[str, ...]:
        """What a loop is worth: n0 for one of type 0, n1 for one of type 1, and so on."""
        return tuple(f"n{kind}" for kind in range(len(self.parts)))

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The numbers that determinant vertices of the parts decide."""
        return tuple(part.fixed[0] for part in self.parts)

    def normal(self) -> tuple[Typed, tuple[int, ...], int]:
        """In a formal sum every part is as it stands in a formal sum."""
        found = [part.normal() for part in self.parts]
        sign = 1
        for _, _, one in found:
            sign *= one
        kept = type(self)(self.dom, self.cod, tuple(part for part, _, _ in found))
        return kept, tuple(power for _, (power,), _ in found), sign

    def vertices(self, kind: int) -> tuple[int, ...]:
        """The vertex numbers of the axes of a type, outputs first.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> Typed.identity((0, 1, 0), (Brauer, Brauer)).vertices(1)
        (1, 4)
        """
        return tuple(v for v, other in enumerate(self.cod + self.dom) if other == kind)

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The blocks of all parts, as sorted vertex tuples, ordered by their least vertex."""
        found = []
        for kind, part in enumerate(self.parts):
            at = self.vertices(kind)
            found += [tuple(at[v] for v in block) for block in part.blocks]
        return tuple(sorted(found))

    def then(self, other: Self) -> tuple[Self, tuple[int, ...]]:
        """Compose type by type, and count the components closed in the middle, for each type.

        Raises CompositionError unless ``other.dom == self.cod``, or where two determinant vertices
        meet: ``self >> other`` multiplies them out.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> cup = Typed((), (1, 1), (Brauer.identity(0), Brauer.cup()))
        >>> cup.then(cup.dagger())[1]
        (0, 1)
        """
        check_composable(self, other)
        return single(self.composites(other), lambda: f"({self}) >> ({other})")

    def tensor(self, other: Self) -> Self:
        """Put ``other`` to the right, type by type.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> one = Typed.identity((0, 1), (Brauer, Brauer))
        >>> (one @ one).dom
        (0, 1, 0, 1)
        """
        check_category(self, other)
        both: Self = single(self.juxtapositions(other), lambda: f"({self}) @ ({other})")[0]
        return both

    def dagger(self) -> Self:
        """Flip upside down; the matrix is transposed."""
        return type(self)(self.cod, self.dom, tuple(part.dagger() for part in self.parts))

    @staticmethod
    def _glued(first: Diagram, second: Diagram) -> Terms:
        factors = [f.composites(g) for f, g in _pairs(first, second)]
        return _expanded(first.dom, second.cod, factors)

    @staticmethod
    def _beside(left: Diagram, right: Diagram) -> Terms:
        factors = [f.juxtapositions(g) for f, g in _pairs(left, right)]
        return _expanded(left.dom + right.dom, left.cod + right.cod, factors)

    def sketch(self) -> Sketch:
        """The parts over each other, strands of each type alike."""
        places = [self.vertices(kind) for kind in range(len(self.parts))]
        return overlaid([part.sketch() for part in self.parts], places, self.top, self.bottom)

    def factors_latex(self, vertices: Sequence[int]) -> Iterator[str]:
        """The factors of the parts."""
        for kind, part in enumerate(self.parts):
            yield from part.factors_latex([vertices[v] for v in self.vertices(kind)])

    def written(self, at: Sequence[object]) -> str:
        """The texts of the parts between double bars, with vertex v called ``at[v]``."""
        kinds = range(len(self.parts))
        texts = [self.parts[t].written([at[v] for v in self.vertices(t)]) for t in kinds]
        return " || ".join(texts) if not set(texts) <= {"∅"} else "∅"

    @classmethod
    def parse(cls, dom: Any, cod: Any, text: str, families: Sequence[type[Diagram]] = ()) -> Self:
        """Read a diagram back from its ``str``, with a family for each type.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> one = Typed.identity((0, 1), (Brauer, Brauer))
        >>> Typed.parse((0, 1), (0, 1), str(one), (Brauer, Brauer)) == one
        True
        """
        texts = text.split("||") if text_of(text).strip() != "∅" else ["∅"] * len(families)
        if len(texts) != len(families):
            raise ValueError(
                f"{text!r} has {len(texts)} parts, but there are {len(families)} families"
            )
        dom, cod = _word("dom", dom, len(families)), _word("cod", cod, len(families))
        kinds = (*cod, *dom)
        parts = []
        for t, family in enumerate(families):
            place = {v: i for i, v in enumerate(v for v, kind in enumerate(kinds) if kind == t)}
            # Legs of a jellyfish are numbers of blocks, ends of edges are vertices of a graph.
            body, rest = re.fullmatch(r"([^[;]*)(.*)", texts[t], re.DOTALL).groups()  # type: ignore[union-attr]
            local = _renumbered(body, place)
            local += _renumbered(rest, place) if family is Grood else rest
            parts.append(family.parse(dom.count(t), cod.count(t), local))
        return cls(dom, cod, tuple(parts))

    def to_json(self) -> dict[str, Any]:
        """The diagram as data that ``json.dumps`` takes; :meth:`from_json` reads it back."""
        parts = [part.to_json() for part in self.parts]
        return {"family": "Typed", "dom": list(self.dom), "cod": list(self.cod), "parts": parts}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a diagram back from :meth:`to_json`.

        Raises ValueError where the data is of another family or a key is missing.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> one = Typed.identity((0, 1), (Brauer, Brauer))
        >>> Typed.from_json(one.to_json()) == one
        True
        """
        check_data(data, "Typed", ("dom", "cod", "parts"))
        families: dict[str, type[Diagram]] = {
            family.__name__: family
            for family in (SetPartition, Brauer, Grood, Jellyfish, BilabelledGraph)
        }
        parts = []
        for part in data["parts"]:
            family = part.get("family") if isinstance(part, Mapping) else part
            if not isinstance(family, str) or family not in families:
                raise ValueError(f"a part may be of {', '.join(families)}, got {family!r}")
            parts.append(families[family].from_json(part))
        return cls(tuple(data["dom"]), tuple(data["cod"]), tuple(parts))


def _word(name: str, word: Any, types: int) -> tuple[int, ...]:
    """``word`` as a word in so many types, or say what is wrong with it."""
    if not isinstance(word, Iterable):
        raise TypeError(f"{name} must be a tuple of types 0, 1, ..., got {word!r}")
    kinds = tuple(natural(f"a type in {name}", kind, least=0, what="a type") for kind in word)
    if kinds and max(kinds) >= types:
        raise CompositionError(
            f"{name} {kinds} names type {max(kinds)}, but there are {types} parts: "
            "one for each type, or a family for it"
        )
    return kinds


def _renumbered(text: str, place: Mapping[int, int]) -> str:
    """The text with each vertex number replaced by its place among the vertices of its type."""

    def local(found: re.Match[str]) -> str:
        vertex = int(found[0])
        if vertex not in place:
            raise ValueError(f"vertex {vertex} is not of the type of its part in {text!r}")
        return str(place[vertex])

    # Not the numbers in colours, ":2" or ":C_6".
    return re.sub(r"(?<![\w:-])\d+", local, text)


def _pairs(first: Diagram, second: Diagram) -> Iterable[tuple[Diagram, Diagram]]:
    assert isinstance(first, Typed)
    assert isinstance(second, Typed)
    return zip(first.parts, second.parts, strict=True)


def _expanded(dom: tuple[int, ...], cod: tuple[int, ...], factors: Sequence[Terms]) -> Terms:
    """Multiply out sums, one for each type."""
    if prod(map(len, factors)) > MAX_TERMS:
        raise SizeError(
            f"determinant vertices of several types multiply out to "
            f"{readable(prod(map(len, factors)))} diagrams: at most {MAX_TERMS:,} are listed"
        )
    terms: list[tuple[tuple[Diagram, ...], tuple[int, ...], int]] = [((), (), 1)]
    for factor in factors:
        terms = [
            ((*parts, part), (*powers, *more), a * b)
            for parts, powers, a in terms
            for (part, more), b in factor.items()
        ]
    return {(Typed(dom, cod, parts), powers): c for parts, powers, c in terms}
