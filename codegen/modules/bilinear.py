"""Bilinear equivariant layers as ``torch.nn.Module``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tannaka.category import functor
from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.codegen.backends.pairs import pair_kernel
from tannaka.codegen.explain import SHOWN, Explanation, explanation, layer_formats
from tannaka.codegen.lowering.pair_plan import Channels, PairPlan, plan_pair
from tannaka.codegen.modules.features import check_device
from tannaka.codegen.modules.masks import check_mask, masked_type, points_of, without_padding
from tannaka.codegen.modules.records import BasisModule
from tannaka.codegen.network import letters, open_types
from tannaka.codegen.network import sizes as network_sizes
from tannaka.codegen.notation import Reduce, shape
from tannaka.codegen.runtime.autograd import casting, uncast
from tannaka.codegen.runtime.build import build
from tannaka.diagrams.diagram import natural
from tannaka.diagrams.pictures.bundle import mimebundle


class EquivariantBilinear(BasisModule):
    """Every bilinear map V^k1 x V^k2 -> V^l that commutes with a group G, between channels.

    Maps ``(*batch, n, ..., n, in1_channels)`` with k1 axes of size n and
    ``(*batch, n, ..., n, in2_channels)`` with k2 of them to ``(*batch, n, ..., n, out_channels)``
    with l: the sum over the basis diagrams D of Hom_G(V^(k1 + k2), V^l) of ``weight[i]`` applied to
    pairs of channels of D applied to the product of the inputs, plus the same with the diagrams of
    Hom_G(V^0, V^l) and the bias. That product is never formed: see :mod:`tannaka.codegen.lowering.pair_plan`.

    * ``weight``: (dimension, out_channels, in1_channels, in2_channels), row i for ``hom.basis()[i]``.
      With ``channels="channelwise"``, for as many channels in both inputs, each meets only its own,
      and the weight is (dimension, out_channels, in1_channels)
    * ``bias``: (bias_dimension, out_channels), row i for ``Hom(G, 0, l).basis()[i]``; None without,
      and where that space is 0

    For O, SO, Sp and their products these are the nonlinear layers that need no norm: scalar, cross
    and matrix products are members. Linear maps between orders of different parity, which are all 0
    for O(n), come back as bilinear ones. With the same input twice, ``layer(x, x)``, some rows may
    do the same.

    Maps of three inputs and more are these one after the other: with order k1 + k2 between two of them
    and channels enough, every trilinear map that commutes with G is such a composite.

    With ``reduce="mean"`` each diagram is divided by the number of terms it sums, so that weights mean
    the same at every n; the bias is never scaled. Where no map but 0 commutes with the group the
    weight is empty, the layer is that map, and building it warns.

    Layers of a family, ``tannaka.S()`` or a product with it, read n from their inputs, and take a
    mask for inputs of several sizes padded to one. Derivatives of every order are those that PyTorch
    takes of plain operations, in eager mode, ``torch.compile(fullgraph=True)``, ``torch.export`` and
    ``torch.func``. The output has the dtype of the inputs, which must be that of the weight; under
    autocast it has autocast's.

    Raises TypeError and ValueError at construction for a group, orders, channels or reduction that
    make no sense; BackendError for automorphism groups of graphs and other permutation groups, whose
    layers have no diagrams to plan by, with the way to do without; when called, ValueError for inputs
    of another shape and TypeError for those of another dtype.
    Source: the basis from arXiv:2212.08648 for S(n), arXiv:2212.08630 for O(n), applied to a product.

    >>> from tannaka.category import SO
    >>> cross = EquivariantBilinear(SO(3), 1, 1, 1, 1, 1, 1)
    >>> _ = torch.nn.init.constant_(cross.weight, 2.0)
    >>> x, y = torch.randn(2, 7, 3, 1)
    >>> torch.allclose(cross(x, y), torch.linalg.cross(x, y, dim=-2), atol=1e-6)
    True
    """

    plan: PairPlan

    def __init__(
        self,
        group: Group,
        k1: Any,
        k2: Any,
        l: Any,
        in1_channels: int,
        in2_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        reduce: Reduce = "mean",
        channels: Channels = "full",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.plan = plan_pair(
            group,
            (k1, k2),
            l,
            (in1_channels, in2_channels),
            out_channels,
            bias=bias,
            reduce=reduce,
            pairing=channels,
        )
        self.hom = Hom(group, self.plan.dom, self.plan.cod)
        self._apply_plan = self._built()
        if not self.plan.basis:
            warnings.warn(
                f"{self.hom}: no bilinear map of orders {self.plan.domain} but 0 commutes with the "
                f"group, so this layer returns {'its bias alone' if self.plan.bias_basis else 'zeros'}",
                stacklevel=2,
            )
        each = self.plan.channels[:1] if self.plan.channelwise else self.plan.channels
        self._make_parameters(self.out_channels, *each, device=device, dtype=dtype)

    def _built(self) -> Callable[..., Tensor]:
        """The function that applies the plan, from its source text."""
        self.source = pair_kernel(self.plan)
        return uncast(build(self.source).apply)

    @property
    def in_orders(self) -> tuple[Any, Any]:
        """The orders of the inputs; for a product of groups their words of types."""
        return self.plan.orders

    @property
    def in_order(self) -> list[Any]:
        """The orders of the inputs as a list, as modules of several inputs say them."""
        return list(self.plan.orders)

    @property
    def in_channels(self) -> list[int]:
        """The channels of the inputs as a list."""
        return list(self.plan.channels)

    @property
    def out_order(self) -> Any:
        """The order of the output; for a product of groups its word of types."""
        return self.plan.cod

    @property
    def in1_channels(self) -> int:
        """The size of the first input's last axis."""
        return self.plan.channels[0]

    @property
    def in2_channels(self) -> int:
        """The size of the second input's last axis."""
        return self.plan.channels[1]

    @property
    def out_channels(self) -> int:
        """The size of the output's last axis."""
        return self.plan.out_channels

    def forward(
        self, x1: Tensor, x2: Tensor, mask: Tensor | None = None, *, n: int | None = None
    ) -> Tensor:
        """Map inputs (*batch, n, ..., n, channels) to one output (*batch, n, ..., n, out_channels).

        Both have the same batch shape: one that all share goes in as ``x.expand(*batch, ...)``,
        which copies nothing. Layers of a family such as S() read n from the inputs; where they have
        no such axis, ``n`` or the mask says it. ``mask``, of shape (*batch, n) and boolean, is True
        where a point is real: padded entries do not matter, they may be NaN, and the output and all
        gradients are 0 there.
        """
        for name, x in (("first", x1), ("second", x2)):
            if not isinstance(x, Tensor):
                raise TypeError(f"the {name} input must be a torch.Tensor, got {type(x).__name__}")
        sizes = self._sizes(x1, x2, mask, n)
        for name, x, types, order, channels in zip(
            ("first", "second"),
            (x1, x2),
            self.plan.pair,
            self.in_orders,
            self.plan.channels,
            strict=True,
        ):
            expected = (*(sizes[kind] for kind in types), channels)
            if x.ndim < len(expected) or tuple(x.shape[x.ndim - len(expected) :]) != expected:
                # What a family leaves open the first input has said when the second is looked at.
                known = x is x2 and x1.ndim > len(self.plan.pair[0])
                at = (sizes if len(sizes) > 1 else sizes[0]) if known else letters(self.group)
                raise ValueError(
                    f"{self.group} {self.plan.domain} -> {self.out_order} expects a {name} input of "
                    f"shape {shape(order, channels, at)}, channels last, got "
                    f"{tuple(x.shape)}"
                )
            if x.dtype != self.weight.dtype and not (casting(x) and x.is_floating_point()):
                raise TypeError(
                    f"the {name} input is {x.dtype}, the layer {self.weight.dtype}: "
                    "convert one of them with .to(dtype)"
                )
            check_device(f"{name} input", x, "layer", self.weight)
        batches = [
            tuple(x.shape[: x.ndim - 1 - len(types)])
            for x, types in zip((x1, x2), self.plan.pair, strict=True)
        ]
        if batches[0] != batches[1]:
            raise ValueError(
                f"the inputs have batches of shape {batches[0]} and {batches[1]}: give both the same, "
                "x.expand(...) repeats one without a copy"
            )
        x1, x2, weight, bias = self._cast(x1, x2)
        rest: tuple[Any, ...] = ()
        if mask is not None:
            kind = masked_type(self.group)
            x1, x2, ratio = self._hidden(x1, x2, mask, batches[0], kind, sizes[kind])
            rest = (ratio,)
        filled = tuple(size or 1 for size in sizes)
        if None in network_sizes(self.group.n) and 0 in sizes:
            # As for one point that a mask hides: sums and means over no points are 0.
            x1, x2 = (
                _filled(x, types, sizes) for x, types in zip((x1, x2), self.plan.pair, strict=True)
            )
        y: Tensor = self._apply_plan(
            x1, x2, weight, bias, filled if len(filled) > 1 else filled[0], *rest
        )
        if None in network_sizes(self.group.n) and 0 in sizes:
            for axis, other in enumerate(self.plan.outputs):
                y = y.narrow(len(batches[0]) + axis, 0, min(sizes[other], filled[other]))
            y = y.clone()
        if mask is None:
            return y
        return without_padding(y, mask, self.plan.outputs, kind)

    def _cast(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Inputs and parameters in one dtype: under autocast, the one it is set to."""
        given = [x1, x2, self.weight, *(() if self.bias is None else (self.bias,))]
        if casting(x1) and any(one.dtype != torch.float64 for one in given):
            dtype = torch.get_autocast_dtype(x1.device.type)
            given = [one.to(dtype) for one in given]
        x1, x2, weight, *bias = given
        return x1, x2, weight, bias[0] if bias else None

    def _hidden(
        self, x1: Tensor, x2: Tensor, mask: Tensor, batch: tuple[int, ...], kind: int, n: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs with zeros where the mask hides points, and n over how many it shows."""
        check_mask(mask, x1, batch, n)
        x1, x2 = (
            without_padding(x, mask, types, kind)
            for x, types in zip((x1, x2), self.plan.pair, strict=True)
        )
        count = mask.sum(-1).clamp(min=1).to(torch.promote_types(x1.dtype, torch.float32))
        return x1, x2, max(n, 1) / count

    def _sizes(self, x1: Tensor, x2: Tensor, mask: Tensor | None, n: int | None) -> tuple[int, ...]:
        """The size of the axes of each type, read from the inputs where the group leaves it open."""
        found = network_sizes(self.group.n)
        left = open_types(self.group)
        if not left:
            if mask is not None or n is not None:
                raise ValueError(
                    f"a mask and n are for layers of a family such as S(), this one is of "
                    f"{self.group}"
                )
            return found
        if n is not None and not isinstance(n, torch.SymInt):
            n = natural("n", n, least=0, what="a number of points")
        sizes = list(found)
        for kind in left:
            seen = [
                x.shape[x.ndim - 1 - len(types) + types.index(kind)]
                for x, types in zip((x1, x2), self.plan.pair, strict=True)
                if kind in types and x.ndim > len(types)
            ]
            if mask is not None and not seen:
                seen.append(points_of(mask))
            if n is not None:
                seen.append(n)
            if seen:
                sizes[kind] = seen[0]
            elif kind in self.plan.outputs:
                raise ValueError(
                    f"the inputs of {self.group} {self.plan.domain} -> {self.out_order} do not say "
                    "what n is: give layer(x1, x2, n=...), or a mask"
                )
            else:
                sizes[kind] = 1
            if n is not None and seen[0] != n:
                raise ValueError(
                    f"n is {n}, but the inputs or mask say that it is {seen[0]}: leave n out"
                )
        return tuple(sizes)

    def matrix(self, n: Any = None) -> Tensor:
        """The layer without its bias as one dense array, for reference.

        Of shape (out_channels, n**l, in1_channels, n**k1, in2_channels, n**k2), detached, in the
        dtype of the weight. For a layer of a family, n says for which member: the size of axes, of
        each type where they differ. Raises SizeError when it would take more than 2 GiB, ValueError
        where n is missing, or not needed.
        """
        at = self._member("matrix", n)
        rows, first, second = (
            math.prod(at[kind] for kind in word) for word in (self.plan.outputs, *self.plan.pair)
        )
        pairs = self.in1_channels * self.in2_channels
        functor.check_entries((rows, first * second), pairs * self.out_channels)
        weight = self.weight.detach().cpu().to(torch.float64).numpy()
        if self.plan.channelwise:
            weight = weight[..., None] * np.eye(self.in1_channels)
        total = np.zeros(
            (self.out_channels, rows, self.in1_channels, first, self.in2_channels, second)
        )
        for number, row in enumerate(weight):
            matrix = self.plan.matrix(number, at if len(at) > 1 else at[0])
            total += np.einsum("oab,pij->opaibj", row, matrix.reshape(rows, first, second))
        return torch.from_numpy(total).to(self.weight)

    def explain(self, *, n: Any = None, rows: int | None = SHOWN) -> Explanation:
        """What the layer does: its plan, and of each row of the weight what it does and how much.

        For each row its diagram, formula, the norm of its weight and its share of the output's
        variance; the ``rows`` that do most, None for all. ``n`` says for which member of a family.

        >>> from tannaka.category import SO
        >>> print(EquivariantBilinear(SO(3), 1, 1, 1, 1, 1, 1).explain())
        SO(3), order 1 x 1 -> 1, ...
          row  diagram  what it does ...
          0    [0 1 2]  y[i] += W0 mean over jk of ε[ijk] x1[j] x2[k]...
        """
        at = None if n is None else self._member("explain", n)
        return explanation(self.plan, self._norms(), (), n=at, rows=rows)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        formats = layer_formats(self, lambda rows: self.explain(rows=rows))
        return mimebundle(formats, include, exclude)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the layer's ``repr``."""
        parts = [
            f"{self.group}, {self.in_orders[0]}, {self.in_orders[1]}, {self.out_order}",
            f"in1_channels={self.in1_channels}, in2_channels={self.in2_channels}",
            f"out_channels={self.out_channels}, bias={self.bias is not None}",
        ]
        if self.plan.channelwise:
            parts.append("channels='channelwise'")
        if self.plan.reduce != "mean":
            parts.append(f"reduce={self.plan.reduce!r}")
        return ", ".join([*parts, f"{self.plan.kind}={len(self.plan.basis)}"])

    def __getstate__(self) -> dict[str, Any]:
        # A compiled function does not pickle; its source does.
        return {name: value for name, value in self.__dict__.items() if name != "_apply_plan"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._apply_plan = self._built()


def _filled(x: Tensor, types: tuple[int, ...], sizes: tuple[int, ...]) -> Tensor:
    """An input with one point of zeros on each axis that has none."""
    if all(sizes[kind] for kind in types):
        return x
    batch = x.shape[: x.ndim - 1 - len(types)]
    # Its sum is 0, and lets autograd see it.
    return x.new_zeros((*batch, *(sizes[kind] or 1 for kind in types), x.shape[-1])) + x.sum()
