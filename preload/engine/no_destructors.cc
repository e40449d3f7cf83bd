// The engine outlives the program's exit handlers: the session is left, and its journal merged, by the thin
// library's destructor, which runs behind them. Static objects of the libraries in here (simdjson, yaml-cpp,
// libstdc++) must not have been destroyed by then, so nothing in the engine registers a destructor: this
// takes the place of the C library's function inside the engine, and is visible nowhere else.
// The engine is never unloaded, so nothing is lost.

extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*)(void*), void*, void*) {
  return 0;
}
