"""A matrix as a small picture: a square for each entry that is not zero.

Positive entries are blue, negative ones vermillion, fainter where they are smaller; zeros are the
page itself. Lines part the entries by the first of several indices.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tannaka.diagrams.pictures.markup import COLOURS, trim
from tannaka.diagrams.pictures.svg import svg_document

MOST = 2**12
"""Most entries of a matrix that is drawn."""
_LEVELS = 12
_ROOM, _LEAST, _MOST = 84.0, 1.5, 13.0


def matrix_svg(matrix: NDArray[Any], title: str, parts: tuple[int, int] = (1, 1)) -> str:
    """Draw a matrix as a self-contained SVG picture, some 80 pixels wide.

    ``parts`` are the numbers of equal parts that lines divide rows and columns into. Raises
    ValueError for more than 4096 entries.

    >>> picture = matrix_svg(np.array([[1, 0], [0, -2]]), "two entries")
    >>> picture.count("<path"), "#0072B2" in picture, "#D55E00" in picture
    (2, True, True)
    """
    rows, columns = matrix.shape
    if matrix.size > MOST:
        raise ValueError(f"a matrix of {matrix.size:,} entries: at most {MOST:,} are drawn")
    values = matrix.astype(float)
    most = float(np.abs(values).max(initial=0.0)) or 1.0
    level = np.ceil(np.abs(values) / most * _LEVELS) * np.sign(values)
    squares: defaultdict[float, list[str]] = defaultdict(list)
    for shade, row, column, tall, broad in _rectangles(level):
        squares[shade].append(f"M{column} {row}h{broad}v{tall}h-{broad}z")
    body = [
        f'<path d="{"".join(squares[shade])}" fill="{COLOURS[shade < 0]}"'
        + (f' fill-opacity="{trim(abs(shade) / _LEVELS)}"' if abs(shade) < _LEVELS else "")
        + "/>"
        for shade in sorted(squares, reverse=True)
    ]
    return _framed(body, rows, columns, title, parts)


def labels_svg(labels: NDArray[Any], title: str, parts: tuple[int, int] = (1, 1)) -> str:
    """Draw a matrix of numbers 0, 1, ... that name what each entry belongs to, each in its colour.

    Where there are more numbers than colours, these come again, fainter each time.

    >>> labels_svg(np.array([[0, 1], [1, 0]]), "two kinds").count("<path")
    2
    """
    rows, columns = labels.shape
    if labels.size > MOST:
        raise ValueError(f"a matrix of {labels.size:,} entries: at most {MOST:,} are drawn")
    squares: defaultdict[int, list[str]] = defaultdict(list)
    for shade, row, column, tall, broad in _rectangles(labels.astype(float) + 1):
        squares[int(shade) - 1].append(f"M{column} {row}h{broad}v{tall}h-{broad}z")
    cycles = max(squares, default=0) // len(COLOURS) + 1
    body = []
    for number in sorted(squares):
        cycle, place = divmod(number, len(COLOURS))
        faint = f' fill-opacity="{trim(1 - 0.8 * cycle / cycles)}"' if cycle else ""
        data = "".join(squares[number])
        body.append(f'<path d="{data}" fill="{COLOURS[place]}"{faint}/>')
    return _framed(body, rows, columns, title, parts)


def _cell(rows: int, columns: int) -> float:
    """The side of a square: whole pixels, so that all are of one size."""
    ideal = _ROOM / max(rows, columns, 1)
    return min(_MOST, float(int(ideal)) if ideal >= 2 else max(_LEAST, ideal))


def _framed(body: list[str], rows: int, columns: int, title: str, parts: tuple[int, int]) -> str:
    """Squares with a frame around them and lines between the parts."""
    size = _cell(rows, columns)
    wide, high = size * columns, size * rows
    lines = "".join(
        [f"M0 {trim(high * i / parts[0])}H{trim(wide)}" for i in range(1, parts[0])]
        + [f"M{trim(wide * i / parts[1])} 0V{trim(high)}" for i in range(1, parts[1])]
    )
    drawn = [
        f'<g transform="translate(2 2) scale({size:.4f})" shape-rendering="crispEdges">',
        *body,
        "</g>",
        '<g fill="none" stroke="currentColor" transform="translate(2 2)">',
        *([f'<path d="{lines}" stroke-opacity="0.22" stroke-width="0.75"/>'] if lines else []),
        f'<rect width="{trim(wide)}" height="{trim(high)}" stroke-opacity="0.45"/>',
        "</g>",
    ]
    return svg_document(wide + 4, high + 4, "\n".join(drawn), title)


def _rectangles(level: NDArray[np.float64]) -> Iterator[tuple[float, int, int, int, int]]:
    """Entries of one level that are beside or below each other, as (level, row, column, height, width)."""
    open_runs: dict[tuple[int, int, float], int] = {}
    for row in range(len(level) + 1):
        runs = set(_runs(level[row])) if row < len(level) else set()
        for run in [run for run in open_runs if run not in runs]:
            start = open_runs.pop(run)
            column, broad, shade = run
            yield shade, start, column, row - start, broad
        for run in runs - open_runs.keys():
            open_runs[run] = row


def _runs(line: NDArray[np.float64]) -> Iterator[tuple[int, int, float]]:
    """Equal entries beside each other, zeros left out, as (column, how many, level)."""
    if not len(line):
        return
    starts = [0, *(np.flatnonzero(line[1:] != line[:-1]) + 1).tolist(), len(line)]
    for start, end in itertools.pairwise(starts):
        if line[start]:
            yield start, end - start, float(line[start])
