"""A process for live pictures without a source: a frame for each command "next", and what else is asked of it."""

from __future__ import annotations

import socket
import sys
from typing import Any

from cyano.page.messages import pack, receive_message

STATE = {"state": "running", "message": "", "source": "fake", "keypoint_threshold": 0.01, "match_threshold": 0.2}


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))

    def send(document: dict[str, Any], *blobs: bytes) -> None:
        for piece in pack(document, blobs):
            connection.sendall(piece)

    if "refuse" in sys.argv[2]:
        send({"refused": "options", "detail": "there is no such movie or folder"})
        return
    send({"ready": {}})
    send({"state": STATE})
    count = 0
    while True:
        try:
            asked = receive_message(connection).document
        except ConnectionError:
            return
        if asked["command"] == "end":
            return
        if asked["command"] != "next":
            send({"error": f"no {asked['command']}", "viewer": asked["viewer"]})
            continue
        for _ in range(asked["value"]):
            header = {**STATE, "frame": count, "matches": 1, "points": []}
            anchor = count // 100
            send({"frame": header, "anchor": anchor}, b"anchor" * (count % 100 == 0), b"p" * 200_000, bytes(20))
            count += 1


if __name__ == "__main__":
    main()
