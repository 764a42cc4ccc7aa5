"""A proxy in front of the broker that reads Kafka's requests and spoils chosen answers.

It understands frames (a length, then API key, version and correlation id) and, of requests in transactions, whose
transaction it is. The broker's own address in answers becomes the proxy's, so that clients come back through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

METADATA, FIND_COORDINATOR, ADD_PARTITIONS, END_TXN = 3, 10, 24, 26
COORDINATOR_NOT_AVAILABLE, CONCURRENT_TRANSACTIONS, PRODUCER_FENCED = 15, 51, 90
_FIRST_FLEXIBLE: Final = {ADD_PARTITIONS: 3, END_TXN: 3}

Fault = Literal["error", "refusal", "disconnect before", "disconnect after", "delay", "silence", "deafness"]
"""What happens to a request: the broker does it and the answer says otherwise; the broker never sees it and the answer
is an error; the connection ends before or after the broker has seen it; it arrives late; the broker does it, or does
not see it, and nobody answers."""


class Producer(NamedTuple):
    """Who a request in a transaction comes from."""

    transactional_id: str
    producer_id: int
    epoch: int


class Request(NamedTuple):
    api: int
    version: int
    correlation: int
    producer: Producer | None
    fault: Fault | None


@dataclass
class KafkaProxy:
    """Where clients connect to, what they have asked, and what is to be spoiled next."""

    broker: tuple[str, int]
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    _faults: list[tuple[int, Fault, float, int]] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def bootstrap(self) -> str:
        return f"{self.broker[0]}:{self.port}"

    def spoil(self, api: int, fault: Fault, *, seconds: float = 1.0, code: int = 0) -> None:
        """Do this to the next request of the kind."""
        self._faults.append((api, fault, seconds, code))

    @property
    def spoilt(self) -> list[Request]:
        return [request for request in self.requests if request.fault is not None]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            upstream, to_broker = await asyncio.open_connection(*self.broker)
            link = _Link(self, reader, writer, upstream, to_broker)
            try:
                await link.run()
            finally:
                to_broker.close()
        writer.close()

    def next_fault(self, api: int) -> tuple[Fault, float, int] | None:
        for number, (wanted, fault, seconds, code) in enumerate(self._faults):
            if wanted == api:
                del self._faults[number]
                return fault, seconds, code
        return None


@dataclass
class _Link:
    proxy: KafkaProxy
    client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    broker: asyncio.StreamReader
    to_broker: asyncio.StreamWriter
    open: dict[int, tuple[Request, int]] = field(default_factory=dict)
    """Requests on their way, by correlation id, and the error code that their answer is to carry."""
    late: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        both = [asyncio.create_task(self._forth()), asyncio.create_task(self._back())]
        done, left = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # What is late arrives although its sender has gone: that is the danger.
        if self.late:
            await asyncio.wait(self.late)
        for task in done:
            task.result()

    async def _forth(self) -> None:
        while True:
            frame = await _frame(self.client)
            api, version, correlation = struct.unpack_from(">hhi", frame)
            spoil = self.proxy.next_fault(api)
            fault = spoil[0] if spoil else None
            request = Request(api, version, correlation, _producer(api, version, frame), fault)
            self.proxy.requests.append(request)
            self.open[correlation] = (request, spoil[2] if spoil else 0)
            if spoil is None or fault in ("error", "silence", "disconnect after"):
                self._send(frame)
            elif fault == "refusal":
                self._answer(_end_txn_answer(request, spoil[2]))
            elif fault == "delay":
                self.late.add(asyncio.create_task(self._send_later(frame, spoil[1])))
            elif fault == "disconnect before":
                self.late.add(asyncio.create_task(self._send_later(frame, spoil[1])))
                return

    def _send(self, frame: bytes) -> None:
        self.to_broker.write(struct.pack(">i", len(frame)) + frame)

    async def _send_later(self, frame: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._send(frame)
        with contextlib.suppress(OSError):
            await self.to_broker.drain()

    def _answer(self, frame: bytes) -> None:
        self.to_client.write(struct.pack(">i", len(frame)) + frame)

    async def _back(self) -> None:
        while True:
            frame = await _frame(self.broker)
            request, code = self.open.pop(struct.unpack_from(">i", frame)[0])
            if request.fault == "silence":
                continue
            if request.fault == "disconnect after":
                return
            if request.fault == "error":
                frame = _end_txn_answer(request, code)
            elif request.api in (METADATA, FIND_COORDINATOR):
                host, port = self.proxy.broker
                frame = frame.replace(
                    host.encode() + struct.pack(">i", port),
                    host.encode() + struct.pack(">i", self.proxy.port),
                )
            self._answer(frame)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(size)


def _producer(api: int, version: int, frame: bytes) -> Producer | None:
    if api not in _FIRST_FLEXIBLE:
        return None
    (client,) = struct.unpack_from(">h", frame, 8)
    at = 10 + max(client, 0)
    if version >= _FIRST_FLEXIBLE[api]:
        # No tagged fields in the header, and a length that fits one byte, one more than it is.
        size, at = frame[at + 1] - 1, at + 2
    else:
        (size,), at = struct.unpack_from(">h", frame, at), at + 2
    name = frame[at : at + size].decode()
    return Producer(name, *struct.unpack_from(">qh", frame, at + size))


def _end_txn_answer(request: Request, code: int) -> bytes:
    if request.version < _FIRST_FLEXIBLE[END_TXN]:
        return struct.pack(">iih", request.correlation, 0, code)
    return struct.pack(">ibihb", request.correlation, 0, 0, code, 0)


@asynccontextmanager
async def kafka_proxy(bootstrap: str) -> AsyncIterator[KafkaProxy]:
    """A proxy on a port of its own."""
    host, port = bootstrap.rsplit(":", 1)
    proxy = KafkaProxy((host, int(port)))
    server = await asyncio.start_server(proxy.serve, host, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
