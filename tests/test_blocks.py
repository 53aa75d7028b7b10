"""Networks that refuse what breaks symmetry: every refusal is right, and so is every permission."""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import tannaka as tn
from tannaka.codegen.description import ACTIVATIONS
from tannaka.codegen.modules.blocks import FUNCTIONS
from tannaka.codegen.modules.bottlenecks import passing
from tannaka.codegen.modules.commuting import (
    ODD,
    Action,
    action,
    contains,
    no_constant,
    without_norm,
)
from tannaka.codegen.modules.rules import RULES, features_after
from tannaka.errors import BottleneckWarning, EquivarianceError, NotEquivariantError
from tannaka.nn import (
    Add,
    Concatenate,
    Declared,
    EquivariantBilinear,
    EquivariantDropout,
    EquivariantGraph,
    EquivariantLinear,
    EquivariantNorm,
    EquivariantSequential,
    Features,
    Gate,
    NormActivation,
    Pointwise,
    Pool,
    Residual,
)
from tannaka.testing import assert_equivariant, certify, equivariance_error

CYCLE = tn.PermutationGroup([(1, 2, 3, 0)])
SPACES: list[tuple[Any, Any]] = [
    *(("S(4)", k) for k in (0, 1, 2)),
    ("A(4)", 2),
    (CYCLE, 2),
    *(("H(3)", k) for k in (0, 1, 2)),
    *(("O(3)", k) for k in (0, 1, 2)),
    ("O(1)", 1),
    ("O(1)", 2),
    ("SO(1)", 1),
    ("SO(2)", 1),
    *(("Sp(2)", k) for k in (0, 1, 2)),
    ("S(3) x O(2)", ()),
    ("S(3) x O(2)", (0,)),
    ("S(3) x O(2)", (0, 1)),
    ("S(3) x H(2)", (1, 0)),
]
"""Groups with orders, or words of types: of every kind of action on entries."""
POINTS = tn.S(5)


def spoiled(module: nn.Module) -> nn.Module:
    """The module in float64 with parameters that are not those it starts with."""
    torch.manual_seed(1)
    module = copy.deepcopy(module).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def error(f: Callable[..., Tensor], group: Any, k: Any, l: Any, channels: Any = 2) -> float:
    return equivariance_error(f, tn.group(group), k, l, in_channels=channels, allow_zero=True)


def axes_of(order: Any) -> int:
    return order if isinstance(order, int) else len(order)


def modules_for(features: Features) -> list[nn.Module]:
    """Modules of torch for features of 2 channels, of every kind that acts along the last axes."""
    shape = features.group.shape(features.order)
    return [
        nn.ReLU(),
        nn.GELU(),
        nn.Softplus(),
        nn.Tanh(),
        nn.Softshrink(),
        nn.Hardtanh(-1, 1),
        nn.Hardtanh(-1, 2),
        nn.PReLU(),
        nn.Identity(),
        nn.Linear(2, 3),
        nn.Linear(2, 3, bias=False),
        nn.Softmax(dim=-1),
        nn.LayerNorm(2),
        nn.LayerNorm(2, elementwise_affine=False),
        nn.LayerNorm(2, bias=False),
        nn.RMSNorm(2),
        nn.RMSNorm(2, elementwise_affine=False),
        *(
            module
            for axes in range(1, len(shape) + 1)
            for module in (
                nn.Softmax(dim=-1 - axes),
                nn.LayerNorm((*shape[-axes:], 2)),
                nn.LayerNorm((*shape[-axes:], 2), elementwise_affine=False),
                nn.RMSNorm((*shape[-axes:], 2)),
                nn.RMSNorm((*shape[-axes:], 2), elementwise_affine=False),
            )
        ),
        nn.Sequential(nn.Linear(2, 4, bias=False), nn.Tanh()),
    ]


@pytest.mark.parametrize(("group", "order"), SPACES, ids=str)
def test_modules_of_torch_are_taken_exactly_where_they_commute(group: Any, order: Any) -> None:
    """The rules against sampled group elements; arXiv:2401.09235, the characterization theorem."""
    features = Features(tn.group(group), order, 2)
    for module in modules_for(features):
        found = error(spoiled(module), features.group, order, order)
        assert not 1e-10 < found < 1e-3
        if found < 1e-10 and 1 not in features.group.shape(order):
            assert features_after(module, features).order == order
        elif found > 1e-3:
            with pytest.raises(NotEquivariantError) as refused:
                features_after(module, features)
            assert f"{features.group} order {order}" in str(refused.value)


