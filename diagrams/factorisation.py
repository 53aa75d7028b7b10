"""A diagram in factors: contraction, permutation, embedding; or permutation, planar, permutation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.diagram import MAX_DRAWN, Diagram
from tannaka.diagrams.pictures.bundle import mimebundle, picture_formats
from tannaka.diagrams.pictures.markup import MONO, font, line
from tannaka.diagrams.pictures.panels import Panel, beside_svg, captioned, diagram_panel
from tannaka.diagrams.typed import Typed

D = TypeVar("D", bound=Diagram)


@dataclass(frozen=True, slots=True)
class Factorisation(Generic[D]):
    """``contraction >> permutation >> embedding`` of one diagram, through t strands.

    * ``contraction`` dom -> t keeps each through-component's inputs as one output, in the order of
      their least inputs, and closes off the components that have inputs only;
    * ``permutation`` t -> t joins output i to the input that carries the same component;
    * ``embedding`` t -> cod spreads each strand over the outputs of its component, taken in the
      order of their least outputs, and adds the components that have outputs only.

    A determinant vertex belongs to the embedding when its legs end at outputs only, or free; else
    to the contraction, and then each leg that ends at outputs only has a strand of its own, after
    the through-components, in the order of their least outputs. A component is an edge or a block:
    legs do not connect. Typed diagrams are factored type by type, and the strands are words in
    which the types increase.

    The three are determined by the diagram, and no loop closes when they are composed.
    """

    contraction: D
    permutation: D
    embedding: D

    def svg(self) -> str:
        """The three factors as a self-contained SVG picture, in the order of ``>>``.

        >>> from tannaka.diagrams.partition import SetPartition
        >>> factor(SetPartition(1, 1, (0, 1))).svg().count("<title>")
        1
        """
        names = ("contraction", "permutation", "embedding")
        return _factors_svg([(name, getattr(self, name)) for name in names])

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        parts = (self.contraction, self.permutation, self.embedding)
        return _factors_bundle(self, parts, include, exclude)

    @property
    def through(self) -> int:
        """How many strands lead from the contraction to the embedding.

        Without a determinant vertex, the propagating number t: how many components reach from
        inputs to outputs.
        """
        return self.permutation.bottom


def factor(diagram: D) -> Factorisation[D]:
    """Factor a diagram, uniquely, through its through-components.

    Raises TypeError for a bilabelled graph, which has no such factors.
    Source: arXiv:2304.14165, the factorisation into permutation, planar diagram, permutation;
    here the permutations of the outer vertices are absorbed into contraction and embedding.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> parts = factor(SetPartition(3, 2, (0, 1, 1, 0, 2)))
    >>> [str(part) for part in (parts.contraction, parts.permutation, parts.embedding)]
    ['0 2 | 1 3 | 4', '0 3 | 1 2', '0 2 | 1 3']
    >>> from tannaka.diagrams.grood import Grood
    >>> parts = factor(Grood(3, 2, (1, 2, 3), [(0, 4)]))
    >>> [str(part) for part in (parts.contraction, parts.permutation, parts.embedding)]
    ['0 4 [1 2 3]', '0 2 | 1 3', '0 2 | 1 3']
    """
    _check_blocks(diagram)
    if isinstance(diagram, Typed):
        return _typed_factors(diagram)
    cod = diagram.top
    blocks, legs = diagram.dissected()
    tops = [[v for v in block if v < cod] for block in blocks]
    bottoms = [[v - cod for v in block if v >= cod] for block in blocks]
    through = [b for b in range(len(blocks)) if tops[b] and bottoms[b]]
    low = any(leg is not None and bottoms[leg] for leg in legs)
    carried = sorted(
        (leg for leg in legs if low and leg is not None and not bottoms[leg]),
        key=lambda leg: tops[leg][0],
    )
    by_input = [*sorted(through, key=lambda b: bottoms[b][0]), *carried]
    by_output = sorted([*through, *carried], key=lambda b: tops[b][0])
    t = len(by_input)

    closed = [b for b in range(len(blocks)) if not tops[b]]
    opened = [b for b in range(len(blocks)) if not bottoms[b] and b not in carried]
    lower = [[i, *(t + v for v in bottoms[b])] for i, b in enumerate(by_input)]
    lower += [[t + v for v in bottoms[b]] for b in closed]
    upper = [tops[b] for b in opened]
    upper += [[*tops[b], cod + i] for i, b in enumerate(by_output)]
    middle = diagram.kinds([cod + bottoms[b][0] if bottoms[b] else tops[b][0] for b in by_input])
    arranged = diagram.arranged(tuple(by_input.index(b) for b in by_output), middle)
    return Factorisation(
        contraction=diagram.assembled(
            diagram.dom, middle, lower, _numbered(legs, by_input + closed) if low else ()
        ),
        permutation=arranged,
        embedding=diagram.assembled(
            arranged.cod, diagram.cod, upper, () if low else _numbered(legs, opened + by_output)
        ),
    )


def _numbered(legs: Sequence[int | None], blocks: Sequence[int]) -> list[int | None]:
    """The legs, where the blocks have been put in another order."""
    return [None if leg is None else blocks.index(leg) for leg in legs]


def _typed_factors(diagram: Typed) -> Factorisation[Any]:
    factors = [factor(part) for part in diagram.parts]
    middle = tuple(t for t, parts in enumerate(factors) for _ in range(parts.through))
    return Factorisation(
        Typed(diagram.dom, middle, tuple(parts.contraction for parts in factors)),
        Typed(middle, middle, tuple(parts.permutation for parts in factors)),
        Typed(middle, diagram.cod, tuple(parts.embedding for parts in factors)),
    )


def _factors_svg(factors: Sequence[tuple[str, Diagram]]) -> str:
    panels: list[Panel] = []
    for name, diagram in factors:
        if panels:
            panels.append(Panel(18.0, 20.0, line(">>", 9, 14, font(13, MONO))))
        panels.append(captioned(diagram_panel(diagram), name))
    return beside_svg(panels, " >> ".join(f"{name} ({diagram})" for name, diagram in factors))


def _factors_bundle(
    found: Any,
    parts: Sequence[Diagram],
    include: Collection[str] | None,
    exclude: Collection[str] | None,
) -> dict[str, str]:
    drawn = sum(part.top + part.bottom for part in parts) <= 3 * MAX_DRAWN
    formats = picture_formats(found.__repr__, found.svg if drawn else None)
    return mimebundle(formats, include, exclude)


def _check_blocks(diagram: Diagram) -> None:
    if isinstance(diagram, BilabelledGraph):
        raise TypeError("a bilabelled graph is more than its blocks: it has no such factors")


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

    def svg(self) -> str:
        """The three factors as a self-contained SVG picture, in the order of ``>>``."""
        names = ("inputs", "planar", "outputs")
        return _factors_svg([(name, getattr(self, name)) for name in names])

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        return _factors_bundle(self, (self.inputs, self.planar, self.outputs), include, exclude)


def planar_factor(diagram: D) -> PlanarFactorisation[D]:
    """Factor a diagram, uniquely, as permutation, planar diagram, permutation.

    The legs of a Brauer-Grood diagram are one block; those of a jellyfish stay on their blocks.
    Raises TypeError for a bilabelled graph and for a typed diagram, whose parts have such factors.
    Source: arXiv:2304.14165, the first step of its multiplication algorithm; the order of the
    groups and within them is fixed here, so that the factors are unique.

    >>> from tannaka.diagrams.partition import SetPartition
    >>> parts = planar_factor(SetPartition(3, 2, (0, 1, 1, 0, 2)))
    >>> [str(part) for part in (parts.inputs, parts.planar, parts.outputs)]
    ['0 4 | 1 3 | 2 5', '0 2 | 1 3 | 4', '0 2 | 1 3']
    """
    _check_blocks(diagram)
    if isinstance(diagram, Typed):
        raise TypeError(
            "blocks of different types cross freely: factor the parts of a typed diagram"
        )
    cod = diagram.top
    tops = [block for block in diagram.blocks if block[-1] < cod]
    through = [block for block in diagram.blocks if block[0] < cod <= block[-1]]
    bottoms = [block for block in diagram.blocks if block[0] >= cod]
    upper = [v for block in tops + through for v in block if v < cod]
    lower = [v for block in through + bottoms for v in block if v >= cod]
    place = {v: i for i, v in enumerate(upper)} | {v: cod + i for i, v in enumerate(lower)}
    blocks, legs = diagram.dissected()
    moved = [[place[v] for v in block] for block in blocks]
    middle = diagram.kinds(upper)
    return PlanarFactorisation(
        inputs=diagram.arranged(tuple(v - cod for v in lower), diagram.dom),
        planar=diagram.assembled(diagram.kinds(lower), middle, moved, legs),
        outputs=diagram.arranged(tuple(place[v] for v in range(cod)), middle),
    )
