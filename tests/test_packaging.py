"""Wheel, sdist and checkout give the same package, and the core of it needs no torch."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
STAGES = ("diagrams", "category", "codegen")


def python(*arguments: str, cwd: Path, path: Path | None = None) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources() -> set[str]:
    """Every module of the package, as a path inside it."""
    folders = [ROOT / stage for stage in STAGES] + [ROOT / "tannaka"]
    found = set()
    for folder in folders:
        for file in folder.rglob("*.py"):
            inside = file.relative_to(ROOT).as_posix()
            if not any(inside.startswith(f"tannaka/{stage}/") for stage in STAGES):
                found.add(inside if inside.startswith("tannaka/") else f"tannaka/{inside}")
    return found


def test_the_links_and_the_mapping_name_the_same_folders() -> None:
    mapping = PROJECT["tool"]["setuptools"]["package-dir"]
    for stage in STAGES:
        link = ROOT / "tannaka" / stage
        assert link.is_symlink()
        assert link.readlink() == Path("..") / stage
        assert mapping[f"tannaka.{stage}"] == stage
    packages = {
        Path(file).parent.as_posix().replace("/", ".")
        for file in sources()
        if file.endswith("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages


def test_a_folder_at_the_root_and_the_package_hold_the_same_classes() -> None:
    code = "import diagrams, tannaka.diagrams; print(diagrams.SetPartition is tannaka.SetPartition)"
    assert python("-c", code, cwd=ROOT, path=ROOT) == "True\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made from the sdist that a copy of the tracked files gives."""
    folder = tmp_path_factory.mktemp("build")
    copy, out = folder / "copy", folder / "out"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    files = listed.stdout.split("\n") if listed.returncode == 0 else []
    for name in filter(None, files):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).exists():
            target.write_bytes((ROOT / name).read_bytes())
    python("-m", "build", "--no-isolation", "--outdir", str(out), str(copy), cwd=folder)
    return out


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the list of tracked files")
def test_the_wheel_from_the_sdist_is_the_package(built: Path, tmp_path: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path)
    assert {name for name in names if name.endswith(".py")} == sources()
    assert "tannaka/py.typed" in names
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "pyproject.toml", "diagrams/partition.py"} <= inside
    code = (
        "import tannaka as tn, tannaka.diagrams, sys; "
        "print(tn.__file__); print(tn.Hom(tn.S(5), 2, 2).dimension); "
        "print(tannaka.diagrams.SetPartition is tn.SetPartition)"
    )
    file, *rest = python("-c", code, cwd=tmp_path, path=tmp_path).splitlines()
    assert Path(file).is_relative_to(tmp_path)
    assert rest == ["15", "True"]


CORE = """
import sys
for name in ("torch", "hypothesis", "networkx"):
    sys.modules[name] = None
import tannaka as tn
assert "sympy" not in sys.modules, "sympy is for those who ask for coefficients"
hom = tn.Hom(tn.O(3), 2, 2)
assert hom.matrices().shape == (3, 9, 9)
assert "class O3Linear2To2" in tn.generate(tn.O(3), 2, 2, 1, 1).source
assert (hom.basis()[0] >> hom.basis()[0]).terms
try:
    tn.nn
except ModuleNotFoundError as error:
    print(error)
"""


def test_the_core_works_without_torch(tmp_path: Path) -> None:
    assert python("-c", CORE, cwd=tmp_path) == (
        "tannaka.nn needs PyTorch: pip install 'tannaka[torch]'\n"
    )


def test_imports_point_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "1 kept, 0 broken" in done.stdout


def test_torch_is_imported_in_few_places_only() -> None:
    allowed = {
        "tannaka/codegen/modules.py",
        "tannaka/codegen/check.py",
        "tannaka/codegen/bench.py",
        "tannaka/nn.py",
    }
    importing = {
        name
        for name in sources()
        if any(
            line.strip().startswith(("import torch", "from torch"))
            for line in _code(ROOT / name).splitlines()
        )
    }
    assert importing <= allowed


def _code(path: Path) -> str:
    """A module's text without its string literals: emitted code has imports of its own."""
    import ast

    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.unparse(tree)
