// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * panic.c - the host's half of an assertion: say which one, then abort
 *
 * Owns: nothing. Uses only write(2) and abort(3), because the state of the process is unknown here.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <bsr/assert.h>

static struct iovec text_part(const char *text)
{
	return (struct iovec){.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
}

void bsr_panic(const char *file, int line, const char *what)
{
	char digits[12];
	size_t at = sizeof(digits);
	digits[--at] = '\0';
	do {
		digits[--at] = (char)('0' + line % 10);
		line /= 10;
	} while (line > 0 && at > 0);
	struct iovec iov[] = {text_part("bsr: assertion failed at "), text_part(file), text_part(":"),
		text_part(&digits[at]), text_part(": "), text_part(what), text_part("\n")};
	if (writev(STDERR_FILENO, iov, (int)(sizeof(iov) / sizeof(iov[0]))) < 0) {
		abort(); /* nobody can be told; the core dump tells */
	}
	abort();
}
