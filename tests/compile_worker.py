"""What Triton and PyTorch make of our kernels for a GPU that is not there; run by test_triton_compiled.

Reads a task as JSON, prints the outcome as JSON. A process of its own, because TRITON_INTERPRET, which
other tests need, is read when Triton is imported.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
import triton
from functorch.compile import aot_function, make_boxed_func
from torch._dynamo.backends.common import aot_autograd
from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table
from torch._subclasses.fake_tensor import FakeTensorMode
from triton.backends.compiler import GPUTarget

import tannaka as tn
from tannaka.codegen.lowering.lower import lower
from tannaka.codegen.passes import optimise
from tannaka.codegen.timing.launches import account, compiled


class Driver:
    """Tells of a GPU what a compiler asks, and runs nothing."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)


def kernels(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Every kernel of a layer and its gradients as machine code."""
    hom = tn.Hom(tn.group(task["group"]), task["k"], task["l"])
    n, into, out = task["n"], task["in"], task["out"]
    plan = optimise(lower(hom, into, out))

    def tensor(*shape: int) -> torch.Tensor:
        return torch.empty(*shape, dtype=getattr(torch, task["dtype"]), device="meta")

    x = tensor(2, *[n] * task["k"], into)
    weight, g = tensor(len(plan.basis), out, into), tensor(2, *[n] * task["l"], out)
    bias = None if plan.bias_basis is None else tensor(len(plan.bias_basis), out)
    counted = [
        account(plan, "forward", x, weight, bias, n),
        account(plan, "gradients", x, weight, g, n),
    ]
    found = {}
    for launch in [launch for one in counted for launch in one.launches if launch.kernel]:
        # The smallest tile is for float64.
        code = compiled(launch, task["capability"], -1 if task["dtype"] == "float64" else 0)
        found[launch.name] = {
            "name": launch.name,
            "registers": code.registers,
            "spilled": code.spilled,
            "shared": code.shared,
            "instructions": sorted(set(code.instructions)),
        }
    return list(found.values())


def traced(task: dict[str, Any]) -> dict[str, Any]:
    """The kernels in the graphs of a layer and its backward, with the arguments that they change."""
    triton.runtime.driver.set_active(Driver())
    there, torch.cuda.is_available = torch.cuda.is_available, lambda: True
    layer = tn.nn.EquivariantLinear(
        tn.group(task["group"]), task["k"], task["l"], 8, 8, backend="triton"
    )
    torch.cuda.is_available = there
    n, graphs = task["n"], []

    def keep(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return make_boxed_func(graph)

    def run(x: torch.Tensor, *parameters: torch.Tensor) -> Any:
        named = dict(zip(dict(layer.named_parameters()), parameters, strict=True))
        return torch.func.functional_call(layer, named, (x,))

    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.empty(4, *[n] * task["k"], 8, requires_grad=True)
        given = [torch.empty_like(p, requires_grad=True) for p in layer.parameters()]
        aot_function(run, fw_compiler=keep, bw_compiler=keep)(x, *given).sum().backward()
    changed = []
    for graph in graphs:
        calls = graph.graph.find_nodes(
            op="call_function", target=torch.ops.higher_order.triton_kernel_wrapper_functional
        )
        for call in calls:
            kernel: Any = kernel_side_table.get_kernel(call.kwargs["kernel_idx"])
            name = getattr(kernel, "base_fn", kernel).__name__
            changed.append((name, sorted(call.kwargs["tensors_to_clone"])))
    x = torch.empty(4, *[n] * task["k"], 8)
    exported = torch.export.export(layer, (x,), strict=True)
    operators = [str(node.target) for node in exported.graph.nodes if "tannaka" in str(node.target)]
    return {"graphs": len(graphs), "changed": changed, "exported": operators}


def compiled_once(task: dict[str, Any]) -> int:
    """How often a layer is compiled for inputs of several sizes, with its backward pass."""
    triton.runtime.driver.set_active(Driver())
    there, torch.cuda.is_available = torch.cuda.is_available, lambda: True
    k = task["k"]
    layer = tn.nn.EquivariantLinear(tn.group(task["group"]), k, task["l"], 8, 8, backend="triton")
    torch.cuda.is_available = there
    torch._dynamo.reset()
    graphs = []

    def keep(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        holders = [node.meta["val"] for node in graph.graph.find_nodes(op="placeholder")]

        def run(*given: Any) -> list[Any]:
            """Zeros like what the graph gives."""
            known: dict[Any, int] = {}
            for holder, value in zip(holders, given, strict=True):
                pairs = [(holder, value)]
                if isinstance(holder, torch.Tensor):
                    pairs = list(zip(holder.shape, value.shape, strict=True))
                known |= {s.node.expr: v for s, v in pairs if isinstance(s, torch.SymInt)}

            def number(size: Any) -> int:
                return int(size.node.expr.subs(known) if isinstance(size, torch.SymInt) else size)

            found: list[Any] = []
            for node in graph.graph.output_node().args[0]:
                value = None if node is None else node.meta["val"]
                if isinstance(value, torch.Tensor):
                    value = torch.zeros([number(size) for size in value.shape], dtype=value.dtype)
                found.append(number(value) if isinstance(value, torch.SymInt) else value)
            return found

        return make_boxed_func(run)

    run = torch.compile(
        layer,
        fullgraph=True,
        dynamic=True,
        backend=aot_autograd(fw_compiler=keep, bw_compiler=keep),
    )
    for batch, n in task["sizes"]:
        x = torch.randn(batch, *[n] * k, 8, requires_grad=True)
        mask = (torch.ones(batch, n, dtype=torch.bool),) if task["mask"] else ()
        run(x, *mask).sum().backward()
    return len(graphs) // 2


if __name__ == "__main__":
    work = {"kernels": kernels, "traced": traced, "compiled once": compiled_once}
    print(json.dumps([work[task["do"]](task) for task in json.loads(sys.stdin.read())]))
