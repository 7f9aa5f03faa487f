"""glexec.Popen against the real glexec: signals, streams, renewal, and what 200 calls leave behind."""

import os
import signal
import subprocess
import sys
import threading
import time
import unittest

import glexec
from glexec import _program

from .root import root
from .site import ALICE, LINGERS, SiteTest, eventually, processes_of, proxy

FEATURES = _program.features(glexec.find())


def open_descriptors():
    return sorted(
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    )


class Popen(SiteTest):
    def started(self, script, **options):
        """A payload that has begun: it has written a line."""
        job = glexec.Popen(
            ["sh", "-c", f"echo up; {script}"], stdout=subprocess.PIPE, **{"credential": proxy("alice"), **options}
        )
        self.addCleanup(job.__exit__, None, None, None)
        self.assertEqual(job.stdout.readline(), b"up\n")
        return job

    def test_a_payload_runs_beside_the_pilot(self):
        job = glexec.Popen(
            ["sh", "-c", "read line; echo $line"], credential=proxy("alice"), stdin=-1, stdout=-1, text=True
        )
        self.assertEqual((job.account, job.poll(), job.returncode), ("alice", None, None))
        with self.assertRaises(glexec.TimeoutExpired):
            job.wait(timeout=0.1)
        self.assertEqual(job.communicate("words"), ("words\n", None))
        self.assertEqual((job.wait(), job.poll(), job.returncode), (0, 0, 0))

    def test_a_refusal_is_raised_where_one_waits(self):
        job = glexec.Popen(["true"], credential=proxy("mallory"), stderr=subprocess.PIPE)
        with self.assertRaises(glexec.Refused):
            job.communicate()
        for ask in (job.wait, lambda: job.report, lambda: job.account):
            with self.assertRaises(glexec.Refused) as caught:
                ask()
            self.assertEqual(caught.exception.code, "lcas.userban")
        self.assertEqual(job.poll(), 203)

    def test_terminate_reaches_the_payload(self):
        job = self.started("trap 'echo asked; exit 5' TERM; echo set; while :; do sleep 0.01; done")
        self.assertEqual(job.stdout.readline(), b"set\n")
        job.terminate()
        self.assertEqual((job.stdout.readline(), job.wait()), (b"asked\n", 5))

    def test_any_signal_reaches_the_payload(self):
        job = self.started("trap 'exit 6' USR2; echo set; while :; do sleep 0.01; done")
        self.assertEqual(job.stdout.readline(), b"set\n")
        job.send_signal(signal.SIGUSR2)
        self.assertEqual(job.wait(), 6)
        job.terminate()  # nobody is there any more

    def test_kill_ends_everything(self):
        job = self.started("trap '' TERM; sleep 1000 & (trap '' TERM; sleep 1000 & wait) & wait")
        job.kill()
        self.assertEqual(job.wait(), -9)
        eventually("nobody is left", lambda: processes_of("alice") == [])

    def test_a_call_that_is_killed_before_glexec_has_decided_is_told_as_a_signal(self):
        job = glexec.Popen(["sleep", "1000"], credential=proxy("alice"))
        job.kill()
        self.assertEqual(job.wait(), -9)

    def test_a_job_that_nobody_waits_for_ends_with_its_with(self):
        with glexec.Popen(["cat"], credential=proxy("alice"), stdin=-1, stdout=-3) as job:
            job.stdin.write(b"x")
        self.assertEqual(job.returncode, 0)

    def test_the_report_descriptor_is_not_the_payloads(self):
        job = self.started("ls /proc/self/fd")
        self.assertLessEqual(set(job.communicate()[0].split()), {b"0", b"1", b"2", b"3"})  # 3 is the folder

    def test_a_pilot_without_standard_streams_can_call(self):
        script = f"""if True:
            import os, glexec
            for fd in (0, 1, 2):
                os.close(fd)
            done = glexec.run(["true"], credential={proxy("alice")!r})
            os._exit(0 if done.account == "alice" else 1)"""
        self.assertEqual(subprocess.run([sys.executable, "-c", script]).returncode, 0)

    def test_twenty_threads_leave_no_descriptor_and_mix_nothing_up(self):
        before = open_descriptors()
        wrong = []

        def work(number):
            for round_ in range(10):
                code = (number * 10 + round_) % 100
                name, account = ("alice", "alice") if round_ % 2 else ("bob", "tprd001")
                try:
                    done = glexec.run(
                        ["sh", "-c", f"id -un; exit {code}"], credential=proxy(name), stdout=-1, text=True
                    )
                    if (done.returncode, done.account, done.stdout) != (code, account, f"{account}\n"):
                        wrong.append(done)
                    glexec.run(["true"], credential=proxy("mallory"), stderr=-3) if round_ == 9 else None
                except glexec.Refused as refused:
                    if refused.code != "lcas.userban":
                        wrong.append(refused)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(open_descriptors(), before)

    def test_a_running_payload_gets_a_fresh_proxy(self):
        target = "/tmp/alice-proxy"
        job = self.started("read line; cat $X509_USER_PROXY", stdin=-1, target_proxy=target)
        self.addCleanup(root, f"rm -f {target}")
        self.assertEqual(job.target_proxy, target)
        report = job.renew(proxy("alice-nested"))
        self.assertEqual((report.account, job.credential), ("alice", proxy("alice-nested")))
        with open(proxy("alice-nested"), "rb") as fresh:
            self.assertEqual(job.communicate(b"\n")[0].split(), fresh.read().split())

    def test_a_proxy_of_somebody_else_is_not_handed_over(self):
        target = "/tmp/alice-proxy"
        job = self.started("read line", stdin=-1, target_proxy=target)
        self.addCleanup(root, f"rm -f {target}")
        with self.assertRaises(glexec.Refused):
            job.renew(proxy("bob-plain"))
        self.assertEqual(job.credential, proxy("alice"))
        job.communicate(b"\n")

    @unittest.skipUnless(FEATURES.expected, "this glexec reports no target_proxy")
    def test_the_proxy_that_glexec_named_can_be_renewed(self):
        job = self.started("read line; cat $X509_USER_PROXY", stdin=-1)
        self.assertRegex(job.target_proxy, "^/tmp/x509up_u3000")
        self.assertEqual(job.report.subject, ALICE)
        self.assertGreater(job.report.not_after, time.time())
        job.renew(proxy("alice-nested"))
        with open(proxy("alice-nested"), "rb") as fresh:
            self.assertEqual(job.communicate(b"\n")[0].split(), fresh.read().split())

    @unittest.skipUnless(FEATURES.expected, "this glexec does not know whom to expect")
    def test_a_credential_of_somebody_else_than_expected_is_refused(self):
        done = glexec.run(["true"], credential=proxy("alice"), expected=ALICE)
        self.assertEqual((done.returncode, done.subject), (0, ALICE))
        with self.assertRaises(glexec.Refused) as caught:
            glexec.run(["true"], credential=proxy("bob"), expected=ALICE, stderr=subprocess.DEVNULL)
        self.assertEqual(
            (caught.exception.code, caught.exception.klass), ("credential.unexpected-subject", "authorization")
        )

    @unittest.skipUnless(FEATURES.expected, "this glexec reports success before the kernel has executed")
    def test_a_command_that_the_kernel_does_not_execute_is_refused(self):
        root("printf '#!/no/such/interpreter\\n' > /tmp/broken && chmod 755 /tmp/broken")
        self.addCleanup(root, "rm /tmp/broken")
        with self.assertRaises(glexec.Refused) as caught:
            glexec.run(["/tmp/broken"], credential=proxy("alice"), stderr=subprocess.DEVNULL)
        self.assertEqual((caught.exception.code, caught.exception.exit_code), ("command.exec-failed", 126))

    @unittest.skipUnless(FEATURES.sandbox, "this glexec has no --sandbox")
    def test_a_sandbox_is_the_payloads_working_directory(self):
        os.makedirs("/tmp/scratch/job", exist_ok=True)
        os.chmod("/tmp/scratch", 0o700)
        self.addCleanup(root, "rm -r /tmp/scratch")
        with open("/tmp/scratch/job/job.sh", "w") as script:
            script.write('#!/bin/sh\necho "$PWD $A"; id -un > who\n')
        os.chmod("/tmp/scratch/job/job.sh", 0o755)
        for env in (None, {"A": "x"}):
            done = glexec.run(
                ["./job.sh"], credential=proxy("alice"), sandbox="/tmp/scratch/job", env=env, stdout=-1, text=True
            )
            self.assertEqual(done.stdout, f"/tmp/scratch/job {'x' if env else ''}\n")
            with open("/tmp/scratch/job/who") as who:
                self.assertEqual(who.read(), "alice\n")
        os.mkdir("/tmp/scratch/job/below")
        run = {"credential": proxy("alice"), "sandbox": "/tmp/scratch/job", "stdout": -1, "text": True}
        self.assertEqual(glexec.run(["pwd"], cwd="below", **run).stdout, "/tmp/scratch/job/below\n")

    def test_the_account_is_told_without_running_anything(self):
        report = glexec.renew(credential=proxy("alice"), target_proxy="/dev/null")
        self.assertEqual((report.account, report.uid, report.target_proxy), ("alice", 3000, None))
        with self.assertRaises(glexec.Refused):
            glexec.renew(credential=proxy("mallory"), target_proxy="/dev/null")

    def test_lingering_is_what_the_site_says(self):
        job = self.started("read line", stdin=-1)
        owner = root(f"stat -c %u:%g /proc/{job.pid}; cat /proc/{job.pid}/comm").split()
        self.assertEqual(owner[1] == "glexec", LINGERS)
        job.communicate(b"\n")
