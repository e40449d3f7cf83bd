// Every function of libc that asks a name server.
//
//   name_queries query NAME        res_query() and its kind: how many bytes each got, or its error
//   name_queries async NAME PORT   getaddrinfo_a() in all its ways, and a request to the address that it found
//   name_queries remote NAME       rcmd() and its kind
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static unsigned char answer[1024];

static void got(const char* what, int size) {
  if (size < 0)
    printf("%s: h_errno %d errno %s\n", what, h_errno, strerrorname_np(errno));
  else
    printf("%s: an answer\n", what);
  h_errno = errno = 0;
}

static void query(const char* name) {
  struct __res_state state = {0};
  unsigned char message[512];
  char first[256];
  const char* rest = strchr(name, '.') + 1;
  snprintf(first, sizeof first, "%.*s", (int)(rest - name - 1), name);
  res_ninit(&state);
  got("res_query", res_query(name, ns_c_in, ns_t_a, answer, sizeof answer));
  got("res_search", res_search(name, ns_c_in, ns_t_a, answer, sizeof answer));
  got("res_querydomain", res_querydomain(first, rest, ns_c_in, ns_t_a, answer, sizeof answer));
  got("res_nquery", res_nquery(&state, name, ns_c_in, ns_t_a, answer, sizeof answer));
  printf("%d\n", state.res_h_errno);
  got("res_nsearch", res_nsearch(&state, name, ns_c_in, ns_t_a, answer, sizeof answer));
  got("res_nquerydomain",
      res_nquerydomain(&state, first, rest, ns_c_in, ns_t_a, answer, sizeof answer));
  int size = res_mkquery(ns_o_query, name, ns_c_in, ns_t_a, NULL, 0, NULL, message, sizeof message);
  printf("res_mkquery: %s\n", size > 0 ? "a query" : "nothing");
  got("res_send", res_send(message, size, answer, sizeof answer));
  got("res_nsend", res_nsend(&state, message, size, answer, sizeof answer));
}

static volatile sig_atomic_t told, code;
static void on_done(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)context;
  told = info->si_value.sival_int;
  code = info->si_code;
}
static void in_thread(union sigval value) { told = value.sival_int; }

static void wait_told(int value) {
  for (int i = 0; i < 3000 && told != value; i++) usleep(1000);
  printf("told: %d\n", (int)told);
}

static void ask(const struct gaicb* found, const char* path) {
  if (found->ar_result == NULL) return;
  int fd = socket(found->ar_result->ai_family, SOCK_STREAM, 0);
  size_t size = 0;
  ssize_t more;
  char bytes[2048];
  if (connect(fd, found->ar_result->ai_addr, found->ar_result->ai_addrlen) != 0) perror("connect");
  dprintf(fd, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, found->ar_name);
  while ((more = read(fd, bytes + size, sizeof bytes - 1 - size)) > 0) size += (size_t)more;
  bytes[size] = '\0';
  const char* body = strstr(bytes, "\r\n\r\n");
  printf("%s", body != NULL ? body + 4 : "no answer\n");
  close(fd);
}

