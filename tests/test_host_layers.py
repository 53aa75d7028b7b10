"""Layers for automorphism groups of graphs and permutation groups, against definitions written here.

The oracles enumerate group elements and maps of vertices; only data goes in.
"""

from __future__ import annotations

import copy
import gc
import math
import pickle
import re
import warnings
import weakref
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

import tannaka as tn
from tannaka.cli import main
from tannaka.codegen.lowering.choose import plan_layer
from tannaka.codegen.lowering.graph_plan import GraphPlan
from tannaka.codegen.lowering.orbit_plan import OrbitPlan
from tannaka.codegen.runtime.execute import graph_kernel, orbit_kernel
from tannaka.diagrams.errors import (
    BackendError,
    BasisMismatchError,
    EquivarianceError,
    SizeError,
)
from tannaka.nn import EquivariantLinear
from tannaka.testing import assert_equivariant

Array = NDArray[Any]
WAYS = ("sums", "dense", "graphs")
"""Both ways to run a plan by orbits, and plans by bilabelled graphs."""


def coloured(graph: Any, nodes: str = "", edges: str = "") -> tn.Aut:
    """A graph with a letter for each node, or each edge."""
    nx.set_node_attributes(graph, dict(zip(graph.nodes, nodes, strict=False)), "kind")
    nx.set_edge_attributes(graph, dict(zip(graph.edges, edges, strict=False)), "bond")
    return tn.Aut(graph, "kind" if nodes else None, "bond" if edges else None)


def loops() -> Any:
    graph = nx.path_graph(4)
    graph.add_edges_from([(0, 0), (3, 3)])
    return graph


HOSTS: dict[str, tn.PermutationGroup] = {
    "Petersen": tn.Aut(nx.petersen_graph()),
    "cycle": tn.Aut(nx.cycle_graph(5)),
    "path": tn.Aut(nx.path_graph(4)),
    "star": tn.Aut(nx.star_graph(4)),
    "disconnected": tn.Aut(nx.disjoint_union(nx.path_graph(3), nx.path_graph(2))),
    "no edges": tn.Aut(nx.empty_graph(4)),
    "complete": tn.Aut(nx.complete_graph(4)),
    "loops": tn.Aut(loops()),
    "directed cycle": tn.Aut(nx.cycle_graph(4, create_using=nx.DiGraph)),
    "arrows": tn.Aut(nx.DiGraph([(0, 1), (0, 2), (3, 3), (2, 3)])),
    "coloured vertices": coloured(nx.cycle_graph(4), nodes="aabb"),
    "coloured edges": coloured(nx.cycle_graph(4), edges="abab"),
    "coloured arrows": coloured(nx.DiGraph([(0, 1), (1, 2), (2, 0)]), edges="aab"),
    "one vertex": tn.Aut(nx.empty_graph(1)),
    "one loop": tn.Aut(nx.Graph([(0, 0)])),
    "frucht-like": tn.Aut(nx.Graph([(0, 1), (1, 2), (2, 3), (3, 4), (1, 3), (0, 5)])),
    "cyclic": tn.PermutationGroup([(1, 2, 3, 4, 0)]),
    "trivial": tn.PermutationGroup([], 3),
    "Klein": tn.PermutationGroup([(1, 0, 3, 2), (2, 3, 0, 1)]),
    "two kinds": tn.PermutationGroup([(1, 2, 0, 3, 4), (0, 1, 2, 4, 3)]),
    "one point": tn.PermutationGroup([], 1),
}


@cache
def elements(group: tn.PermutationGroup) -> Array:
    """All elements, as the images of 0 .. n-1: by definition for graphs, else by multiplying."""
    n = group.n
    if not isinstance(group, tn.Aut):
        found = {tuple(range(n))}
        while True:
            more = {tuple(g[i] for i in h) for g in group.permutations for h in found} - found
            if not more:
                return np.array(sorted(found))
            found |= more
    host = group.host
    edges = {(a, b, c) for a, b, c in host.edges}
    edges |= {(b, a, c) for a, b, c in edges if not host.directed}
    between = {
        (a, b): {c for x, y, c in edges if (x, y) == (a, b)} for a, b in product(range(n), repeat=2)
    }
    colours = host.colours or (None,) * n

    def extended(images: list[int]) -> Iterator[list[int]]:
        v = len(images)
        if v == n:
            yield images
            return
        for image in set(range(n)) - set(images):
            longer = [*images, image]
            if colours[v] == colours[image] and all(
                between[u, v] == between[longer[u], image]
                and between[v, u] == between[image, longer[u]]
                for u in range(v + 1)
            ):
                yield from extended(longer)

    return np.array(list(extended([])))


@cache
def orbit_numbers(group: tn.PermutationGroup, m: int) -> Array:
    """The number of the orbit of each m-tuple, in lexicographic order of least tuples; flat."""
    n = group.n
    tuples = np.array(list(product(range(n), repeat=m)), dtype=np.int64).reshape(n**m, m)
    codes = np.arange(n**m)
    weights = n ** np.arange(m)[::-1]
    for g in elements(group):
        codes = np.minimum(codes, g[tuples] @ weights)
    found: Array = np.unique(codes, return_inverse=True)[1].reshape(-1)
    return found


