"""Which steps are needed, and in which order they leave little memory alive."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from heapq import heapify, heappop, heappush

from tannaka.codegen.plan import Embed, Mix, Plan, Step, produced, used

TYPICAL = 16
"""The size of axes that tensors are compared at, so that a plan does not depend on n."""


def drop_dead(plan: Plan) -> Plan:
    """Leave out steps, and results of mixes, that nothing needs.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lowering.lower import lower
    >>> from tannaka.codegen.plan import Contract
    >>> plan = lower(Hom(S(2), 1, 1), 1, 1)
    >>> idle = Contract("idle", "x", (0,), (0,), False)
    >>> drop_dead(plan.with_steps((idle, *plan.steps), plan.result)) == plan
    True
    """
    needed = {plan.result}
    kept: list[Step] = []
    for step in reversed(plan.steps):
        if needed.isdisjoint(produced(step)):
            continue
        if isinstance(step, Mix):
            living = [e for e, out in enumerate(step.outs) if out in needed]
            step = replace(
                step,
                outs=tuple(step.outs[e] for e in living),
                rows=tuple(step.rows[e] for e in living) if step.rows else (),
                bias_rows=tuple(step.bias_rows[e] for e in living) if step.bias_rows else (),
            )
        needed.update(used(step))
        kept.append(step)
    return plan.with_steps(tuple(reversed(kept)), plan.result)


def order_by_memory(plan: Plan) -> Plan:
    """Order the steps so that large tensors live for a short time: always the one that adds least.

    Where that, step by step, comes to more memory in the end than the order that there was, for
    axes of size 16, the steps stay as they are.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lowering.lower import lower
    >>> print(order_by_memory(lower(Hom(S(4), 1, 2), 1, 1, bias=False)))
    S(4), order 1 -> 2, channels 1 -> 1, 5 diagrams, no bias, reduce=mean
      c0[] = mean over i of x[i]
      m3[] = W1 c0[]
      m4[] = W4 c0[]
      m0[i] = W0 x[i]
      m1[i] = W2 x[i]
      m2[i] = W3 x[i]
      y[ij] = 0
      y0 = y with y[ii] += m0[i]
      y1 = y0 with y0[ij] += m1[i]
      y2 = y1 with y1[ij] += m2[j]
      y3 = y2 with y2[ii] += m3[]
      y4 = y3 with y3[ij] += m4[]
      return y4
    """
    known = plan.words()
    size: dict[str, int] = {name: TYPICAL ** len(word) for name, word in known.items()}
    given = frozenset(plan.given)
    readers: dict[str, Counter[int]] = defaultdict(Counter)
    for place, step in enumerate(plan.steps):
        for name in used(step):
            readers[name][place] += 1
    missing = [len(set(used(step)) - given) for step in plan.steps]

    def added(step: Step) -> int:
        """What the step adds to the memory alive: results, less what nobody reads after it."""
        new = 0 if isinstance(step, Embed) else sum(size[name] for name in produced(step))
        freed = [name for name in used(step) if readers[name].total() == 1 and name not in given]
        if isinstance(step, Embed):
            freed = [name for name in freed if name != step.base]
        return new - sum(size[name] for name in freed)

    # A step can only come to add less while it waits: of its entries the first that is met counts.
    ready = [(added(step), place) for place, step in enumerate(plan.steps) if not missing[place]]
    heapify(ready)
    ordered = dict[int, Step]()
    while ready:
        _, place = heappop(ready)
        if place in ordered:
            continue
        step = ordered[place] = plan.steps[place]
        for name in used(step):
            readers[name].pop(place, None)
            if readers[name].total() == 1:
                (last,) = readers[name]
                if not missing[last]:
                    heappush(ready, (added(plan.steps[last]), last))
        for name in produced(step):
            for reader in readers[name]:
                missing[reader] -= 1
                if not missing[reader]:
                    heappush(ready, (added(plan.steps[reader]), reader))
    changed = plan.with_steps(tuple(ordered.values()), plan.result)
    n = (TYPICAL,) * plan.types
    return min(changed, plan, key=lambda one: one.cost(n=n, batch=1).peak)
