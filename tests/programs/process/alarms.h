// What the programs of process.test share that have SIGALRM come all the time: each begins with begin_alarmed(), and
// handles the signal in a function on_alarm() of its own.
#pragma once

#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include "tests/programs/descriptors/http.h"

static void on_alarm(int signal);

// SIGALRM is not the limit of time here: another timer ends the program when it hangs.
static void begin_alarmed(int argc, char** argv, int seconds) {
  begin(argc, argv);
  alarm(0);
  timer_t watchdog;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
  struct itimerspec end = {{0, 0}, {seconds, 0}};
  timer_create(CLOCK_MONOTONIC, &event, &watchdog);
  timer_settime(watchdog, 0, &end, NULL);
}

// A signal each so many microseconds, none when 0. `flags` of sigaction(2).
static void alarms(int flags, long microseconds) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &timer, NULL);
}
