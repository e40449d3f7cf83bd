// See openssl.h.
#include "preload/engine/trust/openssl.h"

#include <cerrno>
#include <map>
#include <mutex>
#include <vector>

#include "preload/engine/entries.h"

namespace cassette {

namespace {

// OpenSSL's types, opaque here: which version the program has is not known.
struct Store;
struct Certificate;
struct StoreContext;
struct Stack;
struct Parameters;
struct Ssl;

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
  unsigned long (*get_flags)(const Parameters*);
  int (*clear_flags)(Parameters*, unsigned long);
  void (*set_time)(Parameters*, time_t);
  int (*set_purpose)(StoreContext*, const char*);
  void (*set_cert)(StoreContext*, Certificate*);
  Stack* (*get_untrusted)(StoreContext*);
  void (*set_untrusted)(StoreContext*, Stack*);
  void* (*get_data)(StoreContext*, int);
  Stack* (*new_stack)();
  int (*push)(Stack*, const void*);
  void (*free_stack)(Stack*);
  void* (*value)(const Stack*, int);
  void* (*set_value)(Stack*, int, const void*);
  int (*keep_cert)(Certificate*);
  Stack* (*get_chain)(const StoreContext*);
  void (*free_memory)(void*, const char*, int);
  int (*set_mark)();
  int (*pop_to_mark)();
  // libssl's; nullptr where the object that is asked does not know it.
  int (*ssl_index)();
  int (*get_verify_mode)(const Ssl*);

  /// What is never given back, where a search for leaks (LeakSanitizer) sees it: it does not look into the engine's heap.
  Stack* kept = nullptr;
  Certificate* authority = nullptr;  ///< the session's; parsed once, which costs more than a check
};

constexpr unsigned long kChecksCrls = 0x4 | 0x8;       // X509_V_FLAG_CRL_CHECK, ..._ALL
constexpr unsigned long kHasOwnTime = 0x2 | 0x200000;  // X509_V_FLAG_USE_CHECK_TIME, ..._NO_...
constexpr int kVerifyNone = 0;                         // SSL_VERIFY_NONE
constexpr char kReplaced[] = "X509_verify_cert";

Judgements* the_judgements;
const std::string* the_authority;

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
         find(object, "X509_VERIFY_PARAM_get_flags", it.get_flags) &&
         find(object, "X509_VERIFY_PARAM_clear_flags", it.clear_flags) &&
         find(object, "X509_VERIFY_PARAM_set_time", it.set_time) &&
         find(object, "X509_STORE_CTX_set_default", it.set_purpose) &&
         find(object, "X509_STORE_CTX_set_cert", it.set_cert) &&
         find(object, "X509_STORE_CTX_get0_untrusted", it.get_untrusted) &&
         find(object, "X509_STORE_CTX_set0_untrusted", it.set_untrusted) &&
         find(object, "X509_STORE_CTX_get_ex_data", it.get_data) &&
         find(object, "OPENSSL_sk_new_null", it.new_stack) &&
         find(object, "OPENSSL_sk_push", it.push) &&
         find(object, "OPENSSL_sk_free", it.free_stack) &&
         find(object, "OPENSSL_sk_value", it.value) &&
         find(object, "OPENSSL_sk_set", it.set_value) &&
         find(object, "X509_up_ref", it.keep_cert) &&
         find(object, "X509_STORE_CTX_get0_chain", it.get_chain) &&
         find(object, "CRYPTO_free", it.free_memory) && find(object, "ERR_set_mark", it.set_mark) &&
         find(object, "ERR_pop_to_mark", it.pop_to_mark);
}

// ---- the check ----

Certificate* read_certificate(const OpenSsl& it, const std::string& der) {
  auto* at = reinterpret_cast<const unsigned char*>(der.data());
  return it.read_cert(nullptr, &at, static_cast<long>(der.size()));
}

void keep(const OpenSsl& it, const void* object) {
  static std::mutex mutex;
  std::lock_guard guard(mutex);
  it.push(it.kept, object);
}

/// A chain as the program's OpenSSL has it.
struct Chain {
  std::vector<Certificate*> certificates;
  Stack* stack = nullptr;  ///< as libssl gives it to the check: the first is among the rest as well
  Certificate* own() const { return certificates.empty() ? nullptr : certificates.front(); }
};

Chain read_chain(const OpenSsl& it, const std::vector<std::string>& ders) {
  Chain chain;
  chain.stack = it.new_stack();
  for (const std::string& der : ders) {
    Certificate* certificate = read_certificate(it, der);
    if (certificate == nullptr) break;
    it.push(chain.stack, certificate);
    chain.certificates.push_back(certificate);
  }
  return chain;
}

void free_chain(const OpenSsl& it, const Chain& chain) {
  it.free_stack(chain.stack);
  for (Certificate* certificate : chain.certificates) it.free_cert(certificate);
}

