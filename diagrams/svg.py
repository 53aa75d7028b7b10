"""Diagrams as SVG, alone or in a gallery: self-contained text that can stand in any page.

Nothing has an id and nothing refers elsewhere, so any number of these can share a page. Vertices
and text take ``currentColor``: the page's text colour where the SVG is part of a page, and dark or
light by the reader's preference where it is a document or an image of its own. Each block of two
vertices or more has a colour; singletons are bare dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, sqrt

from tannaka.diagrams.picture import Drawable, one_line, picture, text_width

SCALE = 36.0
"""Distance of neighbouring vertices, in pixels."""

# Okabe and Ito's palette, readable with any colour vision, strongest contrast first; without black,
# which vanishes on a dark page, and yellow, which vanishes on a white one.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("", "6 4", "1.5 4", "9 3.5 1.5 3.5")

# ":root" is this SVG only where it is a document of its own, so the rule reaches nothing else.
STYLE = (
    "<style>:root.tannaka-picture{color-scheme:light dark;color:#1b1b1b}"
    "@media(prefers-color-scheme:dark){:root.tannaka-picture{color:#ededed}}</style>"
)

_PAD = 8.0
_LABEL = 9.0
_LABEL_ROOM = 17.0
_CAPTION = 10.0
_CAPTION_ROOM = 18.0
_SANS = "system-ui,'DejaVu Sans',Helvetica,Arial,sans-serif"
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_MONO = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"


def diagram_svg(diagram: Drawable) -> str:
    """Draw one diagram as a document: outputs on top, inputs below, vertices numbered.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> print(diagram_svg(SetPartition.identity(1)))  # doctest: +ELLIPSIS
    <svg xmlns="http://www.w3.org/2000/svg" class="tannaka-picture" role="img" width="52" ...
    <title>diagram 1 → 1: 0 1</title>
    ...
    """
    shape = picture(diagram).placed(0, 0, SCALE)
    above = _LABEL_ROOM if diagram.cod else 0.0
    below = _LABEL_ROOM if diagram.dom else 0.0
    return svg_document(
        shape.width + 2 * _PAD,
        shape.height + above + below + 2 * _PAD,
        diagram_group(diagram, _PAD, _PAD + above),
        f"diagram {diagram.dom} → {diagram.cod}: {diagram}",
    )


def gallery_svg(
    diagrams: Iterable[Drawable],
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    title: str = "",
) -> str:
    """Draw many diagrams in one document, in rows, each with its number and a caption.

    Captions default to ``str(diagram)``; the number of columns to one that suits the page.

    >>> from tannaka.diagrams.enumerate import set_partitions
    >>> gallery_svg(set_partitions(2, 2)).count("<circle")
    60
    """
    shown = tuple(diagrams)
    texts = [one_line(text) for text in (shown if captions is None else captions)]
    if len(texts) != len(shown):
        raise ValueError(f"there are {len(shown)} diagrams but {len(texts)} captions")
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be at least 1, or None to choose; got {columns}")
    heading = one_line(title)
    shapes = [picture(diagram).placed(0, 0, SCALE) for diagram in shown]
    tall = max((shape.height for shape in shapes), default=0.0)
    above = _LABEL_ROOM if any(diagram.cod for diagram in shown) else 0.0
    below = _LABEL_ROOM if any(diagram.dom for diagram in shown) else 0.0
    # The number stands in the upper left corner, where an arc or a dot may not reach it.
    corner = _width(str(max(len(shown) - 1, 0)), _LABEL) + 6
    wide = max((shape.width + 2 * corner - SCALE / 2 for shape in shapes), default=0.0)
    wide = max([wide, *(_width(text, _CAPTION) for text in texts)]) + 2 * _PAD
    high = above + tall + below + _CAPTION_ROOM + 2 * _PAD
    across = columns or _columns(len(shown), wide, high)
    head = 30.0 if heading else 0.0
    body = []
    if heading:
        body.append(_text(heading, 2 * _PAD, _PAD + 17, _font(14, _SANS, "start")))
    for number, (diagram, shape, text) in enumerate(zip(shown, shapes, texts, strict=True)):
        row, column = divmod(number, across)
        x, y = _PAD + column * wide, _PAD + head + row * high
        top = y + _PAD + above + (tall - shape.height) / 2
        body += [
            (
                f'<rect x="{_n(x + 2)}" y="{_n(y + 2)}" width="{_n(wide - 4)}" '
                f'height="{_n(high - 4)}" rx="5" fill="none" stroke="currentColor" '
                'stroke-opacity="0.18"/>'
            ),
            _text(str(number), x + _PAD, y + _PAD + 8, _font(_LABEL, _SANS, "start", 0.6)),
            diagram_group(diagram, x + (wide - shape.width) / 2, top),
            _text(text, x + wide / 2, y + high - _PAD - 3, _font(_CAPTION, _MONO)),
        ]
    rows = ceil(len(shown) / across)
    return svg_document(
        max(min(across, len(shown)) * wide, _width(heading, 14) + 2 * _PAD) + 2 * _PAD,
        head + rows * high + 2 * _PAD,
        "\n".join(body),
        heading or f"{len(shown)} diagrams",
    )


def sum_svg(terms: Iterable[tuple[str, Drawable]], title: str = "") -> str:
    """Draw a formal sum in one line: each term is a coefficient, as text, before a diagram.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> sum_svg([("n", SetPartition.cup()), ("2", SetPartition.cup())]).count("<circle")
    4
    """
    shown = tuple(terms)
    shapes = [picture(diagram).placed(0, 0, SCALE) for _, diagram in shown]
    tall = max((shape.height for shape in shapes), default=SCALE)
    middle = _PAD + _LABEL_ROOM + tall / 2
    x, body = _PAD, []
    for i, ((coefficient, diagram), shape) in enumerate(zip(shown, shapes, strict=True)):
        sign = "+ " if i and not coefficient.startswith("-") else ""
        coefficient = re.sub(r"\^(\d+)", lambda m: m[1].translate(_SUPERSCRIPTS), coefficient)
        words = one_line(
            sign + coefficient.replace("-", "\N{MINUS SIGN} " if i else "\N{MINUS SIGN}")
        )
        if words:
            body.append(_text(words, x, middle + 5, _font(14, _MONO, "start")))
            x += _width(words, 14) + 4
        body.append(diagram_group(diagram, x, middle - shape.height / 2))
        x += shape.width + _PAD
    if not shown:
        body.append(_text("0", x, middle + 5, _font(14, _MONO, "start")))
        x += SCALE
    return svg_document(x, tall + 2 * (_PAD + _LABEL_ROOM), "\n".join(body), title)


def diagram_group(
    diagram: Drawable,
    x: float,
    y: float,
    scale: float = SCALE,
    labels: bool = True,
    colours: Sequence[str] = COLOURS,
) -> str:
    """Markup of one diagram inside a larger SVG: its top row at height y, its left edge at x.

    The size is that of ``picture(diagram).placed(x, y, scale)``; vertex numbers, unless ``labels``
    is False, stand above and below it. A diagram without vertices is a dotted frame. Blocks of two
    vertices or more take the colours in turn, then again with each pattern of dashes.

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
    shape = picture(diagram).placed(x, y, scale)
    paths: dict[int, str] = {}
    for strand in shape.strands:
        start, *rest = (f"{_n(px)} {_n(py)}" for px, py in strand.curve)
        paths[strand.block] = paths.get(strand.block, "") + f"M{start}C{' '.join(rest)}"
    lines = [
        f'<path d="{path}" {_stroke(rank, colours)}/>' for rank, path in enumerate(paths.values())
    ]
    dots = [f'<circle cx="{_n(px)}" cy="{_n(py)}" r="2.8"/>' for px, py in shape.vertices]
    numbers = []
    for vertex, (px, py) in enumerate(shape.vertices if labels else ()):
        off = -6.5 if vertex < diagram.cod else 6.5 + 0.72 * _LABEL
        numbers.append(f'<text x="{_n(px)}" y="{_n(py + off)}">{vertex}</text>')
    frame = (
        f'<rect x="{_n(x + 1)}" y="{_n(y + 1)}" width="{_n(shape.width - 2)}" '
        f'height="{_n(shape.height - 2)}" rx="3" fill="none" stroke="currentColor" '
        'stroke-opacity="0.5" stroke-dasharray="1.5 3" stroke-linecap="round"/>'
    )
    parts = [
        _group('fill="none" stroke-width="2.2" stroke-linecap="round"', lines),
        _group('fill="currentColor"', dots or [frame]),
        _group(_font(_LABEL, _SANS, opacity=0.75), numbers),
    ]
    return _group("", [part for part in parts if part])


