"""What a terminal shows of a permutation group and of its orbits: tables of points and of tuples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from tannaka.category.portraits import group_portrait, label_names, orbit_portrait, tuples_of
from tannaka.diagrams.counts import readable

if TYPE_CHECKING:
    from tannaka.category.orbitals import Orbit
    from tannaka.category.permutations import PermutationGroup

_MOST_ROWS, _MOST_LISTED = 100, 2**20


def group_text(group: PermutationGroup, width: int = 80) -> str:
    """A table of the points by their orbits, for a terminal.

    >>> from tannaka.category.permutations import PermutationGroup
    >>> print(group_text(PermutationGroup([(1, 0, 2)])))
    PermutationGroup of order 2 on 3 points: order 2, 2 orbits of points
    orbit  size  points
        0     2  0 1
        1     1  2
    """
    sketch = group_portrait(group)
    what = "points" if sketch.circled else "vertices"
    lines = [f"{sketch.heading}: {sketch.keys[0].text}", f"orbit  size  {what}"]
    members: defaultdict[int, list[str]] = defaultdict(list)
    for v, orbit in enumerate(group.labels(1).tolist()):
        members[orbit].append(sketch.called[v])
    for orbit in list(members)[:_MOST_ROWS]:
        head = f"{orbit:>5}  {len(members[orbit]):>4}  "
        lines += _hanging(head, members[orbit], width)
    if len(members) > _MOST_ROWS:
        lines.append(f"and {readable(len(members) - _MOST_ROWS)} more orbits")
    return "\n".join(lines)


def orbit_text(orbit: Orbit, width: int = 80) -> str:
    """The index tuples of an orbit, for a terminal: of pairs a row for each output.

    >>> from tannaka.category.permutations import PermutationGroup
    >>> square = PermutationGroup([(1, 2, 3, 0), (0, 3, 2, 1)])
    >>> print(orbit_text(square.orbit("[0 ← 1]")))
    [0 ← 1] of PermutationGroup of order 8 on 4 points: 8 pairs
    0 ← 1 3
    1 ← 0 2
    2 ← 1 3
    3 ← 0 2
    """
    sketch = orbit_portrait(orbit)
    lines = [f"{sketch.heading}: {sketch.keys[0].text.removesuffix(', one of them drawn')}"]
    names = sketch.called
    if len(orbit.indices) not in (1, 2):
        at = zip(label_names(orbit), orbit.indices, strict=True)
        return "\n".join([*lines, "  ".join(f"{label} at {names[v]}" for label, v in at)]).rstrip()
    if orbit.size > _MOST_LISTED:
        return "\n".join([*lines, f"too many to list here: {readable(orbit.size)}"])
    rows: defaultdict[int, list[str]] = defaultdict(list)
    if len(orbit.indices) == 1:
        members = [names[v] for (v,) in sorted(tuples_of(orbit).tolist())]
        return "\n".join([*lines, *_hanging("", members, width)])
    for a, b in sorted(tuples_of(orbit).tolist()):
        rows[a].append(names[b])
    wide = max(len(names[a]) for a in rows)
    sign = "←" if orbit.dom == 1 else ","
    for a in list(rows)[:_MOST_ROWS]:
        lines += _hanging(f"{names[a]:>{wide}} {sign} ", rows[a], width)
    if len(rows) > _MOST_ROWS:
        lines.append(f"and {readable(len(rows) - _MOST_ROWS)} more rows")
    return "\n".join(lines)


def _hanging(head: str, words: Sequence[str], width: int) -> list[str]:
    return wrap(
        " ".join(words),
        max(width, len(head) + 20),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
    )
