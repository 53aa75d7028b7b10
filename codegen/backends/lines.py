"""Statements of Python as code formatters break them over lines."""

from __future__ import annotations

import re
import textwrap

WIDTH = 100
"""The longest line of emitted code; comments keep to it too."""


def constant(name: str, made: str) -> str:
    """A constant, on lines of its own where it is long."""
    if len(line := f"{name} = {made}") <= WIDTH:
        return line
    found = re.fullmatch(r"(torch\.tensor\(\[|\()(.*)(\].*\)|\))", made)
    assert found
    head, inner, tail = found.groups()
    rows = re.sub(r"([\])]), ([\[(])", r"\1,\n\2", inner).split("\n")
    indent = "     " if rows[0].startswith(("[", "(")) else "    "
    lines = [
        line
        for row in rows
        for line in textwrap.wrap(
            f"{row.rstrip(',')},", WIDTH, initial_indent="    ", subsequent_indent=indent
        )
    ]
    return "\n".join(["# fmt: off", f"{name} = {head}", *lines, tail, "# fmt: on"])


def signature(name: str, arguments: str, returned: str) -> list[str]:
    """The head of a function, broken over lines as code formatters do."""
    line = f"def {name}({arguments}) -> {returned}:"
    if len(line) <= WIDTH:
        return [line]
    return [f"def {name}(", f"    {arguments}", f") -> {returned}:"]


def tuple_of(items: list[str]) -> str:
    """Items as a tuple."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def list_of(items: list[str]) -> str:
    """Items as a list."""
    return f"[{', '.join(items)}]"


def tensor_of(values: object) -> str:
    """Numbers as a tensor, of the type that PyTorch gives them."""
    return f"torch.tensor({values})"


def floats_of(values: object) -> str:
    """Numbers as a tensor of double precision."""
    return f"torch.tensor({values}, dtype=torch.float64)"


def call(function: str, arguments: list[str]) -> list[str]:
    """A call, broken over lines as code formatters do; it stands four columns in."""
    inline = ", ".join(arguments)
    if 4 + len(function) + len(inline) + 2 <= WIDTH:
        return [f"{function}({inline})"]
    if 8 + len(inline) <= WIDTH:
        return [f"{function}(", f"    {inline}", ")"]
    lines = [f"{function}("]
    for argument in arguments:
        if 9 + len(argument) <= WIDTH or not argument.startswith("("):
            lines.append(f"    {argument},")
            continue
        # A tuple, an item a line.
        items = argument[1:-1].rstrip(",")
        lines += ["    (", *(f"        {item}," for item in _split(items)), "    ),"]
    return [*lines, ")"]


def _split(items: str) -> list[str]:
    """The items of a list, at commas that are in no parentheses.

    >>> _split("x, f(y, 0), z")
    ['x', 'f(y, 0)', 'z']
    """
    return re.split(r", (?![^()]*\))", items)
