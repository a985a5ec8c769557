#!/bin/sh
# Make .venv from requirements.lock. The copy of the lock file inside it says that the work was finished.
set -eu

# A worktree shares the main checkout's environment if that has the same packages: they fill gigabytes.
main=$(git worktree list --porcelain 2>/dev/null | sed -n '1s/^worktree //p')
if [ -n "$main" ] && [ "$main" != "$PWD" ] && [ ! -e .venv ] && cmp -s requirements.lock "$main/.venv/requirements.lock"; then
    ln -s "$main/.venv" .venv
    exit 0
fi

for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "${python:-}" ]; then
    echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make run PYTHON=/path/to/python3.11" >&2
    exit 1
fi

echo "Installing into .venv what requirements.lock names (PyTorch is large: some minutes the first time)"
[ -x .venv/bin/python ] || "$python" -m venv .venv
# The lock file is the whole resolution (with what [tool.uv] excludes left out): pip must not resolve anew.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock 2>.venv/install.log || {
    cat .venv/install.log >&2
    exit 1
}
cp requirements.lock .venv/requirements.lock
