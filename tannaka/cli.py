"""The command line: ``tannaka dim``, ``basis``, ``generate``, ``verify``, ``bench``."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

from tannaka.category.groups import group as find_group
from tannaka.category.hom import Hom
from tannaka.codegen.backends import BACKENDS
from tannaka.codegen.files import check_writable, write_whole
from tannaka.codegen.generate import generate as write_layer
from tannaka.diagrams.counts import readable
from tannaka.diagrams.errors import TannakaError, needing
from tannaka.diagrams.pictures.svg import gallery_svg
from tannaka.diagrams.pictures.text import gallery_text
from tannaka.diagrams.pictures.tikz import gallery_tikz

F = TypeVar("F", bound=Callable[..., Any])


class _Orders(click.ParamType[Any]):
    """A tensor order, or types of axes with commas: "0,1", "0," for one axis, "," for none."""

    name = "order"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        words = [word.strip() for word in str(value).split(",")]
        typed = len(words) > 1
        words = words[:-1] if typed and not words[-1] else words
        words = [word for word in words if word] if typed and not any(words) else words
        if not all(word.isdecimal() for word in words):
            self.fail(
                f"{value!r} is not an order, an integer >= 0, nor types of axes such as 0,1",
                param,
                ctx,
            )
        numbers = tuple(map(int, words))
        return numbers if typed else numbers[0]


@contextmanager
def _failures() -> Iterator[None]:
    """Turn what a user can cause into one clear line and exit status 1."""
    try:
        yield
    except (TannakaError, ValueError, TypeError, ModuleNotFoundError) as error:
        raise click.ClickException(str(error)) from error
    except FileExistsError as error:
        raise click.ClickException(f"{error.filename} exists; --force overwrites it") from error
    except BrokenPipeError:
        raise  # whoever reads our output has seen enough: click ends quietly
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or 'output'}: {error.strerror or error}"
        ) from error


def _hom_arguments(command: F) -> F:
    """Give a command the arguments GROUP K L, as one Hom space."""

    @click.argument("group")
    @click.argument("k", type=_Orders())
    @click.argument("l", type=_Orders())
    @wraps(command)
    def wrapped(group: str, k: int, l: int, **options: Any) -> None:
        with _failures():
            command(Hom(find_group(group), k, l), **options)

    return wrapped  # type: ignore[return-value]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tannaka")
def main() -> None:
    """Name a symmetry group, get its equivariant linear layers.

    GROUP is a name such as "S(5)" or "SO(3)"; K and L are the orders of input and output. For a
    product such as "S(5) x O(3)" they are types of axes, 0,1 for one axis of each.
    """


@main.command()
@_hom_arguments
def dim(hom: Hom) -> None:
    """Print the exact dimension of Hom(V^K, V^L).

    Example: tannaka dim "S(34)" 2 2
    """
    sys.set_int_max_str_digits(0)
    click.echo(hom.dimension)


@main.command()
@_hom_arguments
@click.option("--svg", type=click.Path(path_type=Path), help="Write the pictures into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the basis as JSON.")
@click.option("--latex", is_flag=True, help="Print a LaTeX document that draws it in TikZ.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Draw at most this many diagrams.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def basis(hom: Hom, svg: Path | None, as_json: bool, latex: bool, limit: int, force: bool) -> None:
    """Draw the basis of Hom(V^K, V^L).

    Example: tannaka basis "O(3)" 2 2 --svg basis.svg
    """
    if svg is not None:
        write_whole(svg, gallery_svg(hom.independent[:limit], title=str(hom)), overwrite=force)
        click.echo(f"wrote {svg}", err=as_json or latex)
    if as_json:
        diagrams = [diagram.to_json() for diagram in hom.basis()]
        orders = {"group": str(hom.group), "k": hom.k, "l": hom.l, "dimension": hom.dimension}
        click.echo(json.dumps(orders | {"basis": diagrams}))
        return
    if latex:
        click.echo(gallery_tikz(hom.independent[:limit]), nl=False)
        return
    click.echo(hom)
    if svg is None:
        width = shutil.get_terminal_size().columns
        click.echo(gallery_text(hom.independent[:limit], width=width))
    if hom.dimension > limit:
        click.echo(f"drew the first {limit} of {readable(hom.dimension)}; --limit draws more")


@main.command()
@_hom_arguments
@click.option("--channels", type=(int, int), default=(1, 1), show_default=True, metavar="IN OUT")
@click.option("--backend", default="auto", show_default=True, help=f"auto, {', '.join(BACKENDS)}")
@click.option("--reduce", type=click.Choice(["mean", "sum"]), default="mean", show_default=True)
@click.option("--bias/--no-bias", default=True, show_default=True)
@click.option("--name", help="Name of the class; default: made from the group and the orders.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; default: the screen.")
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def generate(
    hom: Hom,
    channels: tuple[int, int],
    backend: str,
    reduce: Any,
    bias: bool,
    name: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """Write an equivariant linear layer as one file that needs only torch.

    Example: tannaka generate "S(34)" 2 1 --channels 16 32 -o layer.py
    """
    code = write_layer(
        hom.group,
        hom.k,
        hom.l,
        *channels,
        backend=backend,
        reduce=reduce,
        bias=bias,
        name=name,
    )
    if output is None:
        click.echo(code.source, nl=False)
        return
    write_whole(output, code.source, overwrite=force)
    click.echo(f"wrote {code.name} to {output}; check it with: python {output}")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(file: Path) -> None:
    """Check the equivariance of the layers in a generated FILE, in float64 and float32.

    Example: tannaka verify layer.py
    """
    with _failures():
        with needing("tannaka verify"):
            from tannaka.codegen.check import check_file

        for name, report in check_file(file):
            click.echo(f"{name}: {report}")


@main.command()
@click.argument("group", required=False)
@click.argument("k", type=_Orders(), required=False)
@click.argument("l", type=_Orders(), required=False)
@click.option("--channels", default=32, show_default=True, help="In and out, of a named layer.")
@click.option("--batch", default=8, show_default=True, help="Of a named layer.")
@click.option("--compiled", is_flag=True, help="Compile a named layer and its rivals: slow.")
@click.option("--quick", is_flag=True, help="Few layers, half a minute.")
@click.option("--full", is_flag=True, help="Many layers, up to gigabytes each: an hour.")
@click.option("--seconds", type=float, help="How long to time each call; default: 0.05 to 0.5.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads; default: as PyTorch has it.")
@click.option("--default-allocator", is_flag=True, help="Leave the C library's memory settings.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write all figures here."
)
@click.option(
    "--markdown", type=click.Path(path_type=Path), help="Write the tables as a page here."
)
@click.option("--force", is_flag=True, help="Overwrite these files if they exist.")
@click.option("--diagrams", is_flag=True, help="Time diagrams against other packages, not layers.")
@click.option("--hom", is_flag=True, help="Time Hom spaces against linear algebra, not layers.")
@click.option("--graphs", is_flag=True, help="Time automorphism groups of graphs and their layers.")
@click.option("--lowerings", is_flag=True, help="Time the ways among which layers choose.")
@click.option("--emlp", envvar="TANNAKA_EMLP", help="A Python interpreter with EMLP, for --hom.")
def bench(
    group: str | None,
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

    Example: tannaka bench "S(64)" 2 2 --channels 32
    """
    with _failures():
        named = group is not None
        flags = {"--diagrams": diagrams, "--hom": hom, "--graphs": graphs}
        others = [flag for flag, given in flags.items() if given]
        if others and named:
            raise ValueError(f"{others[0]} times no layer: leave out GROUP K L")
        files = [path for path in (json_file, markdown) if path is not None]
        if others and lowerings:
            raise ValueError(f"choose one of --lowerings and {others[0]}")
        if lowerings and (named or full):
            raise ValueError("--lowerings times a grid of layers: no GROUP K L, and no --full")
        if others and (quick or full or files):
            raise ValueError(f"{others[0]} takes none of --quick, --full, --json, --markdown")
        if quick + full + named > 1:
            raise ValueError("choose one of --quick, --full and GROUP K L")
        if named and (k is None or l is None):
            raise ValueError("name the group and both orders: tannaka bench GROUP K L")
        if seconds is not None and not 0 < seconds < float("inf"):
            raise ValueError(f"--seconds must be a positive number, got {seconds}")
        if others:
            each = 0.5 if seconds is None else seconds
            if diagrams:
                _bench_diagrams(each)
            if hom:
                _bench_hom(each, emlp)
            if graphs:
                _bench_graphs(each, batch)
            return
        # What was measured for minutes must not be lost.
        for path in files:
            check_writable(path, overwrite=force)
        # The profiler, which counts memory, would tell when it starts and stops.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        with needing("tannaka bench"):
            from tannaka.codegen import bench as timing
        if lowerings:
            with needing("tannaka bench --lowerings"):
                import_module("scipy")
        extent: Any = "quick" if quick else "full" if full else "standard"
        from tannaka.codegen.standings import Case

        if lowerings:
            from tannaka.codegen import calibration

            cases = calibration.grid(quick=quick)
        elif group is None or k is None or l is None:
            cases = timing.grid(extent)
        else:
            cases = [Case(find_group(group), k, l, channels, batch, compiled)]
        if threads is not None:
            timing.use_threads(threads)
        machine = timing.machine(
            timing.leave_memory() if default_allocator else timing.keep_memory()
        )
        if lowerings:
            each = {"quick": 0.05, "standard": 0.08}[extent] if seconds is None else seconds
            _bench_lowerings(cases, machine, each, json_file, markdown)
            return
        each = {"quick": 0.1, "standard": 0.2, "full": 0.5}[extent] if seconds is None else seconds
        _bench_layers(cases, machine, each, timing.MEMORY[extent], named, json_file, markdown)


