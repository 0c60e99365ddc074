# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for bsradm: commands, options, their values, and resources, volumes and peers of the configuration in use;
# for bsrsetup and bsrmeta: commands, options, and what runs; for bsrmon and bsrcon: commands, options, types, running resources.

# The words of the line as the shell will see them: readline cuts r0:bob and --protocol=C in three. Sets the caller's words
# and current, and cut: what readline has already of the current word and does not want to get again.
_bsr_words()
{
	local line=${COMP_LINE:0:COMP_POINT}
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] || -z $line ]] && words+=("")
	current=${words[${#words[@]}-1]}
	cut=""
	if [[ $current == *[:=]* && $COMP_WORDBREAKS == *[:=]* ]]; then
		cut=${current%"${current##*[:=]}"}
	fi
}

# The proposals in $1 that begin like the current word.
_bsr_reply()
{
	local IFS=$' \t\n'
	COMPREPLY=($(compgen -W "$1" -- "$current"))
	COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}

_bsr_files()
{
	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen -f -- "$1"))
}

# Options, or the words that an option takes: "  --protocol=A | B | C (default C)", "  --protocol=VALUE   A | B | C"
_bsr_options()
{
	local help=$1 name
	if [[ $current == --*=* ]]; then
		name=${current%%=*}
		_bsr_reply "$(grep -- "^ *\(-.,\)\? *$name[=[]" <<<"$help" | grep -oE '[A-Za-z0-9_-]+( \| [A-Za-z0-9_-]+)+' |
			sed "s/ | /\n/g" | sed "s|^|$name=|")"
	else
		_bsr_reply "$(grep -o -- '--[a-z_][a-zA-Z0-9_-]*' <<<"$help" | sort -u)"
	fi
}

_bsradm_targets()
{
	local tool=$1 resource
	shift
	echo all
	for resource in $("$tool" "$@" sh-resources 2>/dev/null); do
		echo "$resource"
		"$tool" "$@" sh-dev-vnr "$resource" 2>/dev/null | sed "s|^|$resource/|"
		"$tool" "$@" sh-peer-node-name "$resource" 2>/dev/null | sed "s|^|$resource:|"
	done
}

# Volumes of a connection, once its peer stands there.
_bsradm_peer_volumes()
{
	local tool=$1 target=$2
	shift 2
	"$tool" "$@" sh-dev-vnr "${target%%:*}" 2>/dev/null | sed "s|^|${target%%/*}/|"
}

_bsradm()
{
	local words current cut command="" config=() i tool=$1
	COMPREPLY=()
	_bsr_words
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		-c|--config-file)
			config=(-c "${words[i+1]}")
			((i++))
			;;
		--config-file=*) config=(-c "${words[i]#*=}") ;;
		-*) ;;
		*)
			[ -n "$command" ] || command=${words[i]}
			;;
		esac
	done
	case ${words[${#words[@]}-2]} in
	-c|--config-file|-t|--config-to-test|-E|--config-to-exclude|-s|-m)
		_bsr_files "$current"
		return
		;;
	esac
	if [[ $current == -* ]]; then
		_bsr_options "$("$tool" help ${command:+"$command"} 2>/dev/null)"
	elif [ -z "$command" ] || [ "$command" = help ]; then
		_bsr_reply "$("$tool" help 2>/dev/null | sed -n 's/^  \([a-z][a-z0-9-]*\) .*/\1/p')"
	elif [[ $current == *:*/* ]]; then
		_bsr_reply "$(_bsradm_peer_volumes "$tool" "$current" "${config[@]}")"
	else
		_bsr_reply "$(_bsradm_targets "$tool" "${config[@]}")"
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

_bsr_minors()
{
	local minor
	for minor in "${BSR_RUN_DIR:-/run/bsr}"/minor-*; do
		[ -L "$minor" ] && echo "${minor##*/minor-}"
	done
}

# What a place in a usage line of bsrsetup stands for; $1 its name, $2 the tool, $3 the resource that was named before.
_bsrsetup_place()
{
	case $1 in
	*RESOURCE*all*) echo all; _bsr_running ;;
	RESOURCE*) _bsr_running ;;
	MINOR) _bsr_minors ;;
	PEER_NODE_ID) "$2" show "$3" 2>/dev/null | sed -n 's/^ *_peer_node_id \([0-9]*\);/\1/p' ;;
	VOLUME) "$2" show "$3" 2>/dev/null | sed -n 's/^ *volume \([0-9]*\) {/\1/p' | sort -u ;;
	META_INDEX) echo internal flexible ;;
	esac
}

_bsrsetup()
{
	local words current cut usage places=() given=() i tool=$1
	COMPREPLY=()
	_bsr_words
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		[[ ${words[i]} == -* ]] || given+=("${words[i]}")
	done
	if [ ${#given[@]} -eq 0 ] || [ "${given[0]}" = help ] || [ "${given[0]}" = xml-help ]; then
		_bsr_reply "$("$tool" help 2>/dev/null | sed -n 's/^  \([a-z][a-z0-9-]*\) .*/\1/p')"
		return
	fi
	usage=$("$tool" help "${given[0]}" 2>/dev/null)
	if [[ $current == -* ]]; then
		_bsr_options "$usage"
		return
	fi
	read -ra places <<<"$(sed -n 's/^usage: [^ ]* [^ ]* //p' <<<"$usage")"
	local place=${places[${#given[@]}-1]}
	case $place in
	LOWER_DEVICE|META_DEVICE) _bsr_files "$current" ;;
	*) _bsr_reply "$(_bsrsetup_place "$place" "$tool" "${given[1]}")" ;;
	esac
}
complete -F _bsrsetup bsrsetup

_bsrmeta()
{
	local words current cut given=() i tool=$1 help
	COMPREPLY=()
	_bsr_words
	help=$("$tool" --help 2>/dev/null)
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		[[ ${words[i]} == -* && ${words[i]} != - ]] || given+=("${words[i]}")
	done
	if [[ $current == -?* ]]; then
		_bsr_options "$help"
		return
	fi
	case ${#given[@]} in
	0) _bsr_reply "- $(_bsr_minors)" ;;
	1) _bsr_reply "v09 v08" ;;
	2) _bsr_files "$current" ;;
	3) _bsr_reply "internal flex-external" ;;
	4) _bsr_reply "$(sed -n '/^COMMANDS/,/^OPTIONS/s/^  \([a-z][a-z-]*\) .*/\1/p' <<<"$help")" ;;
	*) _bsr_files "$current" ;;
	esac
}
complete -F _bsrmeta bsrmeta

# DRBD's names, where they are links to these programs.
_bsr_links()
{
	local tool link
	for tool in bsradm bsrsetup bsrmeta; do
		link=$(type -P "drbd${tool#bsr}")
		if [ -n "$link" ] && [ "$(readlink -f "$link")" = "$(readlink -f "$(type -P "$tool")")" ]; then
			complete -F "_$tool" "drbd${tool#bsr}"
		fi
	done
}
_bsr_links

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
