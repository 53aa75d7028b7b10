"""The plugin for pytest: a marker, an option for how deep checks look, and a report at the end.

It is on in every test run where tannaka is installed, so it imports nothing of tannaka or torch before
a test asks for it, and says nothing where no test checks equivariance. ``-p no:tannaka`` leaves it out.

A test with the marker makes a layer, or any callable, and the plugin checks it::

    @pytest.mark.equivariant("S(5)", 2, 1, in_channels=3, dtypes=("float32", "bfloat16"))
    def test_encoder():
        return Encoder()

The arguments are those of :func:`tannaka.testing.assert_equivariant`; a tannaka layer needs none.
Fixtures and ``parametrize`` work as in any test. Checks that a test calls itself are listed and
deepened in the same way.
"""

from __future__ import annotations

import argparse
import copy
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from tannaka.codegen.trust.check import EquivarianceReport

SHOWN = 20
"""How many checks the report lists, those nearest to their tolerance, unless -v asks for all."""
LONGEST = 80
"""Most characters of a group element in the report; others are drawn again from seed and sample."""
PROPERTY = "equivariance"
"""What a test's report calls the checks in it; so they come from the processes of pytest-xdist."""
MARKER = (
    "equivariant(group=None, k=None, l=None, *, dtypes=(), **options): the test returns a layer or a "
    "callable, which tannaka checks as tannaka.testing.assert_equivariant(it, group, k, l, **options) "
    "does, once in each of the dtypes"
)
Row = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How deep to look, and whether to tell."""
    options = parser.getgroup("tannaka", "equivariance, by tannaka")
    options.addoption(
        "--equivariance-samples",
        type=_count,
        metavar="N",
        help="Take at least N group elements in every check of equivariance.",
    )
    options.addoption(
        "--equivariance-report",
        choices=("auto", "all", "none"),
        default="auto",
        help=f"List the checks at the end: auto: the {SHOWN} nearest to failing, none with -q.",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of group elements is >= 1, got {text!r}")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and listen to reports."""
    config.addinivalue_line("markers", MARKER)
    config.pluginmanager.register(_Summary(config), "tannaka-summary")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Run a test inside a watch, of whatever kind it is."""
    kind = getattr(item, "cls", None)
    if item.get_closest_marker("equivariant") and kind and issubclass(kind, unittest.TestCase):
        words = (
            "what a method of unittest.TestCase returns is lost, so that the marker equivariant could "
            "check nothing: call tannaka.testing.assert_equivariant in the test"
        )
        pytest.fail(words, pytrace=False)
    with _watched(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Check what a marked test returns."""
    marker = pyfuncitem.get_closest_marker("equivariant")
    if marker is None:
        return (yield)
    made = []
    inside = pyfuncitem.obj

    def kept(*args: Any, **kwargs: Any) -> None:
        made.append(inside(*args, **kwargs))

    pyfuncitem.obj = kept
    try:
        done = yield
    finally:
        pyfuncitem.obj = inside
    _check(made, *marker.args, **marker.kwargs)
    return done


def _check(
    made: list[Any],
    group: Any = None,
    k: Any = None,
    l: Any = None,
    *,
    dtypes: tuple[Any, ...] = (),
    **options: Any,
) -> None:
    """Check what a marked test returned, in each dtype."""
    from tannaka.testing import assert_equivariant

    if not made or not callable(made[0]):
        got = type(made[0]).__name__ if made else "a coroutine"
        words = f"a test marked equivariant returns the layer or callable to check, got {got}"
        pytest.fail(words, pytrace=False)
    import torch

    from tannaka.errors import EquivarianceError

    layer = made[0]
    for dtype in [dtypes] if isinstance(dtypes, str | torch.dtype) else dtypes or [None]:
        if dtype is not None:
            found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
            if not isinstance(found, torch.dtype):
                pytest.fail(f"a dtype is a name such as 'float32', got {dtype!r}", pytrace=False)
            options["dtype"] = found
            if isinstance(layer, torch.nn.Module):
                layer = copy.deepcopy(made[0]).to(options["dtype"])
        failure = ""
        try:
            assert_equivariant(layer, group, k, l, **options)
        except EquivarianceError as error:
            failure = str(error)
        if failure:
            # The frames between say nothing of the test.
            pytest.fail(failure, pytrace=False)


