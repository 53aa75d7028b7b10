"""Trust, for users: checks of equivariance, and Hypothesis strategies for diagrams, groups, layers.

``assert_equivariant`` and ``equivariance_error`` need torch, ``strategies`` needs Hypothesis; each
is imported when first asked for: ``pip install 'tannaka[testing]'`` has both.

Where tannaka is installed, ``hypothesis.strategies.from_type(tannaka.Group)`` and the like work by
themselves (``arrivals``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tannaka.codegen.trust.certificate import Certificate as Certificate
    from tannaka.codegen.trust.certify import certify as certify
    from tannaka.codegen.trust.check import ROUNDING as ROUNDING
    from tannaka.codegen.trust.check import EquivarianceReport as EquivarianceReport
    from tannaka.codegen.trust.check import assert_equivariant as assert_equivariant
    from tannaka.codegen.trust.check import equivariance_error as equivariance_error
    from tannaka.testing import strategies as strategies

__all__ = [
    "ROUNDING",
    "Certificate",
    "EquivarianceReport",
    "assert_equivariant",
    "certify",
    "equivariance_error",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tannaka.testing' has no attribute {name!r}")
    # Late: pytest and Hypothesis open this package wherever it is installed.
    from tannaka.diagrams.errors import needing

    with needing(f"tannaka.testing.{name}"):
        if name == "strategies":
            return import_module("tannaka.testing.strategies")
        home = {"Certificate": "certificate", "certify": "certify"}.get(name, "check")
        return getattr(import_module(f"tannaka.codegen.trust.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
