"""Set-partition diagrams: the morphisms of the partition category, for S(n)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from tannaka.diagrams.diagram import (
    Diagram,
    check_category,
    check_composable,
    listed,
    listed_vertices,
    order,
    single,
)


@dataclass(frozen=True, slots=True)
class SetPartition(Diagram):
    """A set-partition diagram dom -> cod: outputs are vertices 0..cod-1, then inputs.

    ``labels[v]`` is the block of vertex v, as a restricted growth string: blocks are numbered in
    the order in which they first appear, so equal diagrams have equal labels.

    Its matrix for S(n), of shape (n**cod, n**dom), is 1 where the indices at the vertices of each
    block agree and 0 elsewhere.
    Source: arXiv:2212.08648, the diagram basis of Hom_{S_n}(V^k, V^l).

    Raises TypeError or ValueError where the labels are not a restricted growth string of length
    cod + dom; :meth:`from_blocks` takes blocks in any order.

    >>> f = SetPartition(1, 2, (0, 0, 1))
    >>> str(f)
    '0 1 | 2'
    >>> f.blocks
    ((0, 1), (2,))
    >>> str(f >> f.dagger())
    'n (0 | 1)'
    """

    dom: int
    cod: int
    labels: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "dom", order("dom", self.dom))
        object.__setattr__(self, "cod", order("cod", self.cod))
        labels = listed("labels", self.labels, what="block numbers")
        if len(labels) != self.dom + self.cod:
            raise ValueError(
                f"labels {labels} has length {len(labels)}, but a diagram {self.dom} -> {self.cod} "
                f"has {self.dom + self.cod} vertices: {self.cod} outputs, then {self.dom} inputs"
            )
        canonical = restricted_growth(labels)
        if any(isinstance(label, bool) or not hasattr(label, "__index__") for label in labels):
            raise TypeError(f"labels are block numbers, integers >= 0, got {labels}")
        if labels != canonical:
            raise ValueError(
                f"labels {labels} is not a restricted growth string; "
                f"the canonical form is {canonical}"
            )
        object.__setattr__(self, "labels", canonical)

    @classmethod
    def _made(cls, dom: int, cod: int, labels: tuple[int, ...]) -> Self:
        """Build from labels that are canonical by construction; nothing looks at them again."""
        made = object.__new__(cls)
        object.__setattr__(made, "dom", dom)
        object.__setattr__(made, "cod", cod)
        object.__setattr__(made, "labels", labels)
        return made

    @classmethod
    def from_blocks(cls, dom: int, cod: int, blocks: Iterable[Iterable[int]]) -> Self:
        """Build from the blocks, in any order; vertices not named are blocks of their own.

        >>> SetPartition.from_blocks(1, 2, [(2, 0)])
        SetPartition(dom=1, cod=2, labels=(0, 1, 0))
        """
        dom, cod = order("dom", dom), order("cod", cod)
        size = dom + cod
        # A vertex that no block names is alone: its name is negative, as no block's is.
        names = [-1 - vertex for vertex in range(size)]
        for name, block in enumerate(listed("blocks", blocks, what="blocks, each of vertices")):
            for vertex in listed_vertices("a block", block):
                if not 0 <= vertex < size:
                    raise ValueError(
                        f"vertex {vertex} is not one of the {size} vertices 0..{size - 1}"
                    )
                if names[vertex] >= 0:
                    raise ValueError(f"vertex {vertex} stands in two blocks, or twice in one")
                names[vertex] = name
        return cls._made(dom, cod, restricted_growth(names))

    @classmethod
    def spider(cls, dom: int, cod: int) -> Self:
        """The one-block diagram dom -> cod.

        >>> str(SetPartition.spider(1, 2))
        '0 1 2'
        """
        return cls(dom, cod, (0,) * (order("dom", dom) + order("cod", cod)))

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The blocks, as sorted vertex tuples, ordered by their least vertex."""
        found: list[list[int]] = [[] for _ in set(self.labels)]
        for vertex, label in enumerate(self.labels):
            found[label].append(vertex)
        return tuple(map(tuple, found))

    def then(self, other: Self) -> tuple[Self, int]:
        """Compose, and count the blocks closed in the middle.

        With Phi the functor to matrices, of shape (n**cod, n**dom):
        Phi(other) @ Phi(self) == n**closed * Phi(composite).
        Raises CompositionError unless ``other.dom == self.cod``.
        Source: arXiv:2304.14144, the vertical composition of the partition category.

        >>> SetPartition(0, 2, (0, 0)).then(SetPartition(2, 0, (0, 0)))
        (SetPartition(dom=0, cod=0, labels=()), 1)
        """
        if type(other) is not type(self) or other.dom != self.cod:
            check_composable(self, other)
            composite, (closed,) = single(self.composites(other), lambda: f"({self}) >> ({other})")
            return composite, closed
        # The names of the other's blocks are kept, those of this diagram's blocks come after them.
        # Where the two meet in the middle, the later name gives way to the earlier.
        upper, lower, top = other.labels, self.labels, other.cod
        shift = max(upper, default=-1) + 1
        name = list(range(shift + max(lower, default=-1) + 1))
        blocks = len(name)
        for a, b in zip(upper[top:], lower[: self.cod], strict=True):
            b += shift
            while name[a] != a:
                name[a] = a = name[name[a]]
            while name[b] != b:
                name[b] = b = name[name[b]]
            if a != b:
                blocks -= 1
                if a < b:
                    name[b] = a
                else:
                    name[a] = b
        # A name is never later than what it names, so those before it are final.
        for i, earlier in enumerate(name):
            name[i] = name[earlier]
        outer = [name[a] for a in upper[:top]]
        outer += [name[b + shift] for b in lower[self.cod :]]
        labels = restricted_growth(outer)
        closed = blocks - len(set(labels))
        return self._made(self.dom, top, labels), closed

    def tensor(self, other: Self) -> Self:
        """Put ``other`` to the right; its matrix is the Kronecker product of the two.

        >>> str(SetPartition.cup() @ SetPartition.cap())
        '0 1 | 2 3'
        """
        check_category(self, other)
        if type(other) is not type(self):
            both: Self = single(self.juxtapositions(other), lambda: f"({self}) @ ({other})")[0]
            return both
        shifted = [label + len(self.labels) for label in other.labels]
        labels = [
            *self.labels[: self.cod],
            *shifted[: other.cod],
            *self.labels[self.cod :],
            *shifted[other.cod :],
        ]
        return self._made(self.dom + other.dom, self.cod + other.cod, restricted_growth(labels))

    def dagger(self) -> Self:
        """Flip upside down; the matrix is transposed.

        >>> SetPartition(1, 2, (0, 0, 1)).dagger()
        SetPartition(dom=2, cod=1, labels=(0, 1, 1))
        """
        labels = self.labels[self.cod :] + self.labels[: self.cod]
        return self._made(self.cod, self.dom, restricted_growth(labels))


def restricted_growth(labels: Sequence[Hashable]) -> tuple[int, ...]:
    """Number the labels in the order in which they first appear.

    >>> restricted_growth((7, 3, 7))
    (0, 1, 0)
    """
    number: dict[Hashable, int] = {}
    # A list first: a tuple of a generator takes half as long again, and everything goes by here.
    return tuple([number.setdefault(label, len(number)) for label in labels])


def connected(size: int, groups: Iterable[Iterable[int]]) -> tuple[int, ...]:
    """Label the points 0..size-1 so that the points of each group, and no more, are connected.

    >>> connected(5, [(0, 3), (3, 4)])
    (0, 1, 2, 0, 0)
    """
    parent = list(range(size))

    def root(point: int) -> int:
        while parent[point] != point:
            parent[point] = parent[parent[point]]
            point = parent[point]
        return point

    for first, *others in groups:
        for other in others:
            parent[root(other)] = root(first)
    return restricted_growth([root(point) for point in range(size)])
