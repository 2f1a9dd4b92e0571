#!/usr/bin/env bash
# Makes the secrets that compose.yaml hands over, in the folder `secrets` beside it. What is there already stays.
#   ./make-secrets.sh            hints to workers go through the database: nothing else is needed
#   ./make-secrets.sh rabbitmq   … through RabbitMQ: start with --profile rabbitmq
#   ./make-secrets.sh valkey     … through Valkey: start with --profile valkey
# Only who may enter the folder can read them; inside a container each is read by a user of its own, hence 0644.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

engine=${1:-}
case $engine in "" | rabbitmq | valkey) ;; *)
  echo "make-secrets.sh: \"$engine\" is no engine. Give rabbitmq or valkey, or nothing." >&2
  exit 2
  ;;
esac

umask 077
mkdir -p secrets
chmod 0700 secrets

# Letters and digits alone: nothing has to be escaped, neither in an address nor in a file of settings.
make_password() { head -c 48 /dev/urandom | base64 | tr -d '/+=\n' | head -c 40; }

# NAME CONTENT: written unless it is there.
keep() { [[ -e secrets/$1 ]] || write "$1" "$2"; }
write() {
  printf '%s' "$2" >"secrets/.$1"
  chmod 0644 "secrets/.$1"
  mv -f "secrets/.$1" "secrets/$1"
}

keep secret_key "$(make_password)$(make_password)"
keep database_password "$(make_password)"
keep database_url "postgresql://courseway:$(<secrets/database_password)@database:5432/courseway"
keep email_url ""
keep broker_password "$(make_password)"
keep rabbitmq_conf "$(printf 'default_user = courseway\ndefault_pass = %s\n' "$(<secrets/broker_password)")"
keep valkey_conf "$(printf 'requirepass %s\nsave ""\nappendonly no\n' "$(<secrets/broker_password)")"

case $engine in
  rabbitmq) write tasks_url "amqp://courseway:$(<secrets/broker_password)@rabbitmq:5672//" ;;
  valkey) write tasks_url "valkey://:$(<secrets/broker_password)@valkey:6379/0" ;;
  *) write tasks_url "" ;;
esac
echo "The secrets are in $PWD/secrets. Keep a copy of secret_key as safe as a backup: without it none is of use."
