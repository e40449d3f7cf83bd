// Certificate checks of a program that has OpenSSL in a shared library. While recording, the real server's chain takes the place
// of ours inside the program's check: with its store, its settings, its callbacks, so that result and error are those that it
// has without the library, and `curl --cacert` keeps its meaning. In replay the program finds the session's authority in
// its own store; or, where the server was not an ordinary one, the recorded chain, judged as of then.
//
// The one function that is replaced is X509_verify_cert, which libssl calls in libcrypto. Not by a symbol
// of that name, which would have to be there from the start, and would be passed over by objects
// with a scope of their own (Python's, or RTLD_DEEPBIND): the entries of the objects' own tables that
// lead to it are changed, when the first certificate is presented. A process without TLS
// pays nothing, and ours exports no name of OpenSSL's.
#pragma once

#include <string>

#include "preload/engine/trust/judgements.h"

namespace cassette {

/// Changes the entries of all objects that are loaded by now. `authority`: of the session, DER. Both stay
/// for ever. One caller at a time.
void judge_in_openssl(Judgements& judgements, const std::string& authority);

}  // namespace cassette
