"""Host graphs as SVG: edges in the text's colour, vertices and arcs in theirs, keys below.

Nothing has an id and nothing refers elsewhere. Where there are more colours than the palette has,
vertices of the next ones are rings instead of discs, and arcs have dashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from textwrap import wrap

from tannaka.diagrams.pictures.hosts import (
    NAME,
    NOTE,
    HostPicture,
    HostSketch,
    Key,
    Line,
    host_picture,
)
from tannaka.diagrams.pictures.markup import (
    COLOURS,
    DASHES,
    SANS,
    font,
    group,
    hue,
    line,
    path,
    trim,
)
from tannaka.diagrams.pictures.panels import Panel, beside_svg
from tannaka.diagrams.pictures.picture import one_line

_KEY, _HEADING, _LINE = 11.0, 13.0, 17.0
_NARROWEST = 240.0


def host_svg(sketch: HostSketch) -> str:
    """Draw a host graph as a document of its own.

    >>> print(host_svg(HostSketch(2, ((0, 1),), heading="an edge")))  # doctest: +ELLIPSIS
    <svg xmlns="http://www.w3.org/2000/svg" class="tannaka-picture" role="img" width="256" ...
    <title>an edge</title>
    ...
    """
    return beside_svg([host_panel(sketch)], host_title(sketch))


def host_title(sketch: HostSketch) -> str:
    """What the picture of a host graph is called: its heading and its keys, in one line."""
    return ": ".join(filter(None, [sketch.heading, "; ".join(key.text for key in sketch.keys)]))


def host_panel(sketch: HostSketch, size: float = 300.0, keys: bool = True) -> Panel:
    """Draw a host graph as a piece of a larger picture, its heading above and its keys below.

    >>> host_panel(HostSketch(3, ()), keys=False).body.count("<circle")
    3
    """
    shape = host_picture(sketch, size)
    shown = list(sketch.keys if keys else ())
    if not sketch.drawn:
        edges = f" and {len(sketch.edges):,} edges" if sketch.edges else ""
        shown.insert(0, Key(f"{sketch.n:,} vertices{edges}: too many to draw"))
    heading = one_line(sketch.heading) if keys else ""
    wide = max(shape.width, _NARROWEST if heading or shown else 0.0)
    body, y = [], 0.0
    for words in _wrapped(heading, wide, _HEADING):
        y += _LINE + 2.0
        body.append(line(words, wide / 2, y - 6.0, font(_HEADING, SANS)))
    y += 4.0 if heading else 0.0
    if sketch.drawn:
        drawn = Panel(shape.width, shape.height, "\n".join(_host(sketch, shape)))
        body.append(drawn.at((wide - shape.width) / 2, y))
        y += shape.height + (6.0 if shown else 0.0)
    sampled = any(_sampled(key) for key in shown)
    for key in shown:
        indent = 20.0 if _sampled(key) else 0.0
        for number, words in enumerate(_wrapped(one_line(key.text), wide - indent, _KEY)):
            y += _LINE
            if indent and not number:
                body.append(_sample(key, 0.0, y - 8.0))
            anchor, x = ("start", indent) if sampled else ("middle", wide / 2)
            body.append(line(words, x, y - 4.0, font(_KEY, SANS, anchor, 0.85)))
    return Panel(wide, y + 2.0, "\n".join(body))


def _sampled(key: Key) -> bool:
    return key.vertex is not None or key.arc is not None or bool(key.edge)


def _wrapped(text: str, width: float, size: float) -> list[str]:
    return wrap(text, max(int(width / (0.54 * size)), 8))


def _host(sketch: HostSketch, shape: HostPicture) -> Iterator[str]:
    """The groups of a drawing: edges, arcs, vertices, names, notes."""
    broad = 1.5 if sketch.n <= 60 else 1.0 if sketch.n <= 200 else 0.6
    faint = (0.22 if sketch.light else 0.9 if sketch.kinds else 0.6) * (
        1.0 if sketch.n <= 200 else 0.7
    )
    edges = []
    for number, edge in enumerate(shape.lines):
        kind = sketch.kinds[number] if sketch.kinds else ""
        edges.append(f'<path d="{_data(edge)}"{_kind(kind)}/>')
    look = 'fill="none" stroke="currentColor" stroke-linecap="round"'
    yield from _group(f'{look} stroke-width="{broad}" stroke-opacity="{trim(faint)}"', edges)
    heads = [f'<path d="{_triangle(edge)}"/>' for edge in shape.lines if edge.head]
    yield from _group(f'fill="currentColor" fill-opacity="{trim(min(faint + 0.1, 1))}"', heads)
    arcs, heads = [], []
    for arc, drawn in zip(sketch.arcs, shape.arcs, strict=True):
        cycle, colour = divmod(arc.colour, len(COLOURS))
        stroke = f'stroke="{COLOURS[colour]}"{_dashed(DASHES[cycle % len(DASHES)])}'
        thick = ' stroke-width="4"' if arc.strong else ""
        arcs.append(f'<path d="{_data(drawn)}" {stroke}{thick}/>')
        if drawn.head:
            heads.append(f'<path d="{_triangle(drawn)}" fill="{COLOURS[colour]}"/>')
    many = 1.9 if len(arcs) <= 60 else 1.2
    yield from _group(f'fill="none" stroke-linecap="round" stroke-width="{many}"', arcs)
    yield from _group('stroke="none"', heads)
    yield from _group("", list(_vertices(sketch, shape)))
    if shape.named:
        yield from _group(font(NAME, SANS), list(_names(sketch, shape)))
    notes = [
        f'<text x="{trim(x)}" y="{trim(y + 0.36 * NOTE)}">{escape(one_line(note))}</text>'
        for (x, y), note in zip(shape.notes, sketch.notes, strict=False)
        if note
    ]
    yield from _group(f'{font(NOTE, SANS)} font-weight="bold"', notes)


def _vertices(sketch: HostSketch, shape: HostPicture) -> Iterator[str]:
    thin = 1.3 if shape.radius >= 4 else 0.6
    for v, (x, y) in enumerate(shape.places):
        colour = sketch.colours[v] if sketch.colours else None
        look = _look(colour, shape.radius, thin)
        if v in sketch.strong:
            look = look.split(" stroke")[0] + ' stroke="currentColor" stroke-width="2.6"'
        yield f'<circle cx="{trim(x)}" cy="{trim(y)}" r="{trim(shape.radius)}" {look}/>'


def _look(colour: int | None, radius: float, thin: float) -> str:
    if colour is None:
        return f'fill="none" stroke="currentColor" stroke-opacity="0.5" stroke-width="{thin}"'
    cycle, place = divmod(colour, len(COLOURS))
    if cycle % 2 == 0:
        return f'fill="{COLOURS[place]}"'
    return f'fill="none" stroke="{COLOURS[place]}" stroke-width="{trim(min(3.0, 0.6 * radius))}"'


def _names(sketch: HostSketch, shape: HostPicture) -> Iterator[str]:
    for v, ((x, y), name) in enumerate(zip(shape.places, sketch.called, strict=True)):
        colour = sketch.colours[v] if sketch.colours else None
        filled = colour is not None and colour // len(COLOURS) % 2 == 0
        # On a disc the letters have a colour of their own, the same on dark pages and on light ones.
        ink = f' fill="{_ink(COLOURS[(colour or 0) % len(COLOURS)])}"' if filled else ""
        yield f'<text x="{trim(x)}" y="{trim(y + 0.36 * NAME)}"{ink}>{escape(one_line(name))}</text>'


def _ink(colour: str) -> str:
    """Black or white, whichever can be read better on a colour.

    >>> _ink("#0072B2"), _ink("#E69F00")
    ('#fff', '#000')
    """
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    light = sum(w * p**2.2 for w, p in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
    return "#fff" if light < 0.18 else "#000"


def _sample(key: Key, x: float, y: float) -> str:
    if key.edge:
        return (
            f'<path d="M{trim(x)} {trim(y)}h15" fill="none" stroke-width="1.5"{_kind(key.edge)}/>'
        )
    if key.arc is not None:
        cycle, colour = divmod(key.arc, len(COLOURS))
        dash = _dashed(DASHES[cycle % len(DASHES)])
        return (
            f'<path d="M{trim(x)} {trim(y)}h15" fill="none" stroke="{COLOURS[colour]}" '
            f'stroke-width="2.4"{dash}/>'
        )
    look = _look(key.vertex, 4.5, 1.3)
    return f'<rect x="{trim(x + 3)}" y="{trim(y - 4.5)}" width="9" height="9" rx="4.5" {look}/>'


def _data(drawn: Line) -> str:
    start, leave, arrive, end = drawn.curve
    if leave == start and arrive == end:
        return f"M{trim(start[0])} {trim(start[1])}L{trim(end[0])} {trim(end[1])}"
    return path(drawn.curve)


def _triangle(drawn: Line) -> str:
    return "M" + "L".join(f"{trim(x)} {trim(y)}" for x, y in drawn.head) + "Z"


def _kind(name: str) -> str:
    """The look of edges that have a colour, the same as in diagrams; none for those that have none."""
    if not name:
        return ""
    colour, dash = hue(name)
    return f' stroke="{COLOURS[colour]}"{_dashed(DASHES[dash])}'


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def _group(attributes: str, members: list[str]) -> Iterator[str]:
    if members:
        yield group(attributes, members)
