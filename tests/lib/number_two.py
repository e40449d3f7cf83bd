"""What is at number 2 while a program under test says much: number_two.py KIND COMMAND... Prints how the command ended ("status
N", "still running"), and what KIND is about:

  pipe        a pipe that is read when the command has ended: how many lines, and how many are said to be lost
  reopened    a pipe that is read when the command has said "full" on stdout, and then goes on
  no-reader   a pipe that nobody can read any more
  peer        a connection of the network: what the peer got
  stopped     a terminal that is stopped (^S), and goes on when the command has ended
  background  a terminal whose foreground is another process group, with `stty tostop`"""
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios

LIMIT = 30
kind, command = sys.argv[1], sys.argv[2:]


def ended(child):
    try:
        return "status %d" % child.wait(LIMIT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return "still running"


def told(lines):
    lost = re.findall(rb"cassette: messages that were lost here, because nobody read them: \d+\n", lines)
    print("whole lines" if all(line.startswith(b"cassette: ") for line in lines.splitlines()) else lines[:300])
    print("some" if lines.count(b"cassette: miss") > 0 else "none", "lost" if lost else "nothing lost")


def until_quiet(fd, patience=0.5):
    text = b""
    while select.select([fd], [], [], patience)[0]:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    return text


def terminal():
    """Its two ends; the inner one is the controlling terminal of whoever begins a session with it."""
    outer, inner = pty.openpty()
    settings = termios.tcgetattr(inner)
    settings[1] &= ~termios.OPOST
    settings[3] &= ~(termios.ECHO | termios.ISIG)
    settings[0] |= termios.IXON
    if kind == "background":
        settings[3] |= termios.TOSTOP
    termios.tcsetattr(inner, termios.TCSANOW, settings)
    return outer, inner


if kind == "pipe":
    child = subprocess.Popen(command, stderr=subprocess.PIPE)
    print(ended(child))
    told(child.stderr.read())
elif kind == "reopened":
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    first = until_quiet(child.stderr.fileno())
    child.stdin.close()
    print(ended(child))
    told(first + child.stderr.read())
elif kind == "no-reader":
    outer, inner = os.pipe()
    os.close(outer)
    print(ended(subprocess.Popen(command, stderr=inner)))
elif kind == "peer":
    listening = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listening.getsockname())
    peer = listening.accept()[0]
    child = subprocess.Popen(command, stderr=ours)
    ours.close()
    print(ended(child))
    print("%d bytes" % len(peer.recv(4096)))
elif kind == "stopped":
    outer, inner = terminal()
    os.write(outer, b"\x13")
    child = subprocess.Popen(command, stderr=inner)
    how = ended(child)
    os.write(outer, b"\x11")
    print(how, "something" if b"cassette: miss" in until_quiet(outer) else "nothing", "behind it")
elif kind == "background":
    outer, inner = terminal()
    if os.fork() == 0:
        os.setsid()
        fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
        os.tcsetpgrp(inner, os.getpgrp())
        child = subprocess.Popen(command, stderr=inner, preexec_fn=os.setpgrp)
        stopped = os.waitpid(child.pid, os.WUNTRACED)[1]
        print("stopped by %d" % os.WSTOPSIG(stopped) if os.WIFSTOPPED(stopped) else "status %d" % (stopped >> 8))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    print("something" if b"cassette: miss" in until_quiet(outer) else "nothing", "is there")
