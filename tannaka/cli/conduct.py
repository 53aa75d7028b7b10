"""How a command ends: its exit code, one line for each failure, and quiet where it is interrupted.

Commands raise what the library raises. Here that becomes a line on the error stream and a number,
in one place, so that all commands agree and no traceback reaches a user; with
``TANNAKA_TRACEBACK=1`` in the environment one does, for those who look for a fault.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

NO, WRONG, UNABLE, FAULT, INTERRUPTED, UNREAD = 1, 2, 3, 4, 130, 141
EXIT_CODES = """\
\b
Exit codes:
  0    done, and where something was asked the answer is yes
  1    the answer is no: a check has failed
  2    the request is wrong: an argument, a file, a size beyond reason
  3    it cannot be done here: a missing package or device, a full disk
  4    a fault in tannaka itself
  130  interrupted by Ctrl-C
"""


class Stopped(BaseException):
    """The process was asked to end by a signal, and unwinds."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _ClosedError(Exception):
    """Whoever read our output has seen enough."""


class AnswerNo(click.ClickException):
    """What was checked does not hold."""

    exit_code = NO


class Unable(click.ClickException):
    """What was asked for is right, and cannot be done on this machine."""

    exit_code = UNABLE


class Commands(click.Group):
    """The commands, in the order in which they were added, and how they end."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the help, which goes from a group to its code."""
        return list(self.commands)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """The arguments, read; ``--help`` prints here."""
        with _closed_pipes():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        # Dimensions have as many digits as they have.
        sys.set_int_max_str_digits(0)
        with _closed_pipes():
            return super().invoke(ctx)

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run a command and leave Python with its exit code."""
        run: Any = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **options)
        _open_streams()
        try:
            with _signals():
                code = run(*args, standalone_mode=False, **options)
                with _closed_pipes():
                    sys.stdout.flush()
        except BaseException as error:
            _end(error)
        # Commands return None; leaving early, as --help does, returns a code.
        sys.exit(code if isinstance(code, int) else 0)


def _end(error: BaseException) -> NoReturn:
    """Say in one line what has happened, and leave Python."""
    if isinstance(error, SystemExit):
        _give_up_unwritten()
        raise error
    if os.environ.get("TANNAKA_TRACEBACK") and isinstance(error, Exception):
        raise error
    code, line = _verdict(error)
    if line:
        try:
            before = click.style("Error:", fg="red", bold=True)
            words = line if code == INTERRUPTED else f"{before} {line}"
            click.echo(words, err=True, color=False if os.environ.get("NO_COLOR") else None)
        except OSError:
            pass  # nobody reads the error stream either; the exit code still says it
    _give_up_unwritten()
    sys.exit(code)


def _give_up_unwritten() -> None:
    """Forget what could not be written: Python would try again at its end, and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _verdict(error: BaseException) -> tuple[int, str]:
    """The exit code and the line for an error."""
    from tannaka.diagrams.errors import (
        BackendError,
        CertificateError,
        EquivarianceError,
        PlanError,
        TannakaError,
    )

    match error:
        case _ClosedError():
            return UNREAD, ""
        case Stopped():
            return 128 + error.number, f"stopped by {signal.Signals(error.number).name}"
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED, "interrupted"
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "tannaka"
            return WRONG, f"{_one_line(error.format_message()).rstrip('.')}; see {path} --help"
        case click.ClickException():
            return error.exit_code, _one_line(error.format_message())
        case EquivarianceError() | CertificateError():
            return NO, _one_line(str(error))
        case PlanError():
            pass
        case BackendError() | ModuleNotFoundError():
            return UNABLE, _one_line(str(error))
        case UnicodeEncodeError():
            return UNABLE, f"the encoding {error.encoding} has not all characters: set PYTHONUTF8=1"
        case FileExistsError():
            return WRONG, f"{error.filename} exists; --force overwrites it"
        case FileNotFoundError() | IsADirectoryError() | NotADirectoryError():
            return WRONG, f"{error.filename}: {error.strerror}"
        case OSError():
            return UNABLE, f"{error.filename or 'output'}: {error.strerror or error}"
        case TannakaError() | ValueError() | TypeError():
            return WRONG, _one_line(str(error)) or type(error).__name__
        case MemoryError():
            return UNABLE, "there is not enough memory for this"
    why = f"{type(error).__name__}: {error}".strip(": ")
    return FAULT, f"{_one_line(why)} (a fault in tannaka; TANNAKA_TRACEBACK=1 shows where)"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _open_streams() -> None:
    """Put something in the place of standard streams that the caller has closed.

    Nothing is read there and what is said is lost; but what is asked for, on standard output, is an
    error.
    """
    nothing = Path(os.devnull)
    if sys.stdin is None:
        sys.stdin = nothing.open(encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = nothing.open(encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = nothing.open("w", encoding="utf-8")


@contextmanager
def _closed_pipes() -> Iterator[None]:
    """Tell a reader that has gone from other errors, before click does."""
    try:
        yield
    except BrokenPipeError as error:
        raise _ClosedError from error


@contextmanager
def _signals() -> Iterator[None]:
    """Let signals that end a process unwind it, so that no unfinished file stays."""

    def stop(number: int, frame: object) -> None:
        raise Stopped(number)

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # What a caller has told us to ignore, as nohup does, stays ignored.
    before = {
        number: signal.signal(number, stop)
        for number in numbers
        if signal.getsignal(number) == signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
