"""Which lowering a layer takes, what it says about that, and that the answer does not depend on it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.codegen.lowering.choose import MOST, TYPICAL, lowered, options, schedule
from tannaka.codegen.lowering.lower import task
from tannaka.codegen.lowering.matrix_plans import DensePlan, IsotypicPlan
from tannaka.codegen.plan import Plan
from tannaka.nn import EquivariantLinear
from tannaka.testing.strategies import groups, orders

KINDS = {"factored": Plan, "dense": DensePlan, "isotypic": IsotypicPlan}


@given(
    groups(4, kinds=["S", "A", "O", "SO", "Sp"]),
    orders(2),
    orders(2),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_auto_takes_what_the_model_says_is_fastest(
    g: Group, k: int, l: int, channels: int, power: int
) -> None:
    wanted = task(tn.Hom(g, k, l), channels, channels)
    found = options(wanted, 2**power)
    priced = [option for option in found if option.seconds is not None]
    assert {option.name for option in found} == set(KINDS)
    assert [option.seconds for option in priced] == sorted(option.seconds for option in priced)  # type: ignore[type-var]
    assert all(option.reason for option in found if option.seconds is None)
    assert schedule(wanted)(2**power) == found[0].name
    assert isinstance(lowered(wanted), KINDS[schedule(wanted)(TYPICAL)])


def test_all_numbers_of_inputs_have_a_lowering() -> None:
    fastest = schedule(task(tn.Hom(tn.S(8), 2, 2), 16, 16))
    assert {fastest(batch) for batch in (0, 1, 3, 2**MOST, 10**12)} <= set(KINDS)
    assert fastest(1) != fastest(10**6), "few kernels pay for few inputs, few flops for many"


@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(5), 2, 2), (tn.O(3), 2, 2), (tn.SO(3), 2, 1)])
def test_the_answer_does_not_depend_on_how_many_inputs_there_are(g: Any, k: int, l: int) -> None:
    layer = EquivariantLinear(g, k, l, 8, 8, dtype=torch.float64)
    x = torch.randn(300, *g.shape(k), 8, dtype=torch.float64)
    whole = layer(x)
    for batch in (0, 1, 17):
        torch.testing.assert_close(layer(x[:batch]), whole[:batch])


def test_explanations_say_why_and_what_was_learned() -> None:
    layer = EquivariantLinear(tn.S(5), 2, 2, 8, 8)
    with torch.no_grad():
        layer.weight[3] *= 1e3
    found = layer.explain(rows=2)
    assert found.rows[0].number == 3
    assert found.left == 13
    assert found.rows[0].share > 0.99
    text = str(found)
    assert re.search(r"dense .* fastest\n .* [\d.]+x\n .* [\d.]+x\n", text)
    assert "y[ii] += W3 mean over j of x[jj]" in text
    html = found._repr_mimebundle_()["text/html"]
    assert html.count("<svg") == 2
    assert "and 13 more rows" in html
    assert abs(sum(row.share for row in layer.explain(rows=None).rows) - 1) < 1e-9


def test_explanations_of_families_graphs_and_empty_spaces() -> None:
    family = EquivariantLinear(tn.S(), 1, 1, 2, 2)
    assert "2*n" in str(family.explain()).replace("8*n", "2*n")
    assert "n is read from the input" in str(family.explain())
    with pytest.warns(UserWarning, match="no linear map but 0"):
        empty = EquivariantLinear(tn.O(3), 1, 2, 2, 2)
    assert "there is no map but 0" in str(empty.explain())
    cycle = tn.PermutationGroup([(1, 2, 3, 0)], 4)
    assert "orbits" in str(EquivariantLinear(cycle, 1, 1, 2, 2).explain())


def test_explanations_of_products_with_families() -> None:
    points = EquivariantLinear(tn.S() * tn.O(3), (0, 1), (0, 1), 2, 2)
    assert [str(row.flops) for row in points.explain(rows=None).rows] == ["24*n0", "24"]
    assert [row.flops for row in points.explain(n=5, rows=None).rows] == [120, 24]
    graphs = EquivariantLinear(tn.S() * tn.S(), (0, 1), (0,), 2, 2)
    assert {row.flops for row in graphs.explain(n=(3, 4)).rows} == {24, 8}
    with pytest.raises(ValueError, match=r"S\(5\) has one n, so layer.explain\(\) takes none"):
        EquivariantLinear(tn.S(5), 1, 1, 2, 2).explain(n=3)
    assert isinstance(graphs.plan, Plan)
    with pytest.raises(ValueError, match="n must be a tuple of 2 sizes"):
        graphs.plan.cost(n=3)


def test_lowerings_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="lowering must be 'auto', 'factored', 'dense' or 'isot"):
        EquivariantLinear(tn.S(4), 1, 1, 1, 1, lowering="fast")  # type: ignore[arg-type]
    cycle = tn.PermutationGroup([(1, 2, 3, 0)], 4)
    with pytest.raises(ValueError, match="they have no lowering 'dense'"):
        EquivariantLinear(cycle, 1, 1, 1, 1, lowering="dense")
