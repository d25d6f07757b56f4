
# The words of the command language.
set -l commands @COMMANDS@
set -l tools @TOOLS@
set -l keywords @KEYWORDS@
set -l auth @AUTH@
set -l encr @ENCR@
set -l first "not __fish_seen_subcommand_from $commands $tools"

complete -c ipseckey -f
complete -c ipseckey -n "$first" -a "$commands" -d command
set -l about_sa "__fish_seen_subcommand_from delete delete-pair get generate"
set -l wants_value "__fish_prev_arg_in delete delete-pair get generate auth_alg authalg encr_alg encralg mode"
complete -c ipseckey -n "$about_sa; and __fish_prev_arg_in delete delete-pair get generate" -a "ah esp"
complete -c ipseckey -n "$about_sa; and __fish_prev_arg_in auth_alg authalg" -a "$auth"
complete -c ipseckey -n "$about_sa; and __fish_prev_arg_in encr_alg encralg" -a "$encr"
complete -c ipseckey -n "$about_sa; and __fish_prev_arg_in mode" -a "@MODES@"
complete -c ipseckey -n "$about_sa; and not $wants_value" -a "$keywords"
complete -c ipseckey -n "__fish_seen_subcommand_from flush dump save" -a "ah esp all"
complete -c ipseckey -n "__fish_seen_subcommand_from genkey" -a "$auth $encr"
complete -c ipseckey -n "__fish_seen_subcommand_from import" -F -a "@IMPORT@"
complete -c ipseckey -n "__fish_seen_subcommand_from export" -F -a "@EXPORT@"
complete -c ipseckey -n "__fish_seen_subcommand_from doctor save plan reconcile" -F
complete -c ipseckey -n "__fish_seen_subcommand_from help" -a "@TOPICS@"
complete -c ipseckey -n "__fish_seen_subcommand_from explain" -a "(ipseckey explain 2>/dev/null | cut -d' ' -f1)"