def _bench_layers(
    cases: list[Any],
    machine: list[str],
    seconds: float,
    memory: int,
    named: bool,
    json_file: Path | None,
    markdown: Path | None,
) -> None:
    from tannaka.codegen import aims, reports, standings
    from tannaka.codegen import bench as timing

    click.echo("\n".join(machine))
    results = []
    with timing.fresh_compiler():
        for number, case in enumerate(cases, start=1):
            told = partial(_told, f"{number}/{len(cases)} ")
            try:
                result = timing.bench(case, seconds=seconds, memory=memory, progress=told)
            except timing.DisagreementError as error:
                raise click.ClickException(str(error)) from error
            if named and result.floor is None:
                raise ValueError(result.rows[0].left_out)
            results.append(result)
            click.echo("\n".join(["", *reports.report(result)]))
    growths = list(standings.growths(results))
    verdicts = list(aims.verdicts(results, growths))
    if not named:
        grown = map(reports.grown, growths)
        click.echo("\n".join(["", *grown, *[""][: len(growths)], *map(str, verdicts)]))
    if json_file is not None:
        write_whole(json_file, reports.as_json(machine, results, verdicts))
        click.echo(f"wrote {json_file}", err=True)
    if markdown is not None:
        notes = "notes.md" if markdown.with_name("notes.md").exists() else None
        command = shlex.join(["tannaka", *sys.argv[1:]])
        page = reports.markdown(machine, results, verdicts, command=command, notes=notes)
        write_whole(markdown, page)
        click.echo(f"wrote {markdown}", err=True)


