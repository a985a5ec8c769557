#!/bin/sh
# Python of the virtual environment that belongs to this checkout: its own, or that of the checkout around it, in which
# `dvc exp run --temp` and DVC's queue make theirs.
folder=$(pwd -P)
while [ ! -x "$folder/.venv/bin/python" ]; do
    if [ "$folder" = / ]; then
        echo "no virtual environment in $(pwd) or around it: make venv makes one" >&2
        exit 1
    fi
    folder=$(dirname "$folder")
done
exec "$folder/.venv/bin/python" "$@"
