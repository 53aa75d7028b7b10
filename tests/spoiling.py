"""Every plan that differs from a plan in one place: what verification has to tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, TypeVar

from tannaka.codegen.plan import (
    ABSENT,
    INPUT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Plan,
    Step,
    Zeros,
    produced,
    replaced,
)

T = TypeVar("T")
Spoiled = tuple[str, Plan]


def spoiled(plan: Plan) -> Iterator[Spoiled]:
    """What was done, and the plan after it: one field of one step, one sign, or one step as a whole."""
    names = [INPUT, *(name for step in plan.steps for name in produced(step)), "nothing"]
    for i, step in enumerate(plan.steps):
        for what, new in _steps(step, names, plan):
            yield what, plan.with_steps((*plan.steps[:i], new, *plan.steps[i + 1 :]), plan.result)
        yield (
            "a step done twice",
            plan.with_steps((*plan.steps[:i], step, *plan.steps[i:]), plan.result),
        )
        if isinstance(step, LeviCivita):
            rest = [replaced(s, {step.out: step.source}) for s in plan.steps[i + 1 :]]
            result = step.source if plan.result == step.out else plan.result
            yield "a symbol left out", plan.with_steps((*plan.steps[:i], *rest), result)
    for steps in _without_one(plan.steps):
        yield "a step left out", plan.with_steps(steps, plan.result)
    for steps in _exchanged(plan.steps):
        yield "steps exchanged", plan.with_steps(steps, plan.result)
    for name in set(names) - {plan.result}:
        yield "another result", plan.with_steps(plan.steps, name)
    last = plan.steps[-1]
    if isinstance(last, Embed):
        again = replace(last, out="again")
        yield "a base used again", plan.with_steps((*plan.steps, again), "again")
        again = replace(last, base=last.out, out="again")
        yield "an embedding done twice", plan.with_steps((*plan.steps, again), "again")
        again = replace(last, base=INPUT, out="again")
        yield "the input written over", plan.with_steps((*plan.steps, again), plan.result)
        # The sum is still right; only the rule that a base is spent forbids it.
        axes = tuple(range(len(last.keep)))
        spill = Embed("spilt", last.source, last.source, axes, axes)
        read = (*plan.steps[:-1], spill, last)
        yield "what was written over read", plan.with_steps(read, plan.result)
    for signs in [*_changed(plan.signs, [1, -1, 0]), *_without_one(plan.signs)]:
        yield "a sign", replace(plan, signs=signs)
    for signs in [*_changed(plan.bias_signs, [1, -1, 0]), *_without_one(plan.bias_signs)]:
        yield "a sign of the bias", replace(plan, bias_signs=signs)


def _steps(step: Step, names: Sequence[str], plan: Plan) -> Iterator[tuple[str, Step]]:
    match step:
        case Contract() | Embed():
            yield from _along_diagonals(step)
        case LeviCivita():
            yield from _symbols(step, plan.types)
        case Mix():
            yield from _mixes(step, len(plan.signs), len(plan.bias_signs), names)
        case Zeros():
            for word in [
                *_exchanged(step.word),
                *_without_one(step.word),
                *_changed(step.word, range(plan.types + 1)),
                (*step.word, 0),
            ]:
                yield "axes of zeros", replace(step, word=word)
    for name in names:
        if isinstance(step, Contract | Embed | LeviCivita) and name != step.source:
            yield "another source", replace(step, source=name)
        if isinstance(step, Embed) and name != step.base:
            yield "another base", replace(step, base=name)


def _along_diagonals(step: Contract | Embed) -> Iterator[tuple[str, Step]]:
    width = max(step.labels, default=-1) + 1
    for labels in [*_exchanged(step.labels), *_changed(step.labels, range(width + 1))]:
        yield "labels", replace(step, labels=labels)
    more = [(*step.keep, i) for i in range(width + 1) if i not in step.keep]
    for keep in [
        *_exchanged(step.keep),
        *_without_one(step.keep),
        *_changed(step.keep, range(width)),
        *more,
    ]:
        yield "what is kept", replace(step, keep=keep)
    summed = len(step.keep) < width
    yield "a mean" if summed else "a mean over nothing", replace(step, mean=not step.mean)
    for i, (a, b) in enumerate(step.forms):
        turned = (*step.forms[:i], (b, a), *step.forms[i + 1 :])
        yield "a form turned round", replace(step, forms=turned)
    for forms in _without_one(step.forms):
        yield "a form left out", replace(step, forms=forms)
    for pair in combinations(range(width), 2):
        yield "another form", replace(step, forms=(*step.forms, pair))
    for (a, b), (c, d) in combinations(step.forms, 2):
        left = tuple(form for form in step.forms if form not in ((a, b), (c, d)))
        yield "partners exchanged", replace(step, forms=(*left, (a, d), (c, b)))


def _symbols(step: LeviCivita, types: int) -> Iterator[tuple[str, Step]]:
    some = range(max((*step.labels, *step.legs, *step.keep)) + 2)
    for legs in _exchanged(step.legs):
        yield "legs exchanged", replace(step, legs=legs)
    for legs in [*_without_one(step.legs), *_changed(step.legs, some)]:
        yield "legs", replace(step, legs=legs)
    for labels in [*_exchanged(step.labels), *_changed(step.labels, some)]:
        yield "labels", replace(step, labels=labels)
    for keep in [*_exchanged(step.keep), *_without_one(step.keep), *_changed(step.keep, some)]:
        yield "what is kept", replace(step, keep=keep)
    for kind in range(types + 1):
        if kind != step.kind:
            yield "another kind", replace(step, kind=kind)


def _mixes(
    step: Mix, rows: int, bias_rows: int, names: Sequence[str]
) -> Iterator[tuple[str, Step]]:
    for e, row in enumerate(step.rows):
        before, after = step.rows[:e], step.rows[e + 1 :]
        for new in _exchanged(row):
            yield "rows exchanged", replace(step, rows=(*before, new, *after))
        for new in _changed(row, range(rows + 1)):
            yield "another row", replace(step, rows=(*before, new, *after))
        for new in _changed(row, [ABSENT]):
            yield "a row made absent", replace(step, rows=(*before, new, *after))
        for new in [*_without_one(row), (*row, ABSENT)]:
            yield "rows of another length", replace(step, rows=(*before, new, *after))
    for table in _exchanged(step.rows):
        yield "rows exchanged", replace(step, rows=table)
    for outs in _exchanged(step.outs):
        yield "results exchanged", replace(step, outs=outs)
    for bias in [
        *_exchanged(step.bias_rows),
        *_changed(step.bias_rows, [ABSENT, *range(bias_rows + 1)]),
        *([()] if step.bias_rows else [(0,) * len(step.outs)] * bool(bias_rows)),
    ]:
        yield "rows of the bias", replace(step, bias_rows=bias)
    for f, (name, axes) in enumerate(step.features):
        before_f, after_f = step.features[:f], step.features[f + 1 :]
        for other in set(names) - {name}:
            yield "another feature", replace(step, features=(*before_f, (other, axes), *after_f))
        for new in [*_exchanged(axes), *_without_one(axes), *_changed(axes, range(len(axes) + 1))]:
            yield "axes of a feature", replace(step, features=(*before_f, (name, new), *after_f))


def _exchanged(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    """Two of the items exchanged."""
    for a, b in combinations(range(len(items)), 2):
        if items[a] != items[b]:
            new = list(items)
            new[a], new[b] = new[b], new[a]
            yield tuple(new)


def _changed(items: tuple[T, ...], values: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """One of the items made another."""
    values = list(values)
    for a in range(len(items)):
        for value in values:
            if value != items[a]:
                yield (*items[:a], value, *items[a + 1 :])


def _without_one(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for a in range(len(items)):
        yield (*items[:a], *items[a + 1 :])
