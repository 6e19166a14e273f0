#compdef fleetctl
# Completion of fleetctl for zsh.
_fleetctl() {
    local -a names texts open
    local name help
    while IFS=$'\t' read -r name help; do
        if [[ $name == *[/=] ]]; then
            open+=("$name")
        else
            names+=("$name")
            texts+=("$name${help:+  -- $help}")
        fi
    done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    compadd -l -d texts -a names
    compadd -S '' -a open
}
if [[ ${funcstack[1]} == _fleetctl ]]; then
    _fleetctl "$@"
else
    compdef _fleetctl fleetctl
fi
