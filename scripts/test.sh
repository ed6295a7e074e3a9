#!/bin/sh
# Runs the whole suite in three parts, side by side, on any machine. One starts servers and waits for
# them, in six workers. The other two compute, in the time that the first one leaves: what covers the
# pure packages, with their coverage, and the rest. They print when the first one has ended.
set -u
python=.venv/bin/python
covering=$(echo tests/unit/test_*.py)
computing=""
waiting=""
for folder in tests/*/ tests/unit/*/; do
    case "${folder#tests/}" in
        unit/ | *__pycache__/) ;;
        conformance/ | unit/client/ | unit/edge/ | unit/geodata/ | unit/ladder/ | unit/manifests/ | \
            unit/play/ | unit/policy/ | unit/stats/ | unit/steering/ | unit/trust/)
            covering="$covering $folder" ;;
        architecture/ | benchmark/ | corpus/ | load/ | property/ | unit/config/)
            computing="$computing $folder" ;;
        *) waiting="$waiting $folder" ;;
    esac
done

logs=$(mktemp -d)
covers=""
computes=""
trap 'rm -rf "$logs"' EXIT
# shellcheck disable=SC2086  # those that there are
trap 'kill $covers $computes 2>/dev/null; wait; exit 130' INT TERM

# shellcheck disable=SC2086  # folders are words of their own
{
    nice -n 10 $python -m pytest $covering --cov >"$logs/covering" 2>&1 &
    covers=$!
    nice -n 10 $python -m pytest $computing >"$logs/computing" 2>&1 &
    computes=$!
    status=0
    $python -m pytest -n 6 --dist loadfile --no-loadscope-reorder $waiting || status=1
}
wait "$covers" || status=1
cat "$logs/covering"
wait "$computes" || status=1
cat "$logs/computing"
exit $status
