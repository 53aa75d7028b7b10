"""Generated files: alone, deterministic, formatted, equal to the layer, and able to fail."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
import torch
from generated_cases import (
    CASES,
    CHANNELS,
    MOLECULE,
    PETERSEN,
    POINTS,
    TORCH,
    Case,
    answers,
    run_alone,
    start_alone,
)

import tannaka as tn
from tannaka.codegen.generate import GeneratedCode
from tannaka.codegen.trust.verify import Check, verify_file
from tannaka.diagrams.errors import BackendError
from tannaka.nn import EquivariantLinear

ROOT = Path(__file__).parent.parent
IDS = [case.name for case in CASES]
STANDARD = {"__future__", "collections.abc", "itertools", "math", "typing"}
LIBRARIES = {
    "torch": {"torch"},
    "numpy": {"numpy", "numpy.typing"},
    "jax": {"jax", "jax.numpy", "numpy", "numpy.typing"},
}


@pytest.fixture(scope="module")
def codes() -> dict[str, GeneratedCode]:
    """What is generated for each case."""
    return {case.name: case.code() for case in CASES}


@pytest.fixture(scope="module")
def files(
    codes: dict[str, GeneratedCode], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """For each case its file, all in one folder."""
    folder = tmp_path_factory.mktemp("generated")
    return {
        name: code.save(folder / f"file{number}.py")
        for number, (name, code) in enumerate(codes.items())
    }


@pytest.fixture(scope="module")
def checked(files: dict[str, Path]) -> dict[str, tuple[str, str]]:
    """For each case what its file says of itself, and why it stops if it does."""
    names = {
        framework: [case.name for case in CASES if case.framework == framework]
        for framework in LIBRARIES
    }
    begun = {
        framework: start_alone(*(files[name] for name in some), framework=framework)
        for framework, some in names.items()
    }
    found = {framework: answers(process) for framework, process in begun.items()}
    return {
        name: answer
        for framework, some in names.items()
        for name, answer in zip(some, found[framework], strict=True)
    }


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_file_checks_itself_where_tannaka_is_not_installed(
    case: Case, checked: dict[str, tuple[str, str]], files: dict[str, Path]
) -> None:
    said, failure = checked[case.name]
    assert not failure
    assert "is what it says" in said
    assert "commutes with a random group element" in said
    assert "runs the same code" in said
    imports = re.findall(r"^(?:import|from) (\S+)", files[case.name].read_text(), re.MULTILINE)
    assert set(imports) <= STANDARD | LIBRARIES[case.framework]
    assert imports.count(case.framework)


@pytest.mark.parametrize("case", CASES, ids=IDS)
@pytest.mark.filterwarnings("ignore:.*no linear map but 0:UserWarning")
def test_state_dicts_move_to_every_library(case: Case, codes: dict[str, GeneratedCode]) -> None:
    options = {name: value for name, value in case.options.items() if name != "dtype"}
    layer = EquivariantLinear(case.group, case.k, case.l, *CHANNELS, **options, dtype=torch.float64)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    group: Any = case.group if not _open(case.group) else _closed(case.group)
    x = torch.randn(2, *group.shape(case.k), CHANNELS[0], dtype=torch.float64)
    asked = _open(case.group) and case.k in (0, (1,))
    want = layer(x, n=4) if asked else layer(x)
    state = {name: value.numpy() for name, value in layer.state_dict().items()}
    run, back = _loaded(case, codes[case.name].load(), state)
    got = run(x.numpy(), *([4] if asked else []))
    size = float(want.detach().abs().max())
    np.testing.assert_allclose(got, want.detach().numpy(), rtol=0, atol=1e-12 * max(size, 1e-300))
    # And back, where every entry is what it was.
    layer.load_state_dict({name: torch.tensor(value) for name, value in back().items()})
    again = layer(x, n=4) if asked else layer(x)
    assert torch.equal(again, want)


def _open(group: Any) -> bool:
    return any(getattr(factor, "open", False) for factor in getattr(group, "factors", (group,)))


def _closed(group: Any) -> Any:
    """A group with n = 4 where it is open."""
    factors = [
        f.at(4) if getattr(f, "open", False) else f for f in getattr(group, "factors", (group,))
    ]
    found = factors[0]
    for factor in factors[1:]:
        found = found * factor
    return found


def _loaded(
    case: Case, made: Any, state: Mapping[str, Any]
) -> tuple[Callable[..., Any], Callable[[], Mapping[str, Any]]]:
    """What applies a generated layer with these parameters, and what gives them back."""
    if case.framework == "jax":
        import jax

        with jax.enable_x64(True):
            params = made.load(state, "float64")

        def apply(x: Any, *rest: Any) -> Any:
            with jax.enable_x64(True):
                static = (2,) if rest else ()
                return np.asarray(jax.jit(made.apply, static_argnums=static)(params, x, *rest))

        return apply, lambda: made.state_dict(params)
    if case.framework == "numpy":
        layer = made(dtype=np.float64)
        layer.load_state_dict(state)
        return layer, layer.state_dict
    module = made(dtype=torch.float64)
    module.load_state_dict(state)  # arrays of NumPy, as they are
    return (lambda x, *rest: module(torch.from_numpy(x), *rest).detach().numpy()), (
        lambda: {name: value.numpy() for name, value in module.state_dict().items()}
    )


@pytest.mark.parametrize("case", [TORCH[1], TORCH[20]], ids=lambda case: case.name)
def test_files_take_the_same_steps_as_the_layer(
    case: Case, codes: dict[str, GeneratedCode]
) -> None:
    made: Any = {"lowering": "factored", "dtype": torch.float64}
    layer = EquivariantLinear(case.group, case.k, case.l, *CHANNELS, **made)
    generated = codes[case.name].load()(dtype=torch.float64)
    generated.load_state_dict(layer.state_dict())
    x = torch.randn(2, *case.group.shape(case.k), CHANNELS[0], dtype=torch.float64)
    assert torch.equal(generated(x), layer(x))


@pytest.mark.parametrize("case", TORCH, ids=lambda case: case.name)
def test_constants_follow_a_module_to_its_device(
    case: Case, codes: dict[str, GeneratedCode]
) -> None:
    module = codes[case.name].load()(device="meta")
    group = _closed(case.group) if _open(case.group) else case.group
    x = torch.empty(2, *group.shape(case.k), 2, device="meta", dtype=module.weight.dtype)
    asked = _open(case.group) and case.k in (0, (1,))
    y = module(x, *([4] if asked else []))
    assert y.device.type == "meta"
    assert y.shape == (2, *group.shape(case.l), 3)


def test_files_are_in_the_formatters_own_style(files: dict[str, Path]) -> None:
    folder = next(iter(files.values())).parent
    # A name is assigned and returned where the plan gives it one.
    rules = ["--config", str(ROOT / "pyproject.toml"), "--ignore", "RET504"]
    for tool in (["format", "--check", "--diff", "--line-length", "100"], ["check", *rules]):
        command = [sys.executable, "-m", "ruff", *tool, "--no-cache", str(folder)]
        ruff = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        assert ruff.returncode == 0, ruff.stdout


@pytest.mark.deep
def test_files_are_typed(files: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11"]
    mypy = subprocess.run(
        [*command, "--cache-dir", tmp_path, *files.values()], capture_output=True, text=True
    )
    assert mypy.returncode == 0, mypy.stdout


DIGESTS = """
import sys
sys.modules["torch"] = sys.modules["jax"] = None
sys.path.insert(0, sys.argv[1])
import hashlib
from generated_cases import CASES
for case in CASES:
    print(hashlib.sha256(case.code().source.encode()).hexdigest())
