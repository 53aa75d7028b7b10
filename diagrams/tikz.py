r"""Diagrams as TikZ pictures, for papers: ``\usepackage{tikz}`` is all that a document needs."""

from __future__ import annotations

from collections.abc import Iterable

from tannaka.diagrams.picture import Drawable, picture
from tannaka.diagrams.svg import COLOURS

_UNIT = 0.8
"""Distance of neighbouring vertices, in centimetres."""
_DASHES = ("solid", "dashed", "dotted", "dash dot")


def diagram_tikz(diagram: Drawable, labels: bool = True) -> str:
    r"""Draw one diagram as a ``tikzpicture``: outputs on top, inputs below.

    Blocks of two vertices or more have colours that any colour vision tells apart, then dashes;
    vertex numbers stand beside the vertices unless ``labels`` is False.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> print(diagram_tikz(Brauer.identity(1), labels=False))
    \begin{tikzpicture}[x=0.8cm, y=-0.8cm, baseline=(current bounding box.center)]
      \draw[thick, solid, color={rgb,255:red,0;green,114;blue,178}] (0.5,0) .. controls (0.5,0.95) and (0.5,0.95) .. (0.5,1.9);
      \fill (0.5,0) circle (1.5pt);
      \fill (0.5,1.9) circle (1.5pt);
    \end{tikzpicture}
    """
    shape = picture(diagram)
    options = f"x={_UNIT}cm, y=-{_UNIT}cm, baseline=(current bounding box.center)"
    lines = [f"\\begin{{tikzpicture}}[{options}]"]
    ranks: dict[int, int] = {}
    for strand in shape.strands:
        rank = ranks.setdefault(strand.block, len(ranks))
        a, b, c, d = (f"({_n(x)},{_n(y)})" for x, y in strand.curve)
        lines.append(f"  \\draw[{_stroke(rank)}] {a} .. controls {b} and {c} .. {d};")
    for vertex, (x, y) in enumerate(shape.vertices):
        side = "above" if vertex < diagram.cod else "below"
        node = f" node[{side}, font=\\tiny] {{{vertex}}}" if labels else ""
        lines.append(f"  \\fill ({_n(x)},{_n(y)}) circle (1.5pt){node};")
    if not shape.vertices:
        right, bottom = _n(shape.width), _n(shape.height)
        lines.append(f"  \\draw[dotted] (0,0) rectangle ({right},{bottom});")
    return "\n".join([*lines, "\\end{tikzpicture}"])


def gallery_tikz(diagrams: Iterable[Drawable]) -> str:
    """A whole document that draws diagrams one after the other, each with its number and text.

    >>> from tannaka.diagrams.enumerate import set_partitions
    >>> gallery_tikz(set_partitions(2, 2)).count("begin{tikzpicture}")
    15
    """
    cells = []
    for number, diagram in enumerate(diagrams):
        text = str(diagram).replace("∅", "$\\varnothing$")
        caption = f"{{\\scriptsize {number}: \\texttt{{{text}}}}}\\\\[10pt]"
        drawing = f"{diagram_tikz(diagram)}\\\\[2pt]\n{caption}"
        cells.append(f"\\parbox[b]{{0.24\\textwidth}}{{\\centering\n{drawing}}}")
    head = "\\documentclass{article}\n\\usepackage{amssymb}\n\\usepackage{tikz}\n\\begin{document}"
    return "\n".join([head, "\\noindent", "\\hfill\n".join(cells), "\\end{document}\n"])


def _stroke(rank: int) -> str:
    cycle, colour = divmod(rank, len(COLOURS))
    red, green, blue = (int(COLOURS[colour][i : i + 2], 16) for i in (1, 3, 5))
    dash = _DASHES[cycle % len(_DASHES)]
    return f"thick, {dash}, color={{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _n(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"
