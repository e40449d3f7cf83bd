# shellcheck shell=bash
# A private certificate authority, and a TLS server in front of it that answers like origin.py's /turn. Source it behind
# harness.sh.

# authority: makes $T/tls/ca.pem, server.pem/server.key for localhost and 127.0.0.1 signed by it, wrong.pem/wrong.key for
# another name, and other.pem, an authority that signed none of them.
authority() {
  local new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes) name
  mkdir "$T/tls"
  (
    cd "$T/tls" || exit
    for name in ca other; do
      openssl req -x509 "${new[@]}" -keyout $name.key -out $name.pem -days 2 -subj "/CN=Private authority $name of a test" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
    done
    echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' >server.names
    echo 'subjectAltName=DNS:wrong.test' >wrong.names
    for name in server wrong; do
      printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' | cat "$name.names" - >extensions
      openssl req "${new[@]}" -keyout $name.key -out $name.csr -subj /CN=test
      openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 2 -extfile extensions
    done
  ) >"$T/tls/log" 2>&1
}

# https_start [CERTIFICATE]: sets SECURE (https://localhost:PORT) and SECURE_PORT; the server ends with this script. It
# counts what it is asked in $T/tls/count.
https_start() {
  rm -f "$T/tls/port"
  "$PYTHON" - "$T/tls" $$ "${1:-server}" <<'END' 2>"$T/tls/server.log" &
import http.server, os, socket, ssl, sys, threading, time
folder, parent, certificate = sys.argv[1], int(sys.argv[2]), sys.argv[3]
turns = {}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        turns[self.path] = turns.get(self.path, 0) + 1
        with open(folder + "/count", "a") as file:
            file.write(self.path + "\n")
        if self.path.startswith("/big"):
            return self.answer(b"0123456789abcdef" * 131072)
        if self.path.startswith("/files/"):
            try:
                with open(folder + self.path.split("?")[0], "rb") as file:
                    return self.answer(file.read())
            except OSError:
                return self.send_error(404)
        self.answer(b"%s %d\n" % (self.path.encode(), turns[self.path]))
    def do_POST(self):
        size = int(self.headers["Content-Length"])
        self.answer(b"got %d bytes\n" % len(self.rfile.read(size)))
    def log_message(self, *arguments):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + "/%s.pem" % certificate, folder + "/%s.key" % certificate)
def serve(address):
    server = http.server.ThreadingHTTPServer(address, Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
server = serve(("127.0.0.1", 0))
# What localhost is first, on many machines; Node 18 tries no other.
http.server.ThreadingHTTPServer.address_family = socket.AF_INET6
try:
    serve(("::1", server.server_address[1]))
except OSError:
    pass
with open(folder + "/port.new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(folder + "/port.new", folder + "/port")
while os.getppid() == parent:
    time.sleep(0.2)
os._exit(0)
END
  HTTPS_PID=$!
  wait_for_file "$T/tls/port" || { cat "$T/tls/server.log"; not_ok https "the server did not start"; finish; }
  SECURE_PORT=$(cat "$T/tls/port")
  SECURE=https://localhost:$SECURE_PORT
}
https_stop() {
  kill "$HTTPS_PID" 2>/dev/null
  wait "$HTTPS_PID" 2>/dev/null
}
