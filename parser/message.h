// What a request and a response are made of, once they are parsed. Plain data.
#pragma once

#include <string>

#include "parser/headers.h"

namespace cassette {

struct HttpVersion {
  int major = 1;
  int minor = 1;
  bool operator==(const HttpVersion&) const = default;
};

struct RequestMessage {
  std::string method;  ///< as sent, e.g. "GET"
  std::string target;  ///< as sent: origin-form, absolute-form, authority-form (CONNECT) or "*"
  HttpVersion version;
  Headers headers;
  std::string body;  ///< transfer coding removed; compressed bodies stay compressed
  Headers trailers;

  void clear();
};

struct ResponseMessage {
  int status = 0;
  std::string reason;  ///< may be empty
  HttpVersion version;
  Headers headers;
  std::string body;  ///< transfer coding removed
  Headers trailers;

  void clear();
};

}  // namespace cassette
