"""What users test their own layers with: it passes what is right, and finds what is subtly wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from depth import share
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty
from torch import Tensor, nn

import tannaka as tn
from tannaka.codegen.trust import trees
from tannaka.codegen.trust.check import measure
from tannaka.errors import EquivarianceError
from tannaka.testing import assert_equivariant, equivariance_error, strategies

DTYPES = (torch.float32, torch.bfloat16)


def trained(module: nn.Module) -> nn.Module:
    """With parameters as training leaves them: none constant."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


# Layers as one finds them in public, with what they are meant to be equivariant to.


class Normalised(nn.Module):
    """LayerNorm: over channels it commutes with permutations; over points its scale does not."""

    def __init__(self, points: int | None, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(points or channels)
        self.over_points = points is not None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x.mT).mT if self.over_points else self.norm(x)
        return y


class Activated(nn.Module):
    """A gated activation of vectors; or ReLU of their coordinates."""

    def __init__(self, gated: bool) -> None:
        super().__init__()
        self.gated, self.mix = gated, nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mix(x)
        return y * torch.sigmoid(y.norm(dim=-2, keepdim=True)) if self.gated else torch.relu(y)


class Attending(nn.Module):
    """Attention of points; with a positional embedding, of a sequence."""

    def __init__(self, points: int | None) -> None:
        super().__init__()
        self.query, self.value = nn.Linear(4, 4), nn.Linear(4, 4)
        self.position = None if points is None else nn.Parameter(torch.zeros(points, 4))

    def forward(self, x: Tensor) -> Tensor:
        if self.position is not None:
            x = x + 0.1 * self.position
        y: Tensor = torch.softmax(self.query(x) @ x.mT / 2, -1) @ self.value(x)
        return y


