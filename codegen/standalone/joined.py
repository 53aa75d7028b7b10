"""Files of single layers as one: what is the same in all of them stands once.

What differs from layer to layer, and what speaks of it, gets the number of the layer at the end of
its name. Texts are compared as they are; nothing is run.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tannaka.codegen.inline import merged
from tannaka.codegen.standalone.tables import WIDTH, Table

Names = Mapping[str, str]
ONE_ROW = re.compile(r"(\w+): tuple\[(.+), \.\.\.\] = \((.+),\)  # (.+)")
"""A table of one row, as it stands on one line."""


@dataclass(frozen=True)
class Block:
    """Top-level statements that belong together, with the comments before them."""

    names: tuple[str, ...]
    """What they define."""
    text: str

    def uses(self, names: Iterable[str]) -> bool:
        """Whether they speak of any of these names."""
        return renamed(self.text, {name: f"{name}\0" for name in names}) != self.text


def join(
    files: Sequence[str],
    *,
    docstring: str,
    ending: Callable[[Sequence[Names]], str],
    imports: Sequence[str] = (),
) -> str:
    """One file of several, with a docstring and an ending of its own, and what that imports.

    ``ending`` is given the new names of each file, where they have changed; ``check`` is its own.
    """
    parsed = [list(blocks(file)) for file in files]
    specific = {"check"} | _specific(parsed)
    every = [
        {name: f"{name}_{number}" for block in found for name in block.names if name in specific}
        for number, found in enumerate(parsed, start=1)
    ]
    written: dict[tuple[str, ...], None] = {}
    text = []
    for found, names in zip(parsed, every, strict=True):
        for block in found:
            new = tuple(names.get(name, name) for name in block.names)
            if new not in written:
                written[new] = None
                text.append(_fitted(renamed(block.text, names)))
    imported = [*imports, *(line for file in files for line in _imports(file))]
    last = ending(every)
    body = "\n\n\n".join([*_spaced(text), last.strip("\n")])
    return f'"""{docstring}\n"""\n\nfrom __future__ import annotations\n\n{merged(imported)}\n\n{body}\n'


def _fitted(text: str) -> str:
    """A constant on more lines, where a longer name has made its line too long."""
    *before, line = text.split("\n")
    if table := ONE_ROW.fullmatch(line) if len(line) > WIDTH else None:
        name, kind, row, said = table.groups()
        return "\n".join([*before, *Table(name, kind, (row,), (said,)).lines()])
    if len(text) <= WIDTH or before or not _is_constant(text):
        return text
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.Assign)
    (target,) = node.targets
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
        pairs = zip(target.elts, node.value.elts, strict=True)
        return "\n".join(f"{ast.unparse(name)} = {ast.unparse(value)}" for name, value in pairs)
    name, _, value = text.partition(" = ")
    # Formatters leave a line that parentheses do not make short enough.
    return f"{name} = (\n    {value}\n)" if len(value) + 4 <= WIDTH else text


def _spaced(texts: Sequence[str]) -> Iterator[str]:
    """Constants that follow one another stand together."""
    together: list[str] = []
    for text in texts:
        if _is_constant(text):
            together.append(text)
            continue
        if together:
            yield "\n".join(together)
            together = []
        yield text
    if together:
        yield "\n".join(together)


def _is_constant(text: str) -> bool:
    return not re.search(r"^(?:@|def |class )", text, re.MULTILINE)


def _specific(parsed: Sequence[Sequence[Block]]) -> set[str]:
    """The names that are not the same in all files that have them."""
    texts: dict[tuple[str, ...], set[str]] = {}
    for found in parsed:
        for block in found:
            texts.setdefault(block.names, set()).add(block.text)
    specific = {name for names, found in texts.items() if len(found) > 1 for name in names}
    # A name that is defined beside others in one file and not in another.
    homes: dict[str, set[tuple[str, ...]]] = {}
    for names in texts:
        for name in names:
            homes.setdefault(name, set()).add(names)
    specific |= {name for name, found in homes.items() if len(found) > 1}
    count = Counter(name for found in parsed for block in found for name in block.names)
    while True:
        more = {
            name
            for found in parsed
            for block in found
            if not specific.issuperset(block.names) and block.uses(specific)
            for name in block.names
            if count[name] > 1  # what one file has alone keeps its name
        }
        if more <= specific:
            return specific
        specific |= more


def blocks(source: str) -> Iterator[Block]:
    r"""The statements of a file after its imports, without those that run its check.

    >>> [block.names for block in blocks('import os\nA, B = 1, 2\n# of f\ndef f(): return A\n')]
    [('A', 'B'), ('f',)]
    """
    tree, lines = ast.parse(source), source.splitlines(keepends=True)
    done, pending = 0, ""
    waiting: Block | None = None
    for position, node in enumerate(tree.body):
        text = "".join(lines[done : node.end_lineno]).strip("\n")
        done = node.end_lineno or done
        if isinstance(node, ast.Import | ast.ImportFrom) or (position == 0 and _is_text(node)):
            continue
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            continue
        # A comment at the end of the line is part of it.
        rest = lines[done - 1][node.end_col_offset or 0 :].strip() if node.end_lineno else ""
        if rest.startswith("#"):
            text = f"{text}" if text.endswith(rest) else f"{text}  {rest}"
        names = tuple(_defined(node))
        if not names and waiting is not None:
            space = "\n" if _is_text(node) or _is_constant(waiting.text) else "\n\n\n"
            waiting = Block(waiting.names, f"{waiting.text}{space}{text}")
            continue
        if waiting is not None:
            yield waiting
        waiting = Block(names, f"{pending}{text}")
    if waiting is not None:
        yield waiting


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _defined(node: ast.stmt) -> Iterator[str]:
    """The names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Name):
                    yield part.id