def counts(graph: Any, host: Any) -> Array:
    """Homomorphisms: 1 or 0 for all images of all vertices, an axis each, then summed."""
    n, size = host.n, graph.vertices
    images = np.indices((n,) * size, sparse=True)
    table = np.ones((n,) * size, dtype=np.int64)
    for a, b, *colour in graph.edges:
        joined = np.zeros((n, n), dtype=np.int64)
        for i, j, kind in host.edges:
            if colour in ([], [kind]):
                joined[i, j] = 1
                joined[j, i] |= not host.directed
        table *= joined[images[a], images[b]]
    for v, colour in graph.colours:
        table *= np.array([kind == colour for kind in host.colours])[images[v]]
    found = np.zeros((n,) * (graph.cod + graph.dom), dtype=np.int64)
    places = np.argwhere(table)
    np.add.at(found, tuple(places[:, v] for v in (*graph.outputs, *graph.inputs)), 1)
    matrix: Array = found.reshape(n**graph.cod, n**graph.dom)
    return matrix


def stack(layer: EquivariantLinear) -> Array:
    """The matrix that each row of the weight multiplies, (rows, n**l, n**k), by definition."""
    group: Any = layer.group
    k, l, n = layer.in_order, layer.out_order, group.n
    if isinstance(layer.plan, OrbitPlan):
        numbers = orbit_numbers(group, k + l).reshape(n**l, n**k)
        matrices = np.stack([numbers == i for i in range(numbers.max() + 1)]).astype(float)
    else:
        matrices = np.stack([counts(graph, group.host) for graph in layer.plan.basis]).astype(float)
    if layer.plan.reduce == "mean":
        matrices /= matrices.sum(axis=2).max(axis=1)[:, None, None]
    return matrices


def oracle(layer: EquivariantLinear, x: torch.Tensor, matrices: Array | None = None) -> Array:
    """The layer's output, from the matrices and the orbits of outputs."""
    k, l, n = layer.in_order, layer.out_order, layer.group.n
    group: Any = layer.group
    weight = layer.weight.detach().numpy()
    flat = x.reshape(-1, n**k, layer.in_channels).numpy()
    known = stack(layer) if matrices is None else matrices
    y: Array = np.einsum("roi,rpq,bqi->bpo", weight, known, flat, optimize=True)
    if layer.bias is not None:
        y = y + layer.bias.detach().numpy()[orbit_numbers(group, l)]
    return np.reshape(y, (*x.shape[: x.ndim - k - 1], *(n,) * l, layer.out_channels))


def made(group: Any, k: int, l: int, way: str, i: int = 2, o: int = 3, **options: Any) -> Any:
    """A layer with random parameters, in float64, that runs in one of the ways."""
    options.setdefault("dtype", torch.float64)
    basis: Any = "diagram" if way == "graphs" else "orbit"
    layer = EquivariantLinear(group, k, l, i, o, basis=basis, **options)
    for parameter in layer.parameters():
        if parameter.device.type != "meta":
            torch.nn.init.normal_(parameter)
    if isinstance(layer.plan, OrbitPlan) and way != "graphs":
        layer._apply_plan = orbit_kernel(layer.plan, way)  # type: ignore[arg-type]
    return layer


def random_input(layer: EquivariantLinear, *batch: int) -> torch.Tensor:
    shape = (*batch, *(layer.group.n,) * layer.in_order, layer.in_channels)
    return torch.randn(shape, dtype=layer.weight.dtype)


