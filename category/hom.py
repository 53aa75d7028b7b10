"""Hom spaces: all linear maps V^k -> V^l that commute with a group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.category import functor
from tannaka.category.groups import Group
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumeration import Enumeration
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.svg import gallery_svg
from tannaka.diagrams.text import gallery_text

MAX_LISTED = 10_000_000
"""Most basis diagrams that are put into one tuple before the request is refused."""


@dataclass(frozen=True)
class Hom:
    """The space Hom_G(V^k, V^l) of linear maps f with f g^k = g^l f for all g in G.

    Raises TypeError or ValueError unless G is a group and k, l are integers >= 0.

    >>> from tannaka.category.symmetric import S
    >>> hom = Hom(S(4), 1, 1)
    >>> hom
    Hom(S(4), 1, 1): dimension 2
    >>> [str(d) for d in hom.basis()]
    ['0 1', '0 | 1']
    >>> hom.matrices().shape
    (2, 4, 4)
    """

    group: Group
    k: int
    l: int

    def __post_init__(self) -> None:
        if not isinstance(self.group, Group):
            raise TypeError(
                f"expected a group such as S(5) or O(3), got {self.group!r}; "
                "tannaka.group('S(5)') finds one by its name"
            )
        object.__setattr__(self, "k", order("k", self.k))
        object.__setattr__(self, "l", order("l", self.l))

    @cached_property
    def dimension(self) -> int:
        """The exact dimension, from a closed formula: nothing is enumerated."""
        return self.group.dimension(self.k, self.l)

    @property
    def count(self) -> int:
        """How many diagrams :meth:`diagrams` yields; more than the dimension when n is small."""
        return self.group.count(self.k, self.l)

    @cached_property
    def spanning(self) -> Enumeration[Any]:
        """The spanning diagrams: ``hom.spanning[i]`` is the i-th, ``.index(d)`` its number."""
        return self.group.diagrams(self.k, self.l)

    @cached_property
    def independent(self) -> Enumeration[Any]:
        """The basis diagrams in the same way, without listing them: for spaces of any size."""
        return self.group.basis(self.k, self.l)

    def diagrams(self) -> Iterator[Any]:
        """The spanning set, one diagram after the other, in its fixed order."""
        return iter(self.spanning)

    def basis(self) -> tuple[Any, ...]:
        """Diagrams whose matrices are a basis of this space, for every n, also n < k + l.

        They keep the order of :meth:`diagrams`. Row i of a layer's weight belongs to the i-th.
        Raises SizeError for more than ten million; :attr:`independent` gives any one of them.
        """
        return self._basis

    @cached_property
    def _basis(self) -> tuple[Diagram, ...]:
        if self.dimension > MAX_LISTED:
            raise SizeError(
                f"{self}: that is too many diagrams to list; "
                "hom.independent[i] is the i-th, hom.independent[:m] are the first m"
            )
        return tuple(self.independent)

    def matrices(self) -> NDArray[np.int64]:
        """The matrices of the basis, of shape (dimension, n**l, n**k), in exact integers.

        Raises SizeError when they would take more than 2 GiB.
        """
        n = self.group.n
        functor.check_size(self.dimension, n, self.k, self.l)
        out = np.zeros((self.dimension, n**self.l, n**self.k), dtype=np.int64)
        for row, diagram in enumerate(self.independent):
            out[row] = functor.matrix(diagram, n)
        return out

    def text(self, width: int = 80) -> str:
        """The basis drawn for a terminal ``width`` columns wide."""
        return gallery_text(self.basis(), width=width)

    def svg(self) -> str:
        """The basis as one self-contained SVG picture."""
        return gallery_svg(self.basis(), title=str(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle = {"text/plain": str(self)}
        if self.dimension <= 203:
            bundle["image/svg+xml"] = self.svg()
        return bundle

    def __str__(self) -> str:
        return f"Hom({self.group}, {self.k}, {self.l}): dimension {readable(self.dimension)}"

    __repr__ = __str__
