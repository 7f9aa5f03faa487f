#!/usr/bin/python3
"""A small complete pilot: takes jobs of many users from a folder and runs each as its owner. Copy what you need.

    pilot.py QUEUE

QUEUE/NAME.json is a job: {"owner": "/DC=org/CN=Alice", "command": ["./job.sh"], "env": {"A": "1"}, "limit": 3600}; its
input is QUEUE/NAME.in/. What it made and printed goes to QUEUE/NAME.out/, how it ended to QUEUE/NAME.done.
MYPROXY_SERVER names the server that has the owners' proxies, X509_USER_PROXY is the pilot's own.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager

import glexec
import glexec.myproxy

AGAIN, GRACE = glexec.Retry(attempts=4, first=2.0), 10  # seconds between the request to end and the end


class NodeIsBroken(Exception):
    """No job can run here: the pilot gives its job back and goes."""


def main(queue: str) -> int:
    """Runs every job of the queue; 1 where this node cannot."""
    node = glexec.probe(credential=os.environ["X509_USER_PROXY"])
    if not node.ok:
        print(f"this node cannot switch: {node.message} ({node.code})")
        return 1
    for name in sorted(entry[:-5] for entry in os.listdir(queue) if entry.endswith(".json")):
        path = os.path.join(queue, name)
        with open(path + ".json") as file:
            job = json.load(file)
        try:
            ending = attempt(job, path)
        except NodeIsBroken as broken:
            print(f"{name}: given back; {broken}")
            return 1
        with open(path + ".done", "w") as file:
            json.dump(ending, file)
        print(f"{name}: {ending['state']}: {ending['why']}")
    return 0


def attempt(job: dict, path: str) -> dict:
    """Runs a job, and turns whatever may happen into an ending that the job's owner understands."""
    with tempfile.TemporaryDirectory() as private:  # 0700: nobody else reads a proxy
        proxy = os.path.join(private, "proxy")

        def fetch(subject: str) -> str:
            return glexec.myproxy.retrieve(subject, to=proxy)

        try:
            fetch(job["owner"])
            code = run(job, path, proxy, fetch)
        except glexec.myproxy.MyProxyError as error:
            # 2301 may pass; 2400 is a mix-up, or an attack: the proxy is somebody else's.
            return {"state": "retry" if error.transient else "failed", "why": str(error)}
        except glexec.TimeoutExpired:
            return {"state": "failed", "why": f"ended after its limit of {job['limit']} s"}
        except glexec.Refused as refused:
            if refused.transient:  # a full pool, say: later, or on another node
                return {"state": "retry", "why": str(refused)}
            if refused.klass == "client":  # the proxy or the command: the job, or this pilot, is wrong
                return {"state": "failed", "why": str(refused)}
            if refused.klass == "authorization":  # not this user at this site: another site may let them
                return {"state": "refused", "why": str(refused)}
            raise NodeIsBroken(str(refused)) from refused  # "system": the site has to fix it
        return {"state": "ran", "why": f"exit code {code}" if code >= 0 else f"signal {-code}"}


def run(job: dict, path: str, proxy: str, fetch) -> int:
    """Stages the input in, runs the command under its limit, stages the output out; the exit code."""
    out = path + ".out"
    os.makedirs(out, exist_ok=True)
    with place_for(job, proxy) as (place, call):
        send(path + ".in", place, call)
        with open(os.path.join(out, "stdout"), "wb") as stdout, open(os.path.join(out, "stderr"), "wb") as stderr:
            streams = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr}
            who = {"credential": proxy, "expected": job["owner"], "target_proxy": f"{place}/.proxy"}
            payload = glexec.Popen(job["command"], cwd=place, env=job.get("env", {}), **who, **streams)
            # While it runs its proxy is renewed; the place, and the proxy in it, is removed at the end.
            with payload, glexec.Renewer(payload, fetch, on_failure=lambda error: print(f"not renewed: {error}")):
                code = end_within(payload, job["limit"])
        receive(place, out, call)
    return code


@contextmanager
def place_for(job: dict, proxy: str):
    """A directory of the owner's account, and a function that calls commands there; both go at the end."""

    def call(*command: str, **streams) -> glexec.Done:
        who = {"credential": proxy, "expected": job["owner"], "target_proxy": "/dev/null"}
        done = glexec.run(command, retry=AGAIN, timeout=600, **who, **streams)
        if done.returncode != 0:
            raise NodeIsBroken(f"{command[0]} ended with {done.returncode}")
        return done

    place = call("mktemp", "-d", "/tmp/job.XXXXXX", stdout=subprocess.PIPE, text=True).stdout.strip()
    try:
        yield place, call
    finally:
        call("rm", "-rf", place)


def send(folder: str, place: str, call) -> None:
    """Hands the files of a folder of the pilot's over."""
    with tempfile.TemporaryFile() as archive:
        subprocess.run(["tar", "-C", folder, "-cf", "-", "."], stdout=archive, check=True)
        archive.seek(0)
        call("tar", "-C", place, "-xf", "-", stdin=archive)


def receive(place: str, folder: str, call) -> None:
    """Fetches what the payload left; it may be anything, so only plain files come, below their own names."""
    with tempfile.TemporaryFile() as archive:
        call("tar", "-C", place, "--exclude=./.proxy", "-cf", "-", ".", stdout=archive)
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            for member in tar:
                target = os.path.normpath(os.path.join(folder, member.name))
                if member.isfile() and target.startswith(folder + os.sep):
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    with open(target, "wb") as file:
                        shutil.copyfileobj(tar.extractfile(member), file)


def end_within(payload: glexec.Popen, limit: float) -> int:
    """Waits for the end; after the limit asks, then insists."""
    try:
        return payload.wait(limit)
    except glexec.TimeoutExpired:
        payload.terminate()
        try:
            payload.wait(GRACE)
        except glexec.TimeoutExpired:
            payload.kill()
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
