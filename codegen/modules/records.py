"""What layers with a weight for each basis element have in common.

The state dict says which basis the rows belong to, and that is compared when it is read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.codegen.network import sizes as group_sizes
from tannaka.diagrams.diagram import natural
from tannaka.diagrams.errors import BasisMismatchError


class BasisModule(nn.Module):
    """A module with a row of weights for each basis element of a Hom space, as ``plan`` has them.

    Reading a state dict of another basis raises BasisMismatchError, before any parameter is read.
    """

    plan: Any
    hom: Hom
    weight: nn.Parameter
    bias: nn.Parameter | None

    @property
    def group(self) -> Group:
        """The group that the module commutes with."""
        return self.hom.group

    def _make_parameters(
        self, *channels: int, device: torch.device | str | None, dtype: torch.dtype | None
    ) -> None:
        """Make the weight, with entries of this shape for each row, and the bias; draw both."""
        if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise TypeError(f"the dtype must be a floating-point type, got {dtype!r}")
        rows = len(self.plan.basis)
        self.weight = nn.Parameter(torch.empty(rows, *channels, device=device, dtype=dtype))
        if self.plan.bias_basis is None:
            self.register_parameter("bias", None)
        else:
            rows = len(self.plan.bias_basis)
            self.bias = nn.Parameter(torch.empty(rows, channels[0], device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, uniform and such that variance is preserved on average; bias zero.

        For inputs with independent entries of mean 0 and variance 1, and of two inputs independent
        of each other, the entries of the output have variance 1 on average over the output.
        """
        bound = self.plan.initial_bound(self.group.n)
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def get_extra_state(self) -> Tensor:
        """Say in the state dict which basis the rows belong to, as the bytes of a text."""
        text = list(self.plan.signature().encode())
        return torch.tensor(text, dtype=torch.uint8, device="cpu")

    def set_extra_state(self, state: Any) -> None:
        """Nothing to set: the basis was compared before any parameter was read."""

    def _member(self, method: str, n: Any) -> tuple[int, ...]:
        """The size of the axes of each type where n is what the family leaves open."""
        sizes = group_sizes(self.group.n)
        if None in sizes and n is None:
            raise ValueError(f"layer.{method}(n=...) needs n for {self.group}")
        if None not in sizes and n is not None:
            raise ValueError(f"{self.group} has one n, so layer.{method}() takes none")
        given = group_sizes(n)
        if len(given) == 1:
            given *= len(sizes)
        if len(given) != len(sizes):
            raise ValueError(
                f"n must be a size, or one for each type of axis of {self.group}, got {n!r}"
            )
        return tuple(
            natural("n", new, least=1, what="the size of an axis") if size is None else size
            for size, new in zip(sizes, given, strict=True)
        )

    def _norms(self) -> list[float]:
        """The Frobenius norm of each row of the weight."""
        norms: list[float] = self.weight.detach().double().flatten(1).norm(dim=1).tolist()
        return norms

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        key = f"{prefix}_extra_state"
        theirs, ours = _text(state_dict[key]) if key in state_dict else None, self.plan.signature()
        if key in state_dict and theirs is None:
            raise BasisMismatchError(
                f"{key} of the state dict does not say which basis it was saved for: was it cast "
                "or averaged with the weights? Restore it, or delete it and load with strict=False"
            )
        if theirs not in (None, ours):
            raise BasisMismatchError(
                f"{key}: the state dict was saved for the basis {theirs!r}, this layer has "
                f"{ours!r}: build it with the same group, orders, basis, reduction and bias"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


def _text(state: Any) -> str | None:
    """The text that an extra state holds as bytes; None where it holds something else."""
    if not isinstance(state, Tensor) or state.dtype != torch.uint8 or state.ndim != 1:
        return None
    try:
        return bytes(state.tolist()).decode()
    except (UnicodeDecodeError, RuntimeError, NotImplementedError):
        return None
