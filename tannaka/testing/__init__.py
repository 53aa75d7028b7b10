"""Trust, for users: checks of equivariance, and Hypothesis strategies for diagrams and groups.

``assert_equivariant`` and ``equivariance_error`` need torch, ``strategies`` needs Hypothesis; each
is imported when first asked for: ``pip install 'tannaka[testing]'`` has both.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tannaka.diagrams.errors import needing

if TYPE_CHECKING:
    from tannaka.codegen.check import ROUNDING as ROUNDING
    from tannaka.codegen.check import EquivarianceReport as EquivarianceReport
    from tannaka.codegen.check import assert_equivariant as assert_equivariant
    from tannaka.codegen.check import equivariance_error as equivariance_error
    from tannaka.testing import strategies as strategies

__all__ = [
    "ROUNDING",
    "EquivarianceReport",
    "assert_equivariant",
    "equivariance_error",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tannaka.testing' has no attribute {name!r}")
    with needing(f"tannaka.testing.{name}"):
        if name == "strategies":
            return import_module("tannaka.testing.strategies")
        return getattr(import_module("tannaka.codegen.check"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
