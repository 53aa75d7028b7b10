"""Linear layer that commutes with Aut(Petersen Graph), from order 1 to 2.

Input (*batch, 10, 1), output (*batch, 10, 10, 8): channels last. The output is the sum over the
GRAPHS below of the matrix of the graph applied to the input, its channels multiplied by the row of
the weight with the same number, plus a bias. The 15 graphs are a basis of Hom(Aut(Petersen Graph),
1, 2): every linear map that commutes with the group is such a sum, in exactly one way.

AutPetersenGraphLinear1To2() needs no arguments. Its parameters have the layout of tannaka's own
layer, so state dicts move between the two. Run this file to check it against a dense reference.

Written by tannaka 0.1.0; needs only torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

N, ORDER_IN, ORDER_OUT, C_IN, C_OUT = 10, 1, 2, 1, 8
BASIS = "tannaka 1: order 1 -> 2, 15 + 3 bilabelled graphs, reduce=mean, sha256 753ad7ca0e05ca80"

# Permutations of the indices that generate the group, each as the list of its images.
# fmt: off
GENERATORS: tuple[tuple[int, ...], ...] = (
    (0, 1, 2, 7, 5, 4, 6, 3, 9, 8), (0, 4, 3, 8, 5, 1, 9, 2, 6, 7), (1, 2, 3, 8, 6, 0, 7, 4, 5, 9),
)
# fmt: on
# The edges of the graph, between a and b: a, b.
# fmt: off
EDGES: tuple[tuple[int, int], ...] = (
    (0, 1), (0, 4), (0, 5), (1, 2), (1, 6), (2, 3), (2, 7), (3, 4), (3, 8), (4, 9), (5, 7), (5, 8),
    (6, 8), (6, 9), (7, 9),
)
# fmt: on
# Row i of the weight is for graph i: its edges, the vertex at each output and at each input.
Pairs = tuple[tuple[int, ...], ...]
Graph = tuple[Pairs, tuple[int, ...], tuple[int, ...]]
GRAPHS: tuple[Graph, ...] = (
    ((), (0, 0), (0,)),  # 0 1 2: y[ii] += W0 x[i]
    ((), (0, 0), (1,)),  # 0 1 | 2: y[ii] += W1 mean over j of x[j]
    ((), (0, 1), (0,)),  # 0 2 | 1: y[ij] += W2 x[i]
    ((), (0, 1), (1,)),  # 0 | 1 2: y[ij] += W3 x[j]
    (((0, 1),), (0, 0), (1,)),  # 0 1 | 2 ; 0-1: y[ii] += W4 mean over j of A[ij] x[j]
    (((0, 1),), (0, 1), (1,)),  # 0 | 1 2 ; 0-1: y[ij] += W5 A[ij] x[j]
    (((0, 1),), (0, 1), (0,)),  # 0 2 | 1 ; 0-1: y[ij] += W6 A[ij] x[i]
    ((), (0, 1), (2,)),  # 0 | 1 | 2: y[ij] += W7 mean over k of x[k]
    (((0, 1),), (0, 1), (2,)),  # 0 | 1 | 2 ; 0-1: y[ij] += W8 mean over k of A[ij] x[k]
    (((0, 2),), (0, 1), (2,)),  # 0 | 1 | 2 ; 0-2: y[ij] += W9 mean over k of A[ik] x[k]
    (((1, 2),), (0, 1), (2,)),  # 0 | 1 | 2 ; 1-2: y[ij] += W10 mean over k of A[jk] x[k]
    # 0 | 1 | 2 ; 0-1 1-2: y[ij] += W11 mean over k of A[ij] A[jk] x[k]
    (((0, 1), (1, 2)), (0, 1), (2,)),
    # 0 | 1 | 2 ; 0-1 0-2: y[ij] += W12 mean over k of A[ij] A[ik] x[k]
    (((0, 1), (0, 2)), (0, 1), (2,)),
    # 0 | 1 | 2 ; 0-2 1-2: y[ij] += W13 mean over k of A[ik] A[jk] x[k]
    (((0, 2), (1, 2)), (0, 1), (2,)),
    # 0 | 1 | 2 | * ; 0-3 1-3 2-3: y[ij] += W14 mean over kl of A[il] A[jl] A[kl] x[k]
    (((0, 3), (1, 3), (2, 3)), (0, 1), (2,)),
)
# Row i of the bias is for the orbit of this tuple of output indices.
BIAS_ORBITS: tuple[tuple[int, ...], ...] = (
    (0, 0),  # [0 0 ←]: y[ij] += b0
    (0, 1),  # [0 1 ←]: y[ij] += b1
    (0, 2),  # [0 2 ←]: y[ij] += b2
)


def orbit_numbers(order: int) -> Tensor:
    """The orbit of each tuple of indices, numbered by their least tuples."""
    tuples = torch.arange(N**order)
    digits = [(place, tuples // N**place % N) for place in range(order)]
    images = [torch.tensor(one) for one in GENERATORS]
    moves = [sum(image[digit] * N**place for place, digit in digits) for image in images]
    least, before = tuples, tuples + 1
    while not torch.equal(least, before):
        before = least
        for to in moves:
            least = torch.minimum(least, least[to])
        least = least[least]
    numbers: Tensor = torch.unique(least, return_inverse=True)[1]
    return numbers


def adjacency() -> Tensor:
    """The adjacency matrix of the graph."""
    matrix = torch.zeros((N, N), dtype=torch.float64)
    for a, b in EDGES:
        matrix[a, b] = 1.0
        matrix[b, a] = 1.0
    return matrix


def mix(weight: Tensor, rows: tuple[tuple[int, ...], ...], *features: Tensor) -> list[Tensor]:
    """Mix channels: result e is the sum over f of features[f] @ weight[rows[e][f]].T."""
    every = torch.concatenate(features, dim=-1)
    blocks = weight[torch.tensor(rows)]  # (results, features, out, in)
    matrix = blocks.permute(1, 3, 0, 2).reshape(every.shape[-1], -1)
    return list((every @ matrix).chunk(len(rows), dim=-1))


A = adjacency()
OUTPUTS = orbit_numbers(ORDER_OUT)
ROWS_0 = ((5, 6, 8, 11, 12, 13, 14),)
# fmt: off
SCALES = (
    1.0, 0.1, 1.0, 1.0, 1.3333333333333333, 1.0, 1.0, 0.1, 0.8, 1.3333333333333333,
    1.3333333333333333, 1.3333333333333333, 1.3333333333333333, 1.3333333333333333,
    0.8888888888888888,
)
# fmt: on


def apply(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Apply the layer to x of shape (*batch, n, in_channels)."""
    weight = weight * torch.tensor(SCALES, dtype=weight.dtype, device=weight.device)[:, None, None]
    batch = x.shape[: x.ndim - 2]
    a_2 = A.to(x) / 4
    a = A.to(x)
    a_3 = A.to(x) / 8
    a_1 = A.to(x) / 2
    one = torch.eye(N, dtype=x.dtype, device=x.device)
    # t0[] = sum over i of x[i]
    t0 = torch.einsum("...ic->...c", x)
    # t1[j] = sum over i of x[i] a_2[ji]
    t1 = torch.einsum("...ic,ji->...jc", x, a_2)
    # t2[ij] = x[i] a[ji]
    t2 = torch.einsum("...ic,ji->...ijc", x, a)
    # t3[ij] = t0[] a_3[ij]
    t3 = torch.einsum("...c,ij->...ijc", t0, a_3)
    # t4[ij] = t1[i] a[ji]
    t4 = torch.einsum("...ic,ji->...ijc", t1, a)
    # t5[kj] = sum over i of t2[ij] a_2[ki]
    t5 = torch.einsum("...ijc,ki->...kjc", t2, a_2)
    # t6[kj] = sum over i of t4[ij] a_1[ki]
    t6 = torch.einsum("...ijc,ki->...kjc", t4, a_1)
    # y[ij] = 0
    y = x.new_zeros((*batch, N, N, weight.shape[1]))
    # m0[i] = W0 x[i] + 4/3 W4 t1[i]
    m0 = x @ weight[0].T + t1 @ weight[4].T
    # 0 1 2: y[ii] += m0[i]
    y = y + torch.einsum("...ic,ij->...ijc", m0, one)
    # m1[] = 1/10 W1 t0[]
    m1 = t0 @ weight[1].T
    # 0 1: y[ii] += m1[]
    y = y + torch.einsum("...c,ij->...ijc", m1, one)
    # m2[i] = W2 x[i] + 4/3 W9 t1[i]
    m2 = x @ weight[2].T + t1 @ weight[9].T
    # 0 2 | 1: y[ij] += m2[i]
    y = y + m2[..., :, None, :]
    # m3[i] = W3 x[i] + 4/3 W10 t1[i]
    m3 = x @ weight[3].T + t1 @ weight[10].T
    # 0 | 1 2: y[ij] += m3[j]
    y = y + m3[..., None, :, :]
    # m4[ij] = W5 t2[ji] + W6 t2[ij] + 4/5 W8 t3[ij] + 4/3 W11 t4[ji] + 4/3 W12 t4[ij] + 4/3 W13
    #     t5[ij] + 8/9 W14 t6[ij]
    (m4,) = mix(
        weight,
        ROWS_0,
        torch.einsum("...ijc->...jic", t2),
        t2,
        t3,
        torch.einsum("...ijc->...jic", t4),
        t4,
        t5,
        t6,
    )
    # 0 2 | 1 3: y[ij] += m4[ij]
    y = y + m4
    # m5[] = 1/10 W7 t0[]
    m5 = t0 @ weight[7].T
    # 0 | 1: y[ij] += m5[]
    y = y + m5[..., None, None, :]
    return y + bias[OUTPUTS.to(bias.device)].reshape(10, 10, -1)


