"""Every exception that tannaka defines; each refines the builtin a caller would expect to catch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TannakaError(Exception):
    """The base of all exceptions defined here."""


class CompositionError(TannakaError, ValueError):
    """Two diagrams, morphisms or tensors do not fit together."""


class SizeError(TannakaError, ValueError):
    """A request whose answer could not be held in memory or listed in a lifetime."""


class BackendError(TannakaError, RuntimeError):
    """A backend that is unknown, not installed, or cannot run what was asked of it."""


class BasisMismatchError(TannakaError, ValueError):
    """Learned weights were read against a basis other than the one they were learned for."""


class DescriptionError(TannakaError, ValueError):
    """The description of a network does not describe one."""


class NotEquivariantError(TannakaError, ValueError):
    """A network was put together from parts that do not commute with its group, or do not fit."""


class BottleneckWarning(UserWarning):
    """A network can pass on less than its group allows: some part in between is too small."""


class PlanError(TannakaError, AssertionError):
    """A plan does not compute what it should: a mistake in lowering or in a pass, not in its use."""


class EquivarianceError(TannakaError, AssertionError):
    """A function that was asserted to be equivariant is not, or the check could not have told."""


class CertificateError(TannakaError, ValueError):
    """A certificate that was changed, is not whole, or is of another layer or other weights."""


EXTRAS = {
    "torch": ("PyTorch", "torch"),
    "jax": ("JAX", "jax"),
    "hypothesis": ("Hypothesis", "testing"),
    "scipy": ("SciPy", "sparse"),
    "anywidget": ("anywidget", "jupyter"),
}
"""By the name of an optional package: what it is called, and the extra that installs it."""


@contextmanager
def needing(what: str) -> Iterator[None]:
    """Say which extra to install when ``what`` fails for want of an optional package."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        package, extra = EXTRAS[error.name]
        raise ModuleNotFoundError(
            f"{what} needs {package}: pip install 'tannaka[{extra}]'", name=error.name
        ) from error
