// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM exitstats: a fuzzer of its interfaces to userspace: the capability, the device
 * attribute, statistics and tables, with random arguments, buffers, offsets and sizes, in
 * random order while VMs and vCPUs come and go. A model predicts the result of each call
 * and the counters.
 */
#include <glob.h>
#include <pthread.h>
#include <sys/mman.h>

#include "exitstats_bare.h"
#include "exitstats_debugfs.h"
#include "exitstats_fuzz.h"
#include "exitstats_state.h"

#define SUPPORTED	(KVM_EXITSTATS_COUNT | KVM_EXITSTATS_CPL0 | KVM_EXITSTATS_HISTOGRAM)
#define NR_CASES	3
#define NR_STEPS	400
#define NR_THREADS	3
#define NR_VMS		3
#define NR_VCPUS	3
#define FILE_SIZE	(32 * 1024)	/* larger than any file here */

struct one_vcpu {
	struct kvm_vcpu *vcpu;
	/* Exits that the vCPU itself has counted */
	u64 cpuid, io;
};

struct one_vm {
	struct kvm_vm *vm;
	bool on, histogram;
	struct one_vcpu vcpus[NR_VCPUS];
	/* What the guest reads in addition to the exits counted here; may be negative */
	u64 cpuid_base, io_base;
};

/* A thread's data. The thread's actions depend only on its seed. */
struct world {
	struct rnd rnd;
	bool alone;		/* no other thread writes the parameter or makes VMs */
	bool parameter, hist_parameter;
	char *end;		/* end of the memory for buffers; nothing is mapped beyond */
	char *content, *again;	/* of FILE_SIZE */
	size_t hole, hole_end;	/* the part of content that changes with time */
	struct one_vm vms[NR_VMS];
	u64 nr_calls, nr_vms, nr_states;
};

static bool hist_parameter;	/* value before the test */

/* @err is 0 or the expected errno. */
#define assert_call(w, ret, err)						\
do {										\
	int __ret = (ret), __err = __ret ? errno : 0, __expected = (err);	\
										\
	(w)->nr_calls++;							\
	TEST_ASSERT(__err == __expected, "%s: %s, not %s", #ret,		\
		    strerror(__err), strerror(__expected));			\
} while (0)

/* A buffer of @room bytes. No memory is mapped after it. */
static char *buffer(struct world *w, size_t room)
{
	return w->end - room;
}

static void *bad_pointer(struct world *w)
{
	switch (rnd_below(&w->rnd, 4)) {
	case 0:
		return NULL;
	case 1:
		return w->end;
	case 2:
		return (void *)0xffff888000000000ul;
	default:
		return (void *)(1ul << 63 | rnd_u64(&w->rnd) >> 2);
	}
}

static struct one_vcpu *any_vcpu(struct world *w, struct one_vm *vm)
{
	struct one_vcpu *v = &vm->vcpus[rnd_below(&w->rnd, NR_VCPUS)];

	return v->vcpu ? v : NULL;
}

static void check_vcpu(struct one_vm *vm, struct one_vcpu *v, struct stats *stats)
{
	if (!vm->on)
		return;
	assert_stats(v->vcpu);
	read_stats(v->vcpu, stats);
	TEST_ASSERT_EQ(stats->exits_by_reason[EXIT_CPUID], v->cpuid);
	TEST_ASSERT_EQ(stats->exits_by_reason[EXIT_IO], v->io);
	if (vm->histogram)
		TEST_ASSERT_EQ(sum_of_buckets(v->vcpu), stats->exits);
}

static void do_create_vm(struct world *w, struct one_vm *vm)
{
	vm->vm = bare_vm();
	vm->on = w->parameter;
	vm->histogram = vm->on && w->hist_parameter;
	bare_load(vm->vm, BARE_CODE, bare_cpuid_code, sizeof(bare_cpuid_code));
	w->nr_vms++;
}

static bool has_vcpus(const struct one_vm *vm)
{
	int i;

	for (i = 0; i < NR_VCPUS; i++)
		if (vm->vcpus[i].vcpu)
			return true;
	return false;
}

/*
 * Two readings of w->content differ between hole and hole_end, where it has the time that
 * the vCPU has been in userspace.
 */
