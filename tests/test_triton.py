"""Triton kernels are the definition, with all derivatives; on the CPU through Triton's interpreter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from depth import share
from hypothesis import given
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
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

import tannaka as tn
from tannaka.codegen.backends.triton import BLOCK, SUMS, kernels
from tannaka.codegen.fusion import Sweep, Tile, grouped
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.passes import optimise
from tannaka.codegen.runtime import triton_ops
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


def both(group: tn.Group, k: Any, l: Any, **options: Any) -> list[Any]:
    """A layer in Triton kernels, and one of PyTorch's operations with the same weights."""
    ours = quiet_layer(group, k, l, 2, 3, backend="triton", **options)
    plain = quiet_layer(group, k, l, 2, 3, backend="einsum", lowering="factored", **options)
    plain.load_state_dict(ours.state_dict())
    return [ours, plain]


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
@share(1 / 4, most=200)  # the interpreter takes seconds for some
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


@pytest.mark.parametrize(
    ("name", "k", "l"),
    [
        ("S(2)", 0, 6),
        ("O(2)", 1, 7),
        ("O(1)", 6, 6),
        ("O(2)", 6, 2),
        ("S(1)", 5, 5),
        ("O(3)", 4, 6),
    ],
)
def test_high_orders_have_no_kernel_whose_letters_clash(name: str, k: int, l: int) -> None:
    ours, plain = both(tn.group(name), k, l)
    x = random_input(ours, 2)
    assert_equal({"output": ours(x)}, {"output": plain(x)}, name)


@pytest.mark.parametrize(
    ("name", "k", "l", "at"),
    [
        ("O(3)", 2, 0, 1),
        ("O(3)", 3, 1, 5),
        ("O(2)", 4, 2, 1),
        ("Sp(4)", 2, 0, 2),
        ("Sp(4)", 2, 2, 2),
        ("Sp(2)", 0, 2, 0),
    ],
)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of NumPy, in the interpreter
def test_what_is_not_read_may_be_infinite_or_no_number(
    name: str, k: int, l: int, at: int, bad: float
) -> None:
    ours, plain = both(tn.group(name), k, l)
    x, finite = random_input(ours, 2), []
    x.flatten(0, -2)[at, 0] = bad
    for layer in (ours, plain):
        if layer.bias is not None:
            layer.bias.data[:, 1] = bad
        finite.append(layer(x).isfinite())
    assert torch.equal(*finite)


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
    ours, plain = both(tn.S(3), 2, 1)
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


def test_a_batch_of_weights_meets_a_bias_that_learns() -> None:
    ours, plain = both(tn.S(2), 2, 2)
    x, weights = torch.randn(1, 2, 2, 2).double(), torch.randn(3, *ours.weight.shape).double()
    outcomes = []
    for layer in (ours, plain):

        def run(weight: Tensor, layer: Any = layer) -> Any:
            return torch.func.functional_call(layer, {"weight": weight}, (x,))

        y = torch.vmap(run)(weights)
        (of_bias,) = torch.autograd.grad(y.square().sum(), layer.bias)
        none = torch.vmap(run)(weights[:0])
        outcomes.append({"output": y, "gradient": of_bias, "output of none": none})
    assert_equal(*outcomes)


def test_gradients_come_in_batches() -> None:
    ours, plain = both(tn.S(2), 2, 1)
    x = random_input(ours, 1).requires_grad_()
    every = torch.randn(3, 1, 2, 3).double().requires_grad_()

    def gradients(layer: Any, **options: bool) -> Any:
        leaves = (x, *layer.parameters())
        return torch.autograd.grad(layer(x), leaves, every, is_grads_batched=True, **options)

    for left, right in zip(gradients(ours), gradients(plain), strict=True):
        torch.testing.assert_close(left, right)
    with pytest.raises(NotImplementedError, match="no second derivatives of a batch"):
        gradients(ours, create_graph=True)
    of_x, of_weight, _ = gradients(plain, create_graph=True)
    found = torch.autograd.grad(of_x.square().sum() + of_weight.pow(3).sum(), (x, every))
    one_by_one = [
        torch.autograd.grad(plain(x), (x, plain.weight), g, create_graph=True) for g in every
    ]
    total = torch.stack([a.square().sum() + b.pow(3).sum() for a, b in one_by_one]).sum()
    wanted = torch.autograd.grad(total, (x, every))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("group", "k", "l", "bias"),
    [(tn.S(3), 2, 1, True), (tn.S(3), 2, 1, False), (tn.Sp(2), 3, 1, True), (tn.SO(3), 1, 2, True)],
)
def test_operators_are_what_pytorch_wants(group: Any, k: int, l: int, bias: bool) -> None:
    layer = quiet_layer(group, k, l, 2, 3, bias=bias, backend="triton")
    x = random_input(layer, 2)
    torch.vmap(layer)(x[None])  # runs the operators
    (name,) = {
        name
        for name in dir(torch.ops.tannaka_triton)
        if name.startswith("apply_") and name.removeprefix("apply_") in layer.source
    }
    digest = name.removeprefix("apply_")
    g = torch.randn(2, *group.shape(l), 3, dtype=x.dtype)
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
            (*given, [group.n], None),
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


