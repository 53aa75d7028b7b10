"""Files of permutation groups: tables of generators, orbits and graphs, and what these mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from tannaka.category.automorphisms import Aut
from tannaka.category.orbitals import Orbit
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.backends.arrays import constant
from tannaka.codegen.backends.graphs import host_of
from tannaka.codegen.backends.matrices import orbit_rows
from tannaka.codegen.lowering.graph_plan import GraphPlan
from tannaka.codegen.lowering.orbit_plan import OrbitPlan
from tannaka.codegen.notation import indices
from tannaka.codegen.standalone.axes import Axes
from tannaka.codegen.standalone.definition import Library, signature
from tannaka.codegen.standalone.tables import Table, comment
from tannaka.diagrams.bilabelled import BilabelledGraph
from tannaka.diagrams.errors import PlanError

HostPlans: TypeAlias = OrbitPlan | GraphPlan


def host_tables(plan: HostPlans) -> list[str]:
    """The group's generators, its graph if it has one, and what rows belong to."""
    group = plan.hom.group
    assert isinstance(group, PermutationGroup)
    lines = [
        "# Permutations of the indices that generate the group, each as the list of its images.",
        constant("GENERATORS: tuple[tuple[int, ...], ...]", tuple(map(tuple, group.permutations))),
    ]
    if isinstance(group, Aut):
        lines += _host(group)
    if isinstance(plan, OrbitPlan):
        lines += comment(
            "Row i of the weight is for the orbit of this tuple of indices, outputs first: entry "
            "(i, j) of the matrix is the weight of the orbit of (i, j)."
        )
        rows = list(orbit_rows(plan))
        table = Table("ORBITS", "tuple[int, ...]", *_columns(rows))
    else:
        coloured = bool(host_of(plan).vertex_colours)
        lines += comment(
            "Row i of the weight is for graph i: its edges, the vertex at each output and at each "
            f"input{', and the colours of vertices' * coloured}."
        )
        rows = [_graph(graph, row, plan) for row, graph in enumerate(plan.basis)]
        lines += ["Pairs = tuple[tuple[int, ...], ...]", f"Graph = {_graph_kind(coloured)}"]
        table = Table("GRAPHS", "Graph", *_columns(rows))
    lines += table.lines()
    if plan.bias_basis is not None:
        lines.append("# Row i of the bias is for the orbit of this tuple of output indices.")
        found = [_bias(orbit, row) for row, orbit in enumerate(plan.bias_basis)]
        lines += Table("BIAS_ORBITS", "tuple[int, ...]", *_columns(found)).lines()
    return lines


