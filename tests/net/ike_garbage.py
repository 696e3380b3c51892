#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sends IKE datagrams that no peer would: ike_garbage.py ADDRESS [CORPUS-DIRECTORY]

A well-formed IKE_SA_INIT of our own is cut at every length and every byte of it is changed; then come
headers, payload chains and lengths that contradict each other, random bytes, and, when they are
there, the datagrams of a corpus (lines of hex). Prints what was sent and how many answers came.
"""
import os
import random
import socket
import struct
import sys

random.seed(7296)


def header(nxt, exchange, flags, mid, body, version=0x20, spi_i=None, spi_r=b"\0" * 8, length=None):
    spi_i = spi_i or random.randbytes(8)
    length = 28 + len(body) if length is None else length
    return spi_i + spi_r + struct.pack("!BBBBII", nxt, version, exchange, flags, mid, length) + body


def payload(nxt, body, critical=0, length=None):
    length = 4 + len(body) if length is None else length
    return struct.pack("!BBH", nxt, critical, length & 0xFFFF) + body


def transform(last, kind, ident, attrs=b""):
    return struct.pack("!BBHBBH", last, 0, 8 + len(attrs), kind, 0, ident) + attrs


def sa_body():
    bits = struct.pack("!HH", 0x800E, 128)
    ts = transform(3, 1, 20, bits) + transform(3, 2, 5) + transform(0, 4, 31)
    return struct.pack("!BBHBBBB", 0, 0, 8 + len(ts), 1, 1, 0, 3) + ts


def sa_init(**kw):
    body = payload(34, sa_body()) + payload(40, struct.pack("!HH", 31, 0) + random.randbytes(32))
    body += payload(0, random.randbytes(32))
    return header(33, 34, 0x08, 0, body, **kw)


def contradictions():
    yield header(33, 34, 0x08, 0, b"", version=0x10)
    yield header(33, 34, 0x08, 0, b"", version=0x30)
    yield sa_init(version=0x30)
    yield sa_init(version=0x2F)
    yield sa_init(length=0)
    yield sa_init(length=27)
    yield sa_init(length=0xFFFFFFFF)
    yield sa_init(spi_r=random.randbytes(8))
    for exchange in range(0, 256):
        yield header(33, exchange, 0x08, 0, payload(0, sa_body()), spi_r=random.randbytes(8))
        yield header(46, exchange, 0x28, 1, payload(33, random.randbytes(40)), spi_r=random.randbytes(8))
    for kind in range(0, 256):
        yield header(kind, 34, 0x08, 0, payload(0, random.randbytes(12)))
        yield header(kind, 34, 0x08, 0, payload(0, random.randbytes(12), critical=0x80))
        yield header(kind, 34, 0x08, 0, payload(kind, b"", length=0))
        yield header(kind, 34, 0x08, 0, payload(kind, b"", length=3))
        yield header(kind, 34, 0x08, 0, payload(kind, b"", length=0xFFFF))
    chain = b"".join(payload(200, b"") for _ in range(300)) + payload(0, b"")
    yield header(200, 34, 0x08, 0, chain)
    many = b"".join(payload(41, struct.pack("!BBH", 0, 0, 16384)) for _ in range(300))
    yield header(41, 34, 0x08, 0, many + payload(0, struct.pack("!BBH", 0, 0, 16384)))
    for n in (0, 1, 15, 257, 1000):
        yield header(33, 34, 0x08, 0, payload(34, sa_body()) +
                     payload(40, struct.pack("!HH", 31, 0) + random.randbytes(32)) + payload(0, random.randbytes(n)))
    for group, n in ((31, 31), (31, 33), (31, 0), (19, 64), (14, 256), (0, 0), (9999, 40)):
        yield header(33, 34, 0x08, 0, payload(34, sa_body()) +
                     payload(40, struct.pack("!HH", group, 0) + b"\0" * n) + payload(0, random.randbytes(32)))


def mutations():
    good = sa_init()
    for n in range(len(good)):
        yield good[:n]
    for i in range(len(good)):
        for v in (0, 1, 0x7F, 0x80, 0xFF, good[i] ^ 1):
            yield good[:i] + bytes([v]) + good[i + 1:]
    for _ in range(2000):
        b = bytearray(sa_init())
        for _ in range(random.randint(1, 8)):
            b[random.randrange(18, len(b))] = random.randrange(256)
        yield bytes(b)
    for _ in range(1000):
        yield random.randbytes(random.randint(0, 1400))


def corpus(folder):
    if not os.path.isdir(folder):
        return
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".hexl"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            for line in f:
                for word in line.split():
                    try:
                        data = bytes.fromhex(word)
                    except ValueError:
                        continue
                    if len(data) > 8:
                        yield data[:60000]
                        break


def main():
    to = sys.argv[1]
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    natt = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for s in (plain, natt):
        s.setblocking(False)
    sent = answers = 0
    sources = [contradictions(), mutations(), corpus(sys.argv[2]) if len(sys.argv) > 2 else ()]
    for source in sources:
        for data in source:
            for s, port, prefix in ((plain, 500, b""), (natt, 4500, b"\0\0\0\0")):
                try:
                    s.sendto(prefix + data, (to, port))
                    sent += 1
                except OSError:
                    pass
                try:
                    while True:
                        s.recv(65536)
                        answers += 1
                except OSError:
                    pass
    print(f"{sent} sent, {answers} answers")


main()
