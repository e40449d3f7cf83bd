// Bytes on their way out of a conversation, in order: copies, or views into the compiled cassette, which
// outlives every conversation. Each may have a time before which it is not to be sent.
// Not thread-safe. Queueing a view allocates nothing once the queue has grown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cassette {

class Output {
 public:
  /// Steady-clock nanoseconds; 0 is "at once".
  using Time = std::int64_t;

  void add_copy(std::string_view bytes, Time due = 0);
  /// `bytes` must stay valid until they are sent.
  void add_view(std::string_view bytes, Time due = 0);

  bool empty() const { return first_ == parts_.size(); }
  std::size_t size() const { return size_; }

  /// The bytes to send next when their time has come, else an empty view.
  std::string_view front(Time now) const;
  /// When front() stops being empty for want of time; 0 when there is nothing to wait for.
  Time next_due() const { return empty() ? 0 : parts_[first_].due; }
  void consume(std::size_t size);
  void clear();

 private:
  struct Part {
    std::string copy;
    std::string_view view;  ///< of what is left; into `copy` unless that is empty
    std::size_t sent = 0;   ///< of `copy`
    Time due = 0;
  };
  std::vector<Part> parts_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace cassette
