"""Triton kernels are the definition, with all derivatives; on the CPU through Triton's interpreter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import (
    arguments,
    assert_equal,
    calling,
    defined,
    derivatives,
    homs_of,
    kinds,
    quiet_layer,
    random_input,
    settings_of,
    word,
)
from torch import Tensor

import tannaka as tn
from tannaka.codegen.backends.triton import BLOCK, kernels
from tannaka.codegen.fusion import Sweep, Tile, grouped
from tannaka.codegen.lower import lower
from tannaka.codegen.passes import optimise
from tannaka.codegen.trace import verify_names
from tannaka.diagrams.errors import BackendError
from tannaka.testing import ROUNDING

pytest.importorskip("triton")


def check(hom: tn.Hom, bias: bool, reduce: Any) -> None:
    """A layer and its derivatives up to the second are the oracle."""
    given = arguments(hom, 2, 3, bias)
    g = torch.randn(2, *hom.group.shape(hom.l), 3, dtype=torch.float64)

    def wanted(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return defined(hom, reduce, x, weight, bias)

    layer = quiet_layer(hom.group, hom.k, hom.l, 2, 3, bias=bias, reduce=reduce, backend="triton")
    about = f"{hom}, bias={bias}, reduce={reduce}"
    assert_equal(derivatives(calling(layer), given, g), derivatives(wanted, given, g), about)


@pytest.mark.parametrize("name", kinds())
def test_kernels_and_their_derivatives_are_the_definition(name: str) -> None:
    for number, hom in enumerate(homs_of(name)):
        # Of the larger ones one in four here, and all in deep runs.
        if len(word(hom.k)) + len(word(hom.l)) <= 3 or number % 4 == 0:
            bias, reduce = list(settings_of(hom))[number % 2]
            check(hom, bias, reduce)


@pytest.mark.deep
@pytest.mark.parametrize("name", kinds())
def test_all_kernels_and_their_derivatives_are_the_definition(name: str) -> None:
    for hom in homs_of(name):
        for bias, reduce in settings_of(hom):
            check(hom, bias, reduce)


ORDERS = ((2, 2), (2, 1), (1, 2), (1, 1), (3, 2), (2, 3), (2, 0), (0, 2))


@given(
    st.sampled_from(ORDERS),
    st.integers(-2, 2),
    st.sampled_from([0, -1]),
    st.sampled_from([(1, 1), (5, 16), (17, 3), (33, 70)]),
    st.sampled_from([(), (3,), (2, 2), (0,), (2, 0)]),
    st.sampled_from(["S", "O", "Sp"]),
)
@settings(max_examples=25)
def test_blocks_of_positions_and_channels_need_not_fit(
    orders: tuple[int, int],
    offset: int,
    axis: int,
    channels: tuple[int, int],
    batch: tuple[int, ...],
    family: str,
) -> None:
    k, l = orders
    n = max(1, BLOCK[max(orders)][axis] + offset)
    if family != "S" and (k + l) % 2:
        k, l = l, l
    n = {"S": n, "O": min(n, 20), "Sp": n + n % 2}[family]
    name = f"{family}({n})"
    ours = quiet_layer(tn.group(name), k, l, *channels, backend="triton")
    plain = quiet_layer(tn.group(name), k, l, *channels, backend="einsum", lowering="factored")
    plain.load_state_dict(ours.state_dict())
    x = random_input(ours, *batch).requires_grad_()
    # Neither input nor gradient lies in one piece.
    g = torch.randn(*batch, *ours.group.shape(l), 2 * channels[1], dtype=x.dtype)[..., ::2]
    found = [
        {
            "output": y,
            **dict(
                zip(
                    ("input", *dict(layer.named_parameters())),
                    torch.autograd.grad(y, (given, *layer.parameters()), g),
                    strict=True,
                )
            ),
        }
        for layer in (ours, plain)
        for given in [torch.stack([x, x], dim=-1)[..., 0]]
        for y in [layer(given)]
    ]
    assert_equal(found[0], found[1], name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("name", "k", "l"), [("S(5)", 2, 2), ("S(4)", 3, 1), ("Sp(4)", 2, 2)])
def test_shorter_floats_differ_by_rounding(name: str, k: int, l: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    exact = quiet_layer(tn.group(name), k, l, 24, 20, backend="triton")
    exact.reset_parameters()
    short = quiet_layer(tn.group(name), k, l, 24, 20, backend="triton", dtype=dtype)
    short.load_state_dict(exact.state_dict())
    exact.load_state_dict(short.state_dict())  # what the shorter one has, rounded
    x = random_input(short, 3)
    outcomes = []
    for layer, source in ((exact, x.double()), (short, x)):
        leaf = source.requires_grad_()
        y = layer(leaf)
        assert y.dtype == leaf.dtype
        outcomes.append((y, *torch.autograd.grad(y.sum(), (leaf, layer.weight))))
    for right, got in zip(*outcomes, strict=True):
        error = (got.double() - right).abs().max() / right.abs().max()
        assert error <= ROUNDING[dtype]


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
def test_transforms_of_functions_are_those_of_the_einsum_backend() -> None:
    ours = quiet_layer(tn.S(3), 2, 1, 2, 3, backend="triton")
    plain = quiet_layer(tn.S(3), 2, 1, 2, 3, backend="einsum", lowering="factored")
    plain.load_state_dict(ours.state_dict())
    many, weights = torch.randn(4, 2, 3, 3, 2).double(), torch.randn(4, *ours.weight.shape).double()
    x = many[0]

    def of_weight(layer: Any) -> Any:
        return lambda w: torch.func.functional_call(layer, {"weight": w}, (x,))

    outcomes: list[dict[str, Any]] = [
        {
            "vmap over inputs": torch.vmap(layer)(many),
            "vmap over weights": torch.vmap(of_weight(layer))(weights),
            "jvp": torch.func.jvp(layer, (x,), (many[1],))[1],
            "jacobian": torch.func.jacrev(of_weight(layer))(weights[0]),
            "hessian": torch.func.hessian(
                lambda w, layer=layer: of_weight(layer)(w).square().sum()
            )(weights[0]),
            "jacobian of jacobian": torch.func.jacrev(
                torch.func.jacrev(lambda w, layer=layer: of_weight(layer)(w).square().sum())
            )(weights[0]),
            "gradients of each": torch.vmap(
                torch.func.grad(lambda w, layer=layer: of_weight(layer)(w).square().sum())
            )(weights),
        }
        for layer in (ours, plain)
    ]
    assert_equal(*outcomes)


@pytest.mark.parametrize("bias", [True, False])
def test_operators_are_what_pytorch_wants(bias: bool) -> None:
    layer = quiet_layer(tn.S(3), 2, 1, 2, 3, bias=bias, backend="triton")
    x = random_input(layer, 2)
    torch.vmap(layer)(x[None])  # runs the operators
    (name,) = {
        name
        for name in dir(torch.ops.tannaka_triton)
        if name.startswith("apply_") and name.removeprefix("apply_") in layer.source
    }
    digest = name.removeprefix("apply_")
    g = torch.randn(2, 3, 3, dtype=x.dtype)
    found: Any = torch.ops.tannaka_triton
    calls: dict[str, tuple[Any, ...]] = {
        "apply": (x, layer.weight, layer.bias),
        "gradients": (x, layer.weight, g),
        "input_gradient": (layer.weight, g),
        "weight_gradient": (x, g),
    }
    for function, tensors in calls.items():
        operator = getattr(found, f"{function}_{digest}").default
        given = [None if t is None else t.detach().requires_grad_() for t in tensors]
        torch.library.opcheck(
            operator,
            (*given, [3], None),
            test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
        )


@pytest.mark.parametrize("name", kinds())
def test_groups_are_the_steps_in_an_order_that_runs(name: str) -> None:
    for hom in homs_of(name):
        plan = optimise(lower(hom, 2, 3))
        known = plan.words()
        groups = grouped(plan.steps, known, ["x"], plan.result)
        steps: Any = tuple(step for group in groups for step in group.steps)
        assert sorted(map(repr, steps)) == sorted(map(repr, plan.steps))
        verify_names(steps, {"x"}, (plan.result,))
        sweeps = [group for group in groups if isinstance(group, Sweep)]
        assert len(sweeps) <= 1
        assert sum(isinstance(group, Tile) for group in groups) <= 1


def test_the_text_is_the_same_each_time() -> None:
    plan = optimise(lower(tn.Hom(tn.S(4), 2, 2), 3, 5))
    assert kernels(plan) == kernels(plan)


@pytest.mark.parametrize(
    ("group", "k", "l"), [(tn.S(9), 2, 2), (tn.Sp(4), 2, 2), (tn.S(4) * tn.O(3), (0, 1), (1, 0))]
)
def test_the_text_is_meant_to_be_read(
    golden: Callable[[str, str], None], group: tn.Group, k: Any, l: Any
) -> None:
    plan = optimise(lower(tn.Hom(group, k, l), 16, 32))
    name = re.sub(r"\W", "", f"{group}_{k}_{l}".replace("*", "x"))
    golden(f"triton_{name}.py", kernels(plan))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_and_unasked_there_are_no_kernels() -> None:
    lines = "import tannaka as tn; tn.nn.EquivariantLinear(tn.S(3), 1, 1, 2, 2, backend='triton')"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode
    error = done.stderr.strip().splitlines()[-1]
    assert "needs a GPU" in error
    assert "TRITON_INTERPRET=1" in error


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize(
    ("group", "k", "l"),
    [
        (tn.S(), 2, 2),
        (tn.S(), 3, 1),
        (tn.S(), 1, 3),
        (tn.S(), 2, 0),
        (tn.S() * tn.O(2), (0, 1, 0), (1, 0)),
    ],
)
def test_masks_are_those_of_the_einsum_backend(group: Any, k: Any, l: Any, reduce: Any) -> None:
    torch.manual_seed(0)
    ours = quiet_layer(group, k, l, 2, 3, backend="triton", reduce=reduce)
    plain = quiet_layer(group, k, l, 2, 3, backend="einsum", lowering="factored", reduce=reduce)
    torch.nn.init.normal_(ours.weight)
    plain.load_state_dict(ours.state_dict())
    shape = [5 if kind == 0 else 2 for kind in word(k)]
    x = torch.randn(3, *shape, 2, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True] * 5, [True, False, True, True, False], [False] * 5])
    outcomes = []
    for layer in (ours, plain):
        y = layer(x, mask)
        leaves = (x, *layer.parameters())
        first = torch.autograd.grad(y.pow(3).sum(), leaves, create_graph=True)
        squares = torch.stack([one.pow(2).sum() for one in first])
        second = torch.autograd.grad(squares.sum(), leaves)
        found = {f"first {i}": one for i, one in enumerate(first)}
        outcomes.append(found | {"output": y} | {f"second {i}": b for i, b in enumerate(second)})
    assert_equal(*outcomes)


def test_masks_under_vmap_are_refused() -> None:
    layer = quiet_layer(tn.S(), 1, 1, 2, 2, backend="triton")
    x, masks = torch.randn(4, 2, 3, 2).double(), torch.rand(4, 2, 3) < 0.5
    with pytest.raises(BackendError, match="no masks under vmap"):
        torch.vmap(layer)(x, masks)
    one = torch.vmap(lambda one: layer(one, masks[0]))(x)
    torch.testing.assert_close(one, torch.stack([layer(each, masks[0]) for each in x]))


def test_files_are_not_generated_yet() -> None:
    with pytest.raises(BackendError, match="'triton' runs layers, and writes no file"):
        tn.generate(tn.S(3), 1, 1, 2, 2, backend="triton")
