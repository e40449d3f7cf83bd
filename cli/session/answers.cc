// What is said when something was done. See answers.h.
#include "cli/session/answers.h"

#include "cli/json.h"
#include "cli/text.h"

namespace cassette {
namespace {

std::string name_of(Registration outcome) {
  switch (outcome) {
    case Registration::kRegistered:
      return "registered";
    case Registration::kAlreadyRegistered:
      return "already registered";
    case Registration::kPoolFull:
      return "pool full";
  }
  return "unknown";
}

}  // namespace

Answer register_answer(const Registered& registered, bool json) {
  Answer answer;
  const bool full = registered.outcome == Registration::kPoolFull;
  if (full) {
    answer.status = kPoolFull;
    answer.complaint =
        "the pool is full: there may be " + counted(registered.limit, "named session") +
        " (CASSETTE_MAX_SESSIONS, --max-sessions); `cassette session list` shows who has the places";
  } else if (registered.outcome == Registration::kAlreadyRegistered) {
    answer.status = kAlreadyRegistered;
    answer.complaint = "the session \"" + on_one_line(registered.id) +
                       "\" is registered already; its time to live begins anew";
  }
  if (json) {
    JsonOutput out;
    out.begin_object();
    out.member("outcome", name_of(registered.outcome));
    out.member_or_null("id", full ? "" : registered.id);
    out.member("limit", std::uint64_t{registered.limit});
    out.end_object();
    answer.output = out.text();
  } else if (!full) {
    // Not escaped: a name that is to be given to other commands.
    answer.output = registered.id + "\n";
  }
  return answer;
}

Answer unregister_answer(const std::string& id, bool json) {
  if (!json) return {};
  JsonOutput out;
  out.begin_object();
  out.member("id", id);
  out.key("ended");
  out.boolean(true);
  out.end_object();
  return {kOk, out.text(), ""};
}

Answer rewind_answer(const std::string& id, const std::optional<std::string>& cassette,
                     std::size_t rewound, bool json) {
  Answer answer;
  // Not an error, it is at its beginning; but perhaps the path is not the one that was meant.
  if (cassette && rewound == 0) {
    answer.complaint = "the session \"" + on_one_line(id) + "\" has not opened " +
                       on_one_line(*cassette) + "; there is nothing to rewind";
  }
  if (!json) {
    answer.output = counted(rewound, "cassette") + " rewound\n";
    return answer;
  }
  JsonOutput out;
  out.begin_object();
  out.member("id", id);
  out.member_or_null("cassette", cassette.value_or(""));
  out.member("rewound", std::uint64_t{rewound});
  out.end_object();
  answer.output = out.text();
  return answer;
}

Answer advance_answer(const std::string& id, const std::string& cassette, const Advanced& advanced,
                      bool json) {
  const bool any = advanced.skipped < advanced.size;
  const std::uint64_t index = advanced.skipped + std::uint64_t{1};
  if (!json) {
    const std::string size = std::to_string(advanced.size);
    return {kOk,
            any ? "skipped #" + std::to_string(index) + " of " + size + "\n"
                : "nothing was left to skip of " + size + "\n",
            ""};
  }
  JsonOutput out;
  out.begin_object();
  out.member("id", id);
  out.member("cassette", cassette);
  out.key("skipped");
  if (any) {
    out.begin_object();
    out.member("index", index);
    out.end_object();
  } else {
    out.null();
  }
  out.member("interactions", std::uint64_t{advanced.size});
  out.end_object();
  return {kOk, out.text(), ""};
}

Answer purge_answer(const std::vector<std::string>& removed,
                    const std::vector<std::string>& problems, bool json) {
  Answer answer;
  for (const std::string& problem : problems) {
    answer.status = kFailed;
    if (!answer.complaint.empty()) answer.complaint += "\ncassette: ";
    answer.complaint += problem;
  }
  if (!json) {
    answer.output = counted(removed.size(), "session") + " removed\n";
    return answer;
  }
  JsonOutput out;
  out.begin_object();
  out.key("removed");
  out.begin_array();
  for (const std::string& id : removed) out.string(id);
  out.end_array();
  out.end_object();
  answer.output = out.text();
  return answer;
}

}  // namespace cassette
