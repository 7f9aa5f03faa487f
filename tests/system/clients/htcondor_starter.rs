//! HTCondor's older GLEXEC_STARTER: the whole starter runs as the mapped user (glexec_starter.linux.cpp).

use super::in_both_modes;
use crate::site::GLEXEC;
use nix::libc::SYS_recvmsg;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::fs::File;
use std::io::{IoSlice, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// condor_glexec_wrapper (glexec_wrapper.cpp): from the socket that is its stdin it takes an environment (its size, then the
/// text), then, each announced by a flag, descriptors; it answers by executing its arguments, which closes the socket.
fn wrapper() -> String {
    format!(
        r#"open(my $socket, "+<&=", 0) or die "socket: $!";
        sysread($socket, my $size, 4) == 4 or die "size: $!"; sysread($socket, my $text, unpack("l", $size)) or die "text: $!";
        sysread($socket, my $flag, 4) == 4 && unpack("l", $flag) == 1 or die "flag: $!";
        my ($data, $control) = ("\0" x 16, "\0" x 64);
        my $iov = pack("P Q", $data, 16);
        my $message = pack("Q L x4 P Q P Q l x4", 0, 0, $iov, 1, $control, 64, 0);
        syscall({SYS_recvmsg}, 0, $message, 0) > 0 or die "recvmsg: $!";
        open(my $file, ">&=", unpack("x16 l", $control)) or die "descriptor: $!";
        my ($name, $value) = split(/=/, $text); $ENV{{$name}} = $value;
        open(STDOUT, ">&", $file); close($socket); open(STDIN, "<", "/dev/null"); exec(@ARGV) or die "exec: $!""#
    )
}

#[test]
fn condor_starter_gets_its_environment_and_descriptors_over_the_socket_that_is_its_stdin() {
    in_both_modes(|site| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let pilot = site.pilot().own_proxy("pilot").credential("alice").env("GLEXEC_TARGET_PROXY", "/dev/null");
        // The setting GLEXEC may hold options, too: here the one that ends them.
        let command =
            ["--", "/usr/bin/perl", "-e", &wrapper(), "sh", "-c", "echo $STARTER as $(id -un); read _; sleep 0"];
        let starter = pilot.start_on(OwnedFd::from(theirs), GLEXEC, command);
        let environment = b"STARTER=condor_starter";
        ours.write_all(&i32::try_from(environment.len()).unwrap().to_ne_bytes()).unwrap();
        ours.write_all(environment).unwrap();
        ours.write_all(&1_i32.to_ne_bytes()).unwrap();
        let name = c"of-the-startd";
        let mut file = File::from(nix::sys::memfd::memfd_create(name, nix::sys::memfd::MFdFlags::empty()).unwrap());
        let fds = [file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(ours.as_raw_fd(), &[IoSlice::new(b"x")], &rights, MsgFlags::empty(), None).unwrap();
        // Success is that nobody holds the socket any more, glexec neither.
        let mut nothing = Vec::new();
        ours.read_to_end(&mut nothing).unwrap();
        assert_eq!(nothing, b"");
        starter.finish().succeeds_with("");
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "condor_starter as alice\n");
    });
}

#[test]
fn condor_starter_gets_its_proxy_in_a_directory_of_the_target() {
    in_both_modes(|site| {
        site.sh("install -d -m 1777 /execute");
        let set_up = "#!/bin/sh\numask 022; mkdir -p \"$1\" && echo `whoami`\n";
        site.write("/usr/bin/glexec_starter_setup.sh", set_up);
        site.chmod("/usr/bin/glexec_starter_setup.sh", 0o755);
        let pilot = site.pilot().own_proxy("pilot").credential("alice");
        let dir = "/execute/dir_1.glexec";
        pilot.glexec(["/usr/bin/glexec_starter_setup.sh", dir]).succeeds_with("alice\n");

        let source = pilot.client_cert();
        let pilot = pilot
            .env("GLEXEC_MODE", "lcmaps_get_account")
            .env("GLEXEC_SOURCE_PROXY", source)
            .env("GLEXEC_TARGET_PROXY", format!("{dir}/glexec_starter_proxy"));
        let run =
            pilot.glexec(["sh", "-c", "echo $X509_USER_PROXY; stat -c '%U %a' $X509_USER_PROXY; env | grep GLEXEC"]);
        assert_eq!(run.exits(1).stdout(), format!("{dir}/glexec_starter_proxy\nalice 600\n"));
        let copy = site.read(&format!("{dir}/glexec_starter_proxy"));
        assert_eq!(copy, site.read(&pilot.client_cert()));
    });
}
