"""A group as a notebook shows it: what it is, what it does with loops, how many maps commute with it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from tannaka.category.heatmap import matrix_svg
from tannaka.diagrams.counts import readable
from tannaka.diagrams.pictures.bundle import inline, sheet, table

if TYPE_CHECKING:
    from tannaka.category.groups import Group, MatrixGroup
    from tannaka.category.permutations import PermutationGroup
    from tannaka.category.product import Product

_ORDERS, _FEW = 8, 3
_WIDEST = 16
_GENERATORS = 4


def group_card(group: MatrixGroup) -> str:
    """A group of matrices: its generators as pictures, its form where it is no dot product."""
    lines = [_first_line(group)]
    names = " and ".join(f"{family.__name__}" for family in group.families)
    if not group.open:
        lines.append(f"{names} diagrams; a closed loop is worth {group.loop:,}")
    pictures = []
    if not group.open and group.n <= _WIDEST:
        if not np.array_equal(group.form, np.eye(group.n)):
            pictures.append(("its form", group.form))
        given = group.generators()[:_GENERATORS]
        pictures += [("a generator", one) for one in given]
    figures = "".join(
        f"<figure><div>{inline(matrix_svg(np.asarray(matrix), f'{words} of {group}'))}</div>"
        f"<figcaption><small>{words}</small></figcaption></figure>"
        for words, matrix in pictures
    )
    row = f'<div class="tannaka-row">{figures}</div>'
    return sheet(_head(group, lines) + (row if figures else "") + _dimensions(group, _ORDERS))


def product_card(group: Product) -> str:
    """A product: its factors, each with the type of its axes, and the maps between small words."""
    rows = [
        [str(kind), escape(str(factor)), str(worth), escape(_first_line(factor))]
        for kind, (factor, worth) in enumerate(
            zip(group.factors, ["n" if f.open else str(f.loop) for f in group.factors], strict=True)
        )
    ]
    words: list[Any] = [(kind,) for kind in range(len(group.factors))][:_FEW]
    words += [(*a, *b) for i, a in enumerate(words) for b in words[i:]]
    heads = ["to", *(_written(word) for word in words)]
    counts = [
        [f"<b>{_written(cod)}</b>", *(readable(group.dimension(dom, cod)) for dom in words)]
        for cod in words
    ]
    return sheet(
        _head(group, [])
        + table(["type", "group", "a loop is worth", ""], rows, numbers=[0, 2])
        + "<p><small>dimension of Hom, words of types: from columns to rows</small></p>"
        + table(heads, counts, numbers=range(1, len(heads)))
    )


def points_card(group: PermutationGroup) -> str:
    """A permutation group: its points or its host graph, coloured by orbits."""
    few = _FEW if group.n <= 200 else 2
    return sheet(inline(group.svg()) + _dimensions(group, few))


def _head(group: Group, lines: list[str]) -> str:
    below = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f'<p class="tannaka-head"><b>{escape(str(group))}</b></p>{below}'


def _first_line(group: Group) -> str:
    return (type(group).__doc__ or "").split("\n")[0]


def _dimensions(group: Any, most: int) -> str:
    """The dimension of Hom(V^k, V^l), which depends on k + l alone."""
    counts = [readable(group.dimension(0, order)) for order in range(most + 1)]
    heads = ["k + l", *map(str, range(most + 1))]
    row = ["dimension of Hom(V<sup>k</sup>, V<sup>l</sup>)", *counts]
    return table(heads, [row], numbers=range(1, len(heads)))


def _written(word: tuple[int, ...]) -> str:
    return " ".join(map(str, word)) or "()"
