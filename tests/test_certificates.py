"""Certificates: what is proven holds, what is not fails, and only the right certificate is taken."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from layer_cases import quiet_layer
from torch import Tensor, nn

import tannaka as tn
from tannaka.category import commutation
from tannaka.category.commutation import elements, parts, prove
from tannaka.cli import main
from tannaka.codegen.trust.certificate import FORMAT, _digest
from tannaka.codegen.trust.certify import group_data, group_from, weights_digest
from tannaka.codegen.trust.recheck import rebuilt
from tannaka.errors import CertificateError, EquivarianceError, SizeError
from tannaka.testing import Certificate, certify, strategies

SMALL: list[Any] = [
    *(tn.S(1), tn.S(4), tn.A(3), tn.A(4), tn.O(1), tn.O(3), tn.SO(2), tn.SO(3), tn.Sp(2), tn.Sp(4)),
    *(tn.H(1), tn.H(3), tn.S(3) * tn.O(2), tn.Sp(2) * tn.SO(3)),
    tn.PermutationGroup([(1, 2, 3, 0)]),
    tn.Aut(networkx.path_graph(4)),
]


def orders(group: Any) -> list[Any]:
    return [(0, 1), (1, 0)] if isinstance(group, tn.Product) else [2, 2]


# Exact commutation


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_every_basis_diagram_is_proven(group: Any) -> None:
    k, l = orders(group)
    proofs = prove(group, tn.Hom(group, k, l).basis())
    assert all(proof.method == "matrices" for proof in proofs)
    if not isinstance(group, tn.Product):
        assert proofs[0].diagrams == tn.Hom(group, k, l).dimension


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_a_spoiled_matrix_is_not_proven(group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry changed, of the first diagram: no matrix of the space differs from it in one entry."""
    k, l = orders(group)
    if isinstance(group, tn.Product) or not elements(group)[0]:
        return
    right = type(group).nonzeros

    def spoiled(self: Any, diagram: Any) -> Any:
        rows, columns, values = right(self, diagram)
        values = values.copy()
        values[0] += 1
        return rows, columns, values

    monkeypatch.setattr(type(group), "nonzeros", spoiled)
    if group.n == 1:
        assert prove(group, tn.Hom(group, k, l).basis()), "all 1 x 1 matrices commute"
        return
    with pytest.raises(EquivarianceError, match=r"\(.*\) does not commute with .* of "):
        prove(group, tn.Hom(group, k, l).basis())


def commutant(group: Any, size: int) -> int:
    """The dimension of all matrices that commute with the elements on V^size, by brute force."""
    n = group.n
    one = np.eye(n)
    rows = []
    for element in elements(group)[0]:
        x = np.zeros((n, n))
        for i, j, value in element.entries:
            x[i, j] = value
        moved = element.kind == "group"
        terms: list[Any] = []
        for axis in range(1 if moved else size):
            terms.append(np.ones((1, 1)))
            for a in range(size):
                terms[-1] = np.kron(terms[-1], x if moved or a == axis else one)
        whole = sum(terms)
        m = len(whole)
        rows.append(np.kron(whole, np.eye(m)) - np.kron(np.eye(m), whole.T))
    return int(n ** (2 * size)) - int(np.linalg.matrix_rank(np.concatenate(rows)))


@pytest.mark.parametrize(
    "group",
    [
        tn.S(3),
        tn.S(4),
        tn.A(3),
        tn.A(4),
        tn.H(3),
        tn.O(2),
        tn.O(3),
        tn.SO(3),
        tn.SO(4),
        tn.Sp(2),
        tn.Sp(4),
    ],
    ids=str,
)
def test_the_elements_are_enough(group: Any) -> None:
    """What commutes with them is no more than what commutes with the group."""
    for size in (1, 2) if group.n < 4 else (1,):
        assert commutant(group, size) == group.dimension(size, size)


@pytest.mark.parametrize(
    ("group", "diagram", "smaller"),
    [
        (tn.H(3), tn.SetPartition(1, 0, (0,)), tn.S(3)),
        (tn.O(3), tn.Grood(2, 1, (0, 1, 2), ()), tn.SO(3)),
        (tn.S(3), tn.Jellyfish(1, 1, (0, 1), (0, 1, None)), tn.A(3)),
        (tn.O(3), tn.SetPartition(1, 1, (0, 1)), tn.S(3)),
    ],
    ids=str,
)
def test_a_diagram_of_a_smaller_group_is_not_proven_for_the_larger(
    group: Any, diagram: Any, smaller: Any
) -> None:
    assert prove(smaller, [diagram])
    with pytest.raises(EquivarianceError, match="does not commute with"):
        commutation._compare(smaller, diagram, elements(group)[0])


