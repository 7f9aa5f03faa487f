"""python3 -m glexec, as an account with Debian's own PATH."""

import os
import subprocess
import sys

from .site import SiteTest, processes_of, proxy


def command(*words, **variables):
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-m", "glexec", *words], env=environment, stdin=-3, stdout=-1, stderr=-1, text=True
    )


class CommandLine(SiteTest):
    def test_a_probe_is_one_line(self):
        for words, variables in (
            (("--credential", proxy("alice")), {}),
            ((), {"X509_USER_PROXY": proxy("alice")}),
        ):
            done = command("probe", *words, **variables)
            self.assertRegex(done.stdout, r"\Aok: glexec [0-9.]+ switches to alice\n\Z")
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_probe_that_is_refused_says_why(self):
        done = command("probe", "--credential", proxy("mallory"))
        self.assertRegex(done.stdout, r"\Arefused: glexec [0-9.]+: .* \(lcas.userban\)\n\Z")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(command("probe").returncode, 1)

    def test_a_probe_without_glexec_is_2(self):
        done = command("probe", "--credential", proxy("alice"), OSG_GLEXEC_LOCATION="/no/glexec")
        self.assertEqual((done.returncode, done.stdout), (2, ""))

    def test_run_ends_as_the_command_ends(self):
        done = command("run", "--credential", proxy("alice"), "--", "sh", "-c", "id -un; exit 7")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, "alice\n", ""))
        done = command("run", "--credential", proxy("alice"), "sh", "-c", "kill -USR1 $$")
        self.assertEqual(done.returncode, -10)
        done = command(
            "run",
            "--env",
            "A=x=y",
            "--env",
            "B=",
            "--cwd",
            "/tmp",
            "sh",
            "-c",
            "echo $A,$B,$PWD",
            GLEXEC_CLIENT_CERT=proxy("alice"),
        )
        self.assertEqual((done.returncode, done.stdout), (0, "x=y,,/tmp\n"))

    def test_run_says_that_glexec_refused(self):
        done = command("run", "--credential", proxy("mallory"), "true")
        self.assertEqual(done.returncode, 203)
        self.assertIn("(lcas.userban)", done.stderr)

    def test_run_ends_what_takes_too_long(self):
        done = command("run", "--timeout", "1", "--credential", proxy("alice"), "sh", "-c", "sleep 1000 & wait")
        self.assertEqual((done.returncode, processes_of("alice")), (124, []))

    def test_renew_writes_the_proxy_anew(self):
        target = "/tmp/renewed"
        done = command("renew", "--credential", proxy("alice"), "--target", target)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        done = command(
            "run", "--credential", proxy("alice"), "--", "sh", "-c", f"stat -c '%U %a' {target}; rm {target}"
        )
        self.assertEqual(done.stdout, "alice 600\n")
