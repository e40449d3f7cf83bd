// A client for surroundings.test, which compiles it in many ways: a name resolved, a connection that
// is kept, and threads with one each. Buffers have sizes that the compiler knows and lengths that it
// does not, so that with _FORTIFY_SOURCE it is __read_chk() and its like that are called.
#include "tests/programs/descriptors/http.h"

#include <netdb.h>
#include <pthread.h>

enum { kThreads = 4, kRequests = 5 };

static volatile size_t room = 4000;

// One response with a Content-Length, or NULL. The first piece by recv(), the rest by read().
static const char* response(int fd, char* into, size_t size) {
  char piece[4096];
  size_t n = 0, whole = size;
  while (n < whole) {
    struct pollfd readable[2] = {{fd, POLLIN, 0}};
    if (poll(readable, room / 4000, 20000) != 1) return NULL;
    size_t wanted = whole - n < room ? whole - n : room;
    ssize_t got = n == 0 ? recv(fd, piece, wanted, 0) : read(fd, piece, wanted);
    if (got <= 0 || n + (size_t)got >= size) return NULL;
    memcpy(into + n, piece, (size_t)got);
    n += (size_t)got;
    into[n] = '\0';
    const char* end = strstr(into, "\r\n\r\n");
    const char* length = strstr(into, "Content-Length: ");
    if (end != NULL) whole = (size_t)(end - into) + 4 + (length ? (size_t)atoi(length + 16) : 0);
  }
  return into;
}

static void say(FILE* to, const char* text) {
  const char* body = text != NULL ? strstr(text, "\r\n\r\n") : NULL;
  fprintf(to, "%s\n", body != NULL ? body + 4 : "no response");
}

static void* ask_often(void* memory) {
  char* text = memory;
  char path[64], space[8192];
  FILE* to = fmemopen(text, 4096, "w");
  int fd = connected();
  for (int i = 0; i < kRequests; ++i) {
    snprintf(path, sizeof path, "/text?%c%d", text[0], i);
    put(fd, get(path));
    say(to, response(fd, space, sizeof space));
  }
  close(fd);
  fclose(to);
  return NULL;
}

int main(int argc, char** argv) {
  begin(argc, argv);
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
  int error = getaddrinfo("localhost", argv[2], &hints, &found);
  printf("name: %s\n", error != 0 ? gai_strerror(error) : "resolved");
  if (error != 0) return 1;
  int fd = tcp();
  show("connect", connect(fd, found->ai_addr, found->ai_addrlen));
  freeaddrinfo(found);
  char* space = malloc(16384);
  for (int i = 0; i < 3; ++i) {
    put(fd, get("/turn"));
    say(stdout, response(fd, space, 16384));
  }
  static char body[2000];
  memset(body, 'b', sizeof body);
  const char* head = post("/echo", sizeof body);
  struct iovec parts[2] = {{(void*)head, strlen(head)}, {body, sizeof body}};
  show("writev", writev(fd, parts, 2) == (ssize_t)(strlen(head) + sizeof body) ? 0 : -1);
  say(stdout, response(fd, space, 16384));
  show("close", close(fd));
  free(space);

  pthread_t threads[kThreads];
  static char texts[kThreads][4096];
  for (int i = 0; i < kThreads; ++i) {
    texts[i][0] = (char)('a' + i);
    pthread_create(&threads[i], NULL, ask_often, texts[i]);
  }
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    printf("%s", texts[i]);
  }
  return 0;
}
