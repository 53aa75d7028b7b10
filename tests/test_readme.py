"""What the README shows runs, and prints what it says."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from tannaka.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if ">>>" not in code:
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
        return
    test = doctest.DocTestParser().get_doctest(code, {}, "README.md", "README.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("code", blocks("console"))
def test_commands_run_and_print_what_is_shown(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (description,) = blocks("toml")
    (tmp_path / "triangles.toml").write_text(description)
    for step in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, shown = step.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "tannaka"
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        assert re.fullmatch(
            re.escape(shown.strip()).replace(r"\.\.\.", ".*"), result.output.strip()
        )
    assert len(list(tmp_path.iterdir())) > 1


def test_the_description_is_that_of_the_example() -> None:
    (description,) = blocks("toml")
    example = Path(__file__).parent.parent / "examples" / "triangles.toml"
    assert example.read_text(encoding="utf-8").endswith(description)


def test_there_is_something_to_run_and_links_lead_somewhere() -> None:
    assert blocks("python")
    assert blocks("console")
    root = Path(__file__).parent.parent
    for target in re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", README):
        link = next(filter(None, target))
        assert link.startswith("http") or (root / link).exists(), link
