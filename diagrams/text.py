"""Diagrams as text for terminals, in box-drawing characters.

A wire leads from every vertex to the bus of its block, a horizontal line: outputs come from above,
inputs from below. Where a wire crosses the bus of another block, the wire is whole and the bus is
hidden behind it, ``─│─``. Every other character joins exactly what its arms reach: ``┼`` is one
block, not a crossing. A singleton is a stub, ``╵`` or ``╷``.

In a column shared by an output and an input of different blocks, the output's bus must be the
higher one. Buses are put in an order with few exceptions, then few crossings; an input that is
still an exception, as in a swap, moves half a place to the right, where nothing else can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tannaka.diagrams.picture import Drawable, one_line, text_width

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_GLYPH = {
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
}
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
    """
    if not diagram.cod + diagram.dom:
        return "∅"
    columns, buses, straight = _layout(diagram)
    rows = _rows(buses)
    height = max([row + 1 for row in rows] + [1 if diagram.cod and diagram.dom else 0])
    # Half a place is one character, or enough for a number where some input stands half a place on.
    halved = len({column % 2 for column in columns[diagram.cod :]}) == 2
    digits = len(str(len(columns) - 1))
    unit = digits + 1 if halved else (digits + 2) // 2
    body = [[" "] * (unit * max(columns) + 1) for _ in range(height)]
    for bus, row in zip(buses, rows, strict=True):
        for x in range(unit * bus.left, unit * bus.right + 1):
            arms = (_LEFT if x > unit * bus.left else 0) | (_RIGHT if x < unit * bus.right else 0)
            arms |= _UP if x in [unit * column for column in bus.above] else 0
            arms |= _DOWN if x in [unit * column for column in bus.below] else 0
            body[row][x] = _GLYPH[arms]
    wires = [(column, 0, height) for column in straight]
    for bus, row in zip(buses, rows, strict=True):
        wires += [(column, 0, row) for column in bus.above]
        wires += [(column, row + 1, height) for column in bus.below]
    for column, start, stop in wires:
        for row in range(start, stop):
            body[row][unit * column] = "│"
    lines = ["".join(line).rstrip() for line in body]
    if diagram.cod:
        lines.insert(0, _numbers(range(diagram.cod), columns, unit))
    if diagram.dom:
        lines.append(_numbers(range(diagram.cod, len(columns)), columns, unit))
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


@dataclass(frozen=True, slots=True)
class _Bus:
    """The columns, in half places, of the wires that reach a block from above and from below."""

    above: tuple[int, ...]
    below: tuple[int, ...]

    @property
    def left(self) -> int:
        return min(self.above + self.below)

    @property
    def right(self) -> int:
        return max(self.above + self.below)

    def meets(self, other: _Bus) -> bool:
        return self.left <= other.right and other.left <= self.right

    def over(self, other: _Bus) -> tuple[int, int]:
        """What it costs to be higher than ``other``: shared columns, crossings."""
        shared = set(self.below) & set(other.above)
        down = sum(other.left <= column <= other.right for column in self.below)
        up = sum(self.left <= column <= self.right for column in other.above)
        return len(shared), down + up


def _layout(diagram: Drawable) -> tuple[list[int], list[_Bus], list[int]]:
    """The column of every vertex; the buses from high to low; columns of wires without a bus."""
    top, bottom = diagram.cod, diagram.dom
    columns = [max(bottom - top, 0) + 2 * i for i in range(top)]
    columns += [max(top - bottom, 0) + 2 * i for i in range(bottom)]

    def bus(block: Sequence[int]) -> _Bus:
        above = tuple(columns[v] for v in block if v < top)
        return _Bus(above, tuple(columns[v] for v in block if v >= top))

    straight = [b for b in diagram.blocks if len(b) == 2 and columns[b[0]] == columns[b[1]]]
    bent = [block for block in diagram.blocks if block not in straight]
    bent = [bent[i] for i in _order([bus(block) for block in bent])]
    for i, high in enumerate(bent):
        taken = {columns[v] for low in bent[i + 1 :] for v in low if v < top}
        for v in high:
            if v >= top and columns[v] in taken:
                columns[v] += 1
    return columns, [bus(block) for block in bent], [columns[block[0]] for block in straight]


def _order(buses: list[_Bus]) -> list[int]:
    """From high to low, such that moving no single bus makes it cheaper."""
    cost = [[a.over(b) for b in buses] for a in buses]
    # Outputs only, narrow first, on top; inputs only, narrow last, at the bottom.
    order = sorted(
        range(len(buses)),
        key=lambda i: (
            bool(buses[i].below) - bool(buses[i].above),
            (buses[i].right - buses[i].left) * (1 if buses[i].above else -1),
        ),
    )
    moved = True
    while moved:
        moved = False
        for item in tuple(order):
            rest = [other for other in order if other != item]
            costs = []
            for place in range(len(order)):
                pairs = [cost[other][item] for other in rest[:place]]
                pairs += [cost[item][other] for other in rest[place:]]
                costs.append((sum(shared for shared, _ in pairs), sum(cross for _, cross in pairs)))
            best = costs.index(min(costs))
            if costs[best] < costs[order.index(item)]:
                order = [*rest[:best], item, *rest[best:]]
                moved = True
    return order


def _rows(buses: list[_Bus]) -> list[int]:
    """A line for every bus, as high as may be; those of inputs only as low as may be."""
    rows: list[int] = []
    for i, bus in enumerate(buses):
        rows.append(max((rows[j] + 1 for j in range(i) if buses[j].meets(bus)), default=0))
    last = max(rows, default=0)
    for i in reversed(range(len(buses))):
        if not buses[i].above:
            later = (rows[j] - 1 for j in range(i + 1, len(buses)) if buses[j].meets(buses[i]))
            rows[i] = min(later, default=last)
    return rows


def _numbers(vertices: range, columns: list[int], unit: int) -> str:
    line = ""
    for vertex in vertices:
        line = line.ljust(unit * columns[vertex]) + str(vertex)
    return line
