"""Masks of a family's points: each of the inputs that are padded to one size comes out as it does alone."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import tannaka as tn
from tannaka.codegen.modules.blocks import Pooling
from tannaka.nn import (
    Declared,
    EquivariantBilinear,
    EquivariantGraph,
    EquivariantLinear,
    EquivariantNorm,
    EquivariantSequential,
    Features,
    NormActivation,
    Pool,
    Residual,
)

GROUPS: list[tuple[Any, list[Any], int, int]] = [
    (tn.S(), [0, 1, 2], 0, 0),
    (tn.S() * tn.S(3), [(), (0,), (1,), (0, 1), (0, 0)], 0, 3),
    (tn.S(2) * tn.S(), [(), (0,), (1,), (1, 0), (1, 1)], 1, 2),
    (tn.S() * tn.O(2), [(), (0,), (1,), (1, 0), (1, 1)], 0, 2),
]
"""Groups with a family, words of types, which of them is the family's, and the size of the others."""


def made(group: Any, order: Any, to: Any) -> list[Any]:
    """The modules that take a mask, for these features."""
    double: Any = {"dtype": torch.float64}
    found: list[Any] = [
        partial(EquivariantLinear, group, order, to, 2, 2, **double),
        partial(EquivariantBilinear, group, order, order, to, 2, 2, 2, **double),
        partial(EquivariantNorm, group, order, 2, **double),
        partial(NormActivation, group, order, 2, **double),
        partial(Pool, group, order, 2, "norm"),
    ]
    if order and (isinstance(order, int) or order[0] == 0):  # O(2) adds up entries
        each = 1 if isinstance(order, int) else (0,)
        found += [
            partial(EquivariantNorm, group, order, 2, each=each, **double),
            partial(NormActivation, group, order, 2, each=each, **double),
            partial(Pool, group, order, 2, "norm", each=each),
        ]
    if "O" not in str(group):  # which keeps no constants
        found += [partial(Pool, group, order, 2, how) for how in get_args(Pooling)]
        center = bool(order)
        found += [partial(EquivariantNorm, group, order, 2, center=center, bias=True, **double)]
    return [*found, partial(residual, group, order)]


def residual(group: Any, order: Any) -> Residual:
    """A layer with what it takes added."""
    return Residual(EquivariantLinear(group, order, order, 2, 2, dtype=torch.float64))


def chosen(x: Tensor, word: Any, kind: int, points: Tensor) -> Tensor:
    """One input with the given points alone."""
    for axis, other in enumerate((0,) * word if isinstance(word, int) else word):
        x = x.index_select(axis, points) if other == kind else x
    return x


@given(st.data())
def test_each_input_comes_out_as_it_does_alone(data: st.DataObject) -> None:
    """Of no points too; in padding outputs and gradients are 0, whatever stands there."""
    group, words, kind, size = data.draw(st.sampled_from(GROUPS))
    order, to = data.draw(st.sampled_from(words)), data.draw(st.sampled_from(words))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # spaces of 0 warn
        module: Any = data.draw(st.sampled_from(made(group, order, to)))()
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    n = data.draw(st.integers(0, 3))
    rows = data.draw(
        st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=2)
    )
    mask = torch.tensor(rows, dtype=torch.bool).reshape(len(rows), n)
    word = (0,) * order if isinstance(order, int) else order
    clean = torch.randn(
        len(rows), *(n if other == kind else size for other in word), 2, dtype=torch.float64
    )
    real = torch.zeros_like(clean, dtype=torch.bool)
    for i, row in enumerate(mask):
        points = [row if other == kind else torch.ones(size, dtype=torch.bool) for other in word]
        for axis, one in enumerate(points):
            sizes = [1] * (len(word) + 1)
            sizes[axis] = len(one)
            points[axis] = one.reshape(sizes)
        real[i] = math.prod(points, start=torch.tensor(True)).bool()
    nonsense = data.draw(st.sampled_from([math.nan, math.inf, 7.0]))
    x = clean.masked_fill(~real, nonsense).requires_grad_()
    twice = 2 if isinstance(module, EquivariantBilinear) else 1
    y = module(*[x] * twice, mask=mask)
    (gradient,) = torch.autograd.grad((y * torch.rand_like(y)).sum(), x, materialize_grads=True)
    assert not gradient[~real].any()
    for i, row in enumerate(mask):
        alone = chosen(clean[i], order, kind, row.nonzero().flatten())
        wanted = module(*[alone] * twice, mask=torch.ones(int(row.sum()), dtype=torch.bool))
        found = chosen(y[i], module.out_order, kind, row.nonzero().flatten())
        torch.testing.assert_close(found, wanted)
        assert y[i].count_nonzero() == found.count_nonzero()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("how", ["mean", "norm"])
