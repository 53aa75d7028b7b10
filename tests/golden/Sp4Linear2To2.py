"""Linear layer that commutes with Sp(4), from order 2 to 2.

Input (*batch, 4, 4, 1), output (*batch, 4, 4, 8): channels last. The output is the sum over the
DIAGRAMS below of the matrix of the diagram applied to the input, its channels multiplied by the
row of the weight with the same number, plus a bias. The 3 diagrams are a basis of Hom(Sp(4), 2,
2): every linear map that commutes with the group is such a sum, in exactly one way.

init(key) makes parameters and apply(params, x) applies the layer: pure functions, to jit, vmap and
differentiate. Parameters have the layout of tannaka's own layer for PyTorch, and load(state) takes
them from its state dicts, as arrays. Run this file to check it against a dense reference.

Written by tannaka 0.1.0; needs only jax.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

N, ORDER_IN, ORDER_OUT, C_IN, C_OUT = 4, 2, 2, 1, 8
BASIS = "tannaka 1: order 2 -> 2, 3 + 1 diagrams, reduce=mean, sha256 1bf23bf6901e2b25"

Floats = NDArray[Any]
Params = dict[str, Array]
Diagram = tuple[int, ...]
# Row i of the weight multiplies diagram i: the block of each output, then of each input.
DIAGRAMS: tuple[Diagram, ...] = (
    (0, 0, 1, 1),  # 0 1 | 2 3: y[ij] += - W0 mean over kl of ω[ij] ω[kl] x[kl]
    (0, 1, 0, 1),  # 0 2 | 1 3: y[ij] += W1 x[ij]
    (0, 1, 1, 0),  # 0 3 | 1 2: y[ij] += - W2 x[ji]
)
# The same for the bias: diagrams without inputs.
BIAS_DIAGRAMS: tuple[Diagram, ...] = ((0, 0),)  # 0 1: y[ij] += - b0 ω[ij]


def symplectic(n: int, dtype: Any) -> Array:
    """The symplectic form: 1 from index 2i to 2i + 1, -1 back, and 0 elsewhere."""
    return jnp.kron(jnp.eye(n // 2, dtype=dtype), jnp.array([[0, 1], [-1, 0]], dtype=dtype))


SCALES = (1.0, 1.0, -1.0)


def linear(x: Array, weight: Array, bias: Array, n: int) -> Array:
    """Apply the layer to x of shape (*batch, n, n, in_channels)."""
    weight = weight * jnp.array(SCALES, dtype=weight.dtype)[:, None, None]
    form = symplectic(n, x.dtype)
    # 0 1: c0[] = mean over ij of ω[ij] x[ij]
    c0 = jnp.einsum("...ijc,ij->...c", x, form) / n
    # m0[ij] = W1 x[ij] - W2 x[ji]
    m0 = x @ weight[1].T + jnp.einsum("...ijc->...jic", x) @ weight[2].T
    # m1[] = W0 c0[] + b0
    m1 = c0 @ weight[0].T
    m1 = m1 + bias[0]
    # 0 1: m0[ij] += ω[ji] m1[]
    m0 = m0 + jnp.einsum("...c,ji->...ijc", m1, form)
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


def init(key: Array, dtype: Any = jnp.float32) -> Params:
    """The parameters of Sp4Linear2To2: weight of shape (3, 8, 1), bias of shape (1, 8).

    A bias of 0, and a weight that preserves variance on average for independent unit inputs.
    """
    shape = (len(DIAGRAMS), C_OUT, C_IN)
    weight = jax.random.uniform(key, shape, dtype, minval=-1.20605, maxval=1.20605)
    return {"weight": weight, "bias": jnp.zeros((len(BIAS_DIAGRAMS), C_OUT), dtype)}


def apply(params: Params, x: Array) -> Array:
    """Map (*batch, 4, 4, 1) to (*batch, 4, 4, 8)."""
    weight, bias = params["weight"], params["bias"]
    expected = (*(N,) * ORDER_IN, C_IN)
    if x.shape[-ORDER_IN - 1 :] != expected:
        raise ValueError(
            f"expected an input of shape (*batch, {', '.join(map(str, expected))}), got {x.shape}"
        )
    if x.dtype != weight.dtype:
        raise TypeError(f"the input is {x.dtype}, the weight {weight.dtype}")
    return linear(x, weight, bias, N)


def state_dict(params: Params) -> dict[str, NDArray[Any]]:
    """The parameters as arrays of NumPy, and which basis the rows of the weight belong to."""
    found = {name: np.asarray(value) for name, value in params.items()}
    return found | {"_extra_state": np.frombuffer(BASIS.encode(), np.uint8)}


def load(state: Mapping[str, Any], dtype: Any = jnp.float32) -> Params:
    """Parameters from a state dict of any of tannaka's layers, as arrays.

    Raises ValueError for one of another basis, or with arrays of other names or shapes.
    """
    ours = state_dict(init(jax.random.key(0)))
    return {name: jnp.asarray(value, dtype) for name, value in checked(state, ours).items()}


# The self-check, from the definition: slow, and sharing only the tables above.


def entries(labels: Diagram, n: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """The terms of a diagram: the index of each vertex, and what stands at this entry.

    The two vertices of a pair have one index where the pair goes across; else their indices are 2i
    and 2i + 1, with the sign of the form, or of its inverse above, and two pairs that cross change
    the sign.
    """
    # Around the diagram: outputs from left to right, then inputs back.
    around = [*range(ORDER_OUT), *reversed(range(ORDER_OUT, len(labels)))]
    pairs = [[v for v in around if labels[v] == label] for label in set(labels)]
    within = [sorted(pair) for pair in pairs if not min(pair) < ORDER_OUT <= max(pair)]
    crossings = sum(
        around.index(p) < around.index(r) < around.index(q) < around.index(s)
        for (p, q), (r, s) in itertools.permutations(pairs, 2)
    )
    for values in itertools.product(range(n), repeat=len(set(labels))):
        indices = [values[label] for label in labels]
        value = (-1) ** crossings
        for a, b in within:
            indices[b] ^= 1
            above, even = b < ORDER_OUT, indices[a] % 2 == 0
            value *= -1 if above == even else 1
        yield tuple(indices), value


def dense(labels: Diagram, n: int) -> Floats:
    """The matrix of a diagram, a row for each index of the output."""
    matrix = np.zeros((n,) * len(labels))
    for indices, value in entries(labels, n):
        matrix[indices] += value
    return matrix.reshape(n**ORDER_OUT, -1)


def reference(x: Floats, weight: Floats, bias: Floats, n: int) -> Floats:
    """The layer by its definition, for x with one batch axis."""
    flat = x.reshape(len(x), n**ORDER_IN, -1)
    y = np.zeros((len(x), n**ORDER_OUT, weight.shape[1]))
    for diagram, w in zip(DIAGRAMS, weight, strict=True):
        matrix = dense(diagram, n)
        # The mean: divide by the number of terms that an output sums.
        matrix /= abs(matrix).sum(1).max()
        y = y + np.einsum("pq,bqi,oi->bpo", matrix, flat, w)
    for diagram, b in zip(BIAS_DIAGRAMS, bias, strict=True):
        y = y + dense(diagram, n) * b
    return y.reshape(len(x), *(n,) * ORDER_OUT, -1)


def random_element(n: int, rng: np.random.Generator) -> Floats:
    """A random symplectic matrix of norm at most 3: the Cayley transform of an algebra element."""
    # The form is 1 from index 2i to 2i + 1 and -1 back.
    form = np.kron(np.eye(n // 2), np.array([[0.0, 1.0], [-1.0, 0.0]]))
    symmetric = rng.standard_normal((n, n))
    algebra: Floats = form @ (symmetric + symmetric.T)
    algebra /= 1 + 2 * np.linalg.norm(algebra, 2)
    element: Floats = np.linalg.solve(np.eye(n) - algebra, np.eye(n) + algebra)
    return element


def act(g: Floats, x: Floats, order: int) -> Floats:
    """Multiply each of the ``order`` axes between batch and channels by g."""
    for axis in range(1, order + 1):
        x = np.moveaxis(x, axis, -1) @ g.T
        x = np.moveaxis(x, -1, axis)
    return x


def check() -> None:
    """Stop with an error unless the layer is what this file says."""
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    rng = np.random.default_rng(0)

    def compare(what: str, got: Any, want: Any) -> None:
        error = float(abs(got - want).max()) / max(float(abs(want).max()), 1e-300)
        print(f"{what}: relative error {error:.1e}")
        if got.shape != want.shape or not error < 1e-12:
            raise SystemExit(f"FAILED: {what}")

    def inputs(n: int) -> list[Floats]:
        # Any channels do; unequal ones tell input from output.
        shapes = [(2, *(n,) * ORDER_IN, 5), (len(DIAGRAMS), 6, 5), (len(BIAS_DIAGRAMS), 6)]
        return [rng.standard_normal(shape) for shape in shapes]

    def each(x: Array, weight: Array, bias: Array, n: int) -> Array:
        return jax.vmap(lambda one: linear(one, weight, bias, n))(x)

    def loss(x: Array, weight: Array, bias: Array, target: Array, n: int) -> Array:
        return (linear(x, weight, bias, n) * target).sum()

    run, run_each = jax.jit(linear, static_argnums=3), jax.jit(each, static_argnums=3)
    gradients = jax.jit(jax.grad(loss, (0, 1, 2)), static_argnums=4)

    for n in (2, 4):
        x, weight, bias = inputs(n)
        want = reference(x, weight, bias, n)
        said = f"agrees with the dense reference at n = {n}"
        compare(said, run(x, weight, bias, n), want)
    compare("one by one", run_each(x, weight, bias, n), want)
    compare("with two", run(x[None], weight, bias, n), want[None])
    # Gradients, paired with a change of all arguments, are what it changes.
    dx, dweight, dbias = inputs(n)
    change = reference(dx, weight, 0 * bias, n) + reference(x, dweight, dbias, n)
    pairs = zip(gradients(x, weight, bias, want, n), (dx, dweight, dbias), strict=True)
    paired = sum(float((g * d).sum()) for g, d in pairs)
    total, size = (change * want).sum(), abs(change * want).sum()
    got, want = np.array([paired, size]), np.array([total, size])
    compare("and with its gradients", got, want)
    # At the layer's own size.
    n = 4
    x, weight, bias = inputs(n)
    g = random_element(n, rng)
    for _ in range(100):
        g = random_element(n, rng) if np.allclose(g, np.eye(len(g))) else g
    moved = run(act(g, x, ORDER_IN), weight, bias, n)
    want = act(g, np.asarray(run(x, weight, bias, n)), ORDER_OUT)
    compare("commutes with a random group element", moved, want)
    layer = jax.jit(apply)
    params = init(jax.random.key(0), jnp.float64)
    params = {name: jnp.array(rng.standard_normal(p.shape)) for name, p in params.items()}
    twin = load(state_dict(params), jnp.float64)
    x = rng.standard_normal((*(N,) * ORDER_IN, C_IN))
    want = run(x, params["weight"], params["bias"], N)
    compare("apply runs the same code", layer(params, jnp.array(x)), want)
    compare("state dicts carry the parameters", layer(twin, jnp.array(x)), want)
    print("Sp4Linear2To2 is what it says")


if __name__ == "__main__":
    check()
