# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for bsradm: commands, their options, and resources, volumes and peers of the configuration in use;
# for bsrmon and bsrcon: commands, options, types, running resources.

_bsradm_targets()
{
	local config=("$@") resource
	echo all
	for resource in $(bsradm "${config[@]}" sh-resources 2>/dev/null); do
		echo "$resource"
		bsradm "${config[@]}" sh-dev-vnr "$resource" 2>/dev/null | sed "s|^|$resource/|"
		bsradm "${config[@]}" sh-peer-node-name "$resource" 2>/dev/null | sed "s|^|$resource:|"
	done
}

_bsradm()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} word command="" config=() i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-c|--config-file)
			config=(-c "${COMP_WORDS[i+1]}")
			((i++))
			;;
		-*) ;;
		*)
			[ -n "$command" ] || command=$word
			;;
		esac
	done
	case $previous in
	-c|--config-file|-t|--config-to-test|-E|--config-to-exclude|-s|-m)
		COMPREPLY=($(compgen -f -- "$current"))
		return
		;;
	esac
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$(bsradm help ${command:+"$command"} 2>/dev/null | grep -o -- '--[a-z][a-zA-Z0-9_-]*' |
			sort -u)" -- "$current"))
	elif [ -z "$command" ] || [ "$command" = help ]; then
		COMPREPLY=($(compgen -W "$(bsradm help 2>/dev/null | sed -n 's/^  \([a-z][a-z0-9-]*\) .*/\1/p')" -- "$current"))
	else
		COMPREPLY=($(compgen -W "$(_bsradm_targets "${config[@]}")" -- "$current"))
		declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$current"
	fi
}
complete -F _bsradm bsradm

_bsr_running()
{
	local socket
	for socket in "${BSR_RUN_DIR:-/run/bsr}"/*.sock; do
		[ -S "$socket" ] && basename "$socket" .sock
	done
}

_bsrmon()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]#/}
	local commands types
	COMPREPLY=()
	commands=$(bsrmon help 2>/dev/null | sed -n 's/^  \([a-z][a-z_]*\) .*/\1/p')
	types=$(bsrmon help report 2>/dev/null | sed -n '/^Types:/,$s/^  \([a-z][a-z_]*\) .*/\1/p')
	if [ "$COMP_CWORD" -eq 1 ] || { [ "$command" = help ] && [ "$COMP_CWORD" -eq 2 ]; }; then
		if [[ $current == /* ]]; then
			COMPREPLY=($(compgen -W "$(sed 's|^|/|' <<<"$commands")" -- "$current"))
		else
			COMPREPLY=($(compgen -W "$commands help" -- "$current"))
		fi
		return
	fi
	case $previous in
	--types|/t) COMPREPLY=($(compgen -W "$types all" -- "$current")); return ;;
	--resources|/r) COMPREPLY=($(compgen -W "$(_bsr_running)" -- "$current")); return ;;
	--file|/f|file_path) COMPREPLY=($(compgen -f -- "$current")); return ;;
	esac
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$(bsrmon help "$command" 2>/dev/null | grep -o -- '--[a-z]*' | sort -u)" -- "$current"))
		return
	fi
	case $command:$COMP_CWORD in
	start:2|file:2) COMPREPLY=($(compgen -W "$types all" -- "$current")) ;;
	watch:2|report:2) COMPREPLY=($(compgen -W "$types" -- "$current")) ;;
	show:2|debug:2|watch:3|report:3) COMPREPLY=($(compgen -W "$(_bsr_running)" -- "$current")) ;;
	set:2) COMPREPLY=($(compgen -W "period file_path total_size_limit" -- "$current")) ;;
	get:2) COMPREPLY=($(compgen -W "all period file_path total_size_limit types" -- "$current")) ;;
	esac
}
complete -F _bsrmon bsrmon

_bsrcon()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
	COMPREPLY=()
	case ${previous#/} in
	minlog_lv) COMPREPLY=($(compgen -W "sys dbg" -- "$current")); return ;;
	sys|dbg) COMPREPLY=($(compgen -W "emerg alert criti err warning notice info debug" -- "$current")); return ;;
	dbglog_ctgr) COMPREPLY=($(compgen -W "enable disable" -- "$current")); return ;;
	enable|disable) COMPREPLY=($(compgen -W "role resync disk link device process all" -- "$current")); return ;;
	climaxlogfile_cnt) COMPREPLY=($(compgen -W "adm setup meta" -- "$current")); return ;;
	statuscmd_logging|handler_use|set_fast_sync) COMPREPLY=($(compgen -W "0 1" -- "$current")); return ;;
	debug|memory|fault) [[ $current == /* ]] || { COMPREPLY=($(compgen -W "$(_bsr_running)" -- "$current")); return; } ;;
	set_log_path|get_log) COMPREPLY=($(compgen -f -- "$current")); return ;;
	esac
	if [ "${COMP_WORDS[COMP_CWORD-2]#/}" = fault ]; then
		COMPREPLY=($(compgen -W "disk meta network clear" -- "$current"))
	elif [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "--json --help --version" -- "$current"))
	else
		COMPREPLY=($(compgen -W "$(bsrcon /all_usage 2>/dev/null | sed -n 's|^  \(/[a-z_0-9/]*\) .*|\1|p')" -- "$current"))
	fi
}
complete -F _bsrcon bsrcon
