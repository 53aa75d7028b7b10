"""From source text to running code; torch is imported by the text itself."""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

HEADER = "import torch\nfrom torch import Tensor\n\n\n"


@lru_cache(maxsize=1024)
def build(kernel: str) -> Callable[..., Any]:
    """The function ``apply`` that a backend wrote, compiled once for each source text."""
    apply: Callable[..., Any] = load_module(HEADER + kernel, "kernel").apply
    return apply


def load_module(source: str, name: str) -> ModuleType:
    """Run source text as a module of its own.

    The text stays visible to tracebacks and debuggers, and the module importable by its name for
    as long as the process lives, so that what it defines can be pickled.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    module_name = f"tannaka_generated_{name}_{digest}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    module = ModuleType(module_name)
    module.__file__ = f"<{module_name}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[module.__file__] = (len(source), None, lines, module.__file__)
    # Registered first, as an import does it: dataclasses look their module up while it runs.
    sys.modules[module_name] = module
    try:
        exec(compile(source, module.__file__, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module
