"""What each command says, on success and on failure; how commands end is in test_cli_conduct.py."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.testing import assert_array_equal

import tannaka as tn
from tannaka.cli import diagnosis, main
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import Plan
from tannaka.diagrams.reading import diagram_from_json, sum_from_json


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=given)


def answer(*arguments: str, given: str | None = None) -> Any:
    """The one JSON document that a command prints."""
    result = run(*arguments, "--json", given=given)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# dim


@pytest.mark.parametrize("name", ["S(5)xO(3)", "S5xO3", "S(5) x O(3)", "S5 * O3"])
def test_dim_counts_and_groups_need_no_quotes(name: str) -> None:
    assert run("dim", name, "0,1", "0,1").output == "2\n"
    wanted = {"group": "S(5) x O(3)", "k": [0, 1], "l": [0, 1], "dimension": 2, "diagrams": 2}
    assert answer("dim", name, "0,1", "0,1") == wanted


def test_dim_takes_families_axes_and_any_size() -> None:
    assert run("dim", "S()", "2", "2").output == run("dim", "S(n)", "2", "2").output == "15\n"
    assert run("dim", "S5xO3", "0,", ",").output == "1\n"
    assert len(run("dim", "S(10000)", "1000", "1000").output) > 4300
    assert answer("dim", "S2", "2", "2") | {"group": ""} == {
        "group": "",
        "k": 2,
        "l": 2,
        "dimension": 8,
        "diagrams": 15,
    }


# basis


def test_basis_is_a_table_of_pictures_formulas_and_costs() -> None:
    lines = run("basis", "O3", "2", "2").output.splitlines()
    assert lines[0] == "Hom(O(3), 2, 2): dimension 3"
    # The identity: 9 numbers times one weight, added up; 9 read, 9 written, the weight.
    assert re.fullmatch(r" +1  0 2 \| 1 3  0 1 +y\[ij\] \+= x\[ij\] +18 +76", lines[8])
    drawing = tn.Hom(tn.O(3), 2, 2).basis()[2].text().splitlines()
    for drawn, line in zip(drawing, lines[12:16], strict=True):
        assert drawn.strip() in line
    short = run("basis", "O3", "2", "2", "--no-pictures").output.splitlines()
    assert len(short) == 3 + 3
    assert "picture" not in short[2]


def test_basis_of_a_family_costs_formulas_in_n_and_an_empty_one_is_said() -> None:
    assert "4*n**2 + 12*n + 4" in run("basis", "S()", "2", "1").output
    assert run("basis", "O3", "2", "1").output == "Hom(O(3), 2, 1): dimension 0\n"
    assert answer("basis", "O3", "2", "1")["basis"] == []


@pytest.mark.parametrize(
    ("name", "k", "l"),
    [
        ("S4", "2", "1"),
        ("Sp4", "2", "2"),
        ("SO3", "2", "3"),
        ("A3", "1", "2"),
        ("S3xSO2", "0,1", "1,1"),
    ],
)
def test_basis_as_json_reads_back(name: str, k: str, l: str) -> None:
    found = answer("basis", name, k, l)
    group = tn.group(name)
    hom = tn.Hom(group, found["k"], found["l"])
    assert found["dimension"] == hom.dimension == len(found["basis"])
    assert [diagram_from_json(row) for row in found["basis"]] == list(hom.basis())
    assert [row["number"] for row in found["basis"]] == list(range(hom.dimension))
    assert all(row["flops"] >= 0 and row["bytes"] > 0 and row["formula"] for row in found["basis"])
    first = answer("basis", name, k, l, "--limit", "1")
    assert first["basis"] == found["basis"][:1]
    assert first["dimension"] == hom.dimension


def test_the_orbit_basis_is_listed_and_drawn(tmp_path: Path) -> None:
    assert run("basis", "S3", "1", "1", "--orbit").output.splitlines()[-1] == (
        "  1  -(0 1) + (0 | 1)"
    )
    rows = answer("basis", "S3", "1", "1", "--orbit")["basis"]
    assert [sum_from_json(row) for row in rows] == list(tn.Hom(tn.S(3), 1, 1).orbit_basis())
    target = tmp_path / "orbits.svg"
    assert run("basis", "S3", "1", "1", "--orbit", "--svg", str(target)).exit_code == 0
    assert target.read_text() == tn.Hom(tn.S(3), 1, 1).svg("orbit")
    assert "no permutation group" in run("basis", "O3", "1", "1", "--orbit").output


def test_basis_prints_tikz_and_latex() -> None:
    document = run("basis", "O3", "2", "2", "--latex").output
    assert document.startswith("\\documentclass")
    pictures = run("basis", "O3", "2", "2", "--tikz").output
    assert pictures.startswith("% 0: 0 1 | 2 3\n\\begin{tikzpicture}")
    assert document.count("\\begin{tikzpicture}") == pictures.count("\\begin{tikzpicture}") == 3


def test_basis_is_drawn_in_one_file_or_in_a_folder(tmp_path: Path) -> None:
    single, folder = tmp_path / "basis.svg", tmp_path / "basis"
    assert run("basis", "S5", "2", "2", "--svg", str(single)).exit_code == 0
    hom = tn.Hom(tn.S(5), 2, 2)
    assert single.read_text() == hom.svg()
    assert run("basis", "S5", "2", "2", "--svg", str(folder)).exit_code == 0
    names = [f"{number:02}.svg" for number in range(15)]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name, diagram in zip(names, hom.basis(), strict=True):
        assert (folder / name).read_text() == diagram.svg()
    (folder / "mine.txt").write_text("kept")
    (folder / "03.svg").write_text("old")
    refused = run("basis", "S5", "2", "2", "--svg", str(folder))
    assert (refused.exit_code, (folder / "03.svg").read_text()) == (2, "old")
    assert run("basis", "S5", "2", "2", "--svg", str(folder), "--force").exit_code == 0
    assert (folder / "03.svg").read_text() == hom.basis()[3].svg()
    assert sorted(path.name for path in folder.iterdir()) == [*names, "mine.txt"]


class Page(HTMLParser):
    """What a browser without scripts makes of a page: its figures, and all that it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.figures: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "figure":
            self.figures.append(found["id"] or "")
        self.links += [found[name] or "" for name in ("src", "href", "xlink:href") if name in found]


