"""TLS servers with everything that can be wrong with one, each on a port of its own of loopback, in one process. Each answers a
request with "NAME PATH", closes, and notes the plain text that it read: how often a request got to a server is what the
tests are about.

    badssl.py FOLDER PARENT     FOLDER: certificates and keys, as badssl.sh makes them

FOLDER/ports gets a line "NAME PORT" for each, and FOLDER/plain one "NAME BYTES REQUEST" for each connection that said
something. Ends with the process PARENT.
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time
import warnings

FOLDER, PARENT = sys.argv[1], int(sys.argv[2])
warnings.simplefilter("ignore", DeprecationWarning)  # of old versions
LOG = os.open(FOLDER + "/plain", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
BEST = ssl.TLSVersion.MAXIMUM_SUPPORTED


def server(certificate="good", least=ssl.TLSVersion.TLSv1_2, most=BEST, ciphers="DEFAULT:@SECLEVEL=0", asks=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    context.minimum_version, context.maximum_version = least, most
    context.load_cert_chain(FOLDER + "/%s.chain" % certificate, FOLDER + "/%s.key" % certificate)
    if asks is not None:
        context.verify_mode = asks
        context.load_verify_locations(FOLDER + "/ca.pem")
    return context


# Whatever badssl.sh made a chain for.
SERVERS = {name[:-6]: server(name[:-6]) for name in sorted(os.listdir(FOLDER)) if name.endswith(".chain")}
for version in ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"):
    number = getattr(ssl.TLSVersion, version)
    SERVERS["only-" + version] = server(least=number, most=number)
SERVERS["only-aes128"] = server(most=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
SERVERS["only-kx-rsa"] = server("rsa", most=ssl.TLSVersion.TLSv1_2, ciphers="AES128-SHA:@SECLEVEL=0")
for version in ("TLSv1_2", "TLSv1_3"):
    number = getattr(ssl.TLSVersion, version)
    SERVERS["asks-" + version] = server(least=number, most=number, asks=ssl.CERT_OPTIONAL)
    SERVERS["requires-" + version] = server(least=number, most=number, asks=ssl.CERT_REQUIRED)


def drain(connection):
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def closes(connection):
    connection.recv(65536)
    drain(connection)


def resets(connection):
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def says(*answers):
    def serve(connection):
        connection.recv(65536)
        for answer in answers:
            connection.sendall(answer)
        drain(connection)

    return serve


def leaves_early(connection):
    """Behind its certificate, and without a Finished."""
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = SERVERS["only-TLSv1_2"].wrap_bio(inward, outward, server_side=True)
    inward.write(connection.recv(65536))
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        connection.sendall(outward.read())
    connection.recv(65536)
    drain(connection)


SERVERS.update({
    "closes": closes,
    "resets": resets,
    "alerts": says(b"\x15\x03\x03\x00\x02\x02\x28"),
    "unrecognized": says(b"\x15\x03\x03\x00\x02\x02\x70"),
    "plain-http": says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    "garbage": says(bytes(range(200, 256)) * 4),
    "leaves-early": leaves_early,
})


def speak(name, context, connection):
    read = b""
    try:
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
            try:
                tls.do_handshake()
            except ssl.SSLError:
                return drain(tls)  # or what the client still says turns the alert into a reset
            while b"\r\n\r\n" not in read:
                piece = tls.recv(65536)
                if not piece:
                    return
                read += piece
            body = b"%s %s\n" % (name.encode(), read.split()[1])
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                        % (len(body), body))
            tls.unwrap()
    except OSError:
        pass
    finally:
        if read:
            os.write(LOG, b"%s %d %s\n" % (name.encode(), len(read), read.split(b"\r\n")[0]))


def serve(name, how, connection):
    connection.settimeout(20)
    if not callable(how):
        return speak(name, how, connection)
    try:
        how(connection)
    except OSError:
        pass
    connection.close()


def accept(name, how, listener):
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=serve, args=(name, how, connection), daemon=True).start()


ports = ""
for name, how in SERVERS.items():
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    port = listener.getsockname()[1]
    ports += "%s %d\n" % (name, port)
    threading.Thread(target=accept, args=(name, how, listener), daemon=True).start()
with open(FOLDER + "/ports.new", "w") as file:
    file.write(ports)
os.rename(FOLDER + "/ports.new", FOLDER + "/ports")
while os.path.exists("/proc/%d" % PARENT):
    time.sleep(0.2)
os._exit(0)
