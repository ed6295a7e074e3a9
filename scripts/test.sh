#!/bin/sh
# Runs the whole suite in three parts, side by side, on any machine. One starts processes and waits
# for them, in six workers. The other two compute, in the time that the first one leaves: what covers
# the pure packages, with their coverage, and the rest. They print when the first one has ended.
set -u
python=.venv/bin/python
covering="tests/conformance"
for name in client edge geodata ladder manifests play policy stats steering trust; do
    covering="$covering tests/unit/$name"
done
computing="tests/architecture tests/benchmark tests/corpus tests/load tests/property tests/unit"

ignored() { # the option that leaves each folder out
    for folder in "$@"; do printf ' --ignore=%s' "$folder"; done
}

logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

# Folders are words of their own.
# shellcheck disable=SC2086,SC2046
{
    nice -n 10 $python -m pytest $covering tests/unit/test_*.py --cov >"$logs/covering" 2>&1 &
    covers=$!
    nice -n 10 $python -m pytest $computing $(ignored $covering) \
        --ignore-glob='tests/unit/test_*.py' >"$logs/computing" 2>&1 &
    computes=$!
    status=0
    $python -m pytest -n 6 --dist loadfile --no-loadscope-reorder tests \
        $(ignored $covering $computing) || status=1
}
wait "$covers" || status=1
cat "$logs/covering"
wait "$computes" || status=1
cat "$logs/computing"
exit $status
