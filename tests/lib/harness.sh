# shellcheck shell=bash disable=SC2034
# What the scripts tests/programs/*.test share: a scratch folder, the origin to record from, `record_then_replay`, and
# the lines `ok`, `not ok` and `skip` that tests/run counts. Source it from the root of the project; end with `finish`.
#
# Every command gets a time limit, and only processes that were started here are ended, by their number.

set -u
BUILD=${BUILD:-$PWD/build}
TESTS=$PWD/tests
LIBRARY=$BUILD/libcassette.so
COMMAND=$BUILD/cassette
PROGRAMS=$BUILD/tests/programs
TIME_LIMIT=${TIME_LIMIT:-40}

unset CI LD_PRELOAD ${!CASSETTE_@} CASSETTE http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY
# Whom programs trust is what the test says.
unset SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT AWS_CA_BUNDLE \
  NIX_SSL_CERT_FILE JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS
export LC_ALL=C.UTF-8
T=$(mktemp -d "${TMPDIR:-/tmp}/cassette-test.XXXXXX")
export CASSETTE_STATE_DIR=$T/state CASSETTE_RUNTIME_DIR=$T/runtime
export HOME=$T/home # no ~/.curlrc, ~/.wgetrc or cookies of whoever runs the tests
mkdir "$T/state" "$T/runtime" "$T/home" "$T/cassettes"
# A version manager's shim would put its own shell script in between.
PYTHON=$(command -v /usr/bin/python3 || command -v python3)

# ---- results -------------------------------------------------------------------------------------------------------

failed=0
ok() { echo "ok $1"; }
not_ok() { failed=$((failed + 1)); echo "not ok $1: $2"; }
skip() { echo "skip $1: $2"; }

# check NAME COMMAND...: ok when COMMAND succeeds.
check() {
  local name=$1
  shift
  if "$@"; then ok "$name"; else not_ok "$name" "'$*' failed"; fi
}

# is NAME WANTED ACTUAL: ok when both texts are the same.
is() {
  if [ "$2" == "$3" ]; then ok "$1"; else not_ok "$1" "wanted '${2:0:200}', got '${3:0:200}'"; fi
}

# matches NAME PATTERN FILE: ok when a line of FILE matches the extended regular expression.
matches() {
  if grep -qE -e "$2" "$3"; then ok "$1"; else
    not_ok "$1" "no line matches '$2' in: $(head -c 300 "$3" | tr '\n' '|')"
  fi
}

# same NAME FILE FILE: ok when both files have the same bytes.
same() {
  local difference
  if difference=$(cmp "$2" "$3" 2>&1); then ok "$1"; else
    diff --text "$2" "$3" | head -n 8 | cut -c 1-200
    not_ok "$1" "$difference"
  fi
}

finish() { [ "$failed" = 0 ]; exit; }

needs() { # NAME COMMAND: leaves the script, aloud, where a client is not installed
  command -v "$2" >/dev/null && return
  skip "$1" "$2 is not installed"
  finish
}

# ---- processes -----------------------------------------------------------------------------------------------------

