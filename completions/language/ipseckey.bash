
# The words of the command language; the options and tools come from the function above.
_ipseckey() {
    COMPREPLY=()
    local word first="" cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="@COMMANDS@"
    local tools="@TOOLS@"
    local keywords="@KEYWORDS@"
    local auth="@AUTH@"
    local encr="@ENCR@"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case " $commands $tools " in
        *" $word "*)
            first=$word
            break
            ;;
        esac
    done

    case $prev in
    @VALUE_OPTIONS@) _ipseckey_options "${COMP_WORDS[0]}" "$cur" "$prev" && return ;;
    auth_alg | authalg) mapfile -t COMPREPLY < <(compgen -W "$auth" -- "$cur") && return ;;
    encr_alg | encralg) mapfile -t COMPREPLY < <(compgen -W "$encr" -- "$cur") && return ;;
    mode) mapfile -t COMPREPLY < <(compgen -W "@MODES@" -- "$cur") && return ;;
    delete | delete-pair | get | generate) mapfile -t COMPREPLY < <(compgen -W "ah esp" -- "$cur") && return ;;
    flush | dump | save) mapfile -t COMPREPLY < <(compgen -W "ah esp all" -- "$cur") && return ;;
    genkey) mapfile -t COMPREPLY < <(compgen -W "$auth $encr" -- "$cur") && return ;;
    import) mapfile -t COMPREPLY < <(compgen -W "@IMPORT@" -- "$cur") && return ;;
    export) mapfile -t COMPREPLY < <(compgen -W "@EXPORT@" -- "$cur") && return ;;
    help) mapfile -t COMPREPLY < <(compgen -W "@TOPICS@" -- "$cur") && return ;;
    explain) mapfile -t COMPREPLY < <(compgen -W "$(ipseckey explain 2>/dev/null | cut -d' ' -f1)" -- "$cur") && return ;;
    esac

    case $first in
    delete | delete-pair | get) mapfile -t COMPREPLY < <(compgen -W "$keywords" -- "$cur") && return ;;
    save) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
    plan | reconcile | import | export | doctor) [[ $cur == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
    [ ${#COMPREPLY[@]} -eq 0 ] || return 0
    _ipseckey_options "${COMP_WORDS[0]}" "$cur" "$prev"
    case $first in
    "") mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
    generate) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$keywords" -- "$cur") ;;
    esac
}

complete -F _ipseckey -o bashdefault -o default ipseckey
