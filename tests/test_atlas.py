"""Automorphism groups against brute force: every graph with at most seven nodes, and known tables."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import permutations, product
from typing import Any

import networkx as nx
import numpy as np
import pytest
from networkx.generators.atlas import graph_atlas_g
from oracles import homomorphisms

import tannaka as tn
from tannaka.category.points import PRIME, Echelon
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.enumerate import bilabelled_graphs

ATLAS = graph_atlas_g()[1:]
"""All graphs with 1 to 7 nodes; the first of the atlas has none."""
SAMPLE = sorted(random.Random(7).sample(range(len(ATLAS)), 25))
GRAPHS = [
    pytest.param(i, marks=() if i in SAMPLE else pytest.mark.deep, id=f"G{i + 1}")
    for i in range(len(ATLAS))
]


def automorphisms(graph: Any) -> list[tuple[int, ...]]:
    """All permutations of the nodes, as numbers, that keep edges: one after the other."""
    nodes = list(graph.nodes)
    edges = {frozenset((nodes.index(a), nodes.index(b))) for a, b in graph.edges}
    degrees = [graph.degree(v) for v in nodes]
    return [
        g
        for g in permutations(range(len(nodes)))
        if all(degrees[i] == degrees[v] for v, i in enumerate(g))
        and all(frozenset(g[v] for v in edge) in edges for edge in edges)
    ]


def orbits(elements: list[tuple[int, ...]], n: int, m: int) -> list[set[tuple[int, ...]]]:
    """The orbits of m-tuples, in the order of their least tuples."""
    found: list[set[tuple[int, ...]]] = []
    seen: set[tuple[int, ...]] = set()
    for one in product(range(n), repeat=m):
        if one not in seen:
            found.append({tuple(g[i] for i in one) for g in elements})
            seen |= found[-1]
    return found


def counted(d: BilabelledGraph, graph: Any) -> Any:
    """The homomorphisms to a graph of the atlas, all maps of vertices tried."""
    return homomorphisms(d.vertices, d.edges, d.outputs, d.inputs, len(graph), graph.edges)


@pytest.mark.parametrize("number", GRAPHS)
def test_every_small_graph(number: int) -> None:
    graph = ATLAS[number]
    group, elements, n = tn.Aut(graph), automorphisms(graph), len(graph)
    assert group.order == len(elements)
    rng = random.Random(number)
    for m in range(4):
        brute = orbits(elements, n, m)
        assert group.dimension(0, m) == len(brute)
        labels = group.labels(m)
        assert [set(map(tuple, np.argwhere(labels == i).tolist())) for i in range(len(brute))] == [
            *brute
        ]
    for k, l in ((0, 1), (1, 1), (1, 2), (3, 0)):
        hom, brute = tn.Hom(group, k, l), orbits(elements, n, k + l)
        basis = hom.basis()
        assert len(basis) == hom.dimension == len(brute)
        # Every entry of every basis matrix is the same all over an orbit, so that it commutes with
        # all automorphisms; and at one place of each orbit the matrices are independent.
        places = [[_place(one, n) for one in orbit] for orbit in brute]
        echelon = Echelon()
        for d in basis:
            flat = group.matrix(d).reshape(-1)
            assert all(len({flat[i] for i in inside}) == 1 for inside in places)
            values = [int(flat[inside[0]]) % PRIME for inside in places]
            assert echelon.add(np.array(values))
        d = rng.choice(basis)
        if n**d.vertices < 20_000:
            assert (group.matrix(d) == counted(d, graph)).all()
        d = _random_graph(rng, k, l)
        assert (group.matrix(d) == counted(d, graph)).all()


def _place(one: tuple[int, ...], n: int) -> int:
    """Where it is in a flat matrix: all indices are the digits of one number."""
    return sum(i * int(n**place) for place, i in enumerate(reversed(one)))


def _random_graph(rng: random.Random, k: int, l: int) -> BilabelledGraph:
    vertices = rng.randint(1, 4)
    edges = [(a, b) for a in range(vertices) for b in range(a) if rng.random() < 0.6]
    ends = [rng.randrange(vertices) for _ in range(k + l)]
    return BilabelledGraph(vertices, tuple(edges), tuple(ends[:l]), tuple(ends[l:]))


TABLE: dict[str, tuple[Any, list[int]]] = {
    "K3": (nx.complete_graph(3), [1, 1, 2, 5, 14, 41, 122]),
    "K4": (nx.complete_graph(4), [1, 1, 2, 5, 15, 51, 187]),
    "no edge on 4": (nx.empty_graph(4), [1, 1, 2, 5, 15, 51, 187]),
    "C4": (nx.cycle_graph(4), [1, 1, 3, 10, 36, 136, 528]),
    "C5": (nx.cycle_graph(5), [1, 1, 3, 13, 63, 313, 1563]),
    "C6": (nx.cycle_graph(6), [1, 1, 4, 20, 112, 656, 3904]),
    "C7": (nx.cycle_graph(7), [1, 1, 4, 25, 172, 1201, 8404]),
    "C8": (nx.cycle_graph(8), [1, 1, 5, 34, 260, 2056, 16400]),
    "P2": (nx.path_graph(2), [1, 1, 2, 4, 8, 16, 32]),
    "P3": (nx.path_graph(3), [1, 2, 5, 14, 41, 122, 365]),
    "P4": (nx.path_graph(4), [1, 2, 8, 32, 128, 512, 2048]),
    "P5": (nx.path_graph(5), [1, 3, 13, 63, 313, 1563, 7813]),
    "P6": (nx.path_graph(6), [1, 3, 18, 108, 648, 3888, 23328]),
    "Petersen": (nx.petersen_graph(), [1, 1, 3, 15, 107, 923, 8683, 84715, 838827]),
    "K1,3": (nx.star_graph(3), [1, 2, 5, 15, 51, 187, 715]),
    "K2,3": (nx.complete_bipartite_graph(2, 3), [1, 2, 6, 21, 82, 347, 1556]),
    "K3,3": (nx.complete_bipartite_graph(3, 3), [1, 1, 3, 11, 46, 211, 1038]),
    "Q3": (nx.hypercube_graph(3), [1, 1, 4, 20, 120, 816, 5984]),
    "Q4": (nx.hypercube_graph(4), [1, 1, 5, 35, 330, 3876, 52360]),
    "2 K2": (nx.Graph([(0, 1), (2, 3)]), [1, 1, 3, 10, 36, 136, 528]),
    "3 K2": (nx.Graph([(0, 1), (2, 3), (4, 5)]), [1, 1, 3, 11, 48, 236, 1248]),
    "Frucht": (nx.frucht_graph(), [12**m for m in range(7)]),
}
"""Dimensions by Burnside's lemma, as computed for arXiv:2307.07810's examples and their like."""


@pytest.mark.parametrize("name", TABLE)
def test_dimensions_of_named_graphs(name: str) -> None:
    graph, dimensions = TABLE[name]
    group = tn.Aut(graph)
    assert [group.dimension(0, m) for m in range(len(dimensions))] == dimensions
    other = tn.Aut(nx.complement(graph))
    assert [other.dimension(m, 0) for m in range(len(dimensions))] == dimensions


@pytest.mark.parametrize("n", [3, 4, 5, 8, 31, 1000])
def test_formulas_for_cycles_and_paths(n: int) -> None:
    cycle, path = tn.Aut(nx.cycle_graph(n)), tn.Aut(nx.path_graph(n))
    for m in (1, 2, 3, 9, 40):
        reflected = n if n % 2 else (n // 2) * 2**m
        assert cycle.dimension(0, m) == Fraction(n**m + reflected, 2 * n)
        assert path.dimension(0, m) == Fraction(n**m + n % 2, 2)


SMALLEST = [
    *[(nx.path_graph(3), 2, 3), (nx.path_graph(4), 2, 3), (nx.path_graph(5), 2, 4)],
    *[(nx.cycle_graph(4), 2, 2), (nx.cycle_graph(5), 2, 2), (nx.Graph([(0, 1), (2, 3)]), 2, 2)],
    *[(nx.cycle_graph(4), 3, 3), (nx.cycle_graph(5), 3, 3), (nx.Graph([(0, 1), (2, 3)]), 3, 3)],
]


@pytest.mark.parametrize(("graph", "m", "needed"), SMALLEST)
def test_how_many_vertices_span(graph: Any, m: int, needed: int) -> None:
    """k + l vertices are not always enough: the path on five needs four at k + l = 2."""
    group, echelon = tn.Aut(graph), Echelon()
    for vertices in range(needed + 1):
        assert (echelon.rank == group.dimension(0, m)) == (vertices > needed)
        for d in bilabelled_graphs(0, m, vertices):
            echelon.add(group.matrix(d).reshape(-1) % PRIME)
    assert echelon.rank == group.dimension(0, m)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_complete_and_edgeless_graphs_give_the_symmetric_group(n: int) -> None:
    for graph in (nx.complete_graph(n), nx.empty_graph(n)):
        group = tn.Aut(graph)
        for k, l in ((0, 0), (1, 1), (2, 1), (2, 2)):
            partitions = tn.Hom(tn.S(n), k, l)
            assert group.dimension(k, l) == partitions.dimension
            for d in partitions.basis():
                bilabelled = BilabelledGraph.from_partition(d)
                assert (group.matrix(bilabelled) == tn.S(n).matrix(d)).all()
                assert (group.matrix(group.morphism(bilabelled)) == tn.S(n).matrix(d)).all()


def test_petersen_is_the_symmetric_group_of_five_on_pairs() -> None:
    pairs = [(a, b) for b in range(5) for a in range(b)]
    on_pairs = tn.PermutationGroup(
        [
            tuple(pairs.index(tuple(sorted((g[a], g[b])))) for a, b in pairs)  # type: ignore[arg-type]
            for g in ((1, 0, 2, 3, 4), (1, 2, 3, 4, 0))
        ]
    )
    kneser = nx.Graph()
    kneser.add_nodes_from(pairs)
    kneser.add_edges_from((p, q) for p in pairs for q in pairs if not {*p} & {*q})
    group = tn.Aut(kneser)
    assert group.order == on_pairs.order == 120
    for m in range(4):
        assert (group.labels(m) == on_pairs.labels(m)).all()
