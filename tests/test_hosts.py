"""Which groups graphs of every kind have, at any size, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations, product
from math import comb, factorial
from time import perf_counter
from typing import Any

import networkx
import numpy as np
import pytest
from dimension_table import automorphisms as matched
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import automorphisms, kron_power, least_tuples, rank_mod_p, stirling2

from tannaka.category.automorphisms import Aut
from tannaka.category.groups import group as group_of
from tannaka.category.hom import Hom
from tannaka.category.orbitals import Orbit
from tannaka.category.symmetric import S
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.partition import SetPartition
from tannaka.testing.strategies import (
    host_graphs,
)

PETERSEN = Aut(networkx.petersen_graph())
FRUCHT = Aut(networkx.frucht_graph())
Graph: Any = BilabelledGraph
EDGE = Graph(2, [(0, 1)], (0,), (1,))


def mathematics(graph: Any, coloured: bool) -> tuple[int, list[Any], list[Any], bool]:
    """Number of nodes, edges with colours, colours of nodes: what automorphisms keep."""
    number = {name: i for i, name in enumerate(graph)}
    edges = [
        (number[a], number[b], repr(data.get("colour")) if coloured else "")
        for a, b, data in graph.edges(data=True)
    ]
    colours = [repr(data["colour"]) if coloured else "" for _, data in graph.nodes(data=True)]
    return len(number), edges, colours, graph.is_directed()


@given(host_graphs(5), st.booleans())
def test_the_group_is_that_of_all_automorphisms(graph: Any, coloured: bool) -> None:
    attribute = "colour" if coloured else None
    group = Aut(graph, node_attr=attribute, edge_attr=attribute)
    elements = automorphisms(*mathematics(graph, coloured))
    assert group.order == len(elements)
    assert set(group.permutations) <= set(elements)
    assert group.host.names == tuple(graph.nodes)
    least = least_tuples(elements, group.n, 2)
    assert group.dimension(1, 1) == len(set(least))
    sample = group.sample(0)
    assert tuple(sample.argmax(axis=0).tolist()) in set(elements)
    assert Aut(graph.copy(), attribute, attribute) == group


def kinds_of_hosts() -> Iterator[tuple[str, Any, dict[str, str], int]]:
    """Hosts whose groups are known: a name, the graph, attributes that matter, the order."""
    yield "directed cycle", networkx.cycle_graph(6, create_using=networkx.DiGraph), {}, 6
    yield "directed path", networkx.path_graph(4, create_using=networkx.DiGraph), {}, 1
    yield "one node", networkx.empty_graph(1), {}, 1
    yield "a loop", networkx.Graph([(0, 0)]), {}, 1
    yield "a loop at one end", networkx.Graph([(0, 0), (0, 1)]), {}, 1
    yield "loops at both ends", networkx.Graph([(0, 0), (0, 1), (1, 1)]), {}, 2
    yield "a loop on a triangle", networkx.Graph([(0, 1), (1, 2), (2, 0), (0, 0)]), {}, 2
    yield "parallel edges", networkx.MultiGraph([(0, 1), (0, 1), (1, 2), (2, 0)]), {}, 2
    yield "parallel everywhere", networkx.MultiGraph([(0, 1), (1, 2), (2, 0)] * 2), {}, 6
    yield "disconnected", networkx.Graph([(0, 1), (2, 3), (4, 5)]), {}, 48
    yield "words", networkx.Graph([("b", "a"), ("a", "c")]), {}, 2
    yield "tuples", networkx.grid_2d_graph(3, 3), {}, 8
    odd = networkx.Graph()
    odd.add_nodes_from([2, 0, 1])
    odd.add_edges_from([(0, 1)])
    yield "odd order", odd, {}, 2
    water = networkx.Graph([("O", "H1"), ("O", "H2")])
    networkx.set_node_attributes(water, {"O": "O", "H1": "H", "H2": "H"}, "element")
    yield "water", water, {"node_attr": "element"}, 2
    heavy = water.copy()
    heavy.nodes["H2"]["element"] = "D"
    yield "heavy water", heavy, {"node_attr": "element"}, 1
    ring = networkx.cycle_graph(6)
    networkx.set_edge_attributes(ring, {(i, (i + 1) % 6): i % 2 + 1 for i in range(6)}, "bond")
    yield "two bonds in turn", ring, {"edge_attr": "bond"}, 6


HOSTS = list(kinds_of_hosts())


@pytest.mark.parametrize(
    ("graph", "attributes", "size"), [one[1:] for one in HOSTS], ids=[one[0] for one in HOSTS]
)
def test_hosts_of_every_kind(graph: Any, attributes: dict[str, str], size: int) -> None:
    group = Aut(graph, **attributes)
    assert group.order == size
    for k, l in ((1, 0), (1, 1)):
        hom = Hom(group, k, l)
        flat = hom.matrices().reshape(hom.dimension, -1)
        assert rank_mod_p(flat) == hom.dimension
        for element in group.generators():
            for matrix in hom.matrices():
                assert_array_equal(kron_power(element, l) @ matrix, matrix @ kron_power(element, k))


def test_rows_and_columns_are_in_the_order_of_the_nodes() -> None:
    graph = networkx.Graph()
    graph.add_nodes_from("cab")
    graph.add_edges_from(["ab"])
    assert Aut(graph).host.names == ("c", "a", "b")
    assert_array_equal(Aut(graph).matrix(EDGE), [[0, 0, 0], [0, 0, 1], [0, 1, 0]])
    arcs = networkx.DiGraph([("x", "y")])
    arc = Graph(2, [(0, 1)], (0,), (1,), directed=True)
    assert_array_equal(Aut(arcs).matrix(arc), [[0, 1], [0, 0]])


def test_samples_are_uniform() -> None:
    elements = matched(networkx.petersen_graph())
    rng, each = np.random.default_rng(0), 50
    seen = Counter(
        tuple(PETERSEN.sample(rng).argmax(axis=0).tolist()) for _ in range(each * len(elements))
    )
    assert set(seen) == set(elements)
    chi2 = sum((count - each) ** 2 / each for count in seen.values())
    freedom = len(elements) - 1
    assert abs(chi2 - freedom) < 5 * (2 * freedom) ** 0.5


def regions(k: int, v: int, m: int) -> int:
    """Orbits of m-tuples of k-subsets of v points: how many points are in each region of a Venn
    diagram."""
    outside = [s for s in product((0, 1), repeat=m) if any(s)]

    def fill(spots: list[tuple[int, ...]], left: tuple[int, ...], points: int) -> int:
        if not spots:
            return int(not any(left))
        inside = [room for room, bit in zip(left, spots[0], strict=True) if bit]
        return sum(
            fill(
                spots[1:],
                tuple(room - count * bit for room, bit in zip(left, spots[0], strict=True)),
                points - count,
            )
            for count in range(min([points, *inside]) + 1)
        )

    return fill(outside, (k,) * m, v)


def branches(depth: int, m: int) -> int:
    """Orbits of m-tuples of nodes of a binary tree: some at the root, the others parted in two."""
    if depth == 0 or m == 0:
        return 1

    def below(count: int) -> int:
        split = sum(
            comb(count, j) * branches(depth - 1, j) * branches(depth - 1, count - j)
            for j in range(count + 1)
        )
        return split // 2 if count else 1

    return sum(comb(m, a) * below(m - a) for a in range(m + 1))


def subsets(v: int, k: int, common: int) -> Any:
    nodes = [frozenset(s) for s in combinations(range(v), k)]
    graph = networkx.Graph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from((a, b) for a, b in combinations(nodes, 2) if len(a & b) == common)
    return graph


LARGE: dict[str, tuple[Callable[[], Any], int, Callable[[int], int]]] = {
    "hypercube Q10": (
        lambda: networkx.hypercube_graph(10),
        4,
        lambda m: comb(9 + 2 ** (m - 1), 10),
    ),
    "K_{300,300}": (
        lambda: networkx.complete_bipartite_graph(300, 300),
        8,
        lambda m: sum(stirling2(m, j) * 2**j for j in range(m + 1)) // 2,
    ),
    "Johnson J(12, 3)": (lambda: subsets(12, 3, 2), 4, lambda m: regions(3, 12, m)),
    "Kneser K(9, 3)": (lambda: subsets(9, 3, 0), 3, lambda m: regions(3, 9, m)),
    "binary tree": (lambda: networkx.balanced_tree(2, 7), 3, lambda m: branches(7, m)),
    "regular, no symmetry": (
        lambda: networkx.random_regular_graph(3, 600, seed=1),
        40,
        lambda m: 600**m,
    ),
    "edgeless": (lambda: networkx.empty_graph(500), 12, lambda m: S(500).dimension(0, m)),
    "complete": (lambda: networkx.complete_graph(300), 12, lambda m: S(300).dimension(0, m)),
    "star": (
        lambda: networkx.star_graph(300),
        8,
        lambda m: sum(comb(m, j) * S(300).dimension(0, j) for j in range(m + 1)),
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_graphs_are_counted_at_once(name: str) -> None:
    build, most, wanted = LARGE[name]
    group = Aut(build())
    assert [group.dimension(m // 2, m - m // 2) for m in range(1, most + 1)] == [
        wanted(m) for m in range(1, most + 1)
    ]
    space = group.orbit_space(1, 1)
    orbit = space[space.count // 2]
    assert space.index(orbit) == space.count // 2
    image = group.sample(0).argmax(axis=0)
    assert Orbit(group, 1, 1, tuple(image[list(orbit.indices)].tolist())) == orbit


def test_a_group_of_many_small_generators_takes_little_memory() -> None:
    """The order goes through a stabiliser for each component, with as many generators."""
    group = Aut(networkx.disjoint_union_all([networkx.complete_graph(2)] * 60))
    assert group.order == factorial(60) * 2**60
    assert [group.dimension(0, m) for m in range(5)] == [1, 1, 3, 11, 49]


def painted(values: dict[int, Any]) -> Any:
    graph = networkx.path_graph(3)
    networkx.set_node_attributes(graph, values, "x")
    networkx.set_edge_attributes(graph, {(0, 1): 1}, "w")
    return graph


SPIDER = BilabelledGraph.spider
CLIQUE = Graph(30, list(combinations(range(30), 2)), (0,), (1,))
ARC = Graph(2, [(0, 1)], (0,), (1,), directed=True)
REFUSED: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: Aut(None), TypeError, "expected a networkx graph, got NoneType.*Graph.edges. makes"),
    (lambda: Aut(5), TypeError, "expected a networkx graph, got int"),
    (lambda: Aut("C5"), TypeError, "expected a networkx graph, got str"),
    (lambda: Aut([(0, 1)]), TypeError, "expected a networkx graph, got list"),
    (lambda: Aut(np.eye(3)), TypeError, "expected a networkx graph, got ndarray"),
    (lambda: Aut(igraph_ring()), TypeError, "expected a networkx graph, got Graph"),
    (lambda: Aut(networkx.Graph), TypeError, "got the class Graph"),
    (lambda: Aut(networkx.Graph()), ValueError, "the graph has no node"),
    (lambda: Aut(painted({0: 1}), node_attr="x"), ValueError, "node 1 has no attribute 'x'"),
    (lambda: Aut(painted({}), edge_attr="w"), ValueError, "edge 1, 2 has no attribute 'w'"),
    (lambda: Aut(painted({0: [1]}), node_attr="x"), ValueError, "node 1 has no attribute"),
    (
        lambda: Aut(painted({v: [v] for v in range(3)}), node_attr="x"),
        TypeError,
        r"a colour, here of 'x', must be hashable, got \[0\]",
    ),
    (lambda: Aut(painted({}), node_attr=["x"]), TypeError, r"node_attr.*hashable, got \['x'\]"),  # type: ignore[arg-type]
    (lambda: Aut(painted({}), edge_attr=["w"]), TypeError, r"edge_attr.*hashable, got \['w'\]"),  # type: ignore[arg-type]
    (lambda: group_of("Aut(5)"), ValueError, r"no group is called 'Aut\(5\)'"),
    (lambda: PETERSEN.matrix(SetPartition.cup()), TypeError, "BilabelledGraph and Orbit.*SetPart"),
    (lambda: PETERSEN.morphism(SetPartition.cup()), TypeError, "BilabelledGraph and Orbit"),
    (lambda: PETERSEN.values(SetPartition.cup()), TypeError, "BilabelledGraph and Orbit"),
    (lambda: PETERSEN.values("0 1"), TypeError, "BilabelledGraph and Orbit"),  # type: ignore[arg-type]
    (lambda: PETERSEN.in_orbits(5), TypeError, "expected a diagram or a morphism, got int"),  # type: ignore[arg-type]
    (lambda: PETERSEN.matrix(FRUCHT.orbit("[0 <- 1]")), ValueError, "of Aut.Frucht.*not of Aut.P"),
    (lambda: PETERSEN.matrix(ARC), ValueError, "is directed, the host graph undirected"),
    (lambda: PETERSEN.inner(EDGE, SPIDER(0, 2)), CompositionError, "there is no inner product"),
    (lambda: Hom(PETERSEN, 1, 1).walks(), ValueError, "hom.dimension counts orbits"),
    (lambda: Hom(PETERSEN, -1, 1), ValueError, "k must be an order"),
    (lambda: Hom(Aut(networkx.DiGraph([(0, 1)])), 1, 1).count, ValueError, "are not enumerated"),
    (lambda: PETERSEN.host.having("red"), ValueError, "no vertex.*'red'; the colours are none"),
    (lambda: PETERSEN.host.adjacency("red"), ValueError, "no edge.*'red'; the colours are none"),
    (lambda: PETERSEN.act(np.eye(3), np.zeros((10, 1)), 1), ValueError, r"got shape \(3, 3\)"),
]


def igraph_ring() -> Any:
    import igraph

    return igraph.Graph.Ring(5)


@pytest.mark.parametrize(("build", "error", "words"), REFUSED)
def test_what_is_refused_is_named(
    build: Callable[[], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        build()


WIDE = Aut(networkx.random_regular_graph(3, 3000, seed=1))
HOPELESS: list[tuple[Callable[[], object], str]] = [
    (lambda: WIDE.labels(3), "27,000,000,000 tuples of 3 indices are too many to number"),
    (lambda: Hom(WIDE, 2, 2).basis(), r"dimension 81,000,000,000,000.*hom.independent\[i\]"),
    (lambda: Hom(FRUCHT, 5, 4).basis("orbit"), "too many orbits to list"),
    (lambda: Hom(WIDE, 1, 0).basis(), "3,000 orbits of 1-tuples.*basis.'orbit'. has the orbits"),
    (lambda: Hom(WIDE, 1, 1).count, "counting graphs on 3000 vertices"),
    (lambda: Hom(WIDE, 1, 1).relations(), "counting graphs on 3000 vertices"),
    (lambda: Hom(PETERSEN, 1, 1).relations(), r"1,115,526,285 diagrams: hom.reduce\(d\)"),
    (lambda: FRUCHT.morphism(SPIDER(2, 2)), "20,736 orbits of 4-tuples are too many to grow"),
    (lambda: Hom(FRUCHT, 4, 4).gram(), "more than 2 GiB"),
    (lambda: Hom(FRUCHT, 4, 4).matrices(), "more than 2 GiB"),
    (lambda: PETERSEN.matrix(SPIDER(6, 6)), "more than 2 GiB"),
    (lambda: PETERSEN.entries(SPIDER(6, 6)), "more than 2 GiB"),
    (lambda: PETERSEN.nonzeros(SPIDER(1, 40)), r"10\^40 rows.*64 bits do not count them"),
    (lambda: PETERSEN.sparse(SPIDER(40, 1)), r"10\^40 columns: 64 bits do not count them"),
    (lambda: PETERSEN.matrix(CLIQUE), "a tensor of .* entries: take a graph of smaller treewidth"),
    (lambda: Aut(networkx.empty_graph(1500)).generators(), "more than 2 GiB"),
]


@pytest.mark.parametrize(("call", "words"), HOPELESS)
def test_what_is_hopeless_is_refused_at_once(call: Callable[[], object], words: str) -> None:
    start = perf_counter()
    with pytest.raises(SizeError, match=words):
        call()
    assert perf_counter() - start < 20


def test_spaces_too_large_to_list_have_dimensions() -> None:
    assert WIDE.dimension(50, 50) == 3000**100
    assert str(Hom(WIDE, 50, 50)).endswith("dimension about 10^348")
    assert Aut(networkx.path_graph(50)).dimension(100, 100) == 50**200 // 2
