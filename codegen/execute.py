"""Run the plans of layers for permutation groups in PyTorch.

Their constants (which inputs an orbit joins to an output, the matrices of the host graph) are kept
for each device and dtype from the first call on; they are no part of the module's state, since the
plan has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

from tannaka.codegen.graph_plan import GraphPlan, Join, Row
from tannaka.codegen.orbit_plan import OrbitPlan

Indices = NDArray[np.int64]


class Bags:
    """A matrix of zeros and ones, as the places of the ones of each row; and its transpose."""

    def __init__(self, places: Indices, starts: Indices, columns: int) -> None:
        self.places, self.starts = torch.from_numpy(places), torch.from_numpy(starts)
        self._rows = len(starts) - 1
        self._columns = columns
        self._turned: Bags | None = None

    @property
    def turned(self) -> Bags:
        """The transposed matrix."""
        if self._turned is None:
            lengths = self.starts.diff()
            rows = torch.repeat_interleave(torch.arange(self._rows, device=lengths.device), lengths)
            order = torch.argsort(self.places, stable=True)
            counts = torch.bincount(self.places, minlength=self._columns)
            starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
            self._turned = turned = object.__new__(Bags)
            turned.places, turned.starts = rows[order], starts
            turned._rows, turned._columns, turned._turned = self._columns, self._rows, self
        return self._turned

    def to(self, device: torch.device) -> Bags:
        """The same on a device."""
        moved = object.__new__(Bags)
        moved.places, moved.starts = self.places.to(device), self.starts.to(device)
        moved._rows, moved._columns, moved._turned = self._rows, self._columns, None
        return moved

    def __call__(self, x: Tensor) -> Tensor:
        """The product with x, of shape (columns, ...)."""
        flat = x.reshape(len(x), -1)
        summed: Tensor = _Sums.apply(flat, self)  # type: ignore[no-untyped-call]
        return summed.reshape(-1, *x.shape[1:])


class _Sums(torch.autograd.Function):
    """The sums of the rows of x that each bag names; the gradient is the same with bags turned."""

    @staticmethod
    def forward(x: Tensor, bags: Bags) -> Tensor:
        if not x.shape[1]:
            return x.new_zeros(len(bags.starts) - 1, 0)
        half = x.dtype in (torch.float16, torch.bfloat16)
        summed = embedding_bag(
            bags.places,
            (x.float() if half else x).contiguous(),
            bags.starts,
            mode="sum",
            include_last_offset=True,
        )
        return summed.to(x.dtype)

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
        flat = columns.reshape(len(columns), -1)
        summed: Tensor = _Sums.apply(flat, bags)  # type: ignore[no-untyped-call]
        return summed.reshape(len(summed), *columns.shape[1:]), 1


class _Constants:
    """What a plan needs beside its parameters, made once for each device and dtype."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}

    def __call__(self, name: str, like: Tensor, make: Callable[[], Any]) -> Any:
        key = (name, like.device, like.dtype)
        if key not in self._made:
            made = make()
            if isinstance(made, Bags):
                self._made[key] = made.to(like.device)
            elif isinstance(made, tuple):
                self._made[key] = tuple(torch.from_numpy(one).to(like.device) for one in made)
            else:
                tensor = torch.from_numpy(np.ascontiguousarray(made))
                floating = made.dtype.kind == "f"
                self._made[key] = tensor.to(like.device, like.dtype if floating else None)
        return self._made[key]


