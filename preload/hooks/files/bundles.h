// Which of the files that a program opens are bundles of certificate authorities: the ones that systems and
// packages install, known by their names, and the ones that the program's own environment and arguments
// chose. The engine answers an open of one with a copy that has the session's authority too.
//
// Must need libc alone, and must be cheap for every other file: each open(2) asks.
#pragma once

namespace cassette {

/// What a path says about the file.
enum class Bundle {
  kNone,
  kNamed,      ///< a usual name: a bundle if it has the certificates of one
  kChosen,     ///< the user named it: a bundle in any case
  kDefault,    ///< where an OpenSSL looks by default: answered even when it is not there
  kAuthority,  ///< kAuthorityFile: the session's authority, which is no file at all
};

/// The value of NODE_EXTRA_CA_CERTS where the user set none. Nothing is there, and nobody can put
/// anything there: our open(2) answers it.
inline constexpr char kAuthorityFile[] = "/proc/self/cassette-authority.pem";

/// The variables that name a file of certificates, nullptr at the end.
inline constexpr const char* kBundleVariables[] = {
    "SSL_CERT_FILE",                     // OpenSSL, and nearly everybody else
    "NODE_EXTRA_CA_CERTS",               // Node
    "CURL_CA_BUNDLE",                    // curl, Python's requests
    "REQUESTS_CA_BUNDLE",                // Python's requests
    "CARGO_HTTP_CAINFO",                 // cargo
    "GIT_SSL_CAINFO",                    // git
    "AWS_CA_BUNDLE",                     // the AWS tools
    "PIP_CERT",                          // pip
    "DENO_CERT",                         // Deno
    "HTTPLIB2_CA_CERTS",                 // Python's httplib2
    "PERL_LWP_SSL_CA_FILE",              // Perl's LWP
    "NPM_CONFIG_CAFILE",                 // npm
    "npm_config_cafile",                 // npm
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",  // gRPC
    "NIX_SSL_CERT_FILE",                 // Nix
    nullptr,
};

/// Notes what the program's environment and arguments choose. Once, before other threads are there.
/// `variable` reads the environment as it was.
void note_chosen_bundles(const char* (*variable)(const char* name), int count,
                         char* const* arguments);

Bundle bundle_at(const char* path);

/// What protects the store of certificates that Java was given, or nullptr.
const char* java_store_password();

}  // namespace cassette
