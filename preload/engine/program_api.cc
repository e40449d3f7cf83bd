// See program_api.h. No exception leaves this file.
#include "preload/engine/program_api.h"

#include <cerrno>
#include <exception>
#include <mutex>
#include <string>

#include "preload/engine/engine.h"
#include "store/log.h"

namespace cassette {

namespace {

long fail(int error, const std::string& message) {
  log(LogLevel::kError, message);
  errno = error;
  return -1;
}

/// Runs `body`; an exception (no memory) becomes -1.
template <typename Body>
long guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::exception& problem) {
    return fail(ENOMEM, std::string("out of order: ") + problem.what());
  }
}

long done(const Result<void>& result, int error) {
  return result ? 0 : fail(error, result.error().message);
}

/// Children that begin from now on use what this process uses.
void tell_children() {
  static std::mutex mutex;
  std::lock_guard guard(mutex);
  for (const auto& [name, value] : engine().deck().for_children()) {
    engine().host.put_variable(name.c_str(), value.empty() ? nullptr : value.c_str());
  }
}

int insert(const char* path) {
  return static_cast<int>(guarded([&] {
    auto inserted = engine().deck().insert(path != nullptr ? path : "");
    tell_children();
    if (inserted) return 0L;
    errno = EINVAL;  // the player has told why
    return -1L;
  }));
}

int eject() {
  return static_cast<int>(guarded([] {
    auto ejected = engine().deck().eject();
    tell_children();
    return done(ejected, ENOENT);
  }));
}

int rewind() {
  return static_cast<int>(guarded([] { return done(engine().deck().rewind(), ESTALE); }));
}

long position() {
  return guarded([]() -> long {
    auto index = engine().deck().index();
    return index ? static_cast<long>(*index) : fail(ESTALE, index.error().message);
  });
}

long advance(bool plays) {
  return guarded([&]() -> long {
    std::shared_ptr<Player> player = engine().deck().current();
    auto index = player->advance(plays);
    if (!index) return fail(ESTALE, index.error().message);
    if (*index < player->cassette_size()) return static_cast<long>(*index);
    errno = ENODATA;
    return -1;
  });
}

int session_start(const char* id) {
  return static_cast<int>(guarded([&]() -> long {
    auto registered = engine().deck().start_session(id != nullptr ? id : "");
    if (!registered) return fail(EINVAL, registered.error().message);
    if (registered->outcome == Registration::kPoolFull) {
      return fail(ENOSPC, "the session " + registered->id + " cannot be registered: there are " +
                              std::to_string(registered->limit) +
                              " sessions already (CASSETTE_MAX_SESSIONS)");
    }
    tell_children();
    return registered->outcome == Registration::kAlreadyRegistered ? 1 : 0;
  }));
}

int session_end() {
  return static_cast<int>(guarded([] {
    auto ended = engine().deck().end_session();
    tell_children();
    return done(ended, ENOENT);
  }));
}

int context_put(const char* key, const char* value) {
  return static_cast<int>(guarded([&] {
    auto put =
        engine().deck().put_context(key != nullptr ? key : "", value != nullptr ? value : "");
    tell_children();
    return done(put, EINVAL);
  }));
}

const char* context_get(const char* key) {
  const char* value = nullptr;
  guarded([&] {
    value = engine().deck().context(key != nullptr ? key : "");
    return 0L;
  });
  return value;
}

int context_clear() {
  return static_cast<int>(guarded([] {
    engine().deck().clear_context();
    tell_children();
    return 0L;
  }));
}

}  // namespace

const ProgramApi kProgramApi = {insert,      eject,         rewind,      position,
                                advance,     session_start, session_end, context_put,
                                context_get, context_clear};

}  // namespace cassette
