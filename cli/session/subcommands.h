// The subcommands of `cassette session`, each called with what stands behind its name. What all of them do
// the same way is in common.h.
#pragma once

#include "cli/command.h"

namespace cassette {

int register_subcommand(const Arguments& arguments);
int unregister_subcommand(const Arguments& arguments);
int list_sessions_subcommand(const Arguments& arguments);
int show_session_subcommand(const Arguments& arguments);
int rewind_subcommand(const Arguments& arguments);
int advance_subcommand(const Arguments& arguments);
int history_subcommand(const Arguments& arguments);
int verify_subcommand(const Arguments& arguments);
int purge_subcommand(const Arguments& arguments);

}  // namespace cassette
