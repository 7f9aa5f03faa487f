"""glexec.myproxy and glexec.Renewer with a real MyProxy server."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from unittest import mock

import glexec
import glexec.myproxy
from glexec import _program, _x509

from .root import root
from .site import ALICE, BOB, SiteTest, eventually, proxy

PILOT = "/DC=org/DC=example/O=Grid/CN=Pilot Robot"
SERVER_DN = "/DC=org/DC=example/O=Services/CN=voms.example.org"
CONFIGURATION = """
accepted_credentials "*"
authorized_retrievers "*"
default_retrievers "*"
trusted_retrievers "*"
default_trusted_retrievers "none"
"""


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class MyProxy(SiteTest):
    @classmethod
    def setUpClass(cls):
        cls.server = f"localhost:{free_port()}"
        root(
            f"mkdir -m 700 /root/store && cat > /root/myproxy.conf << END\n{CONFIGURATION}END\n"
            "X509_USER_CERT=/root/host.pem X509_USER_KEY=/root/host.key myproxy-server -c /root/myproxy.conf "
            f"-s /root/store -p {cls.server.split(':')[1]} -P /root/myproxy.pid > /dev/null 2>&1"
        )
        cls.patch = mock.patch.dict(os.environ, MYPROXY_SERVER_DN=SERVER_DN)
        cls.patch.start()
        eventually("the server listens", lambda: cls.listens())
        for name in ("alice", "bob-plain"):
            glexec.myproxy.delegate(PILOT, server=cls.server, credential=proxy(name))

    @classmethod
    def tearDownClass(cls):
        cls.patch.stop()
        root("kill $(cat /root/myproxy.pid); rm -r /root/store")

    @classmethod
    def listens(cls):
        host, port = cls.server.split(":")
        with socket.socket() as asking:
            return asking.connect_ex((host, int(port))) == 0

    def setUp(self):
        self.to = "/home/pilot/fetched.pem"
        self.addCleanup(lambda: os.path.exists(self.to) and os.unlink(self.to))

    def retrieve(self, subject, **options):
        return glexec.myproxy.retrieve(
            subject, **{"server": self.server, "pilot": proxy("pilot"), "to": self.to, **options}
        )

    def fails(self, number, subject=ALICE, **options):
        """It fails with this number, and leaves the file that was there."""
        with open(self.to, "w") as old:
            old.write("old")
        with self.assertRaises(glexec.myproxy.MyProxyError) as caught:
            self.retrieve(subject, **options)
        self.assertEqual(caught.exception.number, number, caught.exception)
        self.assertIsInstance(caught.exception, glexec.Error)
        self.assertIn(str(number), str(caught.exception))
        with open(self.to) as old:
            self.assertEqual(old.read(), "old")
        self.assertEqual([name for name in os.listdir("/home/pilot") if "myproxy" in name], [])

    def test_a_fetched_proxy_runs_its_owner(self):
        self.assertEqual(self.retrieve(ALICE), self.to)
        self.assertEqual(os.stat(self.to).st_mode & 0o777, 0o600)
        done = glexec.run(["id", "-un"], credential=self.to, stdout=-1, text=True)
        self.assertEqual(done.stdout, "alice\n")
        with mock.patch.dict(os.environ, MYPROXY_SERVER=self.server, X509_USER_PROXY=proxy("pilot")):
            glexec.myproxy.retrieve(BOB, to=self.to)
        self.assertEqual(_x509.read(self.to).subject, BOB)

    def test_a_credential_that_somebody_stored_under_anothers_name_is_refused(self):
        dave = "/DC=org/DC=example/O=Grid/CN=Dave Dean"
        environment = {
            **os.environ,
            **dict.fromkeys(("X509_USER_CERT", "X509_USER_KEY", "X509_USER_PROXY"), proxy("alice")),
        }
        host, port = self.server.split(":")
        stored = ["myproxy-init", "-s", host, "-p", port, "-x", "-Z", PILOT, "-l", dave, "-c", "100"]
        subprocess.run(stored, env=environment, check=True, stdin=-3, stdout=-3, stderr=-3)
        self.fails(2400, subject=dave)

    def voms_proxy_init(self, script):
        """What myproxy-logon calls for attributes, in a PATH that leads to it first."""
        place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, place)
        with open(f"{place}/voms-proxy-init", "w") as program:
            program.write(f"#!/bin/sh\nfor word; do [ x$last = x-out ] && out=$word; last=$word; done\n{script}\n")
        os.chmod(program.name, 0o755)
        return mock.patch.dict(os.environ, PATH=f"{place}:{os.environ['PATH']}")

    def test_a_proxy_gets_the_attributes_that_it_shall_have(self):
        with self.voms_proxy_init(f'echo "$@" > /home/pilot/asked; cp {proxy("alice-voms")} "$out"'):
            self.addCleanup(os.unlink, "/home/pilot/asked")
            self.retrieve(ALICE, voms="testvo:/testvo/Role=production")
        with open("/home/pilot/asked") as asked:
            self.assertIn("testvo:/testvo/Role=production", asked.read())
        self.assertTrue(_x509.read(self.to).has_voms)

    def test_attributes_that_do_not_come_have_a_number_of_their_own(self):
        for script in ("exit 1", "exit 0"):
            with self.voms_proxy_init(script):
                self.fails(2101, voms="testvo")
        # The real program knows no server of this VO.
        self.fails(2101, voms=["testvo"])

    def test_everything_that_can_go_wrong_has_its_number(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("MYPROXY_SERVER", None)
            self.fails(2100, server=None)
        self.fails(2101, voms="")
        self.fails(2102, subject="")
        self.fails(2105, pilot="/no/proxy")
        self.fails(2301, server=f"localhost:{free_port()}")
        self.fails(2301, subject="/DC=org/CN=Nobody")
        self.fails(2301, pilot=proxy("alice-expired"))
        for number, to in ((2104, "/no/folder/proxy"), (2104, "/usr/proxy"), (2104, "/tmp"), (2106, "")):
            self.fails(number, to=to)
        with self.assertRaises(glexec.myproxy.MyProxyError) as caught:
            glexec.myproxy.delegate("", server=self.server, credential=proxy("alice"))
        self.assertEqual(caught.exception.number, 2103)
        with self.assertRaises(glexec.myproxy.MyProxyError) as caught:
            glexec.myproxy.delegate(PILOT, server=f"localhost:{free_port()}", credential=proxy("alice"))
        self.assertEqual(caught.exception.number, 2300)

    def test_programs_that_are_missing_or_broken_have_theirs(self):
        with mock.patch.dict(os.environ, PATH="/no"):
            self.fails(2201)
            with self.assertRaises(glexec.myproxy.MyProxyError) as caught:
                glexec.myproxy.delegate(PILOT, server=self.server, credential=proxy("alice"))
            self.assertEqual(caught.exception.number, 2200)
        os.makedirs("/tmp/broken", exist_ok=True)
        self.addCleanup(root, "rm -r /tmp/broken")
        for name in ("myproxy-logon", "myproxy-init"):
            with open(f"/tmp/broken/{name}", "w") as script:
                script.write("#!/bin/sh\nexit 1\n")
            os.chmod(f"/tmp/broken/{name}", 0o755)
        with mock.patch.dict(os.environ, PATH="/tmp/broken"):
            self.fails(2203)
            with self.assertRaises(glexec.myproxy.MyProxyError) as caught:
                glexec.myproxy.delegate(PILOT, server=self.server, credential=proxy("alice"))
            self.assertEqual(caught.exception.number, 2202)

    def test_a_server_that_does_not_answer_is_given_up(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            self.fails(2301, server=f"localhost:{silent.getsockname()[1]}", timeout=1.0)

    # ---- Renewer ----

    def job(self, **options):
        target = "/tmp/alice-target"
        self.addCleanup(root, f"rm -f {target}")
        script = "while read word; do cat $X509_USER_PROXY; echo; echo END; done"
        job = glexec.Popen(["sh", "-c", script], target_proxy=target, stdin=-1, stdout=-1, **options)
        self.addCleanup(job.__exit__, None, None, None)
        return job

    def short(self, seconds):
        """A proxy of alice's that lives so long."""
        path = "/home/pilot/short.pem"
        made = f"sh /usr/local/share/glexec-python/tests/short-proxy {proxy('alice')} {seconds} > {path}"
        root(f"{made} && chown pilot {path} && chmod 600 {path}")
        return path

    def test_a_payload_has_a_fresh_proxy_before_the_old_one_ends(self):
        job = self.job(credential=self.short(20))
        asked = []

        def fetch(subject):
            asked.append(subject)
            return self.retrieve(subject)

        with glexec.Renewer(job, fetch, on_failure=self.fail) as renewer:
            eventually("it has renewed", lambda: renewer.renewals == 1)
            self.assertEqual(asked, [ALICE])
            job.stdin.write(b"now\n")
            job.stdin.flush()
            seen = b"".join(iter(job.stdout.readline, b"END\n"))
        with open(self.to, "rb") as fresh:
            self.assertEqual(seen.split(), fresh.read().split())
        self.assertEqual(job.credential, self.to)
        job.communicate()

    def test_what_may_pass_is_tried_again(self):
        job = self.job(credential=self.short(30))
        asked = []

        def fetch(subject):
            asked.append(subject)
            if len(asked) < 3:
                return self.retrieve(subject, server=f"localhost:{free_port()}")
            return self.retrieve(subject)

        with glexec.Renewer(job, fetch, on_failure=asked.append, first=0.1) as renewer:
            eventually("it has renewed", lambda: renewer.renewals == 1)
        self.assertEqual(asked, [ALICE] * 3)
        job.communicate()

    def test_what_does_not_pass_is_told(self):
        failures, told = [], threading.Event()

        def on_failure(error):
            failures.append(error)
            told.set()

        job = self.job(credential=self.short(10))
        with glexec.Renewer(job, lambda subject: proxy("bob-plain"), on_failure=on_failure):
            self.assertTrue(told.wait(60), "a proxy of somebody else")
        self.assertIsInstance(failures.pop(), glexec.Refused)
        told.clear()
        job = self.job(credential=self.short(10))
        with glexec.Renewer(
            job, lambda subject: self.retrieve(subject, server="localhost:1"), on_failure=on_failure, first=0.2
        ):
            self.assertTrue(told.wait(60), "a server that stays away")
        self.assertEqual([error.number for error in failures], [2301])
        self.assertIsNone(job.poll())
        job.communicate()

    def test_a_payload_that_has_ended_is_not_renewed(self):
        job = self.job(credential=self.short(4))
        job.communicate()
        with glexec.Renewer(job, self.fail, on_failure=self.fail) as renewer:
            renewer._thread.join(60)
        self.assertEqual(renewer.renewals, 0)
        refused = glexec.Popen(["true"], credential=proxy("mallory"), stderr=-3)
        with glexec.Renewer(refused, self.fail, on_failure=self.fail), self.assertRaises(glexec.Refused):
            refused.wait()


