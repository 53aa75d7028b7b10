"""What layers lose that choose how they are computed: as tables for a terminal, a page, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tannaka.codegen.lowering.choose import LOWERINGS, SECONDS
from tannaka.codegen.timing.calibration import (
    Fit,
    Model,
    Standing,
    Timing,
    by_family,
    fit,
    standings,
    worst,
)
from tannaka.codegen.timing.reports import aligned, markdown_table
from tannaka.codegen.timing.standings import duration, ratio

STANDINGS = (
    "", "layers", "within 10 %", "within 30 %", "mean", "worst", "forward within 10 %", "mean",
)  # fmt: skip
WORST = ("", "auto took", "times as long", *LOWERINGS)
CONSTANTS = ("", "fixed", "kernel", "byte", "flop", "flop / channels")

READING = """\
A layer with a weight for each diagram is computed in one of several lowerings; `auto` takes the one \
that a model says trains fastest. Here each layer is timed in all that `auto` considers, with a bias \
and as many channels out as in, forward and with the backward pass: medians over rounds in which all \
take turns, the answers compared before. A layer loses what `auto` takes over what the fastest does; \
**within 10 %** is the share of layers that lose at most so much, **mean** and **worst** are of the \
ratio. The last two columns are of the forward pass alone, for which nothing is chosen. Layers that \
have one lowering only are left out: they would lose nothing."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, what it is called, and what has to be said about it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: str = ""


def tables(timings: Sequence[Timing], found: Fit | str) -> Iterator[Table]:
    """What the timings say; ``found`` are the constants fitted to them, or why there are none."""
    yield Table("Choices", STANDINGS, [_standing(one) for one in standings(timings)])
    yield Table("By group", STANDINGS, [_standing(one) for one in by_family(timings)])
    yield Table(
        "Worst", WORST, [_worst(one) for one in worst(timings)], "What `auto` loses most with."
    )
    if isinstance(found, Fit):
        rows = [_standing(one) for one in (found.within, found.elsewhere)]
        words = (
            "Constants fitted to this run. The first row is of the layers that they were fitted to, "
            "and so flatters them; in the second, constants fitted to one half of the spaces choose "
            "for the other half."
        )
        yield Table("Fitted constants", STANDINGS, rows, words)
        both = [
            (f"{name}, {what}", *(f"{value:.1e}" for value in model[name]))
            for name in LOWERINGS
            for what, model in (("in use", SECONDS), ("fitted", found.model))
        ]
        words = "Of training, in seconds. All dense layers take as many kernels."
        yield Table("Constants", CONSTANTS, both, words)


def report(timings: Sequence[Timing]) -> Iterator[str]:
    """Everything as text for a terminal, line by line."""
    found = _fit(timings)
    for table in tables(timings, found):
        cells = [table.head, *table.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(table.head))]
        yield ""
        yield table.title
        if table.words:
            yield table.words
        yield from (f"  {aligned(row, widths)}" for row in cells)
    yield ""
    yield f"no constants were fitted: {found}" if isinstance(found, str) else literal(found.model)


def markdown(machine: Sequence[str], timings: Sequence[Timing], *, command: str) -> str:
    """Everything as a page; ``command`` writes it again."""
    found = _fit(timings)
    page = [
        "# How well layers choose",
        "",
        f"Written by `{command}`, which replaces this page.",
        "",
        *(f"* {line}" for line in machine),
        "",
        READING,
    ]
    for table in tables(timings, found):
        page += ["", f"## {table.title}", ""]
        page += [table.words, ""] if table.words else []
        page += markdown_table(table.head, table.rows)
    if isinstance(found, str):
        page += ["", f"No constants were fitted: {found}."]
    else:
        page += ["", "The fitted ones as `codegen/lowering/choose.py` has them:", ""]
        page += ["```python", literal(found.model), "```"]
    return "\n".join(page) + "\n"


def as_json(machine: Sequence[str], timings: Sequence[Timing]) -> str:
    """Everything that was measured; seconds."""
    found = _fit(timings)
    everything = {
        "machine": list(machine),
        "timings": [
            {
                "group": str(one.case.group),
                "k": one.case.k,
                "l": one.case.l,
                "channels": one.case.channels,
                "batch": one.case.batch,
                "auto": one.auto,
                "terms": dict(one.terms),
                "forward": dict(one.forward),
                "both": dict(one.both),
            }
            for one in timings
        ],
        "in use": SECONDS,
        "fitted": None if isinstance(found, str) else found.model,
    }
    return json.dumps(everything, indent=1, allow_nan=False) + "\n"


def literal(model: Model) -> str:
    """Constants as Python writes them.

    >>> print(literal({"dense": (0.0, 1.1e-5, 5e-11, 1.2e-11, 2.5e-12)}))
    SECONDS: dict[Lowering, Constants] = {
        "dense": (0.0, 1.1e-05, 5e-11, 1.2e-11, 2.5e-12),
    }
    """
    rows = [
        f'    "{name}": ({", ".join(str(float(f"{value:.1e}")) for value in constants)}),'
        for name, constants in model.items()
    ]
    return "\n".join(["SECONDS: dict[Lowering, Constants] = {", *rows, "}"])


def _fit(timings: Sequence[Timing]) -> Fit | str:
    """The constants that suit the timings, or why there are none."""
    try:
        return fit(timings)
    except ValueError as error:
        return str(error)


def _standing(one: Standing) -> tuple[str, ...]:
    if not one.layers:
        return (one.name, "0", *[""] * (len(STANDINGS) - 2))
    return (
        one.name,
        f"{one.layers:,}",
        f"{one.within_10:.1%}",
        f"{one.within_30:.1%}",
        f"{one.mean:.3f}",
        ratio(one.worst),
        f"{one.forward_within_10:.1%}",
        f"{one.forward_mean:.3f}",
    )


def _worst(one: Timing) -> tuple[str, ...]:
    times = (duration(one.both[name]) if name in one.both else "" for name in LOWERINGS)
    return (str(one.case), one.auto, ratio(one.loss(one.auto)), *times)
