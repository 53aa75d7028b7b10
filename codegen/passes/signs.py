"""Turn forms and Levi-Civita symbols round where that leaves fewer rows with a minus sign."""

from __future__ import annotations

from dataclasses import replace

from tannaka.codegen.plan import (
    ABSENT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Multiply,
    Plan,
    Step,
    Weigh,
)


def fold_signs(plan: Plan) -> Plan:
    """Fold the signs of rows into the steps that they share; where all fold, none is multiplied.

    >>> from tannaka.category import Hom, SO
    >>> from tannaka.codegen.lowering.lower import lower
    >>> plan = lower(Hom(SO(2), 1, 1), 1, 1)
    >>> plan.signs, fold_signs(plan).signs
    ((1, -1), (1, 1))
    """
    through = _rows_through(plan)
    signs, bias_signs = list(plan.signs), list(plan.bias_signs)
    steps = list(plan.steps)
    for place, step in enumerate(steps):
        if not _turns(step):
            continue
        rows, bias_rows = through[place]
        total = sum(signs[row] for row in rows) + sum(bias_signs[row] for row in bias_rows)
        if total < 0:
            steps[place] = _turned(step)
            for row in rows:
                signs[row] *= -1
            for row in bias_rows:
                bias_signs[row] *= -1
    return replace(plan, steps=tuple(steps), signs=tuple(signs), bias_signs=tuple(bias_signs))


def _turns(step: Step) -> bool:
    if isinstance(step, LeviCivita):
        return len(step.legs) > 1
    return isinstance(step, Contract | Embed | Multiply) and bool(step.forms)


def _turned(step: Step) -> Step:
    """The step times -1."""
    if isinstance(step, LeviCivita):
        one, other, *rest = step.legs
        return replace(step, legs=(other, one, *rest))
    assert isinstance(step, Contract | Embed | Multiply)
    (a, b), *forms = step.forms
    return replace(step, forms=((b, a), *forms))


def _rows_through(plan: Plan) -> list[tuple[set[int], set[int]]]:
    """For each step, the rows of weight and bias for which it contracts or embeds."""
    before: dict[str, set[int]] = {}
    # Steps that a contracted tensor went through, and then rows that a mixed one holds.
    rows: dict[str, tuple[set[int], set[int]]] = {}
    weighed: dict[str, Weigh] = {}
    found: list[tuple[set[int], set[int]]] = [(set(), set()) for _ in plan.steps]
    for place, step in enumerate(plan.steps):
        match step:
            case Contract() | LeviCivita() if step.source not in rows:
                before[step.out] = before.get(step.source, set()) | {place}
            case LeviCivita():
                rows[step.out] = rows[step.source]
                found[place] = rows[step.source]
            case Mix():
                for e, out in enumerate(step.outs):
                    bias = {step.bias_rows[e]} - {ABSENT} if step.bias_rows else set()
                    rows[out] = (set(step.rows[e]) - {ABSENT} if step.features else set(), bias)
                    for (name, _), row in zip(step.features, step.rows[e], strict=True):
                        for earlier in before.get(name, ()):
                            if row != ABSENT:
                                found[earlier][0].add(row)
            case Multiply():
                both = {place}.union(*(before.get(name, ()) for name in (step.left, step.right)))
                weigh = weighed.get(step.left, weighed.get(step.right))
                if weigh is None:
                    before[step.outs[0]] = both
                    continue
                for out, of in zip(step.outs, weigh.rows, strict=True):
                    rows[out] = (set(of), set())
                    for earlier in both:
                        found[earlier][0].update(of)
                    for (name, _), row in zip(weigh.features, of, strict=True):
                        for earlier in before.get(name, ()):
                            found[earlier][0].add(row)
            case Weigh():
                weighed[step.out] = step
            case Embed():
                added = rows.get(step.source, (set(), set()))
                base = rows.get(step.base, (set(), set()))
                found[place] = added
                rows[step.out] = (base[0] | added[0], base[1] | added[1])
    return found