@pytest.mark.parametrize(("k", "l"), [("1", "1"), ("2", "4"), ("4", "4")])
def test_the_page_holds_every_diagram_and_asks_no_network(k: str, l: str, tmp_path: Path) -> None:
    target = tmp_path / "basis.html"
    result = run("basis", "S8", k, l, "--html", str(target))
    assert result.exit_code == 0, result.output
    text = target.read_text()
    page = Page(text)
    basis = tn.Hom(tn.S(8), int(k), int(l)).basis()
    assert page.figures == [str(i) for i in range(len(basis) if len(basis) <= 250 else 200)]
    assert all(link.startswith("#") for link in page.links)
    assert "default-src 'none'" in text
    assert "//" not in re.sub("http://www.w3.org/2000/svg|^ *//.*$", "", text, flags=re.M)
    assert "prefers-color-scheme: dark" in text
    cards = [line for line in text.splitlines() if line.startswith("<figure")]
    assert len(cards) == len(basis)
    for number, (card, diagram) in enumerate(zip(cards, basis, strict=True)):
        assert card.startswith(f'<figure id="{number}">')
        if number % 100 == 0:
            parsed = ET.fromstring(card)
            assert parsed.findtext("figcaption/code") == str(diagram)
            title = parsed.findtext(
                "div/{http://www.w3.org/2000/svg}svg/{http://www.w3.org/2000/svg}title"
            )
            assert title is not None
            assert title.endswith(f": {diagram}")


