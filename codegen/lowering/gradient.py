"""The backward pass of a plan, as a plan: the flipped diagrams.

A layer is trilinear: its output y = Y(x, W), paired with g, is a sum over rows of the weight, the
input and g. So the gradient of the input is the same layer with every diagram flipped, X(g, W), that
of the weight pairs contractions of x with contractions of g, and the gradients of these are the
three again: see ``autograd.py``. Here the steps of a plan are turned round one by one: an embedding
becomes a contraction of g, a contraction an embedding into the gradient of x, a mix a mix with
transposed weights. So all that the passes shared is shared here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tannaka.codegen.network import Word
from tannaka.codegen.passes.order import drop_dead
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
    inverse,
    produced,
    used,
    words,
)

GRADIENT = "g"
"""What the gradient of the output is called."""


@dataclass(frozen=True, slots=True)
class Outer:
    """``gradient of weight[rows[s][f]] = sum over batch and positions of features[f] (x) sources[s]``.

    ``sources`` are tensors that come from x, ``features`` permuted tensors that come from g, all of
    one word. Order 0: ``bias_rows[f]`` is the row of the bias whose gradient is the sum over the
    batch of ``features[f]``. Rows may be ``ABSENT``.
    """

    sources: tuple[str, ...]
    features: tuple[tuple[str, tuple[int, ...]], ...]
    rows: tuple[tuple[int, ...], ...]
    bias_rows: tuple[int, ...] = ()


AnyStep: TypeAlias = Step | Outer


@dataclass(frozen=True)
class Gradient:
    """The steps from x and g, the gradient of the output, to the gradients of x, weight and bias.

    ``input`` is what the gradient of x is called. The weight that a ``Mix`` multiplies by is
    transposed.
    """

    plan: Plan
    steps: tuple[AnyStep, ...]
    input: str

    def words(self) -> dict[str, Word]:
        """The types of the axes of every tensor, by its name."""
        known = {INPUT: self.plan.inputs, GRADIENT: self.plan.outputs}
        return words((step for step in self.steps if not isinstance(step, Outer)), known)

    def needing(self, *, of_input: bool, of_parameters: bool) -> Gradient:
        """Only the steps for the gradient of the input, of weight and bias, or of both."""
        needed = {self.input} if of_input else set()
        kept: list[AnyStep] = []
        for step in reversed(self.steps):
            if isinstance(step, Outer):
                if of_parameters:
                    kept.append(step)
                    needed |= {*step.sources, *(name for name, _ in step.features)}
            elif not needed.isdisjoint(produced(step)):
                kept.append(step)
                needed |= set(used(step))
        return Gradient(self.plan, tuple(reversed(kept)), self.input)


def gradient(plan: Plan) -> Gradient:
    """The backward pass of a plan.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lowering.lower import lower
    >>> for step in gradient(lower(Hom(S(3), 1, 1), 2, 4, bias=False)).steps:
    ...     print(step)
    Contract(out='c0', source='x', labels=(0,), keep=(), mean=True, forms=())
    Contract(out='d_m1', source='g', labels=(0,), keep=(), mean=False, forms=())
    Outer(sources=('c0',), features=(('d_m1', ()),), rows=((1,),), bias_rows=())
    Mix(outs=('d_c0',), features=(('d_m1', ()),), rows=((1,),), bias_rows=())
    Outer(sources=('x',), features=(('g', (0,)),), rows=((0,),), bias_rows=())
    Mix(outs=('d_x',), features=(('g', (0,)),), rows=((0,),), bias_rows=())
    Embed(out='d_x_0', base='d_x', source='d_c0', labels=(0,), keep=(), mean=True, forms=())
    """
    known = plan.words()
    # The gradient of each tensor so far; of mixed ones that is all there is, as each is used once.
    found: dict[str, str] = {plan.result: GRADIENT}
    forward: list[Step] = []
    steps: list[AnyStep] = []
    count = 0

    def add(name: str, part: str, step: Contract | None = None) -> None:
        """Add the gradient ``part`` to that of ``name``, which a contraction may have read."""
        nonlocal count
        axes = tuple(range(len(known[name])))
        if name not in found:
            if step is None:
                found[name] = part
                return
            steps.append(Zeros(f"d_{name}", known[name]))
            found[name] = f"d_{name}"
        out = f"d_{name}_{count}"
        count += 1
        labels, keep = (step.labels, step.keep) if step else (axes, axes)
        mean, forms = (step.mean, step.forms) if step else (False, ())
        steps.append(Embed(out, found[name], part, labels, keep, mean, forms))
        found[name] = out

    mixed = _mixed(plan)
    # What nothing needs has no gradient.
    for step in reversed(drop_dead(plan).steps):
        match step:
            case Embed():
                found[step.base] = found[step.out]
                out = f"d_{step.source}"
                part = Contract(out, found[step.out], step.labels, step.keep, step.mean, step.forms)
                steps.append(part)
                found[step.source] = out
            case LeviCivita():
                out = f"d_{step.out}_{step.source}"
                steps.append(
                    LeviCivita(out, found[step.out], step.keep, step.labels, step.legs, step.kind)
                )
                if step.source in mixed:
                    found[step.source] = out
                else:
                    add(step.source, out)
            case Mix():
                for sources in _alike(step, known):
                    for turned in _flipped(step, sources, found):
                        steps.append(turned)
                        if isinstance(turned, Mix):
                            for name, out in zip(sources, turned.outs, strict=True):
                                add(name, out)
            case Contract():
                add(step.source, found[step.out], step)
            case Zeros():
                pass
        if isinstance(step, Contract | LeviCivita) and step.out not in mixed:
            forward.append(step)
    if INPUT not in found:
        steps.append(Zeros(f"d_{INPUT}", plan.inputs))
        found[INPUT] = f"d_{INPUT}"
    return Gradient(plan, (*reversed(forward), *steps), found[INPUT])


def _mixed(plan: Plan) -> set[str]:
    """The tensors in which channels are mixed already."""
    found: set[str] = set()
    for step in plan.steps:
        if isinstance(step, Mix | Zeros) or not found.isdisjoint(used(step)):
            found.update(produced(step))
    return found


def _alike(step: Mix, known: dict[str, Word]) -> list[tuple[str, ...]]:
    """The sources of a mix, those of one word together.

    They are read with their axes in an order of their own, so their words may differ, as (0, 1) and
    (1, 0) do; the results of a mix have one word, and the gradients of these sources are such.
    """
    found: dict[Word, dict[str, None]] = {}
    for name, _ in step.features:
        found.setdefault(known[name], {})[name] = None
    return [tuple(names) for names in found.values()] or [()]


def _flipped(step: Mix, sources: tuple[str, ...], found: dict[str, str]) -> Iterator[Outer | Mix]:
    """The gradients of weight, bias and some sources of a mix, from those of its results."""
    features: dict[tuple[str, tuple[int, ...]], int] = {}
    rows: list[dict[int, int]] = [{} for _ in sources]
    for e, out in enumerate(step.outs):
        for (name, permutation), row in zip(step.features, step.rows[e], strict=True):
            if name in sources:
                feature = (found[out], inverse(permutation))
                number = features.setdefault(feature, len(features))
                rows[sources.index(name)][number] = row
    if step.bias_rows:
        for out in step.outs:
            features.setdefault((found[out], ()), len(features))
    table = tuple(tuple(row.get(f, ABSENT) for f in range(len(features))) for row in rows)
    named = {found[out]: row for out, row in zip(step.outs, step.bias_rows, strict=False)}
    bias_rows = tuple(named.get(name, ABSENT) for name, _ in features) if step.bias_rows else ()
    yield Outer(sources, tuple(features), table, bias_rows)
    if sources:
        outs = tuple(
            f"d_{name}" if name not in found else f"d_{name}_{step.outs[0]}" for name in sources
        )
        yield Mix(outs, tuple(features), table)
