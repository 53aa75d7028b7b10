"""Run plans that need constants in PyTorch: by orbits, by bilabelled graphs, by matrices.

What a plan needs beside its parameters (which inputs an orbit joins to an output, the matrices of
the host graph) is no part of the module's state, since the plan has it: a module from the meta
device, or from a state dict, has nothing to refill. Tensors are made on the CPU once, and kept for
each device and dtype that has asked for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding, embedding_bag

from tannaka.codegen.lowering.graph_plan import GraphPlan, Join, Row
from tannaka.codegen.lowering.matrix_plans import DensePlan, IsotypicPlan
from tannaka.codegen.lowering.orbit_plan import OrbitPlan, Way
from tannaka.codegen.runtime.autograd import matched
from tannaka.codegen.runtime.build import outside_modes

Indices = NDArray[np.int32]
Kernel = Callable[..., Tensor]


class Constants:
    """Arrays as tensors, where and as they are asked for: floats in the dtype of what they meet."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = outside_modes(_tensors, arrays)
        self._moved: dict[Any, Tensor] = {}

    def __call__(self, name: str, like: Tensor) -> Tensor:
        """The tensor of a name, on the device of ``like``."""
        array = self._arrays[name]
        dtype = like.dtype if array.is_floating_point() else array.dtype
        if torch.compiler.is_compiling():
            return array.to(like.device, dtype)
        key = (name, like.device, dtype)
        if key in self._moved:
            return self._moved[key]
        # Tensors of inference mode could not be used in training later.
        with torch.inference_mode(False):
            moved = array.to(like.device, dtype)
        # A tensor of another kind, a fake one say, belongs to the mode it was made in.
        return self._moved.setdefault(key, moved) if type(moved) is Tensor else moved


def _tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """The arrays in one piece, and as ones that may be written to, which PyTorch wants."""
    return {
        name: torch.from_numpy(np.require(array, requirements=["C", "W"]))
        for name, array in arrays.items()
    }


class Bags:
    """A matrix of zeros and ones: the columns of the ones of each row, and where each row starts."""

    def __init__(self, places: Indices, starts: Indices, columns: int) -> None:
        self._places, self._starts, self._columns = places, starts, columns
        self._tensors = Constants({"places": places, "starts": starts})
        self._turned: Bags | None = None

    @property
    def turned(self) -> Bags:
        """The transposed matrix."""
        if self._turned is None:
            rows = np.repeat(
                np.arange(len(self._starts) - 1, dtype=np.int32), np.diff(self._starts)
            )
            order = np.argsort(self._places, kind="stable")
            counts = np.bincount(self._places, minlength=self._columns)
            starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
            self._turned = Bags(rows[order], starts, len(self._starts) - 1)
            self._turned._turned = self
        return self._turned

    def __call__(self, x: Tensor) -> Tensor:
        """The product with x, of shape (columns, ...)."""
        # The compiler differentiates embedding_bag by itself, and does not take rules for jvp.
        run = self.summed if torch.compiler.is_compiling() else self._differentiable
        return run(x.flatten(1)).reshape(len(self._starts) - 1, *x.shape[1:])

    def _differentiable(self, x: Tensor) -> Tensor:
        summed: Tensor = _Sums.apply(x, self)  # type: ignore[no-untyped-call]
        return summed

    def summed(self, x: Tensor) -> Tensor:
        """The product with x, of shape (columns, width)."""
        if not x.shape[1]:
            return x.new_zeros(len(self._starts) - 1, 0)
        half = x.dtype in (torch.float16, torch.bfloat16)
        summed: Tensor = embedding_bag(
            self._tensors("places", x),
            (x.float() if half else x).contiguous(),
            self._tensors("starts", x),
            mode="sum",
            include_last_offset=True,
        )
        return summed.to(x.dtype)


class _Sums(torch.autograd.Function):
    """The sums of the rows of x that each bag names; the gradient is the same with bags turned."""

    @staticmethod
    def forward(x: Tensor, bags: Bags) -> Tensor:
        return bags.summed(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.bags = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        return _Sums.apply(grad, ctx.bags.turned), None  # type: ignore[no-untyped-call]

    @staticmethod
    def jvp(ctx: Any, x: Tensor, bags: None) -> Tensor:
        tangent: Tensor = _Sums.apply(x, ctx.bags)  # type: ignore[no-untyped-call]
        return tangent

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, bags: Bags) -> tuple[Tensor, int]:
        columns = x.movedim(in_dims[0], 1)
        summed: Tensor = _Sums.apply(columns.flatten(1), bags)  # type: ignore[no-untyped-call]
        return summed.reshape(len(summed), *columns.shape[1:]), 1


