/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lab's output is a stream of messages on the second serial port. init writes
 * it, and the driver reads it (relay.c). init in the QEMU guest sends the same kind
 * of messages to init in the emulated host, which forwards them.
 */
#ifndef LAB_STREAM_H
#define LAB_STREAM_H

#include <stdint.h>

/* A message is this header and then @len bytes. */
struct stream_header {
	uint8_t magic;		/* STREAM_MAGIC */
	uint8_t type;		/* enum stream_type */
	uint16_t len;		/* bytes that follow, at most STREAM_MAX */
} __attribute__((packed));

#define STREAM_MAGIC	0xa5
#define STREAM_MAX	4096

enum stream_type {
	STREAM_OUT = 'o',	/* a program's standard output */
	STREAM_ERR = 'e',	/* its standard error */
	STREAM_FILE = 'f',	/* file name: STREAM_OUT goes there; "": to standard output */
	STREAM_STEP = 's',	/* progress, one line */
	STREAM_EXIT = 'x',	/* end of the stream: exit status in decimal */
};

#endif /* LAB_STREAM_H */
