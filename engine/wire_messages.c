// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_messages.c - messages of the native protocol
 */
#include <bsr/wire.h>
