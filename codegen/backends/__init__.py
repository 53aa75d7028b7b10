"""Stage 4, backends: each writes a plan as the source text of functions, ``apply`` and gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tannaka.codegen.backends import arrays, cpp, einsum, triton
from tannaka.codegen.backends.graphs import graphs
from tannaka.codegen.backends.matrices import dense, orbits
from tannaka.codegen.lowering.graph_plan import GraphPlan
from tannaka.codegen.lowering.matrix_plans import DensePlan
from tannaka.codegen.lowering.orbit_plan import OrbitPlan
from tannaka.codegen.plan import Plan
from tannaka.diagrams.errors import BackendError

if TYPE_CHECKING:
    from tannaka.codegen.lowering.choose import AnyPlan

BACKENDS: dict[str, Callable[[Plan], str]] = {
    "einsum": einsum.kernels,
    "cpp": cpp.kernels,
    "triton": triton.kernels,
}
"""What writes the functions of a layer, for a module that differentiates them."""


def _calling(dialect: arrays.Dialect) -> Callable[[AnyPlan], str]:
    """What writes ``apply`` as calls of a library of arrays, for plans of every kind."""

    def kernel(plan: AnyPlan) -> str:
        match plan:
            case Plan():
                return einsum.kernel(plan) if dialect.torch else arrays.kernel(plan, dialect)
            case DensePlan():
                return dense(plan, dialect)
            case OrbitPlan():
                return orbits(plan, dialect)
            case GraphPlan():
                return graphs(plan, dialect)
            case _:
                raise BackendError(
                    f"{plan.group}: the bases of lowering='isotypic' are numbers that a machine finds "
                    "for itself, so a file would not be the same everywhere: take 'factored' or 'dense'"
                )

    return kernel


ALONE: dict[str, Callable[[AnyPlan], str]] = {
    "einsum": _calling(arrays.TORCH),
    "cpp": cpp.kernel,  # type: ignore[dict-item]
    "numpy": _calling(arrays.NUMPY),
    "jax": _calling(arrays.JAX),
    "triton": triton.kernel,  # type: ignore[dict-item]
}
"""What writes ``apply`` alone, differentiable by itself, for a file of its own."""


def backend(name: str, written: Mapping[str, Callable[..., str]] = BACKENDS) -> Callable[..., str]:
    """The backend of this name; ``"auto"`` is the best one there is.

    Raises BackendError for an unknown one, with the names that there are.

    >>> backend("cuda")
    Traceback (most recent call last):
    tannaka.diagrams.errors.BackendError: there is no backend 'cuda'; choose one of: auto, einsum, cpp, triton
    """
    if not isinstance(name, str):
        raise TypeError(f"a backend's name is text such as 'auto', got {name!r}")
    name = "einsum" if name == "auto" else name
    if name not in written and name in ALONE:
        raise BackendError(
            f"backend {name!r} writes files, and runs no layers; choose one of: "
            f"{', '.join(['auto', *written])}"
        )
    if name not in written:
        raise BackendError(
            f"there is no backend {name!r}; choose one of: {', '.join(['auto', *written])}"
        )
    return written[name]
