"""The equivariance check passes what is right, and can fail."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tannaka as tn
from tannaka.diagrams.errors import EquivarianceError, SizeError
from tannaka.testing import assert_equivariant, equivariance_error

RIGHT: list[tuple[str, Any, Any, int, int]] = [
    ("pointwise functions of permutations", torch.relu, tn.S(5), 2, 2),
    ("sums", lambda x: x.sum((-3, -2)), tn.S(5), 2, 0),
    ("attention", lambda x: torch.softmax(x @ x.mT, -1) @ x, tn.S(5), 1, 1),
    ("norms", lambda x: x.norm(dim=-2), tn.O(4), 1, 0),
    ("outer products", lambda x: torch.einsum("...ic,...jc->...ijc", x, x), tn.O(3), 1, 2),
    ("everything, where the group is trivial", lambda x: x + torch.arange(2), tn.S(1), 1, 1),
]
WRONG: list[tuple[str, Any, Any, int, int]] = [
    ("pointwise functions of vectors", torch.relu, tn.O(3), 1, 1),
    ("a positional embedding", lambda x: x + torch.arange(5)[:, None], tn.S(5), 1, 1),
    ("a cumulative sum", lambda x: x.cumsum(-2), tn.S(5), 1, 1),
    ("the upper triangle", lambda x: torch.triu(x.mT).mT, tn.S(5), 2, 2),
    ("a bias vector", lambda x: x + 1, tn.O(3), 1, 1),
    ("the cross product", lambda x: torch.linalg.cross(x, x.roll(1, -1), dim=-2), tn.O(3), 1, 1),
    ("one coordinate", lambda x: x[..., 0, :], tn.S(5), 1, 0),
    ("a slightly wrong entry", lambda x: x + 1e-6 * (torch.arange(5) == 3)[:, None], tn.S(5), 1, 1),
]


@pytest.mark.parametrize(
    ("f", "g", "k", "l"), [case[1:] for case in RIGHT], ids=[c[0] for c in RIGHT]
)
def test_right_functions_pass(f: Any, g: Any, k: int, l: int) -> None:
    report = assert_equivariant(f, g, k, l)
    assert report.error <= report.tolerance
    assert equivariance_error(f, str(g), k, l) == report.error


@pytest.mark.parametrize(
    ("f", "g", "k", "l"), [case[1:] for case in WRONG], ids=[c[0] for c in WRONG]
)
def test_wrong_functions_fail(f: Any, g: Any, k: int, l: int) -> None:
    with pytest.raises(EquivarianceError, match=r"not equivariant: .*the worst group element is"):
        assert_equivariant(f, g, k, l, in_channels=5 if f is WRONG[3][1] else None)


def test_a_layer_whose_kernel_is_spoiled_fails() -> None:
    layer = tn.nn.EquivariantLinear(tn.S(5), 2, 2, 2, 2)
    assert_equivariant(layer)
    right = layer._apply_plan
    layer._apply_plan = lambda x, *rest: right(x, *rest).index_fill(-3, torch.tensor(1), 0.0)
    with pytest.raises(EquivarianceError, match="not equivariant"):
        assert_equivariant(layer)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_tolerance_follows_the_dtype(dtype: torch.dtype) -> None:
    report = assert_equivariant(tn.nn.EquivariantLinear(tn.O(3), 2, 2, 4, 4, dtype=dtype))
    assert report.dtype == dtype
    assert report.error <= report.tolerance
    assert report.control is not None
    assert report.control > report.tolerance


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("n", "k", "l"), [(64, 2, 2), (64, 2, 0), (200, 2, 1), (12, 3, 3), (2, 0, 1)]
)
def test_the_control_is_as_large_as_the_output_at_every_size(
    n: int, k: int, l: int, dtype: torch.dtype
) -> None:
    for seed in range(3):
        layer = tn.nn.EquivariantLinear(tn.S(n), k, l, 2, 2, dtype=dtype)
        report = assert_equivariant(layer, samples=3, seed=seed)
        assert report.control is not None
        assert report.control > 0.3


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (torch.zeros_like, EquivarianceError, "the output is zero"),
        (lambda x: x / 0, EquivarianceError, "NaN or infinity"),
        (nn.Dropout(0.5), EquivarianceError, "two answers to one input"),
        (lambda x: x[..., :2, :], ValueError, r"must return a tensor of shape \(2, 5, channels\)"),
        (lambda x: None, TypeError, "must return a tensor, got NoneType"),
        (lambda x: torch.complex(x, x), TypeError, "must return real numbers"),
    ],
)
def test_a_check_that_could_not_fail_does_not_pass(
    f: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        assert_equivariant(f, tn.S(5), 1, 1)


def test_a_moved_input_alone_may_show_what_is_not_finite() -> None:
    calls = itertools.count()
    with pytest.raises(EquivarianceError, match="NaN or infinity"):
        assert_equivariant(lambda x: x * (torch.nan if next(calls) == 1 else 1), tn.S(5), 1, 1)


def test_padding_that_is_added_up_is_found() -> None:
    def total(x: Tensor, mask: Tensor) -> Tensor:
        return x.sum(-2)

    with pytest.raises(EquivarianceError, match=r"with padding and .* without"):
        assert_equivariant(total, tn.S(), 1, 0)


def test_one_input_of_several_is_enough_to_have_a_control() -> None:
    """Any map of scalars commutes; not any of vectors, nor of both together."""

    def scaled(s: Tensor, v: Tensor) -> Tensor:
        norm: Tensor = v.norm(dim=-2)
        return s * norm

    report = assert_equivariant(scaled, tn.O(3), [0, 1], 0)
    assert report.control is not None


def overwriting(x: Tensor) -> Tensor:
    return x.copy_(x[..., :1, :].expand_as(x).clone())


def remembering(x: Tensor, memory: dict[str, Tensor] = {}) -> Tensor:  # noqa: B006
    return memory.setdefault("y", x.clone()).copy_(x[..., :1, :].expand_as(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_functions_that_reuse_memory_are_judged_by_their_values(dtype: torch.dtype) -> None:
    for f in (overwriting, remembering):
        with pytest.raises(EquivarianceError, match="not equivariant"):
            assert_equivariant(f, tn.S(5), 1, 1, dtype=dtype)
        if f is remembering:
            f.__defaults__[0].clear()  # type: ignore[index]
    assert_equivariant(lambda x: x.mul_(2), tn.S(5), 1, 1, dtype=dtype)


def test_forces_by_autograd_can_be_checked() -> None:
    def force(x: Tensor) -> Tensor:
        x = x.requires_grad_()
        (gradient,) = torch.autograd.grad((x.norm(dim=-2) ** 3).sum(), x)
        return gradient

    assert_equivariant(force, tn.O(3), 1, 1)


def test_a_stack_of_layers_finds_its_channels() -> None:
    layers = nn.Sequential(
        tn.nn.EquivariantLinear(tn.S(4), 2, 2, 5, 3),
        nn.ReLU(),
        tn.nn.EquivariantLinear(tn.S(4), 2, 1, 3, 7),
    )
    assert_equivariant(layers, tn.S(4), 2, 1)


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="does not say its group and orders"):
        assert_equivariant(torch.relu)
    with pytest.raises(EquivarianceError, match="the check cannot tell"):
        assert_equivariant(torch.relu, tn.S(5), 1, 1, tolerance=100.0)
    with pytest.raises(
        ValueError, match="samples must be a number of group elements, an integer >= 1, got 0"
    ):
        assert_equivariant(torch.relu, tn.S(5), 1, 1, samples=0)
    with pytest.raises(ValueError, match=r"no standard tolerance for torch\.complex64"):
        assert_equivariant(torch.relu, tn.S(5), 1, 1, dtype=torch.complex64)
    assert_equivariant(torch.zeros_like, tn.S(5), 1, 1, allow_zero=True)


def test_any_module_any_batch_shape() -> None:
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.linear(x - x.mean(-2, keepdim=True))
            return y

    report = assert_equivariant(Centred(), tn.S(6), 1, 1, in_channels=3, batch_shape=(2, 1, 3))
    assert report.dtype == torch.float32
    assert "S(6) 1 -> 1: error" in str(report)


def test_one_sample_is_enough_to_refuse_and_to_tell() -> None:
    for seed in range(20):
        assert_equivariant(lambda x: x, tn.S(2), 1, 1, samples=1, seed=seed)
    for f, words in ((torch.zeros_like, "output is zero"), (nn.Dropout(0.5), "two answers")):
        with pytest.raises(EquivarianceError, match=words):
            assert_equivariant(f, tn.S(5), 1, 1, samples=1)


def test_an_empty_batch_tests_nothing_and_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_shape must be sizes, an integer >= 1, got 0"):
        assert_equivariant(torch.relu, tn.S(5), 1, 1, batch_shape=(2, 0))


@pytest.mark.parametrize(
    ("g", "k", "l"),
    [
        (tn.Sp(2), 2, 2),
        (tn.S(3) * tn.O(2), (0,), (0,)),
        (tn.SO(3), 2, 1),
        (tn.A(3), 1, 1),
        (tn.PermutationGroup([(1, 2, 0)]), 1, 1),
    ],
)
def test_generated_layers_say_their_group_and_orders(g: Any, k: Any, l: Any) -> None:
    assert_equivariant(tn.generate(g, k, l, 2, 2).load()())
    assert_equivariant(tn.nn.EquivariantLinear(g, k, l, 2, 2))


def test_a_batch_shape_is_a_tuple_and_tensors_fit_into_memory() -> None:
    with pytest.raises(TypeError, match=r"batch_shape must be a tuple of sizes.*got 3"):
        assert_equivariant(torch.relu, tn.S(5), 1, 1, batch_shape=3)
    for k, l in ((6, 0), (0, 6)):
        with pytest.raises(SizeError, match=r"[12],000,000,000,000 entries.*smaller n"):
            assert_equivariant(torch.relu, tn.S(100), k, l, in_channels=2, batch_shape=(1,))


@pytest.mark.parametrize("known", [(None, 1, 1), (tn.S(5), None, 1), (tn.S(5), 1, None)])
def test_group_and_orders_must_all_be_known(known: Any) -> None:
    with pytest.raises(TypeError, match="does not say its group and orders"):
        assert_equivariant(torch.relu, *known)


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_errors_are_relative(scale: float) -> None:
    """Powers of two scale exactly, so not one bit of the verdict may change."""
    for f, g in ((torch.relu, tn.O(3)), (torch.relu, tn.S(5)), (lambda x: x.cumsum(-2), tn.S(5))):
        twin = lambda x, f=f: scale * f(x)  # noqa: E731
        assert equivariance_error(twin, g, 1, 1) == equivariance_error(f, g, 1, 1)


def test_an_error_as_large_as_the_tolerance_passes() -> None:
    assert assert_equivariant(torch.relu, tn.S(5), 1, 1, tolerance=0.0).error == 0


def test_inputs_come_in_the_dtype_and_on_the_device_asked_for() -> None:
    seen = set()

    def f(x: Tensor) -> Tensor:
        seen.add((x.device.type, x.dtype))
        return torch.ones(x.shape)

    assert_equivariant(f, tn.S(5), 1, 1, device="meta", dtype=torch.float16)
    assert seen == {("meta", torch.float16)}


@pytest.mark.parametrize("seed", range(60))
def test_no_seed_misses_a_part_of_the_group(seed: int) -> None:
    """Random elements may all be even, or turn nothing round; f commutes with those alone."""

    def turned(x: Tensor) -> Tensor:
        return x.roll(1, -2)

    def volume(x: Tensor) -> Tensor:
        y: Tensor = torch.linalg.det(x)
        return y[..., None]

    for group, f, l, channels in [
        (tn.S(3), turned, 1, 1),
        (tn.S(2) * tn.S(3), turned, (1,), 1),
        (tn.O(2), volume, 0, 2),
        (tn.H(3), volume, 0, 3),
        (tn.PermutationGroup([(1, 2, 0), (1, 0, 2)]), turned, 1, 1),
    ]:
        k = 1 if not isinstance(l, tuple) else (1,)
        found = equivariance_error(f, group, k, l, in_channels=channels, samples=5, seed=seed)
        assert found > 0.01


@pytest.mark.parametrize("group", ["O(3)", "S(3) x O(2)"])
def test_reports_are_values(group: str) -> None:
    word: Any = 1 if "x" not in group else (0, 1)
    report = assert_equivariant(lambda x: 2 * x, group, word, word)
    assert report == assert_equivariant(lambda x: 2 * x, group, word, word)
    assert {report: 1}[pickle.loads(pickle.dumps(report))] == 1
    assert report != assert_equivariant(lambda x: 2 * x, group, word, word, seed=1)
