"""One diagram as SVG markup, to stand inside a larger picture: strands, bells, graphs, numbers.

Nothing has an id and nothing refers elsewhere. Vertices, text and determinant vertices take
``currentColor``. Each block of two vertices or more has a colour; where axes are of several types,
each type has a colour and a pattern of dashes instead. Coloured vertices and edges of graphs have
their names beside them, and a colour that goes with the name in every picture.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from html import escape
from zlib import crc32

from tannaka.diagrams.pictures.bell import RING
from tannaka.diagrams.pictures.curves import Curve, Point
from tannaka.diagrams.pictures.nodes import RADIUS
from tannaka.diagrams.pictures.picture import Picture, picture, text_width
from tannaka.diagrams.pictures.sketch import Drawable, Sketch

SCALE = 36.0
"""Distance of neighbouring vertices, in pixels."""

# Okabe and Ito's palette, readable with any colour vision, strongest contrast first; without black,
# which vanishes on a dark page, and yellow, which vanishes on a white one.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("", "6 4", "1.5 4", "9 3.5 1.5 3.5")

HUES = {
    "blue": 0,
    "red": 1,
    "green": 2,
    "pink": 3,
    "purple": 3,
    "orange": 4,
    "yellow": 4,
    "cyan": 5,
}
"""Which of the colours is nearest to what a word names."""

LEG = "currentColor"
"""The colour of determinant vertices and their legs, and of strands that do no more than lead there."""

LABEL = 9.0
"""Size of a vertex number, in pixels."""
_LABEL_ROOM = 17.0
KIND_ROOM = 12.0
"""Height of the line of kinds, beyond the vertex numbers."""
SANS = "system-ui,'DejaVu Sans',Helvetica,Arial,sans-serif"
MONO = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"
_ROUND = 'fill="none" stroke-width="{}" stroke-linecap="round"'


def diagram_group(
    diagram: Drawable,
    x: float,
    y: float,
    scale: float = SCALE,
    labels: bool = True,
    colours: Sequence[str] | None = None,
    marked: Collection[int] = (),
) -> str:
    """Markup of one diagram inside a larger SVG: its top row at height y, its left edge at x.

    The size is that of ``picture(diagram).placed(x, y, scale)``; vertex numbers, unless ``labels``
    is False, stand above and below it. A diagram without vertices is a dotted frame. ``colours``
    are those of the blocks of two vertices or more, then of the vertices of a graph. What joins
    ``marked`` vertices only has a halo.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> print(diagram_group(SetPartition.cup(), 0, 0, scale=10, labels=False))
    <g>
    <g fill="none" stroke-width="2.2" stroke-linecap="round">
    <path d="M5 0C6.6 6.13 13.4 6.13 15 0" stroke="#0072B2"/>
    </g>
    <g fill="currentColor">
    <circle cx="5" cy="0" r="2.8"/>
    <circle cx="15" cy="0" r="2.8"/>
    </g>
    </g>
    """
    sketch = diagram.sketch()
    shape = picture(diagram).placed(x, y, scale)
    strokes = _strokes(sketch, shape, colours)
    given = (colours or ())[len(strokes) :]
    shades = given or (LEG,) * len(shape.nodes)
    dots = [
        f'<circle cx="{trim(px)}" cy="{trim(py)}" r="2.8"/>'
        for v, (px, py) in enumerate(shape.vertices)
        if not sketch.nodes or v not in {wire.label for wire in shape.wires}
    ]
    frame = (
        f'<rect x="{trim(x + 1)}" y="{trim(y + 1)}" width="{trim(shape.width - 2)}" '
        f'height="{trim(shape.height - 2)}" rx="3" fill="none" stroke="currentColor" '
        'stroke-opacity="0.5" stroke-dasharray="1.5 3" stroke-linecap="round"/>'
    )
    empty = not (shape.vertices or shape.bells or shape.nodes)
    parts = [
        *_halo(sketch, shape, strokes, set(marked), shades),
        group(_ROUND.format("2.2"), list(_strands(shape, strokes))),
        *_graph(shape, shades, bool(colours), scale),
        *_bells(shape, scale),
        group('fill="currentColor"', [frame] if empty else dots),
        group(font(LABEL, SANS, opacity=0.75), list(_numbers(sketch, shape)) if labels else []),
    ]
    return group("", [part for part in parts if part])


def hue(name: str) -> tuple[int, int]:
    """The numbers of the colour and of the dashes that stand for a colour of a graph.

    >>> hue("red"), hue("7")
    ((1, 0), (1, 1))
    """
    if name in HUES:
        return HUES[name], 0
    number = crc32(name.encode()) if name.isidentifier() else int(name)
    dash, colour = divmod(number % (len(COLOURS) * len(DASHES)), len(COLOURS))
    return colour, dash


def room(sketch: Sketch) -> tuple[float, float]:
    """The heights that vertex numbers take above and below a diagram."""
    one = _LABEL_ROOM + (KIND_ROOM if sketch.kinds else 0.0)
    return one if sketch.top else 0.0, one if sketch.bottom else 0.0


def group(attributes: str, members: Sequence[str]) -> str:
    """Markup of a group; nothing where it would be empty."""
    opening = f"<g {attributes}>" if attributes else "<g>"
    return "\n".join([opening, *members, "</g>"]) if members else ""


def font(size: float, family: str, anchor: str = "middle", opacity: float = 1.0) -> str:
    """The attributes of a text in the page's own colour."""
    faint = f' fill-opacity="{trim(opacity)}"' if opacity < 1 else ""
    return (
        f'font-family="{family}" font-size="{trim(size)}" text-anchor="{anchor}" '
        f'fill="currentColor"{faint}'
    )


