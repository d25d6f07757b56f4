# fish completion for ipseckey(8). tests/completions.rs holds it against the program's tables.

set -l commands delete delete-pair get flush dump save monitor passive_monitor pmonitor help
set -l tools genkey generate import export algs doctor explain plan reconcile
set -l keywords \
    spi pair-spi replay state auth_alg authalg encr_alg encralg soft_alloc soft_bytes soft_addtime \
    soft_usetime hard_alloc hard_bytes hard_addtime hard_usetime saddr srcaddr src daddr dstaddr dst \
    proxyaddr proxy innersrc isrc innerdst idst sport dport innersport isport innerdport idport proto ulp \
    iproto iulp saddr6 srcaddr6 src6 daddr6 dstaddr6 dst6 proxyaddr6 proxy6 innersrc6 isrc6 innerdst6 idst6 \
    authkey encrkey srcidtype dstidtype nat_loc nat_rem nat_lport nat_rport encap outbound inbound \
    reserved_bits replay_value idle_addtime idle_usetime mode reqid mark if_id output-mark offload offload-packet tfcpad \
    esn flag soft_packets hard_packets icv
set -l auth hmac-md5 hmac-sha1 hmac-sha256 hmac-sha384 hmac-sha512 aes-xcbc aes-cmac
set -l encr \
    des-cbc 3des-cbc blowfish-cbc null aes-cbc aes-ccm8 aes-ccm12 aes-ccm aes-gcm8 aes-gcm12 aes-gcm \
    camellia-cbc aes-ctr chacha20-poly1305
set -l first "not __fish_seen_subcommand_from $commands $tools"

complete -c ipseckey -f
complete -c ipseckey -n "$first" -a "$commands" -d command
complete -c ipseckey -n "$first" -a "$tools" -d tool
complete -c ipseckey -s c -r -F -d "Check the commands of a file"
complete -c ipseckey -s f -r -F -d "Read commands from a file"
complete -c ipseckey -s s -r -F -d "Save all SAs to a file"
complete -c ipseckey -s n -d "Numbers, no names"
complete -c ipseckey -s p -d "No key digit in output"
complete -c ipseckey -s v -d "Show what is sent"
complete -c ipseckey -l sadb -x -a "auto xfrm pfkey model unix:" -d "Which SADB"
complete -c ipseckey -l hosts -r -F -d "Look names up in a file"
complete -c ipseckey -l deny-weak -d "Refuse weak keys and ciphers"
complete -c ipseckey -l json -d "Print JSON"
complete -c ipseckey -l sarif -d "Print what -c or -f says as SARIF"
complete -c ipseckey -l show-keys -d "Print keys in JSON too"
complete -c ipseckey -l color -x -a "auto always never" -d "Colour messages"
complete -c ipseckey -l help -d "Print help"
complete -c ipseckey -l version -d "Print version"
complete -c ipseckey -s o -l output -r -F -n "__fish_seen_subcommand_from genkey generate import export" -d "Write to a new file"
set -l about_sa "__fish_seen_subcommand_from delete delete-pair get generate"
set -l wants_value "__fish_prev_arg_in delete delete-pair get generate auth_alg authalg encr_alg encralg mode"
complete -c ipseckey -n "$about_sa; and __fish_prev_arg_in delete delete-pair get generate" -a "ah esp"
complete -c ipseckey -n "$about_sa; and __fish_prev_arg_in auth_alg authalg" -a "$auth"
complete -c ipseckey -n "$about_sa; and __fish_prev_arg_in encr_alg encralg" -a "$encr"
complete -c ipseckey -n "$about_sa; and __fish_prev_arg_in mode" -a "transport tunnel beet"
complete -c ipseckey -n "$about_sa; and not $wants_value" -a "$keywords"
complete -c ipseckey -n "__fish_seen_subcommand_from flush dump save" -a "ah esp all"
complete -c ipseckey -n "__fish_seen_subcommand_from genkey" -a "$auth $encr"
complete -c ipseckey -n "__fish_seen_subcommand_from import" -F -a "setkey ip-xfrm ipsec.conf"
complete -c ipseckey -n "__fish_seen_subcommand_from export" -F -a "setkey ip-xfrm wireshark tcpdump"
complete -c ipseckey -n "__fish_seen_subcommand_from doctor save plan reconcile" -F
complete -c ipseckey -l keep-others -n "__fish_seen_subcommand_from plan reconcile" -d "Remove nothing"
complete -c ipseckey -l inbound -n "__fish_seen_subcommand_from plan reconcile" -d "Only what comes in"
complete -c ipseckey -n "__fish_seen_subcommand_from help" -a "add update update-pair quit attr $commands"
complete -c ipseckey -n "__fish_seen_subcommand_from explain" -a "(ipseckey explain 2>/dev/null | cut -d' ' -f1)"
