"""EquivariantLinear as a module: any batch and strides, honest about nothing, strict about the rest.

What it computes is said in ``test_lowerings.py``, its derivatives in ``test_gradients.py``, and what
it does in the modes of PyTorch in ``test_modes.py``.
"""

from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import any_homs, quiet_layer, random_input

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.codegen.lowering import lower as lowering
from tannaka.codegen.plan import Plan
from tannaka.codegen.runtime.build import load_module
from tannaka.diagrams.errors import BackendError, BasisMismatchError, EquivarianceError, SizeError
from tannaka.nn import EquivariantLinear
from tannaka.testing import assert_equivariant

LOWERINGS: tuple[Any, ...] = ("factored", "dense", "isotypic", "auto")
MADE: list[tuple[str, Any, Any]] = [
    ("S(4)", 2, 2),
    ("S(3)", 0, 2),
    ("A(3)", 2, 1),
    ("O(3)", 3, 1),
    ("O(3)", 1, 2),
    ("SO(3)", 2, 1),
    ("Sp(4)", 2, 2),
    ("Sp(2)", 0, 2),
    ("S(4) x SO(3)", (0, 1, 1), (1, 0)),
]
lowerings = pytest.mark.parametrize("lowering", LOWERINGS)
made = pytest.mark.parametrize(("name", "k", "l"), MADE)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@given(
    any_homs(), st.sampled_from(LOWERINGS), st.integers(1, 3), st.integers(1, 3), st.integers(0, 9)
)
def test_layers_are_equivariant(hom: tn.Hom, lowering: Any, i: int, o: int, seed: int) -> None:
    layer = quiet_layer(hom.group, hom.k, hom.l, i, o, lowering=lowering)
    assert_equivariant(layer, allow_zero=True, seed=seed)


def test_one_spoiled_row_is_not_equivariant_for_a_larger_group() -> None:
    """A layer of the rotations with a determinant is none of O(3): the check can fail."""
    layer = quiet_layer(tn.SO(3), 2, 1, 1, 1)
    assert_equivariant(layer)
    with pytest.raises(EquivarianceError, match="not equivariant"):
        assert_equivariant(layer, tn.O(3), 2, 1)


@lowerings
@made
def test_any_batch_shape(name: str, k: Any, l: Any, lowering: str) -> None:
    layer = quiet_layer(tn.group(name), k, l, 2, 3, lowering=lowering)
    for batch in [(), (3,), (2, 3), (0,), (2, 0, 3), (1, 1, 1, 2)]:
        x = random_input(layer, *batch)
        y = layer(x)
        assert y.shape == (*batch, *layer.group.shape(l), 3)
        flat = layer(x.reshape(-1, *x.shape[len(batch) :]))
        torch.testing.assert_close(y.reshape(flat.shape), flat)


@lowerings
@made
def test_strides_do_not_matter_and_the_input_is_left_alone(
    name: str, k: Any, l: Any, lowering: str
) -> None:
    layer = quiet_layer(tn.group(name), k, l, 2, 3, lowering=lowering)
    x = random_input(layer, 3)
    for view in (
        x.transpose(0, -1).contiguous().transpose(0, -1),
        torch.stack([x, -x], dim=-1)[..., 0],
        x.flip(0).flip(0),
        x[:1].expand_as(x),
        x[..., :1].expand_as(x),
        torch.cat([x, x])[::2],
    ):
        before = view.clone()
        torch.testing.assert_close(layer(view), layer(view.contiguous()))
        assert torch.equal(view, before)


