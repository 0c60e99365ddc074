/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen.h - the terminal as a full-screen view, and back, whatever happens
 */
#ifndef BSRMON_SCREEN_H
#define BSRMON_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mon_key {
	MON_KEY_NONE,
	MON_KEY_QUIT,
	MON_KEY_UP,
	MON_KEY_DOWN,
	MON_KEY_PAGE_UP,
	MON_KEY_PAGE_DOWN,
	MON_KEY_REDRAW
};

/** mon_screen_enter - take the terminal over; false: standard output is none */
bool mon_screen_enter(void);
/** mon_screen_leave - the terminal as it was; also runs by itself at exit and on signals that end the program
 */
void mon_screen_leave(void);
/** mon_screen_size - columns and rows now */
void mon_screen_size(uint32_t *columns, uint32_t *rows);
/** mon_screen_ends - a signal asked to end */
bool mon_screen_ends(void);
/** mon_screen_wait - until a key, a new size or the time limit */
enum mon_key mon_screen_wait(int64_t timeout_ms);
/** mon_screen_put - write it all; false when the terminal is gone */
bool mon_screen_put(const char *bytes, size_t count);
/** mon_screen_keys - what a terminal sends for keys, as the last one that means something */
enum mon_key mon_screen_keys(const char *bytes, size_t count);

#endif
