#!/bin/sh
# Makes or updates .venv so that it holds exactly what uv.lock says. Safe to repeat and to interrupt.
set -eu
cd "$(dirname "$0")/.."

NEEDED_KIB=$((10 * 1024 * 1024)) # packages and what uv unpacks besides them

say() { printf '%s\n' "$*" >&2; }

fail() { # what happened, what to do
    say "error: $1"
    say "  next: $2"
    exit 1
}

runs() { # PYTHON CONDITION: a pyenv shim may be there and yet not run
    "$1" -c "import sys; v = sys.version_info[:2]; sys.exit(not ($2))" >/dev/null 2>&1 </dev/null
}

first_python() { # CONDITION: print the path of the first Python that meets it
    for name in python3.12 python3.11 python3 python; do
        if runs "$name" "$1"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

check_space() {
    free=$(df -Pk . | awk 'NR == 2 {print $4}')
    [ "$free" -ge "$NEEDED_KIB" ] || fail \
        "the environment needs 10 GB here, and $((free / 1024)) MB are free." \
        "free some space, or put the project on another disk."
}

own_uv() { # make a uv of our own, in the version that uv.lock names
    folder=.cache/uv
    base=$(first_python 'v >= (3, 9)') || fail \
        "there is neither uv nor a Python 3 on PATH." \
        "install Python 3.11 or 3.12, or uv (https://docs.astral.sh/uv/), then run it again."
    "$base" -c 'import venv, ensurepip' 2>/dev/null || fail \
        "$base has no venv or ensurepip module." \
        "install them (Debian, Ubuntu: apt install python3-venv), or install uv (https://docs.astral.sh/uv/)."
    version=$(awk '$0 == "name = \"uv\"" {getline; gsub(/[^0-9.]/, ""); print}' uv.lock)
    say "installing uv $version into $folder (about 20 MB)"
    "$base" -m venv --clear "$folder" || fail "$base could not make $folder." "see the message above."
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$version" >&2 </dev/null || fail \
        "uv $version could not be installed." "check that https://pypi.org can be reached, then run it again."
}

find_uv() { # set UV
    for candidate in uv .venv/bin/uv .cache/uv/bin/uv; do
        if "$candidate" --version >/dev/null 2>&1; then
            UV=$candidate
            return
        fi
    done
    own_uv
    UV=.cache/uv/bin/uv
}

find_uv
if python=$(first_python '(3, 11) <= v <= (3, 12)'); then
    export UV_PYTHON_DOWNLOADS=never
else
    python=3.12
    export UV_PYTHON_DOWNLOADS=automatic
    say "no Python 3.11 or 3.12 on PATH: uv takes one that it knows, or downloads 3.12 (about 30 MB)"
fi
if [ ! -x .venv/bin/python ]; then
    check_space
    say "making .venv: 270 packages, up to 4 GB to download (on Linux, mostly PyTorch with CUDA), 7.4 GB on disk"
else
    say "updating .venv to uv.lock"
fi
"$UV" sync --frozen --compile-bytecode --python "$python" </dev/null || fail \
    "the environment could not be completed; what was downloaded is kept." \
    "check the network (https://pypi.org) and the free space, then run it again."
