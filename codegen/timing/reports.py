"""What the benchmark of layers found, as tables for a terminal, as a page, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tannaka.codegen.timing.aims import Verdict
from tannaka.codegen.timing.standings import OURS, Growth, Result, duration, growths, ratio

HEAD = (
    "", "forward", "x floor", "x ours", "with backward", "x floor", "x ours", "memory", "made in",
)  # fmt: skip


def table(result: Result) -> Iterator[tuple[str, ...]]:
    """The rows as texts under ``HEAD``; one that was left out has its name and the reason alone."""
    floor, ours = result.floor, result.row(OURS)
    for row in result.rows:
        if row.left_out is not None or floor is None or ours is None:
            yield row.name, row.left_out or ""
            continue
        yield (
            row.name,
            duration(row.forward),
            ratio(row.forward / floor.forward),
            ratio(row.forward / ours.forward),
            duration(row.both),
            ratio(row.both / floor.both),
            ratio(row.both / ours.both),
            f"{ratio(row.memory / result.output)}; {ratio(row.memory_both / result.output)}",
            duration(row.ready) if row.ready > 0 else "",
        )
    if floor is not None:
        yield "floor", duration(floor.forward), "1", "", duration(floor.both), "1", "", "", ""


def described(result: Result) -> str:
    """What the floor of a result is made of, in a line."""
    floor = result.floor
    words = [f"{result.dimension:,} weights per pair of channels"]
    if floor is None:
        return words[0]
    words.append(f"{floor.bandwidth / 1e9:.1f} GB/s, {floor.rate / 1e9:,.0f} Gflop/s")
    words.append(f"the floor is bound by {floor.bound}")
    if floor.fewest < floor.forward:
        words.append(f"{duration(floor.fewest)} with the fewest flops known")
    return "; ".join(words)


def report(result: Result) -> Iterator[str]:
    """A result as a table for a terminal, line by line."""
    widths = (28, 10, 8, 8, 14, 8, 8, 12, 9)
    yield f"{result.case}: {described(result)}"
    yield "  " + aligned(HEAD, widths)
    for cells in table(result):
        if len(cells) == 2:
            yield f"  {cells[0]:{widths[0]}} left out: {cells[1]}"
        else:
            yield "  " + aligned(cells, widths)


def grown(growth: Growth) -> str:
    """A growth as a line of text.

    >>> print(grown(Growth("S 2 -> 2", "C = 16", "tannaka", (32, 64, 128), 1.98, 2.01, 2)))
    S 2 -> 2, C = 16, tannaka: n^1.98 over n = 32 ... 128; n^2.01 from 64 to 128
    """
    first, before, last = growth.sizes[0], growth.sizes[-2], growth.sizes[-1]
    return (
        f"{growth.family}, {growth.series}, {growth.name}: n^{growth.exponent:.2f} over n = {first} "
        f"... {last}; n^{growth.last:.2f} from {before} to {last}"
    )


def markdown(
    machine: Sequence[str],
    results: Sequence[Result],
    verdicts: Iterable[Verdict],
    *,
    command: str,
    notes: str | None = None,
) -> str:
    """Everything as a page; ``command`` writes it again, ``notes`` is a page about it, by hand."""
    about = f" What they mean, and why aims were missed, is in [{notes}]({notes})." if notes else ""
    page = [
        "# How fast layers are",
        "",
        f"Written by `{command}`, which replaces this page.{about}",
        "",
        *(f"* {line}" for line in machine),
        "",
        READING,
        "",
        "## Aims",
        "",
        *markdown_table(("aim", "outcome", "figures"), map(_verdict_cells, verdicts)),
        "",
        "## Growth",
        "",
        "Of the forward pass, fitted by least squares; in the last column from the two largest n.",
        "",
        *markdown_table(
            ("layer", "", "n", "grows as", "last"), map(_growth_cells, growths(results))
        ),
    ]
    for result in results:
        page += ["", f"## {result.case}", "", f"{described(result)}.", ""]
        page += markdown_table(HEAD, table(result))
    return "\n".join(page) + "\n"


READING = """\
Times are medians over rounds in which all ways take turns. All have the same weight and were first \
compared in float64. The **floor** is the time to move the input, the weight and the output once, as \
fast as a copy of so many bytes, or to multiply channels once for each diagram (for O(n) and SO(n) in \
the isotypic basis), as fast as a large matrix product, whichever is longer; with the backward pass, \
the same for the gradients of input and weight, with two more such products. Code that multiplies \
less often, as pairs of transposed entries allow for S(n), can go below it: the time with the fewest \
products known is given where it is shorter.

Columns: the time of the forward pass, over the floor, over the first row; the same for forward and \
backward pass together; the most memory that PyTorch allocates at once beside input and weight, in \
outputs, output included, forward and with the backward pass; the time to make the layer and compile \
it. C++ kernels that an earlier run compiled are loaded: an empty `TORCH_EXTENSIONS_DIR` shows what \
compiling them takes."""


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown; a row that is short has its last cell in place of the others."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' :-- ' if i == 0 else ' --: ' for i in range(len(head)))}|"
    for cells in rows:
        filled = [*cells, *[""] * (len(head) - len(cells))]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in filled)} |"


def _verdict_cells(verdict: Verdict) -> tuple[str, ...]:
    return f"{verdict.number}. {verdict.text}", verdict.outcome, verdict.figures


def _growth_cells(one: Growth) -> tuple[str, ...]:
    sizes = f"{one.sizes[0]} ... {one.sizes[-1]}"
    exponents = (f"n^{value:.2f}" for value in (one.exponent, one.last))
    return (f"{one.family}, {one.series}", one.name, sizes, *exponents)


def as_json(machine: Sequence[str], results: Sequence[Result], verdicts: Iterable[Verdict]) -> str:
    """Everything that was measured; seconds, bytes, bytes and flops per second."""

    def plain(result: Result) -> dict[str, Any]:
        case = result.case
        return {
            "group": str(case.group),
            "n": case.group.n,
            "k": case.k,
            "l": case.l,
            "channels": case.channels,
            "batch": case.batch,
            "dimension": result.dimension,
            "output": result.output,
            "floor": None if result.floor is None else asdict(result.floor),
            # NaN is no JSON.
            "rows": [
                {name: None if value != value else value for name, value in asdict(row).items()}
                for row in result.rows
            ],
        }

    everything = {
        "machine": list(machine),
        "results": [plain(result) for result in results],
        "growth": [asdict(one) for one in growths(results)],
        "aims": [asdict(verdict) for verdict in verdicts],
    }
    return json.dumps(everything, indent=1, allow_nan=False) + "\n"


def aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Cells as a line of text, in columns so wide; the first stands left, the others right."""
    first, *others = zip(cells, widths, strict=True)
    return f"{first[0]:{first[1]}}" + "".join(f" {cell:>{width}}" for cell, width in others)
