#!/usr/bin/env python3
"""A server whose answers come and end in ways that tests/origin.py does not have. tests/programs/endings.test says which.

    tests/lib/endings.py PORT_FILE PARENT [CERTIFICATE KEY]

Each connection has a thread; what is done for a path is the table ANSWERS. With a certificate it speaks TLS.
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
asked = {}


def whole(text):
    return OK % (len(text), text)


class Closed(Exception):
    """The connection is closed by us."""


class Connection:
    def __init__(self, connection):
        self.connection, self.rest = connection, b""

    def read_until(self, mark):
        while mark not in self.rest:
            piece = self.connection.recv(65536)
            if not piece:
                raise Closed
            self.rest += piece
        taken, self.rest = self.rest.split(mark, 1)
        return taken

    def read(self, size):
        while len(self.rest) < size:
            piece = self.connection.recv(65536)
            if not piece:
                raise Closed
            self.rest += piece
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def send(self, text):
        self.connection.sendall(text)

    def close(self):
        raise Closed

    def reset(self):
        time.sleep(0.1)  # what was sent is to arrive
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed

    def serve(self):
        while True:
            head = self.read_until(b"\r\n\r\n").decode("latin-1")
            lines = head.split("\r\n")
            method, target, _ = lines[0].split(" ")
            self.fields = {line.split(":")[0].lower(): line.split(":", 1)[1].strip() for line in lines[1:]}
            self.target, self.path = target, target.split("?")[0]
            asked[self.path] = self.turn = asked.get(self.path, 0) + 1
            refuses = self.path.startswith("/refuse")
            if "content-length" in self.fields and not (refuses and "expect" in self.fields):
                self.read(int(self.fields["content-length"]))
            ANSWERS[self.path](self)


def until_close(c):
    c.send(b"HTTP/1.1 200 OK\r\n\r\nuntil close\n")
    c.close()


def identity(c):
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nidentity\n")
    c.close()


def closes(c):
    c.send(whole(b"and close\n"))
    c.close()


def closes_chunked(c):
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nchunk\n\r\n0\r\n\r\n")
    c.close()


def cut_length(c):
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this\n")
    c.close()


def cut_chunked(c):
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n")
    c.close()


def reset_amid(c):
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this\n")
    c.reset()


def gives_up(c):  # the first time it takes longer than the client waits
    if c.turn == 1:
        time.sleep(3)
    c.send(whole(b"order %d\n" % c.turn))


def stalls(c):
    if c.target.endswith("?silent"):
        time.sleep(30)
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this\n")
    time.sleep(30)


def events(c):
    c.send(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n")
    for i in range(600):
        event = b"data: %d\n" % i
        c.send(b"%x\r\n%s\r\n" % (len(event), event))
        time.sleep(0.05)


def slow_head(c):
    time.sleep(0.3)
    c.send(whole(b"at last\n"))


def slow_body(c):
    time.sleep(0.2)
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    time.sleep(0.3)
    c.send(b"now\n")


def hints(c):
    c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + whole(b"ok"))


def refuse(c):
    if "expect" in c.fields:
        c.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
    else:
        c.send(whole(b"taken\n"))


def refuse_401(c):
    c.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")


def echo(c):
    c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        size = int(c.read_until(b"\r\n"), 16)
        piece = c.read(size)
        c.read_until(b"\r\n")
        c.send(b"%x\r\n%s\r\n" % (size, piece))
        if size == 0:
            return


ANSWERS = {
    "/until-close": until_close,
    "/identity": identity,
    "/closes": closes,
    "/closes-chunked": closes_chunked,
    "/once": lambda c: (c.send(whole(b"once\n")), c.close()) if c.turn == 1 else c.send(whole(b"again\n")),
    "/nothing": Connection.close,
    "/cut-length": cut_length,
    "/cut-chunked": cut_chunked,
    "/reset-amid": reset_amid,
    "/orders": gives_up,
    "/stalls": stalls,
    "/events": events,
    "/slow-head": slow_head,
    "/slow-body": slow_body,
    "/hints": hints,
    "/refuse": refuse,
    "/refuse-401": refuse_401,
    "/echo": echo,
    "/v": lambda c: c.send(whole(b"v\n")),
    "/w": lambda c: c.send(whole(b"w\n")),
}


def serve(connection, context):
    try:
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        Connection(connection).serve()
    except (Closed, OSError, ValueError):
        pass
    finally:
        connection.close()


def main():
    context = None
    if len(sys.argv) > 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    listener.settimeout(0.3)
    with open(sys.argv[1] + ".new", "w") as file:
        file.write("%d\n" % listener.getsockname()[1])
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while os.path.exists("/proc/" + sys.argv[2]):
        try:
            connection = listener.accept()[0]
        except socket.timeout:
            continue
        connection.settimeout(None)
        threading.Thread(target=serve, args=(connection, context), daemon=True).start()


main()
