// See entries.h.
#include "preload/engine/entries.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "store/log.h"

namespace cassette {

namespace {

/// What an object's dynamic section says, as far as it is needed.
struct Tables {
  const ElfW(Rela) * relocations[2] = {};
  std::size_t sizes[2] = {};
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
};

Tables tables_of(const dl_phdr_info& info, const ElfW(Dyn) * entry) {
  // glibc has made these addresses absolute, but for objects it does not relocate (the vDSO).
  auto address = [&info](ElfW(Addr) value) {
    return value < info.dlpi_addr ? info.dlpi_addr + value : value;
  };
  Tables tables;
  for (; entry->d_tag != DT_NULL; ++entry) {
    switch (entry->d_tag) {
      case DT_JMPREL:
        tables.relocations[0] = reinterpret_cast<const ElfW(Rela)*>(address(entry->d_un.d_ptr));
        break;
      case DT_PLTRELSZ:
        tables.sizes[0] = entry->d_un.d_val / sizeof(ElfW(Rela));
        break;
      case DT_RELA:
        tables.relocations[1] = reinterpret_cast<const ElfW(Rela)*>(address(entry->d_un.d_ptr));
        break;
      case DT_RELASZ:
        tables.sizes[1] = entry->d_un.d_val / sizeof(ElfW(Rela));
        break;
      case DT_SYMTAB:
        tables.symbols = reinterpret_cast<const ElfW(Sym)*>(address(entry->d_un.d_ptr));
        break;
      case DT_STRTAB:
        tables.names = reinterpret_cast<const char*>(address(entry->d_un.d_ptr));
        break;
      default:
        break;
    }
  }
  return tables;
}

/// An entry that leads to the function, and the object that it is in.
struct Entry {
  std::string object;
  void** place;
  bool is_read_only;  ///< the object was linked with -z relro
};

void change(const Entry& entry, const char* name, void* function) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  auto* begin =
      reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(entry.place) & ~(page - 1));
  if (entry.is_read_only && mprotect(begin, page, PROT_READ | PROT_WRITE) != 0) {
    log(LogLevel::kWarn, std::string("the program's calls of ") + name +
                             " cannot be reached: " + strerrordesc_np(errno));
    return;
  }
  std::atomic_ref(*entry.place).store(function, std::memory_order_release);
  if (entry.is_read_only) mprotect(begin, page, PROT_READ);
}

struct Search {
  const char* name;
  std::vector<Entry> found;
};

int collect(dl_phdr_info* info, std::size_t, void* into) {
  auto& search = *static_cast<Search*>(into);
  const ElfW(Dyn)* dynamic = nullptr;
  ElfW(Addr) read_only = 0, read_only_end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    const ElfW(Addr) begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const ElfW(Dyn)*>(begin);
    if (segment.p_type == PT_GNU_RELRO) {
      // As the linker does it: what is only partly in a page stays writable.
      const auto page = static_cast<ElfW(Addr)>(sysconf(_SC_PAGESIZE));
      read_only = begin & ~(page - 1);
      read_only_end = (begin + segment.p_memsz) & ~(page - 1);
    }
  }
  if (dynamic == nullptr) return 0;
  Tables tables = tables_of(*info, dynamic);
  if (tables.symbols == nullptr || tables.names == nullptr) return 0;
  for (int table = 0; table < 2; ++table) {
    for (std::size_t i = 0; tables.relocations[table] != nullptr && i < tables.sizes[table]; ++i) {
      const ElfW(Rela)& relocation = tables.relocations[table][i];
      const auto type = ELF64_R_TYPE(relocation.r_info);
#if defined(__aarch64__)
      if (type != R_AARCH64_JUMP_SLOT && type != R_AARCH64_GLOB_DAT) continue;
#else
      if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
#endif
      const ElfW(Sym)& symbol = tables.symbols[ELF64_R_SYM(relocation.r_info)];
      // A program has ten thousands of them, and what is called is hardly ever among the first letters.
      const char* name = tables.names + symbol.st_name;
      if (name[0] != search.name[0] || name[1] != search.name[1]) continue;
      if (std::strcmp(name, search.name) != 0) continue;
      const ElfW(Addr) place = info->dlpi_addr + relocation.r_offset;
      search.found.push_back({info->dlpi_name, reinterpret_cast<void**>(place),
                              place >= read_only && place < read_only_end});
    }
  }
  return 0;
}

}  // namespace

bool objects_came(unsigned long long* seen) {
  unsigned long long loaded = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* count) {
        *static_cast<unsigned long long*>(count) = info->dlpi_adds;
        return 1;
      },
      &loaded);
  if (loaded == *seen) return false;
  *seen = loaded;
  return true;
}

void change_entries(const char* name, void* (*choose)(void* object)) {
  // Nothing is looked up before the list of objects is unlocked again.
  Search search{name, {}};
  dl_iterate_phdr(collect, &search);
  for (const Entry& entry : search.found) {
    // In that object's own scope: what it would have called. The main program is called "".
    const char* file = entry.object.empty() ? nullptr : entry.object.c_str();
    void* object = dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
    void* function = object != nullptr ? choose(object) : nullptr;
    if (function != nullptr && *entry.place != function) change(entry, name, function);
    if (object != nullptr) dlclose(object);  // whoever loaded it decides how long it stays
  }
}

}  // namespace cassette
