"""Generated files: alone, deterministic, formatted, equal to the layer, and able to fail."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.diagrams.errors import BackendError
from tannaka.nn import EquivariantLinear
from tannaka.testing import assert_equivariant

CASES: list[tuple[Group, int, int, dict[str, Any]]] = [
    (tn.S(34), 2, 1, {}),
    (tn.S(4), 2, 2, {}),
    (tn.S(2), 2, 2, {"reduce": "sum"}),
    (tn.S(3), 3, 3, {"bias": False}),
    (tn.S(1), 0, 0, {}),
    (tn.S(5), 0, 2, {"bias": False}),
    (tn.S(3), 1, 5, {"bias": False}),
    (tn.S(3), 2, 4, {}),
    (tn.O(3), 2, 2, {}),
    (tn.O(3), 3, 3, {"reduce": "sum"}),
    (tn.O(2), 4, 2, {}),
    (tn.O(3), 1, 2, {}),
    (tn.O(3), 2, 1, {"bias": False}),
]
IDS = [f"{g}-{k}-{l}-{'-'.join(f'{a}={b}' for a, b in o.items())}" for g, k, l, o in CASES]
cases = pytest.mark.parametrize(("g", "k", "l", "options"), CASES, ids=IDS)

ALONE = """
import contextlib, io, json, runpy, sys, traceback
sys.modules["tannaka"] = None
for path in sys.argv[1:]:
    failure = ""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            runpy.run_path(path, run_name="__main__")
        except BaseException:
            failure = traceback.format_exc()
    print(json.dumps([said.getvalue(), failure]))
"""
"""Importing torch takes longer than the checks of all files, so that they share one process."""


def run_alone(*paths: Path) -> list[tuple[str, str]]:
    """Run files where importing tannaka fails and warnings are errors: what each says, and why it
    stops or nothing."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", ALONE, *paths], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
    assert len(said) == len(paths)
    return said


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str, str]]:
    """For each case its file, what it says of itself, and why it stops if it does."""
    folder = tmp_path_factory.mktemp("generated")
    paths = [
        tn.generate(g, k, l, 2, 3, **options).save(folder / f"{number}.py")
        for number, (g, k, l, options) in enumerate(CASES)
    ]
    answers = zip(paths, run_alone(*paths), strict=True)
    return {name: (path, *answer) for name, (path, answer) in zip(IDS, answers, strict=True)}


@pytest.mark.parametrize("name", IDS)
def test_the_file_checks_itself_where_tannaka_is_not_installed(
    name: str, checked: dict[str, tuple[Path, str, str]]
) -> None:
    path, said, failure = checked[name]
    assert not failure
    assert "is what it says" in said
    assert "the module runs the same code" in said
    imports = re.findall(r"^(?:import|from) (\S+)", path.read_text(), re.MULTILINE)
    assert set(imports) == {"__future__", "math", "typing", "torch"}


@cases
@pytest.mark.filterwarnings("ignore:.*no linear map but 0:UserWarning")
def test_state_dicts_move_both_ways(g: Group, k: int, l: int, options: dict[str, Any]) -> None:
    made: Any = {"lowering": "factored", "dtype": torch.float64}
    layer = EquivariantLinear(g, k, l, 2, 3, **options, **made)
    generated = tn.generate(g, k, l, 2, 3, **options).load()(dtype=torch.float64)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    generated.load_state_dict(layer.state_dict())
    x = torch.randn(2, *(g.n,) * k, 2, dtype=torch.float64)
    assert torch.equal(generated(x), layer(x))
    layer.load_state_dict(generated.state_dict())
    assert_equivariant(generated, allow_zero=True)


@cases
def test_the_same_arguments_give_the_same_bytes_in_the_formatters_own_style(
    g: Group, k: int, l: int, options: dict[str, Any], tmp_path: Path
) -> None:
    code = tn.generate(g, k, l, 2, 3, **options)
    assert code.source == tn.generate(g, k, l, 2, 3, **options).source
    assert str(code) == code.source
    path = code.save(tmp_path / "layer.py")
    for tool in (["format", "--check", "--diff"], ["check", "--select", "E,F,I,UP,B"]):
        command = [sys.executable, "-m", "ruff", *tool, "--isolated", "--line-length", "100"]
        ruff = subprocess.run([*command, path], capture_output=True, text=True)
        assert ruff.returncode == 0, ruff.stdout


@pytest.mark.parametrize(("g", "k", "l"), [(tn.S(34), 2, 1), (tn.S(3), 2, 2), (tn.O(3), 2, 2)])
def test_generated_files_read_well(
    g: Group, k: int, l: int, golden: Callable[[str, str], None]
) -> None:
    code = tn.generate(g, k, l, 1, 8)
    golden(f"{code.name}.py", code.source)