def line(text: str, x: float, y: float, font: str) -> str:
    """Markup of one line of text."""
    return f'<text x="{trim(x)}" y="{trim(y)}" {font}>{escape(text)}</text>'


def width_of(text: str, size: float) -> float:
    """Width of a text in pixels: exact in a monospaced font, an upper bound in most others."""
    return 0.605 * size * text_width(text)


def trim(value: float) -> str:
    """Two decimals at most, no trailing zeros, no negative zero.

    >>> trim(2.50), trim(-0.001)
    ('2.5', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _strokes(sketch: Sketch, shape: Picture, colours: Sequence[str] | None) -> dict[int, str]:
    """The attributes of each block that has strands, in the order of blocks."""
    strokes: dict[int, str] = {}
    for block in dict.fromkeys(strand.block for strand in shape.strands):
        kind = sketch.types[sketch.blocks[block][0]] if sketch.types else None
        rank = len(strokes)
        cycle, place = divmod(rank, len(colours or COLOURS))
        if colours is None and kind is not None:
            place = kind
        colour = (colours or COLOURS)[place % len(colours or COLOURS)]
        dash = DASHES[(cycle if kind is None else kind) % len(DASHES)]
        faint = ' stroke-opacity="0.6"' if colour == LEG else ""
        strokes[block] = f'stroke="{colour}"{faint}' + (
            f' stroke-dasharray="{dash}"' if dash else ""
        )
    return strokes


def _strands(shape: Picture, strokes: dict[int, str]) -> Iterator[str]:
    for block, stroke in strokes.items():
        curves = [strand.curve for strand in shape.strands if strand.block == block]
        yield f'<path d="{"".join(map(path, curves))}" {stroke}/>'
    for strand in shape.strands:
        if strand.head:
            colour = strokes[strand.block].split('"')[1]
            corners = "L".join(map(_point, strand.head))
            yield f'<path d="M{corners}Z" fill="{colour}"/>'


def _halo(
    sketch: Sketch, shape: Picture, strokes: dict[int, str], marked: set[int], shades: Sequence[str]
) -> Iterator[str]:
    """A broad faint stroke under what joins marked vertices, and around those that are alone."""
    under = []
    for block, stroke in strokes.items():
        if marked.issuperset(sketch.blocks[block]):
            curves = [strand.curve for strand in shape.strands if strand.block == block]
            colour = stroke.split(" ")[0]
            under.append(f'<path d="{"".join(map(path, curves))}" {colour}/>')
    for wire in shape.wires:
        if wire.label in marked:
            under.append(f'<path d="{path(wire.curve)}" stroke="{shades[wire.node]}"/>')
    under += [
        f'<path d="M{_point(shape.vertices[v])}h0" stroke="currentColor"/>'
        for block in sketch.blocks
        for v in block
        if len(block) == 1 and v in marked
    ]
    yield group(_ROUND.format("11") + ' stroke-opacity="0.32"', under)


def _graph(shape: Picture, shades: Sequence[str], neutral: bool, scale: float) -> Iterator[str]:
    """Wires, edges, heads, vertices and names; no colour of the graph shows where ``neutral``."""
    yield group(
        _ROUND.format("1.2"),
        [
            f'<path d="{path(wire.curve)}" stroke="{shades[wire.node]}" stroke-opacity="0.7"/>'
            for wire in shape.wires
        ],
    )
    lines, heads = [], []
    for edge in shape.edges:
        colour, dash = hue(edge.colour) if edge.colour and not neutral else (0, 0)
        shade = LEG if neutral else COLOURS[colour]
        dashes = f' stroke-dasharray="{DASHES[dash]}"' if dash else ""
        lines.append(f'<path d="{path(edge.curve)}" stroke="{shade}"{dashes}/>')
        if edge.head:
            heads.append(f'<path d="M{"L".join(map(_point, edge.head))}Z" fill="{shade}"/>')
    yield group(_ROUND.format("2.4"), lines)
    yield group('stroke="none"', heads)
    for node, shade in zip(shape.nodes, shades, strict=True):
        if len(node.colours) == 1 and not neutral:
            shade = COLOURS[hue(*node.colours)[0]]
        look = (
            f'fill="none" stroke="{shade}" stroke-width="1.8"' if node.bare else f'fill="{shade}"'
        )
        yield _circle(node.at, RADIUS * scale, look)
    size = LABEL * scale / SCALE
    names = [
        f'<text x="{trim(word.at[0])}" y="{trim(word.at[1] + 0.36 * size)}">{escape(word.text)}</text>'
        for word in shape.words
    ]
    yield group(font(size, SANS), names)


def _bells(shape: Picture, scale: float) -> Iterator[str]:
    for bell in shape.bells:
        legs = [f'<path d="{"".join(map(path, leg.curves))}"/>' for leg in bell.legs]
        rings = [
            _circle(leg.tip, RING * scale, 'fill="none" stroke-width="1.6"')
            for leg in bell.legs
            if leg.end is None
        ]
        arch = f'<path d="{path(bell.arch)}Z" fill="currentColor" stroke-linejoin="round"/>'
        yield group(
            'fill="none" stroke="currentColor" stroke-width="2.6" opacity="0.6"',
            [*legs, *rings, arch],
        )


def _numbers(sketch: Sketch, shape: Picture) -> Iterator[str]:
    for vertex, (px, py) in enumerate(shape.vertices):
        off = -6.5 if vertex < sketch.top else 6.5 + 0.72 * LABEL
        yield f'<text x="{trim(px)}" y="{trim(py + off)}">{vertex}</text>'
    for vertex, kind in enumerate(sketch.kinds):
        px, py = shape.vertices[vertex]
        off = -6.5 - KIND_ROOM if vertex < sketch.top else 6.5 + 0.72 * LABEL + KIND_ROOM
        yield f'<text x="{trim(px)}" y="{trim(py + off)}">{escape(kind)}</text>'


def path(curve: Curve) -> str:
    """A curve as the data of a path.

    >>> path(((0, 0), (0, 1), (2, 1), (2, 0)))
    'M0 0C0 1 2 1 2 0'
    """
    start, *rest = map(_point, curve)
    return f"M{start}C{' '.join(rest)}"


def _point(point: Point) -> str:
    return f"{trim(point[0])} {trim(point[1])}"


def _circle(centre: Point, radius: float, attributes: str) -> str:
    x, y = map(trim, centre)
    return f'<circle cx="{x}" cy="{y}" r="{trim(radius)}" {attributes}/>'
