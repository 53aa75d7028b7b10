"""Hypothesis strategies: diagrams of every family, composable pairs, groups and their elements."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tannaka.category import Group
from tannaka.category.groups import GROUPS
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition


def orders(most: int = 4) -> st.SearchStrategy[int]:
    """Tensor orders 0, 1, ..., ``most``."""
    return st.integers(0, most)


@st.composite
def set_partitions(draw: st.DrawFn, dom: int, cod: int) -> SetPartition:
    """Set-partition diagrams dom -> cod; they shrink towards a single block."""
    labels: list[int] = []
    for _ in range(dom + cod):
        labels.append(draw(st.integers(0, max(labels, default=-1) + 1)))
    return SetPartition(dom, cod, tuple(labels))


@st.composite
def brauer_diagrams(draw: st.DrawFn, dom: int, cod: int) -> Brauer:
    """Brauer diagrams dom -> cod; dom + cod must be even."""
    if (dom + cod) % 2:
        raise ValueError(f"there is no Brauer diagram {dom} -> {cod}: {dom + cod} is odd")
    free = list(range(dom + cod))
    pairs: list[tuple[int, int]] = []
    while free:
        first = free.pop(0)
        pairs.append((first, free.pop(draw(st.integers(0, len(free) - 1)))))
    return Brauer(dom, cod, tuple(pairs))


def diagrams(family: type[Diagram], dom: int, cod: int) -> st.SearchStrategy[Any]:
    """Diagrams dom -> cod of a family."""
    return BY_FAMILY[family](dom, cod)


BY_FAMILY: dict[type[Diagram], Callable[[int, int], st.SearchStrategy[Any]]] = {
    SetPartition: set_partitions,
    Brauer: brauer_diagrams,
}
FAMILIES = tuple(BY_FAMILY)
"""Every family of diagrams that there are strategies for."""


@st.composite
def composable(
    draw: st.DrawFn, family: type[Diagram], count: int = 2, most: int = 4
) -> tuple[Any, ...]:
    """Tuples (f, g, ...) of ``count`` diagrams for which f >> g >> ... makes sense.

    All orders are at most ``most``; a Brauer chain has orders of one parity.
    """
    ends = draw(st.lists(orders(most), min_size=count + 1, max_size=count + 1))
    if family is Brauer:
        ends = [end - (end - ends[0]) % 2 if end else ends[0] % 2 for end in ends]
    return tuple(draw(diagrams(family, a, b)) for a, b in pairwise(ends))


@st.composite
def any_diagram(draw: st.DrawFn, family: type[Diagram], most: int = 4) -> Any:
    """Diagrams of a family, of any orders up to ``most``."""
    (diagram,) = draw(composable(family, count=1, most=most))
    return diagram


@st.composite
def morphisms(draw: st.DrawFn, family: type[Diagram], dom: int, cod: int) -> Morphism:
    """Formal sums of diagrams dom -> cod with small rational coefficients, some times n."""
    total = Morphism(dom, cod, {})
    for diagram in draw(st.lists(diagrams(family, dom, cod), max_size=3)):
        power = draw(st.integers(0, 2))
        coefficient = draw(st.fractions(-3, 3, max_denominator=4))
        total += Morphism(dom, cod, {(diagram, power): coefficient})
    return total


def groups(most: int = 5) -> st.SearchStrategy[Group]:
    """Groups of every kind, with n from 1 to ``most``."""
    kinds = st.sampled_from(list(GROUPS.values()))
    return st.builds(lambda kind, n: kind(n), kinds, st.integers(1, most))


def elements(group: Group) -> st.SearchStrategy[NDArray[np.float64]]:
    """Random elements of a group, as (n, n) matrices."""
    return st.integers(0, 2**32 - 1).map(group.sample)