@pytest.mark.parametrize(
    ("options", "most"),
    [
        (("--html", "x.html"), "20,000"),
        (("--svg", "x.svg"), "1,000"),
        (("--svg", "x"), "20,000"),
        (("--json",), "10,000,000"),
        (("--latex",), "1,000"),
        (("--tikz",), "10,000,000"),
    ],
)
def test_hopeless_sizes_are_refused_with_the_number_and_the_way_out(
    options: tuple[str, ...], most: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = run("basis", "S50", "12", "12", *options)
    assert refused.exit_code == 2
    assert "dimension 445,958,869,294,805,289: too many diagrams" in refused.output
    assert f"--limit {most.replace(',', '')} takes the first" in refused.output
    assert list(tmp_path.iterdir()) == []
    assert run("basis", "S50", "12", "12", *options, "--limit", "2").exit_code == 0


def test_large_bases_are_shown_in_part_and_counted_whole() -> None:
    result = run("basis", "S50", "12", "12", "--limit", "2")
    assert "the first 2 of 445,958,869,294,805,289; --limit shows more" in result.output
    assert run("basis", "O1", "30", "30").output.startswith("Hom(O(1), 30, 30): dimension 1\n")


# compose and simplify


COMPOSABLE = [
    ("O3", "2->2: 0 1 | 2 3", "2->2: 0 1 | 2 3"),
    ("O1", "2->2: 0 1 | 2 3", "2->2: #0"),
    ("Sp4", "2->2: 0 1 | 2 3", "2->2: 0 3 | 1 2"),
    ("Sp2", "0->2: 0 1", "2->0: 0 1"),
    ("S2", "2->2: 0 | 1 | 2 | 3", "2->2: 0 1 | 2 | 3"),
    ("SO3", "2->1: [0 1 2]", "1->2: [0 1 2]"),
    ("SO3", "2->1: [0 1 2]", "1->1: 0 1"),
    ("A2", "1->1: 0 | 1 [0 1]", "1->1: 0 1 [0 _]"),
    ("S3xO2", "0,1->0,1: 0 2 || 1 3", "0,1->0,: 0 | 1 || 2"),
    ("S3xO2", "1,1->0,: 0 || 1 2", "0,->1,1: 2 || 0 1"),
    ("S5", "2->1: 2 (0 1 2) - 1/2 (0 | 1 2)", "1->1: (n - 1) (0 1) + n^2 (0 | 1)"),
]


@pytest.mark.parametrize(("name", "f", "g"), COMPOSABLE)
def test_compose_multiplies_matrices(name: str, f: str, g: str, tmp_path: Path) -> None:
    if name == "S3xO2" and f.startswith("0,1"):
        g = "0,1->0,: 0 1 || 2" if "0 1 || 2" in g else "0,1->0,1: 0 | 2 || 1 3"
    group = tn.group(name)
    matrices = [group.matrix(sum_from_json(answer("simplify", name, one))) for one in (f, g)]
    found = answer("compose", name, f, g)
    product = sum_from_json(found)
    assert_array_equal(group.matrix(product), matrices[1] @ matrices[0])
    # In the basis, and the same map as the formal sum.
    hom = tn.Hom(group, product.dom, product.cod)
    assert all(diagram in hom.independent for diagram in product.diagrams())
    assert group.morphism(sum_from_json(found["formal"])) == product
    shown = run("compose", name, f, g)
    assert f"in {group}, where a loop is worth" in shown.output
    assert found["text"] in shown.output
    target = tmp_path / "product.svg"
    assert run("compose", name, f, g, "--svg", str(target)).exit_code == 0
    assert target.read_text() == product.svg()


def test_compose_says_loops_and_steps() -> None:
    f = "2->2: 0 1 | 2 3"
    lines = run("compose", "O3", f, f).output.splitlines()
    assert lines[:2] == [
        "(0 1 | 2 3) >> (0 1 | 2 3) = n (0 1 | 2 3)",
        "in O(3), where a loop is worth 3: 3 (0 1 | 2 3)",
    ]
    steps = run("compose", "O3", f, f, "--steps").output
    e = tn.Brauer(2, 2, ((0, 1), (2, 3)))
    assert tn.compose_steps(e, e).text() in steps
    assert "2. 3 components, of which 1 closes in the middle\n" in steps
    assert "\n4. in O(3), where a loop is worth 3: 3 (0 1 | 2 3)\n" in steps
    sp = run("compose", "Sp4", f, f).output
    assert "where a loop is worth -4: -4 (0 1 | 2 3)" in sp
    assert run("compose", "S()", "0->1: 0", "1->0: 0").output.startswith("(0) >> (0) = n (∅)\n")


def test_steps_are_drawn(tmp_path: Path) -> None:
    target = tmp_path / "steps.svg"
    f, g = "2->1: [0 1 2]", "1->2: [0 1 2]"
    assert run("compose", "SO3", f, g, "--steps", "--svg", str(target)).exit_code == 0
    first, second = tn.Grood(2, 1, (0, 1, 2), ()), tn.Grood(1, 2, (0, 1, 2), ())
    assert target.read_text() == tn.compose_steps(first, second).svg()


def test_commands_read_what_others_print(tmp_path: Path) -> None:
    printed = run("compose", "O3", "2->2: #0", "2->2: #0", "--json").stdout
    assert run("simplify", "O1", "-", given=printed).output.startswith(
        "3 (0 1 | 2 3)\nin O(1): 3 (0 3 | 1 2)\n"
    )
    row = answer("basis", "O3", "2", "2")["basis"][2]
    file = tmp_path / "swap.json"
    file.write_text(json.dumps(row))
    assert answer("simplify", "O3", f"@{file}")["text"] == "(0 3 | 1 2)"
    assert answer("simplify", "O3", json.dumps(row))["text"] == "(0 3 | 1 2)"


def test_simplify_writes_dependent_diagrams_in_the_basis(tmp_path: Path) -> None:
    result = run("simplify", "Sp2", "2->2: 0 3 | 1 2", "--svg", str(tmp_path / "x.svg"))
    assert "in Sp(2): -(0 1 | 2 3) - (0 2 | 1 3)\n" in result.output
    assert (tmp_path / "x.svg").read_text().startswith("<svg")
    zero = run("simplify", "O3", "2->2: (0 1 | 2 3) - (0 1 | 2 3)")
    assert zero.output == "0\nin O(3): 0\n\n0\n"


# generate and explain


def test_generate_writes_what_the_library_writes(tmp_path: Path) -> None:
    options = ("--channels", "2", "3", "--no-bias", "--reduce", "sum", "--name", "Mine")
    code = tn.generate(tn.O(3), 2, 2, 2, 3, bias=False, reduce="sum", name="Mine")
    assert run("generate", "O3", "2", "2", *options).output == code.source
    assert run("generate", "O3", "2", "2", *options, "-o", "-").output == code.source
    target = tmp_path / "layer.py"
    done = run("generate", "O3", "2", "2", *options, "-o", str(target))
    assert target.read_text() == code.source
    assert (done.stdout, done.stderr) == (
        "",
        f"wrote Mine to {target}; check it with: python {target}\n",
    )
    found = answer("generate", "O3", "2", "2", *options)
    assert (found["name"], found["source"], found["channels"]) == ("Mine", code.source, [2, 3])
    assert answer("generate", "O3", "2", "2", *options, "-o", str(target), "--force")[
        "file"
    ] == str(target)


def test_generate_explains_beside_the_code() -> None:
    result = run("generate", "S5", "2", "1", "--explain")
    code = tn.generate(tn.S(5), 2, 1, 1, 1)
    assert result.stdout == code.source
    assert str(code.plan) in result.stderr
    assert re.search(r"^factored +[\d,]+ ", result.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    ["x; import os", "a\nimport os", "class", "__init__", "torch", "é", "a.b", "", "x " * 99],
)
def test_names_cannot_inject_code(name: str, tmp_path: Path) -> None:
    target = tmp_path / "layer.py"
    refused = run("generate", "S3", "1", "1", "--name", name, "-o", str(target))
    assert refused.exit_code == 2
    assert len(refused.output.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_explain_prices_the_plan_and_its_alternatives() -> None:
    shown = run("explain", "S34", "2", "1", "--channels", "16", "32", "--batch", "8")
    found = answer("explain", "S34", "2", "1", "--channels", "16", "32", "--batch", "8")
    plan = tn.generate(tn.S(34), 2, 1, 16, 32).plan
    assert isinstance(plan, Plan)
    assert found["plan"] == str(plan)
    assert found["plan"] in shown.output
    cost = plan.cost(n=34, batch=8)
    ways = {way["name"]: way for way in found["lowerings"]}
    assert set(ways) == {"factored", "dense", "isotypic"}
    priced = ways["factored"]
    assert (priced["flops"], priced["bytes"], priced["bytes_alive"]) == (
        cost.flops,
        cost.bytes,
        cost.peak,
    )
    assert "entries to find" in ways["isotypic"]["left_out"]
    assert "left out: " in shown.output
    assert [row["diagram"] for row in found["rows"]] == [
        str(diagram) for diagram in tn.Hom(tn.S(34), 2, 1).basis()
    ]
    one = run("explain", "S34", "2", "1", "--rows", "1").output
    assert one.endswith("4 rows more; --rows lists them\n")
    isotypic = answer("explain", "O3", "3", "3", "--no-bias", "--lowering", "isotypic")
    assert "change of basis" in isotypic["plan"]


def test_explain_prices_a_family_at_any_n() -> None:
    plan = optimise(lower(tn.Hom(tn.S(), 2, 1), 1, 1))
    open_n = answer("explain", "S()", "2", "1")["lowerings"][0]
    at_100 = answer("explain", "S()", "2", "1", "--n", "100", "--batch", "64")["lowerings"][0]
    n = 100
    assert eval(open_n["flops"], {"n": n}) == at_100["flops"]
    assert at_100["flops"] == plan.cost(n=100, batch=64).flops
    assert "--n is not for it" in run("explain", "S5", "2", "1", "--n", "7").output


# verify


def test_generate_then_verify(tmp_path: Path) -> None:
    target = tmp_path / "layer.py"
    code = tn.generate(tn.S(6), 2, 1, 3, 4)
    target.write_text(code.source)
    verified = run("verify", str(target))
    assert verified.exit_code == 0, verified.output
    assert verified.output.count("S6Linear2To1: S(6) 2 -> 1: error") == 2
    assert "compared f(g x) with g f(x) for 8 random g and x" in verified.output
    found = answer("verify", str(target), "--samples", "3", "--dtype", "float32")
    (check,) = found["checks"]
    assert (found["equivariant"], check["samples"], check["dtype"]) == (True, 3, "float32")
    target.write_text(code.source.replace("c1 = x.mean(-2)", "c1 = x.cumsum(-2)[..., 0, :]"))
    spoiled = run("verify", str(target))
    assert spoiled.exit_code == 1
    assert "not equivariant: worst in sample" in spoiled.output
    assert "it does commute with" not in spoiled.output
    images = re.search(r"the permutation of 0..5 with images (\d(?: \d){5})\n", spoiled.output)
    printed = run("verify", str(target), "--json")
    assert printed.exit_code == 1
    worst = json.loads(printed.stdout)["checks"][0]["worst"]
    assert worst["input_shape"] == [2, 6, 6, 3]
    # Multiplying by it moves what stands at j to the image of j.
    moved = np.empty(6)
    assert images is not None
    moved[[int(word) for word in images[1].split()]] = np.arange(6)
    assert_array_equal(np.array(worst["element"]) @ np.arange(6), moved)


def test_verify_checks_files_of_others(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("SCALE = 0.5\n")
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\nfrom torch import nn\nfrom beside import SCALE\nprint('hello')\n"
        "class Deep(nn.Module):\n"
        "    def __init__(self, hidden, wrong=0.0):\n"
        "        super().__init__()\n"
        "        self.a, self.b = nn.Linear(3, hidden), nn.Linear(hidden, 4)\n"
        "        self.wrong = wrong\n"
        "    def forward(self, x):\n"
        "        y = self.b(torch.relu(self.a(x)).sum(-2)) * SCALE\n"
        "        return y + self.wrong * x[..., 0, :1]\n"
    )
    options = ("--group", "S5", "--in", "1", "--out", "0")
    right = run("verify", str(file), *options, "--args", '{"hidden": 7}')
    assert right.exit_code == 0, right.output
    assert "Deep: S(5) 1 -> 0: error" in right.stdout
    assert "hello" in right.stderr
    assert "hello" not in right.stdout
    wrong = run("verify", str(file), *options, "--args", '{"hidden": 7, "wrong": 1}')
    assert wrong.exit_code == 1
    turned = file.with_name("turned.py")
    turned.write_text(
        "from torch import nn\nclass Roll(nn.Module):\n    def forward(self, x):\n        return x + x.roll(1, -2)\n"
    )
    shifts = run("verify", str(turned), "--group", "S5", "--in", "1", "--out", "1")
    assert "\n  it does commute with cyclic shifts\n" in shifts.output
    assert "cannot be built: TypeError" in run("verify", str(file), *options).output
    assert "does not run on an input of shape (2, 5, 9)" in (
        run("verify", str(file), *options, "--args", '{"hidden": 7}', "--channels", "9").output
    )
    assert "say --group, --in and --out" in run("verify", str(file)).output
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "holds no torch module"),
        ("def broken(:\n", "does not run: SyntaxError"),
        ("import nothing_of_this_name\n", "does not run: ModuleNotFoundError"),
        ("import sys; sys.exit(0)\n", "does not run: SystemExit"),
        (
            tn.generate(tn.S(3), 1, 1, 1, 1).source.replace("return apply(", "return aply("),
            r"S3Linear1To1 in .* does not run on an input of shape \(2, 3, 1\): NameError",
        ),
        (
            "from torch import nn\nclass Odd(nn.Module):\n    group = property(lambda self: 1 / 0)\n",
            "Odd in .* does not name its group and orders: ZeroDivisionError",
        ),
        (
            "class Mute(Exception):\n    __str__ = None\nraise Mute\n",
            "does not run: Mute: an error that has no text",
        ),
    ],
    ids=["empty", "syntax", "import", "exit", "forward", "group", "mute"],
)
def test_verify_says_what_is_wrong_with_a_file(text: str, words: str, tmp_path: Path) -> None:
    target = tmp_path / "layer.py"
    target.write_text(text)
    result = run("verify", str(target))
    assert result.exit_code == 2
    assert re.search(words, result.output)
    assert len(result.output.splitlines()) == 1


