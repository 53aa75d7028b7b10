"""Modules of ours inside generated files: their text, where a line imports them."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from importlib import resources

ERROR = '''\
class BackendError(RuntimeError):
    """A kernel that cannot be built, or cannot run what was asked of it."""
'''
PLAIN = re.compile(r"^(?:import [\w.]+(?: as \w+)?|from [\w.]+ import [\w, ]+)\n", re.MULTILINE)
IMPORT = re.compile(r"^from tannaka\.codegen\.([\w.]+) import [\w, ]+\n", re.MULTILINE)


def inline(text: str) -> tuple[str, list[str]]:
    r"""The text with modules of ``tannaka.codegen`` written out, and the imports that they need.

    Their one import of an error becomes a class of its name, so that nothing of tannaka is left.
    Modules are read, not run: torch is not needed.

    >>> inline("x = 1\n")
    ('x = 1\n', [])
    """
    imports: list[str] = []

    def written(match: re.Match[str]) -> str:
        folder = resources.files("tannaka.codegen")
        source = folder.joinpath(match[1].replace(".", "/") + ".py").read_text(encoding="utf-8")
        _, *nodes = ast.parse(source).body
        lines, last, errors = source.splitlines(keepends=True), 0, ""
        for node in nodes:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                break
            last = node.end_lineno or last
            if isinstance(node, ast.ImportFrom) and node.module == "tannaka.diagrams.errors":
                errors = f"{ERROR}\n\n"
            elif not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(
                "tannaka"
            ):
                # What one of our modules imports of another must stand in the text before it.
                imports.append(ast.unparse(node))
        return errors + "".join(lines[last:]).strip() + "\n\n\n"

    def noted(match: re.Match[str]) -> str:
        imports.append(match[0].strip())
        return ""

    return PLAIN.sub(noted, IMPORT.sub(written, text)), imports


def used(imports: Iterable[str], text: str) -> list[str]:
    """The statements, with those names alone that the text speaks of.

    >>> used(["import os", "from math import gcd, prod", "import numpy as np"], "prod(np.ones(2))")
    ['from math import prod', 'import numpy as np']
    """
    known = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    found = []
    for statement in imports:
        (node,) = ast.parse(statement).body
        assert isinstance(node, ast.Import | ast.ImportFrom)
        node.names = [
            alias for alias in node.names if (alias.asname or alias.name).split(".")[0] in known
        ]
        found += [ast.unparse(node)] if node.names else []
    return found


def merged(imports: Iterable[str]) -> str:
    """Import statements as formatters sort them: standard library first, one line for a module.

    >>> print(merged(["import torch", "from torch import nn", "import os", "from torch import Tensor"]))
    import os
    <BLANKLINE>
    import torch
    from torch import Tensor, nn
    """
    plain: set[str] = set()
    names: dict[str, set[str]] = {}
    for statement in imports:
        (node,) = ast.parse(statement).body
        if isinstance(node, ast.Import):
            plain |= {ast.unparse(alias) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names.setdefault(node.module or "", set()).update(map(ast.unparse, node.names))
    sections = []
    for standard in (True, False):
        lines = [f"import {name}" for name in sorted(plain) if _is_standard(name) == standard]
        lines += [
            f"from {module} import {', '.join(sorted(found, key=_kind))}"
            for module, found in sorted(names.items())
            if _is_standard(module) == standard
        ]
        sections += ["\n".join(lines)] if lines else []
    return "\n\n".join(sections)


def _is_standard(module: str) -> bool:
    return re.split(r"[. ]", module)[0] in sys.stdlib_module_names


def _kind(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, each by name."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name
