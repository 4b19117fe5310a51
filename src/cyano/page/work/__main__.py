"""Takes jobs from a socket, one at a time, until the server is gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from cyano.errors import CyanoError, ImageError, LargeImageError, MissingExtraError
from cyano.page.work.answers import Answer, GoneError
from cyano.page.work.server import Server

__all__ = ["main"]

Ask = Callable[[dict[str, Any]], Answer]


def main() -> None:
    """Load the networks, then work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    told = json.loads(sys.argv[2])
    server = Server.from_arguments()
    with contextlib.suppress(ConnectionError):
        try:
            from cyano.page.work.desk import Desk

            desk = Desk(told, server)
        except CyanoError as error:
            server.send({"refused": "options", "detail": str(error)})
            return
        if desk.facts["device"] == "cpu":
            _limit(told["worker_bytes"])
        server.send({"ready": desk.facts})
        while True:
            _work(server, desk.answer, server.receive())


def _work(server: Server, answer: Ask, document: dict[str, Any]) -> None:
    """Do one job; whatever becomes of it is told."""
    try:
        done = answer(document)
    except GoneError as gone:
        server.send({"refused": "not-found", "detail": str(gone)})
    except LargeImageError as error:
        fact = str(error).partition(";")[0]  # the remedy is for who has the limits in hand
        server.send({"refused": "too-large", "detail": f"{fact}; shrink it"})
    except ImageError as error:
        server.send({"refused": "not-an-image", "detail": str(error)})
    except MissingExtraError as error:
        server.send({"refused": "unavailable", "detail": str(error)})
    except CyanoError as error:
        server.send({"refused": "options", "detail": str(error)})
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - the server says that it could not be computed, and goes on
        traceback.print_exc()
        server.send({"failed": type(error).__name__})
    else:
        server.send({"done": done.facts}, *done.blobs)


def _limit(more: int) -> None:
    """Bound the address space to so many bytes more than there are, and leave no core behind."""
    if sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mapped + more
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    main()