@lowerings
@made
def test_the_result_is_memory_of_its_own(name: str, k: Any, l: Any, lowering: str) -> None:
    layer = quiet_layer(tn.group(name), k, l, 2, 3, lowering=lowering)
    x = random_input(layer, 3)
    before, y = [x.clone(), *(p.detach().clone() for p in layer.parameters())], layer(x)
    with torch.no_grad():
        wanted = y.clone()
        y.fill_(math.nan)
    for one, other in zip((x, *layer.parameters()), before, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(layer(x), wanted)
    assert layer(x).untyped_storage().nbytes() == wanted.numel() * wanted.itemsize


@pytest.mark.parametrize(
    ("name", "k", "l"),
    [
        ("A(2)", 0, 2),
        ("A(2) x A(3)", (1,), (1, 1)),
        ("A(3) x S(1)", (1, 1, 1), (0, 1, 0)),
        ("SO(1) x SO(5)", (), (0,)),
    ],
)
def test_results_of_determinants_are_no_views(name: str, k: Any, l: Any) -> None:
    layer = quiet_layer(tn.group(name), k, l, 2, 3, lowering="factored")
    x = random_input(layer, 3)
    y = layer(x)
    torch.testing.assert_close(layer(x).mul_(2), 2 * y)


def test_what_is_written_to_is_made_like_what_is_still_there() -> None:
    """Of the first results of a mix none may be left when the result is begun."""
    group = tn.S() * tn.O(1)
    layer = quiet_layer(group, (1, 0), (0, 1, 0), 2, 3)
    fixed = quiet_layer(tn.S(3) * tn.O(1), (1, 0), (0, 1, 0), 2, 3, lowering="dense")
    with torch.no_grad():
        fixed.weight.copy_(layer.weight)
    x = torch.randn(4, 1, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), fixed(x))


def test_empty_spaces_are_honest_zeros() -> None:
    with pytest.warns(UserWarning, match=r"Hom\(O\(3\), 1, 2\): dimension 0: no linear map but 0"):
        layer = EquivariantLinear(tn.O(3), 1, 2, 4, 5)
    assert layer.weight.shape == (0, 5, 4)
    assert layer.bias is not None
    assert layer.bias.shape == (1, 5)
    x = torch.randn(2, 3, 4)
    assert not layer(x).any()
    torch.nn.init.ones_(layer.bias)
    torch.testing.assert_close(layer(x)[0, :, :, 0], torch.eye(3))
    with pytest.warns(UserWarning, match="returns zeros"):
        layer = EquivariantLinear(tn.O(3), 1, 2, 4, 5, bias=False)
    y = layer(x)
    assert not y.any()
    y.sum().backward()
    assert layer.weight.grad is not None
    with pytest.warns(UserWarning, match="returns zeros"):
        assert not EquivariantLinear(tn.O(3), 0, 1, 4, 5)(torch.randn(4)).any()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize(("k", "l"), [(1, 0), (2, 0), (2, 1), (1, 2), (3, 1), (0, 1), (0, 0)])
def test_no_points_are_points_that_a_mask_hides(k: int, l: int, reduce: Any, masked: bool) -> None:
    layer = quiet_layer(tn.S(), k, l, 2, 3, reduce=reduce)
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(4, *(0,) * k, 2, dtype=torch.float64, requires_grad=True)
    mask = torch.zeros(4, 0, dtype=torch.bool)
    y = layer(x, mask) if masked else layer(x, n=0)
    hidden = torch.zeros(4, 5, dtype=torch.bool)
    other = layer(x if k == 0 else torch.zeros(4, *(5,) * k, 2, dtype=torch.float64), hidden)
    assert y.shape == (4, *(0,) * l, 3)
    torch.testing.assert_close(y, other if l == 0 else other.flatten()[:0].reshape(y.shape))
    y.sum().backward()
    for leaf in (x, *layer.parameters()):
        assert leaf.grad is not None
        assert not leaf.grad.isnan().any()


def test_channels_of_numpy_are_channels() -> None:
    layer = Layer(tn.S(3), np.int64(1), 1, np.int8(100), np.int8(100), lowering="factored")
    assert layer(torch.randn(3, 100)).shape == (3, 100)
    assert type(layer.in_channels) is int
    # Nor may they be found where plans are remembered.
    plan = Layer(tn.S(3), 1, 1, 100, 100, lowering="factored").plan
    assert isinstance(plan, Plan)
    assert plan.cost(batch=1).flops > 2**15


