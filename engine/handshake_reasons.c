// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake_reasons.c - sentences and remedies of handshake decisions
 */
#include <bsr/handshake.h>

void bsr_hs_reason_text(uint16_t reason, const char **sentence, const char **remedy)
{
	*sentence = "";
	*remedy = "";
	switch (reason) {
#define BSR_HS_REASON(number, name, what, help)                                                    \
	case number:                                                                               \
		*sentence = what;                                                                  \
		*remedy = help;                                                                    \
		return;
#include <bsr/handshake_reasons.def>
#undef BSR_HS_REASON
	default:
		return; /* a number from a peer, or from a log of another version */
	}
}
