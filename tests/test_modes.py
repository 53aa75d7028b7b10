"""One layer, one answer, in every mode of PyTorch: the product of layers and modes.

What a mode computes is compared with the eager float64 layer, within the table that
``tannaka.testing.ROUNDING`` promises. Graph capture is slow: it is checked for a few layers here, and
for all of them under the mark ``deep``.
"""

from __future__ import annotations

import copy
import io
import itertools
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import networkx
import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.nn.utils import parametrizations, parametrize, prune, skip_init
from torch.utils.checkpoint import checkpoint

import tannaka as tn
from tannaka.codegen.notation import Reduce
from tannaka.codegen.plan import Plan
from tannaka.codegen.runtime.build import build
from tannaka.diagrams.errors import BasisMismatchError
from tannaka.nn import EquivariantLinear
from tannaka.testing import ROUNDING

POINTS = tn.S(4) * tn.SO(3)
KLEIN = tn.PermutationGroup([(1, 0, 3, 2), (2, 3, 0, 1)])
PETERSEN = tn.Aut(networkx.petersen_graph())
FACTORED = {"lowering": "factored"}
LAYERS: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "S(5) 2-2": (tn.S(5), 2, 2, FACTORED),
    "S(4) 3-1": (tn.S(4), 3, 1, FACTORED),
    "A(3) 2-1": (tn.A(3), 2, 1, FACTORED),
    "O(3) 2-2": (tn.O(3), 2, 2, FACTORED),
    "SO(3) 2-1": (tn.SO(3), 2, 1, FACTORED),
    "Sp(4) 2-2": (tn.Sp(4), 2, 2, FACTORED),
    "points": (POINTS, (0, 1, 1), (0, 1), FACTORED),
    "family": (tn.S(), 2, 1, {}),
    "auto": (tn.S(4), 2, 1, {}),
    "dense": (tn.S(3), 2, 2, {"lowering": "dense"}),
    "isotypic": (tn.O(3), 2, 2, {"lowering": "isotypic"}),
    "orbits": (KLEIN, 2, 1, {}),
    "graphs": (PETERSEN, 1, 1, {"basis": "diagram"}),
    "bias alone": (tn.O(3), 1, 2, {}),
    "zero": (tn.O(3), 2, 1, {}),
    "no bias": (tn.S(4), 1, 2, {"bias": False}),
}
N = 4
"""The size of axes in layers of a family, which leave it open."""
FEW = ("S(5) 2-2", "SO(3) 2-1", "isotypic", "orbits", "graphs")
"""Layers of which each runs code that the others do not."""
I, O = 2, 3


def layers(*quick: str) -> pytest.MarkDecorator:
    """All layers; where some are named, the others only in deep runs."""
    deep = [name for name in LAYERS if quick and name not in quick]
    cases = [pytest.param(name, marks=pytest.mark.deep if name in deep else ()) for name in LAYERS]
    return pytest.mark.parametrize("name", cases)


