"""Every notebook runs from top to bottom, and what is committed of it stands on its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

MARKUP = ("image/svg+xml", "text/html")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def outputs(notebook: Any) -> list[Any]:
    """All outputs of the notebook's code cells."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [output for cell in cells for output in cell.outputs]


def bundles(notebook: Any) -> list[dict[str, Any]]:
    """The outputs that may be shown in several ways: mimetype -> what is shown."""
    return [output["data"] for output in outputs(notebook) if "data" in output]


def pictures(notebook: Any) -> list[str]:
    """All SVG pictures among the outputs, and inside HTML."""
    shown = [bundle.get(kind, "") for bundle in bundles(notebook) for kind in MARKUP]
    return [svg for text in shown for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def sameness(notebook: Any) -> list[Any]:
    """What must be the same whenever the notebook runs.

    The text and the vector pictures, since the mathematics does not change; of a notebook that
    trains something, whose last digits may differ, only which cells show what kind of thing.
    Figures made of pixels depend on the machine's fonts.
    """
    trains = any("import torch" in cell.source for cell in notebook.cells)
    found: list[Any] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {"stream": output.get("text")})
            kept = {kind: text for kind, text in data.items() if kind != "image/png"}
            found.append((cell.id, sorted(data) if trains else kept))
    return found


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
    for bundle in bundles(notebook):
        # Code hosts show SVG, but leave it out of HTML; a picture twice would be too large as well.
        if "image/svg+xml" in bundle:
            bundle.pop("text/html", None)
            bundle.pop("text/latex", None)
    notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
    return notebook


@pytest.fixture(scope="session")
def figures_at_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for matplotlib, which lists the machine's fonts there once, and says so if it is slow."""
    home = str(tmp_path_factory.mktemp("matplotlib"))
    command = [sys.executable, "-c", "import matplotlib.font_manager"]
    subprocess.run(command, env={**os.environ, "MPLCONFIGDIR": home}, check=True)
    return home


@pytest.fixture
def jupyter_at_home(
    tmp_path_factory: pytest.TempPathFactory,
    figures_at_home: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Jupyter keeps its files in a folder of the test's, so no home folder is needed or touched."""
    home = str(tmp_path_factory.mktemp("jupyter"))
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(variable, home)
    monkeypatch.setenv("MPLCONFIGDIR", figures_at_home)


@pytest.mark.deep  # ``make notebooks``, as continuous integration does
@pytest.mark.usefixtures("jupyter_at_home")
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
    committed = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    assert sameness(notebook) == sameness(committed), (
        "renew its outputs with --deep --update-golden"
    )


@every_notebook
def test_its_committed_outputs_are_complete(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for output in outputs(notebook) if output.output_type == "error"]
    assert pictures(notebook)
    assert path.stat().st_size < 250_000


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
        assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    for bundle in bundles(notebook):
        for kind in MARKUP:
            bare = bundle.get(kind, "").replace('xmlns="http://www.w3.org/2000/svg"', "")
            for word in ("http", "<script", "href", "url(", "src="):
                assert word not in bare, f"{kind} in {path.name} holds {word!r}"


@every_notebook
def test_what_a_reader_without_pictures_gets(path: Path) -> None:
    """Every output says in text what it is, and is not the address of an object."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for bundle in bundles(notebook):
        assert bundle["text/plain"].strip()


@every_notebook
def test_its_links_lead_somewhere(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://") or (FOLDER / target).exists(), target


@every_notebook
def test_its_claims_are_asserted(path: Path) -> None:
    """A cell of a notebook that runs has been checked: somewhere it says what must be true."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert any(re.search(r"^\s*(?:assert |.*assert_equivariant\()", cell, re.M) for cell in code)
