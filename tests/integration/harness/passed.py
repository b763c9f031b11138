"""Sockets that outlive a daemon, as systemd's socket units have them.

passed.py hold PATH COUNT        listens on COUNT free ports of loopback, prints them, and hands the
                                 sockets to each process that connects to PATH, until stdin ends
passed.py give PATH COMMAND...   gets the sockets, and becomes the command with LISTEN_FDS
"""
import os
import socket
import sys
import threading

BACKLOG = 4096  # as systemd's own
FIRST = 3


def hold(path, count):
    held = []
    for _ in range(count):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        s.listen(BACKLOG)
        held.append(s)
    door = socket.socket(socket.AF_UNIX)
    door.bind(path)
    door.listen()
    print(*(s.getsockname()[1] for s in held), flush=True)
    threading.Thread(target=serve, args=(door, held), daemon=True).start()
    sys.stdin.read()


def serve(door, held):
    while True:
        peer, _ = door.accept()
        with peer:
            socket.send_fds(peer, [b"x"], [s.fileno() for s in held])


def give(path, command):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    _, fds, _, _ = socket.recv_fds(peer, 1, 8)
    peer.close()
    # Out of the way first: one may have the number that another is to get.
    above = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
    for i, fd in enumerate(above):
        os.dup2(fd, FIRST + i)
        os.close(fd)
    for fd in fds:
        if fd >= FIRST + len(fds):
            os.close(fd)
    os.environ["LISTEN_FDS"] = str(len(fds))
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execvp(command[0], command)


if sys.argv[1] == "hold":
    hold(sys.argv[2], int(sys.argv[3]))
else:
    give(sys.argv[2], sys.argv[3:])
