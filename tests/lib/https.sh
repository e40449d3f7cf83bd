# shellcheck shell=bash
# A private certificate authority, and a TLS server in front of it that answers like origin.py's /turn. Source it behind
# harness.sh.

# authority: makes $T/tls/ca.pem, and server.pem/server.key for localhost and 127.0.0.1, signed by it.
authority() {
  mkdir "$T/tls"
  (
    cd "$T/tls" || exit
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 \
      -subj "/CN=Private authority of a test" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj "/CN=localhost"
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' >extensions
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile extensions
  ) >"$T/tls/log" 2>&1
}

# https_start: sets SECURE (https://localhost:PORT) and SECURE_PORT; the server ends with this script.
https_start() {
  rm -f "$T/tls/port"
  "$PYTHON" - "$T/tls" $$ <<'END' 2>"$T/tls/server.log" &
import http.server, os, ssl, sys, threading, time
folder, parent = sys.argv[1], int(sys.argv[2])
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
        if self.path.startswith("/big"):
            return self.answer(b"0123456789abcdef" * 131072)
        self.answer(b"%s %d\n" % (self.path.encode(), turns[self.path]))
    def do_POST(self):
        size = int(self.headers["Content-Length"])
        self.answer(b"got %d bytes\n" % len(self.rfile.read(size)))
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(folder + "/port.new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(folder + "/port.new", folder + "/port")
def watch():
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
server.serve_forever()
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
