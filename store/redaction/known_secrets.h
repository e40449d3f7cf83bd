// What redaction took out of the answers of a session, so that it is known where the program uses it later: in a path, in a query, in
// a body, in any process of the session. Kept are keyed digests (keyed_hash.h) of the values and no value.
//
// Bytes of the file (little-endian):
//   0   magic "casssec1", 8 zeros, 16 bytes of key, 32 zeros
//   64  entries of 32 bytes: u32 length of the value, u32 tag, 16 bytes of digest, 8 zeros
// The file is made under another name and linked to its own (the first wins), and then only appended to, each entry by a write(2)
// with O_APPEND. An entry does not cross a page: where the storage is full, an entry is there or not. The tag is 16 bits
// of a faster hash of the first 8 characters, which turns down nearly all that is no secret by one look.
//
// Only for recording: replay knows no secret. Thread-safe; around fork() the functions of that name have to be called.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "store/inherited_files.h"
#include "store/redaction/edit.h"
#include "store/redaction/keyed_hash.h"

namespace cassette {

class KnownSecrets {
 public:
  /// `path`: its file, which is made with the first secret; empty: this process alone knows them. Touches nothing yet.
  explicit KnownSecrets(std::string path);

  /// Reads what others have added. False when nothing is known.
  bool refresh();

  /// Adds those that are worth it: 8 characters or more, one word, neither a placeholder nor what APIs write in place of a
  /// secret ("required"). Where the file cannot be written, this process alone knows them.
  void remember(const std::vector<std::string>& values);

  /// Where known secrets stand in the text, between characters that are no letters or digits, as they are or percent-encoded
  /// or with the escapes of JSON; each edit puts there what the answer got. Ascending.
  std::vector<Edit> find(std::string_view text) const;
  /// All of it but the place: a host with a secret in its name is asked for by that name.
  std::string redact_uri(std::string_view uri) const;

  /// Makes the file, and keeps it for who may not open it later.
  void keep_open(const KeepFile& keep);

  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

 private:
  struct Entry {
    std::uint32_t length;
    std::uint32_t tag;
    KeyedDigest digest;
    std::uint64_t zero;
  };
  static_assert(sizeof(Entry) == 32);

  void make_file() const;
  void read_new();
  void learn(const Entry& entry);
  Entry entry_of(std::string_view value) const;
  /// Of a text of 8 characters or more.
  std::uint32_t tag_of(std::string_view text) const;
  /// How long the longest known secret is that `text` begins with; 0: there is none.
  std::size_t known_at(std::string_view text) const;
  void find_plain(std::string_view text, std::vector<Edit>& edits) const;

  const std::string path_;
  mutable std::mutex mutex_;
  bool has_key_ = false;
  HashKey key_{};
  std::uint64_t read_ = 0;                       ///< bytes of the file
  std::vector<bool> tags_;                       ///< which of the 65536 there are
  std::multimap<std::uint32_t, Entry> entries_;  ///< by tag
};

}  // namespace cassette
