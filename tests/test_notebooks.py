"""Every notebook runs from top to bottom, and what is committed of it stands on its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def outputs(notebook: Any) -> list[Any]:
    """All outputs of the notebook's code cells."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [output for cell in cells for output in cell.outputs]


def pictures(notebook: Any) -> list[str]:
    """All SVG pictures among the outputs."""
    data = [output.get("data", {}) for output in outputs(notebook)]
    return [bundle["image/svg+xml"] for bundle in data if "image/svg+xml" in bundle]


def executed(path: Path, folder: Path) -> Any:
    """The notebook, run from top to bottom in ``folder``, without times, versions and names."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
    return notebook


@pytest.fixture(autouse=True)
def jupyter_at_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jupyter keeps its files in a folder of the test's, so no home folder is needed or touched."""
    home = str(tmp_path_factory.mktemp("jupyter"))
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(variable, home)


@every_notebook
def test_it_runs_from_top_to_bottom(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    notebook = executed(path, tmp_path)  # raises where a cell does
    assert outputs(notebook)
    assert not list(tmp_path.iterdir())
    assert not [o for o in outputs(notebook) if o.get("name") == "stderr"]
    if request.config.getoption("--update-golden"):
        text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        path.write_text(text + "\n", encoding="utf-8")


@every_notebook
def test_its_committed_outputs_are_complete(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for output in outputs(notebook) if output.output_type == "error"]
    assert pictures(notebook)
    assert path.stat().st_size < 200_000


@every_notebook
def test_it_carries_nothing_of_the_machine_that_ran_it(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    assert notebook.metadata == METADATA
    assert not [cell for cell in notebook.cells if cell.metadata]
    assert re.findall(r"/(?:home|tmp|root|work|Users)/|0x[0-9a-f]{6,}", path.read_text()) == []


@every_notebook
def test_its_pictures_are_self_contained(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for picture in pictures(notebook):
        bare = picture.replace('xmlns="http://www.w3.org/2000/svg"', "")
        for word in ("http", "script", "href", "url("):
            assert word not in bare, f"a picture in {path.name} holds {word!r}"
