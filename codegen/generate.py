"""A layer as one standalone file: readable, deterministic, checking itself, needing one library."""

from __future__ import annotations

import ast
import builtins
import keyword
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from tannaka.category.automorphisms import Aut
from tannaka.category.groups import Group
from tannaka.category.hom import Hom
from tannaka.category.permutations import PermutationGroup
from tannaka.codegen.backends import ALONE
from tannaka.codegen.backends import backend as find_backend
from tannaka.codegen.files import write_whole
from tannaka.codegen.listing import listing_formats
from tannaka.codegen.lowering.choose import AnyPlan, Basis, Lowering, plan_layer
from tannaka.codegen.notation import Reduce
from tannaka.codegen.runtime.build import load_module
from tannaka.codegen.standalone import TARGETS, Target, standalone
from tannaka.diagrams.errors import BackendError, needing
from tannaka.diagrams.pictures.bundle import mimebundle

DType: TypeAlias = Literal["float16", "bfloat16", "float32", "float64"]
"""What the parameters of a generated layer may be made of unless its user says else."""
LONGEST = 60
"""Most characters of a class name, so that lines with it keep their length."""


@dataclass(frozen=True)
class GeneratedCode:
    """The source text of one layer, made by :func:`generate`."""

    name: str
    """The name of the class in it; of a file for JAX, which has functions, that of the layer."""
    source: str
    plan: AnyPlan
    backend: str = "einsum"
    """What it was written for."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all, over one that is there, and return its path.

        Raises FileNotFoundError where its folder does not exist, OSError where it cannot be written.
        """
        return write_whole(path, self.source)

    def load(self) -> Any:
        """Run the source and return its class; of a file for JAX the module with its functions.

        Needs the library that the file is for.
        """
        with needing("loading a generated layer"):
            module = load_module(self.source, self.name)
        return getattr(module, self.name, module)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        lines = self.source.count("\n")
        words = f"{self.name}, {lines:,} lines, for {self.backend}"
        return mimebundle(listing_formats(self.source, words, self.__repr__), include, exclude)

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        lines = self.source.count("\n")
        return f"<GeneratedCode {self.name}: {lines} lines; .source, .save(path), .load()>"


def generate(
    group: Group,
    k: Any,
    l: Any,
    in_channels: int,
    out_channels: int,
    *,
    backend: str = "auto",
    bias: bool = True,
    reduce: Reduce = "mean",
    basis: Basis = "auto",
    lowering: Lowering = "auto",
    dtype: DType | None = None,
    name: str | None = None,
) -> GeneratedCode:
    """Write the equivariant linear layer V^k -> V^l as one file that imports nothing of tannaka.

    ``backend`` says for which library: ``"einsum"`` (which ``"auto"`` is) and ``"cpp"`` write a
    ``torch.nn.Module`` called ``name``, built with no arguments; ``"numpy"`` a class for reference;
    ``"jax"`` pure functions, ``init(key)`` and ``apply(params, x)``. Weight and bias have the layout
    of ``tannaka.nn.EquivariantLinear`` in all of them: state dicts, as arrays, move between any two.
    Run as a script the file checks itself against a dense reference written in it, and exits with
    an error where they differ. The same arguments give the same bytes. Nothing but tannaka is needed
    to write it.

    ``lowering="auto"`` is ``"factored"``, whatever the size: a file is there to be read, and the
    factored steps say what each diagram does, hold for every n that the group's family has, and are
    seldom far from the fastest. ``"dense"`` multiplies by one matrix, which is faster for tiny n^k.
    ``"isotypic"`` is refused: its bases are numbers that differ from machine to machine.

    ``basis`` is as in ``EquivariantLinear``: the rows of the weight of a permutation group belong to
    orbits, or to bilabelled graphs. ``dtype`` is that of parameters when the user of the file names
    none. A file for a family such as S() reads n from its input and takes a mask, as layers do, but
    not inputs without points.

    Raises ValueError for a name that is not a free Python identifier, BackendError for an unknown
    backend and for what cannot be written, and what :class:`Hom` and ``EquivariantLinear`` raise.

    >>> from tannaka.category import S
    >>> generate(S(34), 2, 1, 1, 8).name
    'S34Linear2To1'
    """
    write = find_backend(backend, ALONE)
    backend = "einsum" if backend == "auto" else backend
    if dtype not in (None, *get_args(DType)):
        raise ValueError(f"dtype must be one of {', '.join(get_args(DType))}, got {dtype!r}")
    if backend == "numpy" and dtype == "bfloat16":
        raise BackendError("NumPy has no bfloat16: take float32, or another backend")
    hom = Hom(group, k, l)
    target = TARGETS.get(backend, Target())
    if lowering == "auto" and not isinstance(group, PermutationGroup):
        lowering = "factored"
    plan = plan_layer(
        hom,
        in_channels,
        out_channels,
        bias=bias,
        reduce=reduce,
        # Lowerings and orbits are there where steps are calls of a library.
        backend=backend if target.framework == "torch" else "einsum",
        basis=basis,
        lowering=lowering,
    )
    if name is None:
        name = re.sub(r"\W", "", f"{_short(group)}Linear{hom.k}To{hom.l}", flags=re.ASCII)
    check_identifier(name)
    source = standalone(plan, write(plan), name, target, dtype)
    check_free(name, source)
    return GeneratedCode(name, source, plan, backend)


def _short(group: Group) -> str:
    """A group's name in that of a class."""
    if isinstance(group, Aut):
        return f"Aut{re.sub(r'[^A-Za-z0-9]', '', group.host.title)[:20] or group.n}"
    return f"Permutations{group.n}" if isinstance(group, PermutationGroup) else str(group)


def check_identifier(name: object) -> None:
    """Raise ValueError unless this can be the name of a class in a file."""
    plain = isinstance(name, str) and name.isascii() and not name.startswith("__")
    if not plain or not str(name).isidentifier() or keyword.iskeyword(str(name)):
        raise ValueError(f"the class name must be a plain Python identifier, got {name!r}")
    if len(str(name)) > LONGEST:
        raise ValueError(
            f"the class name must have at most {LONGEST} characters, got {len(str(name))}: {name!r}"
        )


def check_free(name: str, source: str) -> None:
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
    classes = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
    if name in taken | bound or hasattr(builtins, name) or classes.count(name) > 1:
        raise ValueError(f"the class name {name!r} has another meaning in the file; choose another")
