"""What a layer does, and why so: its plan with the cost of each way, and what its rows have learned."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from tannaka.codegen.facts import facts
from tannaka.codegen.lowering.choose import Option
from tannaka.codegen.lowering.graph_plan import GraphPlan
from tannaka.codegen.lowering.orbit_plan import OrbitPlan
from tannaka.codegen.network import sizes as network_sizes
from tannaka.codegen.notation import formula
from tannaka.codegen.plan_picture import MOST_ROWS
from tannaka.codegen.task import Task
from tannaka.diagrams.pictures.bundle import HTML, PLAIN, inline, mimebundle, sheet, table
from tannaka.diagrams.pictures.svg import svg_document

SHOWN = 20
"""How many rows are listed unless more are asked for: those that do most."""
FEW = 8
"""How many rows of its weight a layer shows of itself."""


@dataclass(frozen=True)
class RowReport:
    """One row of the weight: its diagram, what that does, and how much it does."""

    number: int
    diagram: Any
    formula: str
    flops: Any
    """What mixing its channels costs in the factored plan, for one input; a multiply-add is 2. Empty
    where rows share that work."""
    norm: float
    """The Frobenius norm of its weight."""
    share: float
    """Its part of the output's variance, for inputs of independent entries, rows taken alone."""


@dataclass(frozen=True)
class Explanation:
    """What :meth:`EquivariantLinear.explain` returns: a table, in notebooks with pictures."""

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
        heads: tuple[str, ...] = ("row", "diagram", "what it does", "flops", "|W|", "share")
        cells: list[tuple[str, ...]] = [
            (
                str(row.number),
                str(row.diagram),
                row.formula,
                f"{row.flops:,}" if isinstance(row.flops, int) else str(row.flops),
                f"{row.norm:.3g}",
                f"{row.share:.1%}",
            )
            for row in self.rows
        ]
        if not any(row.flops for row in self.rows):
            heads, *cells = ((*row[:3], *row[4:]) for row in (heads, *cells))
        lines = _table(heads, cells)
        parts.append("\n".join(["rows of the weight, those that do most first:", *lines]))
        if self.left:
            parts[-1] += f"\n  and {self.left:,} more: explain(rows=None) lists all"
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        return mimebundle({PLAIN: self.__str__, HTML: self._html}, include, exclude)

    def _html(self) -> str:
        """The tables with a picture of each diagram, for notebooks."""
        heads = ("lowering", "flops", "bytes moved", "kernels", "bytes alive", "time")
        ways = [
            [escape(word) for word in _words(option, self.options[0])] for option in self.options
        ]
        first = table(heads, ways, numbers=(1, 2, 3, 4, 5)) if ways else ""
        left = f"<p><small>and {self.left:,} more rows: <code>explain(rows=None)</code></small></p>"
        plan = f"<details><summary>the plan</summary><pre>{escape(self.plan)}</pre></details>"
        return sheet(
            f'<p class="tannaka-head"><b>{escape(self.headline)}</b></p>{first}'
            f"{rows_table(self.rows)}{left * bool(self.left)}{plan}"
        )


def rows_table(rows: Sequence[RowReport]) -> str:
    """Rows of a weight as a table of HTML: picture, formula, cost, norm, and share as a bar."""
    if not rows:
        return ""
    cells = [
        [
            str(row.number),
            _picture(row.diagram),
            f"<code>{escape(row.formula)}</code>",
            escape(f"{row.flops:,}" if isinstance(row.flops, int) else str(row.flops)),
            f"{row.norm:.3g}",
            f'<i class="bar" aria-hidden="true" style="width:{round(80 * row.share)}px"></i>{row.share:.1%}',
        ]
        for row in rows
    ]
    heads = ["row", "diagram", "what it does", "flops", "|W|", "share of the output's variance"]
    numbers = [0, 3, 4]
    if not any(row.flops for row in rows):
        cells, numbers = [row[:3] + row[4:] for row in cells], [0, 3]
        del heads[3]
    return f'<div class="tannaka-scroll">{table(heads, cells, numbers=numbers)}</div>'


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
        if len(task.arguments) > 1:
            # Channels may be mixed before a product, for several rows at once.
            flops = ""
        share = norm**2 * task.variance(number, n)
        does = formula(diagram, task.reduce, f"W{number}", task.group, task.arguments)
        reports.append(RowReport(number, diagram, does, flops, norm, share))
    return _ranked(task.headline(), str(task), options, reports, rows)


def layer_formats(
    layer: Any, explained: Callable[[int], Explanation]
) -> dict[str, Callable[[], str]]:
    """The formats that a notebook is given of a layer; ``explained(rows)`` says so many of its rows."""
    formats: dict[str, Callable[[], str]] = {PLAIN: layer.__repr__}
    if len(layer.plan.basis) <= MOST_ROWS and not layer.weight.is_meta:
        formats[HTML] = lambda: _card(layer, explained(FEW))
    return formats


def _card(layer: Any, found: Explanation) -> str:
    """A layer as a piece of HTML: the rows that do most."""
    numbers = sum(p.numel() for p in layer.parameters())
    words = f"{numbers:,} parameters, {str(layer.weight.dtype).removeprefix('torch.')}"
    words += f" on {layer.weight.device}; .explain() says more"
    left = f"<p><small>and {found.left:,} more rows</small></p>" * bool(found.left)
    return sheet(
        f'<p class="tannaka-head"><b>{escape(found.headline)}</b></p><p>{escape(words)}</p>'
        f"{rows_table(found.rows)}{left}"
    )


def host_explanation(
    plan: OrbitPlan | GraphPlan, norms: Sequence[float], rows: int | None
) -> Explanation:
    """The explanation of a layer with a weight for each orbit or bilabelled graph."""
    does = _added if isinstance(plan, OrbitPlan) else _contracted
    reports = [
        RowReport(i, element, does(plan, i), "", norm, norm**2 * float(variance))
        for i, (element, norm, variance) in enumerate(
            zip(plan.basis, norms, plan.variances(), strict=True)
        )
    ]
    return _ranked(str(plan).splitlines()[0], str(plan), (), reports, rows)


def _added(plan: Any, row: int) -> str:
    """What an orbit does: it adds inputs up."""
    found = facts(plan.hom, plan.basis[row])
    formula = found.formula if found else ""
    return formula.replace("+= sum", f"+= W{row} {plan.reduce}")


def _contracted(plan: Any, row: int) -> str:
    """Where the result of a graph goes; the plan says how it comes about."""
    lines = (line.strip() for line in str(plan).splitlines())
    wanted = re.compile(rf"y\S* \+= W{row}\b")
    return next(line.split("  #")[0] for line in lines if wanted.match(line))


def _ranked(
    headline: str,
    plan: str,
    options: Sequence[Option],
    reports: list[RowReport],
    rows: int | None,
) -> Explanation:
    """The explanation that lists those rows first that do most."""
    total = sum(report.share for report in reports) or 1.0
    ranked = [
        replace(report, share=report.share / total)
        for report in sorted(reports, key=lambda report: (-report.share, report.number))
    ]
    shown = ranked if rows is None else ranked[:rows]
    return Explanation(headline, plan, tuple(options), tuple(shown), len(ranked) - len(shown))


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


def _picture(diagram: Any) -> str:
    portrait = diagram.portrait()
    if portrait is None:
        return inline(diagram.svg())
    return inline(svg_document(portrait.width, portrait.height, portrait.body, str(diagram)))
