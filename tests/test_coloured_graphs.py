"""Bilabelled graphs with arcs and colours: equal exactly where isomorphic, and what is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from oracles import least_structure

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.enumerate import bilabelled_graphs
from tannaka.diagrams.errors import CompositionError
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.typed import Typed

Graph: Any = BilabelledGraph
ARC = Graph(2, [(0, 1)], (0,), (1,), directed=True)
EDGE = Graph(2, [(0, 1)], (0,), (1,))
LOOP = Graph(1, [(0, 0)], (0,), (0,))


def word(d: BilabelledGraph) -> tuple[list[Any], ...]:
    return least_structure(d.vertices, d.edges, (*d.outputs, *d.inputs), d.colours, d.directed)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("tints", [[()], [("a",)], [(), ("a",)], [(), ("a",), (1,)]], ids=str)
@pytest.mark.parametrize("marks", [[], ["x"], ["x", 1]], ids=str)
def test_graphs_are_equal_where_they_are_isomorphic_and_nowhere_else(
    directed: bool, tints: list[tuple[Any, ...]], marks: list[Any]
) -> None:
    rng = random.Random(f"{directed} {tints} {marks}")
    known: dict[Any, BilabelledGraph] = {}
    met = 0
    for _ in range(1200):
        vertices = rng.choice([2, 3, 3, 4])
        ends = range(vertices)
        edges = [
            (rng.choice(ends), rng.choice(ends), *rng.choice(tints))
            for _ in range(rng.randrange(5))
        ]
        colours = [(rng.choice(ends), rng.choice(marks)) for _ in range(rng.randrange(3)) if marks]
        labels = tuple(rng.choice(ends) for _ in range(rng.choice([0, 0, 1])))
        found = Graph(vertices, edges, labels, (), colours, directed)
        named = (vertices, least_structure(vertices, edges, labels, colours, directed))
        key = json.dumps(named)
        met += key in known
        assert known.setdefault(key, found) == found
        assert hash(known[key]) == hash(found)
        assert word(found) == named[1]
    assert len(set(known.values())) == len(known)
    assert met > 100, "isomorphic graphs must meet for this to say anything"


@pytest.mark.parametrize(
    "edges",
    [
        [(0, 1), (1, 2), (2, 3), (3, 0)],
        [(0, 1), (1, 2), (2, 3), (0, 3)],
        [(0, 1, "a"), (1, 2), (2, 3, "a"), (3, 0)],
        [(0, 1), (1, 0), (2, 3), (3, 2)],
        [(0, 1, "a"), (0, 1, "b"), (2, 3, "a"), (3, 2, "b")],
        [(0, 0, "a"), (1, 1, "b"), (2, 2), (0, 1), (1, 2), (2, 3), (3, 0)],
    ],
)
@pytest.mark.parametrize("directed", [False, True])
def test_no_numbering_of_vertices_shows(edges: list[Any], directed: bool) -> None:
    found = {
        Graph(4, [(p[a], p[b], *c) for a, b, *c in edges], (), (), directed=directed)
        for p in permutations(range(4))
    }
    assert len(found) == 1


def test_long_cycles_with_and_without_a_turn_differ() -> None:
    """Where every vertex looks like every other, only the search tells them apart."""
    turning = [(v, (v + 1) % 12) for v in range(12)]
    twisted = [(v + 1, v) if v == 5 else (v, (v + 1) % 12) for v in range(12)]
    halves = [(6 * h + v, 6 * h + (v + 1) % 6) for h in (0, 1) for v in range(6)]
    back = [(b, a) for a, b in turning]
    one, other, two, same = (
        Graph(12, edges, (), (), directed=True) for edges in (turning, twisted, halves, back)
    )
    assert one == same
    assert len({one, other, two}) == 3
    painted = [(a, b, "ab"[a % 2]) for a, b in turning]
    assert Graph(12, painted, (), ()) == Graph(
        12, [(a, b, "ba"[a % 2]) for a, b in turning], (), ()
    )
    assert Graph(12, painted, (), ()) != Graph(
        12, [(a, b, "ab"[a < 6]) for a, b in turning], (), ()
    )


def test_what_says_nothing_new_is_left_out() -> None:
    assert Graph(2, [(0, 1), (1, 0), (1, 0, "a"), (0, 1, "a")], (0,), (1,)).edges == ((0, 1, "a"),)
    arcs = Graph(2, [(0, 1), (1, 0), (1, 0, "a"), (0, 1)], (0,), (1,), directed=True)
    assert arcs.edges == ((0, 1), (1, 0, "a"))
    assert Graph(1, [], (0,), (), [(0, "a"), (0, 1), (0, "a")]).colours == ((0, 1), (0, "a"))


def test_only_arcs_have_a_direction() -> None:
    assert ARC.directed
    for edges in ([], [(0, 0)], [(0, 0, "a"), (1, 1)]):
        assert Graph(2, edges, (0,), (1,), directed=True) == Graph(2, edges, (0,), (1,))
    glued = ARC.hadamard(BilabelledGraph.identity(1))
    assert glued == LOOP
    assert not glued.directed
    assert (ARC >> LOOP >> ARC.dagger()).diagrams()[0].directed


def test_the_dagger_keeps_the_direction_of_arcs() -> None:
    assert ARC.dagger() == Graph(2, [(1, 0)], (0,), (1,), directed=True)
    assert ARC.dagger() != ARC
    assert EDGE.dagger() == EDGE
    both = Graph(2, [(0, 1), (1, 0)], (0,), (1,), directed=True)
    assert ARC.hadamard(ARC.dagger()) == both == both.dagger()


@pytest.mark.parametrize(
    "combined", [lambda f, g: f >> g, lambda f, g: f @ g, lambda f, g: f.hadamard(g)]
)
def test_arcs_and_edges_do_not_mix(combined: Callable[[Any, Any], Any]) -> None:
    for f, g in ((ARC, EDGE), (EDGE, ARC)):
        with pytest.raises(
            CompositionError, match=r"\(0 \| 1 ; 0>1\) .*\(0 \| 1 ; 0-1\).*is two arcs"
        ):
            combined(f, g)
        for other in (f, LOOP, BilabelledGraph.identity(1)):
            combined(f, other)
            combined(other, f)


def test_a_vertex_with_a_colour_is_not_worth_n() -> None:
    red = Graph(1, [], (0,), (), [(0, "red")])
    counted, closed = red.then(red.dagger())
    assert closed == 0
    assert counted == Graph(1, [], (), (), [(0, "red")])
    assert counted.closed == (counted,)
    assert counted.normal() == (counted, (0,), 1)
    mixed = counted @ ARC.then(ARC)[0] @ Graph(2, [(0, 1, 7)], (), (), [(0, 7)], directed=True)
    assert list(map(str, mixed.closed)) == ["* :red", "* | * :7 ; 1>0:7"]


@pytest.mark.parametrize(
    ("graph", "text", "shown"),
    [
        (ARC, "0 | 1 ; 0>1", "edges=((0, 1),), outputs=(0,), inputs=(1,), directed=True)"),
        (EDGE, "0 | 1 ; 0-1", "edges=((0, 1),), outputs=(0,), inputs=(1,))"),
        (
            Graph(2, [(0, 1, "red"), (0, 1, -3)], (0,), (0,), {0: "b", 1: 2}.items()),
            "0 1 :b | * :2 ; 0-1:-3 0-1:red",
            "colours=((0, 'b'), (1, 2)))",
        ),
        (Graph(1, [], (), (), [(0, "B"), (0, "A")]), "* :A :B", "colours=((0, 'A'), (0, 'B')))"),
        (
            Graph(2, [(1, 0, "x"), (0, 0)], (0,), (1,), directed=True),
            "0 | 1 ; 0>0 1>0:x",
            "directed=True)",
        ),
    ],
    ids=str,
)
def test_graphs_are_written_and_read(graph: BilabelledGraph, text: str, shown: str) -> None:
    assert str(graph) == text
    assert repr(graph).endswith(shown)
    assert BilabelledGraph.parse(graph.dom, graph.cod, text) == graph
    spaced = text.replace(" | ", "|").replace(" ; ", ";")
    assert BilabelledGraph.parse(graph.dom, graph.cod, spaced) == graph
    data = json.loads(json.dumps(graph.to_json()))
    assert BilabelledGraph.from_json(data) == graph
    assert ("colours" in data, "directed" in data) == (bool(graph.colours), graph.directed)
    typed = Typed((1, 0), (0, 1), (SetPartition.identity(1), graph)) if graph.dom else None
    if typed:
        families = (SetPartition, BilabelledGraph)
        assert Typed.parse((1, 0), (0, 1), str(typed), families) == typed
        assert Typed.from_json(json.loads(json.dumps(typed.to_json()))) == typed


def test_numbers_and_words_of_numpy_become_plain_ones() -> None:
    edges = [(0, 1, np.int64(3))]
    graph = Graph(2, edges, (0,), (1,), [(np.int64(0), np.str_("red"))])
    assert graph == Graph(2, [(0, 1, 3)], (0,), (1,), [(0, "red")])
    assert repr(graph).endswith("inputs=(1,), colours=((0, 'red'),))")
    assert "0, 1, 3" in repr(graph)


def test_only_plain_graphs_are_enumerated() -> None:
    for graph in (
        ARC,
        Graph(2, [(0, 1, "a")], (0,), (1,)),
        Graph(2, [(0, 1)], (0,), (1,), [(0, 1)]),
    ):
        assert graph not in bilabelled_graphs(1, 1, 2)
        with pytest.raises(ValueError, match="not"):
            bilabelled_graphs(1, 1, 2).index(graph)
    assert EDGE in bilabelled_graphs(1, 1, 2)


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: Graph(2, [(0, 1, "dark red")], (), ()), ValueError, "a colour is .* 'dark red'"),
        (lambda: Graph(2, [(0, 1, "2nd")], (), ()), ValueError, "'2nd': .* no digit first"),
        (lambda: Graph(2, [(0, 1, "")], (), ()), ValueError, "a colour is .* got ''"),
        (lambda: Graph(2, [(0, 1, True)], (), ()), TypeError, "a colour is .* got True"),
        (lambda: Graph(2, [(0, 1, None)], (), ()), TypeError, "a colour is .* got None"),
        (lambda: Graph(2, [(0, 1, 0.5)], (), ()), TypeError, "a colour is .* got 0.5"),
        (lambda: Graph(2, [(0, 1, "a", "b")], (), ()), ValueError, "perhaps a colour, got .*'b'"),
        (lambda: Graph(2, [(0,)], (), ()), ValueError, r"an edge has two ends.*got \(0,\)"),
        (lambda: Graph("abc", ["abc"], (), ()), ValueError, "an edge has two ends.*got 'abc'"),
        (
            lambda: Graph(2, [(0, 2, "a")], (), ()),
            ValueError,
            "an edge's end 2 is not one of the 2",
        ),
        (lambda: Graph(2, [], (), (), [(2, "a")]), ValueError, "coloured vertex 2 is not one of"),
        (lambda: Graph(2, [], (), (), [(0, True)]), TypeError, "a colour is .* got True"),
        (lambda: Graph(2, [], (), (), [(0, "a b")]), ValueError, "a colour is .* got 'a b'"),
        (lambda: Graph(2, [], (), (), {0: "a"}), ValueError, r"pairs \(vertex, colour\), got 0"),
        (lambda: Graph(2, [], (), (), ["0a"]), ValueError, r"pairs \(vertex, colour\), got '0a'"),
        (lambda: Graph(2, [], (), (), [(0, 1, 2)]), ValueError, r"got \(0, 1, 2\)"),
        (lambda: Graph(2, [], (), (), True), TypeError, r"pairs \(vertex, colour\), got True"),
        (lambda: Graph(2, [], (), (), (), 1), TypeError, "directed must be True or False, got 1"),
        (lambda: Graph.parse(0, 0, "* | * ; 0-1 0>1"), ValueError, "all with - or, as arcs"),
        (lambda: Graph.parse(0, 0, "* : red"), ValueError, "colours after a colon"),
        (lambda: Graph.parse(0, 0, "*:red"), ValueError, "colours after a colon"),
        (lambda: Graph.parse(0, 0, ":red"), ValueError, "colours after a colon"),
        (lambda: Graph.parse(1, 0, ":red 0"), ValueError, "colours after a colon"),
        (lambda: Graph.parse(0, 0, "* | * ; 0-1:"), ValueError, "colours after a colon"),
        (lambda: Graph.parse(0, 0, "* | * ; 0-1:a:b"), ValueError, "a colour is .* 'a:b'"),
        (lambda: Graph.parse(0, 0, "* | * ; 0=1"), ValueError, "is not a bilabelled graph"),
        (
            lambda: Graph.from_json({**EDGE.to_json(), "directed": "yes"}),
            TypeError,
            "directed must be True or False, got 'yes'",
        ),
        (
            lambda: Graph.from_json({**EDGE.to_json(), "colours": 3}),
            TypeError,
            r"pairs \(vertex, colour\), got 3",
        ),
    ],
)
def test_what_is_wrong_is_said(
    build: Callable[[], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        build()
