// What the thin library and the engine know of each other: two tables of functions. Plain C types
// across the border, nothing throws through it. Both are built together and found side by side;
// `version` catches a mixed installation.
#pragma once

#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace cassette {

struct RealFunctions;
enum class Bundle;

inline constexpr int kEngineVersion = 8;

/// Answer of an engine function: not handled here, call the real one.
inline constexpr int kPassThrough = -2;
/// The same for functions whose own error codes are small negative numbers (EAI_...).
inline constexpr int kNotOurName = -100000;
/// Of a name: call the real function, which may block, outside the engine, and tell what it said.
inline constexpr int kAskResolver = -100001;

/// What a hook is to do about one connect(2), as the engine says.
enum class ConnectStep : int {
  kAnswered,  ///< nothing more: ConnectPlan::result and error are the program's
  kPass,      ///< the real function, as the program called it
  kConnect,   ///< the real one to ConnectPlan::address, and nothing more
  kSwap,      ///< the same, then EngineApi::connected() with what came of it
  kWait,      ///< wait for ConnectPlan::word to change, then ask again
  kAgain      ///< the number stands for no connection any more: plan anew
};

/// One connect(2) between two calls of the engine. The real connect, which may block, is made in the program's own frames and
/// not in the engine's: a signal handler may jump out of it, an exception or a cancellation may leave it. So this is plain data
/// on the hook's stack, and owns nothing.
struct ConnectPlan {
  int result;  ///< kAnswered
  int error;
  sockaddr_storage peer;  ///< what the program asked for
  socklen_t peer_length;
  sockaddr_storage
      address;  ///< what to connect to; without a length, `host` has to be resolved first
  socklen_t length;
  dev_t
      device;  ///< identity of the socket: by the time the connection stands, the number may be another file's
  ino_t inode;
  int policy;                              ///< UpstreamPolicy
  const std::atomic<std::uint32_t>* word;  ///< kWait; never freed
  std::atomic<std::uint32_t>* waiters;     ///< to be counted up and down around the wait
  std::uint32_t value;                     ///< what `word` was
  char host[NI_MAXHOST];                   ///< the name of the place
};

/// Given to the engine at its start; valid for the life of the process.
struct HostApi {
  int version;
  /// What a call of the program's is passed on to. What the engine calls for itself is libc's (load_object() in
  /// hooks/library.cc).
  const RealFunctions* real;
  /// DescriptorTable::set_owner and epoll_of on the library's table.
  bool (*set_owner)(int fd, std::uintptr_t owner);
  std::uintptr_t (*owner)(int fd);
  int (*epoll_of)(int fd);
  /// DescriptorTable::next_copy.
  int (*next_copy)(int fd, int from);
  /// The engine's own descriptors stay in the table with `but_private`.
  void (*clear_owners)(bool but_private);
  /// Between both, no hook lets the program close `fd` or put something else there; free_number() gives it its owner. For some
  /// microseconds, on a thread that no signal handler interrupts.
  bool (*hold_number)(int fd);
  void (*free_number)(int fd, std::uintptr_t owner);
  /// The calling thread is the engine's own: whatever it calls goes to libc.
  void (*mark_engine_thread)();
  /// And no longer: it does what a thread of the program would have done.
  void (*unmark_engine_thread)();
  /// The calling thread forks: it is in the engine until end_fork(), for a signal handler that interrupts it. Both say
  /// whether it was not there before; a handler that forks interrupted the engine, and waits for locks of its own thread.
  bool (*begin_fork)();
  bool (*forks_outside_engine)();
  void (*end_fork)();
  /// What an object is to call in place of _Fork(3) (hooks/processes/fork.h).
  void* (*hook_of_fork)(void* object);
  /// The main thread has ended by pthread_exit(3); in this process, not in its parent.
  bool (*main_thread_ended)();
  /// A variable of the environment as it was when the process began (CASSETTE*, CI, HOME, XDG_STATE_HOME,
  /// kBundleVariables), or nullptr: programs clear or overwrite theirs.
  const char* (*environment)(const char* name);
  /// Sets a variable for children that begin from now on; nullptr takes it away. One call at a time.
  void (*put_variable)(const char* name, const char* value);
  /// What protects the store of certificates that Java was given, or nullptr.
  const char* (*java_store_password)();
  /// Files that stay open for a user, or below a root directory, to whom they are closed, and for the programs that such a process
  /// becomes (hooks/processes/inherited.h). keep_file() takes the descriptor; kept_file() gives its number by now, or -1.
  bool (*keep_file)(const char* name, int fd);
  int (*kept_file)(const char* name);
  /// Closes them all.
  void (*drop_kept)();
  /// The texts must stay; "": it has none.
  void (*keep_settings)(const char* runtime_directory, const char* state_directory,
                        const char* configuration);
  // The engine looks into libc alone. These are as the program has them: what libc allocated inside is of the program's malloc(),
  // a thread has to be known to a sanitizer, and certificates are valid by the clock that the program sees (libfaketime).
  void (*free)(void* block);
  void* (*realloc)(void* block, std::size_t size);
  decltype(&::pthread_create) create_thread;
  /// Of what `real` has as getaddrinfo().
  decltype(&::freeaddrinfo) free_addresses;
  /// Seconds since 1970.
  std::time_t (*program_time)();
  /// Two words of the calling thread's (preload/heap/exceptions.cc).
  void* (*exception_state)();
  /// say() of store/standard_error.h: what stderr was at the start is known there.
  bool (*say)(const char* line, std::size_t size);
  /// program_invocation_short_name: a program that is no PIE may have it in its own data.
  char* program_name;
};

