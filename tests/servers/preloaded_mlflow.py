"""``mlflow models serve`` without the wait: a process imports everything once and forks a server for each call.

What runs in the fork is what ``mlflow models serve`` executes: ``uvicorn mlflow.pyfunc.scoring_server.app:app``, with
the folder in MLflow's own variable. The suite starts some hundred of them; each would import for ten seconds and more.

``preload <socket>`` is that process. ``<socket> models serve -m <folder> ... -h <host> -p <port>`` stands for MLflow's
command: it hands its standard error over, passes signals on, and ends as the server ends.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys
import threading
from importlib import import_module

NEEDED = (
    "mlflow.pyfunc.scoring_server",
    "mlflow.sklearn",
    "pandas",
    "skops.io",
    "sklearn.linear_model",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
)


def preload(path: str) -> None:
    for name in NEEDED:
        import_module(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path + ".new")
        listening.listen(16)
        os.rename(path + ".new", path)
        while True:
            caller, _ = listening.accept()
            arguments, error = received(caller)
            child = os.fork()
            if child == 0:
                listening.close()
                caller.close()
                serve(arguments, error)
            os.close(error)
            threading.Thread(target=watch, args=(caller, child), daemon=True).start()


def received(caller: socket.socket) -> tuple[dict[str, str], int]:
    found = array.array("i")
    data, ancillary, _, _ = caller.recvmsg(65536, socket.CMSG_SPACE(found.itemsize))
    found.frombytes(ancillary[0][2])
    return json.loads(data), found[0]


def serve(arguments: dict[str, str], error: int) -> None:
    status = 1
    try:
        os.dup2(error, 2)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        from mlflow.pyfunc import scoring_server

        os.environ[scoring_server._SERVER_MODEL_PATH] = arguments["-m"]
        import uvicorn

        uvicorn.run("mlflow.pyfunc.scoring_server.app:app", host=arguments["-h"], port=int(arguments["-p"]))
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def watch(caller: socket.socket, child: int) -> None:
    """Tell the caller when the server has ended, and end the server when the caller has."""
    handle = os.pidfd_open(child)

    def ended() -> None:
        _, status = os.waitpid(child, 0)
        try:
            caller.sendall(b"%d" % os.waitstatus_to_exitcode(status))
            caller.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    ending = threading.Thread(target=ended, daemon=True)
    ending.start()
    while data := _received(caller):
        _send(handle, data[-1])
    _send(handle, signal.SIGKILL)
    ending.join()
    os.close(handle)
    caller.close()


def _received(caller: socket.socket) -> bytes:
    try:
        return caller.recv(1)
    except OSError:
        return b""


def _send(handle: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass


def call(path: str, words: list[str]) -> int:
    arguments = dict(zip(words[2::2], words[3::2], strict=False))
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        handed = array.array("i", [2])
        server.sendmsg([json.dumps(arguments).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: server.sendall(bytes([number])))
        status = server.recv(16)
        return int(status or b"1") & 0xFF


if __name__ == "__main__":
    if sys.argv[1] == "preload":
        preload(sys.argv[2])
    sys.exit(call(sys.argv[1], sys.argv[2:]))
