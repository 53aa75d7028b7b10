"""Layers of the family S(): one weight for every n, read from the input, with padding or without."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tannaka as tn
from tannaka.nn import EquivariantLinear
from tannaka.testing import assert_equivariant


def family_and_member(k: Any, l: Any, n: int, **options: Any) -> tuple[Any, Any]:
    """A layer of the family and the layer of S(n) with the same weights, in float64."""
    options |= {"dtype": torch.float64}
    family = EquivariantLinear(tn.S(), k, l, 2, 3, **options)
    for parameter in family.parameters():
        torch.nn.init.normal_(parameter)
    member = EquivariantLinear(tn.S(n), k, l, 2, 3, lowering="factored", **options)
    member.load_state_dict(family.state_dict())
    return family, member


orders_of_layers = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda o: sum(o) <= 4)


@given(orders_of_layers, st.integers(0, 2), st.booleans(), st.sampled_from(["mean", "sum"]))
def test_a_layer_of_the_family_is_the_layer_of_each_large_member(
    orders: tuple[int, int], more: int, bias: bool, reduce: Any
) -> None:
    k, l = orders
    n = max(1, k + l) + more
    family, member = family_and_member(k, l, n, bias=bias, reduce=reduce)
    x = torch.randn(2, *(n,) * k, 2, dtype=torch.float64)
    torch.testing.assert_close(family(x, n=n), member(x))
    torch.testing.assert_close(family.matrix(n=n), member.matrix())
    assert len(family.weight) == tn.Hom(tn.S(), k, l).dimension == tn.Hom(tn.S(99), k, l).dimension


@given(orders_of_layers, st.lists(st.integers(0, 4), min_size=1, max_size=3), st.data())
def test_padding_does_not_matter_and_gets_nothing(
    orders: tuple[int, int], sizes: list[int], data: st.DataObject
) -> None:
    """Each input of a batch, its points anywhere among the padding, gives what it gives alone."""
    k, l = orders
    family, _ = family_and_member(
        k, l, max(1, k + l), reduce=data.draw(st.sampled_from(["mean", "sum"]))
    )
    n = max(sizes) + data.draw(st.integers(1, 2))
    mask = torch.zeros(len(sizes), n, dtype=torch.bool)
    x = torch.full((len(sizes), *(n,) * k, 2), float("nan"), dtype=torch.float64)
    alone, places = [], []
    for i, size in enumerate(sizes):
        at = np.array(data.draw(st.permutations(range(n)))[:size], dtype=int)
        one = torch.randn(*(size,) * k, 2, dtype=torch.float64)
        mask[i, at] = True
        if k:
            inside: Any = (i, *np.ix_(*[at] * k))
            x[inside] = one
        else:
            x[i] = one
        alone.append(one)
        places.append(at)
    x.requires_grad_(True)
    y = family(x, mask)
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    for i, (one, at) in enumerate(zip(alone, places, strict=True)):
        one.requires_grad_(True)
        if len(at) == 0 and k:
            continue  # a mean over no points
        wanted = family(one, n=len(at))
        here: Any = np.ix_(*[at] * l) if l else ()
        torch.testing.assert_close(y[(i, *here)], wanted)
        rest = y.detach()[i].clone()
        rest[here] = 0
        assert not rest.any() or not l
        (g,) = torch.autograd.grad(wanted.square().sum(), one)
        inside = np.ix_(*[at] * k) if k else ()
        torch.testing.assert_close(gradient[(i, *inside)], g)
        rest = gradient[i].clone()
        rest[inside] = 0
        assert not rest.any() or not k


def test_points_that_are_all_padding_give_zeros_and_no_nan() -> None:
    layer = EquivariantLinear(tn.S(), 2, 2, 2, 3)
    x = torch.full((1, 4, 4, 2), float("nan"))
    assert not layer(x, torch.zeros(1, 4, dtype=torch.bool)).any()


def test_products_with_the_family_are_point_clouds_of_any_size() -> None:
    layer = EquivariantLinear(tn.S() * tn.O(3), (0, 1), (0, 1), 4, 5)
    assert layer(torch.randn(2, 7, 3, 4)).shape == (2, 7, 3, 5)
    few = torch.randn(2, 6, 3, 4)
    padded = torch.cat([few, torch.full((2, 2, 3, 4), float("nan"))], dim=1)
    mask = torch.arange(8).expand(2, 8) < 6
    torch.testing.assert_close(layer(padded, mask)[:, :6], layer(few))
    assert_equivariant(layer, tn.S(5) * tn.O(3), (0, 1), (0, 1))


def test_a_layer_of_the_family_is_equivariant_for_each_member_and_survives_copies() -> None:
    layer = EquivariantLinear(tn.S(), 2, 1, 2, 2)
    for n in (1, 2, 3, 7):
        assert_equivariant(layer, tn.S(n), 2, 1)
    x, mask = torch.randn(3, 4, 4, 2), torch.rand(3, 4) > 0.4
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin(x, mask), layer(x, mask))


def test_the_variance_of_the_output_is_about_one_at_large_n() -> None:
    torch.manual_seed(0)
    layers = [EquivariantLinear(tn.S(), 2, 2, 16, 16, bias=False) for _ in range(20)]
    x = torch.randn(1, 40, 40, 16)
    with torch.no_grad():
        assert 0.8 < torch.stack([layer(x).var() for layer in layers]).mean() < 1.25


@pytest.mark.parametrize(
    ("group", "k", "l"),
    [
        (tn.S(), 1, 0),
        (tn.S(), 3, 0),
        (tn.S() * tn.S(), (0, 1), ()),
        (tn.S() * tn.O(3), (0, 1, 1), ()),
    ],
    ids=str,
)
def test_means_over_all_points_start_with_weights_of_ordinary_size(
    group: Any, k: Any, l: Any
) -> None:
    """The variance of a mean goes to 0 with n, and the weights do not grow to make up for it."""
    layer = EquivariantLinear(group, k, l, 3, 3)
    assert 0.1 < layer.weight.abs().max() < 10


def test_what_does_not_fit_is_refused() -> None:
    layer = EquivariantLinear(tn.S(), 2, 2, 3, 3)
    x = torch.randn(2, 4, 4, 3)
    for arguments, error, words in (
        ((x[:, :3],), ValueError, r"expects an input of shape \(\*batch, n, n, 3\)"),
        ((x[0, 0],), ValueError, r"expects an input of shape \(\*batch, n, n, 3\)"),
        ((x, torch.ones(2, 4)), TypeError, "the mask must be a boolean tensor.*float32"),
        ((x, torch.ones(2, 5).bool()), ValueError, r"must have shape .* = \(2, 4\), got \(2, 5\)"),
    ):
        with pytest.raises(error, match=words):
            layer(*arguments)
    with pytest.raises(ValueError, match=r"does not say what n is: give layer\(x, n="):
        EquivariantLinear(tn.S(), 0, 1, 3, 3)(torch.randn(2, 3))
    with pytest.raises(ValueError, match="a mask and n are for layers of a family"):
        EquivariantLinear(tn.S(4), 2, 2, 3, 3)(x, torch.ones(2, 4).bool())
    with pytest.raises(ValueError, match=r"layer.matrix\(n=...\) needs n"):
        layer.matrix()
    with pytest.raises(ValueError, match="only lowering='factored' does; got 'dense'"):
        EquivariantLinear(tn.S(), 1, 1, 1, 1, lowering="dense")
    for call in (
        lambda: tn.S().sample(),
        lambda: tn.S().generators(),
        lambda: tn.Hom(tn.S(), 1, 1).matrices(),
        lambda: tn.S().matrix(tn.SetPartition.identity(1)),
        lambda: tn.S().sparse(tn.SetPartition.identity(1)),
    ):
        with pytest.raises(ValueError, match=r"depend on n: take a member, such as S\(5\)"):
            call()
