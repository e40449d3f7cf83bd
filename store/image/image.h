// A compiled cassette: a flat, position-independent, read-only run of bytes that any number of
// processes map. Replay reads nothing else. It is made once a session (compile_image) and never
// changes.
//
// Bytes (little-endian, as the machine writes them; not an exchange format):
//   Header        magic, version, checksum of all the rest, sizes, where the tables are
//   Entry[n]      one an interaction, in the cassette's order
//   Slot[2^k]     an open-addressing hash table by match key, load at most 1/2. A slot with
//                 count 0 is empty. The number of a group is where its members begin.
//   uint32[k]     the members: each group's interactions in one run, those of higher priority
//                 first, among equals ascending. An interaction is in one group by its match key,
//                 and in those within it of what is alike beyond that (image_groups.h)
//   uint64[m]     hashes of the places (host:port) that are answered for, ascending
//   ServerEntry[s] the servers' certificates, ascending by the hash of the place; they are no interactions
//   heap          strings, wire responses, pieces
//
// Nothing read from a file is trusted: open() checks magic, version, and that every table lies
// inside; each access checks what it follows, and gives an empty value where the bytes are not what
// they should be. The checksum is checked too, unless the image is large and its file still has the
// time stamp that mark_unchanged() gave it: whoever wrote to it since has changed that. So opening
// costs the same however large the cassette is.
//
// Thread safety: const after construction.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "parser/headers.h"
#include "parser/result.h"
#include "store/cassette.h"
#include "store/match/match.h"

namespace cassette {

namespace image_layout {
void seal(std::string& bytes);
}

inline constexpr std::uint32_t kImageVersion = 5;

/// What goes into an image beside the interactions.
struct ImageContext {
  std::string path;      ///< of the cassette, absolute
  std::string settings;  ///< text, opaque here (session_settings.h)
  bool existed = false;  ///< the cassette was there when the session began
};

/// The bytes of an image. Renders each response once, for an HTTP/1.1 peer.
Result<std::string> compile_image(const Cassette& cassette, const Matcher& matcher,
                                  const ImageContext& context);

class Image {
 public:
  /// Interactions with one match key. `count` 0: there is none.
  struct Group {
    std::uint32_t number = 0;  ///< below members(), another for each group
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint32_t flags = 0;  ///< LikenessPart: in what the members differ; and the following
  };
  static constexpr std::uint32_t kVaries = 7;
  static constexpr std::uint32_t kHasIdentities = 8;   ///< of some, identity() is known
  static constexpr std::uint32_t kHasConditions = 16;  ///< some are for certain requests alone
  static constexpr std::uint32_t kHasEarlyAnswers =
      32;  ///< some began before the request was complete

  /// Maps a file. Damaged, cut short, of another version: an error.
  static Result<Image> open(const std::string& file);
  /// For who wrote the file of an image. Where the time stamp cannot be set, opening costs more.
  static void mark_unchanged(const std::string& file, const Image& image);
  /// The same over bytes in memory.
  static Result<Image> from_bytes(std::string bytes);
  /// The bytes of a whole image as if it had been made at that time, nanoseconds since 1970.
  static void set_created(std::string& bytes, std::uint64_t created);

  Image(Image&& other) noexcept;
  Image& operator=(Image&&) = delete;
  ~Image();

  bool existed() const;
  std::string_view path() const;
  std::string_view settings() const;
  /// Nanoseconds since 1970: tells the first of several images of one cassette.
  std::uint64_t created() const { return created_; }
  /// How many interactions.
  std::uint32_t size() const { return size_; }
  /// How many members all groups have.
  std::uint32_t members() const { return member_count_; }
  /// For what is recorded into the cassette, and compared with it (store/match/digests.h).
  std::uint64_t digest_key() const { return digest_key_; }
  /// Of one, or of some, interactions: something was taken out of the request by the rules of the version before.
  bool redacted_before(std::uint32_t interaction) const;
  bool has_redacted_before() const;
  /// In some group the members have different bodies.
  bool bodies_vary() const;

