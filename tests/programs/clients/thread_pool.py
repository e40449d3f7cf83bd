"""16 threads with a connection each that is kept, 20 requests on each of them. Two of three are the same in all
threads, so that their answers are handed out in any order: counted are those. See tests/origin.py."""
import collections
import http.client
import sys
from concurrent.futures import ThreadPoolExecutor

THREADS, REQUESTS = 16, 20
address = sys.argv[1].removeprefix("http://")


def ask(thread):
    connection = http.client.HTTPConnection(address, timeout=20)
    own, shared, sockets = [], [], set()
    for i in range(REQUESTS):
        path = "/turn" if i % 3 else "/text?thread=%d&i=%d" % (thread, i)
        connection.request("GET", path)
        response = connection.getresponse()
        (shared if i % 3 else own).append((response.status, response.read().decode()))
        sockets.add(connection.sock.getsockname())
    connection.close()
    return own, shared, len(sockets)


with ThreadPoolExecutor(THREADS) as pool:
    results = list(pool.map(ask, range(THREADS)))
for own, _, connections in results:
    print(connections, own)
turns = collections.Counter(answer for _, shared, _ in results for answer in shared)
print(sorted(turns.items()))