def assert_close(got: torch.Tensor, wanted: Array, tolerance: float = 1e-10) -> None:
    assert tuple(got.shape) == wanted.shape
    error = np.abs(got.detach().double().numpy() - wanted).max(initial=0)
    assert error <= tolerance * np.abs(wanted).max(initial=0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def cases() -> Iterator[Any]:
    """Every host with all orders up to 2; some of order 3 where n is small.

    In every run each host has 1 -> 1 and two more, other ones than the hosts before and after it.
    """
    for i, (name, group) in enumerate(HOSTS.items()):
        most = 1 if name == "Petersen" else 2
        more = [(3, 1), (1, 3), (0, 3), (3, 0)] if group.n <= 3 else []
        for j, (k, l) in enumerate([*product(range(3), repeat=2), *more]):
            marks = pytest.mark.deep if (j - i) % 4 and (k, l) != (1, 1) else ()
            ways = [w for w in WAYS if isinstance(group, tn.Aut) or w != "graphs"]
            for way in ways:
                if way != "graphs" or group.n < 6 or k + l <= most + 1:
                    yield pytest.param(group, k, l, way, id=f"{name}-{k}-{l}-{way}", marks=marks)


@pytest.mark.parametrize(("group", "k", "l", "way"), list(cases()))
def test_the_layer_is_its_definition(group: Any, k: int, l: int, way: str) -> None:
    for reduction, bias in (("mean", True), ("sum", False)):
        layer = made(group, k, l, way, reduce=reduction, bias=bias)
        x = random_input(layer, 2)
        matrices = stack(layer)
        assert len(matrices) == len(layer.weight) == layer.hom.dimension
        assert_close(layer(x), oracle(layer, x, matrices))
        whole = np.einsum("roi,rpq->opiq", layer.weight.detach().numpy(), matrices)
        assert_close(layer.matrix(), whole)
        assert (layer.bias is not None) == bias
    assert_equivariant(layer)


@st.composite
def hosts(draw: st.DrawFn) -> tn.Aut:
    """Any small graph: directed or not, with loops, with colours."""
    n = draw(st.integers(1, 4))
    directed = draw(st.booleans())
    graph = (nx.DiGraph if directed else nx.Graph)()
    graph.add_nodes_from(range(n))
    spots = [(a, b) for a, b in product(range(n), repeat=2) if directed or a <= b]
    graph.add_edges_from(draw(st.sets(st.sampled_from(spots))))
    nodes, edges = draw(st.booleans()), draw(st.booleans())
    for v in graph.nodes:
        graph.nodes[v]["kind"] = draw(st.sampled_from("ab"))
    for edge in graph.edges:
        graph.edges[edge]["bond"] = draw(st.sampled_from("ab"))
    return tn.Aut(graph, "kind" if nodes else None, "bond" if edges else None)


@given(hosts(), st.integers(0, 2), st.integers(0, 2), st.sampled_from(WAYS))
def test_layers_of_any_small_graph(group: tn.Aut, k: int, l: int, way: str) -> None:
    if way == "graphs" and group.dimension(k, l) > 40:
        k, l = min(k, 1), min(l, 1)
    layer = made(group, k, l, way)
    x = random_input(layer, 2)
    # Where the group is small, basis graphs have too many vertices for the oracle.
    graphs = layer.plan.basis if way == "graphs" else ()
    if all(group.n**graph.vertices <= 5000 for graph in graphs):
        assert_close(layer(x), oracle(layer, x))
    assert_equivariant(layer)


# What a check must catch


@pytest.mark.parametrize("way", ["sums", "dense"])
def test_one_spoiled_orbit_number_is_caught(way: Any) -> None:
    layer = made(HOSTS["Petersen"], 1, 1, way)
    assert_equivariant(layer)
    numbers = layer.plan.numbers.copy()
    numbers[0, 1], numbers[0, 2] = numbers[0, 2], numbers[0, 1]
    assert numbers[0, 1] != numbers[0, 2]
    layer.plan.__dict__["numbers"] = numbers
    layer._apply_plan = orbit_kernel(layer.plan, way)
    with pytest.raises(EquivarianceError, match="not equivariant"):
        assert_equivariant(layer)


def test_one_spoiled_entry_is_caught() -> None:
    layer = made(HOSTS["cycle"], 1, 1, "sums")

    def spoiled(x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = layer(x).clone()
        y[..., 0, 0] += 1e-6 * x[..., 1, 0]
        return y

    with pytest.raises(EquivarianceError, match="not equivariant"):
        assert_equivariant(spoiled, layer.group, 1, 1)


def test_one_dropped_edge_is_caught() -> None:
    layer = made(HOSTS["Petersen"], 1, 1, "graphs")
    assert_equivariant(layer)
    plan = GraphPlan(layer.hom, 2, 3, "mean", True)
    a, b, _ = layer.group.host.edges[0]
    spoiled = {name: array.copy() for name, array in plan.constants.items()}
    spoiled["A"][a, b] = spoiled["A"][b, a] = 0
    plan.__dict__["constants"] = spoiled
    layer._apply_plan = graph_kernel(plan)
    with pytest.raises(EquivarianceError, match="not equivariant"):
        assert_equivariant(layer)


# Derivatives, transforms, compilers


SMALL = [(HOSTS["path"], 1, 1), (HOSTS["coloured edges"], 1, 2), (HOSTS["directed cycle"], 2, 0)]


def parametrize(*orders: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("group", "k", "l", "way"),
        [pytest.param(*one, way, id=f"{one[1]}-{one[2]}-{way}") for one in orders for way in WAYS],
    )


def calling(layer: Any) -> tuple[Any, tuple[torch.Tensor, ...]]:
    """The layer as a function of its input and its parameters, and the parameters."""
    names = [name for name, _ in layer.named_parameters()]

    def call(x: torch.Tensor, *parameters: torch.Tensor) -> Any:
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    return call, tuple(p.detach().clone().requires_grad_() for p in layer.parameters())


@parametrize(*SMALL)
def test_first_and_second_derivatives(
    group: Any, k: int, l: int, way: str, request: pytest.FixtureRequest
) -> None:
    layer = made(group, k, l, way, 1, 2)
    call, parameters = calling(layer)
    x = random_input(layer, 2).requires_grad_()
    # In a random direction; entry by entry in deep runs.
    fast = not request.config.getoption("--deep")
    with warnings.catch_warnings():
        # torch compiles its formulas for jvp in a way that it deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        assert torch.autograd.gradcheck(
            call, (x, *parameters), check_forward_ad=True, check_batched_grad=True, fast_mode=fast
        )
    assert torch.autograd.gradgradcheck(call, (x, *parameters), fast_mode=fast)


@parametrize(*SMALL)
def test_transforms_of_functions(group: Any, k: int, l: int, way: str) -> None:
    layer = made(group, k, l, way)
    n, o = group.n, layer.out_channels
    x = random_input(layer, 3)
    wanted = layer(x)
    torch.testing.assert_close(torch.func.vmap(layer)(x), wanted)
    last = torch.func.vmap(layer, in_dims=-1, out_dims=-1)(torch.stack([x, 2 * x], dim=-1))
    torch.testing.assert_close(last, torch.stack([layer(x), layer(2 * x)], dim=-1))
    matrix = layer.matrix()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for jacobian in (torch.func.jacrev, torch.func.jacfwd):
            found = jacobian(layer)(x[0]).reshape(n**l, o, n**k, -1).permute(1, 0, 3, 2)
            torch.testing.assert_close(found, matrix)
        tangent = torch.randn_like(x)
        moved = torch.func.jvp(lambda x: layer(x), (x,), (tangent,))[1]
        torch.testing.assert_close(moved, layer(tangent) - layer(torch.zeros_like(x)))
        hessian = torch.func.hessian(lambda x: (layer(x) ** 2).sum())(x[0])
    rows = matrix.reshape(o * n**l, -1)
    size = hessian.numel()
    flat = hessian.reshape(n**k, 2, n**k, 2).permute(1, 0, 3, 2).reshape(2 * n**k, 2 * n**k)
    torch.testing.assert_close(flat, 2 * rows.T @ rows)
    assert size == (2 * n**k) ** 2
    # Nothing that was made inside of a transform is left behind.
    assert torch.equal(layer(x), wanted)
    layer.float()(x.float().requires_grad_()).sum().backward()


@parametrize(*SMALL)
def test_ensembles_by_vmap_over_the_parameters(group: Any, k: int, l: int, way: str) -> None:
    layers = [made(group, k, l, way) for _ in range(3)]
    stacked = torch.func.stack_module_state(list(layers))
    x = random_input(layers[0], 2)

    def call(parameters: Any, buffers: Any) -> Any:
        return torch.func.functional_call(layers[0], (parameters, buffers), (x,))

    together = torch.func.vmap(call)(*stacked)
    torch.testing.assert_close(together, torch.stack([layer(x) for layer in layers]))


@pytest.mark.parametrize(
    ("name", "k", "l", "way"),
    [
        ("cycle", 1, 2, "dense"),
        ("cycle", 1, 2, "graphs"),
        ("star", 2, 1, "sums"),
        *(
            pytest.param(*one, marks=pytest.mark.deep)
            for one in [
                ("cycle", 1, 2, "sums"),
                ("star", 2, 1, "dense"),
                ("star", 2, 1, "graphs"),
            ]
        ),
    ],
)
def test_compile_and_export_see_through_the_layer(name: str, k: int, l: int, way: str) -> None:
    layer = made(HOSTS[name], k, l, way)
    x = random_input(layer, 3).requires_grad_()
    # Before anything has run: no tensor of the tracing is kept.
    sizes = {"x": {0: torch.export.Dim("batch", min=1, max=64)}}
    program = torch.export.export(layer, (x,), dynamic_shapes=sizes)
    compiled: Any = torch.compile(layer, fullgraph=True, backend="aot_eager")
    gradients = [torch.autograd.grad(f(x).square().sum(), x)[0] for f in (layer, compiled)]
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(compiled(x), layer(x))
    exported: Any = program.module()
    torch.testing.assert_close(exported(x[:2]), layer(x[:2]))


@pytest.mark.parametrize("way", WAYS)
def test_inference_mode_leaves_training_alone(way: str) -> None:
    layer = made(HOSTS["cycle"], 1, 1, way)
    x = random_input(layer, 2)
    with torch.inference_mode():
        inferred = layer(x)
    y = layer(x.requires_grad_())
    y.sum().backward()
    torch.testing.assert_close(y, inferred)
    assert layer.weight.grad is not None


@pytest.mark.parametrize("way", WAYS)
def test_threads_may_share_a_layer(way: str) -> None:
    layer = made(HOSTS["Petersen"], 1, 1, way)
    xs = [random_input(layer, 5) for _ in range(16)]

    def run(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = x.clone().requires_grad_()
        y = layer(x)
        return y.detach(), torch.autograd.grad(y.square().sum(), x)[0]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(run, xs))
    for (y, gradient), x in zip(together, xs, strict=True):
        wanted = run(x)
        torch.testing.assert_close((y, gradient), wanted)


# Life of a module


@pytest.mark.parametrize("way", WAYS)
def test_the_layer_works_from_meta_device_to_pickle(way: str) -> None:
    layer = made(HOSTS["star"], 1, 2, way)
    empty = made(HOSTS["star"], 1, 2, way, device="meta")
    assert empty(torch.zeros(2, 5, 2, dtype=torch.float64, device="meta")).shape == (2, 5, 5, 3)
    restored = empty.to_empty(device="cpu")
    restored.reset_parameters()
    assert all(parameter.isfinite().all() for parameter in restored.parameters())
    restored.load_state_dict(layer.state_dict())
    x = random_input(layer, 4)
    for twin in (restored, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin(x), layer(x))
        assert twin.weight is not layer.weight
    assert set(layer.state_dict()) == {"weight", "bias", "_extra_state"}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_stale_and_nothing_kept(way: str) -> None:
    layer = made(HOSTS["Petersen"], 1, 1, way)
    x = random_input(layer, 3)
    wanted = layer(x)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        layer.to(dtype)(x.to(dtype).requires_grad_()).sum().backward()
        layer.zero_grad()
    layer.weight.data = layer.weight.data.float().double()
    torch.testing.assert_close(layer(x), wanted, rtol=0.1, atol=0.1)
    with torch.no_grad():
        layer.weight.mul_(2)
        layer.bias.zero_()
        twice = layer(x)
        layer.weight.div_(2)
        torch.testing.assert_close(layer(x) * 2, twice)

    # What other tests hold is set aside: it is a million objects, and none of them new.
    gc.collect()
    gc.freeze()
    try:
        for size in range(1, 40):
            layer(torch.randn(size, 10, 2, dtype=torch.float64)).sum().backward()
        held = torch.zeros(3)
        gc.collect()
        new = sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())
    finally:
        gc.unfreeze()
    assert new == len([held])


