#!/usr/bin/env python3
"""A small HTTP server with many shapes of answers, for the tests and the demo to record from.

    tests/origin.py [--port N] [--port-file FILE] [--count-file FILE] [--seconds N] [--parent PID] [--ipv6]

Listens on 127.0.0.1 (with --ipv6 on ::1 too, at the same port), on any free port unless one is given, and writes the
port to FILE or to stdout. It ends after N seconds, or with the process that started it, so that nothing is left behind
(--parent says which that is, for one that may be gone before this runs).

It counts the requests it gets (/__count shows the number, --count-file keeps it for when the server is gone) and, for
each target, how often it was asked (/turn shows that, so that equal requests get different answers). /__reset forgets
the latter. Both of these are not counted. Answers carry no date, so that two runs give the same bytes.

What it answers at which path is the table ANSWERS at the end. A request in absolute form, as a client sends it to a
forward proxy, is answered as if this server were the one that the request names.
"""
import argparse
import asyncio
import gzip
import hashlib
import json
import os
import re
import socket
import sys
from urllib.parse import parse_qs, urlsplit

REASONS = {200: "OK", 204: "No Content", 302: "Found", 304: "Not Modified", 400: "Bad Request", 404: "Not Found",
           417: "Expectation Failed", 418: "I'm a teapot", 500: "Internal Server Error", 501: "Not Implemented"}
MAX_HEAD = 1 << 20

counted = 0
turns = {}  # target -> how often it was asked for
count_fd = None


class BadRequest(Exception):
    """The client sent something that is not an HTTP request; the text says what."""


def count(target):
    global counted
    counted += 1
    turns[target] = turns.get(target, 0) + 1
    if count_fd is not None:
        # The number never gets shorter, so writing over it leaves no rest; a reader sees the old one or the new one.
        os.pwrite(count_fd, b"%d\n" % counted, 0)
    return turns[target]


def pattern(size):
    """Bytes that do not compress, do not repeat and are the same in every run."""
    return hashlib.shake_128(b"origin").digest(size)


class Request:
    def __init__(self, method, target, version, headers):
        self.method, self.version, self.headers = method, version, headers
        self.target = target
        parts = urlsplit(target)
        if parts.scheme:  # absolute form
            self.target = parts.path + ("?" + parts.query if parts.query else "")
        self.host = parts.netloc or self.header("host")
        self.path = parts.path
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.body = b""
        self.turn = 0  # how often this target was asked for, with this request

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), "")

    def number(self, name, default):
        return float(self.query.get(name, default))


