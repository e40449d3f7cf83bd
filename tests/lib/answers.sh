# shellcheck shell=bash disable=SC2034
# What the clients in tests/programs/clients ask for: METHOD/PATH. Each writes, for every one of them, a line with the
# status and the headers that it got, and one with the length and the SHA-256 of the decoded body. POST sends 2 MB.
# /until-close stands in the middle, so that a client with one connection has to make another.
ANSWERS=(
  GET/json GET/binary GET/utf8 GET/gzip GET/chunked GET/events GET/cookies GET/until-close GET/big 'GET/redirect?hops=2'
  HEAD/text GET/204 GET/304 GET/no/such/path 'GET/status?code=500' GET/empty POST/echo GET/turn GET/turn GET/http10
)
