"""glexec.run against the real glexec."""

import os
import pickle
import shutil
import subprocess
import threading
import time
import unittest

import glexec

from .root import root
from .site import LINGERS, SiteTest, processes_of, proxy


class Run(SiteTest):
    def test_a_command_runs_as_the_owner_of_the_credential(self):
        done = glexec.run(["/usr/bin/id", "-un"], credential=proxy("alice"), capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "alice\n", ""))
        self.assertEqual((done.account, done.uid, done.gid, done.gids), ("alice", 3000, 3000, (3000,)))
        self.assertTrue(done.call)

    def test_every_exit_code_of_a_payload_is_its_own(self):
        for code in (0, 1, 7, 125, 126, 127, 200, 201, 202, 203, 204, 205, 255):
            done = glexec.run(["sh", "-c", f"exit {code}"], credential=proxy("alice"))
            expected = 204 if LINGERS and code in (201, 202, 203) else code
            self.assertEqual(done.returncode, expected, code)

    def test_a_payload_that_a_signal_ends_is_told_as_in_subprocess(self):
        done = glexec.run(["sh", "-c", "kill -USR1 $$"], credential=proxy("alice"))
        self.assertEqual(done.returncode, -10)

    def test_a_refusal_says_what_why_and_whether_again(self):
        for name, code, klass, exit_code in (
            ("alice-expired", "credential.expired", "client", 201),
            ("mallory", "lcas.userban", "authorization", 203),
        ):
            with self.assertRaises(glexec.Refused) as caught:
                glexec.run(["true"], credential=proxy(name), stderr=subprocess.DEVNULL)
            refused = caught.exception
            self.assertEqual((refused.code, refused.klass, refused.exit_code), (code, klass, exit_code))
            self.assertFalse(refused.transient)
            self.assertIn(code, str(refused))
            self.assertTrue(refused.message and refused.call)
            self.assertIsInstance(refused, glexec.Error)
            self.assertEqual(vars(pickle.loads(pickle.dumps(refused))), vars(refused))

    def test_a_site_that_is_broken_is_the_class_system(self):
        root("mv /etc/grid-security/certificates /etc/grid-security/away")
        self.addCleanup(root, "mv /etc/grid-security/away /etc/grid-security/certificates")
        with self.assertRaises(glexec.Refused) as caught:
            glexec.run(["true"], credential=proxy("alice"), stderr=subprocess.DEVNULL)
        self.assertEqual((caught.exception.klass, caught.exception.exit_code), ("system", 202))

    def test_a_command_that_is_not_there_is_refused(self):
        with self.assertRaises(glexec.Refused) as caught:
            glexec.run(["no-such-command"], credential=proxy("alice"), stderr=subprocess.DEVNULL)
        self.assertEqual((caught.exception.code, caught.exception.klass), ("command.not-found", "client"))

    def test_arguments_are_handed_on_byte_for_byte(self):
        words = ["", "a b", "$HOME", "*", "\\", "'", '"', "--", "-x", "\n", "\udcff"]
        done = glexec.run(["printf", "%s|", *words], credential=proxy("alice"), stdout=subprocess.PIPE)
        self.assertEqual(done.stdout, b"".join(os.fsencode(word) + b"|" for word in words))

    def test_streams_are_as_in_subprocess(self):
        done = glexec.run(["cat"], credential=proxy("alice"), input=b"\0data\n", stdout=subprocess.PIPE)
        self.assertEqual(done.stdout, b"\0data\n")
        done = glexec.run(
            ["sh", "-c", "cat >&2"], credential=proxy("alice"), input="words", capture_output=True, text=True
        )
        self.assertEqual((done.stdout, done.stderr), ("", "words"))
        with self.assertRaises(glexec.UsageError):
            glexec.run(["cat"], credential=proxy("alice"), input=b"", stdin=subprocess.DEVNULL)

    def test_nothing_of_the_pilots_environment_reaches_the_payload(self):
        os.environ.update(SECRET="pilot's", GLEXEC_TARGET_PROXY="/dev/null", GLEXEC_ENV="stale")
        self.addCleanup(lambda: [os.environ.pop(name) for name in ("SECRET", "GLEXEC_TARGET_PROXY", "GLEXEC_ENV")])
        done = glexec.run(["env"], credential=proxy("alice"), stdout=subprocess.PIPE, text=True)
        names = {line.split("=")[0] for line in done.stdout.splitlines()}
        self.assertEqual(names, {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "X509_USER_PROXY"})

    def test_env_is_the_payloads_and_no_shell_reads_it(self):
        env = {"A": "x=y $HOME `id`\n'\"", "EMPTY": "", "PATH": "/usr/bin:/bin:/opt/x", "BYTES": "\udcff"}
        done = glexec.run(["env", "-0"], credential=proxy("alice"), env=env, stdout=subprocess.PIPE)
        got = dict(os.fsdecode(item).split("=", 1) for item in done.stdout.split(b"\0") if item)
        self.assertEqual({name: got.get(name) for name in env}, env)
        self.assertEqual((got["USER"], got["HOME"]), ("alice", "/home/alice"))

    def test_env_cannot_say_who_the_payload_is(self):
        for env in (
            {"HOME": "/x"},
            {"X509_USER_PROXY": "/x"},
            {"": "x"},
            {"A=B": "x"},
            {"A": "\0"},
            {"A": "x" * 10**7},
        ):
            if len(env.get("A", "")) > 10:
                env = {"A": os.urandom(10**6).hex()}
            with self.assertRaises(glexec.UsageError):
                glexec.run(["true"], credential=proxy("alice"), env=env)

    def test_a_command_of_one_word_with_blanks_or_signs_is_no_shell_command(self):
        for name in ("my job; id", "a=b", "$(id)", "plain"):
            root(f"printf '#!/bin/sh\\necho ran \"$A\" $PWD\\n' > '/tmp/{name}' && chmod 755 '/tmp/{name}'")
            self.addCleanup(root, f"rm '/tmp/{name}'")
            run = {"credential": proxy("alice"), "stdout": subprocess.PIPE, "text": True}
            self.assertEqual(glexec.run(f"/tmp/{name}", env={"A": "1"}, **run).stdout, "ran 1 /home/alice\n")
            self.assertEqual(glexec.run([f"./{name}"], env={"A": "1"}, cwd="/tmp", **run).stdout, "ran 1 /tmp\n")
            self.assertEqual(glexec.run([f"./{name}"], cwd="/tmp", **run).stdout, "ran  /tmp\n")
            here = os.getcwd()
            os.chdir("/tmp")
            try:
                self.assertEqual(glexec.run([f"./{name}"], env={"A": "1"}, **run).stdout, "ran 1 /home/alice\n")
            finally:
                os.chdir(here)

    def test_a_timeout_ends_the_whole_tree(self):
        begun = time.monotonic()
        script = "trap '' TERM; (trap '' TERM; sleep 1000 & setsid sleep 1000 & wait) & sleep 1000 & wait"
        with self.assertRaises(glexec.TimeoutExpired) as caught:
            glexec.run(["sh", "-c", script], credential=proxy("alice"), timeout=1)
        self.assertEqual(processes_of("alice"), [])
        self.assertEqual((caught.exception.timeout, caught.exception.cmd[0]), (1, "sh"))
        self.assertIsInstance(caught.exception, (glexec.Error, subprocess.TimeoutExpired))
        self.assertLess(time.monotonic() - begun, 60)

    @unittest.skipIf(LINGERS, "a lingering glexec needs no credential to end a payload")
    def test_a_payload_that_cannot_be_ended_any_more_is_told_at_once(self):
        short = "/home/pilot/short.pem"
        shutil.copy(proxy("alice"), short)
        self.addCleanup(os.unlink, short)
        begun = threading.Event()
        spoil = threading.Thread(target=lambda: (begun.wait(60), os.chmod(short, 0o644)))
        spoil.start()
        threading.Timer(0.5, begun.set).start()
        with self.assertRaises(glexec.Refused) as caught:
            glexec.run(["sleep", "1000"], credential=short, timeout=2)
        spoil.join()
        self.assertEqual(caught.exception.klass, "client")

    def test_what_was_written_before_a_timeout_is_kept(self):
        with self.assertRaises(glexec.TimeoutExpired) as caught:
            glexec.run(["sh", "-c", "echo begun; exec sleep 1000"], credential=proxy("alice"), timeout=1, stdout=-1)
        self.assertEqual(caught.exception.output, b"begun\n")

    def test_a_passing_refusal_is_tried_again_until_it_passes(self):
        with self.no_account_left():
            free = threading.Timer(1, root, ["touch /etc/grid-security/gridmapdir/tprd001"])
            free.start()
            done = glexec.run(
                ["id", "-un"],
                credential=proxy("bob"),
                retry=glexec.Retry(attempts=50, first=0.2, longest=0.4),
                capture_output=True,
                text=True,
            )
            free.join()
        self.assertEqual((done.stdout, done.stderr), ("tprd001\n", ""))

    def test_attempts_counts_the_first_call(self):
        with self.no_account_left(), self.assertRaises(glexec.Refused) as caught:
            before = self.refusals()
            glexec.run(["true"], credential=proxy("bob"), retry=glexec.Retry(attempts=3, first=0.01), stderr=-3)
        self.assertEqual(self.refusals() - before, 3)
        self.assertEqual((caught.exception.code, caught.exception.transient), ("lcmaps.pool-exhausted", True))

    def test_a_lasting_refusal_and_a_payload_that_failed_are_not_tried_again(self):
        before = self.refusals()
        with self.assertRaises(glexec.Refused):
            glexec.run(["true"], credential=proxy("mallory"), retry=glexec.Retry(attempts=5, first=0.01), stderr=-3)
        self.assertEqual(self.refusals() - before, 1)
        done = glexec.run(
            ["sh", "-c", "echo x; exit 203"],
            credential=proxy("alice"),
            retry=glexec.Retry(attempts=5, first=0.01),
            stdout=-1,
        )
        self.assertEqual(done.stdout, b"x\n")

    def test_one_identity_a_call(self):
        with self.assertRaises(glexec.UsageError):
            glexec.run(["true"], credential=proxy("alice"), token="/home/pilot/token")
        with self.assertRaises(glexec.UsageError):
            glexec.run([], credential=proxy("alice"))
        with self.assertRaises(glexec.Refused) as caught:
            glexec.run(["true"], stderr=subprocess.DEVNULL)
        self.assertEqual(caught.exception.klass, "client")

    def refusals(self):
        return int(root("grep -c decision=deny /var/log/glexec/glexec.log || :"))

    def no_account_left(self):
        """Meanwhile the pool of the production role is empty."""

        class Empty:
            def __enter__(self):
                root("cd /etc/grid-security && mkdir away && mv gridmapdir/* away && touch gridmapdir/other001")

            def __exit__(self, *_):
                root("cd /etc/grid-security && rm -f gridmapdir/* && mv away/* gridmapdir && rmdir away")

        return Empty()