def _columns(rows: Sequence[tuple[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(row for row, _ in rows), tuple(said for _, said in rows)


def _bias(orbit: Orbit, row: int) -> tuple[str, str]:
    outs = indices(tuple(range(orbit.cod)))
    return repr(orbit.indices), f"{orbit}: y[{outs}] += b{row}"


def _graph_kind(coloured: bool) -> str:
    """The type of a row of the table of graphs."""
    one = "tuple[int, ...]"
    return f"tuple[Pairs, {one}, {one}{', Pairs' * coloured}]"


def _graph(graph: BilabelledGraph, row: int, plan: GraphPlan) -> tuple[str, str]:
    """A graph as data, its colours by number, and in words."""
    host = host_of(plan)
    edges = tuple(
        (*edge[:2], *(host.edge_colours.index(c) for c in edge[2:])) for edge in graph.edges
    )
    named = {v for edge in graph.edges for v in edge[:2]}.union(graph.outputs, graph.inputs)
    if len(named.union(v for v, _ in graph.colours)) < graph.vertices:
        raise PlanError(
            f"({graph}) is another graph of the basis, as often as the host has vertices"
        )
    data: tuple[object, ...] = (edges, graph.outputs, graph.inputs)
    if host.vertex_colours:
        data += (tuple((v, host.vertex_colours.index(c)) for v, c in graph.colours),)
    return repr(data), f"{graph}: {_formula(graph, row, plan)}"


def _formula(graph: BilabelledGraph, row: int, plan: GraphPlan) -> str:
    """What a graph does to a tensor x, in index notation; A is the adjacency matrix of the host."""
    order = [*dict.fromkeys((*graph.outputs, *graph.inputs)), *range(graph.vertices)]
    number = {v: i for i, v in enumerate(dict.fromkeys(order))}
    summed = sorted(set(number.values()) - {number[v] for v in graph.outputs})
    factors = [
        f"A{''.join(f'_{kind}' for kind in edge[2:])}[{indices((number[edge[0]], number[edge[1]]))}]"
        for edge in graph.edges
    ]
    factors += [f"is_{kind}[{indices((number[v],))}]" for v, kind in graph.colours]
    factors.append(f"x[{indices(tuple(number[v] for v in graph.inputs))}]")
    over = f"{plan.reduce} over {indices(tuple(summed))} of " if summed else ""
    outs = indices(tuple(number[v] for v in graph.outputs))
    return f"y[{outs}] += W{row} {over}{' '.join(factors)}"


def _host(group: Aut) -> list[str]:
    """The edges of the host, with the numbers of their colours, and the colours of its vertices."""
    host = group.host
    coloured = host.edge_colours not in ((), (None,))
    what = "a, b and the number of its kind" if coloured else "a, b"
    joins = "from a to b" if host.directed else "between a and b"
    edges = tuple(
        (a, b, host.edge_colours.index(kind)) if coloured else (a, b) for a, b, kind in host.edges
    )
    kind = "tuple[tuple[int, int, int], ...]" if coloured else "tuple[tuple[int, int], ...]"
    lines = [f"# The edges of the graph, {joins}: {what}.", constant(f"EDGES: {kind}", edges)]
    if host.vertex_colours:
        numbers = tuple(-1 if c is None else host.vertex_colours.index(c) for c in host.colours)
        lines += [
            "# The kind of each vertex, by number.",
            constant("COLOURS: tuple[int, ...]", numbers),
        ]
    return lines


def host_definition(plan: HostPlans, axes: Axes, library: Library) -> list[str]:
    """The functions that apply the layer by its definition, each as text."""
    bias = plan.bias_basis is not None
    parts = [ORBIT] if bias or isinstance(plan, OrbitPlan) else []
    if isinstance(plan, GraphPlan):
        parts.append(_dense(plan, library))
    return [*parts, _reference(plan, axes, library)]


ORBIT = '''\
def orbit(indices: tuple[int, ...]) -> list[int]:
    """The places, in a flat array, of all tuples that the group takes this one to."""
    found = new = {indices}
    while new:
        moved = {tuple(images[i] for i in one) for images in GENERATORS for one in new}
        new = moved - found
        found = found | new
    if indices != min(found):
        raise SystemExit("FAILED: rows name the least tuple of their orbit")
    return [sum(i * N**place for place, i in enumerate(reversed(one))) for one in sorted(found)]
'''


def _dense(plan: GraphPlan, library: Library) -> str:
    """The function that counts the homomorphisms of a graph."""
    host, xp, array = host_of(plan), library.name, library.array
    coloured = host.edge_colours not in ((), (None,))
    torch = xp == "torch"
    lines = [
        f"def dense(graph: Graph) -> {array}:",
        '    """The matrix of a graph: how many maps of its vertices take edges to edges.',
        "",
        "    At row i and column j those that take the vertices of the outputs to i, of the inputs to j.",
        '    """',
        f"    edges, outputs, inputs{', kinds' * bool(host.vertex_colours)} = graph",
        f"    one = {xp}.eye(N{library.float64})",
        # Where no axis has to be there, nothing else need be: an empty product is one.
        f"    operands: list[Any] = {'[]' if plan.dom or plan.cod else '[one[0, 0], []]'}",
        "    places = range(ORDER_OUT + ORDER_IN)",
    ]
    unpacked, wanted = ("a, b, *kind", "not kind or colour in kind") if coloured else ("a, b", "")
    lines += [
        f"    for {unpacked} in edges:",
        f"        joined = {xp}.zeros((N, N){library.float64})",
        f"        for i, j{', colour' * coloured} in EDGES:",
    ]
    pad = "            "
    if coloured:
        lines.append(f"            if {wanted}:")
        pad += "    "
    both = "joined[i, j]" if host.directed else "joined[i, j] = joined[j, i]"
    lines += [
        f"{pad}{both} = 1.0",
        "        operands += [joined, [len(places) + a, len(places) + b]]",
    ]
    if host.vertex_colours:
        made = "torch.tensor" if torch else "np.array"
        lines += [
            "    for v, own in kinds:",
            f"        which = {made}([colour == own for colour in COLOURS])",
            "        operands += [one @ which.to(one), [len(places) + v]]"
            if torch
            else "        operands += [one @ which, [len(places) + v]]",
        ]
    lines += [
        "    for place, v in zip(places, outputs + inputs, strict=True):",
        "        operands += [one, [place, len(places) + v]]",
        f"    counts: {array} = {xp}.einsum(*operands, list(places){', optimize=True' * (not torch)})",
        "    return counts.reshape(N**ORDER_OUT, -1)",
    ]
    return "\n".join(lines) + "\n"


def _reference(plan: HostPlans, axes: Axes, library: Library) -> str:
    """The function that applies the layer by its definition."""
    bias, array, xp = plan.bias_basis is not None, library.array, library.name
    mean = plan.reduce == "mean"
    lines = [
        *signature("reference", [f"x: {array}", f"weight: {array}"], bias, axes, array),
        '    """The layer by its definition, for x with one batch axis."""',
        "    flat = x.reshape(len(x), N**ORDER_IN, -1)",
    ]
    if isinstance(plan, OrbitPlan):
        lines += [
            f"    matrix = {xp}.zeros((N ** (ORDER_OUT + ORDER_IN), *weight.shape[1:]){library.float64})",
            "    total = 0",
            "    for indices, w in zip(ORBITS, weight, strict=True):",
            "        places = orbit(indices)",
            "        total += len(places)",
        ]
        if mean:
            lines += [
                "        # The mean: divide by how many inputs are joined to each output.",
                "        terms = len(places) / len({place // N**ORDER_IN for place in places})",
                "        matrix[places] = w / terms",
            ]
        else:
            lines.append("        matrix[places] = w")
        lines += [
            "    if total != len(matrix):",
            '        raise SystemExit("FAILED: every pair of indices is in one orbit")',
            "    matrix = matrix.reshape(N**ORDER_OUT, N**ORDER_IN, *weight.shape[1:])",
            f'    y: {array} = {xp}.einsum("pqoi,bqi->bpo", matrix, flat)',
        ]
    else:
        lines += [
            f"    y = {xp}.zeros((len(x), N**ORDER_OUT, weight.shape[1]){library.float64})",
            "    for graph, w in zip(GRAPHS, weight, strict=True):",
            "        matrix = dense(graph)",
        ]
        if mean:
            lines += [
                "        # The mean: divide by the number of terms that an output sums.",
                "        matrix = matrix / abs(matrix).sum(1).max()",
            ]
        lines.append(f'        y = y + {xp}.einsum("pq,bqi,oi->bpo", matrix, flat, w)')
    if bias:
        lines += [
            f"    added = {xp}.zeros((N**ORDER_OUT, weight.shape[1]){library.float64})",
            "    for indices, b in zip(BIAS_ORBITS, bias, strict=True):",
            "        added[orbit(indices)] = b",
            "    y = y + added",
        ]
    lines.append("    return y.reshape(len(x), *(N,) * ORDER_OUT, -1)")
    return "\n".join(lines) + "\n"


def kept(plan: HostPlans) -> list[str]:
    """Statements of the check: generators are automorphisms of the graph."""
    group = plan.hom.group
    if not isinstance(group, Aut):
        return []
    host = group.host
    coloured = host.edge_colours not in ((), (None,))
    kind = ", kind" * coloured
    lines = [
        "for images in GENERATORS:",
        f"    onto = [(images[a], images[b]{kind}) for a, b{kind} in EDGES]",
        "    kept = set(onto) == set(EDGES)"
        if host.directed
        else f"    kept = {{(min(a, b), max(a, b){kind}) for a, b{kind} in onto}} == set(EDGES)",
    ]
    if host.vertex_colours:
        lines.append("    kept = kept and tuple(COLOURS[i] for i in images) == COLOURS")
    return [
        *lines,
        "    if not kept:",
        '        raise SystemExit("FAILED: generators keep the graph")',
        "",
    ]