static void find_hole_in_stats(struct world *w)
{
	struct kvm_stats_header *header = (void *)w->content;
	struct kvm_stats_desc *descs = (void *)(w->content + header->desc_offset), *desc;
	int i;

	w->hole = 0;
	w->hole_end = 0;
	for (i = 0; i < header->num_desc; i++) {
		desc = get_stats_descriptor(descs, i, header);
		if (strcmp(desc->name, "userspace_cycles"))
			continue;
		w->hole = header->data_offset + desc->offset;
		w->hole_end = w->hole + sizeof(u64);
	}
}

static void find_hole_in_table(struct world *w, ssize_t size)
{
	char *row;

	w->content[size] = 0;
	row = strstr(w->content, "account userspace");
	TEST_ASSERT(row, "no row for userspace");
	w->hole = row - w->content;
	w->hole_end = strchr(row, '\n') - w->content;
}

/* Do @n bytes at @data equal w->content at @offset? */
static bool is_content(const struct world *w, const char *data, size_t offset, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (data[i] != w->content[offset + i] &&
		    (offset + i < w->hole || offset + i >= w->hole_end))
			return false;
	return true;
}

/* Free a VM with open files. Statistics hold a reference to the VM, a table does not. */
static void do_free_vm(struct world *w, struct one_vm *vm)
{
	int table = open_table(vm->vm, VM_TABLE), stats = -1;
	struct one_vcpu *v = any_vcpu(w, vm);
	ssize_t size = 0;
	char byte;

	/* The table is created with the first vCPU. */
	TEST_ASSERT((table >= 0) == (vm->on && has_vcpus(vm)), "table %d: %s", table,
		    strerror(errno));
	if (v && w->alone && rnd_below(&w->rnd, 2)) {
		stats = vcpu_get_stats_fd(v->vcpu);
		size = pread(stats, w->content, FILE_SIZE, 0);
		find_hole_in_stats(w);
	}
	kvm_vm_free(vm->vm);
	if (stats >= 0) {
		TEST_ASSERT_EQ(pread(stats, w->again, FILE_SIZE, 0), size);
		TEST_ASSERT(is_content(w, w->again, 0, size), "statistics go with the VM");
		close(stats);
	}
	if (table >= 0) {
		assert_call(w, pread(table, &byte, 1, 0) == 1 ? 0 : -1, EIO);
		close(table);
	}
	memset(vm, 0, sizeof(*vm));
}

static void do_create_vcpu(struct world *w, struct one_vm *vm)
{
	u32 id = rnd_below(&w->rnd, NR_VCPUS);

	if (vm->vcpus[id].vcpu)
		assert_call(w, ioctl(vm->vm->fd, KVM_CREATE_VCPU, (long)id), EEXIST);
	else
		vm->vcpus[id].vcpu = bare_vcpu(vm->vm, id, BARE_KERNEL);
}

static void do_check_extension(struct world *w, struct one_vm *vm)
{
	u32 cap = KVM_CAP_X86_EXITSTATS, other = cap ^ 1u << rnd_below(&w->rnd, 31);

	w->nr_calls += 3;
	TEST_ASSERT_EQ(vm_check_cap(vm->vm, cap), SUPPORTED);
	TEST_ASSERT_EQ(kvm_check_cap(cap), SUPPORTED);
	TEST_ASSERT_EQ(ioctl(vm->vm->fd, KVM_CHECK_EXTENSION, (long)other), 0);
}

static void do_enable_cap(struct world *w, struct one_vm *vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_EXITSTATS };
	struct one_vcpu *v = any_vcpu(w, vm);
	u64 flags;
	int err = 0;

	/* The guest of this test runs at CPL 0, so KVM_EXITSTATS_CPL0 makes no difference. */
	cap.args[0] = rnd_below(&w->rnd, SUPPORTED + 2);
	if (!rnd_below(&w->rnd, 4))
		cap.flags = rnd_any_size(&w->rnd);
	if (!rnd_below(&w->rnd, 4))
		cap.args[rnd_below(&w->rnd, 4)] = rnd_any_size(&w->rnd);
	if (!rnd_below(&w->rnd, 16))
		cap.cap ^= 1u << rnd_below(&w->rnd, 31);
	/* KVM must ignore the padding. */
	memset(cap.pad, rnd(&w->rnd), sizeof(cap.pad));

	flags = cap.args[0];
	if (cap.flags || cap.cap != KVM_CAP_X86_EXITSTATS || flags > SUPPORTED ||
	    (flags && !(flags & KVM_EXITSTATS_COUNT)) || cap.args[1] || cap.args[2] || cap.args[3])
		err = EINVAL;
	else if (has_vcpus(vm))
		err = EBUSY;

	assert_call(w, ioctl(vm->vm->fd, KVM_ENABLE_CAP, &cap), err);
	if (!err) {
		vm->on = cap.args[0];
		vm->histogram = cap.args[0] & KVM_EXITSTATS_HISTOGRAM;
	}
	assert_call(w, ioctl(vm->vm->fd, KVM_ENABLE_CAP, bad_pointer(w)), EFAULT);
	if (v)
		assert_call(w, ioctl(v->vcpu->fd, KVM_ENABLE_CAP, &cap), EINVAL);
}

