"""What every command shares: consoles, exit codes, JSON, checks of arguments, Ctrl-C."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

from napari_vol2vol.errors import SettingsError, Vol2VolError

if TYPE_CHECKING:
    pass

errors = Console(stderr=True, soft_wrap=True)
out = Console(soft_wrap=True)

EXIT_USER_ERROR = 1
EXIT_CANCELLED = 130


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the project's errors into one line on stderr and exit code 1, Ctrl-C into 130."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except Vol2VolError as error:
            errors.print(f"[red]vol2vol:[/red] {escape(str(error))}")
            raise typer.Exit(EXIT_USER_ERROR) from error
        except KeyboardInterrupt:
            errors.print("cancelled")
            raise typer.Exit(EXIT_CANCELLED) from None

    return run


def print_json(value: object) -> None:
    """Print valid JSON on stdout."""
    sys.stdout.write(as_text(value))


def as_text(value: object) -> str:
    """Return valid JSON: an infinite PSNR becomes the string ``inf``."""
    from napari_vol2vol.io.provenance import as_json

    return json.dumps(as_json(value), indent=2, ensure_ascii=False) + "\n"


def factor_of(text: str) -> tuple[int, int, int]:
    """Read ``4`` or ``4,4,1`` (z, y, x); `SettingsError` says what is accepted."""
    try:
        parts = [int(p) for p in text.split(",")]
    except ValueError:
        parts = []
    if len(parts) not in (1, 3) or any(p < 1 for p in parts):
        raise SettingsError(
            f"factor: found {text!r}, accepted is one whole number (4) or three (4,4,1) in z,y,x order"
        )
    z, y, x = parts * 3 if len(parts) == 1 else parts
    return z, y, x


def check_output(path: Path, overwrite: bool, suffixes: tuple[str, ...] = (".nii", ".nii.gz")) -> None:
    """Refuse, before any work, a name that cannot be written or must not be overwritten, nor its record."""
    from napari_vol2vol.io.provenance import sidecar_path

    if not path.name.endswith(suffixes):
        raise SettingsError(f"output: found {path}, accepted is a name that ends in {' or '.join(suffixes)}")
    for written in (path, sidecar_path(path)):
        if written.exists() and not overwrite:
            raise SettingsError(f"output: {written} exists already; choose another name or add --overwrite")
    if not path.parent.is_dir():
        raise SettingsError(f"output: folder {path.parent} does not exist")


@contextmanager
def interrupt_sets(cancel: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C end the run after the network call in flight; a second one interrupts at once.

    A `KeyboardInterrupt` raised inside the stream would close it before it has said what was finished.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT) or signal.default_int_handler

    def on_interrupt(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        cancel.set()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
