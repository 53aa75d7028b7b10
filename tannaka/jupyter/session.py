"""What the explorer is showing, as a value: what has been chosen, and what can be done.

A :class:`Session` is frozen; each thing that can be done gives another one, or raises TypeError or
ValueError with what its user should read. Nothing here knows of widgets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tannaka.category.automorphisms import Aut
from tannaka.category.groups import Group
from tannaka.category.hom import MAX_LISTED, Hom
from tannaka.category.product import Product
from tannaka.codegen.generate import GeneratedCode, generate
from tannaka.codegen.network import channel_count
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import readable
from tannaka.diagrams.diagram import Diagram, length, natural
from tannaka.diagrams.errors import SizeError
from tannaka.diagrams.morphism import Morphism
from tannaka.jupyter import menu
from tannaka.jupyter.pad import Pad
from tannaka.jupyter.shrinking import dependent, shrinking_family

PAGE = 24
"""How many diagrams are on a page."""
LONGEST = 24
"""Most vertices of a diagram that is drawn."""
GROWN = 300
"""Largest dimension at which bilabelled graphs are grown, which takes seconds from there on."""
WRITTEN = 500
"""Largest dimension of a layer that is written: a file of thousands of rows is nothing to read."""
LEFT_PAGE = 6
"""How many dependent diagrams are shown with their relations at once."""

REDUCED: dict[type[Diagram], int] = {Brauer: 10}
"""Most vertices of diagrams outside the basis that are written in it; of others than matchings, 8.

