// The recorded interactions that may answer a request, and which of them to try first. Takes none: the order and the
// positions are the cursors' (store/session/cursors.h).
//
// Those with the request's match key may answer it. Of these, where some had the same values in what redaction took out,
// only those: two requests that differ in a redacted value are two requests. (Where none had, all may: a token is another
// one in each run.) Of these, those that are alike in more than match_on asks for come first (store/match/likeness.h).
//
// What the version before recorded is looked for by its rules of redaction, when there is nothing by today's: it had
// taken out more.
//
// Not thread-safe, and no copy of anything: lives as long as one decision. Allocates only where the candidates differ.
#pragma once

#include <cstddef>
#include <cstdint>

#include "store/image/image.h"
#include "store/match/likeness.h"
#include "store/match/match.h"

namespace cassette {

class Candidates {
 public:
  Candidates(const Image& image, const Matcher& matcher, const RequestView& request);

  /// Whoever has the match key. In a sequence it is the turn of one: accepts() says whether it may answer.
  const Image::Group& of_key() const { return of_key_; }
  /// Whoever may answer.
  const Image::Group& all() const { return all_; }
  /// Those to be tried before the others: each a part of all(). The likeliest first.
  const Image::Group* begin() const { return preferred_; }
  const Image::Group* end() const { return preferred_ + count_; }

  /// accepts() is to be asked; else everybody is accepted.
  bool are_choosy() const { return choosy_; }
  /// Does it match in what its group does not tell?
  bool accepts(std::uint32_t interaction) const;

  /// It matches but for a value that redaction took out, which is another one.
  bool differs_in_secret(std::uint32_t interaction) const {
    return identity_ != 0 && image_.identity(interaction) != 0 &&
           image_.identity(interaction) != identity_;
  }

 private:
  const Image& image_;
  const Matcher& matcher_;
  const RequestView& request_;
  Image::Group of_key_;
  Image::Group all_;
  Image::Group preferred_[4];
  std::size_t count_ = 0;
  std::uint32_t identity_ = 0;  ///< of the request
  bool before_ = false;         ///< all() are by the rules of the version before
  bool has_same_ = false;       ///< some have that identity
  bool choosy_ = false;
};

}  // namespace cassette