"""


def test_the_same_arguments_give_the_same_bytes(codes: dict[str, GeneratedCode]) -> None:
    """In this process and in another, where hashes differ and no library is there."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS, Path(__file__).parent],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )
    assert done.returncode == 0, done.stderr
    ours = [hashlib.sha256(codes[case.name].source.encode()).hexdigest() for case in CASES]
    assert done.stdout.split() == ours


GOLDEN = [
    (Case(tn.S(34), 2, 1), (1, 8)),
    (Case(tn.O(3), 2, 2), (1, 8)),
    (Case(POINTS, (0, 1), (0, 1)), (4, 8)),
    (Case(tn.SO(3), 2, 1, "numpy"), (1, 8)),
    (Case(tn.Sp(4), 2, 2, "jax"), (1, 8)),
    (Case(PETERSEN, 1, 2, options={"basis": "diagram"}), (1, 8)),
]


@pytest.mark.parametrize(("case", "channels"), GOLDEN, ids=lambda one: getattr(one, "name", ""))
def test_generated_files_read_well(
    case: Case, channels: tuple[int, int], golden: Callable[[str, str], None]
) -> None:
    code = tn.generate(case.group, case.k, case.l, *channels, backend=case.backend, **case.options)
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


def test_a_foreign_state_dict_is_refused_by_generated_layers_too() -> None:
    other = EquivariantLinear(tn.S(4), 2, 2, 1, 1, reduce="sum").state_dict()
    generated = tn.generate(tn.S(4), 2, 2, 1, 1).load()()
    with pytest.raises(ValueError, match="not a state of the basis 'tannaka 1"):
        generated.load_state_dict(other)
    # As many diagrams, of the same orders, that mean something else.
    other = EquivariantLinear(tn.Sp(4), 2, 2, 1, 1).state_dict()
    with pytest.raises(ValueError, match="not a state of the basis 'tannaka 1"):
        tn.generate(tn.O(4), 2, 2, 1, 1).load()().load_state_dict(other)
    with pytest.raises(ValueError, match=r"expected an input of shape \(\*batch, 4, 4, 1\)"):
        generated(torch.randn(4, 3, 1))
    with pytest.raises(TypeError, match=r"the input is torch.float64, the weight torch.float32"):
        generated(torch.randn(4, 4, 1, dtype=torch.float64))


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_layers_of_arrays_refuse_what_does_not_fit(backend: str) -> None:
    other = EquivariantLinear(tn.S(4), 1, 1, 1, 1, reduce="sum").state_dict()
    mine = EquivariantLinear(tn.S(4), 1, 1, 1, 1).state_dict()
    made = tn.generate(tn.S(4), 1, 1, 1, 1, backend=backend).load()
    layer = made() if backend == "numpy" else None
    load = made.load if layer is None else layer.load_state_dict
    params = load(mine)
    for state in (other, {name: mine[name] for name in ("weight", "bias")}):
        with pytest.raises(ValueError, match="not a state of the basis 'tannaka 1"):
            load(state)
    with pytest.raises(ValueError, match="expected arrays of the shapes"):
        load(mine | {"weight": mine["weight"][:1]})
    with pytest.raises(ValueError, match="expected arrays of the shapes"):
        load({name: value for name, value in mine.items() if name != "bias"})

    def run(x: Any) -> Any:
        return made.apply(params, x) if layer is None else layer(x)

    with pytest.raises(ValueError, match=r"expected an input of shape \(\*batch, 4, 1\), got"):
        run(np.zeros((4, 3), np.float32))
    with pytest.raises(TypeError, match="the input is float16, the weight float"):
        run(np.zeros((4, 1), np.float16))


