"""Layers of every group against the dense oracle: which cases there are, and both sides of the law.

A diagram goes to ``oracles.py`` as data, its blocks and legs, and comes back as a matrix; what a layer
is to compute is one product with these, and PyTorch differentiates that.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import Piece, layer_matrices
from torch import Tensor

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.category.product import Product
from tannaka.category.symplectic import Sp
from tannaka.diagrams.grood import Grood
from tannaka.diagrams.jellyfish import Jellyfish
from tannaka.diagrams.typed import Typed
from tannaka.nn import EquivariantLinear

Array = NDArray[Any]

NAMES = [
    *(f"S({n})" for n in range(1, 6)),
    *(f"A({n})" for n in range(1, 6)),
    *(f"H({n})" for n in range(1, 4)),
    *(f"O({n})" for n in range(1, 5)),
    *(f"SO({n})" for n in range(1, 6)),
    *(f"Sp({n})" for n in (2, 4)),
]
"""Of every kind, with every n that is small, odd or less than the number of axes."""

PRODUCTS: list[tuple[str, Any, Any]] = [
    ("S(3) x O(2)", (0, 1, 1), (1, 0, 1)),
    ("S(3) x O(2)", (1, 0, 0), (0,)),
    ("S(2) x Sp(2)", (1, 0, 1), (0, 1, 1)),
    ("S(2) x Sp(2)", (1, 1), ()),
    ("S(2) x Sp(2)", (), (1, 1)),
    ("SO(2) x A(3)", (1, 0, 1), (1, 0, 0)),
    ("SO(2) x A(3)", (1, 1), (0, 1, 0)),
    ("SO(2) x SO(3)", (1, 0, 1), (1, 0)),
    ("SO(2) x SO(2)", (0, 1), (1, 0)),
    ("A(2) x A(3)", (0, 1, 1), (1, 0)),
    ("A(2) x A(2)", (0, 1, 0), (1, 1, 0)),
    ("A(1) x SO(1)", (0, 1, 1), (1, 0)),
    ("Sp(2) x Sp(4)", (0, 1), (1, 0)),
    ("Sp(2) x Sp(2)", (0, 1, 0), (1, 0, 0)),
    ("Sp(2) x SO(2)", (0, 1, 0, 1), ()),
    ("Sp(2) x SO(2)", (), (1, 0, 0, 1)),
    ("S(4) x S(2) x S(3)", (0, 1, 2), (2, 0)),
    ("O(3) x Sp(2) x S(2)", (2, 1, 0), (0, 1, 2)),
    ("O(3) x Sp(2) x S(2)", (0, 0, 1, 1), (2,)),
    ("SO(2) x A(2) x Sp(2)", (0, 1, 2), (2, 0, 1)),
    ("S(2) x S(3)", (), ()),
    ("S(2) x O(3)", (), (1, 0)),
    ("O(3) x O(2)", (0,), (1,)),
]
"""Products with a word of types for the input and one for the output."""


def homs(most: int = 3) -> list[tn.Hom]:
    """The Hom spaces of all named groups between orders up to ``most``, and those of products."""
    found = [
        tn.Hom(tn.group(name), k, l)
        for name, k, l in product(NAMES, range(most + 1), range(most + 1))
    ]
    return found + [tn.Hom(tn.group(name), k, l) for name, k, l in PRODUCTS]


def kinds() -> list[str]:
    """Every group that has cases."""
    return [*NAMES, *dict.fromkeys(name for name, _, _ in PRODUCTS)]


def homs_of(name: str, most: int = 3) -> list[tn.Hom]:
    """The Hom spaces of one group among :func:`homs`."""
    return [hom for hom in homs(most) if str(hom.group) == name]


def entries(hom: tn.Hom) -> int:
    """How many entries the matrices of all basis diagrams have."""
    shape = hom.group.shape(hom.l) + hom.group.shape(hom.k)
    return int(np.prod(shape, dtype=int)) * max(1, hom.dimension)


@st.composite
def any_homs(draw: st.DrawFn, types: int = 3, most: int = 3) -> tn.Hom:
    """Hom spaces of groups of every kind and of products of them, small enough to write out."""
    many = draw(st.integers(1, types))
    groups = [draw(st.sampled_from(_SMALL)) for _ in range(many)]
    if many == 1:
        return tn.Hom(groups[0], draw(st.integers(0, most)), draw(st.integers(0, most)))
    words = st.lists(st.integers(0, many - 1), max_size=most).map(tuple)
    hom = tn.Hom(Product(tuple(groups)), draw(words), draw(words))
    while entries(hom) > 200_000:
        hom = tn.Hom(hom.group, hom.k[1:], hom.l[1:])
    return hom


_SMALL: list[Any] = [
    tn.group(name)
    for name in (
        *("S(1)", "S(2)", "S(3)", "S(4)", "A(1)", "A(2)", "A(3)", "A(4)", "O(1)", "O(2)", "O(3)"),
        *("SO(1)", "SO(2)", "SO(3)", "SO(4)", "Sp(2)", "Sp(4)"),
    )
]


def word(order: Any) -> tuple[int, ...]:
    """The type of each axis."""
    return (0,) * order if isinstance(order, int) else tuple(order)


def sizes(group: Group) -> tuple[int, ...]:
    """The size of the axes of each type."""
    n: Any = group.n
    return tuple(n) if isinstance(n, Sequence) else (n,)


def pieces(diagram: Any, group: Any) -> tuple[Piece, ...]:
    """A diagram as data for the oracle, a piece for each type of axis."""
    if isinstance(diagram, Typed):
        parts = zip(diagram.parts, group.factors, strict=True)
        return tuple(piece for part, factor in parts for piece in pieces(part, factor))
    if isinstance(diagram, Grood):
        return (Piece((*diagram.pairs, *((leg,) for leg in diagram.legs)), diagram.legs),)
    if isinstance(diagram, Jellyfish):
        blocks = diagram.blocks
        legs = tuple(None if leg is None else blocks[leg][0] for leg in diagram.legs)
        return (Piece(blocks, legs),)
    return (Piece(diagram.blocks, symplectic=isinstance(group, Sp)),)


@lru_cache(maxsize=64)
def matrices(hom: tn.Hom, reduce: str = "sum") -> Array:
    """What each row of the weight multiplies, of shape (dimension, n**l, n**k), from the oracle."""
    found = [pieces(diagram, hom.group) for diagram in hom.basis()]
    return layer_matrices(found, word(hom.k), word(hom.l), sizes(hom.group), reduce == "mean")


def bias_hom(hom: tn.Hom) -> tn.Hom:
    """The Hom space whose basis the rows of the bias belong to."""
    unit: Any = 0 if isinstance(hom.l, int) else ()
    return tn.Hom(hom.group, unit, hom.l)


def defined(hom: tn.Hom, reduce: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A layer by its definition: one product with the matrices of the oracle."""
    group: Any = hom.group
    batch = x.shape[: x.ndim - 1 - len(word(hom.k))]
    inputs = int(np.prod(group.shape(hom.k), dtype=int))
    stack = torch.from_numpy(matrices(hom, reduce)).to(x.dtype)
    flat = x.reshape(*batch, inputs, x.shape[-1])
    # The large stack meets the weight first, and then one input after the other.
    whole = torch.einsum("rpq,roi->poqi", stack, weight)
    y = torch.einsum("poqi,...qi->...po", whole, flat)
    if bias is not None:
        vectors = torch.from_numpy(matrices(bias_hom(hom))[:, :, 0]).to(x.dtype)
        y = y + torch.einsum("rp,ro->po", vectors, bias)
    return y.reshape(*batch, *group.shape(hom.l), weight.shape[1])


