"""The kit from outside: a project of somebody else, with nothing of ours but the installed wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wheels import ROOT, python

LAYER = '''\
"""Sums of neighbours on a graph, for any order of its nodes."""

import torch
from torch import nn


class Neighbours(nn.Module):
    def __init__(self, channels, wrong=False):
        super().__init__()
        self.mix, self.wrong = nn.Linear(channels, channels), wrong

    def forward(self, x, edges):
        y = self.mix(torch.einsum("...ij,...jc->...ic", edges[..., 0], x))
        return {"nodes": y.cumsum(-2) if self.wrong else y, "graph": y.mean(-2)}
'''
TESTS = """\
import sys

from hypothesis import given, settings, strategies as st

# Its entry point has run by now, and has imported nothing.
assert not {"numpy", "tannaka.diagrams", "tannaka.category"} & set(sys.modules)

import pytest
import tannaka as tn
from neighbours import Neighbours
from tannaka.testing import assert_equivariant, certify, strategies

K, L = [1, 2], {"nodes": 1, "graph": 0}


@pytest.mark.equivariant("S(5)", K, L, in_channels=[3, 1], dtypes=("float32", "bfloat16"))
def test_neighbours():
    return Neighbours(3)


def test_wrong_neighbours_are_found():
    with pytest.raises(tn.errors.EquivarianceError, match="nodes"):
        assert_equivariant(Neighbours(3, wrong=True), "S(5)", K, L, in_channels=[3, 1])


@st.composite
def sizes(draw):
    return draw(strategies.groups(4, kinds=("S",))), draw(st.integers(1, 3))


@settings(max_examples=5, deadline=None)
@given(sizes())
def test_neighbours_of_any_size(size):
    group, channels = size
    assert_equivariant(Neighbours(channels), group, K, L, in_channels=[channels, 1], samples=2)


@settings(max_examples=20, deadline=None)
@given(st.from_type(tn.SetPartition), st.from_type(tn.Group), st.from_type(tn.Hom), st.from_type(tn.Morphism))
def test_types_have_strategies(diagram, group, hom, f):
    assert isinstance(diagram, tn.SetPartition)
    assert isinstance(group, tn.Group)
    assert hom.dimension >= 0
    assert (f >> f.dagger()).dom == f.dom


@settings(max_examples=5, deadline=None)
@given(drawn=...)
def test_annotations_have_strategies(drawn: tn.Brauer):
    assert isinstance(drawn, tn.Brauer)


@settings(max_examples=5, deadline=None)
@given(strategies.layers_with_inputs(most=1))
def test_layers(drawn):
    layer, x = drawn
    assert layer(x).shape[0] == len(x)


def test_certificates(tmp_path):
    layer = tn.nn.EquivariantLinear(tn.S(), 1, 1, 2, 2)
    path = certify(layer, dtypes=("float32",), samples=2).save(tmp_path / "layer.json")
    assert tn.testing.Certificate.load(path).check(layer).holds_for == "every n >= 1"


def test_the_wheel_is_what_runs():
    assert "installed" in tn.__file__
"""


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the list of tracked files")
def test_a_project_of_somebody_else_uses_the_kit(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    installed, project = tmp_path / "installed", tmp_path / "project"
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    python("-m", "pip", "install", *offline, "--target", str(installed), str(wheel), cwd=tmp_path)
    project.mkdir()
    (project / "neighbours.py").write_text(LAYER)
    (project / "test_neighbours.py").write_text(TESTS)
    strict = ("-W", "error", "--strict-markers", "-p", "no:cacheprovider")
    options = ("--equivariance-samples", "4")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *strict, *options],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
    (row,) = (
        line
        for line in done.stdout.splitlines()
        if "test_neighbours  " in line and "bfloat16" in line
    )
    assert "S(5) [1, 2] -> {'nodes': 1, 'graph': 0}" in row
