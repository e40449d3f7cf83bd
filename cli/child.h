// Starts a program, hands it the signals that we get, and waits for it.
#pragma once

#include <string>

#include "cli/command.h"
#include "cli/environment.h"
#include "parser/result.h"

namespace cassette {

struct ProgramEnd {
  int start_error = 0;  ///< errno of execve(); 0: it was started
  int status = 0;       ///< of a program that was: its own, or 128+n when signal n ended it
};

/// Starts the file `path` with `argv` (what execvp() gives to the shell goes there), with the signal
/// dispositions and the mask that this process was started with. Until it ends
/// - SIGINT and SIGQUIT typed at the terminal do nothing here: the terminal sends them to the program too;
/// - SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, and SIGINT and SIGQUIT that a process sent, are passed on;
/// - what is stopped and continued with the terminal's job control is the whole group, us included.
/// Only for a process with one thread, one call at a time.
Result<ProgramEnd> run_program(const std::string& path, const Arguments& argv,
                               Environment environment);

}  // namespace cassette
