#!/usr/bin/env bash
# Looks for programs that tests need, and installs them where that is possible: scripts/programs.sh chromium nginx
# Never fails: what needs a program that is not there is skipped, and `make test` says so.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 0

# How to find it, and its package.
declare -A package=([chromium]=chromium [headless-shell]=chromium-headless-shell [nginx]=nginx-light [rabbitmq]=rabbitmq-server [redis]=redis-server)
find_program() {
  case $1 in
    chromium) "${VENV:-.venv}/bin/python" -m tests.end_to_end.chromium 2>/dev/null ;;
    headless-shell) command -v chromium-headless-shell || command -v chrome-headless-shell || [[ -n ${CHROMIUM:-} ]] ;;
    nginx) PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx ;;
    rabbitmq) ls /usr/lib/rabbitmq/bin/rabbitmq-server 2>/dev/null ;;
    redis) command -v redis-server || command -v valkey-server ;;
  esac
}

as_root=()
is_allowed=true
if [[ $(id -u) != 0 ]]; then
  as_root=(sudo -n)
  { command -v sudo && sudo -n true; } >/dev/null 2>&1 || is_allowed=false
fi

is_list_new=false
for program in "$@"; do
  find_program "$program" >/dev/null && continue
  if ! command -v apt-get >/dev/null; then
    echo "No $program found, and no apt-get to install one.$([[ $program == chromium ]] && echo " Name one in CHROMIUM.")"
    continue
  fi
  if ! $is_allowed; then
    echo "No $program found, and no right to install one. Install it: sudo apt-get install ${package[$program]}"
    continue
  fi
  if [[ $program != chromium && $program != headless-shell && -d /run/systemd/system ]]; then
    # Its package starts a server at once, which is for the owner of this machine to decide.
    echo "No $program found. It is not installed by itself, since it would start serving: sudo apt-get install ${package[$program]}"
    continue
  fi
  echo "Installing $program for the tests …"
  log=$(mktemp)
  if ! $is_list_new; then
    "${as_root[@]}" timeout 120 apt-get update -qq >"$log" 2>&1
    is_list_new=true
  fi
  if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    timeout 400 apt-get install -qq -y --no-install-recommends "${package[$program]}" >>"$log" 2>&1 &&
    found=$(find_program "$program"); then
    echo "Installed $found."
  else
    echo "$program could not be installed:"
    tail -n 3 "$log"
  fi
  rm -f "$log"
done
exit 0
