"""``tannaka compose`` and ``tannaka simplify``: diagrams glued, and written in a basis."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tannaka.cli.arguments import GroupName, axes, force_option, json_option, picture_type
from tannaka.cli.files import write_file
from tannaka.cli.output import document

if TYPE_CHECKING:
    from tannaka.category.groups import Group
    from tannaka.diagrams.diagram import Diagram
    from tannaka.diagrams.morphism import Morphism
    from tannaka.diagrams.pictures.steps import CompositionSteps

NOTATION = """\
\b
A diagram is written
  "K->L: 0 3 | 1 2"   orders, then blocks of vertices: the L outputs are numbered first
  "K->L: [0 1 2]"     with the legs of a determinant vertex, for SO(n) and A(n)
  "0,1->0,1: 0 2 || 1 3"  for a product: the diagram of each factor between double bars
  "K->L: 2 (0 1 | 2 3) - n (0 2 | 1 3)"   a sum, coefficients polynomial in n
  "K->L: #3"          row 3 of the basis, as tannaka basis numbers it
  {"family": ...}     as --json of this command or of tannaka basis prints it
  @FILE or -          any of these from a file, or from standard input
"""
_SAMPLE = "a diagram such as '2->2: 0 3 | 1 2': orders, an arrow, a colon, blocks of vertices"


def _operand(name: str, group: Group, text: str) -> Morphism:
    """A diagram or sum as a command is given it, of the group's category."""
    try:
        return _read(group, _source(text).strip())
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
        raise click.BadParameter(why, param_hint=name) from error
    except (TypeError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint=name) from error


def _source(text: str) -> str:
    """What an argument stands for."""
    if text == "-":
        return sys.stdin.read()
    return Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text


def _read(group: Group, text: str) -> Morphism:
    from tannaka.diagrams.reading import read_sum, sum_from_json

    if text.startswith("{"):
        found = sum_from_json(_parsed(text))
        # A sum of nothing has no diagram that would be of the group.
        group.word("the input", found.dom)
        group.word("the output", found.cod)
    else:
        parts = re.fullmatch(r"([^>:]*)->([^>:]*):(.*)", text, re.DOTALL)
        if parts is None:
            raise ValueError(f"{text!r} is not {_SAMPLE}")
        dom = group.word("the input", axes(parts[1].strip()))
        cod = group.word("the output", axes(parts[2].strip()))
        found = read_sum(dom, cod, parts[3].strip(), _reader(group, dom, cod))
    for diagram in found.diagrams():
        group.check(diagram)
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("this JSON is nested too deeply") from None


def _reader(group: Group, dom: Any, cod: Any) -> Callable[[str], Diagram]:
    """What reads the text of one diagram of the group's category."""
    from tannaka.category.product import Product
    from tannaka.diagrams.typed import Typed

    def family(factor: Group, text: str) -> type[Diagram]:
        # The plain family, or the one with a determinant vertex, whose legs are in brackets.
        return factor.families[-1] if "[" in text else factor.families[0]

    def read(text: str) -> Diagram:
        row = re.fullmatch(r"#\s*([0-9]+)", text)
        if row:
            from tannaka.category.hom import Hom

            hom = Hom(group, dom, cod)
            if int(row[1]) >= hom.dimension:
                raise ValueError(f"{hom} has no row {row[1]}: rows are numbered from 0")
            chosen: Diagram = hom.independent[int(row[1])]
            return chosen
        if isinstance(group, Product):
            texts = text.split("||")
            texts = texts if len(texts) == len(group.factors) else [text] * len(group.factors)
            families = tuple(map(family, group.factors, texts))
            return Typed.parse(dom, cod, text, families)
        return family(group, text).parse(dom, cod, text)

    return read


def _in_group(group: Group, f: Morphism) -> Morphism | None:
    """The same map in the basis of the group; None for a family, which leaves n open."""
    sizes = group.n if isinstance(group.n, tuple) else (group.n,)
    return None if None in sizes else group.morphism(f)


def _answer(group: Group, formal: Morphism, reduced: Morphism | None) -> dict[str, Any]:
    """What ``--json`` prints, which these commands read again."""
    from tannaka.diagrams.reading import sum_to_json

    return {
        "group": str(group),
        "formal": sum_to_json(formal),
        **sum_to_json(formal if reduced is None else reduced),
        "text": str(formal if reduced is None else reduced),
    }


