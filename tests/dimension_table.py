"""Print, for groups and products of two, the dimension of Hom(V^k, V^l) found in five ways.

``python tests/dimension_table.py`` prints one line for each group and order k + l: the closed
formula; the walks on the McKay quiver; how many diagrams our basis has and its rank modulo a prime;
the rank of the whole spanning set at random points; and, for each split of the order into k and l,
the null space of the constraints of generators, where that is small enough. It ends with the number
of null spaces and of mismatches, and exits with status 1 if there is a mismatch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
from oracles import equivariant_maps, generators, rank_mod_p

from tannaka.category.groups import Group, MatrixGroup, group
from tannaka.category.hom import Hom
from tannaka.category.points import rank_and_pivots
from tannaka.category.product import Product

SINGLE = [
    f"{kind}({n})"
    for kind in ("S", "A", "O", "SO", "Sp")
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


if __name__ == "__main__":
    sys.exit(main()[1] > 0)
