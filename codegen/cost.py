"""What a plan costs: operations, memory moved, kernels launched and the most memory alive at once.

Counted step by step, as the einsum backend runs them; exact for numbers, and SymPy expressions where
n or the batch is left open. A multiply-add is 2 flops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

from tannaka.codegen.lifetimes import homes, is_view, lifetimes, read
from tannaka.codegen.lowering.gradient import GRADIENT, AnyStep, Outer, gradient
from tannaka.codegen.network import Word
from tannaka.codegen.plan import (
    ABSENT,
    INPUT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Multiply,
    Plan,
    Weigh,
    Zeros,
    produced,
)
from tannaka.diagrams.diagram import natural


@dataclass(frozen=True)
class Cost:
    """What running something once costs; each a number, or a SymPy expression.

    >>> from tannaka.category import S, Hom
    >>> from tannaka.codegen.lowering.lower import lower
    >>> plan = lower(Hom(S(5), 1, 0), 8, 16, bias=False)
    >>> print(plan.cost(n=5, batch=2))
    592 flops, 1,088 bytes moved, 2 kernels, 192 bytes alive at most
    >>> plan.cost(batch=2).flops
    16*n + 512
    """

    flops: Any
    """Floating-point operations; a multiply-add is 2."""
    bytes: Any
    """Bytes read and written, of features and weights."""
    launches: int
    """Kernels launched, where each operation of PyTorch is one; views are none."""
    peak: Any
    """The most bytes alive at once beside input and parameters, the result among them."""

    def __add__(self, other: Cost) -> Cost:
        """One after the other; what was alive is given back in between."""
        return Cost(
            self.flops + other.flops,
            self.bytes + other.bytes,
            self.launches + other.launches,
            largest([self.peak, other.peak]),
        )

    def __str__(self) -> str:
        return (
            f"{_written(self.flops)} flops, {_written(self.bytes)} bytes moved, "
            f"{self.launches} kernels, {_written(self.peak)} bytes alive at most"
        )


def _written(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def largest(values: Sequence[Any]) -> Any:
    """The largest of numbers, or of expressions, then a SymPy ``Max``."""
    if all(isinstance(value, int) for value in values):
        return max(values, default=0)
    from sympy import Max

    return Max(*values)


def open_sizes(types: int, n: Any, batch: Any) -> tuple[tuple[Any, ...], Any]:
    """The size of each type of axis and of the batch: symbols ``n`` (``n0``, ...), ``batch`` if None."""
    if n is None or batch is None:
        from sympy import Symbol

        if n is None:
            names = ["n"] if types == 1 else [f"n{kind}" for kind in range(types)]
            n = tuple(Symbol(name, integer=True, positive=True) for name in names)
        if batch is None:
            batch = Symbol("batch", integer=True, nonnegative=True)
    sizes = tuple(n) if isinstance(n, tuple | list) else (n,)
    if len(sizes) != types:
        raise ValueError(
            f"n must be a tuple of {types} sizes, one for each type of axis, got {n!r}"
            if types > 1
            else f"n must be the size of an axis, got {n!r}"
        )
    sizes = tuple(_number("n", size, what="the size of an axis") for size in sizes)
    return sizes, _number("batch", batch, what="a number of inputs")


def _number(name: str, value: Any, *, what: str) -> Any:
    """An integer >= 0, or an expression in symbols as it is; TypeError or ValueError for others."""
    return value if hasattr(value, "free_symbols") else natural(name, value, least=0, what=what)


def forward_cost(plan: Plan, n: Any = None, batch: Any = 1, itemsize: int = 4) -> Cost:
    """The cost of applying a plan to ``batch`` inputs, with ``itemsize`` bytes for a number."""
    counter = _Counter(plan, n, batch, itemsize, plan.words())
    counter.channels |= plan.given_channels
    return counter.run(plan.steps, {plan.result}, plan.in_channels, plan.out_channels)


def backward_cost(
    plan: Plan,
    n: Any = None,
    batch: Any = 1,
    itemsize: int = 4,
    *,
    of_input: bool = True,
    of_parameters: bool = True,
) -> Cost:
    """The cost of the gradients of input and parameters, or of one of these."""
    back = gradient(plan).needing(of_input=of_input, of_parameters=of_parameters)
    counter = _Counter(plan, n, batch, itemsize, back.words())
    counter.channels |= {INPUT: plan.in_channels, GRADIENT: plan.out_channels}
    kept = {back.input} if of_input else set()
    return counter.run(back.steps, kept, plan.out_channels, plan.in_channels)


class _Counter:
    """Adds up the cost of steps."""

    def __init__(
        self, plan: Plan, n: Any, batch: Any, itemsize: int, words: Mapping[str, Word]
    ) -> None:
        self.plan, self.itemsize, self.words = plan, itemsize, words
        self.sizes, self.batch = open_sizes(plan.types, n, batch)
        self.channels: dict[str, int] = {}
        self.flops: Any = 0
        self.moved: Any = 0
        self.launches = 0
        self.temporary: Any = 0
        self.views: set[str] = set()
        """Tensors that are views along diagonals of others."""
        self.copies: dict[tuple[str, tuple[int, ...]], Any] = {}
        """The sizes of copies of permuted tensors."""

    def entries(self, word: Iterable[int]) -> Any:
        """How many positions tensors of a word have, over the whole batch."""
        total = self.batch
        for kind in word:
            total = total * self.sizes[kind]
        return total

    def size(self, name: str) -> Any:
        """How many numbers a tensor has."""
        return self.entries(self.words[name]) * self.channels[name]

    def run(self, steps: Sequence[AnyStep], kept: set[str], before: int, after: int) -> Cost:
        """All steps; channels are ``before`` in what is mixed, ``after`` in what comes of it."""
        home, dead = homes(steps), lifetimes(steps, kept)
        last = {name: i for i, step in enumerate(steps) for name in read(step)}
        alive: dict[str, Any] = {}
        peaks: list[Any] = [0]
        for i, step in enumerate(steps):
            self.temporary = 0
            self.step(step, before, after)
            for name in () if isinstance(step, Outer) else produced(step):
                if home.get(name) == name:
                    alive[name] = self.size(name) * self._pieces(step)
            peaks.append(sum(alive.values()) + sum(self.copies.values()) + self.temporary)
            for copy in [copy for copy in self.copies if last[copy[0]] == i]:
                del self.copies[copy]
            for name in dead[i]:
                # Where a tensor has no axes, giving its memory back is not worth a line.
                if self.words[name]:
                    alive.pop(name, None)
        several = {step.outs[0] for step in steps if isinstance(step, Mix) and step.outs[1:]}
        for name in kept:
            if home.get(name) in several:
                # One of several results of a mix is copied, or all of them would stay.
                self._add(0, 2 * self.size(name), 1)
                peaks.append(sum(alive.values()) + self.size(name))
        parameters = len(self.plan.basis) * before * after
        self.moved = self.moved + parameters * (1 + any(isinstance(s, Outer) for s in steps))
        size = self.itemsize
        return Cost(
            self.flops, self.moved * size, self.launches, largest([peak * size for peak in peaks])
        )

    def _pieces(self, step: AnyStep) -> int:
        """How many tensors of one size come in one piece of memory, or stay as long."""
        if isinstance(step, Multiply):
            return len(step.outs)
        if not isinstance(step, Mix):
            return 1
        return len(step.outs) + sum(row != ABSENT for row in step.bias_rows) * bool(step.features)

    def step(self, step: AnyStep, before: int, after: int) -> None:
        """Add one step."""
        match step:
            case Contract():
                channels = self.channels[step.out] = self.channels[step.source]
                if is_view(step):
                    self.views.add(step.out)
                else:
                    self._contract(step, channels)
            case LeviCivita():
                channels = self.channels[step.out] = self.channels[step.source]
                terms = factorial(len(set(step.legs) - set(step.keep)))
                work = self.size(step.out) * terms
                self._add(2 * work, 3 * work + self.size(step.out), 3)
                self.temporary = 2 * work + self.size(step.source)
            case Mix():
                self._mix(step, after)
            case Zeros():
                self.channels[step.out] = after
                self._add(0, self.size(step.out), 1)
            case Embed():
                self.channels[step.out] = self.channels[step.base]
                touched = self._touched(step, self.words[step.base]) * self.channels[step.base]
                self._add(touched, 2 * touched + self.size(step.source), 1 + len(step.forms))
                self.temporary = self.size(step.source) if step.averaged else 0
            case Multiply():
                self._multiply(step, after)
            case Weigh():
                features = len(step.features)
                given = self.size(step.features[0][0]) * features
                # Weights for each pair of channels: as many for the other input as are left.
                others = before // self.channels[step.features[0][0]]
                self.channels[step.out] = len(step.rows) * after * others
                flops = 2 * given * len(step.rows) * after * others
                joined = 2 * given * (features > 1)
                self._add(flops, joined + given + self.size(step.out), 3 + (features > 1))
                self.temporary = given
            case Outer():
                self._outer(step)

    def _add(self, flops: Any, moved: Any, launches: int) -> None:
        self.flops, self.moved = self.flops + flops, self.moved + moved
        self.launches += launches

    def _contract(self, step: Contract, channels: int) -> None:
        """Add sums along a diagonal: first with one form after the other, then the rest."""
        types = dict(zip(step.labels, self.words[step.source], strict=True))
        flops: Any = 0
        temporaries: list[Any] = [0]
        given: Any = 0
        for a, b in step.forms:
            del types[b]
            touched = self.entries(types.values()) * channels
            flops = flops + touched
            # Differences of the two halves, each with one sign of the form.
            before = given
            del types[a]
            given = self.entries(types.values()) * channels
            temporaries.append(before + _half(touched) + given)
        if set(types) - set(step.keep) or not step.forms:
            flops = flops + self.entries(types.values()) * channels
            temporaries.append(given)
        elif step.averaged:
            temporaries.append(given)
        self._add(flops, flops + self.size(step.out), 1)
        self.temporary = largest(temporaries)

    def _touched(self, step: Embed, word: Word) -> Any:
        """How many positions of its base an embedding writes."""
        second = {b for _, b in step.forms}
        types = dict(zip(step.labels, word, strict=True))
        return self.entries(kind for index, kind in types.items() if index not in second)

    def _mix(self, step: Mix, after: int) -> None:
        self.channels |= dict.fromkeys(step.outs, after)
        made = self.size(step.outs[0])
        if not step.features:
            self._add(made * len(step.outs), made * len(step.outs), 2 * len(step.outs))
            self.temporary = made
            return
        biased = sum(row != ABSENT for row in step.bias_rows)
        self._add(made * biased, 2 * made * biased, biased)
        sources = {name for name, _ in step.features}
        given = self.size(step.features[0][0])
        if len(step.outs) == 1 and len(sources) == 1:
            terms = sum(row != ABSENT for row in step.rows[0])
            product = 2 * given * after
            moved = terms * (given + made) + (terms - 1) * 3 * made
            self._add(terms * product + (terms - 1) * made, moved, 2 * terms - 1)
            self.temporary = made if terms > 1 else 0
            plain = any(axes == tuple(range(len(axes))) for _, axes in step.features)
            if not plain or not sources.isdisjoint(self.views):
                # Products of matrices read what lies in one piece, or copy it.
                self.temporary = self.temporary + given
            return
        features = len(step.features)
        joined = features * given if features > 1 else 0
        self._add(
            2 * features * given * after * len(step.outs),
            2 * joined + features * given + made * len(step.outs),
            3 + (features > 1),
        )
        self.temporary = joined if features > 1 else given

    def _multiply(self, step: Multiply, after: int) -> None:
        """Add a product: of all pairs of channels, of equal ones, or summed over those of one side."""
        left, right = self.channels[step.left], self.channels[step.right]
        each = {"all": left * right, "equal": left, "left": left, "right": right}[step.pairing]
        weighed = step.pairing in ("left", "right")
        self.channels |= dict.fromkeys(step.outs, after if weighed else each)
        words = (*self.words[step.left], *self.words[step.right])
        types = dict(zip((*step.left_labels, *step.right_labels), words, strict=True))
        for _, b in step.forms:
            del types[b]
        terms = self.entries(types.values()) * each
        given = self.size(step.left) + self.size(step.right)
        turned = self.size(step.right) if step.forms else 0
        flops = terms * (2 if step.summed or weighed else 1)
        made = self.size(step.outs[0]) * len(step.outs)
        self._add(flops, given + made + 2 * turned, 1 + 2 * bool(step.forms))
        # Products of matrices read what lies in one piece, or copy it.
        self.temporary = turned + (given if step.summed or weighed else 0)

    def _outer(self, step: Outer) -> None:
        features = sum(self.size(name) for name, _ in step.features)
        biased = sum(row != ABSENT for row in step.bias_rows)
        first = self.size(step.features[0][0])
        self._add(biased * first, biased * first, biased)
        if not step.sources:
            return
        sources = sum(self.size(name) for name in step.sources)
        permuted = [axes != tuple(range(len(axes))) for _, axes in step.features]
        copies = sum(permuted)
        scattered = {name for name in (*step.sources, *dict(step.features)) if name in self.views}
        scattered_sources = sum(self.size(name) for name in step.sources if name in scattered)
        if len(step.sources) == 1:
            for (name, axes), moved in zip(step.features, permuted, strict=True):
                if moved:
                    self.copies[name, axes] = self.size(name)
            self.temporary = scattered_sources + (first if scattered else 0)
        else:
            scattered_features = sum(
                self.size(name)
                for (name, _), moved in zip(step.features, permuted, strict=True)
                if moved or name in scattered
            )
            self.temporary = sources + largest([scattered_sources, features + scattered_features])
        joined = (features if len(step.features) > 1 else 0) + (
            sources if len(step.sources) > 1 else 0
        )
        pairs = len(step.features) * len(step.sources) * self.channels[step.sources[0]]
        self._add(
            2 * first * pairs,
            features + sources + 2 * joined,
            1 + (len(step.features) > 1) + (len(step.sources) > 1) + bool(copies),
        )


def _half(value: Any) -> Any:
    """Half of a number, which is even, or of an expression."""
    return value // 2 if isinstance(value, int) else value / 2
