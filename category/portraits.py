"""What pictures of a permutation group show: its points in their orbits, pairs, and values at them.

A group gives a :class:`HostSketch` of its points, the host graph where it has one; here it learns
the orbits. The printers in ``diagrams/pictures`` know nothing of groups.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tannaka.diagrams.counts import readable
from tannaka.diagrams.pictures.hosts import Arc, HostSketch, Key, arcs_of
from tannaka.diagrams.pictures.markup import COLOURS

if TYPE_CHECKING:
    from tannaka.category.orbitals import Orbit
    from tannaka.category.permutations import PermutationGroup
    from tannaka.diagrams.diagram import Diagram

MOST_ARCS = 500
"""Most arcs of one picture; of more, those at one vertex are drawn."""
_MOST_KEYS = 8
_MOST_TAGS = 60


def group_portrait(group: PermutationGroup) -> HostSketch:
    """The points of a group, coloured by their orbits.

    Where there are more orbits than colours, every point has the number of its orbit beside it.

    >>> from tannaka.category.permutations import PermutationGroup
    >>> sketch = group_portrait(PermutationGroup([(1, 0, 2)]))
    >>> sketch.colours, [key.text for key in sketch.keys]
    ((0, 0, 1), ['order 2, 2 orbits of points'])
    """
    bare = group.host_sketch()
    labels = tuple(group.labels(1).tolist())
    count = max(labels) + 1
    what = "points" if bare.circled else "vertices"
    orbits = "1 orbit" if count == 1 else f"{readable(count)} orbits"
    keys = [Key(f"order {readable(group.order)}, {orbits} of {what}")]
    notes: tuple[str, ...] = ()
    if count > len(COLOURS):
        tagged = bare.n <= _MOST_TAGS and bare.drawn
        notes = tuple(f"#{label}" for label in labels) if tagged else ()
        words = "# and the number of the orbit, as " if tagged else ""
        keys.append(Key(f"{words}colours repeat" if tagged else "colours repeat"))
    if count <= len(COLOURS) and count > 1 and not bare.circled:
        sizes = np.bincount(labels)
        keys += [
            Key(f"orbit {i}: {_counted(int(size), what)}", vertex=i) for i, size in enumerate(sizes)
        ]
    return replace(bare, colours=labels, notes=notes, keys=(*keys, *bare.keys))


def orbit_portrait(orbit: Orbit) -> HostSketch:
    """An orbit: of vertices as discs, of pairs as arcs, of longer tuples one of them, with labels.

    The least tuple stands out. Arrows lead from inputs to outputs, or from the first label to the
    second.

    >>> from tannaka.category.permutations import PermutationGroup
    >>> square = PermutationGroup([(1, 2, 3, 0), (0, 3, 2, 1)])
    >>> sketch = orbit_portrait(square.orbit("[0 ← 1]"))
    >>> [arc.ends for arc in sketch.arcs], sketch.notes
    ([(0, 1), (0, 3), (1, 2), (2, 3)], ('o0', 'i0', '', ''))
    """
    bare = replace(orbit.group.host_sketch(), light=True)
    size, labels = orbit.size, orbit.cod + orbit.dom
    words = {0: "the empty tuple", 1: _counted(size, "vertices"), 2: _counted(size, "pairs")}
    keys = [Key(words.get(labels, _counted(size, "tuples") + ", one of them drawn"))]
    colours: list[int | None] = [None] * bare.n
    arcs: list[Arc] = []
    if bare.drawn:
        tuples = tuples_of(orbit) if labels in (1, 2) else np.array([orbit.indices], dtype=np.int64)
        if labels == 2:
            arcs, all_of_them = _arcs(orbit, tuples, 0)
            if not all_of_them:
                keys.append(Key(f"drawn: those with {_one(orbit)}"))
            tuples = tuples[tuples[:, 0] == tuples[:, 1]]
        for v in tuples.ravel().tolist():
            colours[v] = 0
    return replace(
        bare,
        heading=f"{orbit} of {bare.heading}",
        colours=tuple(colours),
        arcs=tuple(arcs),
        notes=label_notes(orbit, bare.n),
        strong=frozenset(orbit.indices),
        keys=tuple(keys),
    )


def values_portrait(group: PermutationGroup, diagram: Diagram) -> HostSketch:
    """The entries of a diagram's matrix, on the points of a group.

    With one label, at every vertex; with two, an arc for each pair where the entry is not zero, in
    the colour of its orbit; else as a list.

    >>> from tannaka.category.permutations import PermutationGroup
    >>> from tannaka.diagrams.partition import SetPartition
    >>> cyclic = PermutationGroup([(1, 2, 0)])
    >>> sketch = values_portrait(cyclic, SetPartition.identity(1))
    >>> sketch.colours, [key.text for key in sketch.keys]
    ((0, 0, 0), ['[0 ← 0]: 1'])
    """
    group.check(diagram)
    labels = diagram.top + diagram.bottom
    whole = group_portrait(group)
    values = [int(value) for value in np.atleast_1d(group.values(diagram))]
    if labels == 1:
        numbers = group.labels(1).tolist()
        notes = tuple(readable(values[number]) for number in numbers)
        keys = _listed(
            [
                Key(f"orbit of {whole.called[v]}: {readable(value)}", vertex=number)
                for number, value, (v,) in zip(
                    range(len(values)), values, group.representatives(1).tolist(), strict=True
                )
            ],
            "orbits",
        )
        return replace(whole, notes=notes, keys=keys)
    orbits = group.orbit_space(diagram.dom, diagram.cod)
    met = [(orbit, value) for orbit, value in zip(orbits, values, strict=True) if value]
    if labels == 2 and whole.drawn:
        return _pairs_portrait(group, met)
    if not labels:
        return replace(whole, keys=(Key(f"value {readable(values[0])}"),))
    listed = [Key(f"{orbit}: {readable(value)}") for orbit, value in met]
    rest = len(values) - len(met)
    zero = [Key(f"0 at {readable(rest)} more")] if rest and met else []
    return replace(whole, keys=(*(_listed(listed, "orbits") or [Key("0 everywhere")]), *zero))


def _pairs_portrait(group: PermutationGroup, met: Sequence[tuple[Orbit, int]]) -> HostSketch:
    bare = replace(group.host_sketch(), light=True)
    if len(met) > _MOST_KEYS or sum(orbit.size for orbit, _ in met) > 2 * MOST_ARCS:
        return _row_portrait(group, met)
    colours: list[int | None] = [None] * bare.n
    arcs: list[Arc] = []
    keys: list[Key] = []
    for number, (orbit, value) in enumerate(met):
        tuples = tuples_of(orbit)
        words = f"{orbit}: {readable(value)}"
        if orbit.indices[0] == orbit.indices[1]:
            for v in tuples[:, 0].tolist():
                colours[v] = number
            keys.append(Key(words, vertex=number))
        else:
            arcs += [replace(arc, strong=False) for arc in _arcs(orbit, tuples, number)[0]]
            keys.append(Key(words, arc=number))
    return replace(
        bare,
        colours=tuple(colours),
        arcs=tuple(arcs),
        keys=tuple(keys) or (Key("0 at every pair"),),
    )


def _row_portrait(group: PermutationGroup, met: Sequence[tuple[Orbit, int]]) -> HostSketch:
    """The entries at one place of the second label, or at one of the only input, in colours."""
    bare = group.host_sketch()
    first = met[0][0]
    v = first.indices[1]
    value = {group.orbit_space(first.dom, first.cod).index(orbit): x for orbit, x in met}
    entries = [value.get(number, 0) for number in group.labels(2)[:, v].tolist()]
    ranks = {x: rank for rank, x in enumerate(sorted({*entries} - {0}, reverse=True))}
    counts = Counter(entries)
    keys = [
        Key(f"{readable(x)} at {_counted(counts[x], 'vertices')}", vertex=ranks[x]) for x in ranks
    ]
    if counts[0]:
        keys.append(Key(f"0 at {_counted(counts[0], 'vertices')}"))
    return replace(
        bare,
        light=True,
        colours=tuple(ranks.get(x) for x in entries),
        notes=tuple(map(readable, entries)) if bare.n <= _MOST_TAGS else (),
        strong=frozenset([v]),
        keys=(
            Key(f"{_counted(len(met), 'orbits')} of pairs with entries: too many to draw"),
            Key(f"drawn: the entries with {label_names(first)[1]} at {bare.called[v]}"),
            *_listed(keys, "values"),
        ),
    )


def _arcs(orbit: Orbit, tuples: NDArray[np.int64], colour: int) -> tuple[list[Arc], bool]:
    """The arcs of an orbit of pairs, and whether all are drawn; the least pair stands out."""
    along = tuples if orbit.dom != 1 else tuples[:, ::-1]
    least = orbit.indices if orbit.dom != 1 else orbit.indices[::-1]
    pairs = [(a, b) for a, b in along.tolist() if a != b]
    arcs = arcs_of(pairs, colour)
    full = len(arcs) <= MOST_ARCS
    if not full:
        arcs = arcs_of([pair for pair in pairs if pair[0] == least[0]], colour)
        arcs = [replace(arc, both=(arc.ends[::-1] in set(pairs))) for arc in arcs]
    arcs = [
        replace(arc, strong=arc.ends == least or (arc.both and arc.ends == least[::-1]))
        for arc in arcs
    ]
    return arcs, full


def _one(orbit: Orbit) -> str:
    """The label that is held where only some pairs are drawn."""
    place = 0 if orbit.dom != 1 else 1
    return (
        f"{label_names(orbit)[place]} at {orbit.group.host_sketch().called[orbit.indices[place]]}"
    )


def tuples_of(orbit: Orbit) -> NDArray[np.int64]:
    """All index tuples of an orbit, of shape (size, labels)."""
    found: NDArray[np.int64] = orbit.group.stabiliser.orbit(orbit.indices)
    return found


def label_notes(orbit: Orbit, n: int) -> tuple[str, ...]:
    """The labels that the least tuple puts on each point: outputs o0, o1, ..., inputs i0, i1, ..."""
    notes: defaultdict[int, list[str]] = defaultdict(list)
    for name, v in zip(label_names(orbit), orbit.indices, strict=True):
        notes[v].append(name)
    return tuple(" ".join(notes[v]) for v in range(n)) if notes else ()


def label_names(orbit: Orbit) -> list[str]:
    """What the labels of an orbit are called: o0, o1, ..., then i0, i1, ..."""
    return [*(f"o{i}" for i in range(orbit.cod)), *(f"i{i}" for i in range(orbit.dom))]


def _listed(keys: Sequence[Key], what: str) -> tuple[Key, ...]:
    """Not too many keys: the first ones, and how many are left out."""
    if len(keys) <= _MOST_KEYS:
        return tuple(keys)
    left = len(keys) - _MOST_KEYS + 1
    return (*keys[: _MOST_KEYS - 1], Key(f"and {readable(left)} more {what}"))


def _counted(count: int, what: str) -> str:
    one = {"vertices": "vertex"}.get(what, what.removesuffix("s"))
    return f"{readable(count)} {one if count == 1 else what}"


def names_of(names: Sequence[Any]) -> tuple[str, ...]:
    """Nodes as short texts.

    >>> names_of([(0, 1), "a"])
    ('0,1', 'a')
    """
    return tuple(_name(name) for name in names)


def _name(name: Any) -> str:
    if isinstance(name, tuple):
        return ",".join(map(_name, name))
    return " ".join(str(name).split())
