"""What tells a pair of UNIX sockets from a TCP connection, a line each: as_tcp.py WHAT PORT."""
import array, ctypes, fcntl, os, select, signal, socket, struct, subprocess, sys

libc = ctypes.CDLL(None, use_errno=True)
what, port = sys.argv[1], int(sys.argv[2])
place = ("127.0.0.1", port)
signal.alarm(20)


def ask(connection, target="/turn"):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode())
    answer = b""
    while not answer.rpartition(b"\r\n\r\n")[2].endswith(b"\n"):
        got = connection.recv(4096)
        if not got:
            break
        answer += got
    return answer.rpartition(b"\r\n\r\n")[2]


def tell(name, function):
    try:
        print(name, function(), flush=True)
    except OSError as problem:
        print(name, problem.strerror, flush=True)


def opened(**options):
    return socket.create_connection(place, **options)


def failed(result):
    return result if result >= 0 else os.strerror(ctypes.get_errno())


def names(connection, own_port):
    """As another process sees it."""
    tell("peer", lambda: connection.getpeername() == place)
    tell("local", lambda: connection.getsockname() == ("127.0.0.1", own_port))
    tell("no delay", lambda: connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
    tell("no delay, read", lambda: connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
    tell("type of service", lambda: connection.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 16))
    tell("unknown option", lambda: connection.setsockopt(socket.IPPROTO_TCP, 250, 1))
    tell("domain", lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET)
    tell("protocol", lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_TCP)
    tell("state", lambda: connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0])
    tell("interface", lambda: socket.inet_ntoa(fcntl.ioctl(connection, 0x8915, b"lo".ljust(40, b"\0"))[20:24]))
    tell("connected again", lambda: connection.connect(place))
    tell("peer's name", lambda: connection.getsockopt(socket.SOL_SOCKET, 28, 16)[:4] == struct.pack("=H", 2) + struct.pack(">H", port))
    tell("sent to an address", lambda: connection.sendto(b"", place))
    tell("credentials", lambda: struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)))


def inherited(prepare=lambda connection: None):
    connection = opened()
    own_port = connection.getsockname()[1]
    prepare(connection)
    sys.stdout.flush()
    if os.fork() == 0:
        names(connection, own_port)
        print("asks", ask(connection), flush=True)
        os._exit(0)
    os.wait()
    print("asks", ask(connection))


def started():
    connection = opened()
    connection.set_inheritable(True)
    program = [sys.executable, "-IS", sys.argv[0], "taken", str(port), str(connection.fileno()), str(connection.getsockname()[1])]
    subprocess.run(program, pass_fds=[connection.fileno()], check=True)
    print("asks", ask(connection))


def taken():
    connection = socket.socket(fileno=int(sys.argv[3]))
    tell("family", lambda: connection.family)
    names(connection, int(sys.argv[4]))
    print("asks", ask(connection), flush=True)


def passed():
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        numbers = array.array("i")
        _, parts, _, _ = theirs.recvmsg(100, socket.CMSG_LEN(4))
        numbers.frombytes(parts[0][2])
        own_port = int(theirs.recv(100))
        connection = socket.socket(fileno=numbers[0])
        tell("family", lambda: connection.family)
        names(connection, own_port)
        print("asks", ask(connection), flush=True)
        os._exit(0)
    connection = opened()
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))])
    ours.send(b"%d" % connection.getsockname()[1])
    os.wait()
    print("asks", ask(connection))


def unix():
    """Pairs of the program's own are what they are."""
    one, other = socket.socketpair()
    tell("family", lambda: one.getsockname() == "" and one.getpeername() == "")
    tell("no delay", lambda: one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
    tell("domain", lambda: one.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_UNIX)
    other.send(b"12345")
    tell("discard", lambda: one.recv(2, socket.MSG_TRUNC))
    print("asks", ask(opened()))


def sender(connection):
    """What recvfrom(2) and recvmsg(2) say of it: no address."""
    connection.sendall(b"GET /turn HTTP/1.1\r\nHost: h\r\n\r\n")
    select.select([connection], [], [], 10)
    tell("from", lambda: connection.recvfrom(1))
    tell("message", lambda: connection.recvmsg(1)[3])
    length, space = ctypes.c_int(16), ctypes.create_string_buffer(b"untouched.......", 16)
    tell("bytes", lambda: failed(libc.recvfrom(connection.fileno(), ctypes.create_string_buffer(9), 1, 0, space, ctypes.byref(length))))
    print("address", length.value, flush=True)
    return space.raw[:9]


def senders():
    connection = opened()
    sys.stdout.flush()
    if os.fork() == 0:
        sender(connection)
        os._exit(0)
    os.wait()
    print("memory", sender(opened()))


def receiving():
    connection = opened()
    connection.sendall(b"GET /turn HTTP/1.1\r\nHost: h\r\n\r\n")
    select.select([connection], [], [], 10)
    tell("error queue", lambda: connection.recvmsg(512, 512, socket.MSG_ERRQUEUE))
    tell("discard 5", lambda: failed(libc.recv(connection.fileno(), None, 5, socket.MSG_TRUNC)))
    tell("next", lambda: connection.recv(3))
    buffer = ctypes.create_string_buffer(b"untouched", 9)
    tell("discard 1", lambda: failed(libc.recv(connection.fileno(), buffer, 1, socket.MSG_TRUNC)))
    tell("buffer", lambda: buffer.raw)
    tell("peek", lambda: connection.recv(2, socket.MSG_PEEK))
    tell("unsent", lambda: struct.unpack("i", fcntl.ioctl(connection, 0x894B, b"\0\0\0\0")))
    tell("passes credentials", lambda: connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1))
    names(connection, connection.getsockname()[1])


def copies():
    connection = socket.socket()
    numbers = [os.dup(connection.fileno()), fcntl.fcntl(connection, fcntl.F_DUPFD, 60), os.dup2(connection.fileno(), 70)]
    other = os.dup(os.open("/dev/null", os.O_RDONLY))
    connection.connect(place)
    for number in numbers:
        copy = socket.socket(fileno=number)
        tell("peer", lambda: copy.getpeername() == place)
        print("asks", ask(copy))
    print("other file", os.readlink("/proc/self/fd/%d" % other))
    connection.close()
    print("asks", ask(copy))


def bound():
    connection = opened(source_address=("127.0.0.5", 0))
    print("local", connection.getsockname()[0], connection.getsockname()[1] > 0)
    print("asks", ask(connection))


def sizes():
    connection = opened()
    print("asks", ask(connection))
    tell("segment", lambda: connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) > 30000)
    tell("path", lambda: connection.getsockopt(socket.IPPROTO_IP, 14) >= 65535)


def many():
    """As many connections as there are numbers, short of some."""
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    connections = [opened() for _ in range(240)]
    print("asks", ask(connections[0]), ask(connections[-1]))
    print("limit", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    print("children's", subprocess.run(["sh", "-c", "ulimit -n"], capture_output=True).stdout)
    for number in range(250, 256):
        os.dup2(0, number)


def few():
    """The same where the limit cannot be raised."""
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    connections = [opened() for _ in range(int(os.environ.get("COUNT", 70)))]
    connections[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    tell("kept", lambda: connections[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
    tell("no delay", lambda: connections[1].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    tell("state", lambda: connections[1].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0])
    print("asks", ask(connections[0]), ask(connections[-1]))


if __name__ == "__main__":
    globals()[what]()
