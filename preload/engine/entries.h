// The entries of loaded objects through which they call functions of others (the global offset table,
// ELF's DT_JMPREL and DT_RELA): changed where a function has to be replaced that is none of libc's, or whose name must not be
// exported. Unlike an exported symbol this reaches objects with a scope of their own, and can be done when it is
// first needed.
//
// Thread safety: one caller at a time.
#pragma once

#include <dlfcn.h>

namespace cassette {

/// The function of that name in the scope of an object (a handle for dlsym(3)). False: there is none.
template <typename Function>
bool find(void* object, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(object, name));
  return function != nullptr;
}

/// True when objects were loaded since the last call with this counter (which begins with 0).
bool objects_came(unsigned long long* seen);

/// Lets every entry that leads to `name` lead to what `choose` gives for the object's handle (for
/// dlsym(): its own scope); nullptr leaves it alone.
void change_entries(const char* name, void* (*choose)(void* object));

}  // namespace cassette
