"""The plan: a flat list of single-assignment steps that applies a whole basis of diagrams.

A tensor of the plan has order t: shape ``(*batch, n, ..., n, channels)`` with t axes of size n.
The input is called ``x``; every step names its results once. There are four kinds of step:

* ``Contract`` reads a source along a diagonal and sums (or averages) some of its indices away;
* ``Mix`` multiplies channels by rows of the weight, and adds rows of the bias at order 0;
* ``Embed`` adds a source into its base along a diagonal, repeated over the indices it lacks;
* ``Zeros`` is where embedding starts when no mixed tensor has the order of the output.

``Contract`` and ``Embed`` hold the same data and are adjoint, so the backward pass of a plan is a
plan. A plan means something exact: :func:`traced` computes the diagram that each weight multiplies
by composing the steps as diagrams, and :func:`verify` compares that with the basis, so a pass that
changes what a plan computes is caught when it runs, not when a number comes out wrong.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tannaka.category.functor import norm2
from tannaka.diagrams.errors import PlanError
from tannaka.diagrams.partition import SetPartition, restricted_growth

Reduce: TypeAlias = Literal["mean", "sum"]
INPUT = "x"


@dataclass(frozen=True, slots=True)
class Contract:
    """``out[i_keep] = sum, or mean, over the other indices of source[i_labels]``.

    ``labels`` gives the index on each axis of the source, as a restricted growth string; ``keep``
    the indices that stay, in increasing order.
    """

    out: str
    source: str
    labels: tuple[int, ...]
    keep: tuple[int, ...]
    mean: bool

    @property
    def summed(self) -> tuple[int, ...]:
        """The indices that are summed away."""
        return tuple(sorted(set(self.labels) - set(self.keep)))


@dataclass(frozen=True, slots=True)
class Mix:
    """``outs[e] = sum over f of weight[rows[e][f]] @ features[f] + bias[bias_rows[e]]``.

    All tensors have one order. ``features[f]`` is a tensor and a permutation of its axes: axis i of
    the feature is axis ``permutation[i]`` of the tensor. ``bias_rows`` is empty, or has a row for
    each result, which then has order 0. Without features the results are rows of the bias alone.
    """

    outs: tuple[str, ...]
    features: tuple[tuple[str, tuple[int, ...]], ...]
    rows: tuple[tuple[int, ...], ...]
    bias_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Zeros:
    """``out`` is a tensor of zeros of the given order."""

    out: str
    order: int


@dataclass(frozen=True, slots=True)
class Embed:
    """``out = base``, but ``out[i_labels] += source[i_keep]`` for all values of the indices.

    The adjoint of ``Contract`` with the same labels and keep. It is the only step that uses its
    base, so it may write in place.
    """

    out: str
    base: str
    source: str
    labels: tuple[int, ...]
    keep: tuple[int, ...]

    @property
    def repeated(self) -> tuple[int, ...]:
        """The indices that the source lacks, over which it is repeated."""
        return tuple(sorted(set(self.labels) - set(self.keep)))


Step: TypeAlias = Contract | Mix | Zeros | Embed


@dataclass(frozen=True, slots=True)
class Plan:
    """How to apply a basis of Hom(k, l) to an input of order k, with channels mixed on the way.

    ``basis[i]`` is the diagram that row i of the weight multiplies, ``bias_basis[i]`` that of row
    i of the bias (None: no bias). With ``reduce="mean"`` each diagram is divided by the number of
    terms that it sums.
    """

    group: str
    dom: int
    cod: int
    in_channels: int
    out_channels: int
    reduce: Reduce
    basis: tuple[SetPartition, ...]
    bias_basis: tuple[SetPartition, ...] | None
    steps: tuple[Step, ...]
    result: str

    def with_steps(self, steps: tuple[Step, ...], result: str) -> Plan:
        """The same task, done by other steps."""
        return replace(self, steps=steps, result=result)

    def orders(self) -> dict[str, int]:
        """The order of every tensor, by its name."""
        found = {INPUT: self.dom}
        for step in self.steps:
            match step:
                case Contract():
                    found[step.out] = len(step.keep)
                case Mix():
                    order = found[step.features[0][0]] if step.features else 0
                    found.update(dict.fromkeys(step.outs, order))
                case Zeros():
                    found[step.out] = step.order
                case Embed():
                    found[step.out] = found[step.base]
        return found

    def __str__(self) -> str:
        bias = "no bias" if self.bias_basis is None else f"{len(self.bias_basis)} for the bias"
        head = (
            f"{self.group}, order {self.dom} -> {self.cod}, channels {self.in_channels} -> "
            f"{self.out_channels}, {len(self.basis)} diagrams, {bias}, reduce={self.reduce}"
        )
        orders = self.orders()
        lines = [f"  {line}" for step in self.steps for line in describe(step, orders)]
        return "\n".join([head, *lines, f"  return {self.result}"])


def diagram_of(labels: tuple[int, ...], keep: tuple[int, ...]) -> SetPartition:
    """The contraction with these labels and kept indices, as a diagram len(labels) -> len(keep)."""
    return SetPartition(len(labels), len(keep), restricted_growth((*keep, *labels)))


def axes_of(contraction: SetPartition) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The labels and kept indices of a contraction diagram; the inverse of :func:`diagram_of`.

    >>> axes_of(SetPartition(3, 1, (0, 1, 0, 1)))
    ((0, 1, 0), (1,))
    """
    inputs = contraction.labels[contraction.cod :]
    labels = restricted_growth(inputs)
    kept = {label for old, label in zip(inputs, labels, strict=True) if old < contraction.cod}
    return labels, tuple(sorted(kept))


