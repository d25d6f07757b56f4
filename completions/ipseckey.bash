# bash completion for ipseckey(8). tests/completions.rs holds it against the program's tables.

_ipseckey() {
    local cur prev word first=""
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="delete delete-pair get flush dump save monitor passive_monitor pmonitor help"
    local tools="genkey generate import export algs doctor explain plan reconcile"
    local options="-c -f -s -n -p -v --sadb --hosts --deny-weak --json --sarif --show-keys --color --help --version"
    local keywords="
    spi pair-spi replay state auth_alg authalg encr_alg encralg soft_alloc soft_bytes soft_addtime
    soft_usetime hard_alloc hard_bytes hard_addtime hard_usetime saddr srcaddr src daddr dstaddr dst
    proxyaddr proxy innersrc isrc innerdst idst sport dport innersport isport innerdport idport proto ulp
    iproto iulp saddr6 srcaddr6 src6 daddr6 dstaddr6 dst6 proxyaddr6 proxy6 innersrc6 isrc6 innerdst6 idst6
    authkey encrkey srcidtype dstidtype nat_loc nat_rem nat_lport nat_rport encap outbound inbound
    reserved_bits replay_value idle_addtime idle_usetime mode reqid mark if_id output-mark offload offload-packet tfcpad
    esn flag soft_packets hard_packets icv"
    local auth="hmac-md5 hmac-sha1 hmac-sha256 hmac-sha384 hmac-sha512 aes-xcbc aes-cmac"
    local encr="
    des-cbc 3des-cbc blowfish-cbc null aes-cbc aes-ccm8 aes-ccm12 aes-ccm aes-gcm8 aes-gcm12 aes-gcm
    camellia-cbc aes-ctr chacha20-poly1305"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case " $commands $tools " in
        *" $word "*)
            first=$word
            break
            ;;
        esac
    done

    case $prev in
    -c | -f | -s | --hosts | -o | --output) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
    --sadb) mapfile -t COMPREPLY < <(compgen -W "auto xfrm pfkey model unix:" -- "$cur") && return ;;
    --color) mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur") && return ;;
    auth_alg | authalg) mapfile -t COMPREPLY < <(compgen -W "$auth" -- "$cur") && return ;;
    encr_alg | encralg) mapfile -t COMPREPLY < <(compgen -W "$encr" -- "$cur") && return ;;
    mode) mapfile -t COMPREPLY < <(compgen -W "transport tunnel beet" -- "$cur") && return ;;
    delete | delete-pair | get | generate) mapfile -t COMPREPLY < <(compgen -W "ah esp" -- "$cur") && return ;;
    flush | dump | save) mapfile -t COMPREPLY < <(compgen -W "ah esp all" -- "$cur") && return ;;
    genkey) mapfile -t COMPREPLY < <(compgen -W "$auth $encr" -- "$cur") && return ;;
    import) mapfile -t COMPREPLY < <(compgen -W "setkey ip-xfrm ipsec.conf" -- "$cur") && return ;;
    export) mapfile -t COMPREPLY < <(compgen -W "setkey ip-xfrm wireshark tcpdump" -- "$cur") && return ;;
    help) mapfile -t COMPREPLY < <(compgen -W "add update update-pair quit attr $commands" -- "$cur") && return ;;
    explain) mapfile -t COMPREPLY < <(compgen -W "$(ipseckey explain 2>/dev/null | cut -d' ' -f1)" -- "$cur") && return ;;
    esac

    case $first in
    "") mapfile -t COMPREPLY < <(compgen -W "$commands $tools $options" -- "$cur") ;;
    delete | delete-pair | get | generate) mapfile -t COMPREPLY < <(compgen -W "$keywords -o --bits" -- "$cur") ;;
    plan | reconcile) mapfile -t COMPREPLY < <(compgen -f -W "--keep-others --inbound" -- "$cur") ;;
    import | export | doctor | save) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
}

complete -F _ipseckey ipseckey
