// What was no request, as an interaction: it has a scheme of its own, which no match setting changes.
//
//   CONNECT tcp://api.example.com:443/    error: ECONNREFUSED    a place that could not be reached
//   RESOLVE dns://api.example.com/        error: EAI_NONAME      a name that could not be found
//   CONNECT tls://api.example.com:443/    certificate: ...       the certificate of a TLS server that is no ordinary one
//
// The first two are found by a match key, and played. The third is found by its place, and never played: it says of
// other interactions what their server was (docs/cassettes.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/interaction.h"
#include "store/match/match.h"
#include "store/uri.h"

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

/// The entry for a server's certificate, without the time.
inline Interaction certificate_entry(std::string_view host, std::uint16_t port,
                                     ServerCertificate certificate) {
  UriView place;
  place.scheme = "tls";
  place.host = host;
  place.port = port;
  place.path = "/";
  Interaction entry;
  entry.request.method = "CONNECT";
  entry.uri = format_uri(place);
  entry.certificate = std::move(certificate);
  return entry;
}

}  // namespace cassette