def test_a_state_dict_fits_its_basis_and_its_graph_alone() -> None:
    petersen = HOSTS["Petersen"]
    orbits, graphs = made(petersen, 1, 1, "sums"), made(petersen, 1, 1, "graphs")
    for one, other in ((orbits, graphs), (graphs, orbits)):
        with pytest.raises(BasisMismatchError, match=r"orbits.*bilabelled graphs|graphs.*orbits"):
            one.load_state_dict(other.state_dict())
    for way in WAYS:
        twin = made(tn.Aut(nx.petersen_graph()), 1, 1, way)
        (graphs if way == "graphs" else orbits).load_state_dict(twin.state_dict())
    # The complement has the same group, so the same orbits; its graphs mean something else.
    other = tn.Aut(nx.complement(nx.petersen_graph()))
    orbits.load_state_dict(made(other, 1, 1, "sums").state_dict())
    with pytest.raises(BasisMismatchError, match="the same group, orders, basis"):
        graphs.load_state_dict(made(other, 1, 1, "graphs").state_dict())
    # Generators of the same group, and of another.
    square = made(tn.PermutationGroup([(1, 2, 3, 0)]), 1, 1, "sums")
    square.load_state_dict(made(tn.PermutationGroup([(3, 0, 1, 2)]), 1, 1, "sums").state_dict())
    for generators in ([(2, 3, 1, 0)], [(1, 0, 3, 2), (2, 3, 0, 1)]):
        with pytest.raises(BasisMismatchError):
            square.load_state_dict(made(tn.PermutationGroup(generators), 1, 1, "sums").state_dict())


