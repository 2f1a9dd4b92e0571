#!/usr/bin/env bash
# Looks for a Chromium for the browser tests and installs one where that is possible. Never fails: without one the
# browser tests are skipped, and `make test` says so.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 0

find_chromium() { "${VENV:-.venv}/bin/python" -m tests.end_to_end.chromium 2>/dev/null; }

find_chromium >/dev/null && exit 0

if ! command -v apt-get >/dev/null; then
  echo "No Chromium found, and no apt-get to install one. Install Chromium, or name it in CHROMIUM."
  exit 0
fi
as_root=()
if [[ $(id -u) != 0 ]]; then
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    echo "No Chromium found, and no right to install one. Install it: sudo apt-get install chromium"
    exit 0
  fi
  as_root=(sudo -n)
fi
echo "Installing Chromium for the browser tests …"
log=$(mktemp)
if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c \
  'timeout 120 apt-get update -qq && timeout 400 apt-get install -qq -y --no-install-recommends chromium' >"$log" 2>&1 &&
  find_chromium >/dev/null; then
  echo "Installed $(find_chromium)."
else
  echo "Chromium could not be installed:"
  tail -n 3 "$log"
fi
rm -f "$log"
exit 0
