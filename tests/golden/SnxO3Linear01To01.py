"""Linear layer that commutes with S(n) x O(3), from order (0, 1) to (0, 1).

Input (*batch, n0, 3, 4), output (*batch, n0, 3, 8): channels last. The output is the sum over the
DIAGRAMS below of the matrix of the diagram applied to the input, its channels multiplied by the
row of the weight with the same number. The 2 diagrams are a basis of Hom(S(n) x O(3), (0, 1), (0,
1)): every linear map that commutes with the group is such a sum, in exactly one way.

SnxO3Linear01To01() needs no arguments. Its parameters have the layout of tannaka's own layer, so
state dicts move between the two. Run this file to check it against a dense reference.

Written by tannaka 0.1.0; needs only torch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

WORD_IN, WORD_OUT, C_IN, C_OUT = (0, 1), (0, 1), 4, 8
BASIS = "tannaka 1: order (0, 1) -> (0, 1), 2 + 0 diagrams, reduce=mean, sha256 e4d113b69349a68d"

Diagram = tuple[int, ...]
# Row i of the weight multiplies diagram i: the block of each output, then of each input.
DIAGRAMS: tuple[Diagram, ...] = (
    (0, 1, 0, 1),  # 0 2 || 1 3: y[ij] += W0 x[ij]
    (0, 1, 2, 1),  # 0 | 2 || 1 3: y[ij] += W1 mean over k of x[kj]
)


def shape(word: tuple[int, ...], n: tuple[int, ...]) -> tuple[int, ...]:
    """The size of each axis, n[t] for one of type t."""
    return tuple(n[kind] for kind in word)


def scaled(x: Tensor, ratio: Tensor | None, power: int) -> Tensor:
    """Multiply by a power of ratio, which has the shape of the batch, where there is one."""
    if ratio is None:
        return x
    return x * (ratio**power).reshape(*ratio.shape, *(1,) * (x.ndim - ratio.ndim)).to(x.dtype)


def apply(x: Tensor, weight: Tensor, n: tuple[int, ...], ratio: Tensor | None = None) -> Tensor:
    """Apply the layer to x of shape (*batch, n0, n1, in_channels)."""
    # 0 2 | 1: c0[j] = mean over i of x[ij]
    c0 = scaled(x.mean(-3), ratio, 1)
    # m1[i] = W1 c0[i]
    m1 = c0 @ weight[1].T
    del c0
    # m0[ij] = W0 x[ij]
    m0 = x @ weight[0].T
    # 0 | 1 2: m0[ij] += m1[j]
    m0.add_(m1[..., None, :, :])
    return m0


def real(mask: Tensor, word: tuple[int, ...]) -> Tensor:
    """Where all indices of a tensor are of real points; with an axis for channels."""
    batch, n = mask.shape[:-1], mask.shape[-1]
    found = mask.new_ones(())
    for axis in range(len(word)):
        if word[axis] != 0:
            continue
        sizes = [n if other == axis else 1 for other in range(len(word))]
        found = found & mask.reshape(*batch, *sizes, 1)
    return found


class SnxO3Linear01To01(nn.Module):
    """Linear layer that commutes with S(n) x O(3), from order (0, 1) to (0, 1).

    Parameters: weight of shape (2, 8, 4).
    """

    group = "S(n) x O(3)"
    in_order, out_order, in_channels, out_channels = WORD_IN, WORD_OUT, C_IN, C_OUT

    def __init__(
        self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        weight = torch.empty(len(DIAGRAMS), C_OUT, C_IN, device=device, dtype=dtype)
        self.weight = nn.Parameter(weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights that preserve variance on average for independent unit inputs."""
        nn.init.uniform_(self.weight, a=-0.866025, b=0.866025)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the layer's ``repr``."""
        return f"{self.group}, {self.in_order} -> {self.out_order}, channels {C_IN} -> {C_OUT}"

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map (*batch, n0, 3, 4) to (*batch, n0, 3, 8).

        ``mask``, boolean and of shape (*batch, n0), is True where a point is real, for inputs of
        several sizes that are padded to one: what is padded does not matter, and outputs and
        gradients are 0 there.
        """
        sizes = (x.shape[-3] if x.ndim > 2 else 0, 3)
        expected = (*shape(WORD_IN, sizes), C_IN)
        if tuple(x.shape[-len(WORD_IN) - 1 :]) != expected or 0 in expected:
            raise ValueError(
                f"expected an input of shape (*batch, {', '.join(map(str, expected))}), "
                f"got {tuple(x.shape)}"
            )
        casting = x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)
        if x.dtype != self.weight.dtype and not casting:
            raise TypeError(f"the input is {x.dtype}, the weight {self.weight.dtype}")
        if mask is None:
            return apply(x, self.weight, sizes)
        batch = x.shape[: x.ndim - len(expected)]
        if mask.dtype != torch.bool or mask.shape != (*batch, sizes[0]):
            raise ValueError(f"the mask must be boolean and of shape {(*batch, sizes[0])}")
        x = torch.where(real(mask, WORD_IN), x, 0.0)
        # A mean over all points, padded ones too, times n / count is that over real ones.
        count = mask.sum(-1).clamp(min=1).to(torch.promote_types(x.dtype, torch.float32))
        y = apply(x, self.weight, sizes, sizes[0] / count)
        return torch.where(real(mask, WORD_OUT), y, 0.0)

    def get_extra_state(self) -> Tensor:
        """Say in the state dict which basis the rows of the weight belong to."""
        return torch.tensor(list(BASIS.encode()), dtype=torch.uint8, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Nothing to set: the basis was compared before any parameter was read."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for key in (prefix + name for name in ("weight", "bias", "_extra_state")):
            value: Any = state_dict.get(key)
            if hasattr(value, "__array__") and not isinstance(value, Tensor):
                state_dict[key] = torch.tensor(value.__array__())  # of another library
        ours = self.get_extra_state()
        theirs = state_dict.get(prefix + "_extra_state", ours)
        readable = isinstance(theirs, Tensor) and not theirs.is_meta
        if not readable or not torch.equal(theirs.cpu(), ours):
            raise ValueError(f"{prefix}_extra_state: the state dict is not of the basis {BASIS!r}")
        super()._load_from_state_dict(state_dict, prefix, *args)


# The self-check, from the definition: slow, and sharing only the tables above.


def entries(labels: Diagram, n: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], int]]:
    """The terms of a diagram: the index of each vertex, and what stands at this entry.

    Vertices of one block have one index, and every index takes every value.
    """
    sizes = dict(zip(labels, shape(WORD_OUT + WORD_IN, n), strict=False))
    for values in itertools.product(*(range(sizes[label]) for label in sorted(sizes))):
        yield tuple(values[label] for label in labels), 1


def dense(labels: Diagram, n: tuple[int, ...]) -> Tensor:
    """The matrix of a diagram, a row for each index of the output."""
    matrix = torch.zeros(shape((WORD_OUT + WORD_IN)[: len(labels)], n), dtype=torch.float64)
    for indices, value in entries(labels, n):
        matrix[indices] += value
    return matrix.reshape(math.prod(shape(WORD_OUT, n)), -1)


def reference(x: Tensor, weight: Tensor, n: tuple[int, ...]) -> Tensor:
    """The layer by its definition, for x with one batch axis."""
    flat = x.reshape(len(x), math.prod(shape(WORD_IN, n)), -1)
    y = torch.zeros((len(x), math.prod(shape(WORD_OUT, n)), weight.shape[1]), dtype=torch.float64)
    for diagram, w in zip(DIAGRAMS, weight, strict=True):
        matrix = dense(diagram, n)
        # The mean: divide by the number of terms that an output sums.
        matrix /= abs(matrix).sum(1).max()
        y = y + torch.einsum("pq,bqi,oi->bpo", matrix, flat, w)
    return y.reshape(len(x), *shape(WORD_OUT, n), -1)


def random_s(n: int) -> Tensor:
    """A random permutation matrix."""
    return torch.eye(n, dtype=torch.float64)[torch.randperm(n)]


def random_o(n: int) -> Tensor:
    """A random orthogonal matrix: rotations and reflections alike."""
    q, r = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))
    element: Tensor = q * r.diagonal().sign()
    return element


def random_element(n: tuple[int, ...]) -> tuple[Tensor, ...]:
    """A random element: one of each factor, for the axes of its type."""
    return random_s(n[0]), random_o(n[1])


def act(g: tuple[Tensor, ...], x: Tensor, word: tuple[int, ...]) -> Tensor:
    """Multiply each axis between batch and channels by the matrix for its type."""
    for axis, kind in enumerate(word, start=1):
        x = x.movedim(axis, -1) @ g[kind].T
        x = x.movedim(-1, axis)
    return x


def check() -> None:
    """Stop with an error unless the layer is what this file says."""
    torch.manual_seed(0)

    def compare(what: str, got: Tensor, want: Tensor) -> None:
        got, want = got.detach(), want.detach()
        error = float((got - want).abs().max()) / max(float(want.abs().max()), 1e-300)
        print(f"{what}: relative error {error:.1e}")
        if got.shape != want.shape or not error < 1e-12:
            raise SystemExit(f"FAILED: {what}")

    def inputs(n: tuple[int, ...]) -> list[Tensor]:
        # Any channels do; unequal ones tell input from output.
        shapes = [(2, *shape(WORD_IN, n), 4), (len(DIAGRAMS), 5, 4)]
        return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def gradients(y: Tensor, *leaves: Tensor) -> Tensor:
        total = y.square().sum() + sum(leaf.sum() for leaf in leaves)
        found = torch.autograd.grad(total, leaves, retain_graph=True)
        return torch.cat([gradient.flatten() for gradient in found])

    for n in ((2, 3), (3, 2)):
        x, weight = inputs(n)
        got, want = apply(x, weight, n), reference(x, weight, n)
        compare(f"agrees with the dense reference at n = {n}", got, want)
        compare("and with its gradients", *(gradients(y, x, weight) for y in (got, want)))
        compare("without a batch axis", apply(x[0], weight, n), want[0])
        compare("with two", apply(x[None], weight, n)[0], want)
    # As near to its own size as is quick.
    n = (5, 3)
    x, weight = inputs(n)
    g = random_element(n)
    for _ in range(100):
        if all(torch.allclose(part, torch.eye(len(part), dtype=part.dtype)) for part in g):
            g = random_element(n)
    compare(
        "commutes with a random group element",
        apply(act(g, x, WORD_IN), weight, n),
        act(g, apply(x, weight, n), WORD_OUT),
    )
    layer = SnxO3Linear01To01(dtype=torch.float64)
    twin = SnxO3Linear01To01(dtype=torch.float64)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    twin.load_state_dict(layer.state_dict())
    x = torch.randn((*shape(WORD_IN, n), C_IN), dtype=torch.float64)
    want = apply(x, layer.weight, n)
    compare("the module runs the same code", layer(x), want)
    compare("state dicts carry the parameters", twin(x), want)
    # Of inputs padded to one size, each gives what it gives by itself.
    mask = torch.rand(2, n[0]) < 0.5
    mask[:, 0] = True
    x = torch.randn((2, *shape(WORD_IN, n), C_IN), dtype=torch.float64)
    padded = layer(x.where(real(mask, WORD_IN), torch.nan), mask)
    for one, points, y in zip(x, mask, padded, strict=True):
        places = points.nonzero()[:, 0]
        for axis in (0,):
            one = one.index_select(axis, places)
        want = layer(one)
        total = y.square().sum()
        for axis in (0,):
            y = y.index_select(axis, places)
        compare("padded", y, want)
        compare("and zero elsewhere", total, want.square().sum())
    print(f"{layer} is what it says")


if __name__ == "__main__":
    check()
