# shellcheck shell=bash
# What endings.test and endings_https.test share. Source it behind harness.sh.

# endings_start [CERTIFICATE KEY]: sets `port`; the server ends with this script.
endings_start() {
  rm -f "$T/endings.port"
  "$PYTHON" -I "$TESTS/lib/endings.py" "$T/endings.port" $$ "$@" &
  started=$!
  wait_for_file "$T/endings.port" || finish
  port=$(cat "$T/endings.port")
}

# TALK PORT UNTIL TEXT...: sends each text when something has come behind the one before, and prints all that came, with how
# the connection ended: `| EOF`, `| RST`, or `| open` when that ends with UNTIL, or nothing came for five seconds.
cat >"$T/talk.py" <<'END'
import socket, sys
port, until = int(sys.argv[1]), sys.argv[2]
connection = socket.create_connection(("127.0.0.1", port), timeout=5)
came, end = "", ""
def receive():
    global came, end
    try:
        piece = connection.recv(65536).decode("latin-1")
        came += piece
        end = end or ("" if piece else "EOF")
    except socket.timeout:
        end = "open"
    except ConnectionError:
        end = "RST"
def done():
    return end or (until and came.endswith(until.encode().decode("unicode_escape")))
for text in sys.argv[3:]:
    connection.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
    if not done():
        receive()
while not done():
    receive()
print(came, "|", end or "open")
END
TALK=("$PYTHON" -IS "$T/talk.py")

# both NAME WANTED COMMAND...: recorded and replayed, COMMAND prints the same and ends the same; a line of it matches
# WANTED, or is none when that is empty. Nothing is missed, and nothing is left over.
both() {
  local name=$1 wanted=$2 status tape=$T/$1.yaml
  shift 2
  under run "$tape" once "$@" >"$T/recorded" 2>"$T/$name.err"
  status=$?
  [ -z "$wanted" ] || matches "$name: recorded" "$wanted" "$T/recorded"
  under run "$tape" none "$@" >"$T/replayed" 2>"$T/err"
  is "$name: it ends as it did" $status $?
  same "$name: and prints the same" "$T/recorded" "$T/replayed"
  matches "$name: all of it is played" " 0 recorded, 0 missed, 0 unused" "$T/err"
}
# has NAME PATTERN: its cassette does.
has() { matches "$1: the cassette says $2" "$2" "$T/$1.yaml"; }
