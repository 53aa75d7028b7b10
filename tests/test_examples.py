"""The examples run, write what they say, and stop when what they show is not so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import combinations
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import networkx
import numpy as np
import pytest
import torch

import tannaka as tn

ROOT = Path(__file__).parent.parent
WITHOUT_TANNAKA = (
    "import runpy, sys; sys.modules['tannaka'] = None; "
    "[runpy.run_path(path, run_name='__main__') for path in sys.argv[1:]]"
)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """``example(name)``: the module examples/<name>.py, found as when it is run as a script."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    return import_module


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, encoding="utf-8"
    )


def test_the_demo_writes_what_it_lists_and_the_files_stand_alone(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "on the way"
    done = python(ROOT / "examples" / "demo.py", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= max(100, len(str(folder)) + 30)

    listed = [Path(line) for line in done.stdout.splitlines() if line.startswith(str(folder))]
    assert sorted(listed) == sorted(folder.iterdir())
    assert {path.suffix for path in listed} == {".py", ".svg"}
    for path in listed:
        if path.suffix == ".svg":
            ElementTree.parse(path)
    files = [path for path in listed if path.suffix == ".py"]
    check = python("-c", WITHOUT_TANNAKA, *files)
    assert check.returncode == 0, check.stderr
    assert check.stdout.count("is what it says\n") == len(files)
    assert check.stdout.endswith("is what it says\n")


@pytest.mark.parametrize(
    ("asleep", "message"),
    [
        ((), "self-check"),
        (("run_self_check",), "tannaka.nn -> generated file"),
        (("run_self_check", "exchange_weights"), "all people, all 8 channels"),
        (("run_self_check", "exchange_weights", "require"), "not equivariant"),
    ],
)
def test_each_of_its_checks_can_stop_the_demo(
    asleep: tuple[str, ...],
    message: str,
    example: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def save_spoiled(code: tn.GeneratedCode, path: Path) -> Path:
        spoiled = code.source.replace("c1 = x.mean(-2)", "c1 = x[..., 0, :]")
        assert spoiled != code.source
        path.write_text(spoiled, encoding="utf-8")
        return path

    karate_club = example("karate_club")
    monkeypatch.setattr(tn.GeneratedCode, "save", save_spoiled)
    for check in asleep:
        monkeypatch.setattr(karate_club, check, lambda *_, **__: None)
    with pytest.raises(SystemExit, match=r"^FAILED: ") as stopped:
        example("trial").run(karate_club.main, arguments=[str(tmp_path)])
    assert message in str(stopped.value.code)  # text: Python prints it and exits with status 1
    assert "Written" not in capsys.readouterr().out


def test_a_comparison_whose_control_passes_stops_the_demo(
    example: Callable[[str], ModuleType],
) -> None:
    with pytest.raises(SystemExit, match="should have been large"):
        example("trial").require("all atoms", 0.0, control=0.0, without="output not turned")
    with pytest.raises(SystemExit, match="relative error nan"):
        example("trial").require(
            "all atoms", float("nan"), control=1.0, without="output not turned"
        )


def test_the_molecule_is_chiral(example: Callable[[str], ModuleType]) -> None:
    """A reflection that keeps it would permute its atoms, and keep their distances.

    But the distances to all others tell the atoms of each element apart, so it would keep every
    atom, and the atoms lie in no plane.
    """
    atoms = example("molecule").ATOMS
    places = np.array([place for _, *place in atoms])
    assert np.linalg.svd(places - places.mean(0), compute_uv=False).min() > 1
    distances = np.sort(np.linalg.norm(places[:, None] - places[None], axis=-1))
    for (i, (a, *_)), (j, (b, *_)) in combinations(enumerate(atoms), 2):
        assert a != b or np.abs(distances[i] - distances[j]).max() > 0.01


def test_polarisabilities_are_those_of_the_textbooks(
    example: Callable[[str], ModuleType],
) -> None:
    """Benzene's are 0.398, -0.157, 0.009 and -0.102 / beta, beta < 0: C. A. Coulson, H. C.

    Longuet-Higgins (1947), and every book on Hückel's method since. Charge only moves about.
    """
    fullerene = example("fullerene")
    benzene = fullerene.polarisability(networkx.cycle_graph(6))
    assert np.round(-benzene[0, :4], 3).tolist() == [0.398, -0.157, 0.009, -0.102]
    for graph in (fullerene.buckminsterfullerene(), networkx.cycle_graph(10)):
        response = fullerene.polarisability(graph)
        assert np.abs(response - response.T).max() < 1e-12
        assert np.abs(response.sum(axis=0)).max() < 1e-12


def test_a_network_that_one_command_wrote_learns(
    example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    assert example("train_generated").main(steps=150) > 0.3
    assert "need only torch" in capsys.readouterr().out


@pytest.mark.deep
def test_a_network_that_one_command_wrote_learns_to_count(
    example: Callable[[str], ModuleType],
) -> None:
    assert example("train_generated").main() > 0.95


@pytest.mark.deep
def test_the_atlas_adds_up(
    example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    example("atlas").main()
    out = capsys.readouterr().out
    assert "equal to the numbers of bilabelled graphs" in out
    assert "1,192,200" in out


def test_the_graphs_to_learn_from_are_counted_right(example: Callable[[str], ModuleType]) -> None:
    """Closed walks give both counts: trace A^3, and pairs of nodes with several common neighbours."""
    data = example("train_atlas").atlas()
    assert len(data) == 1252
    adjacency = data.adjacency.double()
    squares = adjacency @ adjacency
    triangles = (squares @ adjacency).diagonal(dim1=1, dim2=2).sum(1) / 6
    common = squares - torch.diag_embed(squares.diagonal(dim1=1, dim2=2))
    cycles = (common * (common - 1)).sum((1, 2)) / 8
    assert torch.equal(torch.stack([triangles, cycles], dim=1), data.counts.double())


def test_only_the_perceptron_sees_how_nodes_are_numbered(
    example: Callable[[str], ModuleType],
) -> None:
    train_atlas = example("train_atlas")
    torch.manual_seed(0)
    data = train_atlas.atlas()[torch.arange(0, 1252, 50)]
    network, perceptron = train_atlas.Equivariant(4).double(), train_atlas.Perceptron(8).double()
    data = train_atlas.Graphs(data.adjacency.double(), data.real, data.counts.double())
    assert train_atlas.change(network, data) < 1e-10
    assert train_atlas.change(perceptron, data) > 1e-3
    garbage = train_atlas.Graphs(data.adjacency.clone(), data.real, data.counts)
    garbage.adjacency[~data.real] = torch.nan
    assert torch.equal(network(garbage), network(data))


def test_a_few_epochs_teach_something(example: Callable[[str], ModuleType]) -> None:
    train_atlas = example("train_atlas")
    torch.manual_seed(0)
    data = train_atlas.atlas()
    training, test = (data[torch.arange(start, 1252, 4)] for start in (0, 1))
    network = train_atlas.Equivariant(4)
    run = train_atlas.train("", network, training, test, rate=3e-2, epochs=12)
    assert run.errors[run.best] < run.errors[0] / 2
    assert run.soonest(run.errors[run.best]) == run.seconds[run.best]
    assert run.soonest(0) is None


@pytest.mark.deep
def test_training_is_sooner_as_good(
    example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    example("train_atlas").main()
    assert "the layers of S() reached in" in capsys.readouterr().out


def test_atoms_far_apart_polarise_by_themselves_and_close_ones_turn_with_the_molecule(
    example: Callable[[str], ModuleType],
) -> None:
    train_water = example("train_water")
    torch.manual_seed(0)
    bonds, g = train_water.shapes(20), train_water.turns(20)
    alone = train_water.OXYGEN + 2 * train_water.HYDROGEN
    far = train_water.polarisability(1e4 * bonds)
    torch.testing.assert_close(far, alone * torch.eye(3, dtype=far.dtype).expand_as(far))
    tensor = train_water.polarisability(bonds)
    torch.testing.assert_close(tensor, tensor.mT)
    torch.testing.assert_close(train_water.polarisability(g @ bonds), g @ tensor @ g.mT)
    # Two atoms on a line: along it 1 / (1 - 4 a b / r^6) of what they are alone, and what they share.
    a, b, r = train_water.OXYGEN, train_water.HYDROGEN, 1.0
    line = torch.tensor([[r, 1e6], [0, 0], [0, 0]], dtype=torch.float64)
    along = (a + b + 4 * a * b / r**3) / (1 - 4 * a * b / r**6)
    across = (a + b - 2 * a * b / r**3) / (1 - a * b / r**6)
    wanted = torch.diag(torch.tensor([along, across, across], dtype=torch.float64) + b)
    torch.testing.assert_close(train_water.polarisability(line), wanted)


def test_bilinear_layers_learn_what_linear_ones_cannot(
    example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    bilinear, linear, perceptron = example("train_water").main(steps=100).values()
    assert bilinear < 0.2 < perceptron
    assert linear > 0.99
    assert "reflected" in capsys.readouterr().out


@pytest.mark.deep
def test_bilinear_layers_learn_the_polarisability_of_water(
    example: Callable[[str], ModuleType],
) -> None:
    bilinear, linear, perceptron = example("train_water").main().values()
    assert bilinear < min(0.02, perceptron / 2)
    assert linear > 0.99


def test_an_open_shell_has_no_response(example: Callable[[str], ModuleType]) -> None:
    with pytest.raises(SystemExit, match="open shell"):
        example("fullerene").polarisability(networkx.cycle_graph(8))


def test_one_measurement_is_enough_only_with_the_symmetry(
    example: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    fullerene = example("fullerene")
    fullerene.learn(networkx.cycle_graph(6), measured=1)
    assert "4 weights instead of 36" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="make the difference"):
        fullerene.learn(networkx.cycle_graph(6), measured=6)  # enough for anyone


def test_the_readme_pictures_are_what_the_script_writes(
    example: Callable[[str], ModuleType],
) -> None:
    pictures = example("readme_pictures").pictures()
    drawn = {path.name for path in (ROOT / "docs").iterdir() if path.suffix == ".svg"}
    assert drawn == pictures.keys()
    for name, svg in pictures.items():
        committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert committed == svg, "run python examples/readme_pictures.py, then look at the pictures"


def test_every_picture_of_the_docs_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"docs/{path.name}" in text for path in (ROOT / "docs").iterdir())


def test_the_readme_picture_shows_a_true_factorisation(
    example: Callable[[str], ModuleType],
) -> None:
    picture = example("readme_pictures")
    parts = picture.factor(picture.DIAGRAM)
    composite = parts.contraction >> parts.permutation >> parts.embedding
    assert composite == tn.Morphism.of(picture.DIAGRAM)
