"""What all kinds of diagram share.

A diagram ``dom -> cod`` stands for a linear map from tensors of order ``dom`` to tensors of order
``cod``. Its vertices are numbered **outputs first** (``0 .. cod-1``, drawn on top), **then inputs**
(``cod .. cod+dom-1``, drawn below), each left to right. Where axes have kinds (V and its dual V*,
or the factors of a product of groups), ``dom`` and ``cod`` are words, a kind for each axis.
Diagrams are values: canonical when built, so that ``==`` and ``hash`` compare meaning, and nothing
ever changes one.

Several families may make up one category: Brauer diagrams with the Brauer-Grood diagrams of one n,
set partitions with the jellyfish of one n. The first is *plain*: identities, swaps, cups and caps
are plain, and the other family has one vertex more, a determinant.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.pictures.bundle import mimebundle, picture_formats
from tannaka.diagrams.pictures.formulas import delta_factors, diagram_latex
from tannaka.diagrams.pictures.panels import Panel
from tannaka.diagrams.pictures.sketch import Sketch
from tannaka.diagrams.pictures.svg import diagram_svg
from tannaka.diagrams.pictures.text import diagram_text
from tannaka.diagrams.pictures.tikz import diagram_tikz

Terms = dict[tuple["Diagram", tuple[int, ...]], int]
"""A product of two diagrams, multiplied out: (diagram, a power of each symbol) -> coefficient."""
MAX_ORDER = 100_000
"""Most axes that a row of a diagram may have; far more than anything that is drawn or listed."""
MAX_DRAWN = 200
"""Most vertices of a diagram that a notebook draws unasked."""


def order(name: str, value: object) -> int:
    """Return ``value`` as a tensor order, or say what is wrong with it.

    >>> order("k", 3)
    3
    >>> order("k", -1)
    Traceback (most recent call last):
    ValueError: k must be an order, an integer >= 0, got -1
    """
    number = natural(name, value, least=0, what="an order")
    if number > MAX_ORDER:
        raise SizeError(
            f"{name} is an order, how many axes there are, at most {MAX_ORDER:,}: got {number:,}"
        )
    return number


def flag(name: str, value: object) -> bool:
    """Return ``value`` if it is True or False; text such as "no", which counts as true, is refused.

    >>> flag("bias", False)
    False
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def listed(name: str, values: object, *, what: str) -> tuple[Any, ...]:
    """Return ``values`` as a tuple, or say what they should have been.

    >>> listed("legs", range(3), what="vertices")
    (0, 1, 2)
    """
    try:
        return tuple(values)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a tuple of {what}, got {values!r}") from None


def listed_vertices(name: str, values: object) -> tuple[int, ...]:
    """Return ``values`` as a tuple of vertex numbers, or say which is none."""
    found = listed(name, values, what="vertices, integers >= 0")
    return tuple(
        natural(f"each of {name}", v, least=0, what="the number of a vertex") for v in found
    )


def listed_pairs(values: object) -> tuple[tuple[int, ...], ...]:
    """Return ``values`` as a tuple of tuples of vertex numbers, or say what is none."""
    found = listed("pairs", values, what="pairs of vertices")
    return tuple(listed_vertices("a pair", pair) for pair in found)


def bound(name: str, value: object) -> int:
    """Return ``value`` as a bound, an integer >= 0 of any size, or say what is wrong with it.

    >>> bound("most", 10**9)
    1000000000
    """
    return natural(name, value, least=0, what="a bound")


def natural(name: str, value: object, *, least: int, what: str) -> int:
    """Return ``value`` as an integer >= ``least``; bool, float and text are refused."""
    if type(value) is int and value >= least:
        return value
    wanted = f"{name} must be {what}, an integer >= {least}, got {value!r}"
    if isinstance(value, bool):
        raise TypeError(wanted)
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(wanted) from None
    if number < least:
        raise ValueError(wanted)
    return number


