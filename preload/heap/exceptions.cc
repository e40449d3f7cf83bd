// What libstdc++ keeps of the exceptions of a thread. Its own variable is thread-local, and the room for that in an object
// that comes late is allocated when a thread first needs it, which is when there is no memory: the loader aborts the process
// then. So the thin library, which is there from the start, has it for the objects of the engine; they have no thread-local
// variable at all. Takes the place of libstdc++'s functions inside them. Not for the unit tests.
#include <cxxabi.h>

#include "preload/heap/heap.h"

namespace cassette {
namespace {

__cxxabiv1::__cxa_eh_globals* state() {
  static void* at_first[2];  // of the one thread that loads the object
  const ProgramHeap* program = program_heap();
  return static_cast<__cxxabiv1::__cxa_eh_globals*>(program != nullptr ? program->exception_state()
                                                                       : at_first);
}

}  // namespace
}  // namespace cassette

namespace __cxxabiv1 {
extern "C" {

__cxa_eh_globals* __cxa_get_globals() noexcept { return cassette::state(); }
__cxa_eh_globals* __cxa_get_globals_fast() noexcept { return cassette::state(); }

}  // extern "C"
}  // namespace __cxxabiv1
