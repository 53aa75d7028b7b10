"""Walks on a graph of partitions as a picture: a row for each step, a Young diagram for each place.

Between the rows a line for each step that some walk takes, and below each partition the number of
walks that lead there: the Bratteli diagram.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tannaka.diagrams.pictures.markup import COLOURS, LABEL, MONO, SANS, font, line, trim, width_of
from tannaka.diagrams.pictures.svg import svg_document

Shape = tuple[int, ...]

_CELL, _LONGEST, _TALLEST = 8.0, 9, 6
_ACROSS, _DOWN, _PAD = 20.0, 44.0, 10.0
_MARGIN = 24.0


def quiver_svg(
    levels: Sequence[Mapping[Shape, int]],
    steps: Sequence[Mapping[tuple[Shape, Shape], int]],
    title: str,
) -> str:
    """Draw levels of partitions, each with its number of walks, and the steps between them.

    ``steps[i]`` has for each pair of a partition in level i and one in level i + 1 how many steps
    lead there.

    >>> picture = quiver_svg([{(): 1}, {(1,): 1}], [{((), (1,)): 1}], "one step")
    >>> picture.count("<rect"), picture.count("<path")
    (1, 1)
    """
    sizes = [{shape: _size(shape) for shape in level} for level in levels]
    widths = [sum(w + _ACROSS for w, _ in row.values()) - _ACROSS for row in sizes]
    wide = max([*widths, width_of(title, 13) - _MARGIN, 10.0])
    places: list[dict[Shape, tuple[float, float]]] = []
    below = _PAD + 26
    for row, width in zip(sizes, widths, strict=True):
        x = _PAD + _MARGIN + (wide - width) / 2
        tall = max((h for _, h in row.values()), default=_CELL)
        at: dict[Shape, tuple[float, float]] = {}
        for shape, (w, h) in row.items():
            at[shape] = x, below + (tall - h) / 2
            x += w + _ACROSS
        places.append(at)
        below += tall + _DOWN
    lines, words = [], []
    for number, found in enumerate(steps):
        for (one, other), times in found.items():
            (x, top), (w, h) = places[number][one], sizes[number][one]
            (u, v), (width, _) = places[number + 1][other], sizes[number + 1][other]
            start, end = (x + w / 2, top + h + 14), (u + width / 2, v - 3)
            lines.append(f"M{trim(start[0])} {trim(start[1])}L{trim(end[0])} {trim(end[1])}")
            if times > 1:
                x, y = (start[0] + end[0]) / 2 + 4, (start[1] + end[1]) / 2
                words.append(line(str(times), x, y, font(LABEL, SANS, "start", 0.8)))
    body = [
        line(title, _PAD, _PAD + 12, font(13, SANS, "start")),
        f'<path d="{"".join(lines)}" fill="none" stroke="currentColor" stroke-opacity="0.4"/>',
        *words,
    ]
    for number, (level, row, at) in enumerate(zip(levels, sizes, places, strict=True)):
        if at:
            middle = max(at[shape][1] + row[shape][1] / 2 for shape in at) + 4
            body.append(line(str(number), _PAD, middle, font(LABEL, SANS, "start", 0.6)))
        for shape, count in level.items():
            body += _young(shape, at[shape], row[shape], count)
    return svg_document(wide + 2 * _PAD + _MARGIN, below - _DOWN + 24, "\n".join(body), title)


def _cells(shape: Shape) -> list[int]:
    """The rows of the Young diagram that is drawn; empty where it would be too large."""
    small = len(shape) <= _TALLEST and max(shape, default=0) <= _LONGEST
    return list(shape) if small else []


def _size(shape: Shape) -> tuple[float, float]:
    rows = _cells(shape)
    if not rows:
        return max(16.0, width_of(_text(shape), 10) + 4), 14.0
    return max(16.0, _CELL * max(rows)), _CELL * len(rows)


def _text(shape: Shape) -> str:
    """A partition as its parts, as many as fit."""
    words = ".".join(map(str, shape[:4])) + ("…" if len(shape) > 4 else "")
    return words or "∅"


def _young(
    shape: Shape, place: tuple[float, float], size: tuple[float, float], count: int
) -> list[str]:
    (x, y), (wide, high) = place, size
    rows = _cells(shape)
    middle = x + wide / 2
    below = line(f"{count:,}", middle, y + high + 11, font(LABEL, SANS, opacity=0.8))
    if not rows:
        return [line(_text(shape), middle, y + 11, font(10, MONO)), below]
    left = middle - _CELL * max(rows) / 2
    cells = "".join(
        f'<rect x="{trim(left + _CELL * j)}" y="{trim(y + _CELL * i)}" width="{trim(_CELL)}" '
        f'height="{trim(_CELL)}"/>'
        for i, row in enumerate(rows)
        for j in range(row)
    )
    look = f'fill="{COLOURS[0]}" fill-opacity="0.25" stroke="{COLOURS[0]}"'
    return [f"<g {look}>{cells}</g>", below]
