"""Everything shows itself in a notebook: what is handed over is complete, safe, legible and true."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from itertools import permutations, product
from math import prod
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from depth import share
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

import tannaka as tn
from tannaka.category.heatmap import MOST, matrix_svg
from tannaka.codegen.lowering.choose import plan_layer
from tannaka.codegen.lowering.isotypic import isotypic
from tannaka.codegen.plan_picture import steps_of
from tannaka.diagrams.factorisation import factor, planar_factor
from tannaka.diagrams.pictures.bundle import HTML, LATEX, PLAIN, SVG
from tannaka.diagrams.pictures.markup import COLOURS
from tannaka.testing import strategies

PETERSEN = tn.Aut(nx.petersen_graph())
CYCLE = tn.PermutationGroup([(1, 2, 3, 4, 0)])
GRAPH = tn.BilabelledGraph(3, ((0, 2), (1, 2)), outputs=(0,), inputs=(1,))
FAMILIES: tuple[Any, ...] = (
    tn.SetPartition,
    tn.Brauer,
    tn.BilabelledGraph,
    strategies.category(tn.Grood, 3),
    strategies.category(tn.Jellyfish, 3),
    strategies.category(tn.WalledBrauer),
    strategies.typed(strategies.category(tn.SetPartition), strategies.category(tn.Brauer)),
)


def _network() -> Any:
    layers = [{"linear": {"order": 1, "channels": 2}}]
    first = {"order": 2, "channels": 1}
    return tn.generate_network({"name": "Net", "group": "S(3)", "input": first, "layers": layers})


def _plan(group: Any, k: Any, l: Any, **options: Any) -> Any:
    return plan_layer(tn.Hom(group, k, l), 2, 3, **options)


def _layer(group: Any, k: Any, l: Any, **options: Any) -> Any:
    import torch

    torch.manual_seed(0)
    return tn.nn.EquivariantLinear(group, k, l, 2, 3, **options)


def _bilinear(group: Any, k1: int, k2: int, l: int, **options: Any) -> Any:
    return tn.nn.EquivariantBilinear(group, k1, k2, l, 2, 2, 3, **options)


def _composed(kind: str) -> Any:
    import torch

    group = tn.S(4)
    linear, back = _layer(group, 1, 2), tn.nn.EquivariantLinear(group, 2, 1, 3, 2)
    if kind == "graph":
        x = tn.nn.Features(group, 1, 2)
        pair = _bilinear(group, 1, 1, 1)
        return tn.nn.EquivariantGraph({"u": x, "v": x}, [("y", pair, "u", "v")])
    if kind == "residual":
        return tn.nn.Residual(linear, torch.nn.ReLU(), back)
    return tn.nn.EquivariantSequential(linear, torch.nn.ReLU(), back, _composed("residual"))


SHOWN: dict[str, Callable[[], Any]] = {
    "morphism": lambda: 2 * tn.SetPartition.identity(2) - tn.SetPartition.swap(),
    "zero": lambda: tn.Brauer.cup() - tn.Brauer.cup(),
    "orbit": lambda: PETERSEN.orbit("[0 ← 1]"),
    "orbit sum": lambda: PETERSEN.in_orbits(tn.BilabelledGraph.identity(1)),
    "graph": lambda: GRAPH,
    "steps": lambda: tn.compose_steps(tn.SetPartition.cup(), tn.SetPartition.cap()),
    "determinants": lambda: tn.compose_steps(
        tn.Grood.determinant(0, 2), tn.Grood.determinant(2, 0)
    ),
    "factors": lambda: factor(tn.SetPartition(3, 2, (0, 1, 1, 0, 2))),
    "planar": lambda: planar_factor(tn.Brauer.swap()),
    "S": lambda: tn.S(5),
    "S()": tn.S,
    "A": lambda: tn.A(4),
    "O": lambda: tn.O(3),
    "SO": lambda: tn.SO(3),
    "Sp": lambda: tn.Sp(4),
    "product": lambda: tn.S(3) * tn.O(2),
    "family product": lambda: tn.S() * tn.O(3),
    "Aut": lambda: PETERSEN,
    "permutations": lambda: CYCLE,
    "large S": lambda: tn.S(10**6),
    "Hom S": lambda: tn.Hom(tn.S(4), 2, 2),
    "Hom S()": lambda: tn.Hom(tn.S(), 1, 2),
    "Hom family product": lambda: tn.Hom(tn.S() * tn.O(3), (0, 0, 1), (0, 1)),
    "long relations": lambda: tn.Hom(tn.S(3), 4, 3).relations(),
    "Hom A": lambda: tn.Hom(tn.A(3), 2, 1),
    "Hom SO": lambda: tn.Hom(tn.SO(3), 2, 2),
    "Hom Sp": lambda: tn.Hom(tn.Sp(2), 2, 2),
    "Hom product": lambda: tn.Hom(tn.S(3) * tn.O(2), (0, 1), (0, 1)),
    "Hom Aut": lambda: tn.Hom(PETERSEN, 1, 1),
    "Hom many orbits": lambda: tn.Hom(PETERSEN, 2, 2),
    "Hom cycle": lambda: tn.Hom(CYCLE, 1, 1),
    "Hom empty": lambda: tn.Hom(tn.O(3), 1, 2),
    "Hom scalars": lambda: tn.Hom(tn.S(3), 0, 0),
    "Hom 203": lambda: tn.Hom(tn.S(7), 3, 3),
    "Hom thousands": lambda: tn.Hom(tn.S(8), 4, 4),
    "Hom hopeless": lambda: tn.Hom(tn.S(100), 20, 20),
    "Hom beyond": lambda: tn.Hom(tn.S(10**6), 300, 300),
    "spanning": lambda: tn.Hom(tn.O(3), 2, 2).spanning,
    "independent": lambda: tn.Hom(tn.S(3), 4, 4).independent,
    "all orbits": lambda: CYCLE.orbit_space(1, 1),
    "all graphs": lambda: tn.Hom(PETERSEN, 2, 2).spanning,
    "long diagrams": lambda: tn.Hom(tn.S(9), 40, 40).spanning,
    "network": _network,
    "relations": lambda: tn.Hom(tn.O(1), 2, 2).relations(),
    "many relations": lambda: tn.Hom(tn.S(2), 3, 2).relations(),
    "no relations": lambda: tn.Hom(tn.S(4), 1, 1).relations(),
    "walks": lambda: tn.Hom(tn.S(4), 2, 2).walks(),
    "far walks": lambda: tn.Hom(tn.SO(10**9), 2, 2).walks(),
    "factored": lambda: _plan(tn.S(5), 2, 2, lowering="factored"),
    "Levi-Civita": lambda: _plan(tn.SO(3), 2, 1, lowering="factored"),
    "dense": lambda: _plan(tn.O(3), 2, 2, lowering="dense"),
    "isotypic": lambda: _plan(tn.O(3), 2, 2, lowering="isotypic"),
    "orbits": lambda: _plan(PETERSEN, 1, 1, basis="orbit"),
    "graphs": lambda: _plan(PETERSEN, 2, 1, basis="diagram"),
    "layer": lambda: _layer(tn.S(5), 2, 1),
    "family layer": lambda: _layer(tn.S(), 2, 2),
    "orbit layer": lambda: _layer(PETERSEN, 1, 1),
    "graph layer": lambda: _layer(PETERSEN, 1, 1, basis="diagram"),
    "explanation": lambda: _layer(tn.O(3), 2, 2).explain(rows=2),
    "graph explanation": lambda: _layer(PETERSEN, 1, 1, basis="diagram").explain(),
    "bilinear": lambda: _bilinear(tn.SO(3), 1, 2, 1),
    "bilinear family": lambda: _bilinear(tn.S(), 1, 1, 2),
    "bilinear zero": lambda: _bilinear(tn.O(3), 1, 1, 2, channels="channelwise", bias=False),
    "bilinear explanation": lambda: _bilinear(tn.Sp(4), 1, 1, 2).explain(rows=1),
    "sequence": lambda: _composed("sequence"),
    "residual": lambda: _composed("residual"),
    "network graph": lambda: _composed("graph"),
    "gate": lambda: tn.nn.Gate(tn.O(3), 1, 8),
    "pool": lambda: tn.nn.Pool(tn.S(), 1, 8),
    "code": lambda: tn.generate(tn.O(3), 1, 1, 2, 2),
}

ON_DISCS = ("#fff", "#000")
"""The colours of numbers on coloured discs, whichever can be read there."""

every_object = pytest.mark.parametrize("name", SHOWN)
any_diagram: st.SearchStrategy[Any] = st.one_of(*map(strategies.any_diagram, FAMILIES))


def bundle(shown: Any, **asked: Any) -> dict[str, str]:
    """What a front end is given."""
    found: dict[str, str] = shown._repr_mimebundle_(**asked)
    return found


def check(shown: Any) -> dict[str, str]:
    """The laws that hold for whatever shows itself."""
    found = bundle(shown)
    assert PLAIN in found
    assert set(found) <= {PLAIN, HTML, SVG, LATEX}
    # JupyterLab takes HTML before LaTeX before SVG: a picture or formula alone would not be seen.
    assert HTML in found or set(found) == {PLAIN}
    assert sum(map(len, found.values())) < 1_000_000
    for kind in (HTML, SVG):
        if kind in found:
            self_contained(found[kind])
    if SVG in found:
        assert ET.fromstring(found[SVG]).tag.endswith("svg")
    return found


def self_contained(text: str) -> None:
    """Well-formed, with no address, id or script, and legible on any ground."""
    root = ET.fromstring(text)
    bare = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    for word in ("http", "//", "<script", "href", "url(", "@import", "javascript"):
        assert word not in re.sub(r"<pre>.*?</pre>", "", bare, flags=re.S), word
    for element in root.iter():
        tag = element.tag.rsplit("}", 1)[-1]
        assert "id" not in element.attrib
        assert not [name for name in element.attrib if name.startswith("on")]
        if tag == "svg":
            assert element.get("role") == "img"
            assert (element.findtext("{http://www.w3.org/2000/svg}title") or "").strip()
        if tag == "text":
            # Black and white are numbers on discs of a colour.
            assert element.get("fill", "currentColor") in {"currentColor", *ON_DISCS}
        for name in ("fill", "stroke"):
            known = {"none", "currentColor", *COLOURS, *(ON_DISCS if tag in {"text", "g"} else ())}
            assert element.get(name, "none") in known


@every_object
def test_it_shows_itself_whole_and_safely(name: str) -> None:
    shown = SHOWN[name]()
    found = check(shown)
    assert bundle(shown) == found
    for kind in found:
        assert bundle(shown, include={kind}) == {kind: found[kind]}
        assert bundle(shown, include=None, exclude={kind}) == {
            other: text for other, text in found.items() if other != kind
        }
    assert bundle(shown, include={"image/png"}) == {}


@given(any_diagram)
def test_every_diagram_shows_its_picture_and_its_formula(diagram: tn.Diagram) -> None:
    found = check(diagram)
    assert set(found) == {PLAIN, SVG, HTML, LATEX}
    assert found[PLAIN] == repr(diagram)
    check(tn.Morphism.of(diagram))


@given(st.sampled_from(FAMILIES).flatmap(lambda family: strategies.composable(family)))
def test_every_composition_shows_its_steps(pair: Any) -> None:
    check(tn.compose_steps(*pair))


any_group: st.SearchStrategy[Any] = st.one_of(
    strategies.groups(4),
    strategies.products(),
    strategies.permutation_groups(4),
    strategies.automorphism_groups(4),
)


@share(4 / 5)
@given(any_group, st.integers(0, 2), st.integers(0, 2))
def test_every_group_and_its_spaces_show_themselves(group: Any, k: int, l: int) -> None:
    check(group)
    product_of = isinstance(group, tn.Product)
    hom = tn.Hom(group, (0, 1)[:k], (1, 0)[:l]) if product_of else tn.Hom(group, k, l)
    found = check(hom)
    shown = len(cards(found[HTML]))
    assert shown == hom.dimension or f"the first {shown} of" in found[HTML]
    # Signs and blocks are said only where they are known, and then they add up.
    if hom.has_blocks:
        assert sum(a * b for a, b in hom.blocks().values()) == hom.dimension


def test_compositions_of_orbits_show_their_steps() -> None:
    orbit = CYCLE.orbit("[0 ← 1]")
    check(tn.compose_steps(orbit, orbit))


def test_what_is_too_large_to_draw_is_text() -> None:
    assert set(bundle(tn.SetPartition.identity(5000))) == {PLAIN}
    assert set(bundle(tn.Morphism.of(tn.SetPartition.identity(5000)))) == {PLAIN}
    assert set(bundle(factor(tn.SetPartition.identity(500)))) == {PLAIN}
    walls = tn.Hom(tn.S(2000), 3, 3).walks()
    assert set(bundle(walls)) == {PLAIN}


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_bytes_are_the_same_in_every_process(seed: str) -> None:
    names = ["Hom S", "Hom Sp", "product", "factored", "walks", "relations", "Hom cycle"]
    script = (
        "import hashlib, sys; from test_display import SHOWN, bundle; "
        f"print(hashlib.sha256(repr([bundle(SHOWN[n]()) for n in {names!r}]).encode()).hexdigest())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONHASHSEED": seed},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    here = repr([bundle(SHOWN[name]()) for name in names]).encode()
    assert ran.stdout.strip() == hashlib.sha256(here).hexdigest()


def cards(html: str) -> list[ET.Element]:
    """The cards of a gallery."""
    return list(ET.fromstring(html).iter("figure"))


@pytest.mark.parametrize(
    ("group", "k", "l"), [(tn.S(3), 2, 1), (tn.Sp(2), 2, 2), (tn.SO(3), 2, 1), (CYCLE, 1, 1)]
)
def test_a_card_has_the_picture_the_true_matrix_formula_and_cost(
    group: Any, k: int, l: int
) -> None:
    hom = tn.Hom(group, k, l)
    found = cards(bundle(hom)[HTML])
    assert len(found) == hom.dimension
    basis = hom.basis() if group is not CYCLE else tuple(group.orbit_space(k, l))
    for row, (card, diagram) in enumerate(zip(found, basis, strict=True)):
        assert card.findtext("small") == str(row)
        _, thumbnail = card.findall("div/*")
        assert_array_equal(read_matrix(thumbnail), group.matrix(diagram))
        text, formula = (code.text or "" for code in card.findall("figcaption/code"))
        assert text == str(diagram)
        assert formula.startswith("y[")
        assert re.fullmatch(r"[\d,]+ flops, [\d,]+ bytes", card.findtext("figcaption/small") or "")


def read_matrix(picture: ET.Element) -> NDArray[np.int64]:
    """The entries that a picture of a matrix of -1, 0 and 1 shows."""
    title = picture.findtext("{http://www.w3.org/2000/svg}title") or ""
    rows, columns = map(int, title.rsplit(", ", 1)[1].split(" x "))
    entries = np.zeros((rows, columns), dtype=np.int64)
    for path in picture.iter("{http://www.w3.org/2000/svg}path"):
        fill = path.get("fill")
        for box in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\3z", path.get("d", "")):
            column, row, wide, high = map(int, box)
            part = entries[row : row + high, column : column + wide]
            assert part.size
            assert not part.any()
            part[:] = 1 if fill == COLOURS[0] else -1
    return entries


@given(st.integers(0, 5), st.integers(0, 5), st.data())
def test_a_picture_of_a_matrix_can_be_read_back(rows: int, columns: int, data: Any) -> None:
    values = data.draw(
        st.lists(st.sampled_from([-1, 0, 1]), min_size=rows * columns, max_size=rows * columns)
    )
    matrix = np.array(values, dtype=np.int64).reshape(rows, columns)
    picture = matrix_svg(matrix, f"entries, {rows} x {columns}")
    self_contained(picture)
    assert_array_equal(read_matrix(ET.fromstring(picture)), matrix)


def test_smaller_entries_are_fainter_and_large_matrices_refused() -> None:
    picture = matrix_svg(np.array([[3, -1], [0, 2]]), "entries")
    assert re.findall(r'fill-opacity="([\d.]+)"', picture) == ["0.67", "0.33"]
    with pytest.raises(ValueError, match=f"at most {MOST:,} are drawn"):
        matrix_svg(np.zeros((65, 64)), "too many")


def test_parts_of_large_spaces_are_shown_and_counted_and_none_is_listed() -> None:
    whole = bundle(tn.Hom(tn.S(7), 3, 3))
    assert len(cards(whole[HTML])) == 203
    part = bundle(tn.Hom(tn.S(8), 4, 4))
    assert len(cards(part[HTML])) == 60
    assert "the first 60 of 4,140" in part[HTML]
    assert "the first 60" in part[SVG]
    # Diagrams of six hundred vertices are no gallery.
    beyond = bundle(tn.Hom(tn.S(10**6), 300, 300))
    assert cards(beyond[HTML]) == []
    assert "spanned by about 10^" in beyond[HTML]


def test_galleries_are_there_without_compiler_and_torch() -> None:
    script = (
        "import sys\n"
        "from tannaka.category.hom import Hom\n"
        "from tannaka.category.symmetric import S\n"
        "from tannaka.category.permutations import PermutationGroup\n"
        "html = Hom(S(3), 1, 1)._repr_mimebundle_()['text/html']\n"
        "assert html.count('<figure') == 2 and 'flops' not in html\n"
        "PermutationGroup([(1, 0)])._repr_mimebundle_()\n"
        "assert not {'torch', 'tannaka.codegen'} & set(sys.modules)\n"
        "import tannaka as tn\n"
        "assert 'flops' in tn.Hom(tn.S(3), 1, 1)._repr_mimebundle_()['text/html']\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


FORMULAS: list[tuple[Any, Any]] = [
    (tn.SetPartition, tn.S(2)),
    (tn.Brauer, tn.O(2)),
    (strategies.category(tn.Grood, 2), tn.SO(2)),
    (strategies.category(tn.Jellyfish, 2), tn.A(2)),
    (tn.BilabelledGraph, tn.Aut(nx.path_graph(2))),
]


@pytest.mark.parametrize(("family", "group"), FORMULAS, ids=lambda value: str(value)[:20])
@share(1 / 3)
@given(data=st.data())
def test_the_formula_is_the_matrix(family: Any, group: Any, data: Any) -> None:
    diagram = data.draw(strategies.any_diagram(family, 3))
    left, right = diagram.latex().split(" = ")
    labels = range(diagram.top + diagram.bottom)
    assert re.findall(r"i_\{?(\d+)", left) == [str(v) for v in labels]
    host = nx.to_numpy_array(nx.path_graph(2)) if isinstance(group, tn.Aut) else np.eye(2)
    entries = [
        entry(right, {f"i_{v}": i for v, i in enumerate(at)}, host)
        for at in product(range(2), repeat=len(labels))
    ]
    shape = (2**diagram.top, 2**diagram.bottom)
    assert_array_equal(np.array(entries).reshape(shape), group.matrix(diagram))


def entry(formula: str, at: dict[str, int], host: NDArray[Any]) -> float:
    """The value of a formula of deltas, epsilons and adjacency matrices at some indices."""
    sums = re.match(r"\\sum_(?:\{([^}]*(?:\{\d+\}[^}]*)*)\}|(s))", formula)
    names = (sums[1] or sums[2]).split() if sums else []
    rest = formula[sums.end() :] if sums else formula
    total = 0.0
    for values in product(range(2), repeat=len(names)):
        here = at | dict(zip(names, values, strict=True))
        total += prod(
            value(kind, [here[index] for index in inside.split()], host)
            for kind, inside in re.findall(r"(\\delta|\\varepsilon|A)_\{([^}]*)\}", rest)
        )
    return total


def value(kind: str, places: list[int], host: NDArray[Any]) -> float:
    """One factor."""
    if kind == r"\delta":
        return float(len(set(places)) == 1)
    if kind == "A":
        return float(host[places[0], places[1]])
    signs = {images: _sign(images) for images in permutations(range(len(places)))}
    return float(signs.get(tuple(places), 0))


def _sign(images: tuple[int, ...]) -> int:
    inversions = sum(a > b for i, a in enumerate(images) for b in images[i + 1 :])
    return -1 if inversions % 2 else 1


@given(any_diagram)
def test_formulas_use_what_mathjax_and_katex_know(diagram: tn.Diagram) -> None:
    known = {"left", "right", "delta", "varepsilon", "sum", "mid", "parallel", "varnothing", "ast"}
    known |= {"mathrm", "leftarrow", "in", "cdot", "displaystyle", "tfrac", "_", ","}
    for text in (bundle(diagram)[LATEX], bundle(tn.Morphism.of(diagram))[LATEX]):
        assert set(re.findall(r"\\([a-z]+|.)", text, flags=re.I)) <= known
        assert text.count("{") == text.count("}")
        assert text.count(r"\left") - text.count(r"\leftarrow") == text.count(r"\right")


@pytest.mark.parametrize(
    ("group", "k", "l"),
    [(tn.S(4), 2, 2), (tn.S(2), 3, 2), (tn.O(3), 3, 3), (tn.O(2), 4, 2), (tn.Sp(4), 2, 2)],
)
def test_blocks_are_those_of_a_numerical_decomposition(group: Any, k: int, l: int) -> None:
    hom = tn.Hom(group, k, l)
    blocks = hom.blocks()
    assert sum(a * b for a, b in blocks.values()) == hom.dimension
    numerical = [(b.copies_out, b.copies_in) for b in isotypic(hom).blocks]
    assert sorted(blocks.values()) == sorted(numerical)
    assert f"{hom.dimension} = " in bundle(hom)[HTML]


def test_costs_of_families_are_formulas_in_their_letters() -> None:
    products = bundle(tn.Hom(tn.S() * tn.O(3), (0, 1), (0, 1)))[HTML]
    assert "6*n0 flops, 24*n0 + 4 bytes" in products
    assert "n1" not in products


def test_blocks_that_are_not_known_are_refused() -> None:
    for hom in (tn.Hom(CYCLE, 1, 1), tn.Hom(tn.A(3), 2, 2), tn.Hom(tn.S(), 1, 1)):
        with pytest.raises(ValueError, match="irreducible blocks are not known"):
            hom.blocks()


def test_relations_are_a_dictionary_of_equations() -> None:
    relations = tn.Hom(tn.O(1), 2, 2).relations()
    assert isinstance(relations, dict)
    assert relations == dict(relations)
    assert set(relations) == {tn.Brauer.identity(2), tn.Brauer.parse(2, 2, "0 1 | 2 3")}
    found = bundle(relations)
    assert found[SVG].count(">=</text>") == len(relations)
    assert "0 2 | 1 3  =  (0 3 | 1 2)" in found[PLAIN]
    assert set(bundle(tn.Hom(tn.S(4), 1, 1).relations())) == {PLAIN, HTML}


@pytest.mark.parametrize(
    "name", ["factored", "Levi-Civita", "dense", "isotypic", "orbits", "graphs"]
)
def test_a_plan_has_a_box_for_each_step_and_an_arrow_for_each_result(name: str) -> None:
    plan = SHOWN[name]()
    boxes = steps_of(plan)
    picture = ET.fromstring(bundle(plan)[SVG])
    drawn = list(picture.iter("{http://www.w3.org/2000/svg}rect"))
    assert len(drawn) == len(boxes)
    owner = {name: number for number, box in enumerate(boxes) for name in box.names}
    reads = sum(len({owner[read] for read in box.reads}) for box in boxes)
    lines = picture.find("{http://www.w3.org/2000/svg}path")
    assert lines is not None
    assert lines.get("d", "").count("M") == reads
    assert list(overlapping(drawn)) == []
    if hasattr(plan, "steps"):
        assert len(boxes) >= len(plan.steps) + 2


def overlapping(boxes: list[ET.Element]) -> Iterator[tuple[int, int]]:
    """Pairs of rectangles that cover each other."""
    frames = [tuple(float(box.get(a, 0)) for a in ("x", "y", "width", "height")) for box in boxes]
    for i, (x, y, w, h) in enumerate(frames):
        for j, (u, v, wide, high) in enumerate(frames[:i]):
            if x < u + wide and u < x + w and y < v + high and v < y + h:
                yield i, j


def test_what_a_layer_has_learned_is_in_its_table() -> None:
    import torch

    for name in ("layer", "orbit layer", "graph layer"):
        layer = SHOWN[name]()
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight[1] = 1.0
        rows = ET.fromstring(bundle(layer)[HTML]).findall(".//tbody/tr")
        first = ["".join(cell.itertext()) for cell in rows[0]]
        assert first[0] == "1"
        assert first[-1] == "100.0%"
        assert f"{layer.weight[1].norm().item():.3g}" in first
        shares = [row.share for row in layer.explain(rows=None).rows]
        assert shares == [1.0] + [0.0] * (len(shares) - 1)


@pytest.mark.parametrize("name", ["sequence", "residual", "network graph", "gate"])
def test_a_network_shows_its_features_and_counts_its_parameters(name: str) -> None:
    net = SHOWN[name]()
    root = ET.fromstring(bundle(net)[HTML])
    rows = [
        ["".join(cell.itertext()) for cell in row.findall("td")]
        for row in root.findall(".//tbody/tr")
    ]
    assert sum(int(row[-1] or 0) for row in rows) == sum(p.numel() for p in net.parameters())
    shapes = [row[3] for row in rows]
    assert shapes[: len(net.inputs)] == [one.shape for one in net.inputs]
    assert shapes[-1] == net.output.shape
    # What is in a row has no branches to look at; all else is drawn, a box for each of its rows.
    boxes = root.findall(".//{http://www.w3.org/2000/svg}rect")
    assert len(boxes) == (0 if name == "sequence" else len(rows))


TERM = re.compile(
    r"y\[(\w*)\] \+= (- )?W\d+ (?:(mean|sum) over (\w+) of )?((?:[εω]\[\w+\] )*)"
    r"x1\[(\w*)\] x2\[(\w*)\]"
)


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize(
    ("group", "orders"),
    [(tn.S(3), (1, 2, 1)), (tn.SO(3), (1, 2, 2)), (tn.Sp(2), (2, 1, 1))],
    ids=str,
)
def test_formulas_of_bilinear_rows_are_what_they_do(
    group: Any, orders: tuple[int, int, int], reduce: Any
) -> None:
    n, (k1, k2, l) = group.n, orders
    hom = tn.Hom(group, k1 + k2, l)
    layer = tn.nn.EquivariantBilinear(group, k1, k2, l, 1, 1, 1, reduce=reduce)
    rows = layer.explain(rows=None).rows
    assert len(rows) == hom.dimension
    symbols = {"ω": np.array(getattr(group, "form", 0))}
    symbols["ε"] = np.zeros((n,) * n)
    for order in permutations(range(n)):
        symbols["ε"][order] = round(np.linalg.det(np.eye(n)[list(order)]))
    for row in rows:
        found = TERM.fullmatch(row.formula)
        assert found, row.formula
        outputs, minus, reduced, summed, factors, first, second = found.groups()
        given = [(text[2:-1], symbols[text[0]]) for text in factors.split()]
        letters = "".join(sorted({*outputs, *first, *second, *(summed or "")}))
        # Ones for indices of the output alone, and an entry of each input for each of its indices.
        words = [*(word for word, _ in given), *letters]
        arrays = [*(array for _, array in given), *(np.ones(n) for _ in letters)]
        tensor = np.einsum(f"{','.join(words)}->{letters}", *arrays)
        wanted = np.zeros((n,) * (l + k1 + k2))
        for at in product(range(n), repeat=len(letters)):
            where = dict(zip(letters, at, strict=True))
            wanted[tuple(where[i] for i in outputs + first + second)] += tensor[at]
        wanted *= -1 if minus else 1
        assert reduced in (None, reduce)
        matrix = layer.plan.matrix(row.number, n).reshape(wanted.shape)
        if reduce == "mean":
            # A mean divides by how many terms there are to each output.
            wanted /= np.abs(wanted).sum() / np.count_nonzero(
                np.abs(wanted).sum(axis=tuple(range(l, l + k1 + k2)))
            )
        np.testing.assert_allclose(matrix, wanted, atol=1e-12)


def test_the_share_of_a_row_is_its_part_of_the_variance() -> None:
    for name in ("orbit layer", "graph layer"):
        layer = SHOWN[name]()
        norms = layer.weight.detach().double().flatten(1).norm(dim=1).numpy()
        n = layer.group.n
        parts = np.array([(layer.plan.matrix(row, n) ** 2).sum() / n for row in range(len(norms))])
        wanted = norms**2 * parts
        found = {row.number: row.share for row in layer.explain(rows=None).rows}
        for row, part in enumerate(wanted / wanted.sum()):
            assert abs(found[row] - part) < 1e-12


def test_source_is_shown_letter_by_letter() -> None:
    code = SHOWN["code"]()
    pre = ET.fromstring(bundle(code)[HTML]).find(".//pre")
    assert pre is not None
    assert "".join(pre.itertext()) == code.source


def test_ipython_takes_what_is_handed_over() -> None:
    pytest.importorskip("IPython")
    from IPython.core.formatters import DisplayFormatter

    formatter: Any = DisplayFormatter()
    for name in ("Hom S", "relations", "S", "morphism", "layer", "factored"):
        data, _ = formatter.format(SHOWN[name]())
        assert data == bundle(SHOWN[name]())
