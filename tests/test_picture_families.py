"""Pictures of determinants, oriented and typed strands, and graphs: what they show is the diagram."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from itertools import combinations, pairwise, permutations
from math import dist
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from depth import share
from hypothesis import given
from hypothesis import strategies as st
from readers import along, crossings, read_svg, read_text

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.pictures.bell import Bell
from tannaka.diagrams.pictures.picture import picture
from tannaka.diagrams.pictures.svg import diagram_svg, gallery_svg
from tannaka.diagrams.pictures.text import diagram_text, gallery_text
from tannaka.diagrams.pictures.tikz import gallery_tikz
from tannaka.diagrams.signs import sign
from tannaka.diagrams.typed import Typed
from tannaka.diagrams.walled import WalledBrauer
from tannaka.testing.strategies import CATEGORIES, any_diagram, category

EXAMPLES = {
    "grood": Grood(2, 3, (0, 1, 4), ((2, 3),)),
    "grood_odd": Grood(0, 2, (1, 0), ()),
    "grood_twisted": Grood(2, 1, (1, 0, 2), ()),
    "jellyfish": Jellyfish(3, 2, (0, 1, 0, 2, 1), (0, 1, 2, None)),
    "jellyfish_free": Jellyfish(0, 0, (), (None,)),
    "walled": WalledBrauer(("V", "V", "V*"), ("V", "V*", "V"), ((0, 4), (1, 2), (3, 5))),
    "typed": Typed((0, 1, 0), (0, 1, 1), (SetPartition.spider(2, 1), Grood.determinant(1, 2))),
    "graph": BilabelledGraph(4, ((0, 1), (1, 2), (2, 3), (3, 3), (0, 3)), (0, 1), (2, 2)),
    "graph_directed": BilabelledGraph(
        4, ((0, 1), (1, 0), (1, 2), (3, 2), (3, 3), (0, 3)), (0, 1), (2, 2), directed=True
    ),
    "graph_coloured": BilabelledGraph(
        3,
        ((0, 1, "red"), (0, 1, "C_6"), (2, 1), (0, 2, 3), (2, 2, -1)),
        (0,),
        (1,),
        ((0, "C"), (2, "O"), (2, 7)),
        directed=True,
    ),
    "graph_closed": BilabelledGraph(5, ((0, 1), (2, 3), (3, 4), (2, 4)), (0,), (1,)),
}

DETERMINANTS = [category(Grood, n) for n in (1, 2, 3, 4, 6)] + [
    category(Jellyfish, n) for n in (1, 2, 3, 5)
]
every_category = pytest.mark.parametrize("family", CATEGORIES, ids=str)
every_determinant = pytest.mark.parametrize("family", DETERMINANTS, ids=str)
half = share(1 / 2)
"""Laying out takes long, and each category is tried."""


def bells(diagram: Any) -> list[tuple[tuple[int | None, ...], Bell]]:
    """The determinant vertices: the ends of the legs, and the bell."""
    return list(zip(diagram.sketch().determinants, picture(diagram).bells, strict=True))


@every_determinant
@given(st.data())
def test_legs_leave_in_order_and_end_where_they_say(family: Any, data: st.DataObject) -> None:
    diagram = data.draw(any_diagram(family))
    vertices = picture(diagram).vertices
    for legs, bell in bells(diagram):
        assert tuple(leg.end for leg in bell.legs) == legs
        starts = [leg.curves[0][0][0] for leg in bell.legs]
        assert all(b - a > 0.2 for a, b in pairwise(starts))
        (left, _), _, _, (right, _) = bell.arch
        assert left < starts[0]
        assert starts[-1] < right
        for leg in bell.legs:
            for one, next_one in pairwise(leg.curves):
                assert one[3] == next_one[0]
            near = [v for v, at in enumerate(vertices) if dist(at, leg.tip) < 0.2]
            assert near == ([] if leg.end is None else [leg.end])
            assert dist(leg.tip, leg.curves[-1][3]) == pytest.approx(0.09 * (leg.end is None))


@pytest.mark.parametrize("n", range(2, 7))
def test_legs_cross_where_their_order_is_odd_and_only_there(n: int) -> None:
    for top in range(n + 1):
        for legs in (tuple(range(n)), (1, 0, *range(2, n))):
            diagram = Grood(n - top, top, legs, ())
            (bell,) = picture(diagram).bells
            lines = [[p for c in leg.curves for p in along(c)] for leg in bell.legs]
            found = sum(crossings(p, q) for p, q in combinations(lines, 2))
            assert found == (0 if sign(legs) == 1 else 1), diagram


@every_determinant
@given(st.data())
def test_bells_hide_no_strand_and_no_vertex(family: Any, data: st.DataObject) -> None:
    shape = picture(data.draw(any_diagram(family)))
    for bell in shape.bells:
        (left, flat), (_, turn), _, (right, _) = bell.arch
        low, high = sorted((flat, flat + 0.75 * (turn - flat)))
        points = [p for strand in shape.strands for p in along(strand.curve)]
        for x, y in (*points, *shape.vertices):
            assert not (left < x < right and low < y < high)


@every_category
@half
@given(st.data())
def test_everything_stays_in_the_box(family: Any, data: st.DataObject) -> None:
    shape = picture(data.draw(any_diagram(family)))
    curves = [strand.curve for strand in shape.strands]
    curves += [curve for bell in shape.bells for leg in bell.legs for curve in leg.curves]
    curves += [bell.arch for bell in shape.bells]
    curves += [wire.curve for wire in shape.wires] + [edge.curve for edge in shape.edges]
    points = [p for curve in curves for p in along(curve)]
    points += [p for edge in shape.edges for p in edge.head]
    points += [p for word in shape.words for p in word.corners]
    for x, y in (*shape.vertices, *points):
        assert -1e-9 <= x <= shape.width + 1e-9
        assert -1e-9 <= y <= shape.height + 1e-9


@every_category
@half
@given(st.data(), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.5, 40))
def test_placing_moves_everything(
    family: Any, data: st.DataObject, x: float, y: float, scale: float
) -> None:
    before = picture(data.draw(any_diagram(family)))
    back = before.placed(x, y, scale).placed(0, 0, 1 / scale)
    for name in ("strands", "wires", "edges"):
        for one, same in zip(getattr(before, name), getattr(back, name), strict=True):
            for point, again in zip(one.curve, same.curve, strict=True):
                assert point == pytest.approx(again, abs=1e-9)
    for edge, same in zip(before.edges, back.edges, strict=True):
        for point, again in zip(edge.head, same.head, strict=True):
            assert point == pytest.approx(again, abs=1e-9)
    for word, same in zip(before.words, back.words, strict=True):
        assert np.array(word.corners) == pytest.approx(np.array(same.corners), abs=1e-9)
    for node, same in zip(before.nodes, back.nodes, strict=True):
        assert node.at == pytest.approx(same.at, abs=1e-9)
        assert (node.bare, node.colours) == (same.bare, same.colours)
    for bell, same in zip(before.bells, back.bells, strict=True):
        for leg, again in zip(bell.legs, same.legs, strict=True):
            assert leg.tip == pytest.approx(again.tip, abs=1e-9)


@given(any_diagram(WalledBrauer, 6))
def test_arrows_run_up_along_v_and_down_along_its_dual(diagram: WalledBrauer) -> None:
    kinds = diagram.cod + diagram.dom
    for strand in picture(diagram).strands:
        leaving = [v for v in strand.ends if (kinds[v] == "V") == (v >= len(diagram.cod))]
        assert len(leaving) == 1
        ahead, *back = strand.head
        points = along(strand.curve, 200)
        middle = [(a + b) / 2 for a, b in zip(*back, strict=True)]
        order = [
            min(range(len(points)), key=lambda i, at=at: dist(points[i], at))  # type: ignore[misc]
            for at in (tuple(middle), ahead)
        ]
        assert (order[0] < order[1]) == (strand.ends[0] == leaving[0])


every_graph = pytest.mark.parametrize(
    "family", [one for one in CATEGORIES if one.family is BilabelledGraph], ids=str
)


@every_graph
@given(st.data())
def test_a_graph_shows_its_labels_and_edges(family: Any, data: st.DataObject) -> None:
    graph = data.draw(any_diagram(family, 6))
    shape = picture(graph)
    places = [node.at for node in shape.nodes]
    assert len(places) == graph.vertices
    assert all(dist(p, q) > 0.3 for p, q in combinations(places, 2))
    assert [node.bare for node in shape.nodes] == [v >= graph.labelled for v in range(len(places))]
    labels = (*graph.outputs, *graph.inputs)
    assert sorted((wire.label, wire.node) for wire in shape.wires) == list(enumerate(labels))
    for wire in shape.wires:
        assert (wire.curve[0], wire.curve[3]) == (shape.vertices[wire.label], places[wire.node])
    assert tuple(edge.ends for edge in shape.edges) == tuple(edge[:2] for edge in graph.edges)
    for edge, (a, b, *_) in zip(shape.edges, graph.edges, strict=True):
        assert bool(edge.head) == (graph.directed and a != b)
        for v, end in ((a, edge.curve[0]), (b, edge.head[0] if edge.head else edge.curve[3])):
            # An edge ends at the rim of a ring, whose inside is empty, and a head at any rim.
            rim = 0.14 if edge.head and v == b else 0.12 if shape.nodes[v].bare else 0.0
            assert dist(end, places[v]) == pytest.approx(rim, abs=1e-6)
        if edge.head:
            back = [(p + q) / 2 for p, q in zip(*edge.head[1:], strict=True)]
            assert edge.curve[3] == pytest.approx(back)
            assert dist(back, places[b]) > dist(edge.head[0], places[b])
    colours = [[str(c) for w, c in graph.colours if w == v] for v in range(graph.vertices)]
    names = [*map(" ".join, colours), *("".join(map(str, c)) for _, _, *c in graph.edges)]
    assert [word.text for word in shape.words] == list(filter(None, names))


@every_graph
@given(st.data())
def test_edges_between_the_same_vertices_lie_apart(family: Any, data: st.DataObject) -> None:
    for edge, other in combinations(picture(data.draw(any_diagram(family, 4))).edges, 2):
        if set(edge.ends) == set(other.ends):
            (x, y), (u, v) = along(edge.curve)[20], along(other.curve)[20]
            assert abs(x - u) + abs(y - v) > 0.1


@every_graph
@given(st.data())
def test_wires_and_edges_stay_off_other_vertices(family: Any, data: st.DataObject) -> None:
    shape = picture(data.draw(any_diagram(family, 4)))
    drawn = [((wire.node, wire.node), wire.curve) for wire in shape.wires]
    drawn += [(edge.ends, edge.curve) for edge in shape.edges]
    for ends, curve in drawn:
        for v, node in enumerate(shape.nodes):
            assert v in ends or min(dist(p, node.at) for p in along(curve)) > 0.15


@every_category
@half
@given(st.data())
def test_the_text_can_be_read_back(family: Any, data: st.DataObject) -> None:
    diagram = data.draw(any_diagram(family, 5))
    sketch, text = diagram.sketch(), diagram_text(diagram)
    if text == "∅":
        assert not sketch.top + sketch.bottom
        return
    lines = text.split("\n")
    for row, kinds in ((0, sketch.kinds[: sketch.top]), (-1, sketch.kinds[sketch.top :])):
        if kinds:
            assert lines[row].split() == list(kinds)
            lines.pop(row)
    reading = read_text("\n".join(lines))
    assert (reading.dom, reading.cod) == (sketch.bottom, sketch.top)
    if isinstance(diagram, BilabelledGraph):
        at = {v: i for i, part in enumerate(reading.parts) for v in part}
        labels = [at[v] for v in range(sketch.top + sketch.bottom)]
        outputs, inputs = labels[: sketch.top], labels[sketch.top :]
        directed = bool(reading.heads)
        assert reading.heads == directed * sum(a != b for a, b, *_ in diagram.edges)
        assert diagram == BilabelledGraph(
            len(reading.parts),
            tuple(reading.edges),
            tuple(outputs),
            tuple(inputs),
            tuple(reading.colours),
            directed,
        )
        return
    assert reading.blocks == set(map(frozenset, sketch.blocks))
    ends = [[None if i is None else reading.parts[i] for i in dome] for dome in reading.domes]
    found = {v: frozenset(block) for block in sketch.blocks for v in block}
    assert ends == [[None if v is None else found[v] for v in legs] for legs in sketch.determinants]


@every_category
@half
@given(st.data())
def test_an_svg_shows_every_vertex_and_leg(family: Any, data: st.DataObject) -> None:
    diagram = data.draw(any_diagram(family))
    sketch, shape = diagram.sketch(), picture(diagram)
    root = read_svg(diagram_svg(diagram))
    said = [text.text for text in root.iter("text")]
    numbers = [*map(str, range(sketch.top + sketch.bottom)), *sketch.kinds]
    names = [*map(" ".join, sketch.node_colours), *sketch.edge_colours]
    assert said == [*filter(None, names), *numbers]
    rings = sum(legs.count(None) for legs in sketch.determinants)
    dots = 0 if sketch.nodes else sketch.top + sketch.bottom
    assert len(list(root.iter("circle"))) == dots + rings + len(sketch.nodes)
    heads = sum(bool(strand.head) for strand in shape.strands)
    blocks = len({strand.block for strand in shape.strands})
    legs = sum(map(len, sketch.determinants)) + len(sketch.determinants)
    drawn = blocks + heads + legs + len(shape.wires) + len(shape.edges) + len(sketch.arcs)
    assert len(list(root.iter("path"))) == drawn
    if isinstance(diagram, Typed):
        looks = {(sketch.types[sketch.blocks[strand.block][0]]) for strand in shape.strands}
        strokes = {path.get("stroke-dasharray") for path in root.iter("path")} - {None}
        assert len(strokes) == len(looks - {0})


def test_a_colour_looks_alike_in_every_picture_and_like_its_name() -> None:
    shown = {
        name: BilabelledGraph(2, ((0, 1, name),), (0,), (1,), ((0, name), (1, 1), (1, 2)))
        for name in ("red", "green", "bond")
    }
    looks = {}
    for name, graph in shown.items():
        root = read_svg(diagram_svg(graph))
        first, second = (dot.get("fill") for dot in root.iter("circle"))
        (line,) = (path for path in root.iter("path") if "#" in path.get("stroke", ""))
        assert line.get("stroke") == first
        assert second == "currentColor"
        assert f"color={{rgb,255:red,{int(str(first)[1:3], 16)};" in graph.tikz()
        looks[name] = first
    assert looks["red"] == "#D55E00"
    assert looks["green"] == "#009E73"


def test_galleries_and_documents_take_all_families_together(tmp_path: Path) -> None:
    shown = [*EXAMPLES.values(), Brauer.swap(), SetPartition.spider(4, 4)]
    assert len(list(read_svg(gallery_svg(shown)).iter("rect"))) == len(shown)
    assert all(f"{i}: {diagram}" in gallery_text(shown) for i, diagram in enumerate(shown))
    document = gallery_tikz(shown)
    assert document.count("\\begin{tikzpicture}") == len(shown)
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed, so the TikZ was written but not compiled")
    (tmp_path / "gallery.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "gallery.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_one_graph_has_one_picture() -> None:
    edges = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0))
    for names in permutations(range(5)):
        renamed = [(names[a], names[b]) for a, b in edges]
        graph = BilabelledGraph(5, tuple(renamed), (names[0],), (names[2],))
        assert picture(graph) == picture(BilabelledGraph(5, edges, (0,), (2,)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_look_as_they_did(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"picture_{name}.svg", diagram_svg(EXAMPLES[name]))
    golden(f"picture_{name}.txt", diagram_text(EXAMPLES[name]) + "\n")
    golden(f"picture_{name}.tex", EXAMPLES[name].tikz() + "\n")


def test_the_ten_look_as_they_did(golden: Callable[[str, str], None]) -> None:
    ten = []
    for legs in combinations(range(5), 3):
        a, b = sorted(set(range(5)) - set(legs))
        ten.append(Grood(2, 3, legs, ((a, b),)))
    title = "The 10 Brauer-Grood diagrams 2 → 3 of SO(3)"
    golden("picture_grood_gallery.svg", gallery_svg(ten, title=title))
    golden("picture_grood_gallery.txt", gallery_text(ten) + "\n")
