#!/usr/bin/env bash
# Command two of the README: install, then lint, types, import contracts and the whole test suite under a virtual screen.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh dev
.venv/bin/ruff check
.venv/bin/ruff format --check
.venv/bin/mypy
.venv/bin/lint-imports
run=(.venv/bin/python -m pytest -q "$@")
if command -v xvfb-run >/dev/null; then
    exec xvfb-run -a -s "-screen 0 1600x1000x24" "${run[@]}"
fi
exec "${run[@]}"