class Names(unittest.TestCase):
    def test_the_owner_of_a_proxy_is_the_end_entity(self):
        for name in ("alice", "alice-nested", "alice-voms"):
            found = _x509.read(proxy(name))
            self.assertEqual((found.subject, found.has_voms), (ALICE, name == "alice-voms"))
            self.assertGreater(found.not_after, time.time())
        self.assertLess(_x509.read(proxy("alice-expired")).not_after, time.time())

    def test_what_is_no_proxy_is_said(self):
        for text in (b"", b"words", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            with open("/home/pilot/none", "wb") as file:
                file.write(text)
            self.addCleanup(lambda: os.path.exists("/home/pilot/none") and os.unlink("/home/pilot/none"))
            with self.assertRaises(_x509.Unreadable):
                _x509.read("/home/pilot/none")
        with self.assertRaises(_x509.Unreadable):
            _x509.read("/no/proxy")

    def test_names_are_printed_as_glexec_prints_them(self):
        for name, text in (
            ((("DC", "org"), ("CN", "host/a.example.org")), "/DC=org/CN=host/a.example.org"),
            ((("CN", "Bob/CN=Alice"),), "/CN=Bob\\/CN=Alice"),
            ((("CN", "a\\b"), ("+UID", "x+y=z")), "/CN=a\\\\b+UID=x\\+y=z"),
        ):
            self.assertEqual(_x509._one_line(name), text)

    def test_this_glexec_reports_what_the_library_needs(self):
        features = _program.features(glexec.find())
        self.assertTrue(features.report)
