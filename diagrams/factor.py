"""A diagram as contraction, then permutation, then embedding: what fast code is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from tannaka.diagrams.diagram import Diagram

D = TypeVar("D", bound=Diagram)


@dataclass(frozen=True, slots=True)
class Factorisation(Generic[D]):
    """``contraction >> permutation >> embedding`` of one diagram, with t through-components.

    * ``contraction`` dom -> t keeps each through-component's inputs as one output, in the order of
      their least inputs, and closes off the components that have inputs only;
    * ``permutation`` t -> t joins output i to the input that carries the same component;
    * ``embedding`` t -> cod spreads each through-component over its outputs, taken in the order of
      their least outputs, and adds the components that have outputs only.

    The three are determined by the diagram, and no loop closes when they are composed.
    """

    contraction: D
    permutation: D
    embedding: D

    @property
    def through(self) -> int:
        """How many components reach from inputs to outputs: the propagating number t."""
        return self.permutation.dom


def factor(diagram: D) -> Factorisation[D]:
    """Factor a diagram, uniquely, through its t through-components.

    Source: arXiv:2304.14165, the factorisation into permutation, planar diagram, permutation;
    here the permutations of the outer vertices are absorbed into contraction and embedding.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> parts = factor(SetPartition(3, 2, (0, 1, 1, 0, 2)))
    >>> [str(part) for part in (parts.contraction, parts.permutation, parts.embedding)]
    ['0 2 | 1 3 | 4', '0 3 | 1 2', '0 2 | 1 3']
    """
    cod, dom, family = diagram.cod, diagram.dom, type(diagram)
    tops = [[v for v in block if v < cod] for block in diagram.blocks]
    bottoms = [[v - cod for v in block if v >= cod] for block in diagram.blocks]
    through = [b for b in range(len(tops)) if tops[b] and bottoms[b]]
    by_output = sorted(through, key=lambda b: tops[b][0])
    by_input = sorted(through, key=lambda b: bottoms[b][0])
    t = len(through)

    closed = [bottoms[b] for b in range(len(tops)) if not tops[b]]
    kept = [[i, *(t + v for v in bottoms[b])] for i, b in enumerate(by_input)]
    lower = [[t + v for v in block] for block in closed]
    upper = [tops[b] for b in range(len(tops)) if not bottoms[b]]
    spread = [[*tops[b], cod + i] for i, b in enumerate(by_output)]
    return Factorisation(
        contraction=family.from_blocks(dom, t, kept + lower),
        permutation=family.permutation(tuple(by_input.index(b) for b in by_output)),
        embedding=family.from_blocks(t, cod, upper + spread),
    )
