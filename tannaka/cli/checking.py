"""``tannaka verify`` and ``tannaka certify``: is the module in a file equivariant, and why."""

from __future__ import annotations

import json
import reprlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tannaka.cli.arguments import GroupName, Order, force_option, json_option, path_type, written
from tannaka.cli.conduct import NO
from tannaka.cli.files import write_file
from tannaka.cli.output import document, progress

if TYPE_CHECKING:
    from tannaka.codegen.trust.verify import Check, Finding


OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--class", "name", help="Which class, module or function; default: all that say."),
    click.option("--group", type=GroupName(), help="The group; default: what the module says."),
    click.option("--in", "k", type=Order(), help="The order of the input, or its word of axes."),
    click.option("--out", "l", type=Order(), help="The same of the output."),
    click.option(
        "--args", "arguments", metavar="JSON", help="Build it with these keyword arguments."
    ),
    click.option(
        "--weights",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Load this state dict; default: as built, constant parameters drawn anew.",
    ),
    click.option(
        "--n",
        type=click.IntRange(min=1),
        default=5,
        show_default=True,
        help="The size to try of a family S(), besides 3.",
    ),
    click.option(
        "--channels", type=click.IntRange(min=1), help="Of the input; default: what it says."
    ),
    click.option(
        "--layout",
        default="last",
        show_default=True,
        metavar="IN[,OUT]",
        help="Where the channels are: last, first or none.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(min=0),
        default=2,
        show_default=True,
        help="How many inputs at once; 0: no axis for them.",
    ),
    click.option(
        "--samples",
        type=click.IntRange(min=1),
        default=8,
        show_default=True,
        help="How many elements of the group, each with an input.",
    ),
    click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), default=0, show_default=True),
    click.option(
        "--dtype",
        "dtypes",
        multiple=True,
        default=("float64", "float32"),
        show_default=True,
        type=click.Choice(["float64", "float32", "bfloat16", "float16"]),
    ),
    click.option(
        "--tolerance",
        type=click.FloatRange(min=0, min_open=True),
        help="The largest relative error; default: by dtype, 1e-10 and 1e-4.",
    ),
    click.option("--device", default="cpu", show_default=True),
    click.option("--train", is_flag=True, help="In training mode; default: evaluation mode."),
)
"""Of which module of a file, and how it is checked."""


F = TypeVar("F", bound=Callable[..., Any])


