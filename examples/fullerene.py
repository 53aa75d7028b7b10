"""Learn how the electrons of C60 answer to a field, from one measurement.

In Hückel's model each atom of a conjugated molecule holds one electron, which hops along bonds. A
small change of the energies of the atoms moves charge about, by the matrix of atom-atom
polarisabilities (Coulson and Longuet-Higgins, Proceedings of the Royal Society A 191, 1947). That
matrix commutes with every symmetry of the skeleton of bonds: for C60 it is one of 32 numbers
instead of 3,600. So one random field, with its 60 answers, is enough for a layer that knows the
graph, and nowhere near enough for one that does not.

The same for benzene, and for electrons on a torus, a square lattice whose opposite edges meet; there
neighbouring sites get different energies, which closes the shell and colours the vertices. Then a
table of how far it goes.

Usage: python examples/fullerene.py
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import networkx
import numpy as np
import torch
from numpy.typing import NDArray
from trial import check_equivariance, heading

import tannaka as tn
from tannaka.category.bench import buckminsterfullerene

SEED = 1985
STAGGERED = 0.5
"""The energy of the atoms of one colour, minus that of the others, in units of 2 beta."""


def polarisability(graph: Any) -> NDArray[np.float64]:
    """How much charge comes to atom i when the energy of atom j is raised, to first order.

    Sum over occupied orbitals p and empty ones q of 4 c_ip c_iq c_jp c_jq / (e_p - e_q), in units of
    1 / beta.
    """
    energy = -networkx.to_numpy_array(graph)
    for place, (_, colour) in enumerate(graph.nodes(data="colour")):
        energy[place, place] += STAGGERED * (colour or 0)
    levels, orbitals = np.linalg.eigh(energy)
    filled = len(levels) // 2
    if levels[filled] - levels[filled - 1] < 1e-6:
        raise SystemExit(f"FAILED: {graph} has an open shell, its response is not defined")
    pairs = np.einsum("ip,iq->pqi", orbitals[:, :filled], orbitals[:, filled:])
    gaps = levels[:filled, None] - levels[None, filled:]
    found: NDArray[np.float64] = 4 * np.einsum("pqi,pqj,pq->ij", pairs, pairs, 1 / gaps)
    return found


def learn(graph: Any, node_attr: str | None = None, *, measured: int) -> None:
    """Fit a layer to a few answers, and compare it on new ones with what least squares finds."""
    group = tn.Aut(graph, node_attr=node_attr)
    response = polarisability(graph)
    rng = np.random.default_rng(SEED)
    fields = rng.standard_normal((measured + 100, group.n))
    answers = fields @ response

    layer = tn.nn.EquivariantLinear(group, 1, 1, 1, 1, bias=False, dtype=torch.float64)
    x, y = (torch.from_numpy(a[:, :, None]) for a in (fields, answers))
    # The layer is linear in its weight: its gradients are the columns of a least-squares problem.
    basis = layer.weight.shape[0]
    columns = torch.func.jacrev(
        lambda weight: torch.func.functional_call(layer, {"weight": weight}, (x[:measured],))
    )(layer.weight.detach())
    fitted = torch.linalg.lstsq(columns.reshape(-1, basis), y[:measured].reshape(-1, 1)).solution
    with torch.no_grad():
        layer.weight.copy_(fitted.reshape(basis, 1, 1))
        error = (layer(x[measured:]) - y[measured:]).norm() / y[measured:].norm()
    free = np.linalg.lstsq(fields[:measured], answers[:measured], rcond=None)[0]
    other = np.linalg.norm(fields[measured:] @ free - answers[measured:])
    other /= np.linalg.norm(answers[measured:])
    print(f"{group}: order {group.order}, {basis} weights instead of {group.n**2:,}")
    fields_words = "1 random field" if measured == 1 else f"{measured} random fields"
    print(
        f"  after {fields_words}: error {error:.0e} on new ones, without the symmetry {other:.0%}"
    )
    if not float(error) < 1e-8 < other:
        raise SystemExit("FAILED: knowing the graph should make the difference")
    check_equivariance(layer)


def skeletons() -> dict[str, Any]:
    """The graphs of the table."""
    return {
        "benzene, C6": networkx.cycle_graph(6),
        "cubane, C8": networkx.hypercube_graph(3),
        "dodecahedrane, C20": networkx.dodecahedral_graph(),
        "C60": buckminsterfullerene(),
        "torus, 4 x 4": networkx.grid_graph((4, 4), periodic=True),
        "torus, 10 x 10": networkx.grid_graph((10, 10), periodic=True),
        "torus, 30 x 30": networkx.grid_graph((30, 30), periodic=True),
    }


def table() -> None:
    """Dimensions between orders up to 2, and how long a basis of bilabelled graphs takes."""
    print(f"{'':20} {'order':>6} {'k+l = 2':>9} {'3':>12} {'4':>16}   basis of graphs, 1 -> 1")
    for name, graph in skeletons().items():
        group = tn.Aut(graph)
        dimensions = [group.dimension(0, m) for m in (2, 3, 4)]
        start = perf_counter()
        basis = tn.Hom(group, 1, 1).basis()
        seconds = perf_counter() - start
        widest = max(d.vertices for d in basis)
        print(
            f"{name:20} {group.order:6,} {dimensions[0]:9,} {dimensions[1]:12,} "
            f"{dimensions[2]:16,}   up to {widest} vertices, {seconds:.2f} s"
        )


def main() -> None:
    """Learn three responses, then say how far it goes."""
    heading("Charge in conjugated molecules: a layer that knows the bonds")
    benzene, torus = networkx.cycle_graph(6), networkx.grid_graph((8, 8), periodic=True)
    benzene.name, torus.name = "benzene", "8 x 8 torus"
    learn(benzene, measured=1)
    learn(buckminsterfullerene(), measured=1)
    networkx.set_node_attributes(torus, {v: sum(v) % 2 for v in torus}, "colour")
    learn(torus, "colour", measured=2)
    heading("How far it goes")
    table()


if __name__ == "__main__":
    main()
