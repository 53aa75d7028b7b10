"""Several inputs or outputs: orders in lists and dicts, and tensors in the same places.

A leaf is an order, or for a product of groups its word, a tuple. Lists and dicts hold leaves, and
lists and dicts. So ``[1, (0, 1)]`` are two orders, the second a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

Path: TypeAlias = tuple[int | str, ...]
"""The numbers and names that lead from a tree to one of its leaves; empty for a leaf alone."""


def leaves(tree: Any) -> Iterator[tuple[Path, Any]]:
    """The leaves with their paths, in order.

    >>> list(leaves([1, {"forces": (0, 1)}]))
    [((0,), 1), ((1, 'forces'), (0, 1))]
    >>> list(leaves(2))
    [((), 2)]
    """
    if isinstance(tree, list):
        inside: Any = enumerate(tree)
    elif isinstance(tree, Mapping):
        inside = tree.items()
    else:
        yield (), tree
        return
    for key, part in inside:
        for path, leaf in leaves(part):
            yield (key, *path), leaf


def mapped(change: Callable[[Path, Any], Any], tree: Any, path: Path = ()) -> Any:
    """The same tree with ``change(path, leaf)`` in place of each leaf.

    >>> mapped(lambda path, leaf: leaf + 1, {"a": [1, 2]})
    {'a': [2, 3]}
    """
    if isinstance(tree, list):
        return [mapped(change, part, (*path, i)) for i, part in enumerate(tree)]
    if isinstance(tree, Mapping):
        return {key: mapped(change, part, (*path, key)) for key, part in tree.items()}
    return change(path, tree)


def at(tree: Any, path: Path) -> Any:
    """The leaf that a path leads to."""
    for key in path:
        tree = tree[key]
    return tree


def matched(tree: Any, given: Any, what: str) -> list[Any]:
    """What ``given`` has in the places of the leaves of ``tree``: neither less nor more.

    Tuples stand for lists, and dataclasses for dicts. Raises TypeError or ValueError that names
    ``what`` was given and the first place where it differs.

    >>> matched([1, {"a": 2}], ("x", {"a": "y"}), "the output")
    ['x', 'y']
    """
    if isinstance(tree, list):
        if not isinstance(given, list | tuple):
            raise TypeError(f"{what} must be a list or tuple of {len(tree)}, got {_kind(given)}")
        if len(given) != len(tree):
            raise ValueError(f"{what} must be a list or tuple of {len(tree)}, got {len(given)}")
        pairs: Any = ((i, part, given[i]) for i, part in enumerate(tree))
    elif isinstance(tree, Mapping):
        if is_dataclass(given) and not isinstance(given, type):
            given = {one.name: getattr(given, one.name) for one in fields(given)}
        wanted = ", ".join(map(repr, tree))
        if not isinstance(given, Mapping):
            raise TypeError(f"{what} must be a dict with {wanted}, got {_kind(given)}")
        if set(given) != set(tree):
            found = ", ".join(map(repr, given))
            raise ValueError(f"{what} must be a dict with {wanted} and no more, got {found}")
        pairs = ((key, part, given[key]) for key, part in tree.items())
    else:
        return [given]
    return [one for key, part, value in pairs for one in matched(part, value, f"{what}[{key!r}]")]


def _kind(given: Any) -> str:
    return f"{given!r}" if isinstance(given, int | str) else type(given).__name__


def named(path: Path) -> str:
    """A path for a reader.

    >>> named(()), named((1,)), named((0, "forces"))
    ('', '[1]', "[0]['forces']")
    """
    return "".join(f"[{key!r}]" for key in path)
