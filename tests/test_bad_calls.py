"""Over a hundred calls that make no sense, and what each is told; as a table to read in golden/."""

from __future__ import annotations

import builtins
import re
import shlex
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import tannaka as tn
from tannaka import errors
from tannaka.cli import main
from tannaka.testing import assert_equivariant

TABLE = Path(__file__).parent / "golden" / "bad_calls.md"
NAMES = {
    "assert_equivariant": assert_equivariant,
    "linear": tn.nn.EquivariantLinear,
    "nn": nn,
    "np": np,
    "nx": nx,
    "tn": tn,
    "torch": torch,
}
CALLS = """
# groups
tn.S(0)
tn.S(-1)
tn.S(2.5)
tn.S("5")
tn.S(True)
tn.Sp(3)
tn.group("X(3)")
tn.group("S(3) y O(2)")
tn.group("S(0)")
tn.group(5)
tn.Product(())
tn.Product([tn.S(3), "O(3)"])
tn.PermutationGroup([(0, 0, 1)])
tn.PermutationGroup([(1, 0), (1, 2, 0)])
tn.PermutationGroup([])
tn.Aut([(0, 1)])
tn.Aut(nx.Graph())
tn.S(3).act(np.eye(4), np.ones((3, 1)), 1)
tn.S(3).act(np.eye(3), np.ones((4, 1)), 1)
tn.S(3).matrix(tn.Brauer.cup())
tn.H(3).matrix(tn.SetPartition(1, 1, (0, 1)))
tn.O(3).morphism(tn.SetPartition.swap())
tn.SO(3).matrix(tn.Grood.determinant(1, 1))
tn.S().matrix(tn.SetPartition.swap())
# diagrams
tn.SetPartition(1, 1, (1, 0))
tn.SetPartition(1, 1, 3)
tn.SetPartition.from_blocks(1, 1, [0, 1])
tn.Brauer(1, 1, [0, 1])
tn.Brauer(1, 1, None)
tn.Brauer(1, 1, [(0, "a")])
tn.Grood(1, 1, 2, ())
tn.Jellyfish(1, 1, (0, 1), ("a",))
tn.BilabelledGraph(2, 1, (0,), (1,))
tn.compose_steps(None, tn.Brauer.cup())
tn.SetPartition(1, 1, (0,))
tn.SetPartition(-1, 1, ())
tn.SetPartition(1, 1, (0, "a"))
tn.SetPartition.from_blocks(1, 1, [[0, 1], [1]])
tn.SetPartition.from_blocks(1, 1, [[0, 2]])
tn.Brauer(1, 1, [(0, 0)])
tn.Brauer(1, 2, [(0, 1)])
tn.Brauer(1, 1, [(0, 1, 2)])
tn.Grood(1, 1, (0,), [(0, 1)])
tn.Jellyfish(1, 1, (0, 0), (1,))
tn.WalledBrauer(("V",), ("V*",), [(0, 1)])
tn.WalledBrauer(("W",), ("V",), [(0, 1)])
tn.BilabelledGraph(2, [(0, 5)], (0,), (1,))
tn.BilabelledGraph(1, [], (0,), (3,))
tn.SetPartition.identity(2) >> tn.SetPartition.identity(1)
tn.SetPartition.identity(2) >> tn.Brauer.identity(2)
tn.SetPartition.identity(2) + tn.SetPartition.identity(1)
tn.SetPartition.identity(1) * 0.5
tn.compose_steps(tn.SetPartition.identity(2), tn.SetPartition.identity(1))
tn.Typed((0,), (1,), ())
# Hom spaces
tn.Hom("S(3)", 1, 1)
tn.Hom(tn.S(3), -1, 1)
tn.Hom(tn.S(3), 1.0, 1)
tn.Hom(tn.S(3), (0, 0), 1)
tn.Hom(tn.S(3) * tn.O(2), 2, 1)
tn.Hom(tn.S(3) * tn.O(2), (0, 2), ())
tn.Hom(tn.S(9), 12, 12).basis()
tn.Hom(tn.S(9), 12, 12).relations()
tn.Hom(tn.S(100), 5, 5).matrices()
tn.Hom(tn.S(3), 1, 1).basis("orbits")
tn.Hom(tn.O(3), 1, 1).basis("orbit")
tn.Hom(tn.S(3), 1, 1).independent[2]
tn.Hom(tn.S(3), 1, 1).independent.index(tn.SetPartition.identity(2))
tn.Hom(tn.S(2), 2, 2).reduce(tn.SetPartition.identity(1))
tn.Hom(tn.S(10**6), 10**6, 10**6).dimension
# layers
linear("S(5)", 1, 1, 2, 2)
linear(tn.S(5), 1, 1, 0, 2)
linear(tn.S(5), 1, 1, 2.0, 2)
linear(tn.S(5), 1, 1, 2, 2, backend="cuda")
linear(tn.S(5), 1, 1, 2, 2, reduce="max")
linear(tn.S(5), 1, 1, 2, 2, basis="orbits")
linear(tn.S(5), 1, 1, 2, 2, basis="orbit")
linear(tn.S(5), 1, 1, 2, 2, lowering="fast")
linear(tn.S(), 1, 1, 2, 2, lowering="dense")
linear(tn.S(5), 1, 1, 2, 2, dtype=torch.int64)
linear(tn.S(5), 1, 1, 2, 2, dtype="float32")
linear(tn.SO(3), 1, 1, 2, 2, backend="cpp", lowering="dense")
linear(tn.S(50), 10, 10, 1, 1)
linear(tn.S(5), 1, 1, 2, 2)(torch.ones(5, 3))
linear(tn.S(5), 1, 1, 2, 2)(torch.ones(4, 2))
linear(tn.S(5), 2, 1, 2, 2)(torch.ones(5, 2))
linear(tn.S(5), 1, 1, 2, 2)(torch.ones(5, 2, dtype=torch.float64))
linear(tn.S(5), 1, 1, 2, 2)(np.ones((5, 2)))
linear(tn.S(5), 1, 1, 2, 2)(torch.ones(5, 2), n=5)
linear(tn.S(), 2, 1, 2, 2)(torch.ones(4, 5, 2))
linear(tn.S(), 0, 1, 2, 2)(torch.ones(2))
linear(tn.S(), 1, 1, 2, 2)(torch.ones(5, 2), n=4)
linear(tn.S(), 1, 1, 2, 2)(torch.ones(5, 2), torch.ones(5))
linear(tn.S(), 1, 1, 2, 2)(torch.ones(5, 2), torch.ones(4, dtype=torch.bool))
linear(tn.S(), 1, 1, 2, 2).matrix()
linear(tn.S(5), 1, 1, 2, 2).matrix(n=5)
linear(tn.S(200), 2, 2, 1, 1).matrix()
linear(tn.S(5), 1, 1, 2, 2).load_state_dict(linear(tn.S(5), 2, 1, 2, 2).state_dict())
linear(tn.S(5), 1, 1, 2, 2).load_state_dict(linear(tn.S(5), 1, 1, 2, 2, reduce="sum").state_dict())
# networks
tn.nn.EquivariantSequential(linear(tn.O(3), 1, 1, 1, 2), nn.ReLU())
tn.nn.EquivariantSequential(linear(tn.O(3), 1, 1, 1, 2), nn.BatchNorm1d(3))
tn.nn.EquivariantSequential(linear(tn.S(5), 1, 1, 1, 2), nn.Conv1d(2, 2, 1))
tn.nn.EquivariantSequential(linear(tn.S(5), 1, 1, 1, 2), linear(tn.S(5), 2, 1, 2, 2))
tn.nn.EquivariantSequential(linear(tn.S(5), 1, 1, 1, 2), linear(tn.A(5), 1, 1, 2, 2))
tn.nn.EquivariantSequential(nn.ReLU())
tn.nn.Residual(linear(tn.S(5), 1, 1, 1, 2))
tn.nn.Pointwise(tn.H(3), 1, 2, "relu")
tn.nn.NormActivation(tn.Sp(4), 1, 2)
tn.nn.EquivariantNorm(tn.O(3), 1, 2, center=True)
tn.nn.Pool(tn.O(3), 1, 2, "max")
tn.nn.EquivariantDropout(tn.O(3), 1, 2, p=1.0)
tn.nn.EquivariantNorm(tn.O(3), 1, 2, eps=float("nan"))
tn.nn.EquivariantNorm(tn.S(3), 1, 2, bias="no")
tn.nn.EquivariantNorm(tn.S(3), 1, 2)(torch.ones(3, 2, dtype=torch.int64))
tn.nn.NormActivation(tn.O(3), 1, 2, dtype=torch.int64)
tn.nn.NormActivation(tn.O(3), 1, 2, ["relu"])
tn.nn.Add(tn.S(3))
tn.nn.Concatenate(tn.nn.Features(tn.S(3), 1, 1), 2)
tn.nn.EquivariantSequential(nn.ReLU(), features=(tn.S(3), 1, 2))
tn.nn.EquivariantGraph([("x", 1)], [])
tn.nn.Declared(torch.relu, tn.nn.Features(tn.S(3), 1, 1), tn.nn.Features(tn.S(3), 1, 1))
tn.nn.Declared(nn.ReLU(), tn.nn.Features(tn.S(3), 1, 1), tn.nn.Features(tn.S(3), 1, 1), check=None)
tn.nn.EquivariantLinear(tn.S(3), 1, 1, 2, 2, bias="no")
tn.nn.EquivariantLinear(tn.S(3), 1, 1, 2, 2, backend=["auto"])
tn.nn.EquivariantLinear(tn.S(3), 1, 1, 2, 2)(torch.ones(3, 2, device="meta"))
tn.nn.EquivariantLinear(tn.S(3), 1, 1, 2, 2).plan.cost(n=-1)
tn.nn.EquivariantLinear(tn.S(3), 1, 1, 2, 2).explain(batch=-1)
tn.nn.Gate(tn.O(3), 1, 2)(torch.ones(3, 2), torch.ones(3))
tn.nn.Declared(nn.Flatten(-2), tn.nn.Features(tn.S(3), 1, 1), tn.nn.Features(tn.S(3), 0, 3))
# generated code
tn.generate(tn.S(3), 1, 1, 2, 2, name="class")
tn.generate(tn.S(3), 1, 1, 2, 2, name="a; import os")
tn.generate(tn.S(3), 1, 1, 2, 2, name="Tensor")
tn.generate(tn.S(3), 1, 1, 2, 2, backend="tensorflow")
tn.generate(tn.S(3), 1, 1, 2, 2, dtype="int8")
tn.generate(tn.S(3), 1, 1, 2, 2).save("no-such-folder/layer.py")
tn.generate_network({})
tn.generate_network({"name": "N", "group": "O(3)", "input": {"order": 1, "channels": 1}, "layers": [{"activation": "relu"}]})
tn.generate_network({"name": "N", "group": "Sp(4)", "input": {"order": 1, "channels": 1}, "layers": [{"norm_activation": "tanh"}]})
tn.generate_network({"name": "N", "group": "O(3)", "input": {"order": [0, 1], "channels": 1}, "layers": [{"gate": "tanh"}]})
tn.generate(tn.S(3), 1, 1, 2**64, 1)
tn.generate_network("no-such-file.toml")
# checks
assert_equivariant(None, tn.S(3), 1, 1, in_channels=1)
assert_equivariant(torch.relu, tn.S(3), 1, 1, in_channels=1, tolerance=float("nan"))
assert_equivariant(torch.relu, tn.O(3), 1, 1)
assert_equivariant(torch.relu)
assert_equivariant(torch.zeros_like, tn.O(3), 1, 1)
assert_equivariant(nn.Dropout(0.5), tn.S(3), 1, 1)
assert_equivariant(lambda x: x[..., :2, :], tn.S(3), 1, 1)
assert_equivariant(lambda x: x / 0, tn.S(3), 1, 1)
assert_equivariant(lambda x: None, tn.S(3), 1, 1)
assert_equivariant(torch.relu, tn.S(3), 1, 1, samples=0)
assert_equivariant(torch.relu, tn.S(3), 1, 1, in_channels=-1)
assert_equivariant(torch.relu, tn.S(2000), 3, 3)
# command line
$ tannaka dim
$ tannaka dim X3 1 1
$ tannaka dim S0 1 1
$ tannaka dim S5 1
$ tannaka dim S5 one 1
$ tannaka dim S5 -1 1
$ tannaka dim S5 0,1 1
$ tannaka dim S5xO3 2 2
$ tannaka dim S5xO3 0,2 1,
$ tannaka dim S5 1000000 1
$ tannaka basis S9 12 12 --limit -1
$ tannaka basis S5 2 2 --kind orbits
$ tannaka basis O3 1 1 --orbit
$ tannaka compose S3 "0 1" "0 1 2"
$ tannaka compose S3 "1->1: 0 1" "2->1: 0 1 | 2"
$ tannaka compose O3 "1->1: 0 | 1" "1->1: 0 1"
$ tannaka simplify S3 "3 (0 1"
$ tannaka simplify S3 x
$ tannaka simplify S3 ""
$ tannaka generate S5 2
$ tannaka generate S5 1 1 --channels 0 2
$ tannaka generate S5 1 1 --channels two 2
$ tannaka generate S5 1 1 --backend tensorflow
$ tannaka generate S5 1 1 --name class
$ tannaka generate S5 1 1 --dtype int8
$ tannaka generate S5 1 1 -o no-such-folder/layer.py
$ tannaka generate S5 1 1 --backend triton --lowering dense
$ tannaka generate --network no-such-file.toml
$ tannaka explain S50 10 10
$ tannaka verify no-such-file.py
$ tannaka verify .
$ tannaka bench --no-such-option
$ tannaka no-such-command
"""
"""Calls of Python, and of the shell after a dollar sign, below their headings."""
LINES = CALLS.strip().splitlines()
MOST = 450
"""No message is longer than this, or has a second line but for the matrix of a group element."""