def made(name: str, dtype: torch.dtype = torch.float64, **options: Any) -> EquivariantLinear:
    """A layer of the list, with a bias that is not 0."""
    group, k, l, own = LAYERS[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no linear map but 0", UserWarning)
        layer = EquivariantLinear(group, k, l, I, O, **{"dtype": dtype, **own, **options})
    if layer.bias is not None and not layer.bias.is_meta:
        nn.init.normal_(layer.bias)
    return layer


def random_input(layer: EquivariantLinear, *batch: int) -> Tensor:
    group = tn.S(N) if layer.group.n is None else layer.group
    shape = (*batch, *group.shape(layer.in_order), layer.in_channels)
    return torch.randn(shape, dtype=layer.weight.dtype)


def matrix_of(layer: EquivariantLinear) -> Tensor:
    return layer.matrix(n=N) if layer.group.n is None else layer.matrix()


def values(layer: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in layer.named_parameters()}


def called(layer: nn.Module) -> Callable[[dict[str, Tensor], Tensor], Any]:
    """The layer as a function of its parameters and its input."""
    return lambda parameters, x: functional_call(layer, parameters, (x,))


def assert_close(got: Tensor, wanted: Tensor, times: float = 1) -> None:
    """Close as the table says for the dtype of ``got``, relative to the largest entry wanted."""
    assert got.shape == wanted.shape
    assert not got.isnan().any()
    if got.numel():
        error = (got.double() - wanted.double()).abs().max()
        assert error <= times * ROUNDING[got.dtype] * wanted.double().abs().max(), error


def answers(
    f: Callable[[Tensor], Any], layer: nn.Module, x: Tensor, g: Tensor
) -> tuple[Tensor, ...]:
    """f at x, and for the gradient g of that those of x and of every parameter: none is missing."""
    x = x.detach().requires_grad_()
    y = f(x)
    return y, *torch.autograd.grad(y, [x, *layer.parameters()], g)


def assert_same(f: Callable[[Tensor], Any], layer: EquivariantLinear, x: Tensor) -> None:
    """f is the layer: its value and its first derivatives."""
    g = torch.randn_like(layer(x))
    for got, wanted in zip(answers(f, layer, x, g), answers(layer, layer, x, g), strict=True):
        assert got.dtype == wanted.dtype
        assert_close(got, wanted)


@contextmanager
def deprecated() -> Iterator[None]:
    """Torch compiles its own formulas for jvp, and parts of inductor, in a way that it deprecates."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", "`.*is deprecated", category)
        yield


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def forgetful() -> Iterator[None]:
    """What one test compiles is no matter of another."""
    yield
    torch.compiler.reset()


# The table of tolerances


def test_the_documentation_has_the_table() -> None:
    text = EquivariantLinear.__doc__ or ""
    names, numbers = re.findall(r"=== *\n *(float64.*)\n *(1e-.*)\n *===", text)[0]
    table = dict(zip(names.split(), map(float, numbers.split()), strict=True))
    assert table == {str(dtype).removeprefix("torch."): room for dtype, room in ROUNDING.items()}


@layers()
def test_eager_is_the_matrix(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 4)
    y = layer(x) - layer(torch.zeros_like(x))
    matrix = matrix_of(layer)
    flat = torch.einsum("opiq,bqi->bpo", matrix, x.reshape(4, matrix.shape[3], I))
    assert_close(y, flat.reshape(y.shape), 10)


@layers()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("convert", ["to", "method", "made"])
def test_dtypes(name: str, dtype: torch.dtype, convert: str) -> None:
    if convert == "made":
        layer = made(name, dtype=dtype)
    elif convert == "to":
        layer = made(name).to(dtype)
    else:
        method = {torch.float32: "float", torch.float16: "half", torch.bfloat16: "bfloat16"}[dtype]
        layer = getattr(made(name), method)()
    exact = copy.deepcopy(layer).double()
    x = random_input(layer, 3)
    g = torch.randn_like(layer(x))
    got = answers(layer, layer, x, g)
    wanted = answers(exact, exact, x.double(), g.double())
    for one, other in zip(got, wanted, strict=True):
        assert one.dtype == dtype
        assert_close(one, other)


AUTOCAST = [
    pytest.param(dtype, parameters, id=f"{str(dtype)[6:]}-{str(parameters)[6:]}")
    for dtype in (torch.bfloat16, torch.float16)
    for parameters in (torch.float32, torch.float64, dtype)
]


def assert_autocast(
    f: Callable[[Tensor], Any], layer: EquivariantLinear, x: Tensor, dtype: torch.dtype
) -> Tensor:
    """f under autocast is the layer, in the dtype that torch.nn.Linear would give."""
    exact = copy.deepcopy(layer).double()
    linear = nn.Linear(I, O, dtype=layer.weight.dtype)
    with torch.autocast("cpu", dtype=dtype):
        y: Tensor = f(x)
        assert y.dtype == linear(x).dtype
    # Rounded twice: the weight and the input first.
    assert_close(y, exact(x.double()), 2)
    parameters = layer.weight.dtype
    assert y.dtype == (parameters if parameters == torch.float64 else dtype)
    for found, given in zip(
        torch.autograd.grad(y.double().square().sum(), [x, *layer.parameters()]),
        [x, *layer.parameters()],
        strict=True,
    ):
        assert found.dtype == given.dtype
    return y


@layers()
@pytest.mark.parametrize(("dtype", "parameters"), AUTOCAST)
def test_autocast(name: str, dtype: torch.dtype, parameters: torch.dtype) -> None:
    layer = made(name, dtype=parameters)
    x = random_input(layer, 3).requires_grad_()
    assert_autocast(layer, layer, x, dtype)
    if parameters == torch.float32:
        assert_autocast(layer, layer, x.detach().to(dtype).requires_grad_(), dtype)


# Graph capture


def assert_compiles(name: str, backend: str) -> None:
    layer = made(name)
    compiled: Any = torch.compile(layer, fullgraph=True, dynamic=True, backend=backend)
    with deprecated():
        assert_same(compiled, layer, random_input(layer, 11))
    with torch.compiler.set_stance("fail_on_recompile"):
        # No size of a batch is the size of another axis: torch takes equal sizes for one.
        assert_same(compiled, layer, random_input(layer, 13))
        with pytest.raises(RuntimeError, match="fail_on_recompile"):
            compiled(random_input(layer, 2, 11))


@pytest.mark.usefixtures("forgetful")
@layers("S(5) 2-2", "SO(3) 2-1", "orbits", "graphs")
def test_compile_takes_any_batch_with_one_graph(name: str) -> None:
    assert_compiles(name, "aot_eager")


@pytest.mark.deep
@pytest.mark.usefixtures("forgetful")
@layers()
def test_inductor_takes_any_batch_with_one_graph(name: str) -> None:
    assert_compiles(name, "inductor")


@pytest.mark.usefixtures("forgetful")
def test_a_compiled_network_learns_what_it_would_have_learned() -> None:
    double: Any = {"dtype": torch.float64}
    first = EquivariantLinear(tn.S(4), 2, 2, 2, 3, **double)
    last = EquivariantLinear(tn.S(4), 2, 0, 3, 1, lowering="isotypic", **double)
    eager = nn.Sequential(first, nn.Tanh(), last)
    twin = copy.deepcopy(eager)
    compiled: Any = torch.compile(twin, fullgraph=True)
    losses: list[list[float]] = [[], []]
    for f, network, found in zip((eager, compiled), (eager, twin), losses, strict=True):
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for seed in range(3):
            x = torch.randn(7, 4, 4, 2, generator=torch.Generator().manual_seed(seed)).double()
            optimizer.zero_grad()
            with deprecated():
                loss = f(x).square().mean()
                loss.backward()
            optimizer.step()
            found.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert losses[0][2] < losses[0][0]


SIMILAR: dict[str, Callable[[], Iterable[EquivariantLinear]]] = {
    "reductions": lambda: (EquivariantLinear(tn.S(3), 2, 2, I, O, reduce=r) for r in REDUCE),
    "groups": lambda: (EquivariantLinear(g, 2, 2, I, O) for g in (tn.A(3), tn.S(3), tn.O(3))),
    "graphs": lambda: (
        EquivariantLinear(tn.Aut(graph), 1, 1, I, O, basis="diagram")
        for graph in (networkx.cycle_graph(6), networkx.complete_bipartite_graph(3, 3))
    ),
    "orbits": lambda: (
        EquivariantLinear(tn.PermutationGroup([generator]), 1, 2, I, O)
        for generator in ((1, 2, 0, 3), (0, 2, 3, 1))
    ),
    "isotypic": lambda: (
        EquivariantLinear(tn.O(3), 2, 2, I, O, reduce=r, lowering="isotypic") for r in REDUCE
    ),
}
REDUCE: tuple[Reduce, ...] = ("mean", "sum")


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("kind", SIMILAR)
def test_layers_share_compiled_code_only_where_they_are_alike(kind: str) -> None:
    # They take and give the same shapes, and run one function: only guards tell them apart.
    counter = CompileCounter()
    different = [layer.double() for layer in SIMILAR[kind]()]
    for layer in [*different, *(copy.deepcopy(layer) for layer in different)]:
        layer.reset_parameters()
        compiled: Any = torch.compile(layer, fullgraph=True, backend=counter)
        x = random_input(layer, 11)
        assert_close(compiled(x), layer(x))
    assert counter.frame_count <= len(different), "a copy of a layer compiles again"


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("parameters", [torch.float32, torch.float64])
@layers("SO(3) 2-1", "isotypic")
def test_autocast_compiled(name: str, parameters: torch.dtype) -> None:
    layer = made(name, parameters)
    x = random_input(layer, 3).requires_grad_()
    compiled: Any = torch.compile(layer, fullgraph=True, backend="aot_eager")
    outside = assert_autocast(compiled, layer, x, torch.bfloat16)

    def cast(x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y: Tensor = layer(x)
        return y

    inside = torch.compile(cast, fullgraph=True, backend="aot_eager")(x)
    assert inside.dtype == outside.dtype == cast(x).dtype
    assert_close(inside, cast(x))


@pytest.mark.usefixtures("forgetful")
@layers("S(5) 2-2")
def test_gradients_of_each_sample_compile(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 11)
    for_each = vmap(grad(lambda p, x: called(layer)(p, x).square().sum()), (None, 0))
    found = torch.compile(for_each, fullgraph=True, backend="aot_eager")(values(layer), x)
    for key, wanted in for_each(values(layer), x).items():
        assert_close(found[key], wanted)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.deep)])
@layers(*FEW)
def test_export_takes_any_batch(name: str, strict: bool) -> None:
    layer = made(name)
    batch = {"x": {0: torch.export.Dim("batch", min=0)}}
    program = torch.export.export(
        layer, (random_input(layer, 11),), None, dynamic_shapes=batch, strict=strict
    )
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    for found in (program, torch.export.load(file)):
        run: Any = found.module()
        for size in (1, 2, 13):
            x = random_input(layer, size)
            assert_close(run(x), layer(x))


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("masked", [False, True])
def test_one_graph_of_a_family_takes_any_n(masked: bool) -> None:
    layer = made("family")
    compiled: Any = torch.compile(layer, fullgraph=True, dynamic=True, backend="eager")
    batch, n = torch.export.Dim("batch"), torch.export.Dim("n", min=2)
    sizes: Any = {"x": {0: batch, 1: n, 2: n}}
    if masked:
        sizes["mask"] = {0: batch, 1: n}

    def given(points: int, batch: int) -> tuple[Tensor, ...]:
        x = torch.randn(batch, points, points, I, dtype=torch.float64)
        return (x, torch.rand(batch, points) < 0.7) if masked else (x,)

    program: Any = torch.export.export(layer, given(7, 11), dynamic_shapes=sizes).module()
    compiled(*given(7, 11))
    for points, inputs in ((6, 13), (9, 5)):
        arguments = given(points, inputs)
        with torch.compiler.set_stance("fail_on_recompile"):
            assert_close(compiled(*arguments), layer(*arguments))
        assert_close(program(*arguments), layer(*arguments))
        assert_close(vmap(layer)(*arguments), layer(*arguments))


@pytest.mark.deep
@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("name", FEW)
def test_a_package_that_runs_without_python_takes_any_batch(name: str, tmp_path: Path) -> None:
    layer = made(name)
    batch = {"x": {0: torch.export.Dim("batch", min=2, max=64)}}
    program = torch.export.export(layer, (random_input(layer, 11),), dynamic_shapes=batch)
    with deprecated():
        package = str(tmp_path / "layer.pt2")
        run = torch._inductor.aoti_load_package(
            torch._inductor.aoti_compile_and_package(program, package_path=package)
        )
    for size in (2, 13):
        x = random_input(layer, size)
        assert_close(run(x), layer(x))


# Transforms of functions


@layers()
def test_vmap_over_inputs(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 4, 3)
    wanted = layer(x)
    assert_close(vmap(layer)(x), wanted)
    assert_close(vmap(layer, in_dims=1, out_dims=1, chunk_size=2)(x), wanted)
    assert_close(vmap(vmap(layer))(x), wanted)
    last = vmap(layer, in_dims=-1, out_dims=-1)(x.movedim(0, -1))
    assert_close(last.movedim(-1, 0), wanted)


@layers()
def test_vmap_over_weights_and_biases(name: str) -> None:
    models = [made(name) for _ in range(4)]
    call, x = called(models[0]), random_input(models[0], 3)
    stacked, _ = torch.func.stack_module_state(models)
    assert_close(vmap(call, (0, None))(stacked, x), torch.stack([model(x) for model in models]))
    inputs = random_input(models[0], 4, 3)
    wanted = torch.stack([model(x) for model, x in zip(models, inputs, strict=True)])
    assert_close(vmap(call)(stacked, inputs), wanted)
    for one in stacked:
        others = {key: value[0] for key, value in stacked.items() if key != one}
        found = vmap(lambda value, one=one, others=others: call({**others, one: value}, x))(
            stacked[one]
        )
        wanted = torch.stack([call({**others, one: value}, x) for value in stacked[one]])
        assert_close(found, wanted)
        # With an input for each.
        found = vmap(lambda value, x, one=one, others=others: call({**others, one: value}, x))(
            stacked[one], inputs
        )
        pairs = zip(stacked[one], inputs, strict=True)
        wanted = torch.stack([call({**others, one: value}, its) for value, its in pairs])
        assert_close(found, wanted)


@layers()
def test_gradients_of_each_sample(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 4)
    loss = grad(lambda p, x: called(layer)(p, x).square().sum())
    found = vmap(loss, (None, 0))(values(layer), x)
    for sample in range(4):
        for key, wanted in loss(values(layer), x[sample]).items():
            assert_close(found[key][sample], wanted)


@layers()
def test_jvp_and_vjp(name: str) -> None:
    layer = made(name)
    x, dx = random_input(layer, 3), random_input(layer, 3)
    parameters = values(layer)
    tangents = {key: torch.randn_like(value) for key, value in parameters.items()}
    with deprecated():
        y, dy, *_ = jvp(called(layer), (parameters, x), (tangents, dx))
    assert_close(y, layer(x))
    moved = layer(dx) - layer(torch.zeros_like(x)) + called(layer)(tangents, x)
    assert_close(dy, moved, 10)
    y, back, *_ = vjp(called(layer), parameters, x)
    g = torch.randn_like(y)
    of_parameters, of_x = back(g)
    wanted = answers(layer, layer, x, g)[1:]
    for one, other in zip((of_x, *of_parameters.values()), wanted, strict=True):
        assert_close(one, other)
    # <g, dy> is <gradients, tangents>
    pairs = [(of_x, dx), *((of_parameters[key], tangents[key]) for key in tangents)]
    total = sum((a * b).sum() for a, b in pairs)
    assert float(total) == pytest.approx(float((g * dy).sum()), abs=1e-11)


@layers()
def test_jacobians_and_hessians(name: str) -> None:
    layer = made(name)
    x = random_input(layer)
    outputs = layer(x).numel()
    matrix = matrix_of(layer).permute(1, 0, 3, 2).reshape(outputs, x.numel())
    # torch takes no forward derivative by an empty tensor
    empty = {key: value for key, value in values(layer).items() if not value.numel()}
    point = {key: value for key, value in values(layer).items() if value.numel()} | {"x": x}

    def cubes(point: Mapping[str, Tensor]) -> Tensor:
        parameters = {key: value for key, value in point.items() if key != "x"}
        y: Tensor = called(layer)({**parameters, **empty}, point["x"])
        return y.pow(3).sum()

    with deprecated():
        for jacobian in (jacrev, jacfwd):
            assert_close(jacobian(layer)(x).reshape(matrix.shape), matrix, 10)
        mixed = hessian(cubes)(point)
    reverse = jacrev(jacrev(cubes))(point)
    for one, other in itertools.product(point, point):
        assert_close(mixed[one][other], reverse[one][other], 10)
    wanted = matrix.T @ (6 * layer(x).reshape(-1, 1) * matrix)
    assert_close(mixed["x"]["x"].reshape(wanted.shape), wanted, 10)
    by_rows: Any = torch.autograd.functional.hessian
    backward = by_rows(lambda x: layer(x).pow(3).sum(), x)
    assert_close(backward.reshape(wanted.shape), wanted, 10)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@layers()
def test_second_derivatives_of_the_bias_are_batched(name: str) -> None:
    layer = made(name)
    if layer.bias is None:
        return
    x = random_input(layer, 2)
    bias = layer.bias.detach()
    f = partial(functional_call, layer)
    jacobian = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
        lambda b: f({"bias": b}, (x,)), bias, vectorize=True, strategy="forward-mode"
    )
    g = torch.randn_like(layer(x)).requires_grad_()
    (of_bias,) = torch.autograd.grad(layer(x), layer.bias, g, create_graph=True)
    every = torch.eye(bias.numel(), dtype=g.dtype).reshape(-1, *bias.shape)
    (found,) = torch.autograd.grad(of_bias, g, every, is_grads_batched=True)
    for one, row in zip(found, every, strict=True):
        assert_close(one, f({"bias": row, "weight": 0 * layer.weight}, (x,)))
    assert_close(jacobian.movedim(tuple(range(-bias.ndim, 0)), (0, 1)).reshape(found.shape), found)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("way", ["compiled", "exported", "masked", "generated"])
def test_the_bias_learns_where_the_weight_is_frozen(way: str) -> None:
    """Where autograd sees every step, the bias is added in place to what needs no gradient."""
    masked = EquivariantLinear(tn.S(), 2, 2, I, O, dtype=torch.float64)
    layer = masked if way == "masked" else made("S(5) 2-2")
    x = random_input(layer, 3)
    mask = torch.ones(3, N, dtype=torch.bool) if way == "masked" else None
    wanted = answers(lambda x: layer(x, mask), layer, x, g := torch.randn_like(layer(x)))
    layer.weight.requires_grad_(False)
    f: Any = layer
    if way == "compiled":
        f = torch.compile(layer, backend="aot_eager", fullgraph=True)
    elif way == "exported":
        f = torch.export.export(layer, (x,)).module()
    elif way == "generated":
        f = tn.generate(tn.S(5), 2, 2, in_channels=I, out_channels=O).load()().double()
        f.load_state_dict(layer.state_dict())
        f.weight.requires_grad_(False)
    bias = next(p for p in (f if isinstance(f, nn.Module) else layer).parameters() if p.ndim == 2)
    y = f(x) if mask is None else f(x, mask)
    assert_close(y, wanted[0])
    assert_close(torch.autograd.grad(y, bias, g)[0], wanted[-1])


@pytest.mark.parametrize("parameter", ["weight", "bias"])
def test_vmap_over_one_parameter_under_a_mask(parameter: str) -> None:
    layer = made("family")
    x, mask = random_input(layer, 3), torch.rand(3, N) < 0.7
    stack = torch.randn(4, *getattr(layer, parameter).shape, dtype=x.dtype)

    def f(values: Tensor) -> Any:
        return functional_call(layer, {parameter: values}, (x, mask))

    assert_close(vmap(f)(stack), torch.stack([f(values) for values in stack]))


@layers()
def test_inference_mode_records_nothing_where_gradients_are_enabled_inside(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 2)
    wanted = layer(x)
    with torch.inference_mode(), torch.enable_grad():
        y = layer(x * 1)
    assert not y.requires_grad
    assert_close(y, wanted)


# Training


@layers()
def test_what_follows_may_work_in_place(name: str) -> None:
    layer = made(name)
    for batch in ((), (3,), (2, 3), (0,), (300,)):
        x = random_input(layer, *batch)
        assert not layer(x)._is_view(), "hooks of FSDP do not survive in-place steps on views"
        g = torch.randn_like(layer(x))
        found = answers(lambda x: layer(x).relu_(), layer, x, g)
        for one, other in zip(found, answers(lambda x: layer(x).relu(), layer, x, g), strict=True):
            assert_close(one, other)


@layers()
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing(name: str, reentrant: bool) -> None:
    layer = made(name)
    x = random_input(layer, 3)
    g = torch.randn_like(layer(x))
    given = x.clone().requires_grad_()
    checkpoint(layer, given, use_reentrant=reentrant).backward(g)
    wanted = answers(layer, layer, x, g)[1:]
    for found, other in zip((given, *layer.parameters()), wanted, strict=True):
        assert found.grad is not None
        assert_close(found.grad, other)


@layers()
def test_what_is_frozen_gets_no_gradient(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 3)
    g = torch.randn_like(layer(x))
    wanted = answers(layer, layer, x, g)[1:]
    leaves = [x, *layer.parameters()]
    for learned in itertools.product((False, True), repeat=len(leaves)):
        for leaf, flag in zip(leaves, learned, strict=True):
            leaf.requires_grad_(flag).grad = None
        y = layer(x)
        assert y.requires_grad == any(learned)
        if any(learned):
            y.backward(g)
        for leaf, flag, gradient in zip(leaves, learned, wanted, strict=True):
            assert (leaf.grad is not None) == flag
            if leaf.grad is not None:
                assert_close(leaf.grad, gradient)


@layers()
@pytest.mark.parametrize(
    "options", [{"foreach": True}, {"foreach": False}, {"fused": True}], ids=str
)
def test_optimizers(name: str, options: Any) -> None:
    layer = made(name)
    slow = copy.deepcopy(layer)
    x = random_input(layer, 4)
    steps = [
        (layer, torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1, **options)),
        (slow, torch.optim.AdamW(slow.parameters(), lr=0.1, weight_decay=0.1, foreach=False)),
    ]
    for module, optimizer in steps:
        for _ in range(3):
            optimizer.zero_grad()
            module(x).square().sum().backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
    for one, other in zip(layer.parameters(), slow.parameters(), strict=True):
        assert_close(one.detach(), other.detach(), 100)
    average = torch.optim.swa_utils.AveragedModel(layer)
    average.update_parameters(layer)
    assert_close(average(x), layer(x))


class Halved(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2

    def right_inverse(self, weight: Tensor) -> Tensor:
        return 2 * weight


@pytest.mark.usefixtures("forgetful")
@layers()
def test_parametrizations_of_the_weight(name: str) -> None:
    layer: Any = made(name)
    plain: Any = made(name)
    plain.load_state_dict(layer.state_dict())
    parametrize.register_parametrization(layer, "weight", Halved())
    x = random_input(layer, 3)
    assert_close(layer(x), plain(x))
    layer(x).square().sum().backward()
    plain(x).square().sum().backward()
    original = layer.parametrizations.weight.original
    assert_close(original.grad, plain.weight.grad / 2)
    twin = copy.deepcopy(layer)
    twin.load_state_dict(layer.state_dict())
    assert_close(twin(x), plain(x))
    if name in FEW:
        compiled: Any = torch.compile(twin, fullgraph=True, backend="eager")
        assert_close(compiled(x), plain(x))
    assert "EquivariantLinear" in repr(layer)
    parametrize.remove_parametrizations(layer, "weight")
    assert_close(layer(x), plain(x))


@layers()
def test_norms_and_pruning_of_the_weight(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 3)
    y = layer(x)
    if not layer.weight.numel():
        pytest.skip("an empty weight has no norm")
    normed = parametrizations.weight_norm(copy.deepcopy(layer), "weight", dim=0)
    assert_close(normed(x), y, 10)
    normed(x).sum().backward()
    bounded: Any = parametrizations.spectral_norm(copy.deepcopy(layer), "weight", 50)
    bounded(x).sum().backward()
    norm = torch.linalg.matrix_norm(bounded.weight.detach().flatten(1), 2)
    assert float(norm) == pytest.approx(1, rel=1e-2)
    pruned: Any = copy.deepcopy(layer)
    prune.l1_unstructured(pruned, "weight", amount=1)  # type: ignore[no-untyped-call]
    assert int((pruned.weight == 0).sum()) == 1
    assert_close(pruned(x), functional_call(layer, {"weight": pruned.weight}, (x,)))
    pruned(x).sum().backward()


@layers()
def test_deterministic_algorithms(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 3)
    g = torch.randn_like(layer(x))
    torch.use_deterministic_algorithms(True)
    try:
        for one, other in zip(
            answers(layer, layer, x, g), answers(layer, layer, x, g), strict=True
        ):
            assert torch.equal(one, other)
    finally:
        torch.use_deterministic_algorithms(False)


# Copies, files and state dicts


@layers()
def test_copies(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 3)
    y = layer(x)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),
        torch.load(file, weights_only=False),
    ):
        assert torch.equal(twin(x), y)
        assert_same(twin, twin, x)
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.add_(1)
        assert torch.equal(layer(x), y)
        assert not twin.weight.numel() or not torch.equal(twin(x), y)


@layers()
def test_state_dicts_go_through_files(name: str) -> None:
    layer = made(name)
    file = io.BytesIO()
    torch.save({"model": nn.Sequential(layer).state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)["model"]
    x = random_input(layer, 3)
    for empty in (False, True):
        network = nn.Sequential(made(name, device="meta" if empty else "cpu"))
        network.load_state_dict(state, assign=empty)
        assert torch.equal(network(x), layer(x))


@layers()
def test_from_the_meta_device(name: str) -> None:
    layer = made(name)
    x = random_input(layer, 3)
    g = torch.randn_like(layer(x))
    wanted = answers(layer, layer, x, g)
    group, k, l, own = LAYERS[name]
    with torch.device("meta"):
        inside = made(name)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no linear map but 0", UserWarning)
        options: Any = {"dtype": torch.float64, **own}
        skipped = skip_init(EquivariantLinear, group, k, l, I, O, **options)  # type: ignore[no-untyped-call]
    for empty in (inside, made(name, device="meta"), made(name).to("meta")):
        y = empty(x.to("meta"))
        assert (y.device.type, y.shape, y.dtype) == ("meta", layer(x).shape, torch.float64)
        drawn = empty.to_empty(device="cpu")
        drawn.reset_parameters()
        assert all(parameter.isfinite().all() for parameter in drawn.parameters())
        drawn.load_state_dict(layer.state_dict())
        for one, other in zip(answers(drawn, drawn, x, g), wanted, strict=True):
            assert torch.equal(one, other)
    assert all(parameter.device.type == "cpu" for parameter in skipped.parameters())
    skipped.load_state_dict(layer.state_dict())
    assert torch.equal(skipped(x), layer(x))


@layers()
def test_a_state_dict_that_does_not_fit_is_refused_with_the_reason(name: str) -> None:
    layer = made(name)
    own = layer.plan.signature()
    ours = nn.Sequential(layer, nn.Tanh())
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    others = {other: nn.Sequential(made(other), nn.Tanh()).state_dict() for other in LAYERS}
    for other, state in others.items():
        theirs = made(other).plan.signature()
        if theirs == own:
            continue
        with pytest.raises(BasisMismatchError) as refused:
            ours.load_state_dict(state)
        assert "0._extra_state" in str(refused.value)
        assert repr(theirs) in str(refused.value)
        assert repr(own) in str(refused.value)
        with pytest.raises(BasisMismatchError):
            ours.load_state_dict(state, strict=False)
    for key, value in ours.state_dict().items():
        assert torch.equal(value, before[key])
    silent = {key: value for key, value in others[name].items() if key != "0._extra_state"}
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "0\._extra_state"'):
        ours.load_state_dict(silent)
    missing = ours.load_state_dict(silent, strict=False)
    assert missing.missing_keys == ["0._extra_state"]
    assert torch.equal(layer.weight, silent["0.weight"])
    prefixed = {f"net.{key}": value for key, value in others[name].items()}
    nn.ModuleDict({"net": ours}).load_state_dict(prefixed)
    nn.modules.utils.consume_prefix_in_state_dict_if_present(prefixed, "net.")
    ours.load_state_dict(prefixed)


# Where and how a layer is made


@pytest.fixture
def unbuilt() -> None:
    """Source text is compiled once in a process: let this be a new one."""
    build.cache_clear()
    for name in [name for name in sys.modules if name.startswith("tannaka_generated_kernel")]:
        del sys.modules[name]


MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "meta device": lambda: torch.device("meta"),
    "inference mode": torch.inference_mode,
    "fake tensors": FakeTensorMode,
}


@pytest.mark.usefixtures("unbuilt")
@layers()
@pytest.mark.parametrize("mode", MODES)
def test_a_layer_made_in_a_mode_leaves_nothing_behind(name: str, mode: str) -> None:
    with MODES[mode]():
        made(name)
    layer = made(name)
    x = random_input(layer, 2)
    assert_same(layer, layer, x)
    if isinstance(layer.plan, Plan):
        # As a compiler sees it, which saves constants for the gradients that it finds itself.
        apply, n = build(layer.source).apply, layer.group.n or N
        assert_same(lambda x: apply(x, layer.weight, layer.bias, n), layer, x)


def fake(layer: EquivariantLinear, x: Tensor) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True):
        y = layer(torch.empty(x.shape, dtype=x.dtype))
    assert y.shape == layer(x).shape


def inference(layer: EquivariantLinear, x: Tensor) -> None:
    with torch.inference_mode():
        layer(x)


def transforms(layer: EquivariantLinear, x: Tensor) -> None:
    squares = grad(lambda p, x: called(layer)(p, x).square().sum())
    vmap(squares, (None, 0))(values(layer), x[None])


def autocast(layer: EquivariantLinear, x: Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(x)


@pytest.mark.parametrize("meet", [fake, inference, transforms, autocast])
@pytest.mark.parametrize("name", [*LAYERS, "lowerings", "ways"])
def test_what_a_layer_first_met_in_a_mode_it_can_learn_from_later(
    name: str, meet: Callable[[EquivariantLinear, Tensor], None]
) -> None:
    # Of these the number of inputs decides how they are computed: what that takes is made then.
    cyclic = tn.PermutationGroup([tuple((i + 1) % 30 for i in range(30))])
    several = {"lowerings": (tn.S(4), 2, 2, 16, 16), "ways": (cyclic, 1, 2, I, O)}
    for dtype, batch in itertools.product((torch.float64, torch.float32), (1, 40)):
        if name in several:
            layer = EquivariantLinear(*several[name], dtype=dtype)
        else:
            layer = made(name, dtype)
        x = random_input(layer, batch)
        meet(layer, x)
        twin = copy.deepcopy(layer)
        g = torch.randn_like(twin(x))
        for found, wanted in zip(
            answers(layer, layer, x, g), answers(twin, twin, x, g), strict=True
        ):
            assert torch.equal(found, wanted)
