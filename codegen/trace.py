"""What a plan means: its steps, composed as diagrams.

:func:`traced` finds the diagram that each row of the weight multiplies, and :func:`verify` compares
it with the basis. That is exact and says which row is wrong, so a mistake in lowering or in a pass
is caught when the pass runs, not when a number comes out wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tannaka.codegen.plan import INPUT, Contract, Embed, Mix, Plan, Step, Zeros, indices_summed
from tannaka.diagrams.errors import PlanError
from tannaka.diagrams.partition import SetPartition, restricted_growth


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
