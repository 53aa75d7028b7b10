"""What networks refuse that looks right: changed modules, padding that is mixed in, overwritten inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tannaka as tn
from tannaka.codegen.modules.rules import features_after
from tannaka.errors import NotEquivariantError
from tannaka.nn import (
    Add,
    Concatenate,
    Declared,
    EquivariantGraph,
    EquivariantLinear,
    EquivariantNorm,
    EquivariantSequential,
    Features,
    NormActivation,
    Pointwise,
    Pool,
    Residual,
)
from tannaka.testing import assert_equivariant, equivariance_error

POINTS = Features(tn.S(5), 1, 4)
FAMILY = Features(tn.S(), 1, 4)


class Positional(nn.Sequential):
    """Breaks the symmetry after what it has inherited."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return y + torch.arange(x.shape[-2])[:, None]


def hooked() -> nn.Module:
    module = nn.ReLU()
    module.register_forward_hook(lambda module, given, y: y * torch.arange(5)[:, None])
    return module


def replaced() -> nn.Module:
    module = nn.ReLU()
    module.forward = lambda x: x * torch.arange(5)[:, None]  # type: ignore[method-assign, assignment]
    return module


def twice() -> nn.Module:
    """One module at two places, of which it commutes at the first."""
    module = nn.Tanh()
    return nn.Sequential(module, EquivariantLinear(tn.O(3), 0, 4, 4, 4), module)


@pytest.mark.parametrize(
    ("make", "features"),
    [
        (lambda: Positional(nn.ReLU()), POINTS),
        (hooked, POINTS),
        (replaced, POINTS),
        (lambda: nn.Sequential(hooked()), POINTS),
        (twice, Features(tn.O(3), 0, 4)),
        (lambda: nn.Softmax(dim=-4), Features(tn.O(3), 2, 4)),
        (lambda: nn.RReLU(), POINTS),
    ],
)
def test_what_was_changed_or_hidden_is_seen(
    make: Callable[[], nn.Module], features: Features
) -> None:
    module = make()

    def seeded(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        y: Tensor = module.double()(x)
        return y

    after = 4 if module.__class__ is nn.Sequential and features.axes == 0 else features.order
    found = equivariance_error(seeded, features.group, features.order, after, in_channels=4)
    assert found > 1e-3
    with pytest.raises(NotEquivariantError):
        features_after(module, features)


@pytest.mark.parametrize(
    "module",
    [
        nn.utils.parametrizations.weight_norm(nn.Linear(4, 4, bias=False)),
        nn.utils.spectral_norm(nn.Linear(4, 4)),
        nn.GLU(),
        nn.RReLU(0.2, 0.2),
    ],
    ids=lambda module: type(module).__name__,
)
def test_weights_made_of_others_are_weights(module: nn.Module) -> None:
    net = EquivariantSequential(module, features=POINTS).eval()
    assert_equivariant(net)


def test_anything_goes_for_invariants() -> None:
    invariants = Features(tn.O(3), 0, 4)
    for module in (nn.BatchNorm1d(4), nn.GroupNorm(2, 4)):
        assert_equivariant(EquivariantSequential(module, features=invariants).eval())
        with pytest.raises(NotEquivariantError, match="axis 1"):
            features_after(module, POINTS)
    with pytest.raises(NotEquivariantError, match="3 channels"):
        features_after(nn.BatchNorm1d(3), invariants)
    with pytest.raises(NotEquivariantError, match="even"):
        features_after(nn.GLU(), Features(tn.S(5), 1, 3))


def test_functions_are_tried() -> None:
    for function in (lambda x: x.cumsum(-2), lambda x: x.softmax(-1), lambda x: x.sum(-1)):
        with pytest.raises(ValueError, match="each entry by itself"):
            Pointwise(tn.S(5), 1, 4, function)
    with pytest.raises(ValueError, match="relu is not odd"):
        Pointwise(tn.H(3), 1, 4, "relu", odd=True)
    Pointwise(tn.S(5), 1, 4, nn.PReLU())
    Pointwise(tn.H(3), 1, 4, torch.sin, odd=True)


def test_one_group_acts_on_all_inputs_of_a_graph() -> None:
    vectors = Features(tn.O(3), 1, 2)
    with pytest.raises(NotEquivariantError, match=r"O\(3\) and S\(3\)"):
        EquivariantGraph(
            {"y": vectors, "x": Features(tn.S(3), 1, 2)},
            [("r", nn.ReLU(), "x"), ("z", Add(vectors), "y", "r")],
        )


class Centred(nn.Module):
    """Knows of no padding."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(-2, keepdim=True)


class MaskedCentred(nn.Module):
    """Knows what is real."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        real = x.new_ones(x.shape[:-1]) if mask is None else mask.to(x.dtype)
        mean = (x * real[..., None]).sum(-2, keepdim=True) / real.sum(-1)[..., None, None]
        return x - mean


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Softmax(dim=-2),
        lambda: nn.Softmax(dim=-3),
        lambda: nn.LayerNorm((5, 4), elementwise_affine=False),
        lambda: Declared(Centred(), FAMILY, FAMILY),
        lambda: nn.Sequential(nn.ReLU(), nn.Softmax(dim=-2)),
        lambda: Residual(nn.Softmax(dim=-2), features=FAMILY),
    ],
)
def test_what_would_mix_padding_in_takes_no_mask(make: Callable[[], nn.Module]) -> None:
    graph = EquivariantGraph({"x": FAMILY}, [("y", make(), "x")])
    for net in (EquivariantSequential(make(), features=FAMILY), graph):
        x = torch.randn(2, 5, 4)
        assert net(x).shape == x.shape
        with pytest.raises(ValueError, match="mix padded points into real ones"):
            net(x, mask=torch.tensor([[True] * 5, [True] * 3 + [False] * 2]))


