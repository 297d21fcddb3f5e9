# SPDX-License-Identifier: GPL-2.0-only
#
# The cases of plans/faults. They run in a directory of their own, with a kernel that
# consists of the files that the series changes.

FAULTS := $(B)/faults
FAULT_KILLS := 0.05 0.1 0.15 0.2 0.3 0.4 0.6 0.8

# A make as a user would start it, independent of this one. Recipes run in $(FAULTS).
user-make := $(OTHER_MAKE) -C $(ROOT)
user-tree := $(user-make) KERNEL=$(FAULTS)/linux.tar.xz BUILD=$(FAULTS)/build tree 2> log > tree
whole-tree = diff -r whole $$(tail -n 1 tree) >&2
# Compile a file in the way in which the lab's makefiles do.
user-compile := $(user-make) --eval 'compile: ; @cd $(FAULTS) && rm -f x.o && ccache gcc -c x.c' compile
# A small disk, unmounted at the end of the recipe. Only root may mount it.
small-disk = mkdir -p disk && mount -t tmpfs -o size=$(1) tmpfs disk || exit 1; trap 'umount -l disk' EXIT

#: make test-lab-faults              a small disk, a killed make and the like are reported and survived
.PHONY: test-lab-faults
test-lab-faults: lab
	@rm -rf $(FAULTS); mkdir -p $(FAULTS)/linux; cd $(FAULTS); \
	cp -r $(B)/pristine/. $(LINUX)/Makefile linux; tar -cJf whole.tar.xz linux/Makefile linux; \
	cp whole.tar.xz linux.tar.xz; echo 'int x;' > x.c; gcc -c x.c -o whole.o
	@$(call lab,faults,MAKE="$(CHECK_MAKE)" \
		ROOT_USER=$(if $(filter 0,$(shell id -u)),yes,no))

.PHONY: fault-tarball fault-killed fault-locked fault-cache-readonly fault-cache-damaged \
	fault-no-disk fault-no-room
fault-tarball:
	@cd $(FAULTS); head -c $$(($$(stat -c %s whole.tar.xz) / 2)) whole.tar.xz > linux.tar.xz; \
	! $(user-tree) && grep 'linux.tar.xz: .*damaged' log && ! ls -d build/path-*/linux*; \
	[ $$? = 0 ] || exit 1; \
	cp whole.tar.xz linux.tar.xz; $(user-tree) && cp -r $$(tail -n 1 tree) whole && \
		[ -e whole/arch/x86/kvm/exitstats.c ]

fault-killed:
	@cd $(FAULTS); killed=0; for seconds in $(FAULT_KILLS); do \
		rm -rf build; setsid $(user-tree) & pid=$$!; sleep $$seconds; \
		kill -9 -- -$$pid && killed=$$((killed + 1)); wait $$pid; \
		$(user-tree) && $(whole-tree) || exit 1; \
	done; echo "# killed $$killed times"; [ $$killed -ge 2 ]

fault-locked:
	@cd $(FAULTS); $(user-tree); lock=$$(ls build/path-*/lock); \
	{ flock 9; echo locked; sleep 4; } 9> $$lock > locked & \
	until [ -s locked ]; do sleep 0.1; done; \
	$(user-tree) && grep 'waiting for the make that runs' log && $(whole-tree)

fault-cache-readonly:
	@cd $(FAULTS); $(call small-disk,1m); mount -o remount,ro disk; \
	$(user-compile) CCACHE_DIR=$(FAULTS)/disk 2> log && cmp x.o whole.o && \
		grep 'cannot be written to' log

fault-cache-damaged:
	@cd $(FAULTS); $(user-compile) CCACHE_DIR=$(FAULTS)/cache; \
	find cache -type f -size +1 -o -name '*R' | xargs truncate -s 100; \
	$(user-compile) CCACHE_DIR=$(FAULTS)/cache && cmp x.o whole.o

fault-no-disk:
	@cd $(FAULTS); $(call small-disk,100m); \
	! $(user-make) BUILD=$(FAULTS)/disk KERNEL=$(KERNEL) tree 2> log && grep 'a kernel build needs' log

# Symbolic links to what is built make this build directory complete.
fault-no-room:
	@cd $(FAULTS); $(call small-disk,100m); ln -s $(filter-out %/run %/faults,$(wildcard $(B)/*)) disk; \
	! $(user-make) BUILD=$(BUILD) B=$(FAULTS)/disk KERNEL=$(KERNEL) \
		host RUN=$(B)/init 2> log && grep 'a run of the lab needs' log && \
		! grep -v 'a run of the lab needs\|\*\*\* ' log && ! ls -d disk/run/host*
