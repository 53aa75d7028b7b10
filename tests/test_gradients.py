"""Derivatives of layers: of what is asked for alone, of every order, either way, and honest in place.

That first and second derivatives are the definition's is said in ``test_lowerings.py``, that backward
plans are in ``test_plan.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
import torch
from layer_cases import (
    Cases,
    arguments,
    assert_equal,
    calling,
    defined,
    homs_of,
    quiet_layer,
    random_input,
    word,
)
from torch import Tensor
from torch.func import grad, jacfwd, jacrev, jvp

import tannaka as tn
from tannaka.codegen.interpret import run
from tannaka.codegen.lowering.gradient import GRADIENT, Outer, gradient
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import INPUT, produced, used
from tannaka.codegen.runtime.autograd import layer as differentiable
from tannaka.nn import EquivariantLinear

LOWERINGS = ("factored", "dense", "isotypic")
CASES: list[tuple[str, Any, Any]] = [
    ("S(4)", 2, 2),
    ("S(2)", 2, 1),
    ("A(3)", 2, 1),
    ("O(3)", 2, 2),
    ("O(3)", 1, 2),
    ("O(3)", 2, 1),
    ("SO(2)", 1, 1),
    ("Sp(2)", 2, 2),
    ("S(2) x S(3)", (0, 1, 0), (0, 1)),
    ("SO(2) x A(3)", (0, 1), (1, 0)),
    ("S(5)", 0, 2),
    ("S(2)", 0, 0),
]
cases = pytest.mark.parametrize(("name", "k", "l"), CASES)
lowerings = pytest.mark.parametrize("lowering", LOWERINGS)


def made(name: str, k: Any, l: Any, lowering: str, **options: Any) -> EquivariantLinear:
    return quiet_layer(tn.group(name), k, l, 2, 3, lowering=lowering, **options)


@lowerings
@cases
def test_gradients_are_the_same_whichever_are_asked_for(
    name: str, k: Any, l: Any, lowering: str
) -> None:
    layer = made(name, k, l, lowering)
    parameters = list(layer.parameters())
    values, g = random_input(layer, 3), torch.randn_like(layer(random_input(layer, 3)))
    x = values.clone().requires_grad_()
    wanted = torch.autograd.grad(layer(x), (x, *parameters), g)
    for asked in product((False, True), repeat=len(wanted)):
        x = values.clone().requires_grad_(asked[0])
        for parameter, needed in zip(parameters, asked[1:], strict=True):
            parameter.requires_grad_(needed)
        y = layer(x)
        assert y.requires_grad == any(asked)
        if not any(asked):
            continue
        # Twice through the same graph: gradients add up, and nothing was spent.
        y.backward(g, retain_graph=True)
        y.backward(g)
        with pytest.raises(RuntimeError, match="second time"):
            y.backward(g)
        for leaf, needed, right in zip((x, *parameters), asked, wanted, strict=True):
            assert (leaf.grad is not None) == needed
            if leaf.grad is not None:
                torch.testing.assert_close(leaf.grad, 2 * right)
            leaf.grad = None


@lowerings
@pytest.mark.parametrize("changed", ["input", "weight"])
def test_what_changed_in_place_is_noticed_or_does_not_matter(lowering: str, changed: str) -> None:
    for name, k, l in CASES:
        layer = made(name, k, l, lowering)
        if not layer.weight.numel():
            continue
        x = random_input(layer, 2).requires_grad_()
        leaves = (x, *layer.parameters())
        wanted = torch.autograd.grad(layer(x).square().sum(), leaves)
        copy = x * 1
        total = layer(copy).square().sum()
        with torch.no_grad():
            (copy if changed == "input" else layer.weight).mul_(2)
        if lowering == "factored":
            # These save the input and the weight; the others matrices and products made of them.
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                torch.autograd.grad(total, leaves)
        elif not (lowering == "dense" and changed == "input"):
            torch.testing.assert_close(torch.autograd.grad(total, leaves), wanted)


@lowerings
def test_results_may_be_changed_in_place(lowering: str) -> None:
    for name, k, l in CASES:
        layer = made(name, k, l, lowering)
        x = random_input(layer, 2).requires_grad_()
        leaves = (x, *layer.parameters())
        in_place = torch.autograd.grad(layer(x).mul_(2).relu_().sum(), leaves)
        torch.testing.assert_close(
            in_place, torch.autograd.grad((2 * layer(x)).relu().sum(), leaves)
        )


@lowerings
@pytest.mark.parametrize("batch", [(0,), (2, 0), (0, 3)])
def test_no_inputs_have_gradients_that_are_zero(lowering: str, batch: tuple[int, ...]) -> None:
    for name, k, l in CASES:
        layer = made(name, k, l, lowering)
        x = random_input(layer, *batch).requires_grad_()
        y = layer(x)
        assert y.shape == (*batch, *layer.group.shape(l), 3)
        first = torch.autograd.grad(y.sum(), (x, *layer.parameters()), create_graph=True)
        assert first[0].shape == x.shape
        assert not any(part.any() for part in first)
        if any(part.requires_grad for part in first):
            total = torch.stack([part.sum() for part in first]).sum()
            second = torch.autograd.grad(total, (x, *layer.parameters()), materialize_grads=True)
            assert not any(part.any() for part in second)


@lowerings
def test_gradients_of_any_strides_are_the_same(lowering: str) -> None:
    for name, k, l in CASES:
        layer = made(name, k, l, lowering)
        x, g = random_input(layer, 3), torch.randn_like(layer(random_input(layer, 3)))
        for view, of_view in (
            (x.transpose(0, -1).contiguous().transpose(0, -1), g[:1].expand_as(g)),
            (torch.stack([x, -x], dim=-1)[..., 0], torch.stack([g, g], dim=0)[1]),
            (x[:1].expand_as(x), g.transpose(0, -1).contiguous().transpose(0, -1)),
            (x[..., :1].expand_as(x), g[..., :1].expand_as(g)),
        ):
            results = []
            for one, other in ((view, of_view), (view.contiguous(), of_view.contiguous())):
                leaf = one.detach().requires_grad_()
                results.append(torch.autograd.grad(layer(leaf), (leaf, *layer.parameters()), other))
            torch.testing.assert_close(*results)


def cubed(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function with third derivatives that are not zero."""

    def total(*given: Tensor) -> Tensor:
        return call(*given).pow(3).sum()

    return total


