"""A slow link on loopback: a relay of TCP connections that delays, limits, stalls and cuts them.

It is a process of its own, so that nothing a test computes slows it down.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DELAY = 0.040
"""Seconds that a byte travels, each way."""
RATE = 2_000_000 / 8
"""Bytes a second, each way."""
_CHUNK = 1400


class Relay:
    """The relay's process, and what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._answer())

    def cut(self) -> None:
        """End every connection as it is."""
        self._tell("cut")

    def refuse(self) -> None:
        """Let nobody connect."""
        self._tell("refuse")

    def accept(self) -> None:
        """Let everybody connect again."""
        self._tell("accept")

    def stall(self) -> None:
        """Carry nothing; connections stay."""
        self._tell("stall")

    def flow(self) -> None:
        """Carry everything again."""
        self._tell("flow")

    def carried(self) -> tuple[int, int]:
        """Bytes so far: to the server, and from it."""
        there, back = self._tell("carried").split()
        return int(there), int(back)

    def _tell(self, word: str) -> str:
        assert self._process.stdin
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the relay has ended"
        return line.strip()


@contextmanager
def relaying(port: int, delay: float = DELAY, rate: float = RATE) -> Iterator[Relay]:
    """A relay to a port of this machine.

    Args:
        port: where connections go.
        delay: seconds each way.
        rate: bytes a second each way.
    """
    process = subprocess.Popen(
        [sys.executable, __file__, str(port), str(delay), str(rate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Relay(process)
        finally:
            process.terminate()


class _Link:
    """Both directions of all connections."""

    def __init__(self, port: int, delay: float, rate: float) -> None:
        self._port, self._delay, self._rate = port, delay, rate
        self._free_at = [0.0, 0.0]
        self._writers: set[asyncio.StreamWriter] = set()
        self.carried = [0, 0]
        self.accepts = True
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end closes it."""
        if not self.accepts:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._port, limit=2 * _CHUNK)
        both = {writer, back}
        self._writers |= both
        try:
            await asyncio.gather(self._carry(reader, back, 0), self._carry(there, writer, 1))
        except OSError:
            pass
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()

    def cut(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: int) -> None:
        """One direction: a chunk leaves when the one before has left, and arrives a delay later."""
        clock = asyncio.get_running_loop().time
        travelling: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arriving = asyncio.create_task(self._arrive(travelling, writer))
        try:
            while data := await reader.read(_CHUNK):
                await self.flowing.wait()
                self.carried[way] += len(data)
                leaves = max(clock(), self._free_at[way]) + len(data) / self._rate
                self._free_at[way] = leaves
                travelling.put_nowait((leaves + self._delay, data))
                await asyncio.sleep(leaves - clock())
            travelling.put_nowait((clock() + self._delay, b""))
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(
        self, travelling: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            at, data = await travelling.get()
            await asyncio.sleep(at - clock())
            await self.flowing.wait()
            if not data:
                with suppress(OSError):
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    def told(self, word: str) -> str:
        """Obey."""
        if word == "cut":
            self.cut()
        elif word in ("stall", "flow"):
            (self.flowing.set if word == "flow" else self.flowing.clear)()
        elif word in ("accept", "refuse"):
            self.accepts = word == "accept"
        return " ".join(map(str, self.carried))


async def _serve(port: int, delay: float, rate: float) -> None:
    link = _Link(port, delay, rate)
    server = await asyncio.start_server(link.connected, "127.0.0.1", 0, limit=2 * _CHUNK)
    print(server.sockets[0].getsockname()[1], flush=True)
    words = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    while line := await words.readline():
        print(link.told(line.decode().strip()), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
