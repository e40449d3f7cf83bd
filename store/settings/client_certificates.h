// The certificates that a recording shows to real TLS servers which ask for one (`tls_client_cert`, `tls_client_key`): which
// certificate is for which host, and whether the files hold what they should. Knows no cryptography: that a key fits its
// certificate is found out where TLS is loaded.
//
// Thread safety: pure functions, but for the files that they read.
#pragma once

#include "parser/result.h"
#include "store/settings/settings.h"

namespace cassette {

/// Before anything is recorded: an error when a file cannot be read, or holds no certificate or no key that can be used without a
/// passphrase. One sentence, which names the setting and the file. Nothing is read where nothing is set.
Result<void> check_client_certificates(const Settings& settings);

}  // namespace cassette
