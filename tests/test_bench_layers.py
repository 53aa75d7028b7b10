"""The benchmark of layers: rivals compute what the layer does, floors and verdicts are right."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from oracles import all_set_partitions, dense_layer

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.cli import main
from tannaka.codegen.lowering.isotypic import isotypic
from tannaka.codegen.timing import aims, bench, reports, rivals, standings
from tannaka.codegen.timing.bench import Way
from tannaka.codegen.timing.floor import (
    diagram_products,
    irreducibles,
    isotypic_products,
    least_work,
)
from tannaka.codegen.timing.rivals import ENTRANTS, Entrant, LeftOutError, Rival, StackedOperations
from tannaka.codegen.timing.standings import Case, Floor, Row, growths
from tannaka.diagrams.errors import BackendError
from tannaka.nn import EquivariantLinear

LAYERS: list[tuple[Group, int, int]] = [
    *((tn.S(n), 2, 2) for n in range(1, 5)),
    *((tn.S(n), 1, 1) for n in (1, 2, 5)),
    *((tn.S(3), k, l) for k, l in ((0, 0), (0, 2), (2, 0), (2, 1), (1, 2))),
    (tn.S(2), 3, 3),
    (tn.S(3), 1, 3),
    *((tn.O(n), 2, 2) for n in (1, 2, 3)),
    (tn.O(3), 3, 1),
    (tn.O(3), 1, 1),
    (tn.O(2), 3, 3),
    (tn.O(3), 3, 3),
    (tn.O(3), 0, 2),
]


def made(entrant: Entrant, layer: EquivariantLinear) -> Rival:
    try:
        return entrant.make(layer)
    except LeftOutError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("entrant", ENTRANTS, ids=lambda entrant: str(entrant.name))
def test_rivals_compute_what_the_layer_does(entrant: Entrant) -> None:
    """By its definition, as a dense matrix; and the gradient is that of this linear map."""
    suited = 0
    for group, k, l in LAYERS:
        layer = EquivariantLinear(group, k, l, 2, 3, bias=False, dtype=torch.float64)
        if not entrant.suits(layer):
            continue
        suited += 1
        x, other = torch.randn(2, 2, *(group.n,) * k, 2, dtype=torch.float64)
        blocks = [diagram.blocks for diagram in layer.hom.basis()]
        weight = layer.weight.detach().numpy()
        wanted, along = (
            dense_layer(blocks, [], weight, None, z.numpy(), group.n, k, l, mean=True)
            for z in (x, other)
        )
        rival = made(entrant, layer)
        x.requires_grad_()
        y = rival.leave(rival(rival.enter(x)))
        assert y.shape == wanted.shape
        np.testing.assert_allclose(y.detach(), wanted, rtol=1e-9, atol=1e-9)
        g = torch.randn_like(y)
        gradients = torch.autograd.grad(y, [x, *rival.parameters()], g)
        assert torch.sum(gradients[0] * other) == pytest.approx(float(np.sum(along * g.numpy())))
        # The map is linear in the parameters too.
        products = map(torch.mul, gradients[1:], rival.parameters())
        total = sum(float(product.detach().sum()) for product in products)
        assert total == pytest.approx(float(np.sum(wanted * g.numpy())))
    assert suited or entrant.name == standings.TIED


@pytest.mark.parametrize("entrant", ENTRANTS, ids=lambda entrant: str(entrant.name))
def test_rivals_of_rotations_compute_what_the_layer_does(entrant: Entrant) -> None:
    try:
        layer = EquivariantLinear(tn.SO(3), 2, 3, 2, 3, bias=False, dtype=torch.float64)
    except BackendError as reason:
        pytest.skip(str(reason))
    if not entrant.suits(layer):
        return
    x = torch.randn(4, 3, 3, 2, dtype=torch.float64)
    rival = made(entrant, layer)
    wanted = torch.einsum("opiq,bqi->bpo", layer.matrix(), x.flatten(1, 2))
    torch.testing.assert_close(rival.leave(rival(rival.enter(x))).flatten(1, 3), wanted)


def test_the_tied_weight_is_that_of_the_orbits() -> None:
    import networkx

    layer = EquivariantLinear(
        tn.Aut(networkx.path_graph(3)), 1, 2, 2, 3, bias=False, basis="orbit", dtype=torch.float64
    )
    (tied,) = (entrant for entrant in ENTRANTS if entrant.suits(layer))
    x = torch.randn(4, 3, 2, dtype=torch.float64)
    wanted = torch.einsum("opiq,bqi->bpo", layer.matrix(), x).reshape(4, 3, 3, 3)
    torch.testing.assert_close(tied.make(layer)(x), wanted)


def test_what_has_channels_first_has_them_first() -> None:
    layer = EquivariantLinear(tn.S(4), 2, 1, 2, 3, bias=False)
    rival = StackedOperations(layer)
    x = rival.enter(torch.randn(5, 4, 4, 2))
    assert x.shape == (5, 2, 4, 4)
    assert x.is_contiguous()
    assert rival(x).shape == (5, 3, 4)


@given(
    st.sampled_from([tn.S, tn.O, tn.SO]), st.integers(1, 6), st.integers(0, 4), st.integers(0, 4)
)
def test_irreducibles_fill_the_space_and_count_the_maps(
    family: Any, n: int, k: int, l: int
) -> None:
    group = family(n | 1 if family is tn.SO else n)
    found = irreducibles(group, k)
    assert sum(times * size for times, size in found.values()) == group.n**k
    others = irreducibles(group, l)
    common = [(found[shape], others[shape]) for shape in found.keys() & others]
    assert sum(a[0] * b[0] for a, b in common) == tn.Hom(group, k, l).dimension
    assert sum(a[0] * b[0] * a[1] for a, b in common) == isotypic_products(tn.Hom(group, k, l))


def test_the_decomposition_multiplies_as_often_as_counted() -> None:
    for group, k, l in LAYERS:
        hom = tn.Hom(group, k, l)
        assert isotypic(hom).multiplications == isotypic_products(hom), hom


def test_known_counts_of_products() -> None:
    assert isotypic_products(tn.Hom(tn.O(3), 4, 4)) == 369
    assert isotypic_products(tn.Hom(tn.SO(2), 1, 1)) is None
    assert isotypic_products(tn.Hom(tn.Sp(2), 1, 1)) is None
    # Of 2 -> 2, pairs (i, j) and (j, i) together save half.
    large = tn.Hom(tn.S(1000), 2, 2)
    assert isotypic_products(large) == pytest.approx(diagram_products(large) / 2, rel=0.01)


@pytest.mark.parametrize(("n", "k", "l"), [(5, 2, 2), (3, 2, 2), (4, 1, 3), (2, 3, 3), (7, 0, 2)])
def test_products_by_diagrams_have_their_through_indices(n: int, k: int, l: int) -> None:
    total = 0
    for blocks in all_set_partitions(k + l):
        if len(blocks) <= n:
            total += n ** sum(min(block) < l <= max(block) for block in blocks)
    assert diagram_products(tn.Hom(tn.S(n), k, l)) == total


def test_the_least_work_counts_bytes_and_flops() -> None:
    work = least_work(tn.Hom(tn.S(10), 2, 1), 3, 4)
    x, y, weight = 4 * 4 * 100 * 3, 4 * 4 * 10 * 3, 4 * 5 * 9
    assert work.forward_bytes == x + y + weight
    assert work.backward_bytes == 2 * x + y + 2 * weight
    # Three diagrams of 2 -> 1 have a through index, two have none.
    assert work.forward_flops == 2 * 4 * 9 * (3 * 10 + 2)
    assert work.backward_flops == 2 * work.forward_flops
    tensors = least_work(tn.Hom(tn.O(3), 3, 3), 3, 4)
    assert tensors.forward_flops == tensors.fewest == 2 * 4 * 9 * 55
    unknown = least_work(tn.Hom(tn.Sp(2), 1, 1), 3, 4)
    assert unknown.forward_flops is unknown.backward_flops is unknown.fewest is None


@given(
    st.floats(0, 6),
    st.floats(1e-6, 1e3),
    st.lists(st.integers(2, 500), min_size=2, max_size=6, unique=True),
)
def test_growth_is_the_exponent_of_a_power(
    exponent: float, factor: float, sizes: list[int]
) -> None:
    found = standings.growth([(n, factor * n**exponent) for n in sizes])
    assert found == pytest.approx(exponent, abs=1e-6)


FLOOR = Floor(1.0, 3.0, 0.5, "bytes", 1e9, 1e9)


def result(group: Group, k: int, l: int, *rows: Row, **options: Any) -> standings.Result:
    return standings.Result(Case(group, k, l, **options), 15, 1000, FLOOR, rows)


def verdict_of(text: str, *results: standings.Result) -> aims.Verdict:
    found = list(aims.verdicts(results, growths(results)))
    (only,) = (verdict for verdict in found if verdict.text.startswith(text))
    return only


def test_aims_are_reached_when_the_worst_layer_reaches_them() -> None:
    text = "S(n) 2 -> 2, eager, over the floor"
    good = result(tn.S(64), 2, 2, Row(standings.EAGER, 7.5, 20, 1000, 2000, 0.1))
    bad = result(tn.S(32), 2, 2, Row(standings.EAGER, 8.5, 20, 1000, 2000, 0.1))
    small = result(tn.S(16), 2, 2, Row(standings.EAGER, 100, 200, 1000, 2000, 0.1))
    absent = result(tn.S(64), 2, 2, Row(standings.EAGER, left_out="no compiler"))
    assert verdict_of(text, good, small, absent).reached is True
    missed = verdict_of(text, good, bad, small)
    assert missed.reached is False
    assert missed.figures.startswith("worst 8.5 (S(32), 2 -> 2, 32 channels, batch 8), best 7.5")
    assert verdict_of(text, absent).reached is None
    assert str(verdict_of(text)) == f"1. {text}, at most 8: not measured"


def test_aims_against_rivals_need_all_of_them() -> None:
    text = "S(n) 2 -> 2, kernel, times as fast as the best compiled code, at least"
    views = standings.compiled(standings.VIEWS)
    kernel, slow, fast = (
        Row(name, seconds, 3 * seconds, 1, 1, 1)
        for name, seconds in ((standings.KERNEL, 1), (views, 3), (standings.COMPILED, 1.4))
    )
    assert verdict_of(text, result(tn.S(64), 2, 2, kernel, slow, fast)).reached is False
    faster = replace(fast, forward=1.6)
    assert verdict_of(text, result(tn.S(64), 2, 2, kernel, slow, faster)).reached is True
    assert verdict_of(text, result(tn.S(64), 2, 2, kernel, slow)).reached is None


def test_growth_is_judged_by_the_larger_order() -> None:
    def series(exponent: float) -> list[standings.Result]:
        return [
            result(tn.S(n), 2, 1, Row(standings.OURS, n**exponent, 1, 1, 1, 1), series="wide")
            for n in (32, 64, 128)
        ]

    assert verdict_of("time grows", *series(2.1)).reached is True
    assert verdict_of("time grows", *series(2.9)).reached is False
    assert verdict_of("time grows", *series(2.9)[:2]).reached is None
    (found,) = growths(series(2.1))
    assert (found.family, found.series, found.sizes) == ("S 2 -> 1", "wide", (32, 64, 128))
    assert found.exponent == pytest.approx(found.last) == pytest.approx(2.1)


def tiny(group: Group, k: int, l: int, **options: Any) -> standings.Result:
    return bench.bench(Case(group, k, l, 2, 2), seconds=0.001, **options)


def test_every_way_has_a_row_with_its_figures() -> None:
    told: list[str] = []
    found = tiny(tn.S(3), 1, 1, progress=told.append)
    names = [row.name for row in found.rows]
    assert names[0] == standings.OURS
    timed = [row for row in found.rows if row.left_out is None]
    assert {standings.STACKED, standings.VIEWS, standings.IDENTITIES, standings.DENSE,
            standings.ASSEMBLED, standings.DEEP_SETS} <= {row.name for row in timed}  # fmt: skip
    for row in timed:
        assert 0 < row.forward < math.inf
        assert 0 < row.both < math.inf
        assert row.memory >= found.output == 4 * 2 * 3 * 2
        assert row.memory_both >= row.memory
    assert found.floor is not None
    assert 0 < found.floor.forward < found.floor.both
    assert all(any(name in line for line in told) for name in names)
    lines = list(reports.report(found))
    assert len(lines) == len(names) + 3
    assert len({len(line) for line in lines[1:-1] if "left out" not in line}) == 1


def test_memory_is_what_is_allocated_at_once() -> None:
    x = torch.ones(1000)
    assert bench._peak(lambda: x + x) == 4000
    assert bench._peak(lambda: ((x + x) + x) + x) == 8000
    assert bench._peak(lambda: [x + x for _ in range(5)]) == 20_000
    assert bench._peak(lambda: x.add_(x)) == 0


def test_a_wrong_rival_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(rivals.DiagonalViews):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 1.00001

    wrong = Entrant("wrong", Wrong, lambda layer: True)
    monkeypatch.setattr(bench, "ENTRANTS", (wrong,))
    bench.check.cache_clear()
    with pytest.raises(bench.DisagreementError, match=r"Hom\(S\(3\), 1, 2\).*wrong and tannaka"):
        tiny(tn.S(3), 1, 2)
    refused = run("S(3)", "1", "2")
    assert refused.exit_code == 1
    assert "wrong and tannaka do not agree" in refused.output.splitlines()[-1]
    bench.check.cache_clear()


def test_ways_that_do_not_run_are_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = (Way(standings.OURS), Way("tannaka, abacus", {"backend": "abacus"}))
    monkeypatch.setattr(bench, "WAYS", ways)
    found = tiny(tn.S(3), 1, 1, memory=0)
    reasons = {row.name: row.left_out for row in found.rows}
    assert "there is no backend 'abacus'" in str(reasons["tannaka, abacus"])
    assert re.fullmatch(r"its tensors take 0\.0 GiB.*", str(reasons[standings.DENSE]))
    assert reasons[standings.OURS] is reasons[standings.DEEP_SETS] is None
    assert any("left out: there is no backend" in line for line in reports.report(found))

    def refuse(*args: Any, **options: Any) -> None:
        raise BackendError("not on Sundays")

    monkeypatch.setattr(bench, "EquivariantLinear", refuse)
    found = tiny(tn.S(3), 1, 1)
    assert found.floor is None
    assert [row.left_out for row in found.rows] == ["not on Sundays"]
    assert "left out: not on Sundays" in list(reports.report(found))[-1]


def test_without_e3nn_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "e3nn", None)
    monkeypatch.setitem(sys.modules, "e3nn.o3", None)
    layer = EquivariantLinear(tn.O(3), 1, 1, 2, 2, bias=False)
    with pytest.raises(LeftOutError, match="pip install --no-deps e3nn"):
        rivals.E3nn(layer)
    assert torch.get_default_dtype() is torch.float32


def test_the_grids_ask_for_what_fits_and_make_series() -> None:
    quick, standard, full = bench.grid("quick"), bench.grid(), bench.grid("full")
    assert len(quick) < len(standard) < len(full)
    for cases in (quick, standard, full):
        assert max(c.channels * c.batch * c.group.n ** max(c.k, c.l) for c in cases) <= 2**25
        for name, times in Counter((c.family, c.series) for c in cases if c.series).items():
            assert times >= 3, name
        same = {(c.family, c.series): (c.channels, c.batch) for c in cases if c.series}
        assert all(same[c.family, c.series] == (c.channels, c.batch) for c in cases if c.series)
    assert {256} <= {c.group.n for c in full if c.family == "S 2 -> 2" and c.channels == 128}


KEEPING = """\
import torch
from pathlib import Path
from tannaka.codegen.timing.bench import {0}_memory
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
print({0}_memory())
x = torch.ones(2**25)
del x
torch.ones(2**10)
print(resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_kept_when_asked() -> None:
    def run(what: str) -> tuple[str, int]:
        done = subprocess.run(
            [sys.executable, "-c", KEEPING.format(what)], capture_output=True, text=True, check=True
        )
        allocator, resident = done.stdout.splitlines()
        return allocator, int(resident)

    allocator, kept = run("keep")
    if allocator == "the system's allocator":
        pytest.skip("the C library is not glibc")
    assert kept - run("leave")[1] > 2**26


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "--default-allocator", *arguments])


