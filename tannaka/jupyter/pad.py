"""Drawing a diagram by strokes between points: what a stroke means, and what is still missing.

An end of a stroke is a vertex of the diagram by its number; ``DET``, the determinant vertex, whose
strokes are its legs in their order; ``BLANK``, the empty page: a leg that ends there is free, and an
edge of a graph that ends there makes a vertex without a label. Those vertices have the numbers after
the labelled ones.

The rules are those of the group's diagrams. Partitions: strands join points into blocks. Matchings:
each point has one partner, or a leg. Graphs: strands put labels on one vertex, edges join vertices.
A stroke that no diagram has is refused, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from tannaka.category.alternating import A
from tannaka.category.automorphisms import Aut
from tannaka.category.groups import Group
from tannaka.category.hyperoctahedral import H
from tannaka.category.orthogonal import SO
from tannaka.category.product import Product
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram, length
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.partition import SetPartition, connected
from tannaka.diagrams.pictures.sketch import Sketch
from tannaka.diagrams.typed import Typed

DET, BLANK = -1, -2
"""The ends of strokes that are no vertices: the determinant vertex, and the empty page."""
MOST_INNER = 8
"""Most vertices of a graph without a label."""


@dataclass(frozen=True)
class Stroke:
    """One stroke, between two vertices, or from the determinant vertex; an ``edge`` of a graph or not."""

    start: int
    end: int
    edge: bool = False


@dataclass(frozen=True)
class Pad:
    """What has been drawn so far of a diagram k -> l for a group.

    >>> from tannaka.category.symmetric import S
    >>> Pad(S(3), 1, 2).drawn(0, 2).diagram()
    SetPartition(dom=1, cod=2, labels=(0, 1, 0))
    >>> from tannaka.category.orthogonal import O
    >>> Pad(O(3), 2, 2).drawn(0, 2).missing()
    'vertices 1 and 3 have no partner yet'
    """

    group: Group
    k: Any
    l: Any
    strokes: tuple[Stroke, ...] = ()

    @property
    def size(self) -> int:
        """How many labelled vertices there are."""
        return length(self.k) + length(self.l)

    @property
    def inner(self) -> int:
        """How many vertices of a graph have no label."""
        ends = [end for stroke in self.strokes for end in (stroke.start, stroke.end)]
        return max([self.size - 1, *ends]) + 1 - self.size

    @property
    def has_determinant(self) -> bool:
        """Whether the group's diagrams may have a determinant vertex."""
        return isinstance(self.group, SO | A)

    @property
    def has_edges(self) -> bool:
        """Whether the group's diagrams are graphs."""
        return isinstance(self.group, Aut)

    @property
    def matches(self) -> bool:
        """Whether each vertex has exactly one partner."""
        return not isinstance(self.group, Product) and self.group.families[0] is Brauer

    @property
    def legs(self) -> tuple[int, ...]:
        """The vertices at which the legs of the determinant vertex end, in order; BLANK for a free one."""
        return tuple(stroke.end for stroke in self.strokes if stroke.start == DET)

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The vertices that strands join, each block sorted, inner vertices of a graph among them."""
        joined = [
            (stroke.start, stroke.end)
            for stroke in self.strokes
            if stroke.start != DET and not stroke.edge
        ]
        labels = connected(self.size + self.inner, joined)
        blocks: dict[int, list[int]] = {}
        for vertex, label in enumerate(labels):
            blocks.setdefault(label, []).append(vertex)
        return tuple(map(tuple, blocks.values()))

    def drawn(self, start: int, end: int, edge: bool = False) -> Pad:
        """With one stroke more; raises ValueError for one that the group's diagrams do not have."""
        if start == BLANK or end == DET:
            start, end = end, start
        last = self.size + self.inner
        known = all(v in (DET, BLANK) or 0 <= v < last for v in (start, end))
        if not known or start == BLANK or end == DET:
            raise ValueError(f"a stroke joins two of the {last} vertices, got {start} and {end}")
        if start == DET:
            self._check_leg(end)
        elif edge:
            end = self._edge_end(end)
        elif end == BLANK:
            raise ValueError("a strand ends at a vertex: draw on until you meet one")
        elif start == end:
            raise ValueError(f"a strand joins two vertices, and this one comes back to {start}")
        else:
            self._check_strand(start, end)
        return replace(self, strokes=(*self.strokes, Stroke(start, end, edge and start != DET)))

    def freed(self, vertex: int) -> Pad:
        """Without the strokes at a vertex; at DET, without its legs."""
        kept = tuple(s for s in self.strokes if vertex not in (s.start, s.end))
        inner = sorted({e for s in kept for e in (s.start, s.end) if e >= self.size})
        place = {old: self.size + new for new, old in enumerate(inner)}
        moved = (
            replace(s, start=place.get(s.start, s.start), end=place.get(s.end, s.end)) for s in kept
        )
        return replace(self, strokes=tuple(moved))

    def undone(self) -> Pad:
        """Without the last stroke."""
        return replace(self, strokes=self.strokes[:-1])

    def cleared(self) -> Pad:
        """Without any."""
        return replace(self, strokes=())

    @classmethod
    def of(cls, group: Group, diagram: Diagram) -> Pad:
        """The strokes that draw a diagram.

        >>> from tannaka.category.orthogonal import SO
        >>> f = Grood(2, 3, (0, 1, 2), ((3, 4),))
        >>> Pad.of(SO(3), f).diagram() == f
        True
        """
        pad = cls(group, diagram.dom, diagram.cod)
        blocks: Sequence[Sequence[int]] = diagram.blocks
        if isinstance(diagram, Grood):
            blocks = diagram.pairs
        for block in blocks:
            for a, b in pairwise(block):
                pad = pad.drawn(a, b)
        if isinstance(diagram, BilabelledGraph):
            ends = (*diagram.outputs, *diagram.inputs)
            at = {vertex: ends.index(vertex) for vertex in dict.fromkeys(ends)}
            bare = (v for v in range(diagram.vertices) if v not in at)
            at |= {vertex: pad.size + i for i, vertex in enumerate(bare)}
            strokes = tuple(Stroke(at[a], at[b], edge=True) for a, b, *_ in diagram.edges)
            pad = replace(pad, strokes=pad.strokes + strokes)
        if isinstance(diagram, Grood):
            for leg in diagram.legs:
                pad = pad.drawn(DET, leg)
        if isinstance(diagram, Jellyfish):
            for number in diagram.legs:
                pad = pad.drawn(DET, BLANK if number is None else diagram.blocks[number][0])
        if pad.missing() or pad.diagram() != diagram:
            raise ValueError(f"({diagram}) is not of strokes between points: it cannot be drawn")
        return pad

    def missing(self) -> str:
        """What is still missing to a diagram, in words; "" when it is one."""
        legs = len(self.legs)
        if legs and legs < self.group.n:
            return f"the determinant has {legs} of its {self.group.n} legs"
        if self.matches:
            single = [b[0] for b in self.blocks if len(b) == 1 and b[0] not in self.legs]
            if single:
                have = "have" if len(single) > 1 else "has"
                return f"{_vertices(single)} {have} no partner yet"
        if isinstance(self.group, Product):
            return self._missing_in_factors()
        return self._odd()

    def diagram(self) -> Any:
        """The diagram; raises ValueError while something is missing."""
        missing = self.missing()
        if missing:
            raise ValueError(missing)
        group, k, l, blocks = self.group, self.k, self.l, self.blocks
        if isinstance(group, Product):
            return Typed.of(k, l, blocks, [factor.families[0] for factor in group.factors])
        if isinstance(group, Aut):
            at = self._block_of()
            edges = tuple((at[s.start], at[s.end]) for s in self.strokes if s.edge)
            ends = tuple(at[v] for v in range(self.size))
            return BilabelledGraph(
                len(blocks), edges, ends[:l], ends[l:], directed=group.host.directed
            )
        if self.matches:
            pairs = tuple((block[0], block[1]) for block in blocks if len(block) == 2)
            return Grood(k, l, self.legs, pairs) if self.legs else Brauer(k, l, pairs)
        plain = SetPartition.from_blocks(k, l, blocks)
        if not self.legs:
            return plain
        legs = tuple(None if leg == BLANK else plain.labels[leg] for leg in self.legs)
        return Jellyfish(k, l, plain.labels, legs)

    def sketch(self) -> Sketch:
        """What there is to draw of it so far."""
        top, bottom = length(self.l), length(self.k)
        kinds: tuple[str, ...] = ()
        types: tuple[int, ...] = ()
        if isinstance(self.group, Product):
            types = (*self.l, *self.k)
            kinds = tuple(f"V{str(t).translate(_LOW)}" for t in types)
        if self.has_edges:
            at = self._block_of()
            nodes = tuple(tuple(v for v in block if v < self.size) for block in self.blocks)
            edges = tuple((at[s.start], at[s.end]) for s in self.strokes if s.edge)
            directed: Any = self.group
            arcs = range(len(edges)) if directed.host.directed else ()
            return Sketch(top, bottom, (), nodes=nodes, edges=edges, arcs=frozenset(arcs))
        ends = tuple(None if leg == BLANK else leg for leg in self.legs)
        legs = (ends,) if ends else ()
        return Sketch(top, bottom, self.blocks, legs, kinds=kinds, types=types)

    def _block_of(self) -> dict[int, int]:
        return {v: number for number, block in enumerate(self.blocks) for v in block}

    def _check_strand(self, start: int, end: int) -> None:
        if isinstance(self.group, Product):
            word = (*self.l, *self.k)
            if word[start] != word[end]:
                raise ValueError(
                    f"{start} is an axis of {self.group.factors[word[start]]} and {end} one of "
                    f"{self.group.factors[word[end]]}: nothing joins axes of different groups"
                )
        of = self._block_of()
        if of[start] == of[end]:
            raise ValueError(f"{start} and {end} are joined already")
        if self.matches or self._matched(start):
            for vertex in (start, end):
                self._check_unmatched(vertex)
        legged = {of[leg] for leg in self.legs if leg != BLANK}
        if {of[start], of[end]} <= legged:
            raise ValueError(
                f"both {start} and {end} hang on legs of the determinant: with two legs on one "
                "block the diagram would be worth 0"
            )

    def _check_unmatched(self, vertex: int) -> None:
        partner = next((b for b in self.blocks if vertex in b and len(b) > 1), None)
        taken = f"{vertex} is taken by the determinant" if vertex in self.legs else ""
        if partner:
            other = next(v for v in partner if v != vertex)
            taken = f"{vertex} is joined to {other} already"
        if taken:
            raise ValueError(
                f"{taken}: in {self.group} every vertex has exactly one partner; "
                f"click {vertex} twice to free it"
            )

    def _matched(self, vertex: int) -> bool:
        """Whether a vertex of a product belongs to a factor whose diagrams are matchings."""
        return self._factor(vertex).families[0] is Brauer

    def _check_leg(self, end: int) -> None:
        if not self.has_determinant:
            raise ValueError(f"the diagrams of {self.group} have no determinant vertex")
        if len(self.legs) == self.group.n:
            raise ValueError(
                f"the determinant of {self.group} has {self.group.n} legs, and all are in use"
            )
        if self.matches:
            if end == BLANK:
                raise ValueError(f"a leg of the determinant of {self.group} ends at a vertex")
            self._check_unmatched(end)
        elif end == BLANK:
            if BLANK in self.legs:
                raise ValueError("one leg may be free; with two the diagram would be worth 0")
        else:
            of = self._block_of()
            if of[end] in {of[leg] for leg in self.legs if leg != BLANK}:
                raise ValueError(
                    f"the block of {end} has a leg already; with two the diagram would be worth 0"
                )

    def _edge_end(self, end: int) -> int:
        if not self.has_edges:
            raise ValueError(f"the diagrams of {self.group} have strands, not edges")
        if end != BLANK:
            return end
        if self.inner == MOST_INNER:
            raise ValueError(f"at most {MOST_INNER} vertices without a label can be drawn")
        return self.size + self.inner

    def _missing_in_factors(self) -> str:
        single = [block[0] for block in self.blocks if len(block) == 1 and self._matched(block[0])]
        if not single:
            return self._odd()
        have = "have" if len(single) > 1 else "has"
        return f"{_vertices(single)} {have} no partner yet"

    def _odd(self) -> str:
        """The first block that changes of sign do not keep, in words; "" where there is none."""
        for block in self.blocks:
            group = self._factor(block[0])
            if len(block) % 2 and isinstance(group, H):
                return f"the block of {_vertices(block)} is odd: the diagrams of {group} have even blocks"
        return ""

    def _factor(self, vertex: int) -> Group:
        """The group that acts on the axis of a vertex."""
        if isinstance(self.group, Product):
            factor: Group = self.group.factors[(*self.l, *self.k)[vertex]]
            return factor
        return self.group


_LOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _vertices(numbers: Sequence[int]) -> str:
    """Vertices by their numbers, in words.

    >>> _vertices([2]), _vertices([0, 1, 4])
    ('vertex 2', 'vertices 0, 1 and 4')
    """
    words = list(map(str, numbers))
    if len(words) == 1:
        return f"vertex {words[0]}"
    return f"vertices {', '.join(words[:-1])} and {words[-1]}"
