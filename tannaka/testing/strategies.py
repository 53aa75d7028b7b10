"""Hypothesis strategies: diagrams of every category, composable ones, groups, layers with inputs.

A :class:`Category` bundles what the laws of a monoidal category speak of: its objects, its
diagrams, its identities, swaps, cups and caps. :func:`category` finds it for a family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial, wraps
from itertools import pairwise
from typing import Any, ParamSpec, TypeVar

from hypothesis import strategies as st

from tannaka.category.automorphisms import Aut
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.canonical import Colour, Edge
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.typed import Typed
from tannaka.diagrams.walled import WalledBrauer
from tannaka.testing.groups import automorphism_groups as automorphism_groups
from tannaka.testing.groups import elements as elements
from tannaka.testing.groups import groups as groups
from tannaka.testing.groups import host_graphs as host_graphs
from tannaka.testing.groups import permutation_groups as permutation_groups
from tannaka.testing.groups import products as products
from tannaka.testing.layers import features as features
from tannaka.testing.layers import homs as homs
from tannaka.testing.layers import layers as layers
from tannaka.testing.layers import layers_with_inputs as layers_with_inputs

P = ParamSpec("P")
T = TypeVar("T")


def _once(build: Callable[P, st.SearchStrategy[T]]) -> Callable[P, st.SearchStrategy[T]]:
    """The same strategy for the same arguments: Hypothesis looks over each new one at length."""
    return wraps(build)(cache(build))  # type: ignore[return-value]


_up_to = cache(partial(st.integers, 0))


def orders(most: int = 4) -> st.SearchStrategy[int]:
    """Tensor orders 0, 1, ..., ``most``."""
    return _up_to(most)


@st.composite
def set_partitions(draw: st.DrawFn, dom: int, cod: int) -> SetPartition:
    """Set-partition diagrams dom -> cod; they shrink towards a single block."""
    labels: list[int] = []
    for _ in range(dom + cod):
        labels.append(draw(_up_to(max(labels, default=-1) + 1)))
    return SetPartition(dom, cod, tuple(labels))


@st.composite
def brauer_diagrams(draw: st.DrawFn, dom: int, cod: int) -> Brauer:
    """Brauer diagrams dom -> cod; dom + cod must be even."""
    if (dom + cod) % 2:
        raise ValueError(f"there is no Brauer diagram {dom} -> {cod}: {dom + cod} is odd")
    free = list(range(dom + cod))
    pairs: list[tuple[int, int]] = []
    while free:
        first = free.pop(0)
        pairs.append((first, free.pop(draw(_up_to(len(free) - 1)))))
    return Brauer(dom, cod, tuple(pairs))


@st.composite
def grood_diagrams(draw: st.DrawFn, dom: int, cod: int, n: int) -> Grood:
    """Brauer-Grood diagrams dom -> cod with n legs in any order; dom + cod - n is even, not negative."""
    if dom + cod < n or (dom + cod - n) % 2:
        raise ValueError(f"there is no Grood diagram {dom} -> {cod} with {n} legs")
    order = draw(st.permutations(range(dom + cod)))
    pairs = zip(order[n::2], order[n + 1 :: 2], strict=True)
    return Grood(dom, cod, tuple(order[:n]), tuple(pairs))


@st.composite
def jellyfish_diagrams(draw: st.DrawFn, dom: int, cod: int, n: int) -> Jellyfish:
    """Jellyfish diagrams dom -> cod with n legs in any order; dom + cod must be at least n - 1."""
    if dom + cod < n - 1:
        raise ValueError(f"there is no jellyfish {dom} -> {cod} with {n} legs")
    labels: list[int] = []
    for left in range(dom + cod, 0, -1):
        known = max(labels, default=-1) + 1
        # Enough blocks must be left to come for n - 1 legs.
        labels.append(draw(st.integers(known if known + left <= n - 1 else 0, known)))
    ends = [*range(len(set(labels))), None]
    return Jellyfish(dom, cod, tuple(labels), tuple(draw(st.permutations(ends))[:n]))


@st.composite
def walled_brauer_diagrams(draw: st.DrawFn, dom: Any, cod: Any) -> WalledBrauer:
    """Walled Brauer diagrams dom -> cod; both words must have the same surplus of V over V*."""
    word, target = WalledBrauer.word("dom", dom), WalledBrauer.word("cod", cod)
    # An edge leaves an input V or an output V*, and ends in an output V or an input V*.
    kinds = [*((kind == "V*") for kind in target), *((kind == "V") for kind in word)]
    leaving = [v for v, leaves in enumerate(kinds) if leaves]
    ending = [v for v, leaves in enumerate(kinds) if not leaves]
    if len(leaving) != len(ending):
        raise ValueError(f"there is no walled Brauer diagram {word} -> {target}")
    return WalledBrauer(
        word, target, tuple(zip(leaving, draw(st.permutations(ending)), strict=True))
    )


@st.composite
def bilabelled_graphs(draw: st.DrawFn, dom: int, cod: int, most: int = 2) -> BilabelledGraph:
    """Bilabelled graphs dom -> cod with loops, and at most ``most`` vertices without label."""
    labels = draw(set_partitions(dom, cod)).labels
    vertices = len(set(labels)) + draw(st.integers(0, most))
    edges = draw(_edges(vertices)) if vertices else []
    return BilabelledGraph(vertices, tuple(edges), labels[:cod], labels[cod:])


@_once
def _edges(vertices: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    possible = [(a, b) for a in range(vertices) for b in range(a, vertices)]
    return st.lists(st.sampled_from(possible), max_size=6)


@st.composite
def coloured_graphs(
    draw: st.DrawFn, dom: int, cod: int, most: int = 2, directed: bool = False
) -> BilabelledGraph:
    """Like :func:`bilabelled_graphs`, with colours on some vertices and edges; arcs if ``directed``."""
    plain = draw(bilabelled_graphs(dom, cod, most))
    if not plain.vertices:
        return plain
    edges, colours = _colourings(plain.vertices)
    return BilabelledGraph(
        plain.vertices,
        tuple(draw(edges)),
        plain.outputs,
        plain.inputs,
        tuple(draw(colours)),
        directed,
    )


@cache
def _colourings(
    vertices: int,
) -> tuple[st.SearchStrategy[list[Edge]], st.SearchStrategy[list[tuple[int, Colour]]]]:
    """Edges with and without colour, and colours of vertices."""
    ends = _up_to(vertices - 1)
    colours: st.SearchStrategy[Colour] = st.sampled_from(("red", "C_6", -1))
    edges: st.SearchStrategy[Edge] = st.one_of(
        st.tuples(ends, ends), st.tuples(ends, ends, colours)
    )
    return st.lists(edges, max_size=6), st.lists(st.tuples(ends, colours), max_size=3)


@dataclass(frozen=True, eq=False)
class Category:
    """A category of diagrams, as the laws see it.

    ``objects(most)`` draws objects of length at most ``most``; ``related(word, most)`` objects with
    a diagram to and from ``word``; ``diagrams(dom, cod)`` diagrams, where there are any.
    ``duality`` has for each generating object a its dual b, the cup () -> a b, the cap b a -> (),
    and the power of each symbol that a loop is worth.
    """

    name: str
    family: type[Diagram]
    unit: Any
    objects: Callable[[int], st.SearchStrategy[Any]]
    related: Callable[[Any, int], st.SearchStrategy[Any]]
    diagrams: Callable[[Any, Any], st.SearchStrategy[Any]]
    identity: Callable[[Any], Any]
    swap: Callable[[Any, Any], Any]
    duality: tuple[tuple[Any, Any, Any, Any, tuple[int, ...]], ...]

    def __repr__(self) -> str:
        return self.name


def _ordered(
    name: str,
    family: type[Diagram],
    diagrams: Callable[[Any, Any], st.SearchStrategy[Any]],
    related: Callable[[Any, int], st.SearchStrategy[Any]] = lambda word, most: orders(most),
) -> Category:
    """A category whose objects are orders."""
    duality = ((1, 1, family.cup(), family.cap(), (1,)),)
    return Category(
        name,
        family,
        0,
        orders,
        _once(related),
        _once(diagrams),
        family.identity,
        family.swap,
        duality,
    )


def _same_parity(word: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(0, max(most - word % 2, 0) // 2).map(lambda half: 2 * half + word % 2)


def _grood(n: int) -> Category:
    def diagrams(dom: int, cod: int) -> st.SearchStrategy[Any]:
        size = dom + cod
        plain = [brauer_diagrams(dom, cod)] if size % 2 == 0 else []
        return st.one_of(
            *plain, *([grood_diagrams(dom, cod, n)] if size >= n and (size - n) % 2 == 0 else [])
        )

    def related(word: int, most: int) -> st.SearchStrategy[int]:
        if n % 2 == 0:
            return _same_parity(word, most)
        return orders(most).map(lambda k: k if (word + k) % 2 == 0 or word + k >= n else word)

    return _ordered(f"Grood, n = {n}", Grood, diagrams, related)


def _jellyfish(n: int) -> Category:
    def diagrams(dom: int, cod: int) -> st.SearchStrategy[Any]:
        legs = [jellyfish_diagrams(dom, cod, n)] if dom + cod >= n - 1 else []
        return st.one_of(set_partitions(dom, cod), *legs)

    return _ordered(f"Jellyfish, n = {n}", Jellyfish, diagrams)


def _walled() -> Category:
    kinds = st.sampled_from(["V", "V*"])

    def related(word: tuple[str, ...], most: int) -> st.SearchStrategy[tuple[str, ...]]:
        surplus = word.count("V") - word.count("V*")
        least = ["V"] * surplus + ["V*"] * -surplus
        pairs = st.integers(0, max(most - len(least), 0) // 2)
        return pairs.flatmap(lambda more: st.permutations([*least, *["V", "V*"] * more])).map(tuple)

    return Category(
        "WalledBrauer",
        WalledBrauer,
        (),
        _once(lambda most: st.lists(kinds, max_size=most).map(tuple)),
        _once(related),
        _once(walled_brauer_diagrams),
        WalledBrauer.identity,
        WalledBrauer.swap,
        tuple(
            ((a,), (b,), WalledBrauer.cup(a), WalledBrauer.cap(b), (1,))
            for a, b in (("V", "V*"), ("V*", "V"))
        ),
    )


def typed(*parts: Category) -> Category:
    """The category of typed diagrams whose axes of type t have diagrams of ``parts[t]``."""
    families = tuple(part.family.plain() for part in parts)
    types = st.sampled_from(range(len(parts)))

    @st.composite
    def related(draw: st.DrawFn, word: tuple[int, ...], most: int) -> tuple[int, ...]:
        found: list[int] = []
        for t, part in enumerate(parts):
            found += [t] * draw(part.related(word.count(t), most // len(parts)))
        return tuple(draw(st.permutations(found)))

    @st.composite
    def diagrams(draw: st.DrawFn, dom: tuple[int, ...], cod: tuple[int, ...]) -> Typed:
        drawn = (draw(part.diagrams(dom.count(t), cod.count(t))) for t, part in enumerate(parts))
        return Typed(dom, cod, tuple(drawn))

    def duality() -> Iterator[tuple[Any, Any, Any, Any, tuple[int, ...]]]:
        for t in range(len(parts)):
            powers = tuple(int(s == t) for s in range(len(parts)))
            cup = Typed.of((), (t, t), [(0, 1)], families)
            yield (t,), (t,), cup, cup.dagger(), powers

    return Category(
        f"Typed({', '.join(part.name for part in parts)})",
        Typed,
        (),
        _once(lambda most: st.lists(types, max_size=most).map(tuple)),
        _once(related),
        _once(diagrams),
        lambda k: Typed.identity(k, families),
        lambda k, l: Typed.swap(k, l, families),
        tuple(duality()),
    )


_PARTITION = _ordered("SetPartition", SetPartition, set_partitions)
_BRAUER = _ordered("Brauer", Brauer, brauer_diagrams, _same_parity)
CATEGORIES = (
    _PARTITION,
    _BRAUER,
    *map(_grood, (1, 2, 3)),
    *map(_jellyfish, (1, 2, 3)),
    _walled(),
    _ordered("BilabelledGraph", BilabelledGraph, bilabelled_graphs),
    _ordered("BilabelledGraph, coloured", BilabelledGraph, coloured_graphs),
    _ordered("BilabelledGraph, directed", BilabelledGraph, partial(coloured_graphs, directed=True)),
    typed(_PARTITION, _BRAUER),
    typed(_grood(2), _jellyfish(2)),
)
"""Every category of diagrams that there are strategies for, at a few n where n is part of it."""


FAMILIES = (SetPartition, Brauer)
"""The families whose diagrams are nothing but their blocks."""


def category(family: type[Diagram] | Category, n: int | None = None) -> Category:
    """The category of a family of diagrams, with n legs where its diagrams have a determinant.

    >>> category(Brauer), category(Grood, n=3)
    (Brauer, Grood, n = 3)
    """
    if isinstance(family, Category):
        return family
    if family in (Grood, Jellyfish):
        return (_grood if family is Grood else _jellyfish)(2 if n is None else n)
    return next(one for one in CATEGORIES if one.family is family)


def diagrams(family: type[Diagram] | Category, dom: Any, cod: Any) -> st.SearchStrategy[Any]:
    """Diagrams dom -> cod of a category."""
    return category(family).diagrams(dom, cod)


@_once
@st.composite
def composable(
    draw: st.DrawFn, family: type[Diagram] | Category, count: int = 2, most: int = 4
) -> tuple[Any, ...]:
    """Tuples (f, g, ...) of ``count`` diagrams for which f >> g >> ... makes sense.

    All objects have length at most ``most``.
    """
    inside = category(family)
    ends = [draw(inside.objects(most))]
    for _ in range(count):
        ends.append(draw(inside.related(ends[-1], most)))
    return tuple(draw(inside.diagrams(a, b)) for a, b in pairwise(ends))


@_once
@st.composite
def any_diagram(draw: st.DrawFn, family: type[Diagram] | Category, most: int = 4) -> Any:
    """Diagrams of a category, between any objects of length up to ``most``."""
    (diagram,) = draw(composable(family, count=1, most=most))
    return diagram


@_once
@st.composite
def morphisms(draw: st.DrawFn, family: type[Diagram] | Category, dom: Any, cod: Any) -> Morphism:
    """Formal sums of diagrams dom -> cod with small rational coefficients, some times n."""
    total = Morphism(dom, cod, {})
    for diagram in draw(_few(family, dom, cod)):
        powers = tuple(draw(_up_to(2)) for _ in diagram.symbols)
        total += Morphism(dom, cod, {(diagram, powers): draw(_COEFFICIENTS)})
    return total


# st.fractions builds new strategies for each number that it draws.
_COEFFICIENTS = st.sampled_from(
    sorted(
        {Fraction(p, q) for q in range(1, 5) for p in range(-3 * q, 3 * q + 1)},
        key=lambda c: (c.denominator, abs(c), c < 0),
    )
)


@_once
def _few(family: type[Diagram] | Category, dom: Any, cod: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(diagrams(family, dom, cod), max_size=3)


@st.composite
def graphs_to(draw: st.DrawFn, group: Aut, dom: int, cod: int, most: int = 2) -> BilabelledGraph:
    """Bilabelled graphs dom -> cod whose arcs and colours are of the kinds that the host graph has.

    They have loops, and at most ``most`` vertices without label.
    """
    plain = draw(bilabelled_graphs(dom, cod, most))
    host = group.host
    tints = [(), *((kind,) for kind in host.edge_colours if kind is not None)]
    edges: list[Any] = [
        (*draw(st.permutations(edge[:2])), *draw(st.sampled_from(tints))) for edge in plain.edges
    ]
    colours: list[Any] = []
    if host.vertex_colours and plain.vertices:
        vertices = st.integers(0, plain.vertices - 1)
        some = st.tuples(vertices, st.sampled_from(host.vertex_colours))
        colours = draw(st.lists(some, max_size=2))
    return BilabelledGraph(
        plain.vertices, tuple(edges), plain.outputs, plain.inputs, tuple(colours), host.directed
    )
