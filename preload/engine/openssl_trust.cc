// See openssl_trust.h.
#include "preload/engine/openssl_trust.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "store/log.h"

namespace cassette {

namespace {

// OpenSSL's types, opaque here: which version the program has is not known.
struct Store;
struct Certificate;
struct StoreContext;
struct Stack;
struct Parameters;

/// The functions of one OpenSSL.
struct OpenSsl {
  int (*verify_cert)(StoreContext*);
  Store* (*get_store)(StoreContext*);
  Certificate* (*get_cert)(StoreContext*);
  int (*add_cert)(Store*, Certificate*);
  Certificate* (*read_cert)(Certificate**, const unsigned char**, long);
  int (*write_cert)(Certificate*, unsigned char**);
  void (*free_cert)(Certificate*);
  StoreContext* (*new_context)();
  int (*init_context)(StoreContext*, Store*, Certificate*, Stack*);
  void (*free_context)(StoreContext*);
  Parameters* (*get_parameters)(StoreContext*);
  int (*set_parameters)(Parameters*, const Parameters*);
  int (*get_error)(StoreContext*);
  void (*set_error)(StoreContext*, int);
  Stack* (*new_stack)();
  int (*push)(Stack*, const void*);
  void (*free_stack)(Stack*);
  void (*free_memory)(void*, const char*, int);
  int (*set_mark)();
  int (*pop_to_mark)();
};

constexpr char kReplaced[] = "X509_verify_cert";

Judgements* the_judgements;
const std::string* the_authority;

template <typename Function>
bool find(void* object, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(object, name));
  return function != nullptr;
}

bool find_all(void* object, OpenSsl& it) {
  return find(object, kReplaced, it.verify_cert) &&
         find(object, "X509_STORE_CTX_get0_store", it.get_store) &&
         find(object, "X509_STORE_CTX_get0_cert", it.get_cert) &&
         find(object, "X509_STORE_add_cert", it.add_cert) &&
         find(object, "d2i_X509", it.read_cert) && find(object, "i2d_X509", it.write_cert) &&
         find(object, "X509_free", it.free_cert) &&
         find(object, "X509_STORE_CTX_new", it.new_context) &&
         find(object, "X509_STORE_CTX_init", it.init_context) &&
         find(object, "X509_STORE_CTX_free", it.free_context) &&
         find(object, "X509_STORE_CTX_get0_param", it.get_parameters) &&
         find(object, "X509_VERIFY_PARAM_set1", it.set_parameters) &&
         find(object, "X509_STORE_CTX_get_error", it.get_error) &&
         find(object, "X509_STORE_CTX_set_error", it.set_error) &&
         find(object, "OPENSSL_sk_new_null", it.new_stack) &&
         find(object, "OPENSSL_sk_push", it.push) &&
         find(object, "OPENSSL_sk_free", it.free_stack) &&
         find(object, "CRYPTO_free", it.free_memory) && find(object, "ERR_set_mark", it.set_mark) &&
         find(object, "ERR_pop_to_mark", it.pop_to_mark);
}

// ---- the check ----

/// The real server's chain before the program's store.
bool is_chain_trusted(const OpenSsl& it, StoreContext* context,
                      const std::vector<std::string>& chain) {
  Stack* rest = it.new_stack();
  std::vector<Certificate*> certificates;
  for (const std::string& der : chain) {
    auto* at = reinterpret_cast<const unsigned char*>(der.data());
    Certificate* certificate = it.read_cert(nullptr, &at, static_cast<long>(der.size()));
    if (certificate == nullptr) break;
    if (!certificates.empty()) it.push(rest, certificate);
    certificates.push_back(certificate);
  }
  StoreContext* other = it.new_context();
  bool trusted = false;
  if (other != nullptr && !certificates.empty() &&
      it.init_context(other, it.get_store(context), certificates.front(), rest) == 1) {
    // What the program asks for: the host's name, the purpose, the depth.
    it.set_parameters(it.get_parameters(other), it.get_parameters(context));
    trusted = it.verify_cert(other) == 1;
    if (!trusted) it.set_error(context, it.get_error(other));
  }
  if (other != nullptr) it.free_context(other);
  it.free_stack(rest);
  for (Certificate* certificate : certificates) it.free_cert(certificate);
  return trusted;
}

int verify(const OpenSsl& it, StoreContext* context) {
  Certificate* certificate = it.get_cert(context);
  unsigned char* bytes = nullptr;
  const int size = certificate != nullptr ? it.write_cert(certificate, &bytes) : 0;
  if (size <= 0) return it.verify_cert(context);
  const std::string leaf(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  it.free_memory(bytes, "", 0);
  const std::vector<std::string>* chain = the_judgements->chain_of(leaf);
  if (chain == nullptr) return it.verify_cert(context);
  if (!chain->empty()) {
    const bool trusted = is_chain_trusted(it, context, *chain);
    the_judgements->judge(leaf, trusted);
    if (!trusted) return 0;
  }
  auto* at = reinterpret_cast<const unsigned char*>(the_authority->data());
  if (Certificate* authority =
          it.read_cert(nullptr, &at, static_cast<long>(the_authority->size()))) {
    it.set_mark();  // an error only if it is there already
    it.add_cert(it.get_store(context), authority);
    it.pop_to_mark();
    it.free_cert(authority);
  }
  return it.verify_cert(context);
}

/// As X509_verify_cert(3). A process may have more than one OpenSSL: each has its own entry here.
template <int kNumber>
int replacement(StoreContext* context);

constexpr int kMostOpenSsls = 4;
OpenSsl openssls[kMostOpenSsls];
int openssl_count;

template <int kNumber>
int replacement(StoreContext* context) {
  int saved = errno;
  int result = verify(openssls[kNumber], context);
  errno = saved;
  return result;
}
using Replacement = int (*)(StoreContext*);
constexpr Replacement kReplacements[kMostOpenSsls] = {replacement<0>, replacement<1>,
                                                      replacement<2>, replacement<3>};

/// The replacement for this OpenSSL; nullptr when there are too many, or it lacks something.
Replacement replacement_for(void* object) {
  OpenSsl it{};
  if (!find_all(object, it)) return nullptr;
  for (int i = 0; i < openssl_count; ++i) {
    if (openssls[i].verify_cert == it.verify_cert) return kReplacements[i];
  }
  if (openssl_count == kMostOpenSsls) return nullptr;
  openssls[openssl_count] = it;
  return kReplacements[openssl_count++];
}

// ---- the entries ----

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

/// Writes the entry, which is read-only where the object was linked with -z relro.
void change(void** entry, void* function) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  auto* begin = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(entry) & ~(page - 1));
  // Who made it read-only cannot be asked: it stays writable, as without that option.
  if (mprotect(begin, page, PROT_READ | PROT_WRITE) != 0) {
    log(LogLevel::kWarn, std::string("the program's check of certificates cannot be reached: ") +
                             strerrordesc_np(errno));
    return;
  }
  std::atomic_ref(*entry).store(function, std::memory_order_release);
}

