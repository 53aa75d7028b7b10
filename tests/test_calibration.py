"""What layers lose that choose how they are computed: figures, fitted constants, the command."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.cli import main
from tannaka.codegen.lowering.choose import LOWERINGS, SECONDS, Constants, Lowering, Terms, schedule
from tannaka.codegen.lowering.lower import task
from tannaka.codegen.modules.linear import EquivariantLinear
from tannaka.codegen.timing import bench, bench_lowerings, calibration, calibration_report
from tannaka.codegen.timing.calibration import Timing
from tannaka.codegen.timing.standings import Case

SPACES: list[tuple[Group, int, int]] = [
    (tn.S(3), 1, 1),
    (tn.S(4), 2, 1),
    (tn.S(4), 2, 2),
    (tn.O(3), 2, 2),
    (tn.O(3), 3, 1),
    (tn.SO(3), 2, 1),
]
CASES = [
    Case(group, k, l, channels, batch)
    for group, k, l in SPACES
    for channels in (2, 32)
    for batch in (1, 256)
]


@cache
def terms(case: Case) -> tuple[Lowering, Mapping[Lowering, Terms]]:
    """What a layer takes unless told, and the terms of the model."""
    ones = dict.fromkeys(calibration.considered(case), 1.0)
    found = Timing.of(case, ones, ones)
    return found.auto, found.terms


def modelled(case: Case, model: Mapping[Lowering, Constants]) -> Timing:
    """The timing of a layer on a machine on which a model is right."""
    auto, known = terms(case)
    times = {
        name: sum(a * b for a, b in zip(model[name], row, strict=True))
        for name, row in known.items()
    }
    return Timing(case, auto, known, times, times)


def timing(
    case: Case, auto: Lowering, both: Mapping[Lowering, float], forward: Mapping[Lowering, float]
) -> Timing:
    return Timing(case, auto, dict.fromkeys(both, (1.0,) * 5), forward, both)


def constant(exponent: int) -> st.SearchStrategy[float]:
    """Numbers of two digits."""
    return st.integers(10, 99).map(lambda digits: float(f"{digits}e{exponent}"))


CONSTANTS = st.tuples(constant(-6), constant(-7), constant(-12), constant(-13), constant(-11))


@given(CONSTANTS, CONSTANTS, CONSTANTS)
def test_constants_are_recovered_from_the_times_they_make(
    factored: Constants, dense: Constants, isotypic: Constants
) -> None:
    model: dict[Lowering, Constants] = {
        "factored": factored,
        "dense": dense,
        "isotypic": isotypic,
    }
    timings = [modelled(case, model) for case in CASES]
    found = calibration.fitted(timings)
    for name in ("factored", "isotypic"):
        assert found[name] == pytest.approx(model[name], rel=1e-6), name
    # All dense layers take as many kernels: what these take together is what is known.
    (kernels,) = {one.terms["dense"][1] for one in timings}
    assert found["dense"][2:] == pytest.approx(dense[2:], rel=1e-6)
    fixed = found["dense"][0] + kernels * found["dense"][1]
    assert fixed == pytest.approx(dense[0] + kernels * dense[1], rel=0.06)  # two digits


def test_nothing_is_lost_where_the_model_is_right() -> None:
    timings = [modelled(case, SECONDS) for case in CASES]
    found = next(calibration.standings(timings))
    assert (found.within_10, found.mean, found.worst) == (1, 1, 1)
    assert all(one.auto == one.fastest for one in timings)
    assert all(one.auto == calibration.by_model(SECONDS)(one) for one in timings)
    assert calibration.worst(timings) == []
    # On a machine that has no matrix products other lowerings are fastest.
    a, b, c, d, e = SECONDS["dense"]
    other = SECONDS | {"dense": (10 * a, 10 * b, c, 10 * d, e)}
    elsewhere = [modelled(case, other) for case in CASES]
    assert next(calibration.standings(elsewhere)).worst > 1
    assert calibration.fit(elsewhere).within.mean == pytest.approx(1, abs=0.01)


def test_auto_takes_what_it_takes_at_this_number_of_inputs() -> None:
    for case in CASES:
        layer = task(tn.Hom(case.group, case.k, case.l), case.channels, case.channels)
        assert terms(case)[0] == schedule(layer)(case.batch)


HANDMADE = [
    timing(Case(tn.S(3), 1, 1), "dense", {"factored": 3, "dense": 2}, {"factored": 1, "dense": 1}),
    timing(
        Case(tn.S(4), 1, 1), "factored", {"factored": 2.4, "dense": 2}, {"factored": 1, "dense": 2}
    ),
    timing(
        Case(tn.O(3), 1, 1),
        "isotypic",
        {"factored": 2, "dense": 1, "isotypic": 4},
        {"factored": 1, "dense": 3, "isotypic": 3},
    ),
    timing(
        Case(tn.O(3), 2, 2), "factored", {"factored": 1.1, "dense": 1}, {"factored": 1, "dense": 1}
    ),
]


def test_shares_means_and_the_worst_by_hand() -> None:
    auto, factored, dense, isotypic = calibration.standings(HANDMADE)
    # Losses 1, 1.2, 4, 1.1, and 1, 1, 3, 1 forward.
    assert (auto.layers, auto.within_10, auto.within_30) == (4, 0.5, 0.75)
    assert (auto.mean, auto.worst) == pytest.approx((7.3 / 4, 4))
    assert (auto.forward_within_10, auto.forward_mean) == (0.75, 1.5)
    assert factored.mean == pytest.approx((1.5 + 1.2 + 2 + 1.1) / 4)
    assert (dense.within_10, dense.worst) == (1, 1)
    assert (isotypic.layers, isotypic.mean) == (1, 4)
    families = {one.name: (one.layers, one.worst) for one in calibration.by_family(HANDMADE)}
    assert families == {"S": (2, pytest.approx(1.2)), "O": (2, 4)}
    assert [one.case.k for one in calibration.worst(HANDMADE, 3)] == [1, 1, 2]
    nothing = calibration.standing("none", HANDMADE[:1], calibration.always("isotypic"))
    assert nothing.layers == 0
    assert math.isnan(nothing.mean)


def test_the_report_says_so() -> None:
    text = "\n".join(calibration_report.report(HANDMADE))
    assert re.search(r"^  auto +4 +50\.0% +75\.0% +1\.825 +4\.0 +75\.0% +1\.500$", text, re.M)
    assert re.search(r"^  O\(3\), 1 -> 1, .* isotypic +4\.0 +2\.0 s +1\.0 s +4\.0 s$", text, re.M)
    assert "no constants were fitted: factored: 4 timings are too few for 5 constants" in text


def test_constants_can_be_pasted() -> None:
    text = calibration_report.literal(SECONDS)
    scope: dict[str, object] = {"Lowering": Lowering, "Constants": Constants}
    exec(text, scope)
    assert scope["SECONDS"] == SECONDS


def test_halves_part_spaces() -> None:
    first, second = calibration.halves([modelled(case, SECONDS) for case in CASES])
    assert len(first) == len(second) == len(CASES) / 2
    spaces = [
        {(one.case.group, one.case.k, one.case.l) for one in half} for half in (first, second)
    ]
    assert not spaces[0] & spaces[1]


def test_the_grid_holds_layers_that_have_a_choice() -> None:
    cases = calibration.grid()
    assert len(set(cases)) == len(cases) > 300
    assert {case.group for case in cases} == {group for group, _ in calibration.SPACES}
    for case in cases:
        assert case.group.n ** max(case.k, case.l) * case.channels * case.batch <= 3 * 10**7
    quick = calibration.grid(quick=True)
    assert set(quick) < set(cases)
    # However small, it has all sizes together.
    sizes = {(case.channels, case.batch) for case in cases}
    assert {(case.channels, case.batch) for case in quick} == sizes
    assert {type(case.group) for case in quick} >= {tn.S, tn.O, tn.SO}
    assert len(calibration.considered(Case(tn.O(3), 3, 4))) == 1


def test_all_lowerings_of_a_layer_are_timed() -> None:
    found = bench_lowerings.measured(Case(tn.O(3), 2, 2, 2, 2), seconds=0.001)
    assert found.both.keys() == found.forward.keys() == set(LOWERINGS)
    assert all(0 < time < math.inf for time in (*found.both.values(), *found.forward.values()))
    with pytest.raises(ValueError, match="times of factored for the lowerings"):
        Timing.of(found.case, {"factored": 1}, {"factored": 1})


def test_lowerings_that_disagree_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(way: bench.Way, layer: EquivariantLinear) -> EquivariantLinear:
        found = bench.made(way, layer)
        if way.name == "dense":
            with torch.no_grad():
                found.weight[0] *= 2
        return found

    monkeypatch.setattr(bench_lowerings, "made", wrong)
    monkeypatch.setattr(calibration, "grid", lambda quick: [Case(tn.S(3), 1, 1, 2, 2)])
    refused = run("--quick", "--seconds", "0.001")
    assert refused.exit_code == 1
    assert "dense and tannaka do not agree" in refused.output.splitlines()[-1]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "--default-allocator", "--lowerings", *arguments])


def test_the_command_writes_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def tiny(*, quick: bool) -> list[Case]:
        asked.append(quick)
        return CASES

    monkeypatch.setattr(calibration, "grid", tiny)
    data, page = tmp_path / "lowerings.json", tmp_path / "lowerings.md"
    files = ("--json", str(data), "--markdown", str(page))
    done = run("--quick", "--seconds", "0.0001", *files)
    assert done.exit_code == 0, done.output
    assert asked == [True]
    assert done.stderr == f"wrote {data}\nwrote {page}\n"
    assert "SECONDS: dict[Lowering, Constants] = {" in done.stdout
    read = json.loads(data.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert read["machine"] == done.stdout.splitlines()[:4]
    assert [one["batch"] for one in read["timings"]] == [case.batch for case in CASES]
    assert all(one["auto"] in one["both"] for one in read["timings"])
    # The page can be checked against the figures.
    best = [one["both"][one["auto"]] / min(one["both"].values()) for one in read["timings"]]
    share = sum(loss <= 1.1 for loss in best) / len(best)
    assert f"| auto | {len(CASES)} | {share:.1%} |" in page.read_text()
    assert "```python\nSECONDS" in page.read_text()
    for table in re.findall(r"(?:^\|.*\|$\n)+", page.read_text(), re.M):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    again = run(*files)
    assert again.exit_code == 2
    assert again.output == f"Error: {data} exists; --force overwrites it\n"
    assert run("--seconds", "0.0001", "--force", *files).exit_code == 0


def test_without_scipy_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    refused = run("--quick")
    assert refused.exit_code == 3
    wanted = "tannaka bench --lowerings needs SciPy: pip install 'tannaka[sparse]'"
    assert refused.output == f"Error: {wanted}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("S(3)", "1", "1"), "--lowerings times a grid of layers"),
        (("--full",), "--lowerings times a grid of layers"),
        (("--hom",), "choose one of --lowerings and --hom"),
        (("--seconds", "0"), "--seconds must be a positive number"),
    ],
)
def test_what_the_command_refuses_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert words in refused.output
    assert refused.output.count("\n") == 1
