"""The explorer without a browser: what can be done in it, what it shows, and its traits."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import networkx
import numpy as np
import pytest
from depth import share
from hypothesis import given
from hypothesis import strategies as st

import tannaka as tn
from tannaka.jupyter.heat import heat_map, incidence, pattern
from tannaka.jupyter.menu import FAMILIES, argument_of, family_of, python_of
from tannaka.jupyter.pad import BLANK, DET, Pad
from tannaka.jupyter.panels import entry
from tannaka.jupyter.session import ACTIONS, OPERATIONS, PANELS, SUBJECTS, Session
from tannaka.jupyter.shrinking import dependent, dimensions
from tannaka.jupyter.source import code_of
from tannaka.jupyter.views import view

PATH = tn.Aut(networkx.path_graph(3))
GROUPS = [
    tn.S(2),
    tn.A(3),
    tn.H(2),
    tn.O(2),
    tn.SO(3),
    tn.Sp(2),
    PATH,
    tn.PermutationGroup([(1, 2, 0)]),
    tn.S(2) * tn.O(3),
    PATH * tn.PermutationGroup([(1, 2, 0)]),
]
SPACES = [(group, k, l) for group in GROUPS for k, l in ((0, 0), (1, 1), (2, 1))]
WITH_SIGNS = [tn.H(2) * tn.O(2), tn.S(2) * tn.H(3)]
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


def words(group: tn.Group, k: int, l: int) -> tuple[Any, Any]:
    """The orders, as words of types for a product."""
    if isinstance(group, tn.Product):
        return tuple(i % 2 for i in range(k)), tuple(i % 2 for i in range(l))
    return k, l


def spaces() -> st.SearchStrategy[Session]:
    return st.sampled_from(SPACES).map(lambda one: Session(one[0], *words(*one)))


small = st.integers(-3, 6)
arguments: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "family": st.fixed_dictionaries({"family": st.sampled_from([*FAMILIES, "nobody"])}),
    "name": st.fixed_dictionaries(
        {"name": st.sampled_from(["O3", "S2xO3", "H4", "S(100)", "S()", "nobody"])}
    ),
    "n": st.fixed_dictionaries({"n": small}),
    "orders": st.fixed_dictionaries({"k": st.one_of(st.integers(0, 2), st.just("0 1"))}),
    "turn": st.fixed_dictionaries({"page": small}),
    "leaf": st.fixed_dictionaries({"page": small}),
    "pick": st.fixed_dictionaries({"number": st.integers(0, 5)}),
    "drop": st.fixed_dictionaries({"slot": st.sampled_from("fgh")}),
    "flip": st.fixed_dictionaries({"slot": st.sampled_from("fg")}),
    "trace": st.fixed_dictionaries({"slot": st.sampled_from("fg")}),
    "operate": st.fixed_dictionaries({"operation": st.sampled_from(OPERATIONS)}),
    "use": st.fixed_dictionaries(
        {"what": st.sampled_from(["result", "drawn"]), "slot": st.sampled_from("fg")}
    ),
    "open": st.fixed_dictionaries({"panel": st.sampled_from(PANELS)}),
    "look": st.fixed_dictionaries({"subject": st.sampled_from(SUBJECTS)}),
    "draw": st.fixed_dictionaries({"start": small, "end": small, "edge": st.booleans()}),
    "free": st.fixed_dictionaries({"vertex": small}),
    "ask": st.fixed_dictionaries(
        {"in_channels": small, "out_channels": small, "backend": st.sampled_from(["numpy", "no"])}
    ),
}
# One that writes a layer is tested alone: it takes long.
actions = st.sampled_from(sorted(set(ACTIONS) - {"write"})).flatmap(
    lambda name: st.tuples(st.just(name), arguments.get(name, st.just({})))
)


@share(4 / 5)
@given(spaces(), st.lists(actions, max_size=8))
def test_whatever_is_done_there_is_something_to_see_or_a_reason(
    session: Session, done: list[tuple[str, dict[str, Any]]]
) -> None:
    for name, given_ in done:
        with suppress(TypeError, ValueError, IndexError):
            session = ACTIONS[name](session, **given_)
    text = json.dumps(view(session))
    bare = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"<script|href|url\(|http|\bid=", bare)
    ast.parse(code_of(session))


@every_group
def test_what_is_copied_is_what_is_shown(group: tn.Group) -> None:
    session = Session(group, *words(group, 1, 1)).pick(0)
    session = session.pick(len(session.hom.basis()) - 1)
    for operation in OPERATIONS:
        session = session.operate(operation)
        names: dict[str, Any] = {"Fraction": Fraction, "G": group}
        exec(code_of(session), names)
        assert names["G"] == group
        assert names["hom"] == session.hom
        assert tn.Morphism.of(names["result"]) == session.result


def test_a_group_of_its_user_is_called_g() -> None:
    star = tn.Aut(networkx.star_graph(3))
    for group, k in ((star, 1), (star * tn.O(2), (0, 1))):
        names: dict[str, Any] = {"G": group}
        exec(code_of(Session(group, k, k).pick(0).pick(1).operate("add")), names)
        assert names["hom"].group == group


@pytest.mark.parametrize("key", FAMILIES)
def test_the_menu_knows_its_groups_by_their_python(key: str) -> None:
    family = FAMILIES[key]
    group = family.make(family.nearest(5))
    made = eval(python_of(group), {"tn": tn, "networkx": networkx})
    assert made == group
    found = family_of(group)
    assert found is not None
    assert found.key == key
    argument = argument_of(group)
    assert argument is None or tn.group(argument) == group


@every_group
def test_every_diagram_can_be_drawn_but_orbits_and_graphs_beside_others(group: tn.Group) -> None:
    hom = tn.Hom(group, *words(group, 2, 1))
    for diagram in hom.basis():
        parts = diagram.parts if isinstance(diagram, tn.Typed) else (diagram,)
        kinds = {type(part).__name__ for part in parts}
        if "Orbit" in kinds or (kinds > {"BilabelledGraph"}):
            with pytest.raises(ValueError, match="cannot be drawn"):
                Pad.of(group, diagram)
        else:
            assert Pad.of(group, diagram).diagram() == diagram


@given(
    st.sampled_from([tn.S(3), tn.A(3), tn.H(3), tn.O(3), tn.SO(3), tn.Sp(2), PATH, *WITH_SIGNS]),
    st.lists(st.tuples(small, small, st.booleans()), max_size=9),
)
def test_strokes_make_diagrams_of_the_group_or_are_refused(
    group: tn.Group, strokes: list[tuple[int, int, bool]]
) -> None:
    k, l = words(group, 2, 2)
    pad = Pad(group, k, l)
    for start, end, edge in strokes:
        with suppress(ValueError):
            pad = pad.drawn(start, end, edge)
    pad.sketch()
    if not pad.missing():
        diagram = pad.diagram()
        group.check(diagram)
        assert (diagram.dom, diagram.cod) == (k, l)
        again = Pad.of(group, diagram).diagram()
        assert again == diagram


REFUSED = [
    (tn.O(3), [(0, 1), (1, 2)], "1 is joined to 0 already"),
    (tn.S(3), [(0, 1), (1, 0)], "joined already"),
    (tn.S(3), [(0, 0)], "comes back to 0"),
    (tn.S(3), [(0, BLANK)], "ends at a vertex"),
    (tn.S(3), [(DET, 0)], "no determinant vertex"),
    (tn.SO(2), [(DET, 0), (DET, 1), (DET, 2)], "has 2 legs, and all are in use"),
    (tn.SO(3), [(DET, 0), (0, 1)], "0 is taken by the determinant"),
    (tn.SO(3), [(DET, BLANK)], "ends at a vertex"),
    (tn.A(3), [(DET, 0), (0, 1), (DET, 1)], "the block of 1 has a leg already"),
    (tn.A(3), [(DET, 0), (DET, 1), (0, 1)], "two legs on one block"),
    (tn.A(3), [(DET, BLANK), (DET, BLANK)], "one leg may be free"),
    (tn.S(3), [(0, 9)], "joins two of the 4 vertices"),
]


@pytest.mark.parametrize(("group", "strokes", "reason"), REFUSED)
def test_a_stroke_is_refused_with_its_reason(
    group: tn.Group, strokes: list[tuple[int, int]], reason: str
) -> None:
    pad = Pad(group, 2, 2)
    for stroke in strokes[:-1]:
        pad = pad.drawn(*stroke)
    with pytest.raises(ValueError, match=reason):
        pad.drawn(*strokes[-1])


def test_nothing_joins_axes_of_different_groups() -> None:
    pad = Pad(tn.S(3) * tn.O(3), (0, 1), (0, 1))
    with pytest.raises(ValueError, match="different groups"):
        pad.drawn(0, 1)
    assert pad.drawn(0, 2).missing() == "vertices 1 and 3 have no partner yet"
    assert str(pad.drawn(0, 2).drawn(1, 3).diagram()) == "0 2 || 1 3"


def test_a_point_that_is_freed_has_no_strokes() -> None:
    pad = Pad(tn.O(3), 1, 1).drawn(0, 1)
    assert not pad.missing()
    assert pad.freed(0) == pad.undone() == pad.cleared() == Pad(tn.O(3), 1, 1)
    graph = Pad(PATH, 1, 1).drawn(0, BLANK, edge=True).drawn(1, BLANK, edge=True)
    assert graph.inner == 2
    assert graph.freed(0).inner == 1  # and what is left has the first number again
    assert graph.freed(0).diagram().vertices == 3


@pytest.mark.parametrize(("dom", "cod", "n"), [(0, 2, 3), (1, 1, 2), (2, 1, 2), (0, 0, 2)])
def test_the_heat_map_is_the_matrix(dom: int, cod: int, n: int) -> None:
    for diagram in tn.Hom(tn.S(n), dom, cod).basis():
        found = heat_map(tn.S(n), diagram)
        cells = iter(found["cells"])
        for index in product(range(n), repeat=cod + dom):
            agrees = all(len({index[v] for v in block}) == 1 for block in diagram.blocks)
            assert found["values"][next(cells)] == float(agrees)
        assert (found["rows"], found["columns"]) == (n**cod, n**dom)


@every_group
def test_entries_of_one_class_are_equal_in_all_equivariant_matrices(group: tn.Group) -> None:
    k, l = words(group, 2, 1)
    hom = tn.Hom(group, k, l)
    weights = np.random.default_rng(0).normal(size=hom.dimension)
    matrix = np.einsum("d,drc->rc", weights, hom.matrices().astype(float)).ravel()
    classes = np.array(pattern(group, k, l)["cells"])
    seen = {}
    for number in set(classes.tolist()):
        values = matrix[classes == number]
        assert np.ptp(values) == 0
        seen[number] = values[0]
    assert seen.get(0, 0.0) == 0
    assert len(set(seen.values())) == len(seen)  # random weights tell classes apart


@every_group
def test_an_entry_knows_the_diagrams_that_are_not_zero_there(group: tn.Group) -> None:
    k, l = words(group, 1, 2)
    session = Session(group, k, l)
    matrices = session.hom.matrices()
    for row, column in product(*map(range, matrices.shape[1:])):
        told = {one["number"]: one["value"] for one in entry(session, row, column)["rows"]}
        assert told == {i: str(m[row, column]) for i, m in enumerate(matrices) if m[row, column]}
    with pytest.raises(ValueError, match="there is no entry"):
        entry(session, matrices.shape[1], 0)


@pytest.mark.parametrize("group", [tn.S(2), tn.A(3), tn.H(1), tn.O(1), tn.SO(2), tn.Sp(2)], ids=str)
def test_relations_hold_as_matrices(group: tn.Group) -> None:
    hom = tn.Hom(group, 2, 2)
    left = dependent(group, 2, 2)
    assert len(left) == hom.count - hom.dimension > 0
    for diagram in left:
        equal = group.morphism(diagram)
        assert all(one in hom.independent for one in equal.diagrams())
        assert (group.matrix(diagram) == group.matrix(equal)).all()
    row = next(row for row in dimensions(group, 2, 2) if row["n"] == group.n)
    assert (row["dimension"], row["count"]) == (str(hom.dimension), str(hom.count))
    assert not row["independent"]


def test_the_page_is_small_in_large_spaces_and_hopeless_ones_are_refused() -> None:
    shown = view(Session(tn.S(8), 4, 4).turn(100))
    assert shown["gallery"]["pages"] == 173
    assert [card["number"] for card in shown["gallery"]["cards"]] == list(range(2400, 2424))
    assert len(json.dumps(shown)) < 100_000
    hopeless = view(Session(tn.S(34), 12, 12))
    assert hopeless["gallery"]["refused"].startswith("445,958,869,294,805,289 diagrams")
    with pytest.raises(ValueError, match="k \\+ l is 30"):
        Session(tn.S(34), 15, 15)
    graphs = view(Session(tn.Aut(networkx.petersen_graph()), 3, 3))
    assert "8,683" in graphs["gallery"]["refused"]


@pytest.mark.parametrize("name", ["S65", "A65", "H65", "O65", "SO65", "Sp66"])
def test_a_group_beyond_the_menu_is_still_of_its_family(name: str) -> None:
    group: Any = tn.group(name)
    session = Session(group, 2, 2)
    shown = view(session.open("shrink"))
    assert not any("refused" in section for section in shown.values())
    assert shown["space"]["family"] == group.symbol
    rows = shown["panel"]["rows"]
    assert rows[-1]["n"] == group.n == shown["space"]["ns"]["most"]
    assert len(rows) <= 14
    assert session.with_n(4).group == type(group)(4)
    huge = type(group)(10**20)
    assert dimensions(huge, 1, 1)[-1]["n"] == 10**20


def test_blocks_under_changes_of_sign_are_even() -> None:
    pad = Pad(tn.H(3), 2, 1).drawn(0, 1)
    assert pad.missing() == "the block of vertex 2 is odd: the diagrams of H(3) have even blocks"
    both = Pad(tn.S(2) * tn.H(3), (0, 1), (1,))
    assert "H(3)" in both.missing()
    assert str(both.drawn(0, 2).diagram()) == "1 || 0 2"


def test_what_would_take_minutes_is_not_reduced_but_told() -> None:
    session = Session(tn.O(3), 3, 3).pick(0).pick(14).operate("tensor")
    panel = view(session)["panel"]
    assert panel["formal"]["terms"] == 1
    assert panel["reduced"] is None
    outside = Session(tn.O(1), 3, 3).select(*[tn.Brauer.identity(3)] * 2).operate("tensor")
    assert "may take long" in view(outside)["panel"]["told"]
    determinants = view(Session(tn.SO(3), 5, 4).open("shrink"))
    assert "may take long" in determinants["panel"]["told"]


def test_picking_goes_f_then_g_then_another_g() -> None:
    session = Session(tn.S(4), 1, 1)
    first, second = session.hom.basis()
    assert session.pick(0).selected == (first,)
    assert session.pick(0).pick(1).selected == (first, second)
    assert session.pick(0).pick(0).selected == (first, first)
    assert session.pick(0).pick(1).pick(1).selected == (first,)
    assert session.pick(0).pick(1).swap().selected == (second, first)
    assert session.pick(0).drop("f").selected == ()


def test_another_group_keeps_what_is_a_map_for_it_too() -> None:
    session = Session(tn.SO(3), 1, 2).pick(0)
    assert isinstance(session.f, tn.Grood)
    assert session.with_n(4).f is None
    assert Session(tn.S(3), 1, 2).pick(0).with_n(9).f is not None
    assert Session(tn.S(3), 1, 2).with_family("Sp").group == tn.Sp(2)
    assert Session(tn.S(3), 1, 2).with_name("S2xO3").l == (0, 1)
    with pytest.raises(ValueError, match="in steps of 2"):
        Session(tn.Sp(2), 1, 1).with_n(3)


def test_the_layer_is_the_file_of_its_command() -> None:
    session = Session(tn.S(3), 2, 1).open("layer").ask(2, 3, "numpy")
    panel = view(session.write())["panel"]
    assert panel["source"] == tn.generate(tn.S(3), 2, 1, 2, 3, backend="numpy").source
    assert panel["shell"].split() == (
        [
            "tannaka",
            "generate",
            "S3",
            "2",
            "1",
            "--channels",
            "2",
            "3",
            "--backend",
            "numpy",
            "-o",
            "layer.py",
        ]
    )
    assert panel["weights"].endswith(f"= {5 * 3 * 2} weights")
    with pytest.raises(ValueError, match="at most 500"):
        Session(tn.S(8), 4, 4).write()


def asked(e: Any, action: str, **given_: Any) -> dict[str, Any]:
    """What the page would be answered."""
    e._heard(e, {"id": f"{action} 1", "do": action, "with": given_}, [])
    answer: dict[str, Any] = e._answer
    assert answer["id"] == f"{action} 1"
    return answer


def test_python_and_the_page_see_one_session() -> None:
    e = tn.explorer(tn.S(3), k=2, l=2)
    heard: list[Any] = []
    e.observe(
        lambda change: heard.append((change.name, change.new)), ["selected", "result", "drawn"]
    )
    assert asked(e, "pick", number=3)["error"] == ""
    assert asked(e, "pick", number=4)["error"] == ""
    f, g = e.selected
    assert e.result == f >> g
    assert ("result", f >> g) in heard
    e.selected = (g, f)
    assert e.result == g >> f
    assert [slot["text"] for slot in e._chosen["slots"]] == [str(g), str(f)]
    e.drawn = tn.SetPartition(1, 2, (0, 1, 0))
    assert (e.k, e.l, e.hom.dimension) == (1, 2, 5)
    e.drawn = None
    assert e.drawn == tn.SetPartition(1, 2, (0, 1, 2))  # a blank page, where that is a diagram
    e.group = "O(3)"
    assert [e.group, e.selected, e.result, e.drawn] == [tn.O(3), (), None, None]
    e.k = 3
    assert e._space["k"] == 3


def test_what_python_sets_wrongly_is_refused_and_changes_nothing() -> None:
    e = tn.explorer(tn.O(3), 1, 1)
    for name, value in [
        ("selected", (tn.SetPartition.identity(1),)),
        ("selected", [tn.Brauer.identity(1)] * 3),
        ("drawn", "a diagram"),
        ("group", tn.S()),
        ("group", 7),
        ("k", -1),
        *[(name, None) for name in ("group", "k", "l", "selected")],
        ("result", None if e.result else tn.Morphism.of(tn.Brauer.cup())),
    ]:
        before = e._session
        with pytest.raises((TypeError, ValueError)):
            setattr(e, name, value)
        assert e._session == before
        assert [e.group, e.k, e.selected, e.drawn] == [tn.O(3), 1, (), None]


def test_a_wrong_question_is_answered_in_one_line() -> None:
    e = tn.explorer(tn.O(3), 1, 1)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("draw", {"start": 0, "end": 0}),
        ("pick", {"number": 99}),
        ("nothing", {}),
        ("pick", {"row": 1}),
        ("entry", {"row": 9, "column": 9}),
        ("name", {"name": "E(8)"}),
    ]
    for action, given_ in wrong:
        error = asked(e, action, **given_)["error"]
        assert error
        assert "\n" not in error
    assert asked(e, "entry", row=0, column=0)["entry"]["rows"] == [{"number": 0, "value": "1"}]


def test_a_question_that_is_interrupted_is_answered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    e = tn.explorer(tn.O(3), 1, 1)
    before = e._session
    with monkeypatch.context() as patched:
        patched.setattr("tannaka.jupyter.widget.view", interrupted)
        assert asked(e, "pick", number=0)["error"] == "interrupted"
    assert e._session == before
    assert asked(e, "pick", number=0)["error"] == ""
    e._heard(e, ["no message of the page"], [])


def test_where_no_widget_runs_there_is_a_picture() -> None:
    data, _ = tn.explorer(tn.S(3), 1, 1)._repr_mimebundle_()
    assert data["image/svg+xml"].startswith("<svg")
    assert "Hom(S(3), 1, 1): dimension 2" in data["image/svg+xml"]
    assert data["text/plain"] == "<Explorer of Hom(S(3), 1, 1): dimension 2>"
    assert "application/vnd.jupyter.widget-view+json" in data
    large, _ = tn.explorer(tn.S(34), 12, 12)._repr_mimebundle_()
    assert "image/svg+xml" not in large


def test_the_page_asks_only_for_what_there_is_and_fetches_nothing() -> None:
    script = tn.jupyter.Explorer._esm
    asked_for = set(re.findall(r'ask\("(\w+)"', script)) | set(
        re.findall(r'answers\("(\w+)"', script)
    )
    assert asked_for - {"entry"} == set(ACTIONS)
    for word in ("import ", "fetch(", "http", ".id =", "eval("):
        assert word not in script.replace("http://www.w3.org/2000/svg", ""), word
    assert "url(" not in tn.jupyter.Explorer._css
    assert "@import" not in tn.jupyter.Explorer._css


def test_without_anywidget_the_way_out_is_named() -> None:
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "import tannaka as tn\n"
        "try: tn.explorer(tn.S(3), 1, 1)\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "tannaka.jupyter.explorer needs anywidget: pip install 'tannaka[jupyter]'\n"
    )


def test_incidence_counts_every_nonzero_entry() -> None:
    found = incidence(tn.S(3), 1, 2)
    assert sum(map(len, found.values())) == int(tn.Hom(tn.S(3), 1, 2).matrices().sum())
    assert max(found) < prod((9, 3))
