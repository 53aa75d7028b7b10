"""One layer, one answer, in every mode of PyTorch: the product of layers and modes.

What a mode computes is compared with the eager float64 layer, within the table that
``tannaka.testing.ROUNDING`` promises. Graph capture is slow: it is checked for a few layers here, and
for all of them under the mark ``deep``.
"""

from __future__ import annotations

import copy
import itertools
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import networkx
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

import tannaka as tn
from tannaka.codegen.build import build
from tannaka.codegen.plan import Plan
from tannaka.nn import EquivariantLinear
from tannaka.testing import ROUNDING, assert_equivariant

POINTS = tn.S(4) * tn.SO(3)
KLEIN = tn.PermutationGroup([(1, 0, 3, 2), (2, 3, 0, 1)])
PETERSEN = tn.Aut(networkx.petersen_graph())
LAYERS: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "S(5) 2-2": (tn.S(5), 2, 2, {}),
    "S(4) 3-1": (tn.S(4), 3, 1, {}),
    "A(3) 2-1": (tn.A(3), 2, 1, {}),
    "O(3) 2-2": (tn.O(3), 2, 2, {}),
    "SO(3) 2-1": (tn.SO(3), 2, 1, {}),
    "Sp(4) 2-2": (tn.Sp(4), 2, 2, {}),
    "points": (POINTS, (0, 1, 1), (0, 1), {}),
    "dense": (tn.S(3), 2, 2, {"lowering": "dense"}),
    "isotypic": (tn.O(3), 2, 2, {"lowering": "isotypic"}),
    "orbits": (KLEIN, 2, 1, {}),
    "graphs": (PETERSEN, 1, 1, {"basis": "diagram"}),
    "bias alone": (tn.O(3), 1, 2, {}),
    "zero": (tn.O(3), 2, 1, {}),
    "no bias": (tn.S(4), 1, 2, {"bias": False}),
}
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
    shape = (*batch, *layer.group.shape(layer.in_order), I)
    return torch.randn(shape, dtype=layer.weight.dtype)


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
def forward_mode() -> Iterator[None]:
    """Torch compiles its own formulas for jvp in a way that it deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
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
    rows, columns = layer.matrix().shape[1::2]
    flat = torch.einsum("opiq,bqi->bpo", layer.matrix(), x.reshape(4, columns, I))
    assert rows * O * 4 == flat.numel()
    assert_close(y, flat.reshape(y.shape), 10)
    assert_equivariant(layer, allow_zero=True)


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
        apply = build(layer.source).apply
        assert_same(lambda x: apply(x, layer.weight, layer.bias, layer.group.n), layer, x)


@layers()
def test_what_a_layer_first_met_in_a_mode_it_can_learn_from_later(name: str) -> None:
    for dtype, batch in itertools.product((torch.float64, torch.float32), (0, 1, 40)):
        layer = made(name, dtype)
        x = random_input(layer, batch)
        with torch.inference_mode():
            y = layer(x)
        with FakeTensorMode(allow_non_fake_inputs=True):
            assert layer(torch.empty(x.shape, dtype=dtype)).shape == y.shape
        assert_same(layer, layer, x)
        assert_close(layer(x), y.clone())
