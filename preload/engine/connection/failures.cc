// See failures.h. connect(2), getaddrinfo(3).
#include "preload/engine/connection/failures.h"

#include <netdb.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "preload/engine/clock.h"
#include "store/match/failed_place.h"
#include "store/uri.h"

namespace cassette {

namespace {

struct Name {
  int code;
  const char* name;
};
/// What a place can be blamed for.
constexpr Name kConnect[] = {{ECONNREFUSED, "ECONNREFUSED"}, {EHOSTUNREACH, "EHOSTUNREACH"},
                             {ENETUNREACH, "ENETUNREACH"},   {ETIMEDOUT, "ETIMEDOUT"},
                             {ECONNRESET, "ECONNRESET"},     {EHOSTDOWN, "EHOSTDOWN"}};
constexpr Name kResolve[] = {{EAI_NONAME, "EAI_NONAME"},
                             {EAI_AGAIN, "EAI_AGAIN"},
                             {EAI_FAIL, "EAI_FAIL"},
                             {EAI_NODATA, "EAI_NODATA"}};

template <std::size_t kSize>
const char* name_of(const Name (&names)[kSize], int code) {
  for (const Name& each : names) {
    if (each.code == code) return each.name;
  }
  return nullptr;
}

/// 0 for what is no name of these.
template <std::size_t kSize>
int code_of(const Name (&names)[kSize], std::string_view name) {
  for (const Name& each : names) {
    if (name == each.name) return each.code;
  }
  return 0;
}

}  // namespace

void Failures::connected(const std::string& host, std::uint16_t port, int error) {
  const char* name = error == 0 ? "" : name_of(kConnect, error);
  if (name != nullptr) note({is_localhost(host) ? "localhost" : host, port}, name);
}

void Failures::resolved(const std::string& name, int code) {
  const char* error = code == 0 ? "" : name_of(kResolve, code);
  if (error != nullptr) note({name, 0}, error);
}

void Failures::note(Place place, const char* error) {
  std::lock_guard guard(mutex_);
  auto [known, fresh] = failures_.try_emplace(std::move(place), Failure{error, wall_now()});
  if (!fresh && error[0] == '\0') known->second.error.clear();
}

void Failures::record(Player& player) {
  std::map<Place, Failure> failures;
  {
    std::lock_guard guard(mutex_);
    failures = std::exchange(failures_, {});
  }
  for (const auto& [place, failure] : failures) {
    if (failure.error.empty()) continue;
    const RequestView request = failed_place(place.host, place.port);
    Interaction interaction;
    interaction.request.method = request.method;
    interaction.uri = format_uri(request.uri);
    interaction.error = failure.error;
    interaction.recorded_at = failure.began / 1000;
    // Told and counted by the player.
    if (player.upstream_policy(place.host, place.port) != UpstreamPolicy::kNever)
      (void)player.record(std::move(interaction)).ok();
  }
}

int Failures::connect_error(Player& player, std::string_view host, std::uint16_t port) {
  return code_of(kConnect, player.failure_of(failed_place(host, port)));
}

int Failures::resolve_error(Player& player, std::string_view name) {
  return code_of(kResolve, player.failure_of(failed_place(name, 0)));
}

}  // namespace cassette