def test_hosts_that_differ_by_colours_or_size_alone_are_told_apart() -> None:
    def signature(group: tn.Aut) -> str:
        return plan_layer(tn.Hom(group, 1, 1), 1, 1, basis="diagram").signature()

    paths = [
        coloured(nx.path_graph(4), nodes="abba"),
        coloured(nx.path_graph(4), nodes="baab"),
        tn.Aut(nx.path_graph(4)),
        tn.Aut(nx.disjoint_union(nx.path_graph(4), nx.empty_graph(1))),
        tn.Aut(nx.empty_graph(4)),
        tn.Aut(nx.empty_graph(5)),
        coloured(nx.path_graph(4), edges="aba"),
        coloured(nx.path_graph(4), edges="bab"),
        tn.Aut(nx.path_graph(4, create_using=nx.DiGraph)),
        # The same graphs are a basis for both.
        coloured(nx.path_graph(3), nodes="aab"),
        coloured(nx.path_graph(3), nodes="abb"),
    ]
    assert len({signature(group) for group in paths}) == len(paths)
    assert signature(paths[0]) == signature(coloured(nx.path_graph(4), nodes="abba"))


# Shapes and dtypes


@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,), (2, 0, 3), (1, 1, 2)])
@parametrize((HOSTS["star"], 2, 1), (HOSTS["cycle"], 0, 2), (HOSTS["loops"], 1, 0))
def test_any_batch_shape(group: Any, k: int, l: int, way: str, batch: tuple[int, ...]) -> None:
    layer = made(group, k, l, way)
    x = random_input(layer, *batch).requires_grad_()
    y = layer(x)
    assert y.shape == (*batch, *(group.n,) * l, 3)
    flat = layer(x.reshape(math.prod(batch), *x.shape[len(batch) :]))
    torch.testing.assert_close(y.reshape(flat.shape), flat)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.shape == x.shape


@parametrize((HOSTS["path"], 2, 2))
def test_strides_do_not_matter_and_the_input_is_left_alone(
    group: Any, k: int, l: int, way: str
) -> None:
    layer = made(group, k, l, way)
    x = random_input(layer, 3)
    views = [
        x.transpose(0, -1).contiguous().transpose(0, -1),
        torch.stack([x, -x], dim=-1)[..., 0],
        x.flip(0).flip(0),
        x[:1].expand_as(x),
    ]
    for view in views:
        before = view.clone()
        torch.testing.assert_close(layer(view), layer(view.contiguous()))
        assert torch.equal(view, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@parametrize((HOSTS["Petersen"], 1, 2))
def test_dtypes(group: Any, k: int, l: int, way: str, dtype: torch.dtype) -> None:
    layer = made(group, k, l, way, dtype=dtype)
    x = random_input(layer, 2)
    y = layer(x)
    assert y.dtype == dtype
    assert_equivariant(layer)
    assert_close(y, copy.deepcopy(layer).double()(x.double()).detach().numpy(), _room(dtype))


def _room(dtype: torch.dtype) -> float:
    return 16 * torch.finfo(dtype).eps


@parametrize((HOSTS["Petersen"], 1, 1), (HOSTS["path"], 2, 2))
def test_autocast(group: Any, k: int, l: int, way: str) -> None:
    layer = made(group, k, l, way, dtype=torch.float32)
    x = random_input(layer, 2).requires_grad_()
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype=dtype):
            y, half = layer(x), layer(x.to(dtype))
        assert (y.dtype, half.dtype) == (dtype, dtype)
        assert_close(y, layer(x).double().detach().numpy(), 4 * _room(dtype))
        y.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    exact = made(group, k, l, way)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert exact(x.double()).dtype == torch.float64


