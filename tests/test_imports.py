"""What importing costs and drags in, each measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUI = ("napari", "qtpy", "superqt", "magicgui", "pyqtgraph", "PyQt6", "PySide6", "vispy")


def in_a_process(code):
    """Run code that prints JSON and return it."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, cwd=ROOT
    )
    return json.loads(done.stdout)


def imported_by(module):
    return set(
        in_a_process(
            f"import json, sys; import {module}; print(json.dumps([m.split('.')[0] for m in sys.modules]))"
        )
    )


def test_importing_the_package_loads_neither_torch_nor_qt():
    assert imported_by("napari_vol2vol").isdisjoint({"torch", *GUI})


def test_importing_the_package_takes_less_than_0_3_seconds():
    code = "import json, time; begin = time.perf_counter(); import napari_vol2vol; "
    code += "print(json.dumps(time.perf_counter() - begin))"
    assert min(in_a_process(code) for _ in range(3)) < 0.3


@pytest.mark.parametrize(
    "module",
    [
        "cli",
        "volume",
        "errors",
        "samples",
        "io",
        "bundles",
        "systems",
        "tasks",
        "engine.events",
        "engine.request",
    ],
)
def test_importing_what_the_user_interface_needs_at_once_loads_no_gui(module):
    assert imported_by(f"napari_vol2vol.{module}").isdisjoint(GUI)


@pytest.mark.parametrize(
    "module", ["cli", "volume", "errors", "samples", "io", "bundles", "systems", "tasks"]
)
def test_importing_the_catalogues_loads_no_torch(module):
    assert "torch" not in imported_by(f"napari_vol2vol.{module}")


@pytest.mark.parametrize("module", ["engine", "training.run", "evaluation.super_resolution_table"])
def test_the_working_rooms_load_no_gui(module):
    assert imported_by(f"napari_vol2vol.{module}").isdisjoint(GUI)


def test_the_import_contracts_hold():
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