def _imports(source: str) -> Iterator[str]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield ast.unparse(node)


def renamed(text: str, names: Names) -> str:
    """Text of Python with names of the file changed, not those of arguments, variables and attributes.

    >>> renamed('def f(x): return f(x.f, f=x, y=f"{f} f")  # f', {"f": "g"})
    'def g(x): return g(x.f, f=x, y=f"{g} f")  # f'
    >>> renamed('def h(f): return f', {"f": "g"})
    'def h(f): return f'
    """
    if not any(name in text for name in names):
        return text
    places, formatted = _places(ast.parse(text))
    changed: list[tuple[tuple[int, int], tuple[int, int], str]] = []
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for number, token in enumerate(tokens):
        new = token.string
        if token.type == tokenize.NAME and names.get(new):
            defined = number > 0 and tokens[number - 1].string in ("def", "class")
            top = token.start[1] == len(tokens[number - 1].string) + 1
            if (defined and top) or token.start in places:
                new = names[new]
        elif token.type == tokenize.STRING and re.match(r"[rR]?[fF]", new):
            inside = formatted.get(token.start[0], set()) & names.keys()
            each = {name: names[name] for name in inside}
            new = re.sub(r"\{[^{}]*\}", partial(_inside, each), new)
        if new != token.string:
            changed.append((token.start, token.end, new))
    lines = text.splitlines(keepends=True)
    for (row, start), (last, end), new in reversed(changed):
        tail = lines[last - 1][end:]
        lines[row - 1 : last] = [lines[row - 1][:start] + new + tail]
    return "".join(lines)


def _inside(names: Names, expression: re.Match[str]) -> str:
    """An expression in braces with names changed."""
    return re.sub(
        r"(?<![\w.])[A-Za-z_]\w*", lambda found: names.get(found[0], found[0]), expression[0]
    )


def _places(tree: ast.Module) -> tuple[set[tuple[int, int]], dict[int, set[str]]]:
    """Where names of the file stand, as (line, column), and those in f-strings by their first line.

    Before Python 3.12 names in f-strings have no place of their own.
    """
    places: set[tuple[int, int]] = set()
    formatted: dict[int, set[str]] = {}

    def visit(node: ast.AST, local: frozenset[str], line: int | None) -> None:
        if isinstance(node, ast.Name):
            if node.id not in local:
                if line is None:
                    places.add((node.lineno, node.col_offset))
                else:
                    formatted.setdefault(line, set()).add(node.id)
            return
        if isinstance(node, ast.JoinedStr) and line is None:
            line = node.lineno
        inner = local
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                visit(default, local, line)
            inner = local | _bound(node)
            if isinstance(node, ast.FunctionDef):
                for other in [*node.decorator_list, *_annotations(node)]:
                    visit(other, local, line)
                for statement in node.body:
                    visit(statement, inner, line)
            else:
                visit(node.body, inner, line)
            return
        if isinstance(node, ast.ClassDef):
            for other in [*node.decorator_list, *node.bases, *(one.value for one in node.keywords)]:
                visit(other, local, line)
            own = {
                part.id
                for statement in node.body
                if isinstance(statement, ast.Assign | ast.AnnAssign)
                for part in ast.walk(statement)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
            for statement in node.body:
                # What a class defines is not seen by the functions in it.
                function = isinstance(statement, ast.FunctionDef)
                visit(statement, local if function else local | own, line)
            return
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            inner = local | {
                part.id
                for generator in node.generators
                for part in ast.walk(generator.target)
                if isinstance(part, ast.Name)
            }
        for child in ast.iter_child_nodes(node):
            visit(child, inner, line)

    visit(tree, frozenset(), None)
    return places, formatted


def _annotations(node: ast.FunctionDef) -> Iterator[ast.expr]:
    """What a signature says of types."""
    arguments = node.args
    for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        if one.annotation is not None:
            yield one.annotation
    for other in (arguments.vararg, arguments.kwarg):
        if other is not None and other.annotation is not None:
            yield other.annotation
    if node.returns is not None:
        yield node.returns


def _bound(node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """The arguments and variables of a function."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    found = {one.arg for one in every}
    found |= {other.arg for other in (arguments.vararg, arguments.kwarg) if other is not None}
    if isinstance(node, ast.Lambda):
        return frozenset(found)
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            found.add(part.name)
            continue
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            found.add(part.id)
        waiting += ast.iter_child_nodes(part)
    return frozenset(found)
