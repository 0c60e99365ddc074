// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake_reasons.c - names, sentences and remedies of handshake decisions
 */
#include <bsr/handshake.h>

const char *bsr_hs_action_word(enum bsr_hs_action action)
{
	switch (action) {
	case BSR_HS_NO_SYNC:
		return "no-sync";
	case BSR_HS_SOURCE_BITMAP:
		return "source";
	case BSR_HS_TARGET_BITMAP:
		return "target";
	case BSR_HS_SOURCE_FULL:
		return "source-full";
	case BSR_HS_TARGET_FULL:
		return "target-full";
	case BSR_HS_SPLIT_BRAIN:
		return "split-brain";
	case BSR_HS_UNRELATED:
		return "unrelated";
	case BSR_HS_REFUSED:
		return "refused";
	case BSR_HS_RETRY:
		return "retry";
	case BSR_HS_NO_DISK:
		return "no-disk";
	}
	return "?"; /* a number from a peer */
}

const char *bsr_hs_reason_name(uint16_t reason)
{
	switch (reason) {
#define BSR_HS_REASON(number, name, what, help)                                                    \
	case number:                                                                               \
		return #name;
#include <bsr/handshake_reasons.def>
#undef BSR_HS_REASON
	default:
		return "?";
	}
}

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