@contextmanager
def _watched(item: pytest.Item) -> Iterator[None]:
    """Hear of all checks inside, and ask for as many samples as the option says."""
    from tannaka.codegen.trust.watch import WATCH, Watch

    rows: dict[tuple[str, str], Row] = {}

    def heard(report: EquivarianceReport) -> None:
        # One row for all that a property-based test draws: that of its worst check.
        row = _row(report)
        known = rows.setdefault((row["law"], row["dtype"]), row)
        if known is not row:
            elements = known["elements"] + row["elements"]
            worst = max(known, row, key=_nearness)
            rows[row["law"], row["dtype"]] = worst | {"elements": elements}

    least = item.config.getoption("--equivariance-samples") or 1
    token = WATCH.set(Watch(least, heard))
    try:
        yield
    finally:
        WATCH.reset(token)
        item.user_properties += [(PROPERTY, row) for row in rows.values()]


def _row(report: EquivarianceReport) -> Row:
    """A check as plain data, which goes between processes and into files."""
    from tannaka.codegen.trust.check import element_text

    text = element_text(report.element)
    return {
        "law": f"{report.group} {report.k} -> {report.l}",
        "dtype": str(report.dtype).removeprefix("torch."),
        "elements": report.samples * max(1, len(report.sizes)),
        "error": report.error,
        "tolerance": report.tolerance,
        "worst": text
        if "\n" not in text and len(text) <= LONGEST
        else f"seed {report.seed}, sample {report.sample}",
    }


class _Summary:
    """Gathers the checks of all tests, and lists them."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.rows: list[tuple[str, Row]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear of a test; with pytest-xdist it ran in another process."""
        if report.when == "call":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    row: Row = dict(value)  # type: ignore[call-overload]
                    self.rows.append((report.nodeid, row | {"wanted": report.passed}))

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """List the checks, those that failed or nearly did first."""
        wanted = self.config.getoption("--equivariance-report")
        verbosity = self.config.get_verbosity()
        if not self.rows or wanted == "none" or (wanted == "auto" and verbosity < 0):
            return
        # A check that failed in a test that passed was meant to fail.
        rows = sorted(self.rows, key=lambda row: (_meant(row[1]), -_nearness(row[1])))
        shown = rows if wanted == "all" or verbosity > 0 else rows[:SHOWN]
        terminalreporter.section("equivariance")
        for line, failed in _lines(shown):
            terminalreporter.write_line(line, red=failed)
        if len(shown) < len(rows):
            terminalreporter.write_line(
                f"{len(rows) - len(shown):,} more, further from their tolerance; "
                "--equivariance-report=all lists them"
            )


def _meant(row: Row) -> bool:
    """Whether a check failed as its test wants it."""
    return bool(row["wanted"]) and _nearness(row) > 1


def _nearness(row: Row) -> float:
    """The error over the tolerance."""
    error, tolerance = float(row["error"]), float(row["tolerance"])
    return error / tolerance if tolerance else (float("inf") if error else 0.0)


def _lines(rows: list[tuple[str, Row]]) -> Iterator[tuple[str, bool]]:
    """The table, and whether a line is of a check that failed."""
    heads = ("test", "group and orders", "dtype", "elements", "error", "tolerance", "worst element")
    cells = [
        (
            name,
            row["law"],
            row["dtype"],
            f"{row['elements']:,}",
            f"{row['error']:.1e}",
            f"{row['tolerance']:.0e}",
            row["worst"],
        )
        for name, row in rows
    ]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads) - 1)]
    fit: Callable[[tuple[str, ...]], str] = lambda line: "  ".join(  # noqa: E731
        [*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[-1]]
    )
    yield fit(heads), False
    for line, (_, row) in zip(cells, rows, strict=True):
        yield (
            fit(line) + " (the test wants it so)" * _meant(row),
            _nearness(row) > 1 and not _meant(row),
        )