@dataclass(frozen=True, slots=True)
class Trace:
    """What a plan computes: a diagram for each row, and how often the row's input was averaged."""

    weight: dict[int, tuple[SetPartition, int]]
    bias: dict[int, SetPartition]


def traced(plan: Plan) -> Trace:
    """Compose the steps as diagrams, to find what each row of weight and bias multiplies.

    Raises PlanError when steps do not fit together or a row is used twice.
    """
    reduced = {INPUT: (SetPartition.identity(plan.dom), 0)}
    mixed: dict[str, list[tuple[str, int, SetPartition, int]]] = {}
    orders = plan.orders()
    for step in plan.steps:
        match step:
            case Contract():
                diagram, means = reduced[step.source]
                composite = _compose(diagram, diagram_of(step.labels, step.keep))
                reduced[step.out] = (composite, means + (len(step.summed) if step.mean else 0))
            case Mix():
                for e, out in enumerate(step.outs):
                    mixed[out] = []
                    for (source, permutation), row in zip(step.features, step.rows[e], strict=True):
                        diagram, means = reduced[source]
                        feature = _compose(diagram, SetPartition.permutation(permutation))
                        mixed[out].append(("weight", row, feature, means))
                    if step.bias_rows:
                        mixed[out].append(("bias", step.bias_rows[e], SetPartition.identity(0), 0))
            case Zeros():
                mixed[step.out] = []
            case Embed():
                embedding = diagram_of(step.labels, step.keep).dagger()
                if orders[step.base] != embedding.cod:
                    raise PlanError(f"{step} writes into a tensor of order {orders[step.base]}")
                mixed[step.out] = mixed[step.base] + [
                    (kind, row, _compose(diagram, embedding), means)
                    for kind, row, diagram, means in mixed[step.source]
                ]
    trace = Trace({}, {})
    for kind, row, diagram, means in mixed[plan.result]:
        if row in (trace.weight if kind == "weight" else trace.bias):
            raise PlanError(f"row {row} of the {kind} is used twice")
        if kind == "weight":
            trace.weight[row] = (diagram, means)
        else:
            trace.bias[row] = diagram
    return trace


def verify(plan: Plan, *, after: str) -> Plan:
    """Return the plan if it is well formed and computes exactly its basis; ``after`` names the pass.

    Raises PlanError, naming the pass, the row and both diagrams.
    """
    try:
        _verify_names(plan)
        trace = traced(plan)
    except (PlanError, ValueError, KeyError) as error:
        raise PlanError(f"after {after}: {error}") from error
    expected = {
        row: (diagram, indices_summed(diagram) if plan.reduce == "mean" else 0)
        for row, diagram in enumerate(plan.basis)
    }
    for kind, found, wanted in (
        ("weight", trace.weight, expected),
        ("bias", trace.bias, dict(enumerate(plan.bias_basis or ()))),
    ):
        for row in sorted(found.keys() | wanted.keys()):
            if found.get(row) != wanted.get(row):
                raise PlanError(
                    f"after {after}: row {row} of the {kind} computes {found.get(row)}, "
                    f"expected {wanted.get(row)}"
                )
    return plan


def renamed(plan: Plan) -> Plan:
    """The same plan with its contractions called c0, c1, ... and its embeddings y0, y1, ..."""
    names: dict[str, str] = {}
    steps: list[Step] = []
    for step in plan.steps:
        match step:
            case Contract():
                number = sum(isinstance(s, Contract) for s in steps)
                source = names.get(step.source, step.source)
                names[step.out] = f"c{number}"
                step = replace(step, out=names[step.out], source=source)
            case Mix():
                features = tuple((names.get(name, name), axes) for name, axes in step.features)
                step = replace(step, features=features)
            case Embed():
                base, source = (names.get(name, name) for name in (step.base, step.source))
                names[step.out] = f"y{sum(isinstance(s, Embed) for s in steps)}"
                step = replace(step, out=names[step.out], base=base, source=source)
        steps.append(step)
    return plan.with_steps(tuple(steps), names.get(plan.result, plan.result))


def _verify_names(plan: Plan) -> None:
    """Names are assigned once, used after that, and a base is not used again."""
    known, spent = {INPUT}, set[str]()
    for step in plan.steps:
        for name in _uses(step):
            if name not in known:
                raise PlanError(f"{step} uses {name} before it is assigned")
            if name in spent:
                raise PlanError(f"{step} uses {name}, which an Embed has written over")
        if isinstance(step, Embed):
            if step.base == INPUT:
                raise PlanError(f"{step} writes over the input")
            spent.add(step.base)
        for name in step.outs if isinstance(step, Mix) else (step.out,):
            if name in known:
                raise PlanError(f"{name} is assigned twice")
            known.add(name)
    if plan.result not in known - spent:
        raise PlanError(f"the result {plan.result} is not there at the end")