/* The guest reads exact figures, as no other vCPU of the VM runs. */
static void do_run(struct world *w, struct one_vm *vm)
{
	struct one_vcpu *v = any_vcpu(w, vm);
	u32 n = 1 + rnd_below(&w->rnd, 4), reason;
	u64 expected;
	struct leaf r;
	int i;

	while (v && n--) {
		reason = rnd_below(&w->rnd, 2) ? EXIT_CPUID : EXIT_IO;
		expected = reason == EXIT_CPUID ? vm->cpuid_base : vm->io_base;
		for (i = 0; i < NR_VCPUS; i++)
			expected += reason == EXIT_CPUID ? vm->vcpus[i].cpuid : vm->vcpus[i].io;
		r = bare_read_leaf(v->vcpu, KVM_EXITSTATS_LEAF_EXITS, reason);
		if (vm->on)
			TEST_ASSERT(make_u64(r.ebx, r.eax) == expected && !r.ecx && !r.edx,
				    "reason %u: %lu exits, not %lu", reason,
				    make_u64(r.ebx, r.eax), expected);
		v->cpuid++;
		v->io++;
	}
}

static int attr_call(struct one_vcpu *v, unsigned long cmd, u32 group, u64 attr, void *state)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (unsigned long)state };

	return ioctl(v->vcpu->fd, cmd, &a);
}

static unsigned long any_attr_ioctl(struct world *w)
{
	static const unsigned long ioctls[] = {
		KVM_HAS_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR,
	};

	return ioctls[rnd_below(&w->rnd, ARRAY_SIZE(ioctls))];
}

/* A call that KVM refuses: a wrong group or attribute, or wrong arguments */
static void do_attr_refused(struct world *w, struct one_vm *vm)
{
	u32 group = KVM_VCPU_EXITSTATS ^ 1u << rnd_below(&w->rnd, 32);
	struct one_vcpu *v = any_vcpu(w, vm);
	unsigned long cmd = any_attr_ioctl(w);
	int err = vm->on ? EFAULT : ENXIO;

	if (!v)
		return;
	assert_call(w, ioctl(v->vcpu->fd, cmd, bad_pointer(w)), EFAULT);
	assert_call(w, attr_call(v, cmd, group, 0, buffer(w, 64)), ENXIO);
	assert_call(w, attr_call(v, cmd, KVM_VCPU_EXITSTATS, 1 + rnd_any_size(&w->rnd) / 2,
				 buffer(w, 64)), ENXIO);
	assert_call(w, attr_call(v, KVM_HAS_DEVICE_ATTR, KVM_VCPU_EXITSTATS, 0, bad_pointer(w)),
		    vm->on ? 0 : ENXIO);
	assert_call(w, attr_call(v, KVM_GET_DEVICE_ATTR, KVM_VCPU_EXITSTATS, 0, bad_pointer(w)),
		    err);
	assert_call(w, attr_call(v, KVM_SET_DEVICE_ATTR, KVM_VCPU_EXITSTATS, 0, bad_pointer(w)),
		    err);
}

static size_t state_size(u64 nr)
{
	return sizeof(struct kvm_exitstats_state) + nr * sizeof(struct kvm_exitstats_entry);
}

static void put_u32(char *p, size_t offset, size_t room, u32 value)
{
	if (offset + sizeof(value) <= room)
		memcpy(p + offset, &value, sizeof(value));
}

