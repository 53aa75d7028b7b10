"""Orbits of index tuples under a permutation group: the diagrams that every such group has.

An orbit of (l + k)-tuples stands for the matrix that is 1 at its index tuples, row indices first,
and 0 elsewhere. These matrices are a basis of Hom(k, l); they multiply by counting, with
coefficients that are the intersection numbers of coherent configurations.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tannaka.category.portraits import orbit_portrait
from tannaka.category.stabilisers import Points, Stabiliser
from tannaka.category.tables import orbit_text
from tannaka.diagrams.diagram import (
    Diagram,
    Terms,
    check_category,
    check_composable,
    check_data,
    natural,
    order,
    single,
)
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.partition import restricted_growth
from tannaka.diagrams.pictures.hostsvg import host_panel, host_svg
from tannaka.diagrams.pictures.hosttikz import host_tikz
from tannaka.diagrams.pictures.panels import Panel
from tannaka.diagrams.spaces.automaton import Automaton, Move

if TYPE_CHECKING:
    from tannaka.category.permutations import PermutationGroup

MAX_LISTED = 2**22
"""Most tuples of an orbit that are listed to multiply it."""


@dataclass(frozen=True, slots=True)
class Orbit(Diagram):
    """An orbit dom -> cod of index tuples under a permutation group, outputs first, then inputs.

    ``indices`` may be any tuple of the orbit; it is replaced by the least one, so that equal orbits
    are equal. The matrix has a 1 at row ``indices[:cod]`` and column ``indices[cod:]``, and wherever
    the group takes that place; else 0.
    Source: arXiv:2307.07810, the orbit basis; D. G. Higman, Coherent configurations (1975).

    >>> from tannaka.category.permutations import PermutationGroup
    >>> square = PermutationGroup([(1, 2, 3, 0), (0, 3, 2, 1)])
    >>> side, across = Orbit(square, 1, 1, (2, 3)), Orbit(square, 1, 1, (1, 3))
    >>> print(side, side.size, across)
    [0 ← 1] 8 [0 ← 2]
    >>> print(side >> side)
    2 ([0 ← 0]) + 2 ([0 ← 2])
    """

    group: PermutationGroup
    dom: int
    cod: int
    indices: tuple[int, ...]

    def __post_init__(self) -> None:
        dom, cod = order("dom", self.dom), order("cod", self.cod)
        if not hasattr(self.group, "stabiliser"):
            raise TypeError(
                f"an orbit is of a group such as Aut(graph) or PermutationGroup(generators), "
                f"got {self.group!r}"
            )
        if isinstance(self.indices, str) or not isinstance(self.indices, Iterable):
            raise TypeError(f"indices must be a tuple of numbers, got {self.indices!r}")
        given = tuple(natural("an index", i, least=0, what="an index") for i in self.indices)
        n = self.group.n
        if len(given) != dom + cod or any(i >= n for i in given):
            raise ValueError(
                f"indices must be {cod} + {dom} numbers from 0 to {n - 1}, got {given}"
            )
        found = self.group.stabiliser.canonical(np.array([given], dtype=np.int64))[0]
        object.__setattr__(self, "dom", dom)
        object.__setattr__(self, "cod", cod)
        object.__setattr__(self, "indices", tuple(found.tolist()))

    @classmethod
    def _made(cls, group: PermutationGroup, dom: int, cod: int, indices: tuple[int, ...]) -> Orbit:
        """An orbit from its least tuple."""
        new = object.__new__(cls)
        for name, value in zip(cls.__slots__, (group, dom, cod, indices), strict=True):
            object.__setattr__(new, name, value)
        return new

    @property
    def category(self) -> Any:
        """Orbits of one group."""
        return (type(self), self.group)

    @property
    def fixed(self) -> tuple[int]:
        """The group says what n is."""
        return (self.group.n,)

    @property
    def size(self) -> int:
        """How many index tuples there are: the ones of the matrix."""
        return self.group.stabiliser.size(self.indices)

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The vertices whose indices are equal."""
        labels = restricted_growth(self.indices)
        return tuple(
            tuple(v for v, label in enumerate(labels) if label == block)
            for block in range(len(set(labels)))
        )

    @classmethod
    def from_blocks(cls, dom: Any, cod: Any, blocks: Any) -> Self:
        """Raises TypeError: an identity or a spider is a sum of orbits.

        ``group.in_orbits(SetPartition.identity(1))`` gives that sum.
        """
        raise TypeError(
            "which orbits there are depends on the group: group.in_orbits(d) writes a set "
            "partition or a bilabelled graph, such as an identity, as a sum of orbits"
        )

    def composites(self, other: Diagram) -> Terms:
        """``self >> other`` as a sum of orbits; coefficients are intersection numbers.

        Raises CompositionError where the two do not fit, SizeError where both orbits have very
        many tuples with one middle.
        """
        check_composable(self, other)
        assert isinstance(other, Orbit)
        whole, k, m = self.group.stabiliser, self.dom, self.cod
        first = self._turned(whole, range(m + k))
        second = other._turned(whole, [*range(other.cod, other.cod + m), *range(other.cod)])
        if first[:m] != second[:m]:
            return {}
        fixing = whole.descend(first[:m])
        # One middle stands for all, and one end for its orbit: the other end takes every place.
        fewer = fixing.size(second[m:]) <= fixing.size(first[m:])
        running, standing = (second[m:], first[m:]) if fewer else (first[m:], second[m:])
        ends = _listed(fixing, running)
        stand = np.broadcast_to(np.array(standing, dtype=np.int64), (len(ends), len(standing)))
        rows = np.concatenate([ends, stand] if fewer else [stand, ends], axis=1)
        pairs = (self if fewer else other).size
        found, counts = np.unique(whole.canonical(rows), axis=0, return_counts=True)
        terms: Terms = {}
        for indices, count in zip(map(tuple, found.tolist()), counts.tolist(), strict=True):
            orbit = self._made(self.group, k, other.cod, indices)
            terms[orbit, (0,)] = pairs * count // orbit.size
        return terms

    def juxtapositions(self, other: Diagram) -> Terms:
        """``self @ other`` as the sum of the orbits that its index tuples make."""
        check_category(self, other)
        assert isinstance(other, Orbit)
        whole, l, m = self.group.stabiliser, self.cod, other.cod
        fewer = other.size <= self.size
        running, standing = (other, self) if fewer else (self, other)
        rows = _listed(whole, running.indices)
        stand = np.broadcast_to(
            np.array(standing.indices, dtype=np.int64), (len(rows), len(standing.indices))
        )
        left, right = (stand, rows) if fewer else (rows, stand)
        joined = np.concatenate([left[:, :l], right[:, :m], left[:, l:], right[:, m:]], axis=1)
        found = np.unique(whole.canonical(joined), axis=0)
        dom, cod = self.dom + other.dom, l + m
        return {(self._made(self.group, dom, cod, tuple(row)), (0,)): 1 for row in found.tolist()}

    def then(self, other: Orbit) -> tuple[Orbit, int]:
        """The composite where it is one orbit; ``>>`` gives it as a sum in general."""
        diagram, (power,) = single(self.composites(other), lambda: f"({self}) >> ({other})")
        return diagram, power

    def tensor(self, other: Orbit) -> Orbit:
        """``self @ other`` where it is one orbit; ``@`` gives it as a sum in general."""
        both: Orbit = single(self.juxtapositions(other), lambda: f"({self}) @ ({other})")[0]
        return both

    def dagger(self) -> Orbit:
        """Exchange outputs and inputs; the matrix is transposed."""
        whole, l = self.group.stabiliser, self.cod
        turned = self._turned(whole, [*range(l, l + self.dom), *range(l)])
        return self._made(self.group, self.cod, self.dom, turned)

    def _turned(self, whole: Stabiliser, places: Sequence[int]) -> tuple[int, ...]:
        """The least tuple with the indices in another order."""
        row = np.array([[self.indices[i] for i in places]], dtype=np.int64)
        return tuple(whole.canonical(row)[0].tolist())

    def written(self, at: Sequence[object]) -> str:
        """The least index tuple, outputs ← inputs; what vertices are called does not matter."""
        del at
        outputs, inputs = self.indices[: self.cod], self.indices[self.cod :]
        return f"[{' '.join([*map(str, outputs), '←', *map(str, inputs)])}]"

    def text(self) -> str:
        """The index tuples, for a terminal: of pairs a row for each output."""
        return orbit_text(self)

    def svg(self) -> str:
        """Draw on the host graph, or on points: pairs as arcs, else the least tuple with its labels."""
        return host_svg(orbit_portrait(self))

    def portrait(self) -> Panel:
        """The same without words, small, its points as numbers: as it stands in galleries and sums."""
        sketch = replace(orbit_portrait(self), names=())
        return host_panel(sketch, size=150.0, keys=False)

    def factors_latex(self, vertices: Sequence[int]) -> Iterator[str]:
        """One where the indices are a tuple of the orbit."""
        at = ", ".join(f"i_{{{v}}}" for v in vertices)
        least = ", ".join(map(str, self.indices))
        yield f"\\left[\\,({at}) \\in G \\cdot ({least})\\,\\right]"

    def tikz(self) -> str:
        """Draw the same as a ``tikzpicture`` for LaTeX."""
        return host_tikz(orbit_portrait(self))

    def __repr__(self) -> str:
        return f"Orbit({self.group!r}, dom={self.dom}, cod={self.cod}, indices={self.indices})"

    @classmethod
    def parse(cls, dom: Any, cod: Any, text: str) -> Self:
        """Raises TypeError: the text does not say of which group; ``group.orbit(text)`` reads it."""
        raise TypeError(f"{text!r} does not say of which group: group.orbit(text) reads an orbit")

    def to_json(self) -> dict[str, Any]:
        """The orbit as data that ``json.dumps`` takes, without its group."""
        return {
            "family": "Orbit",
            "dom": self.dom,
            "cod": self.cod,
            "indices": list(self.indices),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises TypeError: the data does not say of which group; ``group.orbit(data)`` reads it."""
        check_data(data, "Orbit", ("dom", "cod", "indices"))
        raise TypeError("the data does not say of which group: group.orbit(data) reads an orbit")

    @staticmethod
    def read(group: PermutationGroup, given: str | Mapping[str, Any]) -> Orbit:
        """An orbit from its text or data; see :meth:`PermutationGroup.orbit`."""
        if isinstance(given, Mapping):
            check_data(given, "Orbit", ("dom", "cod", "indices"))
            return Orbit(group, given["dom"], given["cod"], given["indices"])
        if not isinstance(given, str):
            raise TypeError(f"an orbit is read from text such as '[0 1 ← 2]', got {given!r}")
        found = re.fullmatch(r"\[([\d ]*)(?:←|<-)([\d ]*)\]", given.strip())
        if not found:
            raise ValueError(f"{given!r} is not an orbit such as '[0 1 ← 2]': outputs ← inputs")
        outputs, inputs = (tuple(map(int, part.split())) for part in found.groups())
        return Orbit(group, len(inputs), len(outputs), outputs + inputs)


def _listed(stabiliser: Stabiliser, least: Sequence[int]) -> Points:
    size = stabiliser.size(least)
    if size > MAX_LISTED:
        raise SizeError(f"an orbit of {size:,} tuples: at most {MAX_LISTED:,} are listed")
    return stabiliser.orbit(least)


class Orbits(Automaton[Orbit]):
    """All orbits dom -> cod of a permutation group, by their least tuples in lexicographic order.

    >>> from tannaka.category.permutations import PermutationGroup
    >>> space = Orbits(PermutationGroup([(1, 2, 3, 0), (0, 3, 2, 1)]), 1, 1)
    >>> space, [str(orbit) for orbit in space]
    (<3 diagrams 1 -> 1: orbits of PermutationGroup of order 8 on 4 points>, ...)
    """

    def __init__(self, group: PermutationGroup, dom: int, cod: int) -> None:
        self.group = group
        self.dom, self.cod = order("dom", dom), order("cod", cod)

    @property
    def _steps(self) -> int:
        return self.size

    @property
    def _start(self) -> Stabiliser:
        return self.group.stabiliser

    def _moves(self, state: Stabiliser) -> Sequence[Move]:
        return [(point, state.after(point)) for point in state.representatives]

    def _key(self, state: Stabiliser) -> Hashable:
        return tuple(sorted(state.lengths.values())) if state.symmetric else state

    def _quick(self, left: int, state: Stabiliser) -> int | None:
        # No search for what fixes the last point too.
        if left == 1:
            return len(state.representatives)
        return self.group.n**left if state.trivial else None

    def _accepts(self, state: Stabiliser) -> bool:
        del state
        return True

    def _viable(self, left: int, state: Stabiliser) -> bool:
        del left, state
        return True

    def _build(self, word: Sequence[int]) -> Orbit:
        return Orbit._made(self.group, self.dom, self.cod, tuple(word))

    def _word(self, diagram: Any) -> Sequence[int] | None:
        if not isinstance(diagram, Orbit) or diagram.group != self.group:
            return None
        ends = (diagram.dom, diagram.cod)
        return diagram.indices if ends == (self.dom, self.cod) else None

    def _conditions(self) -> str:
        return f"orbits of {self.group}"
