// Files that are open already, because this process may not open them any more: it has another user, or another root directory, than
// who began the session, or the program before it had. Whoever opens a file of the session asks for its path first, and
// then here. Knows not how they got here: the front end says (use_inherited_files()).
//
// Each has one open file description, which all processes that inherited it share: its offset, its flags (written by O_APPEND), its
// flock(2). So it is read by pread(2) or mapped, and never locked but LOCK_SH.
//
// Thread safety: any thread.
#pragma once

#include <functional>
#include <string>

#include "store/session/descriptor.h"

namespace cassette {

/// Keeps a file under a name, a path mostly; takes the descriptor, which may be -1.
using KeepFile = std::function<void(const std::string& name, Descriptor file)>;

/// `find`: the number under which a name is kept, or -1. `drop`: closes them all. Until it is called there is none.
void use_inherited_files(int (*find)(const char* name), void (*drop)());
/// For a process that leaves the session, and has its rights (again): what it keeps open would keep the session.
void drop_inherited_files();

/// -1: there is none. The number stays the front end's.
int inherited_file(const std::string& name);

/// As open(2), close-on-exec and no link; where that is forbidden or nothing is there, a copy of the inherited file of that name.
/// Without one errno is that of open(2).
Descriptor open_or_inherit(const std::string& path, int flags, mode_t mode = 0);

/// A copy of it, where `problem` (the errno of an open(2)) says that it is forbidden or not there; sets errno to `problem`.
Descriptor inherit_instead(const std::string& path, int problem);

/// Whether open_or_inherit() would find one.
bool exists_or_inherited(const std::string& path);

}  // namespace cassette
