"""A diagram in factors: contraction, permutation, embedding; or permutation, planar, permutation."""

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
        return self.permutation.bottom


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


@dataclass(frozen=True, slots=True)
class PlanarFactorisation(Generic[D]):
    """``inputs >> planar >> outputs`` of one diagram: two permutations and a planar diagram.

    The planar diagram has its blocks in three groups from left to right: those with outputs only,
    the through-blocks, and those with inputs only, each as consecutive vertices. Blocks with
    outputs only and through-blocks come in the order of their least outputs, blocks with inputs
    only in the order of their least inputs; inside a block vertices keep their order.
    """

    inputs: D
    planar: D
    outputs: D


def planar_factor(diagram: D) -> PlanarFactorisation[D]:
    """Factor a diagram, uniquely, as permutation, planar diagram, permutation.

    Source: arXiv:2304.14165, the first step of its multiplication algorithm; the order of the
    groups and within them is fixed here, so that the factors are unique.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> parts = planar_factor(SetPartition(3, 2, (0, 1, 1, 0, 2)))
    >>> [str(part) for part in (parts.inputs, parts.planar, parts.outputs)]
    ['0 4 | 1 3 | 2 5', '0 2 | 1 3 | 4', '0 2 | 1 3']
    """
    cod, family = diagram.cod, type(diagram)
    tops = [block for block in diagram.blocks if block[-1] < cod]
    through = [block for block in diagram.blocks if block[0] < cod <= block[-1]]
    bottoms = [block for block in diagram.blocks if block[0] >= cod]
    upper = [v for block in tops + through for v in block if v < cod]
    lower = [v for block in through + bottoms for v in block if v >= cod]
    place = {v: i for i, v in enumerate(upper)} | {v: cod + i for i, v in enumerate(lower)}
    return PlanarFactorisation(
        inputs=family.permutation(tuple(v - cod for v in lower)),
        planar=family.from_blocks(
            diagram.dom, cod, [[place[v] for v in block] for block in diagram.blocks]
        ),
        outputs=family.permutation(tuple(place[v] for v in range(cod))),
    )
