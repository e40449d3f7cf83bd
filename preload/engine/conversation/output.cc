// See output.h.
#include "preload/engine/conversation/output.h"

namespace cassette {

void Output::add_copy(std::string_view bytes, Time due) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  // Many small writes become one part, as they would in a socket's buffer.
  if (!empty() && !parts_.back().copy.empty() && parts_.back().due == due) {
    parts_.back().copy.append(bytes);
    return;
  }
  parts_.push_back(Part{std::string(bytes), {}, 0, due});
}

void Output::add_view(std::string_view bytes, Time due) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  parts_.push_back(Part{{}, bytes, 0, due});
}

std::string_view Output::front(Time now) const {
  if (empty()) return {};
  const Part& part = parts_[first_];
  if (part.due > now) return {};
  return part.copy.empty() ? part.view : std::string_view(part.copy).substr(part.sent);
}

void Output::consume(std::size_t size) {
  size_ -= size;
  Part& part = parts_[first_];
  bool finished;
  if (part.copy.empty()) {
    part.view.remove_prefix(size);
    finished = part.view.empty();
  } else {
    part.sent += size;
    finished = part.sent == part.copy.size();
  }
  if (!finished) return;
  part.copy = {};
  ++first_;
  if (empty()) {
    parts_.clear();
    first_ = 0;
  } else if (first_ >= 64 && first_ * 2 >= parts_.size()) {
    parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void Output::clear() {
  parts_.clear();
  first_ = 0;
  size_ = 0;
}

}  // namespace cassette
