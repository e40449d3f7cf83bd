// A client on GnuTLS. It lets GnuTLS check the certificate and the host's name within the handshake, as GnuTLS's own
// examples (and apt) do; asks once, half-closes, and reads to the end.
//
//   gnutls_client HOST PORT PATH [CA_FILE]     without a file: what the system trusts
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what, int code) {
  fprintf(stderr, "%s: %s\n", what, gnutls_strerror(code));
  return 1;
}

int main(int count, char **arguments) {
  if (count < 4) return fail("usage: gnutls_client HOST PORT PATH [CA_FILE]", 0);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *list;
  if (getaddrinfo(arguments[1], arguments[2], &hints, &list) != 0) return fail("getaddrinfo", 0);
  int fd = socket(list->ai_family, SOCK_STREAM, 0);
  if (connect(fd, list->ai_addr, list->ai_addrlen) != 0) return fail("connect", 0);

  gnutls_certificate_credentials_t credentials;
  gnutls_session_t session;
  gnutls_certificate_allocate_credentials(&credentials);
  int result = count > 4
                   ? gnutls_certificate_set_x509_trust_file(credentials, arguments[4], GNUTLS_X509_FMT_PEM)
                   : gnutls_certificate_set_x509_system_trust(credentials);
  if (result < 0) return fail("certificates", result);
  gnutls_init(&session, GNUTLS_CLIENT);
  gnutls_server_name_set(session, GNUTLS_NAME_DNS, arguments[1], strlen(arguments[1]));
  gnutls_set_default_priority(session);
  gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
  gnutls_session_set_verify_cert(session, arguments[1], 0);
  gnutls_transport_set_int(session, fd);
  do result = gnutls_handshake(session);
  while (result < 0 && !gnutls_error_is_fatal(result));
  if (result < 0) return fail("handshake", result);

  char text[4096];
  int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", arguments[3],
                      arguments[1]);
  if ((result = gnutls_record_send(session, text, (size_t)size)) < 0) return fail("send", result);
  gnutls_bye(session, GNUTLS_SHUT_WR);  // half-closed: the answer still comes
  size_t got = 0;
  while ((result = gnutls_record_recv(session, text + got, sizeof text - 1 - got)) > 0 || result == GNUTLS_E_AGAIN)
    got += result > 0 ? (size_t)result : 0;
  if (result < 0 && result != GNUTLS_E_PREMATURE_TERMINATION) return fail("receive", result);
  text[got] = '\0';
  char *body = strstr(text, "\r\n\r\n");
  fputs(body ? body + 4 : text, stdout);
  gnutls_deinit(session);
  gnutls_certificate_free_credentials(credentials);
  return 0;
}
