"""EquivariantLinear: equal to its definition, differentiable, any batch shape, and strict."""

from __future__ import annotations

import copy
import io
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense_layer

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.diagrams.errors import BackendError, BasisMismatchError, SizeError
from tannaka.nn import EquivariantLinear
from tannaka.testing import assert_equivariant
from tannaka.testing.strategies import groups, orders

CASES = [
    pytest.param(kind(n), k, l, id=f"{kind(n)}-{k}-{l}")
    for kind in (tn.S, tn.O)
    for n in range(1, 6)
    for k in range(4)
    for l in range(4)
]


def quiet_layer(*args: Any, **options: Any) -> EquivariantLinear:
    """A float64 layer with random parameters, also where there is no map but 0."""
    options.setdefault("dtype", torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        layer = EquivariantLinear(*args, **options)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def random_input(layer: EquivariantLinear, *batch: int) -> torch.Tensor:
    shape = (*batch, *(layer.group.n,) * layer.in_order, layer.in_channels)
    return torch.randn(shape, dtype=layer.weight.dtype)


def oracle(layer: EquivariantLinear, x: torch.Tensor) -> np.ndarray[Any, Any]:
    """The layer's output from its parameters and the blocks of its basis, by the definition."""
    bias_basis = tn.Hom(layer.group, 0, layer.out_order).basis() if layer.bias is not None else ()
    return dense_layer(
        [diagram.blocks for diagram in layer.hom.basis()],
        [diagram.blocks for diagram in bias_basis],
        layer.weight.detach().numpy(),
        None if layer.bias is None else layer.bias.detach().numpy(),
        x.numpy(),
        layer.group.n,
        layer.in_order,
        layer.out_order,
        mean=layer.plan.reduce == "mean",
    )


def assert_close(got: torch.Tensor, wanted: np.ndarray[Any, Any], tolerance: float = 1e-12) -> None:
    assert tuple(got.shape) == wanted.shape
    error = np.abs(got.detach().numpy() - wanted).max(initial=0)
    assert error <= tolerance * np.abs(wanted).max(initial=0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("g", "k", "l"), CASES)
def test_the_layer_is_its_definition(g: Group, k: int, l: int) -> None:
    for bias in (True, False):
        layer = quiet_layer(g, k, l, 2, 3, bias=bias)
        x = random_input(layer, 2)
        assert_close(layer(x), oracle(layer, x))


@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(4), 2, 2), (tn.S(2), 3, 1), (tn.O(2), 2, 4)])
@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_reductions_and_the_dense_matrix(g: Group, k: int, l: int, reduce: Any) -> None:
    layer = quiet_layer(g, k, l, 3, 2, reduce=reduce, bias=False)
    x = random_input(layer, 4)
    assert_close(layer(x), oracle(layer, x))
    matrix = layer.matrix()
    assert matrix.shape == (2, g.n**l, 3, g.n**k)
    y = torch.einsum("opiq,bqi->bpo", matrix, x.reshape(4, -1, 3))
    assert_close(layer(x), y.reshape(4, *(g.n,) * l, 2).numpy())


@given(groups(4, kinds=["S", "O"]), orders(3), orders(3), st.data())
def test_layers_are_equivariant(g: Group, k: int, l: int, data: st.DataObject) -> None:
    layer = quiet_layer(g, k, l, data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))
    assert_equivariant(layer, allow_zero=True, seed=data.draw(st.integers(0, 9)))


@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,), (2, 0, 3), (1, 1, 1, 2)])
@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(3), 2, 2), (tn.S(3), 0, 2), (tn.O(3), 2, 0)])
def test_any_batch_shape(g: Group, k: int, l: int, batch: tuple[int, ...]) -> None:
    layer = quiet_layer(g, k, l, 2, 3)
    x = random_input(layer, *batch)
    y = layer(x)
    assert y.shape == (*batch, *(g.n,) * l, 3)
    flat = layer(x.reshape(-1, *x.shape[len(batch) :]))
    torch.testing.assert_close(y.reshape(flat.shape), flat)


@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(4), 2, 2), (tn.S(3), 3, 2), (tn.O(3), 3, 3)])
def test_strides_do_not_matter_and_the_input_is_left_alone(g: Group, k: int, l: int) -> None:
    layer = quiet_layer(g, k, l, 2, 3)
    x = random_input(layer, 3)
    views = [
        x.transpose(0, -1).contiguous().transpose(0, -1),
        torch.stack([x, -x], dim=-1)[..., 0],
        x.flip(0).flip(0),
        x[:1].expand_as(x),
    ]
    for view in views:
        before = view.clone()
        torch.testing.assert_close(layer(view), layer(view.contiguous()))
        assert torch.equal(view, before)


