"""What the tests know of their site: tests/site/make-pki and tests/site/root make it."""

import os
import time
import unittest

from .root import root

#: Whether the site's glexec lingers.
LINGERS = os.environ["SITE_LINGERS"] == "yes"
ALICE = "/DC=org/DC=example/O=Grid/CN=Alice Adams"
BOB = "/DC=org/DC=example/O=Grid/CN=Bob Brown"
PATIENCE = 60.0


def proxy(name):
    """A proxy file that is the pilot's."""
    return f"/home/pilot/{name}.pem"


def configure(old, new):
    """Changes glexec.conf."""
    root(f"grep -q '{old}' /etc/glexec.conf && sed -i 's|{old}|{new}|' /etc/glexec.conf")


def eventually(what, happened):
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {PATIENCE} seconds")
        time.sleep(0.01)


def processes_of(account):
    """The processes of an account that have not ended; who has ended may still wait to be reaped."""
    return root(f"ps -o stat=,pid= -u {account} | awk '$1 !~ /^Z/ {{ print $2 }}'").split()


class SiteTest(unittest.TestCase):
    """A test that leaves no process of a user behind."""

    def tearDown(self):
        root("pkill -KILL -u alice; for n in 01 02 03; do pkill -KILL -u tprd0$n; done; :")
