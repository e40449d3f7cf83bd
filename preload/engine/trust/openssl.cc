// See openssl.h.
#include "preload/engine/trust/openssl.h"

#include <dlfcn.h>

#include <cerrno>
#include <vector>

#include "preload/engine/trust/entries.h"

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
  int (*keep_store)(Store*);
  int (*add_cert)(Store*, Certificate*);
  Certificate* (*read_cert)(Certificate**, const unsigned char**, long);
  int (*write_cert)(Certificate*, unsigned char**);
  void (*free_cert)(Certificate*);
  StoreContext* (*new_context)();
  int (*init_context)(StoreContext*, Store*, Certificate*, Stack*);
  void (*free_context)(StoreContext*);
  Parameters* (*get_parameters)(StoreContext*);
  int (*set_parameters)(Parameters*, const Parameters*);
  int (*set_purpose)(StoreContext*, const char*);
  int (*get_error)(StoreContext*);
  void (*set_error)(StoreContext*, int);
  Stack* (*new_stack)();
  int (*push)(Stack*, const void*);
  void (*free_stack)(Stack*);
  void (*free_memory)(void*, const char*, int);
  int (*set_mark)();
  int (*pop_to_mark)();

  Certificate* authority = nullptr;  ///< the session's; parsed once, which costs more than a check
};

constexpr int kUnspecified = 1;        // X509_V_ERR_UNSPECIFIED
constexpr int kHostnameMismatch = 62;  // X509_V_ERR_HOSTNAME_MISMATCH
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
         find(object, "X509_STORE_up_ref", it.keep_store) &&
         find(object, "X509_STORE_add_cert", it.add_cert) &&
         find(object, "d2i_X509", it.read_cert) && find(object, "i2d_X509", it.write_cert) &&
         find(object, "X509_free", it.free_cert) &&
         find(object, "X509_STORE_CTX_new", it.new_context) &&
         find(object, "X509_STORE_CTX_init", it.init_context) &&
         find(object, "X509_STORE_CTX_free", it.free_context) &&
         find(object, "X509_STORE_CTX_get0_param", it.get_parameters) &&
         find(object, "X509_VERIFY_PARAM_set1", it.set_parameters) &&
         find(object, "X509_STORE_CTX_set_default", it.set_purpose) &&
         find(object, "X509_STORE_CTX_get_error", it.get_error) &&
         find(object, "X509_STORE_CTX_set_error", it.set_error) &&
         find(object, "OPENSSL_sk_new_null", it.new_stack) &&
         find(object, "OPENSSL_sk_push", it.push) &&
         find(object, "OPENSSL_sk_free", it.free_stack) &&
         find(object, "CRYPTO_free", it.free_memory) && find(object, "ERR_set_mark", it.set_mark) &&
         find(object, "ERR_pop_to_mark", it.pop_to_mark);
}

// ---- the check ----

/// The real server's chain before the program's store. 0 (X509_V_OK), or why it is not trusted. `like`: whose
/// parameters hold (the host's name, the purpose, the depth), or nullptr.
int problem_of_chain(const OpenSsl& it, Store* store, StoreContext* like,
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
  int problem = kUnspecified;
  if (other != nullptr && !certificates.empty() &&
      it.init_context(other, store, certificates.front(), rest) == 1) {
    if (like != nullptr) {
      it.set_parameters(it.get_parameters(other), it.get_parameters(like));
    } else {
      it.set_purpose(other, "ssl_server");
    }
    problem = it.verify_cert(other) == 1 ? 0 : it.get_error(other);
  }
  if (other != nullptr) it.free_context(other);
  it.free_stack(rest);
  for (Certificate* certificate : certificates) it.free_cert(certificate);
  return problem;
}

/// The server is asked when something is to be recorded, long after this handshake: the program's store is
/// kept for that, for as long as the process lives.
void judge_later(const OpenSsl& it, const std::string& leaf, Store* store) {
  if (!the_judgements->wants_late_judge(leaf) || it.keep_store(store) != 1) return;
  the_judgements->set_late_judge(leaf, [&it, store](const std::vector<std::string>& chain) {
    it.set_mark();
    const bool trusted = problem_of_chain(it, store, nullptr, chain) == 0;
    it.pop_to_mark();
    return trusted;
  });
}

int verify(const OpenSsl& it, StoreContext* context) {
  Certificate* certificate = it.get_cert(context);
  unsigned char* bytes = nullptr;
  const int size = certificate != nullptr ? it.write_cert(certificate, &bytes) : 0;
  if (size <= 0) return it.verify_cert(context);
  const std::string leaf(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  it.free_memory(bytes, "", 0);
  const Judgements::Server* server = the_judgements->server_of(leaf);
  if (server == nullptr) return it.verify_cert(context);
  if (!server->chain.empty()) {
    int problem = problem_of_chain(it, it.get_store(context), context, server->chain);
    // The program compares the name with our certificate, which has the right one in any case.
    if (problem == 0 && !server->is_for_name) problem = kHostnameMismatch;
    the_judgements->judge(leaf, problem == 0);
    if (problem != 0) {
      it.set_error(context, problem);
      return 0;
    }
  }
  judge_later(it, leaf, it.get_store(context));
  it.set_mark();  // an error only if it is there already
  if (it.authority != nullptr) it.add_cert(it.get_store(context), it.authority);
  it.pop_to_mark();
  const int result = it.verify_cert(context);
  if (result == 1) the_judgements->accept(leaf);
  return result;
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
  auto* at = reinterpret_cast<const unsigned char*>(the_authority->data());
  it.authority = it.read_cert(nullptr, &at, static_cast<long>(the_authority->size()));
  openssls[openssl_count] = it;
  return kReplacements[openssl_count++];
}

}  // namespace

void judge_in_openssl(Judgements& judgements, const std::string& authority) {
  the_judgements = &judgements;
  the_authority = &authority;
  change_entries(kReplaced,
                 [](void* object) { return reinterpret_cast<void*>(replacement_for(object)); });
}

}  // namespace cassette
