"""asyncio streams: non-blocking sockets and epoll, all answers asked for at the same time. See tests/lib/answers.sh."""
import asyncio
import hashlib
import sys

host, port = sys.argv[1].removeprefix("http://").split(":")


async def ask(answer):
    method, path = answer.split("/", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b"0123456789abcdef" * (1 << 17) if method == "POST" else b""
    head = "%s /%s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n" % (method, path, host, port)
    if body:
        head += "Content-Length: %d\r\n" % len(body)
    writer.write(head.encode() + b"\r\n" + body)
    await writer.drain()
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = data.partition(b"\r\n\r\n")
    if b"Transfer-Encoding: chunked" in head:
        rest, body = body, b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[:int(size, 16)], rest[int(size, 16) + 2:]
    return answer, head, len(body), hashlib.sha256(body).hexdigest()


async def main():
    # Equal requests would race for their turns, so each is asked once.
    for answer in await asyncio.gather(*map(ask, dict.fromkeys(sys.argv[2:]))):
        print(*answer)


asyncio.run(asyncio.wait_for(main(), 30))
