"""Layers in Triton kernels on a GPU: numbers, derivatives, compilers, memory; ``make test-gpu``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import tannaka as tn
from tannaka.nn import EquivariantLinear
from tannaka.testing import ROUNDING

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU"),
    pytest.mark.skipif(
        os.environ.get("TRITON_INTERPRET") == "1",
        reason="Triton interprets: run make test-gpu, which sets TRITON_INTERPRET=0",
    ),
]

LAYERS: list[tuple[Any, Any, Any, int, int]] = [
    (tn.S(1), 1, 1, 1, 1),
    (tn.S(5), 2, 2, 3, 7),
    (tn.S(33), 2, 2, 70, 33),
    (tn.S(65), 1, 1, 64, 64),
    (tn.S(17), 3, 3, 20, 16),
    (tn.S(9), 3, 0, 5, 4),
    (tn.S(9), 0, 3, 5, 4),
    (tn.S(7), 4, 2, 8, 8),
    (tn.O(3), 3, 3, 32, 32),
    (tn.SO(3), 2, 3, 16, 8),
    (tn.Sp(4), 2, 2, 16, 16),
    (tn.A(4), 2, 2, 8, 8),
    (tn.S(6) * tn.O(3), (0, 1), (1, 0, 0), 8, 8),
]


def pair(
    dtype: torch.dtype, group: Any, k: Any, l: Any, into: int, out: int
) -> tuple[EquivariantLinear, EquivariantLinear]:
    """A layer on the GPU, and one with the same weights in float64 on the CPU."""
    torch.manual_seed(0)
    ours = EquivariantLinear(group, k, l, into, out, backend="triton", device="cuda", dtype=dtype)
    exact = EquivariantLinear(
        group, k, l, into, out, backend="einsum", lowering="factored", dtype=torch.float64
    )
    exact.load_state_dict(ours.state_dict())
    return ours, exact


def outcomes(layer: Callable[[Tensor], Tensor], x: Tensor, parameters: Any) -> list[Tensor]:
    """The output, and the gradients of its mean square."""
    x = x.detach().requires_grad_()
    y = layer(x)
    leaves = (x, *parameters)
    return [y.detach(), *torch.autograd.grad(y.square().sum() / max(1, y.numel()), leaves)]


def compare(found: list[Tensor], wanted: list[Tensor], dtype: torch.dtype, slack: int = 4) -> None:
    for left, right in zip(found, wanted, strict=True):
        assert left.shape == right.shape
        if not left.numel():
            continue
        scale = right.abs().max().clamp(min=1e-30)
        error = (left.double().cpu() - right.double().cpu()).abs().max() / scale
        assert float(error) <= slack * ROUNDING[dtype]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", LAYERS, ids=str)
def test_layers_are_those_in_double_precision(case: Any, dtype: torch.dtype) -> None:
    ours, exact = pair(dtype, *case)
    group, k, _, into, _ = case
    for batch in ((), (3,), (2, 0), (40,)):
        x = torch.randn(*batch, *group.shape(k), into, device="cuda", dtype=dtype)
        compare(
            outcomes(ours, x, ours.parameters()),
            outcomes(exact, x.double().cpu(), exact.parameters()),
            dtype,
        )


def test_tf32_is_taken_where_it_is_allowed() -> None:
    ours, exact = pair(torch.float32, tn.S(33), 2, 2, 64, 64)
    x = torch.randn(4, 33, 33, 64, device="cuda")
    wanted = exact(x.double().cpu())
    errors = []
    before = torch.get_float32_matmul_precision()
    for allowed in ("highest", "high"):
        torch.set_float32_matmul_precision(allowed)
        errors.append(float((ours(x).double().cpu() - wanted).abs().max() / wanted.abs().max()))
    torch.set_float32_matmul_precision(before)
    assert errors[0] < 1e-5
    assert errors[1] < 1e-2


def test_results_are_the_same_in_every_run() -> None:
    ours, _ = pair(torch.float32, tn.S(40), 2, 2, 32, 32)
    x = torch.randn(8, 40, 40, 32, device="cuda")
    first, second = (outcomes(ours, x, ours.parameters()) for _ in range(2))
    assert all(torch.equal(left, right) for left, right in zip(first, second, strict=True))


def test_masks() -> None:
    ours, exact = pair(torch.float32, tn.S(), 2, 2, 8, 8)
    x = torch.randn(5, 20, 20, 8, device="cuda")
    mask = torch.rand(5, 20, device="cuda") < 0.6
    compare(
        outcomes(lambda x: ours(x, mask), x, ours.parameters()),
        outcomes(lambda x: exact(x, mask.cpu()), x.double().cpu(), exact.parameters()),
        torch.float32,
    )


@pytest.mark.parametrize("case", [LAYERS[2], LAYERS[4], LAYERS[10]], ids=str)
@pytest.mark.parametrize("dynamic", [False, True])
def test_whole_layers_compile(case: Any, dynamic: bool) -> None:
    ours, exact = pair(torch.float32, *case)
    group, k, _, into, _ = case
    compiled = torch.compile(ours, fullgraph=True, dynamic=dynamic)
    for batch in (4, 6):
        x = torch.randn(batch, *group.shape(k), into, device="cuda")
        compare(
            outcomes(compiled, x, ours.parameters()),
            outcomes(exact, x.double().cpu(), exact.parameters()),
            torch.float32,
        )


def test_layers_are_exported_and_captured_in_graphs() -> None:
    ours, _ = pair(torch.float32, tn.S(33), 2, 2, 16, 16)
    x = torch.randn(4, 33, 33, 16, device="cuda")
    with torch.no_grad():
        wanted = ours(x)
        exported = torch.export.export(ours, (x,), strict=True)
        torch.testing.assert_close(exported.module()(x), wanted)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = ours(x)
        x.normal_()
        graph.replay()
        torch.testing.assert_close(y, ours(x))


def test_operators_are_what_pytorch_wants() -> None:
    ours, _ = pair(torch.float32, tn.S(8), 2, 1, 4, 4)
    x = torch.randn(2, 8, 8, 4, device="cuda", requires_grad=True)
    torch.vmap(ours)(x[None])  # runs the operators
    known: Any = torch.ops.tannaka_triton
    (name,) = (
        name
        for name in dir(known)
        if name.startswith("apply_") and name.removeprefix("apply_") in str(ours.source)
    )
    torch.library.opcheck(getattr(known, name).default, (x, ours.weight, ours.bias, [8], None))


@pytest.mark.parametrize("case", [LAYERS[2], LAYERS[4]], ids=str)
def test_no_tensor_is_larger_than_the_output(case: Any) -> None:
    ours, _ = pair(torch.float32, *case)
    group, k, _, into, _ = case
    x = torch.randn(16, *group.shape(k), into, device="cuda")
    with torch.no_grad():
        size = ours(x).nbytes  # compiled and tuned now
        torch.cuda.memory._record_memory_history(max_entries=10**5)
        try:
            ours(x)
            trace = torch.cuda.memory._snapshot()["device_traces"][0]
        finally:
            torch.cuda.memory._record_memory_history(enabled=None)
    taken = [event["size"] for event in trace if event["action"] == "alloc"]
    assert taken
    assert max(taken) <= size + 2**21  # the allocator rounds up


def test_positions_beyond_32_bits() -> None:
    """An input of 2^31 numbers and more: the last ones are where they should be."""
    free, _ = torch.cuda.mem_get_info()
    if free < 24 * 2**30:
        pytest.skip(f"it takes 24 GiB of the GPU's memory, {free / 2**30:.0f} are free")
    layer, _ = pair(torch.bfloat16, tn.S(128), 2, 2, 8, 8)
    x = torch.zeros(2**31 // (128 * 128 * 8) + 1, 128, 128, 8, device="cuda", dtype=torch.bfloat16)
    assert x.numel() > 2**31
    x[-1].normal_()
    with torch.no_grad():
        y = layer(x)
        torch.testing.assert_close(y[-1], layer(x[-1]), rtol=1e-2, atol=1e-2)
        torch.testing.assert_close(y[0], layer(x[0]))
    del x, y
    torch.cuda.empty_cache()
    layer, _ = pair(torch.bfloat16, tn.O(128), 4, 0, 8, 8)
    x = torch.zeros(128, 128, 128, 128, 8, device="cuda", dtype=torch.bfloat16)
    assert x.numel() == 2**31
    x[127, 127, 127, 127] = 128.0  # on every diagonal
    with torch.no_grad():
        bias = 0 if layer.bias is None else layer.bias.sum(0)
        wanted = layer.weight.sum(0) @ x[127, 127, 127, 127] / 128**2 + bias
        torch.testing.assert_close(layer(x), wanted, rtol=2e-2, atol=2e-2)
