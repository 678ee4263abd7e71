#!/usr/bin/env bash
# Makes .venv in the checkout with the project and the extras named in $1 (default: all), pinned by constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-all}
bash scripts/install_system_libraries.sh
[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt torch==2.13.0
.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[$extras]"
