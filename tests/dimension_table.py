"""Print the dimensions of Hom(V^k, V^l), each found in several independent ways.

``python tests/dimension_table.py`` prints one line for each group or product of two, and each order
k + l: the closed
formula; the walks on the McKay quiver; how many diagrams our basis has and its rank modulo a prime;
the rank of the whole spanning set at random points; and, for each split of the order into k and l,
the null space of the constraints of generators, where that is small enough. It ends with the number
of null spaces and of mismatches.

Then it prints one line for each of some graphs and each order: the number of orbits of tuples that
was published or follows from a formula; our count along point stabilisers; the average over all
automorphisms, each found by networkx; the classes of a union-find over all tuples; and how many
bilabelled graphs our basis has, with the rank of their matrices modulo a prime, counted into the
host one by one. The status is 1 if anything differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import networkx
import numpy as np
from oracles import burnside, equivariant_maps, generators, rank_mod_p, union_find_orbits

from tannaka.category.automorphisms import Aut
from tannaka.category.groups import Group, MatrixGroup, group
from tannaka.category.hom import Hom
from tannaka.category.points import rank_and_pivots
from tannaka.category.product import Product

SINGLE = [
    f"{kind}({n})"
    for kind in ("S", "A", "H", "O", "SO", "Sp")
    for n in range(1, 7)
    if kind != "Sp" or n % 2 == 0
]
PAIRS = [
    f"{one} x {other}"
    for one, other in product(["S(2)", "A(3)", "O(2)", "SO(2)", "SO(3)", "Sp(2)"], repeat=2)
]


def orders(g: Group, largest: int) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """Each order k + l, or word of types, up to a length, and the ways to split it."""
    if isinstance(g, Product):
        for size in range(min(largest, 3) + 1):
            for word in product(range(len(g.factors)), repeat=size):
                yield word, [(word[cut:], word[:cut]) for cut in range(size + 1)]
        return
    for size in range(largest + 1):
        yield size, [(size - cut, cut) for cut in range(size + 1)]


def elements(g: Group) -> list[tuple[Any, ...]]:
    """Tuples of matrices, one for each factor, that generate the group or a dense subgroup."""
    factors = g.factors if isinstance(g, Product) else (g,)
    found = []
    for t, factor in enumerate(factors):
        assert isinstance(factor, MatrixGroup)
        ones = [np.eye(other.n) for other in factors]
        found += [
            (*ones[:t], matrix, *ones[t + 1 :]) for matrix in generators(factor.symbol, factor.n)
        ]
    return found


def row(g: Group, word: Any, splits: list[tuple[Any, Any]], most: int) -> dict[str, Any]:
    """The five answers for one order; null spaces for matrices of at most ``most`` entries."""
    k, l = splits[len(splits) // 2]
    hom = Hom(g, k, l)
    entries = prod(g.shape(k)) * prod(g.shape(l))
    found: dict[str, Any] = {"closed": hom.dimension, "basis": len(hom.basis())}
    if not isinstance(g, Product):
        found["walks"] = hom.walks().count
    if entries * hom.dimension <= 10**6:
        found["rank"] = rank_mod_p(hom.matrices().reshape(hom.dimension, entries))
    if hom.count <= 300:
        found["points"] = rank_and_pivots(g, hom.diagrams())[0]
    if entries <= most:
        found["null spaces"] = []
        for a, b in splits:
            ka, lb = ((0,) * a, (0,) * b) if isinstance(a, int) else (a, b)
            found["null spaces"].append(equivariant_maps(elements(g), ka, lb))
    return found


def main(largest: int = 8, most: int = 300, names: list[str] | None = None) -> tuple[int, int]:
    """Print the table; return the number of null spaces and of mismatches."""
    spaces = mismatches = 0
    columns = ("closed", "walks", "basis", "rank", "points")
    print(
        f"{'group':12} {'k + l':>8}" + "".join(f"{name:>8}" for name in columns) + "  null spaces"
    )
    for name in names or SINGLE + PAIRS:
        g = group(name)
        for word, splits in orders(g, largest):
            found = row(g, word, splits, most)
            nulls = found.get("null spaces", [])
            answers = {found[c] for c in columns if c in found} | set(nulls)
            spaces += len(nulls)
            mismatches += len(answers) > 1
            label = str(word) if isinstance(word, int) else "".join(map(str, word)) or "()"
            cells = "".join(f"{found.get(c, '-'):>8}" for c in columns)
            print(
                f"{name:12} {label:>8}{cells}  {' '.join(map(str, nulls)) or '-'}"
                + ("  MISMATCH" if len(answers) > 1 else "")
            )
    print(f"{spaces} null spaces, {mismatches} mismatches")
    return spaces, mismatches


GRAPHS: dict[str, tuple[Any, Sequence[int]]] = {
    "K3": (networkx.complete_graph(3), (1, 1, 2, 5, 14, 41, 122)),
    "K4": (networkx.complete_graph(4), (1, 1, 2, 5, 15, 51, 187)),
    "edgeless4": (networkx.empty_graph(4), (1, 1, 2, 5, 15, 51, 187)),
    "C4": (networkx.cycle_graph(4), (1, 1, 3, 10, 36, 136, 528)),
    "K_{2,2}": (networkx.complete_bipartite_graph(2, 2), (1, 1, 3, 10, 36, 136, 528)),
    "C5": (networkx.cycle_graph(5), (1, 1, 3, 13, 63, 313, 1563)),
    "C6": (networkx.cycle_graph(6), (1, 1, 4, 20, 112, 656, 3904)),
    "C7": (networkx.cycle_graph(7), (1, 1, 4, 25, 172, 1201, 8404)),
    "C8": (networkx.cycle_graph(8), (1, 1, 5, 34, 260, 2056, 16400)),
    "P2": (networkx.path_graph(2), (1, 1, 2, 4, 8, 16, 32)),
    "P3": (networkx.path_graph(3), (1, 2, 5, 14, 41, 122, 365)),
    "P4": (networkx.path_graph(4), (1, 2, 8, 32, 128, 512, 2048)),
    "P5": (networkx.path_graph(5), (1, 3, 13, 63, 313, 1563, 7813)),
    "P6": (networkx.path_graph(6), (1, 3, 18, 108, 648, 3888, 23328)),
    "Petersen": (networkx.petersen_graph(), (1, 1, 3, 15, 107, 923, 8683, 84715, 838827)),
    "K_{1,3}": (networkx.star_graph(3), (1, 2, 5, 15, 51, 187, 715)),
    "K_{2,3}": (networkx.complete_bipartite_graph(2, 3), (1, 2, 6, 21, 82, 347, 1556)),
    "K_{3,3}": (networkx.complete_bipartite_graph(3, 3), (1, 1, 3, 11, 46, 211, 1038)),
    "Q3": (networkx.hypercube_graph(3), (1, 1, 4, 20, 120, 816, 5984)),
    "Q4": (networkx.hypercube_graph(4), (1, 1, 5, 35, 330, 3876, 52360)),
    "2K2": (networkx.Graph([(0, 1), (2, 3)]), (1, 1, 3, 10, 36, 136, 528)),
    "3K2": (networkx.Graph([(0, 1), (2, 3), (4, 5)]), (1, 1, 3, 11, 48, 236, 1248)),
    "Frucht": (networkx.frucht_graph(), tuple(12**m for m in range(7))),
}
"""Graphs, with the numbers of orbits of 0-, 1-, ..., m-tuples of their nodes."""


def automorphisms(graph: Any) -> list[tuple[int, ...]]:
    """All automorphisms that networkx finds, of nodes numbered in their order."""
    plain = networkx.convert_node_labels_to_integers(graph)
    found = networkx.isomorphism.GraphMatcher(plain, plain).isomorphisms_iter()
    return [tuple(images[v] for v in range(len(plain))) for images in found]


def graph_row(graph: Any, elements: list[tuple[int, ...]], m: int, most: int) -> dict[str, int]:
    """The answers for one order; the last three where they take no more than ``most`` steps or so."""
    group = Aut(graph)
    n, hom = group.n, Hom(group, m // 2, m - m // 2)
    found = {"stabilisers": hom.dimension, "Burnside": burnside(elements, m)}
    if n**m * len(elements) <= most:
        found["union-find"] = union_find_orbits(elements, n, m)
    if hom.dimension * n**m <= most:
        found["basis"] = len(hom.basis())
        found["rank"] = rank_mod_p(hom.matrices().reshape(hom.dimension, n**m))
    return found


def graphs(largest: int = 8, most: int = 200_000, names: Iterable[str] = GRAPHS) -> tuple[int, int]:
    """Print the table of graphs; return the number of answers and of mismatches."""
    answers = mismatches = 0
    columns = ("published", "stabilisers", "Burnside", "union-find", "basis", "rank")
    print(f"\n{'graph':12} {'k + l':>8}" + "".join(f"{name:>13}" for name in columns))
    for name in names:
        graph, published = GRAPHS[name]
        elements = automorphisms(graph)
        for m, wanted in enumerate(published[: largest + 1]):
            found = {"published": wanted, **graph_row(graph, elements, m, most)}
            answers += len(found)
            mismatches += len(set(found.values())) > 1
            cells = "".join(f"{found.get(c, '-'):>13}" for c in columns)
            differ = "  MISMATCH" if len(set(found.values())) > 1 else ""
            print(f"{name:12} {m:>8}{cells}{differ}")
    print(f"{answers} answers, {mismatches} mismatches")
    return answers, mismatches


if __name__ == "__main__":
    sys.exit(main()[1] + graphs(most=5_000_000)[1] > 0)
