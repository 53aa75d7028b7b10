"""Drawings of a graph that turn into themselves, from its automorphisms.

An automorphism whose cycles are equally long, but for a fixed point, acts as a rotation: one cycle is
a regular polygon, every other vertex stands at the mean of its neighbours as in Tutte's drawings, and
the rings that this gives are spread out evenly. Places are complex numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.complex128]

_WORDS = 80
"""How many products of generators are looked at."""


def turning(graph: Any, most: int) -> Iterator[tuple[Places, int]]:
    """At most so many drawings of a connected graph that turn into themselves, with their orders.

    >>> import igraph
    >>> [order for _, order in turning(igraph.Graph.Ring(5), 10)]
    [5]
    """
    edges, near = np.array(graph.get_edgelist()), graph.get_adjlist()
    found: set[bytes] = set()
    for images in _rotations(graph):
        cycles = _cycles(images)
        outers = [number for number, cycle in enumerate(cycles) if len(cycle) > 1]
        for outer in outers[:12]:
            m = len(cycles[outer])
            for wide in (False, True)[: 2 if m < 6 else 1]:
                places = _rings(near, cycles, outer, wide)
                lengths = np.sort(abs(np.subtract(*places[edges.T])))
                # Rotations of one kind give one picture, again and again.
                key = np.round(lengths, 3).tobytes()
                if key not in found:
                    found.add(key)
                    yield places, m
                if len(found) >= most:
                    return


def _rotations(graph: Any) -> Iterator[list[int]]:
    """Automorphisms whose cycles are equally long, but for at most one fixed point."""
    n = graph.vcount()
    generators = [g for g in graph.automorphism_group() if g != list(range(n))]
    if not generators:
        return
    rng = Random(0)
    found: dict[int, list[list[int]]] = {}
    element = list(range(n))
    words = [*generators, *(rng.choice(generators) for _ in range(_WORDS))]
    for step, generator in enumerate(words):
        if step >= len(generators):
            element = [generator[v] for v in element]
        images = element if step >= len(generators) else generator
        lengths = [len(cycle) for cycle in _cycles(images)]
        whole = math.lcm(*lengths)
        orders = {m for c in set(lengths) for m in range(3, c + 1) if c % m == 0}
        for m in orders:
            kinds = [c // math.gcd(c, whole // m) for c in lengths]
            fixed = sum(c for c, kind in zip(lengths, kinds, strict=True) if kind == 1)
            if set(kinds) <= {1, m} and fixed <= 1 and len(found.setdefault(m, [])) < 3:
                found[m].append(_power(images, whole // m))
    for m in sorted(found, reverse=True):
        yield from found[m]


def _power(images: Sequence[int], exponent: int) -> list[int]:
    out = list(range(len(images)))
    for cycle in _cycles(images):
        for i, v in enumerate(cycle):
            out[v] = cycle[(i + exponent) % len(cycle)]
    return out


def _cycles(images: Sequence[int]) -> list[list[int]]:
    seen: set[int] = set()
    cycles = []
    for start in range(len(images)):
        if start not in seen:
            cycle = [start]
            while images[cycle[-1]] != start:
                cycle.append(images[cycle[-1]])
            seen.update(cycle)
            cycles.append(cycle)
    return cycles


def _step(cycle: list[int], near: list[list[int]]) -> int:
    """Which power of the rotation takes vertices of a cycle to neighbours, so that it is a polygon."""
    m, first = len(cycle), near[cycle[0]]
    steps = [i for i in range(1, m // 2 + 1) if cycle[i] in first]
    return next((i for i in steps if math.gcd(i, m) == 1), 1)


def _rings(near: list[list[int]], cycles: list[list[int]], outer: int, wide: bool) -> Places:
    """The outer polygon, all else at the mean of its neighbours; then the radii spread out.

    Where ``wide``, a ring leaves room for the others inside its polygon, not only inside its circle.
    """
    m = len(cycles[outer])
    turn = pow(_step(cycles[outer], near), -1, m)
    turned = [np.exp(2j * math.pi * turn * i / m) for i in range(m)]
    firsts = _means(near, cycles, outer, turned)
    rings: list[tuple[float, float, int]] = []
    for number, z in enumerate(firsts):
        # A ring that shrinks to the centre may turn freely: between the others.
        z = z if abs(z) > 1e-6 else 1e-9 * np.exp(1j * math.pi / m)
        step = 2 * math.pi / m
        angle = round(float(np.angle(z)) % step, 6) % round(step, 6)
        rings.append((round(float(abs(z)), 6), angle, number))
    rings.sort(key=lambda ring: (len(cycles[ring[2]]) > 1, ring[0], ring[1]))
    radius, before = 0.0, None
    places = np.zeros(len(near), complex)
    for far, angle, number in rings:
        cycle = cycles[number]
        if len(cycle) == 1:
            before = (-1.0, 0.0)
            continue
        if before is None or far - before[0] > 1e-4 or angle - before[1] < 0.4 * math.pi / m:
            alike = sum(abs(other - far) < 1e-4 for other, _, _ in rings)
            inside = radius
            radius = max(inside + 0.85 if before else 0.6, m * alike / (2 * math.pi))
            if wide and before:
                radius = max(radius, (inside + 0.35) / math.cos(math.pi / m))
        before = far, angle
        z = firsts[number]
        z = z / abs(z) if abs(z) > 1e-6 else np.exp(1j * math.pi / m)
        places[cycle] = [radius * z * one for one in turned]
    return scaled(places * polygon(m)[0])


def _means(
    near: list[list[int]], cycles: list[list[int]], outer: int, turned: list[complex]
) -> list[complex]:
    """Where the first vertex of each cycle stands: the outer one at 1, a fixed point at 0.

    By the rotation one vertex of each cycle stands for all, so that few equations are left.
    """
    at = {v: (number, i) for number, cycle in enumerate(cycles) for i, v in enumerate(cycle)}
    free = [c for c, cycle in enumerate(cycles) if len(cycle) > 1 and c != outer]
    row = {number: i for i, number in enumerate(free)}
    system = np.zeros((len(free), len(free)), complex)
    side = np.zeros(len(free), complex)
    for number, i in row.items():
        for w in near[cycles[number][0]]:
            other, step = at[w]
            system[i, i] += 1
            if other == outer:
                side[i] += turned[step]
            elif other in row:
                system[i, row[other]] -= turned[step]
    solved = np.linalg.solve(system, side) if free else side
    found = dict(zip(free, solved.tolist(), strict=True)) | {outer: 1 + 0j}
    return [found.get(number, 0j) for number in range(len(cycles))]


def polygon(m: int) -> Places:
    """A regular polygon, clockwise; a side below where m is even, a corner on top where it is odd."""
    turns = np.arange(m) + (-0.5 if m % 2 == 0 and m > 2 else 0)
    corners: Places = np.exp(1j * (2 * math.pi * turns / m - math.pi / 2))
    return corners


def scaled(places: Places) -> Places:
    """At a scale at which the closest two vertices, a few of very many aside, are at distance 1."""
    near = np.sort(nearest(places))
    span = max(float(np.ptp(places.real)), float(np.ptp(places.imag)), 1e-9)
    least = float(near[len(near) // 20 if len(near) > 100 else 0])
    return places / max(least, 1e-3 * span)


def nearest(places: Places) -> NDArray[np.float64]:
    """How far each vertex is from the nearest other one."""
    apart = abs(places[:, None] - places[None, :])
    np.fill_diagonal(apart, np.inf)
    found: NDArray[np.float64] = apart.min(axis=1)
    return found