/// The functions of cassette.h; errno and return values are theirs.
struct ProgramApi {
  int (*insert)(const char* path);
  int (*eject)();
  int (*rewind)();
  long (*index)();
  /// The index of the interaction that was used up. `plays`: it counts as played.
  long (*advance)(bool plays);
  int (*session_start)(const char* id);
  int (*session_end)();
  int (*context_put)(const char* key, const char* value);
  const char* (*context_get)(const char* key);
  int (*context_clear)();
};

/// Each function behaves as the libc function of that name, errno included, or returns kPassThrough.
/// `connection` is what the table has for the descriptor. None of them throws; all may be called from
/// any thread.
struct EngineApi {
  int version;
  /// Begins a connect(2) of a stream socket, or of one that cannot be told. Does not block.
  ConnectStep (*plan_connect)(int fd, const sockaddr* address, socklen_t length, ConnectPlan* plan);
  /// The real connect of step kSwap ended with that result, and `error` as errno. Returns the program's result.
  int (*connected)(int fd, ConnectPlan* plan, int result, int error);
  /// For a thread that bypasses the library: the address may be one that stands for a name. kPass or kConnect.
  ConnectStep (*plan_bypassed)(const sockaddr* address, socklen_t length, ConnectPlan* plan);
  /// Not 0: nothing may go out to that place, and datagrams are not recorded.
  int (*refuses_datagrams)(const sockaddr* address, socklen_t length);
  /// connect(2) on what is a connection already, or was; AF_UNSPEC dissolves it.
  ConnectStep (*connect_again)(std::uintptr_t connection, int fd, const sockaddr* address,
                               ConnectPlan* plan);
  /// May take a part of the bytes although the descriptor blocks: the rest is the caller's to send. -1 with EPIPE raises no
  /// signal.
  ssize_t (*send)(std::uintptr_t connection, int fd, const iovec* parts, std::size_t count,
                  int flags);
  /// A send past the engine failed with EPIPE (`sent` is -1): -1 with the errno that TCP would have had, kPassThrough where
  /// that is EPIPE. Or it was cut short, and the next one is to tell why: kPassThrough.
  ssize_t (*send_failed)(std::uintptr_t connection, int fd, ssize_t sent);
  /// The program wants the number `fd`, which is the engine's, for a file of its own (dup2(2)): the engine goes to another
  /// one. False: there is none.
  bool (*make_way)(int fd);
  /// The program has closed `fd`, which stood for that connection.
  void (*closed)(std::uintptr_t connection);
  int (*getpeername)(std::uintptr_t connection, int fd, sockaddr* address, socklen_t* length);
  int (*getsockname)(std::uintptr_t connection, int fd, sockaddr* address, socklen_t* length);
  int (*getsockopt)(std::uintptr_t connection, int fd, int level, int name, void* value,
                    socklen_t* length);
  int (*setsockopt)(std::uintptr_t connection, int fd, int level, int name, const void* value,
                    socklen_t length);
  int (*getaddrinfo)(const char* node, const char* service, const addrinfo* hints,
                     addrinfo** result);
  /// Behind kAskResolver. Returns the program's status.
  int (*getaddrinfo_asked)(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result, int status);
  int (*getnameinfo)(const sockaddr* address, socklen_t length, char* host, socklen_t host_size,
                     char* service, socklen_t service_size, int flags);
  /// The reentrant forms; `family` AF_INET or AF_INET6.
  int (*gethostbyname_r)(const char* name, int family, hostent* entry, char* buffer,
                         std::size_t size, hostent** result, int* h_error);
  /// Behind kAskResolver: `found` is what the real function found, or nullptr, and `h_error` why.
  void (*gethostbyname_asked)(const char* name, const hostent* found, int h_error);
  /// Not 0: a query for that name may not leave the machine.
  int (*refuses_query)(const char* name);
  int (*gethostbyaddr_r)(const void* address, socklen_t length, int family, hostent* entry,
                         char* buffer, std::size_t size, hostent** result, int* h_error);
  /// A descriptor of what `fd` (opened for reading; -1: not there) has, and the session's authority; -1: the
  /// file is to be read as it is. Close-on-exec; `fd` stays open, at its beginning. See hooks/files/bundles.h.
  int (*merge_bundle)(int fd, Bundle kind);
  /// A GnuTLS session was given credentials: they trust the session's authority from now on. `object`: the
  /// handle of that GnuTLS.
  void (*trust_in_gnutls)(void* object, void* credentials);
  /// HostApi::main_thread_ended() is true from now on.
  void (*main_thread_ends)();
  /// Reads the cassette now: the first request may come from a thread whose stack is too small for it.
  void (*open_cassette)();
  /// The process is about to change its user, who may not open what this one may, or its root directory.
  void (*keep_rights)();
  /// For a process that shuts itself in: the service thread runs, TLS is loaded, and whatever the session needs is open.
  /// `filtered`: by seccomp(2), so that its own threads may make few system calls.
  void (*get_ready)(bool filtered);
  /// A new process is made past the handlers of pthread_atfork(3). `shares_descriptors`: CLONE_FILES of clone(2), so that
  /// what the child closes is closed in its parent.
  void (*before_fork)();
  void (*after_fork_in_parent)();
  void (*after_fork_in_child)(bool shares_descriptors);
  /// The service thread ends, and is gone when this returns; begun again by step_back(). False: there is none.
  bool (*step_aside)();
  void (*step_back)();
  /// The process ends: leave the session. Idempotent; does nothing in a process that is not the one
  /// that the engine works for (the child of a vfork). `ended_well`: with exit status 0.
  void (*leave)(bool ended_well);
  const ProgramApi* program;
};

}  // namespace cassette

/// The engine's one exported symbol. Fails only without any memory: an engine that cannot work answers everything with
/// an error or a miss that says why. nullptr only when the versions differ.
extern "C" const cassette::EngineApi* cassette_engine_start(const cassette::HostApi* host);
