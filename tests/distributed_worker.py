"""What each process of test_distributed.py runs, and what it is compared with.

``python -m torch.distributed.run --nproc-per-node 2 distributed_worker.py FOLDER`` trains networks in
several ways over the halves of some batches and writes what came of it into the folder.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    set_model_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import tannaka as tn
from tannaka.diagrams.errors import BasisMismatchError
from tannaka.nn import EquivariantLinear

PROCESSES = 2
STEPS = 3
BATCH = 6


class Norms(nn.Module):
    """Scale vectors by their lengths, which commutes with rotations."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.square().sum(-2, keepdim=True)


def points(device: str | None = None) -> nn.Sequential:
    """Matrices over four points to numbers: weights of 15 and 2 rows, a bias in both layers."""
    options: Any = {"dtype": torch.float64, "device": device}
    return nn.Sequential(
        EquivariantLinear(tn.S(4), 2, 2, 2, 3, lowering="factored", **options),
        nn.Tanh(),
        EquivariantLinear(tn.S(4), 2, 0, 3, 1, **options),
    )


def vectors(device: str | None = None) -> nn.Sequential:
    """Tensors of order 3 to vectors: no bias, since no vector is fixed; a weight of one row."""
    options: Any = {"dtype": torch.float64, "device": device}
    return nn.Sequential(
        EquivariantLinear(tn.O(3), 3, 1, 2, 3, lowering="factored", **options),
        Norms(),
        EquivariantLinear(tn.O(3), 1, 1, 3, 1, lowering="isotypic", **options),
    )


def nothing(device: str | None = None) -> nn.Sequential:
    """A layer whose weight is empty, since no map but 0 commutes with the group."""
    options: Any = {"dtype": torch.float64, "device": device}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no linear map but 0", UserWarning)
        first = EquivariantLinear(tn.O(3), 1, 2, 2, 3, **options)
    return nn.Sequential(first, EquivariantLinear(tn.O(3), 2, 0, 3, 1, **options))


NETWORKS: dict[str, Callable[..., nn.Sequential]] = {
    "points": points,
    "vectors": vectors,
    "nothing": nothing,
}
SHAPES = {"points": (4, 4, 2), "vectors": (3, 3, 3, 2), "nothing": (3, 2)}


def network(name: str) -> nn.Sequential:
    """The network that every process starts from."""
    torch.manual_seed(0)
    made = NETWORKS[name]()
    for key, parameter in made.named_parameters():
        if key.endswith("bias"):
            nn.init.normal_(parameter)
    return made


def batches(name: str) -> list[Tensor]:
    """Whole batches, one for each step."""
    generator = torch.Generator().manual_seed(1)
    shape = (STEPS, BATCH, *SHAPES[name])
    return list(torch.randn(shape, generator=generator, dtype=torch.float64))


def whole(tensor: Any) -> Tensor:
    """A tensor that may lie in several processes."""
    found: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found.detach().clone()


