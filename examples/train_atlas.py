"""A network for every size of graph learns to count triangles and squares, beside an unstructured one.

The data are all 1,252 graphs with one to seven nodes (Read and Wilson, An Atlas of Graphs), which
NetworkX ships: adjacency matrices, padded with zeros to 7 x 7. A fifth of them is kept for the test.
Both networks have about as many parameters, the same optimiser and the same loss:

* layers of the family S(), which take graphs of any size by a mask, with matrix products of
  channels between them (Maron et al., Provably powerful graph networks, arXiv:1905.11136). Numbering
  the nodes otherwise changes nothing, whatever the weights are;
* a multilayer perceptron on the 49 entries, which sees each graph with its nodes in a random order,
  for it has to learn from examples that the order means nothing.

The perceptron is tried with several learning rates, for each long enough that longer does not help;
what counts is its best, and how soon the other network is as good.

Usage: python examples/train_atlas.py
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import click
import networkx
import torch
from networkx.generators.atlas import graph_atlas_g
from torch import Tensor, nn
from trial import heading

import tannaka as tn

SEED = 7
BATCH = 50
NODES = 7
"""The most nodes of a graph; smaller ones are padded."""


@dataclass(frozen=True)
class Graphs:
    """Graphs with what is to be learned of them."""

    adjacency: Tensor
    """Of shape (graphs, 7, 7)."""
    real: Tensor
    """Which nodes are there: boolean, of shape (graphs, 7)."""
    counts: Tensor
    """How many triangles and how many cycles of length 4, of shape (graphs, 2)."""

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, which: Tensor) -> Graphs:
        return Graphs(self.adjacency[which], self.real[which], self.counts[which])

    def renumbered(self) -> Graphs:
        """The same graphs with the nodes, and the padding among them, in another order each."""
        order = torch.rand(len(self), NODES).argsort(dim=1)
        graphs = torch.arange(len(self))[:, None]
        adjacency = self.adjacency[graphs[:, :, None], order[:, :, None], order[:, None, :]]
        return Graphs(adjacency, self.real[graphs, order], self.counts)


def atlas() -> Graphs:
    """All graphs with one to seven nodes."""
    graphs = graph_atlas_g()[1:]
    adjacency = torch.zeros(len(graphs), NODES, NODES)
    real = torch.zeros(len(graphs), NODES, dtype=torch.bool)
    for i, graph in enumerate(graphs):
        n = len(graph)
        adjacency[i, :n, :n] = torch.from_numpy(networkx.to_numpy_array(graph))
        real[i, :n] = True
    cycles = [[len(c) for c in networkx.simple_cycles(graph, 4)] for graph in graphs]
    counts = torch.tensor([[lengths.count(3), lengths.count(4)] for lengths in cycles])
    return Graphs(adjacency, real, counts.float())


class Equivariant(nn.Module):
    """Layers of S() and matrix products, one for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        linear = tn.nn.EquivariantLinear
        self.first = linear(tn.S(), 2, 2, 1, 2 * channels)
        self.second = linear(tn.S(), 2, 2, 1 + channels, 2 * channels)
        self.last = linear(tn.S(), 2, 0, 2 * channels, 2, reduce="sum")

    def forward(self, graphs: Graphs) -> Tensor:
        """The counts, in units of their spread: (graphs, 2)."""
        x, real = graphs.adjacency[..., None], graphs.real
        paths = product(self.first(x, real))
        longer = product(self.second(torch.cat([x, paths], dim=-1), real))
        y: Tensor = self.last(torch.cat([paths, longer], dim=-1), real)
        return y / NODES


def product(x: Tensor) -> Tensor:
    """One half of the channels times the other, as matrices: (graphs, n, n, 2 c) to (graphs, n, n, c)."""
    a, b = x.movedim(-1, 1).chunk(2, dim=1)
    return (a @ b).movedim(1, -1) / NODES


