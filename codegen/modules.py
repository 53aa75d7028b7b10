"""Stage 5, modules: equivariant layers as ``torch.nn.Module``."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tannaka.category import functor
from tannaka.category.group import Group
from tannaka.category.hom import Hom
from tannaka.codegen.backends import backend as find_backend
from tannaka.codegen.backends.einsum import shape
from tannaka.codegen.build import build
from tannaka.codegen.lower import lower
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import Plan, Reduce, signature, terms_summed
from tannaka.codegen.standalone import initial_bound
from tannaka.diagrams.errors import BasisMismatchError


class EquivariantLinear(nn.Module):
    """Every linear map V^k -> V^l that commutes with a group G, between channels.

    Maps ``(*batch, n, ..., n, in_channels)`` with k axes of size n to
    ``(*batch, n, ..., n, out_channels)`` with l of them: the sum over the basis diagrams D of
    Hom_G(V^k, V^l) of ``weight[i]`` applied to the channels of D applied to the input, plus the
    same with the diagrams of Hom_G(V^0, V^l) and the bias.

    * ``weight``: (dimension, out_channels, in_channels), row i for ``hom.basis()[i]``
    * ``bias``: (bias_dimension, out_channels), row i for ``Hom(G, 0, l).basis()[i]``; None without

    With ``reduce="mean"`` each diagram is divided by the number of terms that it sums, so that
    weights mean the same at every n; the bias is never scaled. Where no map but 0 commutes with the
    group (O(n) with k + l odd) the weight is empty, the layer is that map, and building it warns.

    Raises TypeError and ValueError at construction for a group, orders, channels or reduction that
    make no sense, BackendError for an unknown backend; when called, ValueError for an input of
    another shape and TypeError for one of another dtype.
    Source: arXiv:2212.08648 for S(n), arXiv:2212.08630 for O(n); the fast application after
    arXiv:2304.14165.

    >>> from tannaka.category import S
    >>> layer = EquivariantLinear(S(5), 2, 1, in_channels=3, out_channels=4)
    >>> layer(torch.randn(7, 5, 5, 3)).shape
    torch.Size([7, 5, 4])
    >>> layer.weight.shape, layer.bias.shape
    (torch.Size([5, 4, 3]), torch.Size([1, 4]))
    """

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        group: Group,
        k: int,
        l: int,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        backend: str = "auto",
        reduce: Reduce = "mean",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.hom = Hom(group, k, l)
        self.backend = backend
        write = find_backend(backend)
        self.plan: Plan = optimise(
            lower(self.hom, in_channels, out_channels, bias=bias, reduce=reduce)
        )
        self.source = write(self.plan)
        self._apply_plan = build(self.source)
        if not self.plan.basis:
            warnings.warn(
                f"{self.hom}: no linear map but 0 commutes with the group, so this layer "
                f"{'returns its bias alone' if self.plan.bias_basis else 'returns zeros'}",
                stacklevel=2,
            )
        rows = len(self.plan.basis)
        self.weight = nn.Parameter(
            torch.empty(rows, self.out_channels, self.in_channels, device=device, dtype=dtype)
        )
        if self.plan.bias_basis is None:
            self.register_parameter("bias", None)
        else:
            rows = len(self.plan.bias_basis)
            self.bias = nn.Parameter(
                torch.empty(rows, self.out_channels, device=device, dtype=dtype)
            )
        self.reset_parameters()

    @property
    def group(self) -> Group:
        """The group that the layer commutes with."""
        return self.hom.group

    @property
    def in_order(self) -> int:
        """The order of the input."""
        return self.hom.k

    @property
    def out_order(self) -> int:
        """The order of the output."""
        return self.hom.l

    @property
    def in_channels(self) -> int:
        """The size of the input's last axis."""
        return self.plan.in_channels

    @property
    def out_channels(self) -> int:
        """The size of the output's last axis."""
        return self.plan.out_channels

    def reset_parameters(self) -> None:
        """Draw new weights, uniform and such that variance is preserved on average; bias zero.

        For inputs with independent entries of mean 0 and variance 1 the entries of the output have
        variance 1 on average over the output.
        """
        bound = initial_bound(self.plan, self.group.n)
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (*batch, n, ..., n, in_channels) to (*batch, n, ..., n, out_channels)."""
        n = self.group.n
        expected = (n,) * self.in_order + (self.in_channels,)
        if x.ndim < len(expected) or tuple(x.shape[x.ndim - len(expected) :]) != expected:
            raise ValueError(
                f"{self.group} {self.in_order} -> {self.out_order} expects an input of shape "
                f"{shape(self.in_order, self.in_channels, n)}, channels last, got {tuple(x.shape)}"
            )
        if x.dtype != self.weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise TypeError(
                f"the input is {x.dtype}, the layer {self.weight.dtype}: "
                "convert one of them with .to(dtype)"
            )
        parameters = (self.weight,) if self.bias is None else (self.weight, self.bias)
        y: Tensor = self._apply_plan(x, *parameters, n)
        return y

    def matrix(self) -> Tensor:
        """The layer without its bias as one dense array, for reference.

        Of shape (out_channels, n**l, in_channels, n**k), detached, in the dtype of the weight.
        Raises SizeError when it would take more than 2 GiB.
        """
        n = self.group.n
        functor.check_size(self.in_channels * self.out_channels, n, self.in_order, self.out_order)
        weight = self.weight.detach().cpu().to(torch.float64).numpy()
        shape = (self.out_channels, n**self.out_order, self.in_channels, n**self.in_order)
        total = np.zeros(shape)
        for diagram, row in zip(self.plan.basis, weight, strict=True):
            terms = n ** terms_summed(diagram) if self.plan.reduce == "mean" else 1
            total += np.einsum("oi,pq->opiq", row, functor.matrix(diagram, n) / terms)
        return torch.from_numpy(total).to(self.weight)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the layer's ``repr``."""
        parts = [
            f"{self.group}, {self.in_order}, {self.out_order}",
            f"in_channels={self.in_channels}",
        ]
        parts.append(f"out_channels={self.out_channels}")
        parts.append(f"bias={self.bias is not None}")
        if self.plan.reduce != "mean":
            parts.append(f"reduce={self.plan.reduce!r}")
        return ", ".join([*parts, f"diagrams={len(self.plan.basis)}"])

    def get_extra_state(self) -> Tensor:
        """Say in the state dict which basis the rows belong to, as the bytes of a text."""
        return torch.tensor(list(signature(self.plan).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Nothing to set: the basis was compared before any parameter was read."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(f"{prefix}_extra_state")
        if saved is not None:
            theirs, ours = bytes(saved.tolist()).decode(), signature(self.plan)
            if theirs != ours:
                raise BasisMismatchError(
                    f"the state dict was saved for the basis {theirs!r}, this layer has {ours!r}: "
                    "build the layer with the same orders, diagrams and reduction"
                )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def __getstate__(self) -> dict[str, Any]:
        # A compiled function does not pickle; its source does.
        return {name: value for name, value in self.__dict__.items() if name != "_apply_plan"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._apply_plan = build(self.source)
