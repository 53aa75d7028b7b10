"""Bugs planted in our own source are caught by the tests."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from planted_bugs import KINDS, ROOT, TABLE, Bug, Copy, bugs, published, table, tried

FEWEST, SHARE = 80, 0.95
"""How many bugs there must be, and what part of them must be caught."""


def test_the_bugs_are_many_of_every_kind_all_over_the_source() -> None:
    found = bugs()
    assert len(found) >= FEWEST
    assert {bug.kind for bug in found} == set(KINDS)
    assert min(Counter(bug.layer for bug in found).values()) >= 20
    assert max(Counter(bug.file for bug in found).values()) <= 0.06 * len(found)
    assert max(Counter(bug.name for bug in found).values()) == 1
    assert max(Counter((bug.file, bug.old) for bug in found).values()) == 1


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_every_bug_is_a_change_that_runs_and_its_tests_are_there(bug: Bug) -> None:
    text = (ROOT / bug.file).read_text(encoding="utf-8")
    spoiled = bug.planted(text)
    assert spoiled != text
    if bug.file.endswith(".py"):
        assert ast.dump(ast.parse(spoiled)) != ast.dump(ast.parse(text))
    assert bug.tests
    for test in bug.tests:
        name, *inside = test.split("::")
        known = ast.parse((ROOT / "tests" / name).read_text(encoding="utf-8"))
        defined = {part.name for part in known.body if hasattr(part, "name")}
        assert set(inside[:1]) <= defined


def test_the_published_table_is_of_these_bugs_and_nearly_all_are_caught() -> None:
    caught = published()
    assert list(caught) == [bug.name for bug in bugs()]
    assert TABLE.read_text(encoding="utf-8") == table(caught)
    assert sum(map(bool, caught.values())) >= SHARE * len(caught)


def test_a_bug_is_planted_caught_and_taken_out_again(tmp_path: Path) -> None:
    bug, *_ = bugs("a partition is flipped at the wrong place")
    copy = Copy(tmp_path / "copy")
    blind = "test_partition.py::test_blocks_in_any_order_give_the_same_diagram"
    seeing = "test_laws.py::test_the_dagger_is_a_contravariant_involution"
    caught = copy.tried(replace(bug, tests=(blind, seeing)))
    assert (caught.caught_by, caught.meant) == (seeing, True)
    assert copy.failure([blind, seeing]) == ""
    assert (copy.root / bug.file).read_bytes() == (ROOT / bug.file).read_bytes()
    with pytest.raises(ValueError, match="has 0 such places"):
        replace(bug, old="nowhere").planted("")
    with pytest.raises(RuntimeError, match="pytest ended with 4"):
        copy.failure(["test_partition.py::test_that_is_not_there"])


@pytest.mark.deep
def test_of_all_planted_bugs_nearly_all_are_caught() -> None:
    outcomes = list(tried(bugs()))
    print(table({one.bug.name: one.caught_by for one in outcomes}))
    survivors = [one.bug.name for one in outcomes if not one.caught_by]
    assert len(survivors) <= (1 - SHARE) * len(outcomes), survivors
