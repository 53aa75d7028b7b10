"""The explorer in JupyterLab, driven in a real browser: what a person would do, and read.

``make explorer`` runs this and keeps the screenshots.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browser import chromium, jupyterlab, needs

import tannaka as tn

pytestmark = needs("anywidget", "jupyterlab", "playwright")
CODE = "import tannaka as tn\ne = tn.explorer(tn.S(3), 2, 2)\ne"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
SHOTS = os.environ.get("SCREENSHOTS")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str, Path]]:
    """A browser, the address of JupyterLab with a place for a notebook in it, and its folder."""
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as address, chromium() as browser:
        yield browser, address, folder


class Reader:
    """A person at a notebook that shows explorers."""

    def __init__(self, lab: tuple[Any, str, Path], name: str, cells: list[str], **how: Any) -> None:
        browser, address, folder = lab
        v4: Any = nbformat.v4
        notebook = v4.new_notebook(metadata={"kernelspec": KERNEL})
        notebook.cells = [v4.new_code_cell(cell) for cell in cells]
        (folder / f"{name}.ipynb").write_text(nbformat.writes(notebook))  # type: ignore[no-untyped-call]
        self.context = browser.new_context(viewport={"width": 1440, "height": 1500}, **how)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.wrong: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._requested)
        # A workspace of its own, so that no other notebook is open.
        self.page.goto(address.format(f"{name}.ipynb").replace("/lab/", f"/lab/workspaces/{name}/"))
        self.page.locator(".jp-Notebook .cm-content").first.wait_for(timeout=60_000)
        for number in range(len(cells)):
            self._run(number)
        self.page.locator(".tannaka-explorer .card").first.wait_for(timeout=60_000)
        self.root = self.page.locator(".tannaka-explorer").first

    def _run(self, number: int) -> None:
        """Run a cell; JupyterLab drops what is asked before the kernel is connected, so ask again."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)
        prompt = cell.locator(".jp-InputArea-prompt")
        for _ in range(60):
            cell.locator(".cm-content").click()
            self.page.keyboard.press("Shift+Enter")
            with suppress(Exception):  # nothing but the time is up
                prompt.filter(has_text=re.compile(r"\[(\d+|\*)\]")).wait_for(timeout=1_000)
                prompt.filter(has_text=re.compile(r"\[\d+\]")).wait_for()
                return
        pytest.fail(f"cell {number} was not run")

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")):
            self.elsewhere.append(request.url)

    def press(self, key: str) -> None:
        """Click what has this key."""
        self.root.locator(f'[data-key="{key}"]').first.click()

    def see(self, selector: str, text: str) -> None:
        """Wait until something says this."""
        self.root.locator(selector, has_text=text).first.wait_for()

    def middle(self, key: str) -> tuple[float, float]:
        """Where the middle of it is."""
        box = self.root.locator(f'[data-key="{key}"]').first.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, start: str, end: str, strokes: int) -> None:
        """Draw a strand from one point to another; then there are so many strokes."""
        (x, y), (u, v) = self.middle(f"spot {start}"), self.middle(f"spot {end}")
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move((x + u) / 2, (y + v) / 2 + 8)
        self.page.mouse.move(u, v)
        self.page.mouse.up()
        self.root.locator(f'.pad[data-strokes="{strokes}"]').wait_for()

    def shoot(self, name: str) -> None:
        """Keep a picture, where someone wants to look."""
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.mouse.move(2, 2)
            self.root.screenshot(path=str(Path(SHOTS) / f"{name}.png"))

    def close(self) -> None:
        """Nothing went wrong, and nothing was fetched from elsewhere."""
        self.context.close()
        assert not self.wrong
        assert not self.elsewhere


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_choose_click_compose_and_read(lab: tuple[Any, str, Path], scheme: str) -> None:
    one = Reader(lab, f"compose-{scheme}", [CODE], color_scheme=scheme)
    basis = tn.Hom(tn.S(4), 2, 2).basis()
    f, g = basis[3], basis[7]
    one.press("n more")
    one.see(".dimension", "15")
    one.press("card 3")
    one.see(".slot.f .orders", "2 → 2")
    one.press("card 7")
    one.see('[data-sum="formal"]', str(f >> g))
    assert one.root.locator('[data-sum="formal"]').inner_text() == str(f >> g)
    one.press("swap")
    one.see('[data-sum="formal"]', str(g >> f))
    one.press("operate tensor")
    one.see('[data-sum="formal"]', str(tn.Morphism.of(g @ f)))
    one.press("operate compose")
    one.press("card 4")
    h = basis[4]
    one.press("swap")
    one.see('[data-sum="formal"]', str(h >> g))
    one.press("use f")
    one.press("drop g")
    one.press("card 3")  # a loop closes
    last = h >> g >> f
    assert last != tn.S(4).morphism(last)
    one.see('[data-sum="formal"]', str(last))
    one.see('[data-sum="at-n"]', str(tn.S(4).morphism(last)))
    background = one.root.evaluate("element => getComputedStyle(element).backgroundColor")
    lightness = sum(int(x) for x in background[4:-1].split(",")[:3]) / 765
    assert (lightness > 0.8) if scheme == "light" else (lightness < 0.3)
    one.close()


