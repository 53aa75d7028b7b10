"""What a gallery says of a basis diagram: its formula in index notation, and its cost alone."""

from __future__ import annotations

from typing import Any

from tannaka.category.gallery import Facts
from tannaka.category.hom import Hom
from tannaka.category.orbitals import Orbit
from tannaka.codegen.cost import open_sizes
from tannaka.codegen.lowering.lower import lower_diagrams
from tannaka.codegen.network import planned, sizes
from tannaka.codegen.notation import formula, indices


def facts(hom: Hom, diagram: Any) -> Facts | None:
    """The formula and cost of applying one basis diagram to one channel; None for bilabelled graphs.

    Those share their contractions: ``layer.plan`` says what the whole basis costs.

    >>> from tannaka.category import S
    >>> facts(Hom(S(5), 2, 1), Hom(S(5), 2, 1).basis()[0])
    Facts(formula='y[i] += x[ii]', flops=10, bytes=44)
    """
    if isinstance(diagram, Orbit):
        return _orbit_facts(diagram)
    if not planned(hom.group):
        return None
    plan = lower_diagrams(
        [diagram], None, 1, 1, dom=hom.k, cod=hom.l, group=hom.group, reduce="sum"
    )
    at = sizes(hom.group.n)
    if None in at:
        letters, _ = open_sizes(len(at), None, 1)
        at = tuple(a if size is None else size for a, size in zip(letters, at, strict=True))
    cost = plan.cost(n=at, batch=1)
    return Facts(formula(diagram, "sum", "", hom.group), cost.flops, cost.bytes)


def _orbit_facts(orbit: Orbit) -> Facts:
    """An orbit adds the inputs up that it joins to each output."""
    n, size = orbit.group.n, orbit.size
    outputs = indices(tuple(range(orbit.cod)))
    inputs = indices(tuple(range(orbit.cod, orbit.cod + orbit.dom)))
    joined = "".join(f"{part}, " for part in (outputs, inputs) if part).removesuffix(", ")
    does = f"y[{outputs}] += sum over ({joined}) in the orbit of x[{inputs}]"
    return Facts(does, size, 4 * (size + n**orbit.cod))
