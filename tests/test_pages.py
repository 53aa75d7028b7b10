"""Pages and outputs in a real browser: they are seen, they turn, and they can be read in both themes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, jupyterlab, needs
from click.testing import CliRunner

import tannaka as tn
from tannaka.cli import main

pytestmark = needs("playwright")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def opened(browser: Any, path: Path, scheme: str = "light") -> tuple[Any, list[str]]:
    """The page of a file, and what it complains of."""
    page = browser.new_page(viewport={"width": 1300, "height": 850}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url))
    page.goto(path.as_uri())
    return page, [one for one in complaints if one != path.as_uri()]


def gallery(folder: Path, *words: str) -> Path:
    target = folder / "basis.html"
    result = CliRunner().invoke(main, ["basis", *words, "--html", str(target)])
    assert result.exit_code == 0, result.output
    return target


def luminance(colour: str) -> float:
    """The relative luminance of "rgb(r, g, b)", by the rules for web content."""
    parts = [float(part) / 255 for part in colour.split("(")[1].rstrip(")").split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.deep
@needs("jupyterlab", "ipykernel", "nbformat")
def test_jupyterlab_shows_pictures_before_formulas_in_both_themes(
    browser: Any, tmp_path: Path
) -> None:
    import nbformat

    new: Any = nbformat.v4
    write: Any = nbformat.write
    shown = [
        "tn.Hom(tn.S(4), 2, 1)",
        "tn.Brauer.swap()",
        "tn.SO(3)",
        "tn.Hom(tn.O(2), 1, 1).walks()",
    ]
    shown += ["tn.Hom(tn.O(1), 2, 2).relations()", "tn.nn.EquivariantLinear(tn.S(4), 1, 1, 2, 2)"]
    cells = [new.new_code_cell(source) for source in ("import tannaka as tn", *shown)]
    notebook = new.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    write(notebook, tmp_path / "shown.ipynb")
    with jupyterlab(tmp_path) as address:
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1250, "height": 4000}, color_scheme=scheme)
            page.goto(address.format("shown.ipynb"))
            page.locator(".jp-Cell").first.click(timeout=60_000)
            page.get_by_text("Run", exact=True).click()
            page.get_by_text("Run All Cells", exact=True).click()
            outputs = page.locator(".jp-OutputArea-output")
            outputs.nth(len(shown) - 1).wait_for(timeout=60_000)
            for number, source in enumerate(shown):
                output = outputs.nth(number)
                assert output.get_attribute("data-mime-type") == "text/html", source
                assert output.locator("svg").first.is_visible(), source
                for words in ("svg text", "code", "td"):
                    for one in output.locator(words).all()[:5]:
                        ink = one.evaluate("element => getComputedStyle(element).color")
                        ground = "rgb(255, 255, 255)" if scheme == "light" else "rgb(17, 17, 17)"
                        assert contrast(ink, ground) > 4.5, (scheme, source, words)
            themed = page.evaluate("document.body.dataset.jpThemeLight")
            assert themed == str(scheme == "light").lower()
            page.close()


def test_a_gallery_of_thousands_turns_its_pages(browser: Any, tmp_path: Path) -> None:
    target = gallery(tmp_path, "S7", "4", "3")
    page, complaints = opened(browser, target)
    count = tn.S(7).dimension(4, 3)
    shown = page.locator("output")
    assert count == 877
    assert shown.inner_text() == f"rows 0 to 199 of {count}"
    page.keyboard.press("ArrowRight")
    assert shown.inner_text() == f"rows 200 to 399 of {count}"
    page.get_by_role("button", name="last page").click()
    assert shown.inner_text() == f"rows 800 to 876 of {count}"
    assert page.locator("figure").count() == 77
    assert page.get_by_role("button", name="page after").is_disabled()
    page.get_by_role("searchbox").fill("321")
    page.locator("figure.sought").wait_for()
    assert page.locator("figure.sought").get_attribute("id") == "321"
    row = tn.Hom(tn.S(7), 4, 3).basis()[321]
    assert page.locator("figure.sought code").first.inner_text() == str(row)
    assert page.locator("figure.sought").is_visible()
    page.get_by_role("searchbox").fill("y[iii] += x[iiii]")
    page.locator("output", has_text="found").wait_for()
    assert page.locator("figure").count() == 1
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_hundred_are_one_page_and_can_be_read(
    scheme: str, browser: Any, tmp_path: Path
) -> None:
    page, complaints = opened(browser, gallery(tmp_path, "S(7)", "3", "3"), scheme)
    assert page.locator("output").inner_text() == "rows 0 to 202 of 203"
    assert page.locator("figure svg").count() == 203
    assert not page.get_by_role("button", name="page after").is_visible()
    style = "element => [getComputedStyle(element).color, getComputedStyle(element.closest('figure') ?? document.body).backgroundColor]"
    for place in ("figure code", "figure small", "figure a", "h1", "figure text"):
        colours = page.locator(place).first.evaluate(style)
        assert contrast(*colours) > 4.5, (place, colours)
    dark = luminance(page.locator("body").evaluate("b => getComputedStyle(b).backgroundColor"))
    assert (dark < 0.2) == (scheme == "dark")
    # Nothing sticks out of its card, and the page does not move sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('figure')].every(f => f.scrollWidth <= f.clientWidth)"
    )
    assert complaints == []


@pytest.mark.parametrize(
    ("ground", "ink"), [("rgb(255, 255, 255)", "rgb(30, 30, 30)"), ("rgb(17, 17, 17)", "#ddd")]
)
def test_outputs_take_the_colours_of_their_page(
    ground: str, ink: str, browser: Any, tmp_path: Path
) -> None:
    hom = tn.Hom(tn.Sp(2), 2, 2)
    objects = [hom, hom, hom.walks(), tn.S(4), tn.generate(tn.O(2), 1, 1, 1, 1), tn.Brauer.cup()]
    outputs = [shown._repr_mimebundle_()["text/html"] for shown in objects]
    target = tmp_path / "outputs.html"
    target.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><body style="background:{ground};color:{ink}">'
        + "".join(outputs),
        encoding="utf-8",
    )
    page, complaints = opened(browser, target)
    assert page.locator("figure svg").count() >= 2 * hom.dimension
    for place in ("code", "b", "td", "figure > small", "svg text", "pre", "pre span"):
        found = page.locator(f".tannaka {place}").first
        colour = found.evaluate("element => getComputedStyle(element).color")
        if colour.startswith("color("):
            mixed = [float(part) * 255 for part in colour.rstrip(")").split()[1:4]]
            colour = f"rgb({', '.join(map(str, mixed))})"
        assert contrast(colour, ground) > 4.0, (place, colour)
        assert found.bounding_box() is not None
    assert complaints == []
