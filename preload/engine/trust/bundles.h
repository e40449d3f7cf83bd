// Copies of the bundles of certificates that a program opens, with the session's authority in them.
// Which files those are is known to preload/hooks/files/bundles.h.
//
// Thread safety: from any thread.
#pragma once

#include "preload/hooks/files/bundles.h"

namespace cassette {

/// As EngineApi::merge_bundle().
int merge_bundle(int fd, Bundle kind);

}  // namespace cassette
