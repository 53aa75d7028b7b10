"""Files that commands write: whole or not at all, and over others only where told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click


def write_file(
    path: Path, text: str | Iterable[str], *, force: bool, said: str | None = None
) -> None:
    """Write a file, and say so on the error stream."""
    from tannaka.codegen.files import check_writable, write_whole

    # Before anything is computed for it.
    check_writable(path, overwrite=force)
    write_whole(path, text, overwrite=force)
    click.echo(said or f"wrote {path}", err=True)


def write_folder(path: Path, files: Iterable[tuple[str, str]], *, force: bool) -> None:
    """Write files, as (name, text), into a folder, and say so on the error stream."""
    from tannaka.codegen import files as whole

    whole.write_folder(path, files, overwrite=force)
    click.echo(f"wrote {path}", err=True)
