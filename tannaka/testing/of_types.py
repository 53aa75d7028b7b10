"""What ``hypothesis.strategies.from_type`` draws for each of our types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tannaka.category import Group, Hom, Product
from tannaka.category.automorphisms import Aut
from tannaka.category.groups import GROUPS, MatrixGroup
from tannaka.category.permutations import PermutationGroup
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.typed import Typed
from tannaka.diagrams.walled import WalledBrauer
from tannaka.testing import strategies

Make = Callable[[], st.SearchStrategy[Any]]


def diagrams() -> Mapping[type[Any], Make]:
    """By type of diagram, and Morphism."""
    return {
        **{
            family: partial(strategies.any_diagram, family)
            for family in (SetPartition, Brauer, WalledBrauer, BilabelledGraph, Typed)
        },
        Grood: grood_diagrams,
        Jellyfish: jellyfish_diagrams,
        Diagram: lambda: st.sampled_from(strategies.CATEGORIES).flatmap(strategies.any_diagram),
        Morphism: morphisms,
    }


def groups() -> Mapping[type[Any], Make]:
    """By type of group, and Hom."""
    permuting = ("Aut", "PermutationGroup")
    return {
        **{
            kind: partial(strategies.groups, kinds=(symbol,))
            for symbol, kind in GROUPS.items()
            if symbol not in permuting
        },
        PermutationGroup: lambda: st.one_of(
            strategies.permutation_groups(), strategies.automorphism_groups()
        ),
        Aut: strategies.automorphism_groups,
        Product: strategies.products,
        MatrixGroup: partial(strategies.groups, kinds=(*sorted(GROUPS), *permuting)),
        Group: lambda: st.one_of(
            strategies.groups(kinds=(*sorted(GROUPS), *permuting)), strategies.products()
        ),
        Hom: strategies.homs,
    }


def layers() -> Mapping[type[Any], Make]:
    """By type of layer."""
    from tannaka.codegen.modules.linear import EquivariantLinear

    return {EquivariantLinear: strategies.layers}


@st.composite
def grood_diagrams(draw: st.DrawFn, most: int = 4) -> Grood:
    """Brauer-Grood diagrams with up to three legs, between orders up to ``most``."""
    n = draw(st.integers(1, 3))
    pairs = draw(st.integers(0, (2 * most - n) // 2))
    dom = draw(st.integers(max(0, n + 2 * pairs - most), min(most, n + 2 * pairs)))
    return draw(strategies.grood_diagrams(dom, n + 2 * pairs - dom, n))


@st.composite
def jellyfish_diagrams(draw: st.DrawFn, most: int = 4) -> Jellyfish:
    """Jellyfish with up to three legs, between orders up to ``most``."""
    n = draw(st.integers(1, 3))
    size = draw(st.integers(max(n - 1, 1), 2 * most))
    dom = draw(st.integers(max(0, size - most), min(most, size)))
    return draw(strategies.jellyfish_diagrams(dom, size - dom, n))


@st.composite
def morphisms(draw: st.DrawFn) -> Morphism:
    """Formal sums of diagrams of one category."""
    inside = draw(st.sampled_from(strategies.CATEGORIES))
    (f,) = draw(strategies.composable(inside, count=1))
    return draw(strategies.morphisms(inside, f.dom, f.cod))
