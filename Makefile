# Build and install. Packages use `make install DESTDIR=/tmp/root PREFIX=/usr`. No service is enabled or started.

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
DOCDIR ?= $(DATADIR)/doc/ipseckey
UNITDIR ?= /usr/lib/systemd/system
TMPFILESDIR ?= /usr/lib/tmpfiles.d
CATALOGDIR ?= /usr/lib/systemd/catalog
CARGO ?= cargo
INSTALL ?= install

# Programs for all users, and those for administrators.
USER_PROGRAMS = ipseckey sadb-model
ADMIN_PROGRAMS = manual-key
PROGRAMS = $(USER_PROGRAMS) $(ADMIN_PROGRAMS)
MAN5 = $(wildcard man/*.5)
MAN8 = $(wildcard man/*.8)
UNITS = $(wildcard systemd/*.service)
DOCS = README.md $(wildcard docs/*)
EXAMPLES = $(filter-out examples/monitoring,$(wildcard examples/*)) $(wildcard examples/monitoring/*) $(wildcard systemd/examples/*) systemd/manual-key.toml
APPARMORDIR ?= $(SYSCONFDIR)/apparmor.d
APPARMOR = $(wildcard packaging/apparmor/*)
# Sources: a module is compiled with the headers of the distribution's policy, see docs/confinement.md.
SELINUXDIR ?= $(DATADIR)/ipseckey/selinux
SELINUX = $(wildcard packaging/selinux/*)
# The service has policies on Linux only.
SYSTEM := $(shell uname -s)
CONFIG = $(DESTDIR)$(SYSCONFDIR)/inet/manual-key.toml

# install_text FILES,DIRECTORY: installs text files, in which the paths of packages are replaced by those of this Makefile.
define install_text
	for file in $(1); do \
		sed -e 's,/usr/bin/ipseckey,$(BINDIR)/ipseckey,g' -e 's,/usr/sbin/,$(SBINDIR)/,g' -e 's,/usr/share/doc/ipseckey,$(DOCDIR),g' $$file >$(2)/$${file##*/} && \
		chmod 644 $(2)/$${file##*/} || exit; \
	done
endef

.PHONY: all check install uninstall

all:
	$(CARGO) build --release --locked

check:
	$(CARGO) test --locked

install:
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(UNITDIR) $(DESTDIR)$(TMPFILESDIR) $(DESTDIR)$(CATALOGDIR)
	$(INSTALL) -d $(DESTDIR)$(DOCDIR)/docs $(DESTDIR)$(DOCDIR)/examples
	$(INSTALL) -d $(DESTDIR)$(DATADIR)/bash-completion/completions $(DESTDIR)$(DATADIR)/zsh/site-functions
	$(INSTALL) -d $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
	$(INSTALL) -d -m 700 $(DESTDIR)$(SYSCONFDIR)/inet/secret
	$(INSTALL) -m 755 $(USER_PROGRAMS:%=target/release/%) $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(ADMIN_PROGRAMS:%=target/release/%) $(DESTDIR)$(SBINDIR)
	$(call install_text,$(MAN5),$(DESTDIR)$(MANDIR)/man5)
	$(call install_text,$(MAN8),$(DESTDIR)$(MANDIR)/man8)
	$(call install_text,$(UNITS),$(DESTDIR)$(UNITDIR))
	$(call install_text,README.md,$(DESTDIR)$(DOCDIR))
	$(call install_text,$(filter docs/%,$(DOCS)),$(DESTDIR)$(DOCDIR)/docs)
	$(call install_text,$(EXAMPLES),$(DESTDIR)$(DOCDIR)/examples)
	[ $(SYSTEM) != Linux ] || [ -e $(CONFIG) ] || $(INSTALL) -m 644 systemd/manual-key.toml $(CONFIG)
	$(INSTALL) -m 644 systemd/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/ipseckey.conf
	$(INSTALL) -m 644 systemd/manual-key.catalog $(DESTDIR)$(CATALOGDIR)
	for program in $(PROGRAMS); do \
		$(INSTALL) -m 644 completions/$$program.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/$$program || exit; \
	done
	$(INSTALL) -m 644 $(PROGRAMS:%=completions/_%) $(DESTDIR)$(DATADIR)/zsh/site-functions
	$(INSTALL) -m 644 $(PROGRAMS:%=completions/%.fish) $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
	[ ! -d $(APPARMORDIR) ] || $(INSTALL) -d $(DESTDIR)$(APPARMORDIR)
	[ ! -d $(APPARMORDIR) ] || { $(call install_text,$(APPARMOR),$(DESTDIR)$(APPARMORDIR)); }
	$(INSTALL) -d $(DESTDIR)$(SELINUXDIR)
	$(call install_text,$(SELINUX),$(DESTDIR)$(SELINUXDIR))
	@[ -n "$(DESTDIR)" ] || [ ! -d $(APPARMORDIR) ] || printf '%s\n' 'Now run:' \
		'    apparmor_parser --replace $(APPARMOR:packaging/apparmor/%=$(APPARMORDIR)/%)'
	@[ -n "$(DESTDIR)" ] || ! command -v systemctl >/dev/null || printf '%s\n' 'Now run:' \
		'    systemctl daemon-reload' '    journalctl --update-catalog' '    systemd-tmpfiles --create ipseckey.conf'

# Leaves /etc/inet/manual-key.toml and the keys files.
uninstall:
	$(RM) $(USER_PROGRAMS:%=$(DESTDIR)$(BINDIR)/%) $(ADMIN_PROGRAMS:%=$(DESTDIR)$(SBINDIR)/%)
	$(RM) $(MAN5:man/%=$(DESTDIR)$(MANDIR)/man5/%) $(MAN8:man/%=$(DESTDIR)$(MANDIR)/man8/%)
	$(RM) $(UNITS:systemd/%=$(DESTDIR)$(UNITDIR)/%) $(DESTDIR)$(TMPFILESDIR)/ipseckey.conf
	$(RM) $(DESTDIR)$(CATALOGDIR)/manual-key.catalog
	$(RM) $(APPARMOR:packaging/apparmor/%=$(DESTDIR)$(APPARMORDIR)/%)
	$(RM) -r $(DESTDIR)$(SELINUXDIR)
	$(RM) -r $(DESTDIR)$(DOCDIR)
	$(RM) $(PROGRAMS:%=$(DESTDIR)$(DATADIR)/bash-completion/completions/%)
	$(RM) $(PROGRAMS:%=$(DESTDIR)$(DATADIR)/zsh/site-functions/_%)
	$(RM) $(PROGRAMS:%=$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/%.fish)
