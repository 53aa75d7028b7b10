"""Pictures of host graphs: they show every vertex, edge and pair once, and the right counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from math import dist
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers import along, crossings, read_svg

from tannaka.category.automorphisms import Aut
from tannaka.category.hom import Hom
from tannaka.category.orbitals import Orbit
from tannaka.category.permutations import PermutationGroup
from tannaka.category.portraits import group_portrait, orbit_portrait, values_portrait
from tannaka.category.symmetric import S
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.pictures.embedding import embedding
from tannaka.diagrams.pictures.hosts import HostSketch, host_picture
from tannaka.diagrams.pictures.svg import svg_document

Golden = Callable[[str, str], None]

PETERSEN = Aut(nx.petersen_graph())
ONE_EDGE = BilabelledGraph(2, ((0, 1),), (0,), ())
PATH = BilabelledGraph(3, ((0, 1), (1, 2)), (0,), (2,))


def star_with_loops() -> nx.Graph:
    star = nx.star_graph(5)
    star.add_edges_from([(0, 0), (1, 1), (3, 3)])
    return star


def truncated_icosahedron() -> nx.Graph:
    """C60: a vertex for each end of each edge of the icosahedron, around which edges have an order."""
    solid = nx.icosahedral_graph()
    _, plane = nx.check_planarity(solid)
    ball = nx.Graph([((a, b), (b, a)) for a, b in solid.edges])
    for v in solid:
        around = list(plane.neighbors_cw_order(v))
        ball.add_edges_from(
            ((v, a), (v, b)) for a, b in zip(around, around[1:] + around[:1], strict=True)
        )
    return nx.convert_node_labels_to_integers(ball)


HOSTS = {
    "petersen": nx.petersen_graph(),
    "cycle": nx.cycle_graph(6),
    "cube": nx.hypercube_graph(3),
    "ball": truncated_icosahedron(),
    "torus": nx.grid_2d_graph(4, 4, periodic=True),
    "directed cycle": nx.cycle_graph(5, create_using=nx.DiGraph),
    "star with loops": star_with_loops(),
    "point": nx.empty_graph(1),
    "points": nx.empty_graph(9),
    "pieces": nx.disjoint_union_all([nx.cycle_graph(4), nx.path_graph(3), nx.empty_graph(3)]),
    "karate": nx.karate_club_graph(),
    "cubic": nx.random_regular_graph(3, 60, seed=1),
    "both ways": nx.DiGraph([(0, 1), (1, 0), (1, 2), (2, 3), (3, 1), (2, 2)]),
}
every_host = pytest.mark.parametrize("name", HOSTS)


@st.composite
def sketches(draw: st.DrawFn, most: int = 12) -> HostSketch:
    n = draw(st.integers(1, most))
    directed = draw(st.booleans())
    spots = [(a, b) for a in range(n) for b in range(n) if directed or a <= b]
    edges = draw(st.lists(st.sampled_from(spots), unique=True, max_size=25))
    names = draw(st.sampled_from([(), tuple("v" * (1 + i % 3) for i in range(n))]))
    return HostSketch(n, tuple(sorted(edges)), directed, names=names)


def check_picture(sketch: HostSketch) -> None:
    shape = host_picture(sketch)
    assert len(shape.places) == sketch.n
    assert all(dist(p, q) > 1.5 * shape.radius for p, q in combinations(shape.places, 2))
    assert tuple(line.ends for line in shape.lines) == sketch.edges
    for line, directed in [(line, sketch.directed) for line in shape.lines]:
        a, b = line.ends
        tip = line.head[0] if line.head else line.curve[3]
        assert bool(line.head) == directed
        assert dist(line.curve[0], shape.places[a]) == pytest.approx(shape.radius, abs=0.05)
        assert dist(tip, shape.places[b]) == pytest.approx(shape.radius, abs=0.05)
    lines = (*shape.lines, *shape.arcs)
    for x, y in (*shape.places, *shape.notes, *(p for line in lines for p in along(line.curve))):
        assert 0 <= x <= shape.width
        assert 0 <= y <= shape.height


@given(sketches())
def test_every_vertex_and_edge_is_drawn_once_inside_the_box(sketch: HostSketch) -> None:
    check_picture(sketch)


@every_host
def test_every_vertex_and_edge_of_known_graphs_is_drawn_once(name: str) -> None:
    group = Aut(HOSTS[name])
    sketch = group_portrait(group)
    check_picture(sketch)
    root = read_svg(group.svg())
    title = root[0].text or ""
    assert title.startswith(f"{group}: order ")
    assert len(list(root.iter("circle"))) == group.n
    heads = len(sketch.edges) if sketch.directed else 0
    assert len(list(root.iter("path"))) == len(sketch.edges) + heads


@every_host
def test_lines_pass_no_other_vertex_where_there_is_room(name: str) -> None:
    shape = host_picture(Aut(HOSTS[name]).host_sketch())
    for line in shape.lines:
        others = [p for v, p in enumerate(shape.places) if v not in line.ends]
        assert all(dist(p, q) > shape.radius for p in along(line.curve) for q in others)


@pytest.mark.parametrize(
    ("name", "most"), [("cycle", 0), ("cube", 0), ("ball", 0), ("petersen", 5), ("pieces", 0)]
)
def test_few_edges_cross(name: str, most: int) -> None:
    graph = nx.convert_node_labels_to_integers(HOSTS[name])
    places = embedding(len(graph), tuple(graph.edges))
    pairs = [(a, b) for a, b in combinations(graph.edges, 2) if not set(a) & set(b)]
    found = sum(
        crossings([places[a], places[b]], [places[c], places[d]]) for (a, b), (c, d) in pairs
    )
    assert found <= most


def test_rotations_of_a_graph_are_rotations_of_its_picture() -> None:
    for graph, m in ((nx.petersen_graph(), 5), (nx.cycle_graph(7), 7), (HOSTS["ball"], 5)):
        places = embedding(len(graph), tuple(graph.edges))
        middle = complex(*np.mean(places, axis=0))
        turn = np.exp(2j * np.pi / m)
        around = [complex(*p) - middle for p in places]
        apart = abs(np.subtract.outer(turn * np.array(around), around))
        images = apart.argmin(axis=1).tolist()
        assert all(abs(around[w] - turn * z) < 1e-3 for w, z in zip(images, around, strict=True))
        assert all(graph.has_edge(images[a], images[b]) for a, b in graph.edges)


def test_pictures_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "import networkx as nx; from tannaka import Aut, Hom\n"
        "for graph in (nx.petersen_graph(), nx.karate_club_graph(), nx.hypercube_graph(3)):\n"
        "    print(ascii(Aut(graph).svg()), Aut(graph).text())"
    )
    path = os.pathsep.join(sys.path)
    drawn = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(drawn) == 1


def drawn_pairs(orbit: Orbit) -> Counter[tuple[int, int]]:
    """The pairs (first index, second index) that a picture of an orbit shows."""
    sketch = orbit_portrait(orbit)
    pairs = [(v, v) for v, colour in enumerate(sketch.colours) if colour is not None]
    for arc in sketch.arcs:
        a, b = arc.ends if orbit.dom != 1 else arc.ends[::-1]
        pairs += [(a, b), (b, a)] if arc.both else [(a, b)]
    return Counter(pairs)


@pytest.mark.parametrize("name", ["petersen", "cube", "directed cycle", "star with loops"])
def test_a_picture_of_an_orbit_shows_its_pairs(name: str) -> None:
    group = Aut(HOSTS[name])
    for dom in range(3):
        for orbit in group.orbit_space(dom, 2 - dom):
            tuples = group.stabiliser.orbit(orbit.indices)
            assert drawn_pairs(orbit) == Counter(map(tuple, tuples.tolist()))
            sketch = orbit_portrait(orbit)
            assert sketch.strong == frozenset(orbit.indices)
            assert sum(arc.strong for arc in sketch.arcs) == (len(set(orbit.indices)) == 2)
            check_picture(sketch)
            root = read_svg(orbit.svg())
            assert str(orbit) in (root[0].text or "")
            assert len(list(root.iter("circle"))) == group.n


def test_orbits_of_other_sizes_have_their_labels_at_the_least_tuple() -> None:
    orbit = PETERSEN.orbit("[0 1 ← 0 2]")
    assert orbit_portrait(orbit).notes[:3] == ("o0 i0", "o1", "i1")
    assert {"o0 i0", "o1", "i1"} <= {text.text for text in read_svg(orbit.svg()).iter("text")}
    assert orbit.text().endswith("o0 at 0  o1 at 1  i0 at 0  i1 at 2")
    one = PETERSEN.orbit("[0 ←]")
    assert orbit_portrait(one).colours == (0,) * 10
    assert "the empty tuple" in (read_svg(PETERSEN.orbit("[←]").svg())[0].text or "")


def test_the_pairs_of_a_large_orbit_are_those_at_one_vertex() -> None:
    sketch = orbit_portrait(Aut(nx.complete_graph(60)).orbit("[0 ← 1]"))
    assert len(sketch.arcs) == 59
    assert sketch.keys[1].text == "drawn: those with i0 at 1"
    assert {arc.ends[0] for arc in sketch.arcs} == {1}


def test_one_label_gives_every_vertex_its_count() -> None:
    for name in ("karate", "star with loops", "petersen"):
        group = Aut(HOSTS[name])
        counts = group.matrix(ONE_EDGE).ravel().tolist()
        sketch = values_portrait(group, ONE_EDGE)
        assert sketch.notes == tuple(map(str, counts))
        root = read_svg(group.svg(ONE_EDGE))
        assert Counter(map(str, counts)) <= Counter(text.text for text in root.iter("text"))
        assert len(list(root.iter("circle"))) == group.n + ONE_EDGE.vertices


@pytest.mark.parametrize("name", ["petersen", "cube", "torus"])
def test_two_labels_give_every_pair_with_an_entry_an_arc(name: str) -> None:
    group = Aut(HOSTS[name])
    matrix = group.matrix(PATH)
    sketch = values_portrait(group, PATH)
    arcs = {frozenset(arc.ends) for arc in sketch.arcs}
    wanted = {frozenset((a, b)) for a, b in np.argwhere(matrix).tolist() if a != b}
    assert arcs == wanted
    assert [v is not None for v in sketch.colours] == (np.diagonal(matrix) != 0).tolist()
    said = {key.text.split(": ")[1] for key in sketch.keys}
    assert said == {str(x) for x in np.unique(matrix) if x}


def test_two_labels_on_a_graph_with_many_orbits_show_one_column() -> None:
    group = Aut(HOSTS["karate"])
    sketch = values_portrait(group, PATH)
    assert sketch.notes == tuple(map(str, group.matrix(PATH)[:, 0].tolist()))
    assert "drawn: the entries with i0 at 0" in [key.text for key in sketch.keys]
    read_svg(group.svg(PATH))


def test_other_numbers_of_labels_are_listed() -> None:
    triangle = BilabelledGraph(3, ((0, 1), (1, 2), (0, 2)), (0, 1), (2,))
    assert [key.text for key in values_portrait(PETERSEN, triangle).keys] == ["0 everywhere"]
    pentagon = BilabelledGraph(5, ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0)), (), ())
    assert [key.text for key in values_portrait(PETERSEN, pentagon).keys] == ["value 120"]
    wedge = BilabelledGraph(3, ((0, 1), (1, 2)), (0, 1), (2,))
    keys = [key.text for key in values_portrait(PETERSEN, wedge).keys]
    assert keys == ["[0 1 ← 0]: 1", "[0 1 ← 2]: 1", "0 at 13 more"]
    for diagram in (triangle, pentagon, wedge, PETERSEN.orbit("[0 ← 1]"), None):
        read_svg(PETERSEN.svg(diagram))
    with pytest.raises(ValueError, match="is an orbit of"):
        PETERSEN.svg(Aut(nx.cycle_graph(3)).orbit("[0 ← 1]"))


def test_names_are_shown_where_they_are_short_and_fit() -> None:
    said = {text.text for text in read_svg(Aut(HOSTS["torus"]).svg()).iter("text")}
    assert "3,1" in said
    long = nx.relabel_nodes(nx.path_graph(3), {0: "a long name", 1: "b", 2: "c"})
    assert {"0", "1", "2"} <= {text.text for text in read_svg(Aut(long).svg()).iter("text")}
    many = read_svg(Aut(nx.cycle_graph(200)).svg())
    assert len(list(many.iter("text"))) == 2
    assert len(list(many.iter("circle"))) == 200
    odd = nx.relabel_nodes(nx.path_graph(2), {0: "<&>", 1: '"'})
    assert "<&>" in {text.text for text in read_svg(Aut(odd).svg()).iter("text")}


def test_where_colours_repeat_orbits_have_numbers() -> None:
    sketch = group_portrait(Aut(nx.path_graph(20)))
    assert sketch.notes == tuple(f"#{min(v, 19 - v)}" for v in range(20))
    looks = {
        (circle.get("fill"), circle.get("stroke"))
        for circle in read_svg(Aut(nx.path_graph(20)).svg()).iter("circle")
    }
    assert len(looks) == 10, "ten orbits, of which the last four are rings"


def test_very_large_graphs_are_told_and_not_drawn() -> None:
    drawn = read_svg(PermutationGroup([], n=1000).svg())
    assert len(list(drawn.iter("circle"))) == 1000
    told = read_svg(PermutationGroup([(1, 0, *range(2, 2000))]).svg())
    assert not list(told.iter("circle"))
    assert "2,000 vertices: too many to draw" in {text.text for text in told.iter("text")}
    dense = Aut(nx.complete_graph(100))
    assert "4,950 edges" in dense.svg()
    assert "4,950 edges" in dense.orbit("[0 ← 1]").svg()
    assert "4,950 edges" in dense.tikz()


def test_edges_look_alike_in_a_graph_and_in_its_host() -> None:
    ring = nx.cycle_graph(6)
    kinds = {edge: "double" if i % 2 else "single" for i, edge in enumerate(ring.edges)}
    nx.set_edge_attributes(ring, kinds, "kind")
    group = Aut(ring, edge_attr="kind")
    root = read_svg(group.svg())
    looks = Counter(
        (path.get("stroke"), path.get("stroke-dasharray")) for path in root.iter("path")
    )
    assert set(looks.values()) == {4}, "three edges and a sample for either kind"
    assert {"single", "double"} <= {text.text for text in root.iter("text")}
    bond = BilabelledGraph(2, ((0, 1, "double"),), (0,), (1,))
    beside = read_svg(group.svg(bond))
    again = Counter(
        (path.get("stroke"), path.get("stroke-dasharray")) for path in beside.iter("path")
    )
    assert sum(again[look] for look in looks) >= 7


def test_a_group_without_a_graph_has_its_points_on_a_circle() -> None:
    cyclic = PermutationGroup([(1, 2, 3, 4, 0)])
    places = host_picture(cyclic.host_sketch()).places
    middle = tuple(np.mean(places, axis=0))
    assert len({round(dist(p, middle), 1) for p in places}) == 1
    assert cyclic._repr_mimebundle_()["text/plain"] == repr(cyclic)
    read_svg(cyclic.orbit("[0 ← 2]").svg())


def test_hom_spaces_have_galleries_of_both_bases() -> None:
    arrows = Hom(Aut(HOSTS["directed cycle"]), 1, 1)
    assert len(list(read_svg(arrows.svg()).iter("rect"))) == 5
    hom = Hom(PETERSEN, 1, 1)
    assert len(list(read_svg(hom.svg()).iter("rect"))) == 3
    root = read_svg(hom.svg("orbit"))
    assert len(list(root.iter("circle"))) == 30
    said = [text.text for text in root.iter("text")]
    assert {"[0 ← 0]", "[0 ← 1]", "[0 ← 2]"} <= set(said)
    assert "0: 0 1" in hom.text()
    assert "9 ← 4 6 7" in hom.text(kind="orbit")
    assert len(list(read_svg(Hom(S(3), 1, 1).svg("orbit")).iter("circle"))) == 6
    assert Hom(S(3), 1, 1).text(kind="orbit").startswith("0: 0 1\n0\n│\n1")
    with pytest.raises(ValueError, match="'diagram' or 'orbit'"):
        hom.svg("other")


def test_sums_of_orbits_show_the_orbits() -> None:
    edge = PETERSEN.orbit("[0 ← 1]")
    square = edge >> edge
    root = read_svg(square.svg())
    assert len(list(root.iter("circle"))) == 20
    assert "3" in {text.text for text in root.iter("text")}
    assert square.text() == "3 ([0 ← 0]) + ([0 ← 2])"


def test_pictures_can_share_a_page() -> None:
    body = "".join(PETERSEN.svg(d).split("</style>")[1].replace("</svg>", "") for d in (None, PATH))
    read_svg(svg_document(600, 600, body, "two"))


def test_examples_look_as_they_did(golden: Golden, tmp_path: Path) -> None:
    golden("host_petersen.svg", PETERSEN.svg())
    golden("host_petersen.txt", PETERSEN.text() + "\n")
    golden("host_petersen_edges.svg", PETERSEN.orbit("[0 ← 1]").svg())
    golden("host_petersen_paths.svg", PETERSEN.svg(PATH))
    cycle = Aut(HOSTS["directed cycle"])
    golden("host_cycle.svg", cycle.svg())
    golden("host_cycle_gallery.svg", Hom(cycle, 1, 1).svg("orbit"))
    golden("host_cycle_orbit.txt", cycle.orbit("[0 ← 2]").text() + "\n")
    tikz: list[Any] = [PETERSEN, PETERSEN.orbit("[0 ← 1]"), cycle, Aut(HOSTS["star with loops"])]
    golden("host_petersen.tex", PETERSEN.tikz() + "\n")
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed, so the TikZ was written but not compiled")
    head = "\\documentclass{article}\n\\usepackage{tikz}\n\\begin{document}\n"
    document = head + "\n\n".join(one.tikz() for one in tikz) + "\n\\end{document}\n"
    (tmp_path / "hosts.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "hosts.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
