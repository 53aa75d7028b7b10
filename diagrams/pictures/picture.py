"""The geometry of a diagram, shared by everything that draws one.

Vertices are dots: outputs in a row on top, inputs in a row below, the shorter row centred. Within
a row, a block is a chain of arcs that bulge into the middle, wider arcs deeper, so that nested arcs
do not touch. A block with vertices in both rows has one strand more, from top to bottom, between
its two vertices that are horizontally closest. Every strand is one cubic Bézier curve. A determinant
vertex is a bell with its legs, and a graph has vertices and edges of its own, with wires to its
labels.

Lengths are in units of the distance between neighbouring vertices, x to the right and y downwards
from the top left corner. The two rows are the upper and the lower edge of the picture: pictures
stacked at distances of their heights share a row, and labels go outside.

This is how Pearce-Crump draws diagrams (arXiv:2212.08648, arXiv:2212.08630), curved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise, product

from tannaka.diagrams.pictures.bell import ARCH, DANGLE, Bell, Leg, bell, breadth
from tannaka.diagrams.pictures.curves import Curve as Curve
from tannaka.diagrams.pictures.curves import Point as Point
from tannaka.diagrams.pictures.curves import along, arc, at, depth, direction, distance, through
from tannaka.diagrams.pictures.layout import components, reach, spread
from tannaka.diagrams.pictures.nodes import Edge, Node, Wire, Word, graph
from tannaka.diagrams.pictures.sketch import Drawable as Drawable
from tannaka.diagrams.pictures.sketch import Sketch
from tannaka.diagrams.pictures.sketch import text_width as text_width


@dataclass(frozen=True, slots=True)
class Strand:
    """A curve between two vertices of one block; ``curve`` holds its four Bézier points.

    Where strands have directions, ``head`` is a triangle on the curve, its first point ahead.
    """

    block: int
    ends: tuple[int, int]
    curve: Curve
    head: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """Where everything goes: the box, the vertices in their order, the strands block by block.

    ``x`` and ``y`` are the top left corner of the box. ``bells`` are the determinant vertices;
    ``nodes``, ``wires`` and ``edges`` those of a graph, and ``words`` the names of its colours.
    """

    width: float
    height: float
    vertices: tuple[Point, ...]
    strands: tuple[Strand, ...]
    bells: tuple[Bell, ...] = ()
    nodes: tuple[Node, ...] = ()
    wires: tuple[Wire, ...] = ()
    edges: tuple[Edge, ...] = ()
    words: tuple[Word, ...] = ()
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

        def bend(curve: Curve) -> Curve:
            start, leave, arrive, end = map(move, curve)
            return start, leave, arrive, end

        return Picture(
            scale * self.width,
            scale * self.height,
            tuple(map(move, self.vertices)),
            tuple(
                replace(s, curve=bend(s.curve), head=tuple(map(move, s.head))) for s in self.strands
            ),
            tuple(
                Bell(
                    bend(b.arch),
                    tuple(Leg(g.end, move(g.tip), tuple(map(bend, g.curves))) for g in b.legs),
                )
                for b in self.bells
            ),
            tuple(replace(node, at=move(node.at)) for node in self.nodes),
            tuple(replace(wire, curve=bend(wire.curve)) for wire in self.wires),
            tuple(
                replace(e, curve=bend(e.curve), head=tuple(map(move, e.head))) for e in self.edges
            ),
            tuple(Word(w.text, move(w.at), scale * w.width, scale * w.height) for w in self.words),
            x,
            y,
        )

    def fitted(self) -> Picture:
        """The same picture in a box that bells, loops and vertices of a graph do not leave.

        The box never grows across a row.
        """
        legs = [leg for bell in self.bells for leg in bell.legs]
        points = [p for bell in self.bells for p in (bell.arch[0], bell.arch[3])]
        points += [p for leg in legs for curve in leg.curves for p in along(curve, 12)]
        points += [p for edge in self.edges for p in along(edge.curve, 12)]
        points += [node.at for node in self.nodes] + [leg.tip for leg in legs]
        points += [p for edge in self.edges for p in edge.head]
        points += [corner for word in self.words for corner in word.corners]
        if not points:
            return self
        wires = [x for wire in self.wires for x, _ in along(wire.curve, 12)]
        left = max(0.0, 0.15 - min(x for x, _ in points), *(-x for x in wires))
        right = max(x for x, _ in points) + 0.15 - self.width
        right = max(0.0, right, *(x - self.width for x in wires))
        above = max(0.0, 0.15 - min(y for _, y in points))
        below = max(0.0, 0.15 + max(y for _, y in points) - self.height)
        above *= all(y > 0.0 for _, y in self.vertices)
        below *= all(y < self.height for _, y in self.vertices)
        width, height = self.width + left + right, self.height + above + below
        return replace(self, width=width, height=height, x=-left, y=-above).placed(0.0, 0.0)


def picture(diagram: Drawable) -> Picture:
    """Lay out any diagram.

    The size depends on the numbers of outputs, inputs, legs, and vertices of a graph only, so
    galleries line up; but a picture is wider where something stands beside its rows.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> p = picture(SetPartition(1, 2, (0, 0, 1)))
    >>> p.vertices
    ((0.5, 0.0), (1.5, 0.0), (1.0, 1.9))
    >>> [(strand.block, strand.ends) for strand in p.strands]
    [(0, (0, 1))]
    """
    return _laid_out(diagram.sketch())


@lru_cache(maxsize=512)
def _laid_out(sketch: Sketch) -> Picture:
    top, bottom = sketch.top, sketch.bottom
    width, height = _size(sketch)
    upper = [((width - top) / 2 + i + 0.5, 0.0) for i in range(top)]
    lower = [((width - bottom) / 2 + i + 0.5, height) for i in range(bottom)]
    vertices = (*upper, *lower)
    strands = [
        Strand(number, (a, b), curve)
        for number, block in enumerate(sketch.blocks)
        for a, b, curve in _block(block, top, vertices)
    ]
    if sketch.sources is not None:
        strands = [_directed(strand, sketch.sources, strands) for strand in strands]
    web = graph(sketch, vertices, (width, height))
    curves = [strand.curve for strand in strands]
    curves += [wire.curve for wire in web.wires] + [edge.curve for edge in web.edges]
    bells: list[Bell] = []
    for legs in sketch.determinants:
        bells.append(bell(legs, top, vertices, (width, height), curves, bells))
    whole = Picture(
        width,
        height,
        vertices,
        tuple(strands),
        tuple(bells),
        web.nodes,
        web.wires,
        web.edges,
        web.words,
    )
    return whole.fitted()


def _size(sketch: Sketch) -> tuple[float, float]:
    top, bottom = sketch.top, sketch.bottom
    width = float(max(top, bottom, 1))
    arcs = depth(top - 1) + depth(bottom - 1)
    # Rows of unlike length have strands that lean; height keeps them from grazing the arcs.
    lean = 0.2 * max(abs(top - bottom) - 2, 0)
    height = max(1.9, arcs + 0.5) + lean if top and bottom else max(0.6, arcs + 0.2)
    if sketch.determinants:
        width = max(width, *(breadth(len(legs)) + 0.3 for legs in sketch.determinants))
        room = (ARCH + 0.5) * len(sketch.determinants)
        room += DANGLE * any(None in legs for legs in sketch.determinants)
        long = 2.5 if top and bottom else 1.3 + 0.08 * width if top or bottom else 0.0
        height = max(height + room, long)
    if sketch.nodes:
        height = max(height + 0.5, 2.8 if top and bottom else 1.7)
        bare = sum(not labels for labels in sketch.nodes)
        height += 0.2 * max(bare - 1, 0)
        width = max(width, 0.7 * len(sketch.nodes) ** 0.5)
        closed = [
            c
            for c in components(len(sketch.nodes), sketch.edges)
            if not any(sketch.nodes[v] for v in c)
        ]
        height *= (1 + spread(sketch)) / 2
        wide = [2 * reach(len(c), spread(sketch)) + 0.3 for c in closed]
        height = max(height, *wide) if closed else height
    return width, height


def one_line(text: object) -> str:
    r"""``str(text)`` without line breaks and control characters, as a caption needs it.

    >>> one_line("two\nlines")
    'two lines'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def _block(
    block: tuple[int, ...], top: int, places: tuple[Point, ...]
) -> Iterator[tuple[int, int, Curve]]:
    above = [v for v in block if v < top]
    below = [v for v in block if v >= top]
    for row, inwards in ((above, 1.0), (below, -1.0)):
        for a, b in pairwise(row):
            yield a, b, arc(places[a], places[b], inwards)
    if above and below:
        a, b = min(
            product(above, below), key=lambda ends: abs(places[ends[0]][0] - places[ends[1]][0])
        )
        yield a, b, through(places[a], places[b])


def _directed(strand: Strand, sources: frozenset[int], strands: list[Strand]) -> Strand:
    """The strand with an arrowhead where other strands are far."""
    others = [p for other in strands if other is not strand for p in along(other.curve, 16)]

    def room(t: float) -> float:
        here = at(strand.curve, t)
        return min((distance(here, p) for p in others), default=1.0)

    # In the middle unless there is a reason to leave it.
    t = max((0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8), key=lambda t: round(min(room(t), 0.3), 6))
    x, y = at(strand.curve, t)
    dx, dy = direction(strand.curve, t)
    if strand.ends[1] in sources:
        dx, dy = -dx, -dy
    long, wide = 0.15, 0.13
    ahead = (x + long * dx, y + long * dy)
    left = (x - long * dx - wide * dy, y - long * dy + wide * dx)
    right = (x - long * dx + wide * dy, y - long * dy - wide * dx)
    return replace(strand, head=(ahead, left, right))
