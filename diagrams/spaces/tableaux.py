"""Standard Young tableaux: random ones, and the permutations and matchings that they stand for.

A tableau is given by its rows. The Robinson-Schensted correspondence sends pairs of tableaux of one
shape to permutations, so that rows of the shape are increasing subsequences; we transpose, so that
the number of rows is the length of the longest one.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence

Rows = Sequence[Sequence[int]]


def random_tableau(shape: Sequence[int], rng: random.Random) -> list[list[int]]:
    """A uniformly random standard Young tableau with entries 0, 1, ..., by the hook walk.

    Source: Greene, Nijenhuis and Wilf, A probabilistic proof of a formula for the number of Young
    tableaux of a given shape (1979).

    >>> random_tableau((2, 2), random.Random(0))
    [[0, 2], [1, 3]]
    """
    rows, tableau = list(shape), [[0] * part for part in shape]
    for entry in reversed(range(sum(shape))):
        cell = rng.randrange(entry + 1)
        i = 0
        while cell >= rows[i]:
            cell -= rows[i]
            i += 1
        j = cell
        # Walk to a random other cell of the hook, right or down, until there is none.
        while True:
            arm, leg = rows[i] - j - 1, sum(row > j for row in rows[i + 1 :])
            if not arm + leg:
                break
            step = rng.randrange(arm + leg)
            i, j = (i, j + 1 + step) if step < arm else (i + 1 + step - arm, j)
        tableau[i][j] = entry
        rows[i] -= 1
    return tableau


def permutation_of_tableaux(p: Rows, q: Rows) -> tuple[int, ...]:
    """The permutation of two tableaux of one shape; its longest increasing run has len(p) letters.

    The inverse of Schensted's row insertion, for the transposed tableaux.

    >>> permutation_of_tableaux([[0, 1], [2]], [[0, 2], [1]])
    (1, 2, 0)
    """
    inserted = [list(row) for row in _transposed(p)]
    at = {entry: i for i, row in enumerate(_transposed(q)) for entry in row}
    letters = []
    for entry in reversed(range(len(at))):
        letter = inserted[at[entry]].pop()
        for row in reversed(inserted[: at[entry]]):
            place = bisect_left(row, letter) - 1
            letter, row[place] = row[place], letter
        letters.append(letter)
    return tuple(reversed(letters))


def matching_of_tableau(tableau: Rows) -> list[tuple[int, int]]:
    """The sorted edges of the matching of a tableau, on as many points and one for each odd row.

    The points added at the right, one for each odd row, are joined in order to points further left.
    The longest chain of pairwise non-nesting edges has as many edges as the tableau has rows.

    >>> matching_of_tableau([[0, 1], [2, 3]]), matching_of_tableau([[0, 1, 2]])
    ([(0, 1), (2, 3)], [(0, 3), (1, 2)])
    """
    size = sum(map(len, tableau))
    odd = [i for i, row in enumerate(tableau) if len(row) % 2]
    whole = [[*row, size + odd.index(i)] if i in odd else row for i, row in enumerate(tableau)]
    images = permutation_of_tableaux(whole, whole)
    return [(a, b) for a, b in enumerate(images) if a < b]


def _transposed(rows: Rows) -> list[list[int]]:
    return [[row[j] for row in rows if len(row) > j] for j in range(len(rows[0]) if rows else 0)]
