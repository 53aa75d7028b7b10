"""The canonical numbering of a graph's vertices, with bliss where nothing else tells them apart.

Labelled vertices are told apart by their labels and stand first. The others are told apart as far
as may be by their colours, their loops and what joins them to labelled vertices; only what is left
needs a search.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.partition import restricted_growth

Colour = int | str
Edge = tuple[int, int] | tuple[int, int, Colour]
Shade = tuple[int, Colour]
Mark = tuple[int, int, Shade]
"""What tells a vertex from others: a colour, a loop, or an edge to or from a labelled vertex."""

MAX_BARE = 1_000
"""Most vertices without label for a graph to be brought into canonical form."""


def colour_of(value: object) -> Colour:
    """Return ``value`` as a colour, or say what is wrong with it.

    >>> colour_of("red"), colour_of(3)
    ('red', 3)
    """
    wanted = f"a colour is an integer, or a word such as 'red' or 'C_6', got {value!r}"
    if isinstance(value, str):
        if not value.isidentifier():
            raise ValueError(f"{wanted}: a word has letters, digits and _, and no digit first")
        return str(value)
    if isinstance(value, bool):
        raise TypeError(wanted)
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(wanted) from None


def shade(colour: Sequence[Colour]) -> Shade:
    """What colours are sorted by, where there is one at most: none first, then numbers, then words.

    >>> sorted([("a",), (10,), (), (9,)], key=shade)
    [(), (9,), (10,), ('a',)]
    """
    return (1 + isinstance(colour[0], str), colour[0]) if colour else (0, 0)


def edge_order(edge: Edge) -> tuple[int, int, Shade]:
    """What edges are sorted by: their ends, then their colour."""
    return edge[0], edge[1], shade(edge[2:])


def colour_order(pair: tuple[int, Colour]) -> tuple[int, Shade]:
    """What colours of vertices are sorted by: the vertex, then the colour."""
    return pair[0], shade(pair[1:])


def canonical(
    size: int,
    edges: Collection[Edge],
    labels: Sequence[int],
    colours: Iterable[tuple[int, Colour]] = (),
    *,
    plain: bool = True,
    directed: bool = False,
) -> list[int]:
    """The new number of each vertex in the canonical form.

    ``plain`` says that there are neither colours nor arcs.

    >>> canonical(3, [(1, 2)], labels=[2, 0])
    [1, 2, 0]
    """
    new = dict(zip(labels, restricted_growth(labels), strict=True))
    first = len(new)
    if first == size:
        return [new[v] for v in range(size)]
    bare = [v for v in range(size) if v not in new]
    if len(bare) > MAX_BARE:
        raise SizeError(
            f"a graph with {len(bare):,} vertices without label: a canonical form is looked for "
            f"with at most {MAX_BARE:,} of them"
        )
    if len(bare) > 1 and plain:
        # Loops go into the colours, so that the graph is simple, as bliss wants it.
        loops = {a for a, b, *_ in edges if a == b}
        classes = [new[v] if v in new else first + (v in loops) for v in range(size)]
        ordered = _searched([(a, b) for a, b, *_ in edges if a != b], classes)
        bare.sort(key=lambda v: (v in loops, ordered.index(v)))
    elif len(bare) > 1:
        bare = _told_apart(bare, new, edges, colours, directed)
    return [new[v] if v in new else first + bare.index(v) for v in range(size)]


def _told_apart(
    bare: Sequence[int],
    new: Mapping[int, int],
    edges: Iterable[Edge],
    colours: Iterable[tuple[int, Colour]],
    directed: bool,
) -> list[int]:
    """The vertices without label in canonical order, where there are colours or arcs."""
    found: dict[int, list[Mark]] = {v: [] for v in bare}
    for v, colour in colours:
        if v in found:
            found[v].append((0, 0, shade((colour,))))
    between = []
    for a, b, *tint in edges:
        if a != b and a in found and b in found:
            between.append((a, b, shade(tint)))
        elif a in found:
            found[a].append((1, 0, shade(tint)) if a == b else (2, new[b], shade(tint)))
        elif b in found:
            found[b].append((2 + directed, new[a], shade(tint)))
    looks = {v: tuple(sorted(marks)) for v, marks in found.items()}
    if not between or len(set(looks.values())) == len(bare):
        return sorted(bare, key=looks.__getitem__)
    # Bliss knows classes of vertices, but neither colours of edges nor edges side by side: an edge
    # of a colour becomes a path through a vertex of a class of its own, an arc through two.
    at = {v: i for i, v in enumerate(bare)}
    classes: list[tuple[int, tuple[Mark, ...]]] = [(0, looks[v]) for v in bare]
    links: list[tuple[int, int]] = []
    for a, b, hue in between:
        path = [at[a]]
        for step in range(2 if directed else hue != shade(())):
            path.append(len(classes))
            classes.append((1, ((step, 0, hue),)))
        links += pairwise([*path, at[b]])
    rank = {one: i for i, one in enumerate(sorted(set(classes)))}
    ordered = _searched(links, [rank[one] for one in classes])
    place = {name: i for i, name in enumerate(ordered)}
    return sorted(bare, key=lambda v: (looks[v], place[at[v]]))


def _searched(edges: Sequence[tuple[int, int]], classes: Sequence[int]) -> list[int]:
    """The vertices of a simple graph in canonical order, where each has a class."""
    import igraph

    graph = igraph.Graph(len(classes), edges)
    graph.vs["name"] = range(len(classes))
    ordered: list[int] = graph.permute_vertices(graph.canonical_permutation(color=classes)).vs[
        "name"
    ]
    return ordered
