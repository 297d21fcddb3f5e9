# SPDX-License-Identifier: GPL-2.0-only
#
# The series on a kernel tree of the user's.

#: make apply TREE=DIR               put the series on a kernel tree of yours
#: make unapply TREE=DIR             take it off again
.PHONY: apply unapply
apply unapply: packages
	@[ -d "$(TREE)" ] || { echo "TREE=DIR is missing: the kernel tree" >&2; exit 1; }
	@$(ROOT)/patches/apply.sh $@ "$(TREE)" $(BUILD)/apply

# The test kills either command this often, each way that it can go on.
KILLS = 10
.PHONY: test-apply
test-apply: PACKAGES += git
test-apply: $(B)/tree.done
	@$(ROOT)/patches/tree.sh $(KERNEL) $(B) > /dev/null
	@$(ROOT)/patches/apply_test.sh $(B) $(B)/apply $(KILLS)
