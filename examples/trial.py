"""What both examples do with a generated layer: use the file as someone who never installs tannaka.

The file is written to a folder, loaded from there by its path alone, and run as a script; its
weights are exchanged with tannaka's own layer. Every comparison prints what it measured, stands
next to a control that has to fail, and stops the program with one line and status 1 if it does not
hold.
"""

from __future__ import annotations

import argparse
import ast
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import tannaka as tn
from tannaka.testing import assert_equivariant

TOLERANCE = 1e-12
"""The largest relative error that rounding in float64 may cause."""


def heading(text: str) -> None:
    print(f"\n{text}\n{'─' * len(text)}")


def load_layer(path: Path, name: str) -> type[Any]:
    """Import the file at ``path``, which need not lie on any search path, and take its class."""
    layer: type[Any] = runpy.run_path(str(path))[name]
    return layer


def print_kernel(path: Path) -> None:
    """Print the function ``apply`` as it stands in the file."""
    source = path.read_text(encoding="utf-8")
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    kernel = next(node for node in functions if node.name == "apply")
    print(ast.get_source_segment(source, kernel))


def run_self_check(path: Path) -> None:
    """Run the file as a script, in a process of its own, and print what it says."""
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    print(done.stdout.rstrip())
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SystemExit(f"FAILED: the self-check of {path}: {lines[-1]}")


def exchange_weights(ours: nn.Module, generated: nn.Module, x: Tensor) -> None:
    """Move a state dict each way, and compare the two layers on x each time."""
    for source, target, way in (
        (ours, generated, "tannaka.nn -> generated file"),
        (generated, ours, "generated file -> tannaka.nn"),
    ):
        for parameter in source.parameters():
            nn.init.normal_(parameter)
        before = relative_error(target(x), source(x))
        target.load_state_dict(source.state_dict())
        require(way, relative_error(target(x), source(x)), control=before, without="before moving")


def check_equivariance(layer: nn.Module) -> None:
    """Draw inputs and group elements at random; the report names its own control."""
    try:
        print(assert_equivariant(layer))
    except tn.errors.EquivarianceError as error:
        raise SystemExit(f"FAILED: {error}") from error


def relative_error(got: Tensor, wanted: Tensor) -> float:
    """The largest difference of two tensors, over the largest entry of the second."""
    return float((got - wanted).abs().max() / wanted.abs().max())


def require(what: str, error: float, *, control: float, without: str) -> None:
    """Print an error and its control, and stop unless the first is rounding and the second is not.

    ``control`` is the same number ``without`` what makes the error vanish.
    """
    print(f"{what:<41} error {error:7.1e}     {without:<23} {control:7.1e}")
    if not error <= TOLERANCE:
        raise SystemExit(f"FAILED: {what}: relative error {error:.1e}, more than {TOLERANCE:.0e}")
    if not control > TOLERANCE:
        raise SystemExit(f"FAILED: {what}: the control {control:.1e} should have been large")


def write_pictures(folder: Path, *homs: tn.Hom) -> list[Path]:
    """Write the basis of each Hom space as an SVG picture."""
    paths = []
    for hom in homs:
        name = "".join(c for c in str(hom.group).lower() if c.isalnum())
        path = folder / f"basis_{name}_{hom.k}_to_{hom.l}.svg"
        path.write_text(hom.svg(), encoding="utf-8")
        paths.append(path)
    return paths


def run(*examples: Callable[[Path], list[Path]], arguments: Sequence[str] | None = None) -> None:
    """Run examples into the folder named on the command line, and list what they wrote."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("build", "demo"),
        help="where to write files; default: %(default)s",
    )
    folder = parser.parse_args(arguments).folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            written = [path for example in examples for path in example(folder)]
    except OSError as error:
        raise SystemExit(f"FAILED: {error}") from error
    heading("Written")
    print(*written, sep="\n")
