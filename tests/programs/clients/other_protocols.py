"""The clients of other_protocols.test: other_protocols.py KIND PLACE LINE... prints what it is answered.

"refused" stands for a connection that cannot be made, or that ends before the first answer.
"""
import socket
import sys
import threading

kind, place, *lines = sys.argv[1:]


def talk(connection, lines):
    file = connection.makefile("rwb")
    for line in lines:
        file.write(line.encode() + b"\n")
        file.flush()
        show(file.readline())
    return file


def show(line):
    if not line:
        raise ConnectionResetError
    print(line.decode().rstrip("\n"), flush=True)


def tcp():
    return socket.create_connection(("127.0.0.1", int(place)), timeout=5)


try:
    if kind == "lines":
        file = talk(tcp(), lines)
        if lines[-1] == "QUIT":
            print("end" if file.readline() == b"" else "more")
    elif kind == "greeting":
        connection = tcp()
        show(connection.makefile("rb").readline())
        talk(connection, lines)
    elif kind == "urgent":
        connection = tcp()
        for line in lines:
            connection.sendall(line.encode() + b"\n", socket.MSG_OOB)
            show(connection.makefile("rb").readline())
    elif kind == "half-close":
        connection = tcp()
        file = talk(connection, lines)
        connection.shutdown(socket.SHUT_WR)
        show(file.readline())
    elif kind == "bulk":
        connection = tcp()
        line = b"x" * 999999 + b"\n"
        sender = threading.Thread(target=connection.sendall, args=(line,))
        sender.start()
        answer = connection.makefile("rb").readline()
        sender.join()
        print(len(line), "same" if answer == b"+" + line else "different")
    elif kind == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(place)
        talk(connection, lines)
    elif kind == "datagram":
        connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        connection.settimeout(5)
        connection.connect(("127.0.0.1", int(place)))
        for line in lines:
            connection.send(line.encode())
            show(connection.recv(1000))
    elif kind == "pair":
        here, there = socket.socketpair()
        here.sendall(lines[0].encode())
        show(there.recv(1000))
except socket.timeout:
    print("timeout")
except ConnectionError:
    print("refused")