class Cloud(nn.Module):
    """Points in space, each with the mean added; or, with as many points as coordinates, turned round."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        self.transposed, self.mix = transposed, nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mix(x + x.mean(-3, keepdim=True))
        return y.transpose(-3, -2) if self.transposed else y


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    real = mask[..., None]
    return torch.where(real, x, 0).sum(-2) / real.sum(-2)


def padded_mean(x: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask[..., None], x, 0).mean(-2)


CLOUD = tn.S(3) * tn.O(3)
RIGHT: dict[str, tuple[Any, Any, Any, Any]] = {
    "LayerNorm over channels": (Normalised(None, 4), tn.S(5), 1, 1),
    "a gate by the norm": (Activated(True), tn.O(3), 1, 1),
    "attention of points": (Attending(None), tn.S(5), 1, 1),
    "points in space": (Cloud(False), CLOUD, (0, 1), (0, 1)),
    "a mean of real points": (masked_mean, tn.S(), 1, 0),
}
WRONG: dict[str, tuple[Any, Any, Any, Any]] = {
    "LayerNorm over a group axis": (Normalised(5, 4), tn.S(5), 1, 1),
    "ReLU on vectors": (Activated(False), tn.O(3), 1, 1),
    "a positional embedding": (Attending(5), tn.S(5), 1, 1),
    "a transposed action": (Cloud(True), CLOUD, (0, 1), (0, 1)),
    "a mean over a padded axis": (padded_mean, tn.S(), 1, 0),
}


def run(case: tuple[Any, Any, Any, Any], dtype: torch.dtype) -> Any:
    f, group, k, l = case
    if isinstance(f, nn.Module):
        f = trained(f).to(dtype)
    return assert_equivariant(f, group, k, l, in_channels=4, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", RIGHT)
def test_right_layers_pass(name: str, dtype: torch.dtype) -> None:
    report = run(RIGHT[name], dtype)
    assert report.passed
    assert report.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", WRONG)
def test_subtly_wrong_layers_are_found(name: str, dtype: torch.dtype) -> None:
    with pytest.raises(EquivarianceError, match=r"not equivariant: .*worst group element is"):
        run(WRONG[name], dtype)


@pytest.mark.parametrize(
    ("f", "group", "k", "known"),
    [
        (lambda x: torch.linalg.cross(x, x.roll(1, -1), dim=-2), tn.O(3), 1, ("SO(3), rot",)),
        (lambda x: x + x.roll(1, -2), tn.S(5), 1, ("cyclic",)),
        (lambda x: x + x[..., [1, 2, 0], :] - x[..., [2, 0, 1], :], tn.S(3), 1, ("A(3)", "cyclic")),
        (lambda x: x.cumsum(-2), tn.S(5), 1, ()),
        (lambda x: x.cumsum(-3), tn.S(5) * tn.O(3), (0, 1), ("O(3)",)),
        (torch.relu, tn.S(5) * tn.O(3), (0, 1), ("S(5)",)),
        (torch.relu, tn.O(3) * tn.O(3), (0, 1), ()),
        (lambda x: x.cumsum(-2), tn.S(3) * tn.S(3), (0, 1), ("S(3), factor 0",)),
    ],
)
def test_a_failure_says_which_smaller_groups_are_left(
    f: Any, group: Any, k: Any, known: tuple[str, ...]
) -> None:
    report = measure(f, group, k, k)
    assert not report.passed
    assert len(report.commutes_with) == len(known)
    for said, words in zip(report.commutes_with, known, strict=True):
        assert said.startswith(words)
        assert f"it does commute with {said}" in report.worst()


# Several inputs and outputs.


@dataclass
class Answer:
    energy: Tensor
    forces: Tensor


def interacting(x: Tensor, charges: Tensor) -> Answer:
    """Of points in space without channels, and a number for each."""
    apart = x[..., :, None, :] - x[..., None, :, :]
    weights = charges[..., :, None] * charges[..., None, :] / (1 + apart.square().sum(-1))
    return Answer(weights.sum((-2, -1)), (weights[..., None] * apart).sum(-2))


POINTS = tn.S(4) * tn.O(3)


def test_several_inputs_and_outputs_of_any_layout() -> None:
    k, l = {"x": (0, 1), "charges": (0,)}, {"energy": (), "forces": (0, 1)}
    report = assert_equivariant(interacting, POINTS, k, l, layout="none")
    assert (report.k, report.l) == (k, l)
    assert report.shape == {"x": (2, 4, 3, 1), "charges": (2, 4, 1)}

    def wrong(x: Tensor, charges: Tensor) -> Answer:
        answer = interacting(x, charges)
        answer.forces[..., 2] *= 1.001
        return answer

    with pytest.raises(EquivarianceError, match=r"of the output\['forces'\] f\(g x\) is"):
        assert_equivariant(wrong, POINTS, k, l, layout="none")
    # Vectors have channels, invariants have none.
    assert_equivariant(
        lambda x: x.norm(dim=-1).sum(-1), tn.O(3), 1, 0, layout=("first", "none"), in_channels=5
    )


def test_lists_are_several_and_tuples_are_words() -> None:
    both = [(0,), (0, 1)]
    assert_equivariant(lambda x, y: (x, [y]), POINTS, both, [(0,), [(0, 1)]])
    with pytest.raises(TypeError, match=r"k\[0\] is 0: a word .* is a tuple of types"):
        assert_equivariant(lambda x: x, POINTS, [0, 1], (0, 1))
    # A matrix times a vector, of different channels.
    report = assert_equivariant(
        lambda m, v: torch.einsum("...ija,...jb->...iab", m, v).flatten(-2),
        tn.O(3),
        [2, 1],
        1,
        in_channels=[2, 3],
    )
    assert report.shape == [(2, 3, 3, 2), (2, 3, 3)]


@pytest.mark.parametrize(
    ("f", "l", "error", "words"),
    [
        (lambda x: x, [1, 1], TypeError, "the output must be a list or tuple of 2, got Tensor"),
        (lambda x: (x,), [1, 1], ValueError, "the output must be a list or tuple of 2, got 1"),
        (lambda x: (x, x, x), [1, 1], ValueError, "the output must be a list or tuple of 2, got 3"),
        (lambda x: {"a": x, "b": x}, {"a": 1}, ValueError, "with 'a' and no more, got 'a', 'b'"),
        (lambda x: {"a": 3}, {"a": 1}, TypeError, r"as output\['a'\] the function must return"),
        (lambda x: (x, 0 * x), [1, 1], EquivarianceError, r"the output\[1\] is zero"),
        (lambda x: (x, x / 0), [1, 1], EquivarianceError, r"the output\[1\] holds NaN"),
        (lambda x: x, [], ValueError, "l names no output"),
        (lambda x: x, {"a": -1}, ValueError, r"l\['a'\] must be"),
    ],
)
def test_every_output_is_asked_for(f: Any, l: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        assert_equivariant(f, tn.S(4), 1, l)


LEAVES = st.one_of(st.integers(0, 3), st.lists(st.integers(0, 1), max_size=2).map(tuple))
TREES: Any = st.recursive(
    LEAVES,
    lambda inside: st.one_of(
        st.lists(inside, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from("abc"), inside, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@given(TREES)
def test_leaves_are_where_their_paths_lead(tree: Any) -> None:
    found = list(trees.leaves(tree))
    assert [trees.at(tree, path) for path, _ in found] == [leaf for _, leaf in found]
    again = trees.mapped(lambda path, leaf: trees.at(tree, path), tree)
    assert again == tree
    assert trees.matched(tree, again, "it") == [leaf for _, leaf in found]


# The scale that errors are measured by.


@pytest.mark.parametrize("power", [0, 10, 15, 20, 30])
def test_a_large_channel_hides_no_small_one(power: int) -> None:
    def f(x: Tensor) -> Tensor:
        return torch.cat([2.0**power * x, x + 1e-3 * torch.relu(x)], -1)

    with pytest.raises(EquivarianceError, match=r"at \(\d, \d, [23]\) of the output"):
        assert_equivariant(f, tn.O(3), 1, 1, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float64, *DTYPES], ids=str)
def test_the_rounding_of_large_channels_is_no_error_of_small_ones(dtype: torch.dtype) -> None:
    def f(x: Tensor) -> Tensor:
        # The same sum in two orders: what is left is rounding, and nothing else.
        rest = x.sum(-2, keepdim=True) - x.cumsum(-2)[..., -1:, :]
        return torch.cat([x, rest.expand(x.shape), 0 * x], -1)

    assert assert_equivariant(f, tn.S(6), 1, 1, dtype=dtype, samples=20).passed


def test_the_error_is_that_of_its_definition() -> None:
    """By channel, over all samples; of an invariant, where f(g x) has to be f(x) itself."""
    seen: list[Tensor] = []

    def f(x: Tensor) -> Tensor:
        seen.append(torch.cat([x.sum(-2) + 1e-3 * x[..., 0, :], 1e-6 * x.relu().sum(-2)], -1))
        return seen[-1]

    report = measure(f, tn.O(3), 1, 0, samples=5, tolerance=1.0, dtype=torch.float64)
    # Of the first input it is asked twice; what comes after the samples looks at smaller groups.
    answers = torch.stack([*seen[:2], *seen[3:11]]).reshape(5, 2, 2, 4)
    y, moved = answers[:, 0], answers[:, 1]
    scale = y.abs().amax((0, 1))
    wanted = (moved - y).abs().amax((0, 1)) / torch.maximum(scale, 1e-14 * scale.max())
    assert report.error == pytest.approx(float(wanted.max()), rel=1e-12)


def test_an_output_small_by_chance_is_no_failure() -> None:
    """One number that cancels to nearly nothing: in half precision most of it is rounding."""
    rng = np.random.default_rng(0)
    for seed in range(20):
        w = torch.tensor(rng.standard_normal(2), dtype=torch.float16)
        assert_equivariant(
            lambda x, w=w: (x.sum(-2) * w).sum(-1, keepdim=True),
            tn.S(6),
            1,
            0,
            batch_shape=(1,),
            dtype=torch.float16,
            seed=seed,
        )


# Families.


def test_a_family_is_tried_at_every_n_and_with_masks() -> None:
    layer = tn.nn.EquivariantLinear(tn.S(), 2, 1, 2, 2)
    report = assert_equivariant(layer, n=(1, 4))
    assert (report.sizes, report.masked) == ((1, 4), True)
    assert "each at n = 1, 4, masks" in str(report)
    assert not assert_equivariant(layer, mask=False).masked
    assert_equivariant(tn.nn.EquivariantLinear(tn.S() * tn.O(2), (0, 1), (1, 0), 2, 2))
    # Right for three points, and for no other number of them.
    first = lambda x: x[..., :3, :].sum(-2)  # noqa: E731
    assert_equivariant(first, tn.S(3), 1, 0)
    with pytest.raises(EquivarianceError):
        assert_equivariant(first, tn.S(), 1, 0)
    with pytest.raises(ValueError, match=r"S\(3\) has one n"):
        assert_equivariant(first, tn.S(3), 1, 0, n=3)
    with pytest.raises(ValueError, match="masks are for a family with one n"):
        assert_equivariant(first, tn.S(3), 1, 0, mask=True)
    with pytest.raises(ValueError, match="n is empty"):
        assert_equivariant(first, tn.S(), 1, 0, n=())


@pytest.mark.parametrize("k", [1, 2])
def test_padding_is_compared_with_the_real_points_alone(k: int) -> None:
    def softmax(x: Tensor, mask: Tensor) -> Tensor:
        x = x.diagonal(dim1=-3, dim2=-2).mT if k == 2 else x
        return torch.where(mask[..., None], torch.softmax(x, -2), 0)

    with pytest.raises(EquivarianceError, match=r"with padding and .* without"):
        assert_equivariant(softmax, tn.S(), k, 1)

    def careless(x: Tensor, mask: Tensor) -> Tensor:
        y: Tensor = x.sum(tuple(range(-1 - k, -1))) / mask.sum(-1, keepdim=True)
        return y

    with pytest.raises(EquivarianceError, match=r"with padding and .* without"):
        assert_equivariant(careless, tn.S(), k, 0)

    def right(x: Tensor, mask: Tensor) -> Tensor:
        x = x.diagonal(dim1=-3, dim2=-2).mT if k == 2 else x
        return torch.softmax(x.masked_fill(~mask[..., None], -torch.inf), -2)

    assert assert_equivariant(right, tn.S(), k, 1).masked


# Strategies.


@pytest.mark.parametrize("name", ["S(3)", "Sp(4)", "S(3) x O(2)", "S()"])
def test_failing_examples_name_groups_in_one_line(name: str) -> None:
    group = tn.group(name)
    assert pretty(group) == str(group)


def test_failing_examples_name_spaces_in_one_line() -> None:
    hom = tn.Hom(tn.S(3) * tn.O(2), (0, 1), (1,))
    assert pretty([hom]) == f"[{hom}]"


@pytest.mark.parametrize("seed", range(20))
def test_the_control_is_told_apart_where_some_elements_cannot(seed: int) -> None:
    # Half of the elements multiply all inputs by 1: -1 in both factors does.
    layer = tn.nn.EquivariantLinear(tn.H(1) * tn.H(1), (0, 1), (1, 0), 1, 1, dtype=torch.float64)
    assert equivariance_error(layer, samples=2, seed=seed) <= 1e-10
    with pytest.warns(UserWarning, match="no linear map but 0"):
        zero = tn.nn.EquivariantLinear(tn.H(1) * tn.H(1), (0, 1), (), 1, 1, dtype=torch.float64)
    assert equivariance_error(zero, samples=1, seed=seed, allow_zero=True) == 0


@share(1 / 2)
@given(strategies.layers_with_inputs())
def test_drawn_layers_are_equivariant(drawn: tuple[Any, Tensor]) -> None:
    layer, x = drawn
    assert layer(x).shape[:1] == (2,)
    assert equivariance_error(layer, samples=2, allow_zero=True) <= 1e-10


@share(1 / 2)
@given(st.data())
def test_features_are_what_the_group_acts_on(data: st.DataObject) -> None:
    hom = data.draw(strategies.homs())
    x = data.draw(strategies.features(hom.group, hom.k, channels=3))
    g = data.draw(strategies.elements(hom.group))
    moved = hom.group.act(g, x, hom.k)
    assert moved.shape == x.shape
    group: Any = hom.group
    back = group.act(group.inverse(g), moved, hom.k)
    assert np.abs(back - x).max(initial=0) < 1e-9


def test_a_report_is_of_what_it_says() -> None:
    report = measure(torch.relu, tn.O(3), 1, 1, seed=3)
    again = measure(torch.relu, "O(3)", 1, 1, seed=3)
    assert np.array_equal(report.element, again.element)
    got, wanted = report.entries
    assert report.worst().startswith(f"at {report.entry} of the output f(g x) is {got:.6g}")
    assert abs(got - wanted) > 0.01
    assert not report.passed
