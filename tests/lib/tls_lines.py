"""A server that speaks lines within TLS, for tls_other.test: tls_lines.py CERTIFICATE KEY PORT_FILE LOG PARENT [ALPN]... A
byte goes to LOG for each connection. In place of ALPN, "greets" makes it say "220 welcome" first. Each line is answered with "+" and the line; behind "PLAIN" TLS ends and the same
connection goes on without, where "=" is put in front. Ends with its parent."""
import ssl
import sys

from listening import serve_connections

certificate, key, port_file, log_file, parent, *protocols = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
greets = protocols == ["greets"]
if protocols and not greets:
    context.set_alpn_protocols(protocols)


def lines(connection, mark):
    file = connection.makefile("rb")
    while line := file.readline():
        connection.sendall(mark + line)
        if line == b"PLAIN\n":
            return True
    return False


def serve(client):
    with open(log_file, "a") as log:
        log.write(".")
    try:
        secure = context.wrap_socket(client, server_side=True)
        if greets:
            secure.sendall(b"220 welcome\n")
        if lines(secure, b"+"):
            client = secure.unwrap()
            lines(client, b"=")
        else:
            client = secure
    except (OSError, ssl.SSLError):
        pass
    client.close()


serve_connections(serve, port_file, int(parent))
