"""The command line, end to end through the installed entry point."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import tannaka as tn
from tannaka.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_installed_command_runs() -> None:
    command = Path(sys.executable).with_name("tannaka")
    assert command.exists() or shutil.which("tannaka")
    done = subprocess.run([command, "dim", "S(34)", "2", "2"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "15\n", "")
    done = subprocess.run(
        [sys.executable, "-m", "tannaka", "dim", "O(3)", "12", "12"], capture_output=True, text=True
    )
    assert int(done.stdout) == tn.Hom(tn.O(3), 12, 12).dimension


def test_basis_draws_lists_and_writes(tmp_path: Path) -> None:
    result = run("basis", "O(3)", "2", "2")
    assert result.exit_code == 0
    assert "Hom(O(3), 2, 2): dimension 3" in result.output
    assert "0 3 | 1 2" in result.output
    listed = json.loads(run("basis", "O(3)", "2", "2", "--json").output)
    basis = tn.Hom(tn.O(3), 2, 2).basis()
    assert [tn.Brauer.from_json(diagram) for diagram in listed["basis"]] == list(basis)
    target = tmp_path / "basis.svg"
    assert run("basis", "S(5)", "2", "2", "--svg", str(target)).exit_code == 0
    assert target.read_text() == tn.Hom(tn.S(5), 2, 2).svg()


def test_generate_then_verify(tmp_path: Path) -> None:
    target = tmp_path / "layer.py"
    arguments = ("generate", "S(6)", "2", "1", "--channels", "3", "4", "-o", str(target))
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert target.read_text() == tn.generate(tn.S(6), 2, 1, 3, 4).source
    again = run(*arguments)
    assert again.exit_code == 1
    assert f"{target} exists; --force overwrites it" in again.output
    assert run(*arguments, "--force").exit_code == 0
    verified = run("verify", str(target))
    assert verified.exit_code == 0, verified.output
    assert verified.output.count("S6Linear2To1: S(6) 2 -> 1: error") == 2
    target.write_text(target.read_text().replace("c1 = x.mean(-2)", "c1 = x.cumsum(-2)[..., 0, :]"))
    spoiled = run("verify", str(target))
    assert spoiled.exit_code == 1
    assert "not equivariant" in spoiled.output


def test_generate_prints_what_it_would_write() -> None:
    options = ("--channels", "2", "3", "--no-bias", "--reduce", "sum", "--name", "Mine")
    result = run("generate", "O(3)", "2", "2", *options)
    code = tn.generate(tn.O(3), 2, 2, 2, 3, bias=False, reduce="sum", name="Mine")
    assert result.output == code.source


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dim", "Q(3)", "1", "1"), "no group is called 'Q(3)'"),
        (("dim", "S(0)", "1", "1"), "got 0"),
        (("dim", "S(3)", "two", "1"), "'two' is not an order"),
        (("dim", "S(3)", "-1", "1"), "No such option"),
        (("dim", "S(3)", "1"), "Missing argument 'L'"),
        (("basis", "S(50)", "12", "12"), "too many diagrams to list"),
        (("basis", "S(5)", "1", "1", "--svg", "/nowhere/at/all.svg"), "No such file or directory"),
        (("generate", "S(5)", "1", "1", "--channels", "0", "1"), "in_channels must be"),
        (("generate", "S(5)", "1", "1", "--backend", "cuda"), "there is no backend 'cuda'"),
        (("generate", "S(5)", "1", "1", "--name", "class"), "must be a Python identifier"),
        (("generate", "S(5)", "1", "1", "-o", "/nowhere/layer.py"), "No such file or directory"),
        (("verify", "/nowhere/layer.py"), "does not exist"),
    ],
)
def test_failures_are_one_line_and_a_status(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code in (1, 2)
    assert words in result.output
    errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "Traceback" not in result.output


def test_verify_wants_a_file_with_a_layer(tmp_path: Path) -> None:
    target = tmp_path / "empty.py"
    target.write_text("x = 1\n")
    result = run("verify", str(target))
    assert result.exit_code == 1
    assert "holds no layer" in result.output
