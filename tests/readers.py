"""Drawings read back: what a diagram's text or SVG says, found out without the code that wrote it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar
from xml.etree import ElementTree

Cell = tuple[int, int]
Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]
T = TypeVar("T", bound=Hashable)

DOUBLE = {
    "║": {"UP", "DOWN"},
    "╜": {"UP", "LEFT"},
    "╙": {"UP", "RIGHT"},
    "╨": {"UP", "LEFT", "RIGHT"},
    "╖": {"DOWN", "LEFT"},
    "╓": {"DOWN", "RIGHT"},
    "╥": {"DOWN", "LEFT", "RIGHT"},
}


HEADS = {"▼": "UP", "▲": "DOWN"}


@dataclass(frozen=True)
class Reading:
    """What a text says: ``parts`` are the vertex numbers on each bus, none on a bare one.

    ``domes`` has for each determinant vertex the part at each leg, None where it is free; ``edges``
    join parts, by number, and have a colour perhaps; ``colours`` are those of parts; ``heads`` is
    how many edges are arrows.
    """

    dom: int
    cod: int
    parts: list[frozenset[int]]
    domes: list[list[int | None]]
    edges: list[tuple[Any, ...]]
    colours: list[tuple[int, int | str]]
    heads: int

    @property
    def blocks(self) -> frozenset[frozenset[int]]:
        """The parts, in no order."""
        return frozenset(self.parts)


def read_text(drawing: str) -> Reading:
    """Walk along the box characters; no arm may end in nothing."""
    lines = drawing.split("\n")
    wide = max(map(len, lines)) + 1
    names: dict[Cell, str] = {}
    for y, line in enumerate(lines):
        for found in re.finditer(r"([:(])([-\w,]+)\)?", line):
            # A name hides a piece of its bus, which may end there.
            names[y, found.start() - (found[1] == ":")] = found[2]
            more = line[found.end() :].startswith(("─", "╥", "╖", "╨", "╜", "▲", "▼", "↺"))
            hidden = "─" if more else " "
            first = "─" if more else "╴" if found[1] == "(" else " "
            line = (
                line[: found.start()] + first + hidden * (len(found[0]) - 1) + line[found.end() :]
            )
        lines[y] = line.ljust(wide)
    ends = {0, len(lines) - 1}
    words = [(y, x, word) for y in ends for x, word in _starts(lines[y])]
    number = {(y, x): int(word) for y, x, word in words if word.isdigit()}
    top = [cell for cell in number if cell[0] == 0]
    domes = [(found.start(), found[0]) for found in re.finditer("[╔╦═╗]+", lines[0])]
    cells: dict[Cell, set[str]] = {cell: {"UP" if cell[0] else "DOWN"} for cell in number}
    tips, loops, rings = set(), [], []
    legs = {x + i for x, dome in domes for i, glyph in enumerate(dome) if glyph != "═"}
    for y, line in enumerate(lines):
        for x, glyph in enumerate(line):
            if glyph == "○" and y == 1 and x in legs:
                tips.add((y, x))
            elif glyph == "○":
                rings.append((y, x))
                cells[y, x] = {"RIGHT"} if line[x + 1] in "─╴╖╓╥╜╙╨↺║▲▼" else set()
            elif glyph == "↺":
                loops.append((y, x))
                cells[y, x] = {"LEFT"} | ({"RIGHT"} if line[x + 1] != " " else set())
            elif glyph in HEADS:
                cells[y, x] = {HEADS[glyph], "LEFT"} | ({"RIGHT"} if line[x + 1] != " " else set())
            elif glyph in DOUBLE:
                cells[y, x] = DOUBLE[glyph]
            elif unicodedata.name(glyph).startswith("BOX DRAWINGS") and glyph not in "╔╦═╗":
                cells[y, x] = _directions(glyph)
    links = []
    for (y, x), arms in cells.items():
        double = lines[y][x] in (*DOUBLE, *HEADS)
        if "DOWN" in arms and not double:
            assert "UP" in cells[y + 1, x]
            links.append(((y, x), (y + 1, x)))
        if "UP" in arms and not double:
            assert "DOWN" in cells[y - 1, x]
        for arm, back, step in (("RIGHT", "LEFT", 1), ("LEFT", "RIGHT", -1)):
            if arm in arms:
                end = x + step
                while lines[y][end] in "│║":
                    end += step
                assert back in cells[y, end] or (lines[y][end] == "○" and step < 0)
                links.append(((y, x), (y, end)))
    assert sorted(number.values()) == list(range(len(number)))
    bodies = [c for c in cells if lines[c[0]][c[1]] != "║"]
    groups = sorted(classes(bodies, [link for link in links if set(link) <= set(bodies)]), key=min)
    of = {cell: i for i, group in enumerate(groups) for cell in group}
    assert all(sum(cell in group for cell in rings) <= 1 for group in groups)

    def below(y: int, x: int) -> Cell:
        """Where the double line that starts below a cell ends."""
        y += 1
        while lines[y][x] == "║":
            y += 1
        assert (y, x) in tips or "UP" in cells[y, x]
        return y, x

    legs_of = []
    for start, dome in domes:
        at = [start + i for i, glyph in enumerate(dome) if glyph != "═"]
        legs_of.append([None if (1, x) in tips else of[below(0, x)] for x in at])
    edges: list[tuple[Any, ...]] = []
    for high, arms in cells.items():
        if lines[high[0]][high[1]] in (*DOUBLE, "▲") and "DOWN" in arms:
            if lines[high[0]][high[1]] == "║":
                continue
            low = below(*high)
            pair = (high, low) if lines[high[0]][high[1]] != "▲" else (low, high)
            assert {lines[y][x] for y, x in (high, low)} != {"▲", "▼"}
            tint = [_colour(names.pop(at)) for at in pair if at in names]
            edges.append((*map(of.__getitem__, pair), *tint))
    edges += [(of[c], of[c], *([_colour(names.pop(c))] if c in names else [])) for c in loops]
    colours = [(of[c], _colour(word)) for c in names for word in names[c].split(",")]
    parts = [frozenset(number[cell] for cell in group if cell in number) for group in groups]
    heads = sum(line.count("▲") + line.count("▼") for line in lines)
    return Reading(len(number) - len(top), len(top), parts, legs_of, edges, colours, heads)


def read_svg(svg: str) -> ElementTree.Element:
    """The document, after a look for anything that could reach outside it."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
        assert element.tag in {"svg", "title", "style", "g", "path", "circle", "rect", "text"}
        assert not {name for name in element.attrib if name == "id" or "href" in name}
        assert not {name for name in element.attrib if name.startswith("on")}
    assert (root.get("role"), root[0].tag) == ("img", "title")
    assert "url(" not in svg
    assert "nan" not in svg
    (style,) = root.iter("style")
    rules = (style.text or "").replace("@media(prefers-color-scheme:dark){", "").split("}")
    assert all(rule.startswith(":root.tannaka-picture{") for rule in rules if rule)
    assert "@import" not in svg
    return root


