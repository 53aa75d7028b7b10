"""One command writes a network as a file, and the file learns to count triangles.

``tannaka generate --network triangles.toml`` writes a file that needs only torch. Its network learns
from four fifths of the 1,252 graphs with at most seven nodes (Read and Wilson, An Atlas of Graphs),
of all sizes at once, and is tested on the others.

Usage: python examples/train_generated.py
"""

from __future__ import annotations

import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import torch
from train_atlas import Graphs, atlas
from trial import heading

DESCRIPTION = Path(__file__).with_name("triangles.toml")
SEED = 1
BATCH = 100


def written(folder: Path) -> Path:
    """The file that the command writes from the description."""
    path = folder / "triangles.py"
    command = ["generate", "--network", str(DESCRIPTION), "-o", str(path)]
    subprocess.run([sys.executable, "-m", "tannaka", *command], check=True, capture_output=True)
    return path


def off(network: torch.nn.Module, graphs: Graphs) -> torch.Tensor:
    """How far each count of triangles is off."""
    counts: torch.Tensor = network(graphs.adjacency[..., None], graphs.real)[:, 0]
    return (counts - graphs.counts[:, 0]).abs()


def main(steps: int = 1200) -> float:
    """Write, check, train and test; returns the share of other graphs that are counted right."""
    torch.manual_seed(SEED)
    data = atlas()
    order = torch.randperm(len(data))
    training, test = data[order[: len(data) * 4 // 5]], data[order[len(data) * 4 // 5 :]]
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder))
        heading("Triangles, counted by a network that one command wrote")
        print(f"{path.name}: {len(path.read_text().splitlines())} lines, which need only torch")
        command = [sys.executable, str(path)]
        checked = subprocess.run(command, capture_output=True, text=True, check=True)
        print(checked.stdout.strip().splitlines()[-1])
        network = runpy.run_path(str(path))["Triangles"]()
    weights = sum(parameter.numel() for parameter in network.parameters())
    print(f"{weights:,} parameters learn from {len(training):,} graphs of one to seven nodes")
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-2, total_steps=steps)
    with click.progressbar(length=steps, label="training", width=30) as bar:
        for _ in range(steps):
            some = training[torch.randint(len(training), (BATCH,))]
            loss = off(network, some).square().mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            bar.update(1)
    with torch.no_grad():
        error = off(network, test)
    exact = float((error < 0.5).float().mean())
    constant = float((test.counts[:, 0] - training.counts[:, 0].mean()).abs().mean())
    print(
        f"{len(test)} other graphs: off by {error.mean():.3f} on average, {exact:.1%} exact; "
        f"the mean count is off by {constant:.1f}"
    )
    return exact


if __name__ == "__main__":
    if not main() > 0.95:
        raise SystemExit("FAILED: fewer than 95% of the other graphs are counted right")
