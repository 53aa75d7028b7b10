"""Every exception that tannaka defines; each refines the builtin a caller would expect to catch."""

from __future__ import annotations


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


class EquivarianceError(TannakaError, AssertionError):
    """A function that was asserted to be equivariant is not, or the check could not have told."""