def orbit_kernel(plan: OrbitPlan, way: Way | None = None) -> Kernel:
    """The function (x, weight[, bias], n) -> y of a plan by orbits, in one way or the cheaper one."""
    made: dict[Way, Callable[[Tensor, Tensor], Tensor]] = {}
    scales = Constants({"scales": plan.scales()[:, None, None]})
    biased = _biased(plan)
    inputs = plan.numbers.shape[1]
    usual = way or plan.way()
    made[usual] = WAYS[usual](plan)

    def run(x: Tensor, weight: Tensor) -> Tensor:
        # A compiled function takes any number of inputs, so one way for all.
        chosen = usual if way or torch.compiler.is_compiling() else plan.way(len(x))
        if chosen not in made:
            made[chosen] = WAYS[chosen](plan)
        return made[chosen](x, weight)

    def apply(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        *bias, n = rest
        batch = x.shape[: x.ndim - 1 - plan.dom]
        flat = x.reshape(math.prod(batch), inputs, x.shape[-1])
        flat, weight = matched(flat, weight)
        y = run(flat, weight * scales("scales", weight))
        return biased(split(y, (*batch, *(n,) * plan.cod, plan.out_channels)), bias)

    return apply


def _by_sums(plan: OrbitPlan) -> Callable[[Tensor, Tensor], Tensor]:
    """Add up what each orbit joins to each output, then mix channels."""
    order = np.argsort(plan.numbers, axis=1, kind="stable").astype(np.int32)
    alike = plan.alike
    # Outputs that are treated alike come together, their sums in the order of the orbits of pairs.
    outputs = np.concatenate([inside.reshape(-1) for inside, _ in alike])
    lengths = [
        np.repeat(plan.terms[orbits], inside.shape[1], axis=0).reshape(-1)
        for inside, orbits in alike
    ]
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int32)
    bags = Bags(order[outputs].reshape(-1), starts, plan.numbers.shape[1])
    known = Constants({f"orbits{i}": orbits for i, (_, orbits) in enumerate(alike)})
    back = Constants({"back": np.argsort(outputs)})
    shapes = [(*inside.shape, orbits.shape[1]) for inside, orbits in alike]
    moved = not np.array_equal(outputs, np.arange(len(outputs)))

    def sums(x: Tensor, weight: Tensor) -> Tensor:
        summed, parts, start = bags(x.movedim(1, 0)), [], 0
        for i, (classes, count, orbits) in enumerate(shapes):
            end = start + classes * count * orbits
            part = summed[start:end].reshape(classes, count, orbits, *x.shape[::2])
            mixed = weight[known(f"orbits{i}", x)]  # (classes, orbits, out, in)
            part = torch.einsum("giozc,goyc->zgiy", part, mixed)
            parts.append(part.reshape(x.shape[0], classes * count, plan.out_channels))
            start = end
        y = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        return y.index_select(1, back("back", x)) if moved else y

    return sums


def _by_a_matrix(plan: OrbitPlan) -> Callable[[Tensor, Tensor], Tensor]:
    """Write the weights out as one matrix."""
    known = Constants({"numbers": plan.numbers})
    outputs, inputs = plan.numbers.shape
    i, o = plan.in_channels, plan.out_channels

    def dense(x: Tensor, weight: Tensor) -> Tensor:
        rows = weight.transpose(1, 2).reshape(len(weight), i * o)
        written = embedding(known("numbers", x), rows).reshape(outputs, inputs, i, o)
        matrix = written.permute(1, 2, 0, 3).reshape(inputs * i, outputs * o)
        return (x.flatten(1) @ matrix).reshape(x.shape[0], outputs, o)

    return dense


WAYS: dict[Way, Callable[[OrbitPlan], Callable[[Tensor, Tensor], Tensor]]]
WAYS = {"sums": _by_sums, "dense": _by_a_matrix}


