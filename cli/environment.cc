// A program's environment. See environment.h.
#include "cli/environment.h"

#include <algorithm>

namespace cassette {
namespace {

constexpr std::string_view kPreloadSeparators = ": \t\n";

bool is_entry_of(std::string_view entry, std::string_view name) {
  return entry.size() > name.size() && entry.substr(0, name.size()) == name &&
         entry[name.size()] == '=';
}

}  // namespace

Environment::Environment(const char* const* entries) {
  for (; entries != nullptr && *entries != nullptr; ++entries) entries_.emplace_back(*entries);
}

const char* Environment::get(std::string_view name) const {
  for (const std::string& entry : entries_) {
    if (is_entry_of(entry, name)) return entry.c_str() + name.size() + 1;
  }
  return nullptr;
}

void Environment::set(std::string_view name, std::string_view value) {
  std::string entry(name);
  entry += '=';
  entry += value;
  // A variable may stand there twice: no older one may be left that another reader would find.
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                [name](const std::string& old) { return is_entry_of(old, name); }),
                 entries_.end());
  entries_.push_back(std::move(entry));
}

std::vector<char*> Environment::pointers() {
  std::vector<char*> pointers;
  for (std::string& entry : entries_) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string preload_list(std::string_view before, std::string_view library) {
  std::string list(library);
  while (!before.empty()) {
    std::size_t length = std::min(before.find_first_of(kPreloadSeparators), before.size());
    std::string_view entry = before.substr(0, length);
    if (!entry.empty() && entry != library) {
      list += ':';
      list += entry;
    }
    before.remove_prefix(std::min(length + 1, before.size()));
  }
  return list;
}

bool fits_preload_list(std::string_view library) {
  return library.find_first_of(kPreloadSeparators) == std::string_view::npos;
}

}  // namespace cassette
