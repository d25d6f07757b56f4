# Written by tests/library/completions.rs: SNAPSHOTS=overwrite cargo test --lib completions
complete -c sadb-model -l listen -d 'Listen at this path; the socket is its owner\'s only' -r -F
complete -c sadb-model -l local -d 'An address of the rehearsed node; may be given several times' -r
complete -c sadb-model -s h -l help -d 'Print help'
complete -c sadb-model -s V -l version -d 'Print version'
