#!/usr/bin/env python3
"""A transactional producer whose one request arrives late, as after a retry over a second connection.

Usage: late-request.py produce|end TOPIC, with the address of a cluster of one broker in KPLAN_BOOTSTRAP.

No client library sends a request late on purpose, so this speaks the protocol itself. In a transaction it writes `a`.
  produce: it aborts the transaction; then a produce request of that transaction arrives, with `late`.
  end:     it commits the transaction and writes `b` in the next one; then a second copy of the commit arrives, and
           the producer aborts the transaction with `b`.
It prints the broker's answer to the late request, and to the abort after it.
"""

import os
import socket
import struct
import sys
import time

PRODUCE, LIST_OFFSETS, FIND_COORDINATOR, API_VERSIONS = 0, 2, 10, 18
INIT_PRODUCER_ID, ADD_PARTITIONS, END_TXN = 22, 24, 26
CONCURRENT_TRANSACTIONS = 51
NAMES = {0: "accepted", 47: "INVALID_PRODUCER_EPOCH", 48: "INVALID_TXN_STATE", 90: "PRODUCER_FENCED"}
TXN = "late-request"


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def batch(producer, epoch, sequence, value):
    """A record batch with one transactional record without a key."""
    # Lengths of a record are zigzag varints; all are below 64 here.
    record = bytes([0, 0, 0, 1, len(value) * 2]) + value + b"\0"
    now = int(time.time() * 1000)
    body = struct.pack(">hiqqqhii", 0x10, 0, now, now, producer, epoch, sequence, 1)
    body += bytes([len(record) * 2]) + record
    tail = struct.pack(">ibI", -1, 2, crc32c(body)) + body
    return struct.pack(">qi", 0, len(tail)) + tail


class Broker:
    def __init__(self, address, topic):
        host, port = address.split(",")[0].rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.topic = topic

    def exactly(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                sys.exit("the broker closed the connection")
            data += more
        return data

    def ask(self, api, version, body, tagged=False):
        header = struct.pack(">hhi", api, version, 1) + text("late-request") + (b"\0" if tagged else b"")
        self.socket.sendall(struct.pack(">i", len(header + body)) + header + body)
        answer = self.exactly(struct.unpack(">i", self.exactly(4))[0])
        return answer[5 if tagged else 4:]

    def second_version(self):
        """Whether the broker knows EndTxn 5, after which every transaction has an epoch of its own."""
        answer = self.ask(API_VERSIONS, 0, b"")
        ranges = [struct.unpack_from(">hhh", answer, at) for at in range(6, len(answer), 6)]
        return any(api == END_TXN and highest >= 5 for api, _, highest in ranges)

    def producer(self):
        # The question for the coordinator makes Kafka create the topic in which it keeps transactions.
        self.until_done(FIND_COORDINATOR, 1, text(TXN) + b"\1", 4)
        answer = self.until_done(INIT_PRODUCER_ID, 0, text(TXN) + struct.pack(">i", 60000), 4)
        return struct.unpack_from(">qh", answer, 6)

    def until_done(self, api, version, body, error_at):
        """Asks again while the broker is busy with the transaction before, or does not know itself as coordinator."""
        for _ in range(300):
            answer = self.ask(api, version, body)
            error = struct.unpack_from(">h", answer, error_at)[0]
            if error == 0:
                return answer
            if error not in (CONCURRENT_TRANSACTIONS, 14, 15, 16):
                sys.exit(f"request {api} is answered with error {error}")
            time.sleep(0.1)
        sys.exit(f"request {api} is answered with error {error} for 30 s")

    def topics(self, partition=b""):
        """One topic with its partition 0."""
        return struct.pack(">i", 1) + text(self.topic) + struct.pack(">ii", 1, 0) + partition

    def begin(self, producer, epoch):
        body = text(TXN) + struct.pack(">qh", producer, epoch) + self.topics()
        self.until_done(ADD_PARTITIONS, 0, body, 4 + 4 + 2 + len(self.topic) + 4 + 4)

    def produce(self, producer, epoch, sequence, value):
        records = batch(producer, epoch, sequence, value)
        partition = struct.pack(">i", len(records)) + records
        answer = self.ask(PRODUCE, 3, text(TXN) + struct.pack(">hi", -1, 10000) + self.topics(partition))
        return struct.unpack_from(">h", answer, 4 + 2 + len(self.topic) + 4 + 4)[0]

    def end(self, producer, epoch, commit, second):
        """The error, and the epoch of the next transaction."""
        if not second:
            body = text(TXN) + struct.pack(">qhb", producer, epoch, commit)
            return struct.unpack_from(">h", self.ask(END_TXN, 0, body), 4)[0], epoch
        body = bytes([len(TXN) + 1]) + TXN.encode() + struct.pack(">qhbb", producer, epoch, commit, 0)
        error, _, after = struct.unpack_from(">hqh", self.ask(END_TXN, 5, body, tagged=True), 4)
        return error, after

    def stable(self):
        """The last stable offset."""
        body = struct.pack(">ib", -1, 1) + self.topics(struct.pack(">q", -1))
        answer = self.ask(LIST_OFFSETS, 2, body)
        return struct.unpack_from(">q", answer, len(answer) - 8)[0]

    def ended_at(self, offset):
        deadline = time.monotonic() + 30
        while self.stable() < offset:
            if time.monotonic() > deadline:
                sys.exit("the transaction has not ended after 30 s")
            time.sleep(0.05)


def main(mode, topic):
    broker = Broker(os.environ["KPLAN_BOOTSTRAP"], topic)
    second = broker.second_version()
    producer, epoch = broker.producer()
    broker.begin(producer, epoch)
    error = broker.produce(producer, epoch, 0, b"a")
    if error:
        sys.exit(f"the first message is answered with error {error}")
    error, after = broker.end(producer, epoch, mode == "end", second)
    if error:
        sys.exit(f"the end of the first transaction is answered with error {error}")
    # The message and the marker that ends its transaction.
    broker.ended_at(2)
    if mode == "produce":
        late = broker.produce(producer, epoch, 1, b"late")
        print("the late produce request:", NAMES.get(late, late))
        return
    broker.begin(producer, after)
    # With an epoch of its own a transaction begins at sequence 0.
    error = broker.produce(producer, after, 0 if after != epoch else 1, b"b")
    if error:
        sys.exit(f"the second message is answered with error {error}")
    late, _ = broker.end(producer, epoch, True, second)
    print("the late commit:", NAMES.get(late, late))
    if late == 0 and after == epoch:
        broker.ended_at(4)
    abort, _ = broker.end(producer, after, False, second)
    print("the abort:", NAMES.get(abort, abort))


if __name__ == "__main__":
    main(*sys.argv[1:])
