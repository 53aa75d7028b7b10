"""Every diagram dom -> cod of a family, in one fixed order.

The orders are part of the contract, because rows of learned weights follow them: set partitions
come in lexicographic order of their restricted growth strings, Brauer diagrams in lexicographic
order of their sorted edge lists.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import order
from tannaka.diagrams.enumeration import Enumeration, Move
from tannaka.diagrams.partition import SetPartition, restricted_growth


class _SetPartitions(Enumeration[SetPartition]):
    """See :func:`set_partitions`. A state holds a mark for each block, and the open blocks."""

    def __init__(
        self,
        dom: int,
        cod: int,
        most: int | None,
        *,
        even: bool,
        largest: int | None,
        planar: bool,
        through: int | None,
        colours: Sequence[Hashable] | None,
    ) -> None:
        super().__init__(dom, cod)
        self.most = self.size if most is None else order("most", most)
        self.largest = None if largest is None else order("largest", largest)
        self.through = None if through is None else order("through", through)
        self.even, self.planar = even, planar
        self.colours = (0,) * self.size if colours is None else tuple(colours)
        if len(self.colours) != self.size:
            raise ValueError(
                f"colours {self.colours} has length {len(self.colours)}, but a diagram "
                f"{self.dom} -> {self.cod} has {self.size} vertices"
            )
        # Around the diagram, when blocks must not cross; else as vertices are numbered.
        inputs = range(self.cod, self.size)
        self.path = (*range(self.cod), *(reversed(inputs) if planar else inputs))

    @property
    def _steps(self) -> int:
        return self.size

    @property
    def _start(self) -> Any:
        return 0, (), ()

    def _moves(self, state: Any) -> Sequence[Move]:
        step, blocks, stack = state
        vertex = self.path[step]
        joinable = sorted(stack) if self.planar else range(len(blocks))
        moves = []
        for block in joinable:
            joined = self._joined(blocks[block], vertex)
            if joined is not None:
                open_blocks = stack[: stack.index(block) + 1] if self.planar else ()
                marks = (*blocks[:block], joined, *blocks[block + 1 :])
                moves.append((block, (step + 1, marks, open_blocks)))
        new = self._joined((self.colours[vertex], 0, 0), vertex)
        if new is not None and len(blocks) < self.most:
            open_blocks = (*stack, len(blocks)) if self.planar else ()
            moves.append((len(blocks), (step + 1, (*blocks, new), open_blocks)))
        return moves

    def _joined(self, mark: tuple[Hashable, int, int], vertex: int) -> Any:
        """The mark of a block after a vertex joins it: colour, size as far as it matters, rows."""
        colour, size, rows = mark
        size += 1
        if self.colours[vertex] != colour or (self.largest is not None and size > self.largest):
            return None
        if self.largest is None:
            size = size % 2 if self.even else 0
        if self.through is not None:
            rows |= 1 if vertex < self.cod else 2
        return colour, size, rows

    def _accepts(self, state: Any) -> bool:
        _, blocks, _ = state
        if self.even and any(size % 2 for _, size, _ in blocks):
            return False
        return self.through is None or sum(rows == 3 for _, _, rows in blocks) == self.through

    def _key(self, state: Any) -> Hashable:
        _, blocks, stack = state
        if not self.planar:
            return frozenset(Counter(blocks).items())
        # Blocks that were closed in passing count only for what is asked in the end.
        closed = [mark for i, mark in enumerate(blocks) if i not in stack]
        spoiled = self.even and any(size % 2 for _, size, _ in closed)
        through = sum(rows == 3 for _, _, rows in closed)
        number = len(blocks) if self.most < self.size else 0
        return tuple(blocks[i] for i in stack), spoiled, through, number

    def _build(self, word: Sequence[int]) -> SetPartition:
        labels = [0] * self.size
        for vertex, block in zip(self.path, word, strict=True):
            labels[vertex] = block
        return SetPartition(self.dom, self.cod, restricted_growth(labels))

    def _word(self, diagram: SetPartition) -> Sequence[int] | None:
        orders = (self.dom, self.cod)
        if not isinstance(diagram, SetPartition) or (diagram.dom, diagram.cod) != orders:
            return None
        return restricted_growth([diagram.labels[vertex] for vertex in self.path])

    def _conditions(self) -> str:
        words = ["non-crossing set partitions" if self.planar else "set partitions"]
        words += [f"at most {self.most} blocks"] if self.most < self.size else []
        words += ["blocks of even size"] if self.even else []
        words += [] if self.largest is None else [f"blocks of at most {self.largest} vertices"]
        words += [] if self.through is None else [f"{self.through} through-blocks"]
        words += [f"colours {self.colours}"] if len(set(self.colours)) > 1 else []
        return ", ".join(words)


def set_partitions(
    dom: int,
    cod: int,
    most: int | None = None,
    *,
    even: bool = False,
    largest: int | None = None,
    planar: bool = False,
    through: int | None = None,
    colours: Sequence[Hashable] | None = None,
) -> Enumeration[SetPartition]:
    """The set-partition diagrams dom -> cod, or those of a sub-family.

    ``most``: with at most this many blocks. ``even``: all blocks of even size. ``largest``: no
    block of more vertices than this. ``planar``: blocks do not cross when the vertices stand around
    a circle, outputs left to right, then inputs right to left. ``through``: exactly this many
    blocks with both outputs and inputs (the propagating number). ``colours``: a colour for each
    vertex; blocks do not mix colours.

    In lexicographic order of the labels; for planar ones, of the labels read around the circle.

    >>> [str(d) for d in set_partitions(1, 1)]
    ['0 1', '0 | 1']
    >>> space = set_partitions(3, 3, even=True)
    >>> space
    <31 diagrams 3 -> 3: set partitions, blocks of even size>
    >>> str(space[17]), space.index(space[17])
    ('0 2 | 1 5 | 3 4', 17)
    >>> set_partitions(5, 5, planar=True).count
    16796
    """
    return _SetPartitions(
        dom,
        cod,
        most,
        even=even,
        largest=largest,
        planar=planar,
        through=through,
        colours=colours,
    )


class _BrauerDiagrams(Enumeration[Brauer]):
    """See :func:`brauer_diagrams`. The first free vertex chooses its partner among the others.

    A state holds the number of free vertices and, when chains are bounded, the piles of patience
    sorting: for each length, how many free vertices stand left of the least end of such a chain.
    """

    def __init__(self, dom: int, cod: int, chain: int | None) -> None:
        super().__init__(dom, cod)
        self.chain = None if chain is None else order("chain", chain)

    @property
    def _steps(self) -> int:
        return self.size // 2

    @property
    def _start(self) -> Any:
        return self.size, ()

    def _moves(self, state: Any) -> Sequence[Move]:
        free, piles = state
        if self.chain is None:
            return [(choice, (free - 2, ())) for choice in range(free - 1)]
        # Vertex 0 of the free ones takes a partner at 1, 2, ...; edges come with increasing left
        # ends, so a chain of pairwise non-nesting edges is an increasing run of right ends.
        moves = []
        for choice in range(free - 1):
            partner = choice + 1
            pile = bisect_left(piles, partner + 1)
            if pile < self.chain:
                ends = (*piles[:pile], partner, *piles[pile + 1 :])
                left = tuple(max(end - 1 - (end > partner), 0) for end in ends)
                moves.append((choice, (free - 2, left)))
        return moves

    def _accepts(self, state: Any) -> bool:
        return self.size % 2 == 0

    def _key(self, state: tuple[int, tuple[int, ...]]) -> Hashable:
        return state

    def _build(self, word: Sequence[int]) -> Brauer:
        free, pairs = list(range(self.size)), []
        for choice in word:
            a = free.pop(0)
            pairs.append((a, free.pop(choice)))
        return Brauer(self.dom, self.cod, tuple(pairs))

    def _word(self, diagram: Brauer) -> Sequence[int] | None:
        orders = (self.dom, self.cod)
        if not isinstance(diagram, Brauer) or (diagram.dom, diagram.cod) != orders:
            return None
        free, word = list(range(self.size)), []
        for a, b in diagram.pairs:
            free.remove(a)
            word.append(free.index(b))
            free.remove(b)
        return word

    def _conditions(self) -> str:
        words = ["Brauer diagrams"]
        if self.chain is not None:
            words.append(f"no {self.chain + 1} pairwise non-nesting edges")
        return ", ".join(words)


def brauer_diagrams(dom: int, cod: int, chain: int | None = None) -> Enumeration[Brauer]:
    """The Brauer diagrams dom -> cod, or those without ``chain + 1`` pairwise non-nesting edges.

    Edges (a, b), (c, d) with a < b, c < d do not nest when a < c and b < d. In lexicographic order
    of the edges; none when dom + cod is odd.

    >>> [str(d) for d in brauer_diagrams(2, 2)]
    ['0 1 | 2 3', '0 2 | 1 3', '0 3 | 1 2']
    >>> [str(d) for d in brauer_diagrams(2, 2, chain=1)]
    ['0 3 | 1 2']
    >>> list(brauer_diagrams(1, 2))
    []
    >>> brauer_diagrams(12, 12, chain=3).count
    834086421
    """
    return _BrauerDiagrams(dom, cod, chain)
