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
[ ! -L .venv ] || rm .venv # a link to an environment with other packages, which is not this checkout's to change
[ -x .venv/bin/python ] || "$python" -m venv .venv
# The lock file is the whole resolution (with what [tool.uv] excludes left out): pip must not resolve anew.
.venv/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes --progress-bar off \
    -r requirements.lock >.venv/install.log 2>&1 &
pip=$!
trap 'kill $pip 2>/dev/null' EXIT
trap 'exit 130' INT TERM
packages=$(grep -c '^[a-z].*==' requirements.lock)
seconds=0
# A line now and then: without one it looks as if nothing went on.
while kill -0 $pip 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    if [ $((seconds % 15)) -eq 0 ]; then
        if grep -q '^Installing' .venv/install.log; then
            echo "    all are here, pip unpacks them, $seconds s"
        else
            seen=$(grep -c -e '^Collecting' -e '^Requirement already' -e '^Ignoring' .venv/install.log || true)
            echo "    $seen of $packages packages, $seconds s"
        fi
    fi
done
wait $pip || {
    tail -n 30 .venv/install.log >&2
    exit 1
}
trap - INT TERM EXIT
cp requirements.lock .venv/requirements.lock
