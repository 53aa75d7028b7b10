"""Layers to generate: of every kind of group, for every library, and with every option."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.codegen.generate import GeneratedCode

CHANNELS = (2, 3)


@dataclass(frozen=True)
class Case:
    """One file."""

    group: Group
    k: Any
    l: Any
    backend: str = "einsum"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        words = [self.backend, str(self.group), str(self.k), str(self.l)]
        return "-".join([*words, *(f"{name}={value}" for name, value in self.options.items())])

    @property
    def framework(self) -> str:
        """The library that the file is for."""
        return {"einsum": "torch", "cpp": "torch"}.get(self.backend, self.backend)

    def code(self) -> GeneratedCode:
        return tn.generate(
            self.group, self.k, self.l, *CHANNELS, backend=self.backend, **self.options
        )


def molecule() -> networkx.Graph:
    """Carbon dioxide, a graph with kinds of vertices and edges, and one that is joined to itself."""
    graph = networkx.Graph(name='C"O2"\n')
    graph.add_nodes_from([(0, {"element": "C"}), (1, {"element": "O"}), (2, {"element": "O"})])
    graph.add_edges_from([(0, 1, {"bond": "double"}), (0, 2, {"bond": "double"})])
    graph.add_edge(0, 0, bond="none")
    return graph


PETERSEN = tn.Aut(networkx.petersen_graph())
PATH = tn.Aut(networkx.path_graph(4))
MOLECULE = tn.Aut(molecule(), "element", "bond")
TREE = tn.Aut(networkx.DiGraph([(0, 1), (0, 2), (1, 3)]))
CYCLE = tn.PermutationGroup([(1, 2, 3, 4, 0)])
POINTS: Any = tn.S() * tn.O(3)

TORCH = [
    Case(tn.S(34), 2, 1),
    Case(tn.S(4), 2, 2),
    Case(tn.S(2), 2, 2, options={"reduce": "sum", "dtype": "bfloat16"}),
    Case(tn.S(3), 3, 3, options={"bias": False}),
    Case(tn.S(1), 0, 0),
    Case(tn.S(5), 0, 2, options={"bias": False}),
    Case(tn.S(3), 1, 5, options={"bias": False}),
    Case(tn.S(3), 2, 4),
    Case(tn.O(3), 2, 2, options={"dtype": "float64"}),
    Case(tn.O(3), 3, 3, options={"reduce": "sum"}),
    Case(tn.O(2), 4, 2),
    Case(tn.O(3), 1, 2),
    Case(tn.O(3), 2, 1, options={"bias": False}),
    Case(tn.Sp(4), 2, 2),
    Case(tn.Sp(2), 3, 1, options={"reduce": "sum"}),
    Case(tn.Sp(4), 0, 2),
    Case(tn.SO(3), 2, 1),
    Case(tn.SO(3), 2, 3),
    Case(tn.SO(4), 2, 2, options={"reduce": "sum"}),
    Case(tn.SO(1), 1, 2),
    Case(tn.A(3), 2, 2),
    Case(tn.A(4), 2, 1, options={"bias": False}),
    Case(tn.group("S(3) x O(2)"), (0, 1, 1), (1, 0, 1)),
    Case(tn.group("S(34) x O(3)"), (0, 1), (0, 1)),
    Case(tn.group("S(2) x Sp(2)"), (1, 0, 1), (0, 1, 1)),
    Case(tn.group("SO(2) x A(3)"), (1, 0, 1), (1, 0, 0)),
    Case(tn.group("A(2) x A(3)"), (0, 1), (1, 0)),
    Case(tn.group("Sp(2) x Sp(4)"), (0, 1, 0, 1), (1, 1)),
    Case(tn.group("S(2) x S(3)"), (), ()),
    Case(tn.S(), 2, 2),
    Case(tn.S(), 2, 1, options={"bias": False, "reduce": "sum"}),
    Case(tn.S(), 0, 2),
    Case(POINTS, (0, 1), (0, 1)),
    Case(tn.S() * tn.S(3), (1,), (0, 1)),
    Case(PETERSEN, 1, 1, options={"basis": "orbit"}),
    Case(PETERSEN, 1, 2, options={"basis": "diagram"}),
    Case(MOLECULE, 1, 1, options={"basis": "diagram"}),
    Case(PATH, 0, 0, options={"basis": "diagram"}),
    Case(MOLECULE, 2, 1, options={"basis": "orbit", "reduce": "sum"}),
    Case(TREE, 1, 1, options={"basis": "diagram", "reduce": "sum", "bias": False}),
    Case(CYCLE, 2, 1),
    Case(tn.PermutationGroup([], 3), 1, 1),
    Case(tn.S(3), 2, 2, options={"lowering": "dense"}),
    Case(tn.Sp(4), 1, 3, options={"lowering": "dense", "bias": False}),
    Case(tn.A(3), 1, 1, options={"lowering": "dense"}),
    Case(tn.group("SO(2) x A(3)"), (0, 1), (1, 0), options={"lowering": "dense"}),
]
NUMPY = [
    Case(tn.S(4), 2, 2, "numpy"),
    Case(tn.O(3), 2, 2, "numpy", {"dtype": "float32"}),
    Case(tn.Sp(4), 2, 2, "numpy"),
    Case(tn.SO(3), 2, 3, "numpy", {"reduce": "sum"}),
    Case(tn.A(3), 2, 2, "numpy"),
    Case(tn.group("S(3) x O(2)"), (0, 1, 1), (1, 0, 1), "numpy", {"bias": False}),
    Case(tn.group("Sp(2) x Sp(4)"), (0, 1, 0, 1), (1, 1), "numpy"),
    Case(tn.group("SO(2) x A(3)"), (0, 1), (1, 0), "numpy"),
    Case(tn.S(), 2, 2, "numpy"),
    Case(tn.S() * tn.S(), (0, 1), (), "numpy", {"dtype": "float16"}),
    Case(tn.S(), 0, 2, "numpy"),
    Case(POINTS, (0, 1), (0, 1), "numpy"),
    Case(PETERSEN, 1, 2, "numpy", {"basis": "diagram"}),
    Case(MOLECULE, 1, 1, "numpy", {"basis": "diagram"}),
    Case(CYCLE, 1, 2, "numpy"),
    Case(PATH, 0, 0, "numpy", {"basis": "diagram"}),
    Case(tn.Sp(2), 2, 2, "numpy", {"lowering": "dense"}),
    Case(tn.O(3), 2, 1, "numpy"),
]
JAX = [
    Case(tn.S(3), 2, 1, "jax"),
    Case(tn.O(3), 1, 1, "jax", {"dtype": "float64"}),
    Case(tn.Sp(2), 2, 2, "jax"),
    Case(tn.SO(3), 2, 1, "jax", {"bias": False}),
    Case(tn.A(3), 1, 1, "jax"),
    Case(POINTS, (0, 1), (0, 1), "jax"),
    Case(tn.group("S(2) x Sp(2)"), (1, 1), (0,), "jax", {"reduce": "sum"}),
    Case(PETERSEN, 1, 1, "jax", {"basis": "orbit"}),
    Case(PATH, 1, 1, "jax", {"basis": "diagram", "bias": False}),
    Case(tn.SO(2), 1, 1, "jax", {"lowering": "dense"}),
]
CASES = [*TORCH, *NUMPY, *JAX]

ALONE = """
import contextlib, io, json, runpy, sys, traceback
for name in sys.argv[1].split():
    sys.modules[name] = None
for path in sys.argv[2:]:
    failure = ""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            runpy.run_path(path, run_name="__main__")
        except BaseException:
            failure = traceback.format_exc()
    print(json.dumps([said.getvalue(), failure]))
"""
"""Importing a library takes longer than the checks of all files, so that they share one process."""


def run_alone(*paths: Path, framework: str = "torch") -> list[tuple[str, str]]:
    """Run files where no library but theirs can be imported and warnings are errors.

    What each says, and why it stops or nothing.
    """
    return answers(start_alone(*paths, framework=framework))


def start_alone(*paths: Path, framework: str = "torch") -> subprocess.Popen[str]:
    """The same, begun."""
    # PyTorch imports NumPy by itself, and JAX is made of it.
    others = ["tannaka", *{"torch", "jax"}.difference([framework])]
    return subprocess.Popen(
        [sys.executable, "-I", "-W", "error", "-c", ALONE, " ".join(others), *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What is compiled here runs once.
        env=os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
    )


def answers(process: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """What files that were begun say in the end."""
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    return [(text, failure) for text, failure in map(json.loads, said.splitlines())]
