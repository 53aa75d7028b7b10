"""The plan: a flat list of single-assignment steps that applies a whole basis of diagrams.

A tensor of the plan has a word of axis types: shape ``(*batch, n, ..., n, channels)`` with an axis
of size n for each letter. The input is called ``x``, two inputs ``x1`` and ``x2``; every step names
its results once. There are five kinds of step:

* ``Contract`` reads a source along a diagonal and sums (or averages) some of its indices away, with
  the symplectic form on pairs of them;
* ``LeviCivita`` multiplies by the Levi-Civita symbol: some legs are summed, others are new axes;
* ``Mix`` multiplies channels by rows of the weight, and adds rows of the bias at order 0;
* ``Embed`` adds a source into its base along a diagonal, repeated over the indices it lacks;
* ``Zeros`` is where embedding starts when no mixed tensor has the word of the output.

Layers of two inputs, see ``pair_plan.py``, have two more:

* ``Multiply`` multiplies a tensor made of the first input by one made of the second, and sums some
  of their common indices away;
* ``Weigh`` multiplies the channels of such a tensor by rows of the weight before that.

``Contract`` and ``Embed`` hold the same data and are adjoint, ``LeviCivita`` is adjoint to itself
with its axes exchanged, and a ``Mix`` to one with transposed weights: so the backward pass of a plan
is a plan, see ``gradient.py``. What a plan computes is checked exactly: see ``trace.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tannaka.codegen.network import Word
from tannaka.codegen.notation import indices
from tannaka.codegen.task import Task

if TYPE_CHECKING:
    from tannaka.codegen.cost import Cost

INPUT = "x"
ABSENT = -1
"""The row of a mix where the basis has no diagram: a weight of zero."""


@dataclass(frozen=True, slots=True)
class Contract:
    """``out[i_keep] = sum, or mean, over the other indices of source[i_labels]``.

    ``labels`` gives the index on each axis of the source, as a restricted growth string; ``keep``
    the indices that stay, in increasing order. For each ``(a, b)`` of ``forms``, both summed, the
    terms are multiplied by ``form[i_a, i_b]``. A mean divides by n for each index summed, and by n
    once for two that the form joins.
    """

    out: str
    source: str
    labels: tuple[int, ...]
    keep: tuple[int, ...]
    mean: bool
    forms: tuple[tuple[int, int], ...] = ()

    @property
    def summed(self) -> tuple[int, ...]:
        """The indices that are summed away."""
        return tuple(sorted(set(self.labels) - set(self.keep)))

    @property
    def averaged(self) -> tuple[int, ...]:
        """Those that a mean divides by n for: of two that the form joins, one."""
        second = {b for _, b in self.forms}
        return tuple(index for index in self.summed if index not in second) if self.mean else ()


@dataclass(frozen=True, slots=True)
class LeviCivita:
    """``out[i_keep] = sum over the other indices of epsilon[i_legs] source[i_labels]``.

    ``labels`` and ``keep`` give different indices to the axes; one that is not a leg is in both. A
    leg may be in either, in both, or in neither: then it is free, and summed over. All legs are of
    one type, ``kind``.
    """

    out: str
    source: str
    labels: tuple[int, ...]
    keep: tuple[int, ...]
    legs: tuple[int, ...]
    kind: int = 0


@dataclass(frozen=True, slots=True)
class Mix:
    """``outs[e] = sum over f of weight[rows[e][f]] @ features[f] + bias[bias_rows[e]]``.

    All tensors have one word. ``features[f]`` is a tensor and a permutation of its axes: axis i of
    the feature is axis ``permutation[i]`` of the tensor. A row that is ``ABSENT`` stands for a weight
    of zero. ``bias_rows`` is empty, or has for each result, which then has order 0, a row or
    ``ABSENT``. Without features the results are rows of the bias alone.
    """

    outs: tuple[str, ...]
    features: tuple[tuple[str, tuple[int, ...]], ...]
    rows: tuple[tuple[int, ...], ...]
    bias_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Zeros:
    """``out`` is a tensor of zeros, with axes of the given types."""

    out: str
    word: Word


@dataclass(frozen=True, slots=True)
class Embed:
    """``out = base``, but ``out[i_labels] += source[i_keep]`` for all values of the indices.

    The adjoint of ``Contract`` with the same labels, keep, forms and mean. It is the only step that
    uses its base, so it may write in place.
    """

    out: str
    base: str
    source: str
    labels: tuple[int, ...]
    keep: tuple[int, ...]
    mean: bool = False
    forms: tuple[tuple[int, int], ...] = ()

    @property
    def repeated(self) -> tuple[int, ...]:
        """The indices that the source lacks, over which it is repeated."""
        return tuple(sorted(set(self.labels) - set(self.keep)))

    @property
    def averaged(self) -> tuple[int, ...]:
        """Those for which the source is divided by n."""
        second = {b for _, b in self.forms}
        return tuple(index for index in self.repeated if index not in second) if self.mean else ()


@dataclass(frozen=True, slots=True)
class Multiply:
    """``outs[e][i_keep] = sum over the other indices of left[i_left] right[i_right]``.

    ``left`` is made of the first input, ``right`` of the second. The labels of each are different;
    indices of both sides are equal, and no others are summed but those that a form joins: for each
    ``(a, b)`` of ``forms``, one index of each side, the terms are multiplied by ``form[i_a, i_b]``.
    The sum is divided by n for each index of ``averaged``; those of two that a form joins are one.
    ``pairing`` says what becomes of channels:

    * ``"all"``: the result has a channel for each pair of them, the second fastest;
    * ``"equal"``: each is multiplied by the same channel of the other;
    * ``"left"``, ``"right"``: that side comes of a ``Weigh``, and the channels of the other side are
      summed over, so that there is a result with the channels of the output for each of its parts.

    But for the last two there is one result.
    """

    outs: tuple[str, ...]
    left: str
    right: str
    left_labels: tuple[int, ...]
    right_labels: tuple[int, ...]
    keep: tuple[int, ...]
    averaged: tuple[int, ...] = ()
    forms: tuple[tuple[int, int], ...] = ()
    pairing: Pairing = "all"

    @property
    def summed(self) -> tuple[int, ...]:
        """The indices that are summed away."""
        return tuple(sorted({*self.left_labels, *self.right_labels} - set(self.keep)))


@dataclass(frozen=True, slots=True)
class Weigh:
    """``out[e] = sum over f of weight[rows[e][f]] @ features[f]``, over the channels of one input.

    As in ``Mix``, of which this is the one half: all tensors have one word, and a feature is a tensor
    and a permutation of its axes. They are made of the first input where ``side`` is 0, of the second
    where it is 1. The result has for each e the channels of the output, and for each of these those of
    the other input.
    """

    out: str
    features: tuple[tuple[str, tuple[int, ...]], ...]
    rows: tuple[tuple[int, ...], ...]
    side: int


Pairing: TypeAlias = Literal["all", "equal", "left", "right"]
Step: TypeAlias = Contract | LeviCivita | Mix | Zeros | Embed | Multiply | Weigh


@dataclass(frozen=True)
class Plan(Task):
    """How to apply a basis of Hom(k, l) to an input of order k, step by step.

    Where ``k`` and ``l`` are words of types, so are the orders of all tensors on the way.
    """

    steps: tuple[Step, ...]
    result: str
    signs: tuple[int, ...]
    """The sign, 1 or -1, of each row of the weight: its diagram is this times what the steps do."""
    bias_signs: tuple[int, ...]

    @cached_property
    def scales(self) -> tuple[Fraction, ...]:
        """What each row of the weight is multiplied by: its sign, and what a mean does to legs."""
        terms = (found.terms() if self.reduce == "mean" else 1 for found in self.networks)
        return tuple(Fraction(sign, count) for sign, count in zip(self.signs, terms, strict=True))

    @property
    def scaled(self) -> bool:
        """Whether any row of weight or bias is multiplied by something else than 1."""
        return any(scale != 1 for scale in (*self.scales, *self.bias_signs))

    def with_steps(self, steps: tuple[Step, ...], result: str) -> Plan:
        """The same task, done by other steps."""
        return replace(self, steps=steps, result=result)

    def words(self) -> dict[str, Word]:
        """The types of the axes of every tensor, by its name."""
        return words(self.steps, self.given)

    @property
    def given(self) -> dict[str, Word]:
        """The types of the axes of what the plan is applied to, by its name."""
        return {INPUT: self.inputs}

    @property
    def given_channels(self) -> dict[str, int]:
        """How many channels that has."""
        return {INPUT: self.in_channels}

    def cost(self, n: Any = None, batch: Any = None, *, itemsize: int = 4) -> Cost:
        """What applying the plan once costs: flops, bytes, kernels and the most memory alive.

        ``n`` is the size of an axis (for a product a tuple of such), ``batch`` the number of inputs;
        where one is not given the cost is an expression in it. ``itemsize`` is the number of bytes
        of a number. See :mod:`tannaka.codegen.cost` for the gradients.
        """
        from tannaka.codegen.cost import forward_cost

        return forward_cost(self, n, batch, itemsize)

    def __str__(self) -> str:
        known = self.words()
        lines = [f"  {line}" for step in self.steps for line in describe(step, known, self)]
        return "\n".join([self.headline(), *lines, f"  return {self.result}"])


def words(steps: Iterable[Step], known: dict[str, Word]) -> dict[str, Word]:
    """The types of the axes of every tensor, given those of the inputs."""
    found = dict(known)
    for step in steps:
        match step:
            case Contract():
                types = dict(zip(step.labels, found[step.source], strict=True))
                found[step.out] = tuple(types[index] for index in step.keep)
            case LeviCivita():
                types = dict(zip(step.labels, found[step.source], strict=True))
                types |= dict.fromkeys(step.legs, step.kind)
                found[step.out] = tuple(types[index] for index in step.keep)
            case Mix():
                word: Word = ()
                if step.features:
                    name, permutation = step.features[0]
                    word = tuple(found[name][axis] for axis in permutation)
                found.update(dict.fromkeys(step.outs, word))
            case Zeros():
                found[step.out] = step.word
            case Embed():
                found[step.out] = found[step.base]
            case Multiply():
                labels = (*step.left_labels, *step.right_labels)
                both = (*found[step.left], *found[step.right])
                types = dict(zip(labels, both, strict=True))
                kept = tuple(types[index] for index in step.keep)
                found.update(dict.fromkeys(step.outs, kept))
            case Weigh():
                name, permutation = step.features[0]
                found[step.out] = tuple(found[name][axis] for axis in permutation)
    return found


def produced(step: Step) -> tuple[str, ...]:
    """The names that a step assigns."""
    return step.outs if isinstance(step, Mix | Multiply) else (step.out,)


def used(step: Step) -> tuple[str, ...]:
    """The names that a step reads, each once."""
    match step:
        case Contract() | LeviCivita():
            return (step.source,)
        case Mix() | Weigh():
            return tuple(dict.fromkeys(name for name, _ in step.features))
        case Zeros():
            return ()
        case Embed():
            return (step.base, step.source)
        case Multiply():
            return (step.left, step.right)


def replaced(step: Step, names: Mapping[str, str]) -> Step:
    """The same step with tensors called by other names; those not in ``names`` keep theirs."""

    def new(name: str) -> str:
        return names.get(name, name)

    match step:
        case Contract() | LeviCivita():
            return replace(step, out=new(step.out), source=new(step.source))
        case Mix():
            features = tuple((new(name), axes) for name, axes in step.features)
            return replace(step, outs=tuple(map(new, step.outs)), features=features)
        case Zeros():
            return replace(step, out=new(step.out))
        case Embed():
            base, source = new(step.base), new(step.source)
            return replace(step, out=new(step.out), base=base, source=source)
        case Multiply():
            left, right = new(step.left), new(step.right)
            return replace(step, outs=tuple(map(new, step.outs)), left=left, right=right)
        case Weigh():
            features = tuple((new(name), axes) for name, axes in step.features)
            return replace(step, out=new(step.out), features=features)


LETTERS: dict[type, str] = {
    Contract: "c",
    LeviCivita: "e",
    Embed: "y",
    Mix: "m",
    Multiply: "p",
    Weigh: "w",
}
"""What the results of steps are called, with a number: contractions c0, c1, and so on."""


def renamed(plan: Plan) -> Plan:
    """The same plan with its results called by the kind of their step and numbered in order."""
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for step in plan.steps:
        letter = LETTERS.get(type(step))
        for name in produced(step) if letter else ():
            names[name] = f"{letter}{counts[str(letter)]}"
            counts[str(letter)] += 1
    return plan.with_steps(
        tuple(replaced(step, names) for step in plan.steps), names.get(plan.result, plan.result)
    )


def describe(step: Step, known: dict[str, Word], plan: Plan) -> Iterator[str]:
    """A step as lines of index notation; ``known`` has the words of all tensors."""
    scales = plan.scales if isinstance(step, Mix | Weigh) else ()
    match step:
        case Contract():
            words = "" if not step.summed else ("mean " if step.mean else "sum ")
            over = f"over {indices(step.summed)} of " if words else ""
            forms = "".join(
                f"\N{GREEK SMALL LETTER OMEGA}[{indices(pair)}] " for pair in step.forms
            )
            source = f"{step.source}[{indices(step.labels)}]"
            yield f"{step.out}[{indices(step.keep)}] = {words}{over}{forms}{source}"
        case LeviCivita():
            summed = sorted({*step.labels, *step.legs} - set(step.keep))
            over = f"sum over {indices(tuple(summed))} of " if summed else ""
            symbol = f"\N{GREEK SMALL LETTER EPSILON}[{indices(step.legs)}]"
            source = f"{step.source}[{indices(step.labels)}]"
            yield f"{step.out}[{indices(step.keep)}] = {over}{symbol} {source}"
        case Mix():
            order = tuple(range(len(known[step.outs[0]])))
            for e, out in enumerate(step.outs):
                terms = [
                    (scales[row], f"W{row} {name}[{indices(inverse(permutation))}]")
                    for (name, permutation), row in zip(step.features, step.rows[e], strict=True)
                    if row != ABSENT
                ]
                if step.bias_rows and step.bias_rows[e] != ABSENT:
                    row = step.bias_rows[e]
                    terms.append((Fraction(plan.bias_signs[row]), f"b{row}"))
                yield f"{out}[{indices(order)}] = {_added(terms)}"
        case Zeros():
            yield f"{step.out}[{indices(tuple(range(len(step.word))))}] = 0"
        case Embed():
            forms = "".join(
                f"\N{GREEK SMALL LETTER OMEGA}[{indices(pair)}] " for pair in step.forms
            )
            written = (
                f"{step.base}[{indices(step.labels)}] += {forms}{step.source}[{indices(step.keep)}]"
            )
            written += " / n" * len(step.averaged)
            yield f"{step.out} = {step.base} with {written}"
        case Multiply():
            joined = [pair for pair in step.forms if not set(pair).isdisjoint(step.averaged)]
            divided = {*step.averaged, *(index for pair in joined for index in pair)}
            parts = [("mean", [index for index in step.summed if index in divided])]
            parts += [("sum", [index for index in step.summed if index not in divided])]
            over = "".join(
                f"{word} over {indices(tuple(some))} of " for word, some in parts if some
            )
            forms = "".join(
                f"\N{GREEK SMALL LETTER OMEGA}[{indices(pair)}] " for pair in step.forms
            )
            left = f"{step.left}[{indices(step.left_labels)}]"
            right = f"{step.right}[{indices(step.right_labels)}]"
            for e, out in enumerate(step.outs):
                part = f"({e})" if len(step.outs) > 1 else ""
                one = left + part if step.pairing == "left" else left
                other = right + part if step.pairing == "right" else right
                yield f"{out}[{indices(step.keep)}] = {over}{forms}{one} {other}"
        case Weigh():
            at = indices(tuple(range(len(known[step.out]))))
            for e, found in enumerate(step.rows):
                part = f"({e})" if len(step.rows) > 1 else ""
                terms = [
                    (scales[row], f"W{row} {name}[{indices(inverse(permutation))}]")
                    for (name, permutation), row in zip(step.features, found, strict=True)
                ]
                yield f"{step.out}[{at}]{part} = {_added(terms)}"


def _added(terms: list[tuple[Fraction, str]]) -> str:
    """A sum of terms with their coefficients."""
    if not terms:
        return "0"
    words = ""
    for coefficient, term in terms:
        size = abs(coefficient)
        sign = ("- " if coefficient < 0 else "+ ") if words else "-" * (coefficient < 0)
        words += f" {sign}" if words else sign
        words += term if size == 1 else f"{size} {term}"
    return words


def inverse(permutation: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation backwards.

    >>> inverse((1, 2, 0))
    (2, 0, 1)
    """
    return tuple(permutation.index(axis) for axis in range(len(permutation)))
