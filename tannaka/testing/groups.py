"""Hypothesis strategies: groups of every kind, host graphs, and elements of groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tannaka.category import Group, Product
from tannaka.category.automorphisms import Aut
from tannaka.category.groups import GROUPS, MatrixGroup
from tannaka.category.permutations import PermutationGroup


@st.composite
def groups(draw: st.DrawFn, most: int = 5, kinds: Sequence[str] | None = None) -> MatrixGroup:
    """Groups of the given kinds, by their symbols, with n from 1 to ``most``.

    Without kinds, of every kind that has a name such as S(5); ``"Aut"`` and ``"PermutationGroup"``
    are drawn where they are asked for.
    """
    kind = draw(st.sampled_from(sorted(GROUPS) if kinds is None else kinds))
    if kind in ("Aut", "PermutationGroup"):
        more: MatrixGroup = draw(
            automorphism_groups(most) if kind == "Aut" else permutation_groups(most)
        )
        return more
    n = draw(
        st.integers(1, max(most // 2, 1)).map(lambda m: 2 * m)
        if kind == "Sp"
        else st.integers(1, most)
    )
    return GROUPS[kind](n)


@st.composite
def permutation_groups(draw: st.DrawFn, most: int = 5) -> PermutationGroup:
    """Groups that up to three random permutations of 0 .. n-1 generate, n from 1 to ``most``."""
    n = draw(st.integers(1, most))
    some = st.lists(st.permutations(range(n)), max_size=3)
    return PermutationGroup(map(tuple, draw(some)), n)


@st.composite
def host_graphs(draw: st.DrawFn, most: int = 5, plain: bool = False) -> Any:
    """Graphs of networkx with 1 to ``most`` nodes, in any order and by any names, connected or not.

    They have no loops, directions, parallel edges or colours where ``plain``. Else they may; and
    where they have colours, each node and each edge has one as its attribute ``"colour"``.
    """
    import networkx

    n = draw(st.integers(1, most))
    names: Sequence[Any] = draw(
        st.sampled_from(
            [range(n), "abcdefghijklmnopqrstuvwxyz"[:n], [(v, v % 2) for v in range(n)]]
        )
    )
    graph = networkx.Graph()
    if not plain:
        kinds = (networkx.Graph, networkx.DiGraph, networkx.MultiGraph, networkx.MultiDiGraph)
        graph = draw(st.sampled_from(kinds))()
    graph.add_nodes_from(draw(st.permutations(names)))
    spots = [
        (a, b)
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if (i != j or not plain) and (i <= j or graph.is_directed())
    ]
    chosen = st.sets(st.sampled_from(spots)).map(sorted) if spots else st.just([])
    if graph.is_multigraph():
        chosen = st.lists(st.sampled_from(spots), max_size=2 * n)
    edges = draw(chosen)
    colours: st.SearchStrategy[Any] = st.just(0)
    if not plain:
        palette = draw(st.sampled_from([(0,), ("red", "C_6"), (None, 3), (0.5, "dark red")]))
        colours = st.sampled_from(palette)
    for a, b in edges:
        graph.add_edge(a, b, colour=draw(colours))
    for name in graph:
        graph.nodes[name]["colour"] = draw(colours)
    return graph


@st.composite
def automorphism_groups(draw: st.DrawFn, most: int = 5, plain: bool = False) -> Aut:
    """Automorphism groups of the graphs that :func:`host_graphs` draws; colours matter or not."""
    graph = draw(host_graphs(most, plain))
    attributes = st.sampled_from([None] if plain else [None, "colour"])
    return Aut(graph, draw(attributes), draw(attributes))


@st.composite
def products(draw: st.DrawFn, most: int = 3, count: int = 2) -> Product:
    """Products of ``count`` groups of every kind, with n from 1 to ``most`` (2 for Sp at least)."""
    return Product(tuple(draw(groups(most)) for _ in range(count)))


def elements(group: Group) -> st.SearchStrategy[Any]:
    """Random elements of a group: (n, n) matrices, or tuples of them for a product."""
    return st.integers(0, 2**32 - 1).map(group.sample)
