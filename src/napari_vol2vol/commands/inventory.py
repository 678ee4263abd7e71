"""`vol2vol systems` and `vol2vol bundles ...`: what is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from napari_vol2vol.errors import SettingsError

if TYPE_CHECKING:
    pass

from napari_vol2vol.commands.terminal import (
    out,
    print_json,
)


def systems(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List systems, the tasks they serve and the bundles that are installed for them."""
    from napari_vol2vol.bundles import list_bundles
    from napari_vol2vol.systems import SYSTEMS
    from napari_vol2vol.tasks import TASKS

    rows = [
        {
            "name": info.name, "title": info.title, "description": info.description,
            "tasks": [t.name for t in TASKS.values() if info.name in t.systems],
            "bundles": [c.name for c in list_bundles(system=info.name)] if info.needs_bundle else None,
        }
        for info in SYSTEMS.values()
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    table = Table("system", "tasks", "bundles", "what")
    for row in rows:
        installed = "not needed" if row["bundles"] is None else ", ".join(row["bundles"]) or "none installed"
        table.add_row(str(row["name"]), ", ".join(row["tasks"] or []), installed, str(row["description"]))
    out.print(table)


def list_all(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List installed bundles."""
    from napari_vol2vol.bundles import list_bundles

    cards = list_bundles()
    if as_json:
        print_json([{"name": c.name, "task": c.task, "systems": c.systems, "title": c.title} for c in cards])
        return
    table = Table("bundle", "task", "systems", "title")
    for card in cards:
        table.add_row(card.name, card.task, ", ".join(card.systems), card.title)
    out.print(table)


def _card(name: str) -> Any:
    from napari_vol2vol.bundles import list_bundles
    from napari_vol2vol.bundles.card import read_card

    if (Path(name) / "metadata.json").is_file():
        return read_card(Path(name))
    cards = {c.name: c for c in list_bundles()}
    if name not in cards:
        raise SettingsError(f"bundle: found {name!r}, installed are {', '.join(cards) or 'none'}")
    return cards[name]


def show(name: str) -> None:
    """Print a bundle's card."""
    sys.stdout.write((_card(name).path / "metadata.json").read_text())


def verify(
    name: Annotated[str | None, typer.Argument(help="Name or folder; all if not given.")] = None,
    figures: Annotated[bool, typer.Option("--figures", help="Run each bundle's validation again.")] = False,
    volumes: Annotated[Path | None, typer.Option(help="Folder of scripts/fetch_volumes.py.")] = None,
) -> None:
    """Check the sha256 of the weights of one bundle, or of all; on request, reprint their validation."""
    from napari_vol2vol.bundles import list_bundles, verify_bundle

    for card in [_card(name)] if name else list_bundles():
        verify_bundle(card)
        out.print(f"{card.name}: {len(card.weights)} weight file(s) match their sha256")
        if figures:
            from napari_vol2vol.training.revalidation import revalidate

            found = ", ".join(f"{key} {value:.2f} dB" for key, value in revalidate(card, volumes).items())
            kept = ", ".join(f"{key} {value:.2f} dB" for key, value in card.validation.items()) or "none"
            out.print(f"  validation: {found} (card: {kept})", highlight=False)


def path_of(name: str) -> None:
    """Print the folder of a bundle."""
    sys.stdout.write(f"{_card(name).path}\n")
