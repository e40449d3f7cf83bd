// A program that uses cassette.h, steered by its arguments: each is one step, and most print one line.
//   get URL-PATH       asks the server over one kept connection; prints the body, or the miss
//   fresh URL-PATH     the same over a new connection
//   insert PATH  eject  rewind  index  advance  take  session ID  session-new  session-end
//   put KEY VALUE  value KEY  clear  bypass  bypass-end  chdir PATH  sh COMMAND
//   fork               everything behind it happens in a child, and the parent waits
//   name HOST          looks a name up; prints "real" or "made up" (198.18.0.0/15)
// Each function's result is printed, and the name of errno when that was set.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/cassette.h"

static const char* host = "127.0.0.1";
static int port;
static int kept = -1;

static int open_connection(void) {
  struct sockaddr_in address = {0};
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  inet_pton(AF_INET, host, &address.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) == 0) return fd;
  printf("connect: %s\n", strerrorname_np(errno));
  close(fd);
  return -1;
}

// Prints "status body" of one answer with a Content-Length.
static void get(int fd, const char* path) {
  if (fd < 0) return;
  char request[512], answer[65536];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%d\r\n\r\n", path, host, port);
  if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
    printf("send: %s\n", strerrorname_np(errno));
    return;
  }
  size_t have = 0;
  for (;;) {
    ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
    if (n <= 0) break;
    have += (size_t)n;
    answer[have] = 0;
    const char* head = strstr(answer, "\r\n\r\n");
    const char* size = strcasestr(answer, "content-length:");
    if (head && size && have >= (size_t)(head + 4 - answer) + (size_t)atol(size + 15)) break;
  }
  answer[have] = 0;
  const char* reason = strcasestr(answer, "x-cassette-miss: ");
  const char* body = strstr(answer, "\r\n\r\n");
  if (reason) {
    printf("miss: %.*s\n", (int)strcspn(reason + 17, "\r"), reason + 17);
  } else if (body) {
    body += 4;
    printf("%.*s\n", (int)strcspn(body, "\n"), body);
  } else {
    printf("nothing\n");
  }
}

static void result(const char* name, long value) {
  int error = errno;
  printf("%s %ld", name, value);
  if (error != 0) printf(value < 0 ? " %s" : " with errno %s", strerrorname_np(error));
  printf("\n");
}

int main(int count, char** arguments) {
  port = atoi(arguments[1]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 2; i < count; ++i) {
    const char* step = arguments[i];
    const char* next = i + 1 < count ? arguments[i + 1] : "";
    errno = 0;
    if (!strcmp(step, "get")) {
      if (kept < 0) kept = open_connection();
      get(kept, next), ++i;
    } else if (!strcmp(step, "fresh")) {
      int fd = open_connection();
      get(fd, next), ++i;
      if (fd >= 0) close(fd);
    } else if (!strcmp(step, "insert")) {
      result("insert", cassette_insert(next)), ++i;
    } else if (!strcmp(step, "eject")) {
      result("eject", cassette_eject());
    } else if (!strcmp(step, "rewind")) {
      result("rewind", cassette_rewind());
    } else if (!strcmp(step, "index")) {
      result("index", cassette_index());
    } else if (!strcmp(step, "advance")) {
      result("advance", cassette_advance());
    } else if (!strcmp(step, "take")) {
      result("take", cassette_get_and_advance());
    } else if (!strcmp(step, "session")) {
      result("session", cassette_session_start(next)), ++i;
    } else if (!strcmp(step, "session-new")) {
      result("session", cassette_session_start(NULL));
    } else if (!strcmp(step, "session-end")) {
      result("session-end", cassette_session_end());
    } else if (!strcmp(step, "put")) {
      result("put", cassette_context_put(next, i + 2 < count ? arguments[i + 2] : "")), i += 2;
    } else if (!strcmp(step, "value")) {
      const char* value = cassette_context_get(next);
      printf("value %s\n", value ? value : "(none)"), ++i;
    } else if (!strcmp(step, "clear")) {
      result("clear", cassette_context_clear());
    } else if (!strcmp(step, "bypass")) {
      cassette_bypass_begin();
    } else if (!strcmp(step, "bypass-end")) {
      cassette_bypass_end();
    } else if (!strcmp(step, "chdir")) {
      if (chdir(next) != 0) return 1;
      ++i;
    } else if (!strcmp(step, "sh")) {
      fflush(stdout);
      if (system(next) != 0) printf("sh failed\n");
      ++i;
    } else if (!strcmp(step, "fork")) {
      fflush(stdout);
      pid_t pid = fork();
      if (pid > 0) {
        int status = 0;
        waitpid(pid, &status, 0);
        return WEXITSTATUS(status);
      }
      kept = -1;
    } else if (!strcmp(step, "name")) {
      struct addrinfo hints = {0}, *found = NULL;
      hints.ai_family = AF_INET;
      int error = getaddrinfo(next, NULL, &hints, &found);
      if (error != 0) {
        printf("name %s\n", error == EAI_NONAME ? "EAI_NONAME" : "unknown");
      } else {
        unsigned char* bytes = (unsigned char*)&((struct sockaddr_in*)found->ai_addr)->sin_addr;
        printf("name %s\n", bytes[0] == 198 && (bytes[1] & 254) == 18 ? "made up" : "real");
        freeaddrinfo(found);
      }
      ++i;
    } else {
      fprintf(stderr, "unknown step %s\n", step);
      return 2;
    }
  }
  return 0;
}
