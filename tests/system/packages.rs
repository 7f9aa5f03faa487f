//! The Debian and RPM packages, installed, upgraded and removed with the real tools in sites that knew nothing of glexec.
//!
//! `make deb rpm` makes them; `make test` does that first and says where they are.

use crate::site::{GLEXEC, Site};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package of this kind.
pub fn package(extension: &str) -> PathBuf {
    let beside = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("packages");
    let dir = std::env::var_os("GLEXEC_PACKAGES").map_or_else(beside, PathBuf::from);
    let files = std::fs::read_dir(&dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_glexec = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("glexec"));
    let found = files.filter(|path| path.extension().is_some_and(|e| e == extension) && is_glexec(path)).max();
    found.unwrap_or_else(|| panic!("no .{extension} in {}: run make {extension}", dir.display()))
}

/// A site with the Debian package in /root, where those of its dependencies are installed that the host has.
pub fn debian_site() -> Site {
    let site = Site::without_glexec();
    site.sh("mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers && : > /var/lib/dpkg/available");
    let depends = Command::new("dpkg-deb").arg("-f").arg(package("deb")).arg("Depends").output().unwrap().stdout;
    let depends = String::from_utf8(depends).unwrap();
    let needed: Vec<&str> = depends.split(", ").filter_map(|one| one.split_whitespace().next()).collect();
    let host = std::fs::read_to_string("/var/lib/dpkg/status").expect("the host is Debian");
    let is_needed = |entry: &&str| needed.iter().any(|name| entry.starts_with(&format!("Package: {name}\n")));
    site.write("/var/lib/dpkg/status", host.split("\n\n").filter(is_needed).collect::<Vec<_>>().join("\n\n") + "\n");
    site.write("/root/glexec.deb", std::fs::read(package("deb")).unwrap());
    site
}

fn red_hat_site() -> Site {
    let site = Site::without_glexec();
    site.write("/root/glexec.rpm", std::fs::read(package("rpm")).unwrap());
    site.sh("mkdir -p /var/lib/rpm");
    site
}

/// The program is there as it must be, its account too, and it works: it knows of nobody who may call.
fn is_installed(site: &Site) {
    assert_eq!(site.sh("stat -c '%a %U:%G' /usr/sbin/glexec"), "4711 root:root\n");
    let account = site.account("glexec");
    assert!(account.uid < 1000 && account.groups.len() == 1, "{account:?}");
    assert_eq!(
        site.sh("getent passwd glexec | cut -d: -f6-; stat -c '%a %U' /var/log/glexec"),
        "/:/usr/sbin/nologin\n755 root\n"
    );
    let call = site.pilot().credential("alice").glexec(["id"]);
    call.refused_without_record(203, "caller.not-white-listed");
}

/// The administrator configures it; then it is used.
fn is_configured(site: &Site) {
    site.write("/etc/glexec.conf", include_str!("../site/root/etc/glexec.conf"));
    is_used(site);
}

fn is_used(site: &Site) {
    site.pilot().credential("alice").glexec(["id", "-un"]).succeeds_with("alice\n");
}

/// What the service manager is told is written down, and it says that it runs.
fn with_service_manager(site: &Site) {
    site.sh("mkdir -p /run/systemd/system");
    for program in ["deb-systemd-invoke", "systemctl"] {
        // Enabling is no more than links.
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> /root/manager\ncase \"$*\" in --root*) exec /usr/bin/{program}.real \"$@\";; esac\n"
        );
        let path = format!("/usr/bin/{program}");
        site.sh(&format!("mv {path} {path}.real"));
        site.write(&path, script);
        site.chmod(&path, 0o755);
    }
}

/// The units that are enabled.
fn enabled(site: &Site) -> String {
    site.sh("find /etc/systemd/system -type l -name 'glexec*' -printf '%f\n' 2> /dev/null | sort -u")
}

const UNITS: [&str; 3] = ["glexec-agent.service", "glexec-agent.socket", "glexec-sweep.timer"];

/// Whether the service manager was told to do this with all of them.
fn told(site: &Site, verb: &str) -> bool {
    let told = site.read("/root/manager");
    let lines: Vec<&str> = told.lines().filter(|line| line.split(' ').any(|word| word == verb)).collect();
    UNITS.iter().all(|unit| lines.iter().any(|line| line.contains(unit)))
}

/// What is left has no setuid bit, and none of the programs.
fn is_removed(site: &Site) {
    assert_eq!(
        site.sh("find / -xdev -name '*glexec*' -perm /6000; ls /usr/sbin /usr/bin | grep -e glexec -e gltemp || :"),
        ""
    );
    assert!(!site.exists(GLEXEC));
}

