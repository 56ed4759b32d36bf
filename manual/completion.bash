# SPDX-License-Identifier: MIT
# Names of parameters, of services and their fields for postconf, and commands for postfix.
_postern_postconf() {
    local current=${COMP_WORDS[COMP_CWORD]} directory=() mode=p word names
    local -i i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        -c) directory=(-c "${COMP_WORDS[i + 1]}") ;;
        -*[MFP]*) mode=${word//[^MFP]/} ;;
        esac
    done
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    -c) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    -C) names="builtin service user all" ;;
    -T) names="compile-version run-version public-key-algorithms" ;;
    *)
        case $mode in
        M) names=$(postconf "${directory[@]}" -F '*/*/service' 2>/dev/null | sed 's,/service = .*,,') ;;
        F | P) names=$(postconf "${directory[@]}" -H"$mode" 2>/dev/null) ;;
        *) names=$(postconf "${directory[@]}" -H 2>/dev/null) ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
}
_postern_postfix() {
    local commands="start start-fg stop abort drain reload status flush check logrotate set-permissions"
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -F _postern_postconf postconf
complete -F _postern_postfix postfix
