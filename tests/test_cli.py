"""The command line, end to end through the installed entry point."""

from __future__ import annotations

import json
import re
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
    document = run("basis", "O(3)", "2", "2", "--latex").output
    assert document.startswith("\\documentclass")
    assert document.count("\\begin{tikzpicture}") == 3
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
        (("basis", "S(50)", "12", "12", "--json"), "too many diagrams to list"),
        (("generate", "S(12)", "6", "6"), "at most 250,000; take smaller orders"),
        (("generate", "S(5)", "1", "1", "-o", "."), "Is a directory"),
        (("basis", "S(5)", "1", "1", "--svg", "/nowhere/at/all.svg"), "No such file or directory"),
        (("generate", "S(5)", "1", "1", "--channels", "0", "1"), "in_channels must be"),
        (("generate", "S(5)", "1", "1", "--backend", "cuda"), "there is no backend 'cuda'"),
        (("generate", "S(5)", "1", "1", "--name", "class"), "must be a plain Python identifier"),
        (("generate", "S(5)", "1", "1", "-o", "/nowhere/layer.py"), "No such file or directory"),
        (("verify", "/nowhere/layer.py"), "does not exist"),
        (("basis", "S(50)", "12", "12", "--limit", "-1"), "-1 is not in the range x>=1"),
        (("dim", "Sp(3)", "1", "1"), "take Sp(2) or Sp(4)"),
        (("dim", "S(3) x O(2)", "0,2", "0"), "k must be a tuple of types 0 to 1"),
    ],
)
def test_failures_are_one_line_and_a_status(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code in (1, 2)
    assert words in result.output
    errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "holds no layer"),
        ("def broken(:\n", "does not run: SyntaxError"),
        ("import nothing_of_this_name\n", "does not run: ModuleNotFoundError"),
        ("import sys; sys.exit(0)\n", "does not run: SystemExit"),
        (
            tn.generate(tn.S(3), 1, 1, 1, 1).source.replace("return apply(", "return aply("),
            "S3Linear1To1 in .* does not run: NameError",
        ),
    ],
    ids=["empty", "syntax", "import", "exit", "forward"],
)
def test_verify_says_what_is_wrong_with_a_file(text: str, words: str, tmp_path: Path) -> None:
    target = tmp_path / "layer.py"
    target.write_text(text)
    result = run("verify", str(target))
    assert result.exit_code == 1
    assert re.search(words, result.output)
    assert len(result.output.splitlines()) == 1


def test_verify_runs_files_that_define_more_than_the_layer(tmp_path: Path) -> None:
    target = tmp_path / "layer.py"
    source = tn.generate(tn.S(3), 1, 1, 1, 1).source
    target.write_text(
        source + "\n\nfrom dataclasses import dataclass\n\n@dataclass\nclass A:\n    a: int\n"
    )
    assert run("verify", str(target)).exit_code == 0


def test_large_bases_are_drawn_in_part_and_counted_whole(tmp_path: Path) -> None:
    result = run("basis", "S(50)", "12", "12", "--limit", "2")
    assert result.exit_code == 0
    assert "drew the first 2 of 445,958,869,294,805,289" in result.output
    assert run("basis", "O(1)", "30", "30").output.startswith("Hom(O(1), 30, 30): dimension 1\n")
    assert len(run("dim", "S(10000)", "1000", "1000").output) > 4300


def test_files_are_followed_kept_and_never_half_written(tmp_path: Path) -> None:
    target, link = tmp_path / "target.py", tmp_path / "link.py"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    arguments = ("generate", "S(3)", "1", "1", "-o", str(link))
    assert run(*arguments).exit_code == 1
    assert target.read_text() == "old"
    assert run(*arguments, "--force").exit_code == 0
    assert link.is_symlink()
    assert "class S3Linear1To1" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600
    svg = ("basis", "S(3)", "1", "1", "--svg", str(target))
    assert "--force overwrites it" in run(*svg).output
    assert sorted(tmp_path.iterdir()) == [link, target]


def test_the_benchmark_prints_ratios() -> None:
    tiny = ("--channels", "2", "--batch", "1", "--seconds", "0.001", "--default-allocator")
    result = run("bench", "S(3)", "2", "1", *tiny)
    assert result.exit_code == 0, result.output
    for name in ("tannaka", "per diagram, views", "dense, assembled", "floor"):
        assert re.search(rf"^  {name} .*\d (µs|ms|s) ", result.output, re.MULTILINE), name
    assert "there is no layer to time" in run("bench", "O(3)", "1", "2").output
    assert "batch must be" in run("bench", "S(3)", "1", "1", "--batch", "0").output
    assert "name the group and both orders" in run("bench", "S(3)").output


def test_verify_tells_an_honest_zero_from_a_dead_layer_and_skips_what_is_imported(
    tmp_path: Path,
) -> None:
    honest, dead, borrowing = (tmp_path / f"{name}.py" for name in ("honest", "dead", "borrowing"))
    honest.write_text(tn.generate(tn.O(3), 1, 2, 1, 1, bias=False).source)
    assert run("verify", str(honest)).exit_code == 0
    source = tn.generate(tn.S(5), 1, 1, 1, 1).source
    dead.write_text(source.replace("return apply(x, ", "return 0 * apply(x, "))
    assert "the output is zero" in run("verify", str(dead)).output
    borrowing.write_text(f"{source}\n\nfrom tannaka.nn import EquivariantLinear\n")
    assert run("verify", str(borrowing)).output.count(": error") == 2


def test_verify_sees_a_wrong_bias_although_a_bias_starts_at_zero(tmp_path: Path) -> None:
    source = tn.generate(tn.S(5), 1, 1, 1, 1).source
    right = "return apply(x, self.weight, self.bias, N)"
    assert source.count(right) == 1
    path = tmp_path / "layer.py"
    path.write_text(source.replace(right, f"{right} + self.bias * torch.arange(5)[:, None]"))
    assert "not equivariant" in run("verify", str(path)).output
