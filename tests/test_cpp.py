"""Kernels in C++: equal to the interpreter, differentiable to any order, and good citizens of torch."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from depth import share
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.codegen.backends import cpp
from tannaka.codegen.interpret import interpret
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import Plan
from tannaka.codegen.runtime import native
from tannaka.codegen.runtime.autograd import layer, ready
from tannaka.diagrams.errors import BackendError
from tannaka.nn import EquivariantLinear
from tannaka.testing import assert_equivariant

try:
    native.check_compiler()
except BackendError as error:
    pytest.skip(str(error), allow_module_level=True)

# Each is built once, which takes seconds: so few of them, with odd channels, and n left open.
KERNELS = [(tn.S(9), 2, 2), (tn.S(9), 2, 1), (tn.S(9), 1, 2), (tn.S(9), 3, 3)]
OTHERS = [
    (group, k, l)
    for group in (tn.S(9), tn.S(2), tn.O(3), tn.O(1))
    for k in range(4)
    for l in range(4)
    if (group, k, l) not in KERNELS and tn.Hom(group, k, l).dimension
]
CIN, COUT = 3, 5


@pytest.fixture(autouse=True, scope="module")
def fresh_builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Build here, so that what is tested is not what an earlier run has left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path_factory.mktemp("extensions")))
        yield


@cache
def plan_of(group: Group, k: int, l: int) -> Plan:
    return optimise(lower(tn.Hom(group, k, l), CIN, COUT))


def kernel_of(plan: Plan) -> Callable[..., Tensor]:
    """The function (x, weight[, bias], n) -> y."""
    kernels = native.compiled(cpp.source(plan), len(plan.inputs), len(plan.outputs), *rows_of(plan))

    def apply(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        *bias, n = rest
        return layer((kernels, n), *ready(x, weight, bias[0] if bias else None))

    return apply


def rows_of(plan: Plan) -> tuple[int, int]:
    return len(plan.basis), len(plan.bias_basis or ())


def random(plan: Plan, n: int, batch: tuple[int, ...], seed: int = 0) -> list[Tensor]:
    """Input, weight, and bias if there is one, in float64."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(*batch, *(n,) * plan.dom, CIN), (len(plan.basis), COUT, CIN)]
    shapes += [] if plan.bias_basis is None else [(len(plan.bias_basis), COUT)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def wanted(plan: Plan, arguments: list[Tensor], n: int) -> Tensor:
    x, weight, *bias = (argument.detach().double().numpy() for argument in arguments)
    return torch.from_numpy(interpret(plan, x, weight, bias[0] if bias else None, n))


def assert_close(got: Tensor, want: Tensor, tolerance: float = 1e-12) -> None:
    assert got.shape == want.shape
    scale = want.abs().max() if want.numel() else torch.tensor(0.0)
    torch.testing.assert_close(got.double(), want.double(), rtol=0, atol=float(tolerance * scale))


def check(plan: Plan, n: int, batch: tuple[int, ...], seed: int) -> None:
    """The layer is what the interpreter says, and its gradients are adjoint to it."""
    arguments = [argument.requires_grad_() for argument in random(plan, n, batch, seed)]
    y = kernel_of(plan)(*arguments, n)
    assert_close(y.detach(), wanted(plan, arguments, n))
    dy, *tangents = (torch.randn_like(t) for t in (y, *arguments))
    gradients = torch.autograd.grad(y, arguments, dy)
    # y is linear in x and weight, and in the bias: the derivative along a tangent is a layer too.
    x, weight, *bias = (argument.detach() for argument in arguments)
    none = [torch.zeros_like(b) for b in bias]
    along = [[tangents[0], weight, *none], [x, tangents[1], *none]]
    along += [[torch.zeros_like(x), weight, tangents[2]]] if bias else []
    for gradient, tangent, changed in zip(gradients, tangents, along, strict=True):
        terms = dy * wanted(plan, changed, n)
        assert abs((gradient * tangent).sum() - terms.sum()) <= 1e-12 * terms.norm() + 1e-300


@share(1 / 4)
@pytest.mark.parametrize(("group", "k", "l"), KERNELS)
@given(
    st.sampled_from([1, 2, 3, 5, 12, 13]),
    st.sampled_from([(), (1,), (3,), (2, 3), (0,), (2, 0)]),
    st.integers(0, 9),
)
def test_kernels_do_what_the_interpreter_does(
    group: Group, k: int, l: int, n: int, batch: tuple[int, ...], seed: int
) -> None:
    check(plan_of(group, k, l), n, batch, seed)


@pytest.mark.deep
@pytest.mark.parametrize(("group", "k", "l"), OTHERS)
def test_kernels_of_all_orders_do_what_the_interpreter_does(group: Group, k: int, l: int) -> None:
    for n in (1, 2, 4, 7):
        check(plan_of(group, k, l), n, (3,), n)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_samples_and_share_one_sample(threads: int) -> None:
    plan, before = plan_of(tn.S(9), 2, 2), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for batch in ((1,), (40,)):
            check(plan, 29, batch, threads)
    finally:
        torch.set_num_threads(before)


def test_derivatives_of_first_and_second_order() -> None:
    for group, k, l, n in ((tn.S(9), 2, 2, 3), (tn.S(9), 1, 2, 2), (tn.S(9), 2, 1, 2)):
        plan = plan_of(group, k, l)
        apply = kernel_of(plan)
        arguments = [argument.requires_grad_() for argument in random(plan, n, (2,))]

        def call(*arguments: Tensor, apply: Any = apply, n: int = n) -> Tensor:
            y: Tensor = apply(*arguments, n)
            return y

        assert torch.autograd.gradcheck(call, arguments, fast_mode=True)
        assert torch.autograd.gradgradcheck(call, arguments, fast_mode=True)


@pytest.fixture(scope="module")
def layers() -> tuple[EquivariantLinear, EquivariantLinear]:
    """The same layer in C++ and in PyTorch, float64."""
    both = [
        EquivariantLinear(tn.S(9), 2, 2, CIN, COUT, backend=backend, dtype=torch.float64)
        for backend in ("cpp", "einsum")
    ]
    torch.nn.init.normal_(both[0].bias)  # type: ignore[arg-type]
    both[1].load_state_dict(both[0].state_dict())
    return both[0], both[1]


def test_the_layer_is_equivariant(layers: tuple[EquivariantLinear, EquivariantLinear]) -> None:
    assert_equivariant(layers[0])


def cubed(parameters: dict[str, Tensor], layer: EquivariantLinear, x: Tensor) -> Tensor:
    y: Tensor = torch.func.functional_call(layer, parameters, (x,))
    return y.pow(3).sum()


TRANSFORMS: dict[str, Callable[[EquivariantLinear, Tensor], Any]] = {
    "vmap": lambda m, x: torch.func.vmap(m, in_dims=2, out_dims=1)(
        x[:, :, None].expand(2, 9, 4, 9, 3)
    ),
    "jacrev": lambda m, x: torch.func.jacrev(m)(x[0, :, :, :]),
    "jvp": lambda m, x: torch.func.jvp(m, (x,), (x.cos(),)),
    "hessian": lambda m, x: torch.func.jacrev(torch.func.jacrev(lambda z: m(z * x).pow(3).sum()))(
        torch.ones(3, dtype=torch.float64)
    ),
    "gradients for each sample": lambda m, x: torch.func.vmap(
        torch.func.grad(lambda p, z: torch.func.functional_call(m, p, (z,)).square().sum()),
        in_dims=(None, 0),
    )(dict(m.named_parameters()), x),
    "ensembles": lambda m, x: torch.func.vmap(
        lambda p: torch.func.functional_call(m, p, (x,)).detach()
    )({name: torch.stack([p, 2 * p]) for name, p in m.named_parameters()}),
    "the tangent of a gradient": lambda m, x: torch.func.jvp(
        torch.func.grad(partial(cubed, dict(m.named_parameters()), m)), (x,), (x.cos(),)
    ),
    "the tangent of a gradient of the weight": lambda m, x: torch.func.jvp(
        partial(torch.func.grad(cubed), dict(m.named_parameters()), m), (x,), (x.cos(),)
    ),
}


# The first forward derivative imports what warns.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", TRANSFORMS)
def test_function_transforms(
    name: str, layers: tuple[EquivariantLinear, EquivariantLinear]
) -> None:
    x = torch.randn(2, 9, 9, CIN, dtype=torch.float64)
    got, want = (TRANSFORMS[name](layer, x) for layer in layers)
    torch.testing.assert_close(got, want)


def test_compilers_take_the_layer_whole(
    layers: tuple[EquivariantLinear, EquivariantLinear],
) -> None:
    ours, theirs = layers
    compiled: Any = torch.compile(ours, fullgraph=True, dynamic=True, backend="aot_eager")
    for batch in ((2,), (3,)):
        x = torch.randn(*batch, 9, 9, CIN, dtype=torch.float64, requires_grad=True)
        got, want = compiled(x), theirs(x)
        torch.testing.assert_close(got, want)
        torch.testing.assert_close(
            torch.autograd.grad(got.sin().sum(), [x, *ours.parameters()]),
            torch.autograd.grad(want.sin().sum(), [x, *theirs.parameters()]),
        )


def test_an_exported_program_is_saved_and_loaded(
    layers: tuple[EquivariantLinear, EquivariantLinear],
) -> None:
    ours, theirs = layers
    x = torch.randn(4, 9, 9, CIN, dtype=torch.float64)
    program = torch.export.export(ours, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    saved = io.BytesIO()
    torch.export.save(program, saved)
    saved.seek(0)
    loaded = torch.export.load(saved).module()
    torch.testing.assert_close(loaded(x[:3]), theirs(x[:3]))


def test_torch_finds_nothing_wrong_with_the_operators(
    layers: tuple[EquivariantLinear, EquivariantLinear],
) -> None:
    ours, _ = layers
    plan = ours.plan
    assert isinstance(plan, Plan)
    digest = native.Kernel(cpp.source(plan), 2, 2, 15, 2).digest
    x, weight, bias = (t.requires_grad_() for t in random(plan, 4, (2,)))
    g = torch.randn(2, 4, 4, COUT, dtype=torch.float64, requires_grad=True)
    for name, arguments in (
        ("apply", (x, weight, bias, 4)),
        ("apply", (x, weight, None, 4)),
        ("gradients", (x, weight, g, 4)),
        ("input_gradient", (weight, g, 4)),
        ("weight_gradient", (x, g, 4)),
    ):
        operator = getattr(torch.ops.tannaka_cpp, f"{name}_{digest}").default
        found = torch.library.opcheck(operator, arguments)
        assert set(found.values()) == {"SUCCESS"}, found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_shorter_floats(dtype: torch.dtype) -> None:
    plan = plan_of(tn.S(9), 2, 2)
    for n in (9, 29):
        arguments = [t.to(dtype).requires_grad_() for t in random(plan, n, (2,))]
        y = kernel_of(plan)(*arguments, n)
        assert y.dtype == dtype
        assert_close(y.detach(), wanted(plan, arguments, n), 4 * torch.finfo(dtype).eps)
        gradients = torch.autograd.grad(y, arguments, torch.ones_like(y))
        exact = [t.detach().double().requires_grad_() for t in arguments]
        y = kernel_of(plan)(*exact, n)
        for got, want in zip(
            gradients, torch.autograd.grad(y, exact, torch.ones_like(y)), strict=True
        ):
            assert got.dtype == dtype
            assert_close(got, want, 16 * torch.finfo(dtype).eps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert kernel_of(plan)(*(t.float() for t in arguments), n).dtype == torch.bfloat16


def test_what_is_not_finite_stays_so_and_spreads_no_further(
    layers: tuple[EquivariantLinear, EquivariantLinear],
) -> None:
    for value in (float("nan"), float("inf"), -float("inf")):
        x = torch.randn(2, 9, 9, CIN, dtype=torch.float64)
        x[0, 2, 5, 1] = value
        ours, theirs = (layer(x).isfinite() for layer in layers)
        assert torch.equal(ours, theirs)
        assert not ours[0].any()
        assert ours[1].all()


def test_strides_do_not_matter_and_the_input_is_left_alone(
    layers: tuple[EquivariantLinear, EquivariantLinear],
) -> None:
    ours, theirs = layers
    x = torch.randn(3, 9, 9, CIN, dtype=torch.float64)
    for view in (
        x.transpose(0, -1).contiguous().transpose(0, -1),
        x.transpose(1, 2),
        torch.stack([x, -x], dim=-1)[..., 0],
        x[:1].expand_as(x),
    ):
        before = view.clone()
        torch.testing.assert_close(ours(view), theirs(view))
        assert torch.equal(view, before)


def test_the_same_bits_whichever_thread_is_first() -> None:
    plan = plan_of(tn.S(9), 2, 2)
    arguments = [t.requires_grad_() for t in random(plan, 29, (5,))]

    def both() -> list[Tensor]:
        y = kernel_of(plan)(*arguments, 29)
        return [y, *torch.autograd.grad(y.sum(), arguments)]

    first = both()
    for _ in range(5):
        for got, want in zip(both(), first, strict=True):
            assert torch.equal(got, want)


def test_the_meta_device_has_shapes_only() -> None:
    layer = EquivariantLinear(tn.S(9), 2, 1, CIN, COUT, backend="cpp", device="meta")
    assert layer(torch.empty(2, 9, 9, CIN, device="meta")).shape == (2, 9, COUT)


def test_operators_read_no_memory_that_is_not_theirs() -> None:
    plan = plan_of(tn.S(9), 2, 2)
    x, weight, bias = random(plan, 4, (2,))
    apply = kernel_of(plan)
    for arguments, error in (
        ((x[:, :3], weight, bias, 4), ValueError),
        ((x, weight, bias, 5), ValueError),
        ((x, weight[1:], bias, 4), ValueError),
        ((x, weight[:, :, 1:], bias, 4), ValueError),
        ((x, weight, bias[:, 1:], 4), ValueError),
        ((x.float(), weight, bias, 4), TypeError),
        ((x, weight, bias.float(), 4), TypeError),
        ((x[0, 0, 0], weight, bias, 4), ValueError),
    ):
        with pytest.raises(error):
            apply(*arguments)


def test_without_a_compiler_the_layer_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        BackendError, match=r"C\+\+ compiler \('no-such-compiler'.*backend='einsum'"
    ):
        EquivariantLinear(tn.S(8), 2, 2, 1, 1, backend="cpp")


def test_what_the_compiler_says_is_passed_on() -> None:
    with pytest.raises(BackendError, match="could not build"):
        native.library("this is not C++", 1, 1, "float")


@pytest.mark.parametrize(
    ("group", "k", "l", "words"),
    [
        (tn.S(3), 1, 5, "orders up to 4, not 5"),
        (tn.Sp(4), 2, 2, "not signs"),
        (tn.SO(3), 2, 1, "not signs"),
        (tn.S(3) * tn.S(4), (0, 1), (0,), "not axes of several types"),
    ],
)
def test_what_is_not_covered_is_refused(group: Group, k: Any, l: Any, words: str) -> None:
    with pytest.raises(BackendError, match=rf"{words}.*backend='einsum' runs"):
        EquivariantLinear(group, k, l, 1, 1, backend="cpp")


def test_forms_and_symbols_are_refused_whatever_their_signs() -> None:
    for group, k, l in ((tn.Sp(2), 2, 0), (tn.SO(2), 1, 1)):
        plan = lower(tn.Hom(group, k, l), 1, 1)
        with pytest.raises(BackendError, match="forms or symbols"):
            cpp.source(replace(plan, reduce="sum", signs=(1,) * len(plan.basis)))


def test_only_the_factored_lowering_runs_in_cpp() -> None:
    with pytest.raises(BackendError, match="lowering='factored', got 'dense'"):
        EquivariantLinear(tn.S(3), 2, 2, 1, 1, backend="cpp", lowering="dense")


def test_layers_of_a_family_read_n_from_the_input() -> None:
    layers = [
        EquivariantLinear(tn.S(), 2, 2, CIN, COUT, backend=backend, dtype=torch.float64)
        for backend in ("cpp", "einsum")
    ]
    layers[1].load_state_dict(layers[0].state_dict())
    for n in (1, 2, 6):
        x = torch.randn(2, n, n, CIN, dtype=torch.float64)
        torch.testing.assert_close(layers[0](x), layers[1](x))
    mask = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    with pytest.raises(BackendError, match="a mask takes backend='einsum' or 'triton'"):
        layers[0](x, mask)


def test_the_generated_file_checks_itself_where_tannaka_is_not_installed(tmp_path: Path) -> None:
    path = tn.generate(tn.S(9), 2, 1, 2, 3, backend="cpp").save(tmp_path / "layer.py")
    blocked = f"import sys; sys.modules['tannaka'] = None; import runpy; runpy.run_path({str(path)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", blocked], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "is what it says" in done.stdout
    for tool in (["format", "--check", "--diff"], ["check", "--select", "E,F,I,UP,B"]):
        command = [sys.executable, "-m", "ruff", *tool, "--isolated", "--line-length", "100"]
        ruff = subprocess.run([*command, path], capture_output=True, text=True)
        assert ruff.returncode == 0, ruff.stdout


def test_kernels_read_well(golden: Callable[[str, str], None]) -> None:
    source = cpp.source(plan_of(tn.S(9), 2, 2))
    assert source == cpp.source(optimise(lower(tn.Hom(tn.S(9), 2, 2), CIN, COUT)))
    assert max(map(len, source.splitlines())) <= 100
    tiles = resources.files("tannaka.codegen.backends").joinpath("tiles.hpp").read_text()
    assert source.count(tiles) == 1
    golden("kernel_S9_2_2.cpp", source.replace(tiles, '#include "tiles.hpp"\n'))


def test_weights_are_those_of_the_diagrams(
    layers: tuple[EquivariantLinear, EquivariantLinear],
) -> None:
    ours, _ = layers
    x = np.random.default_rng(0).standard_normal((9, 9, CIN))
    matrix = ours.matrix().numpy()
    y = np.einsum("opiq,qi->po", matrix, x.reshape(81, CIN)).reshape(9, 9, COUT)
    constant = ours(torch.zeros(9, 9, CIN, dtype=torch.float64))
    torch.testing.assert_close(ours(torch.from_numpy(x)) - constant, torch.from_numpy(y))
