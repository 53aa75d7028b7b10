"""A generated file that is spoiled in one place fails its own check."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from generated_cases import CYCLE, JAX, NUMPY, PATH, PETERSEN, TORCH, Case

import tannaka as tn

REASONS = (
    # Where the line is like the first, and the change like the second, the third is why it may pass.
    (r"if not weight\.requires_grad", r"not not", "only some embeddings ask for it"),
    (r"weight \+ bias\[:0\]\.sum\(\)", r" - bias", "an empty sum has no sign"),
    (r"\[:0\]\.sum\(\)", r":0|->.*mean|- weight", "the layer is 0, and so are these sums"),
    (r"movedim\(-1, a \+ 1\)", r"movedim\(a \+ 1, -1\)", "neighbouring axes are exchanged"),
    (r"movedim\(-1, a \+ 1\)", r"1 -> [02]$", "the axis is the only one, or goes to its place"),
    (r"movedim\((old|last)", r".", "the axes are in place already"),
    (r"if new == last", r".", "the axes are in place already"),
    (r"minus - plus", r".", "no pair is turned round here, and none has one end"),
    (
        r"n \*\* len|n\*\*p|N\*\*ORDER",
        r"\*\* \w+(\(\w+\))? -> |\(p, i\)|reshape\(",
        "an order of one",
    ),
    (r"sum\(a > b for", r">=", "no two are equal"),
    (r"\[\[\] for _ in range", r"\*", "an order of one"),
    (r"\[:, None, None\]", r"None", "there is one row"),
    (r"signs\.reshape", r".", "the number of terms is one, or follows"),
    (r"signs\.to\(x\.dtype\)\)\.sum", r".", "one term is its own mean"),
    (
        r"\[(\.\.\., )?:, (None|:)",
        r"\(:, \.\.\.",
        "an ellipsis stands for the batch on either side",
    ),
    (r"\[\.\.\., (:, )?None", r"\.\.\.", "an ellipsis stands for the batch on either side"),
    (r"ratio ?\*\* ?power", r"ratio \* power", "a first power"),
    (r"einsum\(\"", r"->", "indices that a delta joins are one"),
    (r"least, before = tuples", r".", "it only has to differ"),
    (r"features \* c_in|blocks\.(permute|transpose)", r".", "there is one feature, or one result"),
    (r"results, features, c_out, c_in", r".", "there are as many results as features"),
    (r"\.split\(|\.chunk\(", r".", "the channels are the only axis, or the last"),
    (r"every = ", r".", "there is one feature"),
    (r"for a, b in EDGES|matrix\[[ab], [ab]\]", r".", "an edge joins both ways"),
    (r"^EDGES|^\(\(|^GENERATORS", r".", "the orbits are the same"),
    (r"bias\[OUTPUTS", r".", "the last axis takes what is left"),
    (r"/ (np\.array|torch\.tensor)\(TERMS", r".", "no mean has more than one term"),
    (r"\.reshape\(\*batch", r".", "sizes that are equal were exchanged"),
    (r"matrix\.reshape", r".", "sizes that are equal were exchanged"),
    (r"symbol\[images\]|levi_civita|range\(n\)", r".", "a symbol with one or two indices"),
)
"""Why mutants that the checks do not catch are the same layer in other words."""

SAMPLE = [(TORCH[1], 12), (TORCH[16], 6), (NUMPY[2], 4)]
SWEEP = [
    *(TORCH[i] for i in (0, 1, 2, 5, 8, 13, 14, 16, 17, 20, 22, 24, 25, 29, 30, 32)),
    Case(PETERSEN, 1, 1, options={"basis": "orbit"}),
    Case(PATH, 1, 1, options={"basis": "diagram"}),
    Case(tn.S(3), 2, 1, options={"lowering": "dense"}),
    Case(CYCLE, 1, 1),
    *NUMPY[:9],
    Case(PATH, 1, 2, "numpy", {"basis": "diagram"}),
    JAX[1],
    JAX[4],
]


def survivors(case: Case, folder: Path, step: int = 1) -> tuple[int, list[tuple[str, str]]]:
    """How many mutants of a file there are, and those that its check passes: line and change."""
    path = case.code().save(folder / "layer.py")
    script = Path(__file__).with_name("mutants.py")
    done = subprocess.run(
        [sys.executable, "-I", script, path, "0", str(step)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return len(rows), [(line, change) for caught, line, change in rows if not caught]


def unexplained(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The survivors that no reason is known for."""
    return [
        (line, change)
        for line, change in found
        if not any(re.search(at, line) and re.search(what, change) for at, what, _ in REASONS)
    ]


@pytest.mark.parametrize(("case", "step"), SAMPLE, ids=lambda one: getattr(one, "name", ""))
def test_spoiled_files_fail_their_check(case: Case, step: int, tmp_path: Path) -> None:
    count, found = survivors(case, tmp_path, step)
    assert count > 10
    assert not unexplained(found)
    assert len(found) <= 0.1 * count


@pytest.mark.deep
def test_of_all_files_spoiled_in_one_place_nearly_all_fail(tmp_path: Path) -> None:
    total, passed = 0, 0
    for case in SWEEP:
        count, found = survivors(case, tmp_path)
        assert not unexplained(found), case.name
        total, passed = total + count, passed + len(found)
        print(f"{case.name}: {len(found)} of {count} mutants pass")
    print(f"{total - passed} of {total} mutants fail, {1 - passed / total:.1%}")
    assert passed <= 0.05 * total
