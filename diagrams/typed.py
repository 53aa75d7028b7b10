"""Diagrams on axes of several types: one diagram for each type, for products of groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import (
    Diagram,
    Terms,
    check_category,
    check_composable,
    natural,
    single,
)
from tannaka.diagrams.errors import CompositionError
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.pictures.sketch import Sketch, overlaid


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
            word = tuple(
                natural(f"a type in {name}", kind, least=0, what="a type")
                for kind in getattr(self, name)
            )
            if word and max(word) >= len(parts):
                raise CompositionError(
                    f"{name} {word} names type {max(word)}, but there are {len(parts)} parts"
                )
            object.__setattr__(self, name, word)
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
        kinds = (*cod, *dom)
        places = [[v for v, kind in enumerate(kinds) if kind == t] for t in range(len(families))]
        inside: list[list[list[int]]] = [[] for _ in families]
        for block in map(list, blocks):
            types = {kinds[v] for v in block}
            if len(types) != 1:
                raise CompositionError(f"the block {block} joins axes of types {sorted(types)}")
            (kind,) = types
            inside[kind].append([places[kind].index(v) for v in block])
        parts = [
            family.from_blocks(list(dom).count(t), list(cod).count(t), inside[t])
            for t, family in enumerate(families)
        ]
        return cls(tuple(dom), tuple(cod), tuple(parts))

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
        return cls.of(k, k, [(i, len(k) + i) for i in range(len(k))], families)

    @classmethod
    def swap(
        cls,
        k: Sequence[int] = (0,),
        l: Sequence[int] = (0,),
        families: Sequence[type[Diagram]] = (),
    ) -> Self:
        """The symmetry k + l -> l + k, which moves the word k past the word l."""
        k, l = tuple(k), tuple(l)
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

    def written(self, at: Sequence[object]) -> str:
        """The texts of the parts between double bars, with vertex v called ``at[v]``."""
        kinds = range(len(self.parts))
        texts = [self.parts[t].written([at[v] for v in self.vertices(t)]) for t in kinds]
        return " || ".join(texts) if set(texts) != {"∅"} else "∅"

    @classmethod
    def parse(cls, dom: Any, cod: Any, text: str, families: Sequence[type[Diagram]] = ()) -> Self:
        """Read a diagram back from its ``str``, with a family for each type.

        >>> from tannaka.diagrams.brauer import Brauer
        >>> one = Typed.identity((0, 1), (Brauer, Brauer))
        >>> Typed.parse((0, 1), (0, 1), str(one), (Brauer, Brauer)) == one
        True
        """
        texts = text.split("||") if text.strip() != "∅" else ["∅"] * len(families)
        if len(texts) != len(families):
            raise ValueError(
                f"{text!r} has {len(texts)} parts, but there are {len(families)} families"
            )
        kinds = (*cod, *dom)
        parts = []
        for t, family in enumerate(families):
            place = {v: i for i, v in enumerate(v for v, kind in enumerate(kinds) if kind == t)}
            body, bracket, legs = texts[t].partition("[")
            if family is Grood:
                legs = _renumbered(legs, place)
            local = _renumbered(body, place) + bracket + legs
            parts.append(family.parse(list(dom).count(t), list(cod).count(t), local))
        return cls(tuple(dom), tuple(cod), tuple(parts))

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
        missing = {"family", "dom", "cod", "parts"} - data.keys()
        if missing:
            raise ValueError(f"a diagram's data has no {', '.join(sorted(missing))}: {dict(data)}")
        if data["family"] != "Typed":
            raise ValueError(f"this is a {data['family']}, not a Typed: {dict(data)}")
        families = {family.__name__: family for family in (SetPartition, Brauer, Grood, Jellyfish)}
        unknown = {part["family"] for part in data["parts"]} - families.keys()
        if unknown:
            raise ValueError(f"a part may be of {', '.join(families)}, got {', '.join(unknown)}")
        parts = [families[part["family"]].from_json(part) for part in data["parts"]]
        return cls(tuple(data["dom"]), tuple(data["cod"]), tuple(parts))


def _renumbered(text: str, place: Mapping[int, int]) -> str:
    """The text with each vertex number replaced by its place among the vertices of its type."""

    def local(found: re.Match[str]) -> str:
        vertex = int(found[0])
        if vertex not in place:
            raise ValueError(f"vertex {vertex} is not of the type of its part in {text!r}")
        return str(place[vertex])

    return re.sub(r"\d+", local, text)


def _pairs(first: Diagram, second: Diagram) -> Iterable[tuple[Diagram, Diagram]]:
    assert isinstance(first, Typed)
    assert isinstance(second, Typed)
    return zip(first.parts, second.parts, strict=True)


def _expanded(dom: tuple[int, ...], cod: tuple[int, ...], factors: Iterable[Terms]) -> Terms:
    """Multiply out sums, one for each type."""
    terms: list[tuple[tuple[Diagram, ...], tuple[int, ...], int]] = [((), (), 1)]
    for factor in factors:
        terms = [
            ((*parts, part), (*powers, *more), a * b)
            for parts, powers, a in terms
            for (part, more), b in factor.items()
        ]
    return {(Typed(dom, cod, parts), powers): c for parts, powers, c in terms}