def test_many_sums_are_made_by_several_kernels() -> None:
    text = kernels(optimise(lower(tn.Hom(tn.S(9), 4, 1), 2, 2)))
    assert f"p{SUMS - 1}" in text
    assert f"p{SUMS}" not in text


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
    ours, plain = both(group, k, l, reduce=reduce)
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


@pytest.mark.parametrize(
    ("group", "k", "l", "reduce"),
    [
        (tn.S(9), 2, 2, "mean"),
        (tn.S(), 2, 1, "mean"),
        (tn.Sp(4), 2, 2, "sum"),
        (tn.S(4) * tn.O(3), (0, 1), (1, 0), "mean"),
        (tn.Sp(2), 3, 0, "mean"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*no linear map but 0:UserWarning")
def test_files_check_themselves_where_there_is_no_tannaka(
    group: Any, k: Any, l: Any, reduce: Any, tmp_path: Path
) -> None:
    code = tn.generate(group, k, l, 3, 4, backend="triton", reduce=reduce)
    path = code.save(tmp_path / "layer.py")
    (tmp_path / "tannaka.py").write_text("raise ImportError")
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is what it says" in done.stdout
    unknown = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", str(path)]
    assert subprocess.run(unknown, check=False).returncode == 0
    layer = code.load()(dtype=torch.float64)
    twin = quiet_layer(group, k, l, 3, 4, backend="einsum", lowering="factored", reduce=reduce)
    layer.load_state_dict(twin.state_dict())
    sizes = (4,) * k if group == tn.S() else group.shape(k)
    x = torch.randn(2, *sizes, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(x), twin(x))


@pytest.mark.parametrize("name", kinds())
def test_text_is_as_formatters_leave_it(name: str, tmp_path: Path) -> None:
    for number, hom in enumerate(homs_of(name)):
        if number % 7 == 0:
            plan = optimise(lower(hom, 2, 3))
            (tmp_path / f"kernels_{number}.py").write_text(kernels(plan))
    command = [sys.executable, "-m", "ruff", "format", "--check", "--isolated"]
    done = subprocess.run(
        [*command, "--line-length", "100", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_flipped_signs_are_seen() -> None:
    ours = quiet_layer(tn.S(3), 2, 1, 1, 1, backend="triton")
    plain = quiet_layer(tn.S(3), 2, 1, 1, 1, backend="einsum", lowering="factored")
    plain.load_state_dict(ours.state_dict())
    x, weight, g = (
        torch.randn(*shape, dtype=torch.complex128).conj().imag
        for shape in ((2, 3, 3, 1), ours.weight.shape, (2, 3, 1))
    )
    assert all(one.is_neg() for one in (x, weight, g))
    outcomes = []
    for layer in (ours, plain):
        leaf = torch.zeros_like(x, requires_grad=True)

        def run(x: Tensor, layer: Any = layer) -> Any:
            return torch.func.functional_call(layer, {"weight": weight}, (x,))

        outcomes.append({"output": run(x), "gradient": torch.autograd.grad(run(leaf), leaf, g)[0]})
    assert_equal(*outcomes)


class SumsOfGPUs(TorchFunctionMode):
    """Sums as autocast has them on GPUs, where it makes them float32."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.sum and torch.is_autocast_enabled("cpu"):
            kwargs.setdefault("dtype", torch.float32)
        return func(*args, **kwargs)


@pytest.mark.parametrize("backend", ["triton", "einsum"])
@pytest.mark.parametrize(
    ("group", "k", "l", "reduce"),
    [(tn.S(3), 3, 1, "sum"), (tn.SO(3), 2, 3, "mean"), (tn.A(3), 2, 2, "mean")],
)
def test_sums_under_autocast_of_gpus(
    group: tn.Group, k: int, l: int, reduce: Any, backend: str
) -> None:
    layer = quiet_layer(
        group, k, l, 4, 4, reduce=reduce, backend=backend, lowering="factored", dtype=torch.float32
    )
    x = random_input(layer, 3).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16), SumsOfGPUs():
        y = layer(x)
        assert y.dtype == torch.bfloat16
        found = torch.autograd.grad(y.float().square().mean(), (x, layer.weight))
    assert all(one.dtype == torch.float32 for one in found)


def test_kernels_run_on_the_gpu_of_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which there need not be one: no kernel runs here."""
    current: list[torch.device] = []

    @contextmanager
    def device(of: torch.device) -> Iterator[None]:
        current.append(of)
        yield
        current.pop()

    monkeypatch.setattr(triton_ops, "interpreted", lambda: False)
    monkeypatch.setattr(triton_ops, "_has_numbers", lambda x: True)
    monkeypatch.setattr(torch.cuda, "device", device)
    with FakeTensorMode():
        x = torch.empty(2, device="cuda:1")
    assert triton_ops._on_gpu(lambda x: [*current])(x) == [x.device]
