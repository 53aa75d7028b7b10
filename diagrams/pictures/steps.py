"""A composition explained: the two diagrams, glued along the middle row, and what comes out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tannaka.diagrams.diagram import Diagram, check_composable
from tannaka.diagrams.morphism import MAX_DRAWN, Morphism
from tannaka.diagrams.partition import connected
from tannaka.diagrams.pictures.bundle import mimebundle, picture_formats
from tannaka.diagrams.pictures.markup import COLOURS, KIND_ROOM, LEG, SCALE, diagram_group
from tannaka.diagrams.pictures.picture import Picture, picture
from tannaka.diagrams.pictures.sums import sum_group
from tannaka.diagrams.pictures.svg import svg_document, svg_text
from tannaka.diagrams.pictures.text import side_by_side

D = TypeVar("D", bound=Diagram)

_GAP, _PAD, _TOP, _LIFT = 56.0, 16.0, 72.0, 18.0
_LINE, _WORDS = 700.0, 92.0


@dataclass(frozen=True, slots=True)
class CompositionSteps(Generic[D]):
    """``first >> second``, step by step; shows itself as a picture in a notebook.

    ``components`` are the connected components of the two diagrams glued along the middle row, as
    pairs (vertices of the second, vertices of the first); determinant vertices and the edges of
    graphs join nothing here. ``result`` is the product as a formal sum: one diagram with a
    coefficient, unless determinants meet or vanish.
    """

    first: D
    second: D
    result: Morphism
    components: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    @property
    def composite(self) -> Any:
        """The diagram that comes out; raises CompositionError where it is not one."""
        return self.first.then(self.second)[0]

    @property
    def closed(self) -> Any:
        """How many components close, as ``first.then(second)`` counts them: each is worth n."""
        return self.first.then(self.second)[1]

    def is_closed(self, component: int) -> bool:
        """Whether a component is a loop: in the middle row only, with no leg, edge or colour at it."""
        return not self._outer(component) and not self._held(component, graphs=True)

    def text(self) -> str:
        """Draw in a terminal: the second diagram on top of the first, then the result."""
        stacked = f"{self.second.text()}\n\n{self.first.text()}"
        single = self._single()
        if single is None:
            return side_by_side([stacked, "=", self.result.text()])
        diagram, factor = single
        return side_by_side([stacked, "=", *filter(None, [factor]), diagram.text()])

    def svg(self) -> str:
        """Draw as a self-contained SVG picture: apart, glued, and the result; loops have a halo."""
        single = self._single()
        f, g = picture(self.first), picture(self.second)
        h = picture(single[0]) if single else None
        # The middle rows lie on each other, wherever they are in their pictures.
        places = (middle(g, self.second.top, self.second.bottom), middle(f, 0, self.first.top))
        left = max(places)
        wide = left + max(g.width - places[0], f.width - places[1])
        spare = max(h.width - wide, 0.0) if h else 0.0
        spare = max(spare, _WORDS / SCALE - wide)
        left, wide = SCALE * (left + spare / 2), SCALE * (wide + spare)
        high = (f.height + g.height) * SCALE
        edge = _PAD + 2 * (wide + _GAP)
        terms = [] if single else self.result.written()
        body, right, tall = sum_group(terms, edge, 0.0, _LINE, self.strokes)
        numbers = KIND_ROOM if self.first.sketch().kinds or self.second.sketch().kinds else 0.0
        lift, top = _LIFT + numbers, _TOP + 2 * numbers
        top += 0.0 if single else max(tall - high, 0.0) / 2
        centre = top + high / 2
        drawn = []
        for column, name in enumerate(("the two diagrams", "glued along the middle")):
            x = _PAD + column * (wide + _GAP)
            drawn.append(svg_text(name, x + wide / 2, _PAD + 10))
            up, down = (0.0, 0.0) if column else (-lift, lift)
            heights = (top + up, top + g.height * SCALE + down)
            for part, diagram in enumerate((self.second, self.first)):
                drawn.append(
                    diagram_group(
                        diagram,
                        x + left - places[part] * SCALE,
                        heights[part],
                        labels=not column,
                        colours=self.colours(part),
                        marked=self.marked(part),
                    )
                )
            sign = "=" if column else "→"
            drawn.append(svg_text(sign, x + wide + _GAP / 2, centre + 4))
        if single and h:
            drawn.append(svg_text(self._result(), edge + wide / 2, _PAD + 10))
            x, y = edge + (wide - h.width * SCALE) / 2, centre - h.height * SCALE / 2
            drawn.append(diagram_group(single[0], x, y, colours=self.strokes(single[0])))
            right, tall = edge + wide, high
        else:
            body, right, tall = sum_group(terms, edge, centre - tall / 2, _LINE, self.strokes)
            name = self._result()
            right = max(right, edge + 7.0 * len(name))
            drawn += [svg_text(name, (edge + right) / 2, _PAD + 10), body]
        return svg_document(
            right + _PAD, max(high, tall) + _TOP + 36 + 3 * numbers, "\n".join(drawn), self._title()
        )

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        vertices = self.first.top + self.first.bottom + self.second.top + self.second.bottom
        drawn = vertices * max(len(self.result.diagrams()), 1) <= MAX_DRAWN
        formats = picture_formats(self.text, self.svg if drawn else None)
        return mimebundle(formats, include, exclude)

    def _single(self) -> tuple[Any, str] | None:
        """The composite and its factor in words, where the product is one diagram.

        Where determinants meet, it is shown as a sum, even of one.
        """
        if self.first.sketch().determinants and self.second.sketch().determinants:
            return None
        terms = self.first.composites(self.second)
        if list(terms.values()) != [1]:
            return None
        ((diagram, powers),) = terms
        symbols = zip(diagram.symbols, powers, strict=True)
        return diagram, " ".join(
            symbol if power == 1 else f"{symbol}^{power}" for symbol, power in symbols if power
        )

    def _result(self) -> str:
        """What happens, as a heading."""
        single = self._single()
        if single is None:
            terms = len(self.result.written())
            return ("zero", "multiplied out")[terms] if terms < 2 else f"a sum of {terms} diagrams"
        loops = sum(map(self.is_closed, range(len(self.components))))
        names = {0: "nothing closes", 1: f"1 loop closes: {single[1]}"}
        return names.get(loops, f"{loops} loops close: {single[1]}")

    def _title(self) -> str:
        single = self._single()
        if single is None:
            return f"({self.first}) >> ({self.second}) = {self.result}"
        words = " ".join(filter(None, [single[1], f"({single[0]})"]))
        return f"({self.first}) >> ({self.second}) = {words}"

    def _outer(self, component: int) -> list[int]:
        """The outer vertices of a component, as the result numbers them."""
        above, below = self.components[component]
        shift = self.second.top - self.first.top
        outputs = [v for v in above if v < self.second.top]
        return outputs + [v + shift for v in below if v >= self.first.top]

    def _held(self, component: int, graphs: bool) -> bool:
        """Whether a leg ends at a component or, with ``graphs``, an edge does, or it has a colour."""
        for part, diagram in enumerate((self.second, self.first)):
            sketch = diagram.sketch()
            ends = {v for legs in sketch.determinants for v in legs}
            if graphs:
                ends |= {v for edge in sketch.edges for node in edge for v in sketch.nodes[node]}
                coloured = zip(sketch.nodes, sketch.node_colours, strict=False)
                ends |= {v for node, colours in coloured if colours for v in node}
            if not ends.isdisjoint(self.components[component][part]):
                return True
        return False

    def marked(self, part: int) -> list[int]:
        """The vertices of the second diagram (0) or the first (1) whose components are closed."""
        closed = filter(self.is_closed, range(len(self.components)))
        return [v for component in closed for v in self.components[component][part]]

    def _shade(self, component: int) -> str:
        """A colour for each component, but what only makes a leg longer looks like the leg."""
        if self._held(component, graphs=False) and len(self._outer(component)) < 2:
            return LEG
        return COLOURS[component % len(COLOURS)]

    def colours(self, part: int) -> list[str]:
        """The colours of the blocks and the nodes of the second diagram (0) or the first (1)."""
        of = {v: i for i, both in enumerate(self.components) for v in both[part]}
        return _painted((self.second, self.first)[part], {v: self._shade(i) for v, i in of.items()})

    def strokes(self, outcome: Diagram) -> list[str]:
        """The same for a diagram of the result; what determinants have joined has new colours."""
        of = {v: i for i in range(len(self.components)) for v in self._outer(i)}
        strokes = _painted(outcome, {v: self._shade(i) for v, i in of.items()})
        strands = sum(len(block) > 1 for block in outcome.sketch().blocks)
        new = [c for c in COLOURS if c not in strokes] or COLOURS
        for rank, place in enumerate(i for i in range(strands) if strokes[i] == LEG):
            strokes[place] = new[rank % len(new)]
        return strokes


def compose_steps(first: D, second: D) -> CompositionSteps[D]:
    """Explain ``first >> second``: which components meet in the middle, and which close there.

    Raises CompositionError unless the two are of one category and ``second.dom == first.cod``.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> steps = compose_steps(Brauer.cup(), Brauer.cap())
    >>> steps.closed, steps.components
    (1, (((0, 1), (0, 1)),))
    >>> from tannaka.diagrams.grood import Grood
    >>> print(compose_steps(Grood.determinant(0, 2), Grood.determinant(2, 0)).result)
    2 (∅)
    """
    check_composable(first, second)
    shift, size = second.top, first.top + first.bottom
    below = ([shift + v for v in group] for group in _joined(first))
    labels = connected(shift + size, [*_joined(second), *below])
    components = tuple(
        (
            tuple(v for v in range(shift + second.bottom) if labels[v] == label),
            tuple(v for v in range(size) if labels[shift + v] == label),
        )
        for label in range(len(set(labels)))
    )
    return CompositionSteps(first, second, first >> second, components)


def _joined(diagram: Diagram) -> list[tuple[int, ...]]:
    """The vertices that strands or a node of a graph join."""
    sketch = diagram.sketch()
    return [*sketch.blocks, *filter(None, sketch.nodes)]


def _painted(diagram: Diagram, shades: Mapping[int, str]) -> list[str]:
    """The colours of a diagram's blocks and nodes, from those of its vertices."""
    sketch = diagram.sketch()
    blocks = [shades[block[0]] for block in sketch.blocks if len(block) > 1]
    return [*blocks, *(shades[node[0]] if node else LEG for node in sketch.nodes)]


def middle(shape: Picture, first: int, count: int) -> float:
    """Where the middle of a row is, in units from the left edge."""
    if not count:
        return shape.width / 2
    return (shape.vertices[first][0] + shape.vertices[first + count - 1][0]) / 2
