"""Modules of any file are checked: what is right passes, what is wrong is found, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tannaka as tn
from tannaka.codegen.trust.verify import Check, Finding, layouts, verify_file

HEAD = "import torch\nfrom torch import nn\n\n\n"


def found(tmp_path: Path, text: str, **options: Any) -> list[Finding]:
    file = tmp_path / "net.py"
    file.write_text(HEAD + text)
    given: dict[str, Any] = {"samples": 3, "dtypes": ("float64",), **options}
    return list(verify_file(file, Check(**given)))


def module(forward: str, make: str = "pass", name: str = "Net") -> str:
    return (
        f"class {name}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        {make}\n    def forward(self, x):\n        return {forward}\n\n\n"
    )


POINTS = {"group": tn.S(5) * tn.O(3), "k": (0, 1), "l": (), "layouts": layouts("none")}
# Distances of all pairs of points, added up; and the same with the last coordinate left out.
DISTANCES = "torch.cdist(x, x).sum((-1, -2))"


@pytest.mark.parametrize(
    ("text", "options", "equivariant"),
    [
        (module("x - x.mean(-2, keepdim=True)"), {"group": tn.S(5), "k": 1, "l": 1}, True),
        (module("x.cumsum(-2)"), {"group": tn.S(5), "k": 1, "l": 1}, False),
        (module("torch.relu(x)"), {"group": tn.O(3), "k": 1, "l": 1}, False),
        (module(DISTANCES), POINTS, True),
        (module("torch.cdist(x[..., :2], x[..., :2]).sum((-1, -2))"), POINTS, False),
        # Channels first, as convolutions have them.
        (
            module("x + x.mT + self.a(x)", "self.a = nn.Conv2d(3, 3, 1)"),
            {"group": tn.S(4), "k": 2, "l": 2, "layouts": layouts("first"), "channels": 3},
            True,
        ),
        (
            module("self.a(x)", "self.a = nn.Conv2d(3, 3, 3, padding=1)"),
            {"group": tn.S(4), "k": 2, "l": 2, "layouts": layouts("first"), "channels": 3},
            False,
        ),
        # No axis for inputs at once.
        (module("x.sum(0)"), {"group": tn.S(4), "k": 1, "l": 0, "batch": ()}, True),
    ],
)
def test_modules_of_others_are_told_apart(
    text: str, options: dict[str, Any], equivariant: bool, tmp_path: Path
) -> None:
    (finding,) = found(tmp_path, text, **options)
    assert finding.report is not None
    assert (finding.failure == "") == equivariant
    assert (finding.report.error <= finding.report.tolerance) == equivariant


def test_what_shows_after_training_only_is_found(tmp_path: Path) -> None:
    # As built its scale is 1 everywhere, and it commutes with permutations; trained it does not.
    norm = module("self.a(x.mT).mT", "self.a = nn.LayerNorm(5)")
    options = {"group": tn.S(5), "k": 1, "l": 1}
    assert found(tmp_path, norm, **options)[0].failure == "not equivariant"
    bias = module("x + self.a", "self.a = nn.Parameter(torch.zeros(5, 1))")
    assert found(tmp_path, bias, **options)[0].failure == "not equivariant"
    torch.save({"a": torch.zeros(5, 1)}, tmp_path / "zeros.pt")
    assert found(tmp_path, bias, weights=tmp_path / "zeros.pt", **options)[0].failure == ""
    torch.save({"b": torch.zeros(5, 1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"not fit Net: RuntimeError: .*: Missing key\(s\)"):
        found(tmp_path, bias, weights=tmp_path / "other.pt", **options)


def test_what_could_not_be_told_is_not_passed(tmp_path: Path) -> None:
    options = {"group": tn.S(5), "k": 1, "l": 1}
    zero, noisy = (found(tmp_path, module(f), **options) for f in ("0 * x", "x * torch.rand(())"))
    assert "the output is zero" in zero[0].failure
    assert "two answers" in noisy[0].failure
    dropout = module("self.a(x)", "self.a = nn.Dropout(0.5)")
    assert found(tmp_path, dropout, **options)[0].failure == ""
    assert "two answers" in found(tmp_path, dropout, training=True, **options)[0].failure
    broken = found(tmp_path, module("x / 0"), **options)
    assert "NaN or infinity" in broken[0].failure


def test_the_worst_sample_can_be_drawn_again(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, module("x.cumsum(-2)"), group=tn.S(5), k=1, l=1, seed=7)
    report = finding.report
    assert report is not None
    assert (report.shape, report.seed) == ((2, 5, 2), 7)
    g = report.element
    assert np.array_equal(g @ g.T, np.eye(5))
    got, wanted = report.entries
    assert abs(got - wanted) > 0.01
    again = found(tmp_path, module("x.cumsum(-2)"), group=tn.S(5), k=1, l=1, seed=7)[0].report
    assert again is not None
    assert (again.error, again.sample, again.entry) == (report.error, report.sample, report.entry)


def test_modules_are_chosen_by_name(tmp_path: Path) -> None:
    both = module("x") + module("x.cumsum(-2)", name="Wrong")
    both += "made = Wrong()\n\n\ndef make(right=True):\n    return Net() if right else Wrong()\n"
    options = {"group": tn.S(5), "k": 1, "l": 1}
    with pytest.raises(ValueError, match=r"several torch modules: choose one of Net, Wrong, made"):
        found(tmp_path, both, **options)
    right = ["Net", "make"]
    for name in (*right, "Wrong", "made"):
        assert (found(tmp_path, both, name=name, **options)[0].failure == "") == (name in right)
    made = found(tmp_path, both, name="make", arguments={"right": False}, **options)
    assert made[0].failure == "not equivariant"
    with pytest.raises(ValueError, match="holds no Other; its torch modules: Net, Wrong, made"):
        found(tmp_path, both, name="Other", **options)
    with pytest.raises(ValueError, match="it gives a int, not a torch module"):
        found(tmp_path, "five = lambda: 5\n", name="five", **options)


def test_generated_files_say_what_they_are(tmp_path: Path) -> None:
    file = tmp_path / "layer.py"
    file.write_text(tn.generate(tn.O(3), 1, 2, 1, 1, bias=False).source)
    assert [str(finding.failure) for finding in verify_file(file)] == ["", ""], "an honest zero"
    source = tn.generate(tn.S(5), 1, 1, 1, 1).source
    file.write_text(source.replace("return apply(x, ", "return 0 * apply(x, "))
    assert all("the output is zero" in finding.failure for finding in verify_file(file))
    # What a file imports is not its own; what it defines beside its layer does not stop it.
    file.write_text(
        source + "\n\nfrom tannaka.nn import EquivariantLinear\nfrom dataclasses import dataclass\n"
        "\n\n@dataclass\nclass A:\n    a: int\n"
    )
    assert [finding.failure for finding in verify_file(file)] == ["", ""]
    right = "return apply(x, self.weight, self.bias, N)"
    assert source.count(right) == 1
    file.write_text(source.replace(right, f"{right} + self.bias * torch.arange(5)[:, None]"))
    assert all(finding.failure == "not equivariant" for finding in verify_file(file))


def test_a_module_that_returns_something_else_is_said(tmp_path: Path) -> None:
    options = {"group": tn.S(5), "k": 1, "l": 1}
    with pytest.raises(TypeError, match="must return a tensor, got tuple"):
        found(tmp_path, module("(x, x)"), **options)
    with pytest.raises(ValueError, match=r"a tensor of shape \(2, 5, channels\), got \(2, 2\)"):
        found(tmp_path, module("x.sum(-2)"), **options)


def test_a_module_of_a_family_is_checked_at_two_sizes(tmp_path: Path) -> None:
    (right,) = found(tmp_path, module("x - x.mean(-2, keepdim=True)"), group=tn.S(), k=1, l=1, n=4)
    assert right.report is not None
    assert (right.failure, right.report.group, right.report.sizes) == ("", tn.S(), (4, 3))
    points = module("x.sum(-3, keepdim=True) + x")
    (both,) = found(tmp_path, points, group=tn.S() * tn.O(3), k=(0, 1), l=(0, 1))
    assert both.report is not None
    assert (both.failure, both.report.group) == ("", tn.S() * tn.O(3))


@pytest.mark.parametrize("factor", ["", " * mask[..., None]"])
def test_padding_that_leaks_is_found(tmp_path: Path, factor: str) -> None:
    pooled = module(f"(x.exp(){factor}).sum(-2)").replace("self, x)", "self, x, mask=None)")
    pooled = pooled.replace(
        "        return",
        "        mask = x[..., 0] == x[..., 0] if mask is None else mask\n        return",
    )
    (finding,) = found(tmp_path, pooled, group=tn.S(), k=1, l=0)
    assert finding.report is not None
    assert (finding.report.masked, finding.failure == "") == (True, bool(factor))


GRAPH = """
import tannaka as tn


class Both(nn.Module):
    group, in_order, in_channels = "S()", [2, 1], [3, 4]
    out_order, out_channels = 0, 3

    def forward(self, edges, nodes):
        return {answer}
"""


@pytest.mark.parametrize(
    ("answer", "equivariant"),
    [
        ("edges.sum((-3, -2)) * nodes.mean((-2, -1)).unsqueeze(-1)", True),
        ("edges.sum((-3, -2)) * nodes[..., 0, :3]", False),
    ],
)
def test_modules_of_several_inputs_are_told_apart(
    tmp_path: Path, answer: str, equivariant: bool
) -> None:
    (finding,) = found(tmp_path, GRAPH.format(answer=answer))
    assert finding.report is not None
    assert (finding.report.k, finding.failure == "") == ([2, 1], equivariant)
    wrong = "edges @ nodes"
    with pytest.raises(ValueError, match=r"of shape \(2, 5, 5, 3\) and \(2, 5, 4\)"):
        found(tmp_path, GRAPH.format(answer=wrong))