def test_the_command_writes_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [Case(tn.S(n), 1, 1, 2, 2, series="narrow") for n in (2, 3, 4)]
    monkeypatch.setattr(bench, "grid", lambda extent: cases)
    data, page = tmp_path / "layers.json", tmp_path / "layers.md"
    (tmp_path / "notes.md").write_text("by hand")
    files = ("--json", str(data), "--markdown", str(page))
    done = run("--quick", "--seconds", "0.001", *files)
    assert done.exit_code == 0, done.output
    # Progress is for a terminal.
    assert done.stderr == f"wrote {data}\nwrote {page}\n"
    assert re.search(
        r"^S 1 -> 1, narrow, tannaka: n\^-?\d\.\d\d over n = 2 \.\.\. 4", done.stdout, re.M
    )
    assert re.search(r"^4\. S\(n\) 1 -> 1, times as fast as DeepSets", done.stdout, re.M)
    read = json.loads(data.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert [found["group"] for found in read["results"]] == ["S(2)", "S(3)", "S(4)"]
    rows = read["results"][0]["rows"]
    assert {row["name"] for row in rows} >= {"tannaka", "DeepSets by hand"}
    assert all((row["left_out"] is None) == (row["forward"] is not None) for row in rows)
    assert read["machine"] == done.stdout.splitlines()[:4]
    text = page.read_text()
    assert "[notes.md](notes.md)" in text
    tables = re.findall(r"(?:^\|.*\|$\n)+", text, re.M)
    assert len(tables) == 2 + len(cases)
    for table in tables:
        lines = table.splitlines()
        assert len({line.count("|") for line in lines}) == 1
        assert len(lines) > 2
    # Nothing is measured that could not be written.
    again = run("--quick", *files)
    assert again.exit_code == 2
    assert again.output == f"Error: {data} exists; --force overwrites it\n"
    nowhere = run("--quick", "--json", str(tmp_path / "none" / "layers.json"))
    assert (nowhere.exit_code, nowhere.output.count("\n")) == (2, 1)
    printed = run("--quick", "--seconds", "0.001", "--json", "-")
    assert [found["group"] for found in json.loads(printed.stdout)["results"]] == [
        found["group"] for found in read["results"]
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--quick", "--full"), "choose one of --quick, --full and GROUP K L"),
        (("--full", "S(3)", "1", "1"), "choose one of --quick, --full and GROUP K L"),
        (("--hom", "--quick"), "--hom takes none of --quick, --full, --json, --markdown"),
        (("--diagrams", "--json", "x"), "--diagrams takes none of --quick"),
        (("S(3)", "1", "1", "--seconds", "0"), "--seconds must be a positive number, got 0.0"),
        (("S(3)", "1", "1", "--seconds", "nan"), "--seconds must be a positive number"),
        (("S(3)", "1", "1", "--channels", "0"), "channels must be"),
    ],
)
def test_what_the_command_refuses_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    refused = run(*arguments)
    assert refused.exit_code == 2, refused.output
    last = refused.output.splitlines()[-1]
    assert last.startswith("Error: ")
    assert words in last


@pytest.mark.deep
def test_compiled_rivals_agree() -> None:
    with bench.fresh_compiler():
        found = bench.bench(Case(tn.S(3), 1, 1, 2, 2, compiled=True), seconds=0.001)
    compiled = [row for row in found.rows if row.name.endswith(", compiled")]
    assert len(compiled) == 4
    assert [row.left_out for row in compiled] == [None] * 4
