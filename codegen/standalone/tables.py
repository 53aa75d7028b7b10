"""The tables of a file: which diagrams the rows of weight and bias belong to, each with its formula."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tannaka.codegen.network import network
from tannaka.codegen.notation import formula
from tannaka.codegen.task import Task
from tannaka.diagrams.diagram import Diagram

WIDTH = 100
"""The longest line; comments keep to it too."""


@dataclass(frozen=True)
class Table:
    """A constant that lists something for each row of a parameter."""

    name: str
    kind: str
    """The type of a row."""
    rows: tuple[str, ...]
    comments: tuple[str, ...]

    def lines(self) -> list[str]:
        """The statement, with what each row is as a comment."""
        head = f"{self.name}: tuple[{self.kind}, ...] ="
        if not self.rows:
            return [f"{head} ()"]
        if len(self.rows) == 1:
            (row,), (said,) = self.rows, self.comments
            line = f"{head} ({row},)"
            if len(line) + len(said) + 4 <= WIDTH:
                return [f"{line}  # {said}"]
        found = [f"{head} ("]
        for row, said in zip(self.rows, self.comments, strict=True):
            line = f"    {row},"
            if len(line) + len(said) + 4 <= WIDTH:
                found.append(f"{line}  # {said}")
            else:
                found += [*comment(said, 4), line]
        return [*found, ")"]


def comment(text: str, indent: int = 0) -> list[str]:
    """A comment, on as many lines as it takes."""
    pad = " " * indent
    return textwrap.wrap(text, WIDTH, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}#     ")


def legged(plan: Task) -> bool:
    """Whether any diagram has a determinant vertex, so that rows list legs too."""
    return any(found.legs for found in plan.networks + plan.bias_networks)


def diagram_tables(plan: Task) -> list[str]:
    """The tables of a layer with a weight for each diagram, and what they say."""
    with_legs = legged(plan)
    said = "Row i of the weight multiplies diagram i: the block of each output, then of each input"
    if with_legs:
        said += (
            "; then for each determinant vertex the blocks that its legs end at, in order, a number "
            "that no vertex has for a leg that ends nowhere"
        )
    lines = [
        f"Diagram = {_kind(with_legs)}",
        *comment(f"{said}."),
        *_table("DIAGRAMS", "W", plan.basis, plan, with_legs).lines(),
    ]
    if plan.bias_basis is not None:
        lines.append("# The same for the bias: diagrams without inputs.")
        lines += _table("BIAS_DIAGRAMS", "b", plan.bias_basis, plan, with_legs).lines()
    return lines


def _kind(with_legs: bool) -> str:
    return "tuple[tuple[int, ...], ...]" if with_legs else "tuple[int, ...]"


def _table(name: str, symbol: str, basis: Sequence[Diagram], plan: Task, with_legs: bool) -> Table:
    rows, comments = [], []
    for number, diagram in enumerate(basis):
        labels, *legs = blocks(diagram)
        rows.append(repr((labels, *legs)) if with_legs else repr(labels))
        does = formula(diagram, plan.reduce, f"{symbol}{number}", plan.group)
        comments.append(f"{diagram}: {does}" if str(diagram) else does)
    return Table(name, "Diagram", tuple(rows), tuple(comments))


def blocks(diagram: Diagram) -> tuple[tuple[int, ...], ...]:
    """The block of each vertex, outputs first, numbered as they come; then the legs of each vertex.

    >>> from tannaka.diagrams.jellyfish import Jellyfish
    >>> blocks(Jellyfish(1, 1, (0, 1), (0, 1, None)))
    ((0, 1), (0, 1, 2))
    """
    found = network(diagram)
    number: dict[Any, int] = {}
    for index in (*found.outputs, *found.inputs, *(leg for legs in found.legs for leg in legs)):
        number.setdefault(index, len(number))
    labels = tuple(number[index] for index in found.outputs + found.inputs)
    return labels, *(tuple(number[leg] for leg in legs) for legs in found.legs)