class Diagram(ABC):
    """A morphism ``dom -> cod`` of one of the diagram categories.

    ``f >> g`` is "first f, then g" and ``f @ g`` puts g to the right of f. Since closed loops
    count, ``>>`` gives a :class:`Morphism`, an exact formal sum; ``f.then(g)`` is the bare
    combinatorics.
    """

    __slots__ = ()

    dom: Any
    cod: Any

    @classmethod
    def plain(cls) -> type[Diagram]:
        """The family in the same category that has its identities, swaps, cups and caps."""
        return cls

    @property
    def category(self) -> Any:
        """What must be equal for two diagrams to compose: the plain family."""
        return self.plain()

    @property
    def top(self) -> int:
        """How many outputs: the vertices of the upper row."""
        return length(self.cod)

    @property
    def bottom(self) -> int:
        """How many inputs: the vertices of the lower row."""
        return length(self.dom)

    @property
    def symbols(self) -> tuple[str, ...]:
        """What a closed component may be worth: the symbols of the coefficients of formal sums."""
        return ("n",)

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The number that each symbol stands for, where the diagram decides it, else None."""
        return (None,) * len(self.symbols)

    def normal(self) -> tuple[Diagram, tuple[int, ...], int]:
        """The diagram as it stands in a formal sum: (diagram, a power of each symbol, sign)."""
        return self, (0,) * len(self.symbols), 1

    @property
    @abstractmethod
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The connected components, as sorted vertex tuples, ordered by their least vertex."""

    def kinds(self, vertices: Sequence[int]) -> Any:
        """The object that these vertices make, in this order: for orders, how many they are."""
        return len(vertices)

    def dissected(self) -> tuple[list[tuple[int, ...]], list[int | None]]:
        """The blocks, a leg's vertex or block among them, and the number of each leg's block."""
        return list(self.blocks), []

    def assembled(
        self, dom: Any, cod: Any, blocks: Sequence[Sequence[int]], legs: Sequence[int | None]
    ) -> Any:
        """The diagram dom -> cod of this one's category that would be dissected like this."""
        return self.plain().from_blocks(dom, cod, blocks)

    def arranged(self, images: tuple[int, ...], dom: Any) -> Any:
        """The permutation of this one's category in which output i is joined to input images[i]."""
        return self.plain().permutation(images)

    @abstractmethod
    def then(self, other: Any) -> tuple[Any, Any]:
        """Compose, and count the components closed in the middle."""

    @abstractmethod
    def tensor(self, other: Any) -> Any:
        """Put ``other`` to the right of this diagram."""

    @abstractmethod
    def dagger(self) -> Diagram:
        """Flip upside down: outputs become inputs."""

    def composites(self, other: Diagram) -> Terms:
        """``self >> other`` multiplied out: one diagram, unless determinants meet or vanish.

        Raises CompositionError where the two do not fit together.
        """
        check_composable(self, other)
        return leader(self, other)._glued(self, other)

    def juxtapositions(self, other: Diagram) -> Terms:
        """``self @ other`` multiplied out: one diagram, unless both have a determinant vertex.

        Raises CompositionError where the two are not of one category.
        """
        check_category(self, other)
        return leader(self, other)._beside(self, other)

    @staticmethod
    def _glued(first: Diagram, second: Diagram) -> Terms:
        composite, closed = first.then(second)
        return {(composite, closed if isinstance(closed, tuple) else (closed,)): 1}

    @staticmethod
    def _beside(left: Diagram, right: Diagram) -> Terms:
        return {(left.tensor(right), (0,) * len(left.symbols)): 1}

    @classmethod
    @abstractmethod
    def from_blocks(cls, dom: Any, cod: Any, blocks: Any) -> Self:
        """Build from the connected components, in any order."""

    @classmethod
    def word(cls, name: str, value: Any) -> Any:
        """``value`` as an object of the category; here an order, an integer >= 0."""
        return order(name, value)

    @classmethod
    def identity(cls, k: Any) -> Any:
        """The identity k -> k: k vertical strands."""
        k = cls.plain().word("k", k)
        size = length(k)
        return cls.plain().from_blocks(k, k, [(i, size + i) for i in range(size)])

    @classmethod
    def permutation(cls, images: tuple[int, ...]) -> Any:
        """The diagram k -> k in which output i is joined to input ``images[i]``."""
        images = permuted(images)
        k = len(images)
        return cls.plain().from_blocks(k, k, [(i, k + j) for i, j in enumerate(images)])

    @classmethod
    def swap(cls, k: Any = 1, l: Any = 1) -> Any:
        """The symmetry k + l -> l + k, which moves the first k strands past the other l.

        As a linear map it sends x (x) y to y (x) x.
        """
        k, l = cls.plain().word("k", k), cls.plain().word("l", l)
        left, right = length(k), length(l)
        images = (*range(left, left + right), *range(left))
        joined = [(i, left + right + j) for i, j in enumerate(images)]
        return cls.plain().from_blocks(k + l, l + k, joined)

    @classmethod
    def cup(cls) -> Any:
        """The cup 0 -> 2: one component that joins two outputs."""
        return cls.plain().from_blocks(0, 2, [(0, 1)])

    @classmethod
    def cap(cls) -> Any:
        """The cap 2 -> 0: one component that joins two inputs."""
        return cls.plain().from_blocks(2, 0, [(0, 1)])

    def __rshift__(self, other: Diagram | Morphism) -> Morphism:
        return Morphism.of(self) >> other

    def __matmul__(self, other: Any) -> Any:
        if not isinstance(other, Diagram):
            return NotImplemented
        terms = self.juxtapositions(other)
        if list(terms.values()) == [1]:
            ((diagram, powers),) = terms
            # Two determinants with one leg each make a plain diagram, and only a sum knows n = 1.
            known = zip(self.fixed, other.fixed, diagram.fixed, strict=True)
            if not any(powers) and all(c == (b if a is None else a) for a, b, c in known):
                return diagram
        return Morphism.of(self) @ other

    def __add__(self, other: Diagram | Morphism) -> Morphism:
        return Morphism.of(self) + other

    def __radd__(self, other: int) -> Morphism:
        return other + Morphism.of(self)

    def __sub__(self, other: Diagram | Morphism) -> Morphism:
        return Morphism.of(self) - other

    def __neg__(self) -> Morphism:
        return -Morphism.of(self)

    def __mul__(self, scalar: Any) -> Morphism:
        product: Morphism = Morphism.of(self) * scalar
        return product

    __rmul__ = __mul__

    def __truediv__(self, scalar: Any) -> Morphism:
        quotient: Morphism = Morphism.of(self) / scalar
        return quotient

    def _parts(self, at: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
        """The blocks, and the legs of the determinant vertex; vertex v is called ``at[v]``."""
        return [[at[v] for v in block] for block in self.blocks], []

    @classmethod
    def _from_parts(
        cls, dom: Any, cod: Any, blocks: list[list[int]], legs: list[int | None]
    ) -> Self:
        if legs:
            raise ValueError(f"a {cls.__name__} has no determinant vertex, but got legs {legs}")
        return cls.from_blocks(dom, cod, blocks)

    def __str__(self) -> str:
        return self.written(range(self.top + self.bottom))

    def written(self, at: Sequence[object]) -> str:
        """The diagram's text, with vertex v called ``at[v]``.

        >>> from tannaka.diagrams.partition import SetPartition
        >>> SetPartition.identity(1).written((3, 8))
        '3 8'
        """
        blocks, legs = self._parts(at)
        words = [" | ".join(" ".join(map(str, block)) for block in blocks)]
        if legs:
            words.append(f"[{' '.join('_' if leg is None else str(leg) for leg in legs)}]")
        return " ".join(filter(None, words)) or "∅"

    @classmethod
    def parse(cls, dom: Any, cod: Any, text: str) -> Self:
        """Read a diagram dom -> cod back from its ``str``.

        Raises ValueError for text that is not blocks of vertex numbers between bars, and the legs
        of a determinant vertex, where there is one, in brackets after them.

        >>> from tannaka.diagrams.partition import SetPartition
        >>> SetPartition.parse(1, 2, "0 1 | 2")
        SetPartition(dom=1, cod=2, labels=(0, 0, 1))
        >>> from tannaka.diagrams.grood import Grood
        >>> Grood.parse(3, 2, "1 4 [0 2 3]")
        Grood(dom=3, cod=2, legs=(0, 2, 3), pairs=((1, 4),))
        """
        found = re.fullmatch(r"(?:∅|([\d |]*))(?:\[([\d_ ]*)\])?", text_of(text).strip())
        blocks = [block.split() for block in (found[1] or "").split("|")] if found else [[]]
        blocks = [] if found and not (found[1] or "").strip() else blocks
        ends = (found[2] or "").split() if found else []
        if not all(blocks) or not all(end == "_" or end.isdecimal() for end in ends):
            raise ValueError(f"{text!r} is not a diagram such as '0 1 | 2': vertices, bars between")
        legs = [None if end == "_" else int(end) for end in ends]
        return cls._from_parts(dom, cod, [[int(v) for v in block] for block in blocks], legs)

    def to_json(self) -> dict[str, Any]:
        """The diagram as data that ``json.dumps`` takes; :meth:`from_json` reads it back.

        >>> from tannaka.diagrams.partition import SetPartition
        >>> SetPartition.cup().to_json()
        {'family': 'SetPartition', 'dom': 0, 'cod': 2, 'blocks': [[0, 1]]}
        """
        blocks, legs = self._parts(range(self.top + self.bottom))
        data = {"family": type(self).__name__, "dom": self.dom, "cod": self.cod}
        for name in ("dom", "cod"):
            data[name] = list(data[name]) if isinstance(data[name], tuple) else data[name]
        return data | {"blocks": blocks} | ({"legs": legs} if legs else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a diagram of this family back from :meth:`to_json`.

        Raises ValueError where the data is of another family or a key is missing.
        """
        check_data(data, cls.__name__, ("dom", "cod", "blocks"))
        return cls._from_parts(data["dom"], data["cod"], data["blocks"], data.get("legs", []))

    def sketch(self) -> Sketch:
        """What there is to draw: strands along the blocks, unless the family says more."""
        return Sketch(self.top, self.bottom, self.blocks)

    def portrait(self) -> Panel | None:
        """What stands for the diagram in galleries and sums, where the rows of its sketch do not."""
        return None

    def text(self) -> str:
        """Draw in a terminal: outputs on top, inputs below."""
        return diagram_text(self)

    def svg(self) -> str:
        """Draw as a self-contained SVG picture: outputs on top, inputs below."""
        return diagram_svg(self)

    def tikz(self) -> str:
        """Draw as a ``tikzpicture`` for LaTeX: outputs on top, inputs below."""
        return diagram_tikz(self)

    def latex(self) -> str:
        r"""The entries of its matrix as an equation for LaTeX's math mode; i_v is the index of vertex v.

        A delta is 1 where its indices are all equal. A group may put signs: Sp(n) has its form for
        an edge within a row.

        >>> from tannaka.diagrams.partition import SetPartition
        >>> print(SetPartition(2, 1, (0, 1, 0)).latex())
        \left(d_{0\,2 \mid 1}\right)_{i_0,\,i_1 i_2} = \delta_{i_0 i_2}
        """
        return diagram_latex(self, list(self.factors_latex(range(self.top + self.bottom))))

    def factors_latex(self, vertices: Sequence[int]) -> Iterator[str]:
        """The factors of an entry, where its vertices have these numbers in a larger diagram."""
        return delta_factors(self, vertices)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        drawn = self.top + self.bottom <= MAX_DRAWN
        return mimebundle(
            picture_formats(self.__repr__, self.svg if drawn else None, self.latex),
            include,
            exclude,
        )


def length(word: int | tuple[Any, ...]) -> int:
    """How many axes an object has: an order is its own length.

    >>> length(3), length(("V", "V*"))
    (3, 2)
    """
    return word if isinstance(word, int) else len(word)


def permuted(images: Iterable[object]) -> tuple[int, ...]:
    """The images of a permutation of 0, 1, ... as a tuple, or say what is wrong with them.

    >>> permuted([1, 0, 2])
    (1, 0, 2)
    """
    given = tuple(images) if isinstance(images, Iterable) else images
    try:
        found = tuple(map(operator.index, given))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"a permutation is a tuple of the integers 0, 1, ..., got {given!r}"
        ) from None
    if sorted(found) != list(range(len(found))):
        raise ValueError(f"{found} is not a permutation of 0..{len(found) - 1}")
    return found


def text_of(text: object) -> str:
    """Return ``text`` if it is text."""
    if not isinstance(text, str):
        raise TypeError(f"a diagram is read from text such as '0 1 | 2', got {text!r}")
    return text


def check_data(data: object, family: str, keys: Iterable[str]) -> None:
    """Raise unless ``data`` is of this family and has these keys."""
    if not isinstance(data, Mapping):
        raise TypeError(f"a diagram's data is a mapping, as to_json gives it, got {data!r}")
    missing = {"family", *keys} - data.keys()
    if missing:
        raise ValueError(f"a diagram's data has no {', '.join(sorted(missing))}: {dict(data)}")
    if data["family"] != family:
        raise ValueError(f"this is a {data['family']}, not a {family}: {dict(data)}")


def leader(first: Diagram, second: Diagram) -> Diagram:
    """The one that knows how to multiply the two: one that is not plain, where there is one."""
    return second if type(first) is first.plain() else first


def single(terms: Terms, written: Callable[[], str]) -> tuple[Any, tuple[int, ...]]:
    """The diagram, and the powers, of a product that is one diagram; else raise."""
    if len(terms) == 1:
        ((diagram, powers), coefficient) = next(iter(terms.items()))
        if coefficient == 1:
            return diagram, powers
    many = f"a sum of {len(terms)} diagrams" if terms else "zero"
    raise CompositionError(
        f"{written()} is {many}, not one diagram: >> and @ give it as a Morphism"
    )


def check_composable(first: Diagram, second: Diagram) -> None:
    """Raise unless ``first >> second`` makes sense."""
    check_category(first, second)
    if first.cod != second.dom:
        raise CompositionError(
            f"cannot compose ({first}) >> ({second}): the first has "
            f"{_counted(first.cod, 'outputs')}, the second {_counted(second.dom, 'inputs')}"
        )


def check_category(first: Diagram, second: object) -> None:
    """Raise unless both are diagrams of one category."""
    if not isinstance(first, Diagram):
        raise TypeError(f"expected a diagram, got {first!r}")
    if not isinstance(second, Diagram) or first.category != second.category:
        names = [type(one).__name__ for one in (first, second)]
        if names[0] == names[1] and isinstance(second, Diagram):
            # Of one family, but of different groups or with parts of different families.
            names = [f"{type(one).__name__} of {one.category[1]}" for one in (first, second)]
        written = " with ".join(f"a{'n' * (name[0] in 'AEIO')} {name}" for name in names)
        raise CompositionError(f"cannot combine {written}: both must be diagrams of one category")
    for symbol, a, b in zip(first.symbols, first.fixed, second.fixed, strict=True):
        if a is not None and b is not None and a != b:
            raise CompositionError(
                f"cannot combine ({first}) with ({second}): {symbol} is {a} in the first, "
                f"{b} in the second"
            )


def _counted(word: int | tuple[Any, ...], what: str) -> str:
    return (
        f"{word} {what}" if isinstance(word, int) else f"{what} {' '.join(map(str, word)) or '()'}"
    )
