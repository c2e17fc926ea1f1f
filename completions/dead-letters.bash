# bash completion for dead-letters(1). A test compares the verbs and options with --help.

_dead_letters()
{
    local current=$2 previous=$3 word verb="" options
    local verbs="list groups show trace stats retry discard edit undo export import purge erase doctor backup restore recover rekey new-key"
    local filters="--type --handler --service --fingerprint --correlation-id --event-id --foreign-id --since --until --attribute --where"
    local reasons="exhausted permanent causation_loop unhandled shutdown parked undecodable crashed"

    local before=""
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $before != --db && " $verbs " == *" $word "* ]]; then
            verb=$word
            break
        fi
        before=$word
    done

    case $previous in
        --db | --file | --output | -o | --key-file)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
        --reason | --letter-reason)
            if [[ $verb != discard || $previous == --letter-reason ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$reasons" -- "$current")
            fi
            return
            ;;
        --sort)
            if [[ $verb == groups ]]; then
                mapfile -t COMPREPLY < <(compgen -W "count last-seen" -- "$current")
            else
                mapfile -t COMPREPLY < <(compgen -W "newest oldest" -- "$current")
            fi
            return
            ;;
        --type | --handler | --service | --fingerprint | --correlation-id | --event-id | --foreign-id | --since | --until | --attribute | --where | --by | \
            --limit | --after | --canary | --rate | --stop-after | --timeout | --set | --older-than | --confirm)
            return
            ;;
    esac

    options="--db --json --quiet -q --no-color --help -h"
    case $verb in
        "") options+=" --version -V $verbs" ;;
        list) options+=" $filters --reason --unresolved --resolved --all --sort --limit --after --reveal" ;;
        groups) options+=" $filters --reason --unresolved --resolved --all --sort --limit --by --reveal" ;;
        show) options+=" --reveal --key-file" ;;
        trace) options+=" --reveal" ;;
        stats) options+=" $filters --reason --unresolved --resolved --all" ;;
        retry) options+=" $filters --reason --all --dry-run -n --canary --rate --stop-after --wait --timeout" ;;
        discard) options+=" $filters --letter-reason --all --reason --dry-run -n" ;;
        edit) options+=" --set --file --key-file --dry-run -n" ;;
        undo) options+=" $filters --reason --all --dry-run -n" ;;
        export) options+=" $filters --reason --unresolved --resolved --all --output -o" ;;
        import) options+=" --dry-run -n" ;;
        purge) options+=" $filters --reason --older-than --unresolved --confirm --dry-run -n" ;;
        erase) options+=" $filters --reason --yes -y --dry-run -n" ;;
        doctor) options+=" --thorough --key-file" ;;
        backup) options+=" --dry-run -n" ;;
        restore) options+=" --dry-run -n" ;;
        recover) options+=" --output -o" ;;
        new-key) options+=" --add" ;;
        rekey) options+=" --key-file --encrypt" ;;
    esac
    if [[ $verb == import || $verb == backup || $verb == restore || $verb == recover || $verb == new-key ]] && [[ $current != -* ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}
complete -F _dead_letters dead-letters
