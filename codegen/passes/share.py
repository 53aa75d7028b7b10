"""Share work across the basis: reduce reduced tensors further, add small tensors before large.

Contractions form a graph: a tensor that was summed to a lower order can be read along a diagonal,
or summed again, to give another one that is needed, and only a few steps touch the whole input.
Embeddings are contractions read backwards, so the same graph tells which small result to add into
which larger one, and only a few steps touch the whole output.
"""

from __future__ import annotations

from typing import NamedTuple

from tannaka.codegen.plan import (
    Contract,
    Embed,
    LeviCivita,
    Multiply,
    Plan,
    Step,
    produced,
    renamed,
    replaced,
    used,
)
from tannaka.diagrams.partition import restricted_growth


class Route(NamedTuple):
    """A contraction: the labels on its axes, those that it keeps, those that the form joins."""

    labels: tuple[int, ...]
    keep: tuple[int, ...]
    forms: tuple[tuple[int, int], ...] = ()

    @property
    def touched(self) -> int:
        """The power of n that it reads: its kept and its summed indices, one for a form."""
        return len(set(self.labels)) - len(self.forms)

    @property
    def free(self) -> bool:
        """Whether nothing is summed, so that it is a view."""
        return len(self.keep) == len(set(self.labels))


def share_contractions(plan: Plan) -> Plan:
    """Take every contraction from the tensor that makes it cheapest; diagonals before sums.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lowering.lower import lower
    >>> print(share_contractions(lower(Hom(S(4), 2, 0), 1, 1, bias=False)))
    S(4), order 2 -> 0, channels 1 -> 1, 2 diagrams, no bias, reduce=mean
      c0[] = mean over i of x[ii]
      c1[] = mean over ij of x[ij]
      m0[] = W0 c0[] + W1 c1[]
      return m0
    """
    contracts = [step for step in plan.steps if isinstance(step, Contract)]
    if any(step.source not in plan.given for step in contracts):
        raise ValueError("this plan shares its contractions already")
    contracts.sort(key=lambda step: -len(step.keep))
    # For each input, by the tensors made of it, how they are.
    made = {name: {name: whole(len(word))} for name, word in plan.given.items()}
    shared: list[Step] = []
    for step in contracts:
        found, target = made[step.source], Route(step.labels, step.keep, step.forms)
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
        shared.append(Contract(step.out, source, way.labels, way.keep, step.mean, way.forms))
        found[step.out] = target
    rest = [step for step in plan.steps if not isinstance(step, Contract)]
    return renamed(plan.with_steps((*shared, *rest), plan.result))


def join_equal(plan: Plan) -> Plan:
    """Take once what several steps take of the input, and leave out contractions that do nothing.

    Diagrams with a determinant vertex and those without contract the input alike, before the
    Levi-Civita symbol comes.

    >>> from tannaka.category import SO, Hom, S
    >>> from tannaka.codegen.lowering.lower import lower
    >>> plan = lower(Hom(S(3) * SO(2), (0, 1), (1,)), 1, 1, bias=False)
    >>> print(join_equal(share_contractions(plan)))
    S(3) x SO(2), order (0, 1) -> (1,), channels 1 -> 1, 2 diagrams, no bias, reduce=mean
      c0[j] = mean over i of x[ij]
      e0[j] = sum over i of ε[ij] c0[i]
      m0[i] = W0 c0[i] - W1 e0[i]
      return m0
    """
    of_input, names, seen = set(plan.given), dict[str, str](), dict[Step, str]()
    steps: list[Step] = []
    for old in plan.steps:
        step = replaced(old, names)
        if isinstance(step, Contract | LeviCivita | Multiply) and of_input.issuperset(used(step)):
            idle = isinstance(step, Contract) and step.labels == step.keep
            (out,) = produced(step)
            nameless = replaced(step, {out: ""})
            same = used(step)[0] if idle else seen.get(nameless)
            if same is not None:
                names[out] = same
                continue
            seen[nameless] = out
            of_input.add(out)
        steps.append(step)
    return renamed(plan.with_steps(tuple(steps), plan.result))


def share_embeddings(plan: Plan) -> Plan:
    """Add every mixed tensor into the smallest one that makes its write cheapest.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lowering.lower import lower
    >>> print(share_embeddings(lower(Hom(S(4), 0, 2), 1, 1, bias=False)))
    S(4), order 0 -> 2, channels 1 -> 1, 2 diagrams, no bias, reduce=mean
      m0[] = W0 x[]
      m1[] = W1 x[]
      y[ij] = 0
      y0 = y with y[ij] += m1[]
      y1 = y0 with y0[ii] += m0[]
      return y1
    """
    embeds = [step for step in plan.steps if isinstance(step, Embed)]
    rest = [step for step in plan.steps if not isinstance(step, Embed)]
    if any(step.source in {other.out for other in embeds} for step in embeds):
        raise ValueError("this plan shares its embeddings already")
    if not embeds:
        return plan
    output = embeds[0].base
    found = {output: whole(len(plan.outputs))}
    current = {output: output}
    chosen: list[tuple[int, str, str, Route]] = []
    first: dict[Route, str] = {}
    for step in sorted(embeds, key=lambda step: -len(step.keep)):
        target = Route(step.labels, step.keep, step.forms)
        if target in first:
            # Nothing is cheaper than to add two tensors of one embedding.
            chosen.append((len(step.keep), first[target], step.source, whole(len(step.keep))))
            current[step.source] = step.source
            continue
        first[target] = step.source
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
    # From small to large; of two with one embedding, the one that was added into the other first.
    chosen.reverse()
    for _, base, source, way in sorted(chosen, key=lambda choice: choice[0]):
        out = f"{base}_{len(shared)}"
        shared.append(
            Embed(out, current[base], current[source], way.labels, way.keep, forms=way.forms)
        )
        current[base] = out
    return renamed(plan.with_steps((*rest, *shared), current[output]))


def whole(order: int) -> Route:
    """The contraction that keeps every axis as it is."""
    return Route(tuple(range(order)), tuple(range(order)))


def route(start: Route, target: Route) -> Route | None:
    """The contraction that leads from ``start`` to ``target``, both of one tensor, if there is one.

    There is when everything that ``start`` identified is identified in ``target``, and everything
    that it summed away, with or without a form, is summed away there in the same way.

    >>> diagonal, trace = Route((0, 0), (0,)), Route((0, 0), ())
    >>> route(diagonal, trace)
    Route(labels=(0,), keep=(), forms=())
    >>> route(trace, diagonal) is None
    True
    """
    goals: dict[int, set[int]] = {}
    for label, goal in zip(start.labels, target.labels, strict=True):
        goals.setdefault(label, set()).add(goal)
    ends: list[int] = []
    joined = {tuple(goal for label in pair for goal in goals[label]) for pair in start.forms}
    if not joined <= set(target.forms):
        return None
    left = [pair for pair in target.forms if pair not in joined]
    done = {goal for pair in joined for goal in pair}
    for label, found in goals.items():
        goal, *others = found
        if others:
            return None
        if label in start.keep:
            ends.append(goal)
        elif (
            goal in target.keep
            or target.labels.count(goal) != start.labels.count(label)
            or (goal not in done and any(goal in pair for pair in left))
        ):
            return None
    if any(goal not in ends for pair in left for goal in pair):
        return None
    labels = restricted_growth(ends)
    number = dict(zip(ends, labels, strict=True))
    keep = {number[goal] for goal in number if goal in target.keep}
    forms = tuple((number[a], number[b]) for a, b in left)
    return Route(labels, tuple(sorted(keep)), forms)
