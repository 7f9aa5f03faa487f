"""Bearer tokens; tests/system/python.rs has put two of Alice's and one that has expired into the pilot's home."""

import subprocess
import sys
import time
import unittest
from unittest import mock

import glexec

from .site import SiteTest, eventually

ALICE = "/iss=https://vo.example.org//sub=alice-4711"
TOKEN, FRESH, EXPIRED = (f"/home/pilot/{name}.token" for name in ("alice", "alice-fresh", "alice-expired"))


def text(path):
    with open(path) as file:
        return file.read()


class Tokens(SiteTest):
    def started(self, source_token=TOKEN):
        """A payload that prints its token, and after a line of input again."""
        script = 'cat "$BEARER_TOKEN_FILE"; read line; cat "$BEARER_TOKEN_FILE"'
        job = glexec.Popen(["sh", "-c", script], token=TOKEN, source_token=source_token, stdin=-1, stdout=-1, text=True)
        self.addCleanup(job.communicate)
        self.assertEqual(job.stdout.read(len(text(source_token))), text(source_token))
        return job

    def test_a_token_runs_its_users_payload(self):
        done = glexec.run(["id", "-un"], token=TOKEN, expected=ALICE, stdout=-1, text=True)
        self.assertEqual((done.stdout, done.account, done.subject), ("alice\n", "alice", ALICE))
        found = glexec.probe(token=TOKEN)
        self.assertEqual((found.ok, found.account), (True, "alice"))

    def test_a_token_that_is_refused_has_its_reason(self):
        for options, klass, code in (
            ({"token": EXPIRED}, "client", "token.expired"),
            ({"token": "/home/pilot/alice.pem"}, "client", "token.malformed"),
            ({"token": TOKEN, "expected": "/DC=org/CN=Bob"}, "authorization", "credential.unexpected-subject"),
        ):
            with self.assertRaises(glexec.Refused) as caught:
                glexec.run(["true"], stderr=subprocess.DEVNULL, **options)
            self.assertEqual((caught.exception.code, caught.exception.klass), (code, klass), options)
            self.assertFalse(caught.exception.transient)

    def test_the_payloads_token_is_renewed(self):
        job = self.started()
        self.assertNotIn(job.target_token, (None, TOKEN))
        report = job.renew(token=FRESH)
        self.assertEqual((report.account, report.target_token), ("alice", job.target_token))
        self.assertEqual(job.communicate("\n")[0], text(FRESH))

    def test_a_payload_with_another_token_is_never_given_the_one_that_starts_jobs(self):
        job = self.started(source_token=FRESH)
        with self.assertRaisesRegex(glexec.UsageError, "source_token="):
            job.renew(token=TOKEN)
        failures = []
        late = job.report.not_after - time.time() - 1
        clock = mock.patch("glexec._renewer.time.time", lambda now=time.time: now() + late)
        with clock, glexec.Renewer(job, lambda subject: TOKEN, on_failure=failures.append) as renewer:
            eventually("it has given up", lambda: failures)
        self.assertIsInstance(failures[0], glexec.UsageError)
        self.assertEqual(renewer.renewals, 0)
        job.renew(token=FRESH, source_token=TOKEN)
        self.assertEqual(job.communicate("\n")[0], text(TOKEN))

    def test_a_renewer_and_the_command_line_renew_tokens(self):
        job = self.started()
        late = job.report.not_after - time.time() - 1  # a second before the end
        clock = mock.patch("glexec._renewer.time.time", lambda now=time.time: now() + late)
        with clock, glexec.Renewer(job, lambda subject: FRESH) as renewer:
            eventually("it has renewed", lambda: renewer.renewals > 0)
        self.assertEqual(job.communicate("\n")[0], text(FRESH))
        job = self.started()
        options = ["--token", FRESH, "--target", job.target_token]
        subprocess.run([sys.executable, "-m", "glexec", "renew", *options], check=True)
        self.assertEqual(job.communicate("\n")[0], text(FRESH))

    def test_the_token_that_starts_a_job_is_not_handed_on(self):
        done = glexec.run(["sh", "-c", 'echo "${BEARER_TOKEN_FILE-none}"'], token=TOKEN, stdout=-1, text=True)
        self.assertEqual(done.stdout, "none\n")


if __name__ == "__main__":
    unittest.main()
