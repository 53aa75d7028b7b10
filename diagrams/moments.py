"""Matchings with bounded chains or nests, counted by determinants of Bessel functions.

How many they are is a moment of the trace over a compact group, and the generating function of the
moments, the average of exp(x tr g), is a determinant whose entries are modified Bessel functions
I_k(2x). Here the determinant is taken over power series modulo primes, and the integer put together
from its residues: no sum over partitions, so it reaches where those are far too many.
Source: Gessel, Symmetric functions and P-recursiveness (1990); Baik and Rains, Algebraic aspects of
increasing subsequences (2001).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.int64]
_BELOW = 2**24
"""Primes are below this, so that sums of thousands of products of residues fit into 64 bits."""


def orthogonal_moments(n: int, size: int) -> tuple[int, int]:
    """The averages of tr(g)^size over the rotations, and over the reflections, of R^n.

    Half their sum counts the matchings of ``size`` points without n + 1 pairwise non-nesting edges,
    half their difference the Brauer-Grood diagrams with n legs and the same bound.

    >>> orthogonal_moments(3, 8), orthogonal_moments(2, 4)
    ((91, 91), (6, 0))
    """
    half, odd = divmod(n, 2)

    def average(p: int, reflection: bool) -> Series:
        bessel = _bessel(p, size, 2 * half + 2)
        if odd:
            sign = 1 if reflection else -1
            determinant = _determinant(
                half, lambda i, j: bessel[abs(i - j)] + sign * bessel[i + j + 1], p, size
            )
            return _product(_exponential(p, size, -sign), determinant, p)
        if reflection:
            return _determinant(
                half - 1, lambda i, j: bessel[abs(i - j)] - bessel[i + j + 2], p, size
            )
        # Twice the average: the first diagonal entry is doubled.
        return _determinant(half, lambda i, j: bessel[abs(i - j)] + bessel[i + j], p, size)

    rotations = _exact(lambda p: average(p, False), n, size)
    reflections = _exact(lambda p: average(p, True), n, size)
    return (rotations if odd else rotations // 2), reflections


def symplectic_moment(n: int, size: int) -> int:
    """The average of tr(g)^size over the compact group Sp(n/2), n even.

    It counts the matchings of ``size`` points without n/2 + 1 edges each inside the next.

    >>> symplectic_moment(4, 8), symplectic_moment(2, 8)
    (84, 14)
    """
    half = n // 2

    def average(p: int) -> Series:
        bessel = _bessel(p, size, 2 * half + 2)
        return _determinant(half, lambda i, j: bessel[abs(i - j)] - bessel[i + j + 2], p, size)

    return _exact(average, n, size)


def _exact(series: Callable[[int], Series], n: int, size: int) -> int:
    """Size! times the last coefficient of the series, an integer of size at most 2 n^size."""
    bound, modulus, value = 4 * max(n, 2) ** size + 4, 1, 0
    primes = _primes(size)
    while modulus < bound:
        p = next(primes)
        residue = int(series(p)[size]) * _factorial(size, p) % p
        value += modulus * ((residue - value) * pow(modulus, -1, p) % p)
        modulus *= p
    return value if 2 * value < modulus else value - modulus


def _primes(size: int) -> Iterator[int]:
    """Primes from 2^24 downwards, all above ``size``."""
    for p in range(_BELOW - 1, size, -2):
        if all(p % q for q in range(3, math.isqrt(p) + 1, 2)):
            yield p


def _factorial(size: int, p: int) -> int:
    total = 1
    for i in range(1, size + 1):
        total = total * i % p
    return total


def _bessel(p: int, size: int, count: int) -> list[Series]:
    """I_0(2x), I_1(2x), ... up to x^size: the coefficient of x^(2m + k) is 1 / (m! (m + k)!)."""
    inverse = [1] * (size + count + 1)
    for i in range(1, len(inverse)):
        inverse[i] = inverse[i - 1] * pow(i, -1, p) % p if i % p else 0
    found = []
    for k in range(count):
        series = np.zeros(size + 1, dtype=np.int64)
        for m in range((size - k) // 2 + 1 if size >= k else 0):
            series[2 * m + k] = inverse[m] * inverse[m + k] % p
        found.append(series)
    return found


def _exponential(p: int, size: int, sign: int) -> Series:
    series = np.ones(size + 1, dtype=np.int64)
    for i in range(1, size + 1):
        series[i] = series[i - 1] * sign * pow(i, -1, p) % p
    return series


def _product(a: Series, b: Series, p: int) -> Series:
    product: Series = np.convolve(a, b)[: len(a)] % p
    return product


def _determinant(rows: int, entry: Callable[[int, int], Series], p: int, size: int) -> Series:
    """By elimination: at x = 0 the matrix is diagonal and invertible, so every pivot is a unit."""
    result = np.zeros(size + 1, dtype=np.int64)
    result[0] = 1
    a = [[entry(i, j) % p for j in range(rows)] for i in range(rows)]
    for column in range(rows):
        pivot = a[column][column]
        result = _product(result, pivot, p)
        inverse = _reciprocal(pivot, p)
        for row in range(column + 1, rows):
            scale = _product(a[row][column], inverse, p)
            for j in range(column + 1, rows):
                a[row][j] = (a[row][j] - _product(scale, a[column][j], p)) % p
    return result


def _reciprocal(series: Series, p: int) -> Series:
    """1 / series by Newton's iteration, which doubles the number of right coefficients."""
    size = len(series)
    found = np.zeros(1, dtype=np.int64)
    found[0] = pow(int(series[0]), -1, p)
    while len(found) < size:
        wanted = min(2 * len(found), size)
        longer = np.zeros(wanted, dtype=np.int64)
        longer[: len(found)] = found
        correction = -_product(longer, series[:wanted], p)
        correction[0] += 2
        found = _product(longer, correction % p, p)
    return found