def file_options(command: F) -> F:
    """Give a command the options that say which module of a file, and how it is checked."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@file_options
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Do again what this certificate says, of this file and of its weights.",
)
@json_option
def verify(file: Path, certificate: Path | None, as_json: bool, **given: Any) -> None:
    """Check that the PyTorch module in FILE is equivariant: a generated file, or any other.

    Runs FILE, builds its module, draws elements g of the group and inputs x of standard normals, and
    compares f(g x) with g f(x), where g acts in float64. The error is the largest difference over
    the largest entry of the output. A spoiled twin of the module must fail, and the output may
    not be zero everywhere, or the check could not have told. Exits with 1 where it is not equivariant.

    Of a family such as S() two sizes are tried, and where the module has an argument mask, inputs
    padded at random too: entries of real points must be what they are without.

    Features have shape (batch, axes of the group, channels), unless --layout says otherwise.

    With --certificate, what tannaka certify has written of FILE is done again: the proofs, and the
    samples as the certificate has them. A certificate of another file, of other weights, or one
    that was changed is refused. Where FILE is a certificate itself (.json), what needs no module is
    done again.

    \b
    Examples:
      tannaka verify layer.py
      tannaka verify deepsets.py --class Encoder --group S7 --in 1 --out 0 --channels 3
      tannaka verify cloud.py --group S5xO3 --in 0,1 --out "," --layout none,last
      tannaka verify net.py --group O3 --in 1 --out 2 --args '{"hidden": 16}' --weights net.pt
      tannaka verify layer.py --certificate layer.json
      tannaka verify layer.json
    """
    from tannaka.diagrams.errors import needing

    with needing("tannaka verify"):
        from tannaka.codegen.trust.verify import verify_file

    check = _check(**given)
    if certificate is not None or file.suffix == ".json":
        _again(file, certificate, check, as_json=as_json)
        return
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


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@file_options
@click.option("-o", "--output", type=path_type, help="Write the certificate to this file, as JSON.")
@json_option
@force_option
def certify(file: Path, output: Path | None, as_json: bool, force: bool, **given: Any) -> None:
    """Prove that the linear layers in FILE commute with their group, and write a certificate.

    Three things are done, and the certificate keeps them apart. Each diagram of each linear layer of
    tannaka is shown to commute with the group exactly, in integers, at elements that generate it.
    Each layer is compared with the sum of its diagrams. And the whole module is checked as tannaka
    verify does, in each dtype.

    It names the file and, with --weights, those weights, by digests: tannaka verify --certificate
    does all of it again and refuses another file, other weights, and a certificate that was changed.

    \b
    Examples:
      tannaka certify layer.py -o layer.json
      tannaka certify net.py --group S5 --in 2 --out 0 --weights net.pt -o net.json
    """
    from tannaka.diagrams.errors import needing

    with needing("tannaka certify"):
        from tannaka.codegen.files import check_writable
        from tannaka.codegen.trust.verify import certify_file

    if output is not None:
        check_writable(output, overwrite=force)
    with progress() as tell:
        tell(f"proving {file}")
        certificate = certify_file(file, _check(**given))
    if output is not None:
        again = shlex.join(["tannaka", "verify", str(file), "--certificate", str(output)])
        said = f"wrote {output}; check it with: {again}"
        write_file(output, certificate.to_json(), force=force, said=said)
    if as_json:
        click.echo(certificate.to_json(), nl=False)
    elif output is None:
        click.echo(str(certificate))


def _again(file: Path, certificate: Path | None, check: Check, *, as_json: bool) -> None:
    """Do again what a certificate says, of a file or of itself alone."""
    from tannaka.codegen.trust.certificate import Certificate
    from tannaka.codegen.trust.recheck import rebuilt
    from tannaka.codegen.trust.verify import verify_certificate

    said = Certificate.load(certificate or file)
    left: tuple[str, ...] = ()
    with progress() as tell:
        tell(f"proving {said.module} again")
        if certificate is None:
            fresh, left = rebuilt(said)
        else:
            fresh = verify_certificate(file, said, check)
    if as_json:
        document({"file": str(file), "holds": True, "left_out": list(left), **fresh.data()})
        return
    proofs = sum(len(one.proofs) for one in said.layers)
    layers = len(said.layers)
    click.echo(
        f"the certificate holds: {said.module}, {said.group}, {said.holds_for}; {proofs} "
        f"proof{'s' * (proofs > 1)} of {layers} linear layer{'s' * (layers > 1)} done again, and the "
        f"samples in {', '.join(fresh.dtypes)}"
    )
    if left:
        click.echo(f"not compared, as it is not at hand: {', '.join(left)}")


def _check(
    arguments: str | None,
    layout: str,
    batch: int,
    dtypes: tuple[str, ...],
    train: bool,
    **given: Any,
) -> Check:
    from tannaka.codegen.trust.verify import Check, layouts

    try:
        keywords = None if arguments is None else json.loads(arguments)
        if not isinstance(keywords, dict | None):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(
            f"expected a JSON object such as '{{\"hidden\": 16}}', got {reprlib.repr(arguments)}",
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
        from tannaka.codegen.trust.check import element_text

        moved, wanted = report.entries
        padded = report.law == "ignores padding"
        broken = "padding reaches real points" if padded else "not equivariant"
        said = (
            f"it is {moved:.6g} with padding and {wanted:.6g} without"
            if padded
            else f"f(g x) is {moved:.6g} and g f(x) is {wanted:.6g}"
        )
        lines += [
            f"  {broken}: worst in sample {report.sample}, input of shape {report.shape}",
            f"  at {report.entry} {said}, for g =",
            *(f"    {line}" for line in element_text(report.element).split("\n")),
            *(f"  it does commute with {one}" for one in report.commutes_with),
        ]
    return lines


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
        "commutes_with": list(report.commutes_with),
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
