"""A composition explained: the two diagrams, glued along the middle row, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from tannaka.diagrams.diagram import Diagram, check_composable
from tannaka.diagrams.partition import connected
from tannaka.diagrams.picture import picture
from tannaka.diagrams.svg import COLOURS, SCALE, diagram_group, svg_document, svg_text
from tannaka.diagrams.text import side_by_side

D = TypeVar("D", bound=Diagram)

_GAP, _PAD, _HEAD = 56.0, 16.0, 44.0


@dataclass(frozen=True, slots=True)
class CompositionSteps(Generic[D]):
    """``first >> second``, step by step; shows itself as a picture in a notebook.

    ``components`` are the connected components of the two diagrams glued along the middle row, as
    pairs (vertices of the second, vertices of the first); ``closed`` of them touch neither an
    outer output nor an outer input, and each of those is worth n.
    """

    first: D
    second: D
    composite: D
    closed: int
    components: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    def is_closed(self, component: int) -> bool:
        """Whether a component has vertices in the middle row only."""
        above, below = self.components[component]
        return all(v >= self.second.cod for v in above) and all(v < self.first.cod for v in below)

    def text(self) -> str:
        """Draw in a terminal: the second diagram on top of the first, then the result."""
        stacked = f"{self.second.text()}\n\n{self.first.text()}"
        return side_by_side([stacked, "=", *self._factor(), self.composite.text()])

    def svg(self) -> str:
        """Draw as a self-contained SVG picture: apart, glued, and the result."""
        f, g, h = (picture(d) for d in (self.first, self.second, self.composite))
        wide = max(f.width, g.width, h.width) * SCALE
        high = (f.height + g.height) * SCALE
        above, below, result = self._strokes()
        names = ("the two diagrams", "glued along the middle", self._result())
        body = []
        for column, (name, gap) in enumerate(zip(names, (18.0, 0.0, 0.0), strict=True)):
            left = _PAD + column * (wide + _GAP)
            middle = left + wide / 2
            body.append(svg_text(name, middle, _PAD + 10))
            if column == 2:
                top = _HEAD + 18 + (high - h.height * SCALE) / 2
                left_edge = middle - h.width * SCALE / 2
                body.append(diagram_group(self.composite, left_edge, top, colours=result))
                continue
            for d, shape, top, colour in (
                (self.second, g, _HEAD + 18 - gap, above),
                (self.first, f, _HEAD + 18 + g.height * SCALE + gap, below),
            ):
                x = middle - shape.width * SCALE / 2
                body.append(diagram_group(d, x, top, labels=not column, colours=colour))
            body.append(
                svg_text("=" if column else "→", left + wide + _GAP / 2, _HEAD + high / 2 + 22)
            )
        width = 3 * wide + 2 * _GAP + 2 * _PAD
        title = f"({self.first}) >> ({self.second}) = {' '.join(self._factor())} ({self.composite})"
        return svg_document(width, high + _HEAD + 54, "\n".join(body), title)

    def _repr_mimebundle_(self, **_: object) -> Mapping[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": self.text()}

    def _factor(self) -> list[str]:
        return [{1: "n"}.get(self.closed, f"n^{self.closed}")] if self.closed else []

    def _result(self) -> str:
        loops = {0: "nothing closes", 1: "1 loop closes: n"}
        return loops.get(self.closed, f"{self.closed} loops close: n^{self.closed}")

    def _strokes(self) -> list[list[str]]:
        """Colours for the blocks of the second, the first and the composite: one a component."""
        of_second = {v: i for i, (above, _) in enumerate(self.components) for v in above}
        of_first = {v: i for i, (_, below) in enumerate(self.components) for v in below}
        shift = self.first.cod - self.composite.cod
        of_composite = {
            v: of_second[v] if v < self.composite.cod else of_first[v + shift]
            for v in range(self.composite.cod + self.composite.dom)
        }
        return [
            [COLOURS[of[b[0]] % len(COLOURS)] for b in d.blocks if len(b) > 1] or [COLOURS[0]]
            for d, of in (
                (self.second, of_second),
                (self.first, of_first),
                (self.composite, of_composite),
            )
        ]


def compose_steps(first: D, second: D) -> CompositionSteps[D]:
    """Explain ``first >> second``: which components meet in the middle, and which close there.

    Raises CompositionError unless ``second.dom == first.cod``.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> steps = compose_steps(Brauer.cup(), Brauer.cap())
    >>> steps.closed, steps.components
    (1, (((0, 1), (0, 1)),))
    """
    check_composable(first, second)
    shift = second.cod
    blocks = [*second.blocks, *([shift + v for v in block] for block in first.blocks)]
    labels = connected(shift + first.cod + first.dom, blocks)
    components = tuple(
        (
            tuple(v for v in range(shift + second.dom) if labels[v] == label),
            tuple(v for v in range(first.cod + first.dom) if labels[shift + v] == label),
        )
        for label in range(len(set(labels)))
    )
    composite, closed = first.then(second)
    return CompositionSteps(first, second, composite, closed, components)
