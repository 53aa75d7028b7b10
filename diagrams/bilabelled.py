"""Bilabelled graphs: graphs with output and input labels on their vertices, for Aut(G)."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tannaka.diagrams.canonical import Colour, Edge, canonical, colour_of, colour_order, edge_order
from tannaka.diagrams.diagram import (
    Diagram,
    check_category,
    check_composable,
    check_data,
    listed,
    order,
    text_of,
)
from tannaka.diagrams.errors import CompositionError
from tannaka.diagrams.partition import SetPartition, connected
from tannaka.diagrams.pictures.formulas import homomorphism_factors
from tannaka.diagrams.pictures.sketch import Sketch


@dataclass(frozen=True, slots=True, repr=False)
class BilabelledGraph(Diagram):
    """A bilabelled graph dom -> cod: a graph with a vertex for each output and each input.

    ``outputs[i]`` is the vertex that output i labels, ``inputs[j]`` the one of input j; a vertex may
    carry many labels or none, and edges may be loops. Vertices may be given as a number, which
    stands for 0, 1, ..., or as any distinct hashable names; parallel edges are one edge. They are
    renumbered into a canonical form, so that isomorphic bilabelled graphs are equal: labelled
    vertices first, as the labels first name them, outputs before inputs; the others as nauty's
    relative bliss orders them.

    Where the host graph has them, edges may be ``directed`` and have a colour, ``(a, b, colour)``,
    and ``colours`` has pairs (vertex, colour), any number for a vertex. A colour is an integer, or a
    word that ``str.isidentifier`` takes. An edge without colour stands for one of any colour, so
    beside a parallel one that has a colour it says nothing and is left out. A graph is only
    ``directed`` where it has an edge that is no loop: identities, spiders and loops have no
    direction and go with both kinds.

    Its matrix for the automorphisms of a host graph G on n vertices, of shape (n**cod, n**dom),
    counts at row I, column J the homomorphisms to G that send output i to I_i and input j to J_j:
    maps of vertices that send an edge to an edge, an arc to an arc of that direction, an edge of a
    colour to an edge of that colour, and a vertex to one that has all its colours.
    Source: arXiv:2307.07810, after Mančinska and Roberson, arXiv:1910.06958. Both have undirected
    graphs without colours; homomorphisms that keep arcs and colours multiply in the same way.

    Raises ValueError where an edge or a label names no vertex, two vertices have one name, or a word
    is no colour, and TypeError where a colour is neither integer nor word.

    >>> edge = BilabelledGraph(2, [(0, 1)], outputs=(0,), inputs=(1,))  # the adjacency matrix
    >>> edge.dom, edge.cod, str(edge)
    (1, 1, '0 | 1 ; 0-1')
    >>> print(edge >> edge)  # a path of length two between the labels, its middle not labelled
    (0 | 1 | * ; 0-2 1-2)
    >>> BilabelledGraph("abc", ["ab", "cb"], outputs="a", inputs="c") == (edge.then(edge))[0]
    True
    >>> bond = BilabelledGraph(2, [(1, 0, "double")], (0,), (1,), [(0, "C"), (1, "O")], directed=True)
    >>> print(bond @ BilabelledGraph.identity(1))
    0 :C | 1 3 | 2 :O ; 2>0:double
    >>> bond
    BilabelledGraph(vertices=2, edges=((1, 0, 'double'),), outputs=(0,), inputs=(1,), \
colours=((0, 'C'), (1, 'O')), directed=True)
    """

    vertices: int
    edges: tuple[Edge, ...]
    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    colours: tuple[tuple[int, Colour], ...] = ()
    directed: bool = False

    def __post_init__(self) -> None:
        given: Any = self.vertices
        names = range(order("vertices", given)) if not _listed(given) else tuple(given)
        place = {name: i for i, name in enumerate(names)}
        if len(place) < len(names):
            raise ValueError(f"the vertices {names} are not distinct")

        def vertex(name: Hashable, where: str) -> int:
            if name not in place:
                raise ValueError(
                    f"{where} {name!r} is not one of the {len(place)} vertices {names}"
                )
            return place[name]

        directed = self.directed
        if not isinstance(directed, bool):
            raise TypeError(f"directed must be True or False, got {directed!r}")
        edges: set[Any] = set()
        for edge in listed("edges", self.edges, what="edges, each of two vertices"):
            ends: Any = listed("edges", edge, what="two vertices")
            tint: tuple[Colour, ...] = ()
            if len(ends) == 3 and not isinstance(edge, str):
                tint = (colour_of(ends[2]),)
            elif len(ends) != 2:
                raise ValueError(f"an edge has two ends, and perhaps a colour, got {edge!r}")
            a, b = vertex(ends[0], "an edge's end"), vertex(ends[1], "an edge's end")
            edges.add(((a, b) if directed or a <= b else (b, a)) + tint)
        outputs = [
            vertex(name, "the output") for name in listed("outputs", self.outputs, what="vertices")
        ]
        inputs = [
            vertex(name, "the input") for name in listed("inputs", self.inputs, what="vertices")
        ]
        colours: set[tuple[int, Colour]] = set()
        if self.colours != ():
            tinted = _tinted(self.colours)
            colours = {(vertex(name, "the coloured vertex"), colour) for name, colour in tinted}
        directed = directed and any(edge[0] != edge[1] for edge in edges)
        told = {edge[:2] for edge in edges if len(edge) > 2}
        edges -= told
        plain = not (told or colours or directed)
        labels = (*outputs, *inputs)
        new = canonical(len(place), edges, labels, colours, plain=plain, directed=directed)

        def moved(edge: Any) -> Any:
            a, b = new[edge[0]], new[edge[1]]
            return ((a, b) if directed or a <= b else (b, a)) + edge[2:]

        renumbered = sorted(map(moved, edges), key=None if plain else edge_order)
        object.__setattr__(self, "vertices", len(place))
        object.__setattr__(self, "edges", tuple(renumbered))
        object.__setattr__(self, "outputs", tuple([new[v] for v in outputs]))
        object.__setattr__(self, "inputs", tuple([new[v] for v in inputs]))
        if self.directed:
            object.__setattr__(self, "directed", directed)
        if self.colours != ():
            by_vertex = sorted([(new[v], c) for v, c in colours], key=colour_order)
            object.__setattr__(self, "colours", tuple(by_vertex))

    def __repr__(self) -> str:
        # What a plain graph does not have is not written.
        names = ["vertices", "edges", "outputs", "inputs"]
        names += [name for name in ("colours", "directed") if getattr(self, name)]
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({fields})"

    @property
    def dom(self) -> int:
        """How many inputs."""
        return len(self.inputs)

    @property
    def cod(self) -> int:
        """How many outputs."""
        return len(self.outputs)

    @classmethod
    def from_blocks(cls, dom: int, cod: int, blocks: Iterable[Iterable[int]]) -> Self:
        """The graph without edges that has a vertex for each block of labels, labels not named alone.

        >>> str(BilabelledGraph.from_blocks(1, 1, [(0, 1)]))
        '0 1'
        """
        return cls.from_partition(SetPartition.from_blocks(dom, cod, blocks))

    @classmethod
    def from_partition(cls, partition: SetPartition) -> Self:
        """The graph without edges that has a vertex for each block; its matrices are the same."""
        labels = partition.labels
        return cls(
            len(set(labels)), (), outputs=labels[: partition.cod], inputs=labels[partition.cod :]
        )

    @classmethod
    def spider(cls, dom: int, cod: int) -> Self:
        """One vertex with all labels; with no labels too, where it is worth n.

        >>> str(BilabelledGraph.spider(0, 0))
        '*'
        """
        return cls(1, (), (0,) * order("cod", cod), (0,) * order("dom", dom))

    @property
    def labelled(self) -> int:
        """How many vertices carry a label: they have the numbers 0, 1, ..."""
        return len({*self.outputs, *self.inputs})

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The labels of each labelled vertex: label i of the outputs is i, of the inputs cod + i."""
        labels = (*self.outputs, *self.inputs)
        return tuple(
            tuple(i for i, v in enumerate(labels) if v == vertex) for vertex in range(self.labelled)
        )

    @property
    def closed(self) -> tuple[BilabelledGraph, ...]:
        """The connected components without labels: each is worth a number, its homomorphisms to G.

        >>> triangle = BilabelledGraph(3, [(0, 1), (1, 2), (2, 0)], (), ())
        >>> (triangle @ BilabelledGraph.identity(1)).closed == (triangle,)
        True
        """
        found = []
        for component in _components(self.vertices, self.edges):
            if component[0] >= self.labelled:
                edges = tuple(edge for edge in self.edges if edge[0] in component)
                colours = tuple(pair for pair in self.colours if pair[0] in component)
                found.append(
                    BilabelledGraph(component, edges, (), (), colours, self.directed)  # type: ignore[arg-type]
                )
        return tuple(sorted(found, key=_component_order))

    @property
    def coloured(self) -> bool:
        """Whether a vertex or an edge has a colour."""
        return bool(self.colours) or any(len(edge) > 2 for edge in self.edges)

    def normal(self) -> tuple[BilabelledGraph, tuple[int], int]:
        """In a formal sum, vertices about which nothing is said are not there: each is a power of n."""
        bare = set(range(self.labelled, self.vertices))
        if bare:
            bare -= _told(self.edges, self.colours)
        if not bare:
            return self, (0,), 1
        kept = tuple(v for v in range(self.vertices) if v not in bare)
        graph = type(self)(
            kept,  # type: ignore[arg-type]
            self.edges,
            self.outputs,
            self.inputs,
            self.colours,
            self.directed,
        )
        return graph, (len(bare),), 1

    def then(self, other: Self) -> tuple[Self, int]:
        """Compose: glue each output to the input it meets, and forget both labels.

        Vertices that are left without label, edge and colour are counted and taken away: each is
        worth n. Other components that close stay in the graph, since what they are worth depends on
        the host graph: see :attr:`closed`. For every host graph, the matrix of ``other`` times that
        of this graph is n**(count) times the composite's.
        Raises CompositionError unless ``other.dom == self.cod``, or where one has arcs and the other
        edges without direction.

        >>> cup, cap = BilabelledGraph.cup(), BilabelledGraph.cap()
        >>> cup.then(cap) == (BilabelledGraph.identity(0), 1)
        True
        """
        check_composable(self, other)
        shift = other.vertices
        middle = [(b, shift + a) for a, b in zip(self.outputs, other.inputs, strict=True)]
        new, edges, colours, directed = _glued(other, self, middle)
        outputs = tuple(new[v] for v in other.outputs)
        inputs = tuple(new[shift + v] for v in self.inputs)
        closed = {new[v] for v, _ in middle}.difference(outputs, inputs, _told(edges, colours))
        names: Any = tuple(sorted(set(new) - closed))
        return type(self)(names, edges, outputs, inputs, colours, directed), len(closed)

    def tensor(self, other: Self) -> Self:
        """Put ``other`` to the right: the disjoint union; its matrix is the Kronecker product.

        Raises CompositionError where one has arcs and the other edges without direction.

        >>> str(BilabelledGraph.identity(1) @ BilabelledGraph(2, [(0, 1)], (0,), (1,)))
        '0 2 | 1 | 3 ; 1-2'
        """
        check_category(self, other)
        new, edges, colours, directed = _glued(self, other, [])
        shift = self.vertices
        outputs = [*self.outputs, *(shift + v for v in other.outputs)]
        inputs = [*self.inputs, *(shift + v for v in other.inputs)]
        return type(self)(
            len(new),
            edges,
            tuple(new[v] for v in outputs),
            tuple(new[v] for v in inputs),
            colours,
            directed,
        )

    def hadamard(self, other: Self) -> Self:
        """Glue output to output and input to input; the matrix is the entrywise product.

        Raises CompositionError unless both are dom -> cod, or where one has arcs and the other edges
        without direction.
        Source: arXiv:1910.06958, the Schur product of bilabelled graphs.

        >>> edge = BilabelledGraph(2, [(0, 1)], (0,), (1,))
        >>> edge.hadamard(edge) == edge
        True
        >>> str(edge.hadamard(BilabelledGraph.identity(1)))  # an edge glued to a point: a loop
        '0 1 ; 0-0'
        """
        check_category(self, other)
        if (self.dom, self.cod) != (other.dom, other.cod):
            raise CompositionError(
                f"cannot glue ({self}), which is {self.dom} -> {self.cod}, to ({other}), "
                f"which is {other.dom} -> {other.cod}"
            )
        labels = zip((*self.outputs, *self.inputs), (*other.outputs, *other.inputs), strict=True)
        same = [(a, self.vertices + b) for a, b in labels]
        new, edges, colours, directed = _glued(self, other, same)
        return type(self)(
            len(set(new)),
            edges,
            tuple(new[v] for v in self.outputs),
            tuple(new[v] for v in self.inputs),
            colours,
            directed,
        )

    def dagger(self) -> Self:
        """Exchange outputs and inputs; the matrix is transposed. Arcs keep their direction.

        >>> BilabelledGraph.cup().dagger() == BilabelledGraph.cap()
        True
        """
        return type(self)(
            self.vertices, self.edges, self.inputs, self.outputs, self.colours, self.directed
        )

    def factors_latex(self, vertices: Sequence[int]) -> Iterator[str]:
        """A sum over the vertices without labels of the host's adjacency matrix A at each edge."""
        return homomorphism_factors(self, vertices)

    def sketch(self) -> Sketch:
        """The vertices, each with its labels and colours, and the edges with theirs."""
        nodes: list[list[str]] = [[] for _ in range(self.vertices)]
        for v, colour in self.colours:
            nodes[v].append(str(colour))
        tinted = any(len(edge) > 2 for edge in self.edges)
        arcs = [i for i, edge in enumerate(self.edges) if self.directed and edge[0] != edge[1]]
        return Sketch(
            self.cod,
            self.dom,
            (),
            nodes=(*self.blocks, *((),) * (self.vertices - self.labelled)),
            edges=tuple([edge[:2] for edge in self.edges]),
            arcs=frozenset(arcs),
            node_colours=tuple(map(tuple, nodes)) if self.colours else (),
            edge_colours=tuple("".join(map(str, edge[2:])) for edge in self.edges * tinted),
        )

    def written(self, at: Sequence[object]) -> str:
        """The labels of each vertex between bars, * for none, then the edges; labels as in ``at``.

        A colour follows what it belongs to after a colon, and arcs have > where edges have -.
        """
        words = [[str(at[i]) for i in block] for block in self.blocks]
        words += [["*"] for _ in range(self.vertices - len(words))]
        for v, colour in self.colours:
            words[v].append(f":{colour}")
        joint = ">" if self.directed else "-"
        ends = [":".join([f"{a}{joint}{b}", *map(str, tint)]) for a, b, *tint in self.edges]
        edges = " ".join(ends)
        return (" | ".join(map(" ".join, words)) + (f" ; {edges}" if edges else "")) or "∅"

    @classmethod
    def parse(cls, dom: int, cod: int, text: str) -> Self:
        """Read a graph dom -> cod back from its ``str``.

        >>> BilabelledGraph.parse(1, 1, "0 | 1 ; 0-1")
        BilabelledGraph(vertices=2, edges=((0, 1),), outputs=(0,), inputs=(1,))
        >>> BilabelledGraph.parse(0, 1, "0 :red | * ; 0>1:2").colours
        ((0, 'red'),)
        """
        wrong = ValueError(
            f"{text!r} is not a bilabelled graph such as '0 | 1 | * :red ; 0-2 1-2:blue': the labels "
            "of each vertex between bars, * for none, then edges between vertices counted from 0, "
            "all with - or, as arcs, all with >; colours after a colon"
        )
        body, _, rest = text_of(text).partition(";")
        words = [] if body.strip() in ("", "∅") else body.split("|")
        vertex: dict[int, int] = {}
        count = 0
        colours = []
        for v, word in enumerate(words):
            found = re.fullmatch(r"\s*(?:\*|(\d+(?:\s+\d+)*))((?:\s+:\S+)*)\s*", word)
            if not found:
                raise wrong
            for label in (found[1] or "").split():
                vertex[int(label)] = v
                count += 1
            colours += [(v, _read(colour[1:])) for colour in found[2].split()]
        edges: list[Edge] = []
        joints = set()
        for word in rest.split():
            found = re.fullmatch(r"(\d+)([->])(\d+)(?::(\S+))?", word)
            if not found:
                raise wrong
            joints.add(found[2])
            tint = () if found[4] is None else (_read(found[4]),)
            edges.append((int(found[1]), int(found[3]), *tint))
        if len(joints) > 1:
            raise wrong
        size = order("dom", dom) + order("cod", cod)
        if sorted(vertex) != list(range(size)) or count != size:
            raise ValueError(f"{text!r} does not have each of the {size} labels exactly once")
        at = [vertex[i] for i in range(size)]
        return cls(
            len(words),
            tuple(edges),
            tuple(at[:cod]),
            tuple(at[cod:]),
            tuple(colours),
            ">" in joints,
        )

    def to_json(self) -> dict[str, Any]:
        """The graph as data that ``json.dumps`` takes; :meth:`from_json` reads it back.

        >>> BilabelledGraph(2, [(1, 0)], (0,), (1,), directed=True).to_json()["directed"]
        True
        """
        data: dict[str, Any] = {
            "family": "BilabelledGraph",
            "vertices": self.vertices,
            "edges": [list(edge) for edge in self.edges],
            "outputs": list(self.outputs),
            "inputs": list(self.inputs),
        }
        if self.colours:
            data["colours"] = [list(pair) for pair in self.colours]
        if self.directed:
            data["directed"] = True
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a graph back from :meth:`to_json`.

        Raises ValueError where the data is of another family or a key is missing.
        """
        check_data(data, "BilabelledGraph", ("vertices", "edges", "outputs", "inputs"))
        return cls(
            data["vertices"],
            data["edges"],
            data["outputs"],
            data["inputs"],
            data.get("colours", ()),
            data.get("directed", False),
        )


def _listed(vertices: Any) -> bool:
    return isinstance(vertices, Iterable)


def _tinted(colours: Any) -> Iterator[tuple[Hashable, Colour]]:
    """The pairs of a vertex and a colour."""
    if not isinstance(colours, Iterable):
        raise TypeError(f"colours are pairs (vertex, colour), got {colours!r}")
    for pair in colours:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"colours are pairs (vertex, colour), got {pair!r}")
        yield pair[0], colour_of(pair[1])


def _read(text: str) -> Colour:
    """A colour from its text."""
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _told(edges: Iterable[Edge], colours: Iterable[tuple[int, Colour]]) -> set[int]:
    """The vertices at which there is an edge or a colour."""
    return {end for edge in edges for end in edge[:2]}.union([v for v, _ in colours])


def _glued(
    a: BilabelledGraph, b: BilabelledGraph, same: Iterable[tuple[int, int]]
) -> tuple[tuple[int, ...], tuple[Edge, ...], tuple[tuple[int, Colour], ...], bool]:
    """The union of two graphs, b's vertices counted on after a's, with pairs of vertices made one.

    Returns the new vertex of each old one, the edges, the colours, and whether the edges are arcs.
    """
    if a.directed != b.directed:
        arcs, lines = (a, b) if a.directed else (b, a)
        if any(edge[0] != edge[1] for edge in lines.edges):
            raise CompositionError(
                f"cannot combine ({arcs}) with ({lines}): the edges of the one are arcs, those of "
                "the other have no direction; an edge that has none is two arcs"
            )
    shift = a.vertices
    new = connected(shift + b.vertices, same)
    edges: list[Any] = [(new[edge[0]], new[edge[1]], *edge[2:]) for edge in a.edges]
    edges += [(new[shift + edge[0]], new[shift + edge[1]], *edge[2:]) for edge in b.edges]
    colours = [(new[v], colour) for v, colour in a.colours]
    colours += [(new[shift + v], colour) for v, colour in b.colours]
    return new, tuple(edges), tuple(colours), a.directed or b.directed


def _components(vertices: int, edges: Iterable[Edge]) -> list[tuple[int, ...]]:
    """The connected components, as sorted vertex tuples, ordered by their least vertex."""
    labels = connected(vertices, [edge[:2] for edge in edges])
    return [
        tuple(v for v in range(vertices) if labels[v] == label) for label in range(len(set(labels)))
    ]


def _component_order(graph: BilabelledGraph) -> Any:
    """What graphs without labels are sorted by."""
    edges, colours = map(edge_order, graph.edges), map(colour_order, graph.colours)
    return graph.vertices, list(edges), list(colours), graph.directed