def family_linear() -> Any:
    return EquivariantLinear(tn.S(), 1, 1, 4, 4, dtype=torch.float64)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.ReLU(), nn.Sequential(family_linear())),
        lambda: EquivariantGraph({"x": FAMILY}, [("y", family_linear(), "x")]),
        lambda: Declared(MaskedCentred(), FAMILY, FAMILY),
        lambda: Residual(NormActivation(tn.S(), 1, 4, dtype=torch.float64), features=FAMILY),
        lambda: nn.Softmax(dim=-1),
        lambda: nn.LayerNorm(4, dtype=torch.float64),
    ],
)
def test_modules_inside_others_get_the_mask(make: Callable[[], nn.Module]) -> None:
    net = EquivariantSequential(make(), family_linear(), features=FAMILY)
    assert assert_equivariant(net, dtype=torch.float64).masked


def test_nan_in_the_padding_reaches_no_gradient() -> None:
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    wild = torch.where(mask[..., None], x, torch.nan).requires_grad_()
    linear = nn.Linear(4, 4, dtype=torch.float64)
    one = EquivariantSequential(linear, nn.GELU(), Pool(tn.S(), 1, 4), features=FAMILY)
    two = EquivariantGraph({"x": FAMILY}, [("h", linear, "x"), ("y", Add(FAMILY), "h", "x")])
    blocks = [kind(tn.S(), 1, 4, dtype=torch.float64) for kind in (NormActivation, EquivariantNorm)]
    for module in (one, two, *blocks):
        wild.grad = None
        module.zero_grad()
        module(wild, mask=mask).square().sum().backward()
        for tensor in (wild, *module.parameters()):
            assert tensor.grad is not None
            assert tensor.grad.isfinite().all()
        assert wild.grad is not None
        assert not wild.grad[~mask].any()


def test_inputs_that_are_needed_are_not_overwritten() -> None:
    over = nn.ReLU(inplace=True)
    for body in ([over], [nn.Identity(), over], [nn.Sequential(nn.Dropout(0.0), over)]):
        features = Features(tn.S(5), 0, 4)
        with pytest.raises(ValueError, match="inplace=True"):
            Residual(*body, features=features)
    linear = EquivariantLinear(tn.S(5), 1, 1, 4, 4)
    net = Residual(linear, over)
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(net(x), x + linear(x).relu())
    for steps in (
        [("a", over, "x"), ("b", Add(POINTS), "a", "x")],
        [("i", nn.Identity(), "x"), ("a", over, "i"), ("b", Add(POINTS), "a", "x")],
    ):
        with pytest.raises(ValueError, match=r"'a' wrote over"):
            EquivariantGraph({"x": POINTS}, steps)
    with pytest.raises(ValueError, match="the output is 'x'"):
        EquivariantGraph({"x": POINTS}, [("a", over, "x")], output="x")
    graph = EquivariantGraph({"x": POINTS}, [("a", linear, "x"), ("b", over, "a")])
    torch.testing.assert_close(Residual(graph)(x), x + linear(x).relu())


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (torch.ones(2, 5), "boolean tensor, .*float32"),
        ([[True] * 5] * 2, "boolean tensor, .*list"),
        (torch.ones(2, 4, dtype=torch.bool), r"= \(2, 5\), got \(2, 4\)"),
        (torch.ones(5, dtype=torch.bool), r"= \(2, 5\), got \(5,\)"),
    ],
    ids=["numbers", "list", "points", "batch"],
)
def test_a_mask_is_a_mask(mask: Any, words: str) -> None:
    x = torch.randn(2, 5, 4)
    nets: list[Any] = [
        EquivariantSequential(nn.ReLU(), features=FAMILY),
        EquivariantGraph({"x": FAMILY}, [("y", nn.ReLU(), "x")]),
        NormActivation(tn.S(), 1, 4),
        EquivariantNorm(tn.S(), 1, 4),
        *(Pool(tn.S(), 1, 4, how) for how in ("mean", "sum", "max", "norm")),
    ]
    for net in nets:
        with pytest.raises((TypeError, ValueError), match=words):
            net(x, mask=mask)


@pytest.mark.parametrize("how", ["mean", "sum", "max", "norm"])
def test_of_no_points_there_is_nothing(how: Any) -> None:
    pool = Pool(tn.S(), 2, 4, how)
    x = torch.randn(2, 3, 3, 4)
    mask = torch.tensor([[True, False, True], [False] * 3])
    nothing = torch.zeros(2, 4)
    torch.testing.assert_close(pool(x, mask)[1], nothing[1])
    torch.testing.assert_close(pool(x, mask)[0], pool(x[0][[0, 2]][:, [0, 2]]))
    torch.testing.assert_close(pool(torch.empty(2, 0, 0, 4)), nothing)


def test_names_of_steps_and_inputs() -> None:
    for name in ("a.b", "keys", ""):
        with pytest.raises(ValueError, match="choose another"):
            EquivariantGraph({"x": POINTS}, [(name, nn.Identity(), "x")])
    with pytest.raises(ValueError, match="'mask'"):
        EquivariantGraph({"mask": POINTS}, [("y", nn.Identity(), "mask")])
    with pytest.raises(ValueError, match="need features"):
        Concatenate()
    with pytest.raises(ValueError, match="number of tensors"):
        Add(POINTS, 0)


def test_compiled_modules_get_the_mask() -> None:
    linear = EquivariantLinear(tn.S(), 1, 1, 4, 4)
    x, mask = torch.randn(2, 5, 4), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    compiled: Any = torch.compile(linear, backend="eager")
    net = EquivariantSequential(compiled, nn.ReLU())
    torch.testing.assert_close(net(x, mask), linear(x, mask).relu())
