"""The README's pictures: one diagram becoming code, two Hom spaces, two determinants composed.

Nothing in the first is typed by hand: the factors are ``factor(DIAGRAM)``, the code is what the
einsum backend writes for the plan with those three steps, after that plan was verified. Each block
keeps its colour from the diagram to the factors.

Usage: python examples/readme_pictures.py [folder]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from html import escape
from pathlib import Path

import networkx

from tannaka.category import SO, Aut, Hom, S
from tannaka.codegen.backends.einsum import kernel
from tannaka.codegen.lowering.lower import lower_diagrams
from tannaka.codegen.notation import formula
from tannaka.codegen.plan import Plan
from tannaka.diagrams import Grood, SetPartition, compose_steps, factor
from tannaka.diagrams.pictures.picture import picture
from tannaka.diagrams.pictures.svg import COLOURS, diagram_group, svg_document

DIAGRAM = SetPartition(4, 3, (0, 1, 1, 1, 1, 0, 2))
FOLDER = Path(__file__).parent.parent / "docs"

WIDTH, HEIGHT = 880.0, 424.0
SCALE = 36.0
TOP = 78.0
"""Height of the diagrams' outputs; the words stand above."""
PANEL, GUTTER = 192.0, 126.0
"""Upper edge of the code, and the width of the words on its left."""
CODE, LINE, GAP = 13.5, 20.0, 16.0
MONO = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"
SANS = "system-ui,'DejaVu Sans',Helvetica,Arial,sans-serif"


def pictures() -> dict[str, str]:
    """All pictures as self-contained SVG documents, by the names of their files."""
    product = compose_steps(Grood.determinant(2, 1), Grood.determinant(1, 2))
    return {
        "diagram_to_kernel.svg": diagram_to_kernel(),
        "hom_s4_2_2.svg": Hom(S(4), 2, 2).svg(),
        "hom_so3_2_3.svg": Hom(SO(3), 2, 3).svg(),
        "determinants.svg": product.svg(),
        "petersen_orbits.svg": Hom(Aut(networkx.petersen_graph()), 1, 1).svg("orbit"),
    }


def diagram_to_kernel() -> str:
    """One diagram, its factors, and the lines of code that they become."""
    return svg_document(
        WIDTH,
        HEIGHT,
        "\n".join([*_equation(), *_code()]),
        "A diagram, factored into contract, permute and embed, and the code that it becomes",
    )


def plan_of(diagram: SetPartition) -> Plan:
    """The plan that applies one diagram, a step for each of its factors, one channel to one."""
    dom, cod = diagram.dom, diagram.cod
    return lower_diagrams(
        [diagram], None, 1, 1, dom=dom, cod=cod, group=S(max(1, dom + cod)), reduce="sum"
    )


def _equation() -> Iterator[str]:
    """The upper row: diagram = contract >> permute >> embed."""
    parts = factor(DIAGRAM)
    colours = dict(zip(DIAGRAM.blocks, COLOURS, strict=False))
    by_output = [block for block in DIAGRAM.blocks if block[0] < DIAGRAM.cod <= block[-1]]
    by_input = sorted(by_output, key=lambda block: next(v for v in block if v >= DIAGRAM.cod))
    cells = (
        ("a diagram", formula(DIAGRAM), DIAGRAM, by_output, "="),
        ("contract", "take a diagonal, sum", parts.contraction, by_input, ">>"),
        ("permute", "and mix the channels", parts.permutation, by_output, ">>"),
        ("embed", "write on a diagonal", parts.embedding, by_output, ""),
    )
    high = picture(DIAGRAM).height * SCALE
    edge = 0.0
    for i, (word, what, diagram, blocks, sign) in enumerate(cells):
        wide = WIDTH / len(cells) + (-10 if i else 30)
        middle, edge = edge + wide / 2, edge + wide
        shape = picture(diagram)
        shape = shape.placed(
            middle - shape.width * SCALE / 2, TOP + (high - shape.height * SCALE) / 2, SCALE
        )
        strands = [colours[block] for block in blocks]
        yield _text(word, middle, 30, 17, weight=600)
        yield _text(what, middle, 51, *((13, SANS) if i else (11.5, MONO)), opacity=0.75)
        yield diagram_group(diagram, shape.x, shape.y, SCALE, labels=False, colours=strands)
        for vertex in (block[0] for block in diagram.blocks if len(block) == 1):
            x, y = shape.vertices[vertex]
            yield _text("sum", x, y + 17, 12, opacity=0.75)
        if sign:
            yield _text(sign, edge, TOP + high / 2 + 7, 20, MONO, opacity=0.75)


def _code() -> Iterator[str]:
    """The lower panel: the kernel's steps, each by the name of the factor that it applies."""
    yield (
        f'<rect x="12" y="{PANEL:g}" width="{WIDTH - 24:g}" height="{HEIGHT - PANEL - 12:g}" rx="8" '
        'fill="currentColor" fill-opacity="0.06"/>'
    )
    contract, permute, zeros, embed = _steps(kernel(plan_of(DIAGRAM)))
    panels = (("contract", contract), ("permute", permute), ("embed", zeros + embed))
    y = PANEL + 32
    for word, lines in panels:
        yield _text(word, 36, y, 15, anchor="start", weight=600)
        for line in lines:
            faint = 0.65 if line.startswith("#") else 1.0
            yield _text(line, 24 + GUTTER, y, CODE, MONO, "start", opacity=faint)
            y += LINE
        y += GAP


def _steps(source: str) -> list[list[str]]:
    """The statements of ``apply`` between its preparation and its return, each below its comment."""
    body = source[source.index("def apply") :].splitlines()
    steps: list[list[str]] = []
    for line in map(str.strip, body):
        if line.startswith("#"):
            steps.append([])
        if steps and not line.startswith(("return", "del ")):
            steps[-1].append(line)
    return steps


def _text(
    text: str,
    x: float,
    y: float,
    size: float,
    family: str = SANS,
    anchor: str = "middle",
    *,
    weight: int = 400,
    opacity: float = 1,
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{family}" font-size="{size:g}" '
        f'font-weight="{weight}" text-anchor="{anchor}" fill="currentColor" '
        f'fill-opacity="{opacity:g}">{escape(text)}</text>'
    )


def main() -> None:
    """Write the pictures into the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Write the README's pictures.")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    for name, svg in pictures().items():
        (folder / name).write_text(svg, encoding="utf-8")
        print(folder / name)


if __name__ == "__main__":
    main()