def test_what_a_family_is_told_of_n_is_true() -> None:
    family = Layer(tn.S(), 2, 1, 2, 3)
    x = torch.randn(4, 4, 2)
    assert torch.equal(family(x, n=4), family(x))
    mask = torch.ones(4, dtype=torch.bool)
    for told in (None, mask):
        with pytest.raises(ValueError, match=r"n is 3, but the input.* says that it is 4"):
            family(x, told, n=3)
    scalar = Layer(tn.S(), 0, 1, 2, 3)
    for n, error in ((2.0, TypeError), ("2", TypeError), (True, TypeError), (-1, ValueError)):
        with pytest.raises(error, match="n must be a number of points, an integer >= 0"):
            scalar(torch.randn(2), n=n)
        with pytest.raises(error, match="n must be the size of an axis, an integer >= 1"):
            scalar.matrix(n=n)
    with pytest.raises(ValueError, match="one for each type of axis"):
        Layer(tn.S() * tn.O(3), (0, 1), (1,), 1, 1).matrix(n=(1, 2, 3))


def test_masked_layers_of_empty_spaces_have_gradients_of_zero() -> None:
    layer = quiet_layer(tn.S() * tn.O(3), (0, 1), (), 2, 3)
    x = torch.randn(4, 5, 3, 2, dtype=torch.float64, requires_grad=True)
    layer(x, torch.rand(4, 5) < 0.5).sum().backward()
    for leaf in (x, layer.weight):
        assert leaf.grad is not None
        assert not leaf.grad.any()


def test_the_order_zero_layer_is_a_linear_layer() -> None:
    layer = EquivariantLinear(tn.S(7), 0, 0, 4, 5)
    linear = torch.nn.Linear(4, 5)
    with torch.no_grad():
        layer.weight.copy_(linear.weight[None])
        assert layer.bias is not None
        layer.bias.copy_(linear.bias[None])
    x = torch.randn(6, 4)
    torch.testing.assert_close(layer(x), linear(x))


@pytest.mark.parametrize(
    "name", ["S(12)", "A(4)", "O(9)", "SO(3)", "Sp(6)", "S(4) x O(3)", "A(3) x SO(2)"]
)
@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_initial_weights_preserve_variance(name: str, reduce: Any) -> None:
    """In a sample; that it is so on average exactly is said of the bound in ``test_lowerings.py``."""
    group = tn.group(name)
    order: Any = (0, 1) if "x" in name else 2
    layer = EquivariantLinear(group, order, order, 8, 8, reduce=reduce, lowering="factored")
    total, draws = 0.0, 40
    for _ in range(draws):
        layer.reset_parameters()
        assert layer.bias is None or not layer.bias.any()
        with torch.no_grad():
            x = torch.randn(8, *group.shape(order), 8)
            total += float((layer(x) ** 2).mean()) / draws
    assert math.isclose(total, 1, rel_tol=0.15)


def test_layers_are_read_in_another_process(tmp_path: Path) -> None:
    cases: list[tuple[Any, dict[str, Any]]] = [
        (tn.S(4), {}),
        (tn.S(3), {"lowering": "dense"}),
        (tn.O(3), {"lowering": "isotypic"}),
        (tn.Sp(4), {"lowering": "factored"}),
        (tn.S(), {}),
    ]
    saved = []
    for group, options in cases:
        layer = EquivariantLinear(group, 2, 2, 2, 3, **options)
        x = torch.randn(2, *(group.n or 5,) * 2, 2)
        saved.append((layer, x, layer(x)))
    torch.save(saved, tmp_path / "layers.pt")
    text = (
        "import sys, torch\n"
        "for layer, x, y in torch.load(sys.argv[1], weights_only=False):\n"
        "    torch.testing.assert_close(layer(x), y)"
    )
    subprocess.run([sys.executable, "-c", text, str(tmp_path / "layers.pt")], check=True)


