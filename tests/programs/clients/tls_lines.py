"""The client of tls_other.test: tls_lines.py PORT PINNED ALPN NAME LINE... sends lines within TLS, and prints which protocol was
chosen and what it is answered. Trusts one certificate alone: the one in the file PINNED; any where that is empty. "?" is not sent, but waits for a
line. Behind "PLAIN" it goes on without TLS. "refused" stands for a connection that cannot be made, or that ends early."""
import socket
import ssl
import sys

port, pinned, protocol, name, *lines = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
if protocol:
    context.set_alpn_protocols([protocol])
try:
    connection = socket.create_connection(("127.0.0.1", int(port)), timeout=5)
    connection = context.wrap_socket(connection, server_hostname=name or None)
    if pinned:
        with open(pinned) as file:
            if connection.getpeercert(binary_form=True) != ssl.PEM_cert_to_DER_cert(file.read()):
                sys.exit("that is another certificate")
    print(connection.selected_alpn_protocol())
    for line in lines:
        if line != "?":
            connection.sendall(line.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            piece = connection.recv(1000)
            if not piece:
                raise ConnectionResetError
            answer += piece
        print(answer.decode().strip())
        if line == "PLAIN":
            connection = connection.unwrap()
except (ConnectionError, ssl.SSLError) as error:
    print("refused", error, file=sys.stderr)
    print("refused")
