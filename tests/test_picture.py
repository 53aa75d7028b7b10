"""A drawing tells the diagram: from the picture, the SVG or the text alone one can read it back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations, permutations
from math import dist
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers import along, classes, read_svg, read_text

from tannaka.diagrams.brauer import Brauer
from tannaka.diagrams.enumerate import set_partitions
from tannaka.diagrams.partition import SetPartition, restricted_growth
from tannaka.diagrams.pictures.picture import picture
from tannaka.diagrams.pictures.svg import (
    COLOURS,
    diagram_group,
    diagram_svg,
    gallery_svg,
    svg_document,
)
from tannaka.diagrams.pictures.text import diagram_text, gallery_text
from tannaka.diagrams.pictures.tikz import gallery_tikz

Blocks = frozenset[frozenset[int]]
Golden = Callable[[str, str], None]

EXAMPLES = {
    "swap": SetPartition.swap(),
    "spider": SetPartition.spider(1, 5),
    "three_blocks": SetPartition.from_blocks(4, 4, [(0, 2, 5), (1, 6, 7), (3, 4)]),
    "brauer": Brauer(4, 4, ((0, 7), (1, 3), (2, 4), (5, 6))),
    "empty": SetPartition.identity(0),
}


@st.composite
def diagrams(draw: st.DrawFn, most: int = 9) -> SetPartition:
    size = draw(st.integers(0, most))
    dom = draw(st.integers(0, size))
    labels = draw(st.lists(st.integers(0, max(size - 1, 0)), min_size=size, max_size=size))
    return SetPartition(dom, size - dom, restricted_growth(labels))


def blocks(diagram: SetPartition) -> Blocks:
    return frozenset(map(frozenset, diagram.blocks))


def plainly(drawing: str) -> tuple[int, int, Blocks]:
    """What the text of a diagram says that is nothing but its blocks."""
    reading = read_text(drawing)
    assert not reading.domes
    assert not reading.edges
    return reading.dom, reading.cod, reading.blocks


@given(diagrams(most=12))
def test_the_text_can_be_read_back(diagram: SetPartition) -> None:
    if diagram.labels:
        assert plainly(diagram_text(diagram)) == (diagram.dom, diagram.cod, blocks(diagram))


def test_different_diagrams_have_different_texts() -> None:
    drawn = {diagram_text(d): d for k in range(4) for l in range(4) for d in set_partitions(k, l)}
    assert len(drawn) == sum(
        sum(1 for _ in set_partitions(k, l)) for k in range(4) for l in range(4)
    )
    for drawing, diagram in drawn.items():
        if diagram.labels:
            assert plainly(drawing) == (diagram.dom, diagram.cod, blocks(diagram))


@given(st.integers(1, 9))
def test_an_identity_is_straight_lines(k: int) -> None:
    lines = diagram_text(SetPartition.identity(k)).split("\n")
    assert len(lines) == 3
    assert set(lines[1]) <= {"│", " "}


@given(diagrams(most=12))
def test_strands_join_exactly_the_vertices_of_their_block(diagram: SetPartition) -> None:
    shape = picture(diagram)
    ends = [(strand.curve[0], strand.curve[3]) for strand in shape.strands]
    found = classes(shape.vertices, ends)
    assert found == {frozenset(shape.vertices[v] for v in block) for block in diagram.blocks}
    for strand, (start, end) in zip(shape.strands, ends, strict=True):
        assert (start, end) == tuple(shape.vertices[v] for v in strand.ends)
        assert set(strand.ends) <= set(diagram.blocks[strand.block])
    assert len(shape.strands) == len(diagram.labels) - len(diagram.blocks)


@given(diagrams(most=14))
def test_strands_stay_in_the_box_and_off_other_vertices(diagram: SetPartition) -> None:
    shape = picture(diagram)
    for strand in shape.strands:
        others = [at for v, at in enumerate(shape.vertices) if v not in strand.ends]
        for x, y in along(strand.curve):
            assert 0 <= x <= shape.width
            assert -1e-9 <= y <= shape.height + 1e-9
            assert all(dist((x, y), other) > 0.15 for other in others)


@given(st.integers(2, 14).flatmap(lambda w: st.tuples(st.just(w), st.integers(1, w - 1))))
def test_nested_arcs_never_touch(widths: tuple[int, int]) -> None:
    wide, narrow = widths
    for left in range(1, wide - narrow + 1):
        nested = [(0, wide + 1), (left, left + narrow)]
        outer, inner = picture(SetPartition.from_blocks(0, wide + 2, nested)).strands
        apart = min(dist(p, q) for p in along(outer.curve) for q in along(inner.curve))
        assert apart > 0.1


@given(diagrams())
def test_strands_of_different_blocks_only_cross(diagram: SetPartition) -> None:
    shape = picture(diagram)
    for one, other in combinations(shape.strands, 2):
        if one.block != other.block:
            near = [
                p
                for p in along(one.curve, 60)
                if min(dist(p, q) for q in along(other.curve, 60)) < 0.06
            ]
            # Where two curves cross, the points of one that are near the other are close together.
            assert all(dist(p, q) < 0.75 for p, q in combinations(near, 2)), (one, other)


@given(diagrams(), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.5, 40))
def test_placing_moves_and_scales_everything(
    diagram: SetPartition, x: float, y: float, scale: float
) -> None:
    before, after = picture(diagram), picture(diagram).placed(x, y, scale)
    back = after.placed(0, 0, 1 / scale)
    assert (after.x, after.y) == (x, y)
    assert after.width == pytest.approx(scale * before.width)
    assert [s.ends for s in after.strands] == [s.ends for s in before.strands]
    for strand, same in zip(before.strands, back.strands, strict=True):
        for point, again in zip(strand.curve, same.curve, strict=True):
            assert point == pytest.approx(again, abs=1e-9)


def test_pictures_of_one_hom_space_have_one_size() -> None:
    assert len({(p.width, p.height) for p in map(picture, set_partitions(2, 3))}) == 1


@given(diagrams())
def test_an_svg_has_a_dot_per_vertex_and_a_stroke_per_block(diagram: SetPartition) -> None:
    root = read_svg(diagram_svg(diagram))
    strokes = [(p.get("stroke"), p.get("stroke-dasharray")) for p in root.iter("path")]
    assert len(list(root.iter("circle"))) == diagram.dom + diagram.cod
    assert len(strokes) == len(set(strokes)) == sum(len(block) > 1 for block in diagram.blocks)
    assert [text.text for text in root.iter("text")] == [str(v) for v in range(len(diagram.labels))]


@given(st.lists(diagrams(6), max_size=8), st.text(max_size=20), st.none() | st.integers(1, 9))
def test_a_gallery_shows_every_diagram_and_says_every_caption(
    shown: list[SetPartition], caption: str, columns: int | None
) -> None:
    root = read_svg(gallery_svg(shown, [caption] * len(shown), columns, title=caption))
    said = [text.text or "" for text in root.iter("text")]
    plain = "".join(c if c.isprintable() else " " for c in caption).split()
    assert sum(1 for text in said if text.split() == plain) >= len(shown)
    assert len(list(root.iter("circle"))) == sum(len(diagram.labels) for diagram in shown)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for dot in root.iter("circle"):
        assert 0 < float(dot.get("cx", 0)) < width
        assert 0 < float(dot.get("cy", 0)) < height


@given(st.lists(diagrams(5), max_size=9), st.integers(1, 120))
def test_a_text_gallery_keeps_to_its_width(shown: list[SetPartition], width: int) -> None:
    captions = [f"{number}: {diagram}" for number, diagram in enumerate(shown)]
    cells = [line for d in shown for line in diagram_text(d).split("\n")] + captions
    lines = gallery_text(shown, width=width).split("\n")
    assert max(map(len, lines)) <= max([width, *map(len, cells)])
    assert all(any(caption in line for line in lines) for caption in captions)


def test_markup_in_text_is_text() -> None:
    root = read_svg(gallery_svg([SetPartition.cup()], ["<script>a & b</script>"], title='"<&'))
    assert "<script>a & b</script>" in [text.text for text in root.iter("text")]
    assert root[0].text == '"<&'


def test_groups_make_larger_pictures() -> None:
    cup = diagram_group(SetPartition.cup(), 10, 20)
    root = read_svg(svg_document(200, 100, cup + diagram_group(SetPartition.swap(), 90, 20), "two"))
    assert [group.tag for group in root.findall("g")] == ["g", "g"]
    assert len(list(root.iter("circle"))) == 6


def test_galleries_refuse_what_does_not_fit() -> None:
    for gallery in (gallery_svg, gallery_text):
        with pytest.raises(ValueError, match="there are 1 diagrams but 2 captions"):
            gallery([SetPartition.cup()], ["a", "b"])
    with pytest.raises(ValueError, match="columns must be at least 1"):
        gallery_svg([SetPartition.cup()], columns=0)


def test_colours_stand_out_on_white_and_on_black() -> None:
    for colour in COLOURS:
        for ground in ("#FFFFFF", "#111111"):
            lighter, darker = sorted(map(luminance, (colour, ground)), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) > 2


def test_drawings_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "from tannaka.diagrams.enumerate import set_partitions as all\n"
        "from tannaka.diagrams.pictures.svg import gallery_svg\n"
        "from tannaka.diagrams.pictures.text import gallery_text\n"
        "from tannaka.diagrams import BilabelledGraph, Jellyfish\n"
        "edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (4, 5), (5, 5)]\n"
        "more = [BilabelledGraph(6, edges, (0, 1), (2,)), Jellyfish.determinant(2, 3)]\n"
        "print(ascii(gallery_svg(all(3, 2)) + gallery_text(all(3, 2))))\n"
        "print(ascii(gallery_svg(more) + gallery_text(more)))"
    )
    path = os.pathsep.join(sys.path)
    drawn = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(drawn) == 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_look_as_they_did(name: str, golden: Golden) -> None:
    golden(f"picture_{name}.svg", diagram_svg(EXAMPLES[name]))
    golden(f"picture_{name}.txt", diagram_text(EXAMPLES[name]) + "\n")


def test_the_fifteen_look_as_they_did(golden: Golden) -> None:
    title = "The 15 set-partition diagrams 2 → 2"
    golden("picture_gallery.svg", gallery_svg(set_partitions(2, 2), title=title))
    golden("picture_gallery.txt", gallery_text(set_partitions(2, 2)) + "\n")


def test_permutations_as_text_look_as_they_did(golden: Golden) -> None:
    every = map(SetPartition.permutation, permutations(range(3)))
    golden("picture_permutations.txt", gallery_text(every) + "\n")


def luminance(colour: str) -> float:
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    linear = []
    for i in (1, 3, 5):
        value = int(colour[i : i + 2], 16) / 255
        linear.append(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_tikz_draws_every_vertex_and_strand_and_compiles(tmp_path: Path, golden: Golden) -> None:
    shown = [*set_partitions(2, 2), SetPartition(0, 0, ()), *list(set_partitions(4, 4))[::400]]
    for diagram in shown:
        text = diagram.tikz()
        assert text.count("\\fill") == diagram.dom + diagram.cod
        assert text.count(".. controls") == len(picture(diagram).strands)
    golden("picture_swap.tex", Brauer.swap().tikz() + "\n")
    document = gallery_tikz(shown)
    assert document.count("\\begin{tikzpicture}") == len(shown)
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed, so the TikZ was written but not compiled")
    (tmp_path / "gallery.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "gallery.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
