"""``tannaka generate`` and ``tannaka explain``: a layer as a file, and why it computes as it does."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from tannaka.cli.arguments import (
    ParamType,
    force_option,
    hom_arguments,
    json_option,
    optional_hom_arguments,
    path_type,
    written,
)
from tannaka.cli.files import write_file
from tannaka.cli.output import document, number, progress, shown, space, table

if TYPE_CHECKING:
    from tannaka.category.hom import Hom
    from tannaka.codegen.generate import GeneratedCode
    from tannaka.codegen.lowering.choose import Lowering, Option
    from tannaka.codegen.models import GeneratedNetwork

LOWERINGS = ("auto", "factored", "dense", "isotypic")
BASES = ("auto", "diagram", "orbit")
DTYPES = ("float64", "float32", "bfloat16", "float16")
TYPICAL = 64
"""How many inputs at once costs are for, unless told."""
ROWS = 20
"""How many rows of the weight are listed unless more are asked for."""


class Backend(ParamType):
    """A backend that writes files, by its name; the library knows which there are."""

    name = "backend"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The name; fails with the names that there are."""
        from tannaka.codegen.backends import ALONE, backend
        from tannaka.diagrams.errors import BackendError

        try:
            backend(value, ALONE)
        except BackendError as error:
            self.fail(str(error), param, ctx)
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """All names, in the help."""
        from tannaka.codegen.backends import ALONE

        return f"[{'|'.join(('auto', *ALONE))}]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that start so."""
        from tannaka.codegen.backends import ALONE

        return [CompletionItem(name) for name in ("auto", *ALONE) if name.startswith(incomplete)]


@click.command()
@optional_hom_arguments
@click.option("--channels", type=(int, int), metavar="IN OUT", help="Default: 1 1.")
@click.option("--backend", type=Backend(), default="auto", show_default=True)
@click.option("--lowering", type=click.Choice(LOWERINGS), help="How it is computed; see explain.")
@click.option("--basis", type=click.Choice(BASES), help="What the rows of the weight belong to.")
@click.option("--dtype", type=click.Choice(DTYPES), help="Of parameters, unless they are told.")
@click.option("--reduce", type=click.Choice(["mean", "sum"]), help="Default: mean.")
@click.option("--bias/--no-bias", default=None, help="Default: with one.")
@click.option("--name", help="Name of the class; default: made from the group and the orders.")
@click.option("--explain", is_flag=True, help="Say the plan, its costs and the alternatives too.")
@click.option("--network", type=path_type, help="A description of a whole network, not GROUP K L.")
@click.option("-o", "--output", type=path_type, help="File; - or nothing: standard output.")
@json_option
@force_option
def generate(
    hom: Hom | None,
    channels: tuple[int, int] | None,
    explain: bool,
    network: Path | None,
    output: Path | None,
    as_json: bool,
    force: bool,
    **given: Any,
) -> None:
    """Write an equivariant linear layer as one file that needs only its framework.

    The file lists its diagrams, comments each step with what it computes, and checks itself against
    a dense reference when run. The same arguments give the same bytes. It is written whole or not
    at all, and over one that is there only with --force.

    With --network FILE: a whole network, of linear layers with activations between them, which are
    refused where they do not commute with the group; for rotations and the like there are
    {norm_activation = "sigmoid"}, features times a function of their length, and {gate = "sigmoid"},
    features times a function of scalars made of them. The file is TOML, JSON or YAML:

    \b
      name = "Triangles"
      group = "S()"
      input = {order = 2, channels = 1}
      layers = [
        {linear = {order = 2, channels = 16}},
        {activation = "relu"},
        {linear = {order = 0, channels = 1, bias = true, reduce = "mean"}},
      ]

    \b
    Examples:
      tannaka generate S34 2 1 --channels 16 32 -o layer.py
      tannaka generate O3 2 2 --channels 8 8 --no-bias --name Rotations > rotations.py
      tannaka generate S8 2 2 --channels 4 4 --explain -o layer.py
      tannaka generate --network triangles.toml -o triangles.py
    """
    from tannaka.codegen.files import check_writable

    to_file = output is not None and output != Path("-")
    if output is not None and to_file:
        check_writable(output, overwrite=force)
    options = {name: value for name, value in given.items() if value is not None}
    code: GeneratedCode | GeneratedNetwork
    if network is not None:
        code, data = _network(hom, channels, explain, network, options)
    elif hom is not None:
        code, data = _layer(hom, channels or (1, 1), explain, options)
    else:
        raise click.UsageError("name GROUP K L, or give --network FILE")
    data["sha256"] = hashlib.sha256(code.source.encode()).hexdigest()
    if output is not None and to_file:
        run = shlex.join(["python", str(output)])
        said = f"wrote {code.name} to {output}; check it with: {run}"
        write_file(output, code.source, force=force, said=said)
    if as_json:
        document(data | ({"file": str(output)} if to_file else {"source": code.source}))
    elif not to_file:
        click.echo(code.source, nl=False)


