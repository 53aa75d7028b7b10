"""Masks of a family's points: which are real, where inputs of several sizes are padded to one."""

from __future__ import annotations

import torch
from torch import Tensor

from tannaka.category.groups import Group
from tannaka.codegen.modules.features import check_device
from tannaka.codegen.network import Word, open_types


def masked_type(group: Group) -> int:
    """The type of axis whose points a mask tells of; ValueError unless the group leaves one open."""
    left = open_types(group)
    if len(left) != 1:
        raise ValueError(
            f"a mask is of one family's points, such as those of S(); {group} has {len(left) or 'none'}"
        )
    return left[0]


def points_of(mask: object) -> int:
    """How many points a mask is of, real or not; TypeError or ValueError for what is no mask."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        found = f" of {mask.dtype}" if hasattr(mask, "dtype") else ""
        raise TypeError(
            "the mask must be a boolean tensor, True where a point is real, got "
            f"{type(mask).__name__}{found}"
        )
    if not mask.ndim:
        raise ValueError("the mask must have shape (*batch, n), got ()")
    return mask.shape[-1]


def check_mask(mask: Tensor, x: Tensor, batch: tuple[int, ...], n: int | None) -> None:
    """Raise TypeError or ValueError unless a mask is of the points of an input x, any n for None.

    That is boolean, of shape (*batch, n), and on the device of the input.
    """
    points_of(mask)
    found, wanted = tuple(mask.shape), (*batch, "n" if n is None else n)
    if (found[:-1], len(found)) != (batch, len(wanted)) or n not in (None, found[-1]):
        raise ValueError(f"the mask must have shape (*batch, n) = {wanted}, got {found}")
    check_device("mask", mask, "input", x)


def real_points(mask: Tensor, types: Word, kind: int) -> Tensor:
    """Where all points of a tensor with axes of these types are real; with an axis for channels."""
    batch = mask.shape[:-1]
    found = torch.ones((), dtype=torch.bool, device=mask.device)
    for axis, other in enumerate(types):
        if other == kind:
            sizes = [1] * len(types)
            sizes[axis] = mask.shape[-1]
            found = found & mask.reshape(*batch, *sizes, 1)
    return found


def without_padding(x: Tensor, mask: Tensor, types: Word, kind: int) -> Tensor:
    """A tensor with axes of these types, 0 where no point is real, whatever stood there."""
    return torch.where(real_points(mask, types, kind), x, x.new_zeros(()))
