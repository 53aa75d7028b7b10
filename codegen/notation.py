"""Index notation: what steps and diagrams do, as a person would write it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from tannaka.diagrams.errors import PlanError
from tannaka.diagrams.partition import SetPartition

Reduce: TypeAlias = Literal["mean", "sum"]
"""Whether a diagram is divided by the number of terms that it sums."""


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


def shape(order: int, channels: object, n: object = "n") -> str:
    """A feature's shape in words.

    >>> shape(2, "channels")
    '(*batch, n, n, channels)'
    """
    return f"(*batch, {f'{n}, ' * order}{channels})"
