"""Pieces of a picture, beside each other or in a gallery: markup with a size, wherever it goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from tannaka.diagrams.pictures.markup import (
    LABEL,
    MONO,
    SANS,
    SCALE,
    diagram_group,
    font,
    line,
    room,
    trim,
    width_of,
)
from tannaka.diagrams.pictures.picture import one_line, picture
from tannaka.diagrams.pictures.sketch import Drawable
from tannaka.diagrams.pictures.sums import coefficient_words, sum_group
from tannaka.diagrams.pictures.svg import columns_for, svg_document

_PAD, _GAP, _CAPTION, _SIGN = 8.0, 24.0, 10.0, 14.0
_PAGE = 1000.0


@dataclass(frozen=True, slots=True)
class Panel:
    """Markup whose top left corner is at the origin, and its size in pixels."""

    width: float
    height: float
    body: str

    def at(self, x: float, y: float) -> str:
        """The markup with its top left corner at (x, y)."""
        return f'<g transform="translate({trim(x)} {trim(y)})">\n{self.body}\n</g>'


def diagram_panel(diagram: Drawable) -> Panel:
    """One diagram, with its numbers.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> panel = diagram_panel(SetPartition.identity(1))
    >>> panel.width, panel.body.count("<circle")
    (36.0, 2)
    """
    shape = picture(diagram).placed(0, 0, SCALE)
    above, below = room(diagram.sketch())
    body = diagram_group(diagram, 0, above)
    return Panel(shape.width, shape.height + above + below, body)


def captioned(panel: Panel, words: str) -> Panel:
    """A panel with words above it and as much room below, so that middles stay middles.

    >>> captioned(Panel(10, 2, "<path d='M0 1H10'/>"), "a line").height
    42.0
    """
    wide = max(panel.width, width_of(words, _CAPTION + 1))
    above = line(words, wide / 2, 11, font(_CAPTION + 1, SANS, opacity=0.8))
    return Panel(wide, panel.height + 40.0, f"{above}\n{panel.at((wide - panel.width) / 2, 20.0)}")


def sum_panel(terms: Iterable[tuple[str, Drawable]], most: float = 900.0) -> Panel:
    """A formal sum: each term is a coefficient before a diagram."""
    body, width, height = sum_group(terms, 0, 0, most)
    return Panel(width, height, body)


def beside_svg(panels: Sequence[Panel], title: str) -> str:
    """Panels beside each other, their middles at one height.

    >>> line = Panel(10, 2, "<path d='M0 1H10'/>")
    >>> beside_svg([line, line], "two lines").count("<path")
    2
    """
    tall = max(panel.height for panel in panels)
    x, body = _PAD, []
    for panel in panels:
        body.append(panel.at(x, _PAD + (tall - panel.height) / 2))
        x += panel.width + _GAP
    return svg_document(x - _GAP + _PAD, tall + 2 * _PAD, "\n".join(body), title)


def panel_sum_svg(terms: Sequence[tuple[str, Panel]], title: str) -> str:
    """A formal sum as a document: before each panel its coefficient, in lines of a page's width.

    >>> line = Panel(10, 2, "<path d='M0 1H10'/>")
    >>> panel_sum_svg([("2 ", line), ("-1 ", line)], "a sum").count("<text")
    2
    """
    tall = max(panel.height for _, panel in terms)
    x, y, right, body = _PAD, _PAD, 0.0, []
    for i, (coefficient, panel) in enumerate(terms):
        words = coefficient_words(coefficient, first=not i)
        before = width_of(words, _SIGN) + 8.0 if words else 0.0
        if i and x + before + panel.width > _PAGE:
            x, y = _PAD, y + tall + _GAP / 2
        if words:
            body.append(line(words, x, y + tall / 2 + 5, font(_SIGN, MONO, "start")))
        body.append(panel.at(x + before, y + (tall - panel.height) / 2))
        x += before + panel.width + _GAP / 2
        right = max(right, x)
    return svg_document(right - _GAP / 2 + _PAD, y + tall + _PAD, "\n".join(body), title)


def panels_svg(panels: Sequence[Panel], captions: Sequence[str], title: str = "") -> str:
    """A gallery of panels, each with its number and its caption.

    >>> line = Panel(10, 2, "<path d='M0 1H10'/>")
    >>> panels_svg([line, line], ["a", "b"]).count("<rect")
    2
    """
    texts, heading = list(map(one_line, captions)), one_line(title)
    tall = max((panel.height for panel in panels), default=0.0)
    corner = width_of(str(max(len(panels) - 1, 0)), LABEL) + 6
    wide = max((panel.width + 2 * corner for panel in panels), default=0.0)
    wide = max([wide, *(width_of(text, _CAPTION) for text in texts)]) + 2 * _PAD
    high = tall + 18.0 + 3 * _PAD
    across = columns_for(len(panels), wide, high)
    head = 30.0 if heading else 0.0
    body = [line(heading, 2 * _PAD, _PAD + 17, font(14, SANS, "start"))] if heading else []
    for number, (panel, text) in enumerate(zip(panels, texts, strict=True)):
        row, column = divmod(number, across)
        x, y = _PAD + column * wide, _PAD + head + row * high
        body += [
            (
                f'<rect x="{trim(x + 2)}" y="{trim(y + 2)}" width="{trim(wide - 4)}" '
                f'height="{trim(high - 4)}" rx="5" fill="none" stroke="currentColor" '
                'stroke-opacity="0.18"/>'
            ),
            line(str(number), x + _PAD, y + _PAD + 8, font(LABEL, SANS, "start", 0.6)),
            panel.at(x + (wide - panel.width) / 2, y + 1.5 * _PAD + (tall - panel.height) / 2),
            line(text, x + wide / 2, y + high - _PAD - 3, font(_CAPTION, MONO)),
        ]
    return svg_document(
        max(min(across, len(panels)) * wide, width_of(heading, 14) + 2 * _PAD) + 2 * _PAD,
        head + ceil(len(panels) / across) * high + 2 * _PAD,
        "\n".join(body),
        heading or f"{len(panels)} pictures",
    )


def list_svg(panels: Sequence[Panel], title: str = "") -> str:
    """Panels below each other, each with its number.

    >>> line = Panel(10, 2, "<path d='M0 1H10'/>")
    >>> list_svg([line, line], "two lines").count("<text")
    3
    """
    heading = one_line(title)
    corner = width_of(str(max(len(panels) - 1, 0)), LABEL) + _GAP
    y = _PAD + (22.0 if heading else 0.0)
    body = [line(heading, _PAD, _PAD + 13, font(14, SANS, "start"))] if heading else []
    for number, panel in enumerate(panels):
        middle = y + panel.height / 2
        body.append(line(str(number), _PAD, middle + 3, font(LABEL, SANS, "start", 0.6)))
        body.append(panel.at(_PAD + corner, y))
        y += panel.height + 6.0
    wide = max((panel.width for panel in panels), default=0.0) + corner
    wide = max(wide, width_of(heading, 14)) + 2 * _PAD
    return svg_document(wide, y + _PAD, "\n".join(body), heading or f"{len(panels)} pictures")