cleanup() {
  origin_stop
  [ -n "${started:-}" ] && kill $started 2>/dev/null
  rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

wait_for_file() { # FILE: until it is there and has something in it, ten seconds at most
  local i
  for ((i = 0; i < 200; i++)); do
    [ -s "$1" ] && return
    sleep 0.05
  done
  echo "$1 did not appear"
  return 1
}

ORIGIN_PID=
origin_start() { # [OPTION...]: sets PORT and ORIGIN
  rm -f "$T/port"
  "$PYTHON" "$TESTS/origin.py" --parent $$ --port-file "$T/port" --count-file "$T/count" "$@" 2>"$T/origin.log" &
  ORIGIN_PID=$!
  wait_for_file "$T/port" || { cat "$T/origin.log"; not_ok origin "it did not start"; finish; }
  PORT=$(cat "$T/port")
  ORIGIN=http://127.0.0.1:$PORT
}

origin_stop() {
  [ -n "$ORIGIN_PID" ] || return 0
  kill "$ORIGIN_PID" 2>/dev/null
  wait "$ORIGIN_PID" 2>/dev/null
  ORIGIN_PID=
}

# How many requests it got; works when it is stopped, too.
origin_count() { cat "$T/count"; }

# Makes it count its turns from 1 again. Not done by curl: nothing but the tested client is to run.
origin_reset() {
  exec 9<>"/dev/tcp/127.0.0.1/$PORT" || return
  printf 'GET /__reset HTTP/1.0\r\n\r\n' >&9
  timeout 10 cat <&9 >/dev/null
  exec 9>&-
}

# ---- running a client ----------------------------------------------------------------------------------------------

# plain COMMAND...: without the library.
plain() { timeout -k 5 "$TIME_LIMIT" "$@"; }
# bare COMMAND...: under the library, steered by CASSETTE* alone.
bare() { timeout -k 5 "$TIME_LIMIT" env LD_PRELOAD="$LIBRARY" "$@"; }
# cassette ARGUMENT...: the command.
cassette() { timeout -k 5 "$TIME_LIMIT" "$COMMAND" "$@"; }
# under WAY CASSETTE MODE COMMAND...: either of the two; WAY is bare or run.
under() {
  local way=$1 path=$2 mode=$3
  shift 3
  if [ "$way" = bare ]; then
    CASSETTE=$path CASSETTE_MODE=$mode bare "$@"
  else
    cassette run --cassette "$path" --mode "$mode" -- "$@"
  fi
}

# How many interactions a cassette has.
listed() { cassette list "$1" | grep -c .; }

# ---- the same client, four times -----------------------------------------------------------------------------------

# record_then_replay FUNCTION [WAY [FORM [ORIGIN OPTION...]]]: calls FUNCTION, which is a list of lines
# `try NAME COMMAND...`, four times:
#   plain    without the library: what each command has to print
#   record   under it, the WAY that is asked for (bare or run); the origin must get the same number of requests
#   live     replayed the other way, in mode once, while the origin is there: it must get no request
#   offline  replayed with the origin stopped, in mode none
# Each time a command has to write the same bytes to stdout and to end with the same status. FORM is how its cassette is
# kept: yaml, json or directory.
record_then_replay() {
  local function=$1
  way=${2:-run} form=${3:-yaml}
  tries=$T/$function-$way-$form
  mkdir "$tries"
  origin_start "${@:4}"
  for phase in plain record live offline; do
    if [ "$phase" = offline ]; then origin_stop; else origin_reset; fi
    "$function"
  done
}

try() { # NAME COMMAND...
  local name=$1 path=$tries/$1 other=run status before asked reason=
  [ "$way" = run ] && other=bare
  [ "$form" = directory ] || path=$path.$form
  local wanted=$tries/$1.plain out=$tries/$1.$phase
  shift
  [ -e "$tries/$name.reason" ] && return
  before=$(origin_count)
  case $phase in
    plain) plain "$@" ;;
    record) under "$way" "$path" once "$@" ;;
    live) under "$other" "$path" once "$@" ;;
    offline) under "$way" "$path" none "$@" ;;
  esac >"$out" 2>"$out.err" </dev/null
  status=$?
  asked=$(($(origin_count) - before))
  case $phase in
    plain)
      echo "$status" >"$wanted.status"
      echo "$asked" >"$wanted.asked"
      [ -s "$wanted" ] || reason="printed nothing"
      [ "$asked" -gt 0 ] || reason="asked the origin nothing"
      ;;
    record)
      [ "$asked" = "$(cat "$wanted.asked")" ] || reason="the origin got $asked requests, not $(cat "$wanted.asked")"
      ;;
    *) [ "$asked" = 0 ] || reason="$asked requests reached the origin" ;;
  esac
  [ "$status" = "$(cat "$wanted.status")" ] || reason="ended with status $status, not $(cat "$wanted.status")"
  if ! cmp -s "$wanted" "$out"; then
    reason="printed something else${reason:+, and $reason}"
    diff --text "$wanted" "$out" | head -n 8 | cut -c 1-300
  fi
  if [ -n "$reason" ]; then
    head -n 8 "$out.err" | cut -c 1-300
    echo "$reason" >"$tries/$name.reason"
    not_ok "$name ($way, $form)" "$phase: $reason"
  elif [ "$phase" = offline ]; then
    ok "$name ($way, $form)"
  fi
}
