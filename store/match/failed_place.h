// A place that could not be reached, or a name that could not be found, as an interaction: there was no request
// yet, so it has one of its own kind, which no match setting changes.
//
//   CONNECT tcp://api.example.com:443/    error: ECONNREFUSED
//   RESOLVE dns://api.example.com/        error: EAI_NONAME
#pragma once

#include <cstdint>
#include <string_view>

#include "store/match/match.h"

namespace cassette {

inline bool is_failed_place(std::string_view scheme) { return scheme == "tcp" || scheme == "dns"; }

/// `port` 0: the name itself. A view into `host`.
inline RequestView failed_place(std::string_view host, std::uint16_t port) {
  RequestView request;
  request.method = port != 0 ? "CONNECT" : "RESOLVE";
  request.uri.scheme = port != 0 ? "tcp" : "dns";
  request.uri.host = host;
  request.uri.port = port;
  request.uri.path = "/";
  return request;
}

}  // namespace cassette
