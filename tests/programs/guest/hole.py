# A server whose backlog is full, so that a connect() to it waits: hole.py PORT-FILE [GO-FILE [ADDRESS PORT]]. It accepts when
# GO-FILE appears, and ends after half a minute.
import os, socket, sys, time

server = socket.socket()
server.bind((sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 4 else ("127.0.0.1", 0))
server.listen(0)
keep = []
for _ in range(3):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(server.getsockname())
    keep.append(s)
time.sleep(0.2)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.settimeout(3)
for _ in range(600):
    if len(sys.argv) > 2 and os.path.exists(sys.argv[2]):
        try:
            while True:
                keep.append(server.accept())
        except OSError:
            pass
    time.sleep(0.05)