static bool is_bucket(u32 selector)
{
	return selector >= KVM_EXITSTATS_SELECT_BUCKET(0, 0) &&
	       selector < KVM_EXITSTATS_SELECT_BUCKET(KVM_EXITSTATS_NR_BUCKETS, 0);
}

/*
 * A reason's buckets add up to its exits, and none is negative, whatever was set and whatever
 * has happened since.
 */
static void check_buckets(struct one_vm *vm, const struct state *state)
{
	u64 exits[MAX_SLOTS] = {}, sums[MAX_SLOTS] = {};
	const struct kvm_exitstats_entry *e = state->entries;
	u32 i;

	for (i = 0; i < state->header.nr; i++, e++) {
		if (e->selector >> 16 == KVM_EXITSTATS_SELECT_REASON(0) >> 16)
			exits[e->selector & 0xffff] += e->exits;
		if (!is_bucket(e->selector))
			continue;
		TEST_ASSERT(vm->histogram && (s64)e->exits > 0, "selector %x: %lld exits",
			    e->selector, e->exits);
		sums[e->selector & 0xffff] += e->exits;
	}
	TEST_ASSERT(!vm->histogram || !memcmp(exits, sums, sizeof(exits)),
		    "buckets do not add up to exits");
}

/* Get a state, with a random number of entries in a buffer of random size. */
static void do_get_state(struct world *w, struct one_vm *vm)
{
	u32 nr = rnd_below(&w->rnd, 4) ? rnd_below(&w->rnd, 12) : rnd_any_size(&w->rnd);
	size_t room = rnd_below(&w->rnd, 2) ? state_size(nr % 300) :
		      rnd_below(&w->rnd, state_size(12));
	struct one_vcpu *v = any_vcpu(w, vm);
	char *p = buffer(w, room);
	u32 need = 0, copied, got;
	struct state whole;
	int err = 0;
	size_t i;

	if (!v)
		return;
	if (vm->on) {
		must_get(v->vcpu, &whole);
		need = whole.header.nr;
		check_buckets(vm, &whole);
	}
	copied = min(need, nr);

	memset(p, 0xa5, room);
	put_u32(p, 0, room, nr);
	if (!vm->on)
		err = ENXIO;
	else if (room < state_size(0) || room < state_size(copied))
		err = EFAULT;
	else if (need > nr)
		err = E2BIG;
	assert_call(w, attr_call(v, KVM_GET_DEVICE_ATTR, KVM_VCPU_EXITSTATS,
				 KVM_VCPU_EXITSTATS_STATE, p), err);
	if (err && err != E2BIG)
		return;

	memcpy(&got, p, sizeof(got));
	TEST_ASSERT_EQ(got, need);
	TEST_ASSERT(!memcmp(p + state_size(0), whole.entries, state_size(copied) - state_size(0)),
		    "%u entries of %u differ", copied, need);
	for (i = state_size(copied); i < room; i++)
		TEST_ASSERT(p[i] == (char)0xa5, "byte %zu of %zu was written", i, room);
}

/* The model's view of a state that is about to be set */
struct new_state {
	u32 nr;
	bool histogram;		/* the VM has one */
	bool valid;
	/* The reason of the latest entry with exits, and those that are in no bucket yet */
	u32 reason;
	u64 rest;
	/* By slot: the sum of the entries' exits, and the sum of the buckets */
	u64 exits[MAX_SLOTS], sums[MAX_SLOTS];
	u64 buckets[MAX_SLOTS][KVM_EXITSTATS_NR_BUCKETS];
};

/* True for about one entry in every second large state */
static bool rarely(struct world *w, const struct new_state *s)
{
	return !rnd_below(&w->rnd, 400 + s->nr);
}

/* A random entry. For a VM with a histogram, most entries are buckets that add up. */
static struct kvm_exitstats_entry any_entry(struct world *w, struct new_state *s, bool last)
{
	u32 n = rnd_below(&w->rnd, 8) ? rnd_below(&w->rnd, NR_SLOTS + 2) : rnd(&w->rnd) >> 16;
	u32 b = rnd_below(&w->rnd, KVM_EXITSTATS_NR_BUCKETS);
	struct kvm_exitstats_entry entry = {
		.reserved = rarely(w, s) ? rnd(&w->rnd) : 0,
		.exits = rnd_any_size(&w->rnd),
		.cycles = rnd_any_size(&w->rnd),
		.longest = rnd_any_size(&w->rnd),
	};