# doctor, help, completion


def test_doctor_says_which_backends_run_and_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_backends", lambda: [("einsum", "layers"), ("cuda", "layers")])
    found = answer("doctor")
    assert [backend["result"] for backend in found["backends"]] == ["runs", "does not run"]
    assert "there is no backend 'cuda'" in found["backends"][1]["reason"]
    assert found["packages"]["numpy"] == np.__version__
    assert "there is no backend 'cuda'" in run("doctor").output
    monkeypatch.setattr(diagnosis, "_layer", lambda name: "a layer is wrong by 1")
    assert run("doctor").exit_code == 1


def commands() -> dict[str, click.Command]:
    return dict(main.commands)


def test_every_command_has_help_with_examples_and_json() -> None:
    assert run("--help").output == run().output
    for code in ("0    done", "1    the answer is no", "2    the request", "130  interrupted"):
        assert code in run("--help").output
    assert "_TANNAKA_COMPLETE=zsh_source" in run("--help").output
    for name in commands():
        text = run(name, "--help").output
        assert "Example" in text, name
        assert "--json" in text, name
        # Each example stands in its line.
        assert re.search(r"^ +(Example: )?tannaka ", text, re.MULTILINE), name
        assert max(map(len, text.splitlines())) <= 100, name


def examples() -> list[str]:
    """The examples of the help, but for those that read or write files of others, or take long."""
    found = []
    for name, command in commands().items():
        for line in (command.help or "").splitlines():
            line = line.strip()
            if line.startswith("tannaka ") and name not in ("verify", "certify", "bench", "doctor"):
                found.append(line)
    return found