@pytest.mark.parametrize(
    ("group", "k", "l"), [(tn.S(), 2, 2), (tn.S(), 2, 0), (POINTS, (0, 1), (0, 1))], ids=str
)
def test_files_of_families_take_masks_as_layers_do(group: Any, k: Any, l: Any) -> None:
    layer = EquivariantLinear(group, k, l, 2, 3, dtype=torch.float64)
    x = torch.randn(3, *((4, 4) if k == 2 else (4, 3)), 2, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1]]).bool()
    want = layer(x, mask)
    for backend in ("einsum", "numpy"):
        made = tn.generate(group, k, l, 2, 3, backend=backend).load()
        generated = made(dtype=np.float64 if backend == "numpy" else torch.float64)
        generated.load_state_dict(layer.state_dict())
        given = (x, mask) if backend == "einsum" else (x.numpy(), mask.numpy())
        got = torch.as_tensor(generated(*given))
        torch.testing.assert_close(got, want, rtol=1e-13, atol=1e-13)
        with pytest.raises(ValueError, match="the mask must be boolean and of shape"):
            generated(given[0], given[1][:1])


def test_generated_layers_of_any_group_are_verified(files: dict[str, Path]) -> None:
    wanted = ["einsum-Aut(Petersen Graph)-1-2-basis=diagram", "einsum-S(n)-2-2", CASES[32].name]
    wanted += [case.name for case in TORCH if str(case.group).startswith("PermutationGroup")]
    for name in wanted:
        found = list(verify_file(files[name], Check()))
        assert found
        assert not any(finding.failure for finding in found)


