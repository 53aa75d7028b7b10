"""Plans compute exactly their basis, before and after every pass, and a spoiled one is caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import dense_layer

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.codegen.interpret import interpret
from tannaka.codegen.lower import lower
from tannaka.codegen.notation import Reduce, formula, indices
from tannaka.codegen.passes import PASSES, optimise
from tannaka.codegen.plan import Contract, Embed, Mix, Plan
from tannaka.codegen.trace import traced, verify
from tannaka.diagrams.errors import PlanError
from tannaka.diagrams.partition import SetPartition
from tannaka.testing.strategies import groups, orders

PASS_SETS = [passes for count in range(len(PASSES) + 1) for passes in combinations(PASSES, count)]


def numbers(plan: Plan, n: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Random input, weight and bias of the plan's shapes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, *(n,) * plan.dom, plan.in_channels))
    weight = rng.standard_normal((len(plan.basis), plan.out_channels, plan.in_channels))
    if plan.bias_basis is None:
        return x, weight, None
    return x, weight, rng.standard_normal((len(plan.bias_basis), plan.out_channels))


@pytest.mark.parametrize("passes", PASS_SETS, ids=lambda passes: "+".join(n for n, _ in passes))
@given(
    groups(4, kinds=["S", "O"]),
    orders(3),
    orders(3),
    st.booleans(),
    st.sampled_from(["mean", "sum"]),
)
def test_the_interpreted_plan_is_the_definition_whichever_passes_ran(
    passes: Any, g: Group, k: int, l: int, bias: bool, reduce: Any
) -> None:
    plan = optimise(lower(tn.Hom(g, k, l), 2, 3, bias=bias, reduce=reduce), passes)
    x, weight, b = numbers(plan, g.n)
    wanted = dense_layer(
        [diagram.blocks for diagram in plan.basis],
        [diagram.blocks for diagram in plan.bias_basis or ()],
        weight,
        b,
        x,
        g.n,
        k,
        l,
        mean=reduce == "mean",
    )
    got = interpret(plan, x, weight, b, g.n)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max(initial=1))


@given(groups(4, kinds=["S", "A", "O", "SO", "Sp"]), orders(3), orders(3))
def test_the_trace_of_a_plan_is_the_matrices_of_the_basis(g: Group, k: int, l: int) -> None:
    plan = optimise(lower(tn.Hom(g, k, l), 1, 1, reduce="sum"))
    trace = traced(plan)
    for row, diagram in enumerate(plan.basis):
        found = plan.signs[row] * trace.weight[row].network.matrix((g.n,))
        np.testing.assert_array_equal(found, g.matrix(diagram))
    for row, diagram in enumerate(plan.bias_basis or ()):
        found = plan.bias_signs[row] * trace.bias[row].network.matrix((g.n,))
        np.testing.assert_array_equal(found, g.matrix(diagram))


def spoil_label(plan: Plan) -> Plan:
    index, step = next((i, s) for i, s in enumerate(plan.steps) if isinstance(s, Embed))
    return put(plan, index, replace(step, labels=tuple(range(len(step.labels))), keep=(0,)))


def spoil_row(plan: Plan) -> Plan:
    index, step = next((i, s) for i, s in enumerate(plan.steps) if isinstance(s, Mix))
    rows = (step.rows[0][::-1], *step.rows[1:])
    return put(plan, index, replace(step, rows=rows))


def spoil_permutation(plan: Plan) -> Plan:
    index, step = next(
        (i, s)
        for i, s in enumerate(plan.steps)
        if isinstance(s, Mix) and any(len(axes) > 1 for _, axes in s.features)
    )
    features = tuple((name, permutation[::-1]) for name, permutation in step.features)
    return put(plan, index, replace(step, features=features))


def spoil_bias(plan: Plan) -> Plan:
    index, step = next(
        (i, s) for i, s in enumerate(plan.steps) if isinstance(s, Mix) and s.bias_rows
    )
    return put(plan, index, replace(step, bias_rows=step.bias_rows[::-1]))


def spoil_mean(plan: Plan) -> Plan:
    index, step = next(
        (i, s) for i, s in enumerate(plan.steps) if isinstance(s, Contract) and s.summed
    )
    return put(plan, index, replace(step, mean=False))


def drop_step(plan: Plan) -> Plan:
    return plan.with_steps(plan.steps[:-1], plan.result)


def reverse_steps(plan: Plan) -> Plan:
    return plan.with_steps(plan.steps[::-1], plan.result)


def assign_twice(plan: Plan) -> Plan:
    return plan.with_steps((plan.steps[0], *plan.steps), plan.result)


def reuse_base(plan: Plan) -> Plan:
    last = plan.steps[-1]
    assert isinstance(last, Embed)
    return plan.with_steps((*plan.steps, replace(last, out="again")), "again")


def write_over_input(plan: Plan) -> Plan:
    last = plan.steps[-1]
    assert isinstance(last, Embed)
    return plan.with_steps((*plan.steps, replace(last, base="x", out="again")), plan.result)


def embed_twice(plan: Plan) -> Plan:
    last = plan.steps[-1]
    assert isinstance(last, Embed)
    return plan.with_steps((*plan.steps, replace(last, base=last.out, out="again")), "again")


def read_what_was_written_over(plan: Plan) -> Plan:
    """The trace is still the basis; only the rule that a base is spent forbids it."""
    *steps, last = plan.steps
    assert isinstance(last, Embed)
    axes = tuple(range(len(last.keep)))
    spill = Embed("spilt", last.source, last.source, axes, axes)
    return plan.with_steps((*steps, spill, last), plan.result)


def put(plan: Plan, index: int, step: Any) -> Plan:
    return plan.with_steps((*plan.steps[:index], step, *plan.steps[index + 1 :]), plan.result)


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_label,
        spoil_row,
        spoil_permutation,
        spoil_bias,
        spoil_mean,
        drop_step,
        reverse_steps,
        assign_twice,
        reuse_base,
        write_over_input,
        embed_twice,
        read_what_was_written_over,
    ],
)
def test_a_spoiled_plan_is_caught_and_the_pass_named(spoil: Callable[[Plan], Plan]) -> None:
    plan = lower(tn.Hom(tn.S(4), 2, 2), 2, 3)
    with pytest.raises(PlanError, match="after spoiling: "):
        verify(spoil(plan), after="spoiling")
    with pytest.raises(PlanError, match="after spoiling: "):
        optimise(plan, (*PASSES, ("spoiling", spoil)))


def test_sharing_takes_the_work_off_the_input_and_the_output() -> None:
    """S(n), 3 -> 3: of 21 contractions and 21 embeddings, 3 sums and 3 broadcasts touch n^3."""
    plain = lower(tn.Hom(tn.S(6), 3, 3), 1, 1)
    plan = optimise(plain)

    def large(plan: Plan) -> tuple[int, int]:
        sums = [s for s in plan.steps if isinstance(s, Contract) and s.summed]
        writes = [s for s in plan.steps if isinstance(s, Embed)]
        return tuple(sum(len(set(s.labels)) == 3 for s in steps) for steps in (sums, writes))  # type: ignore[return-value]

    assert large(plain)[0] > large(plan)[0]
    assert large(plan) == (3, 3)
    sums = Counter(len(set(s.labels)) for s in plan.steps if isinstance(s, Contract) and s.summed)
    writes = Counter(len(set(s.labels)) for s in plan.steps if isinstance(s, Embed))
    assert sums == {1: 5, 2: 6, 3: 3}, "how many sums touch n, n^2 and n^3 entries"
    assert writes == {1: 9, 2: 9, 3: 3}
    with pytest.raises(ValueError, match="shares its contractions already"):
        PASSES[0][1](plan)
    with pytest.raises(ValueError, match="shares its embeddings already"):
        PASSES[1][1](plan)


def test_plans_read_well(golden: Callable[[str, str], None]) -> None:
    for g, k, l in ((tn.S(5), 2, 2), (tn.O(3), 2, 4), (tn.S(2), 1, 2)):
        name = f"plan_{g}_{k}_{l}.txt".replace("(", "").replace(")", "")
        golden(name, f"{optimise(lower(tn.Hom(g, k, l), 2, 3))}\n")


def test_formulas_and_signatures() -> None:
    assert formula(SetPartition(0, 2, (0, 0)), factor="b1") == "y[ii] += b1"
    assert formula(SetPartition(0, 2, (0, 0)), factor="W1") == "y[ii] += W1 x[]"
    settings: list[tuple[int, int, int, int, bool, Reduce]] = [
        (5, 2, 1, 1, True, "mean"),
        (6, 2, 1, 2, True, "mean"),
        (2, 2, 1, 1, True, "mean"),
        (5, 1, 2, 1, True, "mean"),
        (5, 2, 1, 1, False, "mean"),
        (5, 2, 1, 1, True, "sum"),
    ]
    plans = [
        lower(tn.Hom(tn.S(n), k, l), 1, c, bias=bias, reduce=reduce)
        for n, k, l, c, bias, reduce in settings
    ]
    texts = [plan.signature() for plan in plans]
    assert texts[0] == texts[1], "the same basis at another n, with other channels"
    assert len(set(texts)) == len(texts) - 1


def test_there_are_letters_for_51_indices_and_none_is_the_channels() -> None:
    letters = indices(tuple(range(51)))
    assert len(set(letters)) == 51
    assert "c" not in letters
    with pytest.raises(PlanError, match="more than 51 indices"):
        indices(tuple(range(52)))