@dataclass(frozen=True, slots=True)
class _Contraction:
    """A join with one tensor of features, ready to run."""

    out: str
    source: str
    constant: str | None
    equation: str
    done: bool
    """Whether the source is not needed any more."""
    needed: bool
    """Whether a later step reads the result."""

    def __call__(self, known: dict[str, Tensor], constants: Constants) -> Tensor:
        source = known.pop(self.source) if self.done else known[self.source]
        if self.constant is None:
            return torch.einsum(self.equation, source)
        return torch.einsum(self.equation, source, constants(self.constant, source))


@dataclass(frozen=True, slots=True)
class _Addition:
    """A row, ready to run: ``y += weight[number]`` applied to the channels of a tensor."""

    number: int
    axes: tuple[int, ...]
    """The axes of the tensor in the order of the outputs, batch and channels included."""
    repeated: tuple[int, ...]
    """Where it gets a new axis, along which it is the same."""
    diagonals: tuple[tuple[int, int], ...]
    """The axes of y that are taken together, one pair after the other."""

    def __call__(self, y: Tensor, source: Tensor, weight: Tensor) -> None:
        mixed = (source @ weight[self.number].T).permute(self.axes)
        for axis in self.repeated:
            mixed = mixed.unsqueeze(axis)
        for one, other in self.diagonals:
            y = y.diagonal(dim1=one, dim2=other).movedim(-1, one)
        y.add_(mixed)