class AutPetersenGraphLinear1To2(nn.Module):
    """Linear layer that commutes with Aut(Petersen Graph), from order 1 to 2.

    Parameters: weight of shape (15, 8, 1), bias of shape (3, 8).
    """

    group = "Aut(Petersen Graph)"
    in_order, out_order, in_channels, out_channels = ORDER_IN, ORDER_OUT, C_IN, C_OUT
    generators, points = GENERATORS, N

    def __init__(
        self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        weight = torch.empty(len(GRAPHS), C_OUT, C_IN, device=device, dtype=dtype)
        self.weight = nn.Parameter(weight)
        bias = torch.empty(len(BIAS_ORBITS), C_OUT, device=device, dtype=dtype)
        self.bias = nn.Parameter(bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights that preserve variance on average for independent unit inputs."""
        nn.init.uniform_(self.weight, a=-0.879232, b=0.879232)
        nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the layer's ``repr``."""
        return f"{self.group}, {self.in_order} -> {self.out_order}, channels {C_IN} -> {C_OUT}"

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, 10, 1) to (*batch, 10, 10, 8)."""
        expected = (*(N,) * ORDER_IN, C_IN)
        if tuple(x.shape[-ORDER_IN - 1 :]) != expected:
            raise ValueError(
                f"expected an input of shape (*batch, {', '.join(map(str, expected))}), "
                f"got {tuple(x.shape)}"
            )
        casting = x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)
        if x.dtype != self.weight.dtype and not casting:
            raise TypeError(f"the input is {x.dtype}, the weight {self.weight.dtype}")
        return apply(x, self.weight, self.bias)

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


def orbit(indices: tuple[int, ...]) -> list[int]:
    """The places, in a flat array, of all tuples that the group takes this one to."""
    found = new = {indices}
    while new:
        moved = {tuple(images[i] for i in one) for images in GENERATORS for one in new}
        new = moved - found
        found = found | new
    if indices != min(found):
        raise SystemExit("FAILED: rows name the least tuple of their orbit")
    return [sum(i * N**place for place, i in enumerate(reversed(one))) for one in sorted(found)]


def dense(graph: Graph) -> Tensor:
    """The matrix of a graph: how many maps of its vertices take edges to edges.

    At row i and column j those that take the vertices of the outputs to i, of the inputs to j.
    """
    edges, outputs, inputs = graph
    one = torch.eye(N, dtype=torch.float64)
    operands: list[Any] = []
    places = range(ORDER_OUT + ORDER_IN)
    for a, b in edges:
        joined = torch.zeros((N, N), dtype=torch.float64)
        for i, j in EDGES:
            joined[i, j] = joined[j, i] = 1.0
        operands += [joined, [len(places) + a, len(places) + b]]
    for place, v in zip(places, outputs + inputs, strict=True):
        operands += [one, [place, len(places) + v]]
    counts: Tensor = torch.einsum(*operands, list(places))
    return counts.reshape(N**ORDER_OUT, -1)


def reference(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The layer by its definition, for x with one batch axis."""
    flat = x.reshape(len(x), N**ORDER_IN, -1)
    y = torch.zeros((len(x), N**ORDER_OUT, weight.shape[1]), dtype=torch.float64)
    for graph, w in zip(GRAPHS, weight, strict=True):
        matrix = dense(graph)
        # The mean: divide by the number of terms that an output sums.
        matrix = matrix / abs(matrix).sum(1).max()
        y = y + torch.einsum("pq,bqi,oi->bpo", matrix, flat, w)
    added = torch.zeros((N**ORDER_OUT, weight.shape[1]), dtype=torch.float64)
    for indices, b in zip(BIAS_ORBITS, bias, strict=True):
        added[orbit(indices)] = b
    y = y + added
    return y.reshape(len(x), *(N,) * ORDER_OUT, -1)


def random_element(n: int) -> Tensor:
    """A random product of generators, as a permutation matrix."""
    images = torch.arange(n)
    for _ in range(int(torch.randint(1, 64, ())) if GENERATORS else 0):
        images = images[torch.tensor(GENERATORS[int(torch.randint(len(GENERATORS), ()))])]
    return torch.eye(n, dtype=torch.float64)[images]


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

    def inputs() -> list[Tensor]:
        # Any channels do; unequal ones tell input from output.
        shapes = [(2, *(N,) * ORDER_IN, 4), (len(GRAPHS), 5, 4), (len(BIAS_ORBITS), 5)]
        return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def gradients(y: Tensor, *leaves: Tensor) -> Tensor:
        total = y.square().sum() + sum(leaf.sum() for leaf in leaves)
        found = torch.autograd.grad(total, leaves, retain_graph=True)
        return torch.cat([gradient.flatten() for gradient in found])

    for images in GENERATORS:
        onto = [(images[a], images[b]) for a, b in EDGES]
        kept = {(min(a, b), max(a, b)) for a, b in onto} == set(EDGES)
        if not kept:
            raise SystemExit("FAILED: generators keep the graph")

    x, weight, bias = inputs()
    got, want = apply(x, weight, bias), reference(x, weight, bias)
    compare("agrees with the dense reference", got, want)
    compare("and with its gradients", *(gradients(y, x, weight, bias) for y in (got, want)))
    compare("without a batch axis", apply(x[0], weight, bias), want[0])
    compare("with two", apply(x[None], weight, bias)[0], want)
    # The kernel adds in place, which autograd takes only where it sees all arguments.
    frozen = apply(x.detach(), weight.detach(), bias)
    compare("the bias learns alone", *(gradients(y, bias) for y in (frozen, want)))
    x, weight, bias = inputs()
    g = random_element(N)
    for _ in range(100):
        g = random_element(N) if torch.allclose(g, torch.eye(len(g), dtype=g.dtype)) else g
    compare(
        "commutes with a random group element",
        apply(act(g, x, ORDER_IN), weight, bias),
        act(g, apply(x, weight, bias), ORDER_OUT),
    )
    layer = AutPetersenGraphLinear1To2(dtype=torch.float64)
    twin = AutPetersenGraphLinear1To2(dtype=torch.float64)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    twin.load_state_dict(layer.state_dict())
    x = torch.randn((*(N,) * ORDER_IN, C_IN), dtype=torch.float64)
    want = apply(x, layer.weight, layer.bias)
    compare("the module runs the same code", layer(x), want)
    compare("state dicts carry the parameters", twin(x), want)
    print(f"{layer} is what it says")


if __name__ == "__main__":
    check()
