# shellcheck shell=bash
# Cassettes whose answers are numbered, and what came of asking for them. Source it behind harness.sh.

# numbered FILE COUNT [BODY]: COUNT answers to http://127.0.0.1:7998/n, "turn 1", "turn 2", ...
numbered() {
  awk -v count="$2" -v body="${3:-turn}" 'BEGIN {
    print "interactions:"
    for (i = 1; i <= count; ++i)
      printf "- request: {body: null, headers: {}, method: GET, uri: \"http://127.0.0.1:7998/n\"}\n" \
        "  response: {body: {string: \"%s %d\\n\"}, headers: {}, status: {code: 200, message: OK}}\n", body, i
    print "version: 1"
  }' >"$1"
}
NUMBERED=http://127.0.0.1:7998/n

# each_once NAME COUNT FILE: FILE has the lines "turn 1" to "turn COUNT", each once, in any order.
each_once() {
  local wrong
  wrong=$(sort "$3" | uniq -c | awk -v count="$2" '
    { total += $1; if ($1 != 1 || $2 != "turn" || $3 < 1 || $3 > count) bad = bad $0 "; " }
    END { if (total != count) bad = bad total " lines"; print bad }')
  is "$1" "" "${wrong:0:300}"
}
