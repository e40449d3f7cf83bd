// A client on OpenSSL with non-blocking I/O and poll(2), as event loops do it: checks the certificate and the
// host's name, asks twice on one connection, prints what it gets.
//
//   openssl_nonblocking HOST PORT PATH [CA_FILE]     without a file: OpenSSL's default places
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
  fprintf(stderr, "%s: ", what);
  ERR_print_errors_fp(stderr);
  fprintf(stderr, "\n");
  return 1;
}

// Waits for what the last call wants. 0: it was another kind of failure.
static int wait_for(SSL *ssl, int result) {
  struct pollfd one = {SSL_get_fd(ssl), 0, 0};
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
      one.events = POLLIN;
      break;
    case SSL_ERROR_WANT_WRITE:
      one.events = POLLOUT;
      break;
    default:
      return 0;
  }
  return poll(&one, 1, 10000) == 1;
}

static int ask(SSL *ssl, const char *host, const char *path) {
  char text[4096];
  int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host), got = 0, result;
  while ((result = SSL_write(ssl, text, size)) <= 0)
    if (!wait_for(ssl, result)) return fail("write");
  // The answers of the tests are short, and have a length.
  for (;;) {
    result = SSL_read(ssl, text + got, (int)sizeof text - 1 - got);
    if (result <= 0) {
      if (!wait_for(ssl, result)) return fail("read");
      continue;
    }
    text[got += result] = '\0';
    char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
    int wanted;
    if (body && length && sscanf(length + 15, "%d", &wanted) == 1 && text + got - (body + 4) >= wanted)
      return fputs(body + 4, stdout) < 0;
  }
}

int main(int count, char **arguments) {
  if (count < 4) return fail("usage: openssl_nonblocking HOST PORT PATH [CA_FILE]");
  const char *host = arguments[1];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *list;
  if (getaddrinfo(host, arguments[2], &hints, &list) != 0) return fail("getaddrinfo");
  int fd = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
  if (connect(fd, list->ai_addr, list->ai_addrlen) != 0 && errno != EINPROGRESS) return fail("connect");
  freeaddrinfo(list);
  struct pollfd one = {fd, POLLOUT, 0};
  socklen_t length = sizeof error;
  if (poll(&one, 1, 10000) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
    return fail("connect");

  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  if (count > 4 ? SSL_CTX_load_verify_locations(context, arguments[4], NULL) != 1
                : SSL_CTX_set_default_verify_paths(context) != 1)
    return fail("certificates");
  SSL *ssl = SSL_new(context);
  SSL_set_tlsext_host_name(ssl, host);
  SSL_set1_host(ssl, host);
  SSL_set_fd(ssl, fd);
  int result;
  while ((result = SSL_connect(ssl)) != 1)
    if (!wait_for(ssl, result)) return fail("handshake");
  if (ask(ssl, host, arguments[3]) || ask(ssl, host, arguments[3])) return 1;
  while ((result = SSL_shutdown(ssl)) < 0 && wait_for(ssl, result)) {
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
  return 0;
}
