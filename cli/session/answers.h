// What the subcommands that change something say when it is done, and their exit statuses. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/session/common.h"
#include "store/session/control.h"

namespace cassette {

/// The id is printed also when it was registered already, so that scripts may go on; not when there is no
/// place for it.
Answer register_answer(const Registered& registered, bool json);

/// Text: nothing, it is done.
Answer unregister_answer(const std::string& id, bool json);

/// `cassette` is absolute; nothing: all of them.
Answer rewind_answer(const std::string& id, const std::optional<std::string>& cassette,
                     std::size_t rewound, bool json);
Answer advance_answer(const std::string& id, const std::string& cassette, const Advanced& advanced,
                      bool json);

/// `problems`: what went wrong with others.
Answer purge_answer(const std::vector<std::string>& removed,
                    const std::vector<std::string>& problems, bool json);

}  // namespace cassette
