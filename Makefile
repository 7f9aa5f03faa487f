# `make demo` and `make test` need nothing but Rust 1.85 or newer, on Debian 12 or 13, and root or sudo.

PREFIX = /usr
DESTDIR =
# As in the sources, so that the pages' links lead to each other.
DOC = $(PREFIX)/share/doc/glexec
MANUAL = $(PREFIX)/share/man
COMPLETIONS_BASH = $(PREFIX)/share/bash-completion/completions
COMPLETIONS_ZSH = $(PREFIX)/share/zsh/vendor-completions
COMPLETIONS_FISH = $(PREFIX)/share/fish/vendor_completions.d
TARGET = $(abspath $(or $(CARGO_TARGET_DIR),target))
PROGRAM = $(TARGET)/release/glexec
# Unprivileged helpers of the callers; the .pl names are the historic ones, which pilots look for beside glexec.
COMPANIONS = $(addprefix $(TARGET)/release/,glexec_wrapenv glexec_unwrapenv)
SHELL_COMPANIONS = $(addprefix crates/companions/,glexec_wrap.sh mkgltempdir)
# Callers of twenty years look in sbin, which ordinary accounts of Debian do not have in PATH: a link in bin leads there.
COMMANDS = glexec glexec-admin glexec_wrapenv glexec_unwrapenv glexec_wrapenv.pl glexec_unwrapenv.pl glexec_wrap.sh glexec_warp.sh mkgltempdir
# Where `make deb` and `make rpm` leave what they made.
PACKAGES = $(TARGET)/packages
ADMIN_PROGRAM = $(TARGET)/release/glexec-admin
# What judges credentials; glexec looks for it where it is installed with PREFIX=/usr.
VERIFIER = $(TARGET)/release/glexec-verifier
AGENT = $(TARGET)/release/glexec-agent
# What the agent asks the site's service with.
SITE_AGENT = $(TARGET)/release/glexec-site-agent
# What glexec-admin asks the site's service with; the service itself is for a host of its own: install-site.
SITE_REQUEST = $(TARGET)/release/glexec-site-request
SITE_SERVICE = $(TARGET)/release/glexec-site
# What glexec-admin fetches the keys of issuers of tokens with.
FETCH_KEYS = $(TARGET)/release/glexec-fetch-keys

# Only what makes a test site needs root. cargo stays the user's own: also under `sudo make`, where root may not have one.
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)
CARGO_OF_USER = $(shell getent passwd '$(SUDO_USER)' | cut -d: -f6)/.cargo/bin
BUILDER = $(if $(and $(SUDO_USER),$(filter 0,$(shell id -u))),$(if $(shell command -v cargo),,sudo -H -u $(SUDO_USER) env PATH=$(CARGO_OF_USER):$(PATH) $(if $(CARGO_TARGET_DIR),CARGO_TARGET_DIR=$(TARGET))))
CARGO = $(BUILDER) cargo

SCRIPTS = .ci/run benches/others benches/run benches/site demo/run demo/site $(SHELL_COMPANIONS) $(addprefix packaging/,build-deb build-python build-rpm fill-in install-missing lint-python rust-version source-tree) tests/debian/run $(addprefix tests/site/,enter make-pki make-root prepare) packaging/linked-crates tests/attacks/faults.sh

.PHONY: all bench build deb demo demo-site install-site test test-agent test-debian test-site fuzz faults supply-chain sanitize mutants lint format-check fmt install install-python python rpm clean help packages packages-demo rust rust-tools
.NOTPARALLEL: # what a target needs is done in the order it is written

all: build

build: rust  ## build the program (target/release/glexec)
	@echo "build: cargo build --release"
	@$(CARGO) build --release --locked

demo: rust packages-demo build  ## show what glexec does, in a private site that vanishes afterwards (root or sudo)
	@$(SUDO) demo/run $(PROGRAM)

demo-site: rust packages-demo build  ## show the site's mapping service: two nodes, two servers, a ban, a killed server (root or sudo)
	@$(SUDO) demo/site $(PROGRAM)