@given(st.data())
def test_parts_have_all_vertices_and_their_matrices_multiply(data: st.DataObject) -> None:
    family: Any = data.draw(st.sampled_from([tn.SetPartition, tn.Brauer, tn.Grood, tn.Jellyfish]))
    check_parts(data.draw(strategies.any_diagram(family)))


def test_small_jellyfish_have_parts_too() -> None:
    for diagram in tn.Hom(tn.A(2), 1, 3).diagrams():
        check_parts(diagram)


def check_parts(diagram: Any) -> None:
    n, family = diagram.fixed[0] or 2, type(diagram)
    found = parts(diagram)
    assert sum(part.dom for part in found) == diagram.dom
    assert sum(part.cod for part in found) == diagram.cod
    groups: dict[Any, Any] = {tn.SetPartition: tn.S, tn.Brauer: tn.O, tn.Grood: tn.SO}
    group = groups.get(family, tn.A)(n)
    # Up to the order of axes, which neither a norm nor a largest entry sees.
    whole, split = group.entries(diagram), [group.entries(part) for part in found]
    assert (whole**2).sum() == np.prod([(part**2).sum() for part in split])
    assert np.abs(whole).max() == np.prod([np.abs(part).max() for part in split])


def test_large_diagrams_are_taken_apart_and_hopeless_ones_refused() -> None:
    (proof,) = prove(tn.S(100), tn.Hom(tn.S(100), 3, 3).basis())
    assert (proof.method, proof.holds_for, proof.diagrams) == ("parts", "n = 100", 203)
    assert commutation.PARTS in proof.rests_on
    with pytest.raises(SizeError, match=r"has up to .* entries to compare with 13 elements"):
        prove(tn.SO(14), tn.Hom(tn.SO(14), 7, 7).basis()[-1:])
    (family,) = prove(tn.S(), tn.Hom(tn.S(), 2, 2).basis())
    assert family.holds_for == "every n >= 1"
    with pytest.raises(TypeError, match="acts through Brauer diagrams"):
        prove(tn.O(3), [tn.SetPartition(1, 1, (0, 0))])


# Certificates of layers


@pytest.mark.parametrize("group", [*SMALL, tn.S(), tn.S() * tn.O(2)], ids=str)
def test_a_certificate_is_read_back_and_holds(group: Any) -> None:
    k, l = orders(group)
    layer = quiet_layer(group, k, l, 2, 3)
    made = certify(layer, dtypes=("float64",), samples=2)
    read = Certificate.from_json(made.to_json())
    assert read == made
    assert read.check(layer).weights == made.weights
    fresh, left = rebuilt(read)
    assert (fresh.layers[0].proofs, left) == (made.layers[0].proofs, ("the weights",))
    assert str(group_from(group_data(group))) in (
        str(group),
        f"Aut({group.n} vertices)",
        str(fresh.group),
    )
    assert made.layers[0].agreement is not None
    text = str(made)
    assert "proven, exactly, for every value of the weights" in text
    assert all(f"{proof.group}, {proof.holds_for}: " in text for proof in made.layers[0].proofs)
    assert made.layers[0].proofs[-1].holds_for in made.holds_for


@pytest.mark.parametrize("channels", ["full", "channelwise"])
@pytest.mark.parametrize(
    ("group", "orders"),
    [
        (tn.SO(3), (1, 1, 1)),
        (tn.Sp(2), (1, 1, 0)),
        (tn.S(), (1, 1, 2)),
        (tn.S(2) * tn.O(2), ((0, 1), (1,), (0,))),
    ],
    ids=str,
)
def test_bilinear_layers_are_proven_too(
    group: Any, orders: tuple[Any, Any, Any], channels: Any
) -> None:
    layer = tn.nn.EquivariantBilinear(group, *orders, 2, 2, 3, channels=channels)
    certificate = certify(layer, samples=2)
    again = Certificate.from_json(certificate.to_json())
    assert again == certificate
    again.check(layer)
    (proof,) = rebuilt(again)[0].layers
    assert proof.diagrams == tuple(map(str, layer.hom.basis()))
    nn.init.normal_(layer.weight)
    with pytest.raises(CertificateError, match="weights"):
        again.check(layer)

    class Larger(tn.nn.EquivariantBilinear):
        def forward(self, *arguments: Any, **named: Any) -> Tensor:
            return 1.001 * super().forward(*arguments, **named)

    layer = Larger(group, *orders, 2, 2, 3, channels=channels)
    with pytest.raises(EquivarianceError, match="not the sum of its diagrams"):
        certify(layer, samples=2)


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize("bias", [True, False])
def test_generated_layers_have_the_certificate_of_their_plan(bias: bool, reduce: Any) -> None:
    code = tn.generate(tn.O(3), 2, 2, 2, 3, bias=bias, reduce=reduce)
    found = certify(code.load()(), dtypes=("float32",), samples=2).layers[0]
    assert found.signature == code.plan.signature()
    assert (found.bias, found.reduce) == (bias, reduce)
    assert found.proofs[0].diagrams == 3 + bias


