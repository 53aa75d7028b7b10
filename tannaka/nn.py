"""Layers for PyTorch, and networks of them; install with ``pip install 'tannaka[torch]'``."""

from tannaka.diagrams.errors import needing

with needing("tannaka.nn"):
    from tannaka.codegen.modules.bilinear import EquivariantBilinear as EquivariantBilinear
    from tannaka.codegen.modules.blocks import EquivariantDropout as EquivariantDropout
    from tannaka.codegen.modules.blocks import EquivariantNorm as EquivariantNorm
    from tannaka.codegen.modules.blocks import Gate as Gate
    from tannaka.codegen.modules.blocks import NormActivation as NormActivation
    from tannaka.codegen.modules.blocks import Pointwise as Pointwise
    from tannaka.codegen.modules.blocks import Pool as Pool
    from tannaka.codegen.modules.composed import Add as Add
    from tannaka.codegen.modules.composed import Concatenate as Concatenate
    from tannaka.codegen.modules.composed import Declared as Declared
    from tannaka.codegen.modules.composed import EquivariantGraph as EquivariantGraph
    from tannaka.codegen.modules.composed import EquivariantSequential as EquivariantSequential
    from tannaka.codegen.modules.composed import Residual as Residual
    from tannaka.codegen.modules.features import Features as Features
    from tannaka.codegen.modules.linear import EquivariantLinear as EquivariantLinear
del needing  # it is no layer, and would be completed as one

__all__ = [
    "Add",
    "Concatenate",
    "Declared",
    "EquivariantBilinear",
    "EquivariantDropout",
    "EquivariantGraph",
    "EquivariantLinear",
    "EquivariantNorm",
    "EquivariantSequential",
    "Features",
    "Gate",
    "NormActivation",
    "Pointwise",
    "Pool",
    "Residual",
]
