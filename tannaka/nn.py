"""Layers for PyTorch; install them with ``pip install 'tannaka[torch]'``."""

from tannaka.diagrams.errors import needing

with needing("tannaka.nn"):
    from tannaka.codegen.modules import EquivariantLinear as EquivariantLinear

__all__ = ["EquivariantLinear"]
