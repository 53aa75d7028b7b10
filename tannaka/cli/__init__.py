"""The command line, ``tannaka``: a family of commands in each module, all ended by ``conduct.py``.

Modules import what they work with when a command runs, so that the help and the counting of
dimensions open at once.
"""

from __future__ import annotations

import click

from tannaka.cli import algebra, benchmarks, checking, diagnosis, layers, spaces
from tannaka.cli.conduct import EXIT_CODES, Commands

__all__ = ["main"]

EPILOG = f"""{EXIT_CODES}
\b
Names and arguments complete themselves in the shell; for bash, zsh or fish:
  eval "$(_TANNAKA_COMPLETE=bash_source tannaka)"     in ~/.bashrc
  eval "$(_TANNAKA_COMPLETE=zsh_source tannaka)"      in ~/.zshrc
  _TANNAKA_COMPLETE=fish_source tannaka | source      in config.fish
"""


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
    invoke_without_command=True,
)
@click.version_option(package_name="tannaka")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Name a symmetry group, get its equivariant linear layers.

    GROUP is a name such as "S(5)", or S5 without quotes: S(n), A(n), H(n), O(n), SO(n), Sp(n),
    products such as "S(5) x O(3)" or S5xO3, and "S()" for all S(n) at once. K and L are the orders of input
    and output, how many axes a tensor has. For a product they are words, the type of each axis: 0,1
    has one axis of each of two factors, "0," one axis, "," none.

    \b
    Examples:
      tannaka dim S34 2 2
      tannaka basis S5 2 2 --html basis.html
      tannaka compose O3 "2->2: 0 1 | 2 3" "2->2: 0 1 | 2 3"
      tannaka generate S34 2 1 --channels 16 32 -o layer.py
      tannaka verify layer.py
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in (
    spaces.dim,
    spaces.basis,
    algebra.compose,
    algebra.simplify,
    layers.generate,
    layers.explain,
    checking.verify,
    checking.certify,
    benchmarks.bench,
    diagnosis.doctor,
):
    main.add_command(command)
