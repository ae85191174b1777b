"""Run by the Python of a server's environment: a handler asked as its server asks it.

``python in_server.py <handler> <archive folder>``, the bodies as JSON lines on standard input, the answers out.
"""

import importlib
import json
import sys


class Context:
    def __init__(self, folder: str) -> None:
        self.system_properties = {"model_dir": folder, "gpu_id": None}
        self.status = 200

    def get_request_header(self, place: int, name: str) -> None:
        return None

    def set_response_status(self, code: int, phrase: str, place: int) -> None:
        self.status = code

    def set_response_content_type(self, place: int, value: str) -> None:
        pass


def main(handler: str, folder: str) -> None:
    sys.path.insert(0, folder)
    handle = importlib.import_module(f"lifecycle_{handler}").handle
    handle(None, Context(folder))
    for line in sys.stdin:
        context = Context(folder)
        (answer,) = handle([{"body": line}], context)
        print("ANSWER", json.dumps([context.status, answer]))


if __name__ == "__main__":
    main(*sys.argv[1:])
