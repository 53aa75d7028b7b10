"""What a layer does, and why so: its plan with the cost of each way, and what its rows have learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tannaka.codegen.choose import Option
from tannaka.codegen.network import sizes as network_sizes
from tannaka.codegen.notation import formula
from tannaka.codegen.task import Task

SHOWN = 20
"""How many rows are listed unless more are asked for: those that do most."""


@dataclass(frozen=True)
class RowReport:
    """One row of the weight: its diagram, what that does, and how much it does."""

    number: int
    diagram: Any
    formula: str
    flops: Any
    """What mixing its channels costs in the factored plan, for one input; a multiply-add is 2."""
    norm: float
    """The Frobenius norm of its weight."""
    share: float
    """Its part of the output's variance, for inputs of independent entries, rows taken alone."""


@dataclass(frozen=True)
class Explanation:
    """What :meth:`EquivariantLinear.explain` returns: prints as a table, in Jupyter with pictures."""

    headline: str
    plan: str
    options: tuple[Option, ...]
    """The ways to compute the layer with their costs, fastest first by the model."""
    rows: tuple[RowReport, ...]
    """Those that do most, in order of what they do."""
    left: int
    """How many rows are not listed."""

    def __str__(self) -> str:
        parts = [self.plan]
        if self.options:
            lines = _table(
                ("lowering", "flops", "bytes moved", "kernels", "bytes alive", "time"),
                [_words(option, self.options[0]) for option in self.options],
            )
            parts.append("\n".join(["ways to compute it, fastest first by the model:", *lines]))
        lines = _table(
            ("row", "diagram", "what it does", "flops", "|W|", "share"),
            [
                (
                    str(row.number),
                    str(row.diagram),
                    row.formula,
                    f"{row.flops:,}" if isinstance(row.flops, int) else str(row.flops),
                    f"{row.norm:.3g}",
                    f"{row.share:.1%}",
                )
                for row in self.rows
            ],
        )
        parts.append("\n".join(["rows of the weight, those that do most first:", *lines]))
        if self.left:
            parts[-1] += f"\n  and {self.left:,} more: explain(rows=None) lists all"
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The tables with a picture of each diagram, for Jupyter."""
        options = "".join(_cells(_words(option, self.options[0]), "td") for option in self.options)
        heads = ("lowering", "flops", "bytes moved", "kernels", "bytes alive", "time")
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{cell}</td>"
                for cell in (
                    str(row.number),
                    _picture(row.diagram),
                    f"<code>{escape(row.formula)}</code>",
                    escape(f"{row.flops:,}" if isinstance(row.flops, int) else str(row.flops)),
                    f"{row.norm:.3g}",
                    f"{row.share:.1%}",
                )
            )
            + "</tr>"
            for row in self.rows
        )
        left = f"<p>and {self.left:,} more rows: <code>explain(rows=None)</code></p>" * bool(
            self.left
        )
        first = f"<table>{_cells(heads, 'th')}{options}</table>" if options else ""
        second = _cells(("row", "diagram", "what it does", "flops", "|W|", "share"), "th")
        plan = f"<details><summary>the plan</summary><pre>{escape(self.plan)}</pre></details>"
        return f"<p>{escape(self.headline)}</p>{first}<table>{second}{rows}</table>{left}{plan}"


def explanation(
    task: Task,
    norms: Sequence[float],
    options: Sequence[Option],
    *,
    n: Any,
    rows: int | None,
) -> Explanation:
    """The explanation of a layer whose rows have these norms; ``n`` None leaves it a letter."""
    from tannaka.codegen.cost import open_sizes

    sizes, _ = open_sizes(task.types, n, 1)
    if n is None:
        n = task.group.n
        sizes = tuple(
            open_size if size is None else size
            for open_size, size in zip(sizes, network_sizes(n), strict=True)
        )
    reports = []
    for number, (diagram, found, norm) in enumerate(
        zip(task.basis, task.networks, norms, strict=True)
    ):
        through = set(found.outputs) & set(found.inputs)
        flops: Any = 2 * task.in_channels * task.out_channels
        for index in sorted(through):
            flops = flops * sizes[found.types[index]]
        share = norm**2 * task.variance(number, n)
        does = formula(diagram, task.reduce, f"W{number}", task.group)
        reports.append(RowReport(number, diagram, does, flops, norm, share))
    total = sum(report.share for report in reports) or 1.0
    reports = [
        RowReport(r.number, r.diagram, r.formula, r.flops, r.norm, r.share / total)
        for r in sorted(reports, key=lambda r: (-r.share, r.number))
    ]
    shown = reports if rows is None else reports[:rows]
    return Explanation(
        task.headline(),
        str(task),
        tuple(options),
        tuple(shown),
        len(reports) - len(shown),
    )


def _words(option: Option, best: Option) -> tuple[str, ...]:
    """An option as the cells of a row of a table."""
    if option.cost is None:
        return (option.name, option.reason, "", "", "", "")
    cost = option.cost
    if option.seconds is None or best.seconds is None:
        time = ""
    elif option is best:
        time = "fastest"
    else:
        time = f"{option.seconds / best.seconds:.1f}x"
    numbers = (cost.flops, cost.bytes, cost.launches, cost.peak)
    words = [f"{value:,}" if isinstance(value, int) else str(value) for value in numbers]
    return (option.name, *words, time)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Lines of a table, columns as wide as their widest cell."""
    cells = [heads, *rows]
    # A reason in place of numbers runs on over the columns after it.
    widths = [
        max((len(row[i]) for row in cells if not _runs_on(row)), default=0)
        for i in range(len(heads))
    ]
    for row in cells:
        if _runs_on(row):
            yield f"  {row[0].ljust(widths[0])}  {row[1]}"
        else:
            yield (
                "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
            ).rstrip()


def _runs_on(row: tuple[str, ...]) -> bool:
    return not any(row[2:])


def _cells(words: Sequence[str], tag: str) -> str:
    inner = "".join(f"<{tag}>{escape(word)}</{tag}>" for word in words)
    return f"<tr>{inner}</tr>"


def _picture(diagram: Any) -> str:
    found: str = diagram.svg() if hasattr(diagram, "svg") else escape(str(diagram))
    return found