  Group find(const MatchKey& key) const;
  Group group_of(std::uint32_t interaction) const;
  /// The `index`-th interaction of a group.
  std::uint32_t member(const Group& group, std::uint32_t index) const;
  /// True when an interaction is with that place. `localhost` stands for all loopback names; port 0
  /// for any port.
  bool answers_for(std::string_view host, std::uint16_t port) const;

  /// The certificate that was recorded of the server at that place; an empty chain when there is none. Of several the
  /// one that stands last in the cassette.
  RecordedCertificate certificate(std::string_view host, std::uint16_t port) const;

  /// How often it may be played before it is used up; 0: any number of times.
  std::uint32_t times(std::uint32_t interaction) const;
  std::string_view id(std::uint32_t interaction) const;
  std::string_view method(std::uint32_t interaction) const;
  std::string_view uri(std::uint32_t interaction) const;
  /// Name of the errno in place of a response, or empty.
  std::string_view error(std::uint32_t interaction) const;
  int status(std::uint32_t interaction) const;
  void request_headers(std::uint32_t interaction, Headers& headers) const;
  /// What redaction took out of the parts that match_on covers, as one number; 0: nothing, or
  /// nobody knows.
  std::uint32_t identity(std::uint32_t interaction) const;
  /// May it answer a request with these fields? A part of a body is for those who asked for that
  /// part; that nothing has changed, for those who asked whether it has. No allocation.
  bool answers_conditions(std::uint32_t interaction, const Headers& incoming) const;
  /// Kept only where the matcher compares bodies.
  std::string_view request_body(std::uint32_t interaction) const;

  /// The response for an HTTP/1.1 peer, whole, behind its informational ones.
  std::string_view wire(std::uint32_t interaction) const;
  /// All of it but the body.
  std::string_view wire_head(std::uint32_t interaction) const;
  bool close_after(std::uint32_t interaction) const;
  /// The same when only the head is sent, in answer to HEAD.
  bool close_after_head(std::uint32_t interaction) const;
  /// The answer came instead of a 100 (Continue): nobody waited for the body.
  bool answers_before_body(std::uint32_t interaction) const;
  ResponseEnd end(std::uint32_t interaction) const;
  /// Some answer begins before its request is complete.
  bool answers_early() const;
  /// What of wire() goes out when (rendering.h). Empty: all of it at once.
  std::span<const Piece> pieces(std::uint32_t interaction) const;

  struct Slot;  ///< of image_layout.h

 private:
  struct Header;
  struct Entry;
  struct ServerEntry;
  friend class ServerTable;
  friend Result<std::string> compile_image(const Cassette&, const Matcher&, const ImageContext&);
  friend void image_layout::seal(std::string& bytes);

  Image() = default;
  Result<void> adopt(const char* bytes, std::uint64_t size);
  Result<void> check_sum() const;
  Group group_in(std::uint32_t slot) const;
  std::string_view view(std::uint64_t offset, std::uint64_t size) const;
  const Entry& entry(std::uint32_t interaction) const;
  std::string_view text(std::uint32_t interaction, int part) const;

  const char* bytes_ = nullptr;
  std::uint64_t total_ = 0;
  bool mapped_ = false;
  std::string owned_;

  // Copied out of the header, so that what was checked is what is used.
  std::uint32_t flags_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t slots_ = 0;
  std::uint32_t origins_ = 0;
  std::uint32_t member_count_ = 0;
  std::uint32_t servers_ = 0;
  std::uint64_t created_ = 0;
  std::uint64_t digest_key_ = 0;
  std::string_view path_;
  std::string_view settings_;
  const Entry* entries_ = nullptr;
  const Slot* slot_table_ = nullptr;
  const std::uint32_t* members_ = nullptr;
  const std::uint64_t* origin_table_ = nullptr;
  const ServerEntry* server_table_ = nullptr;
};

}  // namespace cassette