def test_sums_over_orbits_are_taken_where_written_weights_are_many(tmp_path: Path) -> None:
    code = tn.generate(PETERSEN, 2, 2, 16, 16, basis="orbit")
    assert "CLASSES = classes()" in code.source
    ((said, failure),) = run_alone(code.save(tmp_path / "layer.py"))
    assert not failure
    assert "is what it says" in said
    layer = EquivariantLinear(PETERSEN, 2, 2, 16, 16, basis="orbit", dtype=torch.float64)
    generated = code.load()(dtype=torch.float64)
    generated.load_state_dict(layer.state_dict())
    x = torch.randn(2, 10, 10, 16, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(generated(x), layer(x), rtol=0, atol=1e-12)
    assert torch.autograd.gradgradcheck(generated, x[:1], raise_exception=True, fast_mode=True)
    assert generated.float()(x[0].float()).dtype == torch.float32


def test_orbits_of_long_cycles_are_found(tmp_path: Path) -> None:
    cycle = tn.PermutationGroup([(*range(1, 200), 0)])
    ((said, failure),) = run_alone(tn.generate(cycle, 1, 1, 1, 1).save(tmp_path / "layer.py"))
    assert not failure
    assert "is what it says" in said


def test_layers_of_any_size_are_written_and_check_themselves(tmp_path: Path) -> None:
    vast = [(tn.S(10**12), 1, 0), (tn.O(10**5 + 1) * tn.S(3), (1,), (1,)), (tn.Sp(10**5), 2, 0)]
    files = [
        tn.generate(group, k, l, 1, 1, name=f"Vast{number}").save(tmp_path / f"{number}.py")
        for number, (group, k, l) in enumerate(vast)
    ]
    for said, failure in run_alone(*files):
        assert not failure
        assert "commutes with a random group element" in said


def test_what_a_graph_is_called_stays_text() -> None:
    for backend in ("einsum", "numpy"):
        source = tn.generate(MOLECULE, 1, 1, 1, 1, backend=backend).source
        ast.parse(source)
        assert 'C"' not in source
        assert "Aut(C_O2__)" in source
    evil = networkx.Graph([(0, 1)], name='"""\nimport os\n')
    code = tn.generate(tn.Aut(evil), 1, 1, 1, 1)
    assert "\nimport os" not in code.source
    assert "Aut(____import os_)" in code.source
    assert code.name == "AutimportosLinear1To1"


def test_options_that_cannot_be_written_are_refused() -> None:
    with pytest.raises(BackendError, match="numbers that a machine finds for itself"):
        tn.generate(tn.S(4), 2, 2, 1, 1, lowering="isotypic")
    with pytest.raises(ValueError, match="which needs a group such as S\\(5\\)"):
        tn.generate(tn.S(), 2, 2, 1, 1, lowering="dense")
    with pytest.raises(ValueError, match="have weights for diagrams, not for orbits"):
        tn.generate(tn.S(4), 2, 2, 1, 1, basis="orbit")
    with pytest.raises(ValueError, match="they have no lowering 'dense'"):
        tn.generate(PETERSEN, 1, 1, 1, 1, lowering="dense")
    with pytest.raises(BackendError, match=r"layers for Aut\(Petersen Graph\) run in PyTorch"):
        tn.generate(PETERSEN, 1, 1, 1, 1, backend="cpp")
    with pytest.raises(BackendError, match="too many for a file"):
        tn.generate(PETERSEN, 2, 2, 128, 128, basis="orbit", backend="numpy")
    with pytest.raises(BackendError, match="a determinant vertex with 9 legs has 9\\^9 entries"):
        tn.generate(tn.SO(9), 4, 5, 1, 1, backend="jax")
    with pytest.raises(ValueError, match="dtype must be one of float16, bfloat16"):
        tn.generate(tn.S(4), 2, 2, 1, 1, dtype="int8")  # type: ignore[arg-type]
    with pytest.raises(BackendError, match="NumPy has no bfloat16"):
        tn.generate(tn.S(4), 2, 2, 1, 1, backend="numpy", dtype="bfloat16")
    with pytest.raises(BackendError, match="backend 'numpy' writes files, and runs no layers"):
        EquivariantLinear(tn.S(4), 2, 2, 1, 1, backend="numpy")


def test_parameters_have_the_dtype_that_was_asked_for() -> None:
    assert tn.generate(tn.S(3), 1, 1, 1, 1, dtype="float64").load()().weight.dtype == torch.float64
    assert tn.generate(tn.S(3), 1, 1, 1, 1).load()().weight.dtype == torch.float32
    made = tn.generate(tn.S(3), 1, 1, 1, 1, backend="numpy", dtype="float32").load()
    assert made().weight.dtype == np.float32


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
        "x" * 61,
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
