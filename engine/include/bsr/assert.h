/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * assert.h - our own mistakes stop the program, in release builds too
 */
#ifndef BSR_ASSERT_H
#define BSR_ASSERT_H

/**
 * bsr_panic - stop now; provided by whoever hosts the engine, never returns
 * @file: source file, static
 * @line: line in it
 * @what: the condition that did not hold, static
 */
_Noreturn void bsr_panic(const char *file, int line, const char *what);

#define BSR_ASSERT(cond) ((cond) ? (void)0 : bsr_panic(__FILE__, __LINE__, #cond))

#ifdef BSR_SLOW_ASSERTS
#define BSR_ASSERT_SLOW(cond) BSR_ASSERT(cond)
#else
#define BSR_ASSERT_SLOW(cond) ((void)sizeof((cond) ? 1 : 0))
#endif

#endif
