// For guest_preloads.test, which compiles it as no PIE: variables of libc's that are in the program's own data then (copy
// relocations), which the engine does not see; a name that the library answers with memory of the program's malloc(). Prints
// what it got, and changes its environment behind the first request.
#include "tests/programs/descriptors/http.h"

#include <netdb.h>

extern char** environ;

int main(int argc, char** argv) {
  begin(argc, argv);
  struct addrinfo hints = {.ai_family = AF_INET,
                           .ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_CANONNAME},
                  *found = NULL;
  for (int i = 0; i < 3; ++i) {
    int error = getaddrinfo("localhost", argv[2], &hints, &found);
    if (error != 0) return printf("%s\n", gai_strerror(error)), 1;
    int fd = tcp();
    show("connect", connect(fd, found->ai_addr, found->ai_addrlen));
    freeaddrinfo(found);
    put(fd, get("/text?no-pie"));
    char bytes[8192];
    ssize_t got = read(fd, bytes, sizeof bytes);
    printf("answered: %d\n", got > 12 && memcmp(bytes, "HTTP/1.1 200", 12) == 0);
    close(fd);
    setenv("SOMETHING", "else", 1);
  }
  fprintf(stderr, "%s has %s\n", program_invocation_short_name,
          environ != NULL ? "an environment" : "none");
  return getenv("SOMETHING") == NULL;
}
