// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * errors.c - names and sentences of error numbers
 */
#include <bsr/errors.h>

const char *bsr_error_text(int error)
{
	switch (error < 0 ? -error : error) {
	case 0:
		return "success";
#define BSR_ERR(number, name, text)                                                                           \
	case number:                                                                                          \
		return text;
#include <bsr/errors.def>
#undef BSR_ERR
	}
	return "unknown error";
}

const char *bsr_error_name(int error)
{
	switch (error < 0 ? -error : error) {
	case 0:
		return "OK";
#define BSR_ERR(number, name, text)                                                                           \
	case number:                                                                                          \
		return #name;
#include <bsr/errors.def>
#undef BSR_ERR
	}
	return "?";
}
