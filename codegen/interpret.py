"""Run a plan in numpy, one step after the other: the oracle for every backend."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.category.symplectic import Sp
from tannaka.codegen.lowering.gradient import GRADIENT, Gradient, Outer
from tannaka.codegen.network import Word, levi_civita, sizes
from tannaka.codegen.plan import (
    ABSENT,
    INPUT,
    Contract,
    Embed,
    LeviCivita,
    Mix,
    Multiply,
    Plan,
    Step,
    Weigh,
    Zeros,
)

_EINSUM: Any = np.einsum
_CHANNEL = 49
"""The index that numpy's einsum uses for the channel axis; order indices are smaller."""


def interpret(
    plan: Plan, x: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any] | None, n: Any
) -> NDArray[Any]:
    """Apply the plan to x, of shape (*batch, n, ..., n, in_channels).

    ``weight`` and ``bias`` have the layout of the layers; bias is None for a plan without one. For a
    product of groups n is a tuple with the size of each type of axis.
    """
    return interpret_all(plan, {INPUT: x}, weight, bias, n)


def interpret_all(
    plan: Plan,
    given: dict[str, NDArray[Any]],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    n: Any,
) -> NDArray[Any]:
    """Apply a plan of any number of inputs, given by their names.

    ``weight`` has shape (dimension, out_channels, in_channels), for two inputs with a channel for
    each pair that the plan multiplies, those of the second input fastest.
    """
    first = next(iter(plan.given))
    batch = given[first].shape[: given[first].ndim - 1 - len(plan.given[first])]
    scales = np.array([float(scale) for scale in plan.scales])[:, None, None]
    signs = np.array(plan.bias_signs)[:, None]
    parameters = weight * scales, None if bias is None else bias * signs
    values = dict(given)
    known = plan.words()
    for step in plan.steps:
        run(step, values, known, parameters, batch, sizes(n), plan.out_channels)
    return values[plan.result]


