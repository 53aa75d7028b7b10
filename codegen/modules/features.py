"""What a tensor of features is: a group acts on some of its axes, the last one has the channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tannaka.category.groups import Group
from tannaka.codegen.network import channel_count, letters, word
from tannaka.codegen.notation import shape


@dataclass(frozen=True)
class Features:
    """Features of a group: tensors of shape (*batch, n, ..., n, channels) with ``order`` axes of n.

    For a product of groups ``order`` is the word with the type of each axis. Raises TypeError or
    ValueError for what is no group, order or number of channels.

    >>> from tannaka.category import O
    >>> print(Features(O(3), 2, 8))
    O(3) order 2, 8 channels: (*batch, 3, 3, 8)
    """

    group: Group
    order: Any
    channels: int

    def __post_init__(self) -> None:
        if not isinstance(self.group, Group):
            raise TypeError(
                f"expected a group such as S(5) or O(3), got {self.group!r}; "
                "tannaka.group('S(5)') finds one by its name"
            )
        object.__setattr__(self, "order", self.group.word("order", self.order))
        channels = channel_count("channels", self.channels)
        object.__setattr__(self, "channels", channels)

    @property
    def axes(self) -> int:
        """How many axes the group acts on: those before the last."""
        return len(word(self.order))

    @property
    def shape(self) -> str:
        """The shape as text, sizes that a family leaves open as letters."""
        return shape(self.order, self.channels, letters(self.group))

    def __str__(self) -> str:
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{self.group} order {self.order}, {channels}: {self.shape}"


def check_features(*given: Any) -> None:
    """Raise TypeError unless all are features."""
    for one in given:
        if not isinstance(one, Features):
            raise TypeError(f"expected tn.nn.Features(group, order, channels), got {one!r}")


def check_device(name: str, x: Tensor, other: str, like: Tensor) -> None:
    """Raise ValueError unless two tensors are on one device."""
    if x.device != like.device:
        raise ValueError(
            f"the {name} is on {x.device}, the {other} on {like.device}: move one of them with "
            ".to(device)"
        )
