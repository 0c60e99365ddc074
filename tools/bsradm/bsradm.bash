# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for bsradm: commands, their options, and resources, volumes and peers of the configuration in use.

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