	/* With a histogram, keep the sums below 2^63, see check_buckets(). */
	if (s->histogram)
		entry.exits >>= 16;

	if (rarely(w, s)) {
		entry.selector = rnd_any_size(&w->rnd);
	} else if (rarely(w, s)) {
		entry.selector = KVM_EXITSTATS_SELECT_BUCKET(b, n);
	} else if (s->rest && !rarely(w, s)) {
		entry.selector = KVM_EXITSTATS_SELECT_BUCKET(b, s->reason);
		entry.exits = last || rnd_below(&w->rnd, 2) ? s->rest : rnd_u64(&w->rnd) % s->rest;
		entry.cycles = rarely(w, s);
		entry.longest = rarely(w, s);
		s->rest -= entry.exits;
	} else if (!rnd_below(&w->rnd, 10) || (last && s->histogram)) {
		entry.selector = KVM_EXITSTATS_SELECT_ACCOUNT(1 + rnd_below(&w->rnd, 6));
	} else {
		entry.selector = KVM_EXITSTATS_SELECT_REASON(n);
		if (s->histogram) {
			s->reason = n;
			s->rest = entry.exits;
		}
	}
	return entry;
}

/* Add an entry to the model's view, and check whether the state is still valid. */
static void take_entry(struct new_state *s, const struct kvm_exitstats_entry *entry)
{
	u32 n = entry->selector & 0xffff, slot = has_account(n) ? n : OTHER_SLOT;
	u32 b;

	s->valid &= !entry->reserved;
	if (is_bucket(entry->selector)) {
		b = (entry->selector >> 16) - (KVM_EXITSTATS_SELECT_BUCKET(0, 0) >> 16);
		s->valid &= s->histogram && !entry->cycles && !entry->longest;
		s->sums[slot] += entry->exits;
		s->buckets[slot][b] += entry->exits;
	} else if (entry->selector >> 16 == KVM_EXITSTATS_SELECT_REASON(0) >> 16) {
		s->exits[slot] += entry->exits;
	} else {
		s->valid &= entry->selector >=
			    KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_GUEST) &&
			    entry->selector <=
			    KVM_EXITSTATS_SELECT_ACCOUNT(KVM_EXITSTATS_ACCOUNT_OTHER);
	}
}

/* A reason's buckets add up to its exits. Those of "other" are dropped. */
static bool is_valid(const struct new_state *s)
{
	u32 slot;

	for (slot = 0; slot < OTHER_SLOT; slot++)
		if (s->histogram && s->sums[slot] != s->exits[slot])
			return false;
	return s->valid;
}

/* Check that the guest reads the state that was set. */
static void check_state(struct one_vcpu *v, const struct new_state *s)
{
	u64 buckets[MAX_SLOTS][KVM_EXITSTATS_NR_BUCKETS] = {};
	u32 i, n, selector;
	struct state got;

	must_get(v->vcpu, &got);
	for (i = 0; i < got.header.nr; i++) {
		selector = got.entries[i].selector;
		n = selector & 0xffff;
		if (!is_bucket(selector))
			continue;
		TEST_ASSERT(has_account(n) && got.entries[i].exits && !got.entries[i].cycles &&
			    !got.entries[i].longest, "entry %x: %llu exits, %llu cycles", selector,
			    got.entries[i].exits, got.entries[i].cycles);
		buckets[n][(selector - KVM_EXITSTATS_SELECT_BUCKET(0, 0)) >> 16] +=
			got.entries[i].exits;
	}
	for (n = 0; n < OTHER_SLOT; n++)
		TEST_ASSERT(!s->histogram || !memcmp(buckets[n], s->buckets[n], sizeof(buckets[n])),
			    "the buckets of reason %u are not those that were set", n);
}