def test_the_matrix_says_what_is_under_the_pointer(lab: tuple[Any, str, Path]) -> None:
    one = Reader(lab, "matrix", [CODE])
    one.press("card 3")
    one.press("tab matrix")
    one.press("look f")
    heat = one.root.locator(".heat")
    matrix = tn.S(3).matrix(tn.Hom(tn.S(3), 2, 2).basis()[3])
    drawn = heat.locator('path[data-value="1"]').get_attribute("d")
    assert drawn.count("M") == (matrix == 1).sum()
    heat.focus()
    for key in ("ArrowRight", *["ArrowRight"] * 4, *["ArrowDown"] * 4):
        one.page.keyboard.press(key)
    one.see(".entry", "[ 1 1 ← 1 1 ] = 1")
    everywhere = sum(int(m[4, 4] != 0) for m in tn.Hom(tn.S(3), 2, 2).matrices())
    one.see(".readout", f"{everywhere} of 14 basis diagrams")
    assert one.root.locator(".card.alight").count() == everywhere
    one.close()


def test_draw_a_diagram_by_dragging(lab: tuple[Any, str, Path]) -> None:
    one = Reader(lab, "draw", [CODE])
    one.press("tab draw")
    one.drag("0", "3", 1)
    one.see(".drawn", "labels=(0, 1, 2, 0)")
    one.drag("1", "2", 2)
    found = tn.SetPartition(2, 2, (0, 1, 1, 0))
    one.see(".drawn code", f"tn.{found!r}")
    one.see(".drawn .chip", str(tn.Hom(tn.S(3), 2, 2).independent.index(found)))
    one.drag("0", "3", 2)
    one.see(".status", "0 and 3 are joined already")
    # Clicking one end and then the other is a stroke too, and so is the keyboard.
    for spot in ("0", "1"):
        one.page.mouse.click(*one.middle(f"spot {spot}"))
    one.see(".drawn code", "labels=(0, 0, 0, 0)")
    one.press("wipe")
    one.see(".drawn code", "labels=(0, 1, 2, 3)")
    for spot in ("1", "3"):
        one.root.locator(f'[data-key="spot {spot}"]').first.focus()
        one.page.keyboard.press("Enter")
    one.see(".drawn code", "labels=(0, 1, 2, 1)")
    one.root.locator('[data-key="family"]').select_option("SO")
    one.press("l more")
    one.see(".dimension", "6")
    one.drag("0", "3", 1)
    for number, leg in enumerate(("1", "2", "4")):
        one.drag("-1", leg, 2 + number)
    drawn = tn.Grood(2, 3, (1, 2, 4), ((0, 3),))
    one.see('[data-sum="drawn-sum"]', str(tn.SO(3).morphism(drawn)))
    one.press("drawn f")
    one.see(".slot.f .orders", "2 → 3")
    one.close()


