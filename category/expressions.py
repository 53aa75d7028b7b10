"""Expressions: cups, caps, swaps, spiders and named boxes, composed; their normal form, explained.

A box is a map of which nothing is known but its name and orders. All its wires bent down, it is a
state; so whatever an expression says, it is a sum of diagrams that join the wires of some boxes, the
outputs and the inputs: the normal form. Expressions are equal by the laws of the category
(interchange, snakes, naturality of swaps, spider fusion, loops worth n) exactly when their normal
forms are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby, permutations, product
from math import factorial, prod
from typing import Any

from tannaka.category.groups import MatrixGroup
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram, order
from tannaka.diagrams.errors import CompositionError, SizeError
from tannaka.diagrams.morphism import Morphism
from tannaka.diagrams.partition import SetPartition, connected

MAX_ORDERS = 40_320
"""Most ways to order boxes of one name that are tried in looking for the normal form."""


class Expression(ABC):
    """A map dom -> cod, written with generators. ``f >> g`` is first f, then g; ``f @ g`` beside.

    >>> f = box("f", 1, 1)
    >>> snake = (identity(1) @ cup()) >> (cap() @ identity(1))
    >>> print(snake >> f)
    id @ cup >> cap @ id >> f
    >>> (snake >> f).normal() == f.normal()
    True
    >>> print((snake >> f).normal())
    (0 f^0 | f_0 1)
    >>> print((cup() >> f @ identity(1) >> cap()).normal())  # the trace: its wires are joined
    (f^0 f_0)
    """

    dom: int
    cod: int

    @abstractmethod
    def steps(self) -> Iterator[Step]:
        """What was done to find the normal form; the last step has it."""

    @abstractmethod
    def dagger(self) -> Expression:
        """Flip upside down: the adjoint; boxes flip too."""

    def normal(self) -> NormalForm:
        """The sum of diagrams of wires and boxes that this is."""
        *_, last = self.steps()
        return last.result

    def explain(self, group: MatrixGroup | None = None) -> Explanation:
        """The steps to the normal form; with a group, its n put in and reduced to its basis.

        >>> print((cup() >> cap()).explain())
        1. cup >> cap  =  n (∅)    1 loop closes: n
        >>> from tannaka.category.orthogonal import O
        >>> print(swap().explain(O(1)))
        1. swap  =  (0 3 | 1 2)
        2. at n = 1  =  (0 3 | 1 2)
        """
        *before, whole = self.steps()
        steps = [*(step for step in before if step.why), whole]
        last = whole.result
        if group is not None:
            name = f"at n = {group.n}" if group.loop == group.n else f"at a loop worth {group.loop}"
            steps.append(Step(name, last.reduced(group), last.reasons(group)))
        return Explanation(tuple(steps))

    def __rshift__(self, other: Expression) -> Expression:
        return Then(self, other)

    def __matmul__(self, other: Expression) -> Expression:
        return Beside(self, other)

    def __add__(self, other: Expression) -> Expression:
        return Sum(((Fraction(1), self), (Fraction(1), other)))

    def __sub__(self, other: Expression) -> Expression:
        return Sum(((Fraction(1), self), (Fraction(-1), other)))

    def __mul__(self, scalar: int | Fraction) -> Expression:
        return Sum(((Fraction(scalar), self),))

    __rmul__ = __mul__


@dataclass(frozen=True, eq=False)
class Wires(Expression):
    """A diagram with a name."""

    name: str
    diagram: SetPartition | Brauer

    @property
    def dom(self) -> int:  # type: ignore[override]
        """How many inputs."""
        return self.diagram.dom

    @property
    def cod(self) -> int:  # type: ignore[override]
        """How many outputs."""
        return self.diagram.cod

    def steps(self) -> Iterator[Step]:
        """One step: the diagram."""
        diagram = self.diagram
        partition = diagram.partition if isinstance(diagram, Brauer) else diagram
        form = NormalForm(self.dom, self.cod, {(): Morphism.of(partition)})
        yield Step(str(self), form, ())

    def dagger(self) -> Wires:
        """The diagram flipped."""
        names = {"cup": "cap", "cap": "cup"}
        return Wires(names.get(self.name, self.name), self.diagram.dagger())

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Box(Expression):
    """A map of which only the name and the orders are known; ``flipped`` for its adjoint."""

    name: str
    dom: int
    cod: int
    flipped: bool = False

    def __post_init__(self) -> None:
        order("dom", self.dom), order("cod", self.cod)
        if not self.name.isidentifier():
            raise ValueError(f"a box has a name like a variable's, got {self.name!r}")

    @property
    def key(self) -> tuple[str, int, int]:
        """The name and the orders of the box as it was made."""
        return (self.name, *((self.cod, self.dom) if self.flipped else (self.dom, self.cod)))

    def steps(self) -> Iterator[Step]:
        """One step: the box, its own wires joined to outputs and inputs."""
        # The box's wires come first among the inputs, its outputs before its inputs.
        k, l = self.dom, self.cod
        cod = self.key[2]
        outputs = [(i, l + (cod + i if self.flipped else i)) for i in range(l)]
        inputs = [(l + k + l + i, l + (i if self.flipped else cod + i)) for i in range(k)]
        joined = SetPartition.from_blocks(k + l + k, l, outputs + inputs)
        yield Step(str(self), NormalForm(k, l, {(self.key,): Morphism.of(joined)}), ())

    def dagger(self) -> Box:
        """The adjoint."""
        return Box(self.name, self.cod, self.dom, not self.flipped)

    def __str__(self) -> str:
        return self.name + ("†" if self.flipped else "")


@dataclass(frozen=True, eq=False)
class _Binary(Expression):
    first: Expression
    second: Expression

    @abstractmethod
    def _combined(
        self, first: NormalForm, second: NormalForm
    ) -> tuple[NormalForm, tuple[str, ...]]: ...

    def steps(self) -> Iterator[Step]:
        """The steps of both parts, then putting them together."""
        results = []
        for part in (self.first, self.second):
            for step in part.steps():
                if step.why:
                    yield step
                result = step.result
            results.append(result)
        combined, why = self._combined(*results)
        yield Step(str(self), combined, why)


@dataclass(frozen=True, eq=False)
class Then(_Binary):
    """``first``, then ``second``."""

    def __post_init__(self) -> None:
        if self.first.cod != self.second.dom:
            raise CompositionError(
                f"cannot compose ({self.first}) >> ({self.second}): "
                f"the first has {self.first.cod} outputs, the second {self.second.dom} inputs"
            )

    @property
    def dom(self) -> int:  # type: ignore[override]
        """How many inputs."""
        return self.first.dom

    @property
    def cod(self) -> int:  # type: ignore[override]
        """How many outputs."""
        return self.second.cod

    def _combined(
        self, first: NormalForm, second: NormalForm
    ) -> tuple[NormalForm, tuple[str, ...]]:
        return first.then(second)

    def dagger(self) -> Then:
        """The other way round."""
        return Then(self.second.dagger(), self.first.dagger())

    def __str__(self) -> str:
        return f"{_written(self.first, Sum)} >> {_written(self.second, Sum, Then)}"


@dataclass(frozen=True, eq=False)
class Beside(_Binary):
    """``first``, and ``second`` to its right."""

    @property
    def dom(self) -> int:  # type: ignore[override]
        """How many inputs."""
        return self.first.dom + self.second.dom

    @property
    def cod(self) -> int:  # type: ignore[override]
        """How many outputs."""
        return self.first.cod + self.second.cod

    def _combined(
        self, first: NormalForm, second: NormalForm
    ) -> tuple[NormalForm, tuple[str, ...]]:
        return first.beside(second), ()

    def dagger(self) -> Beside:
        """Both flipped."""
        return Beside(self.first.dagger(), self.second.dagger())

    def __str__(self) -> str:
        return f"{_written(self.first, Sum, Then)} @ {_written(self.second, Sum, Then, Beside)}"


@dataclass(frozen=True, eq=False)
class Sum(Expression):
    """A sum of expressions with coefficients."""

    terms: tuple[tuple[Fraction, Expression], ...]

    def __post_init__(self) -> None:
        orders = {(term.dom, term.cod) for _, term in self.terms}
        if len(orders) != 1:
            kinds = ", ".join(f"({term}), {term.dom} -> {term.cod}" for _, term in self.terms)
            raise CompositionError(f"a sum has terms of the same orders, got {kinds}")

    @property
    def dom(self) -> int:  # type: ignore[override]
        """How many inputs."""
        return self.terms[0][1].dom

    @property
    def cod(self) -> int:  # type: ignore[override]
        """How many outputs."""
        return self.terms[0][1].cod

    def steps(self) -> Iterator[Step]:
        """The steps of all terms, then adding up."""
        total = NormalForm(self.dom, self.cod, {})
        for coefficient, term in self.terms:
            for step in term.steps():
                if step.why:
                    yield step
                result = step.result
            total = total.plus(result, coefficient)
        yield Step(str(self), total, ("like terms are added",) if len(self.terms) > 1 else ())

    def dagger(self) -> Sum:
        """The sum of the flips."""
        return Sum(tuple((c, term.dagger()) for c, term in self.terms))

    def __str__(self) -> str:
        words = []
        for coefficient, term in self.terms:
            scale = {"1": "", "-1": "-"}.get(str(coefficient), f"{coefficient} ")
            words.append(scale + (_written(term, Sum, Then, Beside) if scale else str(term)))
        return " + ".join(words).replace("+ -", "- ")


def _written(part: Expression, *loose: type[Expression]) -> str:
    return f"({part})" if isinstance(part, loose) else str(part)


def identity(k: int = 1) -> Expression:
    """K wires."""
    return Wires("id" if k == 1 else f"id({k})", SetPartition.identity(k))


def cup() -> Expression:
    """The cup 0 -> 2."""
    return Wires("cup", SetPartition.cup())


def cap() -> Expression:
    """The cap 2 -> 0."""
    return Wires("cap", SetPartition.cap())


def swap(k: int = 1, l: int = 1) -> Expression:
    """The symmetry k + l -> l + k."""
    return Wires("swap" if k == l == 1 else f"swap({k}, {l})", SetPartition.swap(k, l))


def spider(dom: int, cod: int) -> Expression:
    """One point with dom inputs and cod outputs."""
    return Wires(f"spider({dom}, {cod})", SetPartition.spider(dom, cod))


def box(name: str, dom: int, cod: int) -> Expression:
    """A map dom -> cod of which only the name is known.

    Raises ValueError for a name that is no identifier, or orders that are negative.
    """
    return Box(name, order("dom", dom), order("cod", cod))


Key = tuple[str, int, int]


@dataclass(frozen=True)
class NormalForm:
    """A sum of diagrams that join the wires of boxes, the outputs and the inputs.

    ``terms[boxes]`` is a sum of diagrams (wires of the boxes, then inputs) -> outputs; of each box
    the outputs come before the inputs, and are written f^0, f^1, ..., f_0, ....
    """

    dom: int
    cod: int
    terms: Mapping[tuple[Key, ...], Morphism] = field(hash=False)

    def __post_init__(self) -> None:
        found: dict[tuple[Key, ...], Morphism] = {}
        for boxes, total in self.terms.items():
            ordered, arranged = _arranged(boxes, total)
            found[ordered] = found[ordered] + arranged if ordered in found else arranged
        object.__setattr__(self, "terms", {boxes: f for boxes, f in found.items() if f})

    def then(self, other: NormalForm) -> tuple[NormalForm, tuple[str, ...]]:
        """Compose, and say what happened to the wires."""
        found: dict[tuple[Key, ...], Morphism] = {}
        why: list[str] = []
        for lower, f in self.terms.items():
            for upper, g in other.terms.items():
                # The boxes of the second come first: their wires pass by on the left.
                wires = SetPartition.identity(_ports(upper))
                whole = (wires @ f) >> g
                for one, two in product(f.diagrams(), g.diagrams()):
                    why += _what_happens(wires @ one, two, _ports(upper))
                boxes = upper + lower
                found[boxes] = found[boxes] + whole if boxes in found else whole
        return NormalForm(self.dom, other.cod, found), tuple(dict.fromkeys(why))

    def beside(self, other: NormalForm) -> NormalForm:
        """Put the other to the right."""
        found: dict[tuple[Key, ...], Morphism] = {}
        for left, f in self.terms.items():
            for right, g in other.terms.items():
                # From (ports of both, inputs of both) to (ports, inputs; ports, inputs).
                moved = (
                    SetPartition.identity(_ports(left))
                    @ SetPartition.swap(_ports(right), self.dom)
                    @ SetPartition.identity(other.dom)
                )
                whole = moved >> (f @ g)
                boxes = left + right
                found[boxes] = found[boxes] + whole if boxes in found else whole
        return NormalForm(self.dom + other.dom, self.cod + other.cod, found)

    def plus(self, other: NormalForm, scale: Fraction) -> NormalForm:
        """Add a multiple of the other."""
        found = dict(self.terms)
        for boxes, f in other.terms.items():
            found[boxes] = found[boxes] + scale * f if boxes in found else scale * f
        return NormalForm(self.dom, self.cod, found)

    def reduced(self, group: MatrixGroup) -> NormalForm:
        """With the group's n put in, and every diagram in the group's basis.

        Wires of boxes are inputs like any other. Raises ValueError for a spider that is no wire where
        the group's diagrams are matchings.
        """
        found = {boxes: group.morphism(_in_family(f, group)) for boxes, f in self.terms.items()}
        back = {boxes: _as_partitions(f) for boxes, f in found.items()}
        return NormalForm(self.dom, self.cod, back)

    def reasons(self, group: MatrixGroup) -> tuple[str, ...]:
        """The relations that :meth:`reduced` uses."""
        words = []
        for f in self.terms.values():
            for diagram in _in_family(f, group).diagrams():
                equal = group.morphism(diagram)
                if equal != Morphism(diagram.dom, diagram.cod, {(diagram, 0): 1}, n=group.loop):
                    words.append(f"({diagram}) = {equal}")
        return tuple(words)

    def __str__(self) -> str:
        words = []
        for boxes, f in sorted(self.terms.items(), key=str):
            names = _port_names(boxes)
            for coefficient, diagram in f.written():
                at = [
                    *map(str, range(self.cod)),
                    *names,
                    *(str(self.cod + i) for i in range(self.dom)),
                ]
                words.append(f"{coefficient}({diagram.written(at)})")
        return " + ".join(words).replace("+ -", "- ") or "0"


@dataclass(frozen=True)
class Step:
    """One composition or sum: what was written, what it is, and what happened."""

    expression: str
    result: NormalForm
    why: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """The steps from an expression to its normal form; prints as a list."""

    steps: tuple[Step, ...]

    @property
    def result(self) -> NormalForm:
        """The normal form."""
        return self.steps[-1].result

    def __str__(self) -> str:
        lines = []
        for number, step in enumerate(self.steps, 1):
            why = "    " + "; ".join(step.why) if step.why else ""
            lines.append(f"{number}. {step.expression}  =  {step.result}{why}")
        return "\n".join(lines)

    __repr__ = __str__


def _ports(boxes: tuple[Key, ...]) -> int:
    return sum(dom + cod for _, dom, cod in boxes)


def _port_names(boxes: tuple[Key, ...]) -> list[str]:
    """f^0 for the first output of the only box f; f1^0, f2^0 where there are two."""
    total: dict[str, int] = defaultdict(int)
    for name, _, _ in boxes:
        total[name] += 1
    seen: dict[str, int] = defaultdict(int)
    names = []
    for name, dom, cod in boxes:
        seen[name] += 1
        called = name if total[name] == 1 else f"{name}{seen[name]}"
        names += [f"{called}^{i}" for i in range(cod)] + [f"{called}_{i}" for i in range(dom)]
    return names


def _arranged(boxes: tuple[Key, ...], total: Morphism) -> tuple[tuple[Key, ...], Morphism]:
    """Boxes in the order of their names; boxes of one name in the order that gives the least text."""
    ordered = sorted(range(len(boxes)), key=lambda i: boxes[i])
    groups = [list(same) for _, same in groupby(ordered, key=lambda i: boxes[i])]
    ways = prod(factorial(len(same)) for same in groups)
    if ways > MAX_ORDERS:
        raise SizeError(
            f"an expression with {len(boxes)} boxes, many of one name, has {ways:,} orders of them "
            f"to try for its normal form: at most {MAX_ORDERS:,}"
        )
    starts = [_ports(boxes[:i]) for i in range(len(boxes))]
    size = total.dom - _ports(boxes)
    best: tuple[str, Morphism] | None = None
    for choice in product(*map(permutations, groups)):
        places = [i for same in choice for i in same]
        images = [starts[i] + j for i in places for j in range(sum(boxes[i][1:]))]
        images += range(_ports(boxes), total.dom)
        # Input j of the arranged sum goes to input images[j] of the given one.
        back = tuple(images.index(i) for i in range(_ports(boxes) + size))
        moved = SetPartition.permutation(back) >> total
        text = str(moved)
        if best is None or text < best[0]:
            best = (text, moved)
    assert best is not None
    return tuple(boxes[i] for i in ordered), best[1]


def _what_happens(first: Diagram, second: Diagram, ports: int) -> list[str]:
    """In words: loops that close, snakes that straighten, spiders that fuse.

    The first ``ports`` vertices in the middle are wires of boxes that only pass by.
    """
    words = []
    _, closed = first.then(second)
    if closed:
        words.append("1 loop closes: n" if closed == 1 else f"{closed} loops close: n^{closed}")
    shift = second.cod
    blocks = [*second.blocks, *([shift + v for v in block] for block in first.blocks)]
    size = shift + first.cod + first.dom
    label = connected(size, blocks)
    middle = range(shift, shift + first.cod)
    for component in sorted({label[v] for v in middle}):
        inside = [b for b in blocks if len(b) > 1 and label[b[0]] == component]
        within = [b for b in inside if all(v in middle[ports:] for v in b)]
        reaches = any(label[v] == component for v in [*range(shift), *range(middle.stop, size)])
        if any(len(b) > 2 for b in inside) and len(inside) > 1:
            words.append("spiders fuse")
        elif len(within) > 1 and reaches:
            words.append("a snake straightens")
    return words


def _in_family(f: Morphism, group: MatrixGroup) -> Morphism:
    family = group.families[0]
    if family is SetPartition:
        return f
    table: dict[tuple[Diagram, tuple[int, ...]], Any] = {}
    for diagram, power, value in f.items():
        if any(len(block) != 2 for block in diagram.blocks):
            raise ValueError(f"{group} has no spiders: ({diagram}) is not made of wires")
        table[Brauer.from_blocks(diagram.dom, diagram.cod, diagram.blocks), power] = value
    return Morphism(f.dom, f.cod, table, f.values)


def _as_partitions(f: Morphism) -> Morphism:
    table = {
        (d.partition if isinstance(d, Brauer) else d, power): value for d, power, value in f.items()
    }
    return Morphism(f.dom, f.cod, table, f.values)
