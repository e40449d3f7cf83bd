"""Clients that connect and say nothing for a while, for speaks_first.test: early.py KIND PORT [ARGUMENT]... prints what it
hears, or the name of the error that it gets, and how it ended.

    http PORT SECONDS PATH...  waits so long, and asks for each
    greeting PORT [PROXY]      waits for a line, sends one, and ends its side; through a tunnel of that proxy
    clock PORT                 ends its side at once
"""
import errno
import socket
import sys
import time

kind, port, *arguments = sys.argv[1:]
connection = socket.socket()
connection.settimeout(10)


def connect(port):
    connection.connect(("127.0.0.1", int(port)))


def get(file, path):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n\r\n" % (path.encode(), port.encode()))
    status, length = file.readline().split()[1], 0
    while (line := file.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return status.decode() + " " + file.read(length).decode().split("\n")[0]


try:
    if kind == "http":
        connect(port)
        time.sleep(float(arguments[0]))
        file = connection.makefile("rb")
        for path in arguments[1:]:
            print(get(file, path))
    elif kind == "greeting":
        connect(arguments[0] if arguments else port)
        file = connection.makefile("rb")
        if arguments:
            connection.sendall(b"CONNECT 127.0.0.1:%s HTTP/1.1\r\n\r\n" % port.encode())
            while file.readline() != b"\r\n":
                pass
        print(file.readline().decode().strip())
        connection.sendall(b"HELO\n")
        print(file.readline().decode().strip())
        connection.shutdown(socket.SHUT_WR)
        print(file.read().decode().strip())
    else:
        connect(port)
        connection.shutdown(socket.SHUT_WR)
        print(connection.makefile("rb").read().decode().strip())
except socket.timeout:
    print("timeout")
except OSError as error:
    print(errno.errorcode[error.errno])