def _layer(
    hom: Hom, channels: tuple[int, int], explain: bool, options: dict[str, Any]
) -> tuple[GeneratedCode, dict[str, Any]]:
    """The file of a layer, and what --json says of it."""
    from tannaka.codegen.generate import generate as write_layer

    with progress() as tell:
        tell(f"writing the layer of {hom}")
        code = write_layer(hom.group, hom.k, hom.l, *channels, **options)
    if explain:
        account = _account(hom, *channels, options, code.plan, batch=TYPICAL, n=None)
        click.echo(f"{_told(account, ROWS)}\n", err=True)
    return code, {"name": code.name, **space(hom), "channels": list(channels)}


def _network(
    hom: Hom | None,
    channels: tuple[int, int] | None,
    explain: bool,
    path: Path,
    options: dict[str, Any],
) -> tuple[GeneratedNetwork, dict[str, Any]]:
    """The file of a network, and what --json says of it."""
    from tannaka.codegen.description import model, read_description
    from tannaka.codegen.models import generate_network

    wrong = [
        *(["GROUP K L"] if hom is not None else []),
        *(["--channels"] if channels is not None else []),
        *(["--explain"] if explain else []),
        *(f"--{name}" for name in options if name not in ("backend", "dtype")),
    ]
    if wrong:
        raise click.UsageError(f"--network takes no {wrong[0]}: its file says that")
    described = model(read_description(path))
    with progress() as tell:
        tell(f"writing {described.name}")
        code = generate_network(described, **options)
    layers = [{"k": written(one.k), "l": written(one.l)} for one in described.linears]
    return code, {"name": code.name, "group": str(described.group), "linear layers": layers}