SPOILS = {
    "a row of the weight": ("torch.tensor([[0, 1, 2],", "torch.tensor([[1, 0, 2],"),
    "an axis of a diagonal": ("c0 = diagonal(x, -3, -2)", "c0 = diagonal(x, -4, -2)"),
    "an axis of a sum": ("c1 = x.mean(-2)", "c1 = x.mean(-3)"),
    "a sum in place of a mean": ("c3 = c0.mean(-2)", "c3 = c0.sum(-2)"),
    "a permutation": (".T, 1, 0)", ".T, 0, 1)"),
    "a row of the bias": ("m4 = m4 + bias[0]", "m4 = m4 + bias[1]"),
    "an axis of a broadcast": ("m3[..., None, :, :]", "m3[..., :, None, :]"),
    "the place of an embedding": ("diagonal(m0, -3, -2).add_(m1)", "m0.add_(m1[..., None, :])"),
    "the table of diagrams": ("(0, 0, 0, 1),", "(0, 0, 1, 0),"),
    "the helper": ("movedim(-1, a + 1)", "movedim(-1, a)"),
    "the module's forward": ("return apply(x, self.weight, self.bias, N)", "return x"),
    "the module's bias": ("self.weight, self.bias, N", "self.weight, 0 * self.bias, N"),
    "the axis from the wrong end": ("c1 = x.mean(-2)", "c1 = x.mean(2)"),
    "a gradient": ("c3 = c0.mean(-2)", "c3 = c0.detach().mean(-2)"),
    "reading a state dict": ("super()._load_from_state_dict(state_dict, prefix, *args)", "pass"),
    "a dropped line": ("    m0.add_(m2[..., :, None, :])\n", ""),
}


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """For each way to spoil the file of one layer, what it says then and why it stops."""
    folder = tmp_path_factory.mktemp("spoiled")
    source = tn.generate(tn.S(4), 2, 2, 2, 3).source
    paths = []
    for number, (before, after) in enumerate(SPOILS.values()):
        assert source.count(before) == 1
        paths.append(folder / f"{number}.py")
        paths[-1].write_text(source.replace(before, after))
    return dict(zip(SPOILS, run_alone(*paths), strict=True))


@pytest.mark.parametrize("what", SPOILS)
def test_spoiling_one_index_makes_the_self_check_fail(
    what: str, spoiled: dict[str, tuple[str, str]]
) -> None:
    said, failure = spoiled[what]
    assert failure
    assert "is what it says" not in said


def test_a_file_that_fails_its_check_ends_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "layer.py"
    path.write_text(tn.generate(tn.S(4), 2, 2, 2, 3).source.replace(*SPOILS["a permutation"]))
    done = subprocess.run([sys.executable, "-I", path], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("FAILED: ")


def test_every_single_digit_of_the_kernel_matters(tmp_path: Path) -> None:
    """Each index in the code of ``apply``, and each row number, changed by one, is noticed."""
    code = tn.generate(tn.S(3), 2, 2, 2, 3)
    start, stop = code.source.index("ROWS_0"), code.source.index("class ")
    end = code.source.index("def diagonal")
    spots = [
        m
        for m in re.finditer(r"(?<=[-(, \[])\d(?=[,)\]])", code.source[:stop])
        if m.start() > start and not code.source[: m.start()].endswith("#")
    ]
    assert len(spots) > 8
    namespace: dict[str, Any] = {"__name__": "spoiled"}
    survivors = []
    for spot in spots:
        digit = str((int(spot[0]) + 1) % 10)
        source = code.source[: spot.start()] + digit + code.source[spot.end() :]
        line = code.source[: spot.start()].count("\n")
        text = code.source.splitlines()[line].strip()
        if text.startswith("#") or (spot.start() > end and '"""' in text):
            continue
        try:
            exec(compile(source, "spoiled", "exec"), namespace)
            namespace["check"]()
        except (SystemExit, Exception):
            continue
        survivors.append(text)
    assert not survivors


def test_a_foreign_state_dict_is_refused_by_the_generated_class_too() -> None:
    generated = tn.generate(tn.S(4), 2, 2, 1, 1).load()()
    other = EquivariantLinear(tn.S(4), 2, 2, 1, 1, reduce="sum")
    with pytest.raises(ValueError, match="the state dict is not of the basis 'tannaka 1"):
        generated.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match=r"expected an input of shape \(\*batch, 4, 4, 1\)"):
        generated(torch.randn(4, 3, 1))
    with pytest.raises(TypeError, match=r"the input is torch.float64, the weight torch.float32"):
        generated(torch.randn(4, 4, 1, dtype=torch.float64))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1st",
        "ﬁ",
        "__builtins__",
        "a b",
        "class",
        "torch",
        "apply",
        "nn",
        "print",
        "DIAGRAMS",
        "x;import os",
    ],
)
def test_class_names_cannot_break_the_file(name: str) -> None:
    with pytest.raises(ValueError, match="the class name"):
        tn.generate(tn.S(4), 2, 2, 1, 1, name=name)


def test_names_backends_and_files(tmp_path: Path) -> None:
    code = tn.generate(tn.S(4), 2, 2, 1, 1, name="Mine")
    assert code.load().__name__ == "Mine"
    assert repr(code).startswith("<GeneratedCode Mine: ")
    with pytest.raises(BackendError, match="there is no backend 'cuda'"):
        tn.generate(tn.S(4), 2, 2, 1, 1, backend="cuda")
    with pytest.raises(FileNotFoundError, match=r"missing'$"):
        code.save(tmp_path / "missing" / "layer.py")
    code.save(tmp_path / "layer.py")
    code.save(tmp_path / "layer.py")
    assert [path.name for path in tmp_path.iterdir()] == ["layer.py"]


@pytest.mark.deep
def test_large_orders_generate_and_check_themselves(tmp_path: Path) -> None:
    for g, k, l in ((tn.S(8), 4, 4), (tn.O(3), 5, 5), (tn.S(6), 5, 2)):
        ((said, failure),) = run_alone(tn.generate(g, k, l, 2, 2).save(tmp_path / "layer.py"))
        assert not failure
        assert "is what it says" in said


def test_a_saved_file_has_ordinary_permissions_and_the_umask_is_left_alone(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        path = tn.generate(tn.S(4), 1, 1, 1, 1).save(tmp_path / "layer.py")
        assert stat.S_IMODE(path.stat().st_mode) == 0o664
        assert os.umask(0o002) == 0o002
    finally:
        os.umask(before)


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "layer.py").mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        tn.generate(tn.S(4), 1, 1, 1, 1).save(tmp_path / "layer.py")
    assert [path.name for path in tmp_path.iterdir()] == ["layer.py"]
