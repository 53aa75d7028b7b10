"""Words of block labels: the enumerations of set partitions and of jellyfish diagrams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from math import comb
from typing import Any

from tannaka.diagrams.counts import count_jellyfish_diagrams, count_set_partitions
from tannaka.diagrams.diagram import bound, natural, order
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition, restricted_growth
from tannaka.diagrams.spaces.automaton import Automaton, Move


class SetPartitions(Automaton[SetPartition]):
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
        self.dom, self.cod = order("dom", dom), order("cod", cod)
        self.most = self.size if most is None else bound("most", most)
        self.largest = None if largest is None else bound("largest", largest)
        self.through = None if through is None else bound("through", through)
        self.even, self.planar = even, planar
        self.colours = (0,) * self.size if colours is None else tuple(colours)
        for colour in self.colours:
            if not isinstance(colour, Hashable):
                raise TypeError(f"a colour is hashable, a number or a word, got {colour!r}")
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

    def _quick(self, left: int, state: Any) -> int | None:
        # Where blocks must not cross and nothing else is asked, a vertex leaves any number from 1
        # to one more than before of the blocks open: paths that the ballot numbers count.
        one = self.most >= self.size and self.largest is None and len(set(self.colours)) < 2
        if not (self.planar and one) or self.even or self.through is not None:
            return None
        height = len(state[2])
        return comb(2 * left + height, left) * (height + 1) // (left + height + 1)

    def _viable(self, left: int, state: Any) -> bool:
        # Where nothing is asked in the end, a vertex may always be a block of its own.
        if self.most >= self.size and not self.even and self.through is None and self.largest != 0:
            return True
        return super()._viable(left, state)

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


class GrowthStrings(SetPartitions):
    """All set partitions with at most so many blocks. A state is the number of blocks so far."""

    @property
    def _start(self) -> int:
        return 0

    def _moves(self, state: int) -> Sequence[Move]:
        return [(b, max(state, b + 1)) for b in range(min(state + 1, self.most))]

    def _accepts(self, state: int) -> bool:
        return True

    def _total(self) -> int:
        return count_set_partitions(self.size, self.most)

    def _key(self, state: int) -> int:
        return state

    def __iter__(self) -> Iterator[SetPartition]:
        dom, cod = self.dom, self.cod
        for labels in growth_strings(self.size, self.most):
            yield SetPartition._made(dom, cod, labels)


def growth_strings(size: int, most: int) -> Iterator[tuple[int, ...]]:
    """The restricted growth strings with labels below ``most``, in lexicographic order.

    >>> list(growth_strings(3, 2))
    [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]
    """
    if not size:
        yield ()
        return
    # How many blocks there are before each point; the last point takes all its labels at once.
    labels, blocks = [0] * size, [0, *[1] * (size - 1)]
    while True:
        head = tuple(labels[:-1])
        for last in range(min(blocks[-1] + 1, most)):
            yield (*head, last)
        i = size - 2
        while i > 0 and labels[i] >= min(blocks[i], most - 1):
            i -= 1
        if i <= 0:
            return
        labels[i] += 1
        labels[i + 1 :] = [0] * (size - i - 1)
        blocks[i + 1 :] = [max(blocks[i], labels[i] + 1)] * (size - i - 1)


class JellyfishDiagrams(Automaton[Jellyfish]):
    """See :func:`jellyfish_diagrams`. First a label for each vertex, then legs from left to right.

    A state holds how many vertices are left, how many ends a next leg may have (the blocks there
    are so far and the free end, without those up to the last leg), and how many legs are left. The
    choice for a leg is how many ends it skips.
    """

    def __init__(self, dom: int, cod: int, n: int, most: int | None, *, covered: bool) -> None:
        self.dom, self.cod = order("dom", dom), order("cod", cod)
        self.n = natural("n", n, least=1, what="a number of legs")
        self.most = self.size if most is None else bound("most", most)
        self.covered = covered

    def _total(self) -> int:
        return count_jellyfish_diagrams(self.size, self.n, self.most, covered=self.covered)

    @property
    def _steps(self) -> int:
        return self.size + self.n

    @property
    def _start(self) -> Any:
        return self.size, 1, self.n

    def _moves(self, state: Any) -> Sequence[Move]:
        vertices, ends, legs = state
        if vertices:
            labels = range(min(ends, self.most))
            return [(label, (vertices - 1, max(ends, label + 2), legs)) for label in labels]
        skips = range(min(ends, 1) if self.covered else ends)
        return [(skip, (0, ends - skip - 1, legs - 1)) for skip in skips]

    def _accepts(self, state: Any) -> bool:
        # Where all blocks have a leg, at most the free end is left over.
        return not self.covered or state[1] <= 1

    def _build(self, word: Sequence[int]) -> Jellyfish:
        labels = tuple(word[: self.size])
        blocks, legs, end = len(set(labels)), [], 0
        for skip in word[self.size :]:
            legs.append(end + skip if end + skip < blocks else None)
            end += skip + 1
        return Jellyfish(self.dom, self.cod, labels, tuple(legs))

    def _word(self, diagram: Any) -> Sequence[int] | None:
        orders = (self.dom, self.cod, self.n)
        if not isinstance(diagram, Jellyfish) or (diagram.dom, diagram.cod, diagram.n) != orders:
            return None
        blocks, word, end = len(diagram.blocks), list(diagram.labels), 0
        for leg in diagram.legs:
            place = blocks if leg is None else leg
            word.append(place - end)
            end = place + 1
        return word

    def _conditions(self) -> str:
        words = [f"jellyfish diagrams, {self.n} legs"]
        words += [f"at most {self.most} blocks"] if self.most < self.size else []
        words += ["every block has a leg"] if self.covered else []
        return ", ".join(words)