@lowerings
def test_threads_may_share_a_layer(lowering: str) -> None:
    """Each sees another number of inputs, and so perhaps another lowering, first of all threads."""
    for name, k, l in MADE:
        layer = quiet_layer(tn.group(name), k, l, 2, 3, lowering=lowering)
        parameters = list(layer.parameters())
        inputs = [random_input(layer, 2**power) for power in range(8)]

        def step(x: torch.Tensor, layer: Any = layer, parameters: Any = parameters) -> Any:
            leaf = x.clone().requires_grad_()
            return torch.autograd.grad(layer(leaf).square().mean(), (leaf, *parameters))

        with ThreadPoolExecutor(8) as threads:
            together = list(threads.map(step, inputs * 3))
        for x, found in zip(inputs * 3, together, strict=True):
            torch.testing.assert_close(found, step(x))


def test_a_state_dict_of_another_basis_is_refused_before_anything_is_read() -> None:
    ours = EquivariantLinear(tn.O(2), 3, 1, 2, 2)
    before = ours.weight.clone()
    for other in (
        EquivariantLinear(tn.O(2), 1, 3, 2, 2),
        EquivariantLinear(tn.O(2), 3, 1, 2, 2, reduce="sum"),
        EquivariantLinear(tn.S(2), 2, 0, 2, 2),
    ):
        with pytest.raises(BasisMismatchError, match="_extra_state: the state dict was saved for"):
            ours.load_state_dict(other.state_dict())
    assert torch.equal(ours.weight, before)


@pytest.mark.parametrize(
    ("ours", "theirs", "fits"),
    [
        ("S(9)", "S(4)", True),
        ("S(4)", "S(3)", False),
        ("O(4)", "O(2)", True),
        ("O(4)", "Sp(4)", False),
        ("Sp(4)", "O(4)", False),
        ("Sp(4)", "Sp(6)", True),
        ("SO(5)", "O(5)", True),
        ("SO(2)", "O(2)", False),
        ("A(6)", "S(6)", True),
        ("A(3)", "S(3)", False),
        ("S(4)", "O(4)", False),
    ],
)
def test_state_dicts_fit_where_rows_mean_the_same_and_nowhere_else(
    ours: str, theirs: str, fits: bool
) -> None:
    """Deltas or the form, determinants or none: matchings alone do not say what weights mean."""
    layer, other = (EquivariantLinear(tn.group(name), 2, 2, 2, 2) for name in (ours, theirs))
    if fits:
        layer.load_state_dict(other.state_dict())
        assert torch.equal(layer.weight, other.weight)
    else:
        with pytest.raises(BasisMismatchError, match="was saved for the basis"):
            layer.load_state_dict(other.state_dict())


def test_state_dicts_of_products_tell_types_and_factors_apart() -> None:
    k, l = (0, 1, 1), (0,)
    layer = EquivariantLinear(tn.S(4) * tn.O(2), k, l, 2, 2)
    same = EquivariantLinear(tn.S(5) * tn.O(4), k, l, 2, 2)
    layer.load_state_dict(same.state_dict())
    for other in (
        EquivariantLinear(tn.S(4) * tn.Sp(2), k, l, 2, 2),
        EquivariantLinear(tn.O(2) * tn.S(4), (1, 0, 0), (1,), 2, 2),
        EquivariantLinear(tn.S(4) * tn.O(2), (1, 0, 1), (0,), 2, 2),
    ):
        with pytest.raises(BasisMismatchError):
            layer.load_state_dict(other.state_dict())
    # Where no edge joins axes of one side, rows mean the same for both.
    through = EquivariantLinear(tn.S(4) * tn.O(2), (0, 1), (0, 1), 2, 2)
    through.load_state_dict(
        EquivariantLinear(tn.S(4) * tn.Sp(2), (0, 1), (0, 1), 2, 2).state_dict()
    )


@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(4), 2, 1), (tn.O(3), 1, 1), (tn.O(3), 1, 2)])
def test_distributed_training_finds_every_parameter_used(
    g: Group, k: int, l: int, tmp_path: Path
) -> None:
    distributed = torch.distributed
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1
    )

    def train() -> None:
        model = torch.nn.parallel.DistributedDataParallel(quiet_layer(g, k, l, 2, 3))
        for _ in range(3):
            x = torch.randn(2, *(g.n,) * k, 2, dtype=torch.float64)
            model(x).square().sum().backward()

    # The model ends before the group: as its last owner it would wait, with Python's lock held, for
    # threads of the group that may want that lock.
    try:
        train()
    finally:
        distributed.destroy_process_group()


