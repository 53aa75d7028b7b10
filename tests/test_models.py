"""Networks from descriptions: one file that trains, checks itself, and refuses what does not commute."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tannaka as tn
from tannaka.codegen.description import (
    Gate,
    Linear,
    Model,
    NormActivation,
    model,
    read_description,
)
from tannaka.codegen.models import GeneratedNetwork, generate_network
from tannaka.codegen.modules.blocks import real_entries
from tannaka.codegen.standalone.joined import renamed
from tannaka.diagrams.errors import BackendError, DescriptionError
from tannaka.nn import EquivariantLinear


def linear(order: Any, channels: int, **options: Any) -> dict[str, Any]:
    return {"linear": {"order": order, "channels": channels, **options}}


def described(group: str, order: Any, channels: int, *layers: Any) -> dict[str, Any]:
    given = {"order": order, "channels": channels}
    layers = tuple({"activation": one} if isinstance(one, str) else one for one in layers)
    return {"name": "Net", "group": group, "input": given, "layers": list(layers)}


def norm(function: str, **options: Any) -> dict[str, Any]:
    return {"norm_activation": {"function": function, **options}}


def gate(function: str, **options: Any) -> dict[str, Any]:
    return {"gate": {"function": function, **options}}


NETWORKS = {
    "graphs": described(
        "S()", 2, 1, linear(2, 4), "relu", linear(2, 4), "relu", linear(0, 3), "silu", linear(0, 1)
    ),
    "points": described(
        "S()", 1, 2, linear(1, 4, reduce="sum"), "sigmoid", linear(2, 3), "softplus"
    ),
    "fixed": described("S(4)", 0, 2, linear(1, 4), "gelu", linear(2, 3, bias=False)),
    "vectors": described("O(3)", 1, 1, linear(3, 2), linear(1, 2), linear(1, 2)),
    "scalars": described("SO(3)", 2, 1, linear(0, 4), "tanh", linear(0, 2)),
    "forms": described("Sp(4)", 2, 1, linear(2, 3), linear(2, 3), linear(0, 2), "elu"),
    "even": described("A(4)", 1, 1, linear(2, 2), "relu", linear(1, 2)),
    "cloud": described("S(3)*O(2)", [0, 1, 1], 1, linear([0, 1, 1], 2), linear([0, 0], 2), "relu"),
    "lengths": described(
        "O(3)",
        1,
        2,
        linear(1, 4),
        {"norm_activation": "sigmoid"},
        linear(3, 2),
        norm("tanh"),
        linear(1, 1),
    ),
    "gates": described("SO(3)", 2, 2, gate("silu"), linear(2, 3), gate("sigmoid"), linear(1, 2)),
    "symplectic": described("Sp(4)", 2, 1, linear(2, 3), {"gate": "tanh"}),
    "signs": described("H(3)", 1, 1, linear(3, 2), "tanh", linear(1, 2), norm("relu", each=1)),
    "molecules": described(
        "S() * O(2)",
        [0, 1, 1],
        1,
        linear([0, 1, 1], 4),
        norm("silu", each=[0]),
        linear([0, 0, 1, 1], 2),
        norm("softplus", each=[0, 0]),
        gate("sigmoid", scalars=[0]),
        norm("tanh"),
        linear([0, 1, 1], 2),
        gate("gelu"),
    ),
    "edges": described(
        "S()", 2, 1, norm("relu", each=1), linear(2, 2), "sigmoid", gate("tanh", scalars=1)
    ),
    "raw": described("S()", 1, 2, "sigmoid", gate("relu"), linear(1, 1), "softplus", gate("celu")),
    "legs": described("SO(1)", 2, 1, linear(1, 1, reduce="sum"), norm("tanh"), linear(1, 1)),
    "flat": described("S(3)", 1, 1, *[linear(0, 1), "relu"] * 4),
    "dead": described("S()", 1, 1, gate("relu"), linear(2, 3), "relu", linear(0, 1), "relu"),
    "long": {**described("O(3)", 1, 1, norm("tanh"), linear(1, 1)), "name": "N" * 53},
    "one layer": described("S(5)", 2, 1, linear(2, 3)),
    "twins": described("S(5)", 2, 2, linear(2, 2), "relu", linear(2, 2), "relu", linear(2, 2)),
}


MASKED = ("graphs", "points", "molecules", "edges", "raw", "dead")


def written(name: str, backend: str = "auto") -> GeneratedNetwork:
    return generate_network(NETWORKS[name], backend=backend)


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (path.parent / "tannaka.py").write_text("raise ImportError")
    command = [sys.executable, str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent)


EACH = """
import contextlib, io, json, runpy, sys
found = {}
for path in sys.argv[1:]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(path, run_name="__main__")
    except BaseException as error:
        said.write(repr(error))
    found[path] = said.getvalue()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def self_checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the files of all networks print, run one after the other by a Python without tannaka."""
    folder = tmp_path_factory.mktemp("networks")
    paths = [written(name).save(folder / f"{name}.py") for name in NETWORKS]
    (folder / "every.py").write_text(EACH)
    done = run(folder / "every.py", *(path.name for path in paths))
    assert done.returncode == 0, done.stdout + done.stderr
    return {Path(path).stem: said for path, said in json.loads(done.stdout).items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_check_themselves_where_there_is_no_tannaka(
    name: str, self_checks: dict[str, str]
) -> None:
    said = self_checks[name].splitlines()
    ends = ["the network commutes with a random group element: relative error"]
    if name in MASKED:
        order = written(name).load().out_order
        zeros = ["the network leaves 0 there: "] if order not in (0, ()) else []
        ends = ["the network does not see padding: ", *zeros, *ends]
    for line, start in zip(said[-len(ends) :], ends, strict=True):
        assert line.startswith(start), self_checks[name]


def test_networks_in_triton_kernels_check_themselves(tmp_path: Path) -> None:
    pytest.importorskip("triton")
    done = run(written("twins", "triton").save(tmp_path / "net.py"))
    assert done.returncode == 0, done.stdout + done.stderr


def module(group: tn.Group, step: Any, order: Any, channels: int) -> Any:
    """What tannaka has for a step that features of this order reach."""
    if isinstance(step, Linear):
        options: Any = {"bias": step.bias, "reduce": step.reduce, "backend": "einsum"}
        return EquivariantLinear(
            group, step.k, step.l, step.in_channels, step.out_channels, **options
        )
    if isinstance(step, NormActivation):
        return tn.nn.NormActivation(group, order, channels, step.name, each=step.each)
    if isinstance(step, Gate):
        return tn.nn.Gate(group, order, channels, step.name, scalars=step.linear.l)
    return tn.nn.Pointwise(group, order, channels, step.name)


def blocks(described: Model, network: Any, x: Any, mask: Any = None) -> Any:
    """The same by the modules of tannaka, with the weights of the network."""
    linears = norms = 0
    first = described.linears[0]
    order, channels = first.k, first.in_channels
    group = described.group

    def loaded(step: Any, name: str) -> Any:
        made = module(group, step, order, channels).double()
        made.load_state_dict(getattr(network, name).state_dict())
        return made

    for step in described.steps:
        if isinstance(step, Linear | Gate):
            linears += 1
            linear = step.linear if isinstance(step, Gate) else step
            layer = loaded(linear, f"linear{linears}")
            made = layer(x, mask=mask) if mask is not None else layer(x)
            if isinstance(step, Gate):
                made = module(group, step, order, channels)(x, made)
            else:
                order, channels = step.l, step.out_channels
        elif isinstance(step, NormActivation):
            norms += 1
            made = loaded(step, f"norm{norms}")(x, mask)
        else:
            made = module(group, step, order, channels)(x)
        x = made
    return x


def drawn(name: str) -> tuple[Model, Any, Any]:
    """A network with random parameters, and inputs for it."""
    described = model(NETWORKS[name])
    network = written(name).load()(dtype=torch.float64)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    first = described.linears[0]
    typed = isinstance(first.k, tuple)
    n: Any = described.group.n if typed else [described.group.n]
    shape = [4 if n[kind] is None else n[kind] for kind in (first.k if typed else (0,) * first.k)]
    return described, network, torch.randn(2, *shape, first.in_channels, dtype=torch.float64)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_its_modules_one_after_the_other(name: str) -> None:
    described, network, x = drawn(name)
    torch.testing.assert_close(network(x), blocks(described, network, x))


@pytest.mark.parametrize("name", MASKED)
def test_a_mask_hides_padding_in_all_layers(name: str) -> None:
    described, network, x = drawn(name)
    mask = torch.tensor([[True] * 4, [True, False, True, False]])
    real = tn.nn.Features(described.group, network.in_order, network.in_channels)
    padded = x.where(real_entries(mask, x, real), torch.nan).requires_grad_()
    y = network(padded, mask)
    out = tn.nn.Features(described.group, network.out_order, network.out_channels)
    y.square().sum().backward()
    # What is padded does not matter; outputs and gradients are 0 there.
    assert not y.masked_select(~real_entries(mask, y, out)).any()
    assert not padded.grad.masked_select(~real_entries(mask, x, real)).any()
    places = mask[1].nonzero()[:, 0]

    def taken(one: Any, order: Any) -> Any:
        types = order if isinstance(order, tuple) else (0,) * order
        for axis, kind in enumerate(types):
            one = one.index_select(axis, places) if kind == 0 else one
        return one

    few = taken(x[1], network.in_order).requires_grad_()
    wanted = network(few)
    wanted.square().sum().backward()
    torch.testing.assert_close(taken(y[1], network.out_order), wanted)
    torch.testing.assert_close(taken(padded.grad[1], network.in_order), few.grad)
    torch.testing.assert_close(network(x[0]), y[0])


def test_spoiled_networks_fail(tmp_path: Path) -> None:
    source = written("fixed").source
    spoiled = {
        "an activation that does not commute": source.replace(
            "nn.functional.gelu(x)", "torch.cumsum(x, -2)"
        ),
        "a layer of the other": source.replace("m0.add_(", "m0.sub_(", 1),
        "a network that is 0": source.replace(
            "y: Tensor = self.linear2(x)", "y: Tensor = 0 * self.linear2(x)"
        ),
    }
    for what, text in spoiled.items():
        assert text != source, what
        path = tmp_path / "net.py"
        path.write_text(text)
        assert run(path).returncode == 1, what


SPOILED = {
    "molecules": [
        ("self.norm3(x, None if mask is None else real(mask, WORD_IN_3))", "self.norm3(x)"),
        ("if over and real is None", "if over"),
        ("s = self.linear3(x, mask)", "s = self.linear3(x)"),
    ],
    "raw": [("self.linear1(x, mask)", "self.linear1(x)"), ("linear2(x, mask)", "linear2(x)")],
    "dead": [("self.linear3(x, mask)", "self.linear3(x)")],
}


@pytest.mark.parametrize("name", SPOILED)
def test_networks_that_see_padding_fail(name: str) -> None:
    for right, wrong in SPOILED[name]:
        code = written(name)
        assert right in code.source
        text = code.source.replace(right, wrong)
        # The layers are checked elsewhere.
        text = re.sub(r"^    check_\d+\(\)\n", "", text, flags=re.MULTILINE)
        spoiled = replace(code, source=text).load()
        with pytest.raises(SystemExit, match="does not see padding"):
            sys.modules[spoiled.__module__].check()


@pytest.mark.parametrize("name", NETWORKS)
def test_text_is_as_formatters_and_checkers_leave_it(name: str, tmp_path: Path) -> None:
    path = written(name).save(tmp_path / "net.py")
    ruff = [sys.executable, "-m", "ruff"]
    for command in (
        ["format", "--check"],
        ["check", "--select", "E,F,I,B,UP", "--ignore", "E501"],
    ):
        done = subprocess.run(
            [*ruff, *command, "--isolated", "--line-length", "100", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert written(name).source == path.read_text()


@pytest.mark.deep
def test_networks_are_typed(tmp_path: Path) -> None:
    paths = [written(name).save(tmp_path / f"net{n}.py") for n, name in enumerate(NETWORKS)]
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11"]
    mypy = subprocess.run(
        [*command, "--cache-dir", tmp_path, *paths], capture_output=True, text=True, check=False
    )
    assert mypy.returncode == 0, mypy.stdout


def test_what_layers_share_stands_once() -> None:
    source = written("twins").source
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    assert len(names) == len(set(names))
    # The layers are equal, but for the names of their classes.
    assert "apply" in names
    assert "apply_1" not in names
    source = written("graphs").source
    assert source.count("def matrix(") == 1
    assert "def apply_1(" in source
    assert "def apply_4(" in source


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("def g(f):\n    return f + h.f\n", "def g(f):\n    return f + h.f\n"),
        ("def g():\n    f = 1\n    return f\n", "def g():\n    f = 1\n    return f\n"),
        ("def g(x=f):\n    return f(f=x)\n", "def g(x=new):\n    return new(f=x)\n"),
        ("@f\ndef g(x: f) -> f: ...\n", "@new\ndef g(x: new) -> new: ...\n"),
        ('def g():\n    return f"{f!r} f {f.f}"\n', 'def g():\n    return f"{new!r} f {new.f}"\n'),
        ("class C:\n    f: int = 0\n    def g(self): return f\n",) * 1
        + ("class C:\n    f: int = 0\n    def g(self): return new\n",),
        ("y = [f for f in f]\n", "y = [f for f in f]\n"),
        ("z = lambda f: f + f\n", "z = lambda f: f + f\n"),
        ('s = """f"""  # f\n', 's = """f"""  # f\n'),
    ],
)
def test_renaming_keeps_to_the_names_of_the_file(text: str, changed: str) -> None:
    assert renamed(text, {"f": "new"}) == changed


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "the description must say group, input, layers, name"),
    ({**NETWORKS["fixed"], "colour": 1}, "there is no 'colour'"),
    ({**NETWORKS["fixed"], "name": "x; import os"}, "plain Python identifier"),
    ({**NETWORKS["fixed"], "name": "class"}, "plain Python identifier"),
    ({**NETWORKS["fixed"], "name": "Tensor"}, "another meaning in the file"),
    ({**NETWORKS["fixed"], "name": "check"}, "another meaning in the file"),
    ({**NETWORKS["fixed"], "name": "DIAGRAMS_2"}, "another meaning in the file"),
    ({**NETWORKS["fixed"], "name": "print"}, "another meaning in the file"),
    ({**NETWORKS["fixed"], "group": 5}, "group must be text"),
    ({**NETWORKS["fixed"], "layers": []}, "layers must be a list"),
    ({**NETWORKS["fixed"], "layers": "relu"}, "layers must be a list"),
    (described("S(4)", 1, 1, "relu"), "layers must have a linear one"),
    (described("S(4)", -1, 1, linear(1, 1)), "input: order must be"),
    (described("S(4)", True, 1, linear(1, 1)), "input: order must be"),
    (described("S(4)", 1, 0, linear(1, 1)), "input: channels must be"),
    (described("S(4)", 1, 1, linear(1, 1.5)), "layer 1: channels must be"),  # type: ignore[arg-type]
    (described("S(4)", 1, 1, linear(1, 1, bias="no")), "layer 1: bias must be"),
    (described("S(4)", 1, 1, linear(1, 1, reduce="max")), "layer 1: reduce must be"),
    (described("S(4)", 1, 1, linear(1, 1, stride=2)), "layer 1: there is no 'stride'"),
    (described("S(4)", 1, 1, linear(1, 1), "relu6"), "layer 2: activation must be one of"),
    (described("S(4)", 1, 1, linear(1, 1), {"pool": 2}), "layer 2: there is no 'pool'"),
    (described("S(4)", 1, 1, linear(1, 1), {"a": 1, "b": 2}), "layer 2 must be one of"),
    (described("O(3)", 1, 1, linear(1, 1), "relu"), "layer 2: relu .* does not commute: O"),
    (described("Sp(4)", 1, 1, linear(1, 1), norm("relu")), "norm_.* Sp.* not keep .* take gate"),
    (described("O(3)", 2, 1, linear(2, 1), norm("relu", each=1)), "O.* no lengths of their own"),
    (described("S(4)", 1, 1, linear(1, 1), norm("relu", each=2)), "axes of each are the first of"),
    (described("S(4)", 1, 1, linear(1, 1), norm("relu", each=[0])), "each: .* not a list"),
    (described("S(4)", [0], 1, linear(1, 1)), "input: order must be .* not a list, which is for"),
    (described("S(4)", 10**30, 1, linear(1, 1)), "input: order is an order, .* at most 100,000"),
    (described("S(4)", 1, 1, linear(10**30, 1), "relu"), "layer 1: order .* at most 100,000"),
    (described("S(4)", 1, 10**400, linear(1, 1)), "input: channels must be .* less than"),
    (described("S(4)*O(2)", 1, 1, linear(1, 1)), "input: order must be a list .* from 0 to 1"),
    (described("S(4)*O(2)", [0], 1, linear([2], 1), "relu"), "layer 1: order .* from 0 to 1"),
    (described("S(4)", 1, 1, ["x" * 500] * 50), "^layer 1 must be one of .{99,700}$"),
    (described("S(4)", 1, 1, linear(1, 1), norm("relu", each=-1)), "layer 2: each: order must be"),
    (described("S(4)", 1, 1, linear(1, 1), norm("cos")), "norm_activation must be one of celu"),
    (described("S(4)", 1, 1, linear(1, 1), norm("relu", scalars=1)), "there is no 'scalars'"),
    (described("S(4)", 1, 1, linear(1, 1), {"norm_activation": {}}), "must say function"),
    (described("S(4)", 1, 1, linear(1, 1), {"norm_activation": 5}), "must be one of celu"),
    (described("O(3)", 1, 1, linear(1, 1), gate("relu")), "of a gate: none but 0 makes scalars"),
    (described("O(3)", 1, 1, linear(1, 1), gate("relu", scalars=1)), "gates of order 1 do not"),
    (described("H(3)", 1, 1, linear(1, 1), gate("tanh", scalars=1)), "gates of order 1 do not"),
    (described("S(4)", 1, 1, linear(1, 1), gate("relu", each=1)), "there is no 'each'"),
    ({**NETWORKS["lengths"], "name": "NormActivation"}, "another meaning in the file"),
    (described("SO(3)", 1, 1, "tanh", linear(1, 1)), "layer 1: tanh .* does not commute: SO"),
    (described("Sp(4)", 2, 1, linear(2, 1), "silu"), "layer 2: silu .* does not commute: Sp"),
    (
        described("S(3)*O(2)", [0, 1], 1, linear([0, 1], 1), "relu"),
        "relu .* does not commute: O.* along axis 1 of order",
    ),
    (described("O(3)", 1, 1, linear(2, 1)), "linear layer 1: no map from order 1 to 2 but 0"),
    (described("S()", 1, 1, linear(0, 1), linear(1, 1)), "its input does not say what n is"),
]


@pytest.mark.parametrize(("description", "message"), BAD)
def test_bad_descriptions_are_refused(description: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate_network(description)


def test_networks_are_for_pytorch() -> None:
    with pytest.raises(BackendError, match="networks are written for PyTorch"):
        written("fixed", "numpy")
    with pytest.raises(BackendError, match="networks are written for PyTorch"):
        written("fixed", "cuda")


def test_descriptions_are_read_from_files(tmp_path: Path) -> None:
    wanted = NETWORKS["one layer"]
    (tmp_path / "net.json").write_text(json.dumps(wanted))
    (tmp_path / "net.toml").write_text(
        'name = "Net"\ngroup = "S(5)"\ninput = {order = 2, channels = 1}\n'
        "layers = [{linear = {order = 2, channels = 3}}]\n"
    )
    assert read_description(tmp_path / "net.json") == wanted
    assert read_description(tmp_path / "net.toml") == wanted
    assert tn.generate_network(tmp_path / "net.toml").source == written("one layer").source
    for name, text, message in (
        ("bad.toml", "name = ", "is not TOML"),
        ("bad.json", "{", "is not JSON"),
        ("deep.json", "[" * 100_000, "is not JSON: .*recursion"),
        ("list.json", "[]", "a description is a table"),
        ("net.txt", "", "ends in .toml"),
        ("twice.json", '{"a": {"linear": 1, "linear": 2}}', "a table says 'linear' twice"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(DescriptionError, match=message):
            read_description(tmp_path / name)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DescriptionError, match=r"is not JSON: .*decode"):
        read_description(tmp_path / "bytes.json")
    with pytest.raises(TypeError, match="a mapping or the path of a file, got 5"):
        tn.generate_network(5)  # type: ignore[arg-type]


def test_descriptions_are_read_from_yaml(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (tmp_path / "net.yaml").write_text(
        "name: Net\ngroup: S(5)\ninput: {order: 2, channels: 1}\n"
        "layers:\n  - linear: {order: 2, channels: 3}\n"
    )
    assert read_description(tmp_path / "net.yaml") == NETWORKS["one layer"]
    (tmp_path / "alias.yaml").write_text("a: &a {b: 1, c: *a}\nd: {<<: *a, b: 2}\n")
    assert read_description(tmp_path / "alias.yaml")["d"]["b"] == 2
    for text, message in (
        ("a: [", "is not YAML"),
        ("layers:\n  - linear: 1\n    linear: 2\n", "is not YAML: a table says 'linear' twice"),
        ("a: !!int ''", "is not YAML: a value is not of the type of its tag"),
        ("a: !!timestamp x", "is not YAML: a value is not of the type of its tag"),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(DescriptionError, match=message):
            read_description(tmp_path / "bad.yaml")


def test_the_same_description_gives_the_same_bytes() -> None:
    assert written("graphs").source == written("graphs").source
