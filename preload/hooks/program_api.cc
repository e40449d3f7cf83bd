// The functions of cassette.h, as far as they need no engine: in mode `off` they do nothing, and
// bypassing is a matter of the hooks.
#define CASSETTE_LIBRARY
#include "preload/cassette.h"

#include <cerrno>

#include "preload/hooks/library.h"

namespace cassette {

thread_local unsigned bypass_depth;

namespace {

// Calls the engine; `neutral` in mode `off` (as without the library), -1 when there is no engine.
template <typename Number, typename Call>
Number ask(Number neutral, Call ask_engine) {
  ensure_started();
  if (!library_active() || inside_engine) return neutral;
  int saved = errno;
  const EngineApi* api = engine();
  if (api == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  EngineCall call = enter_engine();
  Number result = ask_engine(*api->program);
  exit_engine(call);
  if (result >= 0) errno = saved;
  return result;
}

}  // namespace
}  // namespace cassette

using namespace cassette;

#pragma GCC visibility push(default)
extern "C" {

int cassette_insert(const char* path) {
  return ask(0, [&](const ProgramApi& api) { return api.insert(path); });
}

int cassette_eject() {
  return ask(0, [](const ProgramApi& api) { return api.eject(); });
}

long cassette_index() {
  return ask(-1L, [](const ProgramApi& api) { return api.index(); });
}

int cassette_advance() {
  return ask(0, [](const ProgramApi& api) { return api.advance(false) < 0 ? -1 : 0; });
}

long cassette_get_and_advance() {
  return ask(-1L, [](const ProgramApi& api) { return api.advance(true); });
}

int cassette_rewind() {
  return ask(0, [](const ProgramApi& api) { return api.rewind(); });
}

int cassette_session_start(const char* id) {
  return ask(0, [&](const ProgramApi& api) { return api.session_start(id); });
}

int cassette_session_end() {
  return ask(0, [](const ProgramApi& api) { return api.session_end(); });
}

void cassette_bypass_begin() { ++bypass_depth; }

void cassette_bypass_end() {
  if (bypass_depth > 0) --bypass_depth;
}

int cassette_context_put(const char* key, const char* value) {
  return ask(0, [&](const ProgramApi& api) { return api.context_put(key, value); });
}

const char* cassette_context_get(const char* key) {
  const char* value = nullptr;
  ask(0, [&](const ProgramApi& api) {
    value = api.context_get(key);
    return 0;
  });
  return value;
}

int cassette_context_clear() {
  return ask(0, [](const ProgramApi& api) { return api.context_clear(); });
}

}  // extern "C"
#pragma GCC visibility pop
