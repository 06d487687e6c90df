#!/bin/sh
# Make .venv from the lock file, with hashes: uv when present, else pip. Does nothing when it is up to date.
# Run from the project's root; safe to run twice at once, and again after it was interrupted.
set -eu

venv=.venv
stamp="$venv/.complete"
wanted=$(cksum <requirements.lock)

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

find_python() {
    for python in "${PYTHON:-}" python3.13 python3.12 python3.11 python3.14 python3; do
        if [ -n "$python" ] && command -v "$python" >/dev/null 2>&1 &&
            "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found. Debian, Ubuntu: sudo apt-get install python3 python3-venv;" \
        "Fedora: sudo dnf install python3; macOS: brew install python"
}

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

ensure_venv_module() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    if command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
        say "Python's venv module is missing: installing Debian's package ..."
        version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        as_root apt-get update -q >/dev/null
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "python$version-venv" >/dev/null
    else
        fail "Python's venv module is missing. Debian, Ubuntu: sudo apt-get install python3-venv"
    fi
}

make_venv() {
    python=$(find_python)
    rm -rf "$venv"
    say "Setting up $venv (once; about a minute) ..."
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --python "$python" "$venv"
        VIRTUAL_ENV="$PWD/$venv" uv pip install --quiet --require-hashes -r requirements.lock
    else
        ensure_venv_module "$python"
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input --require-hashes -r requirements.lock
    fi
    # The project itself is put on the path; nothing is built or fetched for it.
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' "$PWD" >"$site/returpost.pth"
    printf '#!/bin/sh\nexec "%s/bin/python" -m returpost "$@"\n' "$PWD/$venv" >"$venv/bin/returpost"
    chmod 755 "$venv/bin/returpost"
    printf '%s\n%s\n' "$wanted" "$PWD" >"$stamp"
}

up_to_date() { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(printf '%s\n%s' "$wanted" "$PWD")" ]; }

if command -v flock >/dev/null 2>&1; then
    exec 9>.venv.lock
    flock 9
fi
up_to_date || make_venv
