// What a program that cannot be asked would say of a server's certificates, by the files of authorities that it was
// seen to read. Must not know whose they are (preload/engine/trust).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "preload/tls_api.h"

namespace cassette {

/// `chain`: DER, the server's own first. `at`: seconds since 1970, 0 is now. From any thread.
ChainVerdict judge_chain(const std::vector<std::string>& chain, const ServerNames& names,
                         const Anchors& anchors, std::int64_t at);

}  // namespace cassette