static void do_set_state(struct world *w, struct one_vm *vm)
{
	u32 nr = rnd_below(&w->rnd, 8) ? rnd_below(&w->rnd, 100) :
		 KVM_EXITSTATS_MAX_ENTRIES - 2 + rnd_below(&w->rnd, 4);
	u32 numbering = by_vendor(KVM_EXITSTATS_NUMBERING_VMX, KVM_EXITSTATS_NUMBERING_SVM), i;
	struct new_state *s = calloc(1, sizeof(*s));
	struct one_vcpu *v = any_vcpu(w, vm);
	size_t size = state_size(nr), room = size;
	struct kvm_exitstats_entry entry;
	struct stats stats;
	int err = 0;
	char *p;

	if (!v)
		goto out;
	*s = (struct new_state) { .nr = nr, .histogram = vm->histogram, .valid = true };
	if (!rnd_below(&w->rnd, 8))
		numbering = rnd_any_size(&w->rnd);
	if (!rnd_below(&w->rnd, 4))
		room = rnd_below(&w->rnd, size);
	p = buffer(w, room);
	put_u32(p, 0, room, nr);
	put_u32(p, 4, room, numbering);
	for (i = 0; i < nr && state_size(i + 1) <= room; i++) {
		entry = any_entry(w, s, i == nr - 1);
		take_entry(s, &entry);
		memcpy(p + state_size(i), &entry, sizeof(entry));
	}

	if (!vm->on)
		err = ENXIO;
	else if (room < state_size(0))
		err = EFAULT;
	else if (nr > KVM_EXITSTATS_MAX_ENTRIES ||
		 numbering != by_vendor(KVM_EXITSTATS_NUMBERING_VMX, KVM_EXITSTATS_NUMBERING_SVM))
		err = EINVAL;
	else if (room < size)
		err = EFAULT;
	else if (!is_valid(s))
		err = EINVAL;
	assert_call(w, attr_call(v, KVM_SET_DEVICE_ATTR, KVM_VCPU_EXITSTATS,
				 KVM_VCPU_EXITSTATS_STATE, p), err);
	if (!err) {
		vm->cpuid_base = s->exits[EXIT_CPUID];
		vm->io_base = s->exits[EXIT_IO];
		for (i = 0; i < NR_VCPUS; i++) {
			vm->cpuid_base -= vm->vcpus[i].cpuid;
			vm->io_base -= vm->vcpus[i].io;
		}
		check_state(v, s);
		w->nr_states++;
	}
	check_vcpu(vm, v, &stats);
out:
	free(s);
}

/*
 * Read a file, whose @size bytes are in w->content, at a random offset, into a buffer that may
 * be too short. @partial: KVM may then read as much as fits.
 */
static void read_at_random(struct world *w, int fd, ssize_t size, bool partial)
{
	loff_t offset = rnd_below(&w->rnd, 4) ? rnd_below(&w->rnd, size + 16) :
			(loff_t)rnd_any_size(&w->rnd);
	size_t len = rnd_below(&w->rnd, rnd_below(&w->rnd, 4) ? 300 : FILE_SIZE);
	size_t room = rnd_below(&w->rnd, 4) ? len : rnd_below(&w->rnd, len + 1);
	ssize_t n = 0, got;
	char *p;

	room = min(room, (size_t)(4 * PAGE_SIZE));
	p = buffer(w, room);
	if (offset >= 0 && offset < size)
		n = min((ssize_t)len, size - offset);

	w->nr_calls++;
	got = pread(fd, p, len, offset);
	if (offset < 0 || offset + (u64)len > INT64_MAX) {
		TEST_ASSERT(got < 0 && errno == EINVAL, "offset %lx: %ld", offset, got);
		return;
	}
	if (n > (ssize_t)room && got < 0) {
		TEST_ASSERT(errno == EFAULT && (!partial || !room), "read: %s", strerror(errno));
		return;
	}
	if (n > (ssize_t)room && partial)
		n = room;
	TEST_ASSERT(got == n, "%zu bytes at %ld of %ld: %ld, not %ld", len, offset, size, got, n);
	TEST_ASSERT(n <= 0 || is_content(w, p, offset, n), "%zu bytes at %ld differ", len, offset);
}

/* Reading in pieces of odd sizes gives the same as reading at once. */
static void read_in_pieces(struct world *w, int fd, ssize_t size)
{
	ssize_t n, at = 0;

	do {
		n = read(fd, w->again + at, 1 + rnd_below(&w->rnd, 4000));
		TEST_ASSERT(n >= 0, "read: %s", strerror(errno));
		at += n;
	} while (n);
	TEST_ASSERT(at == size && is_content(w, w->again, 0, size), "%ld bytes of %ld", at, size);
}

