"""How fast diagrams are listed, composed, numbered and made canonical, against other packages.

Every figure is a rate, things done in a second, with its ratio to another implementation timed in
the same run. All implementations of a task are first compared on a sample: a wrong answer is not
timed. more_itertools and Sage are timed where they are installed.

They do not all do the same work. Ours give diagrams that are validated, canonical and hashable;
more_itertools, SymPy, plain Python and Sage's bare functions give lists and tuples that are not;
Sage's inner loops are compiled. Arrays, in bulk, are compared with the same rivals one by one.
"""

from __future__ import annotations

import math
import os
import platform
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from timeit import Timer
from typing import Any

from tannaka.diagrams import rivals
from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.counts import count_brauer_diagrams, count_set_partitions
from tannaka.diagrams.enumerate import brauer_diagrams, set_partitions
from tannaka.diagrams.partition import SetPartition
from tannaka.diagrams.rivals import Implementation

Entry = tuple[Implementation, Any, int]
"""Who does something, on which problem, and how many things that problem holds."""


@dataclass(frozen=True)
class Task:
    """Things to do, called ``unit``. All entries must give the same answer on ``sample``.

    The first entry is ours, to which the others are compared.
    """

    title: str
    unit: str
    sample: Any
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Rate:
    """How many things an implementation does in a second; None where it is not installed.

    ``ratio`` is the time that it takes for one, as a multiple of the time that ours takes.
    """

    name: str
    per_second: float | None = None
    ratio: float | None = None


def tasks(
    *, points: int = 9, bulk: int = 12, matched: int = 12, order: int = 4, pairs: int = 2**17
) -> Iterator[Task]:
    """What is timed.

    Set partitions of ``points`` points are listed one by one and of ``bulk`` points in bulk, Brauer
    diagrams of ``matched`` points one by one; ``pairs`` random pairs of diagrams order -> order are
    composed in bulk, and at most 1,000 of them one by one. Each task is made when it is asked for.

    >>> small = tasks(points=3, bulk=4, matched=4, order=2, pairs=5)
    >>> next(small).title
    'set partitions of 3 points, one by one'
    """
    ours: Entry
    all_of_6 = (6, count_set_partitions(6))
    listing, count = rivals.listing(), count_set_partitions(points)
    title = f"set partitions of {points} points, one by one"
    yield Task(title, "partitions", all_of_6, _all(listing, (points, count), count))

    # One by one, 12 points take up to half a minute: only the first of them are listed so.
    count = count_set_partitions(bulk)
    first = min(count, 2**15)
    ours = (rivals.listing_in_bulk(), (bulk, count), count)
    title = f"set partitions of {bulk} points, in bulk"
    yield Task(title, "partitions", all_of_6, [ours, *_all(listing, (bulk, first), first)])

    count = count_brauer_diagrams(matched)
    title = f"Brauer diagrams of {matched} points, one by one"
    yield Task(title, "diagrams", 6, _all(rivals.matching(), matched, count))

    title = f"set partitions {order} -> {order}, composed"
    many = _random_pairs(list(set_partitions(order, order)), pairs)
    few, sample = many[:1000], many[:100]
    composing = _all(rivals.composing(order, SetPartition), few, len(few))
    yield Task(f"{title} one by one", "pairs", sample, composing)
    ours = (rivals.composing_in_bulk(order), many, len(many))
    yield Task(f"{title} in bulk", "pairs", sample, [ours, *composing])

    title = f"Brauer diagrams {order} -> {order}, composed one by one"
    few = _random_pairs(list(brauer_diagrams(order, order)), len(few))
    composing = _all(rivals.composing(order, Brauer), few, len(few))
    yield Task(title, "pairs", few[:100], composing)

    space = set_partitions(0, bulk)
    numbers = [random.Random(i).randrange(space.count) for i in range(min(pairs, 100))]
    title = f"a set partition of {bulk} points by its number"
    unranking = _all(rivals.unranking(bulk), numbers, len(numbers))
    yield Task(title, "partitions", numbers[:10], unranking)

    found = [space[number] for number in numbers]
    title = f"the number of a set partition of {bulk} points"
    yield Task(title, "partitions", found[:10], _all(rivals.ranking(bulk), found, len(found)))

    shuffled = [_shuffled(d.blocks, i) for i, d in enumerate(found)]
    title = f"canonical form of a set partition of {bulk} points"
    canonicalising = _all(rivals.canonicalising(bulk), shuffled, len(shuffled))
    yield Task(title, "partitions", shuffled, canonicalising)


