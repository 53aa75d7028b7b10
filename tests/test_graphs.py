"""Bilabelled graphs: each isomorphism class once, in order, counted at any size."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import all_graphs, least_graph, stirling2

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.counts import (
    count_bilabelled_graphs,
    count_coloured_graphs,
    count_set_partitions,
)
from tannaka.diagrams.enumerate import bilabelled_graphs, set_partitions
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.spaces.orderly import least_graphs


def sizes() -> Iterator[object]:
    """Numbers of labels and vertices, and loops or not; the slow ones only in deep runs."""
    for loops in (False, True):
        for vertices in range(6):
            for size in range(5):
                spots = comb(vertices + loops, 2)
                work = vertices**size * 2**spots * vertices**vertices
                if work < 3e8:
                    marks = pytest.mark.deep if work > 2e5 else ()
                    yield pytest.param(size, vertices, loops, marks=marks)


def word(d: BilabelledGraph) -> tuple[tuple[int, ...], ...]:
    return least_graph(d.vertices, d.edges, (*d.outputs, *d.inputs))


@pytest.mark.parametrize(("size", "vertices", "loops"), list(sizes()))
def test_graphs_are_all_there_once_and_in_order(size: int, vertices: int, loops: bool) -> None:
    wanted = all_graphs(size, vertices, loops)
    for dom in {0, size // 2, size}:
        found = list(bilabelled_graphs(dom, size - dom, vertices, loops=loops))
        words = [word(d) for d in found]
        assert set(words) == wanted
        assert all(a < b for a, b in pairwise(words))
        assert len(found) == count_bilabelled_graphs(size, vertices, loops=loops)
        assert all((d.dom, d.cod, d.vertices) == (dom, size - dom, vertices) for d in found)


def test_counts_of_known_sequences() -> None:
    # A000088: graphs; A000666: graphs with loops, and rooted graphs.
    graphs = [1, 1, 2, 4, 11, 34, 156, 1044, 12346, 274668, 12005168, 1018997864]
    loops = [1, 2, 6, 20, 90, 544, 5096, 79264, 2208612]
    assert [count_bilabelled_graphs(0, v) for v in range(12)] == graphs
    assert [count_bilabelled_graphs(0, v, loops=True) for v in range(9)] == loops
    assert [count_bilabelled_graphs(1, v) for v in range(1, 10)] == loops
    assert [sum(1 for _ in bilabelled_graphs(0, 0, v)) for v in range(7)] == graphs[:7]
    assert [sum(1 for _ in bilabelled_graphs(0, 0, v, loops=True)) for v in range(6)] == loops[:6]
    assert [sum(1 for _ in bilabelled_graphs(1, 0, v)) for v in range(1, 7)] == loops[:6]


@pytest.mark.deep
def test_more_graphs_of_known_sequences() -> None:
    assert sum(1 for _ in bilabelled_graphs(0, 0, 7)) == 1044
    assert sum(1 for _ in bilabelled_graphs(0, 0, 6, loops=True)) == 5096
    assert sum(1 for _ in bilabelled_graphs(0, 1, 7)) == 5096


@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("vertices", [0, 1, 2, 5, 9, 20])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 60])
def test_two_ways_to_count_agree(size: int, vertices: int, loops: bool) -> None:
    """All permutations of all vertices; or first the labels, then what the others can do."""
    by_labels = sum(
        stirling2(size, b) * count_coloured_graphs((*(1,) * b, vertices - b), loops=loops)
        for b in range(min(size, vertices) + 1)
    )
    assert count_bilabelled_graphs(size, vertices, loops=loops) == by_labels


@pytest.mark.parametrize(
    "runs", [(), (1,), (3,), (1, 1, 1), (2, 2), (1, 3), (3, 1), (2, 1, 2), (5,)]
)
def test_orderly_generation_finds_what_burnside_counts(runs: tuple[int, ...]) -> None:
    found = list(least_graphs(runs))
    assert len(found) == count_coloured_graphs(runs)
    assert found == sorted(set(found))


@given(st.integers(0, 4), st.integers(0, 4))
def test_graphs_whose_vertices_all_have_labels_are_partitions_with_edges(k: int, l: int) -> None:
    partitions = set_partitions(k, l)
    for vertices in range(min(k + l, 3) + 1):
        labelled = count_set_partitions(k + l, vertices) - (
            count_set_partitions(k + l, vertices - 1) if vertices else 0
        )
        found = [
            d for d in bilabelled_graphs(k, l, vertices) if d.labelled == vertices and not d.edges
        ]
        assert len(found) == labelled
        assert found == [
            BilabelledGraph.from_partition(p) for p in partitions if len(p.blocks) == vertices
        ]


def test_many_vertices_without_label_have_no_numbers() -> None:
    space = bilabelled_graphs(1, 1, 9)
    with pytest.raises(SizeError, match=r"8 vertices without label .* only up to 6"):
        space[0]
    d = space.sample(0)
    assert d in space
    with pytest.raises(SizeError, match="vertices without label"):
        space.index(d)
    # Patterns of labels with fewer of them are numbered, wherever they stand.
    assert bilabelled_graphs(3, 3, 9).count == count_bilabelled_graphs(6, 9)
    last = bilabelled_graphs(3, 3, 9)[-1]
    assert last.labelled == 6
    assert len(last.edges) == comb(9, 2)


def test_very_many_vertices_without_label_are_refused_at_once() -> None:
    with pytest.raises(SizeError, match=r"2,000 vertices without label: .* at most 1,000"):
        BilabelledGraph(2000, (), (), ())
    named = BilabelledGraph(2000, (), tuple(range(2000)), ())
    assert named.labelled == 2000
    with pytest.raises(SizeError, match=r"vertices is an order.*at most"):
        BilabelledGraph(10**12, (), (), ())


def test_graphs_with_very_many_labels_are_listed() -> None:
    first = next(iter(bilabelled_graphs(1500, 0, 2)))
    assert first.inputs == (0,) * 1500


def test_vertices_without_label_and_edge_are_worth_the_number_that_n_is() -> None:
    points = BilabelledGraph(2, (), (), ())
    nothing = BilabelledGraph(0, (), (), ())
    assert Morphism(0, 0, {(points, 1): 1}, n=5).at(5) == {nothing: 125}


@pytest.mark.parametrize("seed", range(30))
def test_vertices_without_label_have_no_order_even_with_loops(seed: int) -> None:
    rng = random.Random(seed)
    loops = tuple((v, v) for v in rng.sample(range(8), 3))
    cube = tuple((v, v ^ bit) for v in range(8) for bit in (1, 2, 4) if v < v ^ bit)
    names = rng.sample(range(8), 8)
    edges = tuple((names[a], names[b]) for a, b in cube + loops)
    assert BilabelledGraph(8, edges, (), ()) == BilabelledGraph(8, cube + loops, (), ())


def test_loops_belong_only_where_allowed() -> None:
    loop = BilabelledGraph(1, ((0, 0),), (0,), (0,))
    assert loop in bilabelled_graphs(1, 1, 1, loops=True)
    assert loop not in bilabelled_graphs(1, 1, 1)


def test_random_graphs_at_a_size_that_nothing_lists_are_like_random_graphs() -> None:
    """Nearly all large graphs have no symmetry, so nearly all have a coin's toss for each edge."""
    rng, space = random.Random(3), bilabelled_graphs(1, 1, 16)
    drawn = [space.sample(rng) for _ in range(200)]
    assert len(set(drawn)) == 200
    mean = sum(len(d.edges) for d in drawn) / len(drawn)
    spread = (comb(16, 2) / 4 / len(drawn)) ** 0.5
    assert abs(mean - comb(16, 2) / 2) < 4 * spread
    together = Counter(d.labelled for d in drawn)
    assert together[1] + together[2] == 200
    assert 0 < together[1] < 40, "about one in sixteen has both labels on one vertex"
