"""Plans as pictures: a box for each step, an arrow for each result that another step reads.

Time runs from left to right; steps that add into one output stand below each other. Every kind of
plan has boxes; :func:`plan_formats` is what a notebook shows of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from html import escape
from typing import Any

from tannaka.category.heatmap import labels_svg
from tannaka.codegen.lowering.graph_plan import GraphPlan
from tannaka.codegen.lowering.matrix_plans import DensePlan, IsotypicPlan
from tannaka.codegen.lowering.orbit_plan import OrbitPlan
from tannaka.codegen.notation import indices, shape
from tannaka.codegen.plan import (
    INPUT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Multiply,
    Plan,
    Weigh,
    Zeros,
    describe,
    produced,
    used,
)
from tannaka.diagrams.pictures.bundle import HTML, PLAIN, SVG, inline, sheet
from tannaka.diagrams.pictures.markup import COLOURS, MONO, font, line, trim, width_of
from tannaka.diagrams.pictures.svg import svg_document

MOST_BOXES = 80
"""A plan of more steps is shown as text alone."""
WIDEST = 64
"""Most rows or columns of a matrix that is drawn."""
MOST_ROWS = 1000
"""A plan of more basis elements is said in its first line alone, with the number of them."""
_SIZE, _LINE, _PAD = 10.5, 14.0, 8.0
_ACROSS, _DOWN = 56.0, 14.0
_MOST_LINES, _LONGEST = 4, 46

OUTPUT = "the output"
NEUTRAL, READ, MIX, WRITE = "currentColor", COLOURS[0], COLOURS[1], COLOURS[2]


@dataclass(frozen=True, slots=True)
class Box:
    """A step: what it reads and in which colour it is drawn.

    ``below`` is one of what it reads, above which it does not stand: what it adds itself to.
    """

    names: tuple[str, ...]
    lines: tuple[str, ...]
    reads: tuple[str, ...] = ()
    colour: str = NEUTRAL
    below: str = ""
    late: bool = False
    """Whether it stands in the last column before the output."""


def plan_formats(plan: Any) -> dict[str, Callable[[], str]]:
    """The formats that a notebook is given of a plan.

    >>> from tannaka.category import S
    >>> from tannaka.category.hom import Hom
    >>> from tannaka.codegen.lowering.choose import plan_layer
    >>> plan_formats(plan_layer(Hom(S(5), 1, 1), 2, 2))["image/svg+xml"]().count("<rect")
    3
    """
    if len(plan.basis) > MOST_ROWS:
        words = f"{type(plan).__name__}: {len(plan.basis):,} basis elements; print(plan) shows it"
        return {PLAIN: lambda: words}
    boxes = steps_of(plan)
    formats: dict[str, Callable[[], str]] = {PLAIN: plan.__str__}
    text = f"<pre>{escape(str(plan))}</pre>"
    head, _, _ = str(plan).partition("\n")
    if len(boxes) > MOST_BOXES:
        return formats | {HTML: lambda: sheet(f'<div class="tannaka-scroll">{text}</div>')}
    formats[SVG] = lambda: boxes_svg(boxes, f"plan: {head}")
    formats[HTML] = lambda: sheet(
        f'<p class="tannaka-head"><b>{escape(head)}</b></p>'
        f"{inline(boxes_svg(boxes, f'plan: {head}'))}{_orbits_drawn(plan)}"
        f"<details><summary>as text</summary>{text}</details>"
    )
    return formats


def _orbits_drawn(plan: Any) -> str:
    """The matrix of a layer with a weight for each orbit: entries of one weight in one colour."""
    if not isinstance(plan, OrbitPlan) or max(plan.numbers.shape) > WIDEST:
        return ""
    rows, columns = plan.numbers.shape
    n = plan.hom.group.n
    title = f"the orbit of each entry of the matrix, {rows} x {columns}"
    parts = (n if plan.cod > 1 else 1, n if plan.dom > 1 else 1)
    picture = inline(labels_svg(plan.numbers, title, parts))
    return f"<p>{picture} <small>entries that share a weight</small></p>"


@singledispatch
def steps_of(plan: Any) -> list[Box]:
    """The boxes of a plan, in the order of its steps."""
    raise TypeError(f"a {type(plan).__name__} is no plan")


@steps_of.register
def _(plan: Plan) -> list[Box]:
    known = plan.words()
    boxes = [_input(word, plan.given_channels[name], name) for name, word in plan.given.items()]
    for step in plan.steps:
        lines = [
            line.removeprefix(f"{produced(step)[0]} = ") for line in describe(step, known, plan)
        ]
        reads = used(step)
        match step:
            case Mix():
                boxes.append(Box(step.outs, _few(lines), reads, MIX))
            case Embed():
                added = [lines[0].partition(" with ")[2] or lines[0]]
                boxes.append(Box((step.out,), _few(added), reads, WRITE, below=step.base))
            case Zeros():
                boxes.append(Box((step.out,), _few(lines), (), WRITE))
            case Contract() | LeviCivita():
                boxes.append(Box((step.out,), _few(lines), reads, READ))
            case Multiply():
                boxes.append(Box(step.outs, _few(lines), reads, READ))
            case Weigh():
                boxes.append(Box((step.out,), _few(lines), reads, MIX))
    return [*boxes, _output(plan.outputs, plan.out_channels, (plan.result,))]


@steps_of.register
def _(plan: DensePlan) -> list[Box]:
    words = (
        f"{plan.columns * plan.in_channels:,} x {plan.rows * plan.out_channels:,} matrix:",
        f"a sum of {len(plan.basis):,} diagrams",
    )
    boxes = [_input(plan.inputs, plan.in_channels), Box(("M",), words, (INPUT,), MIX)]
    return [*boxes, _output(plan.outputs, plan.out_channels, ("M",))]


@steps_of.register
def _(plan: IsotypicPlan) -> list[Box]:
    boxes = [_input(plan.inputs, plan.in_channels)]
    boxes.append(Box(("in",), ("change of basis",), (INPUT,), READ))
    names = []
    for number, block in enumerate(plan.bases.blocks):
        words = (
            f"irreducible of dimension {block.dimension * block.field}:",
            f"{block.copies_in} -> {block.copies_out} copies",
        )
        names.append(f"b{number}")
        boxes.append(Box((names[-1],), words, ("in",), MIX))
    boxes.append(Box(("out",), ("change back",), tuple(names), WRITE))
    return [*boxes, _output(plan.outputs, plan.out_channels, ("out",))]


@steps_of.register
def _(plan: OrbitPlan) -> list[Box]:
    boxes = [_input((0,) * plan.dom, plan.in_channels)]
    if plan.way() == "dense":
        boxes.append(
            Box(("M",), (f"matrix of {len(plan.basis):,} orbits,", "written out"), (INPUT,), MIX)
        )
        last = "M"
    else:
        summed = f"{plan.reduce}s over {plan.sums:,} sets of inputs,"
        boxes.append(Box(("s",), (summed, "for each output and orbit"), (INPUT,), READ))
        products = f"{len(plan.alike)} matrix product{'s' * (len(plan.alike) > 1)}"
        boxes.append(Box(("m",), (products, f"{len(plan.basis):,} orbits"), ("s",), MIX))
        last = "m"
    return [*boxes, _output((0,) * plan.cod, plan.out_channels, (last,))]


@steps_of.register
def _(plan: GraphPlan) -> list[Box]:
    boxes = [_input((0,) * plan.dom, plan.in_channels)]
    read = {name for step in plan.steps for name, _ in step.operands}
    boxes += [Box((name,), (f"{name} of the host",)) for name in plan.constants if name in read]
    for step in plan.steps:
        words = str(step).removeprefix(f"{step.out}")
        names = tuple(dict.fromkeys(name for name, _ in step.operands))
        boxes.append(Box((step.out,), _few([f"{step.out}{words}"]), names, READ))
    ends = []
    for number, row in enumerate(plan.rows):
        ends.append(f"row {number}")
        words = f"y[{indices(row.labels)}] += W{number} {row.source}[{indices(row.keep)}]"
        boxes.append(Box((ends[-1],), _few([words]), (row.source,), MIX, late=True))
    return [*boxes, _output((0,) * plan.cod, plan.out_channels, tuple(ends))]


def boxes_svg(boxes: Sequence[Box], title: str) -> str:
    """Draw boxes and arrows as a self-contained SVG picture.

    >>> boxes = [Box(("x",), ("x",)), Box(("y",), ("y = 2 x",), ("x",))]
    >>> boxes_svg(boxes, "a plan").count("<rect")
    2
    """
    layout = _Layout.of(boxes)
    arrows, heads = zip(*layout.arrows(), strict=True) if len(boxes) > 1 else ((), ())
    thin = 'fill="none" stroke="currentColor" stroke-opacity="0.45" stroke-width="1.1"'
    body = [
        f'<path d="{"".join(arrows)}" {thin}/>',
        f'<path d="{"".join(heads)}" fill="currentColor" fill-opacity="0.6"/>',
    ]
    for number, box in enumerate(boxes):
        body += _drawn(box, layout.places[number], layout.sizes[number])
    wide = max(x + w for (x, _), (w, _) in zip(layout.places, layout.sizes, strict=True))
    return svg_document(wide + _PAD, layout.height + 2 * _PAD, "\n".join(body), title)


def _input(word: Sequence[int], channels: int, name: str = INPUT) -> Box:
    order: Any = tuple(word) if any(word) else len(word)
    return Box((name,), (name, shape(order, channels)))


def _output(word: Sequence[int], channels: int, reads: tuple[str, ...]) -> Box:
    order: Any = tuple(word) if any(word) else len(word)
    return Box((OUTPUT,), ("y", shape(order, channels)), reads)


def _few(lines: Sequence[str]) -> tuple[str, ...]:
    """The first lines, each cut where it is long."""
    kept = [one if len(one) <= _LONGEST else f"{one[: _LONGEST - 1]}…" for one in lines]
    if len(kept) > _MOST_LINES:
        kept = [*kept[: _MOST_LINES - 1], f"and {len(kept) - _MOST_LINES + 1} more"]
    return tuple(kept)


@dataclass(frozen=True)
class _Layout:
    """Where boxes stand, and where the arrows that pass other columns go through them."""

    boxes: Sequence[Box]
    where: dict[str, int]
    columns: list[int]
    sizes: list[tuple[float, float]]
    places: list[tuple[float, float]]
    passages: dict[tuple[int, int], float]
    """At what height the arrows of a box pass a column."""
    spans: list[tuple[float, float]]
    """The left and the right end of each column."""
    height: float

    @classmethod
    def of(cls, boxes: Sequence[Box]) -> _Layout:
        where = {name: number for number, box in enumerate(boxes) for name in box.names}
        columns = _columns(boxes, where)
        sizes = [_size(box) for box in boxes]
        passing: defaultdict[int, dict[int, None]] = defaultdict(dict)
        for number, box in enumerate(boxes):
            for source in (where[name] for name in box.reads):
                for column in range(columns[source] + 1, columns[number]):
                    passing[column][source] = None
        rows = [
            ([i for i, at in enumerate(columns) if at == column], list(passing[column]))
            for column in range(max(columns) + 1)
        ]
        height = max(_tall(some, through, sizes) for some, through in rows)
        places = [(0.0, 0.0)] * len(boxes)
        passages: dict[tuple[int, int], float] = {}
        spans: list[tuple[float, float]] = []
        x = _PAD
        for column, (some, through) in enumerate(rows):
            middles = {
                i: places[i][1] + sizes[i][1] / 2
                if columns[i] == column - 1
                else passages.get((i, column - 1), 0.0)
                for i in range(len(boxes))
                if columns[i] < column
            }
            y = _PAD + (height - _tall(some, through, sizes)) / 2
            for i, passes in _arranged(boxes, where, some, through, middles):
                if passes:
                    passages[i, column] = y + _DOWN / 2
                    y += _DOWN
                else:
                    places[i] = x, y
                    y += sizes[i][1] + _DOWN
            wide = max(sizes[i][0] for i in some)
            spans.append((x, x + wide))
            x += wide + _ACROSS
        return cls(boxes, where, columns, sizes, places, passages, spans, height)

    def arrows(self) -> Iterator[tuple[str, str]]:
        """A curve and its head for each result that a box reads."""
        for number, box in enumerate(self.boxes):
            for source in dict.fromkeys(self.where[name] for name in box.reads):
                yield self._arrow(source, number)

    def _arrow(self, source: int, target: int) -> tuple[str, str]:
        (x, y), (wide, high) = self.places[source], self.sizes[source]
        (u, v), (_, tall) = self.places[target], self.sizes[target]
        if self.columns[source] == self.columns[target]:
            left = max(x, u) + 14.0
            head = f"M{trim(left)} {trim(v)}l-3.5 -6h7z"
            return f"M{trim(left)} {trim(y + high)}V{trim(v - 5)}", head
        # Level as far as the widest box of the column reaches.
        at = self.spans[self.columns[source]][1], y + high / 2
        path = f"M{trim(x + wide)} {trim(at[1])}H{trim(at[0])}"
        for column in range(self.columns[source] + 1, self.columns[target]):
            left, right = self.spans[column]
            level = self.passages[source, column]
            path += f"{_bend(at, (left, level))}H{trim(right)}"
            at = right, level
        path += _bend(at, (u - 5, v + tall / 2))
        return path, f"M{trim(u)} {trim(v + tall / 2)}l-6 -3.5v7z"


def _tall(
    some: Sequence[int], through: Sequence[int], sizes: Sequence[tuple[float, float]]
) -> float:
    return sum(sizes[i][1] for i in some) + _DOWN * (len(some) + len(through) - 1)


def _arranged(
    boxes: Sequence[Box],
    where: dict[str, int],
    some: Sequence[int],
    through: Sequence[int],
    middles: dict[int, float],
) -> list[tuple[int, bool]]:
    """The boxes of a column and what passes it, from above, at about the height of what they read."""
    fixed = any(boxes[i].below for i in some)
    heights: dict[tuple[int, bool], float] = {(i, True): middles[i] for i in through}
    for i in some:
        read = [middles[where[name]] for name in boxes[i].reads if where[name] in middles]
        heights[i, False] = sum(read) / len(read) if read else 0.0
    if fixed:
        # What adds itself to another stands below it, in the order of the steps.
        mean = sum(heights[i, False] for i in some) / len(some)
        for i in some:
            heights[i, False] = mean
    return sorted(heights, key=lambda one: (heights[one], one[1], one[0]))


def _columns(boxes: Sequence[Box], where: dict[str, int]) -> list[int]:
    """One column after all that a box reads; what adds itself to another stands in its column."""
    found: list[int] = []
    for box in boxes:
        column = 0
        for name in box.reads:
            before = where[name]
            beside = name == box.below and bool(boxes[before].below)
            column = max(column, found[before] + (0 if beside else 1))
        found.append(column)
    last = max((found[i] for i, box in enumerate(boxes) if box.late), default=0)
    return [
        last if box.late else max(at, last + 1) if box.names == (OUTPUT,) else at
        for box, at in zip(boxes, found, strict=True)
    ]


def _size(box: Box) -> tuple[float, float]:
    wide = max(width_of(words, _SIZE) for words in box.lines)
    return wide + 2 * _PAD, _LINE * len(box.lines) + _PAD


def _bend(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A curve that leaves and arrives level."""
    middle = max(20.0, (end[0] - start[0]) * 0.5)
    (x, y), (u, v) = start, end
    return f"C{trim(x + middle)} {trim(y)} {trim(u - middle)} {trim(v)} {trim(u)} {trim(v)}"


def _drawn(box: Box, place: tuple[float, float], size: tuple[float, float]) -> list[str]:
    (x, y), (wide, high) = place, size
    frame = (
        f'<rect x="{trim(x)}" y="{trim(y)}" width="{trim(wide)}" height="{trim(high)}" rx="4" '
        f'fill="{box.colour}" fill-opacity="0.07" stroke="{box.colour}" stroke-width="1.2"/>'
    )
    return [
        frame,
        *(
            line(words, x + _PAD, y + _LINE * (i + 1) - 1, font(_SIZE, MONO, "start"))
            for i, words in enumerate(box.lines)
        ),
    ]
