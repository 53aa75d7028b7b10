"""The geometry of a diagram, shared by everything that draws one.

Vertices are dots: outputs in a row on top, inputs in a row below, the shorter row centred. Within
a row, a block is a chain of arcs that bulge into the middle, wider arcs deeper, so that nested arcs
do not touch. A block with vertices in both rows has one strand more, from top to bottom, between
its two vertices that are horizontally closest. Every strand is one cubic Bézier curve.

Lengths are in units of the distance between neighbouring vertices, x to the right and y downwards
from the top left corner. The two rows are the upper and the lower edge of the picture: pictures
stacked at distances of their heights share a row, and labels go outside.

This is how Pearce-Crump draws diagrams (arXiv:2212.08648, arXiv:2212.08630), curved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Protocol
from unicodedata import east_asian_width

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]


class Drawable(Protocol):
    """What a diagram must tell to be drawn: the sizes of its rows, and its blocks."""

    @property
    def dom(self) -> int:
        """How many inputs, in the lower row."""

    @property
    def cod(self) -> int:
        """How many outputs, in the upper row."""

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The connected components, as vertex tuples."""


@dataclass(frozen=True, slots=True)
class Strand:
    """A curve between two vertices of one block; ``curve`` holds its four Bézier points."""

    block: int
    ends: tuple[int, int]
    curve: Curve


@dataclass(frozen=True, slots=True)
class Picture:
    """Where everything goes: the box, the vertices in their order, the strands block by block.

    ``x`` and ``y`` are the top left corner of the box.
    """

    width: float
    height: float
    vertices: tuple[Point, ...]
    strands: tuple[Strand, ...]
    x: float = 0.0
    y: float = 0.0

    def placed(self, x: float, y: float, scale: float = 1.0) -> Picture:
        """The same picture, ``scale`` times as large, with its top left corner at (x, y).

        >>> from tannaka.diagrams.partition import SetPartition
        >>> picture(SetPartition.identity(2)).placed(100, 10, scale=20).vertices[:2]
        ((110.0, 10.0), (130.0, 10.0))
        """

        def move(point: Point) -> Point:
            return (x + scale * (point[0] - self.x), y + scale * (point[1] - self.y))

        strands = []
        for strand in self.strands:
            start, leave, arrive, end = map(move, strand.curve)
            strands.append(Strand(strand.block, strand.ends, (start, leave, arrive, end)))
        vertices = tuple(map(move, self.vertices))
        size = (scale * self.width, scale * self.height)
        return Picture(*size, vertices, tuple(strands), x, y)


def picture(diagram: Drawable) -> Picture:
    """Lay out any diagram; the size depends on dom and cod only, so galleries line up.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> p = picture(SetPartition(1, 2, (0, 0, 1)))
    >>> p.vertices
    ((0.5, 0.0), (1.5, 0.0), (1.0, 1.9))
    >>> [(strand.block, strand.ends) for strand in p.strands]
    [(0, (0, 1))]
    """
    top, bottom = diagram.cod, diagram.dom
    width = float(max(top, bottom, 1))
    arcs = _depth(top - 1) + _depth(bottom - 1)
    # Rows of unlike length have strands that lean; height keeps them from grazing the arcs.
    lean = 0.2 * max(abs(top - bottom) - 2, 0)
    height = max(1.9, arcs + 0.5) + lean if top and bottom else max(0.6, arcs + 0.2)
    upper = [((width - top) / 2 + i + 0.5, 0.0) for i in range(top)]
    lower = [((width - bottom) / 2 + i + 0.5, height) for i in range(bottom)]
    vertices = (*upper, *lower)
    strands = tuple(
        Strand(number, (a, b), curve)
        for number, block in enumerate(diagram.blocks)
        for a, b, curve in _block(block, top, vertices)
    )
    return Picture(width, height, vertices, strands)


def one_line(text: object) -> str:
    r"""``str(text)`` without line breaks and control characters, as a caption needs it.

    >>> one_line("two\nlines")
    'two lines'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def text_width(text: str) -> int:
    """Columns that a text takes in a terminal: East Asian wide characters take two.

    >>> text_width("n²"), text_width("図")
    (2, 2)
    """
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _block(
    block: tuple[int, ...], top: int, at: tuple[Point, ...]
) -> Iterator[tuple[int, int, Curve]]:
    above = [v for v in block if v < top]
    below = [v for v in block if v >= top]
    for row, inwards in ((above, 1.0), (below, -1.0)):
        for a, b in pairwise(row):
            yield a, b, _arc(at[a], at[b], inwards)
    if above and below:
        a, b = min(product(above, below), key=lambda ends: abs(at[ends[0]][0] - at[ends[1]][0]))
        yield a, b, _through(at[a], at[b])


def _depth(width: float) -> float:
    """How far an arc bulges: strictly increasing, so a wider arc passes below a nested one."""
    return 0.46 * math.pow(max(width, 0.0), 0.6)


def _arc(start: Point, end: Point, inwards: float) -> Curve:
    (left, y), (right, _) = start, end
    # A cubic curve reaches three quarters of the height of its two middle points.
    turn = y + inwards * _depth(right - left) * 4 / 3
    lean = 0.16 * (right - left)
    return start, (left + lean, turn), (right - lean, turn), end


def _through(start: Point, end: Point) -> Curve:
    (upper, top), (lower, bottom) = start, end
    across = lower - upper
    # Steep strands bend halfway; flat ones bend higher or lower according to their direction, so
    # that three strands seldom meet in one point (in a reversal of the order, all of them would).
    beyond = max(abs(across) - 1, 0.0)
    bend = 0.5 + (0.05 if across > 0 else -0.05) * min(beyond, 3.0)
    turn = top + bend * (bottom - top)
    return start, (upper, turn), (lower, turn), end
