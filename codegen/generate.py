"""A layer as one standalone file: readable, deterministic, checking itself, needing only torch."""

from __future__ import annotations

import ast
import builtins
import keyword
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tannaka.category.groups import Group, MatrixGroup
from tannaka.category.hom import Hom
from tannaka.codegen.backends import ALONE
from tannaka.codegen.backends import backend as find_backend
from tannaka.codegen.build import load_module
from tannaka.codegen.files import write_whole
from tannaka.codegen.lower import lower
from tannaka.codegen.notation import Reduce
from tannaka.codegen.passes import optimise
from tannaka.codegen.plan import Plan
from tannaka.codegen.standalone import check_deltas, standalone
from tannaka.diagrams.errors import needing


@dataclass(frozen=True)
class GeneratedCode:
    """The source text of one layer, made by :func:`generate`."""

    name: str
    """The name of the ``torch.nn.Module`` class in it."""
    source: str
    plan: Plan

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all, over one that is there, and return its path.

        Raises FileNotFoundError where its folder does not exist, OSError where it cannot be written.
        """
        return write_whole(path, self.source)

    def load(self) -> type[Any]:
        """Run the source and return its ``torch.nn.Module`` class; needs torch."""
        with needing("loading a generated layer"):
            loaded: type[Any] = getattr(load_module(self.source, self.name), self.name)
        return loaded

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        lines = self.source.count("\n")
        return f"<GeneratedCode {self.name}: {lines} lines; .source, .save(path), .load()>"


def generate(
    group: Group,
    k: int,
    l: int,
    in_channels: int,
    out_channels: int,
    *,
    backend: str = "auto",
    bias: bool = True,
    reduce: Reduce = "mean",
    name: str | None = None,
) -> GeneratedCode:
    """Write the equivariant linear layer V^k -> V^l as one file that imports nothing of tannaka.

    The file holds a ``torch.nn.Module`` called ``name``, built with no arguments, whose weight and
    bias have the layout of ``tannaka.nn.EquivariantLinear``: state dicts move between the two. Run
    as a script it checks itself against a dense reference written in the file, and exits with an
    error where they differ. The same arguments give the same bytes. torch is not needed to write it.

    Raises ValueError for a name that is not a free Python identifier, BackendError for an unknown
    backend, and what :class:`Hom` and :func:`lower` raise.

    >>> from tannaka.category import S
    >>> generate(S(34), 2, 1, 1, 8).name
    'S34Linear2To1'
    """
    hom = Hom(group, k, l)
    plan = optimise(lower(hom, in_channels, out_channels, bias=bias, reduce=reduce))
    check_deltas(plan)
    kernel = find_backend(backend, ALONE)(plan)
    if name is None:
        name = re.sub(r"\W", "", f"{group}Linear{plan.dom}To{plan.cod}")
    _check_identifier(name)
    assert isinstance(group, MatrixGroup)  # lower has refused all others
    source = standalone(plan, kernel, name, group)
    _check_free(name, source)
    return GeneratedCode(name, source, plan)


def _check_identifier(name: object) -> None:
    plain = isinstance(name, str) and name.isascii() and not name.startswith("__")
    if not plain or not str(name).isidentifier() or keyword.iskeyword(str(name)):
        raise ValueError(f"the class name must be a plain Python identifier, got {name!r}")


def _check_free(name: str, source: str) -> None:
    """Refuse a class name that the rest of the file uses for something else."""
    nodes = list(ast.walk(ast.parse(source)))
    taken = {node.id for node in nodes if isinstance(node, ast.Name)} - {name}
    taken |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    taken |= {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    bound = {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    if name in taken | bound or hasattr(builtins, name):
        raise ValueError(f"the class name {name!r} has another meaning in the file; choose another")
