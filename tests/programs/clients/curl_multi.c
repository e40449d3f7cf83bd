// libcurl's multi interface with 50 transfers at once, both ways to drive it.
//
//   curl_multi poll|epoll ORIGIN
//
// Declared here is what is used of it, so that no package with headers is needed; the values are part
// of its ABI.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

typedef void CURL;
typedef void CURLM;
struct CURLMsg {
  int msg;
  CURL* easy;
  union {
    void* pointer;
    int result;
  } data;
};
CURL* curl_easy_init(void);
int curl_easy_setopt(CURL*, int, ...);
int curl_easy_getinfo(CURL*, int, ...);
void curl_easy_cleanup(CURL*);
CURLM* curl_multi_init(void);
int curl_multi_setopt(CURLM*, int, ...);
int curl_multi_add_handle(CURLM*, CURL*);
int curl_multi_remove_handle(CURLM*, CURL*);
int curl_multi_perform(CURLM*, int*);
int curl_multi_poll(CURLM*, void*, unsigned, int, int*);
int curl_multi_assign(CURLM*, int, void*);
int curl_multi_socket_action(CURLM*, int, int, int*);
struct CURLMsg* curl_multi_info_read(CURLM*, int*);
int curl_multi_cleanup(CURLM*);
enum {
  kWriteData = 10001,
  kUrl = 10002,
  kPrivate = 10103,
  kTimeout = 13,
  kFollow = 52,
  kNoSignal = 99,
  kWriteFunction = 20011,
  kResponseCode = 0x200002,
  kGetPrivate = 0x100015,
  kSocketFunction = 20001,
  kSocketData = 10002,
  kTimerFunction = 20004,
  kMaxTotal = 13,
};

enum { kTransfers = 50 };

struct transfer {
  unsigned long length, sum;
  long status;
  int result;
};

static struct transfer transfers[kTransfers];
static int epoll_fd, unfinished = kTransfers;
static long timeout = -1;

static size_t take(const char* bytes, size_t one, size_t count, void* to) {
  struct transfer* transfer = to;
  for (size_t i = 0; i < one * count; ++i)
    transfer->sum = transfer->sum * 31 + (unsigned char)bytes[i];
  transfer->length += one * count;
  return one * count;
}

static void collect(CURLM* multi) {
  int left;
  for (struct CURLMsg* message; (message = curl_multi_info_read(multi, &left)) != NULL;) {
    struct transfer* transfer = NULL;
    CURL* easy = message->easy;
    int result = message->data.result;
    curl_easy_getinfo(easy, kGetPrivate, &transfer);
    curl_easy_getinfo(easy, kResponseCode, &transfer->status);
    transfer->result = result;
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    --unfinished;
  }
}

static int socket_changes(CURL* easy, int fd, int what, void* multi, void* known) {
  (void)easy;
  struct epoll_event event = {.data.fd = fd};
  if ((what & 1) != 0) event.events |= EPOLLIN;
  if ((what & 2) != 0) event.events |= EPOLLOUT;
  if (what == 4)
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
  else
    epoll_ctl(epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  if (known == NULL && what != 4) curl_multi_assign(multi, fd, multi);
  return 0;
}

static int timer_changes(CURLM* multi, long milliseconds, void* unused) {
  (void)multi, (void)unused;
  timeout = milliseconds;
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  static const char* const paths[] = {"/json?",        "/chunked?",           "/until-close?",
                                      "/binary?",      "/redirect?hops=2&",   "/http10?",
                                      "/no/such/one?", "/text?size=300000&i="};
  CURLM* multi = curl_multi_init();
  curl_multi_setopt(multi, kMaxTotal, 25L);
  for (int i = 0; i < kTransfers; ++i) {
    char url[256];
    snprintf(url, sizeof url, "%s%s%d", argv[2], paths[i % 8], i);
    CURL* easy = curl_easy_init();
    curl_easy_setopt(easy, kUrl, url);
    curl_easy_setopt(easy, kWriteFunction, take);
    curl_easy_setopt(easy, kWriteData, &transfers[i]);
    curl_easy_setopt(easy, kPrivate, &transfers[i]);
    curl_easy_setopt(easy, kTimeout, 20L);
    curl_easy_setopt(easy, kFollow, 1L);
    curl_easy_setopt(easy, kNoSignal, 1L);
    curl_multi_add_handle(multi, easy);
  }
  int running = 0;
  if (strcmp(argv[1], "epoll") == 0) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    curl_multi_setopt(multi, kSocketFunction, socket_changes);
    curl_multi_setopt(multi, kSocketData, multi);
    curl_multi_setopt(multi, kTimerFunction, timer_changes);
    curl_multi_socket_action(multi, -1, 0, &running);
    while (unfinished > 0) {
      struct epoll_event events[16];
      int count = epoll_wait(epoll_fd, events, 16, timeout < 0 ? 20000 : (int)timeout);
      if (count == 0) {
        if (timeout < 0) return 1;
        timeout = -1;
        curl_multi_socket_action(multi, -1, 0, &running);
      }
      for (int i = 0; i < count; ++i) {
        int bits = ((events[i].events & (EPOLLIN | EPOLLHUP)) != 0 ? 1 : 0) |
                   ((events[i].events & EPOLLOUT) != 0 ? 2 : 0) |
                   ((events[i].events & EPOLLERR) != 0 ? 4 : 0);
        curl_multi_socket_action(multi, events[i].data.fd, bits, &running);
      }
      collect(multi);
    }
  } else {
    while (unfinished > 0) {
      curl_multi_perform(multi, &running);
      collect(multi);
      if (unfinished > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
  }
  curl_multi_cleanup(multi);
  for (int i = 0; i < kTransfers; ++i) {
    printf("%d: %d %ld %lu %lx\n", i, transfers[i].result, transfers[i].status, transfers[i].length,
           transfers[i].sum);
  }
  return 0;
}