def arguments(
    hom: tn.Hom, in_channels: int, out_channels: int, bias: bool, batch: tuple[int, ...] = (2,)
) -> list[Tensor]:
    """Random input, weight and perhaps bias, in float64, that ask for gradients."""
    rng = np.random.default_rng(hom.dimension)
    shapes = [
        (*batch, *hom.group.shape(hom.k), in_channels),
        (hom.dimension, out_channels, in_channels),
    ]
    if bias and bias_hom(hom).dimension:
        shapes.append((bias_hom(hom).dimension, out_channels))
    return [torch.from_numpy(rng.standard_normal(s)).requires_grad_() for s in shapes]


def derivatives(run: Any, given: Sequence[Tensor], g: Tensor) -> dict[str, Tensor]:
    """The output, its gradients for g, and those of a random function of gradients and g.

    The last are all second derivatives of a trilinear function, and so of a layer.
    """
    g = g.detach().requires_grad_()
    names = ("input", "weight", "bias")[: len(given)]
    y = run(*given)
    first = torch.autograd.grad(y, given, g, create_graph=True, materialize_grads=True)
    rng = np.random.default_rng(1)
    total = g.new_zeros(())
    for part in first:
        total = total + (torch.from_numpy(rng.standard_normal(part.shape)) * part).sum()
    second = torch.autograd.grad(total, (*given, g), materialize_grads=True)
    return {
        "output": y,
        **{f"gradient of the {name}": part for name, part in zip(names, first, strict=True)},
        **{
            f"second gradient of the {name}": part
            for name, part in zip((*names, "gradient"), second, strict=True)
        },
    }