@given(st.sampled_from(SPACES), st.sampled_from(sorted(FUNCTIONS)))
def test_functions_of_each_entry_are_taken_exactly_where_they_commute(
    space: tuple[Any, Any], name: str
) -> None:
    """Permuted entries: any function. Signs too: odd ones. Sums of entries: none (2401.09235)."""
    group, order = space
    found = error(FUNCTIONS[name], group, order, order)
    wanted = Action.SIGNED if name in ODD else Action.MOVED
    if action(tn.group(group), order) <= wanted:
        block = Pointwise(tn.group(group), order, 2, name)
        assert found < 1e-10
        x = torch.randn(3, *block.group.shape(order), 2)
        torch.testing.assert_close(block(x), FUNCTIONS[name](x))
    else:
        assert found > 1e-3
        with pytest.raises(NotEquivariantError, match="of each entry"):
            Pointwise(tn.group(group), order, 2, name)


def test_descriptions_and_blocks_know_the_same_functions() -> None:
    assert set(ACTIVATIONS) == set(FUNCTIONS) >= ODD


@pytest.mark.parametrize(("group", "order"), SPACES, ids=str)
def test_what_groups_keep_is_what_they_keep(group: Any, order: Any) -> None:
    """Constants, and lengths, against the group's own matrices."""
    g = tn.group(group)
    shape, rng = g.shape(order), np.random.default_rng(0)
    ones, x = np.ones((*shape, 1)), rng.standard_normal((*shape, 1))
    elements = [g.sample(rng) for _ in range(20)]
    kept = all(np.allclose(g.act(e, ones, order), ones) for e in elements)
    assert kept == (no_constant(g, order) is None)
    length = all(np.isclose((g.act(e, x, order) ** 2).sum(), (x**2).sum()) for e in elements)
    assert length == (without_norm(g, order) is None)


def test_groups_lie_in_one_another_as_their_elements_do() -> None:
    groups: list[Any] = [kind(n) for kind in (tn.S, tn.A, tn.H, tn.O, tn.SO) for n in (1, 2, 3)]
    groups += [tn.Sp(2), tn.PermutationGroup([(1, 2, 0)]), tn.PermutationGroup([(1, 0)])]
    for larger, smaller in itertools.product(groups, repeat=2):
        if not contains(larger, smaller):
            continue
        # What commutes with the larger commutes with the smaller.
        f = EquivariantLinear(larger, 2, 2, 1, 1, bias=False, dtype=torch.float64)
        assert error(f, smaller, 2, 2, 1) < 1e-10
    assert contains(tn.O(3) * tn.S(4), tn.SO(3) * tn.A(4))
    assert contains(tn.S(), tn.S(4))
    assert not contains(tn.SO(3), tn.S(3))  # a transposition is no rotation


GATED: list[tuple[Any, Any]] = [*SPACES, ("Sp(4)", 1)]


@pytest.mark.parametrize(("group", "order"), GATED, ids=str)
def test_blocks_commute_or_are_refused(group: Any, order: Any) -> None:
    group = tn.group(group)
    gate = spoiled(Gate(group, order, 2, "silu"))
    assert error(gate, group, [order, 0 if isinstance(order, int) else ()], order, 2) < 1e-10
    assert error(EquivariantDropout(group, order, 2).eval(), group, order, order) < 1e-10
    normed: list[Callable[[], Any]] = [
        lambda: NormActivation(group, order, 2, "silu"),
        lambda: EquivariantNorm(group, order, 2),
        lambda: Pool(group, order, 2, "norm"),
    ]
    centred = [lambda: EquivariantNorm(group, order, 2, center=True)] if order else []
    constant: list[Callable[[], Any]] = [
        *centred,
        lambda: EquivariantNorm(group, order, 2, bias=True),
        *(lambda how=how: Pool(group, order, 2, how) for how in ("mean", "sum", "max")),
    ]
    long, flat = without_norm(group, order) is None, no_constant(group, order) is None
    for made, allowed in [(normed, long), (constant, long and flat)]:
        for make in made:
            if not allowed:
                with pytest.raises(NotEquivariantError, match=r"take|leave"):
                    make()
                continue
            block = make()
            assert error(spoiled(block), group, order, block.out_order) < 1e-10


SEVERAL: list[tuple[Any, Any]] = [
    ("S(4)", 2),
    ("H(3)", 2),
    ("O(2)", 2),
    ("Sp(2)", 1),
    ("S(3)xO(2)", (0, 1)),
    ("S(3)xO(2)", (1, 0)),
    ("H(3)xS(2)", (0, 1, 1)),
    ("S(3)xSp(2)", (0, 1)),
]


