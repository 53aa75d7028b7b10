"""What the benchmark of layers found: figures, growth, and which of our aims they reach.

A result belongs to one layer and has a row for each way to apply it: ours first, then the rivals.
Its floor is the time that the least work takes on the machine that was measured: to move the input,
the weight and the output once, as fast as a copy of so many bytes, or to multiply channels once for
each diagram (for O(n) and SO(n) in the isotypic basis, where that is less), as fast as a large
matrix product, whichever takes longer; both were measured in the same run as the rows. Code that
does fewer products than one for each diagram, as pairs of transposed entries allow, can go below.
Times are medians, in seconds; memory is what PyTorch allocated at once at most, beside input and
weight, in bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tannaka.category.groups import Group

OURS = "tannaka"
EAGER = "tannaka, einsum"
COMPILED = "tannaka, einsum, compiled"
KERNEL = "tannaka, cpp"
ISOTYPIC = "tannaka, isotypic"
LITERAL = "tannaka, dense"
STACKED = "stacked operations"
VIEWS = "per diagram, views"
IDENTITIES = "per diagram, identities"
DENSE = "dense, weight ready"
ASSEMBLED = "dense, assembled"
DEEP_SETS = "DeepSets by hand"
E3NN = "e3nn, basis changed"
TIED = "tied dense"


@dataclass(frozen=True, slots=True)
class Case:
    """A layer to time: as many channels out as in, float32; a bias where lowerings are compared alone.

    ``compiled``: compile the rivals too, which takes minutes. ``rivals``: time them at all.
    ``series``: cases of the same name differ in n alone, and times grow with it.
    """

    group: Group
    k: int
    l: int
    channels: int = 32
    batch: int = 8
    compiled: bool = False
    rivals: bool = True
    series: str = ""

    @property
    def family(self) -> str:
        """The family of the group and the orders: "S 2 -> 2"."""
        return f"{type(self.group).__name__} {self.k} -> {self.l}"

    def __str__(self) -> str:
        return f"{self.group}, {self.k} -> {self.l}, {self.channels} channels, batch {self.batch}"


@dataclass(frozen=True, slots=True)
class Row:
    """One way to apply a layer: seconds of the forward pass, and of forward and backward pass.

    ``ready`` is what came before, planning, compiling and assembling. ``memory`` is that of the
    forward pass, ``memory_both`` with the backward pass. A way that was left out has a reason.
    """

    name: str
    forward: float = math.nan
    both: float = math.nan
    memory: int = 0
    memory_both: int = 0
    ready: float = math.nan
    left_out: str | None = None


@dataclass(frozen=True, slots=True)
class Floor:
    """The time that the least work takes; ``fewest`` is that with the fewest flops that are known.

    ``bound`` says what takes longest in the forward pass, bytes or flops; ``bandwidth`` is in bytes
    per second, ``rate`` in flops per second, as measured.
    """

    forward: float
    both: float
    fewest: float
    bound: str
    bandwidth: float
    rate: float


@dataclass(frozen=True, slots=True)
class Result:
    """All rows of one case, ours first. ``output`` is the size of the output in bytes.

    Where no way of ours runs there is no floor, and the only row says why.
    """

    case: Case
    dimension: int
    output: int
    floor: Floor | None
    rows: Sequence[Row]

    def row(self, name: str) -> Row | None:
        """The row of this name, unless it was left out."""
        return next((row for row in self.rows if row.name == name and row.left_out is None), None)


@dataclass(frozen=True, slots=True)
class Growth:
    """Seconds of the forward pass grow as n^exponent, fitted over ``sizes``; ``last`` over the last two."""

    family: str
    series: str
    name: str
    sizes: tuple[int, ...]
    exponent: float
    last: float
    expected: int


def growths(results: Iterable[Result]) -> Iterator[Growth]:
    """How the times of each way grow in each series of at least three sizes."""
    points: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    orders: dict[str, int] = {}
    for result in results:
        case = result.case
        if not case.series:
            continue
        orders[case.family] = max(case.k, case.l)
        for row in result.rows:
            if row.left_out is None:
                at = points.setdefault((case.family, case.series, row.name), [])
                at.append((case.group.n, row.forward))
    for (family, series, name), found in points.items():
        if len(found) > 2:
            found.sort()
            sizes = tuple(n for n, _ in found)
            yield Growth(
                family, series, name, sizes, growth(found), growth(found[-2:]), orders[family]
            )


def growth(timings: Sequence[tuple[int, float]]) -> float:
    """The exponent a for which seconds grow as n^a, fitted through (n, seconds).

    >>> round(growth([(2, 4.0), (4, 16.0), (8, 64.0)]), 6)
    2.0
    """
    logs = [(math.log(n), math.log(seconds)) for n, seconds in timings]
    mean_n = sum(a for a, _ in logs) / len(logs)
    mean_s = sum(b for _, b in logs) / len(logs)
    covariance = sum((a - mean_n) * (b - mean_s) for a, b in logs)
    return covariance / sum((a - mean_n) ** 2 for a, _ in logs)


def compiled(name: str) -> str:
    """The name of the same under ``torch.compile``."""
    return f"{name}, compiled"


def ratio(value: float) -> str:
    """A ratio with two digits, and no more of them than it has before the point.

    >>> ratio(0.957), ratio(12.34), ratio(5678.9)
    ('0.96', '12', '5,679')
    """
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> duration(12.34), duration(0.0125), duration(0.0000018)
    ('12.3 s', '12.5 ms', '1.8 µs')
    """
    for unit in ("s", "ms"):
        if seconds >= 1:
            return f"{seconds:,.1f} {unit}"
        seconds *= 1000
    return f"{seconds:,.1f} µs"
