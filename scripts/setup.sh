#!/usr/bin/env bash
# Makes the private environment .venv, or brings it up to date. Quick when nothing has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-.venv}
stamp=$venv/.courseway-ready
# The folder is part of it, because the editable install points at this one.
wanted="$PWD $(cat requirements/dev.txt pyproject.toml scripts/setup.sh | cksum)"

if [[ -x $venv/bin/courseway && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
  exit 0
fi

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

if ! is_new_enough "$venv/bin/python"; then
  python=
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
      python=$candidate
      break
    fi
  done
  if [[ -z $python ]]; then
    echo "Courseway needs Python 3.11 or newer. Install it, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
  fi
  echo "Making $venv with $("$python" --version) …"
  if ! "$python" -m venv --clear "$venv"; then
    echo "Python could not make an environment. On Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
  fi
fi

echo "Installing the locked requirements into $venv (a minute or two the first time) …"
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
"${pip[@]}" --require-hashes -r requirements/dev.txt
"${pip[@]}" --no-deps --no-build-isolation --editable .
echo "$wanted" >"$stamp"
echo "Ready: $venv/bin/courseway"
