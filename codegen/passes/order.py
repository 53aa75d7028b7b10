"""Which steps are needed, and in which order they leave little memory alive."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tannaka.codegen.plan import INPUT, Embed, Mix, Plan, Step, produced, used

TYPICAL = 16
"""The size of axes that tensors are compared at, so that a plan does not depend on n."""


def drop_dead(plan: Plan) -> Plan:
    """Leave out steps, and results of mixes, that nothing needs.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lower import lower
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
    >>> from tannaka.codegen.lower import lower
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
    readers = Counter(name for step in plan.steps for name in used(step))
    left, done, ordered = list(plan.steps), {INPUT}, list[Step]()

    def added(step: Step) -> int:
        """What the step adds to the memory alive: results, less what nobody reads after it."""
        new = 0 if isinstance(step, Embed) else sum(size[name] for name in produced(step))
        freed = [name for name in used(step) if readers[name] == 1 and name != INPUT]
        if isinstance(step, Embed):
            freed = [name for name in freed if name != step.base]
        return new - sum(size[name] for name in freed)

    while left:
        ready = [step for step in left if done.issuperset(used(step))]
        step = min(ready, key=added)
        left.remove(step)
        ordered.append(step)
        done.update(produced(step))
        readers.subtract(used(step))
    changed = plan.with_steps(tuple(ordered), plan.result)
    n = (TYPICAL,) * plan.types
    return min(changed, plan, key=lambda one: one.cost(n=n, batch=1).peak)
