"""``tannaka verify``: checks that the module in a file is equivariant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tannaka.cli.arguments import GroupName, Order, json_option, written
from tannaka.cli.conduct import NO
from tannaka.cli.output import document, progress

if TYPE_CHECKING:
    from tannaka.codegen.check import EquivarianceReport
    from tannaka.codegen.verify import Check, Finding


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--class", "name", help="Which class, module or function; default: all that say.")
@click.option("--group", type=GroupName(), help="The group; default: what the module says.")
@click.option("--in", "k", type=Order(), help="The order of the input, or its word of axes.")
@click.option("--out", "l", type=Order(), help="The same of the output.")
@click.option("--args", "arguments", metavar="JSON", help="Build it with these keyword arguments.")
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Load this state dict; default: as built, constant parameters drawn anew.",
)
@click.option(
    "--n",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Which member of a family S().",
)
@click.option("--channels", type=click.IntRange(min=1), help="Of the input; default: what it says.")
@click.option(
    "--layout",
    default="last",
    show_default=True,
    metavar="IN[,OUT]",
    help="Where the channels are: last, first or none.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="How many inputs at once; 0: no axis for them.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="How many elements of the group, each with an input.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    default=("float64", "float32"),
    show_default=True,
    type=click.Choice(["float64", "float32", "bfloat16", "float16"]),
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    help="The largest relative error; default: by dtype, 1e-10 and 1e-4.",
)
@click.option("--device", default="cpu", show_default=True)
@click.option("--train", is_flag=True, help="In training mode; default: evaluation mode.")
@json_option
def verify(file: Path, as_json: bool, **given: Any) -> None:
    """Check that the PyTorch module in FILE is equivariant: a generated file, or any other.

    Runs FILE, builds its module, draws elements g of the group and inputs x of standard normals, and
    compares f(g x) with g f(x), where g acts in float64. The error is the largest difference over
    the largest entry of the output. A spoiled twin of the module must fail, and the output may
    not be zero everywhere, or the check could not have told. Exits with 1 where it is not equivariant.

    Features have shape (batch, axes of the group, channels), unless --layout says otherwise.

    \b
    Examples:
      tannaka verify layer.py
      tannaka verify deepsets.py --class Encoder --group S7 --in 1 --out 0 --channels 3
      tannaka verify cloud.py --group S5xO3 --in 0,1 --out "," --layout none,last
      tannaka verify net.py --group O3 --in 1 --out 2 --args '{"hidden": 16}' --weights net.pt
    """
    from tannaka.diagrams.errors import needing

    with needing("tannaka verify"):
        from tannaka.codegen.verify import verify_file

    check = _check(**given)
    found = []
    with progress() as tell:
        tell(f"running {file}")
        for finding in verify_file(file, check):
            found.append(finding)
            tell.clear()
            if not as_json:
                click.echo("\n".join(_lines(finding)))
    passed = not any(finding.failure for finding in found)
    if as_json:
        checks = [_data(finding) for finding in found]
        document({"file": str(file), "equivariant": passed, "checks": checks})
    else:
        click.echo(_done(found, check))
    if not passed:
        click.get_current_context().exit(NO)


def _check(
    arguments: str | None,
    layout: str,
    batch: int,
    dtypes: tuple[str, ...],
    train: bool,
    **given: Any,
) -> Check:
    from tannaka.codegen.verify import Check, layouts

    try:
        keywords = None if arguments is None else json.loads(arguments)
        if not isinstance(keywords, dict | None):
            raise ValueError("not an object")
    except ValueError as error:
        raise click.BadParameter(
            f"expected a JSON object such as '{{\"hidden\": 16}}', got {arguments!r}",
            param_hint="--args",
        ) from error
    return Check(
        arguments=keywords,
        layouts=layouts(layout),
        batch=(batch,) if batch else (),
        dtypes=dtypes,
        training=train,
        **given,
    )


def _lines(finding: Finding) -> list[str]:
    """A finding for a reader: in green what holds, in red what does not, and then where."""
    lines = [click.style(str(finding), fg="red" if finding.failure else "green")]
    report = finding.report
    if finding.failure and report is not None:
        moved, wanted = report.entries
        lines += [
            f"  not equivariant: worst in sample {report.sample}, input of shape {report.shape}",
            f"  at {report.entry} f(g x) is {moved:.6g} and g f(x) is {wanted:.6g}, for g =",
            *(f"    {line}" for line in _element(report).split("\n")),
        ]
    return lines


def _element(report: EquivarianceReport) -> str:
    """A group element as text: a permutation by its images, another matrix by its rows."""
    import numpy as np

    factors = report.element if isinstance(report.element, tuple) else (report.element,)
    texts = []
    for g in factors:
        rows, columns = np.nonzero(g)
        if len(rows) == len(g) and np.all(g[rows, columns] == 1) and len(set(columns)) == len(g):
            images = " ".join(str(row) for row in np.argsort(columns).tolist())
            texts.append(f"the permutation of 0..{len(g) - 1} with images {images}")
        else:
            texts.append(np.array2string(np.asarray(g), precision=6, suppress_small=True))
    return "\nand\n".join(texts)


def _data(finding: Finding) -> dict[str, Any]:
    report = finding.report
    data: dict[str, Any] = {
        "module": finding.module,
        "dtype": finding.dtype,
        "equivariant": not finding.failure,
        "failure": finding.failure or None,
    }
    if report is None:
        return data
    factors = report.element if isinstance(report.element, tuple) else (report.element,)
    elements = [factor.tolist() for factor in factors]
    moved, wanted = report.entries
    return data | {
        "group": str(report.group),
        "k": written(report.k),
        "l": written(report.l),
        "error": report.error,
        "tolerance": report.tolerance,
        "control": report.control,
        "samples": report.samples,
        "seed": report.seed,
        "worst": {
            "sample": report.sample,
            "input_shape": list(report.shape),
            "entry": list(report.entry),
            "f(g x)": moved,
            "g f(x)": wanted,
            "element": elements if isinstance(report.element, tuple) else elements[0],
        },
    }


def _done(found: list[Finding], check: Check) -> str:
    """What was done, in one sentence."""
    modules = ", ".join(dict.fromkeys(finding.module for finding in found))
    mode = "training" if check.training else "evaluation"
    loaded = "as built but constant ones drawn anew" if check.weights is None else check.weights
    return (
        f"ran {modules} in {mode} mode on {check.device}, its parameters {loaded}; compared f(g x) with "
        f"g f(x) for {check.samples} random g and x"
    )