def told(call: str) -> str:
    """What a call is told: the kind of error and its text; of the shell the exit code too."""
    if call.startswith("$ tannaka"):
        done = CliRunner().invoke(main, shlex.split(call)[2:], prog_name="tannaka")
        return f"{done.stderr.strip() or done.stdout.strip()}\n(exit code {done.exit_code})"
    with pytest.raises(Exception) as caught:  # noqa: PT011
        eval(call, dict(NAMES))
    return f"{caught.type.__name__}: {caught.value}"


def table() -> dict[str, str]:
    """The table as it is kept: what each call is told."""
    found = re.findall(r"```\n(?:>>> )?(.+)\n((?:.*\n)*?)```", TABLE.read_text(encoding="utf-8"))
    return {call: text.rstrip("\n") for call, text in found}


def written() -> str:
    """The table anew."""
    parts = ["# What bad calls are told\n"]
    for line in LINES:
        if line.startswith("# "):
            parts.append(f"## {line[2:].capitalize()}\n")
        else:
            prompt = "" if line.startswith("$") else ">>> "
            parts.append(f"```\n{prompt}{line}\n{told(line)}\n```\n")
    return "\n".join(parts)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder where there is nothing."""
    monkeypatch.chdir(tmp_path)


def test_the_table_is_written(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        TABLE.write_text(written(), encoding="utf-8")
    assert list(table()) == [line for line in LINES if not line.startswith("# ")]
    assert len(table()) >= 100


@pytest.mark.parametrize("call", [line for line in LINES if not line.startswith("# ")])
def test_bad_calls_are_told_what_came_what_was_expected_and_the_way_out(call: str) -> None:
    text = told(call)
    assert text == table()[call]
    if call.startswith("$"):
        *lines, code = text.splitlines()
        assert code in ("(exit code 2)", "(exit code 3)")
        assert len(lines) == 1
        assert lines[0].startswith("Error: ")
        return
    name, message = text.split(": ", 1)
    first, *rest = message.splitlines()
    assert len(first) <= MOST
    assert not rest or first.endswith("the worst group element is")
    # One of ours refines a builtin; the others are builtins.
    kind: Any = getattr(errors, name, None) or getattr(builtins, name)
    assert issubclass(
        kind, (TypeError, ValueError, OSError, LookupError, RuntimeError, AssertionError)
    )
    assert kind not in (RuntimeError, AssertionError, LookupError)
