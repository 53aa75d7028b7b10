"""The plan of a layer with a weight for each bilabelled graph, for automorphism groups of graphs.

Applying the matrix of a bilabelled graph to x is a tensor network: the adjacency matrix of the host
for each edge, x on the inputs, the outputs kept. It is contracted two factors at a time, along a
path that opt_einsum finds; what is on the way is the matrix of a smaller bilabelled graph, so graphs
of the basis share it when they have it in common, and nothing of size n^(k+l) is formed unless a
graph needs it. Every step is checked by composing graphs: what a row computes is its graph.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import permutations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tannaka.category.automorphisms import Aut
from tannaka.codegen.lowering.host_plan import HostPlan
from tannaka.codegen.lowering.orbit_plan import BATCH, FLOP, LAUNCH
from tannaka.codegen.lowering.scaled import INPUT, Scaled, scaled
from tannaka.codegen.notation import indices
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.errors import PlanError, SizeError
from tannaka.diagrams.partition import restricted_growth

MAX_TENSOR = 2**28
"""Most entries, for one channel of one input, of a tensor on the way."""
MOVE = 6e-10
"""Seconds for each entry of a tensor as large as input or output, as in ``orbit_plan``."""
Factor = tuple[str, tuple[int, ...]]
"""A tensor by its name, and an index for each of its axes."""
Path = Sequence[Sequence[int]]
"""Which operands are joined in each step; the result goes to the end of those left."""


@dataclass(frozen=True, slots=True)
class Join:
    """``out[keep] = sum over the other indices of the product of the operands``, one or two.

    Operands that come from x, and then ``out``, have batch axes in front and channels last.
    """

    out: str
    operands: tuple[Factor, ...]
    keep: tuple[int, ...]
    features: bool
    """Whether x is among the operands, or what they come from."""

    def __str__(self) -> str:
        names = dict.fromkeys(i for _, axes in self.operands for i in axes)
        at = {index: place for place, index in enumerate(names)}
        summed = tuple(at[i] for i in names if i not in self.keep)
        words = f"sum over {indices(summed)} of " if summed else ""
        factors = " ".join(
            f"{name}[{indices(tuple(at[i] for i in axes))}]" for name, axes in self.operands
        )
        return f"{self.out}[{indices(tuple(at[i] for i in self.keep))}] = {words}{factors}"


@dataclass(frozen=True, slots=True)
class Row:
    """Where the result of one graph goes: ``y[i_labels] += weight row of source[i_keep]``."""

    source: str
    labels: tuple[int, ...]
    keep: tuple[int, ...]


@dataclass(frozen=True)
class GraphPlan(HostPlan):
    """How to apply a basis of bilabelled graphs to tensors, by contraction."""

    kind: ClassVar[str] = "graphs"
    """What the rows of the weight belong to."""

    @property
    def _group(self) -> Aut:
        group = self.hom.group
        assert isinstance(group, Aut)
        return group

    @cached_property
    def basis(self) -> tuple[BilabelledGraph, ...]:
        """The graphs, row i of the weight for the i-th."""
        return self.hom.basis()

    @cached_property
    def constants(self) -> dict[str, NDArray[np.int64]]:
        """The host's matrices and vectors, by the names that steps use."""
        host = self._group.host
        found: dict[str, NDArray[np.int64]] = {}
        for colour in (None, *(c for c in host.edge_colours if c is not None)):
            name = "A" if colour is None else f"A_{colour}"
            found[name] = host.adjacency(colour)
            found[f"loops_{name}"] = np.diagonal(host.adjacency(colour))
        for kind in host.vertex_colours:
            found[f"is_{kind}"] = host.having(kind)
        return found

    @cached_property
    def steps(self) -> tuple[Join, ...]:
        """The contractions, each result once."""
        return self._lowered[0]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Where each graph's result goes."""
        return self._lowered[1]

    @cached_property
    def _lowered(self) -> tuple[tuple[Join, ...], tuple[Row, ...]]:
        lowering = _Lowering(self._group.n, self.in_channels)
        rows = tuple(map(lowering.row, self.basis))
        return tuple(lowering.steps), rows

    def has_features(self, name: str) -> bool:
        """Whether a tensor depends on the input."""
        return name in self._featured

    @cached_property
    def _featured(self) -> frozenset[str]:
        return frozenset({INPUT, *(step.out for step in self.steps if step.features)})

    def terms(self) -> list[int]:
        """The most homomorphisms that a graph sums for one output."""
        group, l = self._group, self.cod
        at = group.representatives(l + self.dom)
        rows = group.numbers(at[:, :l])
        outputs = [orbit.size for orbit in group.orbit_space(0, l)]
        sizes = [orbit.size for orbit in group.orbit_space(self.dom, l)]
        found = []
        for graph in self.basis:
            sums = [0] * len(outputs)
            for row, size, value in zip(rows, sizes, self._values(graph), strict=True):
                sums[row] += size * int(value)
            found.append(max(total // size for total, size in zip(sums, outputs, strict=True)))
        return found

    def _values(self, graph: BilabelledGraph) -> NDArray[Any]:
        return self._group.basis_values(self.dom, self.cod)[graph]

    @cached_property
    def scaled(self) -> Scaled:
        """The steps with constants such that no tensor on the way grows or vanishes."""
        return scaled(self.steps, self.constants, self._group.n, self.dom)

    def factors(self) -> NDArray[np.float64]:
        """What the weight of each graph is multiplied by where the scaled steps run.

        Raises SizeError where a graph counts more homomorphisms than a float holds.
        """
        found, powers = [], self.scaled.exponents
        for row, t in zip(self.rows, self._divisors, strict=True):
            power = Fraction(2) ** powers[row.source]
            try:
                found.append(float(power / t))
            except OverflowError:
                raise SizeError(
                    f"{self.hom}: a graph of the basis counts about 2^{powers[row.source]} "
                    "homomorphisms, more than a float holds; reduce='mean' divides by them"
                ) from None
        return np.array(found)

    @cached_property
    def _divisors(self) -> list[int]:
        return self.terms() if self.reduce == "mean" else [1] * len(self.basis)

    def flops(self, batch: int = 1) -> int:
        """Floating-point operations, a multiply-add is 2; of what runs for each input."""
        n, total = self._group.n, 0
        for step in self.steps:
            if step.features:
                width = len({i for _, axes in step.operands for i in axes})
                operations = len(step.operands) - 1 + (width > len(step.keep))
                total += operations * n**width * self.in_channels
        for row in self.rows:
            total += 2 * n ** len(row.keep) * self.in_channels * self.out_channels
            total += n ** len(set(row.labels)) * self.out_channels
        return int(total) * batch

    def seconds(self, batch: int = BATCH) -> float:
        """What the model takes this to cost; only ratios mean anything."""
        steps = len(self.steps) + 2 * len(self.rows)
        entries: float = self._group.n ** max(self.dom, self.cod) * self.in_channels * batch
        launches = LAUNCH / 3 * (len(self.steps) + len(self.rows))
        return launches + FLOP * self.flops(batch) + MOVE * steps * entries

    def signature(self) -> str:
        """Which basis the weights belong to, as text that a state dict carries."""
        host = self._group.host
        edges = sorted(map(repr, host.edges))
        known = [host.n, host.directed, edges, [repr(colour) for colour in host.colours]]
        rows = [str(graph) for graph in self.basis]
        digest = hashlib.sha256(json.dumps([rows, known]).encode()).hexdigest()[:16]
        return (
            f"tannaka 1: order {self.dom} -> {self.cod}, {len(self.basis)} + "
            f"{len(self.bias_basis or ())} bilabelled graphs, reduce={self.reduce}, sha256 {digest}"
        )

    def initial_bound(self, n: int) -> float:
        """The bound b for which weights drawn from (-b, b) preserve variance on average."""
        del n
        total = sum(self._squares(), Fraction(0))
        return math.sqrt(float(Fraction(3, self.in_channels) / total)) if total else 0.0

    def variances(self) -> NDArray[np.float64]:
        """The mean square of the output's entries of each row alone, its weight 1 in one channel.

        Raises SizeError where a graph counts more homomorphisms than a float holds.
        """
        try:
            return np.array([float(square) for square in self._squares()])
        except OverflowError:
            raise SizeError(
                f"{self.hom}: a graph of the basis counts more homomorphisms than a float holds; "
                "reduce='mean' divides by them"
            ) from None

    def _squares(self) -> Iterator[Fraction]:
        group = self._group
        sizes = [orbit.size for orbit in group.orbit_space(self.dom, self.cod)]
        for graph, t in zip(self.basis, self._divisors, strict=True):
            squares = sum(int(v) ** 2 * s for v, s in zip(self._values(graph), sizes, strict=True))
            yield Fraction(squares, t**2 * group.n**self.cod)

    def matrix(self, row: int, n: int) -> NDArray[np.float64]:
        """The matrix that a row of the weight multiplies, scaled."""
        del n
        divisor, group = self._divisors[row], self._group
        entries = np.array([int(v) / divisor for v in self._values(self.basis[row])])
        numbers = group.labels(self.cod + self.dom)
        found: NDArray[np.float64] = entries[numbers.reshape(group.n**self.cod, -1)]
        return found

    def __str__(self) -> str:
        group = self._group
        head = (
            f"{group}, order {self.dom} -> {self.cod}, channels {self.in_channels} -> "
            f"{self.out_channels}, {len(self.basis)} bilabelled graphs, reduce={self.reduce}"
        )
        lines = [f"  {step}" for step in self.steps]
        for number, (row, t) in enumerate(zip(self.rows, self._divisors, strict=True)):
            at, out = indices(row.keep), indices(row.labels)
            weight = f"W{number}/{t}" if t > 1 else f"W{number}"
            lines.append(f"  y[{out}] += {weight} {row.source}[{at}]  # {self.basis[number]}")
        return "\n".join([head, *lines, f"  flops per input: {self.flops():,}"])


class _Lowering:
    """Contracts one graph after the other, sharing what they have in common."""

    def __init__(self, n: int, channels: int) -> None:
        self.n, self.channels = n, channels
        self.steps: list[Join] = []
        self._known: dict[Any, tuple[str, tuple[int, ...]]] = {}

    def row(self, graph: BilabelledGraph) -> Row:
        """The result of one graph, after steps that are added where they are new."""
        pieces = list(_pieces(graph))
        inputs = tuple(dict.fromkeys(graph.inputs))
        source = self._joined(graph, [_Piece(INPUT, graph.inputs, frozenset(), True)], inputs)
        kept = {*graph.outputs, *(v for piece in pieces for v in piece.axes)}
        source = self._joined(graph, [source], tuple(v for v in inputs if v in kept))
        operands = [source, *pieces]
        for chosen in self._path(operands, graph):
            taken, operands, keep = _taken(operands, graph, chosen)
            operands.append(self._joined(graph, taken, keep))
        (found,) = operands
        if found.edges != frozenset(range(len(pieces))) or not found.features:
            raise PlanError(f"({graph}) was not contracted whole")
        labels = restricted_growth(graph.outputs)
        at = dict(zip(graph.outputs, labels, strict=True))
        return Row(found.name, labels, tuple(at[v] for v in found.axes))

    def _path(self, operands: Sequence[_Piece], graph: BilabelledGraph) -> Path:
        """Which operands to join, one step after the other."""
        if len(operands) == 1:
            return []
        path = self._searched(operands, graph, alike=False)
        most = max(2, graph.dom, graph.cod)
        if _widest(operands, graph, path) > most:
            # Products of host matrices are cheap, but these would be larger than input and output.
            other = self._searched(operands, graph, alike=True)
            return min(path, other, key=lambda one: _widest(operands, graph, one))
        return path

    def _searched(self, operands: Sequence[_Piece], graph: BilabelledGraph, *, alike: bool) -> Path:
        """A path of low cost; with ``alike`` host matrices count as if they had channels too."""
        import opt_einsum

        channel = graph.vertices
        shapes, terms = [], []
        for piece in operands:
            wide = alike or piece.features
            shapes.append((*(self.n,) * len(piece.axes), *(BATCH * self.channels,) * wide))
            terms.append([*piece.axes, *[channel] * wide])
        present = {v for piece in operands for v in piece.axes}
        terms.append([*(v for v in dict.fromkeys(graph.outputs) if v in present), channel])
        # What is written costs more than what is multiplied.
        few = len(operands) < 10
        search = opt_einsum.DynamicProgramming(minimize="combo-64") if few else "greedy"
        *read, written = ("".join(map(opt_einsum.get_symbol, term)) for term in terms)
        found, _ = opt_einsum.contract_path(
            f"{','.join(read)}->{written}", *shapes, shapes=True, optimize=search
        )
        path: Path = found
        return path

    def _joined(self, graph: BilabelledGraph, taken: list[_Piece], keep: tuple[int, ...]) -> _Piece:
        while len(taken) > 2:
            first, second, *rest = taken
            needed = {*keep, *(v for piece in rest for v in piece.axes)}
            axes = dict.fromkeys((*first.axes, *second.axes))
            inner = self._joined(graph, [first, second], tuple(v for v in axes if v in needed))
            taken = [inner, *rest]
        edges = frozenset().union(*(piece.edges for piece in taken))
        features = any(piece.features for piece in taken)
        if len(taken) == 1 and taken[0].axes == keep:
            return taken[0]
        if self.n ** len(keep) > MAX_TENSOR:
            raise SizeError(
                f"applying ({graph}) forms a tensor with {self.n}^{len(keep)} entries for each "
                "channel: this graph is too wide for a host of this size"
            )
        key, order = _canonical(graph, edges, features, keep)
        if key not in self._known:
            name = f"{'t' if features else 'f'}{len(self.steps)}"
            operands = tuple((piece.name, piece.axes) for piece in taken)
            self.steps.append(Join(name, operands, order, features))
            self._known[key] = (name, order)
        return _Piece(self._known[key][0], order, edges, features)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A tensor on the way: its name, the vertex on each axis, which factors are in it, and whether x is."""

    name: str
    axes: tuple[int, ...]
    edges: frozenset[int]
    features: bool


def _taken(
    operands: Sequence[_Piece], graph: BilabelledGraph, chosen: Sequence[int]
) -> tuple[list[_Piece], list[_Piece], tuple[int, ...]]:
    """What one step joins, what it leaves, and the vertices that are needed after it."""
    taken = [operands[i] for i in chosen]
    left = [piece for i, piece in enumerate(operands) if i not in chosen]
    needed = {*graph.outputs, *(v for piece in left for v in piece.axes)}
    axes = dict.fromkeys(v for piece in taken for v in piece.axes)
    return taken, left, tuple(v for v in axes if v in needed)


def _widest(operands: Sequence[_Piece], graph: BilabelledGraph, path: Path) -> int:
    """The most axes of a tensor without features that a path goes through."""
    widest = 0
    for chosen in path:
        taken, left, keep = _taken(operands, graph, chosen)
        features = any(piece.features for piece in taken)
        operands = [*left, _Piece("", keep, frozenset(), features)]
        widest = max(widest, 0 if features else len(keep))
    return widest


def _pieces(graph: BilabelledGraph) -> Iterator[_Piece]:
    """A factor for each edge and colour of a graph."""
    number = 0
    for edge in graph.edges:
        name = "A" if len(edge) == 2 else f"A_{edge[2]}"
        a, b = edge[:2]
        loop = a == b
        axes = (a,) if loop else (a, b)
        yield _Piece(f"loops_{name}" if loop else name, axes, frozenset([number]), False)
        number += 1
    for v, kind in graph.colours:
        yield _Piece(f"is_{kind}", (v,), frozenset([number]), False)
        number += 1


def _canonical(
    graph: BilabelledGraph, pieces: frozenset[int], features: bool, keep: tuple[int, ...]
) -> tuple[Any, tuple[int, ...]]:
    """What a tensor is, whatever graph it stands in, and the order of its axes."""
    edges = [edge for i, edge in enumerate(graph.edges) if i in pieces]
    colours = [c for i, c in enumerate(graph.colours, len(graph.edges)) if i in pieces]
    inputs = graph.inputs if features else ()
    ends = [v for edge in edges for v in edge[:2]]
    names: Any = tuple(dict.fromkeys((*keep, *inputs, *ends, *(v for v, _ in colours))))
    found = []
    for order in permutations(keep) if len(keep) < 5 else [keep]:
        one = BilabelledGraph(names, tuple(edges), order, inputs, tuple(colours), graph.directed)
        found.append(((repr(one), features), order))
    return min(found)