def bench(task: Task, *, seconds: float = 0.5) -> list[Rate]:
    """The rates of one task, each measured for about so many seconds.

    Raises AssertionError where two implementations do not agree on the sample.

    >>> first = next(tasks(points=3, bulk=4, matched=4, order=2, pairs=5))
    >>> [rate.name for rate in bench(first, seconds=0.001)][:2]
    ['tannaka', 'plain Python']
    """
    installed = [entry for entry in task.entries if entry[0].installed]
    first = installed[0][0]
    wanted = first.answer(task.sample)
    for way, _, _ in installed:
        if way.answer(task.sample) != wanted:
            raise AssertionError(f"{task.title}: {way.name} and {first.name} do not agree")
    calls: dict[str, Callable[[], object]] = {
        way.name: partial(_exhaust, way.run, way.prepare(problem)) for way, problem, _ in installed
    }
    best = _best(calls, seconds)
    each = {way.name: best[way.name] / count for way, _, count in installed}
    return [
        Rate(way.name, 1 / each[way.name], each[way.name] / each[first.name])
        if way.name in each
        else Rate(way.name)
        for way, _, _ in task.entries
    ]


def report(task: Task, rates: Iterable[Rate]) -> Iterator[str]:
    r"""A table of the rates of one task, line by line.

    >>> task = Task("do it", "things", None, [])
    >>> print(*report(task, [Rate("one", 5000.0, 1.0), Rate("other")]), sep="\n")
    do it                                                      things/s    ratio
      one                                                         5,000     1.00
      other                                               not installed
    """
    yield f"{task.title:51} {task.unit + '/s':>15} {'ratio':>8}"
    for rate in rates:
        if rate.per_second is None or rate.ratio is None:
            yield f"  {rate.name:49} {'not installed':>15}"
        else:
            yield f"  {rate.name:49} {rate.per_second:15,.0f} {rate.ratio:8,.2f}"


def machine() -> str:
    """What the figures were measured on, and with which versions."""
    found = [f"Python {platform.python_version()}"]
    for package in ("numpy", "sympy", "more-itertools", "passagemath-combinat"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return f"{', '.join(found)}; {platform.machine()}, {os.cpu_count()} processors"


def _all(ways: Iterable[Implementation], problem: Any, count: int) -> list[Entry]:
    return [(way, problem, count) for way in ways]


def _exhaust(run: Callable[[Any], Any], problem: Any) -> None:
    answer = run(problem)
    if isinstance(answer, Iterator):
        deque(answer, maxlen=0)


def _best(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The shortest time of each call. They take turns, so that a busy machine slows all alike."""
    rounds = 5
    timers = {name: Timer(call) for name, call in calls.items()}
    # A first, uncounted round warms up and says how many calls fill a round.
    once = {name: timer.timeit(1) for name, timer in timers.items()}
    counts = {name: max(1, int(seconds / rounds / time)) for name, time in once.items()}
    best = dict.fromkeys(timers, math.inf)
    for _ in range(rounds):
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(counts[name]) / counts[name])
    return best


def _random_pairs(choices: Sequence[Any], count: int) -> list[tuple[Any, Any]]:
    rng = random.Random(0)
    return list(zip(rng.choices(choices, k=count), rng.choices(choices, k=count), strict=True))


def _shuffled(blocks: Sequence[Sequence[int]], seed: int) -> list[list[int]]:
    """The same blocks in another order, and their points."""
    rng = random.Random(seed)
    return [rng.sample(block, len(block)) for block in rng.sample(blocks, len(blocks))]
