"""Linear layer that commutes with SO(3), from order 2 to 1.

Input (*batch, 3, 3, 1), output (*batch, 3, 8): channels last. The output is the sum over the
DIAGRAMS below of the matrix of the diagram applied to the input, its channels multiplied by the
row of the weight with the same number. The 1 diagram is a basis of Hom(SO(3), 2, 1): every linear
map that commutes with the group is such a sum, in exactly one way.

SO3Linear2To1() needs no arguments. Its parameters have the layout of tannaka's own layer for
PyTorch, whose state dicts it loads, as arrays. Run this file to check it against a dense
reference.

Written by tannaka 0.1.0; needs only numpy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

N, ORDER_IN, ORDER_OUT, C_IN, C_OUT = 3, 2, 1, 1, 8
BASIS = "tannaka 1: order 2 -> 1, 1 + 0 diagrams, reduce=mean, sha256 c39b241c35bfefc4"

Array = NDArray[Any]
Diagram = tuple[tuple[int, ...], ...]
# Row i of the weight multiplies diagram i: the block of each output, then of each input; then for
#     each determinant vertex the blocks that its legs end at, in order, a number that no vertex has
#     for a leg that ends nowhere.
DIAGRAMS: tuple[Diagram, ...] = (
    ((0, 1, 2), (0, 1, 2)),  # [0 1 2]: y[i] += W0 mean over jk of ε[ijk] x[jk]
)


def levi_civita(n: int) -> Array:
    """The Levi-Civita symbol: the sign of a permutation of n indices, 0 where two are equal."""
    symbol = np.zeros((n,) * n)
    for images in itertools.permutations(range(n)):
        symbol[images] = (-1) ** sum(a > b for a, b in itertools.combinations(images, 2))
    return symbol


EPSILON = levi_civita(3)
SCALES = (0.5,)


def apply(x: Array, weight: Array, n: int) -> Array:
    """Apply the layer to x of shape (*batch, n, n, in_channels)."""
    weight = weight * np.array(SCALES, dtype=weight.dtype)[:, None, None]
    epsilon = np.array(EPSILON, dtype=x.dtype)
    # [1 2 0]: e0[k] = sum over ij of ε[ijk] x[ij]
    e0 = np.einsum("...ijc,ijk->...kc", x, epsilon)
    # m0[i] = 1/2 W0 e0[i]
    m0: Array = e0 @ weight[0].T
    return m0


def checked(state: Mapping[str, Any], ours: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The parameters in a state dict; ValueError unless it is one like ours."""
    found = {name: np.asarray(value) for name, value in state.items()}
    basis = found.pop("_extra_state", None)
    if basis is None or basis.dtype != np.uint8 or bytes(basis) != BASIS.encode():
        raise ValueError(f"_extra_state: not a state of the basis {BASIS!r}")
    shapes = {name: value.shape for name, value in ours.items() if name != "_extra_state"}
    if {name: value.shape for name, value in found.items()} != shapes:
        raise ValueError(f"expected arrays of the shapes {shapes}")
    return found