A matching with a determinant of three legs takes ten seconds at 9."""

OPERATIONS = ("compose", "tensor", "add", "dagger")
PANELS = ("glue", "matrix", "shrink", "draw", "layer")
SUBJECTS = ("space", "f", "g", "result", "drawn")
BACKENDS = ("einsum", "cpp", "triton", "numpy", "jax")
SLOTS = ("f", "g")

Map = Diagram | Morphism


@dataclass(frozen=True)
class Layer:
    """What layer is asked for, and its source once it is written."""

    in_channels: int = 16
    out_channels: int = 32
    backend: str = "einsum"
    code: GeneratedCode | None = None


@dataclass(frozen=True)
class Session:
    """A Hom space, two chosen maps f and g, what is done with them, and what has been drawn.

    >>> from tannaka.category.symmetric import S
    >>> session = Session(S(3), 1, 1).pick(0).pick(1)
    >>> print(session.f, "then", session.g, "is", session.result)
    0 1 then 0 | 1 is (0 | 1)
    """

    group: Group
    k: Any
    l: Any
    page: int = 0
    f: Map | None = None
    g: Map | None = None
    operation: str = "compose"
    panel: str = "glue"
    subject: str = "space"
    pad: Pad | None = None
    left: Any = None
    left_page: int = 0
    layer: Layer = Layer()

    def __post_init__(self) -> None:
        menu.check(self.group)
        hom = Hom(self.group, self.k, self.l)
        object.__setattr__(self, "k", hom.k)
        object.__setattr__(self, "l", hom.l)
        size = length(self.k) + length(self.l)
        if size > LONGEST:
            raise SizeError(
                f"k + l is {size}: diagrams of at most {LONGEST} vertices are drawn; "
                f"the dimension is {readable(hom.dimension)}"
            )
        if self.pad is None or (self.pad.group, self.pad.k, self.pad.l) != (
            self.group,
            self.k,
            self.l,
        ):
            object.__setattr__(self, "pad", Pad(self.group, self.k, self.l))

    @cached_property
    def hom(self) -> Hom:
        """The space that is browsed."""
        return Hom(self.group, self.k, self.l)

    @property
    def spanning(self) -> bool:
        """Whether all spanning diagrams are browsed, and not the basis alone."""
        family = menu.family_of(self.group)
        return self.panel == "shrink" and family is not None and family.key in menu.SHRINKING

    @cached_property
    def listed(self) -> Any:
        """What is browsed; raises SizeError where there is too much of it."""
        number = self.hom.count if self.spanning else self.hom.dimension
        if number > MAX_LISTED:
            raise SizeError(f"{readable(number)} diagrams: too many to browse")
        if isinstance(self.group, Aut) and number > GROWN:
            raise SizeError(
                f"a basis of {readable(number)} bilabelled graphs takes long to grow: at most "
                f"{GROWN} are shown here; tn.Hom(G, k, l).basis() has them"
            )
        return self.hom.spanning if self.spanning else self.hom.independent

    @property
    def pages(self) -> int:
        """How many pages there are; raises SizeError where there are too many diagrams."""
        return max(1, -(-int(self.listed.count) // PAGE))

    @cached_property
    def result(self) -> Morphism | None:
        """What is made of f and g, as a formal sum; None while one is missing.

        Raises CompositionError where they do not fit.
        """
        if self.f is None or (self.g is None and self.operation != "dagger"):
            return None
        f, g = Morphism.of(self.f), self.g
        if self.operation == "dagger":
            return f.dagger()
        assert g is not None
        if self.operation == "tensor":
            return f @ g
        return f >> g if self.operation == "compose" else f + g

    @property
    def drawn(self) -> Any:
        """The diagram that is drawn, or None while something is missing."""
        assert self.pad is not None
        return None if self.pad.missing() else self.pad.diagram()

    @property
    def selected(self) -> tuple[Map, ...]:
        """The chosen maps: nothing, f alone, or f and g."""
        return tuple(one for one in (self.f, self.g) if one is not None)

    # The space

    def with_family(self, family: str) -> Session:
        """A group of this family of the menu, with the n that is nearest."""
        if family not in menu.FAMILIES:
            raise ValueError(f"the families are {', '.join(menu.FAMILIES)}, got {family!r}")
        n = self.group.n if isinstance(self.group.n, int) else 3
        found = menu.FAMILIES[family]
        return self.with_group(found.make(found.nearest(n)))

    def with_name(self, name: str) -> Session:
        """The group with this name, such as "S(3) x O(2)"."""
        return self.with_group(menu.named(name))

    def with_n(self, n: int) -> Session:
        """The group of the same family with this n."""
        family = menu.family_of(self.group)
        n = natural("n", n, least=1, what="n")
        if family is None or family.only:
            raise ValueError(f"{self.group} has no other n: choose another group")
        if family.nearest(n) != n:
            raise ValueError(
                f"{family.label}: n goes from {family.least} to {menu.MOST}"
                + (f" in steps of {family.step}" if family.step > 1 else "")
                + f", got {n}"
            )
        return self.with_group(family.make(n))

    def with_group(self, group: Group) -> Session:
        """Another group; f and g stay where they are maps for it too."""
        menu.check(group)
        k, l = _reworded(self.group, group, self.k, self.l)
        kept = {slot: _kept(group, getattr(self, slot)) for slot in SLOTS}
        subject = "space" if self.subject == "drawn" else self.subject
        return self._moved(group=group, k=k, l=l, subject=subject, **kept)

    def with_orders(self, k: Any = None, l: Any = None) -> Session:
        """Other orders; a word of types may be text, such as "0 1"."""
        new = {
            name: _order(self.group, name, value)
            for name, value in (("k", k), ("l", l))
            if value is not None
        }
        return self._moved(**new)

    def turn(self, page: int) -> Session:
        """Another page; beyond the ends, the last or the first."""
        page = min(max(natural("page", max(page, 0), least=0, what="a page"), 0), self.pages - 1)
        return replace(self, page=page)

    # The chosen maps

    def pick(self, number: int) -> Session:
        """Choose the listed diagram of this number, or choose it no longer.

        The first becomes f, the next g, and from then on each new one takes the place of g. One that
        is outside the basis is shown with what it is equal to.
        """
        diagram = self.listed[number]
        if self.spanning and diagram not in self.hom.independent:
            return replace(self, left=None if self.left == diagram else diagram)
        if diagram == self.g:
            return replace(self, g=None)
        if diagram == self.f and self.g is not None:
            # Twice the same is a composition too: its square.
            return replace(self, g=diagram)
        if diagram == self.f:
            return replace(self, g=diagram) if _endo(diagram) else replace(self, f=None)
        return self._holding("f" if self.f is None else "g", diagram)

    def select(self, *maps: Map) -> Session:
        """Choose f, or f and g; raises TypeError or ValueError unless they are maps for the group."""
        if len(maps) > 2:
            raise ValueError(f"at most two are chosen, f and g, got {len(maps)}")
        for one in maps:
            _check(self.group, one)
        f, g = (*maps, None, None)[:2]
        return replace(self, f=f, g=g)

    def drop(self, slot: str) -> Session:
        """Choose f or g no longer."""
        return self._holding(slot, None)

    def swap(self) -> Session:
        """Exchange f and g."""
        return replace(self, f=self.g, g=self.f)

    def flip(self, slot: str) -> Session:
        """Turn f or g upside down."""
        one = getattr(self, _one_of("slot", slot, SLOTS))
        return self if one is None else self._holding(slot, one.dagger())

    def operate(self, operation: str) -> Session:
        """What is made of f and g."""
        return replace(self, operation=_one_of("operation", operation, OPERATIONS))

    def use(self, what: str, slot: str) -> Session:
        """Put the result, or what is drawn, into a slot."""
        found = self.result if what == "result" else self.drawn
        if found is None:
            raise ValueError(f"there is no {what} yet")
        if isinstance(found, Morphism):
            found = reduced(self.group, found)
            terms = found.written()
            found = terms[0][1] if len(terms) == 1 and not terms[0][0] else found
        return self._holding(slot, found)

    # What is looked at

    def open(self, panel: str) -> Session:
        """Open a panel; where n shrinks, all spanning diagrams are browsed."""
        new = replace(self, panel=_one_of("panel", panel, PANELS))
        return new if new.spanning == self.spanning else replace(new, page=0)

    def look(self, subject: str) -> Session:
        """Whose matrix is shown."""
        return replace(self, subject=_one_of("subject", subject, SUBJECTS))

    def relate(self) -> Session:
        """All relations, and not that of one diagram."""
        return replace(self, left=None)

    def leaf(self, page: int) -> Session:
        """Another page of relations."""
        shrinking_family(self.group)
        last = max(0, -(-len(dependent(self.group, self.k, self.l)) // LEFT_PAGE) - 1)
        return replace(self, left_page=min(max(page, 0), last))

    # Drawing

    def draw(self, start: int, end: int, edge: bool = False) -> Session:
        """One stroke more; raises ValueError, with the reason, for one that no diagram has."""
        assert self.pad is not None
        return replace(self, pad=self.pad.drawn(start, end, edge))

    def free(self, vertex: int) -> Session:
        """Without the strokes at a vertex."""
        assert self.pad is not None
        return replace(self, pad=self.pad.freed(vertex))

    def undo(self) -> Session:
        """Without the last stroke."""
        assert self.pad is not None
        return replace(self, pad=self.pad.undone())

    def wipe(self) -> Session:
        """Without any stroke."""
        assert self.pad is not None
        return replace(self, pad=self.pad.cleared())

    def trace(self, slot: str) -> Session:
        """Put f or g on the page where diagrams are drawn, to change it there."""
        one = getattr(self, _one_of("slot", slot, SLOTS))
        if not isinstance(one, Diagram):
            raise ValueError(
                f"{slot} is {'not chosen' if one is None else 'a sum'}: nothing to draw"
            )
        return self.with_drawn(one)

    def with_drawn(self, diagram: Any) -> Session:
        """The diagram as if it had been drawn; None for a blank page."""
        if diagram is None:
            return self.wipe()
        if not isinstance(diagram, Diagram):
            raise TypeError(f"expected a diagram, got {diagram!r}")
        _check(self.group, diagram)
        pad = Pad.of(self.group, diagram)
        return replace(self._moved(k=diagram.dom, l=diagram.cod), pad=pad)

    # Writing a layer

    def ask(self, in_channels: int, out_channels: int, backend: str) -> Session:
        """Say which layer is wanted."""
        layer = Layer(
            channel_count("in_channels", in_channels),
            channel_count("out_channels", out_channels),
            _one_of("backend", backend, BACKENDS),
        )
        return replace(self, layer=layer)

    def write(self) -> Session:
        """Write the layer; raises what :func:`tannaka.generate` raises."""
        if self.hom.dimension > WRITTEN:
            raise SizeError(
                f"{self.hom}: a file with so many rows is not to be read here, at most {WRITTEN} "
                "are written; tn.generate writes it"
            )
        one = self.layer
        code = generate(
            self.group, self.k, self.l, one.in_channels, one.out_channels, backend=one.backend
        )
        return replace(self, layer=replace(one, code=code))

    def _holding(self, slot: str, one: Map | None) -> Session:
        """With another map in a slot."""
        if _one_of("slot", slot, SLOTS) == "f":
            return replace(self, f=one)
        return replace(self, g=one)

    def _moved(self, **changes: Any) -> Session:
        """In another space, from its beginning."""
        layer = replace(self.layer, code=None)
        return replace(self, page=0, left=None, left_page=0, layer=layer, **changes)


ACTIONS: dict[str, Callable[..., Session]] = {
    "family": Session.with_family,
    "name": Session.with_name,
    "n": Session.with_n,
    "orders": Session.with_orders,
    "turn": Session.turn,
    "pick": Session.pick,
    "drop": Session.drop,
    "swap": Session.swap,
    "flip": Session.flip,
    "operate": Session.operate,
    "use": Session.use,
    "open": Session.open,
    "look": Session.look,
    "leaf": Session.leaf,
    "relate": Session.relate,
    "draw": Session.draw,
    "free": Session.free,
    "undo": Session.undo,
    "wipe": Session.wipe,
    "trace": Session.trace,
    "ask": Session.ask,
    "write": Session.write,
}
"""What the page may ask for, by name."""


def reduced(group: Group, f: Map) -> Morphism:
    """The map in the group's basis; raises SizeError where that might take minutes.

    >>> from tannaka.category.orthogonal import O
    >>> print(reduced(O(1), Brauer.identity(2)))
    (0 3 | 1 2)
    """
    f = Morphism.of(f)
    if isinstance(group, Aut):
        if f.diagrams() and isinstance(f.diagrams()[0], BilabelledGraph):
            dimension = group.dimension(f.dom, f.cod)
            if dimension > GROWN:
                raise SizeError(
                    f"the basis has {readable(dimension)} bilabelled graphs, and {GROWN} are grown "
                    "here at most: G.morphism(result) writes it in the basis"
                )
        return group.morphism(f)
    size = length(f.dom) + length(f.cod)
    most = min((REDUCED.get(type(diagram), 8) for diagram in f.diagrams()), default=size)
    if size > most:
        basis = group.basis(f.dom, f.cod)
        if not all(diagram in basis for diagram in f.diagrams()):
            raise SizeError(
                f"to write diagrams of {size} vertices in the basis may take long, and {most} are "
                "the most here: G.morphism(result) does it"
            )
    return group.morphism(f)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}, got {value!r}")
    return value


def _endo(diagram: Diagram) -> bool:
    return bool(diagram.dom == diagram.cod)


def _check(group: Group, f: Any) -> None:
    """Raise TypeError or ValueError unless f is a map for the group."""
    for diagram in Morphism.of(f).diagrams():
        group.check(diagram)


def _kept(group: Group, f: Map | None) -> Map | None:
    """The map, where it is one for this group too."""
    if f is None or isinstance(f, Morphism):
        # A sum had an n put in.
        return None
    try:
        group.check(f)
    except (TypeError, ValueError):
        return None
    return f


def _order(group: Group, name: str, value: Any) -> Any:
    """An order or a word, from numbers or from text."""
    if not isinstance(value, str):
        return value
    words = value.replace(",", " ").split()
    if not all(word.isdecimal() for word in words):
        raise ValueError(f"{name} is {_wanted(group)}, got {value!r}")
    numbers = tuple(map(int, words))
    if isinstance(group, Product):
        return numbers
    if len(numbers) != 1:
        raise ValueError(f"{name} is {_wanted(group)}, got {value!r}")
    return numbers[0]


def _wanted(group: Group) -> str:
    if isinstance(group, Product):
        last = len(group.factors) - 1
        return f"a factor for each axis, such as 0 {last}, with numbers from 0 to {last}"
    return "an order, a number from 0 on"


def _reworded(old: Group, new: Group, k: Any, l: Any) -> tuple[Any, Any]:
    """The orders for another group: words where it is a product, as long as they were."""
    if isinstance(new, Product):
        last = len(new.factors) - 1
        if isinstance(old, Product):
            return tuple(min(t, last) for t in k), tuple(min(t, last) for t in l)
        return tuple(i % (last + 1) for i in range(k)), tuple(i % (last + 1) for i in range(l))
    return length(k), length(l)
