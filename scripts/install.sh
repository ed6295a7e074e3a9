#!/bin/sh
# Installs the pinned requirements ($1: runtime or dev) and the project into .venv, with progress,
# and leaves a stamp so that the next start does none of it. The lock is complete, so pip resolves
# nothing (--no-deps): what has been released since cannot change what is installed.
# OLDEST_PIP=1 does it with the oldest pip that this Python ships.
set -eu
kind="$1"
say() { printf '%s\n' "$*" >&2; }

python=""
for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python="$candidate"
        break
    fi
done
if [ -z "$python" ]; then
    say "error: Python 3.11 or newer was not found (tried python3, python3.11 to python3.14, python)." \
        "Install one, or name it: make PYTHON=/path/to/python3.12 ..."
    exit 1
fi

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "[1/4] making .venv with $("$python" --version)"
    rm -rf .venv
    if ! "$python" -m venv .venv; then
        say "error: '$python -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv"
        rm -rf .venv
        exit 1
    fi
    if [ -n "${OLDEST_PIP:-}" ]; then
        if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input --quiet \
                --no-deps --require-hashes -r requirements/oldest-pip.txt; then
            say "error: the pip of requirements/oldest-pip.txt could not be installed."
            rm -rf .venv
            exit 1
        fi
        say "      with $(.venv/bin/python -m pip --version)"
    fi
fi

if [ "$kind" = runtime ]; then  # meanwhile: it needs nothing that is installed here
    .venv/bin/python -m demo.player 2>.venv/players.log &
    players=$!
fi
total=$(grep -c '==' "requirements/$kind.txt")
say "[2/4] installing $total packages of requirements/$kind.txt (a minute on a fresh machine)"
{
    status=0
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-color \
        --progress-bar off --no-deps --require-hashes -r "requirements/$kind.txt" 2>&1 || status=$?
    echo "$status" >.venv/install.status
} | tee .venv/install.log | awk -v total="$total" -v terminal="$([ -t 2 ] && echo 1 || echo 0)" '
    /^(Collecting|Requirement already satisfied|Processing|Ignoring)/ {
        if (++done && terminal) printf "\r      %d of %d ", done, total
        else if (done % 20 == 0) printf "      %d of %d\n", done, total
        fflush()
    }
    /^Installing collected/ { printf "\n      putting them in place"; fflush() }
    END { print "" }
' >&2
if [ "$(cat .venv/install.status)" != 0 ]; then
    say ""
    tail -n 5 .venv/install.log >&2
    if grep -qiE 'connection|resolve|timed out|unreachable|No matching distribution' .venv/install.log; then
        say "error: the package registry could not be reached, or has no build for this machine." \
            "Check the network (or your proxy settings) and run make again. Full log: .venv/install.log"
    else
        say "error: installing failed. Full log: .venv/install.log"
    fi
    exit 1
fi
say "[3/4] installing the gateway command"
if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps \
        --no-build-isolation --quiet -e . >>.venv/install.log 2>&1; then
    tail -n 5 .venv/install.log >&2
    say "error: installing the project failed. Full log: .venv/install.log"
    exit 1
fi
if ! .venv/bin/python scripts/missing.py "requirements/$kind.txt"; then
    say "error: requirements/$kind.txt does not have everything that it takes." \
        "Renew it with make lock, or remove .venv and run make again."
    exit 1
fi
# Where the environment forbids Python to keep what it compiles, each start would do it again: 0.2 s.
.venv/bin/python -m compileall -q gateway manifests geodata demo
if [ "$kind" = runtime ]; then
    say "[4/4] fetching hls.js, dash.js and Shaka Player for the demo page"
    wait "$players"
    cat .venv/players.log >&2
fi
touch ".venv/.$kind"
