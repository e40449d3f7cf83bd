"""Servers for speaks_first.test: speaks_first.py KIND PORT_FILE LOG PARENT. Each writes a line "KIND open" to LOG when somebody
connects, and "KIND end N" (or "KIND reset N") when that one has sent N bytes and ended. Ends with its parent.

    http      answers GET with the path
    greeting  says "220 welcome", answers each line with "+" and the line, an end with "+bye"
    clock     waits for an end, and says "noon"
"""
import sys

from listening import serve_connections

kind, port_file, log_file, parent = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def log(what):
    with open(log_file, "a") as file:
        file.write("%s %s\n" % (kind, what))


def answer(client, read):
    if kind == "greeting":
        client.sendall(b"220 welcome\n")
        while line := read():
            client.sendall(b"+" + line)
        client.sendall(b"+bye\n")
    elif kind == "clock":
        while read():
            pass
        client.sendall(b"noon\n")
    else:
        while line := read():
            path = line.split()[1]
            while read() not in (b"\r\n", b""):
                pass
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s\n" % (len(path) + 1, path))


def serve(client):
    log("open")
    file = client.makefile("rb")
    taken = 0

    def read():
        nonlocal taken
        line = file.readline()
        taken += len(line)
        return line

    try:
        answer(client, read)
        log("end %d" % taken)
    except ConnectionError:
        log("reset %d" % taken)
    file.close()
    client.close()


serve_connections(serve, port_file, parent)