/// An entry that leads to the function, and the object that it is in.
struct Entry {
  std::string object;
  void** place;
};

int collect(dl_phdr_info* info, std::size_t, void* entries) {
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type == PT_DYNAMIC) {
      dynamic = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
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
      if (std::strcmp(tables.names + symbol.st_name, kReplaced) != 0) continue;
      static_cast<std::vector<Entry>*>(entries)->push_back(
          {info->dlpi_name, reinterpret_cast<void**>(info->dlpi_addr + relocation.r_offset)});
    }
  }
  return 0;
}

}  // namespace

void judge_in_openssl(Judgements& judgements, const std::string& authority) {
  static std::mutex mutex;
  static unsigned long long seen;
  std::lock_guard guard(mutex);
  the_judgements = &judgements;
  the_authority = &authority;
  // How many objects were ever loaded tells whether there are new ones.
  unsigned long long loaded = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* count) {
        *static_cast<unsigned long long*>(count) = info->dlpi_adds;
        return 1;
      },
      &loaded);
  if (loaded == seen) return;
  seen = loaded;
  // Nothing is looked up before the list of objects is unlocked again.
  std::vector<Entry> entries;
  dl_iterate_phdr(collect, &entries);
  for (const Entry& entry : entries) {
    // In that object's own scope: what it would have called. The main program is called "".
    const char* name = entry.object.empty() ? nullptr : entry.object.c_str();
    void* object = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    Replacement function = object != nullptr ? replacement_for(object) : nullptr;
    if (function != nullptr && *entry.place != reinterpret_cast<void*>(function)) {
      change(entry.place, reinterpret_cast<void*>(function));
    }
  }
}

}  // namespace cassette