def network(hidden: int = 3) -> nn.Sequential:
    return nn.Sequential(
        tn.nn.EquivariantLinear(tn.S(4), 2, 1, 2, hidden),
        nn.ReLU(),
        tn.nn.EquivariantLinear(tn.S(4), 1, 0, hidden, 1),
    )


def test_of_a_network_only_the_linear_layers_are_proven() -> None:
    torch.manual_seed(0)
    net = network()
    made = certify(net, tn.S(4), 2, 0, dtypes=("float32",), samples=3)
    assert [one.name for one in made.layers] == ["0", "2"]
    assert not made.whole
    assert "of the rest of the module, activations and sums, nothing: it is sampled" in str(made)
    assert Certificate.from_json(made.to_json()).check(net).sampled == made.sampled
    fresh, left = rebuilt(made)
    assert left == ("the module as a whole", "the weights")
    wrong = nn.Sequential(*net, nn.Softmax(-1))
    with pytest.raises(EquivarianceError, match="not equivariant"):
        certify(
            nn.Sequential(net[0], nn.Linear(3, 3), nn.Flatten(-2), nn.Linear(12, 1)), tn.S(4), 2, 0
        )
    del wrong, fresh
    for module, error, words in (
        (nn.ReLU(), ValueError, "ReLU has no linear layer of tannaka"),
        (torch.relu, TypeError, "a certificate is of a torch.nn.Module"),
    ):
        with pytest.raises(error, match=words):
            certify(module, tn.S(4), 1, 1)  # type: ignore[arg-type]


def test_what_is_done_to_a_layer_is_certified_with_it() -> None:
    layer = quiet_layer(tn.S(4), 1, 1, 2, 2)
    right = layer._apply_plan

    def spoiled(x: Tensor, *rest: Any) -> Tensor:
        y: Tensor = right(x, *rest)
        return y + 1e-6 * x[..., :1, :]

    layer._apply_plan = spoiled
    with pytest.raises(EquivarianceError, match="not equivariant"):
        certify(layer)


def test_a_layer_that_is_not_the_sum_of_its_diagrams_is_not_certified() -> None:
    source = tn.generate(tn.S(4), 1, 1, 1, 1).source
    wrong = source.replace("    m0.add_(m1[..., None, :])\n", "    m0.add_(2 * m1[..., None, :])\n")
    assert wrong != source
    space: dict[str, Any] = {"__name__": "wrong"}
    exec(compile(wrong, "wrong.py", "exec"), space)
    with pytest.raises(EquivarianceError, match="is not the sum of its diagrams times its weights"):
        certify(space["S4Linear1To1"]())


def test_a_digest_is_of_names_shapes_and_dtypes_too() -> None:
    wide, tall = nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False)
    tall.weight.data = wide.weight.data.reshape(2, 3).clone()
    named = nn.Sequential(wide)
    turned = nn.Linear(2, 3, bias=False)
    turned.weight = nn.Parameter(wide.weight.data.view(torch.int32), requires_grad=False)
    assert len({weights_digest(one) for one in (wide, tall, named, turned)}) == 4
    twin = nn.Linear(2, 3, bias=False)
    twin.load_state_dict(wide.state_dict())
    assert weights_digest(twin) == weights_digest(wide)


# Refusals


def forged(made: Certificate, change: Any) -> str:
    """The text of a certificate with something else in it, and a digest that fits."""
    data = json.loads(made.to_json())
    del data["digest"]
    change(data)
    return json.dumps(data | {"digest": _digest(data)})


def nothing(data: Any) -> None:
    del data


