"""A formal sum as SVG markup: coefficients and diagrams in lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from tannaka.diagrams.pictures.markup import MONO, SCALE, diagram_group, font, line, room, width_of
from tannaka.diagrams.pictures.picture import one_line, picture
from tannaka.diagrams.pictures.sketch import Drawable

T = TypeVar("T", bound=Drawable)

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_GAP, _SIZE = 8.0, 14.0


def sum_group(
    terms: Iterable[tuple[str, T]],
    x: float,
    y: float,
    most: float = 1000.0,
    colours: Callable[[T], Sequence[str]] | None = None,
) -> tuple[str, float, float]:
    """Markup of a sum with its top left corner at (x, y); the right end of it, and its height.

    A line ends where the next term would make it wider than ``most``; a sum of nothing is 0.
    ``colours`` gives those of a diagram's blocks.

    >>> sum_group([], 0, 0)[0].endswith(">0</text>")
    True
    """
    shown = [(diagram.sketch(), diagram, word) for word, diagram in terms]
    shapes = [picture(diagram).placed(0, 0, SCALE) for _, diagram, _ in shown]
    tall = max((shape.height for shape in shapes), default=SCALE)
    # As much room below as above, so that the words stand in the middle of a line.
    around = max([17.0, *(max(room(sketch)) for sketch, _, _ in shown)])
    middle, right, edge, body = y + around + tall / 2, x, x, []
    for i, ((_, diagram, coefficient), shape) in enumerate(zip(shown, shapes, strict=True)):
        words = coefficient_words(coefficient, first=not i)
        before = width_of(words, _SIZE) + 4 if words else 0.0
        if i and right + before + shape.width > x + most:
            right, middle = x, middle + tall + 2 * around
        if words:
            body.append(line(words, right, middle + 5, font(_SIZE, MONO, "start")))
        shades = colours(diagram) if colours else None
        body.append(
            diagram_group(diagram, right + before, middle - shape.height / 2, colours=shades)
        )
        right += before + shape.width + _GAP
        edge = max(edge, right)
    if not shown:
        body.append(line("0", x, middle + 5, font(_SIZE, MONO, "start")))
        edge = x + SCALE
    return "\n".join(body), edge, middle + tall / 2 + around - y


def coefficients(terms: Iterable[tuple[str, Drawable]]) -> list[str]:
    """What stands before each diagram of a sum: a sign, unless it comes first, and a coefficient.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> cup = SetPartition.cup()
    >>> coefficients([("3 ", cup), ("n^2 ", cup)])
    ['3', '+ n²']
    """
    return [coefficient_words(coefficient, first=not i) for i, (coefficient, _) in enumerate(terms)]


def coefficient_words(coefficient: str, first: bool) -> str:
    """What stands before one diagram.

    >>> coefficient_words("-n^2 ", first=True)
    '\N{MINUS SIGN}n²'
    """
    sign = "" if first or coefficient.startswith("-") else "+ "
    raised = re.sub(r"\^(\d+)", lambda m: m[1].translate(_SUPERSCRIPTS), coefficient)
    minus = "\N{MINUS SIGN}" if first else "\N{MINUS SIGN} "
    return one_line(sign + raised.replace("-", minus))