def test_there_is_no_bias_where_no_vector_is_fixed() -> None:
    assert EquivariantLinear(tn.O(3), 3, 1, 2, 2).bias is None
    assert EquivariantLinear(tn.O(3), 2, 2, 2, 2).bias is not None
    assert EquivariantLinear(tn.S(3), 1, 1, 2, 2, bias=False).bias is None


@pytest.mark.parametrize(
    "garbage",
    [
        torch.tensor([255, 254], dtype=torch.uint8),
        torch.tensor([65.0]),
        torch.tensor(7, dtype=torch.uint8),
        torch.zeros(3, dtype=torch.uint8, device="meta"),
        "text",
        None,
    ],
    ids=repr,
)
def test_a_state_dict_that_does_not_say_its_basis_is_refused(garbage: Any) -> None:
    for layer in (
        EquivariantLinear(tn.S(4), 2, 1, 2, 2),
        tn.generate(tn.S(4), 2, 1, 2, 2).load()(),
    ):
        state = {**layer.state_dict(), "_extra_state": garbage}
        with pytest.raises(ValueError, match="_extra_state"):
            layer.load_state_dict(state)
        del state["_extra_state"]
        layer.load_state_dict(state, strict=False)


def test_repr_says_what_matters() -> None:
    layer = EquivariantLinear(tn.S(5), 2, 1, 3, 4, reduce="sum")
    assert repr(layer) == (
        "EquivariantLinear(S(5), 2, 1, in_channels=3, out_channels=4, bias=True, "
        "reduce='sum', diagrams=5)"
    )


LAYER = EquivariantLinear(tn.S(5), 2, 2, 3, 4)
Layer: Any = EquivariantLinear


