"""What a diagram tells whoever draws it: the one thing that pictures know of the families.

Each family has a method ``sketch()``; the geometry, the text and the steps read nothing else, so a
new family draws itself everywhere once it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from unicodedata import east_asian_width

Legs = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Sketch:
    """Two rows of vertices, outputs first, and what is drawn between them.

    ``blocks`` are drawn with strands. For each determinant vertex, ``determinants`` has the vertex
    at which each of its legs ends, in order, None for a free leg. The vertices of a graph are
    ``nodes``, each the labels on it, and ``edges`` join them by number; those with numbers in
    ``arcs`` are arrows. Where some have colours, ``node_colours`` has the names of those of each
    node and ``edge_colours`` the name of that of each edge, "" for none. Where axes are of several
    kinds, ``kinds`` names that of each vertex; ``types`` are those kinds as numbers, where strands
    of unlike types are to look unlike; strands are arrows where ``sources`` has the vertices that
    they leave from.

    >>> from tannaka.diagrams.grood import Grood
    >>> Grood(2, 1, (1, 0, 2), ()).sketch().determinants
    ((1, 0, 2),)
    """

    top: int
    bottom: int
    blocks: tuple[tuple[int, ...], ...]
    determinants: tuple[Legs, ...] = ()
    nodes: tuple[tuple[int, ...], ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    kinds: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    sources: frozenset[int] | None = None
    arcs: frozenset[int] = frozenset()
    node_colours: tuple[tuple[str, ...], ...] = ()
    edge_colours: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """From where to where, as orders or as words.

        >>> from tannaka.diagrams.walled import WalledBrauer
        >>> WalledBrauer.cap().sketch().name, WalledBrauer.cap().brauer.sketch().name
        ('V V* → ()', '2 → 0')
        """
        if not self.kinds:
            return f"{self.bottom} → {self.top}"
        outputs, inputs = self.kinds[: self.top], self.kinds[self.top :]
        return f"{' '.join(inputs) or '()'} → {' '.join(outputs) or '()'}"


class Drawable(Protocol):
    """Anything that can be drawn."""

    def sketch(self) -> Sketch:
        """What there is to draw."""


def overlaid(
    parts: Sequence[Sketch], places: Sequence[Sequence[int]], top: int, bottom: int
) -> Sketch:
    """One sketch of several on a common set of vertices: vertex v of part t is ``places[t][v]``.

    The parts become the types 0, 1, ..., whose axes are called V₀, V₁, ...

    >>> from tannaka.diagrams.brauer import Brauer
    >>> one = Brauer.identity(1).sketch()
    >>> overlaid([one, one], [(0, 3), (1, 2)], 2, 2).kinds
    ('V₀', 'V₁', 'V₁', 'V₀')
    """
    kind = {v: t for t, place in enumerate(places) for v in place}
    types = tuple(kind[v] for v in range(top + bottom))
    blocks: list[tuple[int, ...]] = []
    determinants: list[Legs] = []
    nodes: list[tuple[int, ...]] = []
    edges: list[tuple[int, int]] = []
    arcs: list[int] = []
    node_colours: list[tuple[str, ...]] = []
    edge_colours: list[str] = []
    for part, place in zip(parts, places, strict=True):
        blocks += _moved(part.blocks, place)
        for legs in part.determinants:
            determinants.append(tuple(None if v is None else place[v] for v in legs))
        arcs += [len(edges) + i for i in part.arcs]
        node_colours += part.node_colours or [()] * len(part.nodes)
        edge_colours += part.edge_colours or [""] * len(part.edges)
        edges += [(len(nodes) + a, len(nodes) + b) for a, b in part.edges]
        nodes += _moved(part.nodes, place)
    return Sketch(
        top,
        bottom,
        tuple(sorted(blocks)),
        tuple(determinants),
        tuple(nodes),
        tuple(edges),
        kinds=tuple(f"V{subscript(t)}" for t in types),
        types=types,
        arcs=frozenset(arcs),
        node_colours=tuple(node_colours) if any(node_colours) else (),
        edge_colours=tuple(edge_colours) if any(edge_colours) else (),
    )


def text_width(text: str) -> int:
    """Columns that a text takes in a terminal: East Asian wide characters take two.

    >>> text_width("n²"), text_width("図")
    (2, 2)
    """
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def subscript(number: int) -> str:
    """A number in subscript digits.

    >>> subscript(10)
    '₁₀'
    """
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _moved(groups: Iterable[tuple[int, ...]], place: Sequence[int]) -> Iterable[tuple[int, ...]]:
    return [tuple(place[v] for v in group) for group in groups]
