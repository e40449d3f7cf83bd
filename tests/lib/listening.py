"""What the small servers of the tests share: a listener on loopback that tells its port in a file, a thread for each
connection, and an end with the process that started it. Knows no protocol."""
import os
import socket
import threading
import time


def pump(source, target):
    """From one to the other until the first ends."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve_connections(serve, port_file, parent):
    """Calls serve(connection) in a thread for each; never returns. The port is in the file when it is listened on."""

    def watch():
        while os.path.exists("/proc/%d" % parent):
            time.sleep(0.2)
        os._exit(0)

    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    with open(port_file + ".new", "w") as file:
        file.write("%d\n" % listener.getsockname()[1])
    os.rename(port_file + ".new", port_file)
    threading.Thread(target=watch, daemon=True).start()
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