#[test]
fn the_debian_package_is_installed_upgraded_removed_and_purged() {
    let site = debian_site();
    let dpkg = |arguments: &str| site.sh(&format!("DEBIAN_FRONTEND=noninteractive dpkg {arguments} 2>&1"));
    with_service_manager(&site);
    dpkg("-i /root/glexec.deb");
    assert_eq!(enabled(&site), UNITS.join("\n") + "\n");
    assert!(told(&site, "start") && !told(&site, "stop"));
    is_installed(&site);
    is_configured(&site);

    // The next version has another shipped configuration.
    site.sh("cd /root && dpkg-deb -R glexec.deb next && sed -i 's/^Version: .*/Version: 99/' next/DEBIAN/control && \
             echo '# new' >> next/etc/glexec.conf && dpkg-deb --root-owner-group -b next next.deb && rm -r next");
    dpkg("--force-confold -i /root/next.deb");
    assert_eq!(site.sh("dpkg-query -W -f '${Version} ${db:Status-Abbrev}' glexec"), "99 ii ");
    assert_eq!(site.read("/etc/glexec.conf"), include_str!("../site/root/etc/glexec.conf"));
    assert!(site.read("/etc/glexec.conf.dpkg-dist").ends_with("# new\n"));
    is_used(&site);

    dpkg("-r glexec");
    assert!(told(&site, "stop"), "nothing runs on");
    is_removed(&site);
    assert!(site.exists("/etc/glexec.conf") && site.exists("/var/log/glexec/glexec.log"));
    site.sh("mkdir -p -m 700 /run/glexec");
    dpkg("-P glexec");
    assert_eq!(enabled(&site), "");
    assert_eq!(
        site.sh("ls -d /run/glexec /etc/glexec.conf* /etc/logrotate.d/glexec /var/log/glexec 2> /dev/null || :"),
        ""
    );
    assert_eq!(site.sh("getent passwd glexec; getent group glexec || :"), "");
    // What belongs to the site stays.
    assert!(site.exists("/etc/grid-security/grid-mapfile"));
}

#[test]
fn the_python_library_is_a_package_of_its_own_and_a_wheel() {
    let site = debian_site();
    let packages = package("deb").parent().unwrap().to_owned();
    let file = |begin: &str, end: &str| {
        let names = std::fs::read_dir(&packages).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(begin) && name.ends_with(end)
        };
        names.filter(is_it).max().unwrap_or_else(|| panic!("no {begin}…{end}: run make deb python"))
    };
    site.write("/root/library.deb", std::fs::read(file("python3-glexec_", ".deb")).unwrap());
    let python =
        "cd / && /usr/bin/python3 -c 'import glexec, glexec.myproxy; print(glexec.find.__name__, glexec.__file__)'";
    // The site's dpkg knows of no other package, so not of Python either, which is there.
    site.sh("dpkg --force-depends -i /root/library.deb > /dev/null 2>&1");
    assert_eq!(site.sh(python), "find /usr/lib/python3/dist-packages/glexec/__init__.py\n");
    site.sh("dpkg -P python3-glexec > /dev/null 2>&1 && test ! -e /usr/lib/python3/dist-packages/glexec");

    site.write("/root/library.rpm", std::fs::read(file("python3-glexec-", ".noarch.rpm")).unwrap());
    site.sh("rpm --dbpath /var/lib/rpm -i --nodeps /root/library.rpm");
    let of_el9 = "/usr/lib/python3.9/site-packages";
    assert_eq!(
        site.sh(&format!("PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={of_el9} sh -c \"{python}\"")),
        format!("find {of_el9}/glexec/__init__.py\n")
    );
    site.sh("rpm --dbpath /var/lib/rpm -e python3-glexec && test ! -e /usr/lib/python3.9/site-packages/glexec");

    let wheel = "/root/glexec-0-py3-none-any.whl";
    site.write(wheel, std::fs::read(file("glexec-", ".whl")).unwrap());
    let from_wheel = format!("PYTHONPATH={wheel} /usr/bin/python3 -c 'import glexec; print(glexec.run.__name__)'");
    assert_eq!(site.sh(&from_wheel), "run\n");
    assert!(file("glexec-", ".tar.gz").exists());
}

