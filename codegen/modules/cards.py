"""Networks as notebooks show them: their steps, and the features between these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from torch import nn

from tannaka.codegen.modules.features import Features
from tannaka.codegen.plan_picture import MIX, Box, boxes_svg
from tannaka.diagrams.pictures.bundle import HTML, PLAIN, inline, sheet, table

MOST_STEPS = 40
"""A network of more steps has a table, but no picture."""


@dataclass(frozen=True, slots=True)
class Made:
    """Features, their name in the network, and the module and the features that they are made of."""

    name: str
    features: Features
    module: nn.Module | None = None
    reads: tuple[str, ...] = ()
    output: bool = False
    """Whether the network gives it, where it makes things by name."""


def network_formats(net: Any, made: Sequence[Made]) -> dict[str, Callable[[], str]]:
    """The formats that a notebook is given of a network: a table, and where it has branches a picture.

    >>> from tannaka.category import S
    >>> net, features = nn.Identity(), Features(S(5), 1, 2)
    >>> made = [Made("u", features), Made("v", features), Made("y", features, net, ("u", "v"))]
    >>> network_formats(net, made)["text/html"]().count("<rect")
    3
    """
    return {PLAIN: net.__repr__, HTML: lambda: _card(net, made)}


def _card(net: Any, made: Sequence[Made]) -> str:
    """A network as a piece of HTML."""
    group, numbers = made[0].features.group, _parameters(net)
    head = f"{type(net).__name__} of {group}, {numbers:,} parameters"
    picture = ""
    straight = all(after.reads == (one.name,) for one, after in pairwise(made))
    if not straight and len(made) <= MOST_STEPS:
        picture = f"<p>{inline(boxes_svg(list(map(_box, made)), head))}</p>"
    rows = [
        [
            escape(one.name) + " <small>(output)</small>" * one.output,
            f"<code>{escape(_words(one))}</code>",
            escape(str(one.features.order)),
            f"<code>{escape(one.features.shape)}</code>",
            f"{_parameters(one.module):,}" if one.module else "",
        ]
        for one in made
    ]
    heads = ("", "made by", "order", "shape", "parameters")
    return sheet(
        f'<p class="tannaka-head"><b>{escape(head)}</b></p>{picture}'
        f'<div class="tannaka-scroll">{table(heads, rows, numbers=(4,))}</div>'
    )


def _words(one: Made) -> str:
    """The module in one line, and what it reads where that is several."""
    if one.module is None:
        return "the input"
    text = repr(one.module)
    if "\n" in text:
        text = f"{type(one.module).__name__}(...)"
    # The table has the group once, and the features in columns of their own.
    said = "; ".join(map(str, getattr(one.module, "inputs", ())))
    text = text.replace(said, "", 1).replace(f"({one.features.group}, ", "(", 1)
    return f"{text} of {', '.join(one.reads)}" if len(one.reads) > 1 else text


def _box(one: Made) -> Box:
    """A box for features, with the module that makes them."""
    if one.module is None:
        return Box((one.name,), (one.name, one.features.shape))
    kind = type(one.module).__name__
    return Box((one.name,), (f"{one.name} = {kind}", one.features.shape), one.reads, MIX)


def _parameters(module: nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())
