"""What a layer is to compute, whatever plan computes it: which maps, between which channels."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.functor import check_entries
from tannaka.category.groups import Group
from tannaka.codegen.network import Network, Word, network, sizes, word
from tannaka.codegen.notation import Reduce
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.diagram import Diagram
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.pictures.bundle import mimebundle

LARGE = 10**6
"""Stands for n where n grows without bound."""


@dataclass(frozen=True)
class Task:
    """All maps of a basis of Hom(k, l), with channels mixed and a bias.

    ``basis[i]`` is the diagram that row i of the weight multiplies, ``bias_basis[i]`` that of row
    i of the bias (None: no bias). With ``reduce="mean"`` each diagram is divided by the number of
    terms that it sums.
    """

    group: Group
    dom: Any
    """The order of the input, or its word of types."""
    cod: Any
    in_channels: int
    out_channels: int
    reduce: Reduce
    basis: tuple[Diagram, ...]
    bias_basis: tuple[Diagram, ...] | None

    kind: ClassVar[str] = "diagrams"
    """What the rows of the weight belong to."""

    @property
    def inputs(self) -> Word:
        """The type of each axis of the input."""
        return word(self.dom)

    @property
    def outputs(self) -> Word:
        """The type of each axis of the output."""
        return word(self.cod)

    @property
    def domain(self) -> str:
        """The order of the input, in words."""
        return str(self.dom)

    @property
    def entering(self) -> str:
        """The channels of the input, in words."""
        return str(self.in_channels)

    @property
    def arguments(self) -> dict[str, int]:
        """The inputs by their names in formulas, and how many of the axes each has."""
        return {"x": len(self.inputs)}

    @property
    def types(self) -> int:
        """How many types of axes there are."""
        return len(getattr(self.group, "factors", (0,)))

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """The matrix of each row of the weight, without its scale."""
        return tuple(network(diagram, self.group) for diagram in self.basis)

    @cached_property
    def bias_networks(self) -> tuple[Network, ...]:
        """The same for the bias."""
        return tuple(network(diagram, self.group) for diagram in self.bias_basis or ())

    def divisor(self, row: int, n: Any) -> int:
        """How many terms the diagram of a row sums, that its mean divides by."""
        if self.reduce == "sum":
            return 1
        found, at = self.networks[row], sizes(n)
        return found.terms() * math.prod(at[kind] for kind in found.averaged())

    def signature(self) -> str:
        """Which basis the weights belong to, as text that a state dict carries.

        Equal exactly when row i of weight and bias means the same in both layers: the same orders,
        diagrams, forms and reduction. The same diagrams mean the same at every n.
        """
        bias_basis = self.bias_basis or ()
        rows: list[Any] = [list(map(_written, basis)) for basis in (self.basis, bias_basis)]
        # Brauer diagrams mean deltas for O(n), the form and signs for Sp(n).
        signed = {
            found.types[a] for found in self.networks + self.bias_networks for a, _ in found.forms
        }
        rows += [["symplectic", sorted(signed)]] * bool(signed)
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
        return (
            f"tannaka 1: order {self.domain} -> {self.cod}, {len(self.basis)} + {len(bias_basis)} "
            f"diagrams, reduce={self.reduce}, sha256 {digest}"
        )

    def initial_bound(self, n: Any) -> float:
        """The bound b for which weights drawn uniformly from (-b, b) preserve variance on average.

        For inputs of independent entries with mean 0 and variance 1, the output's entries then have
        variance 1 on average: the sum over diagrams D of ``in_channels * b**2 / 3 * |D|**2 / n**cod``
        is 1, where |D| is the Frobenius norm of the diagram as the layer scales it. Where n is left
        open (None) the bound is that of large n for means; of n = k + l for sums, which have no
        limit, and for means over all points, whose variance goes to 0.
        """
        total = self._total(n)
        return math.sqrt(3 / (self.in_channels * total)) if total else 0.0

    def _total(self, n: Any) -> float:
        """The variances of all rows together."""

        def of(n: Any) -> float:
            return sum(self.variance(row, n) for row in range(len(self.basis)))

        # Halved by twice the points, or less, the variance has no limit but 0.
        if self.reduce == "mean" and of(self._at(n, 2 * LARGE)) < 0.75 * of(n):
            return of(self._at(n, self._least))
        return of(n)

    @property
    def _least(self) -> int:
        """The smallest n at which all diagrams differ."""
        return max(1, len(self.inputs) + len(self.outputs))

    def _at(self, n: Any, left: int) -> tuple[int, ...]:
        """Sizes, with one in the place of those that are left open."""
        return tuple(left if size is None else size for size in sizes(n))

    def variance(self, row: int, n: Any) -> float:
        """The mean square of the output's entries of one row alone, its weight 1 in one channel.

        For inputs of independent entries with variance 1. Where n is left open (None), the limit for
        large n if the row is a mean, else the value at n = k + l.
        """
        at = self._at(n, LARGE if self.reduce == "mean" else self._least)
        outputs = math.prod(at[kind] for kind in self.outputs)
        found: float = self.networks[row].squared_norm(at) / (self.divisor(row, at) ** 2 * outputs)
        return found

    def matrix(self, row: int, n: Any) -> NDArray[np.float64]:
        """The matrix that a row of the weight multiplies, scaled, of shape (n**cod, n**dom)."""
        at = sizes(n)
        check_entries(
            (math.prod(at[t] for t in self.outputs), math.prod(at[t] for t in self.inputs))
        )
        found: NDArray[np.float64] = self.networks[row].matrix(at) / self.divisor(row, n)
        return found

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        # The pictures know all kinds of plans.
        from tannaka.codegen.plan_picture import plan_formats

        return mimebundle(plan_formats(self), include, exclude)

    def headline(self) -> str:
        """The task in one line."""
        bias = "no bias" if self.bias_basis is None else f"{len(self.bias_basis)} for the bias"
        return (
            f"{self.group}, order {self.domain} -> {self.cod}, channels {self.entering} -> "
            f"{self.out_channels}, {len(self.basis)} diagrams, {bias}, reduce={self.reduce}"
        )


def _written(diagram: Diagram) -> Any:
    """A diagram as data of the signature: the blocks of its vertices, where that says all."""
    if isinstance(diagram, SetPartition):
        return diagram.labels
    if isinstance(diagram, Brauer):
        return diagram.partition.labels
    return diagram.to_json()