/// Of the server that `leaf` stands for; read once, and kept: the program may hold what it saw in a check.
const Chain& chain_of(const OpenSsl& it, const std::string& leaf,
                      const std::vector<std::string>& ders) {
  static std::mutex mutex;
  static auto* chains = new std::map<std::pair<const OpenSsl*, std::string>, Chain>;
  std::lock_guard guard(mutex);
  Chain& chain = (*chains)[{&it, leaf}];
  if (chain.stack == nullptr) {
    chain = read_chain(it, ders);
    keep(it, chain.stack);
  }
  return chain;
}

/// The server is asked when something is to be recorded, long after this handshake: the program's store is
/// kept for that, for as long as the process lives.
void judge_later(const OpenSsl& it, const std::string& leaf, Store* store) {
  if (!the_judgements->wants_late_judge(leaf) || it.keep_store(store) != 1) return;
  keep(it, store);
  the_judgements->set_late_judge(leaf, [&it, store](const std::vector<std::string>& ders) {
    it.set_mark();
    const Chain chain = read_chain(it, ders);
    StoreContext* context = it.new_context();
    bool trusted = false;
    if (context != nullptr && chain.own() != nullptr &&
        it.init_context(context, store, chain.own(), chain.stack) == 1) {
      it.set_purpose(context, "ssl_server");
      trusted = it.verify_cert(context) == 1;
    }
    if (context != nullptr) it.free_context(context);
    free_chain(it, chain);
    it.pop_to_mark();
    return trusted;
  });
}

/// The program will not ask for the result.
bool ignores_result(const OpenSsl& it, StoreContext* context) {
  if (it.ssl_index == nullptr || it.get_verify_mode == nullptr) return false;
  auto* ssl = static_cast<const Ssl*>(it.get_data(context, it.ssl_index()));
  return ssl != nullptr && it.get_verify_mode(ssl) == kVerifyNone;
}

/// Into the program's own store.
void trust(const OpenSsl& it, StoreContext* context, Certificate* certificate) {
  it.set_mark();  // an error only if it is there already
  if (certificate != nullptr) it.add_cert(it.get_store(context), certificate);
  it.pop_to_mark();
}

/// The chain that the program asks for behind the check begins with the certificate that it was shown.
void put_in_front(const OpenSsl& it, StoreContext* context, Certificate* shown,
                  Certificate* checked) {
  Stack* chain = it.get_chain(context);
  if (chain == nullptr || shown == nullptr || it.value(chain, 0) != checked) return;
  it.keep_cert(shown);
  it.set_value(chain, 0, shown);
  it.free_cert(checked);
}

/// The program's check of the real server.
int verify_server(const OpenSsl& it, StoreContext* context, const std::string& leaf,
                  const Judgements::Server& server) {
  const Chain& chain = chain_of(it, leaf, server.chain);
  if (chain.own() == nullptr) return it.verify_cert(context);
  Certificate* shown = it.get_cert(context);
  Stack* untrusted = it.get_untrusted(context);
  it.set_cert(context, chain.own());
  it.set_untrusted(context, chain.stack);
  Parameters* parameters = it.get_parameters(context);
  if (server.recorded_at != 0 && (it.get_flags(parameters) & kHasOwnTime) == 0)
    it.set_time(parameters, server.recorded_at);
  const int result = it.verify_cert(context);
  it.set_cert(context, shown);
  it.set_untrusted(context, untrusted);
  put_in_front(it, context, shown, chain.own());
  the_judgements->judge(leaf, result == 1);
  // What is stapled the program checks by itself (OCSP_basic_verify(3)), with its store.
  if (result == 1 && !server.status_signer.empty()) {
    Certificate* signer = read_certificate(it, server.status_signer);
    trust(it, context, signer);
    it.free_cert(signer);
  }
  return result;
}

/// The program's check of what stands for a server that is an ordinary one.
int verify_ours(const OpenSsl& it, StoreContext* context, const std::string& leaf) {
  judge_later(it, leaf, it.get_store(context));
  // The session's authority takes nothing back.
  it.clear_flags(it.get_parameters(context), kChecksCrls);
  trust(it, context, it.authority);
  return it.verify_cert(context);
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
  the_judgements->accepts_all(leaf, ignores_result(it, context));
  const int result = server->chain.empty() ? verify_ours(it, context, leaf)
                                           : verify_server(it, context, leaf, *server);
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
  find(object, "SSL_get_ex_data_X509_STORE_CTX_idx", it.ssl_index);
  find(object, "SSL_get_verify_mode", it.get_verify_mode);
  for (int i = 0; i < openssl_count; ++i) {
    if (openssls[i].verify_cert != it.verify_cert) continue;
    if (openssls[i].ssl_index == nullptr) openssls[i].ssl_index = it.ssl_index;
    if (openssls[i].get_verify_mode == nullptr) openssls[i].get_verify_mode = it.get_verify_mode;
    return kReplacements[i];
  }
  if (openssl_count == kMostOpenSsls) return nullptr;
  it.kept = it.new_stack();
  it.authority = read_certificate(it, *the_authority);
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
