"""The plan: a flat list of single-assignment steps that applies a whole basis of diagrams.

A tensor of the plan has order t: shape ``(*batch, n, ..., n, channels)`` with t axes of size n.
The input is called ``x``; every step names its results once. There are four kinds of step:

* ``Contract`` reads a source along a diagonal and sums (or averages) some of its indices away;
* ``Mix`` multiplies channels by rows of the weight, and adds rows of the bias at order 0;
* ``Embed`` adds a source into its base along a diagonal, repeated over the indices it lacks;
* ``Zeros`` is where embedding starts when no mixed tensor has the order of the output.

``Contract`` and ``Embed`` hold the same data and are adjoint, so the backward pass of a plan is a
plan. What a plan computes is checked exactly, by composing its steps as diagrams: see ``trace.py``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tannaka.category.functor import matrix, norm2
from tannaka.codegen.notation import Reduce, indices
from tannaka.diagrams.partition import SetPartition

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

    kind: ClassVar[str] = "diagrams"
    """What the rows of the weight belong to."""

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

    def signature(self) -> str:
        """Which basis the weights belong to, as text that a state dict carries.

        Equal exactly when row i of weight and bias means the same in both layers: the same orders,
        diagrams and reduction. The same diagrams mean the same at every n.
        """
        bias_basis = self.bias_basis or ()
        rows = [[diagram.labels for diagram in basis] for basis in (self.basis, bias_basis)]
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
        return (
            f"tannaka 1: order {self.dom} -> {self.cod}, {len(self.basis)} + {len(bias_basis)} "
            f"diagrams, reduce={self.reduce}, sha256 {digest}"
        )

    def initial_bound(self, n: int) -> float:
        """The bound b for which weights drawn uniformly from (-b, b) preserve variance on average.

        For inputs of independent entries with mean 0 and variance 1, the output's entries then have
        variance 1 on average: the sum over diagrams D of ``in_channels * b**2 / 3 * |D|**2 / n**cod``
        is 1, where |D| is the Frobenius norm of the diagram as the layer scales it.
        """
        total = 0.0
        for diagram in self.basis:
            scale = n ** indices_summed(diagram) if self.reduce == "mean" else 1
            total += norm2(diagram, n) / (scale**2 * n**self.cod)
        return math.sqrt(3 / (self.in_channels * total)) if total else 0.0

    def matrix(self, row: int, n: int) -> NDArray[np.float64]:
        """The matrix that a row of the weight multiplies, scaled, of shape (n**cod, n**dom)."""
        diagram = self.basis[row]
        terms = n ** indices_summed(diagram) if self.reduce == "mean" else 1
        found: NDArray[np.float64] = matrix(diagram, n) / terms
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


def indices_summed(diagram: SetPartition) -> int:
    """How many indices a diagram sums over: its blocks that have inputs only.

    >>> indices_summed(SetPartition(2, 1, (0, 1, 1)))
    1
    """
    return sum(block[0] >= diagram.cod for block in diagram.blocks)
