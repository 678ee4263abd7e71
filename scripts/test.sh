#!/usr/bin/env bash
# Command two of the README: install, then lint, types, import contracts and the whole test suite under a virtual screen.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh dev
.venv/bin/ruff check
.venv/bin/ruff format --check
.venv/bin/mypy
.venv/bin/lint-imports
pytest=(.venv/bin/python -m pytest -q)
screen=()
if command -v xvfb-run >/dev/null; then
    screen=(xvfb-run -a -s "-screen 0 1600x1000x24")
fi
if [ $# -gt 0 ]; then
    exec "${screen[@]}" "${pytest[@]}" "$@"
fi
# two at a time, one thread each; windows share one screen, so they come one after the other
OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 "${screen[@]}" "${pytest[@]}" -n 2 --dist loadfile --ignore tests/ui
exec "${screen[@]}" "${pytest[@]}" tests/ui
