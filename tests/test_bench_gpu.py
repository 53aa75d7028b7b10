"""What the GPU benchmark counts is what kernels do; what it times agrees, and is reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from click.testing import CliRunner

pytest.importorskip("triton")

import tannaka as tn
from tannaka.cli import main
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.passes import optimise
from tannaka.codegen.timing import bench_gpu
from tannaka.codegen.timing.bench_gpu import OURS, PRECISIONS, Case, count, measure
from tannaka.codegen.timing.launches import account, compiled

ORDERS = [(k, l) for k in range(4) for l in range(4)]


def counted(hom: tn.Hom, batch: int, channels: int) -> tuple[Any, Any]:
    """What a layer and its backward launch."""
    plan = optimise(lower(hom, channels, channels))

    def tensor(*shape: int) -> torch.Tensor:
        return torch.empty(*shape, device="meta")

    n = hom.group.n
    x, g = (tensor(batch, *hom.group.shape(order), channels) for order in (hom.k, hom.l))
    weight = tensor(len(plan.basis), channels, channels)
    bias = None if plan.bias_basis is None else tensor(len(plan.bias_basis), channels)
    return (
        account(plan, "forward", x, weight, bias, n),
        account(plan, "gradients", x, weight, g, n),
    )


@pytest.mark.parametrize(("k", "l"), ORDERS)
def test_the_input_is_read_twice_and_the_output_written_once(k: int, l: int) -> None:
    """And the largest tensor is the output, where the input is not larger."""
    batch, n, channels = 4, 64, 32
    forward, backward = counted(tn.Hom(tn.S(n), k, l), batch, channels)
    x, y = (4 * batch * n**order * channels for order in (k, l))
    large = [launch for launch in forward.launches if launch.reads >= x > 4 * 40 * 32**2]
    reads = sum(1 for launch in large if launch.kernel and k >= 2)
    assert reads <= 2  # the sums, and the products
    assert forward.returned == y
    if l >= 1:
        (tile,) = (launch for launch in forward.launches if launch.name.startswith("tile"))
        assert tile.writes == y
    if k <= l:
        assert forward.largest <= y
    # Parts of sums are far smaller than what is summed.
    assert forward.largest <= max(y, x // 8) + 4 * 203 * channels**2
    assert backward.largest <= max(x, y) + 4 * 203 * channels**2


@pytest.mark.parametrize("n", [2, 3])
def test_small_groups_take_little_memory_too(n: int) -> None:
    for k, l in [(2, 2), (3, 3), (4, 4)]:
        forward, _ = counted(tn.Hom(tn.O(n), k, l), 64, 8)
        assert forward.largest <= max(forward.returned, 4 * 105 * 8**2)


def test_kernels_are_not_compiled_where_they_are_interpreted() -> None:
    forward, _ = counted(tn.Hom(tn.S(4), 2, 2), 1, 4)
    with pytest.raises(ValueError, match="cannot be compiled"):
        compiled(forward.launches[0])


def test_counts_grow_as_the_work_does() -> None:
    small, large = (count(Case(tn.S(64), 2, 2, channels), PRECISIONS[0]) for channels in (32, 128))
    # The same number of entries: the same bytes, four times the products.
    for one, other in zip(small.forward.launches, large.forward.launches, strict=True):
        assert one.name == other.name
    tiles = [one.forward.launches[-1] for one in (small, large)]
    assert tiles[1].flops == 4 * tiles[0].flops
    assert small.floor <= small.total(small.forward)


@pytest.mark.parametrize(("precision", "products"), [(PRECISIONS[0], 2), (PRECISIONS[2], 4)])
@pytest.mark.parametrize("channels", [16, 1024])
def test_products_are_counted_for_pairs_of_positions(
    precision: Any, products: int, channels: int
) -> None:
    """Two for a pair ij and ji, of sums and differences, and four of floats too short for these."""
    case = Case(tn.S(9), 2, 2, channels)
    found = count(case, precision)
    rows = case.batch * 9 * (9 // 2 + 1)
    for launch in (*found.forward.launches, *found.backward.launches):
        if launch.name.startswith(("tile", "outer")):
            assert launch.flops == products * 2 * rows * channels**2


def test_ways_agree_and_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_gpu, "ENTRIES", 2**10)
    calls = []

    def time(call: Callable[[], object]) -> float:
        calls.append(call())
        return 1e-3 * len(calls)

    found = measure(Case(tn.S(5), 2, 2, 4), PRECISIONS[0], time, device="cpu", compiled=False)
    assert isinstance(found.times[OURS], tuple)
    assert isinstance(found.times["tannaka, einsum"], tuple)
    assert isinstance(found.times["stacked operations"], tuple)
    page = "\n".join(bench_gpu.measured_page("a GPU", [found]))
    assert "| tannaka, triton | 1.0 ms |" in page
    assert json.loads(bench_gpu.as_json([found]))[0]["seconds"][OURS] == [1e-3, 2e-3]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which would be timed")
def test_the_command_counts_without_a_gpu() -> None:
    done = CliRunner().invoke(main, ["bench", "--gpu", "S8", "2", "2", "--channels", "32"])
    assert done.exit_code == 0
    assert "PyTorch sees no GPU" in done.stderr
    assert "| forward, tile_0 | 1 |" in done.stdout
    wrong = CliRunner().invoke(main, ["bench", "--gpu", "--hom"])
    assert wrong.exit_code == 2
