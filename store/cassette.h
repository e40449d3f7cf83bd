// A cassette: the recorded interactions behind one path. Loads and saves it whole; formats are in
// store/formats/. Says nothing about which interaction answers a request (match.h, player.h).
#pragma once

#include <string>
#include <vector>

#include "parser/result.h"
#include "store/interaction.h"

namespace cassette {

enum class CassetteForm { kYaml, kJson, kDirectory };

struct Cassette {
  std::vector<Interaction> interactions;
  /// The entries of servers' certificates: kept apart, because they are never played and count nowhere. In a file they
  /// stand behind the interactions, so that these have the same numbers with and without them.
  std::vector<Interaction> certificates{};
  bool empty() const { return interactions.empty() && certificates.empty(); }
};

/// `.yaml`, `.yml`, `.json`: a file. No extension, a trailing slash, or an existing directory: a
/// directory. Anything else is an error that names what is allowed.
Result<CassetteForm> cassette_form(const std::string& path);

/// True when something is there: an (even broken or unreadable) file, or a directory. A file without a byte, as `touch`
/// and `mktemp` make it, and a directory without a file that could hold an interaction, count as nothing.
bool cassette_exists(const std::string& path);

/// Reads every interaction, in order, and gives each its id. A cassette that does not parse, is a
/// directory where a file is expected (or the reverse), or cannot be read is an error with file,
/// line where there is one, and reason. An absent cassette is an error too: ask cassette_exists().
/// Sets `id`: for a file 16 hexadecimal digits of a hash over what was recorded (method, uri, bodies,
/// status, recorded_at, and a count among equals), the same after every load and re-save; for a
/// directory the file's name.
Result<Cassette> load_cassette(const std::string& path);

/// What load_cassette() would give them for ids in a file; those of a directory have their file's
/// name.
void give_ids(std::vector<Interaction>& interactions);

/// Writes the cassette whole: temporary file in the same directory, fsync, rename, fsync of the
/// directory. Missing parent directories are made. An existing file's permissions are kept and a
/// symbolic link is followed, not replaced. For a directory cassette: files are written for the
/// interactions whose `file` is empty (which gets set), files of interactions that are no longer
/// there are removed, the others are left as they are. On an error the old cassette is untouched.
/// Not safe against other writers: hold the journal's lock (journal.h).
Result<void> save_cassette(const std::string& path, Cassette& cassette);

}  // namespace cassette