def interpret_gradient(
    gradient: Gradient, x: NDArray[Any], weight: NDArray[Any], g: NDArray[Any], n: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The gradients of x, weight and bias, for x as above and the gradient g of the output."""
    plan = gradient.plan
    batch = x.shape[: x.ndim - 1 - len(plan.inputs)]
    scales = np.array([float(scale) for scale in plan.scales])[:, None, None]
    signs = np.array(plan.bias_signs)[:, None]
    values: dict[str, NDArray[Any]] = {INPUT: x, GRADIENT: g}
    known = gradient.words()
    turned = (weight * scales).transpose(0, 2, 1), None
    of_weight = np.zeros((len(plan.basis), plan.out_channels, plan.in_channels))
    of_bias = np.zeros((len(plan.bias_signs), plan.out_channels))
    lead = tuple(range(len(batch)))
    for step in gradient.steps:
        if not isinstance(step, Outer):
            run(step, values, known, turned, batch, sizes(n), plan.in_channels)
            continue
        for f, (name, permutation) in enumerate(step.features):
            axes = (len(lead) + axis for axis in permutation)
            feature = values[name].transpose(*lead, *axes, -1).reshape(-1, plan.out_channels)
            for source, rows in zip(step.sources, step.rows, strict=True):
                if rows[f] != ABSENT:
                    flat = values[source].reshape(-1, plan.in_channels)
                    of_weight[rows[f]] += feature.T @ flat
            if step.bias_rows and step.bias_rows[f] != ABSENT:
                of_bias[step.bias_rows[f]] += feature.sum(0)
    return values[gradient.input], of_weight * scales, of_bias * signs


def run(
    step: Step,
    values: dict[str, NDArray[Any]],
    words: dict[str, Word],
    parameters: tuple[NDArray[Any], NDArray[Any] | None],
    batch: tuple[int, ...],
    at: tuple[int, ...],
    channels: int,
) -> None:
    """Run one step; ``channels`` is how many there are after mixing."""
    weight, bias = parameters

    def zeros(word: Word) -> NDArray[Any]:
        return np.zeros((*batch, *(at[kind] for kind in word), channels))

    match step:
        case Contract():
            word = words[step.source]
            value = _multiplied(values[step.source], step, word, at)
            values[step.out] = value / _terms(step.averaged, step.labels, word, at)
        case LeviCivita():
            symbol = [levi_civita(at[step.kind]), list(step.legs)]
            operands = [values[step.source], [..., *step.labels, _CHANNEL]]
            values[step.out] = _EINSUM(*operands, *symbol, [..., *step.keep, _CHANNEL])
        case Mix():
            for e, out in enumerate(step.outs):
                value = zeros(words[out])
                for (name, permutation), row in zip(step.features, step.rows[e], strict=True):
                    lead = tuple(range(len(batch)))
                    order_axes = (len(lead) + axis for axis in permutation)
                    feature = values[name].transpose(*lead, *order_axes, -1)
                    if row != ABSENT:
                        value += feature @ weight[row].T
                if step.bias_rows and step.bias_rows[e] != ABSENT and bias is not None:
                    value += bias[step.bias_rows[e]]
                values[out] = value
        case Multiply():
            word = (*words[step.left], *words[step.right])
            labels = (*step.left_labels, *step.right_labels)
            value = _paired(values[step.left], values[step.right], step, word, at)
            value = value / _terms(step.averaged, labels, word, at)
            parts = np.split(value, len(step.outs), axis=-1)
            values.update(zip(step.outs, parts, strict=True))
        case Weigh():
            lead = tuple(range(len(batch)))
            total: list[Any] = [0.0] * len(step.rows)
            for f, (name, permutation) in enumerate(step.features):
                order_axes = (len(lead) + axis for axis in permutation)
                source = values[name].transpose(*lead, *order_axes, -1)
                shape = (channels, *((source.shape[-1], -1)[:: 1 if step.side == 0 else -1]))
                for e, rows in enumerate(step.rows):
                    block = weight[rows[f]].reshape(shape)
                    axes = [_CHANNEL + 1, _CHANNEL, _CHANNEL + 2]
                    if step.side == 1:
                        axes = [_CHANNEL + 1, _CHANNEL + 2, _CHANNEL]
                    product = _EINSUM(
                        source, [..., _CHANNEL], block, axes, [..., _CHANNEL + 1, _CHANNEL + 2]
                    )
                    total[e] = total[e] + product.reshape(*source.shape[:-1], -1)
            values[step.out] = np.concatenate(total, axis=-1)
        case Zeros():
            values[step.out] = zeros(step.word)
        case Embed():
            word = words[step.base]
            source = values[step.source] / _terms(step.averaged, step.labels, word, at)
            values[step.out] = values[step.base] + _spread(source, step, word, at)


def _terms(averaged: tuple[int, ...], labels: tuple[int, ...], word: Word, at: Any) -> int:
    types = dict(zip(labels, word, strict=True))
    return int(np.prod([at[types[index]] for index in averaged], dtype=int))


def _forms(
    forms: tuple[tuple[int, int], ...], labels: tuple[int, ...], word: Word, at: Any
) -> list[Any]:
    types = dict(zip(labels, word, strict=True))
    operands: list[Any] = []
    for a, b in forms:
        operands += [Sp(at[types[a]]).form.astype(float), [a, b]]
    return operands


def _multiplied(x: NDArray[Any], step: Contract, word: Word, at: Any) -> NDArray[Any]:
    """Read x where axes of equal label have equal indices, times forms; sum over labels not kept."""
    operands = _forms(step.forms, step.labels, word, at)
    source, keep = [..., *step.labels, _CHANNEL], [..., *step.keep, _CHANNEL]
    value: NDArray[Any] = _EINSUM(x, source, *operands, keep)
    return value


def _paired(
    left: NDArray[Any], right: NDArray[Any], step: Multiply, word: Word, at: Any
) -> NDArray[Any]:
    """The product of two tensors, times forms, summed over the labels that are not kept."""
    first, second, output = _CHANNEL, _CHANNEL + 1, []
    channels = {"all": ([first], [second]), "equal": ([first], [first])}.get(step.pairing)
    if channels is None:
        # The weighed side has channels of the output, and for each those of the other side.
        channels, output = ([first], [first]), [second]
        if step.pairing == "left":
            left = left.reshape(*left.shape[:-1], -1, right.shape[-1])
            channels = ([second, first], [first])
        else:
            right = right.reshape(*right.shape[:-1], -1, left.shape[-1])
            channels = ([first], [second, first])
    output = output or list(dict.fromkeys((*channels[0], *channels[1])))
    operands = [left, [..., *step.left_labels, *channels[0]]]
    operands += [right, [..., *step.right_labels, *channels[1]]]
    operands += _forms(step.forms, (*step.left_labels, *step.right_labels), word, at)
    found: NDArray[Any] = _EINSUM(*operands, [..., *step.keep, *output], optimize=True)
    lead = found.shape[: found.ndim - len(output)]
    return found.reshape(*lead, -1)


def _spread(source: NDArray[Any], step: Embed, word: Word, at: Any) -> NDArray[Any]:
    """What an embedding adds: the source where indices of equal label agree, 0 elsewhere."""
    operands: list[Any] = [source, [..., *step.keep, _CHANNEL]]
    operands += _forms(step.forms, step.labels, word, at)
    axes = list(range(len(step.labels)))
    start = max(step.labels, default=-1) + 1
    for axis, (label, kind) in enumerate(zip(step.labels, word, strict=True)):
        operands += [np.eye(at[kind]), [start + axis, label]]
    value: NDArray[Any] = _EINSUM(
        *operands, [..., *(start + axis for axis in axes), _CHANNEL], optimize=True
    )
    return value
