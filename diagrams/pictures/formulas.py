r"""Diagrams as formulas for LaTeX: the entries of their matrices, as the functor gives them.

The index of vertex v is ``i_v``, so that the numbers are those of the picture. A delta is 1 where
all its indices are equal, and 0 elsewhere. What is used is there in plain LaTeX, MathJax and KaTeX.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tannaka.diagrams.bilabelled import BilabelledGraph
    from tannaka.diagrams.diagram import Diagram


def diagram_latex(diagram: Diagram, factors: Sequence[str]) -> str:
    r"""An equation: the entry of the diagram's matrix at a row and a column is a product.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> diagram_latex(SetPartition.cup(), ["x", "y"])
    '\\left(d_{0\\,1}\\right)_{i_0 i_1} = x\\,y'
    """
    rows, columns = range(diagram.top), range(diagram.top, diagram.top + diagram.bottom)
    places = [
        " ".join(f"i_{{{v}}}" if v > 9 else f"i_{v}" for v in part) for part in (rows, columns)
    ]
    at = ",\\,".join(filter(None, places))
    below = f"_{{{at}}}" if at else ""
    name = f"\\left(d_{{{latex_index(str(diagram))}}}\\right)"
    return f"{name}{below} = " + ("\\,".join(factors) or "1")


def latex_index(text: str) -> str:
    r"""The text of a diagram, its blocks with bars between, as the index of a letter.

    >>> latex_index("0 1 | 2")
    '0\\,1 \\mid 2'
    """
    text = text.replace("∅", r"\varnothing").replace("_", r"\_").replace("*", r"\ast")
    text = text.replace("←", r"\leftarrow")
    text = text.replace(" || ", r" \parallel ").replace(" | ", r" \mid ")
    return re.sub(r"(?<=\d) (?=\d)", r"\\,", text)


def delta_factors(diagram: Diagram, vertices: Sequence[int]) -> Iterator[str]:
    r"""A delta for each block, and a Levi-Civita symbol for a determinant vertex.

    ``vertices`` are the numbers of the diagram's vertices, where it is a part of another.

    >>> from tannaka.diagrams.grood import Grood
    >>> list(delta_factors(Grood(3, 2, (1, 2, 3), [(0, 4)]), range(5)))
    ['\\varepsilon_{i_1 i_2 i_3}', '\\delta_{i_0 i_4}']
    """
    blocks, legs = diagram.dissected()
    if legs:
        free = sum(leg is None for leg in legs)
        ends = ["s" if leg is None else _index(vertices[blocks[leg][0]]) for leg in legs]
        yield ("\\sum_s " if free else "") + f"\\varepsilon_{{{' '.join(ends)}}}"
    for block in blocks:
        if len(block) > 1:
            yield f"\\delta_{{{' '.join(_index(vertices[v]) for v in block)}}}"


def homomorphism_factors(graph: BilabelledGraph, vertices: Sequence[int]) -> Iterator[str]:
    r"""A sum over the vertices without labels of the host's adjacency matrix at each edge.

    The vertex with labels has the index of its first label; others are summed, ``s_1`` and so on.

    >>> from tannaka.diagrams.bilabelled import BilabelledGraph
    >>> edge = BilabelledGraph(2, [(0, 1)], outputs=(0,), inputs=(1,))
    >>> " ".join(homomorphism_factors(edge.then(edge)[0], range(2)))
    '\\sum_{s_1} A_{i_0 s_1} A_{i_1 s_1}'
    """
    labels = (*graph.outputs, *graph.inputs)
    names: dict[int, str] = {}
    for place, vertex in enumerate(labels):
        names.setdefault(vertex, _index(vertices[place]))
    inner = [v for v in range(graph.vertices) if v not in names]
    names |= {v: f"s_{{{i}}}" if i > 9 else f"s_{i}" for i, v in enumerate(inner, 1)}
    if inner:
        yield f"\\sum_{{{' '.join(names[v] for v in inner)}}}"
    for vertex in dict.fromkeys(labels):
        ends = [_index(vertices[at]) for at, other in enumerate(labels) if other == vertex]
        if len(ends) > 1:
            yield f"\\delta_{{{' '.join(ends)}}}"
    for vertex, colour in graph.colours:
        yield f"{_word(colour)}_{{{names[vertex]}}}"
    for edge in graph.edges:
        a, b = edge[:2]
        raised = f"^{{{_word(edge[2])}}}" if len(edge) > 2 else ""
        yield f"A{raised}_{{{names[a]} {names[b]}}}"


def _index(vertex: int) -> str:
    return f"i_{{{vertex}}}" if vertex > 9 else f"i_{vertex}"


def _word(colour: int | str) -> str:
    word = str(colour).replace("_", "\\_")
    return f"\\mathrm{{{word}}}"
