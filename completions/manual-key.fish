# Written by tests/library/completions.rs: SNAPSHOTS=overwrite cargo test --lib completions
# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_manual_key_global_optspecs
    string join \n config= config-file= sadb= flush= h/help V/version
end

function __fish_manual_key_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_manual_key_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_manual_key_using_subcommand
    set -l cmd (__fish_manual_key_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c manual-key -n "__fish_manual_key_needs_command" -l config -d 'Configuration of the service [default: /etc/inet/manual-key.toml]' -r -F
complete -c manual-key -n "__fish_manual_key_needs_command" -l config-file -d 'The keys file; overrides the configuration' -r -F
complete -c manual-key -n "__fish_manual_key_needs_command" -l sadb -d 'The SADB: auto, xfrm, pfkey, unix:PATH or model' -r
complete -c manual-key -n "__fish_manual_key_needs_command" -l flush -d 'SAs to flush: all, or owned (added by this service)' -r
complete -c manual-key -n "__fish_manual_key_needs_command" -s h -l help -d 'Print help'
complete -c manual-key -n "__fish_manual_key_needs_command" -s V -l version -d 'Print version'
complete -c manual-key -n "__fish_manual_key_needs_command" -f -a "run" -d 'Flush the SADB, load the keys file and run as a daemon: refresh on request, log expiries, flush at the end'
complete -c manual-key -n "__fish_manual_key_needs_command" -f -a "start" -d 'Flush the SADB and load the keys file'
complete -c manual-key -n "__fish_manual_key_needs_command" -f -a "refresh" -d 'Load a changed keys file or configuration; if manual-key run is running, it does this'
complete -c manual-key -n "__fish_manual_key_needs_command" -f -a "stop" -d 'Flush the SADB'
complete -c manual-key -n "__fish_manual_key_needs_command" -f -a "check" -d 'Parse the keys file and print the lines with errors'
complete -c manual-key -n "__fish_manual_key_needs_command" -f -a "plan" -d 'Show the differences between the keys file and the SADB, and change nothing'
complete -c manual-key -n "__fish_manual_key_needs_command" -f -a "status" -d 'Show service state, keys file, loaded and missing SAs, and the next expiries'
complete -c manual-key -n "__fish_manual_key_using_subcommand run" -l config -d 'Configuration of the service [default: /etc/inet/manual-key.toml]' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand run" -l config-file -d 'The keys file; overrides the configuration' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand run" -l sadb -d 'The SADB: auto, xfrm, pfkey, unix:PATH or model' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand run" -l flush -d 'SAs to flush: all, or owned (added by this service)' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand run" -s h -l help -d 'Print help'
complete -c manual-key -n "__fish_manual_key_using_subcommand start" -l config -d 'Configuration of the service [default: /etc/inet/manual-key.toml]' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand start" -l config-file -d 'The keys file; overrides the configuration' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand start" -l sadb -d 'The SADB: auto, xfrm, pfkey, unix:PATH or model' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand start" -l flush -d 'SAs to flush: all, or owned (added by this service)' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand start" -l show -d 'Print the resulting SAs, keys masked'
complete -c manual-key -n "__fish_manual_key_using_subcommand start" -s h -l help -d 'Print help'
complete -c manual-key -n "__fish_manual_key_using_subcommand refresh" -l config -d 'Configuration of the service [default: /etc/inet/manual-key.toml]' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand refresh" -l config-file -d 'The keys file; overrides the configuration' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand refresh" -l sadb -d 'The SADB: auto, xfrm, pfkey, unix:PATH or model' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand refresh" -l flush -d 'SAs to flush: all, or owned (added by this service)' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand refresh" -l show -d 'Print the resulting SAs, keys masked'
complete -c manual-key -n "__fish_manual_key_using_subcommand refresh" -s h -l help -d 'Print help'
complete -c manual-key -n "__fish_manual_key_using_subcommand stop" -l config -d 'Configuration of the service [default: /etc/inet/manual-key.toml]' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand stop" -l config-file -d 'The keys file; overrides the configuration' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand stop" -l sadb -d 'The SADB: auto, xfrm, pfkey, unix:PATH or model' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand stop" -l flush -d 'SAs to flush: all, or owned (added by this service)' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand stop" -s h -l help -d 'Print help'
complete -c manual-key -n "__fish_manual_key_using_subcommand check" -l config -d 'Configuration of the service [default: /etc/inet/manual-key.toml]' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand check" -l config-file -d 'The keys file; overrides the configuration' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand check" -l sadb -d 'The SADB: auto, xfrm, pfkey, unix:PATH or model' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand check" -l flush -d 'SAs to flush: all, or owned (added by this service)' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand check" -s h -l help -d 'Print help'
complete -c manual-key -n "__fish_manual_key_using_subcommand plan" -l config -d 'Configuration of the service [default: /etc/inet/manual-key.toml]' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand plan" -l config-file -d 'The keys file; overrides the configuration' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand plan" -l sadb -d 'The SADB: auto, xfrm, pfkey, unix:PATH or model' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand plan" -l flush -d 'SAs to flush: all, or owned (added by this service)' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand plan" -l json -d 'Print JSON objects, one per line'
complete -c manual-key -n "__fish_manual_key_using_subcommand plan" -s h -l help -d 'Print help'
complete -c manual-key -n "__fish_manual_key_using_subcommand status" -l instance -d 'The instance manual-key@NAME.service' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand status" -l config -d 'Configuration of the service [default: /etc/inet/manual-key.toml]' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand status" -l config-file -d 'The keys file; overrides the configuration' -r -F
complete -c manual-key -n "__fish_manual_key_using_subcommand status" -l sadb -d 'The SADB: auto, xfrm, pfkey, unix:PATH or model' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand status" -l flush -d 'SAs to flush: all, or owned (added by this service)' -r
complete -c manual-key -n "__fish_manual_key_using_subcommand status" -l json -d 'Print a JSON object'
complete -c manual-key -n "__fish_manual_key_using_subcommand status" -l check -d 'Exit with 3 if SAs are missing, 78 in maintenance, 1 if disabled, 77 without permission to read the state'
complete -c manual-key -n "__fish_manual_key_using_subcommand status" -s h -l help -d 'Print help'