@pytest.mark.parametrize("line", examples())
def test_examples_of_the_help_run(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "triangles.toml").write_text(DESCRIPTION)
    given = None
    for part in line.split(" > ")[0].split(" | tannaka "):
        words = shlex.split(part.removeprefix("tannaka "))
        words = words[: words.index("|")] if words[-2:-1] == ["jq"] else words
        result = run(*words, given=given)
        assert result.exit_code == 0, result.output
        given = result.stdout


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("dim", "S"), {"S2", "S9", "SO3", "Sp4"}),
        (("dim", "S("), {"S(2)", "S(9)"}),
        (("basis", "S3xO"), {"S3xO2", "S3xO3"}),
        (("generate", "S3", "1", "1", "--backend", "e"), {"einsum"}),
        (("generate", "S3", "1", "1", "--reduce", ""), {"mean", "sum"}),
        (("comp",), {"compose"}),
    ],
)
def test_the_shell_completes(words: tuple[str, ...], found: set[str]) -> None:
    environment = {
        "_TANNAKA_COMPLETE": "zsh_complete",
        "COMP_WORDS": shlex.join(["tannaka", *words]),
        "COMP_CWORD": str(len(words)),
    }
    result = CliRunner().invoke(main, env=environment, prog_name="tannaka")
    # Three lines each: what kind it is, the word, what it means.
    offered = result.output.splitlines()[1::3]
    assert found <= set(offered)
    assert all(one.startswith(words[-1]) for one in offered)
    if words[0] == "dim":
        assert all(tn.group(one) for one in offered)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dim", "Q(3)", "1", "1"), "no group is called 'Q(3)'"),
        (("dim", "O()", "1", "1"), "no group is called 'O()'"),
        (("dim", "S(0)", "1", "1"), "got 0"),
        (("dim", "S(3)", "two", "1"), "'two' is not an order"),
        (("dim", "S(3)", "1_0", "1"), "'1_0' is not an order"),
        (("dim", "S(3)", "-1", "1"), "No such option"),
        (("dim", "S(3)", "1"), "Missing argument 'L'"),
        (("dim", "S(3)", "V,V*", "1"), "k must be an order, an integer >= 0, got ('V', 'V*')"),
        (("dim", "S(3)", "1000000", "1"), "at most 100,000"),
        (("dim", "Sp(3)", "1", "1"), "take Sp(2) or Sp(4)"),
        (("dim", "S(3) x O(2)", "0,2", "0"), "k must be a tuple of types 0 to 1"),
        (("nonsense",), "No such command 'nonsense'"),
        (("basis", "S3", "1", "1", "--tikz", "--json"), "choose one of --tikz, --latex and --json"),
        (("basis", "S3", "1", "1", "--orbit", "--html", "x"), "--orbit goes with"),
        (("basis", "S3", "1", "1", "--limit", "-1"), "-1 is not in the range x>=1"),
        (("basis", "S5", "1", "1", "--svg", "/nowhere/all.svg"), "/nowhere: No such file"),
        (("basis", "S5", "1", "1", "--svg", "/nowhere/all"), "/nowhere: No such file"),
        (("basis", "S5", "1", "1", "--html", "."), "Is a directory"),
        (("compose", "S5", "2->2: foo", "2->2: #1"), "'foo' is not a diagram such as"),
        (("compose", "S5", "2->2", "2->2: #1"), "'2->2' is not a diagram such as"),
        (("compose", "S5", "2->1: 0 1 2", "2->2: #1"), "the first has 1 outputs, the second 2"),
        (("compose", "S5", "2->2: #52", "2->2: #1"), "has no row 52"),
        (("compose", "S5", "@/nowhere", "2->2: #1"), "/nowhere: No such file or directory"),
        (("compose", "S5", "{", "2->2: #1"), "Expecting property name"),
        (("compose", "S5", '{"family": "Tree"}', "2->2: #1"), "got 'Tree'"),
        (("compose", "SO3", "2->2: 2 (0 1 | 2 3)", "2->2: #1", "--steps"), "one of these is a sum"),
        (("compose", "SO3", "2->2: #0", "2->2: #1", "--steps", "--json"), "choose one of --steps"),
        (("simplify", "O3", "2->2: 1/0 (0 1 | 2 3)"), "a coefficient is a polynomial"),
        (("simplify", "O3", "1->1: n^999999999 (0 1)"), "a degree of at most 100,000"),
        (("simplify", "O3", '{"a":' * 10**5), "nested too deeply"),
        (("simplify", "O3", '{"terms": [], "dom": -1, "cod": [1]}'), "must be an order"),
        (("compose", "O3", "-", "-"), "not both"),
        (("simplify", "O3", "2->2: m (0 1 | 2 3)"), "is not a sum such as"),
        (("simplify", "O3", "2->1: [0 1 2]"), "has no determinant vertex"),
        (("simplify", "SO4", "2->1: [0 1 2]"), "SO(4)"),
        (("simplify", "S()", "1->1: 0 1"), "S(n) leaves n open"),
        (("generate", "S12", "6", "6"), "at most 250,000; take smaller orders"),
        (("generate", "S5", "1", "1", "-o", "."), "Is a directory"),
        (("generate", "S5", "1", "1", "-o", "/nowhere/layer.py"), "No such file or directory"),
        (("generate", "S5", "1", "1", "-o", "/dev/null", "--force"), "not a regular file"),
        (("generate", "S5", "1", "1", "-o", "/dev/null"), "not a regular file"),
        (("generate", "S5", "1", "1", "-o", "layer/"), "is a folder"),
        (("generate", "S5", "1", "1", "-o", ""), "a path is empty"),
        (("basis", "S5", "1", "1", "--svg", ""), "a path is empty"),
        (("basis", "S5", "1", "1", "--html", "-"), "not standard output"),
        (("generate", "S5", "1", "1", "--channels", "0", "1"), "in_channels must be"),
        (("generate", "S5", "1", "1", "--channels", "1"), "requires 2 arguments"),
        (("generate", "S5", "1", "1", "--backend", "cuda"), "there is no backend 'cuda'"),
        (("generate", "S5", "1", "1", "--name", "class"), "must be a plain Python identifier"),
        (("explain", "S5", "1", "1", "--lowering", "magic"), "'magic' is not one of"),
        (("explain", "S5", "1", "1", "--batch", "0"), "0 is not in the range"),
        (("verify", "/nowhere/layer.py"), "does not exist"),
        (("verify", __file__, "--args", "[1]"), "expected a JSON object"),
        (("verify", __file__, "--layout", "middle"), "a layout is last, first or none"),
        (("verify", __file__, "--class", "Nobody"), "holds no Nobody"),
        (("verify", __file__, "--seed", str(2**70)), "is not in the range"),
        (("bench", "S3"), "name the group and both orders"),
    ],
)
def test_failures_are_one_line_and_a_status(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == (3 if "regular" in words else 2)
    assert result.stdout == ""
    assert words in result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")


def test_the_benchmark_prints_ratios() -> None:
    tiny = ("--channels", "2", "--batch", "1", "--seconds", "0.0001", "--default-allocator")
    result = run("bench", "S(3)", "1", "1", *tiny)
    assert result.exit_code == 0, result.output
    for name in ("tannaka", "dense, assembled", "floor"):
        assert re.search(rf"^  {name} .*\d (µs|ms|s) ", result.output, re.MULTILINE), name
    assert "there is no layer to time" in run("bench", "O(3)", "1", "2").output
    assert "batch must be" in run("bench", "S(3)", "1", "1", "--batch", "0").output


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def browsed(page: Path, script: str, folder: Path, address: str = "") -> str:
    """The page as a browser has it, after its script and then this one have run."""
    assert CHROMIUM is not None
    copy = folder / "browsed.html"
    copy.write_text(page.read_text().replace("</body>", f"<script>{script}</script></body>"))
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-sync"]
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *quiet, "--dump-dom",
         f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=3000",
         f"{copy.as_uri()}{address}"],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    # What is shown, without the rows that wait.
    return re.sub(r'<script type="text/plain".*?</script>', "", done.stdout, flags=re.DOTALL)