@pytest.mark.parametrize("way", WAYS)
def test_what_is_refused_is_named(way: str) -> None:
    layer = made(HOSTS["cycle"], 1, 1, way, dtype=torch.float32)
    for shape in ((2, 5, 3), (4, 2), (2,)):
        with pytest.raises(ValueError, match=r"expects an input of shape \(\*batch, 5, 2\)"):
            layer(torch.zeros(shape))
    with pytest.raises(TypeError, match=r"the input is torch\.float64, the layer torch\.float32"):
        layer(torch.zeros(5, 2, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"torch\.int64"):
        layer(torch.zeros(5, 2, dtype=torch.int64))


@pytest.mark.parametrize("group", [HOSTS["cycle"], HOSTS["cyclic"]], ids=str)
def test_what_is_not_there_is_refused(group: Any) -> None:
    options: Any
    for options, error, words in (
        ({"backend": "triton"}, BackendError, "run in PyTorch, backend 'auto' or 'einsum'"),
        ({"basis": "graphs"}, ValueError, "basis must be 'auto', 'diagram' or 'orbit'"),
        ({"reduce": "max"}, ValueError, "reduce must be 'mean' or 'sum'"),
        ({"out_channels": 0}, ValueError, "out_channels must be"),
    ):
        given: Any = {"in_channels": 1, "out_channels": 1} | options
        with pytest.raises(error, match=words):
            EquivariantLinear(group, 1, 1, **given)
    with pytest.raises(ValueError, match="have weights for diagrams, not for orbits"):
        EquivariantLinear(tn.S(3), 1, 1, 1, 1, basis="orbit")


@pytest.mark.parametrize("name", ["Aut(petersen)", "PermutationGroup(5)", "Aut(5)"])
def test_the_command_line_knows_no_graphs_and_says_so(name: str) -> None:
    from click.testing import CliRunner

    result = CliRunner().invoke(main, ["generate", name, "1", "1"])
    assert result.exit_code != 0
    assert "no group is called" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_sizes_that_are_hopeless_are_refused_at_once() -> None:
    with pytest.raises(SizeError, match="basis='diagram' applies bilabelled graphs"):
        EquivariantLinear(tn.Aut(nx.cycle_graph(70)), 2, 2, 1, 1, basis="orbit")
    with pytest.raises(SizeError, match=r"too many pairs .* and too many orbits"):
        EquivariantLinear(tn.Aut(nx.path_graph(70)), 2, 2, 1, 1)


def test_repr_says_what_matters() -> None:
    layers = [made(HOSTS["Petersen"], 1, 1, way) for way in WAYS]
    start = "EquivariantLinear(Aut(Petersen Graph), 1, 1, in_channels=2, out_channels=3, bias=True"
    assert [repr(layer) for layer in layers] == [
        f"{start}, orbits=3)",
        f"{start}, orbits=3)",
        f"{start}, graphs=3)",
    ]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@parametrize((HOSTS["Petersen"], 1, 2), (HOSTS["star"], 2, 1), (HOSTS["coloured vertices"], 1, 1))
def test_initial_weights_preserve_variance(
    group: Any, k: int, l: int, way: str, reduction: Any
) -> None:
    total, layers = 0.0, 80
    basis: Any = "diagram" if way == "graphs" else "orbit"
    layer = EquivariantLinear(group, k, l, 8, 8, reduce=reduction, basis=basis)
    for _ in range(layers):
        layer.reset_parameters()
        assert layer.bias is not None
        assert not layer.bias.any()
        with torch.no_grad():
            total += float((layer(torch.randn(20, *(group.n,) * k, 8)) ** 2).mean()) / layers
    assert math.isclose(total, 1, rel_tol=0.2)


# Plans


STEP = re.compile(r"  (\w+)\[(\w*)\] = (?:sum over (\w+) of )?(\w+)\[(\w*)\](?: (\w+)\[(\w*)\])?")
ROW = re.compile(r"  y\[(\w*)\] \+= W(\d+)(?:/(\d+))? (\w+)\[(\w*)\]  # .*")


def interpreted(layer: Any, x: Array) -> tuple[Array, int]:
    """Run the text of a plan in numpy, for one input; and count multiplications and additions."""
    plan, n = layer.plan, layer.group.n
    host = layer.group.host.adjacency()
    known: dict[str, Array] = {"x": x, "A": host, "loops_A": np.diagonal(host)}
    depends, flops = {"x"}, 0
    weight = layer.weight.detach().numpy()
    y = np.zeros((*(n,) * layer.out_order, layer.out_channels))
    _, *lines, last = str(plan).splitlines()
    for line in lines:
        if found := STEP.fullmatch(line):
            out, keep, summed, *operands = found.groups()
            pairs = [(a, b) for a, b in zip(operands[::2], operands[1::2], strict=True) if a]
            assert set(summed or "") == set("".join(at for _, at in pairs)) - set(keep)
            terms = ",".join(f"{at}..." if name in depends else at for name, at in pairs)
            features = bool(depends & {name for name, _ in pairs})
            if features:
                letters = len(set("".join(at for _, at in pairs)))
                flops += n**letters * x.shape[-1] * (len(pairs) - 1 + bool(summed))
                depends.add(out)
            known[out] = np.einsum(
                f"{terms}->{keep}{'...' * features}", *(known[name] for name, _ in pairs)
            )
            continue
        row = ROW.fullmatch(line)
        assert row, line
        labels, number, divisor, source, at = row.groups()
        names = "".join(dict.fromkeys(labels))
        for images in product(range(n), repeat=len(names)):
            place = dict(zip(names, images, strict=True))
            term = known[source][tuple(place[i] for i in at)]
            y[tuple(place[i] for i in labels)] += weight[int(number)] @ term / int(divisor or 1)
        flops += 2 * n ** len(at) * weight[0].size + n ** len(names) * layer.out_channels
    assert last == f"  flops per input: {flops:,}"
    return y, flops


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("name", "k", "l"),
    [
        ("Petersen", 1, 1),
        ("star", 2, 2),
        ("loops", 1, 2),
        ("cycle", 2, 1),
        ("path", 0, 2),
        ("directed cycle", 1, 1),
        ("arrows", 1, 1),
        ("frucht-like", 1, 1),
        ("star", 0, 0),
    ],
)
def test_the_text_of_a_plan_is_what_runs(name: str, k: int, l: int, reduction: Any) -> None:
    layer = made(HOSTS[name], k, l, "graphs", reduce=reduction, bias=False)
    x = random_input(layer)
    y, flops = interpreted(layer, x.numpy())
    assert_close(layer(x), y)
    assert flops == layer.plan.flops()
    assert layer.plan.flops(7) == 7 * flops


