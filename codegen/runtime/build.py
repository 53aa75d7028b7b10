"""From source text to running code; torch is imported by the text itself."""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

HEADER = "import itertools\n\nimport torch\nfrom torch import Tensor\n\n\n"


@lru_cache(maxsize=1024)
def build(kernels: str) -> ModuleType:
    """What a backend wrote, as a module, compiled once for each source text."""
    return load_module(HEADER + kernels, "kernel")


def load_module(source: str, name: str) -> ModuleType:
    """Run source text as a module of its own.

    The text stays visible to tracebacks and debuggers, and the module importable by its name for
    as long as the process lives, so that what it defines can be pickled.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    module_name = f"tannaka_generated_{name}_{digest}"
    # Another thread may be running the same text, and its module is there before it has run.
    with _LOCKS.setdefault(module_name, Lock()):
        return sys.modules.get(module_name) or _executed(source, module_name)


_LOCKS: dict[str, Lock] = {}


def _executed(source: str, module_name: str) -> ModuleType:
    """A new module, in which the source text has run."""
    module = ModuleType(module_name)
    module.__file__ = f"<{module_name}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[module.__file__] = (len(source), None, lines, module.__file__)
    # Registered first, as an import does it: dataclasses look their module up while it runs.
    sys.modules[module_name] = module
    try:
        # Its constants are for every layer that will ever use it.
        outside_modes(exec, compile(source, module.__file__, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def outside_modes(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function outside of the modes of PyTorch that the caller is in.

    What is kept must not be made on the meta device, in inference mode or of fake tensors because
    the caller happened to be there. All modes end at the border of a thread.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments).result()
