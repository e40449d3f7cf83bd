// The one logger: lines "cassette: <message>" to stderr (standard_error.h) or the file of CASSETTE_LOG. Each line is
// one write(2), which never waits. Safe from any thread and after fork; changes no errno.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "store/settings/settings.h"

namespace cassette {

/// Before the first call: LogLevel::kWarn to stderr. `file` empty: stderr.
void configure_log(LogLevel level, const std::string& file);
/// Who says what goes to stderr: say() of the thin library, which knows what that was when the process began.
void tell_by(bool (*say)(const char* line, std::size_t size));
bool log_enabled(LogLevel level);
void log(LogLevel level, std::string_view message);

}  // namespace cassette
