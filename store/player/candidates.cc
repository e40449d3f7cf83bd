// See candidates.h.
#include "store/player/candidates.h"

namespace cassette {

Candidates::Candidates(const Image& image, const Matcher& matcher, const RequestView& request)
    : image_(image), matcher_(matcher), request_(request) {
  const MatchKey key = matcher.key(request);
  of_key_ = all_ = image.find(key);
  if (all_.count == 0 && image.has_redacted_before()) {
    of_key_ = all_ = image.find(matcher.as_before().key(request));
    before_ = choosy_ = true;
    return;
  }
  const std::uint32_t flags = all_.flags;
  choosy_ = matcher.compares_headers() || (flags & Image::kHasConditions) != 0;
  const unsigned varies = flags & Image::kVaries;
  if (varies == 0 && (flags & Image::kHasIdentities) == 0) return;

  Likeness likeness;
  if ((flags & (Image::kHasIdentities | kLikeSecrets)) != 0) {
    likeness.digests =
        folded_digests_of(matcher.redactor(), image.digest_key(), matcher.match_on(), request);
  }
  if ((flags & Image::kHasIdentities) != 0) {
    identity_ = likeness.digests.identity;
    const Image::Group same = image.find(key_of_alike(key, 0, identity_, likeness));
    if (identity_ != 0 && same.count != 0) {
      all_ = same;
      has_same_ = choosy_ = true;
    }
  }
  if ((varies & kLikeBody) != 0) likeness.body = body_likeness(matcher.redactor(), request);
  if ((varies & kLikeFields) != 0) likeness.fields = field_likeness(matcher.redactor(), request);
  for (unsigned parts : LikenessOrders(varies)) {
    const Image::Group alike =
        image.find(key_of_alike(key, parts, has_same_ ? identity_ : 0, likeness));
    if (alike.count != 0) preferred_[count_++] = alike;
  }
}

bool Candidates::accepts(std::uint32_t interaction) const {
  if (before_ && !image_.redacted_before(interaction)) return false;
  if (has_same_ && image_.identity(interaction) != identity_) return false;
  if (request_.headers == nullptr) return true;
  if (!image_.answers_conditions(interaction, *request_.headers)) return false;
  if (!matcher_.compares_headers()) return true;
  Headers recorded;
  image_.request_headers(interaction, recorded);
  return matcher_.headers_match(recorded, *request_.headers);
}

}  // namespace cassette
