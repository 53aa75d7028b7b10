"""Our Triton kernels as compilers see them, without a GPU: machine code, and PyTorch's graphs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("triton")
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Triton's compiler is for Linux"
)

WORKER = Path(__file__).parent / "compile_worker.py"
LEAST_SHARED = 99 * 1024
"""What a program may take of shared memory on any GPU from compute capability 8.0 up."""


def outcomes(*tasks: dict[str, Any]) -> list[Any]:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    # Triton 3.9 warns where nothing says whether to fuse; it does either way.
    environment["TRITON_DEFAULT_FP_FUSION"] = "1"
    done = subprocess.run(
        [sys.executable, str(WORKER)],
        input=json.dumps(tasks),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[Any] = json.loads(done.stdout)
    return found


def task(
    group: str, k: int, l: int, n: int, into: int, out: int, dtype: str, capability: int = 90
) -> dict[str, Any]:
    return {
        "do": "kernels",
        "group": group,
        "k": k,
        "l": l,
        "n": n,
        "in": into,
        "out": out,
        "dtype": dtype,
        "capability": capability,
    }


USUAL = (
    task("S(64)", 2, 2, 64, 64, 64, "float32"),
    task("S(64)", 2, 2, 64, 64, 64, "bfloat16"),
)
ODD = (
    task("S(33)", 3, 2, 33, 32, 24, "float32", 80),
    task("Sp(4)", 2, 2, 4, 16, 16, "float16", 80),
    task("S(1)", 1, 1, 1, 1, 1, "float32"),
    task("S(5)", 2, 1, 5, 3, 7, "float64"),
    task("O(3)", 3, 3, 3, 32, 32, "float32"),
    task("SO(3)", 2, 3, 3, 8, 8, "float32"),
    task("S(64)", 3, 3, 64, 32, 32, "bfloat16"),
    task("S(64)", 3, 3, 64, 32, 32, "float32", 80),
    task("Sp(4)", 3, 3, 4, 16, 16, "float32", 86),
    task("S(16)", 4, 2, 16, 16, 16, "float32", 86),
    task("S(9)", 4, 1, 9, 16, 16, "float32"),
    task("O(3)", 5, 1, 3, 16, 16, "float32"),
    task("S(64)", 2, 2, 64, 64, 64, "float64", 86),
    task("S(2)", 2, 2, 2, 1, 4096, "bfloat16", 80),
)


def check(found: list[dict[str, Any]], given: dict[str, Any]) -> None:
    assert found
    for kernel in found:
        about = f"{given['group']} {given['k']}-{given['l']} {given['dtype']}: {kernel}"
        # Programs that add to one another's results would make these depend on their order.
        atomic = [name for name in kernel["instructions"] if name.startswith(("ATOM", "RED"))]
        assert not [name for name in atomic if name != "REDUX"], about
        assert kernel["shared"] <= LEAST_SHARED, about
        # Sums that do not fit registers go through memory, and cost more than what is summed.
        assert not kernel["name"].startswith("sweep") or kernel["spilled"] <= 512, about
        if kernel["name"].startswith("outer") or (kernel["name"] == "tile_0" and given["k"] >= 1):
            # GPUs for graphics have no unit for products in float64.
            plain = given["dtype"] == "float64" and given["capability"] == 86
            units = {"DFMA"} if plain else {"HMMA", "HGMMA", "DMMA"}
            mixes = given["k"] >= given["l"]
            assert not mixes or units & set(kernel["instructions"]), about


def test_kernels_compile_and_use_tensor_cores() -> None:
    for found, given in zip(outcomes(*USUAL), USUAL, strict=True):
        check(found, given)
        # What does not fit registers goes through memory, and is slow.
        assert all(kernel["spilled"] == 0 for kernel in found), found


@pytest.mark.deep
@pytest.mark.parametrize("given", ODD, ids=str)
def test_all_kinds_of_kernels_compile(given: dict[str, Any]) -> None:
    check(outcomes(given)[0], given)


on_the_cpu = pytest.mark.skipif(
    torch.cuda.is_available(), reason="there is a GPU: test_gpu.py compiles layers"
)


@on_the_cpu
@pytest.mark.parametrize(
    ("group", "k", "l", "n"),
    [("S(16)", 2, 2, 16), pytest.param("O(3)", 2, 2, 3, marks=pytest.mark.deep)],
)
def test_pytorch_sees_what_kernels_change(group: str, k: int, l: int, n: int) -> None:
    (found,) = outcomes({"do": "traced", "group": group, "k": k, "l": l, "n": n})
    assert found["graphs"] == 2  # forward and backward, each whole
    kinds = {name.split("_")[0] for name, _ in found["changed"]}
    assert kinds == {"sweep", "finish", "tile", "outer"}
    for name, changed in found["changed"]:
        letter = {"sweep": "p", "finish": "c", "tile": "y", "outer": "p"}[name.split("_")[0]]
        assert changed
        assert all(argument.startswith(letter) for argument in changed), (name, changed)
    (exported,) = found["exported"]
    assert exported.startswith("tannaka_triton.apply_")


BATCHES = ((3, 4), (6, 4), (9, 4), (70, 4), (500, 4))
POINTS = ((5, 3), (6, 9), (6, 20), (2, 40), (3, 80), (3, 300))


@on_the_cpu
@pytest.mark.parametrize(
    ("group", "k", "l", "sizes", "mask"),
    [
        ("S(4)", 2, 2, BATCHES, False),
        pytest.param("Sp(4)", 2, 2, BATCHES, False, marks=pytest.mark.deep),
        pytest.param("A(4)", 1, 2, BATCHES, False, marks=pytest.mark.deep),
        pytest.param("S()", 2, 2, POINTS, True, marks=pytest.mark.deep),
    ],
)
def test_layers_are_compiled_for_all_sizes_at_once(
    group: str, k: int, l: int, sizes: tuple[tuple[int, int], ...], mask: bool
) -> None:
    """But anew where sums have one part and where they have several, of which PyTorch takes note."""
    task = {"do": "compiled once", "group": group, "k": k, "l": l, "sizes": sizes, "mask": mask}
    (times,) = outcomes(task)
    assert times <= (4 if mask else 2)