class Connection:
    """One client: reads its requests one after the other and answers them in order."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.close = False

    async def serve(self):
        while not self.close:
            request = await self.read_request()
            if request is None:
                return
            if request.path == "/__count":
                await self.answer(request, 200, b"%d\n" % counted)
            elif request.path == "/__reset":
                turns.clear()
                await self.answer(request, 204)
            else:
                request.turn = count(request.target)
                await ANSWERS.get(request.path, not_found)(self, request)

    async def read_request(self):
        line = await self.reader.readline()
        while line in (b"\r\n", b"\n"):
            line = await self.reader.readline()
        if not line:
            return None
        words = re.fullmatch(rb"([!-~]+) ([!-~]+) HTTP/1\.([01])\r?\n", line)
        if not words:
            raise BadRequest("request line")
        headers, size = [], 0
        while True:
            line = await self.reader.readline()
            if not line.endswith(b"\n"):
                raise BadRequest("headers end early")
            size += len(line)
            if size > MAX_HEAD:
                raise BadRequest("headers too long")
            line = line.rstrip(b"\r\n")
            if not line:
                break
            field = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0-\x08\x0a-\x1f]*?)[ \t]*", line)
            if not field:
                raise BadRequest("header field")
            headers.append((field[1].decode(), field[2].decode("latin-1")))
        request = Request(words[1].decode(), words[2].decode("latin-1"), int(words[3]), headers)
        tokens = request.header("connection").lower() + "," + request.header("proxy-connection").lower()
        self.close = "close" in tokens if request.version else "keep-alive" not in tokens
        if request.header("expect").lower() == "100-continue" and request.version:
            if request.path == "/refuse-body":
                self.close = True
                return request
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.header("transfer-encoding").lower() == "chunked":
            request.body = await self.read_chunked()
        elif request.header("content-length"):
            request.body = await self.reader.readexactly(int(request.header("content-length")))
        return request

    async def read_chunked(self):
        pieces = []
        while True:
            size = int((await self.reader.readline()).split(b";")[0], 16)
            if size == 0:
                while (await self.reader.readline()).strip():
                    pass
                return b"".join(pieces)
            pieces.append(await self.reader.readexactly(size))
            await self.reader.readline()

    async def head(self, request, status, headers=(), version="1.1"):
        lines = ["HTTP/%s %d %s" % (version, status, REASONS[status])]
        lines += ["%s: %s" % field for field in headers]
        if self.close:
            lines.append("Connection: close")
        elif request.version == 0:
            lines.append("Connection: keep-alive")
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def answer(self, request, status=200, body=b"", kind="text/plain", headers=()):
        """The usual answer: with a Content-Length, where the status allows one."""
        headers = list(headers)
        if kind and body:
            headers.insert(0, ("Content-Type", kind))
        if status not in (204, 304):
            headers.append(("Content-Length", str(len(body))))
        await self.head(request, status, headers)
        if request.method != "HEAD" and status not in (204, 304):
            await self.send(body)

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def pieces(self, request, kind, pieces, gap=0.0):
        """An answer in chunks, with a pause in between; for an HTTP/1.0 client one that lasts until close."""
        chunked = request.version == 1
        headers = [("Content-Type", kind)]
        if chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        else:
            self.close = True
        await self.head(request, 200, headers)
        if request.method == "HEAD":
            return
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(gap)
            await self.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            await self.send(b"0\r\n\r\n")


async def not_found(connection, request):
    await connection.answer(request, 404, b'{"error": "no such path"}\n', "application/json")


async def text(connection, request):
    body = "this is %s\n" % request.target
    await connection.answer(request, body=body.ljust(int(request.number("size", 0)), ".").encode())


async def as_json(connection, request):
    body = json.dumps({"path": request.target, "host": request.host, "list": [1, 2.5, None, "\u017e"]})
    await connection.answer(request, body=body.encode() + b"\n", kind="application/json")


async def turn(connection, request):
    await asyncio.sleep(request.number("seconds", 0))
    await connection.answer(request, body=b"turn %d\n" % request.turn)


async def binary(connection, request):
    await connection.answer(request, body=bytes(range(256)) * 40, kind="application/octet-stream")


async def utf8(connection, request):
    body = "žluťoučký kůň — 日本語 🎞️ \u202eabc\u202c\n".encode()
    await connection.answer(request, body=body, kind="text/plain; charset=utf-8")


async def gzipped(connection, request):
    body = gzip.compress(b'{"packed": true}\n' * 50, mtime=0)
    await connection.answer(request, body=body, kind="application/json", headers=[("Content-Encoding", "gzip")])


async def big(connection, request):
    await connection.answer(request, body=pattern(5 << 20), kind="application/octet-stream")


async def chunked(connection, request):
    await connection.pieces(request, "text/plain", [b"piece %d %s\n" % (i, b"." * i * 300) for i in range(8)])


async def events(connection, request):
    pieces = [b'event: tick\ndata: {"i": %d}\n\n' % i for i in range(int(request.number("events", 3)))]
    await connection.pieces(request, "text/event-stream", pieces, request.number("gap", 0.05))


async def until_close(connection, request):
    connection.close = True
    await connection.head(request, 200, [("Content-Type", "text/plain")])
    if request.method != "HEAD":
        await connection.send(b"until close\n" * 1000)


async def http10(connection, request):
    connection.close = False  # Without the header: the version says it.
    await connection.head(request, 200, [("Content-Type", "text/plain")], version="1.0")
    connection.close = True
    if request.method != "HEAD":
        await connection.send(b"as in 1996\n")


async def redirect(connection, request):
    left = int(request.number("hops", 1))
    place = "/redirect?hops=%d" % (left - 1) if left > 1 else "/text?from=redirect"
    await connection.answer(request, 302, headers=[("Location", place)])


async def cookies(connection, request):
    await connection.answer(request, body=b"ok\n", headers=[
        ("Set-Cookie", "a=1; Path=/"), ("X-Double", "one"), ("Set-Cookie", "b=2; HttpOnly"), ("x-double", "two"),
        ("X-Empty", ""), ("X-Comma", "1, 2")])


async def status(connection, request):
    code = int(request.query.get("code", 200))
    await connection.answer(request, code, b'{"status": %d}\n' % code, "application/json")


async def no_content(connection, request):
    await connection.answer(request, 204)


async def not_modified(connection, request):
    await connection.answer(request, 304, headers=[("ETag", '"tape-1"')])


async def conditional(connection, request):
    if request.header("if-none-match") == '"tape-1"':
        await not_modified(connection, request)
    else:
        await connection.answer(request, body=b"the whole\n", headers=[("ETag", '"tape-1"')])


async def empty(connection, request):
    await connection.answer(request)


async def echo(connection, request):
    body = json.dumps({"method": request.method, "path": request.target, "length": len(request.body),
                       "sha256": hashlib.sha256(request.body).hexdigest()})
    await connection.answer(request, body=body.encode() + b"\n", kind="application/json")


async def refuse_body(connection, request):
    await connection.answer(request, 417, b"not that\n")


async def slow(connection, request):
    await asyncio.sleep(request.number("seconds", 1))
    await connection.answer(request, body=b"at last\n")


async def garbage(connection, request):
    connection.close = True
    await connection.send(b"\x00\xffthis is no HTTP at all\n")


async def broken_header(connection, request):
    connection.close = True
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nsome\n")


async def half(connection, request):
    connection.close = True
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nonly this")


async def half_chunked(connection, request):
    connection.close = True
    await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n7\r\nsec")


async def early_close(connection, request):
    connection.close = True


ANSWERS = {
    "/text": text,                    # says its target; ?size=N: padded to N bytes
    "/json": as_json,
    "/turn": turn,                    # how often this target was asked for; ?seconds=N: after a while
    "/binary": binary,                # all 256 byte values
    "/utf8": utf8,
    "/gzip": gzipped,
    "/big": big,                      # 5 MiB
    "/chunked": chunked,
    "/events": events,                # server-sent events; ?events=N&gap=SECONDS
    "/until-close": until_close,      # no length
    "/http10": http10,                # an answer in HTTP/1.0, no length
    "/redirect": redirect,            # ?hops=N
    "/cookies": cookies,              # and other duplicate headers
    "/status": status,                # ?code=N
    "/204": no_content,
    "/304": not_modified,
    "/conditional": conditional,      # 304 with the right If-None-Match
    "/empty": empty,
    "/echo": echo,                    # method, length and hash of what was sent
    "/refuse-body": refuse_body,      # 417 instead of 100 Continue
    "/slow": slow,                    # ?seconds=N
    "/garbage": garbage,              # not HTTP
    "/broken-header": broken_header,  # HTTP with a length that is none
    "/half": half,                    # less than Content-Length promises
    "/half-chunked": half_chunked,    # ends within a chunk
    "/early-close": early_close,      # closes without an answer
}


async def on_connect(reader, writer):
    connection = Connection(reader, writer)
    try:
        await connection.serve()
    except (BadRequest, ValueError, asyncio.LimitOverrunError, asyncio.IncompleteReadError) as error:
        count("broken")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n%s\n" % str(error).encode())
    except ConnectionError:
        pass  # The client went away.
    try:
        # Closing with unread input would make the kernel reset the connection and the client lose the answer.
        if writer.can_write_eof():
            writer.write_eof()
        await asyncio.wait_for(reader.read(1 << 16), 0.2)
    except (OSError, asyncio.TimeoutError, RuntimeError):
        pass
    writer.close()


def listen(host, port, family):
    # With the protocol named: asyncio switches Nagle's algorithm off only where it can see that it is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


async def main(options):
    global count_fd
    if options.count_file:
        count_fd = os.open(options.count_file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.pwrite(count_fd, b"0\n", 0)
    listeners = [listen("127.0.0.1", options.port, socket.AF_INET)]
    port = listeners[0].getsockname()[1]
    if options.ipv6:
        listeners.append(listen("::1", port, socket.AF_INET6))
    for listener in listeners:
        await asyncio.start_server(on_connect, sock=listener, backlog=1024, limit=MAX_HEAD)
    if options.port_file:
        # Renamed into place, so that whoever waits for it never reads half a number.
        with open(options.port_file + ".new", "w") as file:
            file.write("%d\n" % port)
        os.rename(options.port_file + ".new", options.port_file)
    else:
        print(port, flush=True)
    end = asyncio.get_running_loop().time() + options.seconds
    while asyncio.get_running_loop().time() < end and os.getppid() == options.parent:
        await asyncio.sleep(0.3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--count-file")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--parent", type=int, default=os.getppid())
    parser.add_argument("--ipv6", action="store_true")
    try:
        asyncio.run(main(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(130)