def svg_document(width: float, height: float, body: str, title: str) -> str:
    """Wrap markup as a document of this size in pixels; ``title`` is read out and shown on hover.

    >>> print(svg_document(20, 10, "<path d='M2 5H18'/>", "a line"))  # doctest: +ELLIPSIS
    <svg xmlns="http://www.w3.org/2000/svg" class="tannaka-picture" role="img" width="20" ...>
    <title>a line</title>
    <style>...</style>
    <path d='M2 5H18'/>
    </svg>
    <BLANKLINE>
    """
    w, h = _n(width), _n(height)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="tannaka-picture" role="img" '
        f'width="{w}" height="{h}" viewBox="0 0 {w} {h}">\n'
        f"<title>{escape(one_line(title))}</title>\n{STYLE}\n{body}\n</svg>\n"
    )


def svg_text(text: str, x: float, y: float, size: float = 12.0) -> str:
    """Markup of one line of text, centred at x.

    >>> svg_text("a < b", 10, 20).endswith(">a &lt; b</text>")
    True
    """
    return _text(one_line(text), x, y, _font(size, _SANS))


def _stroke(rank: int, colours: Sequence[str]) -> str:
    cycle, colour = divmod(rank, len(colours))
    dash = DASHES[cycle % len(DASHES)]
    return f'stroke="{colours[colour]}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _group(attributes: str, members: Sequence[str]) -> str:
    opening = f"<g {attributes}>" if attributes else "<g>"
    return "\n".join([opening, *members, "</g>"]) if members else ""


def _font(size: float, family: str, anchor: str = "middle", opacity: float = 1.0) -> str:
    faint = f' fill-opacity="{_n(opacity)}"' if opacity < 1 else ""
    return (
        f'font-family="{family}" font-size="{_n(size)}" text-anchor="{anchor}" '
        f'fill="currentColor"{faint}'
    )


def _text(text: str, x: float, y: float, font: str) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" {font}>{escape(text)}</text>'


def _columns(count: int, wide: float, high: float) -> int:
    """Columns for about 3:2, at most a page of 1000 pixels, with few empty places in the end."""
    most = max(1, min(count, int(1000 / wide)))
    ideal = min(most, max(1, round(sqrt(1.5 * count * high / wide))))
    near = range(max(1, ceil(0.7 * ideal)), min(most, ceil(1.3 * ideal)) + 1)
    return min(near, key=lambda columns: (-count % columns, abs(columns - ideal)))


def _width(text: str, size: float) -> float:
    """Width of a text in pixels: exact in a monospaced font, an upper bound in most others."""
    return 0.605 * size * text_width(text)


def _n(value: float) -> str:
    """Two decimals at most, no trailing zeros, no negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
