#!/usr/bin/env bash
# Install from this folder alone, index switched off; the folder may be read-only.
#   bash install.sh               the listed wheels, then this project (the bundle was made with --download)
#   bash install.sh --code-only   this project alone: the environment has the packages of wheels.txt already
# PYTHON chooses the interpreter (default: python3).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PYTHON=${PYTHON:-python3}
export PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1
install() { "$PYTHON" -m pip install --quiet --no-deps --no-compile --no-cache-dir "$@"; }
if [ "${1:-}" != --code-only ]; then
    found=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$found" != "{python}" ]; then
        echo "install.sh: the wheels are for Python {python}, $PYTHON is $found; set PYTHON, or use --code-only" >&2
        exit 2
    fi
    if [ "$(ls "$here"/wheels/*.whl | wc -l)" -lt 2 ]; then
        echo "install.sh: wheels/ holds this project's wheel alone; make the bundle with --download, or use --code-only" >&2
        exit 2
    fi
    install --find-links "$here/wheels" --requirement "$here/wheels.txt"
fi
install --force-reinstall "$here"/wheels/misconception_mining-*.whl
"$PYTHON" -P -c 'import pipelines.end_to_end as job; print("installed:", job.__file__)'