static void async(const char* name, const char* port) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
  struct gaicb one = {name, port, &hints, NULL, 0, {0}}, two = one, three = one, four = one,
               numeric = one, none = one;
  numeric.ar_name = "127.0.0.1";
  struct gaicb* list[] = {&one, NULL, &numeric};
  printf("GAI_WAIT: %d", getaddrinfo_a(GAI_WAIT, list, 3, NULL));
  printf(" %d %d\n", gai_error(&one), gai_error(&numeric));
  ask(&one, "/turn");

  struct gaicb* second[] = {&two};
  const struct gaicb* watched[] = {&two};
  printf("GAI_NOWAIT: %d\n", getaddrinfo_a(GAI_NOWAIT, second, 1, NULL));
  int suspended = gai_suspend(watched, 1, NULL);
  printf("gai_suspend: %s\n",
         suspended == 0 || suspended == EAI_ALLDONE ? "done" : gai_strerror(suspended));
  printf("gai_suspend: %s\n", gai_strerror(gai_suspend(watched, 1, NULL)));
  printf("gai_error: %d\n", gai_error(&two));
  ask(&two, "/turn");

  struct sigaction action = {.sa_sigaction = on_done, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  struct sigevent event = {
      .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
  struct gaicb* third[] = {&three};
  printf("SIGEV_SIGNAL: %d\n", getaddrinfo_a(GAI_NOWAIT, third, 1, &event));
  wait_told(7);
  printf("code: %d result: %d\n", (int)code, gai_error(&three));

  event = (struct sigevent){
      .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 8};
  struct gaicb* fourth[] = {&four};
  printf("SIGEV_THREAD: %d\n", getaddrinfo_a(GAI_NOWAIT, fourth, 1, &event));
  wait_told(8);
  printf("result: %d\n", gai_error(&four));

  none.ar_service = "no-such-service";
  struct gaicb* fifth[] = {&none};
  getaddrinfo_a(GAI_WAIT, fifth, 1, NULL);
  printf("no such service: %s\n", gai_strerror(gai_error(&none)));
  printf("gai_cancel: %s\n", gai_strerror(gai_cancel(&none)));
  int status = getaddrinfo_a(5, fifth, 1, NULL);
  printf("another mode: %d %s\n", status, strerrorname_np(errno));

  enum { kMany = 100 };
  static struct gaicb many[kMany];
  static struct gaicb* all[kMany];
  for (int i = 0; i < kMany; i++) {
    many[i] = (struct gaicb){name, port, &hints, NULL, 0, {0}};
    all[i] = &many[i];
  }
  int good = 0;
  getaddrinfo_a(GAI_WAIT, all, kMany, NULL);
  for (int i = 0; i < kMany; i++) good += gai_error(all[i]) == 0 && many[i].ar_result != NULL;
  printf("many: %d\n", good);
}

/// Requests to a name server that does not answer.
static void slow(const char* name) {
  enum { kMany = 30 };
  static struct gaicb many[kMany];
  static struct gaicb* all[kMany];
  const struct gaicb* first[] = {&many[0]};
  struct timespec little = {0, 50000000};
  for (int i = 0; i < kMany; i++) {
    many[i] = (struct gaicb){.ar_name = name};
    all[i] = &many[i];
  }
  getaddrinfo_a(GAI_NOWAIT, all, kMany, NULL);
  usleep(50000);
  printf("gai_error: %s\n", gai_strerror(gai_error(all[0])));
  printf("gai_suspend: %s\n", gai_strerror(gai_suspend(first, 1, &little)));
  printf("gai_cancel: %s\n", gai_strerror(gai_cancel(all[0])));
  printf("gai_cancel: %s\n", gai_strerror(gai_cancel(all[kMany - 1])));
  printf("gai_error: %s\n", gai_strerror(gai_error(all[kMany - 1])));
  fflush(stdout);
  _exit(0);
}

static void remote(const char* name) {
  char* host = (char*)name;
  int status = rcmd(&host, htons(1), "a", "b", "c", NULL);
  printf("rcmd: %d %s\n", status, strerrorname_np(errno));
  errno = 0;
  host = (char*)name;
  status = rexec(&host, htons(1), "a", "b", "c", NULL);
  printf("rexec: %d %s\n", status, strerrorname_np(errno));
  printf("ruserok: %d\n", ruserok(name, 0, "a", "b"));
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc < 3) return 2;
  if (strcmp(argv[1], "query") == 0) query(argv[2]);
  if (strcmp(argv[1], "async") == 0) async(argv[2], argv[3]);
  if (strcmp(argv[1], "slow") == 0) slow(argv[2]);
  if (strcmp(argv[1], "remote") == 0) remote(argv[2]);
  return 0;
}