@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(3), 2, 2), (tn.S(2), 2, 1), (tn.O(2), 2, 2)])
@pytest.mark.parametrize("bias", [True, False])
def test_first_and_second_derivatives(g: Group, k: int, l: int, bias: bool) -> None:
    layer = quiet_layer(g, k, l, 2, 2, bias=bias)
    x = random_input(layer, 2).requires_grad_()
    names = [name for name, _ in layer.named_parameters()]

    def call(x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        values = dict(zip(names, parameters, strict=True))
        result: torch.Tensor = torch.func.functional_call(layer, values, (x,))
        return result

    arguments = (x, *(p.detach().clone().requires_grad_() for p in layer.parameters()))
    assert torch.autograd.gradcheck(call, arguments)
    assert torch.autograd.gradgradcheck(call, arguments)


def test_the_gradient_is_the_flipped_layer() -> None:
    layer = quiet_layer(tn.S(3), 2, 1, 2, 3, bias=False)
    x = random_input(layer).requires_grad_()
    seed = torch.randn(3, 3, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(layer(x), x, seed)
    wanted = torch.einsum("opiq,po->qi", layer.matrix(), seed).reshape(3, 3, 2)
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_dtypes(dtype: torch.dtype) -> None:
    layer = EquivariantLinear(tn.S(5), 2, 2, 4, 4, dtype=dtype)
    y = layer(torch.randn(2, 5, 5, 4, dtype=dtype))
    assert y.dtype == dtype
    assert_equivariant(layer)
    exact = copy.deepcopy(layer).double()
    x = torch.randn(2, 5, 5, 4, dtype=dtype)
    error = (layer(x).double() - exact(x.double())).abs().max() / exact(x.double()).abs().max()
    assert error < 16 * torch.finfo(dtype).eps


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


def test_the_order_zero_layer_is_a_linear_layer() -> None:
    layer = EquivariantLinear(tn.S(7), 0, 0, 4, 5)
    linear = torch.nn.Linear(4, 5)
    with torch.no_grad():
        layer.weight.copy_(linear.weight[None])
        assert layer.bias is not None
        layer.bias.copy_(linear.bias[None])
    x = torch.randn(6, 4)
    torch.testing.assert_close(layer(x), linear(x))


@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(12), 2, 2), (tn.S(12), 1, 2), (tn.O(9), 2, 2)])
@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_initial_weights_preserve_variance(g: Group, k: int, l: int, reduce: Any) -> None:
    total, layers = 0.0, 60
    for _ in range(layers):
        layer = EquivariantLinear(g, k, l, 8, 8, reduce=reduce)
        assert layer.bias is not None
        assert not layer.bias.any()
        with torch.no_grad():
            total += float((layer(torch.randn(20, *(g.n,) * k, 8)) ** 2).mean()) / layers
    assert math.isclose(total, 1, rel_tol=0.2)


def test_the_layer_works_from_meta_device_to_pickle() -> None:
    with torch.device("meta"):
        empty = EquivariantLinear(tn.S(4), 2, 2, 3, 2)
    layer = EquivariantLinear(tn.S(4), 2, 2, 3, 2)
    restored = empty.to_empty(device="cpu")
    restored.load_state_dict(layer.state_dict())
    x = torch.randn(2, 4, 4, 3)
    for twin in (restored, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x), layer(x))
        assert twin.weight is not layer.weight
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    restored.load_state_dict(torch.load(file, weights_only=True))


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
    EquivariantLinear(tn.S(9), 2, 2, 2, 2).load_state_dict(
        EquivariantLinear(tn.S(4), 2, 2, 2, 2).state_dict()
    )


@pytest.mark.parametrize(
    ("g", "k", "l"), [(tn.S(3), 1, 2), (tn.S(3), 2, 2), (tn.S(2), 2, 2), (tn.O(3), 0, 2)]
)
def test_ensembles_by_vmap_over_the_parameters(g: Group, k: int, l: int) -> None:
    layers = [quiet_layer(g, k, l, 2, 3) for _ in range(4)]
    parameters, buffers = torch.func.stack_module_state(list(layers))
    x = random_input(layers[0], 2)

    def call(parameters: Any, buffers: Any) -> Any:
        return torch.func.functional_call(layers[0], (parameters, buffers), (x,))

    together = torch.func.vmap(call)(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([layer(x) for layer in layers]))


@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(4), 2, 1), (tn.O(3), 1, 1), (tn.O(3), 1, 2)])
def test_distributed_training_finds_every_parameter_used(
    g: Group, k: int, l: int, tmp_path: Path
) -> None:
    distributed = torch.distributed
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1
    )
    try:
        model = torch.nn.parallel.DistributedDataParallel(quiet_layer(g, k, l, 2, 3))
        for _ in range(3):
            x = torch.randn(2, *(g.n,) * k, 2, dtype=torch.float64)
            model(x).square().sum().backward()
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


def test_compile_export_and_vmap_see_through_the_layer() -> None:
    layer = quiet_layer(tn.S(4), 2, 2, 3, 2)
    x = random_input(layer, 5)
    torch.testing.assert_close(torch.func.vmap(layer)(x), layer(x))
    program = torch.export.export(layer, (x,))
    torch.testing.assert_close(program.module()(x), layer(x))
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), layer(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = EquivariantLinear(tn.S(4), 2, 2, 3, 2)(x.float())
    assert y.isfinite().all()


def test_repr_says_what_matters() -> None:
    layer = EquivariantLinear(tn.S(5), 2, 1, 3, 4, reduce="sum")
    assert repr(layer) == (
        "EquivariantLinear(S(5), 2, 1, in_channels=3, out_channels=4, bias=True, "
        "reduce='sum', diagrams=5)"
    )


LAYER = EquivariantLinear(tn.S(5), 2, 2, 3, 4)
Layer: Any = EquivariantLinear


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
            lambda: Layer(tn.S(5), 1, 1, 1, 1, backend="triton"),
            BackendError,
            "no backend 'triton'; choose one of: auto, einsum, cpp",
        ),
    ],
)
def test_what_is_refused_is_named(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_nan_and_infinity_flow_through() -> None:
    x = torch.randn(1, 5, 5, 3)
    x[0, 0, 0, 0] = math.nan
    assert LAYER(x).isnan().any()


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
