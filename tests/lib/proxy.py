"""A proxy that opens tunnels (CONNECT), on loopback. Writes its port to the first file, and a line a tunnel to the second
one. A host called "refused" is refused; with a fourth argument everybody without credentials is. Ends with its parent."""
import socket
import sys
import threading

from listening import pump, serve_connections

port_file, log_file, parent = sys.argv[1], sys.argv[2], int(sys.argv[3])


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(4096)
        if not data:
            return
        head += data
    method, target, _ = head.decode().split("\r\n")[0].split()
    with open(log_file, "a") as log:
        log.write("%s %s\n" % (method, target))
    host, port = target.rsplit(":", 1)
    if method != "CONNECT" or host == "refused":
        client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n")
        client.close()
        return
    if len(sys.argv) > 4 and b"\r\nproxy-authorization:" not in head.lower():
        client.sendall(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"a\"\r\nContent-Length: 4\r\n"
                       b"Connection: close\r\n\r\nwho\n")
        client.close()
        return
    server = socket.create_connection(("127.0.0.1", int(port)))
    client.sendall(b"HTTP/1.1 200 OK\r\nVia: 1.1 proxy\r\n\r\n")
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)
    server.close()
    client.close()


serve_connections(serve, port_file, parent)