def train(model: nn.Module, inputs: list[Tensor]) -> dict[str, Any]:
    """Train, and say the losses, the first gradients and the parameters."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    found: dict[str, Any] = {"losses": []}
    for x in inputs:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        found.setdefault("gradients", [whole(p.grad) for p in model.parameters()])
        optimizer.step()
        found["losses"].append(loss.detach().clone())
    found["parameters"] = [whole(p) for p in model.parameters()]
    return found


def sharded(model: nn.Sequential, **options: Any) -> nn.Sequential:
    """Each layer on its own, and what is left together."""
    options["mesh"] = init_device_mesh("cpu", (PROCESSES,))
    # FSDP cannot shard gradients that have no entries: "_chunk_cat expects non-empty tensor".
    options["ignored_params"] = {p for p in model.parameters() if not p.numel()}
    for module in model:
        if isinstance(module, EquivariantLinear):
            fully_shard(module, **options)
    fully_shard(model, **options)
    return model


WAYS: dict[str, Callable[[nn.Sequential], nn.Module]] = {
    "DDP": DistributedDataParallel,
    "DDP with a static graph": lambda model: DistributedDataParallel(
        model, static_graph=True, gradient_as_bucket_view=True
    ),
    "FSDP": sharded,
    "FSDP that keeps weights": lambda model: sharded(model, reshard_after_forward=False),
}


def main(folder: Path) -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    found: dict[str, Any] = {}
    for name in NETWORKS:
        halves = [x.chunk(PROCESSES)[rank] for x in batches(name)]
        for way, wrap in WAYS.items():
            made = train(wrap(network(name)), halves)
            for loss in made["losses"]:
                dist.all_reduce(loss)
                loss /= PROCESSES
            found[f"{name}, {way}"] = made
        found[f"{name}, files"] = files(name, folder, rank)
    found["half precision"] = half_precision(rank)
    found["refused"] = refused(folder)
    torch.save(found, folder / f"process_{rank}.pt")
    dist.destroy_process_group()


def files(name: str, folder: Path, rank: int) -> dict[str, Any]:
    """Save what is sharded, whole and in parts, and read it into networks from the meta device."""
    trained = sharded(network(name))
    train(trained, [x.chunk(PROCESSES)[rank] for x in batches(name)])
    parameters = [whole(p) for p in trained.parameters()]
    all_of_it = StateDictOptions(full_state_dict=True, cpu_offload=True)
    full = get_model_state_dict(trained, options=all_of_it)
    if rank == 0:
        torch.save(full, folder / f"{name}.pt")
    parts = folder / f"{name}_parts"
    save({"model": get_model_state_dict(trained)}, checkpoint_id=parts)

    from_parts = sharded(NETWORKS[name]("meta")).to_empty(device="cpu")
    state = {"model": get_model_state_dict(from_parts)}
    load(state, checkpoint_id=parts)
    set_model_state_dict(from_parts, state["model"])

    from_whole = sharded(NETWORKS[name]("meta")).to_empty(device="cpu")
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    set_model_state_dict(from_whole, full if rank == 0 else {}, options=options)
    return {
        "parameters": parameters,
        "from parts": [whole(p) for p in from_parts.parameters()],
        "from the whole": [whole(p) for p in from_whole.parameters()],
        "keys": sorted(full),
        "rows": [len(p.to_local()) for p in trained.parameters() if isinstance(p, DTensor)],
    }


def half_precision(rank: int) -> dict[str, Any]:
    """Weights gathered in bfloat16, gradients summed in float32."""
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    model = sharded(network("points").float(), mp_policy=policy)
    y = model(batches("points")[0].float().chunk(PROCESSES)[rank])
    y.float().square().mean().backward()
    return {
        "output": y.detach(),
        "gradients": [whole(p.grad) for p in model.parameters()],
    }


def refused(folder: Path) -> list[str]:
    """What is said when a state dict of another basis is read, whole and in parts."""
    mean = EquivariantLinear(tn.O(2), 3, 1, 2, 2)
    flipped = EquivariantLinear(tn.O(2), 1, 3, 2, 2)
    assert mean.weight.shape == flipped.weight.shape
    theirs, ours = sharded(nn.Sequential(mean)), sharded(nn.Sequential(flipped))
    save(get_model_state_dict(theirs), checkpoint_id=folder / "others")
    in_parts = get_model_state_dict(ours)
    load(in_parts, checkpoint_id=folder / "others")
    full = get_model_state_dict(theirs, options=StateDictOptions(full_state_dict=True))
    said = []
    for state, options in (
        (in_parts, StateDictOptions()),
        (full, StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)),
    ):
        try:
            set_model_state_dict(ours, state, options=options)
        except BasisMismatchError as error:
            said.append(str(error))
    return said


if __name__ == "__main__":
    main(Path(sys.argv[1]))