static void read_file(struct world *w, int fd, bool is_table)
{
	ssize_t size;
	int i;

	TEST_ASSERT(fd >= 0, "no file: %s", strerror(errno));
	size = pread(fd, w->content, FILE_SIZE, 0);
	TEST_ASSERT(size > 0 && size < FILE_SIZE, "%ld bytes: %s", size, strerror(errno));
	if (is_table)
		find_hole_in_table(w, size);
	else
		find_hole_in_stats(w);
	for (i = 0; i < 8; i++)
		read_at_random(w, fd, size, is_table);
	read_in_pieces(w, fd, size);
	assert_call(w, write(fd, "0", 1) == 1 ? 0 : -1, EBADF);
	close(fd);
}

static void do_read_stats(struct world *w, struct one_vm *vm)
{
	struct one_vcpu *v = any_vcpu(w, vm);
	struct stats stats;

	if (!v)
		return;
	read_file(w, vcpu_get_stats_fd(v->vcpu), false);
	check_vcpu(vm, v, &stats);
}

static void do_read_tables(struct world *w, struct one_vm *vm)
{
	struct one_vcpu *v = any_vcpu(w, vm);
	struct table table;
	struct stats stats;
	int i;

	if (!v || !vm->on)
		return;
	read_file(w, open_table(vm->vm, VM_TABLE), true);
	read_file(w, open_table(vm->vm, v->vcpu->id), true);
	check_vcpu(vm, v, &stats);
	read_table(open_table(vm->vm, v->vcpu->id), &table);
	for (i = 0; i < NR_SLOTS; i++)
		TEST_ASSERT(table.reasons[i].exits == stats.exits_by_reason[i] &&
			    table.reasons[i].cycles == stats.cycles_by_reason[i],
			    "the table differs from the statistics in reason %d", i);
}

static void do_write_parameter(struct world *w)
{
	static const struct {
		const char *text;
		int on;
	} texts[] = {
		{ "Y", 1 }, { "1", 1 }, { "on", 1 }, { "y\n", 1 }, { "0", 0 }, { "N", 0 },
		{ "off", 0 }, { "n\n", 0 }, { "2", -1 }, { "o", -1 }, { "\n", -1 }, { "x", -1 },
	};
	u32 i = rnd_below(&w->rnd, ARRAY_SIZE(texts));
	bool hist = rnd_below(&w->rnd, 2);
	int fd = open(hist ? HIST_PARAMETER : PARAMETER, O_WRONLY);

	assert_call(w, write(fd, texts[i].text, strlen(texts[i].text)) > 0 ? 0 : -1,
		    texts[i].on < 0 ? EINVAL : 0);
	close(fd);
	if (texts[i].on >= 0)
		*(hist ? &w->hist_parameter : &w->parameter) = texts[i].on;
}

static void step(struct world *w)
{
	struct one_vm *vm = &w->vms[rnd_below(&w->rnd, NR_VMS)];
	u32 op = rnd_below(&w->rnd, 20);

	if (!vm->vm) {
		do_create_vm(w, vm);
		return;
	}
	switch (op) {
	case 0:
		do_free_vm(w, vm);
		break;
	case 1 ... 3:
		do_create_vcpu(w, vm);
		break;
	case 4:
		do_check_extension(w, vm);
		break;
	case 5 ... 6:
		do_enable_cap(w, vm);
		break;
	case 7 ... 8:
		do_run(w, vm);
		break;
	case 9:
		do_attr_refused(w, vm);
		break;
	case 10 ... 12:
		do_get_state(w, vm);
		break;
	case 13 ... 15:
		do_set_state(w, vm);
		break;
	case 16:
		do_read_stats(w, vm);
		break;
	case 17:
		do_read_tables(w, vm);
		break;
	default:
		if (w->alone)
			do_write_parameter(w);
	}
}

