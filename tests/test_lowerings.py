"""Every lowering of every group's layers is its definition, with all derivatives up to the second."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from depth import share
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import (
    any_homs,
    arguments,
    assert_equal,
    calling,
    defined,
    derivatives,
    homs_of,
    kinds,
    matrices,
    quiet_layer,
    random_input,
    settings_of,
)
from torch import Tensor

import tannaka as tn
from tannaka.codegen.lowering.choose import plan_layer

LOWERINGS: tuple[Any, ...] = ("factored", "dense", "isotypic")


def by_definition(hom: tn.Hom, reduce: str) -> Any:
    """The layer of the oracle as a function of input and parameters."""

    def call(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return defined(hom, reduce, x, weight, bias)

    return call


def check(hom: tn.Hom, bias: bool, reduce: Any, i: int = 2, o: int = 3) -> None:
    """All lowerings of a layer, and their plans in numpy, are the oracle."""
    given = arguments(hom, i, o, bias)
    g = torch.randn(2, *hom.group.shape(hom.l), o, dtype=torch.float64)
    wanted = derivatives(by_definition(hom, reduce), given, g)
    for lowering in LOWERINGS:
        layer = quiet_layer(
            hom.group, hom.k, hom.l, i, o, bias=bias, reduce=reduce, lowering=lowering
        )
        about = f"{hom}, {lowering}, bias={bias}, reduce={reduce}"
        assert_equal(derivatives(calling(layer), given, g), wanted, about)
        if lowering != "factored":
            arrays = [one.detach().numpy() for one in given]
            plan: Any = layer.plan
            got = plan.interpret(*arrays, *[None] * (3 - len(arrays)))
            assert_equal({"output": got}, {"output": wanted["output"]}, f"{about}, in numpy")


@pytest.mark.parametrize("name", kinds())
def test_layers_and_their_derivatives_are_the_definition(name: str) -> None:
    for hom in homs_of(name):
        for bias, reduce in settings_of(hom):
            check(hom, bias, reduce)


def test_determinants_of_several_types_whose_legs_cross() -> None:
    check(tn.Hom(tn.A(2) * tn.A(2) * tn.A(2), (0, 1, 2), (1, 0)), True, "mean")
    check(tn.Hom(tn.SO(2) * tn.A(3) * tn.SO(2), (2, 0, 1), (1, 0, 2)), False, "sum")


@given(any_homs(), st.booleans(), st.sampled_from(["mean", "sum"]), st.data())
@share(4 / 5)
def test_layers_of_any_products_are_the_definition(
    hom: tn.Hom, bias: bool, reduce: str, data: st.DataObject
) -> None:
    check(hom, bias, reduce, data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))


@pytest.mark.parametrize("name", kinds())
def test_the_dense_matrix_and_the_bound_of_initial_weights_are_the_definition(name: str) -> None:
    for hom in homs_of(name):
        for reduce in ("mean", "sum"):
            layer = quiet_layer(hom.group, hom.k, hom.l, 3, 2, reduce=reduce, lowering="factored")
            stack = matrices(hom, reduce)
            weight = layer.weight.detach().numpy()
            wanted = np.einsum("rpq,roi->opiq", stack, weight)
            assert_equal({"matrix": layer.matrix()}, {"matrix": wanted}, hom)
            # Where the rows are independent, the variance of the output is the sum of theirs.
            total = (stack**2).sum() / max(1, stack.shape[1]) * layer.in_channels
            bound = layer.plan.initial_bound(hom.group.n)
            assert math.isclose(bound**2 / 3 * total, 1 if len(stack) else 0), f"{hom}, {reduce}"


def test_every_lowering_has_the_same_weights_and_signature() -> None:
    for name, k, l in (("S(3)", 2, 1), ("Sp(2)", 2, 2), ("SO(2) x A(3)", (0, 1), (1,))):
        hom = tn.Hom(tn.group(name), k, l)
        layers = [quiet_layer(hom.group, k, l, 2, 3, lowering=one) for one in LOWERINGS]
        for layer in layers:
            layer.load_state_dict(layers[0].state_dict())
            x = random_input(layer, 2)
            torch.testing.assert_close(layer(x), layers[0](x))
        for reduce in ("mean", "sum"):
            plans = [plan_layer(hom, 2, 3, lowering=one, reduce=reduce) for one in LOWERINGS]
            assert len({plan.signature() for plan in plans}) == 1


@pytest.mark.parametrize(
    ("name", "k", "l"), [("Sp(2)", 2, 2), ("SO(3)", 2, 1), ("A(2)", 1, 1), ("S(3)", 2, 0)]
)
def test_the_definition_tells_signs_and_divisors_apart(name: str, k: int, l: int) -> None:
    hom = tn.Hom(tn.group(name), k, l)
    mean, total = matrices(hom, "mean"), matrices(hom, "sum")
    layer = quiet_layer(hom.group, k, l, 2, 3, bias=False)
    x = random_input(layer, 2)
    right = {"output": defined(hom, "mean", x, layer.weight, None)}
    assert_equal({"output": layer(x)}, right)
    for row in range(hom.dimension):
        spoiled = layer.weight.detach().clone()
        spoiled[row] *= -1
        with pytest.raises(AssertionError, match="output"):
            assert_equal({"output": defined(hom, "mean", x, spoiled, None)}, right)
    assert any(not np.array_equal(one, other) for one, other in zip(mean, total, strict=True))
