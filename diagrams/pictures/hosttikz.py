"""Host graphs as TikZ pictures, for papers."""

from __future__ import annotations

from collections.abc import Iterator

from tannaka.diagrams.pictures.curves import Curve, Point
from tannaka.diagrams.pictures.hosts import HostPicture, HostSketch, Line, host_picture
from tannaka.diagrams.pictures.markup import COLOURS, hue
from tannaka.diagrams.pictures.picture import one_line

_UNIT = 0.02
"""A pixel in centimetres."""
_DASHES = ("solid", "dashed", "dotted", "dash dot")
_SPECIAL = {c: f"\\{c}" for c in "#$%&_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
}


def host_tikz(sketch: HostSketch) -> str:
    r"""Draw a host graph as a ``tikzpicture``, its heading and its keys as comments.

    >>> print(host_tikz(HostSketch(1, (), heading="a point")))
    \begin{tikzpicture}[x=0.02cm, y=-0.02cm, baseline=(current bounding box.center)]
      % a point
      \draw[color=black!50] (10,10) circle (0.14cm);
      \node[font=\tiny] at (10,10) {0};
    \end{tikzpicture}
    """
    options = f"x={_UNIT}cm, y=-{_UNIT}cm, baseline=(current bounding box.center)"
    lines = [f"% {one_line(text)}" for text in (sketch.heading, *(k.text for k in sketch.keys))]
    lines = [text for text in lines if text != "% "]
    if sketch.drawn:
        lines += _host(sketch, host_picture(sketch))
    else:
        words = f"{sketch.n:,} vertices and {len(sketch.edges):,} edges: too many to draw"
        lines.append(f"\\node {{{words}}};")
    body = [f"  {line}" for line in lines]
    return "\n".join([f"\\begin{{tikzpicture}}[{options}]", *body, "\\end{tikzpicture}"])


def _host(sketch: HostSketch, shape: HostPicture) -> Iterator[str]:
    grey = "color=black!30" if sketch.light else "color=black!70"
    for number, edge in enumerate(shape.lines):
        kind = sketch.kinds[number] if sketch.kinds else ""
        hued, dashes = hue(kind) if kind else (0, 0)
        shade = _colour(hued) if kind else grey
        yield from _line(edge, f"{_DASHES[dashes]}, {shade}", shade)
    for arc, drawn in zip(sketch.arcs, shape.arcs, strict=True):
        shade = _colour(arc.colour)
        broad = "ultra thick" if arc.strong else "thick"
        dash = _DASHES[arc.colour // len(COLOURS) % len(_DASHES)]
        yield from _line(drawn, f"{broad}, {dash}, {shade}", shade)
    radius = f"{_n(shape.radius * _UNIT)}cm"
    for v, place in enumerate(shape.places):
        orbit = sketch.colours[v] if sketch.colours else None
        hollow = orbit is None or orbit // len(COLOURS) % 2 == 1
        shade = "color=black!50" if orbit is None else _colour(orbit)
        broad = "very thick, " if hollow and orbit is not None else ""
        command = f"\\draw[{broad}{shade}]" if hollow else f"\\fill[{shade}]"
        yield f"{command} {_point(place)} circle ({radius});"
        if v in sketch.strong:
            yield f"\\draw[very thick] {_point(place)} circle ({radius});"
        if shape.named:
            ink = "" if hollow else ", color=white" if orbit == 0 else ", color=black"
            name = _escaped(sketch.called[v])
            yield f"\\node[font=\\tiny{ink}] at {_point(place)} {{{name}}};"
    for place, note in zip(shape.notes, sketch.notes, strict=False):
        if note:
            yield f"\\node[font=\\tiny\\bfseries] at {_point(place)} {{{_escaped(note)}}};"


def _line(line: Line, style: str, shade: str) -> Iterator[str]:
    yield f"\\draw[{style}] {_path(line.curve)};"
    if line.head:
        yield f"\\fill[{shade}] {' -- '.join(map(_point, line.head))} -- cycle;"


def _path(curve: Curve) -> str:
    a, b, c, d = map(_point, curve)
    return f"{a} -- {d}" if a == b and c == d else f"{a} .. controls {b} and {c} .. {d}"


def _colour(number: int) -> str:
    colour = COLOURS[number % len(COLOURS)]
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"color={{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in one_line(text))


def _point(point: Point) -> str:
    return f"({_n(point[0])},{_n(point[1])})"


def _n(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
