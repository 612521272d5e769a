"""Talks to an example as a user would: examples.py NAME PORT [FOLDER]. Ends with 0 when all is right."""

import os
import socket
import struct
import sys
import tempfile

SECONDS = 60


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def echo(port):
    peer = connect(port)
    sent = bytes(range(256)) * 40
    peer.sendall(sent)
    peer.shutdown(socket.SHUT_WR)
    got = b""
    while piece := peer.recv(65536):
        got += piece
    assert got == sent, f"{len(got)} of {len(sent)} bytes, or wrong ones"


def chat(port):
    peers = [connect(port) for _ in range(6)]
    files = [peer.makefile() for peer in peers]
    # Whoever hears himself is in the room.
    for number, (peer, lines) in enumerate(zip(peers, files)):
        peer.sendall(f"here {number}\n".encode())
        while not lines.readline().endswith(f": here {number}\n"):
            pass
    for number, peer in enumerate(peers):
        peer.sendall(f"hello {number}\n".encode())
    for lines in files:
        said = set()
        while len(said) < len(peers):
            text = lines.readline().rstrip("\n").split(": ", 1)[1]
            if text.startswith("hello"):
                said.add(text)
        assert said == {f"hello {number}" for number in range(len(peers))}, said


def key_value(port):
    peer = connect(port)
    lines = peer.makefile()

    def ask(line):
        peer.sendall(f"{line}\n".encode())
        return lines.readline().rstrip("\n")

    for number in range(50):
        assert ask(f"SET key{number} value {number}") == "OK"
    for number in range(50):
        assert ask(f"GET key{number}") == f"VALUE value {number}"
    assert ask("DEL key7") == "OK"
    assert ask("GET key7") == "NONE"
    for nonsense in ("", "SET", "FROB a b"):
        assert ask(nonsense).startswith("ERROR"), nonsense
    # Bytes that are no text, and two ways to write one letter.
    keys = (b"\xff", b"\xfe", "\u00e9".encode(), "e\u0301".encode())
    for number, key in enumerate(keys):
        peer.sendall(b"SET %s %d\n" % (key, number))
        assert lines.readline() == "OK\n"
    for number, key in enumerate(keys):
        peer.sendall(b"GET %s\n" % key)
        assert lines.readline() == f"VALUE {number}\n", key
    peer.sendall(b"GET key3")
    peer.shutdown(socket.SHUT_WR)
    assert lines.readline() == "VALUE value 3\n", "a last line without an end"
    assert lines.readline() == ""


def datagrams(port):
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.settimeout(SECONDS)
    peer.connect(("127.0.0.1", port))
    for size in (0, 1, 1400):
        peer.send(b"x" * size)
        assert peer.recv(2000) == b"x" * size, size
    unanswerable(port)
    peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
    for peer in peers:
        # Both cores hear some of them.
        peer.settimeout(SECONDS)
        peer.connect(("127.0.0.1", port))
        peer.send(b"still there")
        assert peer.recv(2000) == b"still there"


def unanswerable(port):
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError:
        return
    with raw:
        for _ in range(16):
            raw.sendto(struct.pack("!HHHH", 0, port, 9, 0) + b"x", ("127.0.0.1", 0))


def static_files(port, folder):
    def ask(path, method="GET"):
        with connect(port) as peer:
            peer.sendall(f"{method} {path} HTTP/1.0\r\nHost: here\r\n\r\n".encode())
            answer = b""
            while piece := peer.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.split(b" ", 2)[1].decode(), body

    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                assert ask(f"/{name}") == ("200", file.read()), name
            assert ask(f"/{name}", "HEAD") == ("200", b""), name
    for missing in ("/nothing", "/", "/../README.md", "/decisions", "relative"):
        assert ask(missing)[0] == "404", missing
    for impossible in ("/a\0b", "/" + "n" * 256, "/n" * 2500, "/TESTING.md/below"):
        assert ask(impossible)[0] == "404", impossible
    # Inside a character the kernel sees the slash all the same.
    with tempfile.TemporaryDirectory(prefix="\u0301", dir=os.path.dirname(folder)) as outside:
        with open(os.path.join(outside, "secret"), "w") as file:
            file.write("secret")
        assert ask(f"/../{os.path.basename(outside)}/secret")[0] == "404"
    assert ask("/nothing", "PUT")[0] == "400"


def main():
    talk = {"Echo": echo, "Chat": chat, "KeyValue": key_value, "DatagramPing": datagrams,
            "StaticFiles": static_files}
    talk[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])


if __name__ == "__main__":
    main()