def _uses(step: Step) -> Iterator[str]:
    match step:
        case Contract():
            yield step.source
        case Mix():
            yield from dict.fromkeys(name for name, _ in step.features)
        case Embed():
            yield step.base
            yield step.source


def _compose(first: SetPartition, second: SetPartition) -> SetPartition:
    composite, closed = first.then(second)
    if closed:
        raise PlanError(f"({first}) >> ({second}) closes {closed} loops")
    return composite


def indices(labels: tuple[int, ...]) -> str:
    """Index letters for axis labels; ``c`` is left for channels and letters run out at 51.

    >>> indices((0, 0, 1))
    'iij'
    """
    letters = "ijklmnopqrstuvwxyzabdefghABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if labels and max(labels) >= len(letters):
        raise PlanError(f"more than {len(letters)} indices in one step")
    return "".join(letters[label] for label in labels)


def formula(diagram: SetPartition, reduce: Reduce = "sum", factor: str = "") -> str:
    """What a diagram does to a tensor x, in index notation; indices of y alone run over everything.

    >>> formula(SetPartition(2, 2, (0, 1, 1, 2)), factor="W5")
    'y[ij] += W5 sum over k of x[jk]'
    """
    outputs, inputs = diagram.labels[: diagram.cod], diagram.labels[diagram.cod :]
    summed = tuple(sorted(set(inputs) - set(outputs)))
    words = [factor] if factor else []
    words += [f"{reduce} over {indices(summed)} of"] if summed else []
    words += [f"x[{indices(inputs)}]"] if inputs or not factor.startswith("b") else []
    return f"y[{indices(outputs)}] += {' '.join(words)}"


def indices_summed(diagram: SetPartition) -> int:
    """How many indices a diagram sums over: its blocks that have inputs only.

    >>> indices_summed(SetPartition(2, 1, (0, 1, 1)))
    1
    """
    return sum(block[0] >= diagram.cod for block in diagram.blocks)


def signature(plan: Plan) -> str:
    """Which basis the weights belong to, as text that a state dict carries.

    Equal exactly when row i of weight and bias means the same in both layers: the same orders,
    diagrams and reduction. The same diagrams mean the same at every n.
    """
    bias_basis = plan.bias_basis or ()
    rows = [[diagram.labels for diagram in basis] for basis in (plan.basis, bias_basis)]
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    return (
        f"tannaka 1: order {plan.dom} -> {plan.cod}, {len(plan.basis)} + {len(bias_basis)} "
        f"diagrams, reduce={plan.reduce}, sha256 {digest}"
    )


def shape(order: int, channels: object, n: object = "n") -> str:
    """A feature's shape in words.

    >>> shape(2, "channels")
    '(*batch, n, n, channels)'
    """
    return f"(*batch, {f'{n}, ' * order}{channels})"


def initial_bound(plan: Plan, n: int) -> float:
    """The bound b for which weights drawn uniformly from (-b, b) preserve variance on average.

    For inputs of independent entries with mean 0 and variance 1, the output's entries then have
    variance 1 on average: the sum over diagrams D of ``in_channels * b**2 / 3 * |D|**2 / n**cod``
    is 1, where |D| is the Frobenius norm of the diagram as the layer scales it.
    """
    total = 0.0
    for diagram in plan.basis:
        scale = n ** indices_summed(diagram) if plan.reduce == "mean" else 1
        total += norm2(diagram, n) / (scale**2 * n**plan.cod)
    return math.sqrt(3 / (plan.in_channels * total)) if total else 0.0


def describe(step: Step, orders: dict[str, int]) -> Iterator[str]:
    """A step as lines of index notation."""
    match step:
        case Contract():
            words = "" if not step.summed else ("mean " if step.mean else "sum ")
            over = f"over {indices(step.summed)} of " if words else ""
            source = f"{step.source}[{indices(step.labels)}]"
            yield f"{step.out}[{indices(step.keep)}] = {words}{over}{source}"
        case Mix():
            order = tuple(range(orders[step.outs[0]]))
            for e, out in enumerate(step.outs):
                terms = [
                    f"W{row} {name}[{indices(tuple(permutation.index(a) for a in order))}]"
                    for (name, permutation), row in zip(step.features, step.rows[e], strict=True)
                ]
                terms += [f"b{step.bias_rows[e]}"] if step.bias_rows else []
                yield f"{out}[{indices(order)}] = {' + '.join(terms)}"
        case Zeros():
            yield f"{step.out}[{indices(tuple(range(step.order)))}] = 0"
        case Embed():
            written = f"{step.base}[{indices(step.labels)}] += {step.source}[{indices(step.keep)}]"
            yield f"{step.out} = {step.base} with {written}"
