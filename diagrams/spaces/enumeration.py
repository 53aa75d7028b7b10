"""An enumeration: all diagrams of a family, lazily, counted, indexed, sampled.

This is what every family offers. Families of words over small alphabets get it from
``automaton.py``; the functions that users call are in ``enumerate.py``.
"""

from __future__ import annotations

import operator
import random
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, Generic, TypeVar, overload

from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram, length
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.pictures.bundle import mimebundle, picture_formats
from tannaka.diagrams.pictures.panels import panels_svg
from tannaka.diagrams.pictures.svg import gallery_svg

D = TypeVar("D", bound=Diagram)
SHOWN = 60
"""How many diagrams a notebook shows."""
LONGEST = 40
"""Most vertices of diagrams that a notebook shows."""
MAX_SLICE = 1_000_000
"""Most diagrams that one slice may list."""


class Enumeration(ABC, Generic[D]):
    """All diagrams dom -> cod of one family, in a fixed order.

    Iterating takes constant memory and may be done again and again. ``space[i]`` is the i-th
    diagram (a slice, a list of them), ``space.index(d)`` its index, ``d in space`` whether it
    belongs, ``space.count`` how many there are: all without enumerating. (``len`` is not offered:
    Python bounds it.)
    """

    dom: Any
    cod: Any

    @property
    def size(self) -> int:
        """How many vertices each diagram has."""
        return length(self.dom) + length(self.cod)

    @cached_property
    def count(self) -> int:
        """How many diagrams there are, exactly, at any size."""
        return self._total()

    @abstractmethod
    def _total(self) -> int:
        """How many diagrams there are."""

    @abstractmethod
    def __iter__(self) -> Iterator[D]:
        """The diagrams, one by one."""

    @abstractmethod
    def _at(self, rank: int) -> D:
        """The diagram of a number from 0 to count - 1."""

    @abstractmethod
    def _rank(self, diagram: Any) -> int | None:
        """The number of a diagram; None for anything that is not one of these."""

    def _draw(self, rng: random.Random) -> D:
        """A uniformly random diagram of these; there is one."""
        return self._at(rng.randrange(self.count))

    @abstractmethod
    def _conditions(self) -> str:
        """What is asked of the diagrams beyond their orders, in words."""

    @overload
    def __getitem__(self, index: int) -> D: ...
    @overload
    def __getitem__(self, index: slice) -> list[D]: ...
    def __getitem__(self, index: int | slice) -> D | list[D]:
        if isinstance(index, slice):
            chosen = range(*index.indices(self.count))
            if chosen[MAX_SLICE:]:
                raise SizeError(
                    f"a slice of more than {MAX_SLICE:,} of the diagrams of {self}: take smaller "
                    "slices, or iterate, which holds one diagram at a time"
                )
            return [self._at(i) for i in chosen]
        rank = operator.index(index)
        if not -self.count <= rank < self.count:
            raise IndexError(
                f"{self} has no diagram number {index}: there are {readable(self.count)}"
            )
        return self._at(rank % self.count)

    def index(self, diagram: D) -> int:
        """The number of a diagram in this order; the inverse of ``space[i]``.

        Raises ValueError for a diagram that is not one of these.
        """
        rank = self._rank(diagram)
        if rank is None:
            raise ValueError(f"{_named(diagram)} is not one of {self}")
        return rank

    def __contains__(self, diagram: object) -> bool:
        return self._rank(diagram) is not None

    def sample(self, rng: random.Random | int | None = None) -> D:
        """A uniformly random diagram; ``rng`` is a ``random.Random`` or a seed.

        Raises ValueError when there is none.
        """
        if not self.count:
            raise ValueError(f"{self} is empty: there is nothing to draw from")
        if not isinstance(rng, random.Random):
            try:
                rng = random.Random(None if rng is None else operator.index(rng))
            except TypeError:
                wanted = "rng is a random.Random or a seed, an integer"
                raise TypeError(f"{wanted}, got {rng!r}") from None
        return self._draw(rng)

    def svg(self) -> str:
        """The first diagrams, at most sixty, as one self-contained SVG picture.

        >>> from tannaka.diagrams.enumerate import brauer_diagrams
        >>> brauer_diagrams(2, 2).svg().count("<circle")
        12
        """
        shown = list(islice(iter(self), SHOWN + 1))
        title = repr(self).strip("<>")
        if len(shown) > SHOWN:
            shown, title = shown[:SHOWN], f"{title}; the first {SHOWN}"
        portraits = [diagram.portrait() for diagram in shown]
        panels = [panel for panel in portraits if panel]
        if panels:
            return panels_svg(panels, list(map(str, shown)), title=title)
        return gallery_svg(shown, title=title)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        formats = picture_formats(self.__repr__, self.svg if self.size <= LONGEST else None)
        return mimebundle(formats, include, exclude)

    def __repr__(self) -> str:
        try:
            number = f"{readable(self.count)} diagrams"
        except SizeError:
            number = "diagrams, too many to count,"
        orders = " -> ".join(map(_written, (self.dom, self.cod)))
        return f"<{number} {orders}: {self._conditions()}>"


def _written(word: Any) -> str:
    return " ".join(map(str, word)) or "()" if isinstance(word, tuple) else str(word)


def _named(diagram: object) -> str:
    if not isinstance(diagram, Diagram):
        return repr(diagram)
    return f"({diagram}), {_written(diagram.dom)} -> {_written(diagram.cod)},"