# Trusted files belong to root, sites are made by root: so every test runs as root. The one who calls builds.
test: rust packages format-check lint build deb rpm python  ## everything: format, lints, unit, property, integration and system tests (root or sudo)
	@echo "test: building the tests"
	@tests=$$($(CARGO) test --locked --quiet --no-run --message-format=json | \
		sed -n 's/.*"overflow_checks":[a-z]*,"test":true}.*"executable":"\([^"]*\)".*/\1/p') && test -n "$$tests" && \
		for test in $$tests; do \
			echo "test: $${test##*/}" && $(SUDO) env GLEXEC_UNDER_TEST=$(PROGRAM) GLEXEC_PACKAGES=$(PACKAGES) "$$test" --quiet || exit 1; \
		done
	@echo "test: all passed"

# Debian 12 takes this machine's Rust, 13 its own. What is made and built there stays until DEBIAN_ROOTS is removed.
DEBIAN = 12 13
DEBIAN_ROOTS = $(TARGET)/debian
test-debian:  ## make demo and make test on bare systems made with debootstrap (root or sudo): DEBIAN="12 13"
	@packaging/install-missing test-debian
	@for release in $(DEBIAN); do $(SUDO) env PATH="$$PATH" tests/debian/run $(DEBIAN_ROOTS) $$release || exit 1; done

test-site: rust packages build  ## the site's mapping service, with a real PostgreSQL and its standby (root or sudo)
	@packaging/install-missing test-site
	@$(SUDO) env GLEXEC_UNDER_TEST=$(PROGRAM) $(call test-binary,service) --include-ignored

AGENT_CALLS = 100000
test-agent: packages build  ## the agent's tests with AGENT_CALLS=100000 calls one after the other (root or sudo)
	@$(SUDO) env GLEXEC_UNDER_TEST=$(PROGRAM) AGENT_CALLS=$(AGENT_CALLS) $(call test-binary,system) agent::

ROUNDS = 100
PART =
WRITE =
# The site's service with many nodes is measured by itself.
AGENTS = 10000
ifeq ($(PART),site)
bench: packages build  ## measure, beside others too (root or sudo): ROUNDS=100 PART="beside growth load …", or PART=site AGENTS=10000; WRITE=1 (into docs/evidence/)
	@herd=$$($(CARGO) bench --locked --quiet --package glexec-site-agent --bench herd --no-run --message-format=json | \
		sed -n 's/.*"executable":"\([^"]*herd[^"]*\)".*/\1/p') && \
		$(SUDO) benches/site $(PROGRAM) "$$herd" $(AGENTS) $(if $(WRITE),--write)
else
bench: packages build
	@packaging/install-missing bench
	@$(BUILDER) benches/others
	@echo "bench: $(ROUNDS) rounds in private sites"
	@measure=$$($(CARGO) bench --locked --quiet --bench measure --no-run --message-format=json | \
		sed -n 's/.*"executable":"\([^"]*\/measure-[^"]*\)".*/\1/p') && \
		$(SUDO) benches/run $(PROGRAM) "$$measure" $(ROUNDS) $(PART) $(if $(WRITE),--write)
endif

