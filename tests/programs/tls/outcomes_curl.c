// As outcomes.py, for whatever TLS library a libcurl has: it is loaded by its name, as a plug-in would be.
//
//   outcomes_curl LIBCURL CA_FILE CRL_FILE <tasks
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of curl/curl.h, which is for one of them only.
enum {
  kWriteData = 10001,
  kUrl = 10002,
  kErrorBuffer = 10010,
  kTimeout = 13,
  kVerifyPeer = 64,
  kCaInfo = 10065,
  kNoSignal = 99,
  kVerifyHost = 81,
  kCrlFile = 10169,
  kVerifyStatus = 232,
  kConnectTo = 10243,
  kWriteFunction = 20011,
  kResponseCode = 0x200002,
  kVerifyResult = 0x20000d,
};

static size_t keep(char* data, size_t size, size_t count, void* into) {
  strncat(into, data, size * count);
  return size * count;
}

int main(int count, char** arguments) {
  void* object = count == 4 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (object == NULL) return fprintf(stderr, "%s\n", count == 4 ? dlerror() : "usage"), 1;
  void* (*init)(void) = dlsym(object, "curl_easy_init");
  int (*set)(void*, int, ...) = dlsym(object, "curl_easy_setopt");
  int (*perform)(void*) = dlsym(object, "curl_easy_perform");
  int (*info)(void*, int, ...) = dlsym(object, "curl_easy_getinfo");
  void (*cleanup)(void*) = dlsym(object, "curl_easy_cleanup");
  void* (*append)(void*, const char*) = dlsym(object, "curl_slist_append");

  void* to_loopback = append(NULL, "::127.0.0.1:");
  char name[100], policy[100], host[100];
  int port;
  while (scanf("%99s %99s %99s %d", name, policy, host, &port) == 4) {
    char url[500], error[1000] = "", body[4096] = "";
    snprintf(url, sizeof url, "https://%s:%d/%s/%s", host, port, name, policy);
    void* curl = init();
    set(curl, kUrl, url);
    set(curl, kErrorBuffer, error);
    set(curl, kTimeout, 20L);
    set(curl, kNoSignal, 1L);
    set(curl, kConnectTo, to_loopback);
    set(curl, kWriteFunction, keep);
    set(curl, kWriteData, body);
    if (strcmp(policy, "system") != 0) set(curl, kCaInfo, arguments[2]);
    if (strcmp(policy, "crl") == 0) set(curl, kCrlFile, arguments[3]);
    if (strcmp(policy, "status") == 0) set(curl, kVerifyStatus, 1L);
    if (strcmp(policy, "names") == 0 || strcmp(policy, "lax") == 0) set(curl, kVerifyHost, 0L);
    if (strcmp(policy, "lax") == 0) set(curl, kVerifyPeer, 0L);
    const int result = perform(curl);
    long status = 0, verdict = 0;
    info(curl, kResponseCode, &status);
    info(curl, kVerifyResult, &verdict);
    body[strcspn(body, "\n")] = '\0';
    printf("%s %s %d %ld %ld %s%s\n", name, policy, result, verdict, status, error, body);
    fflush(stdout);
    cleanup(curl);
  }
  return 0;
}
