"""Wheel, sdist and checkout give the same package, and the core of it needs no torch."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from wheels import ROOT, python, tracked

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
STAGES = ("diagrams", "category", "codegen")


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


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the list of tracked files")
def test_the_wheel_from_the_sdist_is_the_package(built: Path, tmp_path: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path)
    assert {name for name in names if name.endswith(".py")} == sources()
    for package, files in PROJECT["tool"]["setuptools"]["package-data"].items():
        assert {f"{package.replace('.', '/')}/{file}" for file in files} <= names
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[-1] for name in archive.getnames()}
    links = {f"tannaka/{stage}" for stage in STAGES}
    kept = {name for name in tracked() if not name.startswith(".")} - links
    assert kept <= inside, "a checkout can be rebuilt and tested from the sdist"
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
def tell(what):
    try:
        what()
    except ModuleNotFoundError as error:
        print(error)
tell(lambda: tn.nn)
tell(lambda: tn.testing.assert_equivariant)
tell(lambda: tn.testing.strategies)
tell(lambda: tn.generate(tn.S(2), 1, 1, 1, 1).load())
"""


def test_the_core_works_without_torch(tmp_path: Path) -> None:
    assert python("-c", CORE, cwd=tmp_path).splitlines() == [
        "tannaka.nn needs PyTorch: pip install 'tannaka[torch]'",
        "tannaka.testing.assert_equivariant needs PyTorch: pip install 'tannaka[torch]'",
        "tannaka.testing.strategies needs Hypothesis: pip install 'tannaka[testing]'",
        "loading a generated layer needs PyTorch: pip install 'tannaka[torch]'",
    ]


OPENING = """
import sys, tannaka.diagrams
print(sorted({"numpy", "sympy", "torch", "matplotlib"} & set(sys.modules)))
import tannaka as tn
print(dir(tn) == sorted(set(dir(tn))), "S" in dir(tn), tn.__version__)
"""


def test_diagrams_open_without_anything_heavy(tmp_path: Path) -> None:
    version = PROJECT["project"]["version"]
    assert python("-c", OPENING, cwd=tmp_path).splitlines() == ["[]", f"True True {version}"]


def test_imports_point_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
