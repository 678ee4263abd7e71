"""What the user set on the Preferences page; defaults where napari does not know the plugin (yet)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_vol2vol.anatomical_planes import CONVENTIONS, Convention

PLUGIN = "napari-vol2vol"


def _value(section: str, name: str, default: Any) -> Any:
    from napari.settings import get_plugin_settings

    try:
        return getattr(getattr(get_plugin_settings(PLUGIN), section), name)
    except (KeyError, AttributeError, ValueError):
        return default


def stream_hz() -> float:
    """Return how often per second the views take the newest snapshot."""
    return float(_value("stream", "hz", 5.0))


def default_device() -> str:
    """Return the device a run starts with, ``"auto"`` or a torch device."""
    return str(_value("run", "device", "auto"))


def run_folder() -> Path:
    """Return the folder that run folders are made in."""
    from platformdirs import user_data_path

    text = str(_value("run", "folder", "")).strip()
    return Path(text).expanduser() if text else user_data_path(PLUGIN) / "runs"


def lessons_folder() -> Path:
    """Return the folder of the user's own lessons, which may not exist."""
    from platformdirs import user_data_path

    text = str(_value("lessons", "folder", "")).strip()
    return Path(text).expanduser() if text else user_data_path(PLUGIN) / "lessons"


def convention() -> Convention:
    """Return the convention the three views start with."""
    value = str(_value("views", "convention", CONVENTIONS[0]))
    return "neurological" if value == "neurological" else "radiological"


def drag_up() -> str:
    """Return what an upward drag of the right button does to the image: darker or brighter."""
    return "brighter" if str(_value("views", "drag_up", "darker")) == "brighter" else "darker"
