"""A server that answers with bytes as they are: raw_origin.py PORT_FILE FOLDER LOG PARENT. What is asked for as /NAME is
answered with the file FOLDER/NAME, and the connection ends behind it; what there is no such file for is answered with
method and target, and the connection goes on. Each request line is a line of LOG, whatever its method. Ends with its parent."""
import os
import socket
import sys

from listening import serve_connections

port_file, folder, log_file, parent = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def serve(client):
    data = b""
    while True:
        while b"\n" not in data.lstrip(b"\r\n") or (b"\r\n\r\n" not in data and b"HTTP/1" in data):
            more = client.recv(65536)
            if not more:
                return
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        while len(data) < length:
            data += client.recv(65536)
        data = data[length:]
        line = head.lstrip(b"\r\n").split(b"\r\n")[0]
        with open(log_file, "ab") as log:
            log.write(line + b"\n")
        words = line.split()
        target = words[1] if len(words) > 1 else b"/"
        name = os.path.basename(target.decode("latin-1"))
        try:
            with open(os.path.join(folder, name or "/none"), "rb") as answer:
                client.sendall(answer.read())
            client.shutdown(socket.SHUT_WR)
        except FileNotFoundError:
            body = line.split(b" HTTP/")[0] + b"\n"
            bodyless = words and words[0] == b"HEAD"
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), b"" if bodyless else body))


def guarded(client):
    try:
        serve(client)
    except OSError:
        pass
    client.close()


serve_connections(guarded, port_file, parent)