@pytest.mark.parametrize("name", ["Petersen", "star", "two kinds", "trivial"])
def test_the_text_of_a_plan_by_orbits(name: str) -> None:
    layer = made(HOSTS[name], 1, 1, "sums")
    text, n = str(layer.plan), layer.group.n
    numbers = orbit_numbers(layer.group, 2).reshape(n, n)
    sums = sum(len(set(row)) for row in numbers.tolist())
    assert layer.plan.sums == sums
    assert layer.plan.flops("dense") == 2 * n * n * 2 * 3
    assert layer.plan.flops("sums", 5) == 5 * (n * n * 2 + 2 * sums * 2 * 3)
    assert f"{numbers.max() + 1} orbits" in text
    assert f"dense {2 * n * n * 2 * 3:,}" in text
    terms = Counter(numbers.reshape(-1).tolist())
    outputs = orbit_numbers(layer.group, 1)
    for number in range(numbers.max() + 1):
        row = np.argwhere(numbers == number)[0][0]
        rows = (outputs == outputs[row]).sum()
        assert layer.plan.terms[number] == terms[number] / rows


# Large hosts


class Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """How many bytes of tensors live at most, of those made inside."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, tuple | list) else [out]:
            if isinstance(one, torch.Tensor):
                storage = one.untyped_storage()
                key, size = storage.data_ptr(), storage.nbytes()
                if size and key not in self.seen:
                    self.seen.add(key)
                    self.now += size
                    self.most = max(self.most, self.now)
                    weakref.finalize(storage, self.freed, key, size)
        return out

    def freed(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


@pytest.mark.parametrize("half", [60, pytest.param(500, marks=pytest.mark.deep)])
def test_a_large_host_by_contraction(half: int) -> None:
    n = 2 * half
    group = tn.Aut(nx.complete_bipartite_graph(half, half))
    layer = EquivariantLinear(group, 2, 2, 2, 2)
    assert isinstance(layer.plan, GraphPlan)
    assert max(len(step.keep) for step in layer.plan.steps) == 2
    x = torch.randn(n, n, 2)
    with torch.no_grad():
        layer(x)
        with Living() as living:
            y = layer(x)
    assert living.most < 10 * x.nbytes
    # A sampled automorphism, by indexing.
    images = np.argmax(group.sample(0), axis=0)
    back = torch.from_numpy(np.argsort(images))
    assert not np.array_equal(images, np.arange(n))
    moved = layer(x[back][:, back])
    torch.testing.assert_close(moved, y[back][:, back], rtol=1e-4, atol=1e-4)
    swap = torch.from_numpy(np.roll(np.arange(n), half))
    other = torch.from_numpy(np.r_[half, 1:half, 0, half + 1 : n])
    torch.testing.assert_close(layer(x[swap][:, swap]), y[swap][:, swap], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(layer(x[other][:, other]), y[other][:, other], rtol=1e-2, atol=1e-2)


def johnson(n: int, k: int) -> Any:
    sets = list(combinations(range(n), k))
    pairs = combinations(sets, 2)
    return nx.from_edgelist((a, b) for a, b in pairs if len({*a} & {*b}) == k - 1)


@pytest.mark.parametrize(
    ("graph", "k", "l"),
    [
        pytest.param(johnson(6, 2), 2, 2, id="Johnson"),
        pytest.param(nx.kneser_graph(7, 2), 2, 2, id="Kneser"),
        pytest.param(nx.hypercube_graph(6), 1, 2, id="hypercube"),
        pytest.param(nx.hypercube_graph(8), 1, 1, id="large hypercube"),
    ],
)
def test_both_bases_on_symmetric_hosts(graph: Any, k: int, l: int) -> None:
    """Each layer is in the span of the other's basis, so that weights can be moved across."""
    group = tn.Aut(graph)
    graphs = made(group, k, l, "graphs", 2, 2, bias=False)
    orbits = made(group, k, l, "sums", 2, 2, bias=False, reduce="sum")
    assert_equivariant(graphs, samples=2)
    values = np.stack([np.array(v, dtype=float) for v in group.basis_values(k, l).values()])
    scaled = values / np.array(graphs.plan.terms(), dtype=float)[:, None]
    with torch.no_grad():
        orbits.weight.copy_(torch.einsum("roi,rp->poi", graphs.weight, torch.from_numpy(scaled)))
    x = random_input(graphs, 2)
    assert_close(orbits(x), graphs(x).detach().numpy(), 1e-9)


