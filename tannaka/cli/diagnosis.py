"""``tannaka doctor``: what is installed here, and which backends run."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from tannaka.cli.arguments import json_option
from tannaka.cli.output import document, progress, table

PACKAGES = {
    "numpy": "the core",
    "sympy": "coefficients as expressions",
    "igraph": "automorphisms of graphs",
    "networkx": "graphs",
    "opt-einsum": "orders of contraction",
    "click": "this command",
    "torch": "layers",
    "triton": "backend triton",
    "jax": "files for JAX",
    "scipy": "sparse matrices",
    "python-flint": "fast exact linear algebra",
    "hypothesis": "tannaka.testing.strategies",
}
"""What is looked for, and what it is for."""


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what is installed here and which backends run, and why the others do not.

    Each backend is tried: it makes a small layer, and the result is compared with the layer's
    dense matrix, or the file that it writes runs its own check. A backend whose result is wrong
    makes this exit with 1; one that cannot run does not.

    \b
    Examples:
      tannaka doctor
      tannaka doctor --json
    """
    with progress() as tell:
        found = {
            "tannaka": metadata.version("tannaka"),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
            "packages": {name: _version(name) for name in PACKAGES},
            "compiler": _compiler(),
            "ninja": shutil.which("ninja"),
            "gpus": _gpus(),
        }
        backends = []
        for name, kind in _backends():
            tell(f"trying backend {name}")
            backends.append({"name": name, "for": kind, **_tried(name, kind)})
    if as_json:
        document(found | {"backends": backends})
    else:
        click.echo("\n".join(_lines(found, backends)))
    if any(backend["result"] == "wrong" for backend in backends):
        click.get_current_context().exit(1)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _compiler() -> str | None:
    """The C++ compiler that PyTorch would take, in one line."""
    command = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), None)
    if command is None or shutil.which(command) is None:
        return None
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
    return (done.stdout or done.stderr).strip().split("\n")[0] or command


def _gpus() -> list[str]:
    """The names of the GPUs that PyTorch sees."""
    try:
        import torch
    except (ImportError, OSError):
        return []  # the backends say why
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _backends() -> list[tuple[str, str]]:
    """Each backend, and whether it is for layers or for files."""
    from tannaka.codegen.backends import ALONE, BACKENDS

    return [(name, "layers") for name in BACKENDS] + [(name, "files") for name in ALONE]


def _tried(name: str, kind: str) -> dict[str, str | None]:
    """What came of trying a backend: it runs, its result is wrong, or why it does not run."""
    try:
        wrong = _layer(name) if kind == "layers" else _file(name)
    except Exception as error:
        why = str(error).strip().split("\n")[0]
        return {"result": "does not run", "reason": why or type(error).__name__}
    return {"result": "wrong" if wrong else "runs", "reason": wrong or None}


def _layer(name: str) -> str:
    """What is wrong with a layer of this backend; empty where nothing is."""
    from tannaka.category import S
    from tannaka.diagrams.errors import needing

    with needing("layers"):
        import torch

        from tannaka.nn import EquivariantLinear

    device = "cuda" if name == "triton" and torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    layer = EquivariantLinear(S(3), 2, 1, 2, 3, bias=False, backend=name).to(device)
    x = torch.randn(4, 3, 3, 2, device=device)
    with torch.no_grad():
        y = layer(x).cpu()
    wanted = torch.einsum("oiap,bpa->bio", layer.matrix().cpu(), x.cpu().reshape(4, 9, 2))
    error = float((y - wanted).abs().max())
    return "" if error < 1e-4 else f"a layer is wrong by {error:.1e}"


def _file(name: str) -> str:
    """What the check of a file that this backend writes says; raises where it cannot run."""
    from tannaka.category import S
    from tannaka.codegen.generate import generate

    code = generate(S(3), 2, 1, 2, 3, backend=name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.py"
        path.write_text(code.source, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(path)], cwd=folder, capture_output=True, text=True, timeout=300
        )
    last = (done.stderr or done.stdout).strip().split("\n")[-1]
    # The file says itself where it needs what is not here.
    unable = r"ModuleNotFoundError|ImportError|(\w+\.)*BackendError|no GPU"
    if done.returncode and re.match(f"({unable}): ", last):
        raise RuntimeError(last)
    return last if done.returncode else ""


def _lines(found: dict[str, Any], backends: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"tannaka {found['tannaka']}, Python {found['python']}, {found['platform']}",
        f"{found['cores']} cores; GPU: {', '.join(found['gpus']) or 'none that PyTorch sees'}",
        f"C++ compiler: {found['compiler'] or 'none'}; ninja: {found['ninja'] or 'none'}",
        "",
    ]
    packages = [
        (name, version or "not installed", PACKAGES[name])
        for name, version in found["packages"].items()
    ]
    tried = [
        (backend["name"], backend["for"], backend["result"], backend["reason"] or "")
        for backend in backends
    ]
    lines += [table(("package", "version", "for"), packages), ""]
    return [*lines, table(("backend", "for", "", "why"), tried)]
