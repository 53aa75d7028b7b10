"""The benchmarks of diagrams and Hom spaces compare right answers, and say what is missing."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from tannaka.category import bench as hom_bench
from tannaka.category import rivals
from tannaka.category.alternating import A
from tannaka.category.hom import Hom
from tannaka.category.orthogonal import SO, O
from tannaka.category.symmetric import S
from tannaka.category.symplectic import Sp
from tannaka.cli import main
from tannaka.diagrams import bench
from tannaka.diagrams.bench import Rate, Task
from tannaka.diagrams.rivals import Implementation

TASKS = {task.title: task for task in bench.tasks(points=5, bulk=6, matched=6, order=3, pairs=1500)}

SPACES = {
    task.title: task
    for task in hom_bench.tasks(
        sizes=(3, 7),
        spanned=(O(2), 3, 3),
        groups=[S(3), A(3), O(2), SO(2), Sp(2)],
        order=3,
        related=[(O(1), 2, 2), (S(2), 1, 2), (O(2), 1, 1)],
        paired=(2, 3),
        side=2,
    )
}


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


@pytest.mark.parametrize("title", SPACES)
def test_ways_to_a_hom_space_agree_and_are_timed(title: str) -> None:
    task = SPACES[title]
    rates = bench.bench(task, seconds=0.001)
    assert [rate.name for rate in rates] == [way.name for way, _, _ in task.entries]
    assert rates[0].name.startswith("tannaka")
    assert rates[0].ratio == 1
    assert sum(rate.per_second is not None for rate in rates) >= 2, "there is always a rival"
    first, *lines = hom_bench.report(task, rates)
    assert first.startswith(f"{title} ")
    for line, rate in zip(lines, rates, strict=True):
        numbers = r"not installed|[\d,]+\.\d (s|ms|µs) +[\d,.]+"
        assert re.fullmatch(rf"  {re.escape(rate.name)} +({numbers})", line)


def test_what_the_sample_compares_tells_spaces_apart() -> None:
    """The answers are those of the space, and another space has others."""
    for way in rivals.permutation_bases():
        if way.installed:
            wanted = [m.ravel().tolist() for m in orbits_of_pairs(3)]
            assert way.answer((S(3), 1, 1)) == wanted, way.name
            assert way.answer((S(3), 0, 2)) == wanted, way.name
            assert way.answer((S(3), 0, 1)) == [[1, 1, 1]], way.name
    for way in rivals.bases():
        assert way.answer((O(2), 2, 2)) == (3, 3)
        assert way.answer((O(1), 2, 2)) == (1, 1)
    for way in rivals.dimensions():
        assert way.answer((O(3), 4, 4)) == 91
    for way in rivals.gram_matrices():
        assert way.answer((S(3), 1, 1)) == [[3, 3], [3, 9]]
    for way in rivals.relations():
        found = way.answer((O(1), 2, 2))
        nested = Hom(O(1), 2, 2).basis()[0]
        assert list(found.values()) == [{nested: 1}] * 2


def orbits_of_pairs(n: int) -> list[NDArray[np.int64]]:
    same = np.eye(n, dtype=np.int64)
    return [same, 1 - same]


STUB = """\
import numpy
class S:
    def __init__(self, n): self.n = n
class Power:
    def __init__(self, order): self.order = order
    def __rshift__(self, other): return Power(self.order + other.order)
    def __pow__(self, order): return Power(order)
    def __call__(self, group): self.n = group.n; return self
    def equivariant_basis(self):
        assert self.order == 2
        same = numpy.eye(self.n, dtype="float32")
        return numpy.stack([same.ravel() / 2, 1 - 3 * same.ravel()], axis=1)
V = Power(1)
class Rep:
    solcache = {}
"""


def test_emlp_answers_from_another_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the package, which answers 1 -> 1 alone."""
    for name in ("__init__", "groups", "reps/__init__", "reps/representation"):
        file = tmp_path / "emlp" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    rivals._worker.cache_clear()
    way = rivals.permutation_bases(sys.executable)[-1]
    assert (way.name, way.installed) == ("EMLP", True)
    try:
        for n in (2, 3):
            assert way.answer((S(n), 1, 1)) == [m.ravel().tolist() for m in orbits_of_pairs(n)]
        with pytest.raises(ModuleNotFoundError, match="EMLP gives no answer"):
            way.answer((S(2), 2, 1))
    finally:
        worker = rivals._worker(sys.executable)
        worker.communicate()
        rivals._worker.cache_clear()
    assert worker.returncode != 0


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
    assert result.stderr == "", "progress is for a terminal"
    assert "leave out GROUP K L" in run("S(3)", "1", "1").output


def test_the_command_times_hom_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def few(emlp: str | None) -> Iterator[Task]:
        given.append(emlp)
        yield SPACES["basis of S(n), 2 -> 2"]

    monkeypatch.setattr(hom_bench, "tasks", few)
    monkeypatch.setenv("TANNAKA_EMLP", "/a/python")
    result = CliRunner().invoke(main, ["bench", "--hom", "--seconds", "0.001"])
    assert result.exit_code == 0, result.output
    assert given == ["/a/python"]
    assert re.search(r"^basis of S\(n\), 2 -> 2 +time +ratio$", result.stdout, re.M)
    assert re.search(r"^  tannaka, n = 7 +[\d.]+ (ms|µs) +[\d.]+$", result.stdout, re.M)
    assert result.stderr == "", "progress is for a terminal"
    refused = CliRunner().invoke(main, ["bench", "--hom", "S(3)", "1", "1"])
    assert "--hom times no layer: leave out GROUP K L" in refused.output
