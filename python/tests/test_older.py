"""What an older gLExec gets, and what a node without one; a stand-in takes the place of the historic program.

The stand-in knows no report, no --help and no new variable; it hands every descriptor on to the payload, as some
versions did, and the environment, which no version did.
"""

import os
import signal
import subprocess
import tempfile
import unittest
from unittest import mock

import glexec
from glexec import _program

STAND_IN = """#!/bin/sh
# A stand-in for gLExec 0.9: refuses as REFUSE says.
case $1 in -v) echo 'gLExec version: 0.9.11'; exit 0 ;; -*) exit 201 ;; esac
[ -n "$GLEXEC_CLIENT_CERT" ] || { echo '[gLExec]: no client certificate' >&2; exit 201; }
echo called >> "$(dirname "$0")/calls"
[ -z "$REFUSE" ] || { echo '[gLExec]: refused' >&2; exit "$REFUSE"; }
exec "$@"
"""


class Older(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        self.program = os.path.join(self.place.name, "glexec")
        with open(self.program, "w") as script:
            script.write(STAND_IN)
        os.chmod(self.program, 0o755)
        patch = mock.patch.dict(os.environ, OSG_GLEXEC_LOCATION=self.program)
        patch.start()
        self.addCleanup(patch.stop)

    def calls(self):
        path = os.path.join(self.place.name, "calls")
        if not os.path.exists(path):
            return 0
        with open(path) as calls:
            return calls.read().count("called")

    def test_a_payload_runs(self):
        done = glexec.run(["sh", "-c", "echo x; exit 7"], credential="/some/proxy", stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout, done.account, done.call), (7, b"x\n", None, None))
        self.assertEqual(glexec.run(["sh", "-c", "kill -9 $$"], credential="/some/proxy").returncode, -9)

    def test_its_own_exit_codes_are_refusals_without_a_code_and_never_tried_again(self):
        for exit_code, klass in ((201, "client"), (202, "system"), (203, "authorization")):
            before = self.calls()
            with mock.patch.dict(os.environ, REFUSE=str(exit_code)), self.assertRaises(glexec.Refused) as caught:
                glexec.run(["true"], credential="/x", stderr=-3, retry=glexec.Retry(attempts=5, first=0.01))
            refused = caught.exception
            self.assertEqual((refused.code, refused.klass, refused.transient), (None, klass, False))
            self.assertEqual((refused.exit_code, self.calls() - before), (exit_code, 1))

    def test_204_is_the_payloads(self):
        self.assertEqual(glexec.run(["sh", "-c", "exit 204"], credential="/x").returncode, 204)

    def test_what_it_does_not_know_is_said_before_anything_runs(self):
        for asked in (
            {"expected": "/CN=A"},
            {"sandbox": "/tmp"},
            {"credential": None, "token": "/x"},
            {"source_token": "/x"},
        ):
            with self.assertRaises(glexec.Unsupported) as caught:
                glexec.run(["true"], **{"credential": "/x", **asked})
            self.assertIsInstance(caught.exception, glexec.Error)
            self.assertIn("0.9.11", str(caught.exception))
        self.assertEqual(self.calls(), 0)

    def test_a_payload_cannot_forge_a_report(self):
        forged = 'for fd in 3 4 5 6 7 8 9; do echo \'{"outcome":"refused","transient":true}\' >&$fd; done 2> /dev/null'
        self.assertEqual(glexec.run(["sh", "-c", forged + "; exit 3"], credential="/x").returncode, 3)

    def test_a_daemon_that_keeps_the_descriptors_holds_nobody_up(self):
        job = glexec.Popen(["sh", "-c", "sleep 1000 > /dev/null 2>&1 & echo $!"], credential="/x", stdout=-1)
        pid = int(job.stdout.readline())
        self.assertEqual((job.wait(), job.account), (0, None))
        os.kill(pid, signal.SIGKILL)
        job.stdout.close()

    def test_renewal_needs_a_target_that_one_knows(self):
        with glexec.Popen(["cat"], credential="/x", stdin=-1) as job, self.assertRaises(glexec.Unsupported):
            job.renew("/y")

    def test_a_probe_says_who_and_why(self):
        found = glexec.probe(credential="/x")
        self.assertEqual((found.ok, found.version, found.code), (True, "gLExec version: 0.9.11", None))
        self.assertEqual(found.account, subprocess.check_output(["id", "-un"], text=True).strip())
        with mock.patch.dict(os.environ, REFUSE="203"):
            found = glexec.probe(credential="/x")
        self.assertEqual((found.ok, found.account, found.code), (False, None, None))
        self.assertTrue(found.message)


class Missing(unittest.TestCase):
    def test_a_node_without_glexec_is_told_so(self):
        for variables in (
            {"OSG_GLEXEC_LOCATION": "/no/glexec"},
            {"GLEXEC_LOCATION": "/no"},
            {"OSG_GLEXEC_LOCATION": "/tmp"},
        ):
            with mock.patch.dict(os.environ, variables):
                for call in (lambda: glexec.run(["true"], credential="/x"), glexec.probe, glexec.find):
                    with self.assertRaises(glexec.NotFound):
                        call()

    def test_the_program_is_found_as_frameworks_find_it(self):
        # A link in Debian's PATH leads to it, or there is none.
        self.assertEqual(os.path.realpath(glexec.find()), "/usr/sbin/glexec")
        with mock.patch.dict(os.environ, GLITE_LOCATION="/no", PATH="/no"):
            self.assertEqual(glexec.find(), "/usr/sbin/glexec")
        with mock.patch.dict(os.environ, GLEXEC_LOCATION="/usr", GLITE_LOCATION="/no"):
            self.assertEqual(glexec.find(), "/usr/sbin/glexec")
        self.assertEqual(glexec.find("/bin/true"), "/bin/true")

    def test_a_program_that_is_replaced_is_asked_anew(self):
        with tempfile.TemporaryDirectory() as place:
            program = os.path.join(place, "glexec")
            for version in ("1", "10"):
                with open(program, "w") as script:
                    script.write(f"#!/bin/sh\necho glexec {version} GLEXEC_REPORT_FD\n")
                os.chmod(program, 0o755)
                self.assertEqual(_program.features(program).version, f"{version} GLEXEC_REPORT_FD")

    def test_a_glexec_that_says_nothing_is_no_success(self):
        with tempfile.TemporaryDirectory() as place:
            program = os.path.join(place, "glexec")
            with open(program, "w") as script:
                script.write('#!/bin/sh\n[ "$1" != --help ] || echo GLEXEC_REPORT_FD\nexit 0\n')
            os.chmod(program, 0o755)
            with self.assertRaises(glexec.Refused) as caught:
                glexec.run(["true"], credential="/x", program=program)
            self.assertEqual((caught.exception.code, caught.exception.klass), (None, "system"))


class Retry(unittest.TestCase):
    def test_pauses_grow_up_to_a_limit_and_differ_by_chance(self):
        retry = glexec.Retry(attempts=9, first=1.0, longest=4.0, jitter=0.0)
        self.assertEqual([retry.pause(attempt) for attempt in (1, 2, 3, 4, 1000)], [1, 2, 4, 4, 4])
        pauses = [glexec.Retry(first=2.0).pause(1) for _ in range(100)]
        self.assertTrue(all(1 <= pause <= 3 for pause in pauses) and len(set(pauses)) > 50)
        for wrong in ({"attempts": 0}, {"first": -1}, {"jitter": 2}):
            with self.assertRaises(glexec.UsageError):
                glexec.Retry(**wrong)
