"""Where the lines of a diagram's text run: a column for every vertex, a row for every bus.

A bus is the horizontal line of a block. In a column shared by an output and an input of different
blocks, the output's bus must be the higher one. Buses are put in an order with few exceptions, then
few crossings; an input that is still an exception, as in a swap, moves half a place to the right,
where nothing else can be. What joins buses, the legs of a determinant vertex and the edges of a
graph, has columns of its own on the right of all vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tannaka.diagrams.pictures.sketch import Sketch, text_width


@dataclass(frozen=True, slots=True)
class Bus:
    """The columns, in half places, of the wires that reach a block from above and from below.

    ``links`` are the columns of legs and edges, those that come from above are ``up``, the others ``down``,
    ``loops`` those of the marks of its loops; a ``bare`` bus is a vertex of a graph without a label.
    ``words`` are names in its line, each with the column that it starts at, or starts right of where
    it names an edge; they may go on beyond the end of the line, up to ``reach``.
    """

    above: tuple[int, ...]
    below: tuple[int, ...]
    links: tuple[int, ...] = ()
    loops: tuple[int, ...] = ()
    bare: bool = False
    up: tuple[int, ...] = ()
    down: tuple[int, ...] = ()
    words: tuple[tuple[int, str], ...] = ()
    reach: int = 0

    @property
    def left(self) -> int:
        """The column where it starts."""
        return min(self.above + self.below + self.links + self.loops) - self.bare

    @property
    def right(self) -> int:
        """The column where it ends."""
        return max(self.above + self.below + self.links + self.loops)

    def meets(self, other: Bus) -> bool:
        """Whether the two cannot stand in one row."""
        ends = max(self.right, self.reach), max(other.right, other.reach)
        return self.left - self.bare <= ends[1] and other.left - other.bare <= ends[0]

    def over(self, other: Bus) -> tuple[int, int]:
        """What it costs to be higher than ``other``: shared columns, crossings."""
        shared = set(self.below) & set(other.above)
        down = sum(other.left <= column <= other.right for column in self.below)
        up = sum(self.left <= column <= self.right for column in other.above)
        return len(shared), down + up


@dataclass(frozen=True, slots=True)
class Wiring:
    """All columns and rows.

    ``columns`` of the vertices; ``buses`` with their ``rows``; the columns of ``straight`` wires
    without a bus; ``edges`` as (column, row, row); ``heads`` of arcs as (column, row, whether they
    point up); for each determinant vertex its ``domes``: for
    each leg its column, and the row of the bus where it ends, None where it is free.
    """

    columns: list[int]
    buses: list[Bus]
    rows: list[int]
    straight: list[int]
    edges: list[tuple[int, int, int]] = field(default_factory=list)
    domes: list[list[tuple[int, int | None]]] = field(default_factory=list)
    heads: list[tuple[int, int, bool]] = field(default_factory=list)

    @property
    def right(self) -> int:
        """The last column."""
        legs = [column for dome in self.domes for column, _ in dome]
        ends = (max(bus.right, bus.reach) for bus in self.buses)
        return max([*self.columns, *ends, *legs])


def wiring(sketch: Sketch) -> Wiring:
    """Find a column for every vertex and a row for every bus.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> wiring(SetPartition.swap().sketch()).columns
    [0, 2, 0, 3]
    """
    top, bottom = sketch.top, sketch.bottom
    columns = [max(bottom - top, 0) + 2 * i for i in range(top)]
    columns += [max(top - bottom, 0) + 2 * i for i in range(bottom)]

    def bus(block: Sequence[int]) -> Bus:
        above = tuple(columns[v] for v in block if v < top)
        return Bus(above, tuple(columns[v] for v in block if v >= top))

    blocks = [*sketch.blocks, *filter(None, sketch.nodes)]
    held = {v for legs in sketch.determinants for v in legs}
    held |= {v for edge in sketch.edges for node in edge for v in sketch.nodes[node]}
    for labels, names in zip(sketch.nodes, sketch.node_colours, strict=False):
        held.update(labels if names else ())
    straight = [
        block
        for block in blocks
        if len(block) == 2 and columns[block[0]] == columns[block[1]] and held.isdisjoint(block)
    ]
    bent = [block for block in blocks if block not in straight]
    bent = [bent[i] for i in _order([bus(block) for block in bent])]
    for i, high in enumerate(bent):
        taken = {columns[v] for low in bent[i + 1 :] for v in low if v < top}
        for v in high:
            if v >= top and columns[v] in taken:
                columns[v] += 1
    through = [columns[block[0]] for block in straight]
    return _linked(sketch, bent, [bus(block) for block in bent], columns, through)


def _linked(
    sketch: Sketch,
    bent: list[tuple[int, ...]],
    buses: list[Bus],
    columns: list[int],
    straight: list[int],
) -> Wiring:
    """Add legs, edges, and the vertices of a graph without labels."""
    of = {v: i for i, block in enumerate(bent) for v in block}
    bus_of_node = []
    for labels in sketch.nodes:
        if not labels:
            buses.append(Bus((), (), bare=True))
        bus_of_node.append(of.get(labels[0]) if labels else len(buses) - 1)
    column = max(columns, default=-2)
    # A ring stands one column left of the first link, and not beside another vertex's wire.
    column += column % 2 + any(not labels for labels in sketch.nodes)
    domes: list[list[tuple[int, int | None]]] = []
    for legs in sketch.determinants:
        domes.append([])
        for v in legs:
            column += 2
            i = None if v is None else of[v]
            domes[-1].append((column, i))
            if i is not None:
                buses[i] = replace(buses[i], links=(*buses[i].links, column))
    for i, names in zip(bus_of_node, sketch.node_colours, strict=False):
        if names:
            assert i is not None
            column += 2
            word = f"({','.join(names)})"
            buses[i] = replace(
                buses[i],
                links=(*buses[i].links, column),
                words=(*buses[i].words, (column, word)),
                reach=column + text_width(word),
            )
            column += text_width(word)
            column += column % 2
    edges, arcs = [], []
    names_of = sketch.edge_colours or ("",) * len(sketch.edges)
    for number, ((a, b), name) in enumerate(zip(sketch.edges, names_of, strict=True)):
        column += 2
        i, j = bus_of_node[a], bus_of_node[b]
        assert i is not None
        assert j is not None
        if i == j:
            buses[i] = replace(buses[i], loops=(*buses[i].loops, column))
        else:
            for end in (i, j):
                buses[end] = replace(buses[end], links=(*buses[end].links, column))
            edges.append((column, i, j))
            arcs.append(number in sketch.arcs)
        if name:
            # At the end of the edge; at either, where it has no direction.
            buses[j] = replace(
                buses[j],
                words=(*buses[j].words, (column, f":{name}")),
                reach=column + text_width(name) + 2,
            )
            column += text_width(name) + 1
            column += column % 2
    for i, bus in enumerate(buses):
        if bus.bare and not bus.links + bus.loops:
            column += 2
            # Nothing reaches this column: its ring stands half a place left of it, alone.
            buses[i] = replace(bus, links=(column,))
    rows = _rows(buses)
    free = [at for dome in domes for at, i in dome if i is None]
    if any(
        not row and bus.left <= at <= bus.right
        for at in free
        for bus, row in zip(buses, rows, strict=True)
    ):
        rows = [row + 1 for row in rows]
    ups = [(i, at) for dome in domes for at, i in dome if i is not None]
    heads = []
    for (at, i, j), arc in zip(edges, arcs, strict=True):
        if arc:
            heads.append((at, rows[j], rows[j] < rows[i]))
        high, low = sorted((i, j), key=lambda end: rows[end])
        ups.append((low, at))
        buses[high] = replace(buses[high], down=(*buses[high].down, at))
    for i, at in ups:
        buses[i] = replace(buses[i], up=(*buses[i].up, at))
    return Wiring(
        columns,
        buses,
        rows,
        straight,
        [(at, min(rows[i], rows[j]), max(rows[i], rows[j])) for at, i, j in edges],
        [[(at, None if i is None else rows[i]) for at, i in dome] for dome in domes],
        heads,
    )


def _order(buses: list[Bus]) -> list[int]:
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


def _rows(buses: list[Bus]) -> list[int]:
    """A line for every bus, as high as may be; those of inputs only as low as may be."""
    rows: list[int] = []
    for i, bus in enumerate(buses):
        rows.append(max((rows[j] + 1 for j in range(i) if buses[j].meets(bus)), default=0))
    last = max(rows, default=0)
    for i in reversed(range(len(buses))):
        if buses[i].below and not buses[i].above:
            later = (rows[j] - 1 for j in range(i + 1, len(buses)) if buses[j].meets(buses[i]))
            rows[i] = min(later, default=last)
    return rows