def test_n_shrinks_and_the_python_is_copied(lab: tuple[Any, str, Path]) -> None:
    one = Reader(lab, "shrink", [CODE], permissions=["clipboard-read", "clipboard-write"])
    one.press("tab shrink")
    one.root.locator('[data-key="slider"]').focus()
    one.page.keyboard.press("ArrowLeft")
    one.see(".dimension", str(tn.Hom(tn.S(2), 2, 2).dimension))
    left = tn.Hom(tn.S(2), 2, 2).relations()
    assert one.root.locator(".card.outside").count() == len(left)
    assert one.root.locator(".relation").count() == min(len(left), 6)
    one.root.locator(".card.outside").first.click()
    one.root.locator(".card.shown").wait_for()
    assert one.root.locator(".relation").count() == 1
    one.press("python copy")
    one.see('[data-key="python copy"]', "copied")
    text = one.page.evaluate("navigator.clipboard.readText()")
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["hom"] == tn.Hom(tn.S(2), 2, 2)
    # Where a page may not write to the clipboard, the text is selected.
    one.page.evaluate(
        "void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))"
    )
    one.see('[data-key="python copy"]', "copy")
    one.press("python copy")
    one.see('[data-key="python copy"]', "selected")
    assert one.page.evaluate("getSelection().toString()") == text
    one.close()


def test_two_explorers_share_a_page_and_python_moves_them(lab: tuple[Any, str, Path]) -> None:
    cells = [CODE, "o = tn.explorer(tn.O(3), 1, 1)\no", "e.selected = e.hom.basis()[:2]; o.k = 3"]
    one = Reader(lab, "two", cells)
    pages = one.page.locator(".tannaka-explorer")
    pages.nth(1).locator(".dimension", has_text="3").wait_for()
    f, g = tn.Hom(tn.S(3), 2, 2).basis()[:2]
    one.see('[data-sum="formal"]', str(f >> g))
    assert pages.count() == 2
    ids = one.page.evaluate("[...document.querySelectorAll('.tannaka-explorer [id]')].length")
    assert ids == 0
    assert pages.nth(1).locator(".slot.empty").count() == 2
    # By the keyboard alone: the first card, the one to its right, and the tab of the matrix.
    pages.nth(1).locator('[data-key="card 0"]').focus()
    one.page.keyboard.press("Enter")
    pages.nth(1).locator('[data-key="card 0"].f').wait_for()
    one.page.keyboard.press("ArrowRight")
    one.page.keyboard.press("Space")
    pages.nth(1).locator('[data-key="card 1"].g').wait_for()
    pages.nth(1).locator('[data-key="tab glue"]').focus()
    one.page.keyboard.press("ArrowRight")
    pages.nth(1).locator(".heat").wait_for()
    unnamed = one.page.evaluate(
        "[...document.querySelectorAll('.tannaka-explorer :is(button,input,select,[role=img])')]"
        ".filter(e => !(e.textContent.trim() || e.getAttribute('aria-label'))).length"
    )
    assert unnamed == 0
    one.close()


@pytest.mark.skipif(not SHOTS, reason="screenshots are for looking at: make explorer")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_to_look_at(lab: tuple[Any, str, Path], scheme: str) -> None:
    one = Reader(lab, f"look-{scheme}", [CODE], color_scheme=scheme, device_scale_factor=1.5)
    one.press("n more")
    one.see(".dimension", "15")
    one.press("card 3")
    one.see(".slot.f .orders", "2 → 2")
    one.press("card 4")
    one.page.wait_for_timeout(5000)
    one.shoot(f"compose-{scheme}")
    one.press("tab matrix")
    one.root.locator(".heat").wait_for()
    one.shoot(f"matrix-{scheme}")
    one.press("tab shrink")
    one.press("n 2")
    one.root.locator(".relation").first.wait_for()
    one.shoot(f"shrink-{scheme}")
    one.root.locator('[data-key="family"]').select_option("SO")
    one.press("n 3")
    one.press("l more")
    one.press("tab draw")
    one.see(".dimension", "6")
    one.see(".missing", "no partner yet")
    one.drag("0", "3", 1)
    for number, leg in enumerate(("1", "2", "4")):
        one.drag("-1", leg, 2 + number)
    one.root.locator('[data-sum="drawn-sum"]').wait_for()
    one.shoot(f"draw-{scheme}")
    one.page.set_viewport_size({"width": 760, "height": 1900})
    one.page.wait_for_timeout(400)
    one.shoot(f"narrow-{scheme}")
    one.close()
