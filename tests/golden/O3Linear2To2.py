"""Linear layer that commutes with O(3), from order 2 to 2.

Input (*batch, 3, 3, 1), output (*batch, 3, 3, 8): channels last. The output is the sum over the
DIAGRAMS below of the matrix of the diagram applied to the input, its channels multiplied by the
row of the weight with the same number, plus a bias. The 3 diagrams are a basis of Hom(O(3), 2, 2):
every linear map that commutes with the group is such a sum, in exactly one way.

O3Linear2To2() needs no arguments. Its parameters have the layout of tannaka's own layer, so state
dicts move between the two. Run this file to check it against a dense reference.

Written by tannaka 0.1.0; needs only torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

N, ORDER_IN, ORDER_OUT, C_IN, C_OUT = 3, 2, 2, 1, 8
BASIS = "tannaka 1: order 2 -> 2, 3 + 1 diagrams, reduce=mean, sha256 1b8e2eac3a2bdf27"

Diagram = tuple[int, ...]
# Row i of the weight multiplies diagram i: the block of each output, then of each input.
DIAGRAMS: tuple[Diagram, ...] = (
    (0, 0, 1, 1),  # 0 1 | 2 3: y[ii] += W0 mean over j of x[jj]
    (0, 1, 0, 1),  # 0 2 | 1 3: y[ij] += W1 x[ij]
    (0, 1, 1, 0),  # 0 3 | 1 2: y[ij] += W2 x[ji]
)
# The same for the bias: diagrams without inputs.
BIAS_DIAGRAMS: tuple[Diagram, ...] = ((0, 0),)  # 0 1: y[ii] += b0


def diagonal(x: Tensor, a: int, b: int) -> Tensor:
    """View x where its axes a < b < 0 have equal indices; the common axis stands where a stood."""
    return x.diagonal(dim1=a, dim2=b).movedim(-1, a + 1)


def permuted(x: Tensor, *axes: int) -> Tensor:
    """View x, whose last axis is the channels, with axes[i] of those before it in place i."""
    start = x.ndim - 1 - len(axes)
    return x.permute(*range(start), *(start + axis for axis in axes), -1)


def apply(x: Tensor, weight: Tensor, bias: Tensor, n: int) -> Tensor:
    """Apply the layer to x of shape (*batch, n, n, in_channels)."""
    if not weight.requires_grad:
        # What is added in place to what a frozen weight gives may need a gradient.
        weight = weight + bias[:0].sum()
    # 0 1: c0[] = mean over i of x[ii]
    c0 = diagonal(x, -3, -2).mean(-2)
    # m0[ij] = W1 x[ij] + W2 x[ji]
    m0 = x @ weight[1].T
    m0 += permuted(x @ weight[2].T, 1, 0)
    # m1[] = W0 c0[] + b0
    m1 = c0 @ weight[0].T
    m1 = m1 + bias[0]
    # 0 1: m0[ii] += m1[]
    diagonal(m0, -3, -2).add_(m1[..., None, :])
    return m0


class O3Linear2To2(nn.Module):
    """Linear layer that commutes with O(3), from order 2 to 2.

    Parameters: weight of shape (3, 8, 1), bias of shape (1, 8).
    """

    group = "O(3)"
    in_order, out_order, in_channels, out_channels = ORDER_IN, ORDER_OUT, C_IN, C_OUT

    def __init__(
        self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        weight = torch.empty(len(DIAGRAMS), C_OUT, C_IN, device=device, dtype=dtype)
        self.weight = nn.Parameter(weight)
        bias = torch.empty(len(BIAS_DIAGRAMS), C_OUT, device=device, dtype=dtype)
        self.bias = nn.Parameter(bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights that preserve variance on average for independent unit inputs."""
        nn.init.uniform_(self.weight, a=-1.19208, b=1.19208)
        nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the layer's ``repr``."""
        return f"{self.group}, {self.in_order} -> {self.out_order}, channels {C_IN} -> {C_OUT}"

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, 3, 3, 1) to (*batch, 3, 3, 8)."""
        expected = (*(N,) * ORDER_IN, C_IN)
        if tuple(x.shape[-ORDER_IN - 1 :]) != expected:
            raise ValueError(
                f"expected an input of shape (*batch, {', '.join(map(str, expected))}), "
                f"got {tuple(x.shape)}"
            )
        casting = x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)
        if x.dtype != self.weight.dtype and not casting:
            raise TypeError(f"the input is {x.dtype}, the weight {self.weight.dtype}")
        return apply(x, self.weight, self.bias, N)

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


def entries(labels: Diagram, n: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """The terms of a diagram: the index of each vertex, and what stands at this entry.

    Vertices of one block have one index, and every index takes every value.
    """
    for values in itertools.product(range(n), repeat=len(set(labels))):
        yield tuple(values[label] for label in labels), 1


def dense(labels: Diagram, n: int) -> Tensor:
    """The matrix of a diagram, a row for each index of the output."""
    matrix = torch.zeros((n,) * len(labels), dtype=torch.float64)
    for indices, value in entries(labels, n):
        matrix[indices] += value
    return matrix.reshape(n**ORDER_OUT, -1)


def reference(x: Tensor, weight: Tensor, bias: Tensor, n: int) -> Tensor:
    """The layer by its definition, for x with one batch axis."""
    flat = x.reshape(len(x), n**ORDER_IN, -1)
    y = torch.zeros((len(x), n**ORDER_OUT, weight.shape[1]), dtype=torch.float64)
    for diagram, w in zip(DIAGRAMS, weight, strict=True):
        matrix = dense(diagram, n)
        # The mean: divide by the number of terms that an output sums.
        matrix /= abs(matrix).sum(1).max()
        y = y + torch.einsum("pq,bqi,oi->bpo", matrix, flat, w)
    for diagram, b in zip(BIAS_DIAGRAMS, bias, strict=True):
        y = y + dense(diagram, n) * b
    return y.reshape(len(x), *(n,) * ORDER_OUT, -1)


def random_element(n: int) -> Tensor:
    """A random orthogonal matrix: rotations and reflections alike."""
    q, r = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))
    element: Tensor = q * r.diagonal().sign()
    return element


def act(g: Tensor, x: Tensor, order: int) -> Tensor:
    """Multiply each of the ``order`` axes between batch and channels by g."""
    for axis in range(1, order + 1):
        x = x.movedim(axis, -1) @ g.T
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

    def inputs(n: int) -> list[Tensor]:
        # Any channels do; unequal ones tell input from output.
        shapes = [(2, *(n,) * ORDER_IN, 4), (len(DIAGRAMS), 5, 4), (len(BIAS_DIAGRAMS), 5)]
        return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def gradients(y: Tensor, *leaves: Tensor) -> Tensor:
        total = y.square().sum() + sum(leaf.sum() for leaf in leaves)
        found = torch.autograd.grad(total, leaves, retain_graph=True)
        return torch.cat([gradient.flatten() for gradient in found])

    for n in (2, 3):
        x, weight, bias = inputs(n)
        got, want = apply(x, weight, bias, n), reference(x, weight, bias, n)
        compare(f"agrees with the dense reference at n = {n}", got, want)
        compare("and with its gradients", *(gradients(y, x, weight, bias) for y in (got, want)))
        compare("without a batch axis", apply(x[0], weight, bias, n), want[0])
        compare("with two", apply(x[None], weight, bias, n)[0], want)
        # The kernel adds in place, which autograd takes only where it sees all arguments.
        frozen = apply(x.detach(), weight.detach(), bias, n)
        compare("the bias learns alone", *(gradients(y, bias) for y in (frozen, want)))
    # At the layer's own size.
    n = 3
    x, weight, bias = inputs(n)
    g = random_element(n)
    for _ in range(100):
        g = random_element(n) if torch.allclose(g, torch.eye(len(g), dtype=g.dtype)) else g
    compare(
        "commutes with a random group element",
        apply(act(g, x, ORDER_IN), weight, bias, n),
        act(g, apply(x, weight, bias, n), ORDER_OUT),
    )
    layer = O3Linear2To2(dtype=torch.float64)
    twin = O3Linear2To2(dtype=torch.float64)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    twin.load_state_dict(layer.state_dict())
    x = torch.randn((*(N,) * ORDER_IN, C_IN), dtype=torch.float64)
    want = apply(x, layer.weight, layer.bias, N)
    compare("the module runs the same code", layer(x), want)
    compare("state dicts carry the parameters", twin(x), want)
    print(f"{layer} is what it says")


if __name__ == "__main__":
    check()
