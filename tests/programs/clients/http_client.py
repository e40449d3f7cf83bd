"""http.client: one connection, for as long as the server keeps it. See tests/lib/answers.sh."""
import hashlib
import http.client
import sys

connection = http.client.HTTPConnection(sys.argv[1].removeprefix("http://"), timeout=20)
connections = 0
for answer in sys.argv[2:]:
    method, path = answer.split("/", 1)
    if connection.sock is None:
        connections += 1
    # An iterable has no length, so this one goes out in chunks.
    body = (b"0123456789abcdef" * (1 << 13) for _ in range(16)) if method == "POST" else None
    connection.request(method, "/" + path, body, {"X-Number": str(connections)}, encode_chunked=True)
    response = connection.getresponse()
    data = response.read()
    print(answer, connections, response.version, response.status, response.reason, response.getheaders())
    print(len(data), hashlib.sha256(data).hexdigest())
