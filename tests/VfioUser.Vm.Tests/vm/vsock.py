"""A socket of the guest to the host: what a test of AF_VSOCK needs, where Python comes without its socket module.

Usage: vsock.py connect PORT IN OUT   sends IN to the host's port, then writes what comes to OUT
       vsock.py listen PORT           accepts one connection, and sends back what comes until its end
"""
import ctypes
import os
import struct
import sys

FAMILY, STREAM = 40, 1
HOST, ANY = 2, 0xFFFF_FFFF
STOP_SENDING = 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        sys.exit(f"errno {ctypes.get_errno()}")
    return result


def address(cid, port):
    return struct.pack("<HHIIB3x", FAMILY, 0, port, cid, 0)


def copy(source, destination):
    while data := os.read(source, 1 << 16):
        while data:
            data = data[os.write(destination, data):]


def connect(port, path, answer):
    fd = check(libc.socket(FAMILY, STREAM, 0))
    check(libc.connect(fd, address(HOST, port), 16))
    if os.fork() == 0:
        copy(os.open(path, os.O_RDONLY), fd)
        check(libc.shutdown(fd, STOP_SENDING))
        os._exit(0)
    copy(fd, os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))


def listen(port):
    fd = check(libc.socket(FAMILY, STREAM, 0))
    check(libc.bind(fd, address(ANY, port), 16))
    check(libc.listen(fd, 1))
    print("listening", flush=True)
    client = check(libc.accept(fd, None, None))
    copy(client, client)


if sys.argv[1] == "connect":
    connect(int(sys.argv[2]), sys.argv[3], sys.argv[4])
else:
    listen(int(sys.argv[2]))