class SO3Linear2To1:
    """Linear layer that commutes with SO(3), from order 2 to 1.

    Parameters: weight of shape (1, 8, 1).
    It starts with a weight from ``rng`` that preserves variance on average for independent unit
    inputs.
    """

    group = "SO(3)"
    in_order, out_order, in_channels, out_channels = ORDER_IN, ORDER_OUT, C_IN, C_OUT

    def __init__(
        self, rng: np.random.Generator | int | None = None, dtype: Any = np.float64
    ) -> None:
        shape = (len(DIAGRAMS), C_OUT, C_IN)
        weight = np.random.default_rng(rng).uniform(-2.44949, 2.44949, shape)
        self.weight: Array = weight.astype(dtype)

    def __call__(self, x: Array) -> Array:
        """Map (*batch, 3, 3, 1) to (*batch, 3, 8)."""
        expected = (*(N,) * ORDER_IN, C_IN)
        if x.shape[-ORDER_IN - 1 :] != expected:
            raise ValueError(
                f"expected an input of shape (*batch, {', '.join(map(str, expected))}), got {x.shape}"
            )
        if x.dtype != self.weight.dtype:
            raise TypeError(f"the input is {x.dtype}, the weight {self.weight.dtype}")
        return apply(x, self.weight, N)

    def state_dict(self) -> dict[str, Array]:
        """The parameters, and which basis the rows of the weight belong to."""
        basis = np.frombuffer(BASIS.encode(), np.uint8)
        return {"weight": self.weight, "_extra_state": basis}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take parameters from a state dict of any of tannaka's layers, as arrays.

        Raises ValueError for one of another basis, or with arrays of other names or shapes.
        """
        found = checked(state, self.state_dict())
        self.weight = found["weight"].astype(self.weight.dtype)


# The self-check, from the definition: slow, and sharing only the tables above.


def parity(images: list[int]) -> int:
    """The Levi-Civita symbol: the sign of a permutation, 0 where two images are equal."""
    return math.prod((b > a) - (b < a) for a, b in itertools.combinations(images, 2))


def entries(diagram: Diagram, n: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """The terms of a diagram: the index of each vertex, and what stands at this entry.

    Vertices of one block have one index, and every index takes every value. Each determinant
    vertex gives the sign of the indices of its legs.
    """
    labels, *vertices = diagram
    count = len(set(labels).union(*vertices))
    for values in itertools.product(range(n), repeat=count):
        signs = [parity([values[leg] for leg in legs]) for legs in vertices]
        yield tuple(values[label] for label in labels), math.prod(signs)


def dense(diagram: Diagram, n: int) -> Array:
    """The matrix of a diagram, a row for each index of the output."""
    matrix = np.zeros((n,) * len(diagram[0]))
    for indices, value in entries(diagram, n):
        matrix[indices] += value
    return matrix.reshape(n**ORDER_OUT, -1)


def reference(x: Array, weight: Array, n: int) -> Array:
    """The layer by its definition, for x with one batch axis."""
    flat = x.reshape(len(x), n**ORDER_IN, -1)
    y = np.zeros((len(x), n**ORDER_OUT, weight.shape[1]))
    for diagram, w in zip(DIAGRAMS, weight, strict=True):
        matrix = dense(diagram, n)
        # The mean: divide by the number of terms that an output sums.
        matrix /= abs(matrix).sum(1).max()
        y = y + np.einsum("pq,bqi,oi->bpo", matrix, flat, w)
    return y.reshape(len(x), *(n,) * ORDER_OUT, -1)


def random_element(n: int, rng: np.random.Generator) -> Array:
    """A random rotation."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    element: Array = q * np.sign(np.diagonal(r))
    element[0] *= np.sign(np.linalg.det(element))
    return element


def act(g: Array, x: Array, order: int) -> Array:
    """Multiply each of the ``order`` axes between batch and channels by g."""
    for axis in range(1, order + 1):
        x = np.moveaxis(x, axis, -1) @ g.T
        x = np.moveaxis(x, -1, axis)
    return x


def check() -> None:
    """Stop with an error unless the layer is what this file says."""
    rng = np.random.default_rng(0)

    def compare(what: str, got: Any, want: Any) -> None:
        error = float(abs(got - want).max()) / max(float(abs(want).max()), 1e-300)
        print(f"{what}: relative error {error:.1e}")
        if got.shape != want.shape or not error < 1e-12:
            raise SystemExit(f"FAILED: {what}")

    def inputs(n: int) -> list[Array]:
        # Any channels do; unequal ones tell input from output.
        shapes = [(2, *(n,) * ORDER_IN, 4), (len(DIAGRAMS), 5, 4)]
        return [rng.standard_normal(shape) for shape in shapes]

    for n in (3,):
        x, weight = inputs(n)
        want = reference(x, weight, n)
        said = f"agrees with the dense reference at n = {n}"
        compare(said, apply(x, weight, n), want)
    compare("without a batch axis", apply(x[0], weight, n), want[0])
    compare("with two", apply(x[None], weight, n), want[None])
    # At the layer's own size.
    n = 3
    x, weight = inputs(n)
    g = random_element(n, rng)
    for _ in range(100):
        g = random_element(n, rng) if np.allclose(g, np.eye(len(g))) else g
    moved = apply(act(g, x, ORDER_IN), weight, n)
    want = act(g, apply(x, weight, n), ORDER_OUT)
    compare("commutes with a random group element", moved, want)
    layer = SO3Linear2To1(0, np.float64)
    twin = SO3Linear2To1(1, np.float64)
    twin.load_state_dict(layer.state_dict())
    x = rng.standard_normal((*(N,) * ORDER_IN, C_IN))
    want = apply(x, layer.weight, N)
    compare("the layer runs the same code", layer(x), want)
    compare("state dicts carry the parameters", twin(x), want)
    print("SO3Linear2To1 is what it says")


if __name__ == "__main__":
    check()
