"""Every diagram is contraction, permutation, embedding, in one way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.enumerate import set_partitions
from tannaka.diagrams.factorisation import factor, planar_factor
from tannaka.diagrams.structure import is_planar, propagating_number
from tannaka.diagrams.typed import Typed
from tannaka.testing.strategies import CATEGORIES, FAMILIES, Category, any_diagram

FACTORED = [one for one in CATEGORIES if one.family is not BilabelledGraph]


@pytest.mark.parametrize("category", FACTORED, ids=repr)
@given(st.data())
def test_the_factors_compose_to_the_diagram_without_loops(
    category: Category, data: st.DataObject
) -> None:
    diagram = data.draw(any_diagram(category, 5))
    parts = factor(diagram)
    lower, none = parts.contraction.then(parts.permutation)
    assert not any(none if isinstance(none, tuple) else (none,))
    assert lower.then(parts.embedding) == (diagram, none)
    assert parts.permutation.bottom == parts.through == parts.permutation.top


@pytest.mark.parametrize("category", FACTORED, ids=repr)
@given(st.data())
def test_factors_are_their_own_factors(category: Category, data: st.DataObject) -> None:
    parts = factor(data.draw(any_diagram(category, 5)))
    assert factor(parts.contraction).contraction == parts.contraction
    assert factor(parts.embedding).embedding == parts.embedding
    assert factor(parts.permutation).permutation == parts.permutation


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
@given(st.data())
def test_the_factors_have_their_normal_form(family: type[Diagram], data: st.DataObject) -> None:
    parts = factor(data.draw(any_diagram(family, 5)))
    t = parts.through
    for contraction in (parts.contraction, parts.embedding.dagger()):
        assert contraction.cod == t
        kept = [[v for v in block if v >= t] for block in contraction.blocks if block[0] < t]
        heads = [block[0] for block in contraction.blocks if block[0] < t]
        assert heads == list(range(t)), "each output ends a block of its own"
        assert all(kept), "no block has outputs only"
        assert all(a[0] < b[0] for a, b in pairwise(kept)), "in the order of the least inputs"
    assert all(len(block) == 2 for block in parts.permutation.blocks)


def test_diagrams_share_their_parts() -> None:
    """6 contractions serve the 15 diagrams of 2 -> 2, 22 the 203 of 3 -> 3, 94 the 4140 of 4 -> 4."""
    for k, distinct in ((2, 6), (3, 22), (4, 94)):
        assert len({factor(d).contraction for d in set_partitions(k, k)}) == distinct


@pytest.mark.parametrize("category", [one for one in FACTORED if one.family is not Typed], ids=repr)
@given(st.data())
def test_permutation_planar_permutation(category: Category, data: st.DataObject) -> None:
    diagram = data.draw(any_diagram(category, 5))
    parts = planar_factor(diagram)
    lower, none = parts.inputs.then(parts.planar)
    assert none == 0
    assert lower.then(parts.outputs) == (diagram, 0)
    assert is_planar(parts.planar)
    for permutation in (parts.inputs, parts.outputs):
        assert permutation.bottom == permutation.top == propagating_number(permutation)
    again = planar_factor(parts.planar)
    assert again.planar == parts.planar
    assert again.inputs == category.identity(parts.planar.dom)
    assert again.outputs == category.identity(parts.planar.cod)


def test_what_has_no_such_factors_is_refused() -> None:
    with pytest.raises(TypeError, match="more than its blocks"):
        factor(BilabelledGraph.identity(1))
    with pytest.raises(TypeError, match="more than its blocks"):
        planar_factor(BilabelledGraph.identity(1))
    with pytest.raises(TypeError, match="factor the parts"):
        planar_factor(Typed((), (), ()))
