"""What happens to two diagrams, as frames of one picture: glued, put side by side, flipped.

The pieces are drawn once, in layers; a frame says where each piece stands and which of its layers is
seen, so that whoever shows the frames one after the other can let the pieces move in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.pictures.markup import SCALE, diagram_group, room
from tannaka.diagrams.pictures.picture import picture
from tannaka.diagrams.pictures.steps import CompositionSteps, compose_steps, middle

_PAD, _APART = 10.0, 46.0


@dataclass(frozen=True)
class Frame:
    """``places`` has (x, y, upright) for each piece, and ``layers`` which of its layers is seen."""

    caption: str
    places: tuple[tuple[float, float, bool], ...]
    layers: tuple[int, ...]
    result: bool = False


@dataclass(frozen=True)
class Gluing:
    """Pieces that move in a box of a size in pixels, each a list of layers of SVG markup, and frames.

    The origin of a piece is its upper left corner, numbers left out; ``heights`` are theirs, for
    turning them over. The last frame shows the result beside the pieces.
    """

    width: float
    height: float
    pieces: tuple[tuple[str, ...], ...]
    heights: tuple[float, ...]
    frames: tuple[Frame, ...]

    def to_json(self) -> dict[str, Any]:
        """As data for the page."""
        return {
            "width": self.width,
            "height": self.height,
            "pieces": [list(layers) for layers in self.pieces],
            "heights": list(self.heights),
            "frames": [
                {
                    "caption": frame.caption,
                    "places": [list(place) for place in frame.places],
                    "layers": list(frame.layers),
                    "result": frame.result,
                }
                for frame in self.frames
            ],
        }


def composed(first: Diagram, second: Diagram) -> Gluing:
    """``first >> second``: the second diagram on top of the first, glued along the middle row.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> [frame.caption for frame in composed(Brauer.cup(), Brauer.cap()).frames][-1]
    'the loop goes out as a factor'
    """
    steps = compose_steps(first, second)
    upper, lower = picture(second), picture(first)
    middles = (middle(upper, second.top, second.bottom), middle(lower, 0, first.top))
    left = max(middles)
    xs = [_PAD + SCALE * (left - at) for at in middles]
    wide = SCALE * (left + max(upper.width - middles[0], lower.width - middles[1]))
    above = room(second.sketch())[0]
    below = room(first.sketch())[1]
    lift = 17.0 + max(room(second.sketch())[1], room(first.sketch())[0])
    top = _PAD + above + lift / 2
    heights = (upper.height * SCALE, lower.height * SCALE)
    apart = ((xs[0], top - lift / 2, True), (xs[1], top + heights[0] + lift / 2, True))
    glued = ((xs[0], top, True), (xs[1], top + heights[0], True))
    frames = [
        Frame("g above f: the outputs of f meet the inputs of g", apart, (0, 0)),
        Frame("glued along the middle row", glued, (1, 1)),
        Frame(_joined(steps), glued, (2, 2)),
        Frame(_outcome(steps), glued, (2, 2), result=True),
    ]
    return Gluing(
        wide + 2 * _PAD,
        sum(heights) + lift + above + below + 2 * _PAD,
        tuple(
            (
                diagram_group(diagram, 0, 0),
                diagram_group(diagram, 0, 0, labels=False),
                diagram_group(
                    diagram,
                    0,
                    0,
                    labels=False,
                    colours=steps.colours(part),
                    marked=steps.marked(part),
                ),
            )
            for part, diagram in enumerate((second, first))
        ),
        heights,
        tuple(frames),
    )


def side_by_side(left: Diagram, right: Diagram) -> Gluing:
    """``left @ right``: the second diagram moves to the right end of the first.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> side_by_side(Brauer.cup(), Brauer.cap()).frames[0].places[0][2]
    True
    """
    shapes = [picture(left), picture(right)]
    tall = max(shape.height for shape in shapes) * SCALE
    above = max(room(one.sketch())[0] for one in (left, right))
    below = max(room(one.sketch())[1] for one in (left, right))
    ys = [_PAD + above + (tall - shape.height * SCALE) / 2 for shape in shapes]
    first = shapes[0].width * SCALE
    apart = ((_PAD, ys[0], True), (_PAD + first + _APART, ys[1], True))
    beside = ((_PAD + _APART / 2, ys[0], True), (_PAD + first + _APART / 2, ys[1], True))
    frames = (
        Frame("f on the left, g on the right", apart, (0, 0)),
        Frame("side by side: the axes of f, then those of g", beside, (1, 1)),
        Frame("one diagram, numbered anew", beside, (1, 1), result=True),
    )
    return Gluing(
        first + shapes[1].width * SCALE + _APART + 2 * _PAD,
        tall + above + below + 2 * _PAD,
        tuple(
            (diagram_group(one, 0, 0), diagram_group(one, 0, 0, labels=False))
            for one in (left, right)
        ),
        tuple(shape.height * SCALE for shape in shapes),
        frames,
    )


def flipped(diagram: Diagram) -> Gluing:
    """The dagger: the diagram turned upside down.

    >>> from tannaka.diagrams.brauer import Brauer
    >>> [frame.places[0][2] for frame in flipped(Brauer.cup()).frames]
    [True, False, False]
    """
    shape = picture(diagram)
    around = max(room(diagram.sketch()))
    y = _PAD + around
    frames = (
        Frame("f", ((_PAD, y, True),), (0,)),
        Frame("turned upside down: outputs become inputs", ((_PAD, y, False),), (1,)),
        Frame("its dagger", ((_PAD, y, False),), (1,), result=True),
    )
    return Gluing(
        shape.width * SCALE + 2 * _PAD,
        shape.height * SCALE + 2 * around + 2 * _PAD,
        ((diagram_group(diagram, 0, 0), diagram_group(diagram, 0, 0, labels=False)),),
        (shape.height * SCALE,),
        frames,
    )


def _closed(steps: CompositionSteps[Any]) -> int:
    return sum(map(steps.is_closed, range(len(steps.components))))


def _joined(steps: CompositionSteps[Any]) -> str:
    loops = _closed(steps)
    names = {0: "no loop closes", 1: "one loop closes in the middle"}
    return f"what hangs together has one colour; {names.get(loops, f'{loops} loops close in the middle')}"


def _outcome(steps: CompositionSteps[Any]) -> str:
    terms, loops = len(steps.result.written()), _closed(steps)
    if terms != 1:
        return f"multiplied out: {terms} diagrams" if terms else "multiplied out: zero"
    names = {0: "the middle row is forgotten", 1: "the loop goes out as a factor"}
    return names.get(loops, "each loop goes out as a factor")
