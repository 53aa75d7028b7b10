"""What the Triton kernels of a plan move, compute and hold, counted without a GPU.

The functions of a plan run on the meta device, where tensors have shapes and no numbers; kernels are
noted instead of launched, and PyTorch's own operations beside them. What a kernel moves is each of
its tensors once, which is what it costs where the cache holds what programs read again.

A kernel can also be compiled for a GPU that is not there: Triton brings its compiler with it.
"""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tannaka.codegen.backends import triton as backend
from tannaka.codegen.plan import Plan
from tannaka.codegen.runtime.build import HEADER, load_module

PRODUCTS = frozenset({"mm", "addmm", "addmm_", "bmm", "baddbmm"})
"""PyTorch's products of matrices, of which the last two arguments are the factors."""


@dataclass(frozen=True)
class Launch:
    """A kernel that a function launches, or an operation of PyTorch."""

    name: str
    reads: int
    """Bytes, each tensor counted once."""
    writes: int
    flops: int
    """Multiplications and additions in products of matrices."""
    kernel: Any = None
    """The Triton kernel, where it is one."""
    arguments: tuple[Any, ...] = ()
    grid: Any = None

    @property
    def bytes(self) -> int:
        """What is moved."""
        return self.reads + self.writes


@dataclass(frozen=True)
class Account:
    """All that a function launches."""

    launches: tuple[Launch, ...]
    given: int
    """Bytes of the arguments."""
    returned: int
    """Bytes of the results."""
    peak: int
    """The most bytes that were held at a time, arguments aside."""
    largest: int
    """The bytes of the largest tensor that is neither an argument nor returned."""

    @property
    def bytes(self) -> int:
        """What all launches move."""
        return sum(launch.bytes for launch in self.launches)


def account(plan: Plan, function: str, *arguments: Any) -> Account:
    """Count what a function of a plan does: ``forward``, ``gradients``, ``input_gradient``, ...

    The arguments are those of ``backends.triton.kernels``, with tensors on the meta device.

    >>> from tannaka.category import Hom, S
    >>> from tannaka.codegen.lowering.lower import lower
    >>> plan = lower(Hom(S(8), 2, 2), 4, 4, bias=False)
    >>> x, weight = torch.empty(8, 8, 4, device="meta"), torch.empty(15, 4, 4, device="meta")
    >>> found = account(plan, "forward", x, weight, None, 8)
    >>> found.returned, found.largest
    (1024, 576)
    """
    module = recorded(plan)
    noted, work = _Noted(), backend.work(plan)

    def wrap(kernel: Any) -> Any:
        return _Recorder(kernel, noted, work)

    module.wrap_triton = wrap
    with noted:
        result = getattr(module, function)(*arguments)
    results = [one for one in tree_leaves(result) if torch.is_tensor(one)]
    kept = {noted.numbers[_key(one)] for one in results}
    return Account(
        tuple(noted.launches),
        sum(_size(one) for one in arguments if torch.is_tensor(one)),
        sum(_size(one) for one in results),
        noted.peak,
        max((size for number, size in enumerate(noted.sizes) if number not in kept), default=0),
    )


def recorded(plan: Plan) -> Any:
    """The functions and kernels of a plan, not yet operators."""
    text, _, _ = backend.kernels(plan).partition("\nKERNELS = ")
    return load_module(HEADER + text.removeprefix(backend.BACKED), "recorded")


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


class _Noted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes operations, and what memory they take."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launches: list[Launch] = []
        self.sizes: list[int] = []
        """The bytes of all memory that was taken."""
        self.numbers: dict[int, int] = {}
        """Which of it a storage has; addresses of what was given back come again."""
        self.held = self.peak = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        given = [one for one in tree_leaves((args, kwargs)) if torch.is_tensor(one)]
        old = set(map(_key, given))
        new = [one for one in tree_leaves(found) if torch.is_tensor(one) and _key(one) not in old]
        for one in new:
            self._take(one)
        written = new or (given[:1] if func._schema.is_mutable else [])
        name = func.overloadpacket.__name__
        if written and not name.startswith(("new_empty", "empty")):
            flops = 2 * given[-2].numel() * given[-1].shape[-1] if name in PRODUCTS else 0
            reads, writes = sum(map(_size, given)), sum(map(_size, written))
            self.launches.append(Launch(name, reads, writes, flops))
        return found

    def _take(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.numbers[_key(tensor)] = len(self.sizes)
        self.sizes.append(storage.nbytes())
        self.held += storage.nbytes()
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._give, storage.nbytes())

    def _give(self, size: int) -> None:
        self.held -= size


