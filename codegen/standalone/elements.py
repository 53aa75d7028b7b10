"""Random group elements in a file, and how they act, for PyTorch and for NumPy."""

from __future__ import annotations

from tannaka.category.groups import MatrixGroup
from tannaka.codegen.standalone.axes import Axes
from tannaka.codegen.standalone.definition import Library


def elements(axes: Axes, library: Library) -> list[str]:
    """The functions ``random_element`` and ``act``, each as text."""
    array, torch = library.array, library.name == "torch"
    random = "" if torch else ", rng: np.random.Generator"
    if not axes.typed:
        (factor,) = axes.factors
        return [sampler(factor, library), _act(array, library)]
    parts: dict[str, str] = {}
    calls = []
    for kind, factor in enumerate(axes.factors):
        name = f"random_{factor.symbol.lower()}"
        text = sampler(factor, library)
        parts[name] = text.replace("def random_element(", f"def {name}(")
        calls.append(f"{name}(n[{kind}]{'' if torch else ', rng'})")
    every = ", ".join(calls)
    body = f"    return {every}" if len(calls) > 1 else f"    return ({every},)"
    whole = [
        f"def random_element(n: tuple[int, ...]{random}) -> tuple[{array}, ...]:",
        '    """A random element: one of each factor, for the axes of its type."""',
    ]
    if len(body) > 100:
        whole += ["    return (", *(f"        {call}," for call in calls), "    )"]
    else:
        whole.append(body)
    return [*parts.values(), "\n".join(whole) + "\n", _act_typed(array, library)]


def sampler(factor: MatrixGroup, library: Library) -> str:
    """The function that draws an element of one group."""
    if library.name == "torch":
        return factor.torch_sample
    return factor.numpy_sample.replace("Floats", library.array)


def _act(array: str, library: Library) -> str:
    moved, back = _moves(library, "axis")
    return f'''\
def act(g: {array}, x: {array}, order: int) -> {array}:
    """Multiply each of the ``order`` axes between batch and channels by g."""
    for axis in range(1, order + 1):
        x = {moved} @ g.T
        x = {back}
    return x
'''


def _act_typed(array: str, library: Library) -> str:
    moved, back = _moves(library, "axis")
    return f'''\
def act(g: tuple[{array}, ...], x: {array}, word: tuple[int, ...]) -> {array}:
    """Multiply each axis between batch and channels by the matrix for its type."""
    for axis, kind in enumerate(word, start=1):
        x = {moved} @ g[kind].T
        x = {back}
    return x
'''


def _moves(library: Library, axis: str) -> tuple[str, str]:
    """Moving an axis to the end, and back."""
    return (
        library.moved.format(source=axis, target=-1),
        library.moved.format(source=-1, target=axis),
    )
