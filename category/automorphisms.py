"""The automorphism group of a graph, and bilabelled graphs as its diagrams."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.functor import check_entries
from tannaka.category.homomorphisms import homomorphisms, homomorphisms_at
from tannaka.category.hosts import Host
from tannaka.category.orbitals import Orbit
from tannaka.category.permutations import PermutationGroup, kept
from tannaka.category.portraits import names_of
from tannaka.category.sparse import Entries
from tannaka.category.spinning import spanning_graphs
from tannaka.category.stabilisers import Images, Stabiliser
from tannaka.category.straightening import Sum
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.enumerate import bilabelled_graphs
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.pictures.hosts import HostSketch, Key
from tannaka.diagrams.spaces.enumeration import Enumeration
from tannaka.diagrams.spaces.listed import Listed
from tannaka.diagrams.spaces.unions import Union

_MOST_KEYS = 8
MAX_GROWN = 16
"""Largest dimension for which a notebook shows graphs, not orbits: growing them takes a while."""
MAX_INVERTED = 150
"""Largest dimension at which the table of the basis is inverted once, and not solved each time."""


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Aut(PermutationGroup):
    """The automorphism group of a finite graph, as n x n permutation matrices.

    ``graph`` is a networkx graph of any kind: disconnected, directed, with loops or parallel edges.
    Its nodes are numbered in the order of ``graph.nodes``. ``node_attr`` and ``edge_attr`` name
    attributes that automorphisms must keep, such as the element of an atom and the kind of a bond.

    Its equivariant maps have two bases: the orbits of index tuples, ``hom.basis("orbit")``, and
    bilabelled graphs, ``hom.basis()``, whose matrices count homomorphisms to the graph and compose
    by gluing. ``in_orbits`` and ``morphism`` go from each to the other, exactly.

    Raises TypeError for anything but a networkx graph, ValueError for one without nodes, or where a
    node or an edge lacks the attribute.
    Source: arXiv:2307.07810; there all bilabelled graphs span, here some of them are a basis.

    >>> import networkx
    >>> group = Aut(networkx.petersen_graph())
    >>> group, group.order, [group.dimension(0, m) for m in range(5)]
    (Aut(Petersen Graph), 120, [1, 1, 3, 15, 107])
    >>> [str(graph) for graph in group.basis(1, 1)]
    ['0 1', '0 | 1', '0 | 1 ; 0-1']
    """

    host: Host

    symbol: ClassVar[str] = "Aut"
    families: ClassVar[tuple[type[Diagram], ...]] = (BilabelledGraph, Orbit)

    def __init__(
        self, graph: Any, node_attr: str | None = None, edge_attr: str | None = None
    ) -> None:
        host = graph if isinstance(graph, Host) else Host.of(graph, node_attr, edge_attr)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "n", host.n)

    @cached_property  # type: ignore[misc]
    def permutations(self) -> tuple[Images, ...]:
        """The generators that igraph finds, each as the tuple of its images."""
        return self.stabiliser.generators

    @property
    def _key(self) -> Any:
        return self.host

    @cached_property
    def stabiliser(self) -> Stabiliser:
        """The whole group, as the root of the tree of its point stabilisers."""
        return self.host.stabiliser

    def count(self, k: int, l: int) -> int:
        """How many bilabelled graphs k -> l on at most n vertices there are: they span."""
        return self.diagrams(k, l).count

    def diagrams(self, k: int, l: int) -> Enumeration[Any]:
        """The bilabelled graphs k -> l on at most n vertices, by their number of vertices.

        With loops where the host has some. Raises ValueError for hosts that are directed or have
        colours, whose bilabelled graphs are not enumerated.
        """
        k, l = order("k", k), order("l", l)
        if self.host.directed or self.host.colours or self.host.edge_colours not in ((), (None,)):
            raise ValueError(
                f"{self}: bilabelled graphs with directions or colours are not enumerated; "
                "hom.basis() has enough of them"
            )
        loops = any(a == b for a, b, _ in self.host.edges)
        spaces = (bilabelled_graphs(k, l, v, loops=loops) for v in range(self.n + 1))
        return Union(*spaces)

    def basis(self, k: int, l: int) -> Enumeration[Any]:
        """Bilabelled graphs k -> l that are a basis, small ones first.

        They are grown, not picked from :meth:`diagrams`: their order is another, and where n is
        very small some have more than n vertices.
        """
        return self._basis(order("k", k), order("l", l))

    @kept
    def _basis(self, k: int, l: int) -> Listed[BilabelledGraph]:
        graphs = [graph for graph, _ in self._grown(k, l)]
        return Listed(k, l, graphs, f"bilabelled graphs, a basis for {self}")

    @kept
    def _grown(self, k: int, l: int) -> list[tuple[BilabelledGraph, NDArray[Any]]]:
        found = spanning_graphs(self, k, l)
        for _, vector in found:
            vector.flags.writeable = False
        self._vectors.update(found)
        return found

    @cached_property
    def _vectors(self) -> dict[BilabelledGraph, NDArray[Any]]:
        """The values of graphs that are in a basis, which long paths do not give fast."""
        return {}

    def values(self, diagram: Diagram) -> NDArray[Any]:
        """The entries of a diagram's matrix at the least tuple of each orbit, exactly."""
        if isinstance(diagram, Orbit):
            return super().values(diagram)
        self.check(diagram)
        assert isinstance(diagram, BilabelledGraph)
        known = self._vectors.get(diagram)
        if known is not None:
            return known
        at = self.representatives(diagram.top + diagram.bottom)
        places = (
            np.stack([at[:, block[0]] for block in diagram.blocks], axis=1)
            if diagram.blocks
            else at[:, :0]
        )
        found = homomorphisms_at(diagram, self.host, places)
        for first, *others in diagram.blocks:
            for other in others:
                found = found * (at[:, first] == at[:, other])
        return found

    def rule(self, diagram: Any) -> Sum | None:
        """A bilabelled graph outside the basis, or an orbit, as a sum of basis graphs, exactly."""
        if diagram in self.basis(diagram.dom, diagram.cod):
            return None
        return self.morphism(diagram).at(self.n)

    def morphism(self, f: Diagram | Morphism) -> Morphism:
        """The same map as a sum of basis graphs, exactly; f is of bilabelled graphs or of orbits.

        >>> import networkx
        >>> square = Aut(networkx.cycle_graph(4))
        >>> edge = BilabelledGraph(2, [(0, 1)], outputs=(0,), inputs=(1,))
        >>> print(square.morphism(edge >> edge))
        2 (0 | 1) - 2 (0 | 1 ; 0-1)
        """
        f = self._own(f)
        basis = self.basis(f.dom, f.cod)
        terms = f.at(self.n)
        if all(diagram in basis for diagram in terms):
            return Morphism(f.dom, f.cod, {(d, 0): c for d, c in terms.items()}, n=self.n)
        # One system for the whole sum, however many terms it has.
        found = self._solved(f.dom, f.cod, self._entries_at_orbits(f))
        table = {(d, 0): c for d, c in zip(basis, found, strict=True)}
        return Morphism(f.dom, f.cod, table, n=self.n)

    def _solved(self, k: int, l: int, entries: list[Fraction]) -> list[Fraction]:
        """The coefficients in the basis of a function with these entries at the least tuples."""
        from sympy.polys.domains import QQ
        from sympy.polys.matrices import DomainMatrix

        size = len(entries)
        side = DomainMatrix([[QQ(e.numerator, e.denominator)] for e in entries], (size, 1), QQ)
        if size <= MAX_INVERTED:
            found = self._inverse(k, l) * side
        else:
            found = self._table(k, l).lu_solve(side)
        return [Fraction(int(x.numerator), int(x.denominator)) for (x,) in found.to_list()]

    @kept
    def _table(self, k: int, l: int) -> Any:
        """The values of the basis, in columns, as a SymPy matrix over Q."""
        from sympy.polys.domains import QQ
        from sympy.polys.matrices import DomainMatrix

        rows = [[QQ(int(value)) for value in values] for _, values in self._grown(k, l)]
        return DomainMatrix(rows, (len(rows), len(rows)), QQ).transpose()

    @kept
    def _inverse(self, k: int, l: int) -> Any:
        """Takes entries at the least tuples to coefficients in the basis; a SymPy matrix over Q."""
        return self._table(k, l).inv()

    def basis_values(self, k: int, l: int) -> dict[BilabelledGraph, NDArray[Any]]:
        """The entries of each basis graph's matrix at the least tuple of each orbit, exactly."""
        return dict(self._grown(k, l))

    def entries(self, diagram: Diagram) -> NDArray[Any]:
        """The matrix of one diagram, of shape (n**cod, n**dom)."""
        if not isinstance(diagram, BilabelledGraph):
            return super().entries(diagram)
        shape = (self.n**diagram.cod, self.n**diagram.dom)
        check_entries(shape)
        rows, columns, values = self.nonzeros(diagram)
        out = np.zeros(shape, dtype=values.dtype)
        out[rows, columns] = values
        return out

    def nonzeros(self, diagram: Diagram) -> Entries:
        """The (rows, columns, values) of the nonzero entries of one diagram's matrix."""
        if not isinstance(diagram, BilabelledGraph):
            return super().nonzeros(diagram)
        self.check(diagram)
        self.check_places(diagram)
        counts = homomorphisms(diagram, self.host)
        places = np.argwhere(counts)
        values = counts[counts != 0]
        labels = np.array([*diagram.outputs, *diagram.inputs], dtype=np.int64)
        tuples = places[:, labels]
        l = diagram.cod
        return self.flat(tuples[:, :l]), self.flat(tuples[:, l:]), values

    def check(self, diagram: Diagram) -> None:
        """Raise TypeError or ValueError for diagrams that say nothing of this group's graph."""
        super().check(diagram)
        if not isinstance(diagram, BilabelledGraph):
            return
        arcs = any(edge[0] != edge[1] for edge in diagram.edges)
        if arcs and diagram.directed != self.host.directed:
            kinds = (
                "directed" if d else "undirected" for d in (diagram.directed, self.host.directed)
            )
            raise ValueError("({}) is {}, the host graph {}".format(diagram, *kinds))

    def host_sketch(self) -> HostSketch:
        """What a picture shows of the host graph, but for orbits."""
        host = self.host
        names = {kind: "" if kind is None else str(kind) for kind in host.edge_colours}
        coloured = any(names.values())
        return HostSketch(
            host.n,
            tuple((a, b) for a, b, _ in host.edges),
            host.directed,
            kinds=tuple(names[kind] for _, _, kind in host.edges) if coloured else (),
            names=names_of(host.names),
            heading=str(self),
            keys=tuple(Key(name, edge=name) for name in names.values() if name)[:_MOST_KEYS],
        )

    def displayed(self, k: int, l: int) -> tuple[str, Enumeration[Any], int]:
        """The basis of bilabelled graphs, or the orbits where growing graphs would take a while."""
        if self.dimension(k, l) <= MAX_GROWN:
            return "bilabelled graphs", self.basis(k, l), MAX_GROWN
        return super().displayed(k, l)

    def latex(self) -> str:
        """Its name for LaTeX's math mode."""
        return "\\mathrm{Aut}(\\Gamma)"

    def __str__(self) -> str:
        return f"Aut({self.host})"

    __repr__ = __str__
