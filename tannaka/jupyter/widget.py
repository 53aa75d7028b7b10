"""The explorer as a widget: a session, shown by ``explorer.js``, which asks for what its user does.

The page asks in messages ``{"id": 7, "do": "pick", "with": {"number": 3}}``, and all mathematics
happens here. What there is to see is in traits, a section of the page each, so that only what has
changed travels; ``_answer`` has the id that was answered and, where it could not be done, the
reason in one line.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from tannaka.category.groups import Group
from tannaka.category.groups import group as by_name
from tannaka.category.symmetric import S
from tannaka.diagrams.morphism import Morphism
from tannaka.jupyter.panels import entry
from tannaka.jupyter.pictures import still
from tannaka.jupyter.session import ACTIONS, Map, Session
from tannaka.jupyter.views import SECTIONS, view

SCRIPTS = ("dom.js", "gallery.js", "glue.js", "matrix.js", "shrink.js", "draw.js", "explorer.js")
"""The script, in pieces that are read one after the other as one module."""
_HERE = files("tannaka.jupyter")


class _Checked(traitlets.Any):
    """A trait that is validated whatever it is set to: traitlets lets None pass unseen elsewhere."""

    allow_none = False


class Explorer(anywidget.AnyWidget):
    """Browse Hom_G(V^k, V^l), compose its diagrams, see their matrices, draw new ones.

    ``group``, ``k`` and ``l`` say which space; ``selected`` is the tuple of the chosen maps, f and g;
    ``result`` is what is made of them, a formal sum, None while one is missing; ``drawn`` is the
    diagram on the drawing page, None while something is missing; a blank page is the diagram whose
    points are all alone, where the group has that. All can be observed, as traits are, and
    all but ``result`` can be set, which moves the page; setting what is no map for the group raises
    TypeError or ValueError, and changes nothing.

    Where no widget runs, a notebook shows a picture of the space instead.

    >>> import tannaka as tn
    >>> e = tn.explorer(tn.O(3), 2, 2)
    >>> e.selected = e.hom.basis()[:2]
    >>> print(e.result)
    (0 1 | 2 3)
    """

    group = _Checked(help="The group.")
    k = _Checked(help="The order of the input, or its word.")
    l = _Checked(help="The order of the output, or its word.")
    selected = _Checked((), help="The chosen maps: (), (f,) or (f, g).")
    result = _Checked(None, help="What is made of them.")
    drawn = _Checked(None, help="The diagram that is drawn.")

    _space = traitlets.Dict().tag(sync=True)
    _gallery = traitlets.Dict().tag(sync=True)
    _chosen = traitlets.Dict().tag(sync=True)
    _panel = traitlets.Dict().tag(sync=True)
    _python = traitlets.Dict().tag(sync=True)
    _answer = traitlets.Dict({"id": 0}).tag(sync=True)

    _esm = "\n".join((_HERE / name).read_text("utf-8") for name in SCRIPTS)
    _css = (_HERE / "explorer.css").read_text("utf-8")

    def __init__(self, group: Group | str, k: Any, l: Any) -> None:
        self._session = Session(by_name(group), k, l)
        self._moving = False
        super().__init__()
        self._show(self._session)
        self.on_msg(self._heard)

    @property
    def hom(self) -> Any:
        """The space that is browsed, as a :class:`tannaka.Hom`."""
        return self._session.hom

    def _show(self, session: Session) -> None:
        """Make this the session, and tell the page and whoever observes."""
        shown = view(session)
        self._session = session
        self._moving = True
        try:
            with self.hold_sync():
                for name in SECTIONS:
                    setattr(self, f"_{name}", shown[name])
            for name, value in _traits(session).items():
                setattr(self, name, value)
        finally:
            self._moving = False

    @traitlets.validate("group", "k", "l", "selected", "drawn")
    def _set(self, proposal: Any) -> Any:
        """Whoever sets a trait in Python moves the session first; what it refuses is not set."""
        if self._moving:
            return proposal["value"]
        name, value = proposal["trait"].name, proposal["value"]
        moved = _moved(self._session, name, value)
        self._show(moved)
        return _traits(moved)[name]

    @traitlets.validate("result")
    def _found(self, proposal: Any) -> Any:
        if not self._moving:
            raise ValueError("result is what is made of the chosen maps: set selected")
        return proposal["value"]

    def _heard(self, _: Any, content: Any, buffers: Any) -> None:
        """Do what the page asks for; a refusal is one line on the page, and no traceback in a log."""
        del buffers
        if not isinstance(content, dict):
            return
        answer: dict[str, Any] = {"id": content.get("id", 0), "error": ""}
        try:
            given = content.get("with", {})
            if content["do"] == "entry":
                answer["entry"] = entry(self._session, **given)
            else:
                self._show(ACTIONS[content["do"]](self._session, **given))
        except KeyboardInterrupt:
            # The page waits for an answer, and nothing has been changed yet.
            answer["error"] = "interrupted"
        except Exception as error:  # a mistake of ours too is better read on the page than nowhere
            plain = isinstance(error, (ValueError, TypeError, IndexError, RuntimeError))
            answer["error"] = str(error) if plain else f"{type(error).__name__}: {error}"
        self._answer = answer

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget and, for where none runs, a picture and a line of text."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        data["text/plain"] = repr(self)
        # A space too large to browse has no picture: its line of text says how large it is.
        with suppress(ValueError):
            data["image/svg+xml"] = still(self._session)
        return data, metadata

    def __repr__(self) -> str:
        chosen = "".join(
            f"; {slot} = {one}" for slot, one in zip("fg", self.selected, strict=False)
        )
        return f"<Explorer of {self._session.hom}{chosen}>"


def explorer(group: Group | str = S(4), k: Any = 2, l: Any = 2) -> Explorer:  # noqa: B008
    """Open an :class:`Explorer` of Hom_G(V^k, V^l) in a notebook.

    ``group`` is a group or its name. Needs anywidget: ``pip install 'tannaka[jupyter]'``. Raises
    TypeError or ValueError for what is no group or no order, and for a family such as ``S()``.

    >>> import tannaka as tn
    >>> e = tn.explorer(tn.S(3), k=2, l=2)
    >>> e
    <Explorer of Hom(S(3), 2, 2): dimension 14>
    >>> e.observe(lambda change: print(change.new), "result")
    >>> e.selected = (tn.SetPartition.swap(), tn.SetPartition.swap())
    (0 2 | 1 3)
    """
    return Explorer(group, k, l)


def _traits(session: Session) -> dict[str, Any]:
    """What Python sees of a session."""
    try:
        result: Morphism | None = session.result
    except ValueError:
        result = None
    return {
        "group": session.group,
        "k": session.k,
        "l": session.l,
        "selected": session.selected,
        "result": result,
        "drawn": session.drawn,
    }


def _moved(session: Session, name: str, value: Any) -> Session:
    """The session with one of its traits set."""
    if name == "group":
        return session.with_group(by_name(value))
    if name == "selected":
        maps: tuple[Map, ...] = tuple(value) if isinstance(value, (tuple, list)) else (value,)
        return session.select(*maps)
    if name == "drawn":
        return session.with_drawn(value)
    if value is None:
        raise TypeError(f"{name} is an order, or a word of types, got None")
    return session.with_orders(**{name: value})
