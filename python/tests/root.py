"""The site's root, for what a test has to change there: `python3 root.py` serves, `root("script")` asks.

It listens for anybody: a site vanishes with its test.
"""

import os
import socket
import subprocess

SOCKET = "/run/root.socket"


def root(script):
    """Runs a shell script as root of the site and returns what it printed; it must succeed."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(SOCKET)
        asking.sendall(script.encode())
        asking.shutdown(socket.SHUT_WR)
        code, _, output = asking.makefile("rb").read().decode().partition("\n")
    if code != "0":
        raise AssertionError(f"root: {script}: exit code {code}\n{output}")
    return output


def serve():
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(SOCKET)
        os.chmod(SOCKET, 0o666)
        listening.listen()
        while True:
            asked, _ = listening.accept()
            with asked:
                script = asked.makefile("rb").read().decode()
                done = subprocess.run(
                    ["/bin/sh", "-c", script],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
                asked.sendall(f"{done.returncode}\n".encode() + done.stdout)


if __name__ == "__main__":
    serve()
