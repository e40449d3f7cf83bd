// The commands of `cassette`, and what they have in common: how a command is called, and how it tells
// that something is wrong. What a command does is in the file of its name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cassette {

/// What stands behind the command's name on the command line.
using Arguments = std::vector<std::string>;

/// Exit statuses of our own; `run` has more (summary.h).
inline constexpr int kOk = 0;
inline constexpr int kSomethingUnused = 1;    ///< `report-unused`
inline constexpr int kDoesNotHold = 1;        ///< `session verify`
inline constexpr int kFailed = 2;             ///< of every command but `run`
inline constexpr int kAlreadyRegistered = 5;  ///< `session register`
inline constexpr int kPoolFull = 6;           ///< `session register`
inline constexpr int kNoSuchSession = 7;      ///< `session`
inline constexpr int kRunFailed = 125;        ///< of `run`: below it are the program's own

int run_command(const Arguments& arguments);
int list_command(const Arguments& arguments);
int show_command(const Arguments& arguments);
int report_unused_command(const Arguments& arguments);
int session_command(const Arguments& arguments);

/// One line "cassette: <message>" on stderr. Not the logger's business: CASSETTE_LOG cannot silence it.
void complain(std::string_view message);

/// Writes to stdout, all of it. False, and a complaint, when that fails (a full disk).
bool print(std::string_view text);

}  // namespace cassette