@pytest.mark.parametrize(("group", "order"), SEVERAL, ids=str)
def test_norms_of_each_index_are_taken_exactly_where_they_commute(group: Any, order: Any) -> None:
    """The blocks against what they say they are, written out, under sampled group elements."""
    group = tn.group(group)
    axes = order if isinstance(order, int) else len(order)
    for first in range(axes + 1):
        each = first if isinstance(order, int) else order[:first]
        rest = tuple(range(first - axes - 1, -1))

        def mean(x: torch.Tensor, *more: int, rest: Any = rest) -> torch.Tensor:
            return x.mean((*rest, *more), keepdim=True) if (*rest, *more) else x

        def gated(x: torch.Tensor, mean: Any = mean) -> torch.Tensor:
            y: torch.Tensor = x * torch.nn.functional.silu((mean(x * x) + 1e-12).sqrt())
            return y

        def normed(x: torch.Tensor, mean: Any = mean) -> torch.Tensor:
            y: torch.Tensor = x / (mean(x * x, -1) + 1e-5).sqrt()
            return y

        def centred(x: torch.Tensor, mean: Any = mean, normed: Any = normed) -> torch.Tensor:
            y: torch.Tensor = normed(x - mean(x))
            return y

        pooled: dict[Any, Any] = {
            "mean": lambda x, mean=mean, rest=rest: mean(x).sum(rest) if rest else x,
            "max": lambda x, rest=rest: x.amax(rest) if rest else x,
            "norm": lambda x, mean=mean, rest=rest: (
                (mean(x * x).sum(rest) + 1e-24).sqrt() if rest else x.abs()
            ),
        }
        cases: list[tuple[Any, Any, Any]] = [
            (gated, lambda e=each: NormActivation(group, order, 2, "silu", each=e), order),
            (normed, lambda e=each: EquivariantNorm(group, order, 2, each=e), order),
        ]
        if rest:
            cases += [
                (
                    centred,
                    lambda e=each: EquivariantNorm(group, order, 2, each=e, center=True),
                    order,
                )
            ]
            # Of no axes these are x, or its size, whose rules are those of functions of each entry.
            cases += [
                (written, lambda e=each, how=how: Pool(group, order, 2, how, each=e), each)
                for how, written in pooled.items()
            ]
        for written, make, after in cases:
            found = error(written, group, order, after)
            assert not 1e-10 < found < 1e-3
            if found > 1e-3:
                with pytest.raises(NotEquivariantError):
                    make()
                continue
            block = make().double()
            assert block.output == Features(group, after, 2)
            x = torch.randn(3, *group.shape(order), 2, dtype=torch.float64)
            torch.testing.assert_close(block(x), written(x))


def test_pooling_and_norms_are_what_they_say() -> None:
    x = torch.randn(4, 5, 5, 3, dtype=torch.float64)
    for how, wanted in [
        ("mean", x.mean((1, 2))),
        ("sum", x.sum((1, 2))),
        ("max", x.amax((1, 2))),
        ("norm", x.square().mean((1, 2)).sqrt()),
    ]:
        torch.testing.assert_close(Pool(tn.S(5), 2, 3, how)(x), wanted)  # type: ignore[arg-type]
    y = EquivariantNorm(tn.S(5), 2, 3, center=True, eps=0, dtype=torch.float64)(7 * x + 3)
    torch.testing.assert_close(y.square().mean((1, 2, 3)), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(y.mean((1, 2)), torch.zeros(4, 3, dtype=torch.float64))
    scaled = NormActivation(tn.O(3), 1, 3, torch.square, dtype=torch.float64)
    v = torch.randn(4, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(scaled(v), v * v.square().mean(1, keepdim=True))


@pytest.mark.parametrize(
    ("group", "order"), [(tn.S(), 1), (tn.S(), 2), (tn.S() * tn.O(2), (1, 0, 0))], ids=str
)
def test_blocks_under_a_mask_are_those_of_the_real_points(group: Any, order: Any) -> None:
    """Entries are negative, so that a padded 0 would be the largest; those of padding are NaN."""
    blocks: list[nn.Module] = [NormActivation(group, order, 3, "silu")]
    blocks += [EquivariantNorm(group, order, 3)]
    if isinstance(order, int):
        blocks += [EquivariantNorm(group, order, 3, center=True, bias=True)]
        blocks += [Pool(group, order, 3, how) for how in ("mean", "sum", "max")]
    blocks += [Pool(group, order, 3, "norm")]
    for number, points in enumerate([[0, 2, 3], [1], [0, 1, 2, 3, 4]]):
        mask = torch.zeros(5, dtype=torch.bool)
        mask[points] = True
        kinds = [0] * order if isinstance(order, int) else order
        sizes = [2 if kind else 5 for kind in kinds]
        places = [torch.arange(2) if kind else torch.tensor(points) for kind in kinds]
        x = torch.full((*sizes, 3), torch.nan, dtype=torch.float64)
        real = -1 - torch.rand(*map(len, places), 3, dtype=torch.float64)
        at = torch.meshgrid(*places, indexing="ij")
        x[at] = real
        for block in map(spoiled, blocks):
            y, wanted = block(x[None], mask[None])[0], block(real)
            found = y[at] if y.ndim == x.ndim else y
            torch.testing.assert_close(found, wanted, msg=f"{block} on set {number} of points")


@given(st.integers(0, 2), st.floats(0.1, 0.9))
def test_dropout_takes_whole_channels(order: int, p: float) -> None:
    x = torch.ones(50, *[3] * order, 8)
    y = EquivariantDropout(tn.O(3), order, 8, p)(x).reshape(50, -1, 8)
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert len((y[:, 0] != 0).unique(dim=0)) > 1  # each input loses channels of its own
    kept = y[y != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)))


