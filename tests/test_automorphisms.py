"""Automorphism groups of graphs, against brute force: their elements, dimensions, bases, functor."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, permutations
from typing import Any

import networkx
import numpy as np
import pytest
from dimension_table import GRAPHS
from dimension_table import automorphisms as matched
from dimension_table import graphs as table_of_graphs
from hypothesis import assume, given
from hypothesis import strategies as st
from networkx.generators.atlas import graph_atlas, graph_atlas_g
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from oracles import homomorphisms, kron_power, least_tuples, rank_mod_p

from tannaka.category.automorphisms import Aut
from tannaka.category.hom import Hom
from tannaka.category.hosts import Host
from tannaka.category.permutations import PermutationGroup
from tannaka.category.symmetric import S
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.enumerate import bilabelled_graphs
from tannaka.diagrams.errors import SizeError
from tannaka.testing.strategies import (
    automorphism_groups,
    graphs_to,
    groups,
    host_graphs,
    orders,
    set_partitions,
)

ATLAS = 1253
"""Graphs with at most seven nodes, the one without nodes among them."""
PETERSEN = Aut(networkx.petersen_graph())
FRUCHT = Aut(networkx.frucht_graph())
Graph: Any = BilabelledGraph
EDGE = Graph(2, [(0, 1)], (0,), (1,))


def counted(f: BilabelledGraph, host: Host) -> NDArray[np.int64]:
    """The matrix of a bilabelled graph from the definition."""
    edges = [(a, b) if colour is None else (a, b, colour) for a, b, colour in host.edges]
    return homomorphisms(
        f.vertices,
        f.edges,
        f.outputs,
        f.inputs,
        host.n,
        edges,
        f.colours,
        host.colours,
        host.directed,
    )


# Every graph with at most seven nodes.


def check_graph(graph: Any, rng: random.Random) -> None:
    """Order, dimensions, orbits, bases and homomorphisms, for k + l <= 3."""
    group, elements, n = Aut(graph), matched(graph), len(graph)
    assert group.order == len(elements)
    assert set(group.permutations) <= set(elements)
    for k, l in ((0, 0), (1, 0), (1, 1), (2, 1)):
        hom, m = Hom(group, k, l), k + l
        least = least_tuples(elements, n, m)
        known = sorted(set(least))
        assert hom.dimension == len(known)
        assert [f.diagrams()[0].indices for f in hom.basis("orbit")] == known
        numbers = np.array([known.index(one) for one in least])
        assert_array_equal(group.labels(m).reshape(-1), numbers)
        rows = hom.matrices().reshape(hom.dimension, -1)
        # Constant on orbits, so that they commute with every automorphism; and independent.
        first = np.unique(numbers, return_index=True)[1]
        assert_array_equal(rows, rows[:, first][:, numbers])
        assert rank_mod_p(rows[:, first]) == len(hom.basis()) == hom.dimension
        f = random_graph(rng, k, l)
        assert_array_equal(group.matrix(f), counted(f, group.host))


def random_graph(rng: random.Random, k: int, l: int) -> BilabelledGraph:
    vertices = rng.randint(1, 4)
    spots = [(a, b) for a in range(vertices) for b in range(a + (rng.random() < 0.9), vertices)]
    edges = rng.sample(spots, rng.randint(0, len(spots)))
    outputs, inputs = (tuple(rng.randrange(vertices) for _ in range(m)) for m in (l, k))
    return BilabelledGraph(vertices, tuple(edges), outputs, inputs)


@pytest.mark.parametrize("number", [*range(1, 20), *range(20, ATLAS, 93)])
def test_graphs_of_the_atlas(number: int) -> None:
    check_graph(graph_atlas(number), random.Random(number))


@pytest.mark.deep
def test_all_graphs_of_the_atlas() -> None:
    graphs, rng = graph_atlas_g(), random.Random(0)
    assert len(graphs) == ATLAS
    for graph in graphs[1:]:
        check_graph(graph, rng)


def test_the_graph_without_nodes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the graph has no node: V = R\^n needs n >= 1"):
        Aut(graph_atlas(0))


# Known dimensions and groups.


@pytest.mark.parametrize(
    ("most", "least"), [(20_000, 800), pytest.param(200_000, 860, marks=pytest.mark.deep)]
)
def test_dimensions_that_are_known(
    most: int, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answers, mismatches = table_of_graphs(most=most)
    assert answers > least
    assert mismatches == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    "n",
    [*range(3, 30), 100, 401, *(pytest.param(n, marks=pytest.mark.deep) for n in (999, 1000))],
)
def test_cycles_and_paths(n: int) -> None:
    cycle, path = Aut(networkx.cycle_graph(n)), Aut(networkx.path_graph(n))
    assert (cycle.order, path.order) == (2 * n, 2)
    for m in range(1, 9):
        mirrors = n if n % 2 else n // 2 * 2**m
        assert cycle.dimension(m // 2, m - m // 2) == (n**m + mirrors) // (2 * n)
        assert path.dimension(m // 2, m - m // 2) == (n**m + n % 2) // 2


@pytest.mark.parametrize("n", range(3, 9))
def test_cycles_have_the_dihedral_group(n: int) -> None:
    turns = [tuple((s * i + t) % n for i in range(n)) for s in (1, -1) for t in range(n)]
    assert set(matched(networkx.cycle_graph(n))) == set(turns)
    dihedral = PermutationGroup(
        [tuple((i + 1) % n for i in range(n)), tuple(-i % n for i in range(n))]
    )
    for m in range(4):
        assert_array_equal(Aut(networkx.cycle_graph(n)).labels(m), dihedral.labels(m))


def test_petersen_has_s5_on_pairs() -> None:
    pairs = list(combinations(range(5), 2))
    disjoint = networkx.Graph([(u, v) for u, v in combinations(pairs, 2) if not {*u} & {*v}])
    assert networkx.is_isomorphic(disjoint, networkx.petersen_graph())
    graph = networkx.Graph()
    graph.add_nodes_from(pairs)
    graph.add_edges_from(disjoint.edges)
    place = {frozenset(pair): number for number, pair in enumerate(pairs)}
    moved = [
        tuple(place[frozenset({p[a], p[b]})] for a, b in pairs) for p in permutations(range(5))
    ]
    for m in range(4):
        assert_array_equal(Aut(graph).labels(m), PermutationGroup(moved).labels(m))
    assert [PETERSEN.dimension(0, m) for m in range(9)] == list(GRAPHS["Petersen"][1])


@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("build", [networkx.complete_graph, networkx.empty_graph])
def test_complete_and_edgeless_graphs_give_the_symmetric_group(
    n: int, build: Callable[[int], Any]
) -> None:
    group = Aut(build(n))
    for m in range(6):
        assert group.dimension(0, m) == S(n).dimension(0, m)
    for k, l in ((0, 1), (1, 1), (2, 1)):
        spaces = [Hom(g, k, l).matrices() for g in (group, S(n))]
        flat = np.concatenate([space.reshape(len(space), -1) for space in spaces])
        assert rank_mod_p(flat) == S(n).dimension(k, l)


@given(host_graphs(5, plain=True), orders(4))
def test_a_graph_and_its_complement_have_one_group(graph: Any, m: int) -> None:
    one, other = Aut(graph), Aut(networkx.complement(graph))
    assert one.order == other.order
    assert one.dimension(0, m) == other.dimension(0, m)
    assert_array_equal(one.labels(2), other.labels(2))


SMALLEST = [
    *(
        (name, 2, t)
        for name, t in [("P3", 3), ("P4", 3), ("P5", 4), ("C4", 2), ("C5", 2), ("2K2", 2)]
    ),
    *((name, 3, 3) for name in ("C4", "C5", "2K2")),
]


@pytest.mark.parametrize(("name", "m", "t"), SMALLEST)
def test_how_many_vertices_all_graphs_need_to_span(name: str, m: int, t: int) -> None:
    host = Host.of(GRAPHS[name][0])
    wanted = GRAPHS[name][1][m]
    ranks = []
    rows: list[NDArray[Any]] = []
    for v in range(t + 1):
        rows += [counted(d, host).reshape(-1) for d in bilabelled_graphs(0, m, v)]
        ranks.append(rank_mod_p(np.array(rows)) if rows else 0)
    assert ranks[t] == wanted > ranks[t - 1]


# The functor, on hosts of every kind.


@given(automorphism_groups(4), st.data())
def test_matrices_count_homomorphisms(g: Aut, data: st.DataObject) -> None:
    f = data.draw(graphs_to(g, data.draw(orders(2)), data.draw(orders(1))))
    wanted = counted(f, g.host)
    assert_array_equal(g.matrix(f), wanted)
    assert_array_equal(g.sparse(f).toarray(), wanted)
    at = g.representatives(f.dom + f.cod)
    assert_array_equal(g.values(f), wanted.reshape(-1)[g.flat(at)])
    for element in g.generators():
        assert_array_equal(kron_power(element, f.cod) @ wanted, wanted @ kron_power(element, f.dom))


def test_a_number_of_homomorphisms_may_be_zero() -> None:
    g = Aut(networkx.empty_graph(1))
    loop = BilabelledGraph(1, ((0, 0),), (), ())
    for found in (g.matrix(loop), g.sparse(loop).toarray()):
        assert_array_equal(found, [[0]])
    assert [part.size for part in g.nonzeros(loop)] == [0, 0, 0]


@given(automorphism_groups(4), st.data())
def test_the_functor_preserves_gluing(g: Aut, data: st.DataObject) -> None:
    k, m, l = (data.draw(orders(2)) for _ in range(3))
    f, h = data.draw(graphs_to(g, k, m)), data.draw(graphs_to(g, m, l))
    assert_array_equal(g.matrix(f >> h), g.matrix(h) @ g.matrix(f))
    assert_array_equal(g.matrix(f.dagger()), g.matrix(f).T)
    other = data.draw(graphs_to(g, k, m))
    assert_array_equal(g.matrix(f.hadamard(other)), g.matrix(f) * g.matrix(other))
    p = data.draw(graphs_to(g, data.draw(orders(1)), data.draw(orders(1))))
    assert_array_equal(g.matrix(f @ p), np.kron(g.matrix(f), g.matrix(p)))


@given(automorphism_groups(4), st.data())
def test_orbits_compose_as_graphs_do(g: Aut, data: st.DataObject) -> None:
    k, m, l = (data.draw(orders(2)) for _ in range(3))
    assume(g.n ** (k + m + l) <= 500)
    f, h = data.draw(graphs_to(g, k, m)), data.draw(graphs_to(g, m, l))
    assert g.in_orbits(f >> h) == g.in_orbits(f) >> g.in_orbits(h)
    assert g.in_orbits(f.dagger()) == g.in_orbits(f).dagger()
    assert g.inner(f, f) == g.inner(g.in_orbits(f), f) == (g.matrix(f) ** 2).sum()


@given(automorphism_groups(4), st.data())
def test_orbits_and_basis_graphs_are_two_bases(g: Aut, data: st.DataObject) -> None:
    k, l = data.draw(orders(2)), data.draw(orders(1))
    hom = Hom(g, k, l)
    f = data.draw(graphs_to(g, k, l)) + Fraction(2, 3) * data.draw(graphs_to(g, k, l))
    reduced = hom.reduce(f)
    assert set(reduced.diagrams()) <= set(hom.basis())
    assert hom.reduce(reduced) == reduced == g.morphism(g.in_orbits(f))
    assert_array_equal(g.matrix(reduced), g.matrix(f))
    assert g.in_orbits(reduced) == g.in_orbits(f)
    orbit = g.orbit_space(k, l)[data.draw(st.integers(0, hom.dimension - 1))]
    assert g.in_orbits(g.morphism(orbit)).at(g.n) == {orbit: 1}


@given(automorphism_groups(3, plain=True), orders(1), orders(1))
def test_relations_hold(g: Aut, k: int, l: int) -> None:
    hom = Hom(g, k, l)
    relations = hom.relations()
    assert set(relations).isdisjoint(hom.basis())
    assert set(relations) | set(hom.basis()) >= set(hom.diagrams())
    assert hom.count == len(list(hom.diagrams()))
    for diagram, equal in relations.items():
        assert_array_equal(g.matrix(equal), counted(diagram, g.host))


@given(groups(4, kinds=["Aut"]), st.data())
def test_the_basis_is_a_basis(g: Aut, data: st.DataObject) -> None:
    k, l = data.draw(orders(2)), data.draw(orders(1))
    hom = Hom(g, k, l)
    stack = hom.matrices()
    flat = stack.reshape(hom.dimension, -1)
    assert_array_equal(flat, [counted(d, g.host).reshape(-1) for d in hom.basis()])
    assert rank_mod_p(flat) == hom.dimension
    assert_array_equal(hom.gram().astype(np.int64).reshape(len(flat), len(flat)), flat @ flat.T)
    noise = data.draw(st.integers(0, 2**20))
    matrix = np.random.default_rng(noise).integers(-9, 9, (g.n**l, g.n**k))
    nearest = hom.project(matrix)
    assert not ((matrix - nearest)[None] * stack).sum(axis=(1, 2)).any()
    assert_array_equal(g.matrix(hom.coefficients(nearest)), nearest)


@given(automorphism_groups(3), st.data())
def test_products_with_other_groups(g: Aut, data: st.DataObject) -> None:
    both = g * S(2)
    words = st.lists(st.sampled_from([0, 1]), max_size=2).map(tuple)
    k, l = data.draw(words), data.draw(words)
    hom = Hom(both, k, l)
    assert hom.dimension == g.dimension(k.count(0), l.count(0)) * S(2).dimension(
        k.count(1), l.count(1)
    )
    flat = hom.matrices().reshape(hom.dimension, -1)
    assert rank_mod_p(flat) == hom.dimension
    assert_array_equal(hom.gram().astype(np.int64).reshape(len(flat), len(flat)), flat @ flat.T)
    for diagram in hom.basis():
        again = both.morphism((diagram.dagger() >> diagram) if k == l else diagram)
        assert both.morphism(again) == again


@given(st.data())
def test_set_partitions_are_edgeless_graphs(data: st.DataObject) -> None:
    f = data.draw(set_partitions(data.draw(orders(2)), data.draw(orders(2))))
    group = Aut(networkx.path_graph(3))
    assert_array_equal(group.matrix(BilabelledGraph.from_partition(f)), S(3).matrix(f))


@pytest.mark.parametrize("length", [10, 29, 45])
@pytest.mark.parametrize("scale", [1, 10**3, 10**18, 10**30, Fraction(1, 3)])
def test_counts_of_any_size_are_exact(length: int, scale: Any) -> None:
    """Walks on K5: entries of the powers of its adjacency matrix, past 2^53 and past 2^63."""
    group = Aut(networkx.complete_graph(5))
    walk = Graph(length + 1, [(i, i + 1) for i in range(length)], outputs=(0,), inputs=(length,))
    unequal = (4**length - (-1) ** length) // 5
    wanted = (
        np.full((5, 5), unequal, dtype=object)
        + np.eye(5, dtype=int).astype(object) * (-1) ** length
    )
    assert_array_equal(group.matrix(scale * walk), scale * wanted)
    assert_array_equal(group.matrix(scale * walk + walk), scale * wanted + wanted)
    assert_array_equal(group.matrix(group.morphism(scale * walk)), scale * wanted)
    assert group.inner(walk, scale * walk) == scale * (wanted**2).sum()
    if scale * 4**length < 2**62 and scale != Fraction(1, 3):
        assert_array_equal(group.sparse(scale * walk).toarray(), scale * wanted)
    elif scale != Fraction(1, 3):
        with pytest.raises(SizeError, match=r"64 bits may not hold.*group\.matrix"):
            group.sparse(scale * walk)
