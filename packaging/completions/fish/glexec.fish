complete -c glexec -l sandbox -d 'Work in DIR, a directory of the caller\'s, as if it were the target account\'s own' -r -f -a "(__fish_complete_directories)"
complete -c glexec -s h -l help -d 'Print this help'
complete -c glexec -s v -l version -d 'Print the version'
complete -c glexec -s V -d 'Print the compile-time settings (root only)'
