"""The text around a kernel that makes it a file of its own: header, tables, module, self-check.

A file is put together from parts, each a piece of text that stands by itself: what says the sizes of
axes (``axes.py``), the tables of diagrams (``tables.py``), the kernel that a backend wrote, the module
around it and its check (``torch_module.py``, ``array_module.py``), and the reference by definition
(``definition.py``, ``elements.py``) that the check compares the kernel with. Reference and kernel
share the tables alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from tannaka.codegen.inline import inline, merged, used
from tannaka.codegen.lowering.choose import AnyPlan
from tannaka.codegen.standalone import array_module, torch_module
from tannaka.codegen.standalone.axes import Axes
from tannaka.codegen.standalone.definition import JAX, NUMPY, TORCH, definition
from tannaka.codegen.standalone.elements import elements
from tannaka.codegen.standalone.hosts import host_definition, host_tables, kept
from tannaka.codegen.standalone.tables import WIDTH, diagram_tables
from tannaka.codegen.standalone.torch_module import Written
from tannaka.codegen.task import Task

IMPORTED = {
    r"\bitertools\.": "import itertools",
    r"\bmath\.": "import math",
    r"\bIterator\[": "from collections.abc import Iterator",
}
"""What parts need of the standard library without saying so, by what they write."""


KINDS = {
    "diagrams": ("diagram", "DIAGRAMS"),
    "orbits": ("orbit", "ORBITS"),
    "graphs": ("graph", "GRAPHS"),
}
"""What rows of the weight belong to, and the table of these, by the kind of plan."""


@dataclass(frozen=True)
class Target:
    """What a file is written for: which library's arrays it takes, and what it needs to run."""

    framework: Literal["torch", "numpy", "jax"] = "torch"
    needs: str = ""
    """What it needs besides, in words."""
    imports: tuple[str, ...] = ()
    """What its kernel imports besides the library."""
    setup: tuple[str, ...] = ()
    """Statements at the start of its check, such as one that chooses a device."""


TARGETS = {
    "cpp": Target(needs=", and a C++ compiler"),
    "triton": Target(
        needs=" and triton, and a GPU, or TRITON_INTERPRET=1",
        setup=(
            "if not interpreted():",
            "    if not torch.cuda.is_available():",
            '        raise SystemExit("no GPU: the kernels run on one, or with TRITON_INTERPRET=1")',
            '    torch.set_default_device("cuda")',
        ),
    ),
    "numpy": Target("numpy"),
    "jax": Target("jax"),
}
"""What the files of a backend are written for; of one that is not here, for PyTorch alone."""


def standalone(plan: AnyPlan, kernel: str, name: str, target: Target, dtype: str | None) -> str:
    """The whole file, as source text; ``kernel`` is what a backend wrote for the plan."""
    axes, torch = Axes(plan), target.framework == "torch"
    jax = target.framework == "jax"
    headline = f"Linear layer that commutes with {axes.group}, from order {plan.dom} to {plan.cod}."
    table = KINDS[plan.kind][1]
    also = () if isinstance(plan, Task) else tuple(kept(plan))
    written = Written(plan, axes, name, headline, axes.group, dtype, table, target.setup, also)
    library = {"torch": TORCH, "numpy": NUMPY, "jax": JAX}[target.framework]
    kernel, imports = inline(kernel)
    module = torch_module.module(written) if torch else array_module.module(written, jax)
    check = torch_module.check(written) if torch else array_module.check(written, jax)
    body = _joined(
        [
            *axes.functions(),
            kernel,
            *module,
            "# The self-check, from the definition: slow, and sharing only the tables above.",
            *(
                definition(plan, axes, library)
                if isinstance(plan, Task)
                else host_definition(plan, axes, library)
            ),
            *elements(axes, library),
            check,
        ]
    )
    types = () if torch else array_module.types(jax)
    head = [*axes.constants(), *_basis(plan), "", *types]
    head += diagram_tables(plan) if isinstance(plan, Task) else host_tables(plan)
    imports += torch_module.IMPORTS if torch else array_module.imports(jax)
    imports += [line for used, line in IMPORTED.items() if re.search(used, body)]
    imports += target.imports
    # What kernels use differs from plan to plan.
    text = "\n".join(head) + f"\n\n\n{body}"
    return (
        f'"""{headline}\n\n{_explanation(plan, axes, name, target)}\n"""\n\n'
        f"from __future__ import annotations\n\n{merged(used(imports, text))}\n\n{text}"
    )


def _basis(plan: AnyPlan) -> list[str]:
    """The statement that names the basis, as state dicts do."""
    line = f'BASIS = "{plan.signature()}"'
    inside = f'    "{plan.signature()}"'
    # Formatters leave a line that parentheses do not make short enough.
    return ["BASIS = (", inside, ")"] if len(line) > WIDTH >= len(inside) else [line]


def _joined(parts: Iterable[str]) -> str:
    """Top-level statements, two lines apart."""
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def _explanation(plan: AnyPlan, axes: Axes, name: str, target: Target) -> str:
    """What the file holds, in paragraphs."""
    hom = f"Hom({axes.group}, {plan.dom}, {plan.cod})"
    one, table = KINDS[plan.kind]
    count = f"{len(plan.basis)} {one}{'s' * (len(plan.basis) != 1)}"
    basis_words = (
        f"The {count} {'is' if len(plan.basis) == 1 else 'are'} a basis of {hom}: every linear map that commutes with the group is such "
        "a sum, in exactly one way."
        if plan.basis
        else f"There is no diagram: {hom} is 0."
    )
    bias = plan.bias_basis is not None
    layout = (
        f"Input {axes.shaped('IN')}, output {axes.shaped('OUT')}: channels last. The output is the "
        f"sum over the {table} below of the matrix of the {one} applied to the input, its channels "
        f"multiplied by the row of the weight with the same number{', plus a bias' * bias}. "
        f"{basis_words}"
    )
    use = {
        "torch": f"{name}() needs no arguments. Its parameters have the layout of tannaka's own "
        "layer, so state dicts move between the two.",
        "numpy": f"{name}() needs no arguments. Its parameters have the layout of tannaka's own "
        "layer for PyTorch, whose state dicts it loads, as arrays.",
        "jax": "init(key) makes parameters and apply(params, x) applies the layer: pure functions, "
        "to jit, vmap and differentiate. Parameters have the layout of tannaka's own layer for "
        "PyTorch, and load(state) takes them from its state dicts, as arrays.",
    }[target.framework] + " Run this file to check it against a dense reference."
    written = (
        f"Written by tannaka {version('tannaka')}; needs only {target.framework}{target.needs}."
    )
    return "\n\n".join(textwrap.fill(words, WIDTH - 1) for words in (layout, use, written))
