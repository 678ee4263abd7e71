"""`vol2vol systems` and `vol2vol bundles ...`: what is installed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from napari_vol2vol.errors import SettingsError

if TYPE_CHECKING:
    pass

from napari_vol2vol.commands.terminal import (
    out,
    print_json,
)


def systems(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List systems, the tasks they serve, the bundles that are installed, the recipes that make others."""
    from napari_vol2vol.bundles import list_bundles
    from napari_vol2vol.systems import SYSTEMS
    from napari_vol2vol.tasks import TASKS

    recipes = _recipes_by_system()
    rows: list[dict[str, Any]] = [
        {
            "name": info.name, "title": info.title, "description": info.description,
            "tasks": [t.name for t in TASKS.values() if info.name in t.systems],
            "bundles": [c.name for c in list_bundles(system=info.name)] if info.needs_bundle else None,
            "recipes": recipes.get(info.name, []),
        }
        for info in SYSTEMS.values()
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    table = Table(Column("system", no_wrap=True), Column("tasks", overflow="fold"), show_lines=True)
    table.add_column("bundles", overflow="fold")
    for row in rows:
        name = f"[bold]{row['name']}[/bold]"
        table.add_row(name, "\n".join(row["tasks"]), f"{_bundles_text(row)}\n[dim]{row['description']}[/dim]")
    out.print(table)


def _bundles_text(row: dict[str, Any]) -> str:
    if row["bundles"] is None:
        return "needs none"
    if row["bundles"]:
        return ", ".join(row["bundles"])
    return f"none installed; vol2vol train {' | '.join(row['recipes']) or 'a recipe of your own'}"


def _recipes_by_system() -> dict[str, list[str]]:
    from napari_vol2vol.training.recipe import load_recipe, shipped_recipes

    found: dict[str, list[str]] = {}
    for name in shipped_recipes():
        for system in load_recipe(name).systems:
            found.setdefault(system, []).append(name)
    return found


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
    from napari_vol2vol.bundles.library import required_bundles

    for card in [_card(name)] if name else list_bundles():
        for part in (card, *required_bundles(card).values()):
            verify_bundle(part)
        found = f"{len(card.weights)} weight file(s) match their sha256" if card.weights else "no weights"
        built_on = f"; built on {', '.join(card.requires)}, which match" if card.requires else ""
        out.print(f"{card.name}: {found}{built_on}")
        if figures and card.weights:
            from napari_vol2vol.training.revalidation import revalidate

            found = _figures_text(revalidate(card, volumes))
            kept = _figures_text(card.validation) or "none"
            out.print(f"  validation: {found} (card: {kept})", highlight=False)


def path_of(name: str) -> None:
    """Print the folder of a bundle."""
    sys.stdout.write(f"{_card(name).path}\n")


def _figures_text(figures: Mapping[str, float]) -> str:
    """Return validation figures with their units: Dice has none, errors are in HU, all others in dB."""

    def text(key: str, value: float) -> str:
        if key.startswith("dice"):
            return f"{key} {value:.3f}"
        return f"{key} {value:.1f}" if "hu" in key.split() else f"{key} {value:.2f} dB"

    return ", ".join(text(key, value) for key, value in figures.items())