@dataclass(frozen=True)
class _Recorder:
    """Stands for a kernel: notes a launch."""

    kernel: Any
    noted: _Noted
    work: dict[str, backend.Work]

    def __getitem__(self, grid: Any) -> Any:
        def launch(*arguments: Any) -> None:
            given = dict(zip(self.kernel.arg_names, arguments, strict=False))
            name = self.kernel.base_fn.__name__ if tuned(self.kernel) else self.kernel.__name__
            work = self.work[name]
            tensors = {one: value for one, value in given.items() if torch.is_tensor(value)}
            reads = sum(_size(value) for one, value in tensors.items() if one not in work.writes)
            writes = sum(_size(tensors[one]) for one in work.writes)
            # Parts of sums are float32 always.
            whole = all(one.dtype in (torch.float32, torch.float64) for one in tensors.values())
            flops = 0
            if products := work.exact if whole else work.rounded:
                flops = 2 * products * given["rows"] * given["C_IN"] * given["C_OUT"]
            self.noted.launches.append(
                Launch(name, reads, writes, flops, self.kernel, arguments, grid)
            )

        return launch


def tuned(kernel: Any) -> bool:
    """Whether Triton chooses among tiles of a kernel."""
    return hasattr(kernel, "configs")


@dataclass(frozen=True)
class Compiled:
    """A kernel as machine code."""

    registers: int
    """Of each thread."""
    spilled: int
    """Bytes of each thread that no register had room for."""
    shared: int
    """Bytes of each program."""
    programs: int
    source: str
    """The machine code as text."""

    @property
    def instructions(self) -> list[str]:
        """The names of the instructions."""
        return re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z0-9]+)", self.source)


def compiled(launch: Launch, capability: int = 90, tile: int = 0) -> Compiled:
    """Compile the kernel of a launch for a GPU, by its compute capability: 80, 86, 90, ...

    Of the tiles that Triton chooses among it takes the one with a number, the last for -1.
    Raises ValueError for what is no kernel, and under TRITON_INTERPRET=1, where nothing is compiled.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    if launch.kernel is None or triton.knobs.runtime.interpret:
        raise ValueError(f"{launch.name} cannot be compiled: no kernel, or interpreted")
    kernel, sizes, options = launch.kernel, {}, {}
    if tuned(kernel):
        chosen = kernel.configs[tile]
        kernel, sizes = kernel.fn, chosen.kwargs
        options = {"num_warps": chosen.num_warps, "num_stages": chosen.num_stages}
    values = dict(zip(kernel.arg_names, launch.arguments, strict=False)) | sizes
    signature: dict[str, str] = {}
    constants: dict[tuple[int, ...], Any] = {}
    known: dict[tuple[int, ...], Any] = {}
    for place, parameter in enumerate(kernel.params):
        value = values[parameter.name]
        # As Triton does it when it launches: 1 is a constant, and what 16 divides is known to be so.
        if parameter.is_constexpr or (isinstance(value, int) and value == 1):
            signature[parameter.name] = "constexpr"
            constants[place,] = value
        elif isinstance(value, Tensor):
            signature[parameter.name] = f"*{POINTERS[value.dtype]}"
            known[place,] = [["tt.divisibility", 16]]
        else:
            signature[parameter.name] = "i32" if value < 2**31 else "i64"
            if value % 16 == 0:
                known[place,] = [["tt.divisibility", 16]]
    made = triton.compile(
        ASTSource(kernel, signature, constants, known),
        target=GPUTarget("cuda", capability, 32),
        options=options,
    )
    grid = launch.grid(sizes) if callable(launch.grid) else launch.grid
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(made.asm["cubin"])
        used = _read(triton.knobs.nvidia.cuobjdump.path, "-res-usage", str(path))
        source = _read(triton.knobs.nvidia.nvdisasm.path, str(path))
    found = re.search(r"REG:(\d+) STACK:(\d+)", used)
    assert found, used
    registers, spilled = map(int, found.groups())
    return Compiled(registers, spilled, made.metadata.shared, math.prod(grid), source)


POINTERS = {
    torch.float64: "fp64",
    torch.float32: "fp32",
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
}


def _read(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr
