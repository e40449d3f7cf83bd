// See connection_pool.h.
#include "preload/engine/connection/connection_pool.h"

#include <new>

namespace cassette {

Connection* ConnectionPool::acquire() {
  std::lock_guard guard(mutex_);
  if (!free_.empty()) {
    std::uint32_t index = free_.back();
    free_.pop_back();
    return &chunks_[index / kChunk][index % kChunk];
  }
  if (made_ % kChunk == 0) {
    auto* chunk = new (std::nothrow) Connection[kChunk];
    if (chunk == nullptr) return nullptr;
    chunks_.push_back(chunk);
  }
  Connection* connection = &chunks_.back()[made_ % kChunk];
  connection->index_ = made_++;
  return connection;
}

Connection* ConnectionPool::at(std::uint32_t index) {
  std::lock_guard guard(mutex_);
  return index < made_ ? &chunks_[index / kChunk][index % kChunk] : nullptr;
}

void ConnectionPool::give_back(Connection* connection) {
  std::lock_guard guard(mutex_);
  free_.push_back(connection->index_);
}

void ConnectionPool::lock() {
  for (std::uint32_t held = 0;;) {
    if (Connection* connection = at(held)) {
      connection->mutex.lock();
      ++held;
      continue;
    }
    mutex_.lock();
    if (held == made_) return;
    mutex_.unlock();  // one was made meanwhile
  }
}

void ConnectionPool::unlock() {
  for (std::uint32_t i = 0; i < made_; ++i) chunks_[i / kChunk][i % kChunk].mutex.unlock();
  mutex_.unlock();
}

bool ConnectionPool::move_number(int from, int to) {
  for (std::uint32_t i = 0; i < made_; ++i) {
    Connection& connection = chunks_[i / kChunk][i % kChunk];
    if (connection.live() && connection.move_number(from, to)) return true;
  }
  return false;
}

void ConnectionPool::forget_all_in_child(bool shares_descriptors) {
  for (std::uint32_t i = 0; i < made_ && !shares_descriptors; ++i) {
    chunks_[i / kChunk][i % kChunk].drop_in_child();
  }
  // The objects stay as they are: one may be locked by a thread that does not exist here.
  chunks_.clear();
  free_.clear();
  made_ = 0;
}

}  // namespace cassette
