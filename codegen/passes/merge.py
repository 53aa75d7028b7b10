"""One matrix product for each order: mixes of tensors with the same word become one."""

from __future__ import annotations

from tannaka.codegen.plan import ABSENT, Mix, Plan, Step, used

WASTE = 1.5
"""How many times as many weights a merged product may have, those that are zero counted."""


def merge_mixes(plan: Plan) -> Plan:
    """Merge mixes of one word, where the zeros that fill the joint matrix are few.

    The joint mix stands where the later of the two was, so nothing in between may use the other.

    When n is large all embeddings of an order need the same features, and lowering makes one mix of
    them; when n is small the basis lacks some diagrams, and there are many.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lowering.lower import lower
    >>> plan = lower(Hom(S(3), 3, 3), 1, 1)
    >>> sum(isinstance(step, Mix) for step in plan.steps)
    9
    >>> sum(isinstance(step, Mix) for step in merge_mixes(plan).steps)
    5
    """
    known = plan.words()
    steps: list[Step] = []
    for step in plan.steps:
        if isinstance(step, Mix):
            for place, other in enumerate(steps):
                if not isinstance(other, Mix) or known[other.outs[0]] != known[step.outs[0]]:
                    continue
                if any(not set(other.outs).isdisjoint(used(later)) for later in steps[place + 1 :]):
                    continue
                merged = _merged(other, step)
                if _area(merged) <= WASTE * (_area(other) + _area(step)):
                    del steps[place]
                    step = merged
                    break
        steps.append(step)
    return plan.with_steps(tuple(steps), plan.result)


def _area(step: Mix) -> int:
    return len(step.outs) * len(step.features)


def _merged(one: Mix, other: Mix) -> Mix:
    features = tuple(dict.fromkeys(one.features + other.features))
    rows = []
    bias_rows: list[int] = []
    for step in (one, other):
        for found in step.rows:
            row = dict(zip(step.features, found, strict=True))
            rows.append(tuple(row.get(feature, ABSENT) for feature in features))
        bias_rows += step.bias_rows or (ABSENT,) * len(step.outs)
    biased = any(row != ABSENT for row in bias_rows)
    return Mix(one.outs + other.outs, features, tuple(rows), tuple(bias_rows) if biased else ())
