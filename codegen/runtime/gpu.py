"""Whether Triton's kernels can run here."""

from __future__ import annotations

from importlib import import_module

import torch

from tannaka.codegen.runtime.triton_ops import interpreted
from tannaka.diagrams.errors import BackendError


def require_gpu() -> None:
    """Raise BackendError where no kernel could run."""
    try:
        import_module("triton")
    except ModuleNotFoundError as error:
        raise BackendError(
            f"backend 'triton' needs {error.name} (pip install {error.name}); backend='einsum' needs "
            "nothing"
        ) from error
    if not interpreted() and not torch.cuda.is_available():
        raise BackendError(
            "backend 'triton' needs a GPU, and PyTorch sees none; TRITON_INTERPRET=1 in the "
            "environment, set before Python starts, runs its kernels on the CPU, slowly; "
            "backend='einsum' runs anywhere"
        )
