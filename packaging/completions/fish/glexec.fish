complete -c glexec -l take -d 'Give this directory of yours, with all that is in it, to the target account until the command ends' -r -f -a "(__fish_complete_directories)"
complete -c glexec -s h -l help -d 'Print this help'
complete -c glexec -s v -l version -d 'Print the version'
complete -c glexec -s V -d 'Print the compile-time settings (root only)'
