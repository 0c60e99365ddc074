/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * errors.h - BSR_E_* from errors.def; functions return 0 or a negative one
 */
#ifndef BSR_ERRORS_H
#define BSR_ERRORS_H

enum bsr_error {
	BSR_E_OK = 0,
#define BSR_ERR(number, name, text) BSR_E_##name = number,
#include <bsr/errors.def>
#undef BSR_ERR
};

/** bsr_error_text - sentence for a (negative or positive) error number; static, never NULL */
const char *bsr_error_text(int error);
/** bsr_error_name - its NAME as in errors.def, "?" when unknown */
const char *bsr_error_name(int error);

#endif
