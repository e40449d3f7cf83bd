"""A SOCKS 4, 4a and 5 server on loopback, without credentials, that leads everywhere to 127.0.0.1: socks.py PORT_FILE LOG
PARENT. A line of LOG is a tunnel. Ends with its parent."""
import socket
import struct
import sys
import threading

from listening import pump, serve_connections

port_file, log_file, parent = sys.argv[1], sys.argv[2], int(sys.argv[3])


def until_nul(client):
    text = b""
    while (byte := client.recv(1)) != b"\0":
        text += byte
    return text


def serve(client):
    version = client.recv(1)
    if version == b"\5":
        client.recv(client.recv(1)[0])
        client.sendall(b"\5\0")
        kind = client.recv(4)[3]
        client.recv(client.recv(1)[0] if kind == 3 else 4 if kind == 1 else 16)
        port = struct.unpack(">H", client.recv(2))[0]
        opened = b"\5\0\0\1\0\0\0\0\0\0"
    else:
        client.recv(1)
        port = struct.unpack(">H", client.recv(2))[0]
        address = client.recv(4)
        until_nul(client)
        if address[:3] == b"\0\0\0":
            until_nul(client)
        opened = b"\0\x5a\0\0\0\0\0\0"
    with open(log_file, "a") as log:
        log.write("socks %d\n" % version[0])
    server = socket.create_connection(("127.0.0.1", port))
    client.sendall(opened)
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)


serve_connections(serve, port_file, parent)
