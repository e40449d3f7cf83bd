// What a process keeps open when it gives up the right to open it again (another user, another root directory), for itself and for the
// programs that it becomes: the session's files, the journal, the library's own. The numbers are private to the engine, and
// close-on-exec until a program is started that the library goes along to.
//
// Thread safety: one thread keeps at a time; all else from any thread. What exec needs allocates nothing and writes no memory but the
// caller's: it may run in the child of a vfork(). Must need libc alone.
#pragma once

#include <cstddef>

namespace cassette {

/// At the start of a process, with the environment as it was noted: finds out where the library is, takes over what the
/// program before this one has handed on, and takes the traces of that out of the environment. True: that has
/// changed, and is to be noted again.
bool take_inherited();

/// Keeps a file under that name; the descriptor is moved out of the program's reach, unless it is already. False: it is
/// closed, and not kept.
bool keep_file(const char* name, int fd);

/// Keeps the file that is kept as `fd` under another number, so that this one is free. False: none is, or there is no other.
bool move_kept_file(int fd);
/// The number under which it is kept, or -1.
int kept_file(const char* name);
/// Closes them all.
void drop_kept();
/// As keep_file() for one that is opened here, unless it is kept already. `flags`: of open(2).
void keep_path(const char* name, const char* path, int flags);
/// What the defaults are for this tree: those of another user are others. The texts must stay.
void keep_settings(const char* runtime_directory, const char* state_directory,
                   const char* configuration);
/// The library's own files, and the list of programs that it could not enter.
void keep_library();
/// In the child of a fork, whose table of descriptors is empty: they are private here, too.
void mark_kept_private();

/// The path of libcassette.so, or nullptr where it did not come by LD_PRELOAD.
const char* library_path();
/// Where one of the library's files is to be loaded from. False: library_path() is not known.
bool library_file(const char* name, char* out, std::size_t size);

/// How the library gets into a program that this process starts.
enum class LibraryWay {
  kPath,       ///< by its path
  kInherited,  ///< by a descriptor, which LD_PRELOAD names
  kNone,       ///< not at all
};
/// As this process is now: with its user, below its root directory.
LibraryWay library_way();
/// Which of the library's files stands in its way, and why: an errno; 0: none of them does.
int missing_library_file(char* path, std::size_t size);

/// Whether a text (of LD_PRELOAD) names libcassette.so, by its path or by our descriptor.
bool names_library(const char* text);
bool names_library_number(const char* text);
/// Writes the text with the library named by its descriptor, and gives the end. It gets at most kLibraryNumber longer.
char* write_by_number(char* out, const char* text);
inline constexpr std::size_t kLibraryNumber = 32;

/// How many files are kept; their number only grows.
std::size_t kept_files();
/// Room for the variable that hands on the first `count` of them.
std::size_t inherited_size(std::size_t count);
/// Writes it, "NAME=value" with its end.
void write_inherited(std::size_t count, char* out);
/// Lets what is kept into programs that are started from now on.
void hand_over();

}  // namespace cassette
