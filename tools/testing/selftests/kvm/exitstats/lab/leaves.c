// SPDX-License-Identifier: GPL-2.0-only
/*
 * leaves: a multiboot kernel that prints all registers that CPUID returns to the debug
 * port, and resets the machine.
 *
 * Such a small guest boots at once, in QEMU with any CPU model. Its output is the same
 * if and only if KVM's answers are.
 */

__asm__(".section .multiboot, \"a\"\n"
	".long 0x1badb002, 0, -0x1badb002\n"
	".text\n"
	".globl _start\n"
	"_start:\n"
	"	movl $stack_end, %esp\n"
	"	call main\n"
	".bss\n"
	".lcomm stack, 4096\n"
	".set stack_end, stack + 4096\n"
	".text\n");

static char line[6 * 9];
static unsigned int length;

static void add_hex(unsigned int value, char end)
{
	int shift = 28;

	/* Without leading zeros: QEMU makes a system call for each character. */
	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		line[length++] = "0123456789abcdef"[value >> shift & 0xf];
	line[length++] = end;
}

static void print_leaf(unsigned int leaf, unsigned int index)
{
	const char *text = line;
	unsigned int a, b, c, d;

	__asm__ volatile("cpuid" : "=a" (a), "=b" (b), "=c" (c), "=d" (d)
			 : "0" (leaf), "1" (0x12345678), "2" (index), "3" (0x9abcdef0));
	length = 0;
	add_hex(leaf, ' ');
	add_hex(index, ' ');
	add_hex(a, ' ');
	add_hex(b, ' ');
	add_hex(c, ' ');
	add_hex(d, '\n');
	/* One string instruction takes only one exit. */
	__asm__ volatile("rep outsb" : "+S" (text), "+c" (length) : "d" (0xe9) : "memory");
}

void main(void)
{
	static const unsigned int indices[] = {
		0, 1, 2, 10, 0x1f, 28, 33, 35, 48, 65, 85, 86, 87, 0xff, 0x100, 0xffff,
		0x10000, 0x1000a, 0x7fffffff, 0x80000000, 0x8000000a, 0xfffffffe, 0xffffffff,
	};
	/* The four leaves, their neighbours, and the leaves that out-of-range ones may return */
	static const struct {
		unsigned int first, last, nr_indices;
	} ranges[] = {
		{ 0, 0x20, 3 },
		{ 0x40000000, 0x40000002, 1 },
		{ 0x4ffffff8, 0x50000003, sizeof(indices) / sizeof(*indices) },
		{ 0x80000000, 0x80000008, 1 },
	};
	static const unsigned short no_idt[3];	/* limit, base */
	unsigned int range, leaf, i;

	for (range = 0; range < sizeof(ranges) / sizeof(*ranges); range++) {
		for (leaf = ranges[range].first; leaf <= ranges[range].last; leaf++) {
			for (i = 0; i < ranges[range].nr_indices; i++)
				print_leaf(leaf, indices[i]);
		}
	}

	/* A triple fault resets any machine. */
	__asm__ volatile("lidt %0; ud2" : : "m" (no_idt[0]));
}
