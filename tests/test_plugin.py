"""The plugin for pytest, in test runs of its own; and what it leaves alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """\
import unittest

import pytest
import torch
import tannaka as tn

@pytest.fixture
def width():
    return 3

@pytest.mark.equivariant
def test_knows_its_group(width):
    return tn.nn.EquivariantLinear(tn.S(4), 1, 1, width, 2)

@pytest.mark.equivariant("O(3)", 1, 1, dtypes=("float32", "bfloat16"))
@pytest.mark.parametrize("f", [torch.relu, torch.neg], ids=["relu", "neg"])
def test_functions(f):
    return f

@pytest.mark.equivariant("S(4)", 1, 0)
def test_forgets_to_return():
    pass

def test_checks_by_itself():
    tn.testing.assert_equivariant(lambda x: x.sum(-2), "S(4)", 1, 0, samples=2)

def test_wants_a_failure():
    with pytest.raises(tn.errors.EquivarianceError):
        tn.testing.assert_equivariant(torch.relu, "O(2)", 1, 1)

def test_checks_often():
    for seed in range(3):
        tn.testing.assert_equivariant(torch.neg, "O(2)", 1, 1, seed=seed)

class TestMethods:
    @pytest.mark.equivariant("S(4)", 1, 1, in_channels=3)
    def test_module(self):
        return torch.nn.Linear(3, 2)

def test_of_something_else():
    pass

@pytest.mark.equivariant("S(4)", 1, 1)
class TestCase(unittest.TestCase):
    def test_returns(self):
        return lambda x: x.cumsum(-2)

class TestOther(unittest.TestCase):
    def test_calls(self):
        tn.testing.assert_equivariant(torch.relu, "S(4)", 1, 1, samples=2)

@pytest.mark.equivariant("S(4)", 1, 1, dtypes="float99")
def test_of_no_dtype():
    return torch.relu
"""
OTHERS = """\
import sys

def test_nothing_is_imported():
    assert not {"numpy", "torch", "tannaka.diagrams", "tannaka.category"} & set(sys.modules)
"""


def pytest_in(folder: Path, *arguments: str, code: int) -> str:
    """What a test run with the plugin prints, without our own settings and the plugins of others."""
    plugins = ("-p", "tannaka.testing.plugin", "-p", "no:cacheprovider")
    paths = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *arguments],
        cwd=folder,
        env=os.environ | paths,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def rows(output: str) -> dict[str, list[str]]:
    """The lines of the report, by test and dtype."""
    found = {}
    for line in output.splitlines():
        cells = re.split(r"  +", line)
        if len(cells) == 7 and "::" in cells[0]:
            found[f"{cells[0].split('::', 1)[1]} {cells[2]}"] = cells
    return found


def test_marked_tests_are_checked_and_listed(tmp_path: Path) -> None:
    (tmp_path / "test_layers.py").write_text(TESTS)
    strict = ("-W", "error", "--strict-markers")
    said = pytest_in(tmp_path, "--equivariance-samples", "20", *strict, code=1)
    assert "4 failed, 8 passed" in said
    assert "a method of unittest.TestCase returns is lost" in said
    assert "got 'float99'" in said
    assert "a test marked equivariant returns the layer or callable to check, got NoneType" in said
    # Once where the test failed; pytest's summary cuts it short, but not where CI is set.
    assert len(re.findall(r"^not equivariant: O\(3\) 1 -> 1: error", said, re.MULTILINE)) == 1
    assert "the worst group element is" in said
    found = rows(said)
    assert set(found) == {
        "test_knows_its_group float32",
        "test_functions[relu] float32",
        "test_functions[neg] float32",
        "test_functions[neg] bfloat16",
        "test_checks_by_itself float64",
        "test_wants_a_failure float64",
        "test_checks_often float64",
        "TestMethods::test_module float32",
        "TestOther::test_calls float64",
    }
    # The one that failed comes first; everything is as deep as the option says.
    assert next(iter(found)) == "test_functions[relu] float32"
    assert found.pop("test_checks_often float64")[3] == "60"
    assert {row[3] for row in found.values()} == {"20"}
    assert found["test_wants_a_failure float64"][6].endswith("(the test wants it so)")
    row = found["test_knows_its_group float32"]
    assert row[1] == "S(4) 1 -> 1"
    assert float(row[4]) <= float(row[5]) == 1e-4
    assert re.fullmatch(r"the permutation of 0..3 with images \d \d \d \d", row[6])


CHOSEN = ("-k", "knows or by_itself or neg")


@pytest.mark.deep
def test_reports_come_from_other_processes(tmp_path: Path) -> None:
    (tmp_path / "test_layers.py").write_text(TESTS)
    parallel = pytest_in(tmp_path, "-p", "xdist", "-n", "2", *CHOSEN, code=0)
    assert {row[3] for row in rows(parallel).values()} == {"8", "2"}
    assert len(rows(parallel)) == 4


@pytest.mark.parametrize("quiet", ["-q", "--equivariance-report=none"])
def test_reports_are_left_out_where_asked(quiet: str, tmp_path: Path) -> None:
    (tmp_path / "test_layers.py").write_text(TESTS)
    said = pytest_in(tmp_path, quiet, "-k", "by_itself", code=0)
    assert "1 passed" in said
    assert "equivariance" not in said


def test_runs_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_others.py").write_text(OTHERS)
    said = pytest_in(tmp_path, code=0)
    assert "1 passed" in said
    assert "equivariance" not in said
    listed = pytest_in(tmp_path, "--markers", code=0)
    assert "@pytest.mark.equivariant(group=None" in listed


@pytest.mark.parametrize("given", ["0", "-1", "x"])
def test_a_depth_is_a_number(given: str, tmp_path: Path) -> None:
    said = pytest_in(tmp_path, f"--equivariance-samples={given}", code=4)
    assert f"a number of group elements is >= 1, got '{given}'" in said
