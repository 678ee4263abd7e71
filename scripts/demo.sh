#!/usr/bin/env bash
# Command one of the README: install, then restore the bundled scan with every system and print PSNR and SSIM.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh all
exec .venv/bin/vol2vol demo "$@"
