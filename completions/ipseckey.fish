# Written by tests/library/completions.rs: SNAPSHOTS=overwrite cargo test --lib completions
# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ipseckey_global_optspecs
    string join \n c= f= s= n p v sadb= hosts= deny-weak json sarif show-keys color= h/help V/version
end

function __fish_ipseckey_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ipseckey_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ipseckey_using_subcommand
    set -l cmd (__fish_ipseckey_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ipseckey -n "__fish_ipseckey_needs_command" -s c -d 'Check the commands in FILE and change nothing; errors go to standard error' -r -F
complete -c ipseckey -n "__fish_ipseckey_needs_command" -s f -d 'Read commands from FILE' -r -F
complete -c ipseckey -n "__fish_ipseckey_needs_command" -s s -d 'Save all SAs to FILE as commands that -f reads; \'-\' is standard output' -r -F
complete -c ipseckey -n "__fish_ipseckey_needs_command" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_needs_command" -l hosts -d 'Look up host names in FILE (in the format of hosts(5)) only' -r -F
complete -c ipseckey -n "__fish_ipseckey_needs_command" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_needs_command" -s n -d 'Print numbers instead of names, and look up none'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -s p -d 'Print X for every digit of a key, also with -s'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -s v -d 'Show the messages that are sent, and times in seconds'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -l deny-weak -d 'Treat weak keys and ciphers that are unsafe with static keys as errors, not as warnings'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -l sarif -d 'Print the errors and warnings of -c or -f as SARIF, for code scanners'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -s V -l version -d 'Print version'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "genkey" -d 'Print a random key for an algorithm'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "generate" -d 'Write a keys file for two hosts, with random SPIs and keys'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "algs" -d 'List the algorithms that the SADB supports, with their key lengths'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "import" -d 'Convert a configuration of setkey, `ip xfrm` or OpenBSD\'s ipsec.conf to a keys file'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "export" -d 'Write SAs for setkey, `ip -batch`, Wireshark or tcpdump'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "doctor" -d 'Check why manual keys do not work on this host, and print what to do'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "explain" -d 'Explain an error or warning by its code, such as IK003'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "plan" -d 'Show what `reconcile` would change'
complete -c ipseckey -n "__fish_ipseckey_needs_command" -a "reconcile" -d 'Change the SADB to match FILE with the fewest changes'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand genkey" -s o -l output -d 'Write to FILE, which must not exist and gets mode 0600' -r -F
complete -c ipseckey -n "__fish_ipseckey_using_subcommand genkey" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand genkey" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand genkey" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand genkey" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand genkey" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand generate" -l bits -d 'Length of the encryption keys [default: the longest that the cipher supports]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand generate" -s o -l output -d 'Write to FILE, which must not exist and gets mode 0600' -r -F
complete -c ipseckey -n "__fish_ipseckey_using_subcommand generate" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand generate" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand generate" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand generate" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand generate" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand algs" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand algs" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand algs" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand algs" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand algs" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand import" -s o -l output -d 'Write to FILE, which must not exist and gets mode 0600' -r -F
complete -c ipseckey -n "__fish_ipseckey_using_subcommand import" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand import" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand import" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand import" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand import" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand export" -s o -l output -d 'Write to FILE, which must not exist and gets mode 0600' -r -F
complete -c ipseckey -n "__fish_ipseckey_using_subcommand export" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand export" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand export" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand export" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand export" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand doctor" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand doctor" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand doctor" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand doctor" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand explain" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand explain" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand explain" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand explain" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand explain" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand plan" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand plan" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand plan" -l keep-others -d 'Keep SAs that FILE does not add'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand plan" -l inbound -d 'Add and change only the inbound SAs of FILE, and remove none'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand plan" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand plan" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand plan" -s h -l help -d 'Print help'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand reconcile" -l sadb -d 'auto, xfrm, pfkey, model or unix:PATH [default: $IPSECKEY_SADB, else auto]' -r
complete -c ipseckey -n "__fish_ipseckey_using_subcommand reconcile" -l color -d 'Colour diagnostics' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipseckey -n "__fish_ipseckey_using_subcommand reconcile" -l keep-others -d 'Keep SAs that FILE does not add'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand reconcile" -l inbound -d 'Add and change only the inbound SAs of FILE, and remove none'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand reconcile" -l json -d 'Print JSON, one object a line'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand reconcile" -l show-keys -d 'Include keys in the output of --json'
complete -c ipseckey -n "__fish_ipseckey_using_subcommand reconcile" -s h -l help -d 'Print help'

# The words of the command language.
set -l commands delete delete-pair get flush dump save monitor passive_monitor pmonitor help
set -l tools genkey generate algs import export doctor explain plan reconcile
set -l keywords spi pair-spi replay state auth_alg authalg encr_alg encralg soft_alloc soft_bytes soft_addtime soft_usetime hard_alloc hard_bytes hard_addtime hard_usetime saddr srcaddr src daddr dstaddr dst proxyaddr proxy innersrc isrc innerdst idst sport dport innersport isport innerdport idport proto ulp iproto iulp saddr6 srcaddr6 src6 daddr6 dstaddr6 dst6 proxyaddr6 proxy6 innersrc6 isrc6 innerdst6 idst6 authkey encrkey srcidtype dstidtype nat_loc nat_rem nat_lport nat_rport encap outbound inbound reserved_bits replay_value idle_addtime idle_usetime mode reqid mark if_id output-mark offload offload-packet tfcpad esn flag soft_packets hard_packets icv
set -l auth hmac-md5 hmac-sha1 hmac-sha256 hmac-sha384 hmac-sha512 aes-xcbc aes-cmac
set -l encr des-cbc 3des-cbc blowfish-cbc null aes-cbc aes-ctr aes-ccm8 aes-ccm12 aes-ccm aes-gcm8 aes-gcm12 aes-gcm camellia-cbc chacha20-poly1305
set -l first "not __fish_seen_subcommand_from $commands $tools"

complete -c ipseckey -f
complete -c ipseckey -n "$first" -a "$commands" -d command
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
complete -c ipseckey -n "__fish_seen_subcommand_from help" -a "add update update-pair delete delete-pair get flush dump save monitor passive_monitor pmonitor help quit exit attr"
complete -c ipseckey -n "__fish_seen_subcommand_from explain" -a "(ipseckey explain 2>/dev/null | cut -d' ' -f1)"
