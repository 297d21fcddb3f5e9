/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace memory is the program's own memory, and accesses never fault.
 */
#ifndef EXITSTATS_SHIM_UACCESS_H
#define EXITSTATS_SHIM_UACCESS_H

#define __user

#define get_user(x, p)		((x) = *(p), 0)
#define put_user(x, p)		(*(p) = (x), 0)
#define u64_to_user_ptr(x)	((void *)(unsigned long)(x))
#define kvfree(p)		free(p)

static inline unsigned long copy_from_user(void *to, const void *from, unsigned long n)
{
	memcpy(to, from, n);
	return 0;
}

static inline unsigned long copy_to_user(void *to, const void *from, unsigned long n)
{
	memcpy(to, from, n);
	return 0;
}

static inline void *vmemdup_user(const void *from, size_t n)
{
	return memcpy(malloc(n), from, n);
}

#endif /* EXITSTATS_SHIM_UACCESS_H */