def test_layers_of_very_many_diagrams_say_that_they_take_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lowering, "MANY_DIAGRAMS", 14)
    with pytest.warns(UserWarning, match=r"Hom\(S\(5\), 2, 2\).*takes a while"):
        Layer(tn.S(5), 2, 2, 1, 1)
    with pytest.warns(UserWarning, match=r"Hom\(S\(5\), 4, 0\).*takes a while"):
        tn.nn.EquivariantBilinear(tn.S(5), 2, 2, 0, 1, 1, 1)
    Layer(tn.S(5), 2, 1, 1, 1)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: LAYER(torch.randn(2, 5, 5, 4)),
            ValueError,
            r"expects an input of shape \(\*batch, 5, 5, 3\), channels last, got \(2, 5, 5, 4\)",
        ),
        (lambda: LAYER(torch.randn(5, 3)), ValueError, r"got \(5, 3\)"),
        (lambda: LAYER(torch.randn(2, 4, 4, 3)), ValueError, r"got \(2, 4, 4, 3\)"),
        (lambda: LAYER(torch.randn(2, 5, 6, 3)), ValueError, r"got \(2, 5, 6, 3\)"),
        (lambda: LAYER(torch.randn(5, 5, 3).double()), TypeError, "the input is torch.float64"),
        (lambda: LAYER(torch.ones(5, 5, 3, dtype=torch.int64)), TypeError, "torch.int64"),
        (lambda: LAYER(torch.zeros(5, 5, 3, dtype=torch.int8, device="meta")), TypeError, "int8"),
        (lambda: LAYER(np.zeros((5, 5, 3))), TypeError, "must be a torch.Tensor, got ndarray"),
        (
            lambda: Layer(tn.S(5), 1, 1, 1, 1, dtype=torch.complex64),
            TypeError,
            "must be a floating-point type, got torch.complex64",
        ),
        (
            lambda: Layer(tn.S(5), 1, 1, 1, 1, dtype="float32"),
            TypeError,
            "must be a floating-point type, got 'float32'",
        ),
        (lambda: Layer(tn.S(12), 6, 6, 1, 1), SizeError, "at most 250,000; take smaller orders"),
        (lambda: Layer("S(5)", 1, 1, 1, 1), TypeError, "expected a group such as"),
        (lambda: Layer(tn.S(5), 1, 1, 0, 1), ValueError, "in_channels must be"),
        (lambda: Layer(tn.S(5), 1, 1, 1, 2.0), TypeError, "out_channels must be"),
        (lambda: Layer(tn.S(5), -1, 1, 1, 1), ValueError, "k must be an order"),
        (
            lambda: Layer(tn.S(5), 1, 1, 1, 1, reduce="max"),
            ValueError,
            "reduce must be 'mean' or 'sum', got 'max'",
        ),
        (
            lambda: Layer(tn.S(5), 1, 1, 1, 1, backend="cuda"),
            BackendError,
            "no backend 'cuda'; choose one of: auto, einsum, cpp, triton",
        ),
    ],
)
def test_what_is_refused_is_named(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


@lowerings
@made
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_flows_through_and_stays_in_its_sample(
    name: str, k: Any, l: Any, lowering: str, value: float
) -> None:
    layer = quiet_layer(tn.group(name), k, l, 2, 3, lowering=lowering)
    x = random_input(layer, 3)
    spoiled = x.clone()
    spoiled[1] = value
    y = layer(spoiled)
    torch.testing.assert_close(y[[0, 2]], layer(x)[[0, 2]])
    assert not layer.weight.numel() or not y[1].isfinite().all()


@pytest.mark.parametrize("lowering", ["factored", "dense", "isotypic"])
def test_very_many_inputs_and_a_single_channel(lowering: Any) -> None:
    layer = EquivariantLinear(tn.S(2), 2, 2, 1, 1, lowering=lowering)
    x = torch.randn(200_000, 2, 2, 1)
    torch.testing.assert_close(layer(x)[-5:], layer(x[-5:]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_parameters_are_made_where_and_as_asked(dtype: torch.dtype) -> None:
    made: Any = {"device": "meta", "dtype": dtype}
    for layer in (
        EquivariantLinear(tn.S(4), 2, 2, 3, 2, **made),
        tn.generate(tn.S(4), 2, 2, 3, 2).load()(**made),
    ):
        assert [(p.device.type, p.dtype) for p in layer.parameters()] == [("meta", dtype)] * 2
    assert EquivariantLinear(tn.S(2), 1, 1, 1, 1, dtype=dtype).matrix().dtype == dtype


def test_a_dense_matrix_that_would_not_fit_is_refused_with_its_channels() -> None:
    with pytest.raises(SizeError, match="more than 2 GiB"):
        EquivariantLinear(tn.S(64), 2, 2, 5, 4).matrix()


@pytest.mark.parametrize(
    ("g", "k", "l", "rows"), [(tn.S(8), 4, 4, 4140), (tn.O(3), 5, 5, 603), (tn.O(3), 4, 6, 603)]
)
def test_layers_of_high_order_take_a_step(g: Any, k: int, l: int, rows: int) -> None:
    """All 4,140 diagrams of S(n), 4 -> 4; ten points for O(3)."""
    layer = EquivariantLinear(g, k, l, 8, 8, lowering="factored")
    assert len(layer.weight) == rows
    step = torch.optim.SGD(layer.parameters(), lr=1e-3)
    x = torch.randn(2, *(g.n,) * k, 8)
    target = torch.randn(2, *(g.n,) * l, 8)
    losses = []
    for _ in range(2):
        loss = (layer(x) - target).square().mean()
        losses.append(float(loss.detach()))
        step.zero_grad()
        loss.backward()
        step.step()
    assert losses[1] < losses[0]


def test_a_thread_waits_for_another_that_runs_the_same_text() -> None:
    text = "import time\ntime.sleep(0.1)\nlast = 1\n"
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda _: hasattr(load_module(text, "slow"), "last"), range(4))
    assert all(found)
