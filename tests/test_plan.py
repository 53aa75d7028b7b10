"""Plans compute exactly their basis, before and after every pass, and a spoiled one is caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import (
    Cases,
    any_homs,
    assert_equal,
    bias_hom,
    homs_of,
    kinds,
    matrices,
    sizes,
)
from spoiling import spoiled

import tannaka as tn
from tannaka.codegen.backends.einsum import kernels
from tannaka.codegen.interpret import interpret, interpret_gradient
from tannaka.codegen.lowering.gradient import gradient
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.notation import Reduce, formula, indices
from tannaka.codegen.passes import PASSES, Pass, optimise
from tannaka.codegen.plan import LeviCivita, Mix, Plan, Step
from tannaka.codegen.runtime.build import build
from tannaka.codegen.trace import traced, verify
from tannaka.diagrams.errors import PlanError
from tannaka.diagrams.partition import SetPartition

Passes = tuple[Pass, ...]


def check(plan: Plan, case: Cases, about: object = "") -> None:
    """A plan and its backward pass, run in numpy, are the oracle."""
    n, wanted = case.hom.group.n, case.wanted
    of_input, of_weight, of_bias = interpret_gradient(
        gradient(plan), case.x, case.weight, case.g, n
    )
    got = {
        "output": interpret(plan, case.x, case.weight, case.bias, n),
        "gradient of the input": of_input,
        "gradient of the weight": of_weight,
        "gradient of the bias": of_bias,
    }
    if case.bias is None:
        del got["gradient of the bias"]
    assert_equal(got, {name: wanted[name] for name in got}, about)


def random_passes(random: Random) -> Passes:
    """Some of the passes, in any order."""
    return tuple(random.sample(PASSES, random.randint(2, len(PASSES))))


@pytest.mark.parametrize("name", kinds())
def test_plans_and_their_gradients_are_the_definition_whichever_passes_ran(name: str) -> None:
    random = Random(name)
    alone: list[Passes] = [(one,) for one in PASSES]
    for hom in homs_of(name):
        sets = [(), *alone, PASSES, random_passes(random)]
        # Bias or none, mean or sum: over all orders every set of passes meets all of them.
        case = Cases.of(hom, bias=random.random() < 0.7, reduce=random.choice(["mean", "sum"]))
        plain = lower(hom, case.in_channels, case.out_channels, **case.settings)
        for passes in sets:
            names = " + ".join(name for name, _ in passes)
            check(optimise(plain, passes), case, f"{hom}, {case.settings}, {names}")


@given(any_homs(), st.booleans(), st.sampled_from(["mean", "sum"]), st.randoms())
def test_any_passes_in_any_order(hom: tn.Hom, bias: bool, reduce: str, random: Random) -> None:
    case = Cases.of(hom, bias=bias, reduce=reduce)
    plain = lower(hom, case.in_channels, case.out_channels, **case.settings)
    for _ in range(2):
        check(optimise(plain, random_passes(random)), case)


def test_three_passes_in_any_order() -> None:
    """A mix that is merged after embeddings have used it stays where they find it."""
    plain = lower(tn.Hom(tn.S(3), 2, 3), 2, 3)
    for passes in permutations(PASSES, 3):
        optimise(plain, passes)  # which verifies after each pass


@pytest.mark.parametrize("name", kinds())
def test_the_trace_of_a_plan_is_the_matrices_of_the_basis(name: str) -> None:
    for hom in homs_of(name):
        plan = optimise(lower(hom, 1, 1, reduce="sum"))
        trace, at = traced(plan), sizes(hom.group)
        for found, signs, wanted in (
            (trace.weight, plan.signs, matrices(hom)),
            (trace.bias, plan.bias_signs, matrices(bias_hom(hom))),
        ):
            assert sorted(found) == list(range(len(signs))) == list(range(len(wanted)))
            for row, branch in found.items():
                got = signs[row] * branch.network.matrix(at)
                np.testing.assert_array_equal(got, wanted[row], err_msg=f"{hom}, row {row}")


SPOILED: list[tuple[str, Any, Any, Reduce]] = [
    ("S(4)", 2, 2, "mean"),
    ("S(2)", 2, 2, "sum"),
    ("O(3)", 2, 2, "mean"),
    ("O(3)", 1, 2, "mean"),
    ("A(2)", 1, 2, "mean"),
    ("SO(2)", 2, 2, "mean"),
    ("SO(3)", 2, 1, "mean"),
    ("SO(3)", 2, 3, "mean"),
    ("Sp(4)", 2, 2, "mean"),
    ("Sp(4)", 4, 2, "sum"),
    ("SO(2) x SO(2)", (0, 1), (1, 0), "mean"),
    ("S(2) x Sp(2)", (1, 0, 1), (0, 1, 1), "mean"),
    ("S(3) x S(3)", (0, 1), (1, 0), "mean"),
    ("Sp(2) x Sp(2)", (1, 1, 0, 0), (), "mean"),
]
NEVER_RIGHT = {
    "a form turned round",
    "a form left out",
    "another form",
    "partners exchanged",
    "legs exchanged",
    "another kind",
    "a symbol left out",
    "a mean",
    "a sign",
    "a sign of the bias",
    "another row",
    "a row made absent",
    "rows of another length",
    "labels",
    "another base",
    "axes of zeros",
    "a step done twice",
    "a base used again",
    "an embedding done twice",
    "the input written over",
    "what was written over read",
}
"""What changes a plan in any case. The rest may leave it as it was: two steps that do not need each
other can change places, and two results that are the same tensor can stand for each other."""


@pytest.mark.parametrize("optimised", [False, True])
def test_what_is_verified_is_right_and_a_spoiled_plan_is_caught(optimised: bool) -> None:
    caught: Counter[str] = Counter()
    for name, k, l, reduce in SPOILED:
        hom = tn.Hom(tn.group(name), k, l)
        case = Cases.of(hom, reduce=reduce, in_channels=1, out_channels=1)
        plan = lower(hom, 1, 1, reduce=reduce)
        plan = optimise(plan) if optimised else plan
        for what, other in spoiled(plan):
            if (error := refused(other)) is not None:
                assert error.startswith("after spoiling: "), what
                caught[what] += 1
                continue
            assert what not in NEVER_RIGHT, f"{hom}: {what} is not caught: {other}"
            check(other, case, what)
            check_source(other, case, what)
    assert set(caught) >= NEVER_RIGHT


def refused(plan: Plan) -> str | None:
    """What the verification says of a plan that it refuses."""
    try:
        verify(plan, after="spoiling")
    except PlanError as error:
        return str(error)
    return None


def check_source(plan: Plan, case: Cases, about: str) -> None:
    """The text that is written for a plan is the oracle too."""
    written = build(kernels(plan))
    given = [None if a is None else torch.from_numpy(a) for a in (case.x, case.weight, case.bias)]
    n = case.hom.group.n
    got = {"output": written.apply(*given, n)}
    of_input, of_weight, _ = written.gradients(*given[:2], torch.from_numpy(case.g), n)
    got |= {"gradient of the input": of_input, "gradient of the weight": of_weight}
    assert_equal(got, {name: case.wanted[name] for name in got}, about)


def test_symbols_leave_other_axes_in_their_order() -> None:
    """Even where the next mix would exchange them back: what runs the plan relies on it."""
    plan = lower(tn.Hom(tn.SO(2), 3, 3), 1, 1)
    at, step = next(
        (i, step)
        for i, step in enumerate(plan.steps)
        if isinstance(step, LeviCivita) and len(set(step.keep) - set(step.legs)) == 2
    )
    assert isinstance(step, LeviCivita)
    a, b = (axis for axis, index in enumerate(step.keep) if index not in step.legs)
    turned = list(range(len(step.keep)))
    turned[a], turned[b] = b, a

    def back(other: Step) -> Step:
        if not isinstance(other, Mix):
            return other
        features = (
            (name, tuple(turned[axis] for axis in axes) if name == step.out else axes)
            for name, axes in other.features
        )
        return replace(other, features=tuple(features))

    exchanged = replace(step, keep=tuple(step.keep[axis] for axis in turned))
    steps = (*plan.steps[:at], exchanged, *map(back, plan.steps[at + 1 :]))
    with pytest.raises(PlanError, match="exchanges axes that are no legs"):
        verify(plan.with_steps(steps, plan.result), after="spoiling")


def test_a_pass_that_spoils_a_plan_is_named() -> None:
    def drop_the_last(plan: Plan) -> Plan:
        return plan.with_steps(plan.steps[:-1], plan.result)

    def turn_a_sign(plan: Plan) -> Plan:
        return replace(plan, signs=(-plan.signs[0], *plan.signs[1:]))

    for run in (drop_the_last, turn_a_sign):
        with pytest.raises(PlanError, match=r"^after my own pass: "):
            optimise(lower(tn.Hom(tn.S(4), 2, 2), 2, 3), (*PASSES, ("my own pass", run)))


def test_the_error_names_the_row_and_both_diagrams() -> None:
    plan = lower(tn.Hom(tn.S(3), 1, 1), 1, 1, bias=False)
    mix = next(step for step in plan.steps if isinstance(step, Mix))
    spoilt = replace(mix, rows=((1,),))
    steps = tuple(spoilt if step is mix else step for step in plan.steps)
    with pytest.raises(PlanError, match="row 1 of the weight is used twice"):
        verify(plan.with_steps(steps, plan.result), after="spoiling")
    with pytest.raises(PlanError, match=r"row 0 of the weight computes .*, expected Branch\(.*"):
        verify(replace(plan, signs=(-1, 1)), after="spoiling")


def test_orders_of_ten_plan_and_run_for_rotations() -> None:
    hom = tn.Hom(tn.O(3), 5, 5)
    plan = lower(hom, 1, 1, bias=False)
    assert len(plan.basis) == hom.dimension
    verify(optimise(plan), after="all")


def test_plans_read_well(golden: Callable[[str, str], None]) -> None:
    for name, k, l in (
        ("S(5)", 2, 2),
        ("O(3)", 2, 4),
        ("S(2)", 1, 2),
        ("SO(3)", 2, 2),
        ("Sp(4)", 2, 2),
        ("S(3) x SO(2)", (0, 1), (1, 0)),
    ):
        file = f"plan_{name}_{k}_{l}.txt".translate(str.maketrans("", "", "() ,"))
        golden(file, f"{optimise(lower(tn.Hom(tn.group(name), k, l), 2, 3))}\n")


def test_formulas_and_signatures() -> None:
    assert formula(SetPartition(0, 2, (0, 0)), factor="b1") == "y[ii] += b1"
    assert formula(SetPartition(0, 2, (0, 0)), factor="W1") == "y[ii] += W1 x[]"
    options: list[tuple[int, int, int, int, bool, Reduce]] = [
        (5, 2, 1, 1, True, "mean"),
        (6, 2, 1, 2, True, "mean"),
        (2, 2, 1, 1, True, "mean"),
        (5, 1, 2, 1, True, "mean"),
        (5, 2, 1, 1, False, "mean"),
        (5, 2, 1, 1, True, "sum"),
    ]
    plans = [
        lower(tn.Hom(tn.S(n), k, l), 1, c, bias=bias, reduce=reduce)
        for n, k, l, c, bias, reduce in options
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