def graph_kernel(plan: GraphPlan) -> Kernel:
    """The function (x, weight[, bias], n) -> y of a plan by bilabelled graphs."""
    constants = Constants(plan.scaled.constants)
    factors = Constants({"factors": plan.factors()[:, None, None]})
    steps = [_contraction(plan, i) for i, step in enumerate(plan.steps) if step.features]
    additions: dict[str, list[_Addition]] = {}
    for number, row in enumerate(plan.rows):
        additions.setdefault(row.source, []).append(_addition(number, row))
    biased = _biased(plan)

    def apply(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        *bias, n = rest
        batch = x.shape[: x.ndim - 1 - plan.dom]
        flat = x.reshape(math.prod(batch), *x.shape[len(batch) :])
        flat, weight = matched(flat, weight)
        weight = weight * factors("factors", weight)
        known = {"x": flat}
        # Like a mixed tensor, so that vmap over input or weights carries over to it.
        y = (flat.flatten(1)[:, :1, None] * weight[:1, :, 0]).new_zeros(
            (flat.shape[0], *(n,) * plan.cod, plan.out_channels)
        )
        for add in additions.get("x", ()):
            add(y, flat, weight)
        for step in steps:
            found = step(known, constants)
            for add in additions.get(step.out, ()):
                add(y, found, weight)
            if step.needed:
                known[step.out] = found
        return biased(split(y, (*batch, *y.shape[1:])), bias)

    return apply


def _contraction(plan: GraphPlan, i: int) -> _Contraction:
    step = plan.steps[i]
    (source,) = (name for name, _ in step.operands if plan.has_features(name))
    later = {name for one in plan.steps[i + 1 :] for name, _ in one.operands}
    constant = plan.scaled.names[i]
    equation = _equation(step, source)
    return _Contraction(
        step.out, source, constant, equation, source not in later, step.out in later
    )


def _equation(step: Join, source: str) -> str:
    """A join as an equation of ``einsum``: the tensor of features first, batch z, channels c."""
    letters = iter(ascii_lowercase.replace("z", "").replace("c", ""))
    names: dict[int, str] = {}
    for _, axes in step.operands:
        for v in axes:
            if v not in names:
                names[v] = next(letters)
    operands = sorted(step.operands, key=lambda operand: operand[0] != source)
    words = ["".join(names[v] for v in axes) for _, axes in operands]
    keep = "".join(names[v] for v in step.keep)
    return f"z{','.join([f'{words[0]}c', *words[1:]])}->z{keep}c"


def _addition(number: int, row: Row) -> _Addition:
    labels = tuple(dict.fromkeys(row.labels))
    kept = [row.keep.index(label) + 1 for label in labels if label in row.keep]
    repeated = tuple(place + 1 for place, label in enumerate(labels) if label not in row.keep)
    return _Addition(number, (0, *kept, len(row.keep) + 1), repeated, _diagonals(row.labels))


def _diagonals(labels: Sequence[int]) -> tuple[tuple[int, int], ...]:
    left, pairs = list(labels), []
    while len(left) > len(set(left)):
        other = next(b for b, label in enumerate(left) if label in left[:b])
        pairs.append((left.index(left[other]) + 1, other + 1))
        del left[other]
    return tuple(pairs)


def dense_kernel(plan: DensePlan) -> Kernel:
    """The function (x, weight[, bias], n) -> y of a plan that writes the whole matrix."""
    rows, columns, i, o = plan.rows, plan.columns, plan.in_channels, plan.out_channels
    known = Constants({"stack": plan.stack.reshape(len(plan.basis), rows * columns).T})

    def run(x: Tensor, weight: Tensor) -> Tensor:
        written = known("stack", weight) @ weight.flatten(1)  # (n^l n^k, out in)
        blocks = written.reshape(rows, columns, o, i).permute(1, 3, 0, 2)
        return x.flatten(1) @ blocks.reshape(columns * i, rows * o)

    return _on_matrices(plan, run)


def isotypic_kernel(plan: IsotypicPlan) -> Kernel:
    """The function (x, weight[, bias], n) -> y of a plan by isotypic blocks."""
    found, entries = plan.bases, plan.entries
    known = Constants({"inputs": found.inputs.T, "outputs": found.outputs, "entries": entries.T})
    sizes = [block.dimension * block.copies_in for block in found.blocks]
    counts = [block.copies_in * block.copies_out for block in found.blocks]
    i, o = plan.in_channels, plan.out_channels

    def run(x: Tensor, weight: Tensor) -> Tensor:
        inner = known("inputs", x) @ x  # (batch, coordinates, in)
        blocks = known("entries", weight) @ weight.flatten(1)  # (entries of blocks, out in)
        # Split, for the gradient of a slice is as large as what it was cut from.
        insides = inner.split_with_sizes(sizes, dim=1)
        matrices = blocks.split_with_sizes(counts)
        parts = []
        for block, inside, matrix in zip(found.blocks, insides, matrices, strict=True):
            d, p, q = block.dimension, block.copies_in, block.copies_out
            matrix = matrix.reshape(q, p, o, i).permute(1, 3, 0, 2).reshape(p * i, q * o)
            # In two dimensions, or PyTorch makes a product for each input.
            mixed = inside.reshape(-1, p * i) @ matrix
            parts.append(mixed.reshape(-1, d * q, o))
        if not parts:
            # No map but 0: no coordinates, but autograd sees input and weight.
            parts.append(inner @ weight.sum(0).T)
        return known("outputs", x) @ torch.cat(parts, dim=1)

    return _on_matrices(plan, run)


def _on_matrices(plan: DensePlan | IsotypicPlan, run: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    """A function of (batch, n^k, in_channels) as one of tensors, with the bias."""
    order, shape = len(plan.inputs), plan.group.shape(plan.cod)
    vectors = Constants({"bias": plan.bias_matrix.T})

    def apply(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        *bias, _ = rest
        batch = x.shape[: x.ndim - 1 - order]
        flat = x.reshape(math.prod(batch), plan.columns, x.shape[-1])
        flat, weight = matched(flat, weight)
        y = run(flat, weight).reshape(math.prod(batch), plan.rows, plan.out_channels)
        if bias:
            added = bias[0].to(y.dtype)
            y = y + vectors("bias", y) @ added
        return split(y, (*batch, *shape, plan.out_channels))

    return apply


def split(y: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor that nothing else uses, with axes split: not as a view.

    Where a module returns a view, FSDP loses its hooks as soon as anything is done to that in place.
    """
    found: Tensor = torch.ops.aten._unsafe_view.default(y, shape)
    return found


def _biased(plan: OrbitPlan | GraphPlan) -> Callable[[Tensor, Sequence[Tensor]], Tensor]:
    """What adds the bias, if there is one."""
    known = Constants({"outputs": plan.outputs.astype(np.int64)})

    def biased(y: Tensor, bias: Sequence[Tensor]) -> Tensor:
        if not bias:
            return y
        added = bias[0].to(y.dtype)[known("outputs", y)]
        return y + added.reshape(*y.shape[y.ndim - 1 - plan.cod : -1], y.shape[-1])

    return biased


def kernel(plan: OrbitPlan | GraphPlan | DensePlan | IsotypicPlan) -> Kernel:
    """The function (x, weight[, bias], n) -> y of a plan."""
    match plan:
        case OrbitPlan():
            return orbit_kernel(plan)
        case GraphPlan():
            return graph_kernel(plan)
        case DensePlan():
            return dense_kernel(plan)
        case IsotypicPlan():
            return isotypic_kernel(plan)