# The engine needs nightly: rustup toolchain install nightly && cargo install cargo-fuzz --locked
FUZZ_SECONDS = 20
MUTATIONS = 1000000
AGENT_MUTATIONS = 20000
TOKEN_MUTATIONS = 100000
FUZZ_CALLS = 5000
FUZZ_SEED = 2
fuzz: packages build  ## fuzz every target for FUZZ_SECONDS=20 each, then MUTATIONS=1000000 of a good file, then FUZZ_CALLS=5000 random calls (root)
	@cd fuzz && targets=$$(cargo +nightly fuzz list) && for target in $$targets; do \
		echo "fuzz: $$target" && mkdir -p "work/$$target" && \
		cargo +nightly fuzz run -s none "$$target" "work/$$target" "corpus/$$target" -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=512 -print_final_stats=1 2>&1 | \
			tee "work/$$target.log" | grep -E 'DONE|ERROR|panicked|stat::number_of_executed' && \
		! grep -q 'ERROR' "work/$$target.log" || exit 1; \
	done
	@rm -rf /tmp/glexec-fuzz-[0-9]*
	@MUTATIONS=$(MUTATIONS) $(CARGO) test --locked --release --quiet --test trust no_mutation -- --nocapture
	@echo "fuzz: $(AGENT_MUTATIONS) mutations, each by the agent and by the verifier's program"
	@$(SUDO) env GLEXEC_UNDER_TEST=$(PROGRAM) AGENT_MUTATIONS=$(AGENT_MUTATIONS) $(call test-binary,trust) of_mutations
	@MUTATIONS=$(TOKEN_MUTATIONS) $(CARGO) test --locked --release --quiet --test token mutation
	@echo "fuzz: $(FUZZ_CALLS) random calls of the installed program"
	@$(SUDO) env GLEXEC_UNDER_TEST=$(PROGRAM) FUZZ_CALLS=$(FUZZ_CALLS) FUZZ_SEED=$(FUZZ_SEED) $(call test-binary,attacks) whole

# The executable of the test binary $(1).
test-binary = $$($(CARGO) test --locked --quiet --no-run --message-format=json --test $(1) | \
	sed -n 's/.*"overflow_checks":[a-z]*,"test":true}.*"executable":"\([^"]*\)".*/\1/p')

faults: packages build  ## let a call fail, or be killed, at every system call; writes docs/evidence/fault-injection.md (root or sudo)
	@echo "faults: some thousand calls, some minutes"
	@$(SUDO) env GLEXEC_UNDER_TEST=$(PROGRAM) FAULTS=all WRITE_DOCS=1 $(call test-binary,attacks) faults

lint: packages rust-tools  ## clippy and shellcheck; warnings are errors
	@echo "lint: clippy"
	@$(CARGO) clippy --all-targets --locked --quiet -- -D warnings
	@echo "lint: arrows among crates and files"
	@packaging/arrows check
	@echo "lint: crates that each program links"
	@packaging/linked-crates | diff - docs/evidence/linked-crates.txt || \
		{ echo "lint: packaging/linked-crates > docs/evidence/linked-crates.txt, then README.md and docs/reference/checks.md" >&2; exit 1; }
	@for page in docs/reference/checks.md README.md; do \
		grep -q "$$(sed -n 's/^glexec: //p' docs/evidence/linked-crates.txt) crates are linked" $$page || \
		{ echo "lint: $$page does not say how many crates the setuid program links (docs/evidence/linked-crates.txt)" >&2; exit 1; }; done
	@echo "lint: shellcheck"
	@shellcheck $(SCRIPTS) && shellcheck -s bash demo/story
	@echo "lint: ruff and mypy"
	@$(BUILDER) packaging/lint-python $(TARGET)

# cargo install cargo-deny --locked; the advisories are fetched from github.com/rustsec/advisory-db.
supply-chain:  ## licences, sources and duplicates of the dependencies, and known advisories where they can be fetched
	@echo "supply-chain: licences, sources, duplicates"
	@$(CARGO) deny --all-features check licenses sources bans
	@echo "supply-chain: advisories"
	@if $(CARGO) deny fetch db > /dev/null 2>&1; then $(CARGO) deny --all-features check advisories; else \
		echo "supply-chain: the advisories cannot be fetched from here, so they were NOT checked" >&2; fi

HOST = $(shell rustc -vV | sed -n 's/^host: //p')
sanitize:  ## the unit tests with AddressSanitizer (rustup toolchain install nightly)
	@echo "sanitize: AddressSanitizer"
	@RUSTFLAGS=-Zsanitizer=address RUSTDOCFLAGS=-Zsanitizer=address ASAN_OPTIONS=detect_leaks=0 CARGO_TARGET_DIR=$(TARGET)/sanitize \
		$(CARGO) +nightly test --locked --quiet --target $(HOST) --lib --test trust