#[test]
fn the_rpm_package_is_installed_upgraded_and_removed() {
    let site = red_hat_site();
    let rpm = |arguments: &str| site.sh(&format!("rpm --dbpath /var/lib/rpm {arguments} 2>&1"));
    with_service_manager(&site);
    rpm("-i --nodeps /root/glexec.rpm"); // Debian's rpm knows of no other package
    assert_eq!(enabled(&site), UNITS.join("\n") + "\n");
    assert!(told(&site, "restart") && !told(&site, "stop"));
    is_installed(&site);
    is_configured(&site);

    let next = Path::new(env!("CARGO_TARGET_TMPDIR")).join("next-rpm");
    let built = package("rpm").parent().and_then(Path::parent).unwrap().to_owned();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/build-rpm");
    let made = Command::new(script).args([&built, &next]).arg("2").output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut files = std::fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("glexec-");
    site.write("/root/next.rpm", std::fs::read(files.find(is_it).unwrap()).unwrap());
    rpm("-U --nodeps /root/next.rpm");
    assert_eq!(rpm("-q --qf '%{VERSION}-%{RELEASE}' glexec"), concat!(env!("CARGO_PKG_VERSION"), "-2"));
    assert_eq!(site.read("/etc/glexec.conf"), include_str!("../site/root/etc/glexec.conf"));
    is_used(&site);

    site.sh("mkdir -p -m 700 /run/glexec");
    rpm("-e glexec");
    assert!(told(&site, "stop") && enabled(&site).is_empty(), "nothing runs on");
    is_removed(&site);
    assert!(!site.exists("/run/glexec"));
    assert_eq!(site.read("/etc/glexec.conf.rpmsave"), include_str!("../site/root/etc/glexec.conf"));
}

/// The files of a listing of paths, without what formats do to them.
fn files(listing: &str) -> BTreeSet<String> {
    let only_debian = ["/changelog.Debian.gz", "/doc/glexec/copyright"];
    let of_debian = |path: &str| path.contains("/share/lintian/") || only_debian.iter().any(|end| path.ends_with(end));
    let name = |path: &str| match path.trim_start_matches('.') {
        "/usr/share/doc/glexec/changelog.gz" => "/usr/share/doc/glexec/CHANGELOG.md".to_owned(),
        path => path.trim_end_matches(".gz").replace("/zsh/vendor-completions/", "/zsh/site-functions/"),
    };
    listing.lines().filter(|path| !of_debian(path)).map(name).collect()
}

/// What a program of this machine prints.
fn run(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(run.status.success(), "{program}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn ordinary_accounts_find_every_command_and_callers_of_old_find_it_in_sbin() {
    let site = debian_site();
    site.sh("dpkg -i /root/glexec.deb 2>&1");
    for name in ["glexec", "glexec-admin", "mkgltempdir", "glexec_wrapenv", "glexec_unwrapenv.pl", "glexec_wrap.sh"] {
        // What Debian's login gives its users.
        let pilot = site.pilot().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games");
        pilot.sh(&format!("command -v {name}")).succeeds_with(&format!("/usr/bin/{name}\n"));
        assert_eq!(
            site.sh(&format!("readlink /usr/bin/{name}; test -x /usr/sbin/{name}")),
            format!("../sbin/{name}\n")
        );
    }
    assert_eq!(site.sh("find /usr -name glexec -perm /6000"), "/usr/sbin/glexec\n", "one file");
    is_configured(&site);
    site.pilot().credential("alice").env("PATH", "/usr/bin").sh("exec glexec id -un").succeeds_with("alice\n");
}

#[test]
fn who_has_an_old_rust_or_none_is_told_what_to_do_before_anything_else() {
    for (cargo, expected) in [("echo cargo 1.63.0", "Rust 1.63.0, which is too old"), ("exit 127", "not in PATH")] {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("old-rust");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("cargo"), format!("#!/bin/sh\n{cargo}\n")).unwrap();
        run("chmod", &["+x", dir.join("cargo").to_str().unwrap()]);
        for target in ["demo", "test", "build"] {
            let mut make = Command::new("make");
            make.arg(target).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("SUDO_USER");
            make.env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", dir.display()));
            // As somebody's first make, also where `make test` runs this.
            make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("MFLAGS");
            let made = make.output().unwrap();
            let said = String::from_utf8_lossy(&made.stderr);
            assert!(!made.status.success() && made.stdout.is_empty(), "{made:?}");
            assert!(said.contains(expected) && said.contains("https://rustup.rs"), "{said}");
        }
    }
}

#[test]
fn a_system_whose_sbin_is_bin_gets_no_link_over_its_programs() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("one-bin");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("usr/bin")).unwrap();
    std::os::unix::fs::symlink("bin", dir.join("usr/sbin")).unwrap();
    let deb = package("deb");
    let built = deb.parent().and_then(Path::parent).unwrap();
    run("make", &["install", &format!("DESTDIR={}", dir.display()), &format!("CARGO_TARGET_DIR={}", built.display())]);
    for name in ["glexec", "glexec-admin", "mkgltempdir"] {
        assert!(dir.join("usr/sbin").join(name).symlink_metadata().unwrap().is_file(), "{name}");
    }
}