def classes(points: Iterable[T], links: Iterable[tuple[T, T]]) -> set[frozenset[T]]:
    """The points in classes, connected by the links."""
    part = {point: frozenset([point]) for point in points}
    for a, b in links:
        joined = part[a] | part[b]
        part.update(dict.fromkeys(joined, joined))
    return set(part.values())


def along(curve: Curve, samples: int = 40) -> list[Point]:
    """Points of a Bézier curve."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve
    weights = [
        ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        for t in (i / samples for i in range(samples + 1))
    ]
    return [
        (a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy)
        for a, b, c, d in weights
    ]


def crossings(one: list[Point], other: list[Point]) -> int:
    """How often two lines of straight pieces cross."""

    def side(p: Point, q: Point, r: Point) -> bool:
        return (q[0] - p[0]) * (r[1] - p[1]) > (q[1] - p[1]) * (r[0] - p[0])

    return sum(
        side(p, q, r) != side(p, q, s) and side(r, s, p) != side(r, s, q)
        for p, q in pairwise(one)
        for r, s in pairwise(other)
    )


def _colour(word: str) -> int | str:
    return word if word.isidentifier() else int(word)


def _starts(line: str) -> list[tuple[int, str]]:
    """The words of a line, each with where it starts."""
    return [
        (x, line[x:].split()[0])
        for x in range(len(line))
        if line[x] != " " and (x == 0 or line[x - 1] == " ")
    ]


def _directions(glyph: str) -> set[str]:
    words = set(unicodedata.name(glyph).split()) & {
        "UP",
        "DOWN",
        "LEFT",
        "RIGHT",
        "VERTICAL",
        "HORIZONTAL",
    }
    for both, arms in (("VERTICAL", {"UP", "DOWN"}), ("HORIZONTAL", {"LEFT", "RIGHT"})):
        if both in words:
            words = words - {both} | arms
    return words
