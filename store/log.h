// The one logger: lines "cassette: <message>" to stderr or the file of CASSETTE_LOG. Each line is
// one write(2). Safe from any thread and after fork; changes no errno.
#pragma once

#include <string>
#include <string_view>

#include "store/settings/settings.h"

namespace cassette {

/// Before the first call: LogLevel::kWarn to stderr. `file` empty: stderr (descriptor 2, looked up
/// at each write, because the program may have moved it).
void configure_log(LogLevel level, const std::string& file);
bool log_enabled(LogLevel level);
void log(LogLevel level, std::string_view message);

}  // namespace cassette