SMALL: list[tuple[str, Any, Any]] = [
    ("S(3)", 2, 1),
    ("A(2)", 1, 1),
    ("O(3)", 1, 2),
    ("SO(2)", 1, 1),
    ("Sp(2)", 2, 0),
    ("S(2) x SO(2)", (0, 1), (1, 0)),
    ("S(2) x S(3)", (0, 1, 0), (0, 1)),
]


forward = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
"""PyTorch's own forward derivatives warn, the first time, of what they are made with."""


@forward
@pytest.mark.parametrize(("name", "k", "l"), SMALL)
def test_hessians_forward_and_backward_are_the_definition(name: str, k: Any, l: Any) -> None:
    hom = tn.Hom(tn.group(name), k, l)
    given = [one.detach() for one in arguments(hom, 1, 2, bias=True)]

    def by_definition(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return defined(hom, "mean", x, weight, bias)

    at = tuple(range(len(given)))
    wanted = jacrev(jacrev(cubed(by_definition), at), at)(*given)
    for lowering in LOWERINGS:
        layer = quiet_layer(hom.group, k, l, 1, 2, lowering=lowering)
        ways: tuple[Any, ...] = (jacrev, jacfwd)
        for outer, inner in product(ways, repeat=2):
            found = outer(inner(cubed(calling(layer)), at), at)(*given)
            for i, j in product(at, at):
                torch.testing.assert_close(
                    found[i][j], wanted[i][j], msg=f"{lowering}: {outer}, {inner}, {i}, {j}"
                )


@forward
@pytest.mark.parametrize(("name", "k", "l"), SMALL)
def test_gradients_of_some_change_along_all_as_the_definition_says(
    name: str, k: Any, l: Any
) -> None:
    """Forward over backward, where what needs no gradient changes too."""
    hom = tn.Hom(tn.group(name), k, l)
    given = tuple(one.detach() for one in arguments(hom, 1, 2, bias=True))
    along = tuple(map(torch.randn_like, given))

    def by_definition(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return defined(hom, "mean", x, weight, bias)

    at = range(len(given))
    some = [few for size in at for few in combinations(at, size + 1)]
    for lowering in LOWERINGS:
        layer = quiet_layer(hom.group, k, l, 1, 2, lowering=lowering)
        for few in some:
            found, wanted = (
                jvp(grad(cubed(call), few), given, along)[1]
                for call in (calling(layer), by_definition)
            )
            torch.testing.assert_close(found, wanted, msg=f"{lowering}: {few}")


@pytest.mark.parametrize(("name", "k", "l"), SMALL)
def test_third_derivatives_are_the_definition(name: str, k: Any, l: Any) -> None:
    hom = tn.Hom(tn.group(name), k, l)
    given = arguments(hom, 1, 2, bias=True)

    def by_definition(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return defined(hom, "mean", x, weight, bias)

    def third(call: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        total = cubed(call)(*given)
        for _ in range(2):
            parts = torch.autograd.grad(total, given, create_graph=True, materialize_grads=True)
            total = torch.stack([part.square().sum() for part in parts]).sum()
        return torch.autograd.grad(total, given, materialize_grads=True)

    for lowering in LOWERINGS:
        layer = quiet_layer(hom.group, k, l, 1, 2, lowering=lowering)
        torch.testing.assert_close(third(calling(layer)), third(by_definition))


@forward
def test_forward_over_forward_is_refused_where_it_would_be_wrong() -> None:
    """PyTorch loses terms of rules for jvp there, and kernels that it does not see into have no other."""
    layer = quiet_layer(tn.S(3), 1, 1, 1, 1, lowering="factored")
    applied: Any = layer._apply_plan
    kernels = applied.args[0]
    opaque = type(kernels)(
        kernels.apply, kernels.gradients, kernels.input_gradient, kernels.weight_gradient
    )

    def call(x: Tensor) -> Tensor:
        return differentiable((opaque, 3), x, layer.weight, None).pow(2).sum()

    x = random_input(layer)
    torch.testing.assert_close(jacfwd(jacrev(call))(x), jacrev(jacrev(call))(x))
    with pytest.raises(NotImplementedError, match="take jacfwd"):
        jacfwd(jacfwd(call))(x)


@pytest.mark.parametrize("name", ["S(4)", "A(3)", "SO(3)", "Sp(4)", "S(2) x Sp(2)"])
@pytest.mark.parametrize(("of_input", "of_parameters"), [(True, False), (False, True)])
def test_parts_of_a_backward_plan_do_what_it_does_with_no_step_too_many(
    name: str, of_input: bool, of_parameters: bool
) -> None:
    for hom in homs_of(name):
        plan = optimise(lower(hom, 2, 3))
        whole = gradient(plan)
        part = whole.needing(of_input=of_input, of_parameters=of_parameters)
        assert set(part.steps) <= set(whole.steps)
        assert any(isinstance(step, Outer) for step in part.steps) == (
            of_parameters and any(isinstance(step, Outer) for step in whole.steps)
        )
        case = Cases.of(hom)
        values = {GRADIENT: case.g} | ({INPUT: case.x} if of_parameters else {})
        scales = np.array([float(scale) for scale in plan.scales]).reshape(-1, 1, 1)
        turned = ((case.weight * scales).transpose(0, 2, 1), None)
        for step in part.steps:
            if not isinstance(step, Outer):
                at = tuple(hom.group.n) if isinstance(hom.group.n, tuple) else (hom.group.n,)
                run(step, values, part.words(), turned, (2,), at, plan.in_channels)
        if of_input:
            got = {"gradient of the input": values[part.input]}
            assert_equal(got, {key: case.wanted[key] for key in got}, hom)
        read = {name for step in part.steps if isinstance(step, Outer) for name in step.sources}
        read |= {n for s in part.steps if isinstance(s, Outer) for n, _ in s.features}
        for step in reversed(part.steps):
            if not isinstance(step, Outer):
                needed = {part.input} if of_input else set()
                assert not (needed | read).isdisjoint(produced(step)), f"{hom}: {step} is idle"
                read |= set(used(step))


def test_the_gradient_of_the_input_is_the_layer_of_the_flipped_diagrams() -> None:
    for name, k, l in (("S(3)", 2, 1), ("O(3)", 1, 3), ("SO(3)", 2, 1), ("A(3)", 1, 2)):
        layer = quiet_layer(tn.group(name), k, l, 2, 3, bias=False)
        x = random_input(layer).requires_grad_()
        g = torch.randn_like(layer(x))
        (found,) = torch.autograd.grad(layer(x), x, g)
        rows = len(word(l))
        flat = g.reshape(layer.group.n**rows, 3)
        wanted = torch.einsum("opiq,po->qi", layer.matrix(), flat).reshape(x.shape)
        torch.testing.assert_close(found, wanted)