static void *live(void *arg)
{
	size_t size = align_up(state_size(KVM_EXITSTATS_MAX_ENTRIES + 2), PAGE_SIZE);
	struct world *w = arg;
	struct stats stats;
	char *memory;
	u32 i, j;

	memory = mmap(NULL, size + PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	TEST_ASSERT(memory != MAP_FAILED && !mprotect(memory + size, PAGE_SIZE, PROT_NONE),
		    "mmap: %s", strerror(errno));
	w->end = memory + size;
	w->content = malloc(FILE_SIZE);
	w->again = malloc(2 * FILE_SIZE);
	w->parameter = true;
	w->hist_parameter = hist_parameter;

	for (i = 0; i < fuzz_steps; i++)
		step(w);

	for (i = 0; i < NR_VMS; i++) {
		for (j = 0; j < NR_VCPUS; j++)
			if (w->vms[i].vcpus[j].vcpu)
				check_vcpu(&w->vms[i], &w->vms[i].vcpus[j], &stats);
		if (w->vms[i].vm)
			kvm_vm_free(w->vms[i].vm);
	}
	munmap(memory, size + PAGE_SIZE);
	free(w->content);
	free(w->again);
	return NULL;
}

/* Restore the parameters after each case and at any exit, as later tests need them. */
static void set_parameters(void)
{
	set_parameter(PARAMETER, true);
	set_parameter(HIST_PARAMETER, hist_parameter);
}

static void run_alone(u32 seed)
{
	struct world w = { .rnd = rnd_seed(seed, 0), .alone = true };

	live(&w);
	set_parameters();
	ksft_print_msg("%lu calls, %lu VMs, %lu states\n", w.nr_calls, w.nr_vms, w.nr_states);
}

static bool stop;

/* Read tables at random offsets while other threads free their VMs. */
static void *pry(void *arg)
{
	struct rnd *r = arg;
	char buf[512];
	glob_t found;
	ssize_t n;
	u32 i;
	int fd;

	while (!READ_ONCE(stop)) {
		if (glob(rnd_below(r, 2) ? KVM_DEBUGFS "/*/exitstats" :
			 KVM_DEBUGFS "/*/vcpu*/exitstats", GLOB_NOSORT, NULL, &found))
			continue;
		for (i = 0; i < found.gl_pathc; i++) {
			fd = open(found.gl_pathv[i], O_RDONLY);
			TEST_ASSERT(fd >= 0 || errno == ENOENT || errno == EIO, "%s: %s",
				    found.gl_pathv[i], strerror(errno));
			if (fd < 0)
				continue;
			n = pread(fd, buf, rnd_below(r, sizeof(buf)), rnd_below(r, 2000));
			TEST_ASSERT(n >= 0 || errno == EIO, "%s: %s", found.gl_pathv[i],
				    strerror(errno));
			close(fd);
		}
		globfree(&found);
		usleep(2000);
	}
	return NULL;
}

static void run_together(u32 seed)
{
	struct world w[NR_THREADS] = {};
	pthread_t threads[NR_THREADS], prying;
	struct rnd r = rnd_seed(seed, ~0u);
	u64 nr_calls = 0, nr_vms = 0;
	u32 i;

	WRITE_ONCE(stop, false);
	pthread_create(&prying, NULL, pry, &r);
	for (i = 0; i < NR_THREADS; i++) {
		w[i].rnd = rnd_seed(seed, i + 1);
		pthread_create(&threads[i], NULL, live, &w[i]);
	}
	for (i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		nr_calls += w[i].nr_calls;
		nr_vms += w[i].nr_vms;
	}
	WRITE_ONCE(stop, true);
	pthread_join(prying, NULL);
	ksft_print_msg("%u threads, %lu calls, %lu VMs\n", NR_THREADS, nr_calls, nr_vms);
}

FIXTURE(host_fuzz) {};

FIXTURE_SETUP(host_fuzz) {}

FIXTURE_TEARDOWN(host_fuzz) {}

TEST_F_TIMEOUT(host_fuzz, alone, FUZZ_TIMEOUT)
{
	fuzz_run(run_alone);
}

TEST_F_TIMEOUT(host_fuzz, together, FUZZ_TIMEOUT)
{
	fuzz_run(run_together);
}

int main(int argc, char *argv[])
{
	fuzz_options(&argc, argv, NR_CASES, NR_STEPS);
	require_exitstats();
	require_debugfs();
	__TEST_REQUIRE(!access(PARAMETER, W_OK), "cannot write " PARAMETER ": not root");
	hist_parameter = get_kvm_param_bool("exitstats_hist");
	atexit(set_parameters);
	/* Fill its cache now; threads would race to fill it. */
	kvm_get_supported_cpuid();
	return test_harness_run(argc, argv);
}