FORGERIES: list[tuple[str, Any, str]] = [
    (
        "proofs",
        lambda d: d["layers"][0]["proofs"][0].update(holds_for="every n >= 1"),
        "its proofs",
    ),
    ("elements", lambda d: d["layers"][0]["proofs"][0]["elements"].pop(), "its proofs"),
    ("diagrams", lambda d: d["layers"][0]["diagrams"].append("0 1 2"), "its diagrams"),
    ("channels", lambda d: d["layers"][0].update(in_channels=7), "its in_channels"),
    ("agreement", lambda d: d["layers"][0].update(agreement=1.0), "its agreement"),
    ("tolerance", lambda d: d["sampled"][0].update(tolerance=1.0), "of float64 what does not hold"),
    ("error", lambda d: d["sampled"][0].update(error=1.0), "of float64 what does not hold"),
    (
        "elements tried",
        lambda d: d["sampled"][0].update(elements=10**6),
        "1000000 elements, control",
    ),
    ("less error than none", lambda d: d["sampled"][0].update(error=-1.0), "of float64 what does"),
    ("no control", lambda d: d["sampled"][0].update(control=0.0), "of float64 what does not hold"),
    ("a name", lambda d: d["sampled"][0].update(dtype="float63"), "cannot be checked so: a dtype"),
    ("seed", lambda d: d["options"].update(seed=-1), "cannot be checked so: expected non-negative"),
    ("part", lambda d: d.update(whole=False, k=2), "its whole"),
    ("masks", lambda d: d["sampled"][0].update(masked=True), "of float64 what does not hold"),
    ("dtypes", lambda d: d["sampled"].append(d["sampled"][0] | {"dtype": "float16"}), "float16"),
    ("order", lambda d: d.update(k=1), "its k"),
    ("group", lambda d: d.update(group="S(5)"), "its group"),
    ("basis", lambda d: d["layers"][0].update(signature="x"), "is of another layer"),
    ("weights", lambda d: d.update(weights="0" * 64), "is of other weights"),
    ("module", lambda d: d.update(module="Other"), "is of a Other, not of a EquivariantLinear"),
    ("a field missing", lambda d: d.pop("layers"), "is not whole"),
    ("a field more", lambda d: d.update(extra=1), "is not whole"),
    ("format", lambda d: d.update(format="x"), "its format is 'x'"),
]


@pytest.mark.parametrize(
    ("change", "words"), [f[1:] for f in FORGERIES], ids=[f[0] for f in FORGERIES]
)
def test_what_does_not_hold_is_refused_though_the_digest_fits(change: Any, words: str) -> None:
    torch.manual_seed(0)
    layer = quiet_layer(tn.S(4), 2, 1, 2, 2)
    made = certify(layer, dtypes=("float64",), samples=1)
    assert Certificate.from_json(forged(made, nothing)).check(layer) == made
    with pytest.raises(CertificateError, match=words):
        Certificate.from_json(forged(made, change)).check(layer)


def test_a_network_is_not_said_to_be_proven() -> None:
    net = network()
    made = certify(net, tn.S(4), 2, 0, dtypes=("float64",), samples=1)
    assert not made.whole
    text = forged(made, lambda d: d.update(whole=True))
    with pytest.raises(CertificateError, match="its whole, with 2 linear layers"):
        rebuilt(Certificate.from_json(text))


def test_other_layers_and_other_weights_are_refused(tmp_path: Path) -> None:
    layer = quiet_layer(tn.S(4), 1, 1, 2, 2)
    made = certify(layer, dtypes=("float64",), samples=1)
    nearly = copy.deepcopy(layer)
    with torch.no_grad():
        nearly.weight[-1, -1, -1] += 1e-6
    for other, words in (
        (nearly, "is of other weights, with digest"),
        (quiet_layer(tn.S(4), 1, 1, 2, 2), "is of other weights, with digest"),
        (quiet_layer(tn.O(4), 1, 1, 2, 2), "is of another layer: it is for the basis"),
        (quiet_layer(tn.S(4), 1, 1, 2, 2, reduce="sum"), "is of another layer"),
        (network(), "is of a EquivariantLinear, not of a Sequential"),
    ):
        with pytest.raises(CertificateError, match=words):
            made.check(other)
    path = made.save(tmp_path / "c.json")
    text = path.read_text()
    assert Certificate.load(path) == made
    for damaged in (
        text[:-40],
        text[: len(text) // 2],
        "",
        "[]",
        "{}",
        "[" * 100_000,
        text.replace("n = 4", "n = 5"),
    ):
        path.write_text(damaged)
        with pytest.raises(CertificateError, match=r"not whole|not a certificate|was changed"):
            Certificate.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CertificateError, match="is not a certificate"):
        Certificate.load(path)
    with pytest.raises(ValueError, match="a dtype is a name such as 'float32', got 'floaty'"):
        certify(layer, dtypes=("floaty",))


