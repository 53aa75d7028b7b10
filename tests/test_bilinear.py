"""Bilinear layers: what they compute is all of Hom(k1 + k2, l), applied to the product of the inputs."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import any_homs, assert_equal, bias_hom, matrices, sizes, word
from torch import Tensor

import tannaka as tn
from tannaka.category.groups import Group
from tannaka.codegen.interpret import interpret_all
from tannaka.codegen.lowering.pair_plan import PairPlan, lower_pair, plan_pair
from tannaka.codegen.passes import PASSES, optimise
from tannaka.codegen.plan import Mix, Multiply, Weigh
from tannaka.codegen.plan_picture import steps_of
from tannaka.codegen.trace import verify
from tannaka.diagrams.errors import BackendError, BasisMismatchError, PlanError
from tannaka.nn import EquivariantBilinear, EquivariantLinear

CASES: list[tuple[str, Any, Any, Any]] = [
    ("S(3)", 1, 1, 2),
    ("S(2)", 2, 1, 1),
    ("S(1)", 1, 2, 2),
    ("A(3)", 1, 1, 1),
    ("A(4)", 2, 1, 1),
    ("O(3)", 2, 2, 2),
    ("O(2)", 1, 2, 1),
    ("O(3)", 1, 1, 1),
    ("O(3)", 0, 0, 2),
    ("SO(3)", 1, 2, 2),
    ("SO(2)", 1, 1, 0),
    ("SO(3)", 0, 0, 3),
    ("Sp(4)", 1, 1, 0),
    ("Sp(2)", 2, 1, 1),
    ("Sp(4)", 1, 2, 3),
    ("S(3) x SO(2)", (0, 1), (1,), (0, 1)),
    ("Sp(2) x A(3)", (0, 1), (1, 0), (1,)),
]
cases = pytest.mark.parametrize(("name", "k1", "k2", "l"), CASES)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def quiet(*args: Any, **options: Any) -> EquivariantBilinear:
    """A float64 layer with random parameters, also where there is no map but 0."""
    options.setdefault("dtype", torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        layer = EquivariantBilinear(*args, **options)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def made(name: str, k1: Any, k2: Any, l: Any, **options: Any) -> EquivariantBilinear:
    """A layer with 2 and 3 channels, or twice 2, that gives 4."""
    channels = (2, 2) if options.get("channels") == "channelwise" else (2, 3)
    return quiet(tn.group(name), k1, k2, l, *channels, 4, **options)


def inputs(layer: EquivariantBilinear, *batch: int, n: int = 3) -> tuple[Tensor, Tensor]:
    """Random inputs of a layer; axes of open size have n."""
    at = [size or n for size in sizes(layer.group)]
    one, other = (
        torch.randn((*batch, *(at[kind] for kind in word(order)), c), dtype=layer.weight.dtype)
        for order, c in zip(layer.in_orders, layer.plan.channels, strict=True)
    )
    return one, other


def defined(layer: EquivariantBilinear, x1: Tensor, x2: Tensor) -> Tensor:
    """The layer by its definition: matrices of the oracle, times the product of the inputs."""
    hom: Any = layer.hom
    flat = [x.reshape(len(x), -1, x.shape[-1]) for x in (x1, x2)]
    pairs = "via,vjb->vijab" if layer.weight.ndim == 4 else "via,vja->vija"
    product = torch.einsum(pairs, *flat).flatten(1, 2).flatten(2)
    stack = torch.from_numpy(matrices(hom, layer.plan.reduce))
    weight = layer.weight.flatten(2)
    y = torch.einsum("rpq,roi,vqi->vpo", stack, weight, product)
    if layer.bias is not None:
        vectors = torch.from_numpy(matrices(bias_hom(hom))[:, :, 0])
        y = y + torch.einsum("rp,ro->po", vectors, layer.bias)
    return y.reshape(len(x1), *hom.group.shape(hom.l), -1)


def gradients(y: Tensor, layer: EquivariantBilinear, *given: Tensor) -> dict[str, Any]:
    """The output, and its gradients for a fixed random one of its own."""
    g = torch.from_numpy(np.random.default_rng(0).standard_normal(y.shape))
    everything = (*given, *layer.parameters())
    if not y.requires_grad:
        return {"output": y}
    found = torch.autograd.grad(y, everything, g, materialize_grads=True)
    return {"output": y, **{f"gradient {i}": part for i, part in enumerate(found)}}


@given(any_homs(most=4), st.integers(0, 4), st.booleans(), st.booleans(), st.sampled_from("ms"))
def test_it_is_the_product_times_the_matrices_of_the_basis(
    hom: tn.Hom, split: int, bias: bool, channelwise: bool, reduce: str
) -> None:
    """The oracle knows nothing of plans, or of how the product is cut."""
    whole: Any = word(hom.k)
    split = min(split, len(whole))
    orders: tuple[Any, Any] = (whole[:split], whole[split:])
    if isinstance(hom.k, int):
        orders = (split, len(whole) - split)
    options: Any = {"channels": "channelwise" if channelwise else "full"}
    layer = quiet(
        hom.group,
        *orders,
        hom.l,
        *(2, 2 if channelwise else 3, 2),
        bias=bias,
        reduce={"m": "mean", "s": "sum"}[reduce],
        **options,
    )
    given = tuple(x.requires_grad_() for x in inputs(layer, 2))
    got = gradients(layer(*given), layer, *given)
    assert_equal(got, gradients(defined(layer, *given), layer, *given), layer)


@pytest.mark.deep
@pytest.mark.parametrize(
    "name",
    [
        *(f"S({n})" for n in (1, 2, 3, 4)),
        "A(1)",
        "A(2)",
        "A(3)",
        "A(4)",
        "O(1)",
        "O(2)",
        "O(3)",
        "SO(1)",
        "SO(2)",
        "SO(3)",
        "SO(4)",
        "Sp(2)",
        "Sp(4)",
    ],
)
def test_all_small_orders(name: str) -> None:
    for k1, k2, l in itertools.product(range(3), range(3), range(4)):
        for channels in ("full", "channelwise"):
            layer = made(name, k1, k2, l, channels=channels)
            x1, x2 = inputs(layer, 2)
            assert_equal({"y": layer(x1, x2)}, {"y": defined(layer, x1, x2)}, layer)


@cases
def test_the_plan_means_the_basis_after_every_pass(name: str, k1: Any, k2: Any, l: Any) -> None:
    """Symbolically, which ``verify`` says, and in numbers, as the interpreter runs it."""
    layer = made(name, k1, k2, l)
    x1, x2 = inputs(layer, 2)
    wanted = defined(layer, x1, x2)
    bias = None if layer.bias is None else layer.bias.detach().numpy()
    # Channels mixed after every product, where it is cheaper, and before every product.
    for eager in (0, 1, 10**6):
        plan = lower_pair(layer.group, (k1, k2), l, (2, 3), 4, eager=eager)
        if eager != 1:
            multiply = [step for step in plan.steps if isinstance(step, Multiply)]
            assert all((step.pairing == "all") == (eager == 0) for step in multiply)
        for _, run in (("lowering", lambda plan: plan), *PASSES):
            plan = verify(run(plan), after="this")  # type: ignore[assignment, no-untyped-call]
            got = interpret_all(
                plan,
                {"x1": x1.numpy(), "x2": x2.numpy()},
                layer.weight.detach().flatten(2).numpy(),
                bias,
                layer.group.n,
            )
            assert_equal({"y": got}, {"y": wanted}, plan)


def test_the_model_of_costs_chooses_how_channels_are_mixed() -> None:
    """Of the plans tried the cheapest; scalar products first, outer products last."""
    for channels, l in (((4, 4), 0), ((16, 16), 2), ((64, 64), 2)):
        plan = plan_pair(tn.O(3), (2, 2), l, channels, 16)
        tried = [
            optimise(lower_pair(tn.O(3), (2, 2), l, channels, 16, eager=eager)) for eager in (1, 2)
        ]
        assert plan in tried
        moved = [one.cost(n=3, batch=64).bytes for one in tried]
        assert plan.cost(n=3, batch=64).bytes == min(moved)
    pairing = {
        s.pairing for s in plan_pair(tn.O(9), (1, 1), 0, (8, 8), 8).steps if isinstance(s, Multiply)
    }
    assert pairing == {"all"}
    pairing = {
        s.pairing
        for s in plan_pair(tn.O(9), (1, 1), 2, (8, 8), 8).steps
        if isinstance(s, Multiply) and len(s.keep) == 2
    }
    assert pairing <= {"left", "right"}


def spoiled(plan: PairPlan, step: Any, **changes: Any) -> PairPlan:
    """The plan with one step changed."""
    new = tuple(replace(one, **changes) if one is step else one for one in plan.steps)
    return replace(plan, steps=new)


def test_a_spoiled_plan_does_not_verify() -> None:
    plan = plan_pair(tn.Sp(4), (2, 2), 2, (2, 2), 8)
    multiply = [s for s in plan.steps if isinstance(s, Multiply)]
    crossing = next(s for s in multiply if s.forms and len(s.keep) == 2)
    outer = next(s for s in multiply if s.pairing in ("left", "right") and len(s.keep) == 2)
    mix = next(s for s in plan.steps if isinstance(s, Mix) and len(s.features) > 1)
    (a, b), *forms = crossing.forms
    ways: list[tuple[Any, dict[str, Any]]] = [
        (crossing, {"forms": ((b, a), *forms)}),
        (crossing, {"averaged": ()}),
        (crossing, {"keep": crossing.keep[::-1]}),
        (crossing, {"forms": ()}),
        (crossing, {"left": crossing.right, "right": crossing.left}),
        (outer, {"keep": outer.keep[::-1]}),
        (outer, {"pairing": "all"}),
        (outer, {"outs": (*outer.outs, "extra")}),
        (mix, {"rows": tuple(row[::-1] for row in mix.rows)}),
    ]
    for step, changes in ways:
        with pytest.raises(PlanError):
            verify(spoiled(plan, step, **changes), after="spoiling")
    assert verify(plan, after="nothing") is plan
    plan = plan_pair(tn.S(4), (2, 2), 2, (2, 2), 2)
    weigh = next(s for s in plan.steps if isinstance(s, Weigh) and len(s.features) > 1)
    for changes in (
        {"side": 1 - weigh.side},
        {"rows": tuple(row[::-1] for row in weigh.rows)},
        {"rows": (*weigh.rows, weigh.rows[0])},
        {"features": weigh.features[::-1]},
    ):
        with pytest.raises(PlanError):
            verify(spoiled(plan, weigh, **changes), after="spoiling")


@given(any_homs(types=1), st.integers(0, 3))
def test_no_tensor_has_more_axes_than_inputs_and_output(hom: tn.Hom, split: int) -> None:
    """So the product of the inputs, with k1 + k2 axes, is only there where the output is as large.

    Levi-Civita symbols aside, which may have more legs than that.
    """
    k, l = len(word(hom.k)), len(word(hom.l))
    k1 = min(split, k)
    plan = plan_pair(hom.group, (k1, k - k1), l, (2, 2), 2)
    most = max(k1, k - k1, l)
    if not any(found.legs for found in (*plan.networks, *plan.bias_networks)):
        assert max(map(len, plan.words().values())) <= most


def test_less_memory_than_the_product_of_the_inputs() -> None:
    plan = plan_pair(tn.S(16), (2, 2), 2, (8, 8), 8)
    assert len(plan.basis) == 203
    product = 16**4 * 8 * 8 * 4
    assert plan.cost(n=16, batch=1).peak < product / 8
    # In torch too: what is alive at once, as its profiler counts it.
    layer = EquivariantBilinear(tn.S(16), 2, 2, 2, 8, 8, 8)
    x1, x2 = torch.randn(2, 1, 16, 16, 8)
    with torch.profiler.profile(profile_memory=True) as profile, torch.no_grad():
        layer(x1, x2)
    alive = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            alive += event.nbytes()
            peak = max(peak, alive)
    assert 0 < peak < product / 8


def test_operations_grow_with_the_smaller_tensors() -> None:
    """2 x 2 -> 2 of S(n): products of matrices, n^3, are the most; the product has n^4 entries."""
    plan = plan_pair(tn.S(), (2, 2), 2, (2, 2), 2)
    small, large = (plan.cost(n=n, batch=1).flops for n in (10**6, 10**7))
    assert round(math.log10(large / small)) == 3


def transformed(x: Tensor, g: Any, order: Any) -> Tensor:
    """x with each axis between batch and channels transformed; g has a matrix for each type."""
    for axis, kind in enumerate(word(order)):
        x = torch.tensordot(x.movedim(1 + axis, -1), g[kind].T, dims=1).movedim(-1, 1 + axis)
    return x


def element(group: Group, rng: np.random.Generator) -> list[Tensor]:
    factors = getattr(group, "factors", (group,))
    return [torch.from_numpy(np.asarray(factor.sample(rng), dtype=float)) for factor in factors]


@cases
def test_it_commutes_with_the_group_and_a_spoiled_one_does_not(
    name: str, k1: Any, k2: Any, l: Any
) -> None:
    layer, rng = made(name, k1, k2, l), np.random.default_rng(1)
    x1, x2 = inputs(layer, 2)
    y = layer(x1, x2)
    for _ in range(3):
        g = element(layer.group, rng)
        moved = layer(transformed(x1, g, k1), transformed(x2, g, k2))
        torch.testing.assert_close(moved, transformed(y, g, l), rtol=1e-9, atol=1e-9)


def test_the_check_of_equivariance_can_fail() -> None:
    layer, rng = made("SO(3)", 1, 1, 1), np.random.default_rng(1)
    x1, x2 = inputs(layer, 2)
    g = [-one for one in element(layer.group, rng)]  # a reflection: cross products turn round
    moved = layer(transformed(x1, g, 1), transformed(x2, g, 1))
    assert (moved - transformed(layer(x1, x2), g, 1)).abs().max() > 0.1
    torch.testing.assert_close(moved, -transformed(layer(x1, x2), g, 1))


@cases
def test_it_is_linear_in_each_input(name: str, k1: Any, k2: Any, l: Any) -> None:
    layer = made(name, k1, k2, l, bias=False)
    (x1, x2), (z1, z2) = inputs(layer, 2), inputs(layer, 2)
    torch.testing.assert_close(layer(2 * x1 - z1, x2), 2 * layer(x1, x2) - layer(z1, x2))
    torch.testing.assert_close(layer(x1, 2 * x2 - z2), 2 * layer(x1, x2) - layer(x1, z2))


def test_the_cross_product_is_all_there_is_between_vectors_of_rotations() -> None:
    layer = quiet(tn.SO(3), 1, 1, 1, 1, 1, 1, reduce="sum")
    assert layer.weight.shape == (1, 1, 1, 1)
    assert layer.bias is None
    torch.nn.init.ones_(layer.weight)
    x1, x2 = inputs(layer, 5)
    torch.testing.assert_close(layer(x1, x2), torch.linalg.cross(x1, x2, dim=1))
    assert quiet(tn.O(3), 1, 1, 1, 1, 1, 1).weight.numel() == 0


def test_products_of_matrices_are_members() -> None:
    for group in (tn.O(4), tn.S(4)):
        layer = quiet(group, 2, 2, 2, 1, 1, 1, reduce="sum", bias=False)
        x1, x2 = inputs(layer, 64)
        rows = []
        for row in range(len(layer.weight)):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.ones_(layer.weight[row])
            rows.append(layer(x1, x2).detach().flatten())
        matrix, (a, b) = torch.stack(rows, dim=1), (x1[..., 0], x2[..., 0])
        for wanted in (a @ b, b @ a, a.mT @ b, torch.einsum("vii->v", a)[:, None, None] * b):
            found = torch.linalg.lstsq(matrix, wanted.reshape(-1, 1)).solution
            torch.testing.assert_close(matrix @ found, wanted.reshape(-1, 1))


def test_two_vectors_have_one_symplectic_invariant() -> None:
    """One vector has none, for the form of it with itself is 0; two have one, and no other."""
    layer = quiet(tn.Sp(4), 1, 1, 0, 1, 1, 1, bias=False, reduce="sum")
    assert layer.weight.shape[0] == 1
    x1, x2 = inputs(layer, 6)
    form = torch.from_numpy(tn.Sp(4).form.astype(float))
    wanted = torch.einsum("vi,ij,vj->v", x1[..., 0], form, x2[..., 0])
    torch.testing.assert_close(layer(x1, x2)[:, 0] / layer.weight.item(), wanted)
    torch.testing.assert_close(layer(x1, x1), torch.zeros(6, 1, dtype=torch.float64))


@pytest.mark.parametrize(
    ("group", "l"), [(tn.O(3), 1), (tn.SO(3), 0), (tn.S(3), 1), (tn.Sp(2), 1)], ids=str
)
def test_two_after_one_another_make_every_trilinear_map(group: Any, l: int) -> None:
    n = group.n
    pairs, thirds = (plan_pair(group, (k, 1), m, (1, 1), 1) for k, m in ((1, 2), (2, l)))
    made = [
        np.einsum(
            "pmc,mab->pabc",
            thirds.matrix(j, n).reshape(n**l, n**2, n),
            pairs.matrix(i, n).reshape(n**2, n, n),
        ).ravel()
        for i, j in itertools.product(range(len(pairs.basis)), range(len(thirds.basis)))
    ]
    assert np.linalg.matrix_rank(np.array(made)) == tn.Hom(group, 3, l).dimension


def test_with_a_vector_of_ones_it_is_the_linear_layer() -> None:
    """For order 0 and one channel with the value 1 nothing is left of the second input."""
    linear = EquivariantLinear(tn.S(4), 2, 2, 3, 5, dtype=torch.float64)
    layer = quiet(tn.S(4), 2, 0, 2, 3, 1, 5)
    with torch.no_grad():
        layer.weight.copy_(linear.weight[..., None])
    linear.bias = layer.bias
    x = torch.randn(2, 4, 4, 3, dtype=torch.float64)
    one = torch.ones(2, 1, dtype=torch.float64)
    torch.testing.assert_close(layer(x, one), linear(x))


@cases
def test_the_dense_matrix_says_the_same(name: str, k1: Any, k2: Any, l: Any) -> None:
    for channels in ("full", "channelwise"):
        layer = made(name, k1, k2, l, bias=False, channels=channels)
        x1, x2 = inputs(layer, 2)
        flat = [x.reshape(2, -1, x.shape[-1]) for x in (x1, x2)]
        y = layer(x1, x2)
        wanted = torch.einsum("opaibj,via,vjb->vpo", layer.matrix(), *flat)
        torch.testing.assert_close(y.reshape(wanted.shape), wanted)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@cases
def test_derivatives_of_every_order(name: str, k1: Any, k2: Any, l: Any) -> None:
    layer = quiet(tn.group(name), k1, k2, l, 1, 2, 1)
    names = [name for name, _ in layer.named_parameters()]

    def call(x1: Tensor, x2: Tensor, *parameters: Tensor) -> Tensor:
        values = dict(zip(names, parameters, strict=True))
        result: Tensor = torch.func.functional_call(layer, values, (x1, x2))
        return result

    given = [one.detach().requires_grad_() for one in (*inputs(layer, 1), *layer.parameters())]
    assert torch.autograd.gradcheck(call, given, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(call, given, fast_mode=True)
    for i, one in enumerate(given):
        stack = torch.stack([torch.randn_like(one) for _ in range(3)])
        dims = [0 if j == i else None for j in range(len(given))]
        several = [stack if j == i else other for j, other in enumerate(given)]
        got = torch.vmap(call, tuple(dims))(*several)
        wanted = torch.stack([call(*given[:i], part, *given[i + 1 :]) for part in stack])
        torch.testing.assert_close(got, wanted)
        rows = torch.func.jacrev(call, argnums=i)(*given)
        assert rows.shape == (*got.shape[1:], *one.shape)
        if one.numel():  # PyTorch takes no forward derivatives along nothing
            torch.testing.assert_close(rows, torch.func.jacfwd(call, argnums=i)(*given))


@pytest.mark.parametrize(("name", "k1", "k2", "l"), [CASES[0], CASES[9], CASES[13]])
def test_compiled_and_exported(name: str, k1: Any, k2: Any, l: Any) -> None:
    layer = made(name, k1, k2, l)
    given = [x.requires_grad_() for x in inputs(layer, 2)]
    wanted = gradients(layer(*given), layer, *given)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert_equal(gradients(compiled(*given), layer, *given), wanted)
    exported = torch.export.export(layer, tuple(x.detach() for x in given))
    assert_equal({"output": exported.module()(*given)}, {"output": wanted["output"]})
    torch.compiler.reset()


def test_autocast() -> None:
    layer = quiet(tn.SO(3), 1, 2, 1, 4, 4, 4, dtype=torch.float32)
    x1, x2 = inputs(layer, 5)
    wanted = layer(x1, x2)
    with torch.autocast("cpu", torch.bfloat16):
        got = layer(x1, x2.bfloat16())
        kept = layer.double()(x1.double(), x2.double())
    assert (got.dtype, kept.dtype) == (torch.bfloat16, torch.float64)
    assert (got.float() - wanted).abs().max() < 6e-2 * wanted.abs().max()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_output_has_the_dtype_of_the_layer(dtype: torch.dtype) -> None:
    layer = made("S(3)", 1, 2, 2).to(dtype)
    x1, x2 = inputs(layer, 2)
    y, exact = layer(x1, x2), copy.deepcopy(layer).double()(x1.double(), x2.double())
    bound = {torch.float64: 1e-14, torch.float32: 5e-6, torch.float16: 8e-3, torch.bfloat16: 6e-2}
    assert y.dtype == dtype
    assert (y.double() - exact).abs().max() <= bound[dtype] * exact.abs().max()


def test_copies_pickles_and_state_dicts() -> None:
    layer = made("SO(3)", 1, 2, 2)
    x1, x2 = inputs(layer, 2)
    wanted = layer(x1, x2)
    for one in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(one(x1, x2), wanted)
    blank = made("SO(3)", 1, 2, 2, device="meta").to_empty(device="cpu")
    blank.load_state_dict(layer.state_dict())
    assert torch.equal(blank(x1, x2), wanted)
    assert made("SO(3)", 1, 2, 2, device="meta")(x1.to("meta"), x2.to("meta")).shape == wanted.shape


@pytest.mark.parametrize(
    "other",
    [("SO(3)", 2, 1, 2), ("SO(3)", 3, 0, 2), ("O(3)", 1, 3, 2), ("SO(3)", 1, 1, 3)],
    ids=str,
)
def test_a_state_dict_of_another_basis_is_refused(other: tuple[str, Any, Any, Any]) -> None:
    """Also where the diagrams are the same, and only cut elsewhere."""
    layer, state = (
        quiet(tn.group(other[0]), *other[1:], 2, 2, 2),
        made("SO(3)", 1, 2, 2).state_dict(),
    )
    with pytest.raises(BasisMismatchError, match="1 x 2 -> 2"):
        layer.load_state_dict(state)
    linear = EquivariantLinear(tn.SO(3), 3, 2, 4, 2)
    with pytest.raises(BasisMismatchError):
        linear.load_state_dict(state)


@pytest.mark.parametrize("channels", ["full", "channelwise"])
@pytest.mark.parametrize(
    ("name", "k1", "k2", "l"),
    [
        ("S(5)", 1, 1, 2),
        ("O(3)", 2, 2, 2),
        ("SO(3)", 1, 2, 2),
        ("Sp(4)", 2, 1, 1),
        ("A(3)", 1, 1, 1),
    ],
)
def test_new_weights_preserve_variance(name: str, k1: Any, k2: Any, l: Any, channels: Any) -> None:
    """The mean over inputs and layers of the squares of the output is 1, within its own spread."""
    means = []
    for _ in range(60):
        layer = EquivariantBilinear(tn.group(name), k1, k2, l, 6, 6, 8, channels=channels)
        means.append(layer(*inputs(layer, 40)).square().mean().item())
    spread = np.std(means) / math.sqrt(len(means))
    assert abs(np.mean(means) - 1) < 5 * spread < 0.5


def test_no_map_but_zero_warns_and_the_layer_is_that_map() -> None:
    with pytest.warns(UserWarning, match="no bilinear map of orders 1 x 1 but 0 commutes"):
        layer = EquivariantBilinear(tn.O(3), 1, 1, 1, 2, 3, 4, dtype=torch.float64)
    given = [x.requires_grad_() for x in inputs(layer, 5)]
    y = layer(*given)
    assert (y.shape, layer.weight.shape) == ((5, 3, 4), (0, 4, 2, 3))
    assert not y.any()
    assert all(not part.any() for part in torch.autograd.grad(y.sum(), (*given, layer.weight)))


@cases
def test_any_batch_and_strides(name: str, k1: Any, k2: Any, l: Any) -> None:
    layer = made(name, k1, k2, l)
    for batch in [(), (0,), (2, 3), (1, 1, 2)]:
        x1, x2 = inputs(layer, *batch)
        y = layer(x1, x2)
        assert y.shape == (*batch, *layer.group.shape(l), 4)
        assert y.is_contiguous()
        flat = layer(*(x.reshape(-1, *x.shape[len(batch) :]) for x in (x1, x2)))
        torch.testing.assert_close(y.reshape(flat.shape), flat)
    x1, x2 = inputs(layer, 2)
    before = [x.clone() for x in (x1, x2)]
    torch.testing.assert_close(
        layer(x1, x2[:1].expand_as(x2)), layer(x1, x2[:1].repeat(2, *[1] * (x2.ndim - 1)))
    )
    turned = [x.transpose(0, -1).contiguous().transpose(0, -1) for x in (x1, x2)]
    torch.testing.assert_close(layer(*turned), layer(x1, x2))
    assert all(torch.equal(x, old) for x, old in zip((x1, x2), before, strict=True))


def test_a_layer_of_the_family_is_that_of_each_member() -> None:
    family = made("S()", 1, 2, 2)
    for n in (1, 2, 5):
        x1, x2 = inputs(family, 2, n=n)
        stack = torch.from_numpy(family.matrix(n=n).numpy())
        flat = [x.reshape(2, -1, x.shape[-1]) for x in (x1, x2)]
        wanted = torch.einsum("opaibj,via,vjb->vpo", stack, *flat).reshape(2, n, n, 4)
        vectors = torch.from_numpy(matrices(tn.Hom(tn.S(max(n, 2)), 0, 2))[:, :, 0])
        if n >= 2:
            wanted = wanted + torch.einsum("rp,ro->po", vectors, family.bias).reshape(n, n, 4)
            torch.testing.assert_close(family(x1, x2), wanted)
    x1, x2 = inputs(family, 2)
    assert family(x1[:, :0], x2[:, :0, :0]).shape == (2, 0, 0, 4)


def test_padded_points_do_not_matter() -> None:
    layer = made("S()", 1, 2, 2)
    x1, x2 = (x.requires_grad_() for x in inputs(layer, 3, n=4))
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1]]).bool()
    y = layer(x1, x2, mask)
    for i, real in enumerate(mask):
        wanted = layer(x1[i, real][None], x2[i][real][:, real][None])[0]
        torch.testing.assert_close(y[i][real][:, real], wanted)
        assert not y[i][~real].any()
        assert not y[i][:, ~real].any()
    hidden = x1.detach().masked_fill(~mask[..., None], math.nan)
    torch.testing.assert_close(layer(hidden, x2, mask), y)
    g1, g2 = torch.autograd.grad(y.square().sum(), (x1, x2))
    assert not g1[~mask].any()
    assert not g2[~mask].any()
    assert g1[mask].all()


def test_a_mask_of_the_points_of_a_product() -> None:
    """Points with vectors: only the axis of points is padded."""
    layer = quiet(tn.S() * tn.O(3), (0, 1), (0, 1), (0, 1, 1), 2, 2, 3)
    x1, x2 = torch.randn(2, 2, 5, 3, 2, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    y = layer(x1, x2, mask)
    torch.testing.assert_close(y[0, :3], layer(x1[0, :3], x2[0, :3]))
    torch.testing.assert_close(y[1], layer(x1[1], x2[1]))
    assert not y[0, 3:].any()


def test_what_says_n_where_no_input_has_an_axis() -> None:
    layer = made("S()", 0, 0, 1)
    x1, x2 = inputs(layer, 2)
    assert layer(x1, x2, n=5).shape == (2, 5, 4)
    with pytest.raises(ValueError, match="do not say what n is"):
        layer(x1, x2)
    with pytest.raises(ValueError, match="leave n out"):
        made("S()", 1, 0, 1)(torch.zeros(3, 2).double(), torch.zeros(3).double(), n=4)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (TypeError, "in1_channels", (tn.S(3), 1, 1, 1, 2.0, 2, 2), {}),
        (ValueError, "in2_channels", (tn.S(3), 1, 1, 1, 2, 0, 2), {}),
        (ValueError, "out_channels", (tn.S(3), 1, 1, 1, 2, 2, 0), {}),
        (ValueError, "reduce must be", (tn.S(3), 1, 1, 1, 2, 2, 2), {"reduce": "max"}),
        (ValueError, "channels must be", (tn.S(3), 1, 1, 1, 2, 2, 2), {"channels": "some"}),
        (ValueError, "there are 2 and 3", (tn.S(3), 1, 1, 1, 2, 3, 2), {"channels": "channelwise"}),
        (ValueError, "-1", (tn.S(3), -1, 1, 1, 2, 2, 2), {}),
        (TypeError, "floating-point", (tn.S(3), 1, 1, 1, 2, 2, 2), {"dtype": torch.int64}),
        (
            BackendError,
            r"EquivariantLinear\(group, 2, 1",
            (tn.PermutationGroup([[1, 2, 0]]), 1, 1, 1, 2, 2, 2),
            {},
        ),
        (TypeError, "group", ("S", 1, 1, 1, 2, 2, 2), {}),
    ],
)
def test_what_is_refused_at_construction(
    error: type[Exception], message: str, arguments: Any, options: Any
) -> None:
    with pytest.raises(error, match=message):
        EquivariantBilinear(*arguments, **options)


def test_what_is_refused_when_called() -> None:
    layer = EquivariantBilinear(tn.S(3), 1, 2, 1, 2, 4, 2)
    x1, x2 = inputs(layer, 5)
    for error, message, arguments in [
        (TypeError, "second input must be a torch.Tensor", (x1, None)),
        (ValueError, r"first input of shape \(\*batch, 3, 2\)", (x1[:, :2], x2)),
        (ValueError, r"second input of shape \(\*batch, 3, 3, 4\)", (x1, x2[..., :3])),
        (ValueError, "second input", (x1, x2[:, :2])),
        (ValueError, r"batches of shape \(5,\) and \(4,\)", (x1, x2[:4])),
        (ValueError, r"batches of shape \(5,\) and \(\)", (x1, x2[0])),
        (TypeError, "first input is torch.float64", (x1.double(), x2)),
        (ValueError, "a mask and n are for layers of a family", (x1, x2, torch.ones(5, 3).bool())),
    ]:
        with pytest.raises(error, match=message):
            layer(*arguments)
    family = EquivariantBilinear(tn.S(), 1, 1, 1, 2, 2, 2)
    with pytest.raises(ValueError, match=r"second input of shape \(\*batch, 4, 2\)"):
        family(torch.zeros(4, 2), torch.zeros(3, 2))
    with pytest.raises(TypeError, match="boolean tensor"):
        family(torch.zeros(4, 2), torch.zeros(4, 2), torch.ones(4))
    with pytest.raises(ValueError, match=r"shape \(\*batch, n\) = \(4,\)"):
        family(torch.zeros(4, 2), torch.zeros(4, 2), torch.ones(3).bool())


def test_it_says_what_it_is() -> None:
    layer = made("S(5)", 1, 2, 1)
    assert layer.extra_repr() == (
        "S(5), 1, 2, 1, in1_channels=2, in2_channels=3, out_channels=4, bias=True, diagrams=15"
    )
    assert (layer.in_orders, layer.out_order, layer.in1_channels) == ((1, 2), 1, 2)
    assert (layer.in2_channels, layer.out_channels, layer.hom.k) == (3, 4, 3)
    assert str(layer.plan).startswith("S(5), order 1 x 2 -> 1, channels 2 x 3 -> 4, 15 diagrams")
    boxes = steps_of(layer.plan)
    assert [box.names for box in boxes[:2]] == [("x1",), ("x2",)]
    assert len(boxes) == len(layer.plan.steps) + 3


@pytest.mark.parametrize(
    ("name", "k1", "k2", "l", "channels"),
    [("S(5)", 1, 1, 1, "full"), ("SO(3)", 1, 2, 1, "full"), ("Sp(4)", 2, 1, 1, "channelwise")],
)
def test_plan_and_source_are_these(
    name: str, k1: int, k2: int, l: int, channels: Any, golden: Any
) -> None:
    layer = made(name, k1, k2, l, channels=channels)
    about = f"pair_{name}_{k1}_{k2}_{l}".replace("(", "").replace(")", "").lower()
    golden(f"{about}.txt", f"{layer.plan}\n")
    golden(f"{about}_kernel.txt", layer.source)