@click.command(epilog=NOTATION)
@click.argument("group", type=GroupName())
@click.argument("f")
@click.argument("g")
@click.option("--steps", is_flag=True, help="Show how the two are glued, and what closes.")
@json_option
@click.option("--svg", type=picture_type, help="Draw the result, or the steps, into this file.")
@force_option
def compose(
    group: Group, f: str, g: str, steps: bool, as_json: bool, svg: Path | None, force: bool
) -> None:
    """Compose: first F, then G.

    Prints the composite as a formal sum of diagrams, in which a closed loop is a factor n, then
    the same map in the basis of Hom at the n of GROUP, with a picture.

    \b
    Examples:
      tannaka compose O3 "2->2: 0 1 | 2 3" "2->2: 0 1 | 2 3"
      tannaka compose SO3 "2->1: [0 1 2]" "1->2: [0 1 2]" --steps
      tannaka compose S5 "2->2: #3" "2->2: #7" --svg product.svg
    """
    if f == g == "-":
        raise click.UsageError("one of F and G comes from standard input, not both")
    if steps and as_json:
        raise click.UsageError("choose one of --steps and --json")
    first, second = _operand("F", group, f), _operand("G", group, g)
    formal = first >> second
    reduced = _in_group(group, formal)
    explained = _steps(first, second) if steps else None
    if svg is not None:
        drawn = explained or (formal if reduced is None else reduced)
        write_file(svg, drawn.svg(), force=force)
    if as_json:
        document(_answer(group, formal, reduced))
        return
    lines = [] if explained is None else _glued(explained)
    lines.append(f"({_bare(first)}) >> ({_bare(second)}) = {formal}")
    if reduced is not None:
        loops = ", ".join(map(str, group.loops))
        lines.append(f"in {group}, where a loop is worth {loops}: {reduced}")
    for number, line in enumerate(lines, start=1):
        click.echo(line if explained is None else f"{number}. {line}")
    click.echo(f"\n{(formal if reduced is None else reduced).text()}")


def _glued(steps: CompositionSteps[Any]) -> list[str]:
    """How two diagrams are glued, in words and a drawing."""
    closed = sum(map(steps.is_closed, range(len(steps.components))))
    parts = len(steps.components)
    left = "nothing closes in the middle"
    if closed:
        left = f"{closed} {'closes' if closed == 1 else 'close'} in the middle"
    if steps.first.sketch().determinants and steps.second.sketch().determinants:
        left += "; the two determinant vertices are multiplied out"
    joined = "1 component" if parts == 1 else f"{parts} components"
    return [
        f"the outputs of F, below, are the inputs of G, above:\n\n{steps.text()}\n",
        f"{joined}, of which {left}",
    ]


@click.command(epilog=NOTATION)
@click.argument("group", type=GroupName())
@click.argument("f")
@json_option
@click.option("--svg", type=picture_type, help="Draw the result into this file.")
@force_option
def simplify(group: Group, f: str, as_json: bool, svg: Path | None, force: bool) -> None:
    """Write a diagram or a sum F in the basis of its Hom space.

    Two sums are the same map exactly when this makes them equal: n is put in, and where n is so
    small that diagrams depend on each other, those outside the basis are written in it. Exact.

    \b
    Examples:
      tannaka simplify Sp2 "2->2: 0 3 | 1 2"
      tannaka simplify S2 "2->2: 0 | 1 | 2 | 3"
      tannaka compose O3 "2->2: #0" "2->2: #0" --json | tannaka simplify O1 -
    """
    given = _operand("F", group, f)
    reduced = _in_group(group, given)
    if reduced is None:
        raise click.UsageError(f"{group} leaves n open: take a member, such as S5")
    if svg is not None:
        write_file(svg, reduced.svg(), force=force)
    if as_json:
        document(_answer(group, given, reduced))
        return
    click.echo(given)
    click.echo(f"in {group}: {reduced}\n\n{reduced.text()}")


def _bare(f: Morphism) -> str:
    """A sum without the parentheses of a single diagram."""
    text = str(f)
    return text[1:-1] if re.fullmatch(r"\([^()]*\)", text) else text


def _steps(first: Morphism, second: Morphism) -> CompositionSteps[Any]:
    from tannaka.diagrams.pictures.steps import compose_steps

    below, above = first.written(), second.written()
    if any([coefficient for coefficient, _ in terms] != [""] for terms in (below, above)):
        raise click.UsageError("--steps explains two diagrams, and one of these is a sum")
    return compose_steps(below[0][1], above[0][1])
