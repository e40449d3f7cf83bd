// A process that is about to lose the right, or the way, to open what it will need: the session belongs to who began it, and the files
// of its directory can be opened by nobody else; below another root directory they are not there. So what will be needed is
// opened before (inherited.h). Must need libc alone.
#pragma once

#include <sys/types.h>

namespace cassette {

/// To be called before. Loads the engine, joins the session; does nothing in the child of a vfork(). Keeps errno.
void keep_rights();
/// The same where that is another user than the effective one (-1: it is none).
void about_to_become(uid_t user);
/// The same where the flags of clone(2) say that other directories may be where the session's are, or other users who they are.
void about_to_enter_namespaces(unsigned long flags);

}  // namespace cassette
