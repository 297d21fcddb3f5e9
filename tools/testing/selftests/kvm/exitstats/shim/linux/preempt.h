/* SPDX-License-Identifier: GPL-2.0-only */
/* The shim of this header is in linux/kvm_host.h. */