def test_dropout_of_entries_is_refused_and_does_break_symmetry() -> None:
    with pytest.raises(NotEquivariantError, match="EquivariantDropout"):
        features_after(nn.Dropout(), Features(tn.S(4), 1, 2))
    assert features_after(nn.Dropout(), Features(tn.S(4), 0, 2)).order == 0

    def dropped(module: nn.Module, x: Tensor) -> Tensor:
        torch.manual_seed(0)
        y: Tensor = module(x)
        return y

    assert error(lambda x: dropped(nn.Dropout(), x), "S(4)", 1, 1) > 0.1
    assert error(lambda x: dropped(EquivariantDropout(tn.S(4), 1, 2), x), "S(4)", 1, 1) < 1e-12


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.BatchNorm1d(4), "axis 1 for the channels"),
        (nn.BatchNorm2d(4), "EquivariantNorm"),
        (nn.GroupNorm(2, 4), "axis 1 for the channels"),
        (nn.InstanceNorm1d(4, affine=True), "axis 1 for the channels"),
        (nn.Dropout2d(), "EquivariantDropout"),
        (nn.Flatten(), "makes channels of axes"),
        (nn.PReLU(2), "slopes are for axis 1"),
        (nn.Softmax(dim=1), "counts from the batch axes"),
        (nn.Linear(3, 2), "takes 3 channels"),
        (nn.LayerNorm((7, 4, 4, 2)), "axes of the batch"),
        (nn.Conv1d(2, 2, 1), "nothing is known"),
        (nn.MultiheadAttention(2, 1), "tn.nn.Declared"),
        (nn.GRU(2, 2), "nothing is known"),
        (nn.Embedding(2, 2), "nothing is known"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_what_is_refused_says_why_and_what_to_take(module: nn.Module, words: str) -> None:
    with pytest.raises(NotEquivariantError, match=words):
        features_after(module, Features(tn.S(4), 2, 2))


def test_batch_norm_does_treat_positions_apart() -> None:
    norm = spoiled(nn.BatchNorm1d(4))
    assert error(norm.eval(), "S(4)", 1, 1) > 1e-3


def test_subclasses_are_not_taken_for_their_parents() -> None:
    class Positional(nn.ReLU):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.arange(x.shape[-2])[:, None]

    with pytest.raises(NotEquivariantError, match="nothing is known"):
        features_after(Positional(), Features(tn.S(4), 1, 2))
    assert all(issubclass(kind, nn.Module) for kind in RULES)


def network(group: Any = POINTS) -> EquivariantSequential:
    return EquivariantSequential(
        EquivariantLinear(group, 2, 2, 1, 6),
        EquivariantNorm(group, 2, 6, center=True, bias=True),
        nn.ReLU(),
        Residual(EquivariantLinear(group, 2, 2, 6, 6), nn.LayerNorm(6), nn.GELU()),
        EquivariantDropout(group, 2, 6, 0.1),
        nn.Linear(6, 4),
        EquivariantLinear(group, 2, 1, 4, 3),
    )


class TestSequential:
    def test_it_knows_what_passes_between_its_modules(self) -> None:
        net = network()
        orders = [(one.order, one.channels) for one in net.between]
        assert orders == [
            (2, 1), (2, 6), (2, 6), (2, 6), (2, 6), (2, 6), (2, 4), (1, 3),
        ]  # fmt: skip
        assert (net.group, net.in_order, net.out_order) == (POINTS, 2, 1)
        assert [net.in_channels, net.out_channels, len(net)] == [1, 3, 7]
        assert net.explain().count("\n") == 14

    def test_it_is_the_composite_of_its_modules_and_commutes(self) -> None:
        net = spoiled(network()).eval()
        assert_equivariant(net)
        x = torch.randn(3, 5, 5, 1, dtype=torch.float64)
        y = x
        for module in net:  # type: ignore[attr-defined]
            y = module(y)
        torch.testing.assert_close(net(x), y)

    def test_it_lives_as_modules_do(self) -> None:
        net = network().eval()
        x = torch.randn(2, 5, 5, 1)
        twin = pickle.loads(pickle.dumps(net))
        torch.testing.assert_close(twin(x), net(x))
        twin.load_state_dict(net.state_dict())
        run = torch.compile(net, fullgraph=True, backend="eager")
        torch.testing.assert_close(run(x), net(x))
        torch.testing.assert_close(torch.export.export(net, (x,)).module()(x), net(x))
        net(x).sum().backward()
        assert all(p.grad is not None for p in net.parameters())

    def test_families_take_any_n_and_hide_padding(self) -> None:
        # The last layer gives numbers everywhere.
        net = spoiled(EquivariantSequential(network(tn.S()), nn.Linear(3, 3))).eval()
        x = torch.randn(4, 5, 5, 1, dtype=torch.float64)
        mask = torch.arange(7) < torch.tensor([5, 3, 1, 0])[:, None]
        padded = torch.full((4, 7, 7, 1), torch.nan, dtype=torch.float64)
        padded[:, :5, :5] = x
        y = net(padded, mask)
        for number, size in enumerate([5, 3, 1]):
            alone = net(x[number, :size, :size])
            torch.testing.assert_close(y[number, :size], alone)
        assert not y[~mask].any()

    @pytest.mark.parametrize(
        ("modules", "words"),
        [
            ((EquivariantLinear(tn.O(3), 1, 1, 1, 2), nn.ReLU()), "adds up entries of order 1"),
            ((EquivariantLinear(tn.O(3), 1, 1, 1, 2), nn.Linear(2, 2)), "take bias=False"),
            ((EquivariantLinear(tn.O(3), 1, 1, 1, 2), nn.LayerNorm(2)), "EquivariantNorm"),
            (
                (EquivariantLinear(POINTS, 2, 1, 1, 2), EquivariantLinear(POINTS, 2, 1, 2, 2)),
                "takes order 2 with 2 channels, got order 1 with 2",
            ),
            (
                (EquivariantLinear(POINTS, 1, 1, 1, 2), EquivariantLinear(POINTS, 1, 1, 3, 2)),
                "3 channels, got order 1 with 2",
            ),
            (
                (EquivariantLinear(POINTS, 1, 1, 1, 2), EquivariantLinear(tn.S(4), 1, 1, 2, 2)),
                "which does not have all of",
            ),
            (
                (EquivariantLinear(tn.O(3), 1, 1, 1, 2), EquivariantLinear(tn.SO(3), 1, 1, 2, 2)),
                "make it for that group, or for a larger one",
            ),
            ((nn.ReLU(),), "does not say what features it takes"),
            ((Gate(tn.O(3), 1, 2),), "EquivariantGraph"),
        ],
    )  # fmt: skip
    def test_wrong_combinations_are_refused_when_made(
        self, modules: tuple[nn.Module, ...], words: str
    ) -> None:
        with pytest.raises(NotEquivariantError, match=words):
            EquivariantSequential(*modules)

    def test_layers_of_a_larger_group_are_taken(self) -> None:
        net = EquivariantSequential(
            EquivariantLinear(tn.SO(3), 2, 1, 1, 2), EquivariantLinear(tn.O(3), 1, 1, 2, 2)
        )
        assert net.group == tn.SO(3)

    def test_generated_layers_are_taken_at_their_word(self) -> None:
        layer = tn.generate(POINTS, 2, 2, 1, 4, name="Generated").load()()
        net = EquivariantSequential(layer, nn.ReLU(), EquivariantLinear(POINTS, 2, 0, 4, 1))
        assert_equivariant(net)

    def test_nothing_is_no_network(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            EquivariantSequential()
        with pytest.raises(TypeError, match="torch modules"):
            EquivariantSequential(torch.relu)  # type: ignore[arg-type]


class TestDeclared:
    def test_what_is_declared_is_tried(self) -> None:
        points = Features(tn.S(4), 1, 3)

        class Centred(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x - x.mean(-2, keepdim=True)

        class Positional(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x + torch.arange(x.shape[-2])[:, None]

        assert_equivariant(EquivariantSequential(Declared(Centred(), points, points), nn.ReLU()))
        with pytest.raises(EquivarianceError, match="not equivariant"):
            Declared(Positional(), points, points)
        assert Declared(Positional(), points, points, check=0)(torch.ones(4, 3)).shape == (4, 3)

    def test_the_features_it_gives_are_checked(self) -> None:
        wrong = Declared(nn.Identity(), Features(tn.S(4), 1, 3), Features(tn.S(4), 1, 2), check=0)
        with pytest.raises(ValueError, match="expected S"):
            wrong(torch.ones(4, 3))


class TestGraph:
    def graph(self) -> EquivariantGraph:
        vectors = Features(tn.O(3), 2, 4)
        return EquivariantGraph(
            {"x": vectors, "s": Features(tn.O(3), 0, 4)},
            [
                ("invariants", EquivariantLinear(tn.O(3), 2, 0, 4, 4), "x"),
                ("scalars", Concatenate(Features(tn.O(3), 0, 4), Features(tn.O(3), 0, 4)), "s", "invariants"),
                ("gates", nn.Sequential(nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 4)), "scalars"),
                ("gated", Gate(tn.O(3), 2, 4), "x", "gates"),
                ("y", Add(vectors), "x", "gated"),
            ],
        )  # fmt: skip

    def test_branches_commute(self) -> None:
        net = spoiled(self.graph())
        assert [net.in_order, net.in_channels, net.out_order] == [[2, 0], [4, 4], 2]
        assert error(net, "O(3)", [2, 0], 2, 4) < 1e-10
        x, s = torch.randn(5, 3, 3, 4).double(), torch.randn(5, 4).double()
        torch.testing.assert_close(net(x, s), net(s=s, x=x))
        torch.testing.assert_close(net(x, s), net(x, s=s))
        assert "gated = Gate(x, gates)" in net.explain()  # type: ignore[operator]

    def test_a_gate_by_products_of_vectors_is_a_nonlinearity_for_forms(self) -> None:
        """Sp(4) keeps no length; the form of two channels is a scalar."""
        vectors = Features(tn.Sp(4), 1, 2)
        net = EquivariantGraph(
            {"x": vectors},
            [
                ("h", EquivariantLinear(tn.Sp(4), 1, 1, 2, 3), "x"),
                ("s", EquivariantBilinear(tn.Sp(4), 1, 1, 0, 3, 3, 3), "h", "h"),
                ("y", Gate(tn.Sp(4), 1, 3), "h", "s"),
            ],
        )
        net = spoiled(net)  # type: ignore[assignment]
        assert error(net, "Sp(4)", 1, 1) < 1e-10
        x = torch.randn(4, 2, dtype=torch.float64)
        assert (net(2 * x) - 2 * net(x)).abs().max() > 0.01

    def test_wrong_wires_are_refused(self) -> None:
        x = {"x": Features(tn.O(3), 1, 2)}
        linear = EquivariantLinear(tn.O(3), 1, 1, 2, 2)
        cases: list[tuple[Any, str, type[Exception]]] = [
            ([("y", nn.ReLU(), "x")], "step 'y': ReLU", NotEquivariantError),
            ([("y", linear, "z")], "only x are there", ValueError),
            ([("x", linear, "x")], "two features called 'x'", ValueError),
            ([("y", linear)], "a step is", TypeError),
            ([("y", Gate(tn.O(3), 1, 2), "x")], "takes 2 inputs, got 1", NotEquivariantError),
            ([("y", Gate(tn.O(3), 1, 2), "x", "x")], "takes order 0", NotEquivariantError),
            ([], "at least", ValueError),
        ]
        for steps, words, kind in cases:
            with pytest.raises(kind, match=words):
                EquivariantGraph(x, steps)
        with pytest.raises(ValueError, match="no features called 'z'"):
            EquivariantGraph(x, [("y", linear, "x")], output="z")
        net = EquivariantGraph(x, [("y", linear, "x")])
        for arguments in ((), (torch.ones(3, 2), torch.ones(3, 2))):
            with pytest.raises(TypeError, match="the inputs are x"):
                net(*arguments)
        with pytest.raises(NotEquivariantError, match="one group and order"):
            Concatenate(Features(tn.O(3), 1, 2), Features(tn.O(3), 2, 2))
        with pytest.raises(NotEquivariantError, match="f to give what it takes"):
            Residual(EquivariantLinear(tn.O(3), 1, 1, 2, 3))


class TestSeveralOutputs:
    """An energy and a vector for each point, of vectors at points: one network."""

    POINTS = tn.S() * tn.O(3)

    def made(self, output: Any) -> EquivariantGraph:
        torch.manual_seed(0)
        g = self.POINTS
        return EquivariantGraph(
            {"x": Features(g, (0, 1), 2), "s": Features(g, (0,), 2)},
            [
                ("h", EquivariantLinear(g, (0, 1), (0, 1), 2, 2, bias=False), "x"),
                ("moved", Gate(g, (0, 1), 2, scalars=(0,)), "h", "s"),
                ("energy", EquivariantLinear(g, (0,), (), 2, 1), "s"),
            ],
            output=output,
        ).double()

    def test_they_are_what_networks_with_one_give(self) -> None:
        net = self.made(["energy", "moved"])
        assert (net.out_order, net.out_channels) == (
            {"energy": (), "moved": (0, 1)},
            {"energy": 1, "moved": 2},
        )
        x, s = torch.randn(2, 4, 3, 2).double(), torch.randn(2, 4, 2).double()
        mask = torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
        for masks in ({}, {"mask": mask}):
            found = net(x, s, **masks)
            assert list(found) == ["energy", "moved"]
            for name, y in found.items():
                with pytest.warns(UserWarning, match="no output needs"):
                    alone = self.made(name)
                torch.testing.assert_close(y, alone(x, s, **masks))
        assert found["moved"][1, 2:].abs().max() == 0
        assert net.explain().endswith("return energy, moved")

    def test_they_are_checked_and_certified(self) -> None:
        net = self.made(["energy", "moved"])
        report = assert_equivariant(net)
        assert (report.masked, report.l) == (True, {"energy": (), "moved": (0, 1)})
        certificate = certify(net, dtypes=("float64",), samples=2)
        assert len(certificate.layers) == 2
        assert certificate.check(net).l == report.l

    def test_what_makes_no_sense_is_refused(self) -> None:
        cases: list[tuple[Any, type[Exception], str]] = [
            ([], ValueError, "one name each"),
            (["energy", "energy"], ValueError, "one name each"),
            (["energy", "force"], ValueError, "no features called 'force'"),
            (3, TypeError, "a name or a list of names"),
            ({"energy": 0}, TypeError, "a name or a list of names"),
        ]
        for output, kind, words in cases:
            with pytest.raises(kind, match=words):
                self.made(output)
        inputs = {"x": Features(self.POINTS, (0, 1), 2), "s": Features(self.POINTS, (0,), 2)}
        with pytest.raises(NotEquivariantError, match="gives energy and moved cannot stand in"):
            EquivariantGraph(inputs, [("y", self.made(["energy", "moved"]), "x", "s")])


class TestGatesForEachPoint:
    @pytest.mark.parametrize(
        ("group", "order", "scalars"),
        [("S(4)", 2, 1), ("S(4)", 2, 2), ("A(4)", 1, 1), ("S(3) x O(3)", (0, 1), (0,)),
         ("O(2) x S(3)", (1, 1, 0), (1,)), ("S() x SO(3)", (0, 1, 1), (0,))],
        ids=str,
    )  # fmt: skip
    def test_they_commute_and_differ_from_point_to_point(
        self, group: str, order: Any, scalars: Any
    ) -> None:
        g = tn.group(group)
        gate = Gate(g, order, 2, "silu", scalars=scalars)
        assert equivariance_error(gate, g, [order, scalars], order, in_channels=2) < 1e-10
        sizes = [n or 4 for n in (g.n if isinstance(g.n, tuple) else (g.n,))]
        words = [(0,) * one if isinstance(one, int) else one for one in (order, scalars)]
        shapes = [(*(sizes[kind] for kind in one), 2) for one in words]
        x, s = torch.ones(shapes[0]), torch.randn(shapes[1])
        # Entry by entry, by the definition.
        for place in itertools.product(*map(range, shapes[0][:-1])):
            of = nn.functional.silu(s[place[: len(words[1])]])
            torch.testing.assert_close(gate(x, s)[place], of)

    def test_gates_that_turn_or_change_signs_are_refused(self) -> None:
        for group, order, scalars in [
            (tn.O(3), 2, 1),
            (tn.H(3), 1, 1),
            (tn.S(3) * tn.O(3), (1, 0), (1,)),
        ]:
            with pytest.raises(NotEquivariantError, match="gates of order"):
                Gate(group, order, 2, scalars=scalars)
        with pytest.raises(ValueError, match="the first of order"):
            Gate(tn.S(3) * tn.O(3), (1, 0), 2, scalars=(0,))
        with pytest.raises(ValueError, match="the first of order"):
            Gate(tn.S(3), 1, 2, scalars=2)

    def test_a_network_says_how_a_gate_takes_its_scalars(self) -> None:
        points = tn.S() * tn.O(3)
        inputs = {"x": Features(points, (0, 1), 2), "s": Features(points, (0,), 2)}
        with pytest.raises(NotEquivariantError, match=r"Gate\(..., scalars=\(0,\)\) takes"):
            EquivariantGraph(inputs, [("y", Gate(points, (0, 1), 2), "x", "s")])
        gate = Gate(points, (0, 1), 2, scalars=(0,))
        net = EquivariantGraph(inputs, [("y", gate, "x", "s")])
        assert assert_equivariant(net).passed
        with pytest.raises(
            NotEquivariantError, match=r"takes order 0 with 2 channels, got order 1 with 2$"
        ):
            EquivariantGraph({"x": Features(tn.O(3), 1, 2)}, [("y", Gate(tn.O(3), 1, 2), "x", "x")])


class TestBottlenecks:
    @pytest.mark.parametrize("group", ["S(3)", "O(2)", "Sp(2)", "H(2)", "SO(3)", "A(3)"])
    def test_what_passes_is_the_rank_of_all_composites(self, group: str) -> None:
        g = tn.group(group)
        for k, m, l in itertools.product(range(3), repeat=3):
            first, second = (tn.Hom(g, *pair).matrices() for pair in ((k, m), (m, l)))
            composites = [b @ a for a in first for b in second]
            rank = np.linalg.matrix_rank([c.ravel() for c in composites]) if composites else 0
            assert passing(g, k, m, l) == (rank, tn.Hom(g, k, l).dimension)

    def test_narrow_features_warn_and_wide_ones_do_not(self) -> None:
        def two(k: int, m: int, l: int) -> EquivariantSequential:
            return EquivariantSequential(
                EquivariantLinear(tn.S(5), k, m, 1, 4), EquivariantLinear(tn.S(5), m, l, 4, 1)
            )

        with pytest.warns(BottleneckWarning, match="13 lead through order 1"):
            two(2, 1, 2)
        with pytest.warns(BottleneckWarning, match="2 lead through order 0"):
            two(1, 0, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for orders in [(2, 2, 2), (2, 1, 0), (2, 0, 0), (0, 1, 2), (1, 1, 2)]:
                two(*orders)

    def test_maps_that_are_all_zero_warn(self) -> None:
        with pytest.warns(UserWarning, match="no linear map but 0"):
            EquivariantLinear(tn.O(3), 1, 0, 1, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Features(tn.S(4), -1, 2), "order"),
        (lambda: Features(tn.S(4), 1, 0), "channels"),
        (lambda: Features(tn.group("X(4)"), 1, 1), "no group is called"),
        (lambda: Pointwise(tn.S(4), 1, 2, "rely"), "no function 'rely'"),
        (lambda: Pointwise(tn.H(4), 1, 2, torch.relu, odd=True), "relu is not odd"),
        (lambda: EquivariantNorm(tn.S(4), 0, 2, center=True), "would leave nothing"),
        (lambda: NormActivation(tn.S(4) * tn.O(3), (0, 1), 2, each=(1,)), r"got each=\(1,\)"),
        (lambda: Pool(tn.S(4), 1, 2, each=2), "the first of order 1, got each=2"),
        (lambda: EquivariantSequential([nn.ReLU()]), r"one by one: EquivariantSequential\(\*modules"),  # type: ignore[arg-type]
        (
            lambda: EquivariantSequential(EquivariantLinear(tn.S(4), 1, 1, 1, 1), torch.relu),  # type: ignore[arg-type]
            r"tn.nn.Pointwise\(group, order, channels, 'relu'\)",
        ),
        (lambda: Pool(tn.S(4), 1, 2, "median"), "how must be"),  # type: ignore[arg-type]
        (lambda: EquivariantDropout(tn.S(4), 1, 2, 1.5), "a probability"),
        (lambda: Pool(tn.S(4), 1, 2)(torch.ones(3, 2)), "expected S"),
        (lambda: Gate(tn.S(4), 1, 2)(torch.ones(4, 2), torch.ones(3)), "expected S"),
        (lambda: Pool(tn.S(), 2, 2)(torch.ones(3, 4, 2)), "expected S"),
        (lambda: Pool(tn.S(4), 1, 2)(torch.ones(4, 2), torch.ones(4) > 0), "a mask is of one family"),
    ],
)  # fmt: skip
def test_bad_input_is_told(make: Callable[[], Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()
