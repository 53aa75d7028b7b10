"""How fast layers should be, and which of these aims the figures of a benchmark reach.

Each aim is a bound on a ratio of figures from one run, for the layers that it speaks of. An aim is
reached when the worst of its figures is within the bound, and not measured where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tannaka.codegen.timing.standings import (
    COMPILED,
    DEEP_SETS,
    DENSE,
    E3NN,
    EAGER,
    ISOTYPIC,
    KERNEL,
    LITERAL,
    OURS,
    STACKED,
    VIEWS,
    Case,
    Growth,
    Result,
    Row,
    compiled,
    ratio,
)

Figure = Callable[[Result], float | None]
Measure = Callable[[Row], float]


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound on a figure of every layer that the aim speaks of."""

    number: int
    text: str
    sense: Literal["at most", "at least"]
    bound: float
    layers: Callable[[Case], bool]
    figure: Figure

    def verdict(self, results: Iterable[Result]) -> Verdict:
        """Whether the aim is reached, and by how much it is missed or exceeded."""
        found = [
            (figure, str(result.case))
            for result in results
            if self.layers(result.case) and (figure := self.figure(result)) is not None
        ]
        return verdict(self.number, self.text, self.sense, self.bound, found)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An aim and whether it was reached: None where nothing it speaks of was measured."""

    number: int
    text: str
    reached: bool | None
    figures: str

    @property
    def outcome(self) -> str:
        """The verdict in a word."""
        return {True: "reached", False: "missed", None: "not measured"}[self.reached]

    def __str__(self) -> str:
        words = [f"{self.number}. {self.text}: {self.outcome}", self.figures]
        return ", ".join(filter(None, words))


def verdict(
    number: int,
    text: str,
    sense: Literal["at most", "at least"],
    bound: float,
    found: Iterable[tuple[float, str]],
) -> Verdict:
    """The verdict on figures, each with the name of what it was measured on.

    >>> print(verdict(1, "few passes", "at most", 3, [(2.5, "small"), (3.5, "large")]))
    1. few passes, at most 3: missed, worst 3.5 (large), best 2.5 (small), 2 measured
    """
    text = f"{text}, {sense} {bound:g}"
    ordered = sorted(found, reverse=sense == "at most")
    if not ordered:
        return Verdict(number, text, None, "")
    (worst, where), (best, there) = ordered[0], ordered[-1]
    reached = worst <= bound if sense == "at most" else worst >= bound
    figures = f"worst {ratio(worst)} ({where})"
    if len(ordered) > 1:
        figures += f", best {ratio(best)} ({there}), {len(ordered)} measured"
    return Verdict(number, text, reached, figures)


def verdicts(results: Iterable[Result], growths: Iterable[Growth]) -> Iterator[Verdict]:
    """The verdicts on all aims, in order."""
    results = list(results)
    for aim in AIMS:
        yield aim.verdict(results)
    excess = [
        (one.exponent - one.expected, f"{one.family}, {one.series}, n = {one.sizes[0]} on")
        for one in growths
        if one.name == OURS
    ]
    text = "time grows as n^max(k, l): the fitted exponent exceeds max(k, l) by"
    yield verdict(7, text, "at most", 0.25, excess)


def _forward(row: Row) -> float:
    return row.forward


def _both(row: Row) -> float:
    return row.both


def _over_floor(name: str) -> Figure:
    def figure(result: Result) -> float | None:
        row = result.row(name)
        return None if row is None or result.floor is None else row.forward / result.floor.forward

    return figure


def _ahead(rivals: Iterable[str], ours: str, measure: Measure) -> Figure:
    """How many times as long the fastest of these rivals takes; None unless all were measured."""

    def figure(result: Result) -> float | None:
        found = [result.row(name) for name in (ours, *rivals)]
        times = [measure(row) for row in found if row is not None]
        return min(times[1:]) / times[0] if len(times) == len(found) else None

    return figure


def _loss(result: Result) -> float | None:
    """What the layer takes to train, over the fastest of its lowerings."""
    rows = [result.row(name) for name in (OURS, EAGER, ISOTYPIC, LITERAL)]
    ours, *others = [None if row is None else row.both for row in rows]
    known = [time for time in others if time is not None]
    return None if ours is None or len(known) < 2 else ours / min(known)


def _extra_memory(name: str) -> Figure:
    def figure(result: Result) -> float | None:
        row = result.row(name)
        return None if row is None else row.memory / result.output - 1

    return figure


def _planned(result: Result) -> float | None:
    row = result.row(OURS)
    return None if row is None else row.ready


def _layers(family: str) -> Callable[[Case], bool]:
    return lambda case: case.family == family


def _graphs(case: Case) -> bool:
    return case.family == "S 2 -> 2" and 32 <= case.group.n <= 256 and 16 <= case.channels <= 128


def _cubes(case: Case) -> bool:
    return case.family == "S 3 -> 3"


def _tensors(case: Case) -> bool:
    return type(case.group).__name__ in ("O", "SO") and case.group.n == 3 and case.channels >= 64


def _large_tensors(case: Case) -> bool:
    return _tensors(case) and min(case.k, case.l) >= 3


def _tensors_of(order: int) -> Callable[[Case], bool]:
    return lambda case: _tensors(case) and case.k == case.l == order


MEASURES: tuple[tuple[str, Measure], ...] = (("", _forward), (", with the backward pass", _both))
BEST_COMPILED = (compiled(VIEWS), COMPILED)
AIMS = (
    Aim(1, "S(n) 2 -> 2, eager, over the floor", "at most", 8, _graphs, _over_floor(EAGER)),
    Aim(1, "S(n) 2 -> 2, compiled, over the floor", "at most", 4, _graphs, _over_floor(COMPILED)),
    Aim(1, "S(n) 2 -> 2, kernel, over the floor", "at most", 2.5, _graphs, _over_floor(KERNEL)),
    *(
        Aim(
            1,
            f"S(n) 2 -> 2, {what}, times as fast as the stacked operations{how}",
            "at least",
            10,
            _graphs,
            _ahead([STACKED], ours, measure),
        )
        for what, ours in (("eager", EAGER), ("kernel", KERNEL))
        for how, measure in MEASURES
    ),
    *(
        Aim(
            1,
            f"S(n) 2 -> 2, kernel, times as fast as the best compiled code{how}",
            "at least",
            1.5,
            _graphs,
            _ahead(BEST_COMPILED, KERNEL, measure),
        )
        for how, measure in MEASURES
    ),
    *(
        Aim(
            1,
            f"S(n) 2 -> 2, {what}, memory in outputs, beside the output",
            "at most",
            2,
            _graphs,
            _extra_memory(ours),
        )
        for what, ours in (("eager", EAGER), ("kernel", KERNEL))
    ),
    *(
        Aim(2, f"S(n) 3 -> 3, {what}, over the floor", "at most", 20, _cubes, _over_floor(ours))
        for what, ours in (("eager", EAGER), ("kernel", KERNEL))
    ),
    *(
        Aim(
            2,
            f"S(n) 3 -> 3, {what}, times as fast as per-diagram views",
            "at least",
            15,
            _cubes,
            _ahead([VIEWS], ours, _forward),
        )
        for what, ours in (("eager", EAGER), ("kernel", KERNEL))
    ),
    Aim(2, "S(n) 4 -> 4 runs, planned in seconds", "at most", 10, _layers("S 4 -> 4"), _planned),
    *(
        Aim(
            3,
            f"O(3) and SO(3){which}, times as fast as e3nn{how}",
            "at least",
            bound,
            layers,
            _ahead([E3NN], OURS, measure),
        )
        for which, bound, layers in (("", 1, _tensors), (" from 3 -> 3 on", 1.5, _large_tensors))
        for how, measure in MEASURES
    ),
    *(
        Aim(
            3,
            f"O(3), {order} -> {order}, times as fast as a dense product{how}",
            "at least",
            bound,
            _tensors_of(order),
            _ahead([DENSE], OURS, measure),
        )
        for order, bound in ((3, 4), (4, 10))
        for how, measure in MEASURES
    ),
    *(
        Aim(
            4,
            f"S(n) 1 -> 1, times as fast as DeepSets by hand{how}",
            "at least",
            0.9,
            _layers("S 1 -> 1"),
            _ahead([DEEP_SETS], OURS, measure),
        )
        for how, measure in MEASURES
    ),
    Aim(8, "time to train, over the fastest lowering", "at most", 1.1, lambda case: True, _loss),
)
"""The aims that hold for layers on the CPU; those on growth are in :func:`verdicts`."""
