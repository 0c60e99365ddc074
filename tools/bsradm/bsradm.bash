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
		# those for scripts and experts only for who begins to write one
		_bsr_reply "$({ "$tool" help; [ -z "$current" ] || "$tool" hidden-commands; } 2>/dev/null |
			sed -n 's/^  \([a-z][a-z0-9-]*\) .*/\1/p')"
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
	1) _bsr_reply "$(sed -n 's/^FORMAT *//p' <<<"$help" | tr -d ,)" ;;
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
	local words current cut count previous command types commands
	COMPREPLY=()
	_bsr_words
	count=$((${#words[@]} - 1))
	previous=${words[count-1]}
	command=${words[1]#/}
	commands=$(bsrmon help 2>/dev/null | sed -n 's/^  \([a-z][a-z_]*\) .*/\1/p')
	types=$(bsrmon help report 2>/dev/null | sed -n '/^Types:/,$s/^  \([a-z][a-z_]*\) .*/\1/p')
	if [ "$count" -eq 1 ] || { [ "$command" = help ] && [ "$count" -eq 2 ]; }; then
		if [[ $current == /* ]]; then
			_bsr_reply "$(sed 's|^|/|' <<<"$commands")"
		else
			_bsr_reply "$commands help"
		fi
		return
	fi
	case $previous:$current in
	*:--types=*) _bsr_reply "$(printf -- '--types=%s\n' $types all)"; return ;;
	*:--resources=*) _bsr_reply "$(_bsr_running | sed 's|^|--resources=|')"; return ;;
	--types:*|/t:*) _bsr_reply "$types all"; return ;;
	--resources:*|/r:*) _bsr_reply "$(_bsr_running)"; return ;;
	--file:*|/f:*|file_path:*) _bsr_files "$current"; return ;;
	esac
	if [[ $current == -* ]]; then
		_bsr_reply "$(bsrmon help "$command" 2>/dev/null | grep -o -- '--[a-z]*' | sort -u)"
		return
	fi
	case $command:$count in
	start:2|file:2) _bsr_reply "$types all" ;;
	watch:2|report:2) _bsr_reply "$types" ;;
	show:2|histogram:2|debug:2|watch:3|report:3) _bsr_reply "$(_bsr_running)" ;;
	show:3|histogram:3|watch:4|report:4) _bsr_reply "$(bsrsetup show "$previous" 2>/dev/null | sed -n 's/^ *volume \([0-9]*\) {/\1/p' | sort -u)" ;;
	set:2) _bsr_reply "period file_path total_size_limit" ;;
	get:2) _bsr_reply "all period file_path total_size_limit types" ;;
	esac
}
complete -F _bsrmon bsrmon

_bsrcon()
{
	local words current cut count i place=0 command=""
	COMPREPLY=()
	_bsr_words
	count=$((${#words[@]} - 1))
	for ((i = 1; i < count; i++)); do # several commands may stand on a line
		if [[ ${words[i]} == /* && ( $command != set_log_path || $place -gt 0 ) && ( $command != get_log || $place -gt 0 ) ]]; then
			command=${words[i]#/} place=0
		else
			((place++))
		fi
	done
	if [[ $current == --* ]]; then
		_bsr_reply "--json --help --version"
		return
	fi
	case $command:$place in
	set_log_path:0|get_log:0) _bsr_files "$current"; return ;;
	esac
	if [[ $current == /* || -z $command ]]; then
		_bsr_reply "$(bsrcon /all_usage 2>/dev/null | sed -n 's|^  \(/[a-z_0-9/]*\) .*|\1|p')"
		return
	fi
	case $command:$place in
	minlog_lv:0) _bsr_reply "sys dbg" ;;
	minlog_lv:1|write_kernel_log:0) _bsr_reply "emerg alert criti err warning notice info debug" ;;
	dbglog_ctgr:0) _bsr_reply "enable disable" ;;
	dbglog_ctgr:*) _bsr_reply "role resync disk link device process all" ;;
	climaxlogfile_cnt:0) _bsr_reply "adm setup meta" ;;
	statuscmd_logging:0|handler_use:0|set_fast_sync:0|bsrlock_use:0) _bsr_reply "0 1" ;;
	debug:0|memory:0|fault:0|get_log:1) _bsr_reply "$(_bsr_running)" ;;
	get_log:2) _bsr_reply "oos" ;;
	fault:1) _bsr_reply "clear disk meta network" ;;
	fault:*)
		case $current in
		op=*) _bsr_reply "op=read op=write op=flush" ;;
		error=*) _bsr_reply "error=yes" ;;
		*) _bsr_reply "volume= peer= op= delay= error= count=" ;;
		esac
		;;
	esac
}
complete -F _bsrcon bsrcon