@click.command()
@hom_arguments
@click.option("--channels", type=(int, int), default=(1, 1), show_default=True, metavar="IN OUT")
@click.option("--lowering", type=click.Choice(LOWERINGS), default="auto", show_default=True)
@click.option("--reduce", type=click.Choice(["mean", "sum"]), default="mean", show_default=True)
@click.option("--bias/--no-bias", default=True, show_default=True)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=TYPICAL,
    show_default=True,
    help="How many inputs at once costs are for.",
)
@click.option("--n", type=click.IntRange(min=1), help="The n that costs are for, of a family S().")
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=ROWS,
    show_default=True,
    help="How many rows of the weight are listed.",
)
@json_option
def explain(
    hom: Hom,
    channels: tuple[int, int],
    lowering: Lowering,
    batch: int,
    n: int | None,
    rows: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Explain the layer GROUP K L: its plan step by step, what it costs, and the alternatives.

    A plan contracts the input, mixes channels, and embeds into the output. Costs are of a forward
    pass in float32: flops, where a multiply-add is 2, bytes moved, kernels of PyTorch, and the most
    bytes alive at once. The times are those of a model of training, forward and backward.

    \b
    Examples:
      tannaka explain S34 2 1 --channels 16 32
      tannaka explain O3 3 3 --channels 64 64 --no-bias --batch 256
      tannaka explain "S()" 2 2 --channels 8 8 --n 100
    """
    from tannaka.codegen.lowering.choose import lowered
    from tannaka.codegen.lowering.lower import task

    with progress() as tell:
        tell(f"planning the layer of {hom}")
        plan = lowered(task(hom, *channels, **options), lowering)
        account = _account(hom, *channels, options, plan, batch=batch, n=n)
    if as_json:
        document(account | {"rows": account["rows"][:rows]})
    else:
        click.echo(_told(account, rows))


def _account(
    hom: Hom,
    in_channels: int,
    out_channels: int,
    options: dict[str, Any],
    plan: Any,
    *,
    batch: int,
    n: int | None,
) -> dict[str, Any]:
    """What there is to say of a layer, as data."""
    from tannaka.codegen.explain import explanation
    from tannaka.codegen.lowering.choose import options as ways
    from tannaka.codegen.lowering.lower import task

    wanted = {name: options[name] for name in ("bias", "reduce") if name in options}
    asked = task(hom, in_channels, out_channels, **wanted)
    sizes = hom.group.n if isinstance(hom.group.n, tuple) else (hom.group.n,)
    if n is not None and None not in sizes:
        raise click.UsageError(f"{hom.group} has one n, so --n is not for it: name another group")
    at = None if n is None else tuple(n if size is None else size for size in sizes)
    rows = explanation(asked, [1.0] * len(asked.basis), (), n=at, rows=None).rows
    best, *_ = found = ways(asked, batch)
    return {
        **space(hom),
        "channels": [in_channels, out_channels],
        "batch": batch,
        "plan": str(plan),
        "lowerings": [_priced(option, best, plan, at, batch, None in sizes) for option in found],
        "rows": [
            {
                "number": row.number,
                "diagram": str(row.diagram),
                "formula": row.formula,
                "flops": number(row.flops),
            }
            for row in sorted(rows, key=lambda row: row.number)
        ],
    }


def _priced(
    option: Option, best: Option, plan: Any, at: tuple[int, ...] | None, batch: int, family: bool
) -> dict[str, Any]:
    """What a way to compute a layer costs, or why it is left out."""
    if option.cost is None:
        return {"name": option.name, "left_out": option.reason}
    # For a family, of the n that was asked for; or as formulas in n.
    cost = plan.cost(at, batch) if family else option.cost
    slower = None if option.seconds is None or not best.seconds else option.seconds / best.seconds
    return {
        "name": option.name,
        "flops": number(cost.flops),
        "bytes": number(cost.bytes),
        "kernels": cost.launches,
        "bytes_alive": number(cost.peak),
        "times_the_fastest": None if slower is None else round(slower, 3),
    }


def _told(account: dict[str, Any], rows: int) -> str:
    """An account as text."""
    ways = []
    for way in account["lowerings"]:
        if "left_out" in way:
            ways.append((way["name"], "", "", "", "", "", f"left out: {way['left_out']}"))
            continue
        slower = way["times_the_fastest"]
        time = "fastest" if slower == 1 else "" if slower is None else f"{slower:.1f}x"
        costs = [shown(way[name]) for name in ("flops", "bytes", "kernels", "bytes_alive")]
        ways.append((way["name"], *costs, time, ""))
    heads = ("lowering", "flops", "bytes moved", "kernels", "bytes alive", "time", "")
    inputs = "1 input" if account["batch"] == 1 else f"{account['batch']:,} inputs at once"
    parts = [
        account["plan"],
        f"costs of a forward pass, {inputs}; times by the model, fastest first:",
        table(heads, ways, numbers=(1, 2, 3, 4, 5)),
    ]
    listed = account["rows"][:rows]
    if listed:
        cells = [
            (str(row["number"]), row["diagram"], row["formula"], shown(row["flops"]))
            for row in listed
        ]
        over = ("row", "diagram", "what it does", "flops of its mix, 1 input")
        parts += ["rows of the weight:", table(over, cells, numbers=(0, 3))]
    left = len(account["rows"]) - len(listed)
    if left:
        parts.append(f"{left:,} rows more; --rows lists them")
    return "\n\n".join(parts)
