"""Bilabelled graphs: graphs with output and input labels on their vertices, for Aut(G)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tannaka.diagrams.diagram import (
    Diagram,
    check_category,
    check_composable,
    check_data,
    order,
    text_of,
)
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.partition import SetPartition, connected, restricted_growth
from tannaka.diagrams.pictures.sketch import Sketch

MAX_BARE = 1_000
"""Most vertices without label for a graph to be brought into canonical form."""


@dataclass(frozen=True, slots=True)
class BilabelledGraph(Diagram):
    """A bilabelled graph dom -> cod: an undirected graph, a vertex for each output and each input.

    ``outputs[i]`` is the vertex that output i labels, ``inputs[j]`` the one of input j; a vertex may
    carry many labels or none, and edges may be loops. Vertices may be given as a number, which
    stands for 0, 1, ..., or as any distinct hashable names; parallel edges are one edge. They are
    renumbered into a canonical form, so that isomorphic bilabelled graphs are equal: labelled
    vertices first, as the labels first name them, outputs before inputs; the others as nauty's
    relative bliss orders them.

    Its matrix for the automorphisms of a host graph G on n vertices, of shape (n**cod, n**dom),
    counts at row I, column J the homomorphisms to G that send output i to I_i and input j to J_j.
    Source: arXiv:2307.07810, after Mančinska and Roberson, arXiv:1910.06958.

    Raises ValueError where an edge or a label names no vertex, or two vertices have one name.

    >>> edge = BilabelledGraph(2, [(0, 1)], outputs=(0,), inputs=(1,))  # the adjacency matrix
    >>> edge.dom, edge.cod, str(edge)
    (1, 1, '0 | 1 ; 0-1')
    >>> print(edge >> edge)  # a path of length two between the labels, its middle not labelled
    (0 | 1 | * ; 0-2 1-2)
    >>> BilabelledGraph("abc", ["ab", "cb"], outputs="a", inputs="c") == (edge.then(edge))[0]
    True
    """

    vertices: int
    edges: tuple[tuple[int, int], ...]
    outputs: tuple[int, ...]
    inputs: tuple[int, ...]

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

        edges = set()
        for edge in self.edges:
            ends = tuple(edge)
            if len(ends) != 2:
                raise ValueError(f"an edge has two ends, got {edge!r}")
            a, b = (vertex(end, "an edge's end") for end in ends)
            edges.add((min(a, b), max(a, b)))
        outputs = [vertex(name, "the output") for name in self.outputs]
        inputs = [vertex(name, "the input") for name in self.inputs]
        new = _canonical(len(place), edges, (*outputs, *inputs))
        renumbered = sorted(tuple(sorted((new[a], new[b]))) for a, b in edges)
        object.__setattr__(self, "vertices", len(place))
        object.__setattr__(self, "edges", tuple(renumbered))
        object.__setattr__(self, "outputs", tuple(new[v] for v in outputs))
        object.__setattr__(self, "inputs", tuple(new[v] for v in inputs))

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
                found.append(BilabelledGraph(component, edges, (), ()))  # type: ignore[arg-type]
        return tuple(sorted(found, key=lambda graph: (graph.vertices, graph.edges)))

    def normal(self) -> tuple[BilabelledGraph, tuple[int], int]:
        """In a formal sum, vertices without label and edge are not there: each is a power of n."""
        bare = set(range(self.labelled, self.vertices)) - {v for edge in self.edges for v in edge}
        if not bare:
            return self, (0,), 1
        kept = tuple(v for v in range(self.vertices) if v not in bare)
        graph = type(self)(kept, self.edges, self.outputs, self.inputs)  # type: ignore[arg-type]
        return graph, (len(bare),), 1

    def then(self, other: Self) -> tuple[Self, int]:
        """Compose: glue each output to the input it meets, and forget both labels.

        Vertices that are left without label and edge are counted and taken away: each is worth n.
        Other components that close stay in the graph, since what they are worth depends on the
        host graph: see :attr:`closed`. For every host graph, the matrix of ``other`` times that of
        this graph is n**(count) times the composite's.
        Raises CompositionError unless ``other.dom == self.cod``.

        >>> cup, cap = BilabelledGraph.cup(), BilabelledGraph.cap()
        >>> cup.then(cap) == (BilabelledGraph.identity(0), 1)
        True
        """
        check_composable(self, other)
        shift = other.vertices
        middle = [(b, shift + a) for a, b in zip(self.outputs, other.inputs, strict=True)]
        new, edges = _glued(other, self, middle)
        outputs = tuple(new[v] for v in other.outputs)
        inputs = tuple(new[shift + v] for v in self.inputs)
        kept = {*outputs, *inputs, *(v for edge in edges for v in edge)}
        closed = {new[v] for v, _ in middle} - kept
        names = tuple(sorted(set(new) - closed))
        return type(self)(names, edges, outputs, inputs), len(closed)  # type: ignore[arg-type]

    def tensor(self, other: Self) -> Self:
        """Put ``other`` to the right: the disjoint union; its matrix is the Kronecker product.

        >>> str(BilabelledGraph.identity(1) @ BilabelledGraph(2, [(0, 1)], (0,), (1,)))
        '0 2 | 1 | 3 ; 1-2'
        """
        check_category(self, other)
        new, edges = _glued(self, other, [])
        shift = self.vertices
        outputs = [*self.outputs, *(shift + v for v in other.outputs)]
        inputs = [*self.inputs, *(shift + v for v in other.inputs)]
        return type(self)(
            len(new),
            edges,
            tuple(new[v] for v in outputs),
            tuple(new[v] for v in inputs),
        )

    def hadamard(self, other: Self) -> Self:
        """Glue output to output and input to input; the matrix is the entrywise product.

        Raises CompositionError unless both are dom -> cod.
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
        new, edges = _glued(self, other, [(a, self.vertices + b) for a, b in labels])
        return type(self)(
            len(set(new)),
            edges,
            tuple(new[v] for v in self.outputs),
            tuple(new[v] for v in self.inputs),
        )

    def dagger(self) -> Self:
        """Exchange outputs and inputs; the matrix is transposed.

        >>> BilabelledGraph.cup().dagger() == BilabelledGraph.cap()
        True
        """
        return type(self)(self.vertices, self.edges, self.inputs, self.outputs)

    def sketch(self) -> Sketch:
        """The vertices, each with its labels, and the edges."""
        bare = ((),) * (self.vertices - self.labelled)
        nodes = (*self.blocks, *bare)
        return Sketch(self.cod, self.dom, (), nodes=nodes, edges=self.edges)

    def written(self, at: Sequence[object]) -> str:
        """The labels of each vertex between bars, * for none, then the edges; labels as in ``at``."""
        words = [" ".join(str(at[i]) for i in block) for block in self.blocks]
        words += ["*"] * (self.vertices - len(words))
        edges = " ".join(f"{a}-{b}" for a, b in self.edges)
        return (" | ".join(words) + (f" ; {edges}" if edges else "")) or "∅"

    @classmethod
    def parse(cls, dom: int, cod: int, text: str) -> Self:
        """Read a graph dom -> cod back from its ``str``.

        >>> BilabelledGraph.parse(1, 1, "0 | 1 ; 0-1")
        BilabelledGraph(vertices=2, edges=((0, 1),), outputs=(0,), inputs=(1,))
        """
        labels, _, edges = text_of(text).partition(";")
        words = [] if labels.strip() in ("", "∅") else [word.split() for word in labels.split("|")]
        ends = [edge.split("-") for edge in edges.split()]
        numbers = [n for word in words if word != ["*"] for n in word] + [
            n for e in ends for n in e
        ]
        if not all(words) or not all(n.isdecimal() for n in numbers):
            raise ValueError(
                f"{text!r} is not a bilabelled graph such as '0 | 1 | * ; 0-2 1-2': the labels of "
                "each vertex between bars, * for none, then edges between vertices counted from 0"
            )
        vertex = {int(i): v for v, word in enumerate(words) if word != ["*"] for i in word}
        size = order("dom", dom) + order("cod", cod)
        if sorted(vertex) != list(range(size)) or len(numbers) - 2 * len(ends) != size:
            raise ValueError(f"{text!r} does not have each of the {size} labels exactly once")
        at = [vertex[i] for i in range(size)]
        pairs = tuple((int(a), int(b)) for a, b in ends)
        return cls(len(words), pairs, tuple(at[:cod]), tuple(at[cod:]))

    def to_json(self) -> dict[str, Any]:
        """The graph as data that ``json.dumps`` takes; :meth:`from_json` reads it back."""
        return {
            "family": "BilabelledGraph",
            "vertices": self.vertices,
            "edges": [list(edge) for edge in self.edges],
            "outputs": list(self.outputs),
            "inputs": list(self.inputs),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a graph back from :meth:`to_json`.

        Raises ValueError where the data is of another family or a key is missing.
        """
        check_data(data, "BilabelledGraph", ("vertices", "edges", "outputs", "inputs"))
        return cls(data["vertices"], data["edges"], data["outputs"], data["inputs"])


def _listed(vertices: Any) -> bool:
    return isinstance(vertices, Iterable)


def _glued(
    a: BilabelledGraph, b: BilabelledGraph, same: Iterable[tuple[int, int]]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """The union of two graphs, b's vertices counted on after a's, with pairs of vertices made one.

    Returns the new vertex of each old one, and the edges.
    """
    new = connected(a.vertices + b.vertices, same)
    edges = [*a.edges, *((a.vertices + v, a.vertices + w) for v, w in b.edges)]
    return new, tuple((new[v], new[w]) for v, w in edges)


def _components(vertices: int, edges: Iterable[tuple[int, int]]) -> list[tuple[int, ...]]:
    """The connected components, as sorted vertex tuples, ordered by their least vertex."""
    labels = connected(vertices, edges)
    return [
        tuple(v for v in range(vertices) if labels[v] == label) for label in range(len(set(labels)))
    ]


def _canonical(size: int, edges: set[tuple[int, int]], labels: Sequence[int]) -> list[int]:
    """The new number of each vertex in the canonical form.

    Labelled vertices are told apart by their labels; only the others need a search, and only where
    there are two or more.
    """
    new = dict(zip(labels, restricted_growth(labels), strict=True))
    first = len(new)
    bare = [v for v in range(size) if v not in new]
    if len(bare) > MAX_BARE:
        raise SizeError(
            f"a graph with {len(bare):,} vertices without label: a canonical form is looked for "
            f"with at most {MAX_BARE:,} of them"
        )
    if len(bare) > 1:
        import igraph

        # Loops go into the colours, so that the graph is simple, as bliss wants it.
        loops = {a for a, b in edges if a == b}
        colours = [new[v] if v in new else first + (v in loops) for v in range(size)]
        graph = igraph.Graph(size, [(a, b) for a, b in edges if a != b])
        graph.vs["name"] = range(size)
        ordered = graph.permute_vertices(graph.canonical_permutation(color=colours)).vs["name"]
        bare.sort(key=lambda v: (v in loops, ordered.index(v)))
    return [new[v] if v in new else first + bare.index(v) for v in range(size)]
