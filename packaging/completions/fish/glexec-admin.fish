# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_glexec_admin_global_optspecs
    string join \n h/help V/version
end

function __fish_glexec_admin_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_glexec_admin_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_glexec_admin_using_subcommand
    set -l cmd (__fish_glexec_admin_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -s V -l version -d 'Print version'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "migrate" -d 'Prints a historic configuration as a glexec.conf of today, with comments on what needs a look.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "check" -d 'Checks everything that glexec needs of the site, and says what to do.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "explain" -d 'Prints how a call with this proxy or token would be decided, without any effect.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "log" -d 'Answers from the audit records: who ran as whom and when, what was refused, who used how much.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "leases" -d 'Shows who has which pool account, and takes accounts back.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "ban" -d 'Says who may not run at the site, on every node within seconds.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "sweep" -d 'Cleans up after calls whose processes were all killed at once.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "fetch-keys" -d 'Fetches the public keys of the issuers of tokens that the site trusts.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "pools" -d 'Adds pool accounts to the database of the site\'s service.'
complete -c glexec-admin -n "__fish_glexec_admin_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand migrate" -l glexec-conf -d 'The historic glexec.conf' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand migrate" -l lcmaps-db -d 'The historic lcmaps.db' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand migrate" -l lcas-db -d 'The historic lcas.db' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand migrate" -l output -d 'Writes this file, whole or not at all, and keeps what was there as FILE.bak' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand migrate" -l check -d 'Prints nothing, but checks that this glexec.conf can be loaded' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand migrate" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand check" -l program -d 'The installed program' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand check" -l config -d 'Looks at this glexec.conf, which is not in place yet, instead of the one that is' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand check" -l as -d 'Also tries a call with this proxy, without any effect' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand check" -l caller -d 'Who calls; the owner of the proxy where nobody is named' -r -f -a "(__fish_complete_users)"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand check" -l ignore-expired-cas -d 'Does not warn of CAs that have expired'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand check" -l all -d 'Shows also what is as it should be'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand check" -l json -d 'Prints JSON'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand check" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand explain" -l config -d 'A glexec.conf to try instead of the installed one' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand explain" -l caller -d 'Who calls; root only' -r -f -a "(__fish_complete_users)"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand explain" -l token -d 'The user\'s token file, as GLEXEC_CLIENT_TOKEN names it, instead of a proxy' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand explain" -l pilot-proxy -d 'The pilot\'s own proxy, as X509_USER_PROXY names it' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand explain" -l mode -d 'GLEXEC_MODE' -r -f -a "lcmaps_get_account\t''
lcmaps_verify_account\t''"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand explain" -l json -d 'Prints one line of JSON for programs'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand explain" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l account -d 'Calls that ran as this account' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l uid -d 'Calls that ran as this user id' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l pid -d 'Calls by this process, or with it as the payload\'s main one' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l host -d 'Calls on this host, with or without its domain' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l user -d 'Calls for this user: the whole name, which begins with /, or a part of it' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l pilot -d 'Calls by the pilot with this name, or a part of it' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l vo -d 'Calls for users of this VO' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l caller -d 'Calls by this local account' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l call -d 'The call with this id' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l reason -d 'Calls that were refused for this reason' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l at -d 'Calls that ran at this time' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l since -d 'Only from this time on: 2026-11-22, 2026-11-22T16:41:00Z, yesterday, 2h (ago)' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l until -d 'Only up to this time' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l longest -d 'How long a call without an end record counts as running' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l show -d 'Single calls, refusals by reason, or usage by user and VO' -r -f -a "calls\t''
refusals\t''
usage\t''"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l by -d 'Usage, added up by one thing' -r -f -a "vo\t''
user\t''
account\t''
month\t''
host\t''"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l html -d 'Draws calls, refusals, users, VOs and time as one page for a browser' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l format -d 'Job records for APEL, of calls that ended in the time asked for' -r -f -a "apel\t''"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l journal -d 'Reads the systemd journal'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -s f -l follow -d 'Shows what happens from now on, or from --since, until it is interrupted'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l json -d 'Prints JSON'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -l csv -d 'Prints comma-separated values'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand log" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -l gridmapdir -d 'The directory, where glexec.conf names none or several' -r -f -a "(__fish_complete_directories)"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -f -a "list" -d 'Lists the leases: account, holder, groups, last use, processes that run now.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -f -a "import" -d 'Gives a gridmapdir\'s accounts and leases to the site\'s service.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -f -a "export" -d 'Writes what the site\'s service has as a gridmapdir, into an empty directory.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -f -a "release" -d 'Takes one account back, unless a process of it runs.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -f -a "expire" -d 'Takes back what was not used for long and has no process.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and not __fish_seen_subcommand_from list import export release expire help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from list" -l gridmapdir -d 'The directory, where glexec.conf names none or several' -r -f -a "(__fish_complete_directories)"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from list" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from list" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from list" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from list" -l free -d 'Lists the free accounts, too'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from list" -l json -d 'Prints JSON'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from import" -l gridmapdir -d 'The directory, where glexec.conf names none or several' -r -f -a "(__fish_complete_directories)"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from import" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from import" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from import" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from export" -l gridmapdir -d 'The directory, where glexec.conf names none or several' -r -f -a "(__fish_complete_directories)"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from export" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from export" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from export" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -l grace -d 'How long to wait for calls that have just found the lease' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -l rest -d 'At a service with a database: how long nobody else gets the account; longer than the longest job' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -l gridmapdir -d 'The directory, where glexec.conf names none or several' -r -f -a "(__fish_complete_directories)"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -s y -l yes -d 'Does it without asking'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -l json -d 'Prints JSON'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -l unused-for -d 'For how many days, as 30d' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -l grace -d 'How long to wait for calls that have just found the lease' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -l rest -d 'At a service with a database: how long nobody else gets the account; longer than the longest job' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -l gridmapdir -d 'The directory, where glexec.conf names none or several' -r -f -a "(__fish_complete_directories)"
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -s y -l yes -d 'Does it without asking'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -l json -d 'Prints JSON'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from expire" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "list" -d 'Lists the leases: account, holder, groups, last use, processes that run now.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "import" -d 'Gives a gridmapdir\'s accounts and leases to the site\'s service.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "export" -d 'Writes what the site\'s service has as a gridmapdir, into an empty directory.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "release" -d 'Takes one account back, unless a process of it runs.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "expire" -d 'Takes back what was not used for long and has no process.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -f -a "add" -d 'Bans, or bans otherwise.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -f -a "remove" -d 'Lifts a ban: exactly the name that was banned.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -f -a "list" -d 'Shows the bans: who, until when, by whom, why.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -f -a "import" -d 'Bans everybody that a ban file names.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and not __fish_seen_subcommand_from add remove list import help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from add" -l until -d 'When it ends, RFC 3339: 2026-12-24T18:00:00Z' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from add" -l reason -d 'Why; it is shown to operators and logged' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from add" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from add" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from add" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from add" -l kill -d 'Ends what they have running on the nodes'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from remove" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from remove" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from remove" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from list" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from list" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from list" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from list" -l json -d 'Prints JSON'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from import" -l until -d 'When it ends, RFC 3339: 2026-12-24T18:00:00Z' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from import" -l reason -d 'Why; it is shown to operators and logged' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from import" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from import" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from import" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from help" -f -a "add" -d 'Bans, or bans otherwise.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Lifts a ban: exactly the name that was banned.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from help" -f -a "list" -d 'Shows the bans: who, until when, by whom, why.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from help" -f -a "import" -d 'Bans everybody that a ban file names.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand ban; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand sweep" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand fetch-keys" -l issuer -d 'Only this one of the issuers' -r -f
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand fetch-keys" -l from -d 'Takes its keys, a JWK set, from a file: for sites without a way out' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand fetch-keys" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and not __fish_seen_subcommand_from add help" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and not __fish_seen_subcommand_from add help" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and not __fish_seen_subcommand_from add help" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and not __fish_seen_subcommand_from add help" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and not __fish_seen_subcommand_from add help" -f -a "add" -d 'Adds accounts that nobody has.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and not __fish_seen_subcommand_from add help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and __fish_seen_subcommand_from add" -l server -d 'The service, as https://map1.example.org:8444; without it, that of this host' -r
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and __fish_seen_subcommand_from add" -l certificate -d 'The certificate to ask with' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and __fish_seen_subcommand_from add" -l key -d 'Its private key' -r -F
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and __fish_seen_subcommand_from help" -f -a "add" -d 'Adds accounts that nobody has.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand pools; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "migrate" -d 'Prints a historic configuration as a glexec.conf of today, with comments on what needs a look.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "check" -d 'Checks everything that glexec needs of the site, and says what to do.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "explain" -d 'Prints how a call with this proxy or token would be decided, without any effect.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "log" -d 'Answers from the audit records: who ran as whom and when, what was refused, who used how much.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "leases" -d 'Shows who has which pool account, and takes accounts back.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "ban" -d 'Says who may not run at the site, on every node within seconds.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "sweep" -d 'Cleans up after calls whose processes were all killed at once.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "fetch-keys" -d 'Fetches the public keys of the issuers of tokens that the site trusts.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "pools" -d 'Adds pool accounts to the database of the site\'s service.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and not __fish_seen_subcommand_from migrate check explain log leases ban sweep fetch-keys pools help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "list" -d 'Lists the leases: account, holder, groups, last use, processes that run now.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "import" -d 'Gives a gridmapdir\'s accounts and leases to the site\'s service.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "export" -d 'Writes what the site\'s service has as a gridmapdir, into an empty directory.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "release" -d 'Takes one account back, unless a process of it runs.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "expire" -d 'Takes back what was not used for long and has no process.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from ban" -f -a "add" -d 'Bans, or bans otherwise.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from ban" -f -a "remove" -d 'Lifts a ban: exactly the name that was banned.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from ban" -f -a "list" -d 'Shows the bans: who, until when, by whom, why.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from ban" -f -a "import" -d 'Bans everybody that a ban file names.'
complete -c glexec-admin -n "__fish_glexec_admin_using_subcommand help; and __fish_seen_subcommand_from pools" -f -a "add" -d 'Adds accounts that nobody has.'