class Perceptron(nn.Module):
    """Two hidden layers, on the entries of the padded matrix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(NODES**2, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 2),
        )

    def forward(self, graphs: Graphs) -> Tensor:
        """The counts, in units of their spread: (graphs, 2)."""
        y: Tensor = self.layers(graphs.adjacency.flatten(1))
        return y


@dataclass
class Run:
    """What became of a network, epoch by epoch: on the test graphs, after so much training."""

    network: nn.Module
    seconds: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    """How far counts are off, on average."""
    exact: list[float] = field(default_factory=list)
    """The share of the graphs both of whose counts are right when rounded."""

    @property
    def best(self) -> int:
        """The epoch after which the error was smallest."""
        return min(range(len(self.errors)), key=self.errors.__getitem__)

    def soonest(self, error: float) -> float | None:
        """After how many seconds the error was this small for the first time."""
        return next((s for s, e in zip(self.seconds, self.errors, strict=True) if e <= error), None)

    def __str__(self) -> str:
        weights = sum(parameter.numel() for parameter in self.network.parameters())
        return (
            f"{weights:10,} {self.seconds[-1]:7.1f} s {self.errors[self.best]:10.3f} "
            f"{self.exact[self.best]:8.1%}"
        )


def train(
    name: str,
    network: nn.Module,
    training: Graphs,
    test: Graphs,
    *,
    rate: float,
    epochs: int,
    renumber: bool = False,
) -> Run:
    """Train for so many epochs; the tests after each are not counted as time."""
    scale = training.counts.std(dim=0)
    steps = epochs * -(-len(training) // BATCH)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    run, spent = Run(network), 0.0
    with click.progressbar(length=epochs, label=name, width=30) as bar:
        for _ in range(epochs):
            start = perf_counter()
            for which in torch.split(torch.randperm(len(training)), BATCH):
                some = training[which].renumbered() if renumber else training[which]
                loss = (network(some) - some.counts / scale).square().mean()
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                schedule.step()
            spent += perf_counter() - start
            with torch.no_grad():
                off = (network(test) * scale - test.counts).abs()
            run.errors.append(float(off.mean()))
            run.exact.append(float((off < 0.5).all(dim=1).float().mean()))
            run.seconds.append(spent)
            bar.update(1)
    return run


def change(network: nn.Module, graphs: Graphs) -> float:
    """By how much the counts of the same graphs differ, at most, once their nodes are renumbered."""
    with torch.no_grad():
        changed = network(graphs) - network(graphs.renumbered())
    return float((changed * graphs.counts.std(dim=0)).abs().max())


def main(
    epochs: int = 100, rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2), patience: int = 1000
) -> None:
    """Train both, and compare them."""
    torch.manual_seed(SEED)
    data = atlas()
    order = torch.randperm(len(data))
    training, test = data[order[: len(data) * 4 // 5]], data[order[len(data) * 4 // 5 :]]
    heading("Triangles and squares in every graph with at most seven nodes")
    print(f"{len(training):,} graphs to learn from, {len(test)} for the test")
    print("their counts are", spread(test.counts))
    ours = train("layers of S()", Equivariant(8), training, test, rate=3e-2, epochs=epochs)
    theirs = [
        train(
            f"perceptron, rate {rate:g}",
            Perceptron(31),
            training,
            test,
            rate=rate,
            epochs=patience,
            renumber=True,
        )
        for rate in rates
    ]
    print(f"\n{'':24}parameters  training  mean error    exact")
    print(f"{'layers of S()':24}{ours}")
    for rate, run in zip(rates, theirs, strict=True):
        print(f"{f'perceptron, rate {rate:g}':24}{run}")
    rival = min(theirs, key=lambda run: run.errors[run.best])
    error, late = rival.errors[rival.best], rival.seconds[rival.best]
    soon = ours.soonest(error)
    print(f"\nrenumbering the nodes changes counts by {change(ours.network, test):.0e} at most;")
    print(f"the best perceptron's by {change(rival.network, test):.1f}")
    if soon is None or soon >= late:
        raise SystemExit(f"FAILED: an error of {error:.3f} took {soon} s, not less than {late:.1f}")
    print(f"its error, which took {late:.1f} s, the layers of S() reached in {soon:.1f} s")


def spread(counts: Tensor) -> str:
    """What counts there are, in words."""
    words = []
    for name, column in zip(("triangles", "squares"), counts.T, strict=True):
        words.append(f"{column.mean():.1f} {name} on average, {column.max():.0f} at most")
    return "; ".join(words)


if __name__ == "__main__":
    main()