# cargo install cargo-mutants --locked; what is mutated, and what survives on purpose: .cargo/mutants.toml
mutants:  ## mutate policy and verification, and see the tests fail (an hour or two)
	@$(CARGO) mutants --no-shuffle --jobs 2

format-check: rust-tools
	@echo "format: cargo fmt --check"
	@$(CARGO) fmt --check

fmt: rust-tools  ## format the source
	@$(CARGO) fmt

install:  ## install what `make` has built: PREFIX=/usr DESTDIR=
	@test -x $(PROGRAM) || { echo "install: nothing built yet; run make first" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(addprefix $(DESTDIR)$(DOC)/docs/,use/batch use/frameworks use/plugins reference evidence) $(DESTDIR)/etc
ifeq ($(shell id -u),0)
	install -o root -g root -m 4711 $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/glexec
else
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/glexec
	@echo "install: not root, so glexec is not setuid root yet: chown root:root, then chmod 4711"
endif
	install -d $(DESTDIR)$(PREFIX)/libexec/glexec
	install -m 755 $(VERIFIER) $(DESTDIR)$(PREFIX)/libexec/glexec/verifier
	install -m 755 $(SITE_REQUEST) $(DESTDIR)$(PREFIX)/libexec/glexec/site-request
	install -m 755 $(SITE_AGENT) $(DESTDIR)$(PREFIX)/libexec/glexec/site-agent
	install -m 755 $(FETCH_KEYS) $(DESTDIR)$(PREFIX)/libexec/glexec/fetch-keys
	install -m 755 $(COMPANIONS) $(SHELL_COMPANIONS) $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(AGENT) $(DESTDIR)$(PREFIX)/sbin/glexec-agent
	ln -sf glexec_wrapenv $(DESTDIR)$(PREFIX)/sbin/glexec_wrapenv.pl
	ln -sf glexec_unwrapenv $(DESTDIR)$(PREFIX)/sbin/glexec_unwrapenv.pl
	ln -sf glexec_wrap.sh $(DESTDIR)$(PREFIX)/sbin/glexec_warp.sh
	install -m 755 $(ADMIN_PROGRAM) $(DESTDIR)$(PREFIX)/sbin/glexec-admin
	test $(DESTDIR)$(PREFIX)/sbin -ef $(DESTDIR)$(PREFIX)/bin || for name in $(COMMANDS); do ln -sf ../sbin/$$name $(DESTDIR)$(PREFIX)/bin/ || exit 1; done
	test -e $(DESTDIR)/etc/glexec.conf || install -m 644 etc/glexec.conf $(DESTDIR)/etc/glexec.conf
	install -m 644 etc/glexec.conf $(DESTDIR)$(DOC)/glexec.conf.example
	install -d $(DESTDIR)$(MANUAL)/man1 $(DESTDIR)$(MANUAL)/man5 $(DESTDIR)$(MANUAL)/man7 $(DESTDIR)$(MANUAL)/man8
	for section in 1 5 7 8; do install -m 644 docs/reference/man/*.$$section $(DESTDIR)$(MANUAL)/man$$section/ || exit 1; done
	install -d $(DESTDIR)$(COMPLETIONS_BASH) $(DESTDIR)$(COMPLETIONS_ZSH) $(DESTDIR)$(COMPLETIONS_FISH)
	install -m 644 packaging/completions/bash/* $(DESTDIR)$(COMPLETIONS_BASH)/
	install -m 644 packaging/completions/zsh/* $(DESTDIR)$(COMPLETIONS_ZSH)/
	install -m 644 packaging/completions/fish/* $(DESTDIR)$(COMPLETIONS_FISH)/
	install -d $(DESTDIR)/var/log/glexec $(DESTDIR)/etc/logrotate.d
	install -m 644 packaging/logrotate $(DESTDIR)/etc/logrotate.d/glexec
	install -d $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 644 packaging/sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/glexec.conf
	install -m 644 packaging/tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/glexec.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/share/glexec/batch
	install -m 644 packaging/systemd/glexec-agent.service packaging/systemd/glexec-agent.socket packaging/systemd/glexec-fetch-keys.service packaging/systemd/glexec-fetch-keys.timer packaging/systemd/glexec-sweep.service packaging/systemd/glexec-sweep.timer $(DESTDIR)$(PREFIX)/lib/systemd/system/
	install -m 755 packaging/batch/epilog $(DESTDIR)$(PREFIX)/share/glexec/batch/epilog
	install -m 644 packaging/batch/htcondor.config $(DESTDIR)$(PREFIX)/share/glexec/batch/htcondor.config
	install -d $(DESTDIR)$(PREFIX)/share/apparmor/extra-profiles
	install -m 644 packaging/apparmor/* $(DESTDIR)$(PREFIX)/share/apparmor/extra-profiles/
	install -m 644 LICENSE README.md CONTRIBUTING.md CHANGELOG.md $(DESTDIR)$(DOC)/
	packaging/fill-in SECURITY.md > $(DESTDIR)$(DOC)/SECURITY.md && chmod 644 $(DESTDIR)$(DOC)/SECURITY.md
	install -m 644 docs/README.md $(DESTDIR)$(DOC)/docs/
	for room in use use/batch use/frameworks use/plugins reference evidence; do \
		find docs/$$room -maxdepth 1 -type f -exec install -m 644 -t $(DESTDIR)$(DOC)/docs/$$room/ {} + || exit 1; done

install-site:  ## install the site's mapping service on a host for it, after `make install`: PREFIX=/usr DESTDIR=
	@test -x $(SITE_SERVICE) || { echo "install-site: nothing built yet; run make first" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)/etc
	install -m 755 $(SITE_SERVICE) $(DESTDIR)$(PREFIX)/sbin/glexec-site
	install -m 644 packaging/glexec-site.service $(DESTDIR)$(PREFIX)/lib/systemd/system/
	test -e $(DESTDIR)/etc/glexec-site.toml || install -m 600 etc/glexec-site.toml $(DESTDIR)/etc/glexec-site.toml

# Debian's place for modules; elsewhere the wheel says where.
PYTHON_MODULES = $(PREFIX)/lib/python3/dist-packages
install-python:
	install -d $(DESTDIR)$(PYTHON_MODULES)/glexec
	install -m 644 python/glexec/*.py python/glexec/py.typed $(DESTDIR)$(PYTHON_MODULES)/glexec/
	install -d $(DESTDIR)$(PREFIX)/share/doc/python3-glexec/examples
	install -m 755 examples/pilot.py $(DESTDIR)$(PREFIX)/share/doc/python3-glexec/examples/

python: packages  ## make the Python library's wheel and source archive, in target/packages
	@echo "python: building the wheel and the source archive"
	@$(BUILDER) packaging/build-python $(PACKAGES)

deb: packages  ## make a Debian package of what `make` has built, in target/packages
	@echo "deb: building and checking the Debian package"
	@$(BUILDER) packaging/build-deb $(TARGET) $(PACKAGES)

rpm: packages  ## make an RPM package of what `make` has built, in target/packages
	@echo "rpm: building the RPM package"
	@$(BUILDER) packaging/build-rpm $(TARGET) $(PACKAGES)

clean:  ## remove what was built
	@$(CARGO) clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 14

packages:
	@packaging/install-missing test

packages-demo:
	@packaging/install-missing demo

# First of all: who lacks it need not wait for anything else.
rust:
	@packaging/rust-version $(CARGO)

# rustup's minimal profile and Debian's cargo come without the two.
rust-tools: rust
	@{ $(CARGO) fmt --version && $(CARGO) clippy --version; } > /dev/null 2>&1 || \
		{ echo "rust: adding rustfmt and clippy"; $(BUILDER) rustup component add rustfmt clippy 2> /dev/null || \
		$(SUDO) apt-get install -y -qq rustfmt rust-clippy > /dev/null; }
