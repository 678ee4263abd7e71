#!/usr/bin/env bash
# Installs the libraries that Qt and OpenGL need on a Debian or Ubuntu machine without a desktop; elsewhere it names them.
set -euo pipefail
packages=(libgl1 libegl1 libglib2.0-0 libxkbcommon0 libdbus-1-3 libfontconfig1 xvfb xauth libxcb-cursor0
    libxkbcommon-x11-0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0)
[ "$(uname -s)" = Linux ] || exit 0
if ! command -v dpkg-query >/dev/null; then
    echo "Qt and the tests need the equivalents of these Debian packages: ${packages[*]}"
    exit 0
fi
missing=()
for package in "${packages[@]}"; do
    # some releases carry a 64-bit-time suffix: libglib2.0-0t64
    if ! dpkg-query -W -f='${Status}\n' "$package" "${package}t64" 2>/dev/null | grep -q "install ok installed"; then
        missing+=("$package")
    fi
done
"${PYTHON:-python3}" -c "import venv, ensurepip" 2>/dev/null || missing+=(python3 python3-venv)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ]; then as_root=(); elif command -v sudo >/dev/null; then as_root=(sudo); else
    echo "Install these packages as root first: ${missing[*]}" >&2
    exit 1
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
