// Byte strings as they are seen on connections: each one a connection's worth of input, for the
// tests that feed the same bytes in many ways, and as seeds for the fuzzers.
#pragma once

#include <string_view>
#include <vector>

namespace cassette::testing {

using namespace std::string_view_literals;

struct ResponseInput {
  std::string_view method;  ///< of the request that is answered
  std::string_view bytes;
};

inline const std::vector<std::string_view>& request_inputs() {
  static const std::vector<std::string_view> inputs = {
      // curl
      "GET /a?b=c HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: "
      "*/*\r\n\r\n"
      "POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
      "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
      "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
      "HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n"sv,
      // through a proxy
      "GET http://user@[::1]:8080/x HTTP/1.1\r\nHost: [::1]\r\nProxy-Connection: Keep-Alive\r\n\r\n"
      "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\n"sv,
      // pipelined bodies with everything that may stand in them
      "PUT /1 HTTP/1.1\r\ncontent-LENGTH: 9\r\nContent-Length: 9\r\n\r\nGET / \r\n\0"
      "POST /2 HTTP/1.1\r\nTransfer-Encoding: gzip,\tchunked\r\nTrailer: Digest\r\n\r\n"
      "5;a=b;c=\"d;\\\" e\"\r\nhe\r\n\r\r\n05 ; x\r\nworld\r\n000;last\r\nDigest: "
      "sha-1=xyz\r\nX:\r\n\r\n"
      "\r\n\r\nPATCH /3 HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
      "BREW /pot HTTP/1.1\r\nX:  spaced \t out\t \r\nX: again\r\nEmpty:\r\nempty: \r\n\r\n"sv,
      // an offer to upgrade that is declined, with a body
      "POST /chat HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n"
      "Content-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\n\r\n"sv,
      // by hand, line feeds only, folded lines, control characters
      "GET / HTTP/1.0\nHost: a\nFolded: one\n two\n\tthree\nOdd: \x01\x7f\xff\n\n"
      "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n2\nab\n0\nA: b\n\n"sv,
      // broken in some way, after something that is fine
      "GET / HTTP/1.1\r\n\r\nGET /a b HTTP/1.1\r\n\r\n"sv,
      "GET / HTTP/1.1\r\nA: b\r\nno colon\r\n\r\n"sv,
      "GET / HTTP/1.1\r\nA: b\r\nX Y: z\r\n\r\n"sv,
      "GET / HTTP/1.1\r\nA: b\r\nContent-Length : 3\r\n\r\n"sv,
      "GET / HTTP/1.1\r\n A: b\r\n\r\n"sv,
      "GET / HTTP/1.1\r\nA: b\r\n: c\r\n\r\n"sv,
      "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"sv,
      "GET / HTTP/1.1\nA: b\0c\nB: d\n\n"sv,
      "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n"sv,
      "GET / HTTP/1.1\r\nA:\rc\r\n\r\n"sv,
      "GET / HTTP/1.1\r\nA: b\r\n\rX"sv,
      "GET /\r\n\r\n"sv,
      "GET / HTTP/1.2\r\n\r\n"sv,
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"sv,
      "OPTIONS * RTSP/1.0\r\n\r\n"sv,
      "\x16\x03\x01\x02\x00"sv,
      "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"sv,
      "POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc"sv,
      "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nabc"sv,
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc"sv,
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"sv,
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\rX"sv,
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"sv,
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n"sv,
  };
  return inputs;
}

inline const std::vector<ResponseInput>& response_inputs() {
  static const std::vector<ResponseInput> inputs = {
      {"GET",
       "HTTP/1.1 200 OK\r\nServer: nginx\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n"
       "Content-Length: 5\r\n\r\nhello"
       "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
       "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"
       "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\nETag: \"x\"\r\n\r\n"
       "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\n\0\r\n0\r\nExpires: never\r\n\r\n"
       "HTTP/1.1 302 \r\nLocation: /\r\n\r\nuntil close"sv},
      {"POST",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
       "HTTP/1.0 201 Created\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"sv},
      {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"sv},
      {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"sv},
      {"CONNECT", "HTTP/1.1 407 Who\r\nContent-Length: 2\r\n\r\nno"sv},
      {"CONNECT", "HTTP/1.1 200 Connection established\r\nContent-Length: 2\r\n\r\n"sv},
      {"GET", "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"sv},
      {"GET", "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81"sv},
      {"GET", "HTTP/1.0 200 OK\nContent-Type: text/event-stream\n\ndata: 1\n\ndata: 2\n\n"sv},
      {"GET",
       "HTTP/1.1 200 \xe9t\xe9\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nabc"sv},
      {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"sv},
      {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"sv},
      {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"sv},
      {"GET", "HTTP/1.1 200 OK\r\nContent-Le"sv},
      {"GET", "HTTP/1.1 20 OK\r\n\r\n"sv},
      {"GET", "HTTP/1.1 1000 OK\r\n\r\n"sv},
      {"GET", "HTTP/1.1 200 O\0K\r\n\r\n"sv},
      {"GET", "HTTP/1.1 200 O\0K\n"sv},
      {"GET", "HTTP/1.1 200 O\rK\r\n\r\n"sv},
      {"GET", "HTTP/2 200\r\n\r\n"sv},
      // taken as clients take it
      {"GET",
       "HTTP/2.0  200\tOK\r\n first\r\nX-A : b\r\n: no name\r\n folded\r\nno colon\r\nX(B): c\0d\re\r\n"
       "\xe9: f\r\n g\r\n\rh\r\nContent-Length: +1, 1\r\n\r\nx"
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r"sv},
      {"GET", "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc"sv},
      {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabcd"sv},
      {"GET", "SSH-2.0-OpenSSH_9.2\r\n"sv},
      {"GET", "<html>"sv},
      {"GET", "\r\n"sv},
      {"GET", ""sv},
  };
  return inputs;
}

}  // namespace cassette::testing
