"""Plans that multiply by matrices written out: the whole map, or its blocks in isotypic bases.

``DensePlan`` writes the map V^k -> V^l with its channels as one matrix, for one product: nothing
beats that while n^k is tiny. ``IsotypicPlan`` changes to bases in which every equivariant map is a few
small blocks, multiplies by these, and changes back: two products with fixed matrices that touch no
channels, and between them as few multiplications as the group allows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.category.functor import check_entries
from tannaka.category.hom import Hom
from tannaka.codegen.cost import Cost, open_sizes
from tannaka.codegen.lowering.isotypic import Isotypic, isotypic
from tannaka.codegen.task import Task

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MatrixPlan(Task):
    """What both have in common: the sizes, and the bias."""

    @property
    def rows(self) -> int:
        """The number of entries of an output, n^l."""
        return math.prod(self.group.shape(self.cod))

    @property
    def columns(self) -> int:
        """The number of entries of an input, n^k."""
        return math.prod(self.group.shape(self.dom))

    @cached_property
    def bias_matrix(self) -> Floats:
        """The vector of each row of the bias, of shape (rows of the bias, n^l)."""
        at = self.sizes
        found = [network.matrix(at)[:, 0] for network in self.bias_networks]
        return np.array(found).reshape(len(found), self.rows)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The size of the axes of each type."""
        n = self.group.n
        return n if isinstance(n, tuple) else (n,)

    def _divisors(self) -> Floats:
        return np.array([self.divisor(row, self.group.n) for row in range(len(self.basis))])


@dataclass(frozen=True)
class DensePlan(MatrixPlan):
    """One product with the matrix of the whole map, (n^k in_channels) x (n^l out_channels)."""

    @cached_property
    def stack(self) -> Floats:
        """The matrices of the rows of the weight, scaled, of shape (dimension, n^l, n^k).

        Raises SizeError where they would take more than 2 GiB.
        """
        check_entries((self.rows, self.columns), max(1, len(self.basis)))
        found = np.zeros((len(self.basis), self.rows, self.columns))
        for row in range(len(self.basis)):
            found[row] = self.matrix(row, self.group.n)
        return found

    def interpret(self, x: Floats, weight: Floats, bias: Floats | None) -> Floats:
        """Apply the plan in numpy to x, of shape (*batch, n, ..., n, in_channels)."""
        matrix = np.einsum("rpq,roi->poqi", self.stack, weight)
        return _applied(self, matrix, x, bias)

    def cost(self, n: Any = None, batch: Any = None, *, itemsize: int = 4) -> Cost:
        """The cost of assembling the matrix and applying it once; see ``Plan.cost``."""
        sizes, batch = open_sizes(self.types, n, batch)
        rows = math.prod(sizes[kind] for kind in self.outputs)
        columns = math.prod(sizes[kind] for kind in self.inputs)
        i, o, d = self.in_channels, self.out_channels, len(self.basis)
        entries = rows * columns
        made = entries * i * o
        moved = d * entries + d * i * o + 4 * made + batch * (columns * i + rows * o)
        return Cost(
            2 * d * made + 2 * batch * made,
            moved * itemsize,
            3,
            (2 * made + batch * rows * o) * itemsize,
        )

    def __str__(self) -> str:
        return (
            f"{self.headline()}\n  one product with the matrix written out, "
            f"{self.columns * self.in_channels:,} x {self.rows * self.out_channels:,}"
        )


@dataclass(frozen=True)
class IsotypicPlan(MatrixPlan):
    """Change of basis, a product with a block for each irreducible, and the change back."""

    @cached_property
    def bases(self) -> Isotypic:
        """The bases and blocks; raises SizeError where n^k or n^l is too large to find them."""
        return isotypic(Hom(self.group, self.dom, self.cod))

    @cached_property
    def entries(self) -> Floats:
        """The entries of all blocks for each row of the weight, scaled."""
        found: Floats = self.bases.entries / self._divisors()[:, None]
        return found

    def interpret(self, x: Floats, weight: Floats, bias: Floats | None) -> Floats:
        """Apply the plan in numpy to x, of shape (*batch, n, ..., n, in_channels)."""
        blocks = np.einsum("re,roi->eoi", self.entries, weight)
        at = inside = outside = 0
        matrix = np.zeros((self.rows, self.out_channels, self.columns, self.in_channels))
        for block in self.bases.blocks:
            p, q, d = block.copies_in, block.copies_out, block.dimension
            part = blocks[at : at + p * q].reshape(q, p, *blocks.shape[1:])
            inputs = self.bases.inputs[:, inside : inside + d * p].reshape(-1, d, p)
            outputs = self.bases.outputs[:, outside : outside + d * q].reshape(-1, d, q)
            matrix += np.einsum("ydq,qpoi,xdp->yoxi", outputs, part, inputs)
            at, inside, outside = at + p * q, inside + d * p, outside + d * q
        return _applied(self, matrix, x, bias)

    def cost(self, n: Any = None, batch: Any = None, *, itemsize: int = 4) -> Cost:
        """The cost of applying the plan once; see ``Plan.cost``. n is the group's own."""
        _, batch = open_sizes(self.types, self.group.n, batch)
        found, i, o = self.bases, self.in_channels, self.out_channels
        inner = found.inputs.shape[1] * i + found.outputs.shape[1] * o
        changes = found.inputs.size * i + found.outputs.size * o
        entries = self.entries.size * i * o
        ends = self.columns * i + self.rows * o
        blocks = len(found.blocks)
        moved = batch * (ends + 4 * inner) + found.inputs.size + found.outputs.size + entries
        return Cost(
            2 * batch * (changes + found.multiplications * i * o) + 2 * entries,
            moved * itemsize,
            4 + 3 * blocks,
            (batch * (inner + self.rows * o) + self.entries.shape[1] * i * o) * itemsize,
        )

    def __str__(self) -> str:
        lines = [
            f"  {block.copies_out} x {block.copies_in} copies of an irreducible of dimension "
            f"{block.dimension * block.field}"
            for block in self.bases.blocks
        ]
        head = f"{self.headline()}\n  change of basis, then a block for each irreducible, then back"
        return "\n".join([head, *lines])


def _applied(plan: MatrixPlan, matrix: Floats, x: Floats, bias: Floats | None) -> Floats:
    """The matrix of a map applied to x, and the bias."""
    lead = x.ndim - 1 - len(plan.inputs)
    flat = x.reshape(*x.shape[:lead], plan.columns, plan.in_channels)
    y = np.einsum(
        "yoxi,...xi->...yo",
        matrix.reshape(plan.rows, plan.out_channels, plan.columns, plan.in_channels),
        flat,
    )
    if bias is not None and plan.bias_basis is not None:
        y = y + np.einsum("ry,ro->yo", plan.bias_matrix, bias)
    shaped: Floats = y.reshape(*x.shape[:lead], *plan.group.shape(plan.cod), plan.out_channels)
    return shaped
