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

from tannaka.category.orbitals import Orbit
from tannaka.codegen.lowering.host_plan import HostPlan
from tannaka.diagrams.counts import readable
from tannaka.diagrams.errors import SizeError

MAX_PAIRS = 2**24
"""Most pairs of an output and an input index that are listed by their orbits."""
MAX_WRITTEN = 2**29
"""Most entries of a matrix of weights that is written out."""
BATCH = 8
"""How many inputs at once a layer is priced for, where that is not known."""
# Seconds to train on one core in float32, forward and backward, fitted to some 190 layers of all
# sizes. Only their ratios matter.
LAUNCH = 1e-4
FLOP = 4.4e-11
GATHER = 2.1e-10
"""For each channel of an input that is added up."""
SUM = 4.3e-9
"""For each channel of a sum."""
WRITE = 1.5e-9
"""For each entry of a matrix of weights."""
PAIR = 4.2e-8
"""For each block of such a matrix."""
WEIGHT = 4e-9
"""For each weight that is looked up."""

Way = Literal["sums", "dense"]


@dataclass(frozen=True)
class OrbitPlan(HostPlan):
    """How to apply a matrix whose entries are weights of orbits.

    ``numbers`` has the orbit of each pair (output index, input index), of shape (n**l, n**k).
    """

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

    @cached_property
    def basis(self) -> tuple[Orbit, ...]:
        """The orbits, row i of the weight for the i-th."""
        return tuple(self._group.orbit_space(self.dom, self.cod))

    @cached_property
    def numbers(self) -> NDArray[np.int32]:
        """The orbit of each pair of an output and an input index, of shape (n**l, n**k)."""
        n = self._group.n
        return self._group.labels(self.cod + self.dom).reshape(n**self.cod, n**self.dom)

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """The orbit of outputs that each orbit of pairs belongs to, in ascending order."""
        pairs = self.numbers.reshape(-1)
        first = np.empty(len(self.basis), dtype=np.int64)
        first[pairs[::-1]] = np.arange(len(pairs))[::-1]
        found: NDArray[np.int64] = self.outputs[first // self.numbers.shape[1]].astype(np.int64)
        return found

    @cached_property
    def terms(self) -> NDArray[np.int64]:
        """How many inputs each orbit joins to an output."""
        sizes = np.bincount(self.numbers.reshape(-1))
        found: NDArray[np.int64] = sizes // np.bincount(self.outputs)[self.owners]
        return found

    @cached_property
    def alike(self) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
        """Orbits of outputs of one size that have equally many orbits of pairs, taken together.

        For each such set the output indices, of shape (orbits of outputs, size), and the orbits of
        pairs that belong to them, of shape (orbits of outputs, count).
        """
        sizes, counts = np.bincount(self.outputs), np.bincount(self.owners)
        inside = np.split(np.argsort(self.outputs, kind="stable"), np.cumsum(sizes)[:-1])
        orbits = np.split(np.arange(len(self.owners)), np.cumsum(counts)[:-1])
        shapes: dict[tuple[int, int], list[int]] = {}
        for number, size in enumerate(zip(sizes.tolist(), counts.tolist(), strict=True)):
            shapes.setdefault(size, []).append(number)
        return tuple(
            (np.stack([inside[i] for i in some]), np.stack([orbits[i] for i in some]))
            for some in shapes.values()
        )

    @cached_property
    def sums(self) -> int:
        """How many sums there are: one for each output and each orbit that belongs to it."""
        return sum(inside.size * orbits.shape[1] for inside, orbits in self.alike)

    def scales(self) -> NDArray[np.float64]:
        """What each orbit's matrix is multiplied by: one over how many terms it sums, for a mean."""
        return 1 / self.terms if self.reduce == "mean" else np.ones(len(self.terms))

    def flops(self, way: Way, batch: int = 1) -> int:
        """Floating-point operations, a multiply-add is 2."""
        if way == "dense":
            return 2 * self.numbers.size * self.in_channels * self.out_channels * batch
        mixed = 2 * self.sums * self.in_channels * self.out_channels
        return (mixed + self.numbers.size * self.in_channels) * batch

    def seconds(self, way: Way, batch: int = BATCH) -> float:
        """What the model takes each way to cost; only ratios mean anything."""
        pairs, c, o = self.numbers.size, self.in_channels, self.out_channels
        weights = len(self.owners) * c * o
        if way == "dense":
            fixed = LAUNCH + pairs * (PAIR + WRITE * c * o) + weights * WEIGHT / 2
            return fixed + FLOP * self.flops(way, batch)
        fixed = LAUNCH * (1 + len(self.alike)) + weights * WEIGHT
        return (
            fixed + FLOP * self.flops(way, batch) + (GATHER * pairs + SUM * self.sums) * c * batch
        )

    def way(self, batch: int = BATCH) -> Way:
        """The cheaper way for so many inputs; written weights pay once there are some of them."""
        if self.numbers.size * self.in_channels * self.out_channels > MAX_WRITTEN:
            return "sums"
        return "sums" if self.seconds("sums", batch) <= self.seconds("dense", batch) else "dense"

    def _ways(self) -> tuple[Way, int, Way]:
        """The way for one input, for how many at most, and the way from there on."""
        first, last = self.way(1), self.way(2**40)
        if first == last:
            return first, 2**40, last
        most, more = 1, 2**40
        while more - most > 1:
            middle = (most + more) // 2
            most, more = (middle, more) if self.way(middle) == first else (most, middle)
        return first, most, last

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
        total = float(self.variances().sum())
        return math.sqrt(3 / (self.in_channels * total)) if total else 0.0

    def variances(self) -> NDArray[np.float64]:
        """The mean square of the output's entries of each row alone, its weight 1 in one channel."""
        squared = np.bincount(self.numbers.reshape(-1)) * self.scales() ** 2
        found: NDArray[np.float64] = squared / self.numbers.shape[0]
        return found

    def matrix(self, row: int, n: int) -> NDArray[np.float64]:
        """The matrix that a row of the weight multiplies, scaled."""
        del n
        found: NDArray[np.float64] = (self.numbers == row) * self.scales()[row]
        return found

    def written(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """The layer's matrix, of shape (out_channels, n**l, in_channels, n**k)."""
        scaled: NDArray[np.float64] = weight * self.scales()[:, None, None]
        return scaled[self.numbers].transpose(2, 0, 3, 1)

    def __str__(self) -> str:
        n, k, l = self._group.n, self.dom, self.cod
        products = f"{len(self.alike)} matrix product{'s' * (len(self.alike) > 1)}"
        words: dict[Way, str] = {
            "sums": f"{self.reduce}s over {self.sums:,} sets of inputs, one for each output and orbit; "
            f"then {products}",
            "dense": f"one matrix product with the {n}^{l} x {n}^{k} weights written out",
        }
        first, most, last = self._ways()
        lines = [f"  {words[first]}"]
        if first != last:
            lines = [f"  up to {most:,} inputs: {words[first]}", f"  for more: {words[last]}"]
        head = (
            f"{self._group}, order {k} -> {l}, channels {self.in_channels} -> {self.out_channels}, "
            f"{len(self.basis)} orbits, reduce={self.reduce}"
        )
        flops = f"sums {self.flops('sums'):,}, dense {self.flops('dense'):,}"
        return "\n".join([head, *lines, f"  flops per input: {flops}"])