def test_means_of_halves_are_of_their_size(how: Any, dtype: torch.dtype) -> None:
    """Their sum, and the number of entries, would be infinite as halves."""
    x, mask = torch.full((300, 300, 1), 2.0, dtype=dtype), torch.ones(300, dtype=torch.bool)
    torch.testing.assert_close(Pool(tn.S(), 2, 1, how)(x, mask), torch.tensor([2.0], dtype=dtype))


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ([True, True], "got list"),
        (torch.ones(2, 2), "got Tensor of torch.float32"),
        (torch.ones(2, 2, dtype=torch.bool).numpy(), "got ndarray of bool"),
        (torch.tensor(True), r"shape \(\*batch, n\)"),
        (torch.ones(2, 2, dtype=torch.bool, device="meta"), "mask is on meta, the input on cpu"),
    ],
    ids=["list", "float", "numpy", "one", "device"],
)
def test_layers_refuse_what_is_no_mask(order: int, mask: Any, words: str) -> None:
    x = torch.ones(2, *[2] * order, 1)
    with pytest.raises((TypeError, ValueError), match=words):
        EquivariantLinear(tn.S(), order, 1, 1, 1)(x, mask)
    with pytest.raises((TypeError, ValueError), match=words):
        EquivariantBilinear(tn.S(), order, 0, 1, 1, 1, 1)(x, torch.ones(2, 1), mask)


def test_inputs_of_another_device_are_refused() -> None:
    x = torch.ones(2, 3, 1)
    with pytest.raises(ValueError, match="the input is on meta, the layer on cpu"):
        EquivariantLinear(tn.S(3), 1, 1, 1, 1)(x.to("meta"))
    with pytest.raises(ValueError, match="the second input is on meta, the layer on cpu"):
        EquivariantBilinear(tn.S(3), 1, 1, 1, 1, 1, 1)(x, x.to("meta"))


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64])
def test_lengths_are_of_floating_point_numbers(dtype: torch.dtype) -> None:
    x = torch.ones(3, 1, dtype=dtype)
    for block in (EquivariantNorm, NormActivation, partial(Pool, how="norm")):
        with pytest.raises(TypeError, match="floating-point"):
            block(tn.S(3), 1, 1)(x)


def through_scalars(kind: str) -> Any:
    """Networks of S() whose inner layers see no axis that says n."""
    group = tn.S()
    down, up = EquivariantLinear(group, 2, 0, 2, 3), EquivariantLinear(group, 0, 2, 3, 2)
    if kind == "nested":
        return EquivariantSequential(down, nn.Sequential(nn.ReLU(), up))
    if kind == "residual":
        return Residual(down, Residual(nn.ReLU(), features=Features(group, 0, 3)), up)
    if kind == "declared":
        return EquivariantSequential(
            down, Declared(up, Features(group, 0, 3), Features(group, 2, 2), check=0)
        )
    steps = [
        ("s", down, "x"),
        ("t", EquivariantBilinear(group, 0, 0, 1, 3, 3, 2), "s", "s"),
        ("y", EquivariantSequential(EquivariantLinear(group, 1, 0, 2, 3), up), "t"),
    ]
    return EquivariantGraph({"x": Features(group, 2, 2)}, steps)


@pytest.mark.filterwarnings("ignore::tannaka.diagrams.errors.BottleneckWarning")
@pytest.mark.parametrize("kind", ["nested", "residual", "declared", "graph"])
@pytest.mark.parametrize("n", [0, 1, 4])
def test_networks_tell_n_to_layers_that_do_not_see_it(kind: str, n: int) -> None:
    torch.manual_seed(0)
    net = through_scalars(kind)
    x = torch.randn(3, n, n, 2)
    y = net(x)
    assert y.shape == (3, n, n, 2)
    torch.testing.assert_close(y, net(x, mask=torch.ones(3, n, dtype=torch.bool)))
    torch.testing.assert_close(y, net(x, n=n))
    with pytest.raises(ValueError, match=f"n is 7, but the inputs or mask say that it is {n}"):
        net(x, n=7)


def test_where_nothing_says_n_it_is_given_or_asked_for() -> None:
    net = EquivariantSequential(EquivariantLinear(tn.S(), 0, 1, 2, 3))
    assert net(torch.randn(5, 2), n=4).shape == (5, 4, 3)
    assert net(torch.randn(5, 2), torch.ones(5, 4, dtype=torch.bool)).shape == (5, 4, 3)
    with pytest.raises(ValueError, match="does not say what n is"):
        net(torch.randn(5, 2))
    fixed = EquivariantSequential(EquivariantLinear(tn.S(4), 0, 1, 2, 3))
    with pytest.raises(ValueError, match=r"of a family such as S\(\), this one is of S\(4\)"):
        fixed(torch.randn(5, 2), n=4)
    with pytest.raises(ValueError, match="no input can be called 'n'"):
        EquivariantGraph({"n": Features(tn.S(), 1, 2)}, [("y", nn.ReLU(), "n")])
