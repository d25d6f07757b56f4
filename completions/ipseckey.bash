# Written by tests/library/completions.rs: SNAPSHOTS=overwrite cargo test --lib completions
_ipseckey_options() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="ipseckey"
                ;;
            ipseckey,algs)
                cmd="ipseckey__subcmd__algs"
                ;;
            ipseckey,doctor)
                cmd="ipseckey__subcmd__doctor"
                ;;
            ipseckey,explain)
                cmd="ipseckey__subcmd__explain"
                ;;
            ipseckey,export)
                cmd="ipseckey__subcmd__export"
                ;;
            ipseckey,generate)
                cmd="ipseckey__subcmd__generate"
                ;;
            ipseckey,genkey)
                cmd="ipseckey__subcmd__genkey"
                ;;
            ipseckey,import)
                cmd="ipseckey__subcmd__import"
                ;;
            ipseckey,plan)
                cmd="ipseckey__subcmd__plan"
                ;;
            ipseckey,reconcile)
                cmd="ipseckey__subcmd__reconcile"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        ipseckey)
            opts="-c -f -s -n -p -v -h -V --sadb --hosts --deny-weak --json --sarif --show-keys --color --help --version genkey generate algs import export doctor explain plan reconcile"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                -c)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                -f)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                -s)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --hosts)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__algs)
            opts="-h --sadb --json --show-keys --color --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__doctor)
            opts="-h --sadb --json --show-keys --color --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__explain)
            opts="-h --sadb --json --show-keys --color --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__export)
            opts="-o -h --output --sadb --json --show-keys --color --help setkey ip-xfrm wireshark tcpdump"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__generate)
            opts="-o -h --bits --output --sadb --json --show-keys --color --help esp ah"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --bits)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__genkey)
            opts="-o -h --output --sadb --json --show-keys --color --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__import)
            opts="-o -h --output --sadb --json --show-keys --color --help setkey ip-xfrm ipsec.conf"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__plan)
            opts="-h --keep-others --inbound --sadb --json --show-keys --color --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ipseckey__subcmd__reconcile)
            opts="-h --keep-others --inbound --sadb --json --show-keys --color --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --sadb)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

# The words of the command language; the options and tools come from the function above.
_ipseckey() {
    local word first="" cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="delete delete-pair get flush dump save monitor passive_monitor pmonitor help"
    local tools="genkey generate algs import export doctor explain plan reconcile"
    local keywords="spi pair-spi replay state auth_alg authalg encr_alg encralg soft_alloc soft_bytes soft_addtime soft_usetime hard_alloc hard_bytes hard_addtime hard_usetime saddr srcaddr src daddr dstaddr dst proxyaddr proxy innersrc isrc innerdst idst sport dport innersport isport innerdport idport proto ulp iproto iulp saddr6 srcaddr6 src6 daddr6 dstaddr6 dst6 proxyaddr6 proxy6 innersrc6 isrc6 innerdst6 idst6 authkey encrkey srcidtype dstidtype nat_loc nat_rem nat_lport nat_rport encap outbound inbound reserved_bits replay_value idle_addtime idle_usetime mode reqid mark if_id output-mark offload offload-packet tfcpad esn flag soft_packets hard_packets icv"
    local auth="hmac-md5 hmac-sha1 hmac-sha256 hmac-sha384 hmac-sha512 aes-xcbc aes-cmac"
    local encr="des-cbc 3des-cbc blowfish-cbc null aes-cbc aes-ctr aes-ccm8 aes-ccm12 aes-ccm aes-gcm8 aes-gcm12 aes-gcm camellia-cbc chacha20-poly1305"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case " $commands $tools " in
        *" $word "*)
            first=$word
            break
            ;;
        esac
    done

    case $prev in
    --bits | --color | --hosts | --output | --sadb | -c | -f | -o | -s) _ipseckey_options "${COMP_WORDS[0]}" "$cur" "$prev" && return ;;
    auth_alg | authalg) mapfile -t COMPREPLY < <(compgen -W "$auth" -- "$cur") && return ;;
    encr_alg | encralg) mapfile -t COMPREPLY < <(compgen -W "$encr" -- "$cur") && return ;;
    mode) mapfile -t COMPREPLY < <(compgen -W "transport tunnel beet" -- "$cur") && return ;;
    delete | delete-pair | get | generate) mapfile -t COMPREPLY < <(compgen -W "ah esp" -- "$cur") && return ;;
    flush | dump | save) mapfile -t COMPREPLY < <(compgen -W "ah esp all" -- "$cur") && return ;;
    genkey) mapfile -t COMPREPLY < <(compgen -W "$auth $encr" -- "$cur") && return ;;
    help) mapfile -t COMPREPLY < <(compgen -W "add update update-pair delete delete-pair get flush dump save monitor passive_monitor pmonitor help quit exit attr" -- "$cur") && return ;;
    explain) mapfile -t COMPREPLY < <(compgen -W "$(ipseckey explain 2>/dev/null | cut -d' ' -f1)" -- "$cur") && return ;;
    esac

    case $first in
    delete | delete-pair | get) mapfile -t COMPREPLY < <(compgen -W "$keywords" -- "$cur") && return ;;
    save) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
    esac
    _ipseckey_options "${COMP_WORDS[0]}" "$cur" "$prev"
    case $first in
    "") mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
    generate) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$keywords" -- "$cur") ;;
    esac
}

complete -F _ipseckey -o bashdefault -o default ipseckey
