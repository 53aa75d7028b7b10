"""How commands start and end: in processes of their own, interrupted, cut off, with a full disk."""

from __future__ import annotations

import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import tannaka as tn
from tannaka.cli import benchmarks, checking, layers, main, spaces
from tannaka.codegen.files import write_whole

COMMAND = [sys.executable, "-m", "tannaka"]
# Long, and it writes its file piece by piece.
LONG = ("basis", "S12", "5", "5", "--limit", "100000", "--html")
ROOT = os.geteuid() == 0


def process(
    *arguments: str, before: Callable[[], None] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        preexec_fn=before,
    )


def test_the_installed_command_runs() -> None:
    command = Path(sys.executable).with_name("tannaka")
    assert command.exists() or shutil.which("tannaka")
    done = subprocess.run([command, "dim", "S(34)", "2", "2"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "15\n", "")
    failed = subprocess.run([command, "dim", "Q3", "2", "2"], capture_output=True, text=True)
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (2, "", 1)


# Everything a command says when it is right, and one way in which it is wrong.
ENDS = [
    (
        ("dim", "O3", "12", "12"),
        f"{tn.Hom(tn.O(3), 12, 12).dimension}\n",
        ("dim", "O3", "a", "1"),
        2,
    ),
    (("basis", "O3", "1", "1"), "y[i] += x[i]", ("basis", "S50", "12", "12", "--json"), 2),
    (
        ("compose", "O3", "0->2: 0 1", "2->0: 0 1"),
        "n (∅)",
        ("compose", "O3", "0->2:", "2->0: 0 1"),
        2,
    ),
    (("simplify", "O1", "2->2: 0 1 | 2 3"), "(0 3 | 1 2)", ("simplify", "O1", "-"), 2),
    (
        ("generate", "S3", "1", "1"),
        "class S3Linear1To1",
        ("generate", "S3", "1", "1", "-o", "."),
        2,
    ),
    (("explain", "S3", "1", "1"), "y[i] += W1 mean over j of x[j]", ("explain", "S3", "1"), 2),
    (("verify", "right.py"), "error", ("verify", "wrong.py"), 1),
    (("certify", "right.py"), "proven, exactly", ("certify", "right.py", "-o", "."), 2),
    (
        ("bench", "S3", "1", "1", "--seconds", "0.001"),
        "  floor  ",
        ("bench", "--quick", "--full"),
        2,
    ),
]


@pytest.mark.parametrize(("right", "said", "wrong", "code"), ENDS, ids=[e[0][0] for e in ENDS])
def test_every_command_ends_well_and_badly(
    right: tuple[str, ...],
    said: str,
    wrong: tuple[str, ...],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = tn.generate(tn.S(3), 1, 1, 1, 1).source
    Path("right.py").write_text(source)
    Path("wrong.py").write_text(
        source.replace("return apply(", "return torch.arange(3)[:, None] * apply(")
    )
    good = process(*right)
    assert (good.returncode, good.stderr) == (0, "")
    assert said in good.stdout
    bad = process(*wrong)
    assert bad.returncode == code
    assert "Traceback" not in bad.stderr + bad.stdout
    assert bad.stderr.startswith("Error: ") == (code == 2)


def test_doctor_tries_every_backend_there_is() -> None:
    # Without a GPU kernels of Triton do not run, and are not wrong.
    done = process("doctor", "--json", TRITON_INTERPRET="0")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {
        (one["name"], one["for"]): one["result"] for one in json.loads(done.stdout)["backends"]
    }
    assert found["einsum", "layers"] == found["einsum", "files"] == "runs"
    assert "wrong" not in found.values()


STARTING = """
import sys
from tannaka.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0, end.code
heavy = {"torch", "sympy", "networkx", "igraph", "scipy", "numpy", "triton", "jax"}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (("--help",), "[]"),
        (("basis", "--help"), "[]"),
        (("dim", "S34", "2", "2"), "['numpy']"),
        (("basis", "S3", "1", "1"), "['numpy']"),
        (("compose", "O3", "0->2: 0 1", "2->0: 0 1"), "['numpy']"),
        (("generate", "S3", "1", "1"), "['numpy']"),
    ],
)
def test_commands_load_no_more_than_they_need(arguments: tuple[str, ...], loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTING, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == loaded


def test_commands_need_no_torch_and_say_where_they_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "tannaka.codegen.trust.verify", raising=False)
    file = tmp_path / "layer.py"
    file.write_text("")
    refused = CliRunner().invoke(main, ["verify", str(file)])
    assert refused.exit_code == 3
    assert refused.output == "Error: tannaka verify needs PyTorch: pip install 'tannaka[torch]'\n"
    assert CliRunner().invoke(main, ["explain", "S3", "1", "1"]).exit_code == 0


# Interrupted, cut off


def _heard() -> None:
    """Signals do what they usually do, also where tests run in the background, or under nohup."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def started(target: Path) -> subprocess.Popen[str]:
    """A command in the middle of writing its file."""
    running = subprocess.Popen(
        [*COMMAND, *LONG, str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heard,
    )
    until = time.monotonic() + 60
    while not any(path.stat().st_size for path in target.parent.glob(f".{target.name}.*")):
        assert running.poll() is None, running.stderr and running.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.01)
    return running


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
        (signal.SIGHUP, 129, "stopped by SIGHUP"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_what_is_stopped_in_the_middle_leaves_no_half(
    sent: signal.Signals, code: int, said: str, tmp_path: Path
) -> None:
    target = tmp_path / "basis.html"
    running = started(target)
    running.send_signal(sent)
    out, err = running.communicate(timeout=30)
    assert running.returncode == code
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert not target.exists()
    # What is killed outright cannot clean up, but what it leaves is not the file.
    assert list(tmp_path.iterdir()) == [] or sent == signal.SIGKILL


# Python writes at its end what it could not write before, unless it is unbuffered.
buffered = pytest.mark.parametrize("buffered", ["", "1"])


@buffered
@pytest.mark.parametrize("arguments", [("basis", "S8", "4", "4", "--json"), ("--help",)])
def test_a_reader_that_leaves_ends_it_quietly(arguments: tuple[str, ...], buffered: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, *arguments],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": buffered},
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_head_gets_its_lines() -> None:
    command = " ".join([*COMMAND, "basis S8 4 4 --limit 3000 --no-pictures | head -n 3"])
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (done.stdout.count("\n"), done.stderr) == (3, "")


# Where nothing can be written


@pytest.mark.parametrize(
    ("arguments", "closed", "code", "words"),
    [
        ("dim S3 1 1", (1,), 3, "Error: output: not writable\n"),
        ("simplify S3 -", (0,), 2, "'' is not a diagram"),
        ("generate S3 1 1", (2,), 0, ""),
        ("generate S3 1 1 -o /dev/null", (0, 1, 2), 3, ""),
    ],
)
def test_standard_streams_may_be_closed(
    arguments: str, closed: tuple[int, ...], code: int, words: str
) -> None:
    done = process(*arguments.split(), before=lambda: [*map(os.close, closed)].clear())
    assert done.returncode == code
    assert words in done.stderr


def test_json_is_json_in_every_encoding(tmp_path: Path) -> None:
    done = process("basis", "SO3", "2", "1", "--json", PYTHONIOENCODING="latin-1")
    assert "\u03b5[ijk]" in json.loads(done.stdout)["basis"][0]["formula"]
    path = os.fsdecode(bytes(tmp_path) + b"/\xff.py")
    done = process("generate", "S3", "1", "1", "--json", "-o", path)
    assert json.loads(done.stdout)["file"] == path


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    "arguments", [("dim", "S3", "1", "1"), ("generate", "S3", "1", "1"), ("-h",)]
)
@buffered
def test_a_full_disk_behind_standard_output_is_said(
    arguments: tuple[str, ...], buffered: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": buffered},
        )
    assert done.returncode == 3
    assert done.stderr == "Error: output: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@buffered
@pytest.mark.parametrize(("arguments", "code"), [(("dim", "S3"), 2), (("dim", "S3", "1", "1"), 3)])
def test_exit_codes_hold_where_nothing_can_be_written(
    arguments: tuple[str, ...], code: int, buffered: str
) -> None:
    with Path("/dev/full").open("w") as full:
        env = os.environ | {"PYTHONUNBUFFERED": buffered}
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=full, env=env)
    assert done.returncode == code


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "S6", "2", "2", "-o"),
        ("basis", "S6", "2", "2", "--html"),
        ("basis", "S6", "2", "2", "--svg"),
        ("compose", "S6", "2->2: #0", "2->2: #1", "--svg"),
    ],
)
@pytest.mark.parametrize("old", [None, "old"])
def test_a_file_that_grows_too_large_leaves_what_was_there(
    arguments: tuple[str, ...], old: str | None, tmp_path: Path
) -> None:
    target = tmp_path / ("out.svg" if "--svg" in arguments else "out")
    if old is not None:
        target.write_text(old)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))

    done = process(*arguments, str(target), "--force", before=small_files)
    assert done.returncode == 3
    assert done.stderr == f"Error: {target}: File too large\n"
    assert (target.read_text() if target.exists() else None) == old
    assert list(tmp_path.iterdir()) == [target] * (old is not None)


