"""Share work across the basis: reduce reduced tensors further, add small tensors before large.

Contractions form a graph: a tensor that was summed to a lower order can be read along a diagonal,
or summed again, to give another one that is needed, and only a few steps touch the whole input.
Embeddings are contractions read backwards, so the same graph tells which small result to add into
which larger one, and only a few steps touch the whole output.
"""

from __future__ import annotations

from typing import NamedTuple

from tannaka.codegen.plan import INPUT, Contract, Embed, Mix, Plan, Step, renamed
from tannaka.diagrams.partition import restricted_growth


class Route(NamedTuple):
    """A contraction, as the labels on its axes and the labels that it keeps."""

    labels: tuple[int, ...]
    keep: tuple[int, ...]

    @property
    def touched(self) -> int:
        """The power of n that it reads: its kept and its summed indices."""
        return len(set(self.labels))

    @property
    def free(self) -> bool:
        """Whether nothing is summed, so that it is a view."""
        return len(self.keep) == self.touched


def share_contractions(plan: Plan) -> Plan:
    """Take every contraction from the tensor that makes it cheapest; diagonals before sums.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lower import lower
    >>> print(share_contractions(lower(Hom(S(4), 2, 0), 1, 1, bias=False)))
    S(4), order 2 -> 0, channels 1 -> 1, 2 diagrams, no bias, reduce=mean
      c0[] = mean over i of x[ii]
      c1[] = mean over ij of x[ij]
      m0[] = W0 c0[] + W1 c1[]
      return m0
    """
    contracts = [step for step in plan.steps if isinstance(step, Contract)]
    if any(step.source != INPUT for step in contracts):
        raise ValueError("this plan shares its contractions already")
    contracts.sort(key=lambda step: -len(step.keep))
    found = {INPUT: whole(plan.dom)}
    shared: list[Step] = []
    for step in contracts:
        target = Route(step.labels, step.keep)
        source, way = min(
            (
                (name, way)
                for name, start in found.items()
                if (way := route(start, target)) is not None
            ),
            key=lambda choice: (
                not choice[1].free,
                choice[1].touched,
                len(choice[1].labels),
            ),
        )
        shared.append(Contract(step.out, source, way.labels, way.keep, step.mean))
        found[step.out] = target
    rest = [step for step in plan.steps if not isinstance(step, Contract)]
    return renamed(plan.with_steps((*shared, *rest), plan.result))


def share_embeddings(plan: Plan) -> Plan:
    """Add every mixed tensor into the smallest one that makes its write cheapest.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lower import lower
    >>> print(share_embeddings(lower(Hom(S(4), 0, 2), 1, 1, bias=False)))
    S(4), order 0 -> 2, channels 1 -> 1, 2 diagrams, no bias, reduce=mean
      m0[] = W0 x[]
      m1[] = W1 x[]
      y[ij] = 0
      y0 = y with y[ii] += m0[]
      y1 = y0 with y0[ij] += m1[]
      return y1
    """
    embeds = [step for step in plan.steps if isinstance(step, Embed)]
    rest = [step for step in plan.steps if not isinstance(step, Embed)]
    mixed = {out for step in plan.steps if isinstance(step, Mix) for out in step.outs}
    if any(step.source not in mixed for step in embeds):
        raise ValueError("this plan shares its embeddings already")
    if not embeds:
        return plan
    output = embeds[0].base
    found = {output: whole(plan.cod)}
    current = {output: output}
    chosen: list[tuple[int, str, str, Route]] = []
    for step in sorted(embeds, key=lambda step: -len(step.keep)):
        target = Route(step.labels, step.keep)
        base, way = min(
            (
                (name, way)
                for name, start in found.items()
                if (way := route(start, target)) is not None
            ),
            key=lambda choice: (choice[1].touched, len(choice[1].labels)),
        )
        chosen.append((len(step.keep), base, step.source, way))
        found[step.source] = target
        current[step.source] = step.source
    shared: list[Step] = []
    for _, base, source, way in sorted(chosen, key=lambda choice: choice[0]):
        out = f"{base}_{len(shared)}"
        shared.append(Embed(out, current[base], current[source], way.labels, way.keep))
        current[base] = out
    return renamed(plan.with_steps((*rest, *shared), current[output]))


def whole(order: int) -> Route:
    """The contraction that keeps every axis as it is."""
    return Route(tuple(range(order)), tuple(range(order)))


def route(start: Route, target: Route) -> Route | None:
    """The contraction that leads from ``start`` to ``target``, both of one tensor, if there is one.

    There is when everything that ``start`` identified is identified in ``target``, and everything
    that it summed away is summed away there on its own.

    >>> diagonal, trace = Route((0, 0), (0,)), Route((0, 0), ())
    >>> route(diagonal, trace)
    Route(labels=(0,), keep=())
    >>> route(trace, diagonal) is None
    True
    """
    goals: dict[int, set[int]] = {}
    for label, goal in zip(start.labels, target.labels, strict=True):
        goals.setdefault(label, set()).add(goal)
    ends: list[int] = []
    for label, found in goals.items():
        goal, *others = found
        if others:
            return None
        if label in start.keep:
            ends.append(goal)
        elif goal in target.keep or target.labels.count(goal) != start.labels.count(label):
            return None
    labels = restricted_growth(ends)
    keep = {label for goal, label in zip(ends, labels, strict=True) if goal in target.keep}
    return Route(labels, tuple(sorted(keep)))
