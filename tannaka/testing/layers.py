"""Hypothesis strategies: Hom spaces, features that a group acts on, and layers with inputs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tannaka.category import Group, Hom, Product
from tannaka.testing.groups import groups as any_groups
from tannaka.testing.groups import products

if TYPE_CHECKING:
    from torch import Tensor

    from tannaka.codegen.modules.linear import EquivariantLinear

MOST_ENTRIES = 100_000
"""Most entries that the matrices of all basis diagrams of a drawn Hom space have together."""


@st.composite
def homs(draw: st.DrawFn, group: Group | None = None, most: int = 3) -> Hom:
    """Hom spaces of a group, or of groups of every kind and products of two, orders up to ``most``.

    Small enough to write their matrices out, unless one axis each is too large for that already.
    """
    if group is None:
        group = draw(st.one_of(any_groups(4), products()))
    if isinstance(group, Product):
        kinds = st.integers(0, len(group.factors) - 1)
        words: st.SearchStrategy[Any] = st.lists(kinds, max_size=most).map(tuple)
        # Zero maps alone are a rare thing to want: mostly the axes of one side are those of the other.
        k = draw(words)
        l = draw(st.one_of(st.permutations(k).map(tuple), words))
    else:
        k, l = draw(st.integers(0, most)), draw(st.integers(0, most))
    hom = Hom(group, k, l)
    while _entries(hom) > MOST_ENTRIES and hom.k:
        hom = Hom(group, hom.k - 1 if isinstance(hom.k, int) else hom.k[1:], hom.l)
    return hom


def _entries(hom: Hom) -> int:
    sizes = hom.group.shape(hom.l) + hom.group.shape(hom.k)
    return prod(sizes) * max(1, hom.dimension)


@st.composite
def features(
    draw: st.DrawFn, group: Group, order: Any, channels: int = 2, batch: Sequence[int] = (2,)
) -> NDArray[np.float64]:
    """Arrays of shape (*batch, axes, channels) in float64: standard normal, or whole numbers.

    Whole numbers are mostly 0 and have ties, which standard normals never show.
    """
    shape = (*batch, *group.shape(group.word("order", order)), channels)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        whole = rng.integers(-1, 2, shape) * rng.integers(0, 2, shape)
        return whole.astype(np.float64)
    return rng.standard_normal(shape)


@st.composite
def layers(
    draw: st.DrawFn, /, group: Group | None = None, most: int = 2, **options: Any
) -> EquivariantLinear:
    """Layers ``tannaka.nn.EquivariantLinear`` with random weights, bias or not, mean or sum.

    Of the spaces that :func:`homs` draws, in float64; ``options`` are those of the layer. Needs torch.
    """
    import torch

    from tannaka.codegen.modules.linear import EquivariantLinear

    hom = draw(homs(group, most))
    drawn: dict[str, Any] = {
        "in_channels": draw(st.integers(1, 3)),
        "out_channels": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "reduce": draw(st.sampled_from(["mean", "sum"])),
        "dtype": torch.float64,
    }
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    with warnings.catch_warnings():
        # Spaces without a map but 0 are meant to be among them.
        warnings.filterwarnings("ignore", message=".*no linear map but 0", category=UserWarning)
        layer = EquivariantLinear(hom.group, hom.k, hom.l, **(drawn | options))
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return layer


@st.composite
def layers_with_inputs(
    draw: st.DrawFn,
    /,
    group: Group | None = None,
    most: int = 2,
    batch: Sequence[int] = (2,),
    **options: Any,
) -> tuple[EquivariantLinear, Tensor]:
    """Pairs of a layer, as :func:`layers` draws it, and an input of it."""
    import torch

    layer = draw(layers(group, most, **options))
    x = draw(features(layer.group, layer.in_order, layer.in_channels, batch))
    return layer, torch.from_numpy(x).to(layer.weight)