# The command line


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_a_file_is_certified_and_verified_again(tmp_path: Path) -> None:
    layer, out = tmp_path / "a layer.py", tmp_path / "its certificate.json"
    layer.write_text(tn.generate(tn.S(4), 2, 1, 2, 3).source)
    few = ("--samples", "2", "--dtype", "float32")
    written = command("certify", layer, "-o", out, *few)
    assert written.exit_code == 0, written.output
    assert (
        f"wrote {out}; check it with: tannaka verify '{layer}' --certificate '{out}'"
        in written.output
    )
    assert json.loads(out.read_text())["format"] == FORMAT
    again = command("verify", layer, "--certificate", out)
    assert again.exit_code == 0, again.output
    assert again.output == (
        "the certificate holds: S4Linear2To1, S(4), n = 4; 1 proof of 1 linear layer done again, and "
        "the samples in float32\n"
    )
    alone = command("verify", out)
    assert alone.output.endswith("not compared, as it is not at hand: the file\n")
    data = json.loads(command("verify", out, "--json").stdout)
    assert (data["holds"], data["left_out"]) == (True, ["the file"])
    assert "5 diagrams and 1 of the bias" in command("certify", layer, *few).output
    refused = command("certify", layer, "-o", out)
    assert (refused.exit_code, "exists; --force" in refused.output) == (2, True)
    # Another file, a damaged certificate: the answer is no, in one line.
    layer.write_text(layer.read_text() + "# changed\n")
    changed = command("verify", layer, "--certificate", out)
    out.write_text(out.read_text()[:300])
    for result, words in (
        (changed, "is of another file"),
        (command("verify", out), "is not whole"),
        (command("verify", layer, "--certificate", out), "is not whole"),
    ):
        assert result.exit_code == 1
        assert words in result.output
        assert len(result.output.splitlines()) == 1


NET = """\
from torch import nn
from tannaka import S
from tannaka.nn import EquivariantLinear

class Net(nn.Module):
    def __init__(self, hidden=3):
        super().__init__()
        self.first = EquivariantLinear(S(), 2, 1, 2, hidden)
        self.last = EquivariantLinear(S(), 1, 0, hidden, 1)

    def forward(self, x):
        return self.last(self.first(x).relu())
"""


def test_a_network_is_certified_with_its_weights(tmp_path: Path) -> None:
    file, weights, out = tmp_path / "net.py", tmp_path / "net.pt", tmp_path / "net.json"
    file.write_text(NET)
    space: dict[str, Any] = {"__name__": "net"}
    exec(compile(NET, "net.py", "exec"), space)
    torch.save(space["Net"]().state_dict(), weights)
    claim = ("--group", "S()", "--in", "2", "--out", "0", "--channels", "2")
    few = ("--samples", "2", "--dtype", "float32", "--weights", weights)
    made = command("certify", file, *claim, *few, "-o", out)
    assert made.exit_code == 0, made.output
    same = command("verify", file, "--certificate", out, "--weights", weights)
    assert same.exit_code == 0, same.output
    assert "every n >= 1; 2 proofs of 2 linear layers done again" in same.output
    torch.save(space["Net"]().state_dict(), weights)
    other = command("verify", file, "--certificate", out, "--weights", weights)
    assert (other.exit_code, "is of other weights" in other.output) == (1, True)
    none = command("verify", file, "--certificate", out)
    assert (none.exit_code, "give their file, a state dict, with --weights" in none.output) == (
        1,
        True,
    )
    unnamed = command("certify", file)
    assert (unnamed.exit_code, "say --group, --in and --out" in unnamed.output) == (2, True)


def test_a_certificate_says_what_it_was_made_with() -> None:
    layer = quiet_layer(tn.S(), 1, 1, 2, 2)
    made = certify(layer, dtypes=("float64",), samples=2, n=(2, 4), seed=5)
    assert made.options == {"n": [2, 4], "samples": 2, "seed": 5}
    assert (made.sampled[0].elements, made.sampled[0].sizes, made.sampled[0].masked) == (
        4,
        (2, 4),
        True,
    )
    assert "4 group elements at n = 2, 4, with padding" in str(made)
    assert made.versions["torch"] == torch.__version__
    assert replace(made, weights=None).check(layer) == made
    with pytest.raises(ValueError, match="a certificate cannot hold the option device="):
        certify(layer, device=torch.device("cpu"))