@dataclass(frozen=True)
class Cases:
    """A layer's task with random numbers, and what the oracle makes of them."""

    hom: tn.Hom
    x: Array
    weight: Array
    bias: Array | None
    g: Array
    """The gradient of the output."""
    settings: dict[str, Any]
    wanted: dict[str, Tensor]
    """What :func:`derivatives` gives."""

    @classmethod
    def of(
        cls,
        hom: tn.Hom,
        *,
        bias: bool = True,
        reduce: str = "mean",
        in_channels: int = 2,
        out_channels: int = 3,
    ) -> Cases:
        """One with two inputs."""
        given = arguments(hom, in_channels, out_channels, bias)
        shape = (2, *hom.group.shape(hom.l), out_channels)
        g = torch.from_numpy(np.random.default_rng(2).standard_normal(shape))

        def call(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
            return defined(hom, reduce, x, weight, bias)

        x, weight, *rest = (one.detach().numpy() for one in given)
        wanted = derivatives(call, given, g)
        settings = {"bias": bias, "reduce": reduce}
        return cls(hom, x, weight, rest[0] if rest else None, g.numpy(), settings, wanted)

    @property
    def in_channels(self) -> int:
        return int(self.weight.shape[2])

    @property
    def out_channels(self) -> int:
        return int(self.weight.shape[1])


def assert_equal(got: dict[str, Any], wanted: dict[str, Any], about: object = "") -> None:
    """All of these arrays are equal up to rounding, relative to the largest entry."""
    assert got.keys() == wanted.keys()
    for name, right in wanted.items():
        left, right = (
            np.asarray(one.detach() if isinstance(one, Tensor) else one)
            for one in (got[name], right)
        )
        assert left.shape == right.shape, f"{about}: {name}"
        scale = max(1.0, np.abs(right).max(initial=0))
        assert np.abs(left - right).max(initial=0) <= 1e-11 * scale, f"{about}: {name}"


def quiet_layer(*args: Any, **options: Any) -> EquivariantLinear:
    """A float64 layer with random parameters, also where there is no map but 0."""
    options.setdefault("dtype", torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        layer = EquivariantLinear(*args, **options)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def random_input(layer: EquivariantLinear, *batch: int) -> Tensor:
    """A random input of a layer, in the dtype of its weight."""
    shape = (*batch, *layer.group.shape(layer.in_order), layer.in_channels)
    return torch.randn(shape, dtype=layer.weight.dtype)


def calling(layer: EquivariantLinear) -> Any:
    """The layer as a function of input and parameters."""
    names = [name for name, _ in layer.named_parameters()]

    def call(x: Tensor, *parameters: Tensor) -> Tensor:
        values = dict(zip(names, parameters, strict=True))
        result: Tensor = torch.func.functional_call(layer, values, (x,))
        return result

    return call


def settings_of(hom: tn.Hom) -> Iterator[tuple[bool, str]]:
    """Bias or not, and a reduction: two of the four, others for the next orders."""
    odd = (len(word(hom.k)) + len(word(hom.l))) % 2
    yield True, ("mean", "sum")[odd]
    yield False, ("sum", "mean")[odd]
