# SPDX-License-Identifier: GPL-2.0-only
#
# What goes wrong around the lab: each time a line says what, nothing half-made passes
# for whole, and the next make works. In a directory of its own, with a kernel that is
# nothing but the files that the series changes.

FAULTS := $(B)/run/faults
FAULT_KILLS := 0.05 0.1 0.15 0.2 0.3 0.4 0.6 0.8

# A user's make, which knows nothing of this one. Recipes are run in $(FAULTS).
user-make := env -u EXITSTATS_LOCKED $(OTHER_MAKE) -C $(ROOT)
user-tree := $(user-make) KERNEL=$(FAULTS)/linux.tar.xz BUILD=$(FAULTS)/build tree 2> log > tree
whole-tree = diff -r whole $$(tail -n 1 tree) >&2
# The compiler, as the lab's makefiles call it
user-compile := $(user-make) EXITSTATS_LOCKED=$(BUILD) BUILD=$(BUILD) \
	--eval 'compile: ; @cd $(FAULTS) && rm -f x.o && ccache gcc -c x.c' compile
# A small disk, gone when the recipe is; mounting is for root.
small-disk = mkdir -p disk && mount -t tmpfs -o size=$(1) tmpfs disk || exit 1; trap 'umount -l disk' EXIT

FAULT_CASES := tarball killed locked cache-damaged \
	$(if $(filter 0,$(shell id -u)),cache-readonly no-disk no-room)
tarball := a truncated tarball is refused, the whole one then taken
killed := a make tree that is killed with SIGKILL, $(words $(FAULT_KILLS)) times, then completed
locked := a second make says that it waits for the first, and then goes on
cache-readonly := a compiler cache that cannot be written to is said and not used
cache-damaged := a compiler cache with truncated files does no harm
no-disk := a disk too small for a kernel is refused
no-room := a disk that is too full for a run of the lab is refused

.PHONY: $(FAULT_CASES:%=fault-%)
fault-tarball:
	@head -c $$(($$(stat -c %s whole.tar.xz) / 2)) whole.tar.xz > linux.tar.xz; \
	! $(user-tree) && grep 'linux.tar.xz: .*damaged' log && ! ls -d build/path-*/linux*
	@cp whole.tar.xz linux.tar.xz; $(user-tree) && cp -r $$(tail -n 1 tree) whole && \
		[ -e whole/arch/x86/kvm/exitstats.c ]

fault-killed:
	@killed=0; for seconds in $(FAULT_KILLS); do \
		rm -rf build; setsid $(user-tree) & pid=$$!; sleep $$seconds; \
		kill -9 -- -$$pid && killed=$$((killed + 1)); wait $$pid; \
		$(user-tree) && $(whole-tree) || exit 1; \
	done; echo "# killed $$killed times"; [ $$killed -ge 2 ]

fault-locked:
	@{ flock 9; echo locked; sleep 4; } 9> build/lock > locked & \
	until [ -s locked ]; do sleep 0.1; done; \
	$(user-tree) && grep 'waiting for the make that runs' log && $(whole-tree)

fault-cache-readonly:
	@$(call small-disk,1m); mount -o remount,ro disk; \
	$(user-compile) CCACHE_DIR=$(FAULTS)/disk 2> log && cmp x.o whole.o && \
		grep 'cannot be written to' log

fault-cache-damaged:
	@$(user-compile) CCACHE_DIR=$(FAULTS)/cache; \
	find cache -type f -size +1 -o -name '*R' | xargs truncate -s 100; \
	$(user-compile) CCACHE_DIR=$(FAULTS)/cache && cmp x.o whole.o

fault-no-disk:
	@$(call small-disk,100m); \
	! $(user-make) BUILD=$(FAULTS)/disk KERNEL=$(KERNEL) tree 2> log && grep 'a kernel build needs' log

# What is built is there by symbolic links.
fault-no-room:
	@$(call small-disk,100m); ln -s $(filter-out %/run,$(wildcard $(B)/*)) disk; \
	! $(user-make) BUILD=$(BUILD) B=$(FAULTS)/disk KERNEL=$(KERNEL) EXITSTATS_LOCKED=$(BUILD) \
		host RUN=$(B)/init 2> log && grep 'a run of the lab needs' log && \
		! grep -v 'a run of the lab needs\|\*\*\* ' log && ! ls -d disk/run/*

#: make test-lab-faults              a small disk, a killed make and the like: does the lab say so and recover?
.PHONY: test-lab-faults
test-lab-faults: lab
	@rm -rf $(FAULTS); mkdir -p $(FAULTS)/linux; cd $(FAULTS); \
	cp -r $(B)/pristine/. $(LINUX)/Makefile linux; tar -cJf whole.tar.xz linux/Makefile linux; \
	echo 'int x;' > x.c; gcc -c x.c -o whole.o; \
	{ echo 1..$(words $(FAULT_CASES)); $(foreach case,$(FAULT_CASES), \
		$(call tap, $(MAKE) -C $(FAULTS) -f $(ROOT)/Makefile fault-$(case) > $(case).log 2>&1 || \
			{ cat $(case).log log >&2; false; }, lab: $($(case)));) } $(sum)
