"""``tannaka bench``: how fast layers, diagrams, Hom spaces and graphs are, beside what others offer."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from tannaka.cli.arguments import GroupName, Order, path_type, picture_type
from tannaka.cli.conduct import AnswerNo
from tannaka.cli.output import Progress, progress


@click.command()
@click.argument("group", type=GroupName(), required=False)
@click.argument("k", type=Order(), required=False)
@click.argument("l", type=Order(), required=False)
@click.option("--channels", default=32, show_default=True, help="In and out, of a named layer.")
@click.option("--batch", default=8, show_default=True, help="Of a named layer.")
@click.option("--compiled", is_flag=True, help="Compile a named layer and its rivals: slow.")
@click.option("--quick", is_flag=True, help="Few layers, half a minute.")
@click.option("--full", is_flag=True, help="Many layers, up to gigabytes each: an hour.")
@click.option("--seconds", type=float, help="How long to time each call; default: 0.05 to 0.5.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads; default: as PyTorch has it.")
@click.option("--default-allocator", is_flag=True, help="Leave the C library's memory settings.")
@click.option(
    "--json", "json_file", type=path_type, help="Write all figures here; - prints them alone."
)
@click.option("--markdown", type=picture_type, help="Write the tables as a page here.")
@click.option("--force", is_flag=True, help="Overwrite these files if they exist.")
@click.option("--diagrams", is_flag=True, help="Time diagrams against other packages, not layers.")
@click.option("--hom", is_flag=True, help="Time Hom spaces against linear algebra, not layers.")
@click.option("--graphs", is_flag=True, help="Time automorphism groups of graphs and their layers.")
@click.option("--lowerings", is_flag=True, help="Time the ways among which layers choose.")
@click.option("--gpu", is_flag=True, help="Time Triton kernels; without a GPU, count their work.")
@click.option("--emlp", envvar="TANNAKA_EMLP", help="A Python interpreter with EMLP, for --hom.")
def bench(
    group: Any,
    k: int | None,
    l: int | None,
    channels: int,
    batch: int,
    compiled: bool,
    quick: bool,
    full: bool,
    seconds: float | None,
    threads: int | None,
    default_allocator: bool,
    json_file: Path | None,
    markdown: Path | None,
    force: bool,
    diagrams: bool,
    hom: bool,
    graphs: bool,
    lowerings: bool,
    gpu: bool,
    emlp: str | None,
) -> None:
    """Time the layer GROUP K L against other ways to compute it; without arguments, a set of layers.

    The rivals are what people write or install today: stacked operations, an einsum for each
    diagram, dense weights, DeepSets, and e3nn where it is installed; some under torch.compile too.
    All are compared with the time that the least work takes on this machine.

    With --diagrams: how fast diagrams are listed, composed, numbered and made canonical, against
    SymPy, and against more_itertools and Sage where they are installed.
    With --hom: how fast bases, dimensions, relations and matrices are found, against NumPy and
    SymPy, and against EMLP where it is installed.
    With --graphs: dimensions, bases and layers for automorphism groups, against SciPy's components,
    Burnside's lemma, exhaustive search, and a dense weight whose entries are tied.
    With --lowerings: what layers lose that choose how they are computed, over a grid of them, and
    the constants of the model that chooses, fitted again: seven minutes, --quick half a minute.
    With --gpu: layers in Triton kernels against the same and other rivals on the GPU. Where there
    is none, the bytes and products of each kernel, and the least time that they take.

    Example: tannaka bench "S(64)" 2 2 --channels 32
    """
    named = group is not None
    flags = {"--diagrams": diagrams, "--hom": hom, "--graphs": graphs}
    others = [flag for flag, given in flags.items() if given]
    if gpu and (others or lowerings or full):
        raise click.UsageError(
            "--gpu goes with none of --diagrams, --hom, --graphs, --lowerings, --full"
        )
    printed = json_file == Path("-")
    files = [path for path in (json_file, markdown) if path is not None]
    wrong = _wrong(named and (k is None or l is None), named, others, quick, full, lowerings, files)
    if wrong:
        raise click.UsageError(wrong)
    if seconds is not None and not 0 < seconds < float("inf"):
        raise click.UsageError(f"--seconds must be a positive number, got {seconds}")
    with progress() as tell:
        if others:
            each = 0.5 if seconds is None else seconds
            if diagrams:
                _bench_diagrams(each, tell)
            if hom:
                _bench_hom(each, emlp, tell)
            if graphs:
                _bench_graphs(each, batch, tell)
            return
        from tannaka.codegen.files import check_writable
        from tannaka.codegen.timing.standings import Case
        from tannaka.diagrams.errors import needing

        # What was measured for minutes must not be lost.
        for path in files[printed:]:
            check_writable(path, overwrite=force)
        if gpu:
            _bench_gpu(
                (group, k, l, channels) if named else None, quick, Output(json_file, markdown, tell)
            )
            return
        # The profiler, which counts memory, would tell when it starts and stops.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        with needing("tannaka bench"):
            from tannaka.codegen.timing import bench as timing
        if lowerings:
            with needing("tannaka bench --lowerings"):
                import_module("scipy")
        extent: Any = "quick" if quick else "full" if full else "standard"
        if lowerings:
            from tannaka.codegen.timing import calibration

            cases = calibration.grid(quick=quick)
        elif not named:
            cases = timing.grid(extent)
        else:
            cases = [Case(group, k, l, channels, batch, compiled)]  # type: ignore[arg-type]
        if threads is not None:
            timing.use_threads(threads)
        machine = timing.machine(
            timing.leave_memory() if default_allocator else timing.keep_memory()
        )
        out = Output(json_file, markdown, tell)
        if lowerings:
            each = {"quick": 0.05, "standard": 0.08}[extent] if seconds is None else seconds
            _bench_lowerings(cases, machine, each, out)
            return
        each = {"quick": 0.1, "standard": 0.2, "full": 0.5}[extent] if seconds is None else seconds
        _bench_layers(cases, machine, each, timing.MEMORY[extent], named, out)


def _wrong(
    incomplete: bool,
    named: bool,
    others: list[str],
    quick: bool,
    full: bool,
    lowerings: bool,
    files: list[Path],
) -> str:
    """What is wrong with a combination of arguments; empty where nothing is."""
    if others and named:
        return f"{others[0]} times no layer: leave out GROUP K L"
    if others and lowerings:
        return f"choose one of --lowerings and {others[0]}"
    if lowerings and (named or full):
        return "--lowerings times a grid of layers: no GROUP K L, and no --full"
    if others and (quick or full or files):
        return f"{others[0]} takes none of --quick, --full, --json, --markdown"
    if quick + full + named > 1:
        return "choose one of --quick, --full and GROUP K L"
    if incomplete:
        return "name the group and both orders: tannaka bench GROUP K L"
    return ""


@dataclass(frozen=True)
class Output:
    """Where what was measured goes: tables on the screen, or figures; and files."""

    figures: Path | None
    page: Path | None
    tell: Progress

    def say(self, text: str) -> None:
        """Print a table, unless the figures alone are wanted."""
        self.tell.clear()
        if self.figures != Path("-"):
            click.echo(text)

    def write(self, figures: Callable[[], str], page: Callable[[], str]) -> None:
        """Write the files that are wanted."""
        from tannaka.codegen.files import write_whole

        self.tell.clear()
        if self.figures == Path("-"):
            click.echo(figures())
        elif self.figures is not None:
            write_whole(self.figures, figures())
            click.echo(f"wrote {self.figures}", err=True)
        if self.page is not None:
            write_whole(self.page, page())
            click.echo(f"wrote {self.page}", err=True)


def _command() -> str:
    return shlex.join(["tannaka", *sys.argv[1:]])


def _bench_layers(
    cases: list[Any], machine: list[str], seconds: float, memory: int, named: bool, out: Output
) -> None:
    from tannaka.codegen.timing import aims, reports, standings
    from tannaka.codegen.timing import bench as timing

    out.say("\n".join(machine))
    results = []
    with timing.fresh_compiler():
        for number, case in enumerate(cases, start=1):
            told = partial(_told, out.tell, f"{number}/{len(cases)} ")
            try:
                result = timing.bench(case, seconds=seconds, memory=memory, progress=told)
            except timing.DisagreementError as error:
                raise AnswerNo(str(error)) from error
            if named and result.floor is None:
                raise ValueError(result.rows[0].left_out)
            results.append(result)
            out.say("\n".join(["", *reports.report(result)]))
    growths = list(standings.growths(results))
    verdicts = list(aims.verdicts(results, growths))
    if not named:
        grown = map(reports.grown, growths)
        out.say("\n".join(["", *grown, *[""][: len(growths)], *map(str, verdicts)]))

    def page() -> str:
        beside = out.page.with_name("notes.md").exists() if out.page else False
        notes = "notes.md" if beside else None
        return reports.markdown(machine, results, verdicts, command=_command(), notes=notes)

    out.write(lambda: reports.as_json(machine, results, verdicts), page)


def _bench_lowerings(cases: list[Any], machine: list[str], seconds: float, out: Output) -> None:
    from tannaka.codegen.timing import bench as timing
    from tannaka.codegen.timing import bench_lowerings, calibration_report

    out.say("\n".join(machine))
    timings = []
    for number, case in enumerate(cases, start=1):
        _told(out.tell, f"{number}/{len(cases)} ", str(case))
        try:
            timings.append(bench_lowerings.measured(case, seconds=seconds))
        except timing.DisagreementError as error:
            raise AnswerNo(str(error)) from error
    out.say("\n".join(calibration_report.report(timings)))
    out.write(
        lambda: calibration_report.as_json(machine, timings),
        lambda: calibration_report.markdown(machine, timings, command=_command()),
    )


def _bench_gpu(named: Any, quick: bool, out: Output) -> None:
    from tannaka.diagrams.errors import needing

    with needing("tannaka bench --gpu"):
        import torch

        import_module("triton")
        from tannaka.codegen.runtime import triton_ops
        from tannaka.codegen.timing import bench_gpu
    cases = [bench_gpu.Case(*named)] if named else bench_gpu.grid()
    cases = cases[4:5] if quick else cases
    pairs = [(case, precision) for case in cases for precision in bench_gpu.PRECISIONS]
    found: list[Any] = []
    if torch.cuda.is_available() and not triton_ops.interpreted():
        for case, precision in pairs:
            measured = bench_gpu.measure(case, precision, bench_gpu.on_gpu, progress=out.tell)
            found.append(measured)
        lines = list(bench_gpu.measured_page(torch.cuda.get_device_name(), found))
    else:
        reason = "Triton interprets" if torch.cuda.is_available() else "PyTorch sees no GPU"
        click.echo(f"{reason}: nothing is timed, and the work of each kernel counted", err=True)
        for case, precision in pairs:
            out.tell(f"{case}, {precision.name}")
            found.append(bench_gpu.count(case, precision))
        lines = list(bench_gpu.counted_page(found))
    out.say("\n".join(lines))
    out.write(lambda: bench_gpu.as_json(found), lambda: "\n".join(lines) + "\n")


def _told(tell: Progress, prefix: str, line: str) -> None:
    tell(prefix + line)


def _say(tell: Progress, lines: list[str]) -> None:
    tell.clear()
    click.echo("\n".join(lines))


HOST_BENCH = (
    ("Petersen", 1, 1, 32),
    ("Petersen", 2, 2, 8),
    ("C60", 1, 1, 32),
    ("C60", 1, 2, 8),
    ("C100", 1, 1, 32),
    ("C1000", 1, 1, 8),
    ("Q5", 2, 1, 16),
    ("Q7", 1, 1, 32),
    ("binary tree", 1, 1, 32),
)
"""Layers that ``tannaka bench --graphs`` times: a host by its name, k, l, channels."""


def _bench_graphs(seconds: float, batch: int, tell: Progress) -> None:
    from tannaka.category import bench as timing
    from tannaka.category.automorphisms import Aut
    from tannaka.diagrams import bench as rates
    from tannaka.diagrams.errors import needing

    click.echo(f"{rates.machine()}\nratio: the time, in units of the first row's")
    for task in timing.host_tasks():
        tell(f"timing: {task.title}")
        _say(tell, ["", *timing.report(task, rates.bench(task, seconds=seconds))])
    with needing("timing layers"):
        from tannaka.codegen.timing import bench as layers
        from tannaka.codegen.timing import reports
        from tannaka.codegen.timing.standings import Case

    click.echo("\n".join(["", *layers.machine(layers.keep_memory())]))
    hosts = timing.hosts()
    for name, k, l, channels in HOST_BENCH:
        case = Case(Aut(hosts[name]), k, l, channels, batch)
        tell(f"timing: {name}, {k} -> {l}")
        timed = reports.report(layers.bench(case, seconds=seconds))
        _say(tell, ["", name, *timed])


def _bench_diagrams(seconds: float, tell: Progress) -> None:
    from tannaka.diagrams import bench as timing

    click.echo(f"{timing.machine()}\nratio: the time for one, in units of the first row's")
    for task in timing.tasks():
        tell(f"timing: {task.title}")
        _say(tell, ["", *timing.report(task, timing.bench(task, seconds=seconds))])


def _bench_hom(seconds: float, emlp: str | None, tell: Progress) -> None:
    from tannaka.category import bench as timing
    from tannaka.diagrams import bench as rates

    click.echo(f"{rates.machine()}\nratio: the time, in units of the first row's")
    for task in timing.tasks(emlp=emlp):
        tell(f"timing: {task.title}")
        _say(tell, ["", *timing.report(task, rates.bench(task, seconds=seconds))])
