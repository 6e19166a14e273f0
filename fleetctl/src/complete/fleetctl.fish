# Completion of fleetctl for fish.
function __fleetctl_complete
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    set --append words (commandline --cut-at-cursor --current-token)
    $words[1] __complete -- $words[2..] 2>/dev/null
end
complete --command fleetctl --no-files --arguments '(__fleetctl_complete)'
