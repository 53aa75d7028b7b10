"""Diagrams in bulk: arrays with a set partition or a Brauer diagram in each row.

A row of labels is what ``SetPartition.labels`` holds, outputs first, then inputs: a restricted
growth string. A row of partners has at place v the vertex that v is joined to. Everything here
works on whole columns at a time, in pieces that stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tannaka.diagrams.counts import count_brauer_diagrams, count_set_partitions, readable
from tannaka.diagrams.diagram import bound, order
from tannaka.diagrams.errors import CompositionError, SizeError

Labels = NDArray[np.int8]
Partners = NDArray[np.int8]
MAX_BYTES = 2**31
"""Most bytes that one array may take before it is refused."""
_PIECE = 2**14


def set_partition_array(size: int, most: int | None = None) -> Labels:
    """All set partitions of ``size`` points with at most ``most`` blocks, a row each.

    Of shape (count, size), in the order of :func:`set_partitions`: lexicographic. Raises SizeError
    when that would take more than 2 GiB.

    >>> set_partition_array(3)
    array([[0, 0, 0],
           [0, 0, 1],
           [0, 1, 0],
           [0, 1, 1],
           [0, 1, 2]], dtype=int8)
    """
    size = order("size", size)
    most = size if most is None else bound("most", most)
    count = count_set_partitions(size, most)
    _check_bytes(count, size, "set_partitions")
    # ways[r][m]: in how many ways r more points may be put after m blocks.
    ways = [[1] * (size + 2)]
    for r in range(1, size + 1):
        after = ways[-1]
        ways.append([m * after[m] + (after[m + 1] if m < most else 0) for m in range(size + 2 - r)])
    out = np.empty((size, count), dtype=np.int8)
    blocks = np.zeros(1 if count else 0, dtype=np.int8)
    for point in range(size):
        choices = np.minimum(blocks.astype(np.intp) + 1, most)
        first = np.repeat(np.cumsum(choices) - choices, choices)
        label = (np.arange(len(first)) - first).astype(np.int8)
        blocks = np.maximum(np.repeat(blocks, choices), label + np.int8(1))
        endings = np.array(ways[size - point - 1][: size + 1], dtype=np.intp)[blocks]
        out[point] = np.repeat(label, endings)
    return out.T


def brauer_array(size: int) -> Partners:
    """All Brauer diagrams on ``size`` points, a row of partners each.

    Of shape ((size - 1)!!, size), in the order of :func:`brauer_diagrams`, which is lexicographic
    in the partners too; without rows when the size is odd. Raises SizeError when that would take
    more than 2 GiB.

    >>> brauer_array(4)
    array([[1, 0, 3, 2],
           [2, 3, 0, 1],
           [3, 2, 1, 0]], dtype=int8)
    """
    size = order("size", size)
    count = count_brauer_diagrams(size)
    _check_bytes(count, size, "brauer_diagrams")
    out = np.empty((size, count), dtype=np.int8)
    if not count:
        return out.T
    smaller = np.empty((0, 1), dtype=np.int8)
    for points in range(2, size + 1, 2):
        # Point 0 is joined to each other point in turn; the rest are matched in all ways.
        width = smaller.shape[1]
        larger = out if points == size else np.empty((points, (points - 1) * width), np.int8)
        for partner in range(1, points):
            columns = larger[:, (partner - 1) * width : partner * width]
            columns[0], columns[partner] = partner, 0
            rest = [v for v in range(1, points) if v != partner]
            for v, row in zip(rest, smaller, strict=True):
                # rest[row], without a table
                np.add(row, np.int8(1), out=columns[v])
                columns[v] += (row >= partner - 1).view(np.int8)
        smaller = larger
    return out.T


def compose_arrays(first: Labels, second: Labels, middle: int) -> tuple[Labels, NDArray[np.int8]]:
    """Compose row by row: ``first[i] >> second[i]``, for diagrams k -> m and m -> l.

    ``first`` has shape (count, m + k), ``second`` (count, l + m), with m = ``middle``; the result
    is the labels of the composites, of shape (count, l + k), and how many blocks closed in the
    middle of each, as ``SetPartition.then`` has it. Raises CompositionError when the shapes do not
    fit.

    >>> cup, cap = np.zeros((1, 2), dtype=np.int8), np.zeros((1, 2), dtype=np.int8)
    >>> compose_arrays(cup, cap, middle=2)
    (array([], shape=(1, 0), dtype=int8), array([1], dtype=int8))
    """
    _check_composable(first, second, middle)
    k, l = first.shape[1] - middle, second.shape[1] - middle
    labels = np.empty((l + k, len(first)), dtype=np.int8)
    closed = np.empty(len(first), dtype=np.int8)
    for start in range(0, len(first), _PIECE):
        piece = slice(start, start + _PIECE)
        # Outputs, inputs, and the middle row twice; the second diagram's blocks get their own names.
        points = np.concatenate([second[piece].T + np.int8(first.shape[1]), first[piece].T])
        points = points[
            [*range(l), *range(l + 2 * middle, l + 2 * middle + k), *range(l, l + 2 * middle)]
        ]
        for row in range(l + k, l + k + middle):
            _rename(points, points[row].copy(), points[row + middle].copy())
        labels[:, piece] = _restricted_growth(points[: l + k])
        closed[piece] = sum(
            _first(points[:row], points[row]) for row in range(l + k, l + k + middle)
        )
    return labels.T, closed


def compose_brauer_arrays(
    first: Partners, second: Partners, middle: int
) -> tuple[Partners, NDArray[np.int8]]:
    """Compose Brauer diagrams row by row: ``first[i] >> second[i]``, as :func:`compose_arrays` does.

    All rows are rows of partners. Returns those of the composites, and how many loops closed in the
    middle of each, as ``Brauer.then`` has it.

    >>> swap = np.array([[3, 2, 1, 0]], dtype=np.int8)  # 2 -> 2: output 0 to input 1, and so on
    >>> compose_brauer_arrays(swap, swap, middle=2)
    (array([[2, 3, 0, 1]], dtype=int8), array([0], dtype=int8))
    """
    _check_composable(first, second, middle)
    k, l = first.shape[1] - middle, second.shape[1] - middle
    partners = np.empty((l + k, len(first)), dtype=np.int8)
    loops = np.zeros(len(first), dtype=np.int8)
    for start in range(0, len(first), _PIECE):
        piece = slice(start, start + _PIECE)
        # Outputs and inputs, then the middle row twice: below, as the first diagram's outputs, and
        # above, as the second one's inputs.
        below = np.array([*range(l + k, l + k + middle), *range(l, l + k)], dtype=np.int8)
        above = np.array([*range(l), *range(l + k + middle, l + k + 2 * middle)], dtype=np.int8)
        joined = np.empty((l + k + 2 * middle, len(first[piece])), dtype=np.int8)
        joined[below] = below[first[piece].T]
        joined[above] = above[second[piece].T]
        column = np.arange(joined.shape[1])
        for row in range(l + k, l + k + middle):
            # The two ends that meet here are joined to each other, or close a loop.
            a, b = joined[row].copy(), joined[row + middle].copy()
            loops[piece] += a == row + middle
            joined[a, column] = b
            joined[b, column] = a
        partners[:, piece] = joined[: l + k]
    return partners.T, loops


def _check_bytes(count: int, size: int, enumeration: str) -> None:
    if count * size > MAX_BYTES:
        raise SizeError(
            f"{readable(count)} rows of {size} bytes are more than {MAX_BYTES >> 30} GiB: "
            f"{enumeration}(dom, cod) lists them one by one, and finds any of them by its number"
        )


def _check_composable(first: Labels, second: Labels, middle: int) -> None:
    if (
        first.ndim != 2
        or second.ndim != 2
        or len(first) != len(second)
        or min(first.shape[1], second.shape[1]) < middle
    ):
        raise CompositionError(
            f"cannot compose arrays of shapes {first.shape} and {second.shape} through {middle} "
            f"points: expected (count, {middle} + k) and (count, l + {middle})"
        )
    if first.shape[1] + second.shape[1] > np.iinfo(np.int8).max:
        raise SizeError(
            f"diagrams of {first.shape[1]} and {second.shape[1]} points have more blocks together "
            "than an int8 label can tell apart: compose them one by one"
        )


def _rename(points: Labels, old: Labels, new: Labels) -> None:
    """In each column, give the points of block ``old`` the label ``new``, in place."""
    change = points ^ new
    change &= -(points == old).view(np.int8)
    points ^= change


def _first(before: Labels, row: Labels) -> Labels:
    """1 where the label of this row is in none of the rows before it, else 0."""
    first: Labels = (~(before == row).any(axis=0)).view(np.int8)
    return first


def _restricted_growth(points: Labels) -> Labels:
    """Number the labels of each column in the order in which they first appear."""
    out = np.empty_like(points)
    count = np.zeros(points.shape[1:], dtype=np.int8)
    for i, row in enumerate(points):
        known = -(points[:i] == row).view(np.int8)
        new = _first(points[:i], row)
        # Earlier points of the same block all have one number, so "or" picks it out.
        out[i] = np.bitwise_or.reduce(out[:i] & known, axis=0) | (count & -new)
        count += new
    return out


def rows(labels: Labels) -> Iterator[tuple[int, ...]]:
    """The rows as tuples of Python integers."""
    return map(tuple, labels.tolist())
