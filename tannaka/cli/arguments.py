"""What commands are given: a group by its name, orders or words of axes, and where to write."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType

F = TypeVar("F", bound=Callable[..., Any])

MEANINGS = {
    "A": "alternating group: even permutations of n points",
    "H": "hyperoctahedral group: permutations of n points, and changes of sign",
    "O": "orthogonal group: rotations and reflections of R^n",
    "S": "symmetric group: permutations of n points",
    "SO": "special orthogonal group: rotations of R^n",
    "Sp": "symplectic group, n even",
}
"""What the shell says beside the names that it completes."""


class GroupName(ParamType):
    """A group by its name: "S(5)" or, with nothing that a shell wants quoted, S5; S3xO2 for a product."""

    name = "group"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The group; fails with the names that there are."""
        from tannaka.category import group

        try:
            return group(value)
        except (TypeError, ValueError) as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names for small n, of the last factor of a product, written as the first letters are."""
        import tannaka.category  # noqa: F401  (each group registers itself)
        from tannaka.category.groups import GROUPS

        before, last = re.fullmatch(r"(.*[x*]\s*)?([^x*]*)", incomplete).groups(default="")  # type: ignore[union-attr]
        shape = "{}({})" if "(" in last else "{}{}"
        found = [
            (shape.format(symbol, n), MEANINGS.get(symbol, ""))
            for symbol in sorted(GROUPS)
            for n in range(2, 10)
            if symbol != "Sp" or n % 2 == 0
        ]
        return [
            CompletionItem(before + name, help=meaning)
            for name, meaning in found
            if name.startswith(last)
        ]


class Order(ParamType):
    """An order, or a word of axes with commas: types "0,1", or "V,V*"; "0," is one axis, "," none."""

    name = "order"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """An int, or a tuple of types or of names."""
        if not isinstance(value, str):
            return value
        try:
            return axes(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Output(ParamType):
    """Where to write; "-" is standard output for commands that say so."""

    name = "path"

    def __init__(self, *, streams: bool = True) -> None:
        self.streams = streams

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The path; fails for what is the name of no file."""
        if not value:
            self.fail("a path is empty", param, ctx)
        if self.streams and value.endswith(("/", os.sep)):
            self.fail(f"{value!r} is a folder", param, ctx)
        if value == "-" and not self.streams:
            self.fail("'-' is no file, and here not standard output: name one", param, ctx)
        return Path(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The shell knows files."""
        return [CompletionItem(incomplete, type="file")]


def axes(text: str) -> int | tuple[int, ...] | tuple[str, ...]:
    """An object of a group's category, as commands take it.

    >>> axes("2"), axes("0,1"), axes("0,"), axes(","), axes("V,V*")
    (2, (0, 1), (0,), (), ('V', 'V*'))
    """
    words = [word.strip() for word in text.split(",")]
    typed = len(words) > 1
    if typed and not words[-1]:
        words.pop()
    if typed and not any(words):
        words = []
    if words and all(word in ("V", "V*") for word in words):
        return tuple(words)
    # Not int() alone, which takes "1_000" and " 1".
    if not all(re.fullmatch("[0-9]+", word) for word in words):
        raise ValueError(
            f"{text!r} is not an order, an integer >= 0, nor a word of axes: types such as 0,1 for "
            "a product of groups, or V,V*"
        )
    numbers = tuple(map(int, words))
    return numbers if typed else numbers[0]


def hom_arguments(command: F) -> F:
    """Give a command the arguments GROUP K L, as one Hom space."""
    return _hom_arguments(command, required=True)


def optional_hom_arguments(command: F) -> F:
    """The same for a command that does without them: it is given None where there are none."""
    return _hom_arguments(command, required=False)


def _hom_arguments(command: F, *, required: bool) -> F:
    @click.argument("group", type=GroupName(), required=required)
    @click.argument("k", type=Order(), required=required)
    @click.argument("l", type=Order(), required=required)
    @wraps(command)
    def wrapped(group: Any, k: Any, l: Any, **options: Any) -> None:
        if group is None:
            command(None, **options)
            return
        if l is None:
            raise click.UsageError("name the group and both orders: GROUP K L")
        from tannaka.category.hom import Hom

        command(Hom(group, k, l), **options)

    return wrapped  # type: ignore[return-value]


def written(order: Any) -> Any:
    """An order or a word as data for JSON.

    >>> written(2), written((0, 1))
    (2, [0, 1])
    """
    return list(order) if isinstance(order, tuple) else order


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
force_option = click.option("--force", is_flag=True, help="Overwrite files that exist.")
path_type = Output()
picture_type = Output(streams=False)
