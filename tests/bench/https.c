// Measures what HTTPS costs a client on OpenSSL, which checks the server's certificate: plain blocking
// calls, the same with and without the library. The same over plain HTTP is there to compare with.
//
//   https VERSION roundtrips PORT PATH SECONDS    on one kept connection
//   https VERSION new PORT PATH SECONDS           each on a connection of its own, from connect() to close()
//   https VERSION resumed PORT PATH SECONDS       as `new`, with the session of the connection before
//         print how many a second, and in microseconds their mean, median and 99th percentile
//   https VERSION idle PORT PATH COUNT
//         prints the bytes by which this process grows with each connection, when COUNT are kept open
//
// The server is `localhost`, at 127.0.0.1; VERSION is 1.2 or 1.3 of TLS, or `plain`.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/client.h"

typedef struct {
  int fd;
  SSL* ssl;  // NULL: plain
} Connection;

static const char* path;
static unsigned short port;
static SSL_CTX* context;      // NULL: plain
static SSL_SESSION* session;  // to be resumed
static int resumes;

static void fail(const char* what) {
  fprintf(stderr, "https: %s: %s\n", what, strerror(errno));
  ERR_print_errors_fp(stderr);
  exit(1);
}

static SSL_CTX* make_context(int version) {
  SSL_CTX* it = SSL_CTX_new(TLS_client_method());
  if (it == NULL || SSL_CTX_set_min_proto_version(it, version) != 1 ||
      SSL_CTX_set_max_proto_version(it, version) != 1 || SSL_CTX_set_default_verify_paths(it) != 1)
    fail("no context");
  SSL_CTX_set_verify(it, SSL_VERIFY_PEER, NULL);
  return it;
}

static Connection open_connection(void) {
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Connection it = {socket(AF_INET, SOCK_STREAM, 0), NULL};
  int on = 1;
  struct timeval limit = {10, 0};
  setsockopt(it.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(it.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(it.fd, (struct sockaddr*)&server, sizeof server) != 0) fail("connect");
  if (context == NULL) return it;
  it.ssl = SSL_new(context);
  if (it.ssl == NULL || SSL_set_fd(it.ssl, it.fd) != 1 || SSL_set1_host(it.ssl, "localhost") != 1 ||
      SSL_set_tlsext_host_name(it.ssl, "localhost") != 1)
    fail("no memory");
  if (session != NULL) SSL_set_session(it.ssl, session);
  if (SSL_connect(it.ssl) != 1) fail("the handshake");
  if (SSL_session_reused(it.ssl) != (session != NULL)) fail("resumed, or not, against the plan");
  return it;
}

static void close_connection(Connection it) {
  if (it.ssl != NULL) {
    SSL_shutdown(it.ssl);
    SSL_free(it.ssl);
  }
  close(it.fd);
}

static void exchange(Connection it) {
  static char answer[65536];
  char request[512];
  const int size =
      snprintf(request, sizeof request,
               "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nAccept: */*\r\n\r\n", path, port);
  ssize_t sent =
      it.ssl != NULL ? SSL_write(it.ssl, request, size) : send(it.fd, request, (size_t)size, 0);
  if (sent != size) fail("send");
  size_t have = 0, wanted = 0;
  while (wanted == 0 || have < wanted) {
    const size_t room = sizeof answer - 1 - have;
    ssize_t n = it.ssl != NULL ? SSL_read(it.ssl, answer + have, (int)room)
                               : recv(it.fd, answer + have, room, 0);
    if (n <= 0) fail("no complete answer");
    have += (size_t)n;
    answer[have] = '\0';
    if (wanted == 0) wanted = whole_answer(answer);
  }
  static size_t whole;
  if (whole == 0) whole = have;
  if (have != whole || strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
    fprintf(stderr, "https: not the answer that was expected: %.60s\n", answer);
    exit(1);
  }
}

static void one_connection(void) {
  Connection it = open_connection();
  exchange(it);
  if (resumes) {
    SSL_SESSION_free(session);
    session = SSL_get1_session(it.ssl);  // TLS 1.3 has it from the server behind the handshake
  }
  close_connection(it);
}

/// What is done once, with `kept` unless each is to have a connection of its own.
static void measure(const Connection* kept, double seconds) {
  enum { kMost = 4000000 };
  float* times = malloc(kMost * sizeof *times);
  int done = 0;
  double last = now();
  const double end = last + seconds;
  do {
    kept != NULL ? exchange(*kept) : one_connection();
    const double time = now();
    times[done++] = (float)((time - last) * 1e6);
    last = time;
  } while (done < kMost && last < end);
  print_figures(times, done);
  free(times);
}

/// Of this process, in bytes.
static long resident(void) {
  char line[128];
  long size = 0;
  FILE* file = fopen("/proc/self/smaps_rollup", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL && size == 0)
    sscanf(line, "Rss: %ld kB", &size);
  if (size == 0) fail("/proc/self/smaps_rollup");
  fclose(file);
  return size * 1024;
}

static void keep_idle(int count) {
  long before = 0;
  // The first ones bring what all of them share.
  for (int i = -10; i < count; i++) {
    if (i == 0) before = resident();
    exchange(open_connection());
  }
  printf("%ld\n", (resident() - before) / count);
}

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: https plain|1.2|1.3 roundtrips|new|resumed|idle PORT PATH AMOUNT\n");
    return 2;
  }
  const char* what = argv[2];
  port = (unsigned short)atoi(argv[3]);
  path = argv[4];
  if (strcmp(argv[1], "plain") != 0)
    context = make_context(strcmp(argv[1], "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
  if (strcmp(what, "idle") == 0) {
    keep_idle(atoi(argv[5]));
    return 0;
  }
  resumes = strcmp(what, "resumed") == 0 && context != NULL;
  // The first one may load things: it does not count.
  one_connection();
  Connection kept;
  const int keeps = strcmp(what, "roundtrips") == 0;
  if (keeps) {
    kept = open_connection();
    exchange(kept);
  }
  measure(keeps ? &kept : NULL, atof(argv[5]));
  SSL_SESSION_free(session);
  SSL_CTX_free(context);
  return 0;
}
