"""Diagrams as text for terminals, in box-drawing characters.

A wire leads from every vertex to the bus of its block, a horizontal line: outputs come from above,
inputs from below. Where a wire crosses the bus of another block, the wire is whole and the bus is
hidden behind it, ``─│─``. Every other character joins exactly what its arms reach: ``┼`` is one
block, not a crossing. A singleton is a stub, ``╵`` or ``╷``.

A determinant vertex is a dome on the right, ``╔═╦═╗``, with its legs in their order, double lines
that come down to the buses of their blocks; a free leg ends in a ring, ``○``. In a graph a bus is a
vertex, one without a label starts with a ring, edges are double lines from bus to bus, and ``↺`` is
a loop. An arc points at the bus where it ends, ``▲`` or ``▼``. Right of the end of an edge, or of a
loop, stands its colour, ``:red``; a vertex has its colours in its bus, ``(red)``. Where axes are of several kinds, their names stand outside the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tannaka.diagrams.pictures.buses import Wiring, wiring
from tannaka.diagrams.pictures.picture import one_line, text_width
from tannaka.diagrams.pictures.sketch import Drawable
from tannaka.diagrams.pictures.sums import coefficients

_UP, _DOWN, _LEFT, _RIGHT, _LEG_UP, _LEG_DOWN = 1, 2, 4, 8, 16, 32
_GLYPH = {
    _LEFT: "╴",
    _RIGHT: "╶",
    _UP: "╵",
    _DOWN: "╷",
    _LEFT | _RIGHT: "─",
    _UP | _LEFT: "╯",
    _UP | _RIGHT: "╰",
    _DOWN | _LEFT: "╮",
    _DOWN | _RIGHT: "╭",
    _UP | _DOWN | _LEFT: "┤",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _LEFT | _RIGHT: "┴",
    _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
    _LEG_UP | _LEFT: "╜",
    _LEG_UP | _RIGHT: "╙",
    _LEG_UP | _LEFT | _RIGHT: "╨",
    _LEG_DOWN | _LEFT: "╖",
    _LEG_DOWN | _RIGHT: "╓",
    _LEG_DOWN | _LEFT | _RIGHT: "╥",
}
RING, LOOP, HEADS = "○", "↺", "▼▲"
_GAP = 4


def diagram_text(diagram: Drawable) -> str:
    """Draw one diagram: numbered outputs on top, inputs below; no line break at the end.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> print(diagram_text(SetPartition(3, 3, (0, 1, 0, 0, 2, 2))))
    0 1 2
    │ ╵ │
    ├───╯
    │ ╭─╮
    3 4 5
    >>> print(diagram_text(SetPartition.swap()))
    0   1
    ╰───│─╮
    ╭───╯ │
    2     3
    >>> from tannaka.diagrams.jellyfish import Jellyfish
    >>> print(diagram_text(Jellyfish(2, 1, (0, 0, 1), (0, 1, None))))
     0  ╔═╦═╗
    ╭┴──╜ ║ ○
    │ ╭───╜
    1 2
    >>> from tannaka.diagrams.bilabelled import BilabelledGraph
    >>> print(diagram_text(BilabelledGraph(2, [(0, 1, "a")], (0,), (1,), [(0, "C")], directed=True)))
    0
    ╰─(C)───╖
    ╭───────▼:a
    1
    """
    sketch = diagram.sketch()
    if not (sketch.top + sketch.bottom or sketch.determinants or sketch.nodes):
        return "∅"
    found = wiring(sketch)
    columns = found.columns
    # Half a place is one character, or enough for a number where some input stands half a place on.
    halved = len({column % 2 for column in columns[sketch.top :]}) == 2
    digits = max(map(text_width, (*sketch.kinds, str(max(len(columns) - 1, 0)))))
    unit = digits + 1 if halved else (digits + 2) // 2
    least = 1 if sketch.top and sketch.bottom else 0
    lines = ["".join(line).rstrip() for line in _body(found, unit, least)]
    outputs, inputs = range(sketch.top), range(sketch.top, len(columns))
    above = _words(list(map(str, outputs)), columns, unit)
    if sketch.top or sketch.determinants:
        lines.insert(0, above)
        for x, dome in _domes(found, unit):
            lines[0] = lines[0].ljust(x) + dome
    if sketch.bottom:
        lines.append(_words(list(map(str, inputs)), columns[sketch.top :], unit))
    if sketch.kinds:
        if sketch.top:
            lines.insert(0, _words(sketch.kinds[: sketch.top], columns, unit))
        if sketch.bottom:
            lines.append(_words(sketch.kinds[sketch.top :], columns[sketch.top :], unit))
    return "\n".join(lines)


def gallery_text(
    diagrams: Iterable[Drawable], captions: Sequence[str] | None = None, width: int = 80
) -> str:
    """Draw several diagrams side by side, as many as fit the width, each below its caption.

    Captions default to the number of the diagram and ``str(diagram)``. A drawing is never cut, even
    where it is wider than the width.

    >>> from tannaka.diagrams.enumerate import brauer_diagrams
    >>> print(gallery_text(brauer_diagrams(2, 2)))
    0: 0 1 | 2 3    1: 0 2 | 1 3    2: 0 3 | 1 2
    0 1             0 1             0   1
    ╰─╯             │ │             ╰───│─╮
    ╭─╮             2 3             ╭───╯ │
    2 3                             2     3
    """
    shown = tuple(diagrams)
    if captions is None:
        captions = [f"{number}: {diagram}" for number, diagram in enumerate(shown)]
    if len(captions) != len(shown):
        raise ValueError(f"there are {len(shown)} diagrams but {len(captions)} captions")
    cells = [
        [one_line(caption), *diagram_text(diagram).split("\n")]
        for caption, diagram in zip(captions, shown, strict=True)
    ]
    wide = max((text_width(line) for cell in cells for line in cell), default=0) + _GAP
    across = max(1, (width + _GAP) // wide)
    bands = []
    for start in range(0, len(cells), across):
        band = cells[start : start + across]
        lines = []
        for i in range(max(map(len, band))):
            parts = [cell[i] if i < len(cell) else "" for cell in band]
            lines.append("".join(part + " " * (wide - text_width(part)) for part in parts).rstrip())
        bands.append("\n".join(lines))
    return "\n\n".join(bands)


def sum_text(terms: Iterable[tuple[str, Drawable]], width: int = 80) -> str:
    """Draw a formal sum: each term is a coefficient before a diagram, as many as fit the width.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> print(sum_text([("2 ", SetPartition.cup()), ("n^2 ", SetPartition.cup())]))
    2  0 1  + n²  0 1
       ╰─╯        ╰─╯
    """
    shown = tuple(terms)
    lines: list[list[str]] = [[]]
    for words, (_, diagram) in zip(coefficients(shown), shown, strict=True):
        cells = [*filter(None, [words]), diagram_text(diagram)]
        wide = max(map(text_width, side_by_side([*lines[-1], *cells]).split("\n")))
        if lines[-1] and wide > width:
            lines.append([])
        lines[-1] += cells
    return "\n\n".join(map(side_by_side, filter(None, lines))) or "0"


def side_by_side(drawings: Sequence[str]) -> str:
    r"""Put texts of several lines beside each other, each centred in height.

    >>> print(side_by_side(["a", "+", "bb\ncc"]))
    a  +  bb
          cc
    """
    cells = [drawing.split("\n") for drawing in drawings]
    tall = max(map(len, cells), default=0)
    columns = []
    for cell in cells:
        above = (tall - len(cell)) // 2
        wide = max(map(text_width, cell))
        lines = [*[""] * above, *cell, *[""] * (tall - len(cell) - above)]
        columns.append([line + " " * (wide - text_width(line)) for line in lines])
    return "\n".join("  ".join(parts).rstrip() for parts in zip(*columns, strict=True))


def _body(found: Wiring, unit: int, least: int) -> list[list[str]]:
    """The lines between the numbers, as characters."""
    free = [at for dome in found.domes for at, row in dome if row is None]
    height = max([least, *(row + 1 for row in found.rows), *(1 for _ in free)])
    body = [[" "] * (unit * found.right + 1) for _ in range(height)]
    wires = [(column, 0, height, "│") for column in found.straight]
    wires += [(column, high + 1, low, "║") for column, high, low in found.edges]
    wires += [(at, 0, row, "║") for dome in found.domes for at, row in dome if row is not None]
    for bus, row in zip(found.buses, found.rows, strict=True):
        wires += [(column, 0, row, "│") for column in bus.above]
        wires += [(column, row + 1, height, "│") for column in bus.below]
        left, right = unit * bus.left, unit * bus.right
        arms = {
            x: (_LEFT if x > left else 0) | (_RIGHT if x < right else 0)
            for x in range(left, right + 1)
        }
        for reached, arm in (
            (bus.above, _UP),
            (bus.below, _DOWN),
            (bus.up, _LEG_UP),
            (bus.down, _LEG_DOWN),
        ):
            for column in reached:
                arms[unit * column] |= arm
        if not bus.bare or bus.up or bus.down or bus.loops or bus.words:
            for x, reach in arms.items():
                body[row][x] = _GLYPH[reach]
        for column in bus.loops:
            body[row][unit * column] = LOOP
        if bus.bare:
            body[row][left] = RING
        for column, word in bus.words:
            start = unit * column + word.startswith(":")
            body[row][start : start + text_width(word)] = word
    for column, row, up in found.heads:
        body[row][unit * column] = HEADS[up]
    for column, start, stop, wire in wires:
        for row in range(start, stop):
            body[row][unit * column] = wire
    for column in free:
        body[0][unit * column] = RING
    return body


def _domes(found: Wiring, unit: int) -> Iterator[tuple[int, str]]:
    """Where each determinant vertex starts, and its text."""
    for dome in found.domes:
        first, last = unit * dome[0][0], unit * dome[-1][0]
        text = ["═"] * (last - first + 1)
        for column, _ in dome:
            text[unit * column - first] = "╦"
        if len(dome) > 1:
            text[0], text[-1] = "╔", "╗"
        yield first, "".join(text)


def _words(words: Sequence[str], columns: Sequence[int], unit: int) -> str:
    line = ""
    for word, column in zip(words, columns, strict=False):
        line += " " * (unit * column - text_width(line)) + word
    return line
