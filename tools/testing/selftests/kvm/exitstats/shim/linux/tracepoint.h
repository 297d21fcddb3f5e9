/* SPDX-License-Identifier: GPL-2.0-only */
/* What there is of it is in linux/kvm_host.h. */