@pytest.mark.deep
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to look at the page with")
def test_the_page_turns_and_finds_in_a_browser(tmp_path: Path) -> None:
    page = tmp_path / "basis.html"
    assert run("basis", "S8", "4", "4", "--html", str(page)).exit_code == 0
    plain = browsed(page, "", tmp_path)
    assert "rows 0 to 199 of 4,140" in plain
    assert len(Page(plain).figures) == 200
    linked = browsed(page, "", tmp_path, "#4139")
    assert "rows 4,000 to 4,139 of 4,140" in linked
    assert Page(linked).figures == [str(number) for number in range(4000, 4140)]
    assert '<figure id="4139" class="sought">' in linked
    turned = browsed(page, "document.querySelectorAll('nav button')[2].click()", tmp_path)
    assert Page(turned).figures[0] == "200"
    words = "field.value = '0 4 | 1 5 | 2 6'; field.dispatchEvent(new Event('input'))"
    sought = browsed(page, words, tmp_path)
    wanted = [
        str(number)
        for number, diagram in enumerate(tn.Hom(tn.S(8), 4, 4).basis())
        if "0 4 | 1 5 | 2 6" in str(diagram)
    ]
    assert Page(sought).figures == wanted
    assert f"1 to {len(wanted)} of {len(wanted)} found" in sought
    row = browsed(page, "field.value = '300'; field.dispatchEvent(new Event('input'))", tmp_path)
    assert '<figure id="300" class="sought">' in row
    none = browsed(page, "field.value = 'x y'; field.dispatchEvent(new Event('input'))", tmp_path)
    assert (Page(none).figures, "none found" in none) == ([], True)


