"""The benchmark of diagrams compares right answers, and says what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from tannaka.cli import main
from tannaka.diagrams import bench
from tannaka.diagrams.bench import Rate, Task
from tannaka.diagrams.rivals import Implementation

TASKS = {task.title: task for task in bench.tasks(points=5, bulk=6, matched=6, order=3, pairs=1500)}


@pytest.mark.parametrize("title", TASKS)
def test_a_task_is_timed_as_ratios_to_ours(title: str) -> None:
    task = TASKS[title]
    rates = bench.bench(task, seconds=0.001)
    assert [rate.name for rate in rates] == [way.name for way, _, _ in task.entries]
    assert rates[0].name.startswith("tannaka")
    ours = rates[0].per_second
    assert ours is not None
    timed = 0
    for rate, (way, _, _) in zip(rates, task.entries, strict=True):
        if not way.installed:
            assert rate == Rate(way.name)
            continue
        assert rate.per_second is not None
        assert rate.per_second > 0
        assert rate.ratio == pytest.approx(ours / rate.per_second)
        timed += 1
    assert timed >= 2, "there is always a rival"
    first, *lines = bench.report(task, rates)
    assert first.startswith(f"{title} ")
    for line, rate in zip(lines, rates, strict=True):
        assert re.fullmatch(rf"  {re.escape(rate.name)} +(not installed|[\d,]+ +[\d,.]+)", line)


def test_counts_are_of_what_is_done() -> None:
    """What the clock divides by is how many answers there are to the problem."""
    for task in TASKS.values():
        for way, problem, count in task.entries:
            if way.installed:
                assert len(way.answer(problem)) == count, (task.title, way.name)


def test_a_wrong_answer_is_not_timed() -> None:
    task = next(iter(TASKS.values()))
    way, problem, count = task.entries[1]
    wrong = replace(way, name="wrong", read=lambda answer: list(answer)[1:])
    spoiled = replace(task, entries=[task.entries[0], (wrong, problem, count)])
    with pytest.raises(AssertionError, match="wrong and tannaka do not agree"):
        bench.bench(spoiled, seconds=0.001)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "--diagrams", *arguments])


def test_the_command_prints_tables_and_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    def few() -> Iterator[Task]:
        task = next(iter(TASKS.values()))
        yield replace(
            task,
            entries=[*task.entries, (Implementation("absent", list, installed=False), None, 1)],
        )

    monkeypatch.setattr(bench, "tasks", few)
    result = run("--seconds", "0.001")
    assert result.exit_code == 0, result.output
    assert re.search(
        r"^set partitions of 5 points, one by one +partitions/s +ratio$", result.stdout, re.M
    )
    assert re.search(r"^  absent +not installed$", result.stdout, re.M)
    assert result.stderr == "timing: set partitions of 5 points, one by one\n"
    assert "leave out GROUP K L" in run("S(3)", "1", "1").output
