r"""Diagrams as TikZ pictures, for papers: ``\usepackage{tikz}`` is all that a document needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tannaka.diagrams.pictures.bell import RING
from tannaka.diagrams.pictures.curves import Curve, Point
from tannaka.diagrams.pictures.markup import COLOURS, hue
from tannaka.diagrams.pictures.nodes import RADIUS
from tannaka.diagrams.pictures.picture import Picture, picture
from tannaka.diagrams.pictures.sketch import Drawable, Sketch

_UNIT = 0.8
"""Distance of neighbouring vertices, in centimetres."""
_DASHES = ("solid", "dashed", "dotted", "dash dot")
_LEG = "line width=1.2pt, color=black!55"
_LINE = 12.1
"""Width of a line of text in the document class article, in centimetres."""


def diagram_tikz(diagram: Drawable, labels: bool = True) -> str:
    r"""Draw one diagram as a ``tikzpicture``: outputs on top, inputs below.

    Blocks of two vertices or more have colours that any colour vision tells apart, then dashes;
    types have a colour and dashes each. Vertex numbers stand beside the vertices unless ``labels``
    is False.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> print(diagram_tikz(Brauer.identity(1), labels=False))
    \begin{tikzpicture}[x=0.8cm, y=-0.8cm, baseline=(current bounding box.center)]
      \draw[thick, solid, color={rgb,255:red,0;green,114;blue,178}] (0.5,0) .. controls (0.5,0.95) and (0.5,0.95) .. (0.5,1.9);
      \fill (0.5,0) circle (1.5pt);
      \fill (0.5,1.9) circle (1.5pt);
    \end{tikzpicture}
    """
    sketch, shape = diagram.sketch(), picture(diagram)
    options = f"x={_UNIT}cm, y=-{_UNIT}cm, baseline=(current bounding box.center)"
    lines = [*_strands(sketch, shape), *_graph(shape), *_bells(shape)]
    lines += _vertices(sketch, shape, labels)
    if not (shape.vertices or shape.bells or shape.nodes):
        right, bottom = _n(shape.width), _n(shape.height)
        lines.append(f"\\draw[dotted] (0,0) rectangle ({right},{bottom});")
    body = [f"  {line}" for line in lines]
    return "\n".join([f"\\begin{{tikzpicture}}[{options}]", *body, "\\end{tikzpicture}"])


def gallery_tikz(diagrams: Iterable[Drawable]) -> str:
    """A whole document that draws diagrams one after the other, each with its number and text.

    >>> from tannaka.diagrams.enumerate import set_partitions
    >>> gallery_tikz(set_partitions(2, 2)).count("begin{tikzpicture}")
    15
    """
    rows: list[tuple[int, list[str]]] = [(4, [])]
    for number, diagram in enumerate(diagrams):
        room = max(1, min(4, int(_LINE / (picture(diagram).width * _UNIT + 0.4))))
        text = str(diagram).replace("_", "\\_").replace("∅", "$\\varnothing$")
        caption = f"{{\\scriptsize {number}: \\texttt{{{text}}}}}\\\\[10pt]"
        drawing = f"{diagram_tikz(diagram)}\\\\[2pt]\n{caption}"
        # A row holds as many cells as its widest one allows.
        across, cells = rows[-1]
        if len(cells) < min(across, room):
            rows[-1] = min(across, room), [*cells, drawing]
        else:
            rows.append((room, [drawing]))
    head = "\\documentclass{article}\n\\usepackage{amssymb}\n\\usepackage{tikz}\n\\begin{document}"
    body = "\n\n".join(_row(across, cells) for across, cells in rows)
    return f"{head}\n{body}\n\\end{{document}}\n"


def _row(across: int, drawings: list[str]) -> str:
    box = f"\\parbox[b]{{{0.96 / across:.2f}\\textwidth}}"
    return "\\noindent\n" + "\\hfill\n".join(
        f"{box}{{\\centering\n{drawing}}}" for drawing in drawings
    )


def _strands(sketch: Sketch, shape: Picture) -> Iterator[str]:
    ranks: dict[int, int] = {}
    for strand in shape.strands:
        rank = ranks.setdefault(strand.block, len(ranks))
        colour, dash = rank, rank // len(COLOURS)
        if sketch.types:
            colour = dash = sketch.types[strand.ends[0]]
        shade = _colour(COLOURS[colour % len(COLOURS)])
        style = f"thick, {_DASHES[dash % len(_DASHES)]}, {shade}"
        yield f"\\draw[{style}] {_path(strand.curve)};"
        if strand.head:
            yield f"\\fill[{shade}] {' -- '.join(map(_point, strand.head))} -- cycle;"


def _graph(shape: Picture) -> Iterator[str]:
    for wire in shape.wires:
        yield f"\\draw[thin, color=black!70] {_path(wire.curve)};"
    for edge in shape.edges:
        colour, dash = hue(edge.colour) if edge.colour else (0, 0)
        shade = _colour(COLOURS[colour])
        dashes = f"{_DASHES[dash]}, " if dash else ""
        yield f"\\draw[very thick, {dashes}{shade}] {_path(edge.curve)};"
        if edge.head:
            yield f"\\fill[{shade}] {' -- '.join(map(_point, edge.head))} -- cycle;"
    for node in shape.nodes:
        look = ["thick"] if node.bare else []
        look += [_colour(COLOURS[hue(*node.colours)[0]])] if len(node.colours) == 1 else []
        options = f"[{', '.join(look)}]" if look else ""
        command = "\\draw" if node.bare else "\\fill"
        yield f"{command}{options} {_point(node.at)} circle ({_n(RADIUS * _UNIT)}cm);"
    for word in shape.words:
        name = word.text.replace("_", "\\_").replace("-", "$-$")
        yield f"\\node[font=\\tiny, inner sep=0pt] at {_point(word.at)} {{{name}}};"


def _bells(shape: Picture) -> Iterator[str]:
    for bell in shape.bells:
        for leg in bell.legs:
            yield f"\\draw[{_LEG}] {' '.join(map(_path, leg.curves))};"
            if leg.end is None:
                yield f"\\draw[color=black!55, thick] {_point(leg.tip)} circle ({_n(RING * _UNIT)}cm);"
        yield f"\\fill[color=black!55] {_path(bell.arch)} -- cycle;"


def _vertices(sketch: Sketch, shape: Picture, labels: bool) -> Iterator[str]:
    wired = {wire.label for wire in shape.wires}
    for vertex, at in enumerate(shape.vertices):
        upper = vertex < sketch.top
        words = [str(vertex)]
        if sketch.kinds:
            words.insert(0 if upper else 1, _kind(sketch.kinds[vertex]))
        side = "above" if upper else "below"
        break_ = ", align=center" if len(words) > 1 else ""
        text = "\\\\".join(words)
        node = f" node[{side}{break_}, font=\\tiny] {{{text}}}" if labels else ""
        if vertex not in wired:
            yield f"\\fill {_point(at)} circle (1.5pt){node};"
        elif node:
            yield f"\\path {_point(at)}{node};"


def _kind(kind: str) -> str:
    r"""The name of a kind of axis as a formula.

    >>> _kind("V*"), _kind("V₁₀")
    ('$V^*$', '$V_{10}$')
    """
    index = kind[1:].translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))
    return (
        f"${kind[0]}^*$" if index == "*" else f"${kind[0]}_{{{index}}}$" if index else f"${kind}$"
    )


def _colour(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"color={{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _path(curve: Curve) -> str:
    a, b, c, d = map(_point, curve)
    return f"{a} .. controls {b} and {c} .. {d}"


def _point(point: Point) -> str:
    return f"({_n(point[0])},{_n(point[1])})"


def _n(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
