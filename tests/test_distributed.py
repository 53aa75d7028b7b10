"""Data parallel and sharded training does what one process does with the whole batch.

Two processes run ``distributed_worker.py`` once; here is what came of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import distributed_worker as worker
import pytest
import torch
from torch import Tensor

from tannaka.testing import ROUNDING

TIMES = 10
"""The order of sums is another one, and some steps are taken: so many times what one layer needs."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("distributed")
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    run += ["--nproc-per-node", str(worker.PROCESSES), str(Path(worker.__file__)), str(made)]
    environment = {**os.environ, "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, "\n".join(re.findall(r"^\[rank\d\]:.*", done.stderr, re.MULTILINE))
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, Any]]:
    return [torch.load(folder / f"process_{rank}.pt") for rank in range(worker.PROCESSES)]


@pytest.fixture(scope="module", params=worker.NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def alone(name: str) -> dict[str, Any]:
    return worker.train(worker.network(name), worker.batches(name))


def assert_close(got: list[Tensor], wanted: list[Tensor]) -> None:
    for one, other in zip(got, wanted, strict=True):
        assert one.shape == other.shape
        if one.numel():
            error = (one - other).abs().max()
            assert error <= TIMES * ROUNDING[torch.float64] * other.abs().max()


@pytest.mark.parametrize("way", worker.WAYS)
def test_two_processes_learn_what_one_does(
    found: list[dict[str, Any]], alone: dict[str, Any], name: str, way: str
) -> None:
    for process in found:
        made = process[f"{name}, {way}"]
        for kind in ("losses", "gradients", "parameters"):
            assert_close(made[kind], alone[kind])
    start = [parameter.detach() for parameter in worker.network(name).parameters()]
    for before, after in zip(start, alone["parameters"], strict=True):
        assert not before.numel() or not torch.equal(before, after), "nothing was learned"


def test_sharded_networks_go_through_files(
    found: list[dict[str, Any]], folder: Path, name: str
) -> None:
    for process in found:
        made = process[f"{name}, files"]
        for way in ("from parts", "from the whole"):
            for one, other in zip(made[way], made["parameters"], strict=True):
                assert torch.equal(one, other)
    # One process reads the whole as its own, and is told whose weights they are.
    state = torch.load(folder / f"{name}.pt", weights_only=True)
    assert {"0._extra_state"} < set(state)
    network = worker.network(name)
    network.load_state_dict(state)
    parameters = found[0][f"{name}, files"]["parameters"]
    for one, other in zip(network.parameters(), parameters, strict=True):
        assert torch.equal(one, other)


def test_rows_of_weights_are_shared_out(found: list[dict[str, Any]]) -> None:
    rows = [process["points, files"]["rows"] for process in found]
    assert rows == [[8, 1, 1, 1], [7, 1, 1, 0]]


def test_half_precision(found: list[dict[str, Any]]) -> None:
    network = worker.network("points").float()
    x = worker.batches("points")[0].float()
    y = network(x)
    y.square().mean().backward()
    wanted: list[Any] = [parameter.grad for parameter in network.parameters()]
    for rank, process in enumerate(found):
        output, gradients = (process["half precision"][key] for key in ("output", "gradients"))
        assert output.dtype == torch.bfloat16
        error = (output - y.chunk(worker.PROCESSES)[rank]).abs().max()
        assert error <= 2 * ROUNDING[torch.bfloat16] * y.abs().max()
        for got, want in zip(gradients, wanted, strict=True):
            assert got.dtype == torch.float32
            assert (got - want).abs().max() <= 2 * ROUNDING[torch.bfloat16] * want.abs().max()


def test_a_state_dict_of_another_basis_is_refused(found: list[dict[str, Any]]) -> None:
    for process in found:
        assert len(process["refused"]) == 2
        for said in process["refused"]:
            assert "0._extra_state: the state dict was saved for the basis" in said
