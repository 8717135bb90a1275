"""Several processes on one socket: uvicorn's supervisor, which here never waits for one of them.

uvicorn's own waits up to half a minute for a worker to answer, and sees no signal meanwhile; and
its workers stay behind, with the port, when it is killed.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import socket
import threading
import time

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from plumbline.http.listener import GATE_SECONDS, Listener, shut_gate
from plumbline.http.shutdown import accept_all_of, retire
from plumbline.settings import ServerSettings

POLL_SECONDS = 0.05
START_SECONDS = 120.0  # the longest that a worker may take to start, on the busiest machine
REFUSED_TO_START = (
    1,
    STARTUP_FAILURE,
)  # exit codes: what Python says of SystemExit("..."), uvicorn's
RETIRE = b"retire"

log = logging.getLogger("uvicorn.error")


def longest_stop_seconds(settings: ServerSettings) -> float:
    """What a process may take from SIGTERM to its end; after that it hangs."""
    waits = (settings.STOP_DELAY_SECONDS, settings.DRAIN_SECONDS)
    # Running requests have the timeout, and then what they do after their commits (`install`).
    return sum(waits) + 2 * settings.STOP_TIMEOUT_SECONDS + GATE_SECONDS + 5


class Worker(Process):
    """A worker as the parent sees it, and, in `target` and what it calls, the worker itself."""

    def __init__(
        self, config: Config, listening: socket.socket, stop_seconds: float, *, is_alone: bool
    ) -> None:
        super().__init__(config, [listening])
        self.stop_seconds = stop_seconds
        self.is_alone = is_alone
        self.was_ready = False
        self._asked_at: float | None = None

    def start(self) -> None:
        super().start()
        self.child_conn.close()  # with ours open nobody would hear that the worker's has closed

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether it runs, and has answered the last question in time; never waits for it."""
        if not self.process.is_alive():
            return False
        try:
            while self.parent_conn.poll():
                self.was_ready = self.parent_conn.recv() or self.was_ready
                self._asked_at = None
            if self._asked_at is None:
                self._asked_at = time.monotonic()
                self.parent_conn.send(b"ping")
        except (OSError, EOFError, pickle.UnpicklingError):
            return False
        return time.monotonic() - self._asked_at < timeout

    def retire(self) -> None:
        """As `terminate`, while others go on listening."""
        self.parent_conn.send(RETIRE)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        closing = sockets if sockets and self.is_alone else []
        for listening in closing:
            accept_all_of(Listener(listening, is_gatekeeper=False))
        arguments = closing, self.stop_seconds
        threading.Thread(target=_end_with_parent, args=arguments, daemon=True).start()
        super().target(sockets)

    def pong(self) -> None:
        if self.child_conn.recv() == RETIRE:
            retire()
        else:
            self.child_conn.send(self.server.started)


def _end_with_parent(closing: list[socket.socket], stop_seconds: float) -> None:
    """However the parent ends, its workers stop as at SIGTERM: nobody else would end them."""
    if (parent := multiprocessing.parent_process()) is None:
        return
    parent.join()
    for listening in closing:
        shut_gate(listening)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(stop_seconds)
    os._exit(1)


class Supervisor(Multiprocess):
    """`is_alone`: no other service listens on the same socket, which so ends with this one."""

    processes: list[Worker]  # type: ignore[assignment]

    def __init__(
        self, config: Config, listening: socket.socket, settings: ServerSettings, *, is_alone: bool
    ) -> None:
        super().__init__(config, [listening])
        self.stop_delay_seconds = settings.STOP_DELAY_SECONDS
        self.stop_seconds = longest_stop_seconds(settings)
        self.is_alone = is_alone
        self.has_failed = False
        self._was_ready = False

    def init_processes(self) -> None:
        self.processes.extend(self._new() for _ in range(self.processes_num))

    def keep_subprocess_alive(self) -> None:
        """Replace who has ended or hangs; stop when none of them has ever served."""
        for index, worker in enumerate(self.processes):
            is_alive = worker.is_alive(self._patience_seconds(worker))
            self._was_ready |= worker.was_ready
            if is_alive or self.should_exit.is_set():
                continue
            self._end(worker)
            if worker.exitcode in REFUSED_TO_START and not self._was_ready:
                self.has_failed = True
                self.should_exit.set()
                return
            log.info("Child process [%s] died", worker.pid)
            self.processes[index] = self._new()

    def restart_all(self) -> None:
        """Replace each worker, once its successor serves; a signal to stop ends this at once."""
        for index, old in enumerate(self.processes[:]):
            if self._is_told_to_stop():
                return
            new = self._new()
            if not self._is_ready_in_time(new):
                self._end(new)
                log.error("Child process [%s] is not ready; [%s] stays", new.pid, old.pid)
                return
            self.processes[index] = new
            self._retire(old)

    def handle_ttin(self) -> None:
        self.processes_num += 1
        self.processes.append(self._new())

    def handle_ttou(self) -> None:
        if self.processes_num > 1:
            self.processes_num -= 1
            self._retire(self.processes.pop())

    def terminate_all(self) -> None:
        super().terminate_all()
        time.sleep(self.stop_delay_seconds)
        if self.is_alone:
            shut_gate(self.sockets[0])

    def join_all(self) -> None:
        deadline = time.monotonic() + self.stop_seconds
        for worker in self.processes:
            worker.process.join(max(0, deadline - time.monotonic()))
            self._end(worker)

    def _new(self) -> Worker:
        [listening] = self.sockets
        worker = Worker(self.config, listening, self.stop_seconds, is_alone=self.is_alone)
        worker.start()
        return worker

    def _patience_seconds(self, worker: Worker) -> float:
        return self.config.timeout_worker_healthcheck if worker.was_ready else START_SECONDS

    def _end(self, worker: Worker) -> None:
        worker.kill()
        worker.join()

    def _is_ready_in_time(self, worker: Worker) -> bool:
        while not worker.was_ready:
            if self._is_told_to_stop() or not worker.is_alive(START_SECONDS):
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _retire(self, worker: Worker) -> None:
        worker.retire()
        deadline = time.monotonic() + self.stop_seconds
        while worker.process.is_alive() and time.monotonic() < deadline:
            if self._is_told_to_stop():
                self.processes.append(worker)  # `join_all` waits for it
                return
            time.sleep(POLL_SECONDS)
        self._end(worker)

    def _is_told_to_stop(self) -> bool:
        return any(number in self.signal_queue for number in (signal.SIGTERM, signal.SIGINT))
