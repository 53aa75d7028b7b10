"""A generated file that is spoiled in one place fails its own check."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from generated_cases import CYCLE, PATH, PETERSEN, POINTS, Case

import tannaka as tn

REASONS = (
    # Where the line is like the first, and the change like the second, the third is why it may pass.
    (r"^if not weight\.requires_grad", r"not not", "only some embeddings ask for it"),
    (r"^weight = weight \+ bias\[:0\]", r" - bias", "an empty sum has no sign"),
    (r"\.movedim\(-1, a \+ 1\)$", r"movedim\(a \+ 1, -1\)$", "neighbouring axes are exchanged"),
    (r"^x = x\.movedim\(old, last\)$", r"last, old", "the axes are in place already"),
    (r"^return x if new == last else", r".", "the axes are in place already"),
    (r"^return \(plus - minus if a < b", r"<=|minus \+ plus", "no form is turned round here"),
    (r"^(source|target) = sum\(images", r"\(i, p\)|n \* p|\+ n \*\*", "there is one leg"),
    (r"^found: list.* range\(n \*\* len\(new\)\)\]$", r"n \* len", "there is one leg"),
    (r"^x = x\.reshape\(\*x\.shape", r"n \* len\(old\)", "there is one leg"),
    (r"signed\(\w+, \w+, \(\), ", r"^\d -> \d$", "no leg is summed: a power of 0 is 1"),
    (r"sum\(a > b for", r">=", "no two images are equal"),
    (r"^return places, signs\.reshape", r"1, terms\)$|\+1$", "there is one term"),
    (r"^x = \(x \* signs\.to", r"mean$", "one term is its own mean"),
    (r"\[:, None, None\]$", r"\(None, :, None\)$", "there is one row"),
    (r"TERMS", r" \* ", "no mean has more than one term"),
    (r"\[\.\.\., (:, )?None", r"\((:|None), \.\.\.", "an ellipsis may stand for no axes"),
    (r"ratio ?\*\* ?power", r"ratio \* power$", "a first power"),
    (r"einsum\(\"", r"^'[^']*' -> '[^']*'$", "indices that a delta joins, or all are summed of"),
    (r"^least, before = tuples, tuples \+ 1$", r"- 1$|^1 -> 2$", "it only has to differ"),
    (r"^NUMBERS = ", r"N \* ORDER|\.reshape\(", "orders of one"),
    (r"^digits = |^tuples = ", r"\* N \*\* place$|N \* order$", "an order of one"),
    (r"^return blocks\.permute", r"features \+ c_in$", "the product is the sum"),
    (r"^results, features, c_out, c_in = ", r"^\(results", "as many results as features"),
    (r"^matrix = blocks\.\w+\(1, 3, 0, 2\)", r"^1 -> 2$", "the size that is left, by any sign"),
    (r"every @ matrix", r"-1 -> \+1$|^1 -> [02]$", "tensors of order 0, with one batch axis"),
    (r"^every = .* if len\(features\) > 1", r">=|^1 -> [02]$", "one tensor joined is a copy"),
    (r"^if len\(rows\) == 1:$", r"^1 -> 0$", "a slice of all channels is the tensor"),
    (r"^weight = .*zeros_like\(weight\[:1\]\)\]\)$", r"^1 -> 2$", "another row of zeros"),
    (r"^for a, b in EDGES:$", r"\(b, a\)$", "an edge joins both ways"),
    (r"bias\[OUTPUTS.*\.reshape\(", r"^1 -> 2$", "the size that is left, by any sign"),
    (r"(weight|bias)\[\d\]", r"^0 -> 1$|^2 -> 3$", "JAX takes the last row for one beyond"),
)
"""Why mutants that the checks do not catch are the same layer in other words."""

SAMPLE = [
    (Case(tn.S(4), 2, 2), 12),
    (Case(tn.SO(3), 2, 1), 6),
    (Case(tn.Sp(4), 2, 2, "numpy"), 4),
]
SWEEP = [
    Case(tn.S(34), 2, 1),
    Case(tn.S(4), 2, 2),
    Case(tn.S(2), 2, 2, options={"reduce": "sum"}),
    Case(tn.S(5), 0, 2, options={"bias": False}),
    Case(tn.O(3), 2, 2),
    Case(tn.Sp(4), 2, 2),
    Case(tn.Sp(2), 3, 1, options={"reduce": "sum"}),
    Case(tn.SO(3), 2, 1),
    Case(tn.SO(3), 2, 3),
    Case(tn.A(3), 2, 2),
    Case(tn.group("S(3) x O(2)"), (0, 1, 1), (1, 0, 1)),
    Case(tn.group("S(2) x Sp(2)"), (1, 0, 1), (0, 1, 1)),
    Case(tn.group("SO(2) x A(3)"), (0, 1), (1, 0)),
    Case(tn.S(), 2, 2),
    Case(tn.S(), 2, 1, options={"bias": False, "reduce": "sum"}),
    Case(POINTS, (0, 1), (0, 1)),
    Case(PETERSEN, 1, 1, options={"basis": "orbit"}),
    Case(PATH, 1, 1, options={"basis": "diagram"}),
    Case(CYCLE, 1, 1),
    Case(tn.S(3), 2, 1, options={"lowering": "dense"}),
    Case(tn.S(4), 2, 2, "numpy"),
    Case(tn.O(3), 2, 2, "numpy"),
    Case(tn.Sp(4), 2, 2, "numpy"),
    Case(tn.SO(3), 2, 3, "numpy"),
    Case(tn.A(3), 2, 2, "numpy"),
    Case(tn.group("S(3) x O(2)"), (0, 1, 1), (1, 0, 1), "numpy"),
    Case(tn.group("Sp(2) x Sp(4)"), (0, 1, 0, 1), (1, 1), "numpy"),
    Case(tn.S(), 2, 2, "numpy"),
    Case(PATH, 1, 2, "numpy", {"basis": "diagram"}),
    Case(tn.O(3), 1, 1, "jax"),
    Case(tn.A(3), 1, 1, "jax"),
]
"""Files of every kind, small ones: each has up to a thousand mutants."""


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
        and not _isomorphic(change)
    ]


def _isomorphic(change: str) -> bool:
    """Whether a row of a table became the same graph with its vertices called otherwise."""
    rows = [ast.literal_eval(row) for row in change.split(" -> ")] if change[0] == "(" else []
    if [len(row) for row in rows] != [3, 3] or not isinstance(rows[0][0], tuple):
        return False
    names = [{v for edge in edges for v in edge}.union(*ends) for edges, *ends in rows]
    one, other = (
        tn.BilabelledGraph(cast(Any, sorted(found)), edges, outputs, inputs)
        for found, (edges, outputs, inputs) in zip(names, rows, strict=True)
    )
    return one == other


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
