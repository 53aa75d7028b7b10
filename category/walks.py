"""Walks on the McKay quiver: how tensor powers of V decompose, step by step.

Tensoring with V is a step from each irreducible representation to those in its product with V. The
walks of N steps from the trivial one to an irreducible count how often that is in V^N, and the
walks of k + l steps that come back to the trivial one count the dimension of Hom(V^k, V^l).
Representations are named by partitions: of n for S(n); of any size for O(n), Sp(n). SO(n) and A(n)
walk as O(n) and S(n) do, and may end at the determinant too. Those of H(n) are named by pairs of
partitions of n boxes in all, written one after the other with a 0 between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tannaka.diagrams.pictures.bundle import mimebundle, picture_formats
from tannaka.diagrams.pictures.quiver import quiver_svg

Shape = tuple[int, ...]
MAX_DRAWN = 10
"""Most steps of walks that a notebook draws."""
MAX_BOXES = 1000
"""The largest n of S(n) whose walks a notebook draws."""
Steps = Callable[[Shape], dict[Shape, int]]
"""The irreducibles in V times an irreducible, each with how often it is there."""


@dataclass(frozen=True, repr=False)
class Walks:
    """The walks of ``length`` steps from ``start`` to one of ``ends``; shows itself as a table.

    >>> from tannaka.category.orthogonal import O
    >>> walks = O(3).walks(2, 2)
    >>> walks.count
    3
    >>> print(walks)
    walks of 4 steps from ∅ to ∅: 3
      0: ∅
      1: 1
      2: ∅, 2, 11
      3: 3 x 1
      4: 3 x ∅
    >>> [" ".join(map(written, path)) for path in walks]
    ['∅ 1 ∅ 1 ∅', '∅ 1 2 1 ∅', '∅ 1 11 1 ∅']
    """

    start: Shape
    ends: tuple[Shape, ...]
    length: int
    steps: Steps

    def levels(self) -> tuple[dict[Shape, int], ...]:
        """For 0, 1, ... steps, how many walks lead from the start to each irreducible.

        Only irreducibles from which an end can still be reached are there.
        """
        forth = [{self.start: 1}]
        for _ in range(self.length):
            forth.append(self._after(forth[-1], 1))
        # The quiver is symmetric: steps back are steps forth.
        alive = set(self.ends)
        kept = []
        for level in reversed(forth):
            kept.append({shape: level[shape] for shape in sorted(level) if shape in alive})
            alive = {other for shape in kept[-1] for other in self.steps(shape)}
        return tuple(reversed(kept))

    @property
    def count(self) -> int:
        """How many walks there are: the dimension of the Hom space.

        Walks from both sides meet in the middle, where they have seen few irreducibles.
        """
        half = self.length // 2
        forth = self._after({self.start: 1}, half)
        back = self._after(dict.fromkeys(self.ends, 1), self.length - half)
        return sum(count * back.get(shape, 0) for shape, count in forth.items())

    def after(self, steps: int) -> dict[Shape, int]:
        """How often each irreducible is in the start times V^steps: the walks that lead there.

        >>> from tannaka.category.symmetric import S
        >>> S(3).walks(1, 1).after(2)
        {(3,): 2, (2, 1): 3, (1, 1, 1): 1}
        """
        found = self._after({self.start: 1}, steps)
        return {shape: found[shape] for shape in sorted(found, key=place)}

    def _after(self, level: dict[Shape, int], steps: int) -> dict[Shape, int]:
        """How many walks of so many steps lead to each irreducible, from a level of them."""
        for _ in range(steps):
            following: Counter[Shape] = Counter()
            for shape, count in level.items():
                for other, times in self.steps(shape).items():
                    following[other] += count * times
            level = following
        return level

    def __iter__(self) -> Iterator[tuple[Shape, ...]]:
        """The walks, one by one; where a step is there several times, so is the walk."""
        alive = [set(level) for level in self.levels()]
        pending: list[tuple[Shape, ...]] = [(self.start,)] if self.start in alive[0] else []
        while pending:
            path = pending.pop()
            if len(path) > self.length:
                yield path
                continue
            following = self.steps(path[-1])
            for shape in sorted(following, reverse=True, key=place):
                if shape in alive[len(path)]:
                    pending += [(*path, shape)] * following[shape]

    def svg(self) -> str:
        """The walks as a self-contained SVG picture: the Bratteli diagram.

        >>> from tannaka.category.orthogonal import O
        >>> O(3).walks(1, 1).svg().count("<rect")
        1
        """
        levels = self.levels()
        steps = [
            {
                (shape, other): times
                for shape in level
                for other, times in self.steps(shape).items()
                if other in following
            }
            for level, following in pairwise(levels)
        ]
        ordered = [{shape: level[shape] for shape in sorted(level, key=place)} for level in levels]
        return quiver_svg(ordered, steps, str(self).partition("\n")[0])

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        drawn = self.length <= MAX_DRAWN and sum(self.start) <= MAX_BOXES
        formats = picture_formats(self.__str__, self.svg if drawn else None)
        return mimebundle(formats, include, exclude)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        ends = " or ".join(map(written, self.ends))
        lines = [
            f"walks of {self.length} steps from {written(self.start)} to {ends}: {self.count:,}"
        ]
        for number, level in enumerate(self.levels()):
            shapes = sorted(level, key=place)
            words = (
                written(shape) if level[shape] == 1 else f"{level[shape]:,} x {written(shape)}"
                for shape in shapes
            )
            lines.append(f"  {number}: {', '.join(words)}")
        return "\n".join(lines)


def place(shape: Shape) -> tuple[int, tuple[int, ...]]:
    """Where a partition stands in order: small ones first, then those with long rows.

    >>> sorted([(1, 1), (), (2,)], key=place)
    [(), (2,), (1, 1)]
    """
    return sum(shape), tuple(-part for part in shape)


def written(shape: Shape) -> str:
    """A partition as its parts: run together where all have one digit.

    >>> written((3, 1)), written((12, 1)), written(()), written((2, 1, 0, 1))
    ('31', '12.1', '∅', '21|1')
    """
    if 0 in shape:
        first, second = halves(shape)
        return f"{written(first)}|{written(second)}"
    return ("" if all(part < 10 for part in shape) else ".").join(map(str, shape)) or "∅"


def add_box(shape: Shape) -> list[Shape]:
    """The partitions with one box more.

    >>> add_box((2, 1))
    [(3, 1), (2, 2), (2, 1, 1)]
    """
    grown = [
        (*shape[:i], shape[i] + 1, *shape[i + 1 :])
        for i in range(len(shape))
        if i == 0 or shape[i - 1] > shape[i]
    ]
    return [*grown, (*shape, 1)]


def remove_box(shape: Shape) -> list[Shape]:
    """The partitions with one box less.

    >>> remove_box((2, 2))
    [(2, 1)]
    """
    # A row of one box that can go is the last row.
    return [
        (*shape[:i], shape[i] - 1, *shape[i + 1 :]) if shape[i] > 1 else shape[:i]
        for i in range(len(shape))
        if i == len(shape) - 1 or shape[i + 1] < shape[i]
    ]


def move_box(shape: Shape) -> dict[Shape, int]:
    """V times an irreducible of S(n): take a box away, then put one on (restrict, then induce).

    >>> move_box((2, 1))
    {(3,): 1, (2, 1): 2, (1, 1, 1): 1}
    """
    found: Counter[Shape] = Counter()
    for smaller in remove_box(shape):
        found.update(add_box(smaller))
    return {key: found[key] for key in sorted(found, reverse=True)}


def halves(shape: Shape) -> tuple[Shape, Shape]:
    """The two partitions of a pair.

    >>> halves((2, 1, 0, 3))
    ((2, 1), (3,))
    """
    middle = shape.index(0)
    return shape[:middle], shape[middle + 1 :]


def move_box_across(shape: Shape) -> dict[Shape, int]:
    """V times an irreducible of H(n): a box of one partition moves to the other.

    The sign of a coordinate that is taken away comes back with the other sign.

    >>> move_box_across((2, 0))
    {(1, 0, 1): 1}
    """
    first, second = halves(shape)
    found: Counter[Shape] = Counter()
    for smaller in remove_box(first):
        found.update((*smaller, 0, *larger) for larger in add_box(second))
    for smaller in remove_box(second):
        found.update((*larger, 0, *smaller) for larger in add_box(first))
    return {key: found[key] for key in sorted(found, reverse=True)}


def add_or_remove(shape: Shape, allowed: Callable[[Shape], bool]) -> dict[Shape, int]:
    """V times an irreducible of O(n) or Sp(n): one box more or less, within the allowed partitions."""
    return {other: 1 for other in [*remove_box(shape), *add_box(shape)] if allowed(other)}
