complete -c glexec -s h -l help -d 'Print this help'
complete -c glexec -s v -l version -d 'Print the version'
complete -c glexec -s V -d 'Print the compile-time settings (root only)'
