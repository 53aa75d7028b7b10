"""``tannaka dim`` and ``tannaka basis``: how large a Hom space is, and what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tannaka.cli.arguments import force_option, hom_arguments, json_option, picture_type
from tannaka.cli.files import write_file, write_folder
from tannaka.cli.output import data_text, document, number, progress, shown, space, table

if TYPE_CHECKING:
    from tannaka.category.hom import Hom

SHOWN = 300
"""How many diagrams a terminal is shown unless more are asked for."""
DRAWN = 1000
"""The most diagrams in one picture or LaTeX document, unless more are asked for."""
PAGED = 20_000
"""The most diagrams in a page or a folder, unless more are asked for: some 30 megabytes."""
LISTED = 10_000_000
"""The most diagrams that are listed as JSON, unless more are asked for."""


@click.command()
@hom_arguments
@json_option
def dim(hom: Hom, as_json: bool) -> None:
    """Print the exact dimension of Hom(V^K, V^L).

    From a closed formula, at any size: nothing is enumerated.

    \b
    Examples:
      tannaka dim S34 2 2
      tannaka dim "S(5) x O(3)" 0,1 0,1 --json
    """
    if not as_json:
        click.echo(hom.dimension)
        return
    document(space(hom) | {"diagrams": hom.count})


@click.command()
@hom_arguments
@click.option("--orbit", is_flag=True, help="The orbit basis, of a group of permutations.")
@click.option(
    "--svg", type=picture_type, help="Write one picture, FILE.svg, or a picture each: DIR."
)
@click.option("--html", type=picture_type, help="Write a page that works offline into this file.")
@click.option("--tikz", is_flag=True, help="Print a tikzpicture for each.")
@click.option("--latex", is_flag=True, help="Print a LaTeX document that draws them in TikZ.")
@json_option
@click.option("--limit", type=click.IntRange(min=1), help="Take only the first so many.")
@click.option("--no-pictures", is_flag=True, help="In the table, a line for each.")
@force_option
def basis(
    hom: Hom,
    orbit: bool,
    svg: Path | None,
    html: Path | None,
    tikz: bool,
    latex: bool,
    as_json: bool,
    limit: int | None,
    no_pictures: bool,
    force: bool,
) -> None:
    """Draw and list the basis of Hom(V^K, V^L).

    Each diagram has the number of its row in a layer's weight, its blocks of vertices (outputs are
    numbered first), what it does to a tensor x, and what applying it alone to one channel costs:
    flops, where a multiply-add is 2, and bytes moved in float32.

    \b
    Examples:
      tannaka basis O3 2 2
      tannaka basis S5 2 2 --svg basis.svg
      tannaka basis S8 4 4 --html basis.html
      tannaka basis SO3 2 3 --json | jq .basis[0]
    """
    if tikz + latex + as_json > 1:
        raise click.UsageError("choose one of --tikz, --latex and --json")
    if orbit and (tikz or latex or html):
        raise click.UsageError("--orbit goes with --svg FILE.svg and --json")
    single = svg is not None and svg.suffix.lower() == ".svg"
    if orbit and svg is not None and not single:
        raise click.UsageError("--orbit draws one picture: --svg FILE.svg")
    _check_number(hom, limit, PAGED, "a page", html is not None)
    _check_number(hom, limit, DRAWN, "one picture", single)
    _check_number(hom, limit, PAGED, "a folder", svg is not None and not single)
    _check_number(hom, limit, DRAWN, "one document", latex)
    _check_number(hom, limit, LISTED, "one document", as_json or tikz)
    elements = _orbits(hom) if orbit else hom.independent
    if svg is not None:
        _write_pictures(hom, elements, svg, limit, orbit, force)
    if html is not None:
        write_file(html, _page(hom, limit), force=force)
    if as_json:
        _print_json(hom, elements, limit, orbit)
    elif tikz:
        for row, diagram in enumerate(islice(iter(elements), limit)):
            click.echo(f"% {row}: {diagram}\n{diagram.tikz()}\n")
    elif latex:
        from tannaka.diagrams.pictures.tikz import gallery_tikz

        click.echo(gallery_tikz(islice(iter(elements), limit)), nl=False)
    elif svg is None and html is None:
        _print_table(hom, elements, limit or SHOWN, orbit, not no_pictures)


def _orbits(hom: Hom) -> Iterable[Any]:
    found = hom.group.orbits(hom.k, hom.l)
    if found is None:
        raise ValueError(f"{hom.group} is no permutation group: it has no orbit basis")
    return found


def _check_number(hom: Hom, limit: int | None, most: int, where: str, wanted: bool) -> None:
    """Refuse what could not be written, or read; a limit given is taken as it is."""
    if wanted and limit is None and hom.dimension > most:
        from tannaka.diagrams.errors import SizeError

        raise SizeError(
            f"{hom}: too many diagrams for {where}, {most:,} unless told; --limit {most} takes the "
            "first so many"
        )


def _facts(hom: Hom, diagram: Any) -> dict[str, Any]:
    """What a diagram does, and what applying it alone costs, as numbers or formulas in n."""
    from tannaka.codegen.facts import facts

    known = facts(hom, diagram)
    if known is None:
        return {}
    costs = {"flops": number(known.flops), "bytes": number(known.bytes)}
    return {"formula": known.formula} | costs


def _print_table(
    hom: Hom, elements: Iterable[Any], limit: int, orbit: bool, pictures: bool
) -> None:
    from tannaka.diagrams.counts import readable

    rows = []
    for row, element in enumerate(islice(iter(elements), limit)):
        if orbit:
            rows.append((str(row), str(element), "", "", "", ""))
            continue
        facts = _facts(hom, element)
        costs = tuple(shown(facts[name]) if facts else "" for name in ("flops", "bytes"))
        picture = element.text() if pictures else ""
        rows.append((str(row), str(element), picture, facts.get("formula", ""), *costs))
    click.echo(hom)
    if rows:
        heads = (
            "row",
            "orbit" if orbit else "diagram",
            "picture",
            "what it does",
            "flops",
            "bytes",
        )
        click.echo(f"\n{table(heads, rows, numbers=(0, 4, 5))}")
    if hom.dimension > limit:
        click.echo(f"\nthe first {limit:,} of {readable(hom.dimension)}; --limit shows more")


def _print_json(hom: Hom, elements: Iterable[Any], limit: int | None, orbit: bool) -> None:
    """Print the basis as one JSON document, element by element: it may be larger than memory."""
    from tannaka.diagrams.reading import sum_to_json

    head = data_text(space(hom) | {"kind": "orbit" if orbit else "diagram"})
    click.echo(f'{head[:-1]}, "basis": [', nl=False)
    with progress() as tell:
        for row, element in enumerate(islice(iter(elements), limit)):
            data = {"number": row, "text": str(element)}
            data |= sum_to_json(element) if orbit else element.to_json() | _facts(hom, element)
            click.echo(f"{', ' if row else ''}{data_text(data)}", nl=False)
            if row % 1000 == 999:
                tell(f"listed {row + 1:,}")
    click.echo("]}")


def _write_pictures(
    hom: Hom, elements: Iterable[Any], path: Path, limit: int | None, orbit: bool, force: bool
) -> None:
    from tannaka.diagrams.pictures.svg import gallery_svg

    if orbit:
        write_file(path, hom.svg("orbit"), force=force)
    elif path.suffix.lower() == ".svg":
        drawing = gallery_svg(islice(iter(elements), limit), title=str(hom))
        write_file(path, drawing, force=force)
    else:
        _write_each(hom, path, limit, force)


def _write_each(hom: Hom, path: Path, limit: int | None, force: bool) -> None:
    total = min(hom.dimension, limit or hom.dimension)
    digits = len(str(max(total - 1, 0)))
    with progress() as tell:

        def drawings() -> Iterator[tuple[str, str]]:
            for row, diagram in enumerate(islice(iter(hom.independent), limit)):
                if row % 100 == 0:
                    tell(f"drawing {row:,} of {total:,}")
                yield f"{row:0{digits}}.svg", diagram.svg()
            tell.clear()

        write_folder(path, drawings(), force=force)


def _page(hom: Hom, limit: int | None) -> Iterator[str]:
    from tannaka.category.gallery import about, thumbnail
    from tannaka.diagrams.pictures.page import Card, gallery_page

    total = min(hom.dimension, limit or hom.dimension)
    with progress() as tell:

        def cards() -> Iterator[Card]:
            for row, diagram in enumerate(islice(iter(hom.independent), limit)):
                if row % 100 == 0:
                    tell(f"drawing {row:,} of {total:,}")
                facts = _facts(hom, diagram)
                cost = (
                    f"{shown(facts['flops'])} flops, {shown(facts['bytes'])} bytes" if facts else ""
                )
                matrix = thumbnail(hom, diagram)
                yield Card(diagram.svg(), str(diagram), facts.get("formula", ""), cost, matrix)
            tell.clear()

        note = "" if total == hom.dimension else f", the first {total:,}"
        yield from gallery_page(f"{hom}{note}", cards(), total, about(hom))