def _bench_lowerings(
    cases: list[Any],
    machine: list[str],
    seconds: float,
    json_file: Path | None,
    markdown: Path | None,
) -> None:
    from tannaka.codegen import bench as timing
    from tannaka.codegen import bench_lowerings, calibration_report

    click.echo("\n".join(machine))
    timings = []
    for number, case in enumerate(cases, start=1):
        _told(f"{number}/{len(cases)} ", str(case))
        try:
            timings.append(bench_lowerings.measured(case, seconds=seconds))
        except timing.DisagreementError as error:
            raise click.ClickException(str(error)) from error
    click.echo("\n".join(calibration_report.report(timings)))
    if json_file is not None:
        write_whole(json_file, calibration_report.as_json(machine, timings))
        click.echo(f"wrote {json_file}", err=True)
    if markdown is not None:
        command = shlex.join(["tannaka", *sys.argv[1:]])
        write_whole(markdown, calibration_report.markdown(machine, timings, command=command))
        click.echo(f"wrote {markdown}", err=True)


def _told(prefix: str, line: str) -> None:
    """Say on the error stream what is being done; on a terminal, in one line that is replaced."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        click.echo(f"\r{(prefix + line)[:width]:{width}}\r", err=True, nl=False)
    else:
        click.echo(prefix + line, err=True)


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


def _bench_graphs(seconds: float, batch: int) -> None:
    from tannaka.category import bench as timing
    from tannaka.category.automorphisms import Aut
    from tannaka.diagrams import bench as rates

    click.echo(f"{rates.machine()}\nratio: the time, in units of the first row's")
    for task in timing.host_tasks():
        click.echo(f"timing: {task.title}", err=True)
        click.echo("\n".join(["", *timing.report(task, rates.bench(task, seconds=seconds))]))
    with needing("timing layers"):
        from tannaka.codegen import bench as layers
        from tannaka.codegen import reports
        from tannaka.codegen.standings import Case

    click.echo("\n".join(["", *layers.machine(layers.keep_memory())]))
    hosts = timing.hosts()
    for name, k, l, channels in HOST_BENCH:
        case = Case(Aut(hosts[name]), k, l, channels, batch)
        click.echo(f"timing: {name}, {k} -> {l}", err=True)
        click.echo("\n".join(["", name, *reports.report(layers.bench(case, seconds=seconds))]))


def _bench_diagrams(seconds: float) -> None:
    from tannaka.diagrams import bench as timing

    click.echo(f"{timing.machine()}\nratio: the time for one, in units of the first row's")
    for task in timing.tasks():
        click.echo(f"timing: {task.title}", err=True)
        click.echo("\n".join(["", *timing.report(task, timing.bench(task, seconds=seconds))]))


def _bench_hom(seconds: float, emlp: str | None) -> None:
    from tannaka.category import bench as timing
    from tannaka.diagrams import bench as rates

    click.echo(f"{rates.machine()}\nratio: the time, in units of the first row's")
    for task in timing.tasks(emlp=emlp):
        click.echo(f"timing: {task.title}", err=True)
        timed = rates.bench(task, seconds=seconds)
        click.echo("\n".join(["", *timing.report(task, timed)]))
