# Completion of fleetctl for bash.
_fleetctl() {
    local line=${COMP_LINE:0:COMP_POINT} words=() mark head prefix=
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local word=${words[-1]}
    # bash has broken words at these marks, and puts back only what stands behind the last of them.
    for mark in @ : =; do
        [[ $COMP_WORDBREAKS == *"$mark"* && $word == *"$mark"* ]] || continue
        head=${word%"${word##*"$mark"}"}
        ((${#head} > ${#prefix})) && prefix=$head
    done
    mapfile -t COMPREPLY < <("$1" __complete -- "${words[@]:1}" 2>/dev/null | cut -f1)
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _fleetctl fleetctl
