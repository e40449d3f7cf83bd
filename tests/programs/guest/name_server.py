# A name server on 127.0.0.1:53, which it brings up (in a network namespace of its own): name_server.py COUNT-FILE. Every name has
# the address 127.0.0.1, but for slow.*, of which it says nothing. COUNT-FILE has the queries, one a line.
import fcntl, os, socket, struct, sys, threading

control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
threading.Timer(120, lambda: os._exit(0)).start()
with open(sys.argv[1], "a") as log:
    print("ready", file=log, flush=True)
    while True:
        query, sender = server.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]])
            at += 1 + query[at]
        question = query[12:at + 5]
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        print(b".".join(labels).decode(), kind, file=log, flush=True)
        if labels[0] == b"slow":
            continue
        found = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01" if kind == 1 else b""
        server.sendto(query[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if found else b"\x00\x00") + bytes(4) + question + found, sender)
