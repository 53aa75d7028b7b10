"""Stage 4, backends: each writes a plan as the source text of functions, ``apply`` and gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tannaka.codegen.backends import arrays, cpp, einsum, triton
from tannaka.codegen.plan import Plan
from tannaka.diagrams.errors import BackendError

BACKENDS: dict[str, Callable[[Plan], str]] = {
    "einsum": einsum.kernels,
    "cpp": cpp.kernels,
    "triton": triton.kernels,
}
"""What writes the functions of a layer, for a module that differentiates them."""
ALONE: dict[str, Callable[[Any], str]] = {
    "einsum": einsum.kernel,
    "cpp": cpp.kernel,
    "numpy": partial(arrays.kernel, dialect=arrays.NUMPY),
    "jax": partial(arrays.kernel, dialect=arrays.JAX),
}
"""What writes ``apply`` alone, differentiable by itself, for a file of its own."""


def backend(
    name: str, written: dict[str, Callable[[Plan], str]] = BACKENDS
) -> Callable[[Plan], str]:
    """The backend of this name; ``"auto"`` is the best one there is.

    Raises BackendError for an unknown one, with the names that there are.

    >>> backend("cuda")
    Traceback (most recent call last):
    tannaka.diagrams.errors.BackendError: there is no backend 'cuda'; choose one of: auto, einsum, cpp, triton
    """
    name = "einsum" if name == "auto" else name
    if name not in written and name in BACKENDS:
        raise BackendError(
            f"backend {name!r} runs layers, and writes no file of its own yet; choose one of: "
            f"{', '.join(['auto', *written])}"
        )
    if name not in written:
        raise BackendError(
            f"there is no backend {name!r}; choose one of: {', '.join(['auto', *written])}"
        )
    return written[name]
