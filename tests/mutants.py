"""Every file that differs from a generated one in one sign, index, axis, number or operator.

Only the text that computes is touched: the tables of diagrams, and the kernel with its constants and
helpers. What says the same in other words is no mutant: the arguments of a minimum exchanged, a last
row for a first, blocks of a diagram called otherwise, a sign where a sum is empty. Run as a script on a file it tells, for each mutant, whether the file's own check notices:

    python mutants.py layer.py [first] [step]
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import json
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPERATORS: dict[type[Any], type[Any]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
METHODS = {
    "mean": "sum",
    "sum": "mean",
    "add_": "sub_",
    "sub_": "add_",
    "minimum": "maximum",
    "T": "mT.mT",
    "eye": "ones_like",
    "product": "permutations",
}
"""What else a method might have been."""
SYMMETRIC = ("min", "max", "minimum", "equal")
"""Functions whose arguments have no order."""
SECONDS = 20
"""How long a mutant may take: one that never ends has not passed."""


def kernel(tree: ast.Module) -> list[ast.stmt]:
    """The statements that compute: tables of rows, constants, helpers and what applies the layer."""
    found: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name != "Sums":
            break
        if isinstance(node, ast.FunctionDef):
            if node.name in ("checked", "init", "real"):
                break
            found.append(node)
        elif isinstance(node, ast.ClassDef | ast.AnnAssign) or (
            isinstance(node, ast.Assign) and _computed(node)
        ):
            found.append(node)
    return found


def _computed(node: ast.Assign) -> bool:
    """Whether an assignment is of a constant that the kernel uses: not of a type, size or basis."""
    (target,) = node.targets
    return isinstance(target, ast.Name) and target.id.isupper() and target.id != "BASIS"


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """The line that was changed, what it says now, and the whole file."""
    tree = ast.parse(source)
    rows = {
        id(part): row
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Tuple)
        for row in node.value.elts
        for part in ast.walk(row)
    }
    skipped = {id(part) for node in ast.walk(tree) for part in _silent(node)}
    for node in kernel(tree):
        for place in ast.walk(node):
            if id(place) in skipped:
                continue
            # Of a table, the whole row is told.
            whole = rows.get(id(place), place)
            for after in _changes(place):
                before, restore = ast.unparse(whole), copy.copy(place.__dict__)
                place.__dict__.update(after)
                line = getattr(place, "lineno", getattr(node, "lineno", 0))
                change = f"{before} -> {ast.unparse(whole)}"
                yield line, change, ast.unparse(ast.fix_missing_locations(tree))
                place.__dict__.clear()
                place.__dict__.update(restore)


def _silent(node: ast.AST) -> Iterator[ast.AST]:
    """What does not compute: docstrings, annotations, and giving memory back."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    for name in ("annotation", "returns", "type_comment"):
        part = getattr(node, name, None)
        if isinstance(part, ast.AST):
            yield from ast.walk(part)


def _changes(node: ast.AST) -> Iterator[dict[str, Any]]:
    """The attributes that make a node say something else."""
    match node:
        case ast.Constant(value=bool() as truth):
            yield {"value": not truth}
        case ast.Constant(value=int() as number):
            yield {"value": number + 1}
            if number:  # row -1 may be row 0
                yield {"value": number - 1}
        case ast.Constant(value=float() as number):
            yield {"value": -number or 1.0}
            yield {"value": number + 0.5}
        case ast.Constant(value=str() as text) if "->" in text:
            for value in _equations(text):
                yield {"value": value}
        case ast.UnaryOp(op=ast.USub()):
            yield {"op": ast.UAdd()}
        case ast.UnaryOp(op=ast.Not()):
            yield {"operand": ast.UnaryOp(ast.Not(), node.operand)}
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp() if type(node.op) in OPERATORS:
            yield {"op": OPERATORS[type(node.op)]()}
        case ast.Compare():
            for i, op in enumerate(node.ops):
                if type(op) in OPERATORS:
                    new = [*node.ops[:i], OPERATORS[type(op)](), *node.ops[i + 1 :]]
                    yield {"ops": new}
        case ast.Attribute(attr=attr) if attr in METHODS:
            yield {"attr": METHODS[attr]}
        case ast.IfExp():
            yield {"body": node.orelse, "orelse": node.body}
    if isinstance(node, ast.Tuple) and node.elts and all(map(_row, node.elts)):
        return  # a table: the tests that know what rows mean exchange them
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in SYMMETRIC:
        return
    for name in ("elts", "args"):
        items = getattr(node, name, None)
        if isinstance(node, ast.Tuple | ast.List | ast.Call) and items:
            for i in range(len(items) - 1):
                if ast.dump(items[i]) != ast.dump(items[i + 1]):
                    new = [*items[:i], items[i + 1], items[i], *items[i + 2 :]]
                    if not _same_blocks(items, new):
                        yield {name: new}


def _same_blocks(items: list[ast.expr], new: list[ast.expr]) -> bool:
    """Whether two lists of numbers are equal where the same others are."""
    if not all(isinstance(item, ast.Constant) and isinstance(item.value, int) for item in items):
        return False
    before, after = ([ast.unparse(item) for item in found] for found in (items, new))
    return list(map(before.index, before)) == list(map(after.index, after))


def _row(node: ast.AST) -> bool:
    return isinstance(node, ast.Tuple)


def _equations(text: str) -> Iterator[str]:
    """An equation of einsum with one index made another that it has."""
    letters = sorted({letter for letter in text if letter.isalpha()})
    for i, letter in enumerate(text):
        if letter.isalpha() and len(letters) > 1:
            other = letters[(letters.index(letter) + 1) % len(letters)]
            yield text[:i] + other + text[i + 1 :]


class _TooLongError(Exception):
    """A mutant that does not end."""


def _late(signum: int, frame: Any) -> None:
    raise _TooLongError


def passes(source: str) -> bool:
    """Whether a file's check finds nothing wrong."""
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            namespace: dict[str, Any] = {"__name__": "mutant"}
            exec(compile(source, "mutant", "exec"), namespace)
            namespace["check"]()
    except (Exception, SystemExit):
        return False
    finally:
        signal.alarm(0)
    return True


def main(path: str, first: str = "0", step: str = "1") -> None:
    """Print a line for each mutant: its place, what was changed, and whether it was caught."""
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    source = Path(path).read_text(encoding="utf-8")
    if not passes(source):
        raise SystemExit(f"{path} does not pass as it is")
    lines = source.splitlines()
    for number, (line, change, mutant) in enumerate(mutants(source)):
        if number % int(step) == int(first):
            caught = not passes(mutant)
            print(json.dumps([caught, lines[line - 1].strip(), change]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
