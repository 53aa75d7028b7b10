"""Diagrams as SVG, alone or in a gallery: self-contained text that can stand in any page.

Nothing has an id and nothing refers elsewhere, so any number of these can share a page. Vertices
and text take ``currentColor``: the page's text colour where the SVG is part of a page, and dark or
light by the reader's preference where it is a document or an image of its own. Each block of two
vertices or more has a colour; singletons are bare dots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, sqrt

from tannaka.diagrams.pictures.markup import COLOURS as COLOURS
from tannaka.diagrams.pictures.markup import (
    LABEL,
    MONO,
    SANS,
    SCALE,
    font,
    line,
    room,
    trim,
    width_of,
)
from tannaka.diagrams.pictures.markup import diagram_group as diagram_group
from tannaka.diagrams.pictures.picture import one_line, picture
from tannaka.diagrams.pictures.sketch import Drawable
from tannaka.diagrams.pictures.sums import sum_group

# ":root" is this SVG only where it is a document of its own, so the rule reaches nothing else.
STYLE = (
    "<style>:root.tannaka-picture{color-scheme:light dark;color:#1b1b1b}"
    "@media(prefers-color-scheme:dark){:root.tannaka-picture{color:#ededed}}</style>"
)

_PAD = 8.0
_CAPTION = 10.0
_CAPTION_ROOM = 18.0


def diagram_svg(diagram: Drawable) -> str:
    """Draw one diagram as a document: outputs on top, inputs below, vertices numbered.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> print(diagram_svg(SetPartition.identity(1)))  # doctest: +ELLIPSIS
    <svg xmlns="http://www.w3.org/2000/svg" class="tannaka-picture" role="img" width="52" ...
    <title>diagram 1 → 1: 0 1</title>
    ...
    """
    shape = picture(diagram).placed(0, 0, SCALE)
    sketch = diagram.sketch()
    above, below = room(sketch)
    return svg_document(
        shape.width + 2 * _PAD,
        shape.height + above + below + 2 * _PAD,
        diagram_group(diagram, _PAD, _PAD + above),
        f"diagram {sketch.name}: {diagram}",
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
    rooms = [room(diagram.sketch()) for diagram in shown]
    above, below = (max((sides[i] for sides in rooms), default=0.0) for i in (0, 1))
    # The number stands in the upper left corner, where an arc or a dot may not reach it.
    corner = width_of(str(max(len(shown) - 1, 0)), LABEL) + 6
    wide = max((shape.width + 2 * corner - SCALE / 2 for shape in shapes), default=0.0)
    wide = max([wide, *(width_of(text, _CAPTION) for text in texts)]) + 2 * _PAD
    high = above + tall + below + _CAPTION_ROOM + 2 * _PAD
    across = columns or columns_for(len(shown), wide, high)
    head = 30.0 if heading else 0.0
    body = []
    if heading:
        body.append(line(heading, 2 * _PAD, _PAD + 17, font(14, SANS, "start")))
    for number, (diagram, shape, text) in enumerate(zip(shown, shapes, texts, strict=True)):
        row, column = divmod(number, across)
        x, y = _PAD + column * wide, _PAD + head + row * high
        top = y + _PAD + above + (tall - shape.height) / 2
        body += [
            (
                f'<rect x="{trim(x + 2)}" y="{trim(y + 2)}" width="{trim(wide - 4)}" '
                f'height="{trim(high - 4)}" rx="5" fill="none" stroke="currentColor" '
                'stroke-opacity="0.18"/>'
            ),
            line(str(number), x + _PAD, y + _PAD + 8, font(LABEL, SANS, "start", 0.6)),
            diagram_group(diagram, x + (wide - shape.width) / 2, top),
            line(text, x + wide / 2, y + high - _PAD - 3, font(_CAPTION, MONO)),
        ]
    rows = ceil(len(shown) / across)
    return svg_document(
        max(min(across, len(shown)) * wide, width_of(heading, 14) + 2 * _PAD) + 2 * _PAD,
        head + rows * high + 2 * _PAD,
        "\n".join(body),
        heading or f"{len(shown)} diagrams",
    )


def sum_svg(terms: Iterable[tuple[str, Drawable]], title: str = "") -> str:
    """Draw a formal sum: each term is a coefficient, as text, before a diagram.

    One line, unless that would be wider than a page.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> sum_svg([("n", SetPartition.cup()), ("2", SetPartition.cup())]).count("<circle")
    4
    """
    body, width, height = sum_group(terms, _PAD, _PAD)
    return svg_document(width, height + 2 * _PAD, body, title)


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
    w, h = trim(width), trim(height)
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
    return line(one_line(text), x, y, font(size, SANS))


def columns_for(count: int, wide: float, high: float) -> int:
    """Columns for about 3:2, at most a page of 1000 pixels, with few empty places in the end."""
    most = max(1, min(count, int(1000 / wide)))
    ideal = min(most, max(1, round(sqrt(1.5 * count * high / wide))))
    near = range(max(1, ceil(0.7 * ideal)), min(most, ceil(1.3 * ideal)) + 1)
    return min(near, key=lambda columns: (-count % columns, abs(columns - ideal)))
