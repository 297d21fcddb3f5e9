# SPDX-License-Identifier: GPL-2.0-only
#
# The Debian packages: the modules with DKMS, and the tool.

DEB_PACKAGES := build-essential debhelper dh-dkms python3-docutils lintian

# $(call deb-build,DIR,REVISION): build the packages in DIR, with REVISION appended to the
# changelog's version.
deb-build = rm -rf $(1) && mkdir -p $(1)/kvm-exitstats && cd $(ROOT) && \
	cp -r --parents arch include patches debian $(EXITSTATS:$(ROOT)/%=%) $(1)/kvm-exitstats && \
	cd $(1)/kvm-exitstats && sed -i '1s/)/$(2))/' debian/changelog && \
	$(PROGRESS) "building the packages" $(1)/build.log dpkg-buildpackage -b -us -uc

#:: Debian
#: make deb                          Debian packages of the modules (DKMS) and the tool, in out/deb
.PHONY: deb
deb: PACKAGES = $(DEB_PACKAGES) $(CHROOT_PACKAGES)
deb: packages
	@$(call deb-build,$(BUILD)/deb)
	@cd $(BUILD)/deb && lintian --allow-root --fail-on error *.changes
	@rm -rf $(OUT)/deb && mkdir -p $(OUT)/deb && cp $(BUILD)/deb/*.deb $(OUT)/deb
	@ls -d $(OUT)/deb/*.deb

# Test in a separate Debian system and in separate namespaces, whose end removes all mounts.
CHROOT = $(BUILD)/chroot

#: make test-deb                     install, upgrade and remove the packages in a chroot
.PHONY: test-deb
test-deb: CHROOT_PACKAGES := debootstrap
test-deb: apt-lists deb lab
	@[ "$$(id -u)" = 0 ] || { echo "make test-deb needs a chroot: run it as root" >&2; exit 1; }
	@$(call deb-build,$(BUILD)/deb-next,+next)
	@rm -rf $(CHROOT); \
	archives=$$(apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
		--format 'deb $$(SITE) $$(RELEASE) $$(COMPONENT)'); set -- $$archives; \
	$(PROGRESS) "making a Debian system" $(BUILD)/debootstrap.log \
		debootstrap --variant=minbase $$3 $(CHROOT) $$2 && \
	echo "$$archives" > $(CHROOT)/etc/apt/sources.list
	@mkdir -p $(CHROOT)/debs/1 $(CHROOT)/debs/2; cp $(OUT)/deb/*.deb $(CHROOT)/debs/1; \
	cp $(BUILD)/deb-next/*.deb $(CHROOT)/debs/2; \
	cp $(addprefix $(ROOT)/, debian/test.sh debian/kver.sh scripts/tap.sh) $(CHROOT)/debs
	@unshare --mount --pid --fork sh -c 'mount -t proc proc $(CHROOT)/proc && \
		exec chroot $(CHROOT) /debs/test.sh $(KERNEL) $(FLAVOUR)' > $(BUILD)/deb.tap; \
		cat $(BUILD)/deb.tap; $(B)/lab -s $(BUILD)/deb.tap || \
		{ echo "see $(CHROOT)/debs/log" >&2; exit 1; }
	@rm -rf $(CHROOT)
