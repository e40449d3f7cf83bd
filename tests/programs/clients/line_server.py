"""Servers that do not speak HTTP, for other_protocols.test: one that answers each line with "+" and the line, one that
greets first, both over TCP; the first also on a UNIX socket; and one for datagrams.

    line_server.py PORTS ACCEPTED SOCKET    writes the ports to PORTS, and a byte to ACCEPTED for each TCP connection
"""
import asyncio
import os
import socket
import sys

ports, accepted, path = sys.argv[1:]
accepted = os.open(accepted, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


async def answer_lines(reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    try:
        while line := await reader.readline():
            writer.write(b"+" + line)
            await writer.drain()
            if line == b"QUIT\n":
                break
        else:
            writer.write(b"+bye\n")
        await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def lines(reader, writer):
    os.write(accepted, b".")
    await answer_lines(reader, writer)


async def greeting(reader, writer):
    writer.write(b"220 welcome\n")
    await lines(reader, writer)


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(b"+" + data, address)


async def main():
    parent = os.getppid()
    servers = [await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 22) for serve in (lines, greeting)]
    await asyncio.start_unix_server(answer_lines, path)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, ("127.0.0.1", 0))
    numbers = [server.sockets[0].getsockname()[1] for server in servers]
    numbers.append(transport.get_extra_info("sockname")[1])
    with open(ports + ".new", "w") as file:
        print(*numbers, file=file)
    os.rename(ports + ".new", ports)
    for _ in range(1000):
        if os.getppid() != parent:
            break
        await asyncio.sleep(0.3)


asyncio.run(main())