DESCRIPTION = """
name = "Triangles"
group = "S()"
input = {order = 2, channels = 1}
layers = [
  {linear = {order = 2, channels = 4}},
  {activation = "relu"},
  {linear = {order = 0, channels = 1}},
]
"""


def test_a_network_is_generated_from_its_description(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(DESCRIPTION)
    target = tmp_path / "net.py"
    arguments = ["generate", "--network", str(tmp_path / "net.toml"), "-o", str(target)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "class Triangles(nn.Module)" in target.read_text()
    assert CliRunner().invoke(main, arguments).exit_code == 2  # it is there
    told = CliRunner().invoke(main, [*arguments[:3], "--json"])
    assert json.loads(told.stdout)["linear layers"] == [{"k": 2, "l": 2}, {"k": 2, "l": 0}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name GROUP K L, or give --network FILE"),
        (["S5", "2"], "name the group and both orders"),
        (["--network", "NET", "--channels", "1", "2"], "takes no --channels"),
        (["--network", "NET", "--name", "X"], "takes no --name"),
        (["--network", "NET", "--explain"], "takes no --explain"),
        (["S5", "1", "1", "--network", "NET"], "takes no GROUP K L"),
        (["--network", "missing.toml"], "missing.toml"),
        (["--network", "BAD"], "does not commute: O(3)"),
    ],
)
def test_what_generate_cannot_do_is_refused(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "net.toml").write_text(DESCRIPTION)
    (tmp_path / "bad.toml").write_text(DESCRIPTION.replace("S()", "O(3)"))
    files = {"NET": str(tmp_path / "net.toml"), "BAD": str(tmp_path / "bad.toml")}
    done = CliRunner().invoke(main, ["generate", *(files.get(a, a) for a in arguments)])
    assert done.exit_code in (2, 3)
    (line,) = done.stderr.strip().splitlines()
    assert message in line


def test_padding_that_leaks_is_told_as_such(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    group, in_order, out_order = 'S()', 1, 0\n"
        "    def forward(self, x, mask=None):\n        return x.exp().sum(-2)\n"
    )
    result = run("verify", str(net))
    assert result.exit_code == 1
    assert "padding reaches real points" in result.output
    assert "with padding and" in result.output
