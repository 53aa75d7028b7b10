"""How deep a run of the tests looked: for each file its laws, cases, inputs tried and seconds.

``pytest --deep --law-table benchmarks/laws.md`` writes the table. A law is a test that Hypothesis
draws inputs for; a case is one test with its parameters; inputs are those that were tried in full.
A run of some files renews their rows and leaves the others, so that a deep run can be made in parts.
"""

from __future__ import annotations

import platform
import re
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest

PASSED = re.compile(r"- (\d+) passing, ")
ROW = re.compile(r"^\| ([^*|]+) \|" + r" ([\d,]+) \|" * 5 + "$", re.MULTILINE)


@dataclass(slots=True)
class Row:
    """What a file of tests has to show, as its row says it."""

    laws: int = 0
    cases: int = 0
    inputs: int = 0
    failed: int = 0
    seconds: float = 0

    def text(self, name: str) -> str:
        """The row of the table."""
        return f"| {name} | " + " | ".join(f"{number:,.0f}" for number in astuple(self)) + " |"


class LawTable:
    """Gathers reports of tests, in whatever process they ran, and writes the table at the end."""

    def __init__(self, target: Path, examples: int) -> None:
        self.target, self.examples = target, examples
        self.rows: dict[str, Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what one test, its setup or its teardown says."""
        folder, _, file = report.nodeid.split("::")[0].rpartition("/")
        row = self.rows.setdefault(file if folder == "tests" else "examples in docstrings", Row())
        row.seconds += report.duration
        row.failed += report.failed
        row.cases += report.when == "call" and report.passed
        tried = dict(report.user_properties).get("inputs")
        if report.when == "teardown" and tried is not None:
            row.laws += 1
            row.inputs += int(str(tried))

    def pytest_sessionfinish(self) -> None:
        """Write the table."""
        kept = self.target.read_text(encoding="utf-8") if self.target.exists() else ""
        self.target.write_text(self.text(kept), encoding="utf-8")

    def text(self, before: str = "") -> str:
        """The table, files with most inputs first; of files that did not run, the rows from before.

        >>> table = LawTable(Path("laws.md"), 50)
        >>> table.rows["test_laws.py"] = Row(2, 3, 100, 0, 7)
        >>> print(table.text("| test_hom.py | 1 | 2 | 3,000 | 0 | 5 |"))  # doctest: +ELLIPSIS
        # How deep the tests looked
        ...
        | test_hom.py | 1 | 2 | 3,000 | 0 | 5 |
        | test_laws.py | 2 | 3 | 100 | 0 | 7 |
        | **all** | 3 | 5 | 3,100 | 0 | 12 |
        <BLANKLINE>
        """
        rows = {
            name: Row(*(int(number.replace(",", "")) for number in numbers))
            for name, *numbers in ROW.findall(before)
        }
        rows |= {name: row for name, row in self.rows.items() if row.cases or row.failed}
        order = sorted(rows, key=lambda name: (-rows[name].inputs, -rows[name].cases, name))
        total = Row(*(sum(column) for column in zip(*map(astuple, rows.values()), strict=True)))
        about = (
            f"`pytest --deep --law-table`, with up to {self.examples:,} inputs for each law where it does "
            f"not say fewer; Python {platform.python_version()}. A law is a test that Hypothesis draws "
            "inputs for, a case is one test with its parameters that passed."
        )
        return "\n".join(
            [
                "# How deep the tests looked",
                "",
                about,
                "",
                "| file | laws | cases | inputs tried | failed | seconds |",
                "| :-- | --: | --: | --: | --: | --: |",
                *(rows[name].text(name) for name in order),
                total.text("**all**"),
                "",
            ]
        )


def note_inputs(item: pytest.Item, report: pytest.TestReport) -> None:
    """Keep in a test's last report how many inputs Hypothesis tried."""
    said = getattr(item, "hypothesis_statistics", None)
    if said and report.when == "teardown":
        tried = sum(map(int, PASSED.findall(said)))
        report.user_properties.append(("inputs", tried))