def orbit_kernel(plan: OrbitPlan) -> Callable[..., Tensor]:
    """The function (x, weight[, bias], n) -> y of a plan by orbits."""
    constants = _Constants()

    def bags() -> Bags:
        order = np.argsort(plan.numbers, axis=1, kind="stable").astype(np.int64)
        # Outputs of one orbit come together, and their sums in the order of the orbits of pairs.
        rows = np.concatenate([inside for inside, _ in plan.classes])
        lengths = [np.tile(plan.terms[orbits], len(inside)) for inside, orbits in plan.classes]
        starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        return Bags(order[rows].reshape(-1), starts, plan.numbers.shape[1])

    def sums(x: Tensor, weight: Tensor) -> Tensor:
        summed = constants("bags", x, bags)(x.movedim(1, 0))
        parts, start = [], 0
        orbits = constants("orbits", x, lambda: tuple(o for _, o in plan.classes))
        for (inside, _), numbers in zip(plan.classes, orbits, strict=True):
            count = len(inside) * len(numbers)
            part = summed[start : start + count]
            part = part.reshape(len(inside), len(numbers), *part.shape[1:])
            start += count
            # (outputs, orbits, batch, in) by (orbits, in, out)
            parts.append(torch.einsum("irzc,roc->zio", part, weight[numbers]))
        y = torch.cat(parts, dim=1)
        if len(parts) == 1:
            return y
        inside = np.concatenate([inside for inside, _ in plan.classes])
        back: Tensor = constants("back", x, lambda: np.argsort(inside))
        return y.index_select(1, back)

    def dense(x: Tensor, weight: Tensor) -> Tensor:
        numbers = constants("numbers", x, lambda: plan.numbers.astype(np.int64))
        outputs, inputs = numbers.shape
        written = weight.transpose(1, 2)[numbers]  # (outputs, inputs, in, out)
        matrix = written.permute(1, 2, 0, 3).reshape(inputs * plan.in_channels, -1)
        y: Tensor = (x.flatten(1) @ matrix).reshape(len(x), outputs, plan.out_channels)
        return y

    def apply(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        *bias, n = rest
        batch = x.shape[: x.ndim - 1 - plan.dom]
        flat = x.reshape(-1, plan.numbers.shape[1], x.shape[-1])
        flat, weight = _matched(flat, weight)
        weight = weight * constants("scales", weight, lambda: plan.scales())[:, None, None]
        y = (sums if plan.way == "sums" else dense)(flat, weight)
        y = y.reshape(*batch, *(n,) * plan.cod, weight.shape[1])
        return _biased(y, bias, plan, constants)

    return apply


def graph_kernel(plan: GraphPlan) -> Callable[..., Tensor]:
    """The function (x, weight[, bias], n) -> y of a plan by bilabelled graphs."""
    constants = _Constants()
    degree = max(plan.hom.group.host.degree, 1)  # type: ignore[attr-defined]

    def constant(name: str, like: Tensor) -> Tensor:
        # Divided by the degree, so that long paths neither grow nor vanish.
        scale = 1 / degree if name.startswith("A") else 1.0
        found: Tensor = constants(name, like, lambda: plan.constants[name] * scale)
        return found

    def joined(step: Join, known: dict[str, Tensor]) -> Tensor:
        operands: list[Any] = []
        for name, axes in step.operands:
            tensor = known[name] if name in known else constant(name, known["x"])
            lead = [0] if known_features[name] else []
            operands += [tensor, [*lead, *(v + 2 for v in axes), *([1] if lead else [])]]
        out = [v + 2 for v in step.keep]
        places = {v: i for i, v in enumerate(dict.fromkeys(v for o in operands[1::2] for v in o))}
        operands[1::2] = [[places[v] for v in o] for o in operands[1::2]]
        ends = [0, *out, 1] if step.features else out
        result: Tensor = torch.einsum(*operands, [places[v] for v in ends])
        return result

    known_features = dict.fromkeys(plan.constants, False) | {"x": True}
    known_features |= {step.out: step.features for step in plan.steps}
    last = {name: i for i, step in enumerate(plan.steps) for name, _ in step.operands}
    wanted: dict[str, list[int]] = {}
    for number, row in enumerate(plan.rows):
        wanted.setdefault(row.source, []).append(number)

    def apply(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        *bias, n = rest
        batch = x.shape[: x.ndim - 1 - plan.dom]
        flat = x.reshape(-1, *x.shape[len(batch) :])
        flat, weight = _matched(flat, weight)
        weight = weight * constants("factors", weight, lambda: plan.factors())[:, None, None]
        known = {"x": flat}
        # Like a mixed tensor, so that vmap over input or weights carries over to it.
        y = (flat.flatten(1)[:, :1, None] * weight[:1, :, 0]).new_zeros(
            (len(flat), *(n,) * plan.cod, weight.shape[1])
        )
        for i, out in enumerate(("x", *(step.out for step in plan.steps))):
            if i:
                step = plan.steps[i - 1]
                known[out] = joined(step, known)
                for name in {name for name, _ in step.operands if last[name] == i - 1}:
                    if name != "x":
                        known.pop(name, None)
            for number in wanted.get(out, ()):
                y = _added(y, known[out] @ weight[number].T, plan.rows[number])
        y = y.reshape(*batch, *y.shape[1:])
        return _biased(y, bias, plan, constants)

    return apply


def _added(y: Tensor, mixed: Tensor, row: Row) -> Tensor:
    """y, with what a row makes of a tensor whose channels are mixed."""
    labels = tuple(dict.fromkeys(row.labels))
    # Axes in the order of the outputs, and new ones for outputs over which it is repeated.
    order = [row.keep.index(label) + 1 for label in labels if label in row.keep]
    mixed = mixed.permute(0, *order, mixed.ndim - 1)
    for place, label in enumerate(labels):
        if label not in row.keep:
            mixed = mixed.unsqueeze(place + 1)
    return y + mixed if len(labels) == len(row.labels) else _on_diagonal(y, row.labels, mixed)


def _on_diagonal(y: Tensor, labels: tuple[int, ...], source: Tensor) -> Tensor:
    """y, with the source added where outputs of equal label have equal indices."""
    view, left = y, list(labels)
    while len(left) > len(set(left)):
        b = next(b for b, label in enumerate(left) if label in left[:b])
        a = left.index(left[b])
        view = view.diagonal(dim1=a + 1, dim2=b + 1).movedim(-1, a + 1)
        del left[b]
    view.add_(source)
    return y


def _matched(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one dtype: under autocast, the one it is set to."""
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        return x.to(dtype), weight.to(dtype)
    return x, weight


def _biased(
    y: Tensor, bias: list[Tensor], plan: OrbitPlan | GraphPlan, constants: _Constants
) -> Tensor:
    if not bias:
        return y
    rows = constants("outputs", y, lambda: plan.outputs.astype(np.int64))
    return y + bias[0].to(y.dtype)[rows].reshape(*y.shape[y.ndim - 1 - plan.cod : -1], -1)


def kernel(plan: OrbitPlan | GraphPlan) -> Callable[..., Tensor]:
    """The function (x, weight[, bias], n) -> y of a plan."""
    return orbit_kernel(plan) if isinstance(plan, OrbitPlan) else graph_kernel(plan)
