"""The plan of a layer with a weight for each orbit of index tuples, for permutation groups.

Entry (i, j) of the layer's matrix is the weight of the orbit of (i, j). Two ways to apply it: ``sums``
adds up, for each output index i and each orbit, the inputs that this orbit joins to i, and then mixes
channels, once for all i of one orbit; ``dense`` writes the weights out as a matrix of n^l times
n^k blocks, for one large product. Neither depends on how large the group is.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tannaka.category.hom import Hom
from tannaka.category.orbitals import Orbit
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.notation import Reduce
from tannaka.diagrams.counts import readable
from tannaka.diagrams.errors import SizeError

MAX_PAIRS = 2**24
"""Most pairs of an output and an input index that are listed by their orbits."""
GEMM = 4e10
"""Flops a second of a matrix product, of which the model takes ratios only."""
STREAM = 8e9
"""Bytes a second of reading and writing."""
BATCH = 8
"""How many inputs at once a layer is priced for."""

Way = Literal["sums", "dense"]


@dataclass(frozen=True)
class OrbitPlan:
    """How to apply a matrix whose entries are weights of orbits.

    ``numbers`` has the orbit of each pair (output index, input index), of shape (n**l, n**k).
    """

    hom: Hom
    in_channels: int
    out_channels: int
    reduce: Reduce
    with_bias: bool

    kind: ClassVar[str] = "orbits"
    """What the rows of the weight belong to."""

    def __post_init__(self) -> None:
        n, size = self.hom.group.n, self.dom + self.cod
        if n**size > MAX_PAIRS:
            raise SizeError(
                f"{self.hom}: {readable(n**size)} pairs of an output and an input index are too many "
                f"to list by their orbits, at most {MAX_PAIRS:,}; basis='diagram' applies bilabelled "
                "graphs by contraction, without them"
            )

    @property
    def dom(self) -> int:
        """The order of the input."""
        order: int = self.hom.k
        return order

    @property
    def cod(self) -> int:
        """The order of the output."""
        order: int = self.hom.l
        return order

    @property
    def _group(self) -> PermutationGroup:
        group = self.hom.group
        assert isinstance(group, PermutationGroup)
        return group

    @cached_property
    def basis(self) -> tuple[Orbit, ...]:
        """The orbits, row i of the weight for the i-th."""
        return tuple(self._group.orbit_space(self.dom, self.cod))

    @cached_property
    def bias_basis(self) -> tuple[Orbit, ...] | None:
        """The orbits of output indices, row i of the bias for the i-th."""
        return tuple(self._group.orbit_space(0, self.cod)) if self.with_bias else None

    @cached_property
    def numbers(self) -> NDArray[np.int32]:
        """The orbit of each pair of an output and an input index, of shape (n**l, n**k)."""
        n = self._group.n
        return self._group.labels(self.cod + self.dom).reshape(n**self.cod, n**self.dom)

    @cached_property
    def outputs(self) -> NDArray[np.int32]:
        """The orbit of each output index, of shape (n**l,)."""
        return self._group.labels(self.cod).reshape(-1)

    @cached_property
    def terms(self) -> NDArray[np.int64]:
        """How many inputs each orbit joins to an output."""
        first = np.unique(self.numbers, return_index=True)[1] // self.numbers.shape[1]
        sizes = np.bincount(self.numbers.reshape(-1))
        found: NDArray[np.int64] = sizes // np.bincount(self.outputs)[self.outputs[first]]
        return found

    @cached_property
    def classes(self) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
        """For each orbit of outputs: its output indices, and the orbits of pairs that have them."""
        found = []
        for number in range(int(self.outputs.max()) + 1):
            inside = np.flatnonzero(self.outputs == number)
            found.append((inside, np.unique(self.numbers[inside[0]]).astype(np.int64)))
        return tuple(found)

    def scales(self) -> NDArray[np.float64]:
        """What each orbit's matrix is multiplied by: one over how many terms it sums, for a mean."""
        return 1 / self.terms if self.reduce == "mean" else np.ones(len(self.terms))

    def flops(self, way: Way, batch: int = 1) -> int:
        """Floating-point operations, a multiply-add is 2."""
        if way == "dense":
            return 2 * self.numbers.size * self.in_channels * self.out_channels * batch
        rows = sum(len(inside) * len(orbits) for inside, orbits in self.classes)
        mixed = 2 * rows * self.in_channels * self.out_channels
        return (mixed + self.numbers.size * self.in_channels) * batch

    def seconds(self, way: Way, batch: int = BATCH) -> float:
        """What the model takes each way to cost; only ratios mean anything."""
        pairs, c, o = self.numbers.size, self.in_channels, self.out_channels
        if way == "dense":
            return self.flops(way, batch) / GEMM + 4 * 3 * pairs * c * o / STREAM
        moved = 4 * (pairs + 2 * sum(len(i) * len(r) for i, r in self.classes)) * c * batch
        return self.flops(way, batch) / GEMM + moved / STREAM

    @cached_property
    def way(self) -> Way:
        """The cheaper way."""
        return "sums" if self.seconds("sums") <= self.seconds("dense") else "dense"

    def signature(self) -> str:
        """Which basis the weights belong to, as text that a state dict carries."""
        tuples = repr([orbit.indices for orbit in self.basis]) + repr(self._group.n)
        if self.numbers.size:
            tuples += hashlib.sha256(np.ascontiguousarray(self.numbers).tobytes()).hexdigest()
        digest = hashlib.sha256(tuples.encode()).hexdigest()[:16]
        return (
            f"tannaka 1: order {self.dom} -> {self.cod}, {len(self.basis)} + "
            f"{len(self.bias_basis or ())} orbits, reduce={self.reduce}, sha256 {digest}"
        )

    def initial_bound(self, n: int) -> float:
        """The bound b for which weights drawn from (-b, b) preserve variance on average."""
        del n
        squared = np.bincount(self.numbers.reshape(-1)) * self.scales() ** 2
        total = float(squared.sum()) / self.numbers.shape[0]
        return math.sqrt(3 / (self.in_channels * total)) if total else 0.0

    def matrix(self, row: int, n: int) -> NDArray[np.float64]:
        """The matrix that a row of the weight multiplies, scaled."""
        del n
        found: NDArray[np.float64] = (self.numbers == row) * self.scales()[row]
        return found

    def __str__(self) -> str:
        n, k, l = self._group.n, self.dom, self.cod
        rows = sum(len(inside) * len(orbits) for inside, orbits in self.classes)
        words = {
            "sums": f"{self.reduce}s over {rows:,} sets of inputs, one for each output and orbit; "
            f"then {len(self.classes)} matrix products, one for each orbit of outputs",
            "dense": f"one matrix product with the {n}^{l} x {n}^{k} weights written out",
        }
        return (
            f"{self._group}, order {k} -> {l}, channels {self.in_channels} -> {self.out_channels}, "
            f"{len(self.basis)} orbits, reduce={self.reduce}\n"
            f"  {words[self.way]}\n"
            f"  flops per input: sums {self.flops('sums'):,}, dense {self.flops('dense'):,}"
        )