#[test]
fn every_link_of_an_installed_page_leads_to_a_page() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unpacked");
    let _ = std::fs::remove_dir_all(&dir);
    run("dpkg-deb", &["-x", package("deb").to_str().unwrap(), dir.to_str().unwrap()]);
    let top = dir.join("usr/share/doc/glexec");
    let mut links = 0;
    let found = run("find", &[top.to_str().unwrap(), "-name", "*.md"]);
    for page in found.lines().map(Path::new) {
        if page.extension().is_none_or(|e| e != "md") {
            continue;
        }
        let text = std::fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let to = page.parent().unwrap().join(link);
            assert!(link.contains("://") || link.is_empty() || to.exists(), "{}: {link}", page.display());
            links += 1;
        }
    }
    assert!(links > 60, "{links} links");
    let security = std::fs::read_to_string(top.join("SECURITY.md")).unwrap();
    assert!(security.contains("\n## Reporting\n") && !security.contains('@'), "{security}");
}

#[test]
fn make_install_and_both_packages_install_the_same_files() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
    let _ = std::fs::remove_dir_all(&dir);
    let (deb, rpm) = (package("deb"), package("rpm"));
    let built = deb.parent().and_then(Path::parent).unwrap();
    run("make", &["install", &format!("DESTDIR={}", dir.display()), &format!("CARGO_TARGET_DIR={}", built.display())]);
    let installed = run("sh", &["-c", "cd \"$1\" && find . ! -type d", "sh", dir.to_str().unwrap()]);
    let of_deb =
        run("sh", &["-c", "dpkg-deb --fsys-tarfile \"$1\" | tar -t | grep -v '/$'", "sh", deb.to_str().unwrap()]);
    let of_rpm =
        "rpm --dbpath \"$2\" -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' \"$1\" | sed -n 's/^[-l][^ ]* //p'";
    let of_rpm = run("sh", &["-c", of_rpm, "sh", rpm.to_str().unwrap(), dir.to_str().unwrap()]);
    assert_eq!(files(&of_deb), files(&installed));
    assert_eq!(files(&of_rpm), files(&installed));
}

#[test]
fn every_package_has_the_version_of_the_program() {
    let first = |text: &'static str, begin: &str| {
        let line = text.lines().find(|line| line.starts_with(begin)).unwrap();
        line[begin.len()..].trim().to_owned()
    };
    let debian = first(include_str!("../../packaging/debian/changelog"), "glexec (");
    assert_eq!(debian.split('-').next(), Some(env!("CARGO_PKG_VERSION")));
    let spec = include_str!("../../packaging/glexec.spec");
    assert_eq!(first(spec, "Version:"), env!("CARGO_PKG_VERSION"));
    assert!(spec.contains(&format!(" - {}-1\n", env!("CARGO_PKG_VERSION"))), "the spec's changelog");
    let python = first(include_str!("../../python/pyproject.toml"), "version =");
    assert_eq!(python.trim_matches('"'), env!("CARGO_PKG_VERSION"));
}

#[test]
fn versions_lie_side_by_side_behind_a_link() {
    let site = Site::with(Site::linger);
    site.sh("mkdir -p /usr/libexec && mv /usr/sbin/glexec /usr/libexec/glexec-1 && ln -s ../libexec/glexec-1 /usr/sbin/glexec");
    is_used(&site);
    // A new version takes over while a call of the old one runs; then the old one goes.
    let running = site.pilot().credential("alice").start(GLEXEC, ["sh", "-c", "echo up; read line; echo $line"]);
    site.sh("install -m 4711 /usr/libexec/glexec-1 /usr/libexec/glexec-2; \
             ln -s ../libexec/glexec-2 /usr/sbin/new && mv -T /usr/sbin/new /usr/sbin/glexec && rm /usr/libexec/glexec-1");
    is_used(&site);
    running.finish().succeeds_with("up\n\n");
    let ends = site.records().into_iter().filter(|record| record["event"] == "end").count();
    assert_eq!(ends, 3, "every call has its end record");
}

#[test]
fn the_apparmor_profiles_can_be_parsed() {
    for name in ["usr.sbin.glexec", "usr.sbin.glexec-agent"] {
        let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/apparmor").join(name);
        // Without a kernel to load it into, without a cache.
        let run = Command::new("/sbin/apparmor_parser").arg("-QTK").arg(profile).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
}
