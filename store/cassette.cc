// See cassette.h: picks the form by the path, hands the work to store/formats/ and store/files.cc, and
// gives the ids.
#include "store/cassette.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <unordered_map>

#include "store/files.h"
#include "store/formats/directory.h"
#include "store/formats/hash.h"
#include "store/formats/json.h"
#include "store/formats/yaml.h"

namespace cassette {
namespace {

bool is_directory(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// With its dot; empty without one. A name that only begins with a dot has none.
std::string_view extension_of(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? std::string_view() : name.substr(dot);
}

/// A directory may have any name but that of a cassette file: whoever asked for that wants a file.
Result<void> check_name(const std::string& path) {
  std::string_view extension = extension_of(path);
  bool promises_file = extension == ".yaml" || extension == ".yml" || extension == ".json";
  if (!promises_file || !is_directory(path)) return {};
  return Error{path + ": a directory, where its name (" + std::string(extension) +
               ") promises a file"};
}

std::string hash_of(const Interaction& interaction) {
  Hash hash;
  hash.add(interaction.request.method);
  hash.add(interaction.uri);
  hash.add(std::uint64_t{interaction.request_has_body});
  hash.add(interaction.request.body);
  hash.add(interaction.error);
  if (interaction.error.empty()) {
    hash.add(static_cast<std::uint64_t>(interaction.response.status));
    hash.add(interaction.response.body);
  }
  hash.add(static_cast<std::uint64_t>(interaction.recorded_at.value_or(-1)));
  return hash.hex();
}

/// What was read from one place, each kind in its order.
Cassette cassette_of(std::vector<Interaction> all) {
  auto kind = [](const Interaction& each) { return !each.certificate.has_value(); };
  auto begin = std::stable_partition(all.begin(), all.end(), kind);
  Cassette cassette;
  cassette.certificates.assign(std::make_move_iterator(begin), std::make_move_iterator(all.end()));
  all.erase(begin, all.end());
  cassette.interactions = std::move(all);
  return cassette;
}

/// As they stand in a file.
std::vector<Interaction> joined(Cassette cassette) {
  std::vector<Interaction> all = std::move(cassette.interactions);
  all.insert(all.end(), std::make_move_iterator(cassette.certificates.begin()),
             std::make_move_iterator(cassette.certificates.end()));
  return all;
}

}  // namespace

void give_ids(std::vector<Interaction>& interactions) {
  std::unordered_map<std::string, std::uint64_t> seen;
  for (Interaction& interaction : interactions) {
    std::string id = hash_of(interaction);
    if (std::uint64_t count = seen[id]++; count > 0) {
      Hash again;
      again.add(id);
      again.add(count);
      id = again.hex();
    }
    interaction.id = std::move(id);
  }
}

Result<CassetteForm> cassette_form(const std::string& path) {
  if (path.empty()) return Error{"the path of the cassette is empty"};
  if (path.ends_with('/') || is_directory(path)) return CassetteForm::kDirectory;
  std::string_view extension = extension_of(path);
  if (extension == ".yaml" || extension == ".yml") return CassetteForm::kYaml;
  if (extension == ".json") return CassetteForm::kJson;
  if (extension.empty()) return CassetteForm::kDirectory;
  return Error{path + ": a cassette is a file that ends in .yaml, .yml or .json, or a directory " +
               "(no extension); this ends in " + std::string(extension)};
}

bool cassette_exists(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0) {
    // Of the wrong kind, it is something all the same: whoever opens it says so.
    auto form = cassette_form(path);
    const bool wants_file = form && *form != CassetteForm::kDirectory;
    if (S_ISREG(status.st_mode)) return status.st_size != 0 || !wants_file;
    return !S_ISDIR(status.st_mode) || !check_name(path) || has_interaction_files(path);
  }
  // What cannot even be looked at is not "absent": recording over it would be wrong.
  return errno != ENOENT && errno != ENOTDIR;
}

Result<Cassette> load_cassette(const std::string& path) {
  if (auto named = check_name(path); !named) return named.error();
  auto form = cassette_form(path);
  if (!form) return form.error();
  if (*form == CassetteForm::kDirectory) {
    if (cassette_exists(path) && !is_directory(path)) {
      return Error{path +
                   ": a file, where a directory is expected (a cassette file ends in .yaml, " +
                   ".yml or .json)"};
    }
    auto interactions = load_directory(path);
    if (!interactions) return interactions.error();
    for (Interaction& interaction : *interactions) interaction.id = interaction.file;
    return cassette_of(std::move(*interactions));
  }
  auto text = read_file(path);
  if (!text) return text.error();
  auto interactions = *form == CassetteForm::kYaml ? interactions_from_yaml(*text, path)
                                                   : interactions_from_json(*text, path);
  if (!interactions) return interactions.error();
  give_ids(*interactions);
  return cassette_of(std::move(*interactions));
}

Result<void> save_cassette(const std::string& path, Cassette& cassette) {
  if (auto named = check_name(path); !named) return named;
  auto form = cassette_form(path);
  if (!form) return form.error();
  if (*form == CassetteForm::kDirectory) {
    // Given back also on an error: the caller's cassette is as it was.
    std::vector<Interaction> all = joined(std::move(cassette));
    auto saved = save_directory(path, all);
    if (saved) {
      for (Interaction& interaction : all) interaction.id = interaction.file;
    }
    cassette = cassette_of(std::move(all));
    return saved;
  }
  if (auto made = make_directories(directory_of(path)); !made) return made;
  std::vector<Interaction> all = joined(std::move(cassette));
  auto saved = write_file_atomically(
      path, *form == CassetteForm::kYaml ? interactions_to_yaml(all) : interactions_to_json(all));
  cassette = cassette_of(std::move(all));
  return saved;
}

}  // namespace cassette
