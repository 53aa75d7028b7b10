"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_whole(
    path: str | os.PathLike[str], text: str | Iterable[str], *, overwrite: bool = True
) -> Path:
    """Write a text file in one step, and return its path; ``text`` may come in pieces.

    Raises FileExistsError for a file that is there unless ``overwrite``, FileNotFoundError where
    the folder is missing, another OSError where it cannot be written.
    """
    path = Path(path)
    target = check_writable(path, overwrite=overwrite)
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines([text] if isinstance(text, str) else text)
            temporary.chmod(mode)
            _place(temporary, target, overwrite=overwrite)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from error
    return path


def _place(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Give a finished file its name, in one step; not over one that has come there since."""
    if not overwrite:
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise
        except OSError:
            pass  # a file system without links, where looking before has to do
        else:
            temporary.unlink()
            return
    temporary.replace(target)


def check_writable(path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
    """The file that writing to ``path`` would replace; raises as :func:`write_whole` does."""
    path = Path(path)
    # A link is followed, so that what it points to is written.
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if target.exists() and not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    if not target.parent.is_dir():
        missing = target.parent if path.is_symlink() else path.parent
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(missing))
    return target


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_folder(
    path: str | os.PathLike[str], files: Iterable[tuple[str, str]], *, overwrite: bool = False
) -> Path:
    """Write files, as (name, text), into one folder, which is made unless it is there.

    Nothing appears before all are written: a new folder comes in one step, and into one that is
    there they are moved one after the other. Files of other names there are left alone. Raises as
    :func:`write_whole` does, NotADirectoryError for a file in place of the folder.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    there = target.is_dir()
    try:
        staging = Path(
            tempfile.mkdtemp(prefix=f".{target.name}.", dir=target if there else target.parent)
        )
        try:
            for name, text in files:
                if there and not overwrite and (target / name).exists():
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path / name))
                (staging / name).write_text(text, encoding="utf-8")
            if there:
                for file in sorted(staging.iterdir()):
                    file.replace(target / file.name)
            else:
                staging.chmod(0o777 & ~_umask())
                staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except FileExistsError:
        raise
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from error
    return path
