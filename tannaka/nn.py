"""Layers for PyTorch; install them with ``pip install 'tannaka[torch]'``."""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "tannaka.nn needs PyTorch: pip install 'tannaka[torch]'", name="torch"
    ) from error

from tannaka.codegen.modules import EquivariantLinear as EquivariantLinear
