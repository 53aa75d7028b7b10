"""Host graphs: what an automorphism group keeps, as numbered vertices and relations between them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import combinations, permutations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tannaka.category.stabilisers import Images, Search, Stabiliser

Colour: TypeAlias = int | str
Arc: TypeAlias = tuple[int, int, Colour | None]


@dataclass(frozen=True)
class Host:
    """A finite graph on the vertices 0 .. n-1, with colours where it has them.

    ``edges`` are (a, b, colour), None for no colour; from a to b where ``directed``, else a <= b.
    ``colours`` has the colour of each vertex, None for none, or is empty. ``names`` are what the
    vertices were called.
    """

    n: int
    edges: tuple[Arc, ...]
    colours: tuple[Colour | None, ...] = ()
    directed: bool = False
    names: tuple[Hashable, ...] = field(default=(), compare=False)
    title: str = field(default="", compare=False)

    @classmethod
    def of(cls, graph: Any, node_attr: str | None = None, edge_attr: str | None = None) -> Host:
        """A networkx graph, its nodes in their order.

        Raises TypeError for anything else, ValueError where it has no node, or a node or an edge
        lacks the attribute.
        """
        wanted = all(hasattr(graph, name) for name in ("nodes", "edges", "is_directed"))
        if not wanted or isinstance(graph, type):
            came = (
                f"the class {graph.__name__}" if isinstance(graph, type) else type(graph).__name__
            )
            raise TypeError(
                f"expected a networkx graph, got {came}: networkx.Graph(edges) makes one"
            )
        for name, given in (("node_attr", node_attr), ("edge_attr", edge_attr)):
            if given is not None:
                _hashable(given, f"{name}, the name of an attribute,")
        names = tuple(graph.nodes)
        if not names:
            raise ValueError("the graph has no node: V = R^n needs n >= 1")
        number = {name: i for i, name in enumerate(names)}
        directed = bool(graph.is_directed())
        bundles: defaultdict[tuple[int, int], list[Hashable]] = defaultdict(list)
        for one, other, data in graph.edges(data=True):
            a, b = number[one], number[other]
            if edge_attr is not None and edge_attr not in data:
                raise ValueError(f"the edge {one!r}, {other!r} has no attribute {edge_attr!r}")
            kind = (
                None
                if edge_attr is None
                else _hashable(data[edge_attr], f"a colour, here of {edge_attr!r},")
            )
            bundles[(a, b) if directed or a <= b else (b, a)].append(kind)
        # Parallel edges are one, which is known by how many of each kind there are.
        parallel = any(len(kinds) > 1 for kinds in bundles.values())
        kinds: dict[tuple[int, int], Hashable] = {
            ends: frozenset(Counter(kinds).items()) if parallel else kinds[0]
            for ends, kinds in bundles.items()
        }
        listed = sorted(kinds)
        edge_colours = _colours([kinds[ends] for ends in listed])
        node_colours: list[Colour | None] = []
        if node_attr is not None:
            for name, data in graph.nodes(data=True):
                if node_attr not in data:
                    raise ValueError(f"the node {name!r} has no attribute {node_attr!r}")
            values = [
                _hashable(data[node_attr], f"a colour, here of {node_attr!r},")
                for _, data in graph.nodes(data=True)
            ]
            node_colours = _colours(values) if set(values) != {None} else []
        return cls(
            len(names),
            tuple((a, b, colour) for (a, b), colour in zip(listed, edge_colours, strict=True)),
            tuple(node_colours),
            directed,
            names,
            str(getattr(graph, "name", "") or ""),
        )

    def __getstate__(self) -> dict[str, Any]:
        # Not what was found on the way: stabilisers are many, and quickly found again.
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @cached_property
    def edge_colours(self) -> tuple[Colour | None, ...]:
        """The colours of edges, each once, in the order in which edges first have them."""
        return tuple(dict.fromkeys(colour for _, _, colour in self.edges))

    @cached_property
    def vertex_colours(self) -> tuple[Colour, ...]:
        """The colours of vertices, each once, in the order in which vertices first have them."""
        return tuple(kind for kind in dict.fromkeys(self.colours) if kind is not None)

    @cached_property
    def _adjacencies(self) -> dict[Colour | None, NDArray[np.int64]]:
        return {}

    def adjacency(self, colour: Colour | None = None) -> NDArray[np.int64]:
        """The adjacency matrix: 1 at row a, column b where an edge leads from a to b.

        Of edges of one colour, or of all where it is None. Raises ValueError for a colour that no
        edge has.
        """
        if colour is not None and colour not in self.edge_colours:
            raise ValueError(
                f"no edge of the host graph has colour {colour!r}; "
                f"the colours are {_listed(self.edge_colours)}"
            )
        if colour not in self._adjacencies:
            out = np.zeros((self.n, self.n), dtype=np.int64)
            for a, b, kind in self.edges:
                if colour is None or kind == colour:
                    out[a, b] = 1
                    if not self.directed:
                        out[b, a] = 1
            out.flags.writeable = False
            self._adjacencies[colour] = out
        return self._adjacencies[colour]

    def having(self, colour: Colour) -> NDArray[np.int64]:
        """1 for each vertex of a colour, else 0. Raises ValueError for a colour that none has."""
        if colour not in self.vertex_colours:
            raise ValueError(
                f"no vertex of the host graph has colour {colour!r}; "
                f"the colours are {_listed(self.vertex_colours)}"
            )
        return np.array([kind == colour for kind in self.colours], dtype=np.int64)

    @cached_property
    def degree(self) -> int:
        """The most neighbours that a vertex has, in either direction."""
        whole = self.adjacency()
        return int(max(whole.sum(axis=0).max(), whole.sum(axis=1).max()))

    @cached_property
    def stabiliser(self) -> Stabiliser:
        """The group of all automorphisms, as the root of the tree of its point stabilisers."""
        return Stabiliser(self.n, (), _Bliss(self))

    def __str__(self) -> str:
        if self.title:
            return self.title
        kind = "directed graph" if self.directed else "graph"
        coloured = " and ".join(
            ["vertex"] * bool(self.colours) + ["edge"] * (self.edge_colours not in ((), (None,)))
        )
        words = f"{kind} on {self.n} vertices with {len(self.edges)} edges"
        return f"{words} and {coloured} colours" if coloured else words


class _Bliss(Search):
    """Stabilisers by igraph: automorphisms that keep colours, of which fixed points have their own."""

    def __init__(self, host: Host) -> None:
        import igraph

        self.n = host.n
        loops: defaultdict[int, set[Any]] = defaultdict(set)
        for a, b, colour in host.edges:
            if a == b:
                loops[a].add(colour)
        simple = [edge for edge in host.edges if edge[0] != edge[1]]
        known = [
            (host.colours[v] if host.colours else None, frozenset(loops[v])) for v in range(host.n)
        ]
        keys: dict[Any, int] = {}
        self.colours = [keys.setdefault(key, len(keys)) for key in known]
        size, arcs = host.n, [(a, b) for a, b, _ in simple]
        kinds = len({colour for _, _, colour in simple})
        spots = size * (size - 1) // (1 if host.directed else 2)
        if kinds == 1 and 4 * len(arcs) > 3 * spots:
            # The other pairs have the same automorphisms, and are fewer.
            tables = permutations if host.directed else combinations
            arcs = list(set(tables(range(size), 2)).difference(arcs))
        if kinds > 1:
            # BLISS knows no colours of edges: each edge becomes a vertex of its colour.
            arcs = []
            for number, (a, b, colour) in enumerate(simple):
                arcs += [(a, host.n + number), (host.n + number, b)]
                self.colours.append(keys.setdefault(("edge", colour), len(keys)))
            size += len(simple)
        self.graph = igraph.Graph(size, arcs, directed=host.directed)

    def fixing(self, points: Images, inside: Stabiliser | None) -> list[Images]:
        del inside
        colours = self.colours.copy()
        first = max(colours, default=0) + 1
        for number, point in enumerate(points):
            colours[point] = first + number
        found = self.graph.automorphism_group(color=colours)
        return [images[: self.n] for images in found]


def _hashable(value: Any, name: str) -> Hashable:
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"{name} must be hashable, got {value!r}") from None
    found: Hashable = value
    return found


def _colours(values: Sequence[Hashable]) -> list[Colour | None]:
    """The values themselves where they can be written as colours, else numbers 0, 1, ..."""
    if all(_writable(value) for value in values):
        return list(values)  # type: ignore[arg-type]
    number: dict[Hashable, int] = {}
    numbers = [number.setdefault(value, len(number)) for value in values]
    # Parallel edges without kinds are known by how many there are.
    if all(isinstance(value, frozenset) and len(value) == 1 for value in number):
        counts = {value: dict(value) for value in number}  # type: ignore[call-overload]
        if all(None in count for count in counts.values()):
            return [counts[value][None] for value in values]
    return list(numbers)


def _listed(colours: Sequence[Colour | None]) -> str:
    return ", ".join(repr(colour) for colour in colours if colour is not None) or "none"


def _writable(value: Hashable) -> bool:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return True
    return isinstance(value, str) and value.isidentifier()
