"""What commands print: one JSON document, or tables; progress where somebody watches."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from tannaka.cli.arguments import written

if TYPE_CHECKING:
    from tannaka.category.hom import Hom


def document(data: Any) -> None:
    """Print data as one JSON document: in lines for a reader, in one line for a program."""
    click.echo(data_text(data, indent=2 if sys.stdout.isatty() else None))


def data_text(data: Any, indent: int | None = None) -> str:
    """Data as JSON, with escapes where the encoding of standard output has not all characters.

    >>> data_text({"formula": "y[] += x[]"})
    '{"formula": "y[] += x[]"}'
    """
    text = json.dumps(data, ensure_ascii=False, indent=indent, allow_nan=False)
    try:
        # Names of files may hold bytes that are no characters.
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(data, indent=indent, allow_nan=False)
    return text


def space(hom: Hom) -> dict[str, Any]:
    """Which space something is of, as data."""
    return {
        "group": str(hom.group),
        "k": written(hom.k),
        "l": written(hom.l),
        "dimension": hom.dimension,
    }


def number(value: Any) -> int | str:
    """A cost as data: a number, or a formula in n."""
    return value if isinstance(value, int) else str(value)


def shown(value: int | str) -> str:
    """A cost for a reader.

    >>> shown(1234), shown("2*n")
    ('1,234', '2*n')
    """
    return f"{value:,}" if isinstance(value, int) else value


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Rows below heads, columns as wide as their widest cell; cells may have several lines.

    The columns in ``numbers`` are set flush right. A column whose cells are all empty is left out.

    >>> print(click.unstyle(table(("#", "flops"), [("0", "7"), ("1", "1,234")], numbers=(0, 1))))
    #  flops
    0      7
    1  1,234
    """
    from tannaka.diagrams.pictures.picture import text_width

    kept = [i for i in range(len(heads)) if any(row[i] for row in rows)]
    cells = [[row[i].split("\n") for i in kept] for row in rows]
    widths = [
        max([text_width(heads[i]), *(text_width(line) for row in cells for line in row[at])])
        for at, i in enumerate(kept)
    ]

    def padded(text: str, at: int) -> str:
        space = " " * (widths[at] - text_width(text))
        return space + text if kept[at] in numbers else text + space

    head = "  ".join(padded(heads[i], at) for at, i in enumerate(kept)).rstrip()
    lines = [click.style(head, bold=True)]
    for row in cells:
        tall = max(map(len, row), default=0)
        for i in range(tall):
            words = (padded(cell[i] if i < len(cell) else "", at) for at, cell in enumerate(row))
            lines.append("  ".join(words).rstrip())
        if tall > 1:
            lines.append("")
    return "\n".join(lines).rstrip("\n")


class Progress:
    """Says what is being done, in one line of the terminal that is replaced; else says nothing."""

    def __init__(self) -> None:
        self.shown = False

    def __call__(self, line: str) -> None:
        """Show this line in place of the last."""
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r{line[:width]:{width}}\r", err=True, nl=False)
            self.shown = True

    def clear(self) -> None:
        """Leave nothing behind."""
        if self.shown:
            self("")
            self.shown = False


@contextmanager
def progress() -> Iterator[Progress]:
    """What tells of long work on the error stream, and cleans up after it.

    >>> with progress() as tell:
    ...     tell("1 of 3")
    """
    telling = Progress()
    try:
        yield telling
    finally:
        telling.clear()
