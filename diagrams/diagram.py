"""What all kinds of diagram share.

A diagram ``dom -> cod`` stands for a linear map from tensors of order ``dom`` to tensors of order
``cod``. Its vertices are numbered **outputs first** (``0 .. cod-1``, drawn on top), **then inputs**
(``cod .. cod+dom-1``, drawn below), each left to right. Diagrams are values: canonical when built,
so that ``==`` and ``hash`` compare meaning, and nothing ever changes one.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from tannaka.diagrams.errors import CompositionError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.svg import diagram_svg
from tannaka.diagrams.text import diagram_text
from tannaka.diagrams.tikz import diagram_tikz


def order(name: str, value: object) -> int:
    """Return ``value`` as a tensor order, or say what is wrong with it.

    >>> order("k", 3)
    3
    >>> order("k", -1)
    Traceback (most recent call last):
    ValueError: k must be an order, an integer >= 0, got -1
    """
    return natural(name, value, least=0, what="an order")


def natural(name: str, value: object, *, least: int, what: str) -> int:
    """Return ``value`` as an integer >= ``least``; bool, float and text are refused."""
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

    dom: int
    cod: int

    @property
    @abstractmethod
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The connected components, as sorted vertex tuples, ordered by their least vertex."""

    @abstractmethod
    def then(self, other: Self) -> tuple[Self, int]:
        """Compose, and count the components closed in the middle."""

    @abstractmethod
    def tensor(self, other: Self) -> Self:
        """Put ``other`` to the right of this diagram."""

    @abstractmethod
    def dagger(self) -> Self:
        """Flip upside down: outputs become inputs."""

    @classmethod
    @abstractmethod
    def from_blocks(cls, dom: int, cod: int, blocks: Any) -> Self:
        """Build from the connected components, in any order."""

    @classmethod
    def identity(cls, k: int) -> Self:
        """The identity k -> k: k vertical strands."""
        k = order("k", k)
        return cls.from_blocks(k, k, [(i, k + i) for i in range(k)])

    @classmethod
    def permutation(cls, images: tuple[int, ...]) -> Self:
        """The diagram k -> k in which output i is joined to input ``images[i]``."""
        k = len(images)
        if sorted(images) != list(range(k)):
            raise ValueError(f"{tuple(images)} is not a permutation of 0..{k - 1}")
        return cls.from_blocks(k, k, [(i, k + j) for i, j in enumerate(images)])

    @classmethod
    def swap(cls, k: int = 1, l: int = 1) -> Self:
        """The symmetry k + l -> l + k, which moves the first k strands past the other l.

        As a linear map it sends x (x) y to y (x) x.
        """
        k, l = order("k", k), order("l", l)
        return cls.permutation((*range(k, k + l), *range(k)))

    @classmethod
    def cup(cls) -> Self:
        """The cup 0 -> 2: one component that joins two outputs."""
        return cls.from_blocks(0, 2, [(0, 1)])

    @classmethod
    def cap(cls) -> Self:
        """The cap 2 -> 0: one component that joins two inputs."""
        return cls.from_blocks(2, 0, [(0, 1)])

    def __rshift__(self, other: Self | Morphism) -> Morphism:
        return Morphism.of(self) >> other

    def __matmul__(self, other: Self) -> Self:
        if not isinstance(other, Diagram):
            return NotImplemented
        return self.tensor(other)

    def __add__(self, other: Self | Morphism) -> Morphism:
        return Morphism.of(self) + other

    def __sub__(self, other: Self | Morphism) -> Morphism:
        return Morphism.of(self) - other

    def __neg__(self) -> Morphism:
        return -Morphism.of(self)

    def __mul__(self, scalar: Any) -> Morphism:
        product: Morphism = Morphism.of(self) * scalar
        return product

    __rmul__ = __mul__

    def __str__(self) -> str:
        return " | ".join(" ".join(map(str, block)) for block in self.blocks) or "∅"

    @classmethod
    def parse(cls, dom: int, cod: int, text: str) -> Self:
        """Read a diagram dom -> cod back from its ``str``.

        Raises ValueError for text that is not blocks of vertex numbers between bars.

        >>> from tannaka.diagrams.partition import SetPartition
        >>> SetPartition.parse(1, 2, "0 1 | 2")
        SetPartition(dom=1, cod=2, labels=(0, 0, 1))
        """
        words = [] if text.strip() == "∅" else [block.split() for block in text.split("|")]
        if not all(words) or not all(word.isdecimal() for block in words for word in block):
            raise ValueError(f"{text!r} is not a diagram such as '0 1 | 2': vertices, bars between")
        return cls.from_blocks(dom, cod, [[int(word) for word in block] for block in words])

    def to_json(self) -> dict[str, Any]:
        """The diagram as data that ``json.dumps`` takes; :meth:`from_json` reads it back.

        >>> from tannaka.diagrams.partition import SetPartition
        >>> SetPartition.cup().to_json()
        {'family': 'SetPartition', 'dom': 0, 'cod': 2, 'blocks': [[0, 1]]}
        """
        blocks = [list(block) for block in self.blocks]
        return {"family": type(self).__name__, "dom": self.dom, "cod": self.cod, "blocks": blocks}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a diagram of this family back from :meth:`to_json`.

        Raises ValueError where the data is of another family or a key is missing.
        """
        missing = {"family", "dom", "cod", "blocks"} - data.keys()
        if missing:
            raise ValueError(f"a diagram's data has no {', '.join(sorted(missing))}: {dict(data)}")
        if data["family"] != cls.__name__:
            raise ValueError(f"this is a {data['family']}, not a {cls.__name__}: {dict(data)}")
        return cls.from_blocks(data["dom"], data["cod"], data["blocks"])

    def text(self) -> str:
        """Draw in a terminal: outputs on top, inputs below."""
        return diagram_text(self)

    def svg(self) -> str:
        """Draw as a self-contained SVG picture: outputs on top, inputs below."""
        return diagram_svg(self)

    def tikz(self) -> str:
        """Draw as a ``tikzpicture`` for LaTeX: outputs on top, inputs below."""
        return diagram_tikz(self)

    def _repr_mimebundle_(self, **_: object) -> Mapping[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": repr(self)}


def check_composable(first: Diagram, second: Diagram) -> None:
    """Raise unless ``first >> second`` makes sense."""
    check_family(first, second)
    if first.cod != second.dom:
        raise CompositionError(
            f"cannot compose ({first}) >> ({second}): "
            f"the first has {first.cod} outputs, the second {second.dom} inputs"
        )


def check_family(first: Diagram, second: object) -> None:
    """Raise unless both are diagrams of one family."""
    if type(first) is not type(second):
        raise CompositionError(
            f"cannot combine a {type(first).__name__} with a {type(second).__name__}: "
            "both must be diagrams of one family"
        )
