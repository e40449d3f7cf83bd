"""Kills recording programs at random moments, again and again, and looks whether what they had received is there.

    crash_loop.py COMMAND LIBRARY RECORDER PORT DIRECTORY ROUNDS SEED

The clients are those of recorder.c: alone, forked, threads, several at once; under `cassette run` and bare, in all modes
that record and in all forms; killed as a whole group at any moment, also while the session's end merges. After each round
cassette and journal together have every answer that was received, once and whole, and nothing twice; from time to time
the next to come by merges, and nothing is left lying about. The last line is `ok N rounds: ...` or `not ok ...`.
"""
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time

command, library, recorder, port, directory = sys.argv[1:6]
rounds, seed = int(sys.argv[6]), int(sys.argv[7])
random.seed(seed)
host = "http://127.0.0.1:" + port
sessions = os.path.join(os.environ["CASSETTE_RUNTIME_DIR"], "sessions")


PR_SET_CHILD_SUBREAPER = 36  # children of the killed are ours to wait for
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Tape:
    """A cassette that several rounds record into."""

    made = 0

    def __init__(self):
        Tape.made += 1
        self.form = random.choice(["yaml", "json", "directory"])
        name = "%d" % Tape.made if self.form == "directory" else "%d.%s" % (Tape.made, self.form)
        self.path = os.path.join(directory, "d%d" % Tape.made, name)
        self.received = os.path.join(directory, "%d.received" % Tape.made)
        self.log = os.path.join(directory, "%d.log" % Tape.made)
        self.rounds = 0


def fail(tape, why):
    print("not ok crash-loop: round %d of SEED=%d, %s: %s" % (number, seed, tape.path, why))
    sys.stdout.flush()
    subprocess.run(["ls", "-laR", os.path.dirname(tape.path)])
    subprocess.run(["tail", "-n", "30", tape.log])
    if os.environ.get("CRASH_KEEP"):
        subprocess.run(["cp", "-r", os.path.dirname(tape.path), tape.received, tape.log, os.environ["CRASH_KEEP"]])
    sys.exit(1)


def interactions(tape):
    shown = subprocess.run([command, "show", "--json", tape.path], capture_output=True, timeout=60)
    if shown.returncode != 0:
        if not os.path.exists(tape.path) and not os.path.exists(tape.path + ".journal"):
            return []
        if not os.path.exists(tape.path) and b"No such file" in shown.stderr:
            return []  # a journal without a whole record
        fail(tape, "it cannot be read: %s" % shown.stderr.decode())
    return json.loads(shown.stdout)


def check(tape):
    try:
        received = open(tape.received).read().split("\n")[:-1]
    except FileNotFoundError:
        received = []
    there = set()
    for each in interactions(tape):
        target = each["request"]["uri"][len(host):]
        size = int(target.split("size=")[1])
        if each["response"]["body"]["text"] != ("this is %s\n" % target).ljust(size, "."):
            fail(tape, "%s is damaged" % target)
        if target in there:
            fail(tape, "%s is there twice" % target)
        there.add(target)
    lost = [target for target in received if target not in there]
    if lost:
        fail(tape, "%d of %d lost, such as %s" % (len(lost), len(received), lost[0]))
    return len(received)


def settle(tape):
    """The next to come by merges what the dead left."""
    subprocess.run([command, "report-unused", tape.path], capture_output=True, timeout=60)
    env = dict(os.environ, CASSETTE=tape.path, CASSETTE_MODE="new_episodes", LD_PRELOAD=library)
    subprocess.run([recorder, port, "/dev/null", "settle%d" % number, "1", "single"], env=env, check=True, timeout=60)
    check(tape)
    if os.path.exists(tape.path + ".journal"):
        fail(tape, "the journal stays")
    for folder, _, names in os.walk(os.path.dirname(tape.path)):
        left = [name for name in names if name.startswith(".cassette-")]
        if left:
            fail(tape, "temporaries stay: %s" % left)


def start(tape, mode, number, client, way, count, ran):
    arguments = [recorder, port, tape.received, "r%d.%d" % (number, client), str(count), way]
    env = dict(os.environ, CASSETTE_LOG="debug:" + tape.log)
    if ran:
        arguments = [command, "run", "-c", tape.path, "-m", mode, "--"] + arguments
    else:
        env.update(CASSETTE=tape.path, CASSETTE_MODE=mode, LD_PRELOAD=library)
    return subprocess.Popen(arguments, env=env, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_merging(clients):
    """Until a session is being ended, or all is over."""
    end = time.monotonic() + 2
    while time.monotonic() < end and any(client.poll() is None for client in clients):
        try:
            if any(name.startswith(".ended-") for name in os.listdir(sessions)):
                break
        except FileNotFoundError:
            pass
        time.sleep(0.0003)
    time.sleep(random.uniform(0, 0.006))


tape = Tape()
answers = killed = merging = 0
for number in range(rounds):
    mode = random.choice(["new_episodes"] * 4 + ["all", "once", "rewrite"])
    # What replaces, and what records into nothing only, gets its own.
    if tape.rounds >= 12 or (mode in ("once", "rewrite") and tape.rounds > 0):
        answers += check(tape)
        settle(tape)
        tape = Tape()
    several = 1 if mode == "rewrite" else random.choice([1, 1, 2, 3])
    # Killed as a whole, `cassette run` may still see the program die first: a program that failed replaces nothing.
    ran = mode in ("new_episodes", "once") and random.random() < 0.6
    clients = [start(tape, mode, number, client, random.choice(["single", "forked", "threads"]),
                     random.choice([2, 5, 12, 40]), ran) for client in range(several)]
    if random.random() < 0.3:
        wait_for_merging(clients)
        merging += 1
    else:
        time.sleep(random.uniform(0.002, 0.06))
    for client in clients:
        killed += client.poll() is None
        try:
            os.killpg(client.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for client in clients:
        client.wait()
        try:
            while True:
                os.waitpid(-client.pid, 0)  # the rest of the group
        except ChildProcessError:
            pass
    tape.rounds += 1
    check(tape)
    if mode in ("once", "rewrite"):
        answers += check(tape)
        if random.random() < 0.5:
            settle(tape)
        tape = Tape()
answers += check(tape)
settle(tape)
if killed < rounds / 4 or answers < rounds:
    print("not ok crash-loop: only %d clients were killed, %d answers received" % (killed, answers))
    sys.exit(1)
print("ok %d rounds: %d clients were killed while they ran, %d rounds near a merge, %d answers are all there"
      % (rounds, killed, merging, answers))
