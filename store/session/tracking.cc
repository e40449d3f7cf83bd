// See tracking.h.
#include "store/session/tracking.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "store/files.h"
#include "store/session/descriptor.h"

namespace cassette {

namespace {

constexpr std::size_t kMapped = 1;  // never read: a mapping of any size keeps the description

Descriptor open_users(const std::string& users) {
  return Descriptor(open(users.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

/// LOCK_SH, which is refused only while another is at its beginning or end.
bool lock_shared(const Descriptor& file) {
  constexpr timespec kPause{0, 1'000'000};
  for (int tries = 0; tries < 1000; ++tries) {
    if (flock(file.get(), LOCK_SH | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    nanosleep(&kPause, nullptr);
  }
  return false;
}

}  // namespace

Result<Tracking> Tracking::start(const std::string& users, std::shared_ptr<Cursors> cursors) {
  Descriptor file = open_users(users);
  if (!file) return file_error("open", users, errno);
  if (!cursors->held() && flock(file.get(), LOCK_EX | LOCK_NB) == 0) cursors->rewind();
  // From LOCK_EX to LOCK_SH is not one step: whoever comes between rewinds what nobody has used.
  if (!lock_shared(file)) return file_error("lock", users, errno);
  void* mapping = mmap(nullptr, kMapped, PROT_READ, MAP_SHARED, file.get(), 0);
  if (mapping == MAP_FAILED) return file_error("map", users, errno);
  Tracking tracking;
  tracking.users_ = users;
  tracking.cursors_ = std::move(cursors);
  tracking.held_ = mapping;
  return tracking;
}

Tracking::Tracking(Tracking&& other) noexcept
    : users_(std::move(other.users_)),
      cursors_(std::move(other.cursors_)),
      held_(std::exchange(other.held_, nullptr)) {}

Tracking::~Tracking() {
  if (held_ == nullptr) return;
  munmap(held_, kMapped);
  if (cursors_->held()) return;
  Descriptor file = open_users(users_);
  if (file && flock(file.get(), LOCK_EX | LOCK_NB) == 0) cursors_->rewind();
}

}  // namespace cassette
