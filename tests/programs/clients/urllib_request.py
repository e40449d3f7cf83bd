"""urllib.request: a connection for each request; follows redirects by itself. See tests/lib/answers.sh."""
import hashlib
import sys
import urllib.error
import urllib.request

origin = sys.argv[1]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for answer in sys.argv[2:]:
    method, path = answer.split("/", 1)
    body = b"0123456789abcdef" * (1 << 17) if method == "POST" else None
    request = urllib.request.Request(origin + "/" + path, body, method=method)
    try:
        response = opener.open(request, timeout=20)
    except urllib.error.HTTPError as error:
        response = error
    data = response.read()
    print(answer, response.status, response.url, response.headers.items())
    print(len(data), hashlib.sha256(data).hexdigest())
