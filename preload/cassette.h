/* libcassette from within: for test programs that name their own cassettes, sessions and positions.
 *
 * Nothing has to be linked. The functions are weak symbols that LD_PRELOAD=libcassette.so (or
 * `cassette run`) fills in; without it every call does nothing and returns what is written as
 * "without the library". A program that is linked statically can have none of it; one compiled by
 * clang without -fPIE needs -Wl,-z,dynamic-undefined-weak.
 *
 * Every function may be called from any thread. What fails returns -1 with errno, and says why on
 * stderr. Programs that are started later inherit cassette, session and context.
 */
#ifndef CASSETTE_H
#define CASSETTE_H

#ifdef __cplusplus
extern "C" {
#endif

/* For each function: a weak symbol of its name, and a function that asks whether it is there. */
#if defined(CASSETTE_LIBRARY)
#define CASSETTE_FUNCTION_(type, name, parameters, arguments, otherwise) type name parameters;
#define CASSETTE_PROCEDURE_(name) void name(void);
#else
#if defined(__has_attribute)
#if __has_attribute(noplt) /* asks through the GOT, so that the linker leaves the answer open */
#define CASSETTE_WEAK_ __attribute__((weak, noplt))
#endif
#endif
#ifndef CASSETTE_WEAK_
#define CASSETTE_WEAK_ __attribute__((weak))
#endif
#define CASSETTE_FUNCTION_(type, name, parameters, arguments, otherwise)      \
  extern type name##_weak_ parameters __asm__(#name) CASSETTE_WEAK_;          \
  __attribute__((unused)) static type name parameters __asm__(#name "_guard"); \
  __attribute__((unused)) static type name parameters {                       \
    return name##_weak_ ? name##_weak_ arguments : (otherwise);               \
  }
#define CASSETTE_PROCEDURE_(name)                                       \
  extern void name##_weak_(void) __asm__(#name) CASSETTE_WEAK_;         \
  __attribute__((unused)) static void name(void) __asm__(#name "_guard"); \
  __attribute__((unused)) static void name(void) {                      \
    if (name##_weak_) name##_weak_();                                   \
  }
#endif

/* ---- the cassette ----
 *
 * From now on this cassette is played and recorded, in place of that of the settings, by the whole
 * process. `path` as in CASSETTE: relative to the working directory, {program} and {key}s are filled
 * in. Nests: cassette_eject() goes back to the one before. The outermost eject of a cassette takes it
 * back to its beginning, unless another process of the session has inserted it too.
 * insert: 0, or -1 (EINVAL): then every request is a miss that says why, up to the eject.
 * eject: 0, or -1 (ENOENT): nothing is inserted.
 * Without the library: 0. */
CASSETTE_FUNCTION_(int, cassette_insert, (const char *path), (path), 0)
CASSETTE_FUNCTION_(int, cassette_eject, (void), (), 0)

/* ---- its position ----
 *
 * The index is that of the first interaction that is not used up, counted from 0; when there is none,
 * it is the number of interactions. An interaction that may be played any number of times (`times: 0`)
 * has no turn and is passed over.
 * index: the index. advance: skips that interaction; 0. get_and_advance: the same in one atomic step
 * for all threads and processes of the session, and the interaction counts as played; its index.
 * rewind: back to the beginning; 0.
 * -1 with ESTALE: the session has ended, or the cassette cannot be used. -1 with ENODATA: no
 * interaction is left (advance, get_and_advance).
 * Without the library: index and get_and_advance -1, the others 0. */
CASSETTE_FUNCTION_(long, cassette_index, (void), (), -1)
CASSETTE_FUNCTION_(int, cassette_advance, (void), (), 0)
CASSETTE_FUNCTION_(long, cassette_get_and_advance, (void), (), -1)
CASSETTE_FUNCTION_(int, cassette_rewind, (void), (), 0)

/* ---- the session ----
 *
 * Registers the session `id` (NULL: a new one) if nobody has, and joins it: positions are those of
 * that session. Nests: cassette_session_end() goes back to the one before; the session stays for
 * others, until its time to live is over.
 * start: 0 registered, 1 it was registered already, -1 with ENOSPC: there are too many sessions
 * (CASSETTE_MAX_SESSIONS), -1 with EINVAL otherwise. end: 0, or -1 (ENOENT): none was started.
 * Without the library: 0. */
CASSETTE_FUNCTION_(int, cassette_session_start, (const char *id), (id), 0)
CASSETTE_FUNCTION_(int, cassette_session_end, (void), (), 0)

/* ---- the real network ----
 *
 * Connections that this thread makes, and names that it looks up, between begin and end are left
 * alone. Nests. Connections that it has already stay what they are. */
CASSETTE_PROCEDURE_(cassette_bypass_begin)
CASSETTE_PROCEDURE_(cassette_bypass_end)

/* ---- the context ----
 *
 * Fills {key} in the paths of cassettes that are opened from now on, that of the settings included.
 * Added to what CASSETTE_CONTEXT says.
 * put: 0, or -1 (EINVAL): a key has letters, digits, '_', '-' and '.', a value no comma.
 * get: the value, valid for the life of the process, or NULL: there is none, or no library.
 * clear: forgets all of it; 0. */
CASSETTE_FUNCTION_(int, cassette_context_put, (const char *key, const char *value), (key, value), 0)
CASSETTE_FUNCTION_(const char *, cassette_context_get, (const char *key), (key), 0)
CASSETTE_FUNCTION_(int, cassette_context_clear, (void), (), 0)

#undef CASSETTE_FUNCTION_
#undef CASSETTE_PROCEDURE_
#undef CASSETTE_WEAK_

#ifdef __cplusplus
}
#endif

#endif