def test_a_folder_that_fills_up_is_not_made(tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))

    target = tmp_path / "pictures"
    done = process("basis", "S6", "2", "2", "--svg", str(target), before=small_files)
    assert (done.returncode, done.stderr) == (3, f"Error: {target}: File too large\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    target = tmp_path / "layer.py"
    done = process("generate", "S3", "1", "1", "-o", str(target))
    assert (done.returncode, done.stderr) == (3, f"Error: {target}: Permission denied\n")


def test_a_folder_that_takes_no_files_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    monkeypatch.setattr(tempfile, "mkdtemp", refused)
    for arguments in (
        ["generate", "S3", "1", "1", "-o", str(tmp_path / "layer.py")],
        ["basis", "S3", "1", "1", "--html", str(tmp_path / "page.html")],
        ["basis", "S3", "1", "1", "--svg", str(tmp_path / "pictures")],
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 3
        assert result.output == f"Error: {arguments[-1]}: Permission denied\n"
    assert list(tmp_path.iterdir()) == []


def test_files_are_followed_kept_and_never_overwritten_unasked(tmp_path: Path) -> None:
    target, link = tmp_path / "target.py", tmp_path / "link.py"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    arguments = ["generate", "S(3)", "1", "1", "-o", str(link)]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert refused.output == f"Error: {link} exists; --force overwrites it\n"
    for others in (
        ["basis", "S3", "1", "1", "--html", str(target)],
        ["compose", "S3", "1->1: 0 1", "1->1: 0 1", "--svg", str(target)],
        ["simplify", "S3", "1->1: 0 1", "--svg", str(target)],
        ["bench", "--quick", "--markdown", str(target)],
    ):
        assert "--force overwrites it" in CliRunner().invoke(main, others).output
    assert (
        "Not a directory"
        in CliRunner().invoke(main, ["basis", "S3", "1", "1", "--svg", str(target)]).output
    )
    assert target.read_text() == "old"
    assert CliRunner().invoke(main, [*arguments, "--force"]).exit_code == 0
    assert link.is_symlink()
    assert "class S3Linear1To1" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(tmp_path.iterdir()) == [link, target]


def test_a_file_that_comes_in_between_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def pieces() -> Iterator[str]:
        target.write_text("theirs")
        yield "ours"

    with pytest.raises(FileExistsError):
        write_whole(target, pieces(), overwrite=False)
    assert target.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


# What a reader sees


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """All that a command writes to a terminal, output and errors together."""
    parent, child = pty.openpty()
    running = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=child,
        stderr=child,
        env={k: v for k, v in os.environ.items() if k != "NO_COLOR"} | environment,
    )
    os.close(child)
    text = b""
    while True:
        try:
            piece = os.read(parent, 2**16)
        except OSError:  # Linux says so that the other side has closed
            break
        if not piece:
            break
        text += piece
    os.close(parent)
    running.wait()
    return text.decode()


def test_colours_are_for_terminals_that_want_them() -> None:
    table = ("basis", "S3", "1", "1", "--no-pictures")
    assert "\x1b[" in on_a_terminal(*table)
    assert "\x1b[" in on_a_terminal("dim", "Q3", "1", "1")
    assert "\x1b[" not in on_a_terminal(*table, NO_COLOR="1")
    assert "\x1b[" not in on_a_terminal("dim", "Q3", "1", "1", NO_COLOR="1")
    assert "\x1b[" not in process(*table).stdout
    # In lines for a reader, one line for a program.
    assert on_a_terminal("dim", "S3", "1", "1", "--json").count("\n") == 7
    assert process("dim", "S3", "1", "1", "--json").stdout.count("\n") == 1


def test_progress_is_for_terminals(tmp_path: Path) -> None:
    arguments = ("basis", "S8", "3", "3", "--svg")
    seen = on_a_terminal(*arguments, str(tmp_path / "a"))
    assert "\rdrawing 100 of 203" in seen
    assert seen.endswith(f"\rwrote {tmp_path / 'a'}\r\n")
    assert process(*arguments, str(tmp_path / "b")).stderr == f"wrote {tmp_path / 'b'}\n"


# Faults of our own


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), 3, "there is not enough memory for this"),
        (RecursionError("too deep"), 4, "RecursionError: too deep (a fault in tannaka"),
        (KeyError("x"), 4, "KeyError: 'x' (a fault in tannaka"),
        (ValueError("two\nlines"), 2, "Error: two lines\n"),
        (OSError(28, "No space left on device"), 3, "Error: output: No space left on device\n"),
        (UnicodeEncodeError("latin-1", "╭", 0, 1, "no"), 3, "set PYTHONUTF8=1"),
        (tn.errors.PlanError("no"), 4, "PlanError: no (a fault"),
        (tn.errors.EquivarianceError("no"), 1, "Error: no\n"),
        (tn.errors.CertificateError("no"), 1, "Error: no\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_every_error_is_one_line_and_a_code(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(hom: object) -> None:
        raise error

    monkeypatch.setattr(tn.Hom, "dimension", property(fail))
    result = CliRunner().invoke(main, ["dim", "S3", "1", "1"])
    assert result.exit_code == code
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1
    monkeypatch.setenv("TANNAKA_TRACEBACK", "1")
    traced = CliRunner().invoke(main, ["dim", "S3", "1", "1"])
    assert (traced.exception is error) == isinstance(error, Exception)


def test_all_commands_of_the_modules_are_there() -> None:
    for command in (
        spaces.basis,
        layers.explain,
        checking.verify,
        checking.certify,
        benchmarks.bench,
    ):
        assert main.commands[command.name or ""] is command
