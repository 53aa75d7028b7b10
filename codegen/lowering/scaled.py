"""Contractions with powers of two taken out, so that no tensor on the way grows or vanishes.

The entries of a tensor on the way count homomorphisms, and what they count for an input of ones is
the most that they come to for inputs within -1 and 1. Where a step multiplies by a matrix of the
host, this is divided by the power of two that brings that most to about 1: exact in every dtype,
and long paths neither overflow nor vanish. Steps without features are the same for every input, and
are carried out here, once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tannaka.codegen.lowering.graph_plan import Join

INPUT = "x"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scaled:
    """What the steps of a plan multiply by, and what that leaves out."""

    constants: dict[str, Array]
    """What is multiplied by, each by its name."""
    names: tuple[str | None, ...]
    """For each step the constant that it multiplies by; None for one that does not."""
    exponents: dict[str, int]
    """For each tensor e, where it is 2**e times what the scaled steps give."""


def scaled(
    steps: Sequence[Join], constants: Mapping[str, NDArray[Any]], n: int, order: int
) -> Scaled:
    """Run the steps on an input of ones, and keep the size of each result.

    ``steps`` are in order, ``constants`` the host's matrices, ``order`` that of the input.
    """
    known: dict[str, Array] = {name: array.astype(float) for name, array in constants.items()}
    known[INPUT] = np.ones((n,) * order)
    last = {name: i for i, step in enumerate(steps) for name, _ in step.operands}
    exponents = dict.fromkeys(known, 0)
    kept: dict[str, Array] = {}
    names: list[str | None] = []
    featured = {INPUT, *(step.out for step in steps if step.features)}
    for i, step in enumerate(steps):
        found = _run(step, known)
        others = [name for name, _ in step.operands if name not in featured]
        shift = _binary(found) if others else 0
        if step.features and others:
            (other,) = others
            names.append(f"{other} / 2^{shift}")
            kept[f"{other} / 2^{shift}"] = known[other] * 2.0**-shift
        else:
            names.append(None)
        known[step.out] = found * 2.0**-shift
        exponents[step.out] = shift + sum(exponents[name] for name, _ in step.operands)
        for name in {name for name, _ in step.operands if last[name] == i}:
            del known[name]
    return Scaled(kept, tuple(names), exponents)


def _run(step: Join, known: Mapping[str, Array]) -> Array:
    """One step, in numpy."""
    axes = {v: i for i, v in enumerate(dict.fromkeys(v for _, at in step.operands for v in at))}
    operands: list[Any] = []
    for name, at in step.operands:
        operands += [known[name], [axes[v] for v in at]]
    found: Array = np.einsum(*operands, [axes[v] for v in step.keep], optimize=True)
    return found


def _binary(array: Array) -> int:
    """The power of two next to the largest entry; 0 where all are zero."""
    largest = float(array.max(initial=0.0))
    return round(math.log2(largest)) if largest else 0
