"""Run a plan in numpy, one step after the other: the oracle for every backend."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.codegen.plan import INPUT, Contract, Embed, Mix, Plan, Zeros

_CHANNEL = 50
"""The index that numpy's einsum uses for the channel axis; order indices are smaller."""


def interpret(
    plan: Plan, x: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any] | None, n: int
) -> NDArray[Any]:
    """Apply the plan to x, of shape (*batch, n, ..., n, in_channels).

    ``weight`` and ``bias`` have the layout of the layers; bias is None for a plan without one.
    """
    values: dict[str, NDArray[Any]] = {INPUT: x}
    batch = x.shape[: x.ndim - 1 - plan.dom]
    for step in plan.steps:
        match step:
            case Contract():
                value = _diagonal(values[step.source], step.labels, step.keep)
                values[step.out] = value / n ** len(step.summed) if step.mean else value
            case Mix():
                for e, out in enumerate(step.outs):
                    order = plan.orders()[out]
                    value = np.zeros((*batch, *(n,) * order, plan.out_channels))
                    for (name, permutation), row in zip(step.features, step.rows[e], strict=True):
                        lead = tuple(range(len(batch)))
                        order_axes = (len(lead) + axis for axis in permutation)
                        feature = values[name].transpose(*lead, *order_axes, -1)
                        value += feature @ weight[row].T
                    if step.bias_rows and bias is not None:
                        value += bias[step.bias_rows[e]]
                    values[out] = value
            case Zeros():
                values[step.out] = np.zeros((*batch, *(n,) * step.order, plan.out_channels))
            case Embed():
                value = values[step.base].copy()
                labels = tuple(dict.fromkeys(step.labels))
                # A view of the diagonal: numpy lets einsum's views be written to.
                view = _diagonal(value, step.labels, labels)
                missing = [axis - len(labels) - 1 for axis in step.repeated]
                view += np.expand_dims(values[step.source], tuple(missing))
                values[step.out] = value
    return values[plan.result]


def _diagonal(x: NDArray[Any], labels: tuple[int, ...], keep: tuple[int, ...]) -> NDArray[Any]:
    """Read x where axes of equal label have equal indices; sum over the labels not kept."""
    einsum: Any = np.einsum
    value: NDArray[Any] = einsum(x, [..., *labels, _CHANNEL], [..., *keep, _CHANNEL])
    return value