def test_long_paths_neither_overflow_nor_lose_accuracy() -> None:
    n = 280  # 2^139 walks are more than float32 and bfloat16 hold
    layer = made(tn.Aut(nx.cycle_graph(n)), 1, 1, "graphs", 1, 1, bias=False)
    x = torch.randn(1, n, 1, dtype=torch.float64)
    # Walks of each length from vertex 0, and the others by turning.
    known = {0: [int(v == 0) for v in range(n)]}
    for m in range(1, n // 2 + 1):
        last = known[m - 1]
        known[m] = [last[v - 1] + last[(v + 1) % n] for v in range(n)]
    seen = Counter(len(graph.edges) for graph in layer.plan.basis)
    assert seen == {m: 2 if m == 0 else 1 for m in range(n // 2)}
    rows = []
    for graph in layer.plan.basis:
        m = len(graph.edges)
        row = [1] * n if graph.vertices == 2 and not m else known[m]
        whole = sum(row)
        rows.append([value / whole for value in row])
    index = (np.arange(n)[None] - np.arange(n)[:, None]) % n
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        short, given = copy.deepcopy(layer).to(dtype), x.to(dtype)
        total = short.weight.detach().double().numpy().reshape(-1) @ np.array(rows)
        wanted = (total[index] @ given[0].double().numpy())[None]
        assert short(given).dtype == dtype
        assert_close(short(given), wanted, {torch.float64: 1e-12}.get(dtype, _room(dtype)))


@cache
def hub_on_a_path(directed: bool) -> tn.Aut:
    """A path of 16 vertices, and 200 more vertices joined to its end."""
    graph = nx.path_graph(16, create_using=nx.DiGraph if directed else nx.Graph)
    graph.add_edges_from((100 + i, 0) for i in range(200))
    return tn.Aut(graph)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("directed", [False, True])
def test_hubs_on_long_paths_do_not_swamp_them(directed: bool, reduction: Any) -> None:
    """A vertex of large degree at the end of a path: its walks outgrow those of the path."""
    group = hub_on_a_path(directed)
    layer = made(group, 1, 1, "graphs", 1, 1, bias=False, reduce=reduction)
    x = random_input(layer, 2)
    exact = layer.matrix()[0, :, 0]
    assert_close(layer(x)[..., 0], (x[..., 0] @ exact.T).numpy(), 1e-12)
    for dtype in (torch.float32, torch.float16) if reduction == "mean" else ():
        short = copy.deepcopy(layer).to(dtype)
        wanted = short.double()(x.to(dtype).double()).detach().numpy()
        assert_close(short.to(dtype)(x.to(dtype)), wanted, _room(dtype))


# The model


def test_the_model_does_not_go_wrong_by_orders_of_magnitude() -> None:
    cycle = plan_layer(tn.Hom(tn.Aut(nx.cycle_graph(300)), 1, 1), 8, 8)
    assert isinstance(cycle, OrbitPlan)
    assert [cycle.way(batch) for batch in (1, 64)] == ["sums", "dense"]
    wide = plan_layer(tn.Hom(HOSTS["Petersen"], 2, 2), 64, 64)
    assert isinstance(wide, OrbitPlan)
    assert wide.way() == "sums"
    trivial = plan_layer(tn.Hom(tn.PermutationGroup([], 8), 1, 1), 4, 4)
    assert isinstance(trivial, OrbitPlan)
    assert trivial.way() == "dense"
    # A matrix that would not fit is not written, whatever the batch.
    large = plan_layer(tn.Hom(tn.Aut(nx.cycle_graph(1000)), 1, 1), 32, 32)
    assert isinstance(large, OrbitPlan)
    assert large.way(10**6) == "sums"
    bipartite = tn.Aut(nx.complete_bipartite_graph(50, 50))
    assert isinstance(plan_layer(tn.Hom(bipartite, 2, 2), 4, 4), GraphPlan)


def test_the_way_changes_with_the_batch_where_the_text_says() -> None:
    layer = EquivariantLinear(tn.Aut(nx.cycle_graph(50)), 1, 1, 8, 8, dtype=torch.float64)
    found = re.search(r"up to ([\d,]+) inputs: means .*\n  for more: one matrix", str(layer.plan))
    assert found
    most = int(found[1].replace(",", ""))
    assert isinstance(layer.plan, OrbitPlan)
    assert [layer.plan.way(most), layer.plan.way(most + 1)] == ["sums", "dense"]
    x = torch.randn(most + 1, 50, 8, dtype=torch.float64)
    torch.testing.assert_close(layer(x)[:most], layer(x[:most]))


def test_counts_that_no_float_holds_are_refused() -> None:
    plan = GraphPlan(tn.Hom(HOSTS["Petersen"], 1, 1), 1, 1, "sum", True)
    scaled = plan.scaled
    powers = dict.fromkeys(scaled.exponents, 2000)
    plan.__dict__["scaled"] = replace(scaled, exponents=powers)
    with pytest.raises(SizeError, match=r"about 2\^2000 homomorphisms, .* reduce='mean' divides"):
        plan.factors()
